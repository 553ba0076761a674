/* SPDX-License-Identifier: MIT */
/*
 * Members: the places of ports in a relay. A port knows how to receive and to send. What
 * the relay knows of it - its number, what it was made from, its rules, the addresses
 * behind it, whether it is blocked - is here.
 *
 * Most of it belongs to one file of relay/, whose header explains it: fdb.h, storm.h,
 * guard.h, deliver.h, stats.h, acceptor.h.
 */
#ifndef MEMBER_H
#define MEMBER_H

#include <stdbool.h>
#include <stdint.h>

#include "conf/endpoint.h"
#include "port/port.h"
#include "relay/fdb.h"
#include "relay/guard.h"
#include "relay/storm.h"

struct acceptor;
struct known_peer;
struct names;

/* What a port carries in a second; see stats.h. */
struct member_rate {
	uint64_t rx_frames, rx_bytes, tx_frames, tx_bytes;
};

/*
 * What each frame needs comes first, within 64 bytes.
 *
 * @port:       its port, which has it as its owner; freed with it
 * @next, @prev: in the list of all
 * @next_dirty: in the list of those with frames pending (@is_dirty); see deliver.h
 * @id:         its number, from 1; none is used twice
 * @is_blocked: it closes a bridge loop: nothing is forwarded from or to it
 * @is_dynamic: when it ends or can't begin, all others go on
 * @reported_up: the last event of its state said that it is up
 * @is_counted_up: it is in members.n_up
 * @is_starting: its first try may still show a mistake in the set-up
 * @is_configured: the configuration names it, and no control command has added it
 * @is_kept:    a new configuration names it, too; see renew.h
 * @rules:      set by member_set_rules() once it has joined
 * @next_id:    in its bucket of members.by_id
 * @next_ended: in the list of those to be freed at the end of the turn
 * @ep:         the endpoint that it was made from, freed with it; NULL if it was accepted
 * @name:       the word that commands and views know it by, from name=; or ""
 * @number:     of the name, if it is its listener's and was not given back; else 0
 * @names:      that @number is of
 * @known:      its peer, if that has proved who it is (relay/callers.h); else NULL
 * @acceptor:   the listener that it was accepted by, maybe stopped since; or NULL
 * @host:       what the listener knows of the address that it came from
 * @lost_at:    when it went down, loop_now(), ms; 0: it is up, or never was
 * @rate, @rate_base: in the last second, and the counters at its end
 */
struct member {
	struct port *port;
	struct member *next, *prev, *next_dirty;
	unsigned id;
	bool is_dirty, is_blocked;
	bool is_dynamic, reported_up, is_counted_up, is_starting;
	bool is_configured, is_kept;
	struct endpoint_rules rules;

	struct fdb_list addresses;
	struct storm_state storm;
	struct guard_state guard;

	struct member *next_id, *next_ended;
	struct endpoint *ep;
	char name[ENDPOINT_NUMBERED_MAX];
	unsigned number;
	struct names *names;
	struct known_peer *known;
	struct acceptor *acceptor;
	struct admit_host *host;
	uint64_t lost_at;
	struct member_rate rate, rate_base;
};

#define MEMBERS_BUCKETS 1024

/*
 * All members of a relay, in the order of their numbers. All zeros: none.
 * @by_id: chains of those whose numbers have the same remainder
 * @n, @n_up, @n_mac_filters: how many there are, are up, and have a rule on source
 *         addresses
 * @last_id: the highest number that was ever given
 */
struct members {
	struct member *first, *last;
	struct member *by_id[MEMBERS_BUCKETS];
	unsigned n, n_up, n_mac_filters, last_id;
};

/*
 * member_new() - Make a place for @p, which is the member's from now on.
 *
 * Return: it, in no list, with no origin and no rules; NULL with errno ENOMEM: then @p
 * was freed.
 */
struct member *member_new(struct port *p);

/* member_free() - Free it, its port and its endpoint; at the end of a turn of the loop. */
void member_free(struct member *m);

/* member_of() - The place of a port that has one. */
static inline struct member *member_of(const struct port *p)
{
	return p->owner;
}

/* member_name() - Its name; of one without name=, what messages call it. */
static inline const char *member_name(const struct member *m)
{
	return *m->name ? m->name : m->port->name;
}

/* members_join() - Give it the next number, and put it at the end of the list. */
void members_join(struct members *all, struct member *m);

/* members_leave() - Take it out of the list; what else refers to it is the caller's. */
void members_leave(struct members *all, struct member *m);

/* members_find() - The one of that number; NULL if there is none. */
struct member *members_find(const struct members *all, unsigned id);

/*
 * members_after() - The first one with a higher number than @id, which need not be there:
 * for those who walk through all of them in steps. Return: NULL behind the last one.
 */
struct member *members_after(const struct members *all, unsigned id);

/* members_set_rules() - Have one that has joined keep these rules from now on. */
void members_set_rules(struct members *all, struct member *m,
		       const struct endpoint_rules *rules);

/* members_count_up() - Bring n_up in step with the state of @m's port. */
void members_count_up(struct members *all, struct member *m);

/*
 * member_state_text() - "connecting", "up", "waiting" or "ended"; of one that is up also
 * "blocked" (it closes a bridge loop) or "limited" (what goes out there comes back).
 */
const char *member_state_text(const struct member *m);

#endif
