/* SPDX-License-Identifier: MIT */
/*
 * What makes a switch of a relay: the forwarding database and what becomes of
 * addresses that move, the storm limit and the search for loops, kept in step with
 * the ports. A cable to a bridge has the last of these, too.
 */
#ifndef SWITCHING_H
#define SWITCHING_H

#include "relay/deliver.h"
#include "relay/events.h"
#include "relay/fdb.h"
#include "relay/guard.h"
#include "relay/moves.h"
#include "relay/storm.h"

/*
 * @fdb_size:    addresses, see fdb_init()
 * @storm_limit: flooded frames a second and port, 0 for any
 */
struct switching_limits {
	uint32_t fdb_size;
	uint32_t storm_limit;
};

/* @tell: something happened to a port; most often while a batch is being forwarded */
struct switching {
	struct loop *loop;
	struct forwarding *forward;
	struct fdb fdb;
	struct storm storm;
	struct guard guard;
	struct moves moves;
	struct timer ageing;
	void (*tell)(struct switching *sw, const struct news *n);
};

/* switching_init() - Nothing is watched as yet. Set tell afterwards. */
void switching_init(struct switching *sw, struct loop *loop, struct forwarding *fwd);

/* switching_start() - Have the relay be a switch. Return: 0 or -ENOMEM. */
int switching_start(struct switching *sw, const struct switching_limits *limits);

/* switching_start_guard() - Look for loops; part of switching_start(). */
void switching_start_guard(struct switching *sw);

/* switching_free() - No more of all that, nor is anything told; the ports are still there. */
void switching_free(struct switching *sw);

/* switching_changed() - @p has come up or gone down. */
void switching_changed(struct switching *sw, struct port *p);

/* switching_gone() - @p is out of the list, and about to be freed. */
void switching_gone(struct switching *sw, struct port *p);

#endif
