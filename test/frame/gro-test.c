/* SPDX-License-Identifier: MIT */
/*
 * gro.c: what is merged and what is not, a difference at a time; and over random
 * batches, that splitting what was merged gives exactly what came in, nothing
 * lost, doubled, repaired or overtaken. The split is made by gso.c and by packet.h.
 */
#include "frame/gro.h"

#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "lib/round-trip.h"
#include "lib/random.h"
#include "lib/tap.h"

#define ROUNDS 8000
#define FUZZ_ROUNDS 8000

static const struct packet base = { PACKET_USUAL, .seq = 0xffffff00, .payload = 100 };

/* --- two frames, and what keeps them apart --- */

/* @value is put at @offset from the header @where of the second frame. */
enum where { ETH, IP, L4, OPTIONS, PAYLOAD };

struct difference {
	const char *name;
	enum where where;
	uint32_t offset, bytes, value;
	const char *on; /* which of t4, u4, t6, u6; NULL: all */
	bool is_sealed; /* checksums are made good again */
};

static const struct difference differences[] = {
	{ "destination address", ETH, 5, 1, 9, NULL, false },
	{ "source address", ETH, 11, 1, 9, NULL, false },
	{ "tag", ETH, 14, 2, 7, NULL, false },
	{ "priority", ETH, 14, 2, 0x2064, NULL, false },
	{ "TOS", IP, 1, 1, 4, "t4 u4", true },
	{ "ID the same", IP, 4, 2, 0xfffe, "t4 u4", true },
	{ "ID two further", IP, 4, 2, 0, "t4 u4", true },
	{ "no DF", IP, 6, 2, 0, "t4 u4", true },
	{ "reserved bit", IP, 6, 2, 0xc000, "t4 u4", true },
	{ "more fragments", IP, 6, 2, 0x6000, "t4 u4", true },
	{ "fragment", IP, 6, 2, 0x4001, "t4 u4", true },
	{ "TTL", IP, 8, 1, 63, "t4 u4", true },
	{ "IPv4 length one less", IP, 2, 2, 0, "t4 u4", false },
	{ "IPv4 checksum", IP, 10, 2, 0x1234, "t4 u4", false },
	{ "IPv4 source", IP, 15, 1, 9, "t4 u4", true },
	{ "IPv4 destination", IP, 19, 1, 9, "t4 u4", true },
	{ "IPv4 protocol", IP, 9, 1, 132, "t4 u4", false },
	{ "IPv4 version", IP, 0, 1, 0x65, "t4 u4", false },
	{ "traffic class", IP, 0, 1, 0x61, "t6 u6", true },
	{ "flow label", IP, 3, 1, 1, "t6 u6", true },
	{ "hop limit", IP, 7, 1, 63, "t6 u6", true },
	{ "IPv6 length", IP, 4, 2, 50, "t6 u6", false },
	{ "IPv6 source", IP, 23, 1, 9, "t6 u6", true },
	{ "IPv6 destination", IP, 39, 1, 9, "t6 u6", true },
	{ "IPv6 next header", IP, 6, 1, 44, "t6 u6", false },
	{ "IPv6 version", IP, 0, 1, 0x40, "t6 u6", false },
	{ "source port", L4, 1, 1, 9, NULL, true },
	{ "destination port", L4, 3, 1, 9, NULL, true },
	{ "sequence one further", L4, 7, 1, 0x65, "t4 t6", true },
	{ "sequence far off", L4, 4, 1, 0x12, "t4 t6", true },
	{ "acknowledgement", L4, 11, 1, 100, "t4 t6", true },
	{ "reserved TCP bit", L4, 12, 1, 0x81, "t4 t6", true },
	{ "TCP header too long", L4, 12, 1, 0xf0, "t4 t6", false },
	{ "TCP header too short", L4, 12, 1, 0x40, "t4 t6", false },
	{ "other header length", L4, 12, 1, 0x90, "t4 t6", true },
	{ "no ACK", L4, 13, 1, 0, "t4 t6", true },
	{ "FIN", L4, 13, 1, 0x11, "t4 t6", true },
	{ "SYN", L4, 13, 1, 0x12, "t4 t6", true },
	{ "RST", L4, 13, 1, 0x14, "t4 t6", true },
	{ "URG", L4, 13, 1, 0x30, "t4 t6", true },
	{ "ECE", L4, 13, 1, 0x50, "t4 t6", true },
	{ "CWR", L4, 13, 1, 0x90, "t4 t6", true },
	{ "window", L4, 15, 1, 0, "t4 t6", true },
	{ "TCP checksum", L4, 16, 1, 0x5a, "t4 t6", false },
	{ "urgent pointer", L4, 19, 1, 1, "t4 t6", true },
	{ "timestamp", OPTIONS, 7, 1, 2, "t4 t6", true },
	{ "last option", OPTIONS, 11, 1, 2, "t4 t6", true },
	{ "UDP length", L4, 5, 1, 9, "u4 u6", false },
	{ "UDP checksum", L4, 6, 1, 0x5a, "u4 u6", false },
	{ "no UDP checksum", L4, 6, 2, 0, "u4 u6", false },
	{ "payload's first byte", PAYLOAD, 0, 1, 0xee, NULL, false },
	{ "payload's last byte", PAYLOAD, 99, 1, 0xee, NULL, false },
};

static const char *const kinds[] = { "t4", "u4", "t6", "u6" };

/* Frame @i of a run of frames that can be merged. */
static struct packet nth(unsigned kind, unsigned i)
{
	struct packet p = base;

	p.v6 = kind & 2;
	p.udp = kind & 1;
	p.tags = 1;
	p.id = (uint16_t)(p.id + i);
	p.seq += i * p.payload;
	return p;
}

static void differ(uint8_t *f, uint32_t len, const struct difference *d)
{
	struct packet_at at = packet_find(f);
	const uint32_t begins[] = {
		[ETH] = 0, [IP] = at.l3, [L4] = at.l4, [OPTIONS] = at.l4 + 20, [PAYLOAD] = at.payload
	};
	uint8_t *p = f + begins[d->where] + d->offset;

	if (d->bytes == 2)
		packet_p16(p, d->value);
	else
		*p = (uint8_t)d->value;
	if (d->is_sealed)
		packet_seal(f, len);
}

/* Merged without the difference; with it neither way round, and not changed. */
static void test_difference(const struct difference *d, unsigned kind)
{
	static uint8_t frame[PACKET_MAX];
	struct input in = { .n = 0 };
	bool good = true;

	for (unsigned with = 0; with < 3; with++) {
		for (unsigned i = 0; i < 2; i++) {
			struct packet p = nth(kind, i);
			uint32_t len = packet_build(frame, &p);

			if (with == i + 1)
				differ(frame, len, d);
			input_add(&in, frame, len);
		}
		/* The ID of the second frame before the first is no difference. */
		good = good && is_faithful(&in);
		if (with != 1 || d->offset != 4 || d->where != IP || kind > 1)
			good = good && gro.n == (with ? 2 : 1);
		input_free(&in);
	}
	ok(good, "%s: not merged: %s", kinds[kind], d->name);
}

static void test_differences(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(differences); i++) {
		for (unsigned kind = 0; kind < 4; kind++) {
			const char *on = differences[i].on;

			if (!on || strstr(on, kinds[kind]))
				test_difference(&differences[i], kind);
		}
	}
}

/* --- runs --- */

/* Frame sizes and PSH of one flow, and of how many frames each unit must be. */
static const struct run {
	const char *name, *on;
	struct {
		uint32_t payload;
		bool psh;
	} in[BATCH_MAX];
	unsigned units[BATCH_MAX];
} runs[] = {
	{ "one", NULL, { { 100, 0 } }, { 1 } },
	{ "three alike", NULL, { { 100, 0 }, { 100, 0 }, { 100, 0 } }, { 3 } },
	{ "a shorter one closes",
	  NULL,
	  { { 100, 0 }, { 100, 0 }, { 99, 0 }, { 99, 0 }, { 99, 0 } },
	  { 3, 2 } },
	{ "a longer one begins", NULL, { { 100, 0 }, { 101, 0 }, { 101, 0 } }, { 1, 2 } },
	{ "PSH closes",
	  "t4 t6",
	  { { 100, 0 }, { 100, 1 }, { 100, 0 }, { 100, 0 } },
	  { 2, 2 } },
	{ "PSH on the first", "t4 t6", { { 100, 1 }, { 100, 0 }, { 100, 0 } }, { 1, 2 } },
	{ "PSH on all", "t4 t6", { { 100, 1 }, { 100, 1 }, { 100, 1 } }, { 1, 1, 1 } },
	{ "single bytes", NULL, { { 1, 0 }, { 1, 0 }, { 1, 0 } }, { 3 } },
	{ "no payload",
	  NULL,
	  { { 100, 0 }, { 0, 0 }, { 100, 0 }, { 100, 0 } },
	  { 1, 1, 2 } },
	{ "odd", NULL, { { 1447, 0 }, { 1447, 0 }, { 3, 0 } }, { 3 } },
	{ "65,535 bytes of IPv4 and TCP", "t4", { { 32742, 0 }, { 32741, 0 } }, { 2 } },
	{ "65,536 bytes of IPv4 and TCP", "t4", { { 32742, 0 }, { 32742, 0 } }, { 1, 1 } },
	{ "65,535 bytes of IPv6 and TCP", "t6", { { 32732, 0 }, { 32731, 0 } }, { 2 } },
	{ "65,536 bytes of IPv6 and TCP", "t6", { { 32732, 0 }, { 32732, 0 } }, { 1, 1 } },
	{ "65,535 bytes of IPv4 and UDP", "u4", { { 32754, 0 }, { 32753, 0 } }, { 2 } },
	{ "65,536 bytes of IPv4 and UDP", "u4", { { 32754, 0 }, { 32754, 0 } }, { 1, 1 } },
};

static void test_run(const struct run *run, unsigned kind)
{
	struct input in = { .n = 0 };
	struct packet p = nth(kind, 0);
	bool good;

	for (unsigned i = 0;
	     i < BATCH_MAX && (run->in[i].payload || !i || run->in[i + 1].payload); i++) {
		p.payload = run->in[i].payload;
		p.flags = run->in[i].psh ? 0x18 : 0x10;
		input_build(&in, &p);
		p.seq += p.payload;
		p.id++;
	}
	good = is_faithful(&in);
	for (unsigned i = 0; i < gro.n; i++)
		good = good && gro.unit[i].frames == run->units[i];
	ok(good && (gro.n == BATCH_MAX || !run->units[gro.n]), "%s: %s", kinds[kind],
	   run->name);
	input_free(&in);
}

static void test_runs(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(runs); i++) {
		for (unsigned kind = 0; kind < 4; kind++) {
			if (!runs[i].on || strstr(runs[i].on, kinds[kind]))
				test_run(&runs[i], kind);
		}
	}
}

/* A whole batch of one flow: its vnet header and what the kernel expects in it. */
static void test_header(unsigned kind)
{
	static uint8_t frame[PACKET_MAX];
	static const uint8_t types[] = { 1, 5, 4, 5 };
	struct input in = { .n = 0 };
	struct packet_at at;
	struct vnet *v = &gro.unit[0].vnet;
	uint32_t len;

	for (unsigned i = 0; i < BATCH_MAX; i++) {
		struct packet p = nth(kind, i);

		input_build(&in, &p);
	}
	ok(is_faithful(&in) && gro.n == 1, "%s: a whole batch is one unit", kinds[kind]);
	len = flatten(&gro.unit[0], frame);
	at = packet_find(frame);
	ok_eq_int(v->flags, 1, "%s: NEEDS_CSUM", kinds[kind]);
	ok_eq_int(v->gso_type, types[kind], "%s: type", kinds[kind]);
	ok_eq_int(v->hdr_len, at.payload, "%s: header length", kinds[kind]);
	ok_eq_int(v->gso_size, 100, "%s: segment size", kinds[kind]);
	ok_eq_int(v->csum_start, at.l4, "%s: start", kinds[kind]);
	ok_eq_int(v->csum_offset, at.udp ? 6 : 16, "%s: offset", kinds[kind]);
	ok_eq_int(packet_g16(frame + v->csum_start + v->csum_offset),
		  packet_pseudo(frame + at.l3, at.udp ? 17 : 6, len - at.l4),
		  "%s: the pseudo-header's sum", kinds[kind]);
	if (!at.v6)
		ok_eq_int(packet_sum(0, frame + at.l3, 20), 0xffff, "%s: IPv4 checksum",
			  kinds[kind]);
	gro.udp = false;
	ok(is_faithful(&in) && gro.n == (at.udp ? BATCH_MAX : 1),
	   "%s: when the tap takes no UDP", kinds[kind]);
	gro.udp = true;
	input_free(&in);
}

/* --- others in between --- */

/* Two frames of a flow, and another frame between: whether they may still merge. */
static const struct between {
	const char *name;
	struct difference d;
	bool v6, may;
	unsigned pad, payload, ext, ip_options, kind;
} betweens[] = {
	{ .name = "other ports",
	  .d = { .where = L4, .offset = 1, .bytes = 1 },
	  .may = true,
	  .payload = 100 },
	{ .name = "other tag",
	  .d = { .where = ETH, .offset = 14, .bytes = 2 },
	  .may = true,
	  .payload = 100 },
	{ .name = "other Ethernet address",
	  .d = { .where = ETH, .offset = 11, .bytes = 1 },
	  .may = true,
	  .payload = 100 },
	{ .name = "UDP of the same ports", .kind = 1, .may = true, .payload = 100 },
	{ .name = "IPv6", .kind = 2, .may = true, .payload = 100 },
	{ .name = "an empty ACK", .payload = 0 },
	{ .name = "a padded frame", .payload = 1, .pad = 3 },
	{ .name = "IP options", .payload = 100, .ip_options = 4 },
	{ .name = "a fragment",
	  .payload = 100,
	  .d = { .where = IP, .offset = 6, .bytes = 2, .value = 0x2000 } },
	{ .name = "a later fragment",
	  .payload = 100,
	  .d = { .where = IP, .offset = 6, .bytes = 2, .value = 0x0010 } },
	{ .name = "ICMP",
	  .payload = 100,
	  .d = { .where = IP, .offset = 9, .bytes = 1, .value = 1 } },
	{ .name = "a fragment to another Ethernet address",
	  .payload = 100,
	  .pad = 1000,
	  .d = { .where = IP, .offset = 6, .bytes = 2, .value = 0x2000 } },
	{ .name = "a fragment from elsewhere",
	  .payload = 100,
	  .may = true,
	  .ip_options = 4,
	  .d = { .where = IP, .offset = 15, .bytes = 1, .value = 77 } },
	{ .name = "a broken version",
	  .payload = 100,
	  .d = { .where = IP, .offset = 0, .bytes = 1, .value = 0x95 } },
	{ .name = "no IP",
	  .payload = 100,
	  .d = { .where = ETH, .offset = 16, .bytes = 2, .value = 0x0806 } },
	{ .name = "no IP, from elsewhere",
	  .payload = 100,
	  .may = true,
	  .pad = 2000,
	  .d = { .where = ETH, .offset = 16, .bytes = 2, .value = 0x0806 } },
	{ .name = "a damaged frame of the flow",
	  .payload = 100,
	  .d = { .where = PAYLOAD, .offset = 5, .bytes = 1, .value = 0xdd } },
};

static void test_between(const struct between *b)
{
	static uint8_t frame[PACKET_MAX];
	struct input in = { .n = 0 };
	struct packet p;
	uint32_t len;

	for (unsigned i = 0; i < 3; i++) {
		p = nth(i == 1 ? b->kind : 0, i == 2);
		if (i == 1) {
			p.payload = b->payload;
			p.pad = b->pad < 1000 ? b->pad : 0;
			p.ip_options = b->ip_options;
		}
		len = packet_build(frame, &p);
		if (i == 1 && b->d.bytes)
			differ(frame, len, &b->d);
		if (i == 1 && b->pad >= 1000)
			frame[11] = 77;
		input_add(&in, frame, len);
		in.flow[i] = i == 1 && b->may;
	}
	ok(is_faithful(&in) && gro.n == (b->may ? 2 : 3), "%s in between: %s", b->name,
	   b->may ? "merged all the same" : "not merged");
	input_free(&in);
}

/* A frame that is not the first, and one that is, has a bad checksum. */
static void test_damaged(unsigned which)
{
	static const unsigned want[] = { 2, 3, 3, 2 };
	static uint8_t frame[PACKET_MAX];
	struct input in = { .n = 0 };

	for (unsigned i = 0; i < 4; i++) {
		struct packet p = nth(0, i);
		uint32_t len = packet_build(frame, &p);

		if (i == which)
			frame[len - 1] ^= 0x10;
		input_add(&in, frame, len);
	}
	ok(is_faithful(&in), "frame %u of 4 damaged: comes out damaged", which);
	ok_eq_int(gro.n, want[which], "frame %u of 4 damaged: the rest is merged", which);
	input_free(&in);
}

/* Two spellings of the same sum; @is_other: the one that a split never writes. */
struct spelling {
	const char *name;
	unsigned kind;
	uint32_t offset; /* of the checksum, from the IP or the transport header */
	bool is_ip, is_other;
	unsigned want; /* units of two frames */
};

/* Frame @i of two, of which number @which has a sum of 0. */
static uint32_t spell(uint8_t *frame, const struct spelling *c, unsigned i,
		      unsigned which)
{
	struct packet p = nth(c->kind, i);
	uint32_t len, at;

	p.id = (uint16_t)(1000 + which);
	len = packet_build(frame, &p);
	at = (c->is_ip ? packet_find(frame).l3 : packet_find(frame).l4) + c->offset;
	if (c->is_ip) {
		uint8_t id[2];

		packet_p16(id, 1000 + which);
		p.id = (uint16_t)packet_sum(packet_g16(frame + at), id, 2);
		p.id = (uint16_t)(p.id + i - which);
		len = packet_build(frame, &p);
	} else {
		p.id = (uint16_t)(1000 + i);
		len = packet_build(frame, &p);
	}
	if (i != which)
		return len;
	if (!c->is_ip) {
		packet_p16(frame + len - 2,
			   packet_sum(packet_g16(frame + at), frame + len - 2, 2));
		packet_seal(frame, len);
	}
	if (c->is_other)
		packet_p16(frame + at, 0xffff - packet_g16(frame + at));
	return len;
}

static void test_spellings(void)
{
	static const struct spelling cases[] = {
		{ "TCP 0000", 0, 16, false, false, 2 },
		{ "TCP ffff", 0, 16, false, true, 2 },
		{ "UDP ffff", 1, 6, false, false, 1 },
		{ "UDP 0000", 1, 6, false, true, 2 },
		{ "IPv4 0000", 0, 10, true, false, 1 },
		{ "IPv4 ffff", 0, 10, true, true, 2 },
	};
	static uint8_t frame[PACKET_MAX];

	for (size_t i = 0; i < ARRAY_SIZE(cases) * 2; i++) {
		const struct spelling *c = &cases[i / 2];
		struct input in = { .n = 0 };

		for (unsigned k = 0; k < 2; k++)
			input_add(&in, frame, spell(frame, c, k, i % 2));
		ok(is_faithful(&in), "checksum %s in frame %zu: kept", c->name, i % 2);
		ok_eq_int(gro.n, c->want, "checksum %s in frame %zu: units", c->name,
			  i % 2);
		input_free(&in);
	}
}

/* --- random batches --- */

static const char *const mishaps[] = {
	"none",	      "swap",	     "double", "lose",	 "IP checksum",
	"payload",    "flags",	     "length", "pad",	 "fragment",
	"IP options", "extension",   "PSH",    "short",	 "ID",
	"stamp",      "no checksum", "empty",  "window", "zero sum",
};

/* Changes a packet or the frame made of it. Return: whether it can't be told apart. */
static bool mishap(const char *what, struct packet *p)
{
	if (!strcmp(what, "flags"))
		p->flags = (uint8_t)rnd32();
	else if (!strcmp(what, "length"))
		p->payload = 1 + rnd(300);
	else if (!strcmp(what, "pad"))
		p->pad = 1 + rnd(20);
	else if (!strcmp(what, "IP options"))
		p->ip_options = p->v6 ? 0 : 4;
	else if (!strcmp(what, "extension"))
		p->ext = p->v6 ? 8 : 0;
	else if (!strcmp(what, "PSH"))
		p->flags |= 8;
	else if (!strcmp(what, "short"))
		p->payload = 1 + p->payload / 2;
	else if (!strcmp(what, "ID"))
		p->id = (uint16_t)(p->id + rnd(3));
	else if (!strcmp(what, "stamp"))
		p->stamp++;
	else if (!strcmp(what, "empty"))
		p->payload = 0;
	else if (!strcmp(what, "window"))
		p->window = (uint16_t)rnd32();
	return (p->v6 ? p->ext : p->ip_options) > 0;
}

static bool mishap_to_frame(const char *what, uint8_t *f, uint32_t len)
{
	struct packet_at at = packet_find(f);

	if (!strcmp(what, "IP checksum") && !at.v6)
		f[at.l3 + 10] ^= (uint8_t)(1 + rnd(255));
	else if (!strcmp(what, "payload"))
		f[at.l4 + 4 + rnd(len - at.l4 - 4)] ^= 0x40;
	else if (!strcmp(what, "no checksum") && at.udp)
		packet_p16(f + at.l4 + 6, 0);
	else if (!strcmp(what, "zero sum") && len - at.payload >= 2)
		memset(f + at.payload, 0, 2);
	else if (!strcmp(what, "fragment") && !at.v6)
		packet_p16(f + at.l3 + 6, rnd(2) ? 0x2000 : 7);
	else
		return false;
	return !strcmp(what, "fragment");
}

/* The next frame of a flow, or what became of it. */
static void emit(struct input *in, struct packet *flow, unsigned number, const char *what)
{
	static uint8_t frame[PACKET_MAX];
	struct packet p = *flow;
	bool is_wall;
	uint32_t len;

	p.fill = (uint8_t)rnd32();
	is_wall = mishap(what, &p);
	flow->seq += p.payload;
	flow->id++;
	if (!strcmp(what, "lose"))
		return;
	len = packet_build(frame, &p);
	is_wall = mishap_to_frame(what, frame, len) || is_wall;
	for (int twice = !strcmp(what, "double"); twice >= 0 && in->n < BATCH_MAX;
	     twice--) {
		input_add(in, frame, len);
		in->flow[in->n - 1] = number;
		in->group[in->n - 1] = p.to + 1000 * p.v6;
		in->is_wall[in->n - 1] = is_wall;
	}
	if (!strcmp(what, "swap") && in->n > 1) {
		unsigned a = in->n - 2, b = in->n - 1;
		struct input copy = *in;

		in->frame[a] = copy.frame[b], in->frame[b] = copy.frame[a];
		in->flow[a] = copy.flow[b], in->flow[b] = copy.flow[a];
		in->group[a] = copy.group[b], in->group[b] = copy.group[a];
		in->is_wall[a] = copy.is_wall[b], in->is_wall[b] = copy.is_wall[a];
	}
}

/* A batch of up to six flows, some between the same addresses, taking turns. */
static void make_batch(struct input *in)
{
	unsigned n = 1 + rnd(6), often = rnd(3);
	unsigned frames = 1 + rnd(BATCH_MAX), current = 0;
	struct packet flow[6];

	for (unsigned i = 0; i < n; i++) {
		uint32_t r = rnd32();

		flow[i] = base;
		flow[i].v6 = r & 1;
		flow[i].udp = r >> 1 & 1;
		flow[i].tags = r >> 2 & 3 ? 0 : r >> 4 & 3;
		flow[i].tags = flow[i].tags > 2 ? 2 : flow[i].tags;
		flow[i].df = r >> 6 & 1;
		flow[i].tcp_options = r >> 7 & 1 ? 12 : 0;
		flow[i].to = 2 + (r >> 8 & 1);
		flow[i].sport = (uint16_t)(1000 + i);
		flow[i].id = (uint16_t)(r >> 9);
		flow[i].seq = rnd32();
		flow[i].payload = 1 + rnd(120);
	}
	while (in->n < frames && frames--) {
		const char *what = "none";

		if (rnd(4) == 0)
			current = rnd(n);
		if (often && rnd(often == 1 ? 3 : 20) == 0)
			what = mishaps[rnd(ARRAY_SIZE(mishaps))];
		emit(in, &flow[current], current, what);
	}
}

/* In every other batch: behind the first bytes, as many as headers have, or anywhere. */
static void cut_some(struct input *in)
{
	uint32_t often = rnd(6);

	for (unsigned i = 0; i < in->n && often < 3; i++) {
		uint32_t r = rnd32(), len = in->frame[i].len;
		uint32_t at = r & 16 ? 14 + 20 + 8 + (r >> 5) % 44 : (r >> 5) % (len + 1);

		if ((!often || r % 2) && at && at < len)
			input_cut(&in->frame[i], at);
	}
}

static void test_random(void)
{
	struct input in = { .n = 0 };
	unsigned bad = 0, frames = 0, merged = 0;

	random_begin(60);
	for (unsigned i = 0; i < ROUNDS; i++) {
		make_batch(&in);
		cut_some(&in);
		bad += !is_faithful(&in);
		frames += in.n;
		merged += in.n - gro.n;
		input_free(&in);
	}
	ok_eq_int(bad, 0, "random batches come out as they went in");
	ok(merged > frames / 3, "%u frames, %u merged into others", frames, merged);
}

/* Bytes changed anywhere, frames cut off, lengths made to agree or not. */
static void damage(struct frame *f)
{
	uint8_t *data = packet_copy(f->data, f->len);
	uint32_t how = rnd32(), len = f->len;

	for (uint32_t n = how % 3; n; n--)
		data[rnd(how & 8 ? len : 60) % len] ^= (uint8_t)rnd32();
	if (how & 16)
		len = rnd(len + 1);
	free((void *)(uintptr_t)f->data);
	f->data = packet_copy(data, len);
	f->len = len;
	free(data);
}

static void test_fuzz(void)
{
	struct input in = { .n = 0 };
	unsigned bad = 0, frames = 0;

	random_begin(61);
	for (unsigned i = 0; i < FUZZ_ROUNDS; i++) {
		make_batch(&in);
		for (unsigned k = 0; k < in.n; k++) {
			if (rnd(3) == 0)
				damage(&in.frame[k]);
			in.flow[k] = k;
			in.is_wall[k] = false;
		}
		cut_some(&in);
		bad += !is_faithful(&in);
		frames += in.n;
		input_free(&in);
	}
	ok_eq_int(bad, 0, "%u damaged frames come out as they went in", frames);
}

/* 64 flows, two frames each over two batches' worth; all ports, so that slots clash. */
static void test_many_flows(void)
{
	unsigned bad = 0;

	for (unsigned start = 0; start < 2000; start++) {
		struct input in = { .n = 0 };

		for (unsigned i = 0; i < BATCH_MAX; i++) {
			struct packet p = nth(start % 4, i / 32);

			p.payload = 1;
			p.seq = base.seq + i / 32;
			p.sport = (uint16_t)(start * 32 + i % 32);
			input_build(&in, &p);
			in.flow[i] = i % 32;
		}
		bad += !is_faithful(&in) || gro.n != 32;
		input_free(&in);
	}
	ok_eq_int(bad, 0, "32 flows find their second frame");
}

/* What keeps frames from merging although it is the same in both. */
static void test_same(void)
{
	static const struct difference same[] = {
		{ "reserved bit", IP, 6, 2, 0xc000, "t4 u4", true },
		{ "more fragments", IP, 6, 2, 0x2000, "t4 u4", true },
		{ "fragment", IP, 6, 2, 8, "t4 u4", true },
		{ "IPv4 checksum", IP, 10, 2, 0x1234, "t4 u4", false },
		{ "reserved TCP bit", L4, 12, 1, 0x81, "t4 t6", true },
		{ "FIN", L4, 13, 1, 0x11, "t4 t6", true },
		{ "SYN", L4, 13, 1, 0x12, "t4 t6", true },
		{ "RST", L4, 13, 1, 0x14, "t4 t6", true },
		{ "URG", L4, 13, 1, 0x30, "t4 t6", true },
		{ "ECE", L4, 13, 1, 0x50, "t4 t6", true },
		{ "CWR", L4, 13, 1, 0x90, "t4 t6", true },
		{ "no ACK", L4, 13, 1, 0, "t4 t6", true },
		{ "UDP length", L4, 4, 2, 107, "u4 u6", false },
		{ "no UDP checksum", L4, 6, 2, 0, "u4 u6", false },
	};
	static uint8_t frame[PACKET_MAX];

	for (unsigned n = 0; n < ARRAY_SIZE(same) * 4; n++) {
		const struct difference *d = &same[n / 4];
		struct input in = { .n = 0 };

		if (!strstr(d->on, kinds[n % 4]))
			continue;
		for (unsigned i = 0; i < 2; i++) {
			struct packet p = nth(n % 4, i);
			uint32_t len = packet_build(frame, &p);

			differ(frame, len, d);
			input_add(&in, frame, len);
		}
		ok(is_faithful(&in) && gro.n == 2, "%s: not merged, both: %s",
		   kinds[n % 4], d->name);
		input_free(&in);
	}
}

/* All checksums are good, of the whole frame; but IP ends before it. */
static void test_trailer(unsigned kind)
{
	static uint8_t frame[PACKET_MAX];
	struct input in = { .n = 0 };

	for (unsigned i = 0; i < 2; i++) {
		struct packet p = nth(kind, i);
		uint32_t len = packet_build(frame, &p);
		uint8_t *ip = frame + packet_find(frame).l3;

		if (p.v6) {
			packet_p16(ip + 4, packet_g16(ip + 4) - 2);
		} else {
			packet_p16(ip + 2, packet_g16(ip + 2) - 2);
			packet_p16(ip + 10, 0);
			packet_p16(ip + 10, 0xffff - packet_sum(0, ip, 20));
		}
		input_add(&in, frame, len);
	}
	ok(is_faithful(&in) && gro.n == 2, "%s: not merged: IP ends before the frame",
	   kinds[kind]);
	input_free(&in);
}

/* Cut off anywhere, with an IP length that agrees. */
static void test_truncated(unsigned kind)
{
	static uint8_t frame[PACKET_MAX];
	struct packet p = nth(kind, 0);
	uint32_t whole = packet_build(frame, &p);
	struct packet_at at = packet_find(frame);
	unsigned bad = 0;

	for (uint32_t len = FRAME_HEADER; len < whole; len++) {
		struct input in = { .n = 0 };

		if (len >= at.l3 + 40)
			packet_p16(frame + at.l3 + (p.v6 ? 4 : 2),
				   len - at.l3 - (p.v6 ? 40 : 0));
		else if (len >= at.l3 + 20 && !p.v6)
			packet_p16(frame + at.l3 + 2, len - at.l3);
		input_add(&in, frame, len);
		input_add(&in, frame, len);
		bad += !is_faithful(&in) || gro.n != 2;
		input_free(&in);
	}
	ok_eq_int(bad, 0, "%s: cut off anywhere", kinds[kind]);
}

/* Cut in two anywhere; a segment that was split off has all of its headers in one piece. */
static void test_pieces(unsigned kind)
{
	static uint8_t frame[PACKET_MAX];
	struct packet p = nth(kind, 0);
	uint32_t len = packet_build(frame, &p), head = packet_find(frame).payload;
	unsigned bad = 0;

	for (uint32_t at = 1; at < len && at <= FRAME_PEEK; at++) {
		struct input in = { .n = 0 };

		for (unsigned i = 0; i < 3; i++) {
			p = nth(kind, i);
			input_build(&in, &p);
			if (i != at % 3)
				input_cut(&in.frame[i], at);
		}
		bad += !is_faithful(&in) || (at == head && gro.n != 1);
		input_free(&in);
	}
	ok_eq_int(bad, 0, "%s: in two pieces, cut anywhere", kinds[kind]);
}

/* Where the tap takes no UDP super-frames, segments of one go to it as they are. */
static void test_pieces_alone(unsigned kind)
{
	struct input in = { .n = 0 };

	for (unsigned i = 0; i < 3; i++) {
		struct packet p = nth(kind, i);

		input_build(&in, &p);
		input_cut(&in.frame[i], packet_find(in.frame[i].data).payload);
	}
	gro.udp = false;
	ok(is_faithful(&in) && gro.n == 3, "%s: in two pieces, not merged", kinds[kind]);
	gro.udp = true;
	input_free(&in);
}

static void test_tags(void)
{
	for (unsigned tags = 0; tags < 4; tags++) {
		struct input in = { .n = 0 };

		for (unsigned i = 0; i < 2; i++) {
			struct packet p = nth(0, i);

			p.tags = tags;
			input_build(&in, &p);
		}
		ok(is_faithful(&in) && gro.n == (tags < 3 ? 1 : 2), "%u tags: %s", tags,
		   tags < 3 ? "merged" : "not merged");
		input_free(&in);
	}
}

int main(void)
{
	gro.udp = true;
	gro_merge(&gro, NULL, 0);
	ok_eq_int(gro.n, 0, "an empty batch");
	test_differences();
	test_runs();
	for (unsigned kind = 0; kind < 4; kind++) {
		test_header(kind);
		test_trailer(kind);
		test_truncated(kind);
		test_pieces(kind);
	}
	test_pieces_alone(1);
	test_pieces_alone(3);
	for (size_t i = 0; i < ARRAY_SIZE(betweens); i++)
		test_between(&betweens[i]);
	for (unsigned which = 0; which < 4; which++)
		test_damaged(which);
	test_spellings();
	test_same();
	test_tags();
	test_many_flows();
	test_random();
	test_fuzz();
	return done();
}
