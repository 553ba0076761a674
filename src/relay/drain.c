/* SPDX-License-Identifier: MIT */
/* A slow peer is waited for; one that takes nothing is not. */
#include "relay/drain.h"

#include "base/util.h"

#define DRAIN_MS 5000 /* a slow peer takes something within this time */
#define PEERS_MS 1000 /* for peers to close, once they are told that no more comes */

static bool is_up(const struct member *m)
{
	return m->port->state == PORT_UP;
}

static bool all_drained(const struct forwarding *fwd)
{
	for (const struct member *m = fwd->members.first; m; m = m->next)
		if (is_up(m) && port_backlog(m->port).frames)
			return false;
	return true;
}

static bool any_waits_for_peer(const struct forwarding *fwd)
{
	for (const struct member *m = fwd->members.first; m; m = m->next)
		if (is_up(m) && m->port->ops->shut)
			return true;
	return false;
}

static uint64_t all_sent(const struct forwarding *fwd)
{
	uint64_t sum = 0;

	for (const struct member *m = fwd->members.first; m; m = m->next)
		sum += m->port->count.tx_frames;
	return sum;
}

static void peers_due(struct timer *t)
{
	loop_stop(container_of(t, struct drain, limit)->loop);
}

static void shut_peers(struct drain *d)
{
	d->is_shut = true;
	for (struct member *m = d->forward->members.first; m; m = m->next)
		port_shut(m->port);
	timer_set(d->loop, &d->limit, PEERS_MS, peers_due);
}

/* At the end of a turn, when nothing is pending any more. */
static void check_due(struct deferred *work)
{
	struct drain *d = container_of(work, struct drain, check);

	if (!d->is_shut && all_drained(d->forward))
		shut_peers(d);
	if (d->is_shut && !any_waits_for_peer(d->forward))
		loop_stop(d->loop);
}

static void drain_due(struct timer *t)
{
	struct drain *d = container_of(t, struct drain, limit);
	uint64_t sent = all_sent(d->forward);

	if (sent == d->sent) {
		loop_stop(d->loop);
		return;
	}
	d->sent = sent;
	timer_set(d->loop, t, DRAIN_MS, drain_due);
}

void drain_begin(struct drain *d, struct loop *loop, struct forwarding *fwd)
{
	d->loop = loop;
	d->forward = fwd;
	d->has_begun = true;
	d->sent = all_sent(fwd);
	timer_set(loop, &d->limit, DRAIN_MS, drain_due);
	drain_check(d);
}

void drain_check(struct drain *d)
{
	if (d->has_begun)
		loop_defer(d->loop, &d->check, check_due);
}

void drain_free(struct drain *d)
{
	if (d->has_begun)
		timer_cancel(d->loop, &d->limit);
}
