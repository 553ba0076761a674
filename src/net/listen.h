/* SPDX-License-Identifier: MIT */
/*
 * A listener accepts connections over TCP or a unix socket, and passes each to its owner.
 * If the owner limits their number, later ones wait in the kernel's backlog until a
 * connection has ended.
 *
 * Connections that the rules refuse (net/admit.h) are reset at once, and wait for nothing.
 *
 * A listener leaves some descriptors unused: clients must not be able to use up those
 * that the program needs for other purposes.
 */
#ifndef LISTEN_H
#define LISTEN_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/loop.h"
#include "conf/endpoint.h"
#include "net/admit.h"
#include "net/broker.h"
#include "net/passed.h"
#include "net/sock.h"

/*
 * The owner sets these, and what they point to must outlive the listener:
 * @name:     its name in messages
 * @path:     path of the unix socket to make, with permissions @mode; NULL for TCP
 * @group:    whose that path is, a name or a number; NULL or "": ours
 * @addr:     if @path is NULL, the TCP address; an empty host means all addresses
 * @limit:    connections at the same time; 0 for no limit
 * @admit:    its access are the rules
 * @accepted: called with each connection: a non-blocking descriptor, which is the
 *            owner's from then on, and the peer's name for messages. @host is what
 *            listener_gone() needs
 * @open:     opens a socket of the owner's own kind, in place of one of streams, of which
 *            the listener knows no more; gets @arg. Return: 0 or -errno. NULL: as usual
 * @wanted:   called every second while a connection waits because of @limit; may be
 *            NULL if there is no limit
 * @arg:      passed to all of these
 * @broker:   makes and removes the path; may be NULL
 * @passed:   sockets of the service manager, one of which it may take over: mode and group of
 *            the path are the manager's then; may be NULL
 * @waits:    what is missing at first, an address or a folder, is waited for
 *
 * The listener's own members:
 * @n:         connections at present
 * @count:     connections so far; it numbers peers that have no address
 * @held:      a connection that waits for a place because of @limit; -1: there is none
 * @held_from: where it came from
 * @gid:       the number of @group
 * @own:       the one of @passed that it has, or NULL
 * @reopen_ms: ms until a socket that has failed is made anew
 * @is_reported:   it was logged that connections cannot be accepted
 */
struct listener {
	const char *name, *path, *group;
	mode_t mode;
	const struct endpoint_addr *addr;
	unsigned limit;
	struct admit admit;
	void (*accepted)(struct listener *l, int fd, const char *peer,
			 struct admit_host *host, void *arg);
	int (*open)(void *arg);
	void (*wanted)(struct listener *l, void *arg);
	void *arg;
	struct broker *broker;
	struct passed *passed;
	bool waits;

	struct loop *loop;
	struct watch watch;
	struct timer resume;
	struct sock_path made;
	unsigned n, count;
	int held;
	struct sock_addr held_from;
	gid_t gid;
	struct passed_fd *own;
	unsigned reopen_ms;
	bool is_reported;
};

/*
 * listener_start() - Begin to listen.
 * @loop: it must outlive the listener
 * @why:  on error, one line that says what is wrong and what to do
 * @size: bytes at @why
 *
 * Return: 0, also when it waits; -errno.
 */
int listener_start(struct listener *l, struct loop *loop, char *why, size_t size);

/* listener_retry_now() - The reason to wait may be gone. Return: whether it waits. */
bool listener_retry_now(struct listener *l);

/* listener_gone() - Tell the listener that a connection which it accepted has ended. */
void listener_gone(struct listener *l, struct admit_host *host);

/*
 * listener_stop() - Stop listening, and remove the path. Connections stay. It does nothing
 * if the listener was not started.
 */
void listener_stop(struct listener *l);

/* listener_free() - Free what it has, once it is stopped and its connections have ended. */
void listener_free(struct listener *l);

#endif
