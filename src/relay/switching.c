/* SPDX-License-Identifier: MIT */
/* Connects the parts of a switch with the relay's members and with each other. */
#include "relay/switching.h"

#include <string.h>

#include "base/parts.h"
#include "base/util.h"

#define AGEING_MS 30000

/*
 * Addresses learned during a bridge loop may be wrong. So all are forgotten when one
 * begins and when it ends: then frames are flooded, and other relays, which are not
 * notified, learn again from these. If only what leaves by one port comes back there, which
 * a guest can cause at will, only the addresses of that port are forgotten.
 */
static void on_bridge_loop(struct guard *g, struct member *m, struct member *other,
			   enum guard_news news)
{
	struct switching *sw = container_of(g, struct switching, guard);

	if (sw->forward->fdb && m == other)
		fdb_forget(&sw->fdb, m);
	else if (sw->forward->fdb)
		fdb_forget_all(&sw->fdb);
	sw->notify(sw, &(struct news){
			       .event = news == GUARD_OPEN ? EVENT_LOOP_GONE : EVENT_LOOP,
			       .member = m,
			       .other = other,
			       .is_limited = news == GUARD_LIMITED,
		       });
}

static void on_same_mac(struct moves *m, const struct fdb_entry *e,
			const struct member *from, const struct member *to)
{
	struct switching *sw = container_of(m, struct switching, moves);

	sw->notify(sw, &(struct news){ .event = EVENT_SAME_MAC,
				       .member = to,
				       .other = from,
				       .mac = e->key & FDB_MAC });
}

static void on_storm(struct storm *s, const struct member *m, bool is_over)
{
	struct switching *sw = container_of(s, struct switching, storm);

	sw->notify(sw, &(struct news){ .event = is_over ? EVENT_STORM_OVER : EVENT_STORM,
				       .member = m,
				       .limit = storm_limit(s, m) });
}

static void ageing_due(struct timer *t)
{
	struct switching *sw = container_of(t, struct switching, ageing);

	fdb_age(&sw->fdb, (uint32_t)(loop_coarse() / 1000));
	timer_set(sw->loop, t, AGEING_MS, ageing_due);
}

void switching_init(struct switching *sw, struct loop *loop, struct forwarding *fwd)
{
	memset(sw, 0, sizeof(*sw));
	sw->loop = loop;
	sw->forward = fwd;
}

void switching_start_guard(struct switching *sw)
{
	if (!HAS_LOOPS || sw->forward->guard)
		return;
	guard_init(&sw->guard, sw->loop, sw->forward);
	sw->guard.notify = on_bridge_loop;
	sw->forward->guard = &sw->guard;
}

int switching_start(struct switching *sw, const struct switching_limits *limits)
{
	struct forwarding *fwd = sw->forward;
	int ret = fdb_init(&sw->fdb, limits->fdb_size, &fwd->members);

	if (ret < 0)
		return ret;
	fwd->fdb = &sw->fdb;
	moves_init(&sw->moves, &sw->fdb, &sw->guard);
	sw->moves.notify = on_same_mac;
	fwd->moves = &sw->moves;
	sw->storm.loop = sw->loop;
	sw->storm.limit = limits->storm_limit;
	sw->storm.notify = on_storm;
	fwd->storm = &sw->storm;
	switching_start_guard(sw);
	timer_set(sw->loop, &sw->ageing, AGEING_MS, ageing_due);
	return 0;
}

void switching_free(struct switching *sw)
{
	struct forwarding *fwd = sw->forward;

	timer_cancel(sw->loop, &sw->ageing);
	for (struct member *m = fwd->members.first; m; m = m->next)
		storm_forget(&sw->storm, m);
	if (HAS_LOOPS)
		guard_free(&sw->guard);
	fdb_free(&sw->fdb);
	fwd->fdb = NULL;
	fwd->moves = NULL;
	fwd->storm = NULL;
	fwd->guard = NULL;
}

void switching_changed(struct switching *sw, struct member *m)
{
	if (sw->forward->fdb && m->port->state != PORT_UP)
		fdb_forget(&sw->fdb, m);
	if (HAS_LOOPS && sw->forward->guard)
		guard_changed(&sw->guard, m);
}

void switching_gone(struct switching *sw, struct member *m)
{
	struct forwarding *fwd = sw->forward;

	if (HAS_LOOPS && fwd->guard)
		guard_gone(&sw->guard, m);
	if (!fwd->fdb)
		return;
	storm_forget(&sw->storm, m);
	fdb_forget(&sw->fdb, m);
	/* With two left nothing is learned, so what was would be out of date later. */
	if (fwd->members.n <= 2)
		fdb_forget_all(&sw->fdb);
}
