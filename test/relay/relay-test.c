/* SPDX-License-Identifier: MIT */
/*
 * relay.c, with fake ports: frames come from nowhere and go into a list of numbers,
 * when and as far as the test says. At the end, the same over real sockets.
 *
 *   side 0 --.
 *   side 1 --+-- relay: the loop is turned once at a time
 *   side 2 --'
 */
#include "relay/relay.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/random.h"
#include "lib/fake-port.h"
#include "lib/members.h"
#include "lib/ports.h"
#include "lib/quiet.h"
#include "lib/tap.h"
#include "lib/turn.h"
#include "port/stream.h"

#define ALARM_S 300 /* the end of a test that would wait for ever */
#define SIDES 6
#define HEAD 8 /* a frame's first bytes: who sent it, and its number */

/*
 * The world beyond a port, which stays when the port goes.
 * @given, @taken: numbers of frames to come from here: up to, and so far
 * @woke:    bytes taken at this wake-up: a stream's one receive brings only so many
 * @lens:    of those frames: 0: as they come; else this one
 * @faulty:  some of them are no frames
 * @last, @got: number of the last frame, and how many, from each side
 * @wrong:   frames broken, or out of order
 * @got_at_shut: how many it had got when it was told that there will be no more
 */
struct side {
	struct fake_peer peer;
	struct fake *fake;
	uint32_t given, taken, lens;
	size_t woke;
	bool faulty;
	uint32_t last[SIDES];
	uint32_t got[SIDES];
	unsigned wrong;
	uint32_t got_at_shut;
};

struct fake {
	struct fake_port fake;
	struct side *side;
};

static struct loop loop;
static struct relay relay;
static struct side sides[SIDES];

/* ---- frames ---- */

static uint32_t mix(uint32_t from, uint32_t number)
{
	uint32_t x = from * 0x9e3779b9U + number * 0x85ebca6bU;

	x ^= x >> 15;
	x *= 0x2c1b3c6dU;
	return x ^ x >> 13;
}

static uint32_t len_of(uint32_t from, uint32_t number)
{
	const struct side *s = &sides[from];
	uint32_t x = mix(from, number);

	if (s->faulty && x % 16 == 0)
		return x % 32 ? x / 32 % FRAME_HEADER : FRAME_MAX + 1;
	if (s->lens)
		return s->lens;
	if (x % 64 == 1)
		return FRAME_HEADER + x / 64 % (FRAME_MAX + 1 - FRAME_HEADER);
	return FRAME_HEADER + x / 64 % 1500;
}

static void make_frame(uint8_t *at, uint32_t from, uint32_t number, uint32_t len)
{
	memset(at, (int)(mix(from, number) & 0xff), len);
	if (len < HEAD)
		return;
	put_be32(at, from);
	put_be32(at + 4, number);
}

static void check_frame(struct side *s, const struct frame *f)
{
	uint32_t from = get_be32(f->data) % SIDES, number = get_be32(f->data + 4);
	uint8_t filling = (uint8_t)mix(from, number);
	bool good = f->len == len_of(from, number) && number > s->last[from];

	for (uint32_t i = HEAD; good && i < f->len; i++)
		good = f->data[i] == filling;
	s->wrong += !good || s == &sides[from];
	s->last[from] = number;
	s->got[from]++;
}

static uint32_t got_all(const struct side *s)
{
	uint32_t sum = 0;

	for (int i = 0; i < SIDES; i++)
		sum += s->got[i];
	return sum;
}

/* ---- ports ---- */

static struct side *side_of(struct fake_port *p)
{
	return container_of(p, struct fake, fake)->side;
}

static void bring(struct fake_port *f, struct batch *b)
{
	struct side *s = side_of(f);

	while (s->taken < s->given && b->n < BATCH_MAX) {
		uint32_t from = (uint32_t)(s - sides), len = len_of(from, s->taken + 1);

		if (s->woke && s->woke + len > STREAM_RX_BYTES)
			break;
		/* What is pending stays where it is while there is more to come. */
		make_frame(b->buf + s->woke, from, ++s->taken, len);
		port_take(&f->port, b,
			  &(struct frame){ .data = b->buf + s->woke, .len = len });
		s->woke += len + LAYOUT_PREFIX;
	}
	s->peer.brings = s->given - s->taken;
	if (!s->peer.brings || b->n < BATCH_MAX)
		s->woke = 0;
}

static void fake_sent(struct fake_port *f, const struct frame *frame)
{
	check_frame(side_of(f), frame);
}

static void told_shut(struct fake_port *f)
{
	if (!side_of(f)->peer.shuts)
		side_of(f)->got_at_shut = got_all(side_of(f));
}

static void fake_gone(struct fake_port *f)
{
	side_of(f)->fake = NULL;
}

/* As UDP, a dialled stream, an accepted one, stdio, and a tap in the set-up. */
static const struct port_ops plain_ops = { .kind = "plain", FAKE_OPS };
static const struct port_ops dial_ops = { .kind = "dial",
					  .is_stream = true,
					  .has_backpressure = true,
					  .shut = fake_shut,
					  FAKE_OPS };
static const struct port_ops once_ops = { .kind = "once",
					  .is_stream = true,
					  .has_backpressure = true,
					  .one_shot = true,
					  .shut = fake_shut,
					  FAKE_OPS };
static const struct port_ops pipe_ops = { .kind = "pipe",
					  .is_stream = true,
					  .has_backpressure = true,
					  .one_shot = true,
					  .is_stdio = true,
					  FAKE_OPS };
static const struct port_ops dgram_fd_ops = { .kind = "dgram-fd",
					      .one_shot = true,
					      FAKE_OPS };
static const struct port_ops setup_ops = { .kind = "setup",
					   .open_error_is_fatal = true,
					   FAKE_OPS };

/* ---- the relay ---- */

static void out_of_time(struct timer *t)
{
	t->due_ns = 0;
	loop_stop(&loop);
}

#define SOON_MS 10000 /* on a machine that is busy, too */

/* Whether the relay ends by itself within @ms. */
static bool ends_within(uint64_t ms)
{
	struct timer t = { 0 };

	timer_set(&loop, &t, ms, out_of_time);
	loop_run(&loop);
	timer_cancel(&loop, &t);
	return t.due_ns != 0;
}

static struct port *add(unsigned i, const struct port_ops *ops)
{
	struct fake *f;
	char name[24];

	snprintf(name, sizeof(name), "side %u", i);
	f = sides[i].fake = fake_new(sizeof(*f), ops, &relay.env, name);
	f->side = &sides[i];
	f->fake.has_fds = true;
	f->fake.peer = &sides[i].peer;
	f->fake.bring = bring;
	f->fake.sent = fake_sent;
	f->fake.told_shut = told_shut;
	f->fake.gone = fake_gone;
	members_add(&relay, &f->fake.port, false);
	return &f->fake.port;
}

static void begin(bool is_cable)
{
	memset(sides, 0, sizeof(sides));
	for (int i = 0; i < SIDES; i++)
		sides[i].peer.budget = sides[i].peer.breaks_at = FAKE_ALL;
	if (loop_init(&loop) < 0 ||
	    relay_init(&relay, &loop, NULL, is_cable ? RELAY_CABLE : RELAY_HUB, NULL) < 0)
		exit(1);
}

static void end(void)
{
	relay_free(&relay);
	loop_free(&loop);
}

static void show(const struct side *s)
{
	if (s->fake)
		fake_show(&s->fake->fake);
}

static void give(unsigned i, uint32_t n)
{
	sides[i].given += n;
	sides[i].peer.brings = sides[i].given - sides[i].taken;
	show(&sides[i]);
}

static void allow(unsigned i, uint32_t budget)
{
	sides[i].peer.budget = budget;
	show(&sides[i]);
}

static void end_side(unsigned i)
{
	sides[i].peer.has_ended = true;
	show(&sides[i]);
}

static void break_tx(unsigned i)
{
	sides[i].peer.tx_err = -EPIPE;
	show(&sides[i]);
}

static void break_rx(unsigned i)
{
	sides[i].peer.rx_err = -ECONNRESET;
	show(&sides[i]);
}

/* Every frame that came in must be found again. */
static bool adds_up(void)
{
	int64_t sum = (int64_t)(relay.gone.rx_frames + relay.forward.copied -
				relay.gone.tx_frames - ports_dropped(&relay.gone));

	for (const struct member *m = relay.forward.members.first; m; m = m->next)
		sum += ports_balance(m->port);
	return !sum;
}

static unsigned wrong_sum(void)
{
	unsigned sum = 0;

	for (int i = 0; i < SIDES; i++)
		sum += sides[i].wrong;
	return sum;
}

static void ok_sums(const char *what)
{
	ok(adds_up() && !wrong_sum(), "%s: nothing broken, doubled or unaccounted for",
	   what);
}

/* ---- forwarding ---- */

static void test_cable(void)
{
	begin(true);
	add(0, &dial_ops);
	add(1, &plain_ops);
	give(0, 1000);
	give(1, 10);
	turns(&loop, 20);
	ok(sides[1].got[0] == 1000 && sides[0].got[1] == 10,
	   "a cable: each end gets what the other one sent");
	ok_eq_int(relay.forward.copied, 0, "nothing is copied");
	ok_sums("a cable");
	end();
}

static void test_hub(void)
{
	begin(false);
	for (unsigned i = 0; i < 4; i++)
		add(i, i % 2 ? &plain_ops : &dial_ops);
	for (unsigned i = 0; i < 4; i++)
		give(i, 300);
	turns(&loop, 20);
	for (unsigned i = 0; i < 4; i++)
		ok(got_all(&sides[i]) == 900 && sides[i].got[i] == 0,
		   "a hub: side %u gets what all others sent", i);
	ok_eq_int(relay.forward.copied, 4 * 300 * 2, "two copies of each are counted");
	ok_sums("a hub");
	end();
}

static void test_alone(void)
{
	const struct port *p;

	begin(false);
	sides[1].peer.open_ret = -ECONNREFUSED;
	p = add(0, &dial_ops);
	add(1, &dial_ops);
	give(0, 100);
	turns(&loop, 5);
	ok_eq_int(p->count.dropped[DROP_NO_PORT], 100,
		  "with no other port up, frames are dropped for that reason");
	ok_sums("alone");
	end();
}

static void test_faulty(void)
{
	const struct port *p;

	begin(true);
	sides[0].faulty = true;
	p = add(0, &dial_ops);
	add(1, &dial_ops);
	give(0, 2000);
	turns(&loop, 100);
	ok(p->count.rx_frames == 2000 && p->count.dropped[DROP_RUNT] &&
		   p->count.dropped[DROP_OVERSIZE],
	   "what is no frame is counted");
	ok_eq_int(sides[1].got[0], 2000 - ports_dropped(&p->count),
		  "and all others pass");
	ok_sums("faulty frames");
	end();
}

/* ---- holding back ---- */

static void test_cable_holds(void)
{
	const struct port *p, *q;
	size_t worst = 0;
	uint32_t before;

	begin(true);
	sides[0].lens = 1500;
	p = add(0, &dial_ops);
	q = add(1, &plain_ops);
	allow(1, 0);
	give(0, 3000);
	for (int i = 0; i < 50; i++, turn(&loop))
		worst = q->queue.bytes > worst ? q->queue.bytes : worst;
	ok(p->is_held && q->queue.bytes > PORT_QUEUE_HIGH && sides[0].taken < 3000,
	   "the other end takes nothing: no more is read once much is queued");
	ok(worst <= PORT_QUEUE_BYTES && !ports_dropped(&q->count),
	   "and what was read has room");
	while (q->queue.bytes > PORT_QUEUE_LOW + 10000) {
		allow(1, 1);
		turn(&loop);
	}
	ok(p->is_held, "nor before little is queued");
	before = sides[0].taken;
	allow(1, 10);
	turns(&loop, 2);
	ok(!p->is_held && sides[0].taken > before, "but then it is");
	allow(1, FAKE_ALL);
	turns(&loop, 50);
	ok(sides[1].got[0] == 3000 && !ports_dropped(&p->count) &&
		   !ports_dropped(&q->count),
	   "in the end nothing is lost");
	ok_sums("a cable that holds");
	end();
}

static void test_cable_holds_longest(void)
{
	const struct port *q;

	begin(true);
	sides[0].lens = FRAME_MAX;
	add(0, &once_ops);
	q = add(1, &once_ops);
	for (int i = 0; i < 60; i++) {
		allow(1, i % 6 ? 0 : 2);
		give(0, 1);
		turn(&loop);
	}
	allow(1, FAKE_ALL);
	turns(&loop, 60);
	ok(sides[1].got[0] == 60 && !ports_dropped(&q->count),
	   "nor of the longest frames");
	ok_sums("a cable of the longest frames");
	end();
}

static void test_who_is_not_held(void)
{
	const struct port *p, *q;

	begin(true);
	p = add(0, &plain_ops);
	q = add(1, &dial_ops);
	allow(1, 0);
	give(0, 3000);
	turns(&loop, 50);
	ok(!p->is_held && sides[0].taken == 3000 && q->count.dropped[DROP_QUEUE],
	   "who would lose frames is not held: here they are dropped and counted");
	allow(1, FAKE_ALL);
	turns(&loop, 50);
	ok_sums("a cable that drops");
	end();
	begin(false);
	p = add(0, &dial_ops);
	q = add(1, &dial_ops);
	add(2, &dial_ops);
	allow(1, 0);
	give(0, 3000);
	turns(&loop, 50);
	ok(!p->is_held && sides[2].got[0] == 3000 && q->count.dropped[DROP_QUEUE],
	   "in a hub a slow port loses frames, and the others none");
	break_rx(2);
	turns(&loop, 3);
	ok(q->queue.bytes > PORT_QUEUE_HIGH && !p->is_held,
	   "nor is anybody held for it when a third one goes");
	ok(q->queue.bytes <= PORT_QUEUE_BYTES, "nor does its queue grow");
	allow(1, FAKE_ALL);
	turns(&loop, 50);
	ok_sums("a hub with a slow port");
	end();
}

static void test_held_and_gone(void)
{
	const struct port *p, *q;

	begin(true);
	sides[0].lens = 1500;
	p = add(0, &dial_ops);
	q = add(1, &dial_ops);
	allow(1, 0);
	give(0, 1000);
	turns(&loop, 20);
	ok(p->is_held, "held, for the other end is behind");
	sides[1].peer.open_ret = -ECONNREFUSED;
	break_rx(1);
	turns(&loop, 20);
	ok(q->state == PORT_WAITING && !p->is_held && sides[0].taken == 1000,
	   "who then goes away: held no longer");
	ok_sums("held and gone");
	end();
}

static void test_pipe_waits(bool is_cable)
{
	const struct port *p;
	struct port *q;

	begin(is_cable);
	sides[1].peer.open_ret = -EINPROGRESS;
	p = add(0, &pipe_ops);
	q = add(1, &dial_ops);
	give(0, 100);
	end_side(0);
	turns(&loop, 5);
	ok(p->state == PORT_UP && p->is_held && !sides[0].taken,
	   "a pipe is not read before there is somebody to take its frames");
	sides[1].peer.open_ret = 0;
	fake_opened(fake_of(q), 0);
	turns(&loop, 3);
	ok_eq_int(sides[1].got[0], 100, "but then it is");
	ok_sums("a pipe that waits");
	end();
}

static void test_pipe_waits_again(void)
{
	const struct port *p;

	begin(false);
	p = add(0, &pipe_ops);
	add(1, &dial_ops);
	give(0, 10);
	turns(&loop, 3);
	sides[1].peer.open_ret = -ECONNREFUSED;
	break_rx(1);
	turns(&loop, 3);
	give(0, 10);
	turns(&loop, 3);
	ok(sides[0].taken == 10 && p->is_held, "nor when the only other one has gone");
	sides[1].peer.open_ret = 0;
	port_retry_now(relay.forward.members.first->next->port);
	turns(&loop, 5);
	ok_eq_int(sides[1].got[0], 20, "until it has come back");
	ok_sums("a pipe that waits again");
	end();
}

/* ---- ports that end ---- */

/* One of the targets ends as the frames go out; which one is flushed first is open. */
static void test_ends_in_flush(unsigned bad, const struct port_ops *ops)
{
	begin(false);
	add(0, &dial_ops);
	for (unsigned i = 1; i < 5; i++)
		add(i, i == bad ? ops : &once_ops);
	break_tx(bad);
	give(0, 50);
	turn(&loop);
	for (unsigned i = 1; i < 5; i++)
		if (i != bad)
			ok(sides[i].got[0] == 50 &&
				   (!sides[i].peer.shuts || sides[i].got_at_shut == 50),
			   "%s %u ends in the middle of a flush: %u gets all, before its end",
			   ops->kind, bad, i);
	ok(!sides[bad].fake && relay.forward.members.n == 4,
	   "it is gone by the end of the turn");
	ok_sums("a port that ends in a flush");
	end();
}

static void test_all_end_in_flush(void)
{
	begin(false);
	add(0, &plain_ops);
	for (unsigned i = 1; i < 5; i++) {
		add(i, &dgram_fd_ops);
		break_tx(i);
	}
	give(0, 50);
	turn(&loop);
	ok_eq_int(relay.forward.members.n, 1,
		  "four that end in the same flush are all gone");
	ok_eq_int(relay.gone.dropped[DROP_LOST], 200, "and what was for them is lost");
	ok(!relay.drain.has_begun, "who came and went does not end a hub's work");
	give(0, 5);
	turn(&loop);
	ok_sums("all end");
	end();
}

static void test_failed_setup(void)
{
	begin(false);
	sides[0].peer.open_ret = -EBUSY;
	add(0, &setup_ops);
	ok(relay.failed, "a set-up that can't work is a failure");
	turn(&loop);
	ok_eq_int(relay.forward.members.n, 0, "and the port is gone");
	end();
	/* And the end before the turn's. */
	begin(false);
	sides[0].peer.open_ret = -EBUSY;
	add(0, &setup_ops);
	end();
	begin(false);
	add(0, &setup_ops);
	sides[0].peer.open_ret = -EBUSY;
	break_rx(0);
	turn(&loop);
	ok(!relay.failed && sides[0].fake->fake.port.state == PORT_WAITING,
	   "one that worked once is tried again instead");
	turn_until(&loop, SOON_MS, sides[0].peer.opens > 2);
	ok(!ends_within(50) && sides[0].peer.opens > 2, "and again");
	sides[0].peer.open_ret = 0;
	port_retry_now(&sides[0].fake->fake.port);
	turns(&loop, 3);
	ok_eq_int(sides[0].fake->fake.port.state, PORT_UP, "until it works");
	end();
}

/* What it does with a connection that it was given to is no mistake in the set-up. */
static void test_front_end(void)
{
	char text[64], why[1200] = "";
	struct endpoint ep;
	int sv[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, sv) < 0)
		exit(1);
	snprintf(text, sizeof(text), "fd:%d,vhost-user", sv[0]);
	begin(false);
	if (endpoint_parse(&ep, text, why, sizeof(why)) < 0)
		exit(1);
	ok_eq_int(relay_add(&relay, &ep, why, sizeof(why)), 0,
		  "a front end's connection");
	close(sv[1]);
	turns(&loop, 3);
	ok(!relay.forward.members.n && !relay.failed,
	   "it goes before its guest has started, and the relay goes on");
	end();
}

/* ---- the end of the work ---- */

static void test_finish_drains(bool is_cable)
{
	const struct port *q;

	begin(is_cable);
	add(0, &pipe_ops);
	q = add(1, &once_ops);
	allow(1, 0);
	give(0, 100);
	end_side(0);
	turns(&loop, 5);
	ok(relay.drain.has_begun && q->queue.frames == 100 && !sides[1].peer.shuts,
	   "a pipe has ended: what is queued waits, and nobody is shut");
	allow(1, 60);
	turns(&loop, 3);
	ok(sides[1].got[0] == 60 && !sides[1].peer.shuts, "nor when part of it is sent");
	allow(1, FAKE_ALL);
	turns(&loop, 3);
	ok(sides[1].peer.shuts == 1 && sides[1].got_at_shut == 100,
	   "sent whole, the peer is told that this was all");
	give(1, 1);
	end_side(1);
	ok(ends_within(SOON_MS), "once the peer has closed too, it is over");
	ok_sums("finishing");
	end();
}

static void test_finish_at_once(void)
{
	begin(false);
	add(0, &pipe_ops);
	add(1, &plain_ops);
	give(0, 100);
	end_side(0);
	ok(ends_within(SOON_MS) && sides[1].got[0] == 100,
	   "peers that can't be told are not waited for");
	end();
	begin(true);
	add(0, &once_ops);
	add(1, &plain_ops);
	end_side(0);
	ok(ends_within(SOON_MS), "in a cable any end that can't come back ends the work");
	end();
}

/* A dialled peer that closes when it is told to shall not be dialled again. */
static void test_finish_no_redial(void)
{
	begin(true);
	add(0, &pipe_ops);
	add(1, &dial_ops);
	end_side(0);
	turns(&loop, 3);
	ok_eq_int(sides[1].peer.shuts, 1, "a dialled peer is told of the end");
	end_side(1);
	ok(ends_within(SOON_MS), "and when it closes, the work is over");
	ok_eq_int(sides[1].peer.opens, 1, "and it is not dialled again");
	end();
}

/*
 * A peer does not close. Frames come on meanwhile, and one port is full now and
 * then: no reason to wait for ever.
 */
static struct timer busy;

static void stall_now_and_then(struct timer *t)
{
	allow(2, sides[2].peer.budget ? 0 : FAKE_ALL);
	give(3, 3);
	timer_set(&loop, t, 100, stall_now_and_then);
}

static void test_finish_busy(void)
{
	uint64_t start = loop_now();

	begin(false);
	add(0, &pipe_ops);
	add(1, &dial_ops);
	add(2, &plain_ops);
	add(3, &plain_ops);
	timer_set(&loop, &busy, 0, stall_now_and_then);
	end_side(0);
	ok(ends_within(SOON_MS) && loop_now() - start >= 900,
	   "a peer that does not close is waited for, but not long, however busy others are");
	timer_cancel(&loop, &busy);
	end();
}

/* Who had frames to drain is lost: the others must be told now, not when time is up. */
static void test_finish_drainer_lost(const struct port_ops *ops)
{
	begin(false);
	add(0, &pipe_ops);
	add(1, &once_ops);
	add(2, ops);
	allow(2, 0);
	give(0, 50);
	end_side(0);
	turns(&loop, 3);
	ok(relay.drain.has_begun && !sides[1].peer.shuts,
	   "one of two has frames to drain (%s)", ops->kind);
	sides[2].peer.open_ret = -ECONNREFUSED;
	break_rx(2);
	turns(&loop, 3);
	ok(sides[1].peer.shuts == 1, "and is lost: the other one is told of the end");
	end_side(1);
	ok(ends_within(SOON_MS), "and when that has closed, it is over");
	ok_sums("finishing without one");
	end();
}

/* ---- random histories ---- */

struct history {
	const char *name;
	bool is_cable;
	unsigned n;
	const struct port_ops *ops[SIDES];
};

static const struct history histories[] = {
	{ "a cable of two dialled streams", true, 2, { &dial_ops, &dial_ops } },
	{ "a cable of a stream and datagrams", true, 2, { &dial_ops, &plain_ops } },
	{ "a hub of three", false, 3, { &dial_ops, &plain_ops, &once_ops } },
	{ "a hub of six",
	  false,
	  6,
	  { &dial_ops, &plain_ops, &once_ops, &dgram_fd_ops, &setup_ops, &dial_ops } },
};

static void come_up(struct side *s)
{
	struct port *p = &s->fake->fake.port;
	int ret = rnd(3) ? 0 : -ECONNREFUSED;

	if (p->state == PORT_WAITING)
		port_retry_now(p);
	if (p->state == PORT_OPENING)
		fake_opened(&s->fake->fake, ret);
}

static void happen(const struct history *h)
{
	unsigned i = rnd(h->n);
	struct side *s = &sides[i];
	static const int open_rets[] = { 0, 0, 0, -EINPROGRESS, -ECONNREFUSED };

	if (!s->fake) {
		s->peer.open_ret = 0;
		add(i, h->ops[i]);
		return;
	}
	s->peer.open_ret =
		s->fake->fake.port.was_up ? open_rets[rnd(ARRAY_SIZE(open_rets))] : 0;
	switch (rnd(24)) {
	case 0:
		break_rx(i);
		break;
	case 1:
		break_tx(i);
		break;
	case 2:
		end_side(i);
		break;
	case 3:
	case 4:
	case 5:
		allow(i, rnd(3) * 20);
		break;
	case 6:
	case 7:
		allow(i, FAKE_ALL);
		break;
	case 8:
	case 9:
	case 10:
	case 11:
		come_up(s);
		break;
	default:
		give(i, 1 + rnd(rnd(8) ? 30 : 400));
	}
}

static void test_history(const struct history *h, uint64_t seed, unsigned steps)
{
	unsigned off = 0, got = 0;
	struct port_counters c;

	random_begin(seed);
	begin(h->is_cable);
	for (unsigned i = 0; i < h->n; i++) {
		sides[i].faulty = i % 2;
		sides[i].peer.refuses = i == 2 ? 50 : 0;
		add(i, h->ops[i]);
	}
	for (unsigned i = 0; i < steps; i++) {
		happen(h);
		if (rnd(3))
			turn(&loop);
		off += !adds_up();
	}
	for (int i = 0; i < SIDES; i++)
		got += got_all(&sides[i]);
	c = relay.gone;
	for (const struct member *m = relay.forward.members.first; m; m = m->next)
		for (int i = 0; i < DROP_REASONS; i++)
			c.dropped[i] += m->port->count.dropped[i];
	ok_eq_int(off, 0, "%s, seed %d: the sums agree at every step", h->name,
		  (int)seed);
	ok_eq_int(wrong_sum(), 0, "and every frame is whole, in order, and there once");
	ok(got > 1000 && c.dropped[DROP_LOST] && (h->n > 3 || c.dropped[DROP_NO_PORT]) &&
		   c.dropped[DROP_RUNT] && c.dropped[DROP_OVERSIZE],
	   "%u got through, others met each fate", got);
	end();
}

/* Two streams and no accident: whatever the pace of the ends, nothing is lost. */
static void test_lossless(uint64_t seed)
{
	begin(true);
	random_begin(seed);
	add(0, &dial_ops);
	add(1, &once_ops);
	for (int i = 0; i < 700; i++) {
		unsigned side = rnd(2);

		if (rnd(2))
			give(side, rnd(200));
		else
			allow(side, rnd(4) ? rnd(100) : 0);
		turn(&loop);
	}
	allow(0, FAKE_ALL);
	allow(1, FAKE_ALL);
	for (int i = 0; i < 5000 && (sides[0].taken < sides[0].given ||
				     sides[1].taken < sides[1].given);
	     i++)
		turn(&loop);
	turns(&loop, 3);
	ok(sides[1].got[0] == sides[0].given && sides[0].got[1] == sides[1].given,
	   "a cable at any pace, seed %d: all of %u and %u frames pass", (int)seed,
	   sides[0].given, sides[1].given);
	ok_sums("at any pace");
	end();
}

/* ---- real sockets ---- */

struct wire {
	int fd;
	uint8_t *sent, *got;
	size_t n_sent, n_given, n_got;
};

#define REAL_BYTES ((size_t)3 << 20)

static void lay_frames(struct wire *w, uint32_t from, size_t bytes)
{
	uint32_t number = 1;

	w->sent = malloc(bytes + LAYOUT_PREFIX + FRAME_MAX);
	w->got = malloc(REAL_BYTES + LAYOUT_PREFIX + FRAME_MAX);
	for (w->n_given = 0; w->n_given < bytes; number++) {
		uint32_t len = len_of(from, number);

		len = len < FRAME_PAD ? FRAME_PAD : len;
		put_be32(w->sent + w->n_given, len);
		make_frame(w->sent + w->n_given + LAYOUT_PREFIX, from, number, len);
		w->n_given += LAYOUT_PREFIX + len;
	}
}

static void move(struct wire *w, const struct wire *other)
{
	size_t most = 1 + rnd(rnd(2) ? 200000 : 3000);
	ssize_t n;

	n = send(w->fd, w->sent + w->n_sent, min_size(most, w->n_given - w->n_sent),
		 MSG_DONTWAIT | MSG_NOSIGNAL);
	w->n_sent += n > 0 ? (size_t)n : 0;
	/* Slowly, for as long as the other one sends. */
	most = other->n_sent == other->n_given ? other->n_given : most / 2 + 1;
	n = recv(w->fd, w->got + w->n_got, min_size(most, other->n_given - w->n_got),
		 MSG_DONTWAIT);
	w->n_got += n > 0 ? (size_t)n : 0;
}

static bool is_exact(const struct wire *w, const struct wire *other)
{
	return w->n_got == other->n_given && !memcmp(w->got, other->sent, w->n_got);
}

static struct endpoint real_ends[2];

static void add_real(struct wire *w, int i)
{
	char why[1200] = "";
	int sv[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, sv) < 0)
		exit(1);
	w->fd = sv[1];
	real_ends[i].kind = ENDPOINT_FD;
	real_ends[i].fd = sv[0];
	snprintf(real_ends[i].text, sizeof(real_ends[i].text), "fd:%d", sv[0]);
	ok_eq_int(relay_add(&relay, &real_ends[i], why, sizeof(why)), 0, "%s%s",
		  real_ends[i].text, why);
}

static void test_real(void)
{
	struct wire a = { 0 }, b = { 0 };
	char c;

	begin(true);
	random_begin(5);
	lay_frames(&a, 0, REAL_BYTES);
	lay_frames(&b, 1, REAL_BYTES / 2);
	add_real(&a, 0);
	add_real(&b, 1);
	for (int i = 0; i < 100000 && (a.n_got < b.n_given || b.n_sent < b.n_given);
	     i++) {
		move(&a, &b);
		move(&b, &a);
		turn(&loop);
	}
	ok(is_exact(&a, &b), "over real sockets, a cable: exactly what was sent");
	ok(a.n_sent > 0 && adds_up(), "and the sums agree");
	for (int i = 0; i < 100000 && a.n_sent < a.n_given; i++) {
		move(&a, &b);
		move(&b, &a);
		turn(&loop);
	}
	/* What is under way when one end closes must still come out of the other. */
	close(a.fd);
	for (int i = 0; i < 100000 && b.n_got < a.n_given; i++) {
		move(&b, &a);
		turn(&loop);
	}
	ok(is_exact(&b, &a),
	   "one end closes: the other still gets all that was under way");
	turns(&loop, 2);
	ok_eq_int(recv(b.fd, &c, 1, MSG_DONTWAIT), 0, "and then the end");
	close(b.fd);
	ok(ends_within(SOON_MS), "closes too, and the work is over");
	ok(adds_up(), "and everything is accounted for");
	end();
	free(a.sent);
	free(a.got);
	free(b.sent);
	free(b.got);
}

static void test_ends(void)
{
	for (unsigned bad = 1; bad < 5; bad += 3) {
		test_ends_in_flush(bad, &pipe_ops);
		test_ends_in_flush(bad, &dgram_fd_ops);
	}
	test_all_end_in_flush();
	test_failed_setup();
	test_front_end();
	test_finish_drains(true);
	test_finish_drains(false);
	test_finish_at_once();
	test_finish_no_redial();
	test_finish_busy();
	test_finish_drainer_lost(&once_ops);
	test_finish_drainer_lost(&dial_ops);
}

int main(void)
{
	alarm(ALARM_S);
	signal(SIGPIPE, SIG_IGN);
	quiet();
	test_cable();
	test_hub();
	test_alone();
	test_faulty();
	test_cable_holds();
	test_cable_holds_longest();
	test_who_is_not_held();
	test_held_and_gone();
	test_pipe_waits(true);
	test_pipe_waits(false);
	test_pipe_waits_again();
	test_ends();
	for (size_t i = 0; i < ARRAY_SIZE(histories); i++)
		for (uint64_t seed = 1; seed <= 3; seed++)
			test_history(&histories[i], seed, 1500);
	for (uint64_t seed = 1; seed <= 2; seed++)
		test_lossless(seed);
	test_real();
	return done();
}
