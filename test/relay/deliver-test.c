/* SPDX-License-Identifier: MIT */
/*
 * deliver.c, with ports whose drivers are made here: they keep a copy of every
 * frame, take no more than they are told to, or break. What super-frames should
 * become is what packet.h makes of them, which knows nothing of gso.c.
 *
 *   src --- forward_batch() --+-- taps and trunks: take super-frames, or not UDP's
 *                             +-- plain ports
 */
#include "relay/forward.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/fake-port.h"
#include "lib/packet.h"
#include "lib/pieces.h"
#include "lib/ports.h"
#include "lib/random.h"
#include "lib/quiet.h"
#include "lib/tap.h"

#define PORTS 6
#define SEEN_MAX 12000

enum { SRC, TAP, OLD_TAP, PLAIN, PLAIN2, STREAM };

/* A copy of a frame sent, its pieces put together. */
struct seen {
	uint8_t *data;
	uint32_t len;
	bool is_super;
	struct vnet vnet;
};

struct fake {
	struct fake_port fake;
	struct seen seen[SEEN_MAX];
	unsigned n;
};

static struct loop loop;
static struct port_env env;
static struct fake *fakes[PORTS];
static struct forwarding fwd;
static struct batch batch;
static struct frame frames[BATCH_MAX];
static uint8_t *memory[BATCH_MAX];
static struct vnet vnets[BATCH_MAX];

/* ---- ports ---- */

static void see(struct fake *f, const struct frame *frame)
{
	struct seen *s = &f->seen[f->n++ % SEEN_MAX];

	s->len = frame->len;
	s->data = malloc(s->len);
	pieces_join(s->data, frame);
	s->is_super = frame->vnet;
	if (frame->vnet)
		s->vnet = *frame->vnet;
}

static void fake_sent(struct fake_port *p, const struct frame *frame)
{
	see(container_of(p, struct fake, fake), frame);
}

static void fake_gone(struct fake_port *p)
{
	struct fake *f = container_of(p, struct fake, fake);

	for (unsigned i = 0; i < f->n; i++)
		free(f->seen[i].data);
}

static const struct port_ops dgram_ops = { .kind = "dgram", FAKE_OPS };
static const struct port_ops stream_ops = { .kind = "stream",
					    .is_stream = true,
					    FAKE_OPS };

static struct fake *add(unsigned i)
{
	struct fake *f = fake_new(sizeof(*f), i == STREAM ? &stream_ops : &dgram_ops,
				  &env, "fake");

	f->fake.sent = fake_sent;
	f->fake.gone = fake_gone;
	f->fake.port.takes_super = i == TAP || i == OLD_TAP;
	f->fake.port.takes_uso = i == TAP;
	port_start(&f->fake.port);
	members_join(&fwd.members, &f->fake.member);
	return fakes[i] = f;
}

/* @which: bits 1 << TAP and so on; the source is always there. */
static void begin(unsigned which)
{
	memset(&batch, 0, sizeof(batch));
	fwd = (struct forwarding){ .segments = calloc(BATCH_MAX, sizeof(*fwd.segments)) };
	memset(fakes, 0, sizeof(fakes));
	for (unsigned i = 0; i < PORTS; i++)
		if (i == SRC || which & 1u << i)
			add(i);
}

static void free_frames(void)
{
	for (unsigned i = 0; i < batch.n; i++)
		free(memory[i]);
	batch.n = 0;
}

static void end(void)
{
	free_frames();
	for (unsigned i = 0; i < PORTS; i++)
		if (fakes[i])
			port_free(&fakes[i]->fake.port);
	free(fwd.segments);
}

/* Every frame that came in must be found again. */
static bool adds_up(void)
{
	int64_t sum = (int64_t)fwd.copied;

	for (const struct member *m = fwd.members.first; m; m = m->next)
		sum += ports_balance(m->port);
	if (sum)
		printf("# in and copied, less what is found: %jd\n", (intmax_t)sum);
	return !sum;
}

/* ---- frames ---- */

/* Into the batch: laid out for a stream, in memory of just that size. */
static struct frame *give(const uint8_t *data, uint32_t len, const struct vnet *vnet)
{
	unsigned i = batch.n;
	uint32_t head = LAYOUT_PREFIX_MAX;
	struct frame *f = &batch.frame[i];

	memory[i] = malloc(head + len);
	memcpy(memory[i] + head, data, len);
	*f = (struct frame){ .len = len };
	if (vnet) {
		memcpy(memory[i] + LAYOUT_PREFIX, vnet, VNET_BYTES);
		f->vnet = (const struct vnet *)(memory[i] + LAYOUT_PREFIX);
		vnets[i] = *vnet;
	}
	layout_put(f, memory[i] + head);
	fakes[SRC]->fake.port.count.rx_frames++;
	batch.n++;
	frames[i] = *f;
	return f;
}

static void forward(void)
{
	forward_batch(&fwd, &fakes[SRC]->fake.member, &batch);
	deliver_flush(&fwd);
}

static struct packet some_tcp(bool v6, uint32_t payload)
{
	return (struct packet){ .v6 = v6,
				.from = 1,
				.to = 2,
				.sport = 5000,
				.dport = 80,
				.ttl = 64,
				.flags = 0x18,
				.id = 1000,
				.window = 500,
				.seq = 0xfffff000,
				.ack = 7,
				.tcp_options = 12,
				.payload = payload,
				.fill = (uint8_t)payload };
}

static struct packet some_udp(uint32_t payload)
{
	return (struct packet){ .udp = true,
				.from = 1,
				.to = 2,
				.sport = 5000,
				.dport = 53,
				.ttl = 64,
				.id = 1000,
				.payload = payload };
}

/* A super-frame into the batch; its own bytes are at @data. Return: its length. */
static uint32_t give_super(uint8_t *data, const struct packet *p, uint16_t gso_size)
{
	uint32_t len = packet_build(data, p);
	struct vnet vnet = packet_make_super(data, len, gso_size);

	give(data, len, &vnet);
	return len;
}

/* Whether a port saw, from its frame @from on, just the segments of a super-frame. */
static bool saw_segments(const struct fake *f, unsigned from, const uint8_t *data,
			 uint32_t len, uint32_t size, unsigned n)
{
	static uint8_t want[PACKET_MAX];

	for (unsigned i = 0; i < n; i++) {
		const struct seen *s = &f->seen[from + i];
		uint32_t want_len = packet_segment(want, data, len, size, i);

		if (from + i >= f->n || s->is_super || s->len != want_len ||
		    memcmp(s->data, want, want_len) != 0) {
			printf("# segment %u is another\n", i);
			return false;
		}
	}
	return packet_segment(want, data, len, size, n) == 0;
}

/* Whether frame @i a port saw is frame @k of the batch, as it came. */
static bool saw_whole(const struct fake *f, unsigned i, unsigned k)
{
	const struct seen *s = &f->seen[i];

	return i < f->n && s->len == frames[k].len &&
	       s->is_super == (frames[k].vnet != NULL) &&
	       memcmp(s->data, frames[k].data, s->len) == 0 &&
	       (!s->is_super || memcmp(&s->vnet, &vnets[k], VNET_BYTES) == 0);
}

/* ---- tests ---- */

static void test_plain(void)
{
	uint8_t data[100] = { 1, 2, 3 };

	begin(1u << TAP | 1u << PLAIN | 1u << STREAM);
	for (int i = 0; i < BATCH_MAX; i++)
		give(data, (uint32_t)(14 + i), NULL);
	forward();
	for (unsigned i = 0; i < BATCH_MAX; i++)
		if (!saw_whole(fakes[TAP], i, i) || !saw_whole(fakes[PLAIN], i, i))
			ok(false, "frame %u is as it was", i);
	ok(fakes[TAP]->n == BATCH_MAX && fakes[PLAIN]->n == BATCH_MAX &&
		   fakes[STREAM]->n == BATCH_MAX && !fakes[SRC]->n,
	   "plain frames go to all but where they came from");
	ok(fwd.copied == 2 * BATCH_MAX && adds_up(), "two copies of each are counted");
	end();
}

/* One super-frame among plain ones, to all kinds of ports at once. */
static void test_mixed(const char *what, const struct packet *p, uint16_t size)
{
	static uint8_t data[PACKET_MAX];
	uint8_t plain[60] = { 9 };
	bool is_udp = p->udp;
	unsigned n = (p->payload + size - 1) / size;
	uint32_t len;

	begin(1u << TAP | 1u << OLD_TAP | 1u << PLAIN | 1u << PLAIN2 | 1u << STREAM);
	give(plain, 60, NULL);
	len = give_super(data, p, size);
	give(plain, 60, NULL);
	forward();
	ok(fakes[TAP]->n == 3 && saw_whole(fakes[TAP], 1, 1),
	   "%s: whole to who takes it whole", what);
	if (is_udp)
		ok(saw_segments(fakes[OLD_TAP], 1, data, len, size, n) &&
			   fakes[OLD_TAP]->n == n + 2,
		   "%s: in segments to who takes only those of TCP", what);
	else
		ok(fakes[OLD_TAP]->n == 3 && saw_whole(fakes[OLD_TAP], 1, 1),
		   "%s: also to who takes none of UDP", what);
	for (unsigned i = PLAIN; i <= STREAM; i++)
		ok(saw_segments(fakes[i], 1, data, len, size, n) &&
			   fakes[i]->n == n + 2 && saw_whole(fakes[i], 0, 0) &&
			   saw_whole(fakes[i], n + 1, 2),
		   "%s: %u segments, in their place, to plain port %u", what, n, i);
	ok_eq_int(fwd.copied, 3 * 5 - 3 + (n - 1) * (is_udp ? 4 : 3),
		  "%s: what was made of it is counted", what);
	ok(adds_up(), "%s: all adds up", what);
	end();
}

/* More segments than there is room for headers: flushed in between, and still good. */
static void test_many(void)
{
	static uint8_t data[8][PACKET_MAX];
	uint32_t lens[8];
	struct packet p = some_tcp(false, 64000);
	bool good = true;
	unsigned at = 0;

	begin(1u << TAP | 1u << PLAIN | 1u << PLAIN2);
	for (unsigned i = 0; i < 8; i++) {
		p.payload = 64000 - i;
		p.id = (uint16_t)(p.id + 100);
		lens[i] = give_super(data[i], &p, (uint16_t)(100 + i));
	}
	forward();
	for (unsigned i = 0; i < 8; i++) {
		unsigned n = (64000 - i + 99 + i) / (100 + i);

		good &= saw_segments(fakes[PLAIN], at, data[i], lens[i], 100 + i, n) &&
			saw_segments(fakes[PLAIN2], at, data[i], lens[i], 100 + i, n);
		at += n;
	}
	ok(good && fakes[PLAIN]->n == at && at > 4000,
	   "%u segments of one batch are all good", at);
	ok(fakes[TAP]->n == 8 && adds_up(), "and all adds up");
	end();
}

/* A port that takes few now: what was split waits in its queue, whole. */
static void test_slow(void)
{
	static uint8_t data[PACKET_MAX];
	struct packet p = some_tcp(true, 60000);
	struct frame f[BATCH_MAX];
	uint32_t len;
	unsigned n = 0;

	begin(1u << PLAIN | 1u << PLAIN2);
	fakes[PLAIN]->fake.peer->budget = 7;
	len = give_super(data, &p, 1200);
	forward();
	free_frames();
	memset(fwd.segments, 0xee, BATCH_MAX * sizeof(*fwd.segments));
	ok(fakes[PLAIN]->n == 7 && fakes[PLAIN]->fake.port.queue.frames == 43,
	   "a port that takes 7 of 50 segments has the rest queued");
	ok(adds_up(), "which adds up");
	n = frame_queue_peek(&fakes[PLAIN]->fake.port.queue, f, BATCH_MAX, false);
	for (unsigned i = 0; i < n; i++)
		see(fakes[PLAIN], &f[i]);
	ok(saw_segments(fakes[PLAIN], 0, data, len, 1200, 50) &&
		   saw_segments(fakes[PLAIN2], 0, data, len, 1200, 50),
	   "in order, headers and all");
	end();
}

/* Frames that lack only their checksum: completed once, and then plain for all. */
static void test_complete(unsigned which, bool is_wanted_plain)
{
	static uint8_t data[PACKET_MAX], want[PACKET_MAX];
	struct packet p = some_udp(300);
	uint32_t len = packet_build(want, &p);
	struct vnet vnet;
	bool good = true;

	begin(which);
	memcpy(data, want, len);
	vnet = packet_make_super(data, len, 0);
	vnet.gso_type = VNET_GSO_NONE;
	give(data, len, &vnet);
	forward();
	for (unsigned i = TAP; i < PORTS; i++) {
		if (!fakes[i])
			continue;
		good &= fakes[i]->n == 1 &&
			fakes[i]->seen[0].is_super == !is_wanted_plain;
		good &= fakes[i]->seen[0].len == len &&
			!memcmp(fakes[i]->seen[0].data, is_wanted_plain ? want : data,
				len);
	}
	ok(good, "without its checksum, %s",
	   is_wanted_plain ? "a frame is completed for all"
			   : "and with nobody who wants it, a frame stays as it is");
	ok(pieces_are(&batch.frame[0], data, len), "and what came is not written to");
	ok(adds_up(), "all adds up");
	end();
}

/* What is not what its header says goes nowhere, if it would have to be split. */
static void test_malformed(void)
{
	static uint8_t data[PACKET_MAX];
	struct packet p = some_tcp(false, 5000);
	uint32_t len = packet_build(data, &p);
	struct vnet good = packet_make_super(data, len, 1000), bad[8];
	struct port_counters *c;

	for (int i = 0; i < 8; i++)
		bad[i] = good;
	bad[0].flags = 0;
	bad[1].gso_type = VNET_GSO_TCPV6;
	bad[2].gso_type = VNET_GSO_TCPV4 | VNET_GSO_ECN;
	bad[3].gso_size = 0;
	bad[4].gso_size = 1;
	bad[5].csum_start = 65535;
	bad[6].csum_offset = 6;
	/* To be completed, but outside of it. */
	bad[7].gso_type = VNET_GSO_NONE;
	bad[7].csum_start = (uint16_t)(len - 17);
	begin(1u << TAP | 1u << PLAIN | 1u << STREAM);
	c = &fakes[SRC]->fake.port.count;
	for (int i = 0; i < 8; i++)
		give(data, len, &bad[i]);
	give(data, len, &good);
	forward();
	ok_eq_int(c->dropped[DROP_MALFORMED], 8, "malformed ones are counted as that");
	ok(fakes[TAP]->n == 1 && fakes[PLAIN]->n == 5 && fakes[STREAM]->n == 5,
	   "and go to nobody; the good one behind them does");
	ok(adds_up(), "all adds up");
	end();
}

/* Ports that break under way, in a flush that makes room for more segments. */
static void test_breaks(unsigned which, unsigned bad, uint32_t at)
{
	static uint8_t data[PACKET_MAX];
	struct packet p = some_tcp(false, 60000);
	uint8_t plain[60] = { 9 };
	uint64_t lost;

	begin(which);
	fakes[bad]->fake.peer->breaks_at = at;
	give(plain, 60, NULL);
	give_super(data, &p, 300);
	give_super(data, &p, 300);
	give(plain, 60, NULL);
	forward();
	lost = fakes[bad]->fake.port.count.dropped[DROP_LOST] +
	       fakes[bad]->fake.port.queue.frames;
	ok(adds_up(), "port %u of %#x breaks at %u: all adds up", bad, which, at);
	for (unsigned i = TAP; i < PORTS; i++)
		if (fakes[i] && i != bad)
			ok_eq_int(fakes[i]->n, fakes[i]->fake.port.takes_super ? 4 : 402,
				  "and port %u is none the worse", i);
	ok(fakes[bad]->n == at && lost, "what it did not take is lost, or waits");
	end();
}

static void test_alone(void)
{
	static uint8_t data[PACKET_MAX];
	struct packet p = some_tcp(false, 60000);

	begin(0);
	give_super(data, &p, 1000);
	give(data, 60, NULL);
	forward();
	ok_eq_int(fakes[SRC]->fake.port.count.dropped[DROP_NO_PORT], 2,
		  "with nobody there, super-frames are dropped for that");
	ok(adds_up(), "all adds up");
	end();
}

/* Random batches over random ports, some broken, some slow, with headers of noise. */
static void test_random(uint64_t seed)
{
	static uint8_t data[PACKET_MAX];
	bool good = true;

	random_begin(seed);
	for (int round = 0; round < 120 && good; round++) {
		begin(rnd32() & ~1u);
		for (unsigned i = TAP; i < PORTS; i++) {
			if (!fakes[i])
				continue;
			if (rnd(4) == 0)
				fakes[i]->fake.peer->budget = rnd(200);
			if (rnd(4) == 0)
				fakes[i]->fake.peer->breaks_at = rnd(200);
		}
		for (unsigned k = rnd(12); k; k--) {
			uint32_t r = rnd32(), len;
			struct packet p = r & 1 ? some_tcp(r & 2, r % 9000)
						: some_udp(r % 9000);
			struct vnet vnet;
			uint8_t *raw = (uint8_t *)&vnet;

			len = packet_build(data, &p);
			vnet = packet_make_super(data, len, (uint16_t)(r >> 8 & 0x3ff));
			if (r % 5 == 0)
				raw[r >> 4 & 7] = (uint8_t)(r >> 16);
			if (r % 7 == 0)
				data[r >> 5 & 63] = (uint8_t)(r >> 11);
			give(data, len, r % 3 ? &vnet : NULL);
		}
		forward();
		good = adds_up();
		end();
	}
	ok(good, "seed %d: random batches add up", (int)seed);
}

int main(void)
{
	struct packet tcp4 = some_tcp(false, 20000), tcp6 = some_tcp(true, 20001),
		      udp = some_udp(20000);

	quiet();
	env = (struct port_env){ .loop = &loop, .host = &fake_host };
	if (loop_init(&loop) < 0)
		return 1;
	test_plain();
	test_mixed("TCP over IPv4", &tcp4, 1000);
	test_mixed("TCP over IPv6", &tcp6, 1448);
	test_mixed("UDP", &udp, 1400);
	tcp4.tags = 2;
	test_mixed("TCP behind two tags", &tcp4, 536);
	test_many();
	test_slow();
	test_complete(1u << TAP | 1u << PLAIN | 1u << PLAIN2, true);
	test_complete(1u << STREAM, true);
	test_complete(1u << TAP | 1u << OLD_TAP, false);
	test_malformed();
	for (uint32_t at = 0; at <= 300; at += 50) {
		test_breaks(1u << TAP | 1u << PLAIN | 1u << PLAIN2, PLAIN, at);
		test_breaks(1u << PLAIN, PLAIN, at);
		test_breaks(1u << TAP | 1u << STREAM | 1u << PLAIN, STREAM, at);
	}
	test_alone();
	for (uint64_t seed = 1; seed <= 5; seed++)
		test_random(seed);
	loop_free(&loop);
	return done();
}
