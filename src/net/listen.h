/* SPDX-License-Identifier: MIT */
/*
 * A listener: accepts connections over TCP or a unix socket, and gives each to its
 * owner. Where the owner has room for so many only, those who come later wait in the
 * kernel's backlog until one has gone, or the owner finds that it has.
 *
 * It leaves some descriptors to others: who connects must not be able to keep the
 * program from what else it needs them for.
 */
#ifndef LISTEN_H
#define LISTEN_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/loop.h"
#include "conf/endpoint.h"
#include "net/sock.h"

/*
 * The owner sets these, and what they point to must outlive the listener:
 * @name:     what messages call it
 * @path:     of a unix socket to listen at, made with access @mode; or NULL
 * @addr:     else, where to listen over TCP; with an empty host, at all addresses
 * @limit:    connections at a time; 0: no limit
 * @accepted: called with a connection, non-blocking, the owner's from then on, and
 *            with the peer's name for messages
 * @wanted:   called now and then while a connection waits and @limit is reached; may be
 *            NULL without a limit
 *
 * The listener's own:
 * @n:         connections now
 * @count:     connections ever; numbers the peers that have no address
 * @reopen_ms: until a socket that has failed is made anew
 * @is_told:   that connections wait which can't be accepted
 */
struct listener {
	const char *name, *path;
	mode_t mode;
	const struct endpoint_addr *addr;
	unsigned limit;
	void (*accepted)(struct listener *l, int fd, const char *peer, void *arg);
	void (*wanted)(struct listener *l, void *arg);
	void *arg;

	struct loop *loop;
	struct watch watch;
	struct timer resume;
	struct sock_path made;
	unsigned n, count;
	unsigned reopen_ms;
	bool is_told;
};

/*
 * listener_start() - Listen.
 * @why: on error, one line that says what is wrong and what to do
 *
 * Return: 0 or -errno.
 */
int listener_start(struct listener *l, struct loop *loop, char *why, size_t size);

/* listener_gone() - A connection it gave out has ended. */
void listener_gone(struct listener *l);

/* listener_stop() - Listen no more, and remove the path; one never started is fine. */
void listener_stop(struct listener *l);

#endif
