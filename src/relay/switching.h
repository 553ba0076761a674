/* SPDX-License-Identifier: MIT */
/*
 * What makes a relay a switch: the forwarding database, what becomes of addresses that
 * move, the storm limit, and the search for bridge loops. They are kept in step with the
 * members here. A cable to a bridge has the search, too.
 */
#ifndef SWITCHING_H
#define SWITCHING_H

#include "relay/deliver.h"
#include "relay/events.h"
#include "relay/moves.h"

/*
 * @fdb_size:    how many addresses are learned at most; see fdb_init()
 * @storm_limit: frames to all others in a second, for each port; 0: no limit
 */
struct switching_limits {
	uint32_t fdb_size;
	uint32_t storm_limit;
};

/* @notify: something happened to a member; mostly while a batch is under way */
struct switching {
	struct loop *loop;
	struct forwarding *forward;
	struct fdb fdb;
	struct storm storm;
	struct guard guard;
	struct moves moves;
	struct timer ageing;
	void (*notify)(struct switching *sw, const struct news *n);
};

/* switching_init() - Have all of it off. Set notify afterwards. */
void switching_init(struct switching *sw, struct loop *loop, struct forwarding *fwd);

/* switching_start() - Make the relay a switch. Return: 0 or -ENOMEM. */
int switching_start(struct switching *sw, const struct switching_limits *limits);

/* switching_start_guard() - Start the search for bridge loops; part of switching_start(). */
void switching_start_guard(struct switching *sw);

/* switching_free() - End all of it, without notices; the members are still there. */
void switching_free(struct switching *sw);

/* switching_changed() - @m's port has come up or gone down. */
void switching_changed(struct switching *sw, struct member *m);

/* switching_gone() - @m is out of the list, and about to be freed. */
void switching_gone(struct switching *sw, struct member *m);

#endif
