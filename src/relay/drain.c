/* SPDX-License-Identifier: MIT */
/* A slow peer is waited for, one that takes nothing is not. */
#include "relay/drain.h"

#include "base/util.h"

#define DRAIN_MS 5000 /* within which a slow peer takes something */
#define PEERS_MS 1000 /* for peers to close, once told that we are done */

static bool is_up(const struct port *p)
{
	return p->state == PORT_UP;
}

static bool all_drained(const struct forwarding *fwd)
{
	for (const struct port *p = fwd->ports; p; p = p->next)
		if (is_up(p) && port_backlog(p).frames)
			return false;
	return true;
}

static bool any_waits_for_peer(const struct forwarding *fwd)
{
	for (const struct port *p = fwd->ports; p; p = p->next)
		if (is_up(p) && p->ops->shut)
			return true;
	return false;
}

static uint64_t all_sent(const struct forwarding *fwd)
{
	uint64_t sum = 0;

	for (const struct port *p = fwd->ports; p; p = p->next)
		sum += p->count.tx_frames;
	return sum;
}

static void peers_due(struct timer *t)
{
	loop_stop(container_of(t, struct drain, limit)->loop);
}

static void shut_peers(struct drain *f)
{
	f->is_shut = true;
	for (struct port *p = f->forward->ports; p; p = p->next)
		port_shut(p);
	timer_set(f->loop, &f->limit, PEERS_MS, peers_due);
}

/* At the end of a turn, when nothing is pending any more. */
static void look(struct deferred *d)
{
	struct drain *f = container_of(d, struct drain, check);

	if (!f->is_shut && all_drained(f->forward))
		shut_peers(f);
	if (f->is_shut && !any_waits_for_peer(f->forward))
		loop_stop(f->loop);
}

static void drain_due(struct timer *t)
{
	struct drain *f = container_of(t, struct drain, limit);
	uint64_t sent = all_sent(f->forward);

	if (sent == f->sent) {
		loop_stop(f->loop);
		return;
	}
	f->sent = sent;
	timer_set(f->loop, t, DRAIN_MS, drain_due);
}

void drain_begin(struct drain *f, struct loop *loop, struct forwarding *fwd)
{
	f->loop = loop;
	f->forward = fwd;
	f->has_begun = true;
	f->sent = all_sent(fwd);
	timer_set(loop, &f->limit, DRAIN_MS, drain_due);
	drain_check(f);
}

void drain_check(struct drain *f)
{
	if (f->has_begun)
		loop_defer(f->loop, &f->check, look);
}

void drain_free(struct drain *f)
{
	if (f->has_begun)
		timer_cancel(f->loop, &f->limit);
}
