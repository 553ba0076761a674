/* SPDX-License-Identifier: MIT */
/*
 * The life of what a port lends: its frames lie in memory that it frees in
 * rx_done(), so that the sanitizer sees who looks at them later. Every call of a
 * driver is made to fail once, in every history of calls, and fake-port.h holds the
 * contract in port.h against what happens.
 */
#include "relay/relay.h"

#include <stdlib.h>
#include <string.h>

#include "lib/fake-port.h"
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
	relay_add_port(&relay, &f->fake.port);
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
	struct relay_sums s = relay_sums(&relay);

	return s.received + s.copied == s.sent + s.queued + s.dropped;
}

/*
 * Broadcasts from all, in a relay of @kind, and then all of it again, while the
 * call number @at fails. Return: whether there was a call of that number.
 */
static bool play(enum relay_kind kind, unsigned at)
{
	static const struct switching_limits limits = { .fdb_size = 100 };

	failing = (struct fake_plan){ .fails_at = at };
	if (loop_init(&loop) < 0 || relay_init(&relay, &loop, NULL, kind, &limits) < 0)
		exit(1);
	relay_set_running(&relay);
	for (unsigned i = 0; i < PORTS; i++)
		add(i, &kinds[i]);
	for (unsigned round = 0; round < 3; round++) {
		for (unsigned i = 0; i < PORTS; i++)
			give(i);
		turns(&loop, 3);
		expect(sums_hold());
	}
	relay_free(&relay);
	loop_free(&loop);
	return failing.calls >= at;
}

static void test_every_failure(enum relay_kind kind)
{
	unsigned at = 1;

	faults = 0;
	while (play(kind, at))
		at++;
	ok(at > 20, "a %s makes calls enough to tell", relay_kind_name(kind));
	ok_eq_int(faults, 0, "a %s, when the 1st to the %u. call of a driver fails",
		  relay_kind_name(kind), at - 1);
}

int main(void)
{
	quiet();
	test_every_failure(RELAY_HUB);
	test_every_failure(RELAY_SWITCH);
	return done();
}
