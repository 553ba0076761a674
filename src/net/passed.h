/* SPDX-License-Identifier: MIT */
/*
 * Sockets to listen at that the service manager has made and passes to the program: "socket
 * activation", sd_listen_fds(3). A listener takes over the one that has its address
 * (listen.h). It stays open when the listener is taken away, for the manager has it open,
 * too: a listener at the same address can have it again.
 */
#ifndef PASSED_H
#define PASSED_H

#include <stdbool.h>
#include <stddef.h>

#include "conf/endpoint.h"
#include "net/sock.h"

#define PASSED_MAX 64 /* sockets */
#define PASSED_NAME_MAX \
	40 /* bytes of a name in messages, with its NUL; longer ones are cut */

/*
 * @fd, @name: as it was passed
 * @addr:      that it listens at
 * @is_udp:    it is one of UDP, for sealed trunks
 * @is_used:   a listener has it
 */
struct passed_fd {
	int fd;
	char name[PASSED_NAME_MAX];
	struct sock_addr addr;
	bool is_udp, is_used;
};

struct passed {
	unsigned n;
	struct passed_fd fds[PASSED_MAX];
};

/*
 * passed_read() - Find out which sockets were passed to this process, and take the variables
 * that say so out of the environment. Call it before any descriptor is opened.
 * @is_other: whether a descriptor belongs to somebody else, and is left alone; gets @arg
 * @why:      on error, one line that says what is wrong and what to do
 * @size:     bytes at @why
 *
 * Each of the others must be a listening socket of TCP, a unix one of streams with a path,
 * or one of UDP.
 *
 * Return: 0, also if there are none; -EINVAL; -EBADF for one that is not open.
 */
int passed_read(struct passed *p, bool (*is_other)(int fd, const void *arg),
		const void *arg, char *why, size_t size);

/*
 * passed_find() - The socket that no listener has yet, and that listens at a unix path, or if
 * @path is NULL at an address, where an empty host stands for all addresses of either family.
 * @is_udp: one of UDP, and else none
 *
 * Return: NULL if there is none, and for a NULL @p.
 */
struct passed_fd *passed_find(struct passed *p, const char *path,
			      const struct endpoint_addr *addr, bool is_udp);

#endif
