/* SPDX-License-Identifier: MIT */
/*
 * A relay's listener: makes a port of each connection that it accepts, and adds up what
 * all of these have carried. When it is taken away it stops listening, but its ports
 * stay; it is freed with the last of them.
 */
#ifndef ACCEPTOR_H
#define ACCEPTOR_H

#include <stdbool.h>
#include <stddef.h>

#include "conf/endpoint.h"
#include "net/listen.h"
#include "relay/callers.h"
#include "relay/member.h"
#include "relay/names.h"

struct door;
struct relay;

/*
 * @ep:         its own copy
 * @label:      its name in messages
 * @names:      of its connections; NULL without name=
 * @door:       in place of the listener, over UDP (relay/door.h); else NULL
 * @gone:       counters of its ports that are no more
 * @sum:        of all its ports, also those that are gone; see stats_sum_acceptors()
 * @told_at: when a stranger was told of last, and somebody who comes in the name of a peer;
 *           loop_now(), 0: never
 * @is_stopped: it was taken away
 * @is_configured, @is_kept: as of struct member
 * @next:       in the relay's list; or of those to be freed at the end of the turn
 */
struct acceptor {
	struct listener listener;
	struct relay *relay;
	struct endpoint *ep;
	char label[PORT_NAME_MAX];
	struct names *names;
	struct door *door;
	struct port_counters gone, sum;
	uint64_t told_at[2];
	bool is_stopped, is_configured, is_kept;
	struct acceptor *next;
};

/*
 * acceptor_add() - Listen as @ep says, for @r. In a cable there is room for one
 * connection at a time.
 * @ep:  on success it is the acceptor's, to be given to free()
 * @why: on error, one line that says what is wrong and what to do
 *
 * Return: 0 or -errno.
 */
int acceptor_add(struct relay *r, struct endpoint *ep, char *why, size_t size);

/*
 * A connection that becomes a port.
 * @fd:   it is the port's, also after an error
 * @name: of the peer in messages
 * @host: as of listener_gone()
 * @port:  over UDP, in place of @fd: it is the relay's, also after an error; else NULL
 * @session, @peer, @known: of one that has proved who it is (relay/callers.h); else NULL
 */
struct arrival {
	int fd;
	const char *name;
	struct admit_host *host;
	struct port *port;
	struct session *session;
	const struct peer *peer;
	struct known_peer *known;
};

/*
 * acceptor_has_room() - Whether there is a place for one more port, or acceptor_make_room()
 * would make one: a cable has one place.
 */
bool acceptor_has_room(const struct acceptor *a);

/* acceptor_make_room() - The same, and a peer that is most likely gone loses its place. */
bool acceptor_make_room(struct acceptor *a);

/* acceptor_take() - Make a port of it. */
void acceptor_take(struct acceptor *a, const struct arrival *in);

/* acceptor_del() - Stop listening; the ports stay. */
void acceptor_del(struct acceptor *a);

/*
 * acceptor_change() - Have it as @ep says, which is the same listener (endpoint_same()). Its
 * ports get other rules if these have changed; none is ended.
 *
 * Return: whether anything has changed; -errno, with @why as above: then nothing has.
 */
int acceptor_change(struct acceptor *a, const struct endpoint *ep, char *why,
		    size_t size);

/* acceptor_of() - The one that accepted @m; NULL if @m was dialled, or it was taken away. */
static inline struct acceptor *acceptor_of(const struct member *m)
{
	return m->acceptor && !m->acceptor->is_stopped ? m->acceptor : NULL;
}

/* acceptor_ended() - The port of a member that it made has ended: its name is free. */
void acceptor_ended(struct acceptor *a, struct member *m);

/* acceptor_gone() - A member that it made is about to be freed. */
void acceptor_gone(struct acceptor *a, struct member *m);

/* acceptor_free_all() - Stop and free all of @r, whose ports are gone already. */
void acceptor_free_all(struct relay *r);

#endif
