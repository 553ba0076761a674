/* SPDX-License-Identifier: MIT */
/*
 * The life of what a port lends: its frames lie in memory that it frees in
 * rx_done(), so that the sanitizer sees who looks at them later. Every call of a
 * driver is made to fail once, and ports are taken away while frames are on their way
 * from or to them; fake-port.h holds the contract in port.h against what happens.
 */
#include "relay/stats.h"

#include <stdlib.h>
#include <string.h>

#include "lib/fake-port.h"
#include "lib/members.h"
#include "lib/quiet.h"
#include "lib/tap.h"
#include "lib/turn.h"

#define PORTS 4
#define LEN 100
#define BURST (BATCH_MAX + 20) /* frames at one wake-up: with more to come */

struct fake {
	struct fake_port fake;
	unsigned id;
};

static struct loop loop;
static struct relay relay;
static struct fake *fakes[PORTS];
static struct fake_plan failing;
static unsigned faults;
static unsigned seen, cuts_at; /* frames seen on their way; at which of them to cut */

#define CUT_STEP 3 /* at each of thousands of frames would take long */

static void expect(bool holds)
{
	faults += !holds;
}

static void bring(struct fake_port *p, struct batch *b)
{
	unsigned id = container_of(p, struct fake, fake)->id;
	uint8_t *at = fake_lend(p, (size_t)BATCH_MAX * LEN);

	for (; b->n < BATCH_MAX && p->peer->brings; p->peer->brings--, at += LEN) {
		memset(at, 0xff, LEN);
		memcpy(at + 6, (const uint8_t[]){ 2, 0, 0, 0, 0, (uint8_t)id }, 6);
		port_take(&p->port, b, &(struct frame){ .data = at, .len = LEN });
	}
}

static void fake_gone(struct fake_port *p)
{
	fakes[container_of(p, struct fake, fake)->id] = NULL;
}

static const struct port_ops kinds[] = {
	{ .kind = "dgram", FAKE_OPS },
	{ .kind = "stream", .is_stream = true, .has_backpressure = true, FAKE_OPS },
	{ .kind = "once", .one_shot = true, FAKE_OPS },
	{ .kind = "accepted", .is_stream = true, .one_shot = true, FAKE_OPS },
};

static void add(unsigned id, const struct port_ops *ops)
{
	struct fake *f = fake_new(sizeof(*f), ops, &relay.env, ops->kind);

	f->fake.has_fds = true;
	f->fake.plan = &failing;
	f->fake.bring = bring;
	f->fake.gone = fake_gone;
	f->id = id;
	fakes[id] = f;
	members_add(&relay, &f->fake.port, false);
}

/* Take away the port that a frame comes from, or is about to go to. */
static void cut(struct observer *o, const struct member *m, enum direction direction,
		const struct frame *f)
{
	(void)o;
	(void)direction;
	(void)f;
	if (++seen == cuts_at)
		relay_del(member_of(m->port));
}

static void give(unsigned id)
{
	struct fake *f = fakes[id];

	if (!f || !f->fake.is_open || f->fake.peer->brings)
		return;
	f->fake.peer->brings = BURST;
	fake_show(&f->fake);
}

static bool sums_hold(void)
{
	struct stats_sums s = stats_sum(&relay);

	return s.received + s.copied == s.sent + s.queued + s.dropped;
}

/*
 * Broadcasts from all, in a relay of @kind, and then all of it again, while the call
 * number @fails of a driver fails, and at frame number @cuts a port is taken away.
 */
static void play(enum relay_kind kind, unsigned fails, unsigned cuts)
{
	static const struct switching_limits limits = { .fdb_size = 100 };
	struct observer o = { .seen = cut };

	failing = (struct fake_plan){ .fails_at = fails };
	seen = 0;
	cuts_at = cuts;
	if (loop_init(&loop) < 0 || relay_init(&relay, &loop, NULL, kind, &limits) < 0)
		exit(1);
	relay_set_running(&relay);
	for (unsigned i = 0; i < PORTS; i++)
		add(i, &kinds[i]);
	observer_add(&relay.forward, &o);
	for (unsigned round = 0; round < 3; round++) {
		for (unsigned i = 0; i < PORTS; i++)
			give(i);
		turns(&loop, 3);
		expect(sums_hold());
	}
	relay_free(&relay);
	loop_free(&loop);
}

static void test_every_failure(enum relay_kind kind)
{
	unsigned at = 0;

	faults = 0;
	do
		play(kind, ++at, 0);
	while (failing.calls >= at);
	ok(at > 20, "a %s makes calls enough to tell", relay_kind_name(kind));
	ok_eq_int(faults, 0, "a %s, when the 1st to the %u. call of a driver fails",
		  relay_kind_name(kind), at - 1);
}

static void test_cuts(enum relay_kind kind)
{
	unsigned at = 1;

	faults = 0;
	for (play(kind, 0, at); seen >= at; play(kind, 0, at))
		at += CUT_STEP;
	ok(at > 1000, "a %s passes frames enough to tell", relay_kind_name(kind));
	ok_eq_int(faults, 0, "a %s, when a port is taken away on the way of a frame",
		  relay_kind_name(kind));
}

int main(void)
{
	quiet();
	test_every_failure(RELAY_HUB);
	test_every_failure(RELAY_SWITCH);
	test_cuts(RELAY_HUB);
	test_cuts(RELAY_SWITCH);
	return done();
}
