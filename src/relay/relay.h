/* SPDX-License-Identifier: MIT */
/*
 * The relay: its ports, and how frames go between them. As a cable there are
 * two ends, and each end's frames go to the other; as a hub a frame goes to
 * every port but the one it came from; as a switch it goes to the port that
 * its destination is behind, once that is known.
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
#include "port/port.h"
#include "relay/acceptor.h"
#include "relay/deliver.h"
#include "relay/drain.h"
#include "relay/events.h"
#include "relay/switching.h"

enum relay_kind { RELAY_CABLE, RELAY_SWITCH, RELAY_HUB };

/*
 * @events: what happens to the ports, and who wants to know
 * @forward: the ports, and what is on its way between them
 * @switching: what else a switch has
 * @end:    where the next port is put into the list
 * @ended:  ports to be freed at the end of the turn
 * @n_up, @n_mac_filters: how many are up, and have a rule on source addresses
 * @is_forwarding: a batch is under way
 * @has_changed: a port's state, since it was last settled which ports are held
 * @pipe:   the port that is one; there can be no other
 * @gone:   counters of ports that are no more
 * @batch:  the receive buffer of all ports
 * @failed: a port's set-up failed: the program's exit status is 1
 * @is_running: see relay_set_running()
 * @acceptors: its listeners
 * @stopped: those that were taken away, to be freed at the end of the turn
 * @started: when, loop_now()
 */
struct relay {
	struct loop *loop;
	struct port_env env;
	struct links links;
	enum relay_kind kind;
	struct events events;
	bool failed;
	bool is_running;
	struct forwarding forward;
	struct port **end;
	struct port *ended;
	unsigned n_up, n_mac_filters;
	bool is_forwarding, has_changed;
	struct port *pipe;
	struct switching switching;
	struct acceptor *acceptors, *stopped;
	unsigned last_id;
	struct port_counters gone;
	struct batch *batch;
	uint64_t started;
	struct deferred reap, stopping;
	struct drain drain;
};

/*
 * relay_init() - An empty relay.
 * @helper: may be NULL when no port needs it
 * @limits: of a switch; for others it may be NULL
 *
 * Return: 0 or -ENOMEM. relay_free() it also after an error.
 */
int relay_init(struct relay *r, struct loop *loop, struct helper *helper,
	       enum relay_kind kind, const struct switching_limits *limits);
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

/* relay_add_port() - Add a port that its driver made, and start it; it is the relay's now. */
void relay_add_port(struct relay *r, struct port *p);

/*
 * relay_set_running() - All that was asked for at the start is there. A port that is
 * added from now on may fail or end, and the relay goes on.
 */
void relay_set_running(struct relay *r);

/* relay_set_rules() - Have @p keep other rules from now on. */
void relay_set_rules(struct relay *r, struct port *p, const struct endpoint_rules *rules);

/* relay_find() - The port of that number; NULL when there is none. */
struct port *relay_find(const struct relay *r, unsigned id);

/* relay_ends() - Listeners, and ports that none of them accepted. */
unsigned relay_ends(const struct relay *r);

/*
 * relay_del() - Take a port away, which ends nothing else; what is queued is
 * lost. It is freed at the end of the turn.
 */
void relay_del(struct port *p);

/* relay_kind_name() - "cable", "switch" or "hub". */
const char *relay_kind_name(enum relay_kind kind);

/* What came in, and what became of it: received + copied = sent + queued + dropped. */
struct relay_sums {
	uint64_t received, copied, sent, queued, dropped;
};

struct relay_sums relay_sums(const struct relay *r);

/* relay_fold() - Add @c to @sum. */
void relay_fold(struct port_counters *sum, const struct port_counters *c);

/* relay_drops() - Frames dropped, for any reason. */
uint64_t relay_drops(const struct port_counters *c);

/* relay_status() - Print ports, counters and their sums to the log. */
void relay_status(const struct relay *r);

#endif
