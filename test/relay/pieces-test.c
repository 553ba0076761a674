/* SPDX-License-Identifier: MIT */
/*
 * Frames of several pieces, through all that reads, splits, sends or keeps them. Each
 * batch is sent twice through a switch made anew: once with every frame in one piece,
 * and once cut into pieces at random places, mostly inside its headers; or in runs, as
 * frames lie on a stream or in datagrams, with gaps. What comes out must be the same: of
 * a stream, of a UDP socket, of two taps, of a capture, of a trace, and all that is
 * counted.
 *
 *	a --+          +-- stream, whose queue is in use
 *	    +- switch -+-- datagrams
 *	b --+          +-- tap with virtio headers, where frames are merged; and one without
 *
 * The memory of the frames can't be written while they are on their way, and can't be
 * read any more once they have been sent: frame.h, F1 and F3.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "capture/capture-queue.h"
#include "frame/headers.h"
#include "lib/bytes.h"
#include "lib/clock.h"
#include "lib/driver-ops.h"
#include "lib/fake-port.h"
#include "lib/packet.h"
#include "lib/pieces.h"
#include "lib/quiet.h"
#include "lib/random.h"
#include "lib/sockets.h"
#include "lib/tap.h"
#include "lib/turn.h"
#include "port/driver.h"
#include "port/tap-io.h"
#include "relay/forward.h"
#include "relay/switching.h"
#include "show/trace.h"

#define ROUNDS 200
#define BATCHES_MAX 12
#define FRAMES_MAX 8
#define LONGEST 9000
#define ARENA ((size_t)1 << 20)
#define MACS 4
#define PATIENCE 100000	  /* turns, until what is queued has gone */
#define PATIENCE_MS 20000 /* for a datagram */

enum { A, B, STREAM, DGRAM, TAP, OLD_TAP, PORTS };

/* @vnet: with a gso_type, a flag, or neither */
struct given {
	uint8_t bytes[LONGEST + 300];
	uint32_t len;
	struct vnet vnet;
};

static struct {
	unsigned n, from;
	struct given frame[FRAMES_MAX];
} batches[BATCHES_MAX];
static unsigned n_batches;

/*
 * @lies: how frames lie: each for itself; one behind the other on a stream; or one behind
 *        the other with @gap bytes between them
 * @n: pieces of each frame; 1 to 5
 * @has_guard: loops are looked for
 * @is_trunk: the stream takes super-frames
 * @is_foreign: what is behind the head is a guest's
 * @changes: and the guest writes to it, when a frame is on its way out
 */
struct how {
	enum { ALONE, ON_STREAM, IN_A_ROW } lies;
	uint8_t gap;
	unsigned n;
	bool has_guard, is_trunk, is_foreign, changes;
};

/* What came out. */
struct result {
	struct bytes out[PORTS], capture[PORTS], trace[PORTS];
	struct port_counters count[PORTS];
	uint64_t copied;
	unsigned n_fdb, runs, wrong;
};

static struct {
	struct loop loop;
	struct port_env env;
	struct forwarding fwd;
	struct switching sw;
	struct fake_port fake[2];
	struct stream *stream;
	int stream_fd;
	struct dgram *dgram;
	struct tap_dev link[2];
	struct endpoint ep;
	struct port *port[PORTS];
	struct member member[PORTS];
	int peer[PORTS];
	struct observer observer;
	struct capture_queue capture[PORTS];
	struct how how;
	struct result *result;
	uint8_t *arena;
	size_t used;
	uint64_t datagrams; /* that have arrived */
	struct iovec foreign[FRAMES_MAX * 5];
	unsigned n_foreign;
} rig;

/* ---- the ports ---- */

static int stream_rig_open(struct port *p)
{
	return stream_use(stream_of(p), rig.stream_fd, rig.stream_fd, TRUNK_NONE);
}

static int dgram_rig_open(struct port *p)
{
	return dgram_begin(dgram_of(p));
}

static const struct port_ops stream_ops = {
	.kind = "stream", .one_shot = true, .open = stream_rig_open, STREAM_OPS
};
static const struct port_ops dgram_ops = {
	.kind = "dgram", .one_shot = true, .open = dgram_rig_open, DGRAM_OPS
};

static void make_stream(void)
{
	int fds[2];

	sockets_pair(SOCK_STREAM, fds);
	/* So little that most of it is queued first. */
	setsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &(int){ 4096 }, sizeof(int));
	rig.stream = calloc(1, sizeof(*rig.stream));
	if (!rig.stream || stream_init(rig.stream, &stream_ops, &rig.env, "stream") < 0)
		abort();
	rig.stream_fd = fds[0];
	rig.port[STREAM] = &rig.stream->port;
	rig.peer[STREAM] = fds[1];
}

static void make_dgram(void)
{
	struct sockaddr_in ours, theirs;
	int fd = socket_bound(SOCK_DGRAM | SOCK_NONBLOCK, &ours), size = 4 << 20;

	rig.peer[DGRAM] = socket_bound(SOCK_DGRAM | SOCK_NONBLOCK, &theirs);
	setsockopt(rig.peer[DGRAM], SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	socket_join(fd, &theirs);
	rig.dgram = calloc(1, sizeof(*rig.dgram));
	if (!rig.dgram || port_init(&rig.dgram->port, &dgram_ops, &rig.env, "dgram") < 0)
		abort();
	rig.dgram->rfd = rig.dgram->wfd = fd;
	dgram_use_udp(rig.dgram);
	rig.port[DGRAM] = &rig.dgram->port;
}

static void make_tap(unsigned i, bool has_vnet)
{
	struct tap_dev *link = &rig.link[has_vnet];
	int fds[2];

	sockets_pair(SOCK_SEQPACKET, fds);
	*link = (struct tap_dev){
		.name = "t", .fd = fds[0], .mtu = LONGEST, .has_vnet = has_vnet
	};
	link->has_uso = has_vnet;
	rig.port[i] = port_tap_from_fd(link, &rig.ep, &rig.env, O_RDWR);
	rig.peer[i] = fds[1];
}

static void on_changed(struct port *p, void *arg)
{
	(void)arg;
	switching_changed(&rig.sw, member_of(p));
}

static void on_told(struct switching *sw, const struct news *news)
{
	(void)sw;
	(void)news;
}

/* The guest changes all that is not ours, just now. */
static void change_foreign(void)
{
	for (unsigned i = 0; i < rig.n_foreign; i++)
		for (size_t k = 0; k < rig.foreign[i].iov_len; k++)
			((uint8_t *)rig.foreign[i].iov_base)[k] ^= 0xff;
}

static void see_one(const struct member *m, enum direction direction,
		    const struct frame *f)
{
	struct capture_queue *q = &rig.capture[m->id - 1];
	char line[TRACE_LINE_MAX];

	trace_format(line, sizeof(line), 0, m, direction, f);
	bytes_append(&rig.result->trace[m->id - 1], line, strlen(line) + 1);
	capture_queue_frame(q, capture_queue_port(q, m, clock_us), direction == FRAME_OUT,
			    clock_us, f);
}

static void see(struct observer *o, const struct member *m, enum direction direction,
		const struct frame *f)
{
	struct frame run = *f;

	(void)o;
	rig.result->runs += f->n_more > 0;
	for (; run.n_more; run = run_next(&run))
		see_one(m, direction, &run);
	see_one(m, direction, &run);
	if (rig.how.changes && direction == FRAME_OUT)
		change_foreign();
}

static void rig_begin(struct result *r, const struct how *how)
{
	static const struct port_host host = { fake_heard_nothing, fake_heard_nothing,
					       on_changed };
	static const struct switching_limits limits = { .fdb_size = 64,
							.storm_limit = 25 };

	clock_us = 1000000000;
	rig.result = r;
	rig.how = *how;
	rig.datagrams = 0;
	rig.env = (struct port_env){ .loop = &rig.loop, .host = &host };
	rig.fwd = (struct forwarding){ .segments = calloc(BATCH_MAX,
							  sizeof(*rig.fwd.segments)) };
	switching_init(&rig.sw, &rig.loop, &rig.fwd);
	rig.sw.notify = on_told;
	if (switching_start(&rig.sw, &limits) < 0)
		abort();
	/* Its probes are to be the same each time. Where they are sent depends on runs. */
	if (!rig.how.has_guard)
		rig.fwd.guard = NULL;
	rig.sw.guard.id = 7;
	rig.sw.guard.key[0] = rig.sw.guard.key[1] = 1;
	memset(rig.fake, 0, sizeof(rig.fake));
	for (unsigned i = A; i <= B; i++) {
		fake_init(&rig.fake[i], &fake_plain, &rig.env, "fake");
		rig.port[i] = &rig.fake[i].port;
		rig.peer[i] = -1;
	}
	make_stream();
	make_dgram();
	make_tap(TAP, true);
	make_tap(OLD_TAP, false);
	for (unsigned i = 0; i < PORTS; i++) {
		if (capture_queue_init(&rig.capture[i], LONGEST) < 0)
			abort();
		rig.member[i] = (struct member){ .port = rig.port[i] };
		rig.port[i]->owner = &rig.member[i];
		members_join(&rig.fwd.members, &rig.member[i]);
		port_start(rig.port[i]);
	}
	rig.port[STREAM]->takes_super = rig.port[STREAM]->takes_uso = how->is_trunk;
	rig.observer.seen = see;
	observer_add(&rig.fwd, &rig.observer);
}

static void take_output(void)
{
	static uint8_t data[2 * FRAME_MAX];
	ssize_t n;

	for (unsigned i = STREAM; i < PORTS; i++) {
		while ((n = read(rig.peer[i], data, sizeof(data))) > 0) {
			if (i != STREAM)
				bytes_append_word(&rig.result->out[i], (uint32_t)n);
			bytes_append(&rig.result->out[i], data, (size_t)n);
			rig.datagrams += i == DGRAM;
		}
	}
}

static bool has_queued(void)
{
	for (unsigned i = 0; i < PORTS; i++)
		if (rig.port[i]->queue.frames)
			return true;
	return false;
}

static void take_capture(unsigned i)
{
	struct byte_ring *ring = &rig.capture[i].ring;
	struct iovec iov[2];

	byte_ring_peek(ring, iov);
	for (unsigned k = 0; k < 2; k++)
		bytes_append(&rig.result->capture[i], iov[k].iov_base, iov[k].iov_len);
	byte_ring_drop(ring, ring->bytes);
}

static void rig_drain(void)
{
	struct pollfd pfd = { .fd = rig.peer[DGRAM], .events = POLLIN };

	take_output();
	for (unsigned i = 0; has_queued() && i < PATIENCE; i++) {
		turn(&rig.loop);
		take_output();
	}
	/* A loopback that is busy delivers later. */
	while (rig.datagrams < rig.port[DGRAM]->count.tx_frames &&
	       poll(&pfd, 1, PATIENCE_MS) > 0)
		take_output();
	for (unsigned i = 0; i < PORTS; i++)
		take_capture(i);
}

static void rig_end(void)
{
	struct result *r = rig.result;

	r->copied = rig.fwd.copied;
	r->n_fdb = rig.sw.fdb.n;
	r->wrong += has_queued();
	for (unsigned i = 0; i < PORTS; i++)
		r->count[i] = rig.port[i]->count;
	for (unsigned i = 0; i < PORTS; i++) {
		members_leave(&rig.fwd.members, &rig.member[i]);
		switching_gone(&rig.sw, &rig.member[i]);
		port_free(rig.port[i]);
		if (rig.peer[i] >= 0)
			close(rig.peer[i]);
		capture_queue_free(&rig.capture[i]);
	}
	switching_free(&rig.sw);
	free(rig.fwd.segments);
}

/* ---- the frames ---- */

static void make_mac(uint8_t *mac, unsigned i)
{
	static const uint8_t macs[MACS][6] = {
		{ 0x52, 0x54, 0, 0, 0, 1 },
		{ 0x52, 0x54, 0, 0, 0, 2 },
		{ 0xff, 0xff, 0xff, 0xff, 0xff, 0xff },
		{ 0x52, 0x54, 0, 0, 0, 4 },
	};

	memcpy(mac, macs[i], 6);
}

/* TCP or UDP; @goes_on: what comes next in the same flow. */
static void make_packet(struct given *g, bool goes_on)
{
	static struct packet last;
	struct packet p = {
		.v6 = rnd(2),
		.udp = rnd(2),
		.df = true,
		.tags = rnd(4) ? 0 : rnd(3),
		.from = 1,
		.to = 2,
		.sport = 1000,
		.dport = 2000,
		.ttl = 64,
		.flags = 0x10,
		.tcp_options = rnd(2) ? 12 : 0,
		.payload = rnd(4) ? 700 : 1 + rnd(1400),
		.fill = (uint8_t)rnd(256),
	};
	uint32_t how = goes_on ? 3 : rnd(8);

	if (goes_on) {
		p = last;
		p.seq += p.payload;
		p.id++;
	}
	last = p;
	if (how == 0)
		p.payload = 1 + rnd(LONGEST - 200);
	g->len = packet_build(g->bytes, &p);
	if (how < 2)
		g->vnet =
			packet_make_super(g->bytes, g->len, (uint16_t)(100 + rnd(1400)));
	/* To fill in its checksum; or, of another relay, one that is fine. */
	if (how == 1)
		g->vnet.gso_type = VNET_GSO_NONE;
	if (how == 2)
		g->vnet.flags = VNET_DATA_VALID;
}

/* As guard.h has it, of a relay that is better or worse. */
static void make_probe(struct given *g)
{
	static const uint8_t head[] = {
		0x03, 0x6e, 0x65, 0x74, 0x72, 0x6c, 0x02, 0,   0,   0,	 0, 0,
		0x88, 0xb5, 'n',  'e',	't',  'r',  'e',  'l', 'a', 'y', 0, 1,
	};

	memset(g->bytes, 0, GUARD_PROBE_MAX);
	memcpy(g->bytes, head, sizeof(head));
	g->bytes[24 + 7] = rnd(2) ? 1 : 9;
	put_be32(g->bytes + 36, rnd(3));
	g->len = GUARD_PROBE_BYTES;
	if (rnd(2)) {
		memmove(g->bytes + 16, g->bytes + 12, GUARD_PROBE_BYTES - 12);
		put_be32(g->bytes + 12, 0x81000007);
		g->len = GUARD_PROBE_MAX;
	}
	if (!rnd(4))
		g->len -= 5;
}

static void make_noise(struct given *g)
{
	g->len = FRAME_HEADER + rnd(rnd(2) ? 60 : 600);
	rnd_bytes(g->bytes, g->len);
	if (rnd(2))
		put_be32(g->bytes + 12, 0x81000000 | rnd(3));
}

/* @before: the frame ahead of it; NULL: it is the first */
static void make_frame(struct given *g, const struct given *before, bool is_packet)
{
	bool goes_on = before && rnd(2);
	uint32_t kind = is_packet || goes_on ? 2 : rnd(12), from = rnd(2) * 3;

	memset(&g->vnet, 0, sizeof(g->vnet));
	if (kind == 0) {
		make_probe(g);
		return;
	}
	if (kind == 1)
		make_noise(g);
	else
		make_packet(g, goes_on);
	/* From one of two, to the other, to nobody or to all; never to itself. */
	make_mac(g->bytes + 6, from);
	make_mac(g->bytes, rnd(2) ? 3 - from : 1 + rnd(2));
	if (goes_on)
		memcpy(g->bytes, before->bytes, ETH_TYPE);
	/* Now and then it is not what its virtio header says. */
	if (!is_packet && g->vnet.gso_type && !rnd(8))
		g->bytes[12 + rnd(48)] ^= 0x40;
}

/*
 * Some go round: they come in at one port and at another, so that their addresses seem to
 * move, and copies of them are looked for.
 */
static void make_batches(bool is_packet, bool may_go_round)
{
	bool goes_round = may_go_round && !rnd(4);

	n_batches = goes_round ? BATCHES_MAX : 1 + rnd(3);
	for (unsigned i = 0; i < n_batches; i++) {
		batches[i].from = goes_round ? i % 2 : rnd(2);
		batches[i].n = is_packet ? 1 : 1 + rnd(FRAMES_MAX);
		for (unsigned k = 0; k < batches[i].n; k++) {
			struct given *g = &batches[i].frame[k];

			if (goes_round && i)
				*g = batches[0].frame[k % batches[0].n];
			else
				make_frame(g, k ? g - 1 : NULL, is_packet);
			if (goes_round)
				make_mac(g->bytes, 2);
		}
	}
}

/* ---- the saw ---- */

static uint8_t *reserve(size_t len)
{
	uint8_t *at = rig.arena + rig.used;

	rig.used += len;
	if (rig.used > ARENA)
		abort();
	return at;
}

/* A copy at an address of its own. */
static uint8_t *keep(const void *data, size_t len, size_t align)
{
	uint8_t *at;

	rig.used = (rig.used + align - 1) / align * align;
	at = reserve(len + rnd(3));
	memcpy(at, data, len);
	return at;
}

/* Where to cut, in order, up to @n - 1 times behind @from; some pieces may be empty. */
static unsigned choose(uint32_t *cuts, unsigned n, uint32_t from, uint32_t len)
{
	unsigned found = 0;

	while (found + 1 < n && from < len) {
		uint32_t room = len - from;

		cuts[found++] = from += rnd(rnd(5) && room > 30 ? 30 : room + 1);
	}
	return found;
}

static bool has_vnet(const struct given *g)
{
	return g->vnet.flags || g->vnet.gso_type;
}

static struct frame cut(const struct given *g, const struct how *how)
{
	struct frame f = { .len = g->len, .is_foreign = how->is_foreign };
	uint32_t cuts[5], at = 0;
	struct iovec tail[4];
	unsigned n, n_tail = 0;

	if (has_vnet(g))
		f.vnet = (const struct vnet *)keep(&g->vnet, VNET_BYTES, 1);
	if (how->is_foreign)
		at = frame_peek_len(&f);
	else if (how->n > 1 && rnd(2))
		at = 1 + rnd(g->len < FRAME_PEEK ? g->len : rnd(2) ? 90 : FRAME_PEEK);
	if (at)
		f.head = keep(g->bytes, at, 1);
	f.head_len = (uint16_t)at;
	n = choose(cuts, how->n - (at > 0), at, g->len);
	for (unsigned i = 0; i <= n; i++) {
		uint32_t end = i < n ? cuts[i] : g->len;
		uint8_t *piece = keep(g->bytes + at, end - at, 1);

		if (how->is_foreign)
			rig.foreign[rig.n_foreign++] = (struct iovec){ piece, end - at };
		if (i)
			tail[n_tail++] = (struct iovec){ piece, end - at };
		else
			f.data = piece;
		f.tail_len += i ? end - at : 0;
		at = end;
	}
	/* The last piece may be longer than the frame needs. */
	if (n_tail)
		tail[n_tail - 1].iov_len += rnd(2);
	if (f.tail_len)
		f.tail = (const struct iovec *)keep(tail, n_tail * sizeof(tail[0]),
						    sizeof(void *));
	return f;
}

static void take_alone(struct batch *b, unsigned i)
{
	for (unsigned k = 0; k < batches[i].n; k++) {
		struct frame f = cut(&batches[i].frame[k], &rig.how);

		port_take(rig.port[batches[i].from], b, &f);
	}
}

/*
 * Behind length prefixes and virtio headers, as a trunk has them; or a tap, which leaves
 * room for a virtio header that a plain frame does not need.
 */
static void take_stream(struct batch *b, unsigned i)
{
	for (unsigned k = 0; k < batches[i].n; k++) {
		const struct given *g = &batches[i].frame[k];
		struct frame f = { .len = g->len };
		uint8_t *at;

		f.vnet = has_vnet(g) ? &g->vnet : NULL;
		reserve(f.vnet || rnd(2) ? 0 : VNET_BYTES);
		at = reserve(layout_prefix_len(&f) + g->len);
		if (f.vnet) {
			memcpy(at + LAYOUT_PREFIX, &g->vnet, VNET_BYTES);
			f.vnet = (const struct vnet *)(at + LAYOUT_PREFIX);
		}
		memcpy(at + layout_prefix_len(&f), g->bytes, g->len);
		layout_put(&f, at + layout_prefix_len(&f));
		port_take(rig.port[batches[i].from], b, &f);
	}
}

static bool may_follow(const struct given *g, const struct given *first,
		       const struct given *last)
{
	return !has_vnet(first) && !has_vnet(g) && last->len == first->len &&
	       g->len <= first->len && g->len >= FRAME_PAD;
}

/* Plain frames of one length, and at the end a shorter one, are a run. */
static void take_row(struct batch *b, unsigned i)
{
	const struct given *g = batches[i].frame, *end = g + batches[i].n;

	while (g < end) {
		const struct given *first = g;
		struct frame f = { .len = g->len, .gap = rig.how.gap };

		if (has_vnet(g))
			f.vnet = (const struct vnet *)keep(&g->vnet, VNET_BYTES, 1);
		f.data = memcpy(reserve(g->len), g->bytes, g->len);
		while (++g < end && may_follow(g, first, g - 1)) {
			memset(reserve(f.gap), 0xee, f.gap);
			memcpy(reserve(g->len), g->bytes, g->len);
			f.n_more++;
			f.more_bytes += g->len;
		}
		port_take(rig.port[batches[i].from], b, &f);
	}
}

static void protect(int prot)
{
	if (mprotect(rig.arena, ARENA, prot) < 0)
		abort();
}

static void send_batch(unsigned i, const struct how *how)
{
	struct batch b = { 0 };

	protect(PROT_READ | PROT_WRITE);
	rig.used = rnd(64);
	rig.n_foreign = 0;
	if (how->lies == ALONE)
		take_alone(&b, i);
	else
		(how->lies == ON_STREAM ? take_stream : take_row)(&b, i);
	protect(how->changes ? PROT_READ | PROT_WRITE : PROT_READ);
	forward_batch(&rig.fwd, &rig.member[batches[i].from], &b);
	deliver_flush(&rig.fwd);
	protect(PROT_NONE);
	rig_drain();
	clock_pass_ms(20);
}

static void send_all(struct result *r, const struct how *how)
{
	memset(r, 0, sizeof(*r));
	rig_begin(r, how);
	for (unsigned i = 0; i < n_batches; i++)
		send_batch(i, how);
	rig_end();
}

static void result_free(struct result *r)
{
	for (unsigned i = 0; i < PORTS; i++) {
		bytes_free(&r->out[i]);
		bytes_free(&r->capture[i]);
		bytes_free(&r->trace[i]);
	}
}

/* ---- what is compared ---- */

static int compare(const void *a, const void *b)
{
	const struct bytes *x = a, *y = b;

	if (x->len != y->len)
		return x->len < y->len ? -1 : 1;
	return memcmp(x->at, y->at, x->len);
}

/*
 * All frames that a tap was given, in some order, as what is merged is split again:
 * frames that have their headers in several pieces are not merged.
 */
static struct bytes split(const struct bytes *out)
{
	static uint8_t segment[PACKET_MAX];
	static struct bytes list[4096];
	struct bytes all = { 0 };
	unsigned n = 0;

	for (size_t at = 0; at < out->len;) {
		const uint8_t *message = out->at + at + 4;
		uint32_t len = get_be32(out->at + at) - VNET_BYTES, size;
		struct vnet vnet;

		memcpy(&vnet, message, VNET_BYTES);
		message += VNET_BYTES;
		for (uint32_t i = 0; vnet.gso_type; i++) {
			size = packet_segment(segment, message, len, vnet.gso_size, i);
			if (!size)
				break;
			bytes_append(&list[n++], segment, size);
		}
		if (!vnet.gso_type)
			bytes_append(&list[n++], message, len);
		at += 4 + VNET_BYTES + len;
	}
	qsort(list, n, sizeof(list[0]), compare);
	for (unsigned i = 0; i < n; i++) {
		bytes_append(&all, list[i].at, list[i].len);
		bytes_free(&list[i]);
	}
	return all;
}

static bool is_same_split(const struct bytes *a, const struct bytes *b)
{
	struct bytes x = split(a), y = split(b);
	bool same = bytes_same(&x, &y);

	bytes_free(&x);
	bytes_free(&y);
	return same;
}

static unsigned count_differences(const struct result *a, const struct result *b)
{
	static const char *const names[] = {
		"a", "b", "stream", "dgram", "tap", "old tap"
	};
	unsigned wrong = a->wrong + b->wrong;

	for (unsigned i = 0; i < PORTS; i++) {
		bool same = i == TAP ? is_same_split(&a->out[i], &b->out[i])
				     : bytes_same(&a->out[i], &b->out[i]);

		same &= bytes_same(&a->capture[i], &b->capture[i]) &&
			bytes_same(&a->trace[i], &b->trace[i]) &&
			!memcmp(&a->count[i], &b->count[i], sizeof(a->count[i]));
		if (!same)
			printf("# %s differs\n", names[i]);
		wrong += !same;
	}
	return wrong + (a->copied != b->copied) + (a->n_fdb != b->n_fdb);
}

/* ---- the tests ---- */

static void test_same(const char *what, struct how how, uint64_t seed)
{
	const struct how whole = { .n = 1,
				   .has_guard = how.lies == ALONE,
				   .is_trunk = how.is_trunk };
	unsigned wrong = 0, moved = 0, storms = 0, runs = 0;
	uint64_t sent = 0, queued = 0;
	struct result a, b;

	random_begin(seed);
	how.has_guard = whole.has_guard;
	for (int i = 0; i < ROUNDS && !wrong; i++) {
		make_batches(false, how.lies == ALONE);
		send_all(&a, &whole);
		send_all(&b, &how);
		wrong += count_differences(&a, &b);
		sent += a.count[STREAM].tx_frames + a.count[DGRAM].tx_frames +
			a.count[TAP].tx_frames + a.count[OLD_TAP].tx_frames;
		moved += a.count[A].dropped[DROP_LOOP] > 0;
		storms += a.count[A].dropped[DROP_STORM] > 0;
		queued += a.count[STREAM].tx_frames > 20;
		runs += b.runs;
		result_free(&a);
		result_free(&b);
	}
	ok(!wrong, "%s: what comes out is the same", what);
	ok(sent > 10 * ROUNDS && storms && queued && !runs == !how.lies &&
		   !moved == !how.has_guard,
	   "%s: %ju frames came out, copies were found %u times, storms %u", what,
	   (uintmax_t)sent, moved, storms);
}

/* Whether two frames have the same headers, but for the checksum over the payload. */
static bool has_same_headers(const uint8_t *a, const uint8_t *b, uint32_t len)
{
	struct packet_at at;
	uint32_t csum;

	if (guard_is_probe(a))
		return !memcmp(a, b, len);
	at = packet_find(a);
	csum = at.l4 + (at.udp ? 6 : 16);
	return !memcmp(a, b, csum) &&
	       !memcmp(a + csum + 2, b + csum + 2, at.payload - csum - 2);
}

/*
 * Whether the messages of two outputs are as long, and have the same headers.
 * @skip: bytes ahead of the frame in each: a virtio header
 */
static bool is_alike(const struct bytes *a, const struct bytes *b, uint32_t skip)
{
	if (a->len != b->len)
		return false;
	for (size_t at = 0; at < a->len;) {
		const uint8_t *x = a->at + at, *y = b->at + at;
		uint32_t len = get_be32(x);

		if (memcmp(x, y, 4 + skip) != 0 ||
		    !has_same_headers(x + 4 + skip, y + 4 + skip, len - skip))
			return false;
		at += 4 + len;
	}
	return true;
}

/* A guest that writes to its frames while we have them gets others' bytes, at worst. */
static void test_changes(uint64_t seed)
{
	static const struct how whole = { .n = 1 };
	static const struct how changing = { .n = 4,
					     .is_foreign = true,
					     .changes = true };
	unsigned wrong = 0, changed = 0;
	struct result a, b;

	random_begin(seed);
	for (int i = 0; i < ROUNDS && !wrong; i++) {
		make_batches(true, false);
		send_all(&a, &whole);
		send_all(&b, &changing);
		for (unsigned p = STREAM; p < PORTS; p++) {
			wrong += !is_alike(&a.out[p], &b.out[p],
					   p == TAP ? VNET_BYTES : 0);
			changed += !bytes_same(&a.out[p], &b.out[p]);
		}
		for (unsigned p = 0; p < PORTS; p++)
			wrong += !bytes_same(&a.trace[p], &b.trace[p]);
		wrong += memcmp(a.count, b.count, sizeof(a.count)) != 0;
		result_free(&a);
		result_free(&b);
	}
	ok(!wrong, "a guest changes its frames: headers, lengths and counters stay");
	ok(changed > ROUNDS, "a guest changes its frames: %u outputs differ", changed);
}

int main(void)
{
	rig.arena = mmap(NULL, ARENA, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (rig.arena == MAP_FAILED || loop_init(&rig.loop) < 0)
		return 1;
	quiet();
	test_same("one piece", (struct how){ .n = 1 }, 1);
	test_same("two pieces", (struct how){ .n = 2 }, 2);
	test_same("five pieces", (struct how){ .n = 5 }, 3);
	test_same("a guest's, two pieces", (struct how){ .n = 2, .is_foreign = true }, 4);
	test_same("a guest's, five pieces", (struct how){ .n = 5, .is_foreign = true },
		  5);
	test_same("on a stream", (struct how){ .lies = ON_STREAM }, 6);
	test_same("on a trunk", (struct how){ .lies = ON_STREAM, .is_trunk = true }, 10);
	test_same("five pieces, to a trunk", (struct how){ .n = 5, .is_trunk = true },
		  11);
	test_same("in a row", (struct how){ .lies = IN_A_ROW }, 7);
	test_same("in a row, with gaps", (struct how){ .lies = IN_A_ROW, .gap = 8 }, 8);
	test_changes(9);
	loop_free(&rig.loop);
	munmap(rig.arena, ARENA);
	return done();
}
