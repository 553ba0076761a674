/* SPDX-License-Identifier: MIT */
/*
 * The relay: its members, and how frames go between them. A cable has two ends, and each
 * end's frames go to the other. In a hub, a frame goes to all ports but the one that it
 * came from. In a switch, it goes to the port that its destination is behind, once that
 * is known.
 */
#ifndef RELAY_H
#define RELAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/loop.h"
#include "conf/endpoint.h"
#include "helper/helper.h"
#include "net/links.h"
#include "relay/acceptor.h"
#include "relay/deliver.h"
#include "relay/drain.h"
#include "relay/events.h"
#include "relay/callers.h"
#include "relay/member.h"
#include "relay/names.h"
#include "relay/switching.h"

enum relay_kind { RELAY_CABLE, RELAY_SWITCH, RELAY_HUB };

/*
 * @events: what happens to the members, and who is notified
 * @failed: the set-up of a port failed: the program's exit status is 1
 * @is_running: see relay_set_running()
 * @n_starting: members whose first try may still show a mistake in the set-up
 * @change, @on_change, @change_arg: see relay_on_change()
 * @renews: what is added is named by a new configuration; see renew.h
 * @waits:  see relay_wait(); @news: of the host, as long as anything waits, and @again: the
 *          next try after some
 * @forward: the members, and what is on its way between them
 * @ended:  members to be freed at the end of the turn
 * @is_forwarding: a batch is under way
 * @has_changed: a port's state has, since update_holds()
 * @pipe:   the member that is stdin and stdout, or NULL
 * @switching: what a switch has besides
 * @acceptors: its listeners
 * @names:  those of listeners' connections
 * @callers: connections that have not proved who they are
 * @stopped: listeners that were taken away, to be freed at the end of the turn
 * @gone:   counters of members that are no more
 * @batch:  the receive buffer of all ports
 * @started: when, loop_now()
 */
struct relay {
	struct loop *loop;
	struct port_env env;
	struct links links;
	enum relay_kind kind;
	struct events events;
	bool failed;
	bool is_running, renews;
	unsigned n_starting;
	struct deferred change;
	void (*on_change)(void *arg);
	void *change_arg;
	bool waits;
	struct links_user news;
	struct timer again;
	struct forwarding forward;
	struct member *ended;
	bool is_forwarding, has_changed;
	struct member *pipe;
	struct switching switching;
	struct acceptor *acceptors, *stopped;
	struct names *names;
	struct callers callers;
	struct port_counters gone;
	struct batch *batch;
	uint64_t started;
	struct deferred reap, stopping;
	struct drain drain;
};

/*
 * relay_init() - An empty relay.
 * @helpers: may be NULL when no port needs one
 * @limits: of a switch; for others it may be NULL
 *
 * Return: 0 or -ENOMEM. Call relay_free() also after an error.
 */
int relay_init(struct relay *r, struct loop *loop, struct helper *helpers,
	       enum relay_kind kind, const struct switching_limits *limits);

/* relay_free() - End all ports and listeners, unreported, and free what the relay has. */
void relay_free(struct relay *r);

/*
 * relay_add() - Add an endpoint; the relay keeps a copy.
 * @why: on error, one line that says what is wrong and what to do
 *
 * One that listens gets a listener, whose connections become ports; any other
 * becomes a port at once, and comes up when it can.
 *
 * Return: 0 or -errno.
 */
int relay_add(struct relay *r, const struct endpoint *ep, char *why, size_t size);

/*
 * relay_add_member() - Add a member that member_new() made, and start its port; it is the
 * relay's now.
 * @rules: for it to keep; copied
 */
void relay_add_member(struct relay *r, struct member *m,
		      const struct endpoint_rules *rules);

/*
 * relay_set_running() - The set-up is complete: a port that is added from now on may fail
 * or end, and the relay goes on.
 */
void relay_set_running(struct relay *r);

/*
 * relay_on_change() - From relay_set_running() on, have @fn called at the end of each turn in
 * which a port has come, gone or changed its state, and in the first turn. A port that has
 * ended in this turn may still be counted.
 */
void relay_on_change(struct relay *r, void (*fn)(void *arg), void *arg);

/*
 * relay_is_ready() - Whether the set-up is complete, and no endpoint can turn out to be a
 * mistake in it any more. Endpoints that have to wait are none.
 */
bool relay_is_ready(const struct relay *r);

/*
 * relay_wait() - What is added until the relay is running may lack something that is not
 * there yet, an interface, an address or a folder: it is waited for.
 */
void relay_wait(struct relay *r);

/* relay_configures() - Whether what is added now is what the configuration names. */
static inline bool relay_configures(const struct relay *r)
{
	return !r->is_running || r->renews;
}

/* relay_find() - The member of that number; NULL if there is none, or its port has ended. */
struct member *relay_find(const struct relay *r, unsigned id);

/* relay_find_name() - The same of the member that name= gave that name to. */
struct member *relay_find_name(const struct relay *r, const char *name);

/* relay_count_ends() - How many listeners there are, and ports that no listener accepted. */
unsigned relay_count_ends(const struct relay *r);

/*
 * relay_del() - Take a member away; the others go on. What is queued for it is lost. It is
 * freed at the end of the turn.
 */
void relay_del(struct member *m);

/* relay_kind_name() - "cable", "switch" or "hub". */
const char *relay_kind_name(enum relay_kind kind);

#endif
