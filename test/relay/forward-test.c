/* SPDX-License-Identifier: MIT */
/*
 * forward.c where it looks at headers: a switch of ports whose drivers are made
 * here, and write down what they get. Frames come in runs, as a stream brings
 * them; where each should go is reckoned here once more, frame by frame, with a
 * table of its own.
 */
#include "frame/headers.h"
#include "relay/forward.h"

#include <stdlib.h>

#include "lib/clock.h"
#include "lib/fake-port.h"
#include "lib/packet.h"
#include "lib/ports.h"
#include "lib/random.h"
#include "lib/quiet.h"
#include "lib/tap.h"
#include "relay/switching.h"

#define PORTS 5
#define GOT_MAX 20000
#define RUN_MAX 40
#define PLACES 64 /* addresses and VLANs of the random runs */

/* @number: what a frame carries; of a short one, or a super-frame, its length */
struct got {
	uint32_t number;
	bool is_super;
};

struct fake {
	struct fake_port fake;
	struct got got[GOT_MAX];
	unsigned n;
};

/* What an observer saw: frames in and out of each port. */
struct eyes {
	struct observer observer;
	unsigned in[PORTS], out[PORTS], wrong;
};

static struct loop loop;
static struct port_env env;
static struct forwarding fwd;
static struct switching sw;
static struct fake fakes[PORTS];
static struct eyes eyes;
static uint32_t number;
static int64_t gone; /* the balance of ports that are no more */

/* A run in the making: QEMU's framing. */
static uint8_t buf[RUN_MAX * 1600];
static size_t buf_len;
static uint32_t n_frames;
static bool as_datagrams; /* come in as those do, and not as from a stream */
static unsigned runs;

/* ---- ports ---- */

static uint32_t number_of(const struct frame *f)
{
	if (f->head_len || f->vnet || f->len < FRAME_PAD)
		return f->len;
	return get_be32(f->data + 20);
}

static void fake_sent(struct fake_port *p, const struct frame *f)
{
	struct fake *fake = container_of(p, struct fake, fake);
	bool is_probe = guard_is_probe(f->head_len ? f->head : f->data);

	if (is_probe || fake->n == GOT_MAX)
		return;
	fake->got[fake->n].is_super = f->vnet;
	fake->got[fake->n++].number = number_of(f);
}

static void on_changed(struct port *p, void *arg)
{
	(void)arg;
	switching_changed(&sw, member_of(p));
}

static const struct port_host host = { fake_heard_nothing, fake_heard_nothing,
				       on_changed };

static void on_told(struct switching *s, const struct news *n)
{
	(void)s;
	(void)n;
}

static void see(struct observer *o, const struct member *m, enum direction direction,
		const struct frame *f)
{
	struct eyes *e = container_of(o, struct eyes, observer);
	unsigned i = m->id - 1;
	struct frame last = run_skip(f, f->n_more);

	*(direction == FRAME_IN ? &e->in[i] : &e->out[i]) += 1 + f->n_more;
	/* A run is to know how long it is. */
	e->wrong += last.n_more || last.more_bytes;
}

static void add(unsigned i)
{
	struct port *p = &fakes[i].fake.port;

	fake_init(&fakes[i].fake, &fake_plain, &env, "fake");
	fakes[i].fake.sent = fake_sent;
	fwd.members.last_id = i;
	members_join(&fwd.members, &fakes[i].fake.member);
	port_start(p);
}

/* As relay.c removes it. */
static void remove_port(unsigned i)
{
	struct member *m = &fakes[i].fake.member;

	members_leave(&fwd.members, m);
	gone += ports_balance(m->port);
	switching_gone(&sw, m);
	port_free(m->port);
}

/* A switch of @n ports; without @limits a hub. */
static void begin(unsigned n, const struct switching_limits *limits)
{
	fwd = (struct forwarding){ .segments = calloc(BATCH_MAX, sizeof(*fwd.segments)) };
	memset(fakes, 0, sizeof(fakes));
	number = 0;
	gone = 0;
	clock_pass_ms(1000000);
	switching_init(&sw, &loop, &fwd);
	sw.notify = on_told;
	if (limits && switching_start(&sw, limits) < 0)
		exit(1);
	for (unsigned i = 0; i < n; i++)
		add(i);
	eyes = (struct eyes){ .observer.seen = see };
	observer_add(&fwd, &eyes.observer);
}

static const struct switching_limits large = { .fdb_size = 1024 };

/* Every frame that came in must be found again, and must have been seen. */
static bool adds_up(void)
{
	int64_t sum = (int64_t)fwd.copied + gone;
	bool good = true;

	for (const struct member *m = fwd.members.first; m; m = m->next) {
		sum += ports_balance(m->port);
		good &= eyes.in[m->id - 1] == m->port->count.rx_frames &&
			eyes.out[m->id - 1] == m->port->count.tx_frames;
	}
	return good && !sum && !eyes.wrong;
}

static void end(const char *what)
{
	ok(adds_up(), "%s: all adds up, and was seen once", what);
	while (fwd.members.first)
		remove_port(fwd.members.first->id - 1);
	switching_free(&sw);
	free(fwd.segments);
	if (loop.first)
		ok(false, "a timer is left");
}

/* ---- frames ---- */

/* Addresses are numbers here; ALL and others from it on are of groups. */
enum { ALL = 0x80 };

static uint8_t *put_mac(uint8_t *at, unsigned who)
{
	memset(at, 0, 6);
	at[0] = who >= ALL ? 3 : 2;
	at[5] = (uint8_t)who;
	return at + 6;
}

/* Into the run; VLAN 0 is no tag. Return: its number. */
static uint32_t put(unsigned to, unsigned from, unsigned vlan, uint32_t len)
{
	uint8_t *at = buf + buf_len;

	memset(at, 0, LAYOUT_PREFIX + len);
	put_be32(at, len);
	at += LAYOUT_PREFIX;
	put_mac(put_mac(at, to), from);
	put_be16(at + 12, vlan ? TYPE_VLAN : 0x88b6);
	put_be16(at + 14, vlan);
	put_be32(at + 20, ++number);
	buf_len += LAYOUT_PREFIX + len;
	n_frames++;
	return number;
}

/* Take the word off the frame at @from, and put it to @to. */
static struct frame strip(uint8_t *to, const uint8_t *from)
{
	struct frame f = layout_parse(from);

	memmove(to, f.data, f.len);
	return (struct frame){ .data = to, .len = f.len };
}

/* A run of the frames at @wire, as far as they may be one of datagrams, moved to @to. */
static struct frame make_datagrams(uint8_t *to, uint8_t *wire)
{
	struct frame run = strip(to, wire);
	uint32_t last = run.len, len;

	for (;;) {
		n_frames--;
		wire += LAYOUT_PREFIX + last;
		if (!n_frames || last < run.len || run.len < FRAME_PAD)
			return run;
		len = get_be32(wire);
		if (len > run.len || len < FRAME_PAD)
			return run;
		last = strip(to + run.len + run.more_bytes, wire).len;
		run.n_more++;
		run.more_bytes += last;
	}
}

/* What is in the run comes in at port @at. */
static void come_in(unsigned at)
{
	struct batch b = { 0 };
	/* In memory of just that size. */
	uint8_t *copy = packet_copy(buf, (uint32_t)buf_len), *wire = copy, *end = copy;

	while (n_frames) {
		struct frame f;

		if (as_datagrams) {
			f = make_datagrams(end, wire);
			end += f.len + f.more_bytes;
			wire += (1 + f.n_more) * LAYOUT_PREFIX + f.len + f.more_bytes;
		} else {
			f = layout_parse(wire);
			wire += LAYOUT_PREFIX + f.len;
			n_frames--;
		}
		runs += f.n_more > 0;
		port_take(&fakes[at].fake.port, &b, &f);
	}
	forward_batch(&fwd, &fakes[at].fake.member, &b);
	deliver_flush(&fwd);
	free(copy);
	buf_len = 0;
}

static uint32_t one(unsigned at, unsigned to, unsigned from)
{
	uint32_t n = put(to, from, 0, 60);

	come_in(at);
	return n;
}

static bool has_got(unsigned i, uint32_t n)
{
	return fakes[i].n && fakes[i].got[fakes[i].n - 1].number == n;
}

/* At which ports a frame was the last one to arrive: bits. */
static unsigned who_got(uint32_t n)
{
	unsigned who = 0;

	for (unsigned i = 0; i < PORTS; i++)
		who |= (unsigned)has_got(i, n) << i;
	return who;
}

static uint64_t drops(unsigned i, enum port_drop reason)
{
	return fakes[i].fake.port.count.dropped[reason];
}

/* ---- where addresses are ---- */

static void test_learns(void)
{
	begin(4, &large);
	ok_eq_int(who_got(one(0, 2, 1)), 0xe,
		  "to an address that nobody has seen: to all others");
	ok_eq_int(who_got(one(1, 1, 2)), 0x1, "to one that was seen: there only");
	ok_eq_int(who_got(one(0, 2, 1)), 0x2, "and back");
	ok_eq_int(who_got(one(0, ALL, 1)), 0xe, "to a group: to all others");
	ok_eq_int(who_got(one(0, 1, 3)), 0, "to one behind the same port: to nobody");
	ok_eq_int(drops(0, DROP_LOCAL), 1, "and it is counted as that");
	one(0, ALL, ALL + 1);
	ok_eq_int(sw.fdb.n, 3, "a group that sends has no place in the table");
	ok_eq_int(who_got(one(1, ALL + 1, 2)), 0xd,
		  "a group is nowhere, though it may send");
	ok_eq_int(who_got(one(3, 2, 1)), 0x2, "an address moves");
	ok_eq_int(who_got(one(1, 1, 2)), 0x8, "and the next frame follows it");
	clock_pass_ms((FDB_AGE_S + 1) * 1000);
	ok_eq_int(who_got(one(1, 1, 2)), 0xd, "not seen for long, it may be anywhere");
	end("learning");
}

static void test_vlans(void)
{
	uint32_t n;

	begin(3, &large);
	put(ALL, 1, 5, 60);
	come_in(0);
	put(ALL, 1, 0, 60);
	come_in(1);
	n = put(1, 2, 5, 60);
	come_in(2);
	ok_eq_int(who_got(n), 0x1, "an address is where it was seen in that VLAN");
	n = put(1, 2, 0, 60);
	come_in(2);
	ok_eq_int(who_got(n), 0x2, "or in none");
	n = put(1, 2, 0xe005, 60);
	come_in(2);
	ok_eq_int(who_got(n), 0x1, "whatever the priority");
	n = put(1, 2, 6, 60);
	come_in(2);
	ok_eq_int(who_got(n), 0x3, "in others it was not");
	end("VLANs");
}

static void test_short(void)
{
	static const uint8_t data[] = { 2, 0, 0, 0,    0,    1,	   2,	 0, 0,
					0, 0, 2, 0x81, 0x00, 0xff, 0xff, 0, 0 };

	begin(3, &large);
	for (uint32_t len = FRAME_HEADER; len <= sizeof(data); len++) {
		put_be32(buf, len);
		memcpy(buf + LAYOUT_PREFIX, data, len);
		buf_len = LAYOUT_PREFIX + len;
		n_frames = 1;
		come_in(0);
		ok(fakes[1].n == len - 13 && sw.fdb.n == (len < 18 ? 1 : 2),
		   "a tag that ends after %u bytes is %s", len - FRAME_HEADER,
		   len < 18 ? "none" : "one");
	}
	end("short ones");
}

static void test_two(void)
{
	begin(2, &large);
	one(0, ALL, 1);
	one(1, 1, 2);
	ok(!sw.fdb.n && who_got(one(0, 1, 1)) == 0x2, "with two ports nothing is learnt");
	add(2);
	one(0, ALL, 1);
	ok(sw.fdb.n == 1 && who_got(one(1, 1, 2)) == 0x1, "with three it is");
	remove_port(2);
	ok(!sw.fdb.n, "with two again, nothing is known any more");
	one(0, 2, 1);
	ok(!sw.fdb.n, "nor learnt");
	end("two ports");
}

static void test_hub(void)
{
	static const struct endpoint_rules one_mac = { .n_macs = 1, .macs = { { 2 } } };

	begin(3, NULL);
	one(0, ALL, 1);
	ok_eq_int(who_got(one(1, 1, 2)), 0x5, "a hub knows nothing");
	ok_eq_int(who_got(one(0, 1, 1)), 0x6, "and drops nothing");
	members_set_rules(&fwd.members, &fakes[2].fake.member, &one_mac);
	one(2, ALL, 3);
	ok_eq_int(drops(2, DROP_MAC), 1, "but heeds rules");
	end("a hub");
}

/* ---- rules ---- */

static void test_isolated(void)
{
	begin(4, &large);
	fakes[1].fake.member.rules.is_isolated = fakes[2].fake.member.rules.is_isolated =
		true;
	ok_eq_int(who_got(one(1, ALL, 1)), 0x9,
		  "isolated ports do not reach one another");
	ok_eq_int(who_got(one(0, ALL, 9)), 0xe, "all others reach them");
	one(2, ALL, 2);
	ok_eq_int(who_got(one(1, 2, 1)), 0, "nor when it is known where who is");
	ok_eq_int(drops(1, DROP_NO_PORT), 1, "which is counted");
	ok_eq_int(who_got(one(1, 9, 1)), 0x1, "and they reach the others");
	end("isolated ports");
}

static void test_pins(void)
{
	struct endpoint_rules *rules = &fakes[0].fake.member.rules;
	uint32_t n, m;

	begin(3, &large);
	rules->n_macs = 2;
	put_mac(rules->macs[0], 1);
	put_mac(rules->macs[1], 2);
	ok_eq_int(who_got(one(0, ALL, 1)), 0x6, "an address that a port may have passes");
	n = put(ALL, 2, 0, 60);
	put(ALL, 3, 0, 60);
	m = put(ALL, 1, 0, 60);
	come_in(0);
	ok(who_got(m) == 0x6 && fakes[1].got[fakes[1].n - 2].number == n,
	   "in a run, those that may");
	ok_eq_int(drops(0, DROP_MAC), 1, "and the other is dropped for that reason");
	ok_eq_int(who_got(one(1, 3, 9)), 0x5, "and not learnt");
	end("pins");
}

/* ---- storms and loops ---- */

static void test_storm(void)
{
	static const struct switching_limits limits = { .fdb_size = 64,
							.storm_limit = 10 };

	begin(3, &limits);
	one(1, ALL, 9);
	for (int i = 0; i < 7; i++)
		put(ALL, 1, 0, 60);
	for (int i = 0; i < 6; i++)
		put(9, 1, 0, 60);
	for (int i = 0; i < 7; i++)
		put(ALL, 1, 0, 60 + (uint32_t)i);
	come_in(0);
	ok(fakes[2].n == 11 && fakes[2].got[10].number == 17,
	   "of a run, as many are flooded as may be, from its front");
	ok_eq_int(drops(0, DROP_STORM), 4, "the others are dropped for that reason");
	ok_eq_int(fakes[1].n, 16, "those whose way is known all pass");
	clock_pass_ms(1000);
	ok_eq_int(who_got(one(0, ALL, 1)), 0x6, "and in the next second all do");
	end("a storm");
}

/* A super-frame is as many as it may be split into. */
static void test_storm_super(void)
{
	static const struct switching_limits limits = { .fdb_size = 64,
							.storm_limit = 15 };
	static uint8_t data[PACKET_MAX];
	struct packet p = {
		.from = 1, .to = 2, .ttl = 64, .flags = 0x10, .payload = 9000
	};
	uint32_t len = packet_build(data, &p);
	struct vnet vnet = packet_make_super(data, len, 1000);

	begin(3, &limits);
	for (int i = 0; i < 3; i++) {
		struct frame f = { .data = data, .len = len, .vnet = &vnet };
		struct batch b = { 0 };

		port_take(&fakes[0].fake.port, &b, &f);
		forward_batch(&fwd, &fakes[0].fake.member, &b);
		deliver_flush(&fwd);
	}
	ok(drops(0, DROP_STORM) == 2 && fakes[1].n == 9,
	   "of super-frames that stand for ten each, fifteen frames are one");
	for (int i = 0; i < 8; i++)
		one(0, ALL, 1);
	ok_eq_int(fakes[1].n, 14, "and leave room for five others");
	end("a storm of super-frames");
}

/* In one run, probes that look the same are each taken for what they are. */
static void test_probes_in_run(void)
{
	begin(4, &large);
	one(0, ALL, 1);
	for (int i = 0; i < 2; i++)
		put(ALL, 2, 0, 60);
	for (unsigned i = 0; i < 2; i++) {
		put(0, 0, 0, GUARD_PROBE_BYTES);
		memcpy(buf + buf_len - GUARD_PROBE_BYTES,
		       fakes[i].fake.member.guard.probe, GUARD_PROBE_BYTES);
	}
	put(ALL, 2, 0, 60);
	clock_pass_ms(10);
	come_in(2);
	ok(fakes[2].fake.member.is_blocked &&
		   fakes[2].fake.member.guard.heard == loop_coarse(),
	   "what came back shows a loop");
	ok(drops(2, DROP_PROBE) == 2 && drops(2, DROP_LOOP) == 1,
	   "each probe of a run is taken, and what is behind them does not pass");
	fakes[2].fake.member.is_blocked = false;
	fakes[2].fake.member.guard.against = NULL;
	put(0, 0, 0, GUARD_PROBE_BYTES);
	memcpy(buf + buf_len - GUARD_PROBE_BYTES, fakes[3].fake.member.guard.probe,
	       GUARD_PROBE_BYTES);
	put(0, 0, 0, GUARD_PROBE_BYTES);
	memcpy(buf + buf_len - GUARD_PROBE_BYTES, fakes[0].fake.member.guard.probe,
	       GUARD_PROBE_BYTES);
	come_in(1);
	ok(fakes[3].fake.member.is_blocked && fakes[1].fake.member.is_blocked,
	   "the second as the first");
	end("probes in a run");
}

/* Frames to the probes' group that are none are held by the storm limit, too. */
static void test_no_probes(void)
{
	static const struct switching_limits limits = { .fdb_size = 64,
							.storm_limit = 5 };

	begin(3, &limits);
	for (int i = 0; i < 8; i++) {
		uint8_t *at = buf + buf_len + LAYOUT_PREFIX;

		put(0, 1, 0, 60);
		memcpy(at, (uint8_t[]){ 0x03, 0x6e, 0x65, 0x74, 0x72, 0x6c }, 6);
	}
	come_in(0);
	ok(drops(0, DROP_STORM) == 3 && sw.fdb.n == 1,
	   "what looks like a probe only from afar is a frame like others");
	end("no probes");
}

static void test_blocked(void)
{
	begin(3, &large);
	one(1, ALL, 2);
	fakes[1].fake.member.is_blocked = true;
	ok_eq_int(who_got(one(0, ALL, 1)), 0x4, "nothing is flooded to a blocked port");
	one(1, ALL, 7);
	ok_eq_int(drops(1, DROP_LOOP), 1, "nor from it");
	ok_eq_int(who_got(one(0, 7, 1)), 0x4, "nor is anything learnt there");
	fakes[1].fake.member.is_blocked = false;
	end("a blocked port");
}

/* ---- a full table ---- */

/* What is learnt takes the very entry that the frame is on its way to. */
static void test_full(void)
{
	static const struct switching_limits two = { .fdb_size = 2 };

	begin(3, &two);
	one(1, ALL, 5);
	one(1, ALL, 6);
	ok_eq_int(
		who_got(one(0, 5, 1)), 0x2,
		"a known address is reached, though its place is taken by the sender's");
	ok_eq_int(drops(0, DROP_LOCAL), 0, "who is not taken for it");
	end("a full table");
}

/* ---- super-frames ---- */

static void test_super(void)
{
	static uint8_t data[PACKET_MAX];
	struct packet p = { .from = 1,
			    .to = 2,
			    .ttl = 64,
			    .flags = 0x10,
			    .tcp_options = 12,
			    .payload = 9000 };
	uint32_t len = packet_build(data, &p), n_before;
	struct vnet vnet = packet_make_super(data, len, 1000);
	struct batch b = { .n = 1 };

	begin(4, &large);
	fakes[1].fake.port.takes_super = true;
	put_mac(put_mac(data, 1), 2);
	b.frame[0] = (struct frame){ .data = data, .len = len, .vnet = &vnet };
	one(1, ALL, 1);
	n_before = fakes[2].n + fakes[3].n;
	fakes[0].fake.port.count.rx_frames++;
	forward_batch(&fwd, &fakes[0].fake.member, &b);
	deliver_flush(&fwd);
	ok(fakes[1].n == 1 && fakes[1].got[0].is_super && fakes[1].got[0].number == len &&
		   fakes[2].n + fakes[3].n == n_before,
	   "a super-frame goes where its destination is, in one piece");
	one(2, ALL, 1);
	fakes[0].fake.port.count.rx_frames++;
	forward_batch(&fwd, &fakes[0].fake.member, &b);
	deliver_flush(&fwd);
	ok(fakes[2].n == n_before / 2 + 9 && !fakes[2].got[fakes[2].n - 1].is_super,
	   "in nine where it is not taken whole");
	/* It was changed for that; flooded, it must still be whole for the first. */
	put_mac(data, 3);
	fakes[0].fake.port.count.rx_frames++;
	forward_batch(&fwd, &fakes[0].fake.member, &b);
	deliver_flush(&fwd);
	ok(fakes[1].got[fakes[1].n - 1].is_super &&
		   has_got(3, fakes[2].got[fakes[2].n - 1].number),
	   "unknown, to each as it takes them");
	end("super-frames");
}

/* ---- random runs, beside a reckoning of frame by frame ---- */

struct place {
	int port;
	uint64_t seen_s;
};

static struct {
	struct place place[3][PLACES];
	uint32_t want[PORTS][RUN_MAX];
	unsigned n[PORTS];
	uint64_t drops[PORTS][DROP_REASONS];
	uint32_t flooded[PORTS];
	uint64_t second[PORTS];
} model;

#define MODEL_STORM 20

static unsigned model_send(unsigned to, unsigned at, uint32_t n)
{
	if (to == at || (fakes[to].fake.member.rules.is_isolated &&
			 fakes[at].fake.member.rules.is_isolated))
		return 0;
	model.want[to][model.n[to]++] = n;
	return 1;
}

static void model_flood(unsigned at, uint32_t n)
{
	unsigned sent = 0;

	if (model.second[at] != clock_s())
		model.flooded[at] = 0;
	model.second[at] = clock_s();
	if (model.flooded[at] == MODEL_STORM) {
		model.drops[at][DROP_STORM]++;
		return;
	}
	model.flooded[at]++;
	for (unsigned i = 0; i < PORTS; i++)
		sent += model_send(i, at, n);
	model.drops[at][DROP_NO_PORT] += !sent;
}

static void model_frame(unsigned at, unsigned to, unsigned from, unsigned vlan,
			uint32_t n)
{
	struct place *p = &model.place[vlan][from], *q = &model.place[vlan][to % PLACES];
	int port = -1;

	/* Port 4 may only have the first few addresses. */
	if (at == 4 && from >= ENDPOINT_MACS_MAX) {
		model.drops[at][DROP_MAC]++;
		return;
	}
	if (to < ALL && clock_s() - q->seen_s <= FDB_AGE_S)
		port = q->port;
	*p = (struct place){ .port = (int)at, .seen_s = clock_s() };
	if (port < 0)
		model_flood(at, n);
	else if (port == (int)at)
		model.drops[at][DROP_LOCAL]++;
	else if (!model_send((unsigned)port, at, n))
		model.drops[at][DROP_NO_PORT]++;
}

/* A run with a few ways in it, several frames for each. */
static void draw_run(unsigned at)
{
	unsigned to = 0, from = 0, vlan = 0;
	uint32_t len = 60 + rnd(1500);

	for (unsigned k = 1 + rnd(RUN_MAX - 1); k; k--) {
		if (!to || rnd(3) == 0) {
			from = at * 4 + rnd(5);
			to = rnd(4) ? 1 + rnd(PORTS * 4) : ALL + rnd(3);
			vlan = rnd(3);
		}
		/* To itself: as a run it is one question, frame by frame it is two. */
		if (to == from)
			to = ALL;
		len = rnd(5) ? len : 60 + rnd(1500);
		model_frame(at, to, from, vlan, put(to, from, vlan, len));
	}
}

static bool is_as_reckoned(void)
{
	bool good = true;

	for (unsigned i = 0; i < PORTS; i++) {
		good &= fakes[i].n == model.n[i];
		for (unsigned k = 0; good && k < fakes[i].n; k++)
			good = fakes[i].got[k].number == model.want[i][k];
		for (int r = 0; r < DROP_REASONS; r++)
			good &= drops(i, (enum port_drop)r) == model.drops[i][r];
		fakes[i].n = model.n[i] = 0;
	}
	return good;
}

static void test_random(uint64_t seed)
{
	static const struct switching_limits limits = { .fdb_size = 1024,
							.storm_limit = MODEL_STORM };
	struct endpoint_rules *rules = &fakes[4].fake.member.rules;
	unsigned wrong = 0;
	uint64_t sum = 0;

	random_begin(seed);
	begin(PORTS, &limits);
	memset(&model, 0, sizeof(model));
	for (unsigned v = 0; v < 3; v++)
		for (unsigned i = 0; i < PLACES; i++)
			model.place[v][i].port = -1;
	fakes[1].fake.member.rules.is_isolated = fakes[2].fake.member.rules.is_isolated =
		true;
	for (rules->n_macs = 0; rules->n_macs < ENDPOINT_MACS_MAX; rules->n_macs++)
		put_mac(rules->macs[rules->n_macs], rules->n_macs);
	for (int i = 0; i < 2000; i++) {
		unsigned at = rnd(PORTS);

		draw_run(at);
		come_in(at);
		wrong += !is_as_reckoned();
		clock_pass_ms(rnd(100) ? rnd(300) : 200000 + rnd(200000));
	}
	for (unsigned i = 0; i < PORTS; i++)
		sum += drops(i, DROP_STORM) && drops(i, DROP_LOCAL);
	ok_eq_int(wrong, 0, "seed %u: 2000 random runs go as their frames should",
		  (unsigned)seed);
	ok(sum >= 4 && drops(1, DROP_NO_PORT) && drops(4, DROP_MAC),
	   "and meet every fate");
	end("random runs");
}

static void test_all(void)
{
	test_learns();
	test_vlans();
	test_short();
	test_two();
	test_hub();
	test_isolated();
	test_pins();
	test_storm();
	test_storm_super();
	test_probes_in_run();
	test_no_probes();
	test_blocked();
	test_full();
	test_super();
	for (uint64_t seed = 1; seed <= 3; seed++)
		test_random(seed);
}

int main(void)
{
	quiet();
	env = (struct port_env){ .loop = &loop, .host = &host };
	if (loop_init(&loop) < 0)
		return 1;
	test_all();
	as_datagrams = true;
	runs = 0;
	test_all();
	ok(runs > 1000, "%u of these were runs of datagrams", runs);
	loop_free(&loop);
	return done();
}
