/* SPDX-License-Identifier: MIT */
/*
 * A listener: accepts connections over TCP or a unix socket, and gives each to
 * its holder. In a cable it takes one at a time, and the next one waits in the
 * backlog until that has gone - as QEMU's own listening netdev does - or the
 * holder finds that it has.
 *
 * It leaves some descriptors to others: who connects must not be able to keep
 * the relay from dialling again.
 */
#ifndef LISTEN_H
#define LISTEN_H

#include "base/loop.h"
#include "conf/endpoint.h"
#include "net/sock.h"
#include "port/port.h"

/*
 * @accepted: called with a connection, non-blocking, the holder's from then
 *            on, and with the peer's name for messages
 * @wanted:   called now and then while a connection waits and @limit is reached
 * @limit:    connections at a time; 0: no limit
 * @n:        connections now
 * @gone:     the holder's: counters of its ports that are no more
 * @sum:      the same and those of its ports that are, while they are added up
 */
struct listener {
	struct loop *loop;
	struct endpoint *ep; /* the holder's */
	struct watch watch;
	struct timer resume;
	struct sock_path made;
	unsigned limit, n;
	unsigned reopen_ms; /* until a socket that has failed is made anew */
	unsigned count;	    /* ever; numbers the peers that have no address */
	bool is_told;	    /* that connections wait which can't be accepted */
	void (*accepted)(struct listener *l, int fd, const char *peer, void *arg);
	void (*wanted)(struct listener *l, void *arg);
	void *arg;
	struct port_counters gone, sum;
	struct listener *next; /* the holder's list */
};

/*
 * listener_start() - Listen; set ep, limit, accepted and arg before.
 * @why: on error, one line that says what is wrong and what to do
 *
 * Return: 0 or -errno.
 */
int listener_start(struct listener *l, struct loop *loop, char *why, size_t size);

/* listener_gone() - A connection it gave out has ended. */
void listener_gone(struct listener *l);

void listener_stop(struct listener *l);

#endif
