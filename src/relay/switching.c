/* SPDX-License-Identifier: MIT */
/* The parts of a switch, wired to the relay's ports and to each other. */
#include "relay/switching.h"

#include <string.h>

#include "base/util.h"

#define AGEING_MS 30000

/*
 * Addresses learned during a loop may be wrong, so all are forgotten when one begins
 * and when it ends: frames are flooded then, and relays beyond, who hear nothing of
 * this, learn anew from them. For what one port gives back, which a guest can do at
 * will, only that one's are.
 */
static void loop_told(struct guard *g, struct port *p, struct port *other,
		      enum guard_news news)
{
	struct switching *sw = container_of(g, struct switching, guard);

	if (sw->forward->fdb && p == other)
		fdb_forget(&sw->fdb, p);
	else if (sw->forward->fdb)
		fdb_forget_all(&sw->fdb);
	sw->tell(sw, &(struct news){
			     .event = news == GUARD_OPEN ? EVENT_LOOP_GONE : EVENT_LOOP,
			     .port = p,
			     .other = other,
			     .is_limited = news == GUARD_LIMITED,
		     });
}

static void move_told(struct moves *m, const struct fdb_entry *e, const struct port *from,
		      const struct port *to)
{
	struct switching *sw = container_of(m, struct switching, moves);

	sw->tell(sw, &(struct news){ .event = EVENT_SAME_MAC,
				     .port = to,
				     .other = from,
				     .mac = e->key & FDB_MAC });
}

static void storm_told(struct storm *s, const struct port *p, bool is_over)
{
	struct switching *sw = container_of(s, struct switching, storm);

	sw->tell(sw, &(struct news){ .event = is_over ? EVENT_STORM_OVER : EVENT_STORM,
				     .port = p,
				     .limit = storm_limit(s, p) });
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
	if (sw->forward->guard)
		return;
	guard_init(&sw->guard, sw->loop, sw->forward);
	sw->guard.tell = loop_told;
	sw->forward->guard = &sw->guard;
}

int switching_start(struct switching *sw, const struct switching_limits *limits)
{
	struct forwarding *fwd = sw->forward;
	int ret = fdb_init(&sw->fdb, limits->fdb_size, &fwd->ports, &fwd->n_ports);

	if (ret < 0)
		return ret;
	fwd->fdb = &sw->fdb;
	moves_init(&sw->moves, &sw->fdb, &sw->guard);
	sw->moves.tell = move_told;
	fwd->moves = &sw->moves;
	sw->storm.loop = sw->loop;
	sw->storm.limit = limits->storm_limit;
	sw->storm.tell = storm_told;
	fwd->storm = &sw->storm;
	switching_start_guard(sw);
	timer_set(sw->loop, &sw->ageing, AGEING_MS, ageing_due);
	return 0;
}

void switching_free(struct switching *sw)
{
	struct forwarding *fwd = sw->forward;

	timer_cancel(sw->loop, &sw->ageing);
	for (struct port *p = fwd->ports; p; p = p->next)
		storm_forget(&sw->storm, p);
	guard_free(&sw->guard);
	fdb_free(&sw->fdb);
	fwd->fdb = NULL;
	fwd->moves = NULL;
	fwd->storm = NULL;
	fwd->guard = NULL;
}

void switching_changed(struct switching *sw, struct port *p)
{
	if (sw->forward->fdb && p->state != PORT_UP)
		fdb_forget(&sw->fdb, p);
	if (sw->forward->guard)
		guard_changed(&sw->guard, p);
}

void switching_gone(struct switching *sw, struct port *p)
{
	struct forwarding *fwd = sw->forward;

	if (fwd->guard)
		guard_gone(&sw->guard, p);
	if (!fwd->fdb)
		return;
	storm_forget(&sw->storm, p);
	fdb_forget(&sw->fdb, p);
	/* With two left nothing is learnt, and what was would grow old. */
	if (fwd->n_ports <= 2)
		fdb_forget_all(&sw->fdb);
}
