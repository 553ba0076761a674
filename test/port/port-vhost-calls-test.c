/* SPDX-License-Identifier: MIT */
/*
 * port-vhost.c and notifications: as few of them as both sides can do with, and none by a
 * descriptor that is not there, or not any more.
 *
 *	a ---- hub ---- b
 */
#include "lib/vhost-bad.h"

#define MANY 40

static struct front a, b;

static void meet(uint64_t features, bool wants_calls)
{
	struct front_config config = { .features = features,
				       .protocol = UINT64_MAX,
				       .buffer = 2048 };

	rig_begin();
	if (rig_guest(&a, config) < 0 || rig_guest(&b, config) < 0)
		ok(false, "both guests are let in");
	for (unsigned i = 0; i < FRONT_RINGS; i++) {
		b.ring[i].wants_calls = wants_calls;
		vring_rearm(&b.ring[i]);
	}
	/* There is one when the descriptor is passed, and of the first frame, in any case. */
	if (!rig_passes(&a, &b, 60, 1) || !rig_passes(&b, &a, 60, 2))
		ok(false, "they hear each other");
	for (unsigned i = 0; i < FRONT_RINGS; i++) {
		vring_was_called(&a.ring[i]);
		vring_was_called(&b.ring[i]);
	}
}

static void part(void)
{
	rig_leave(&a);
	rig_leave(&b);
	rig_end();
}

/* How often it was told since the last time. */
static uint64_t calls(struct vring *r)
{
	uint64_t n = 0;

	return read(r->call, &n, sizeof(n)) == (ssize_t)sizeof(n) ? n : 0;
}

/* @n frames go off at once. */
static void send_many(struct front *f, unsigned n)
{
	static const struct guest_header none;
	uint32_t cut = f->header + 100;

	for (uint32_t i = 0; i < n; i++)
		guest_offer(f, &none, rig_make(100, i), 100, &cut, 1, 0, false);
	vring_push(&f->ring[FRONT_TX]);
}

static bool come(struct front *f, unsigned n)
{
	struct guest_header h;
	uint32_t i = 0;

	while (i < n && rig_is(rig_got, rig_await(f, &h), 100, i))
		i++;
	guest_refill(f);
	return i == n;
}

static void test_batch(uint64_t features, const char *what)
{
	meet(features, true);
	for (unsigned i = 0; i < 3; i++) {
		send_many(&a, MANY);
		rig_until(vring_n_used(&b.ring[FRONT_RX]) == MANY);
		turns(&rig.loop, 4);
		ok_eq_int(calls(&b.ring[FRONT_RX]), 1, "%s: one call for %u frames", what,
			  MANY);
		ok_eq_int(calls(&a.ring[FRONT_TX]), 1, "and one for what was sent");
		ok(come(&b, MANY) && guest_reap(&a) == MANY, "all have come");
	}
	part();
}

static void test_polls(uint64_t features, const char *what)
{
	meet(features, false);
	for (unsigned i = 0; i < 3; i++) {
		send_many(&a, MANY);
		ok(come(&b, MANY), "%s: a guest that looks by itself gets frames", what);
		ok(guest_send(&b, rig_make(100, 0), 100) && come(&a, 1), "sends one");
		rig_until(guest_reap(&b));
		rig_until(guest_reap(&a) == MANY);
		turns(&rig.loop, 4);
		ok(!calls(&b.ring[FRONT_RX]) && !calls(&b.ring[FRONT_TX]),
		   "and is not called");
	}
	part();
}

/* A kick is wanted when the relay sleeps, and not before it does so again. */
static void test_kicks(void)
{
	struct vring *r = &a.ring[FRONT_TX];

	meet(FRONT_PLAIN, true);
	for (unsigned i = 0; i < 3; i++) {
		unsigned before = r->n_kicks;

		ok(rig_sleeps(), "the relay sleeps");
		for (uint32_t k = 0; k < MANY; k++)
			guest_send(&a, rig_make(100, k), 100);
		ok_eq_int(r->n_kicks - before, 1,
			  "one kick for %u frames, each by itself", MANY);
		ok(come(&b, MANY) && guest_reap(&a) == MANY, "all have come");
	}
	part();
}

/* ---- without a descriptor ---- */

static void test_no_call(void)
{
	struct vring *r = &b.ring[FRONT_RX];

	meet(FRONT_PLAIN, true);
	ok_eq_int(front_tell_fd(&b, WIRE_SET_VRING_CALL, FRONT_RX, -1), 0,
		  "a ring has no call any more");
	send_many(&a, MANY);
	ok(come(&b, MANY), "frames come");
	ok(!calls(r) && rig_sleeps(), "and it is told to nobody");
	rig_until(guest_reap(&a) == MANY);
	close(r->call);
	r->call = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	ok_eq_int(front_tell_fd(&b, WIRE_SET_VRING_CALL, FRONT_RX, r->call), 0,
		  "it has one again");
	ok_eq_int(calls(r), 1, "which is told at once, as one may have been missed");
	send_many(&a, 1);
	rig_until(vring_n_used(r) == 1);
	turns(&rig.loop, 2);
	ok_eq_int(calls(r), 1, "and of the next frame");
	ok(come(&b, 1), "which comes");
	part();
}

/* The relay looks by itself then. */
static void test_no_kick(void)
{
	static const struct guest_header none;
	uint32_t cut = 12 + 100;

	meet(FRONT_PLAIN, true);
	ok_eq_int(front_tell_fd(&a, WIRE_SET_VRING_KICK, FRONT_TX, -1), 0,
		  "a ring without a kick");
	for (uint32_t i = 0; i < 3; i++) {
		guest_offer(&a, &none, rig_make(100, 0), 100, &cut, 1, 0, false);
		vring_publish(&a.ring[FRONT_TX]);
		ok(come(&b, 1), "a frame nobody was told of");
		rig_until(guest_reap(&a));
	}
	ok_eq_int(front_tell_fd(&a, WIRE_SET_VRING_KICK, FRONT_TX, a.ring[FRONT_TX].kick),
		  0, "it has one again");
	turn_for(&rig.loop, 5);
	ok(rig_sleeps(), "the relay does not look by itself any more");
	send_many(&a, 1);
	ok(come(&b, 1), "and is told");
	part();
}

/* It says so before anything else of the ring: what is looked at is there only later. */
static void test_no_kick_first(void)
{
	static const struct guest_header none;
	struct front_config config = { .features = FRONT_PLAIN,
				       .protocol = UINT64_MAX,
				       .idle = rig_idle,
				       .buffer = 2048 };
	uint32_t cut = 12 + 100;

	meet(FRONT_PLAIN, true);
	rig_leave(&a);
	front_init(&a, &config);
	a.sock = rig_dial("s");
	front_agree(&a);
	front_share(&a);
	for (unsigned i = 0; i < FRONT_RINGS; i++)
		front_begin_ring(&a, i, 0);
	front_tell_fd(&a, WIRE_SET_VRING_KICK, FRONT_TX, -1);
	turn_for(&rig.loop, 5);
	front_pass_ring(&a, FRONT_RX, 0);
	front_tell_state(&a, WIRE_SET_VRING_NUM, FRONT_TX, a.ring[FRONT_TX].size);
	front_set_addr(&a, FRONT_TX);
	for (unsigned i = 0; i < FRONT_RINGS; i++)
		front_enable(&a, i, true);
	rig_until(rig_ups() == 2);
	turn_for(&rig.loop, 5);
	for (uint32_t i = 0; i < 3; i++) {
		guest_offer(&a, &none, rig_make(100, 0), 100, &cut, 1, 0, false);
		vring_publish(&a.ring[FRONT_TX]);
		ok(come(&b, 1), "a frame nobody was told of, of a ring that came late");
		rig_until(guest_reap(&a));
	}
	part();
}

/* A ring that is disabled: what is sent by it is thrown away, and the guest is told. */
static void test_disabled(void)
{
	struct vring *r = &a.ring[FRONT_TX];

	meet(FRONT_PLAIN, true);
	ok_eq_int(front_enable(&a, FRONT_TX, false), 0, "a ring is disabled");
	calls(r);
	/* More than are thrown away at once; and again, for which a kick is wanted. */
	for (unsigned i = 0; i < 2; i++) {
		send_many(&a, 3 * MANY);
		rig_until(vring_n_used(r) == 3 * MANY);
		ok_eq_int(guest_reap(&a), 3 * MANY, "what is sent then is taken");
		ok(calls(r), "and the guest is told");
		ok(rig_sleeps(), "the relay sleeps");
	}
	ok_eq_int(front_enable(&a, FRONT_TX, true), 0, "it is enabled");
	turns(&rig.loop, 4);
	ok(!vring_n_used(&b.ring[FRONT_RX]), "nothing of that has gone to anybody");
	send_many(&a, MANY);
	ok(come(&b, MANY) && guest_reap(&a) == MANY, "but what is sent now");
	front_enable(&a, FRONT_TX, false);
	vring_offer(r, r->size);
	vring_publish(r);
	vring_kick(r);
	rig_until(rig_ports() == 1);
	ok(was_said("ring 1: a descriptor's number is beyond its table"),
	   "a wrong chain is told of all the same");
	part();
}

int main(void)
{
	const uint64_t plain = FRONT_PLAIN & ~FRONT_BIT(FRONT_F_EVENT_IDX);

	rig_prepare();
	test_batch(FRONT_PLAIN, "by events");
	test_batch(plain, "by a flag");
	test_polls(FRONT_PLAIN, "by events");
	test_polls(plain, "by a flag");
	test_kicks();
	test_no_call();
	test_no_kick();
	test_no_kick_first();
	test_disabled();
	return rig_finish();
}
