/* SPDX-License-Identifier: MIT */
/*
 * What a relay has carried: sums of its counters, and how much each port carries in a
 * second, which is measured once a second while somebody may ask for it.
 */
#ifndef STATS_H
#define STATS_H

#include "relay/relay.h"

/* What came in, and what became of it: received + copied = sent + queued + dropped. */
struct stats_sums {
	uint64_t received, copied, sent, queued, dropped;
};

/* stats_sum() - Add up the frames of all members, also of those that are gone. */
struct stats_sums stats_sum(const struct relay *r);

/*
 * stats_sum_acceptors() - Add up the counters of all members at one moment, so that none
 * is counted both as present and as gone. Those of each listener are then in its @sum.
 * @all: set to those of all members, also of those that are gone
 */
void stats_sum_acceptors(const struct relay *r, struct port_counters *all);

/* stats_add() - Add @c to @sum. */
void stats_add(struct port_counters *sum, const struct port_counters *c);

/* stats_drops() - Frames dropped, for any reason. */
uint64_t stats_drops(const struct port_counters *c);

/* Keeps member->rate of all members up to date. @last: when they were measured, loop_now() */
struct stats_rates {
	struct relay *relay;
	struct timer timer;
	uint64_t last;
};

/* stats_start() - Measure the rates of @r from now on; stats_stop() ends it, if it runs. */
void stats_start(struct stats_rates *rates, struct relay *r);
void stats_stop(struct stats_rates *rates);

/* stats_measure() - What the timer does: set the rates, @ms after the last time. */
void stats_measure(struct relay *r, uint64_t ms);

#endif
