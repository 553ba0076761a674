/* SPDX-License-Identifier: MIT */
/*
 * Super-frames in slices: packing.c and unpacking.c together, on paths that lose and reorder
 * datagrams. What comes out, split, must be segments that a split of the super-frame makes;
 * test/lib/packet.h makes these, with all checksums.
 */
#include "trunk/packing.h"

#include <errno.h>
#include <stdlib.h>

#include "lib/packet.h"
#include "lib/pieces.h"
#include "lib/random.h"
#include "lib/tap.h"

#define DATAGRAMS 2000
#define SEGMENTS 512

static struct {
	uint8_t *data;
	uint32_t len;
	uint64_t id;
} path[DATAGRAMS];
static unsigned n_path;
static uint64_t next_id;

/* The super-frame, its segments, and how often each of them came. */
static uint8_t super[PACKET_MAX];
static uint32_t super_len, size;
static struct vnet super_vnet;
static struct {
	uint8_t bytes[PACKET_MAX + SEGMENTS * FRAME_PEEK];
	uint32_t at[SEGMENTS + 1], size;
	unsigned n;
} wanted;
static unsigned came[SEGMENTS], wrong, frames;

static struct unpacker u;
static struct packer p;
static uint8_t payload[PACKING_PAYLOAD_MAX];

static void leave(uint32_t room)
{
	if (p.n)
		path[n_path++] =
			(__typeof__(path[0])){ packet_copy(p.to, p.n), p.n, next_id };
	next_id++;
	packer_begin(&p, payload, room);
}

/* The datagram never comes. */
static void lose(unsigned k)
{
	free(path[k].data);
	memmove(&path[k], &path[k + 1], (--n_path - k) * sizeof(path[0]));
}

static void free_path(void)
{
	while (n_path)
		free(path[--n_path].data);
}

static void make(const struct packet *packet, uint16_t gso_size)
{
	super_len = packet_build(super, packet);
	super_vnet = packet_make_super(super, super_len, gso_size);
	super_vnet.hdr_len = 0; /* others need not know it */
	wanted.n = 0;
}

static void cut_wanted(void)
{
	uint32_t len, at = 0;
	unsigned n = 0;

	if (wanted.n && wanted.size == size)
		return;
	while (n < SEGMENTS &&
	       (len = packet_segment(wanted.bytes + at, super, super_len, size, n))) {
		at += len;
		wanted.at[++n] = at;
	}
	wanted.n = n;
	wanted.size = size;
}

/* Return: as packing_slice(). */
static int send_super(uint32_t room)
{
	struct frame f = pieces_whole(super, super_len, &super_vnet), copy;
	struct vnet vnet;
	struct gso g;
	int ret = packing_slice(&g, &f, room, &vnet, &copy);

	if (ret < 0)
		return ret;
	size = g.gso_size;
	cut_wanted();
	do {
		while (!packer_put_slice(&p, &g))
			leave(room);
	} while (p.from);
	return 0;
}

static void begin(uint32_t room)
{
	free_path();
	unpacker_free(&u);
	unpacker_init(&u);
	memset(came, 0, sizeof(came));
	wrong = frames = 0;
	p = (struct packer){ 0 };
	packer_begin(&p, payload, room);
}

/* ---- what came ---- */

static void see_plain(const struct frame *f)
{
	for (unsigned i = 0; i < wanted.n; i++) {
		uint32_t at = wanted.at[i];

		if (pieces_are(f, wanted.bytes + at, wanted.at[i + 1] - at)) {
			came[i]++;
			return;
		}
	}
	wrong++;
}

static void see(const struct frame *f)
{
	struct gso_segment s;
	struct gso g;

	frames++;
	frame_assert(f);
	if (f->vnet->gso_type == VNET_GSO_NONE) {
		wrong += gso_complete(&s, f) < 0;
		see_plain(&s.frame);
		return;
	}
	wrong += gso_begin(&g, f) < 0 || g.gso_size != size ||
		 (g.n < 2 && f->len < super_len);
	while (gso_next(&g, &s))
		see_plain(&s.frame);
}

/* Nobody needs the frames, so what has been read is overwritten, but what is waited with. */
static void release(unsigned end)
{
	const uint8_t *first;
	unsigned i = 0;

	unpacker_release(&u);
	first = unpacker_waits(&u);
	for (; i < end && !(first >= path[i].data && first < path[i].data + path[i].len);
	     i++)
		memset(path[i].data, 0xee, path[i].len);
}

/*
 * Some are read at once, and nobody looks at a frame before. @waits: then the rest of a
 * super-frame is waited for
 */
static void receive_some(unsigned at_once, bool waits)
{
	struct frame f, kept[BATCH_MAX + 1];
	unsigned n = 0;
	enum unpack what;

	for (unsigned i = 0; i < n_path; i++) {
		unpacker_begin(&u, path[i].id, path[i].data, path[i].len);
		while ((what = unpacker_next(&u, &f)) != UNPACK_END &&
		       what != UNPACK_BAD) {
			if (what == UNPACK_FRAME)
				kept[n++] = f;
			if (n < BATCH_MAX && what != UNPACK_FULL)
				continue;
			while (n)
				see(&kept[--n]);
			unpacker_release(&u);
		}
		wrong += what == UNPACK_BAD;
		if ((i + 1) % at_once && i + 1 < n_path)
			continue;
		if ((!waits || i + 1 == n_path) && unpacker_flush(&u, &f))
			kept[n++] = f;
		while (n)
			see(&kept[--n]);
		if (waits)
			release(i + 1);
		else
			unpacker_release(&u);
	}
}

static void receive(unsigned at_once)
{
	receive_some(at_once, false);
}

static unsigned segments(void)
{
	uint32_t len = super_len - packet_find(super).payload;

	return (len + size - 1) / size;
}

/* How many segments have come @times times. */
static unsigned count(unsigned times)
{
	unsigned n = 0;

	for (unsigned i = 0; i < segments(); i++)
		n += came[i] == times;
	return n;
}

/* ---- tests ---- */

static void passes(const char *what, struct packet packet, uint16_t gso_size,
		   uint32_t room, unsigned want)
{
	begin(room);
	make(&packet, gso_size);
	ok(send_super(room) == 0, "%s: goes in slices", what);
	leave(room);
	receive(DATAGRAMS);
	ok(!wrong && count(1) == segments() && u.lost == 0,
	   "%s: %u segments of %u come, as a split makes them", what, segments(), size);
	ok_eq_int(frames, want, "%s: in so many super-frames", what);
}

static void whole(void)
{
	struct packet tcp = { PACKET_USUAL, .payload = 60000 }, udp = tcp, ip6 = tcp;

	tcp.flags = 0x10 | 0x80 | 0x08 | 0x01;
	udp.udp = true;
	ip6.v6 = true;
	ip6.tags = 2;
	passes("TCP", tcp, 1448, 1540, 1);
	passes("TCP, too long for a datagram", tcp, 1448, 1440, 1);
	passes("UDP", udp, 1400, 1540, 1);
	passes("IPv6", ip6, 1300, 1440, 1);
	passes("many short ones, in few datagrams", tcp, 250, 8900, 4);
	tcp.payload = 100;
	passes("one segment", tcp, 1448, 1540, 1);
}

/* A super-frame that came whole is as it was, byte for byte. */
static void same(void)
{
	struct packet tcp = { PACKET_USUAL, .payload = 40000 };
	struct frame f;
	bool good = false;

	begin(1540);
	make(&tcp, 1400);
	send_super(1540);
	leave(1540);
	for (unsigned i = 0; i < n_path; i++) {
		unpacker_begin(&u, path[i].id, path[i].data, path[i].len);
		if (unpacker_next(&u, &f) == UNPACK_FRAME)
			good = pieces_are(&f, super, super_len);
	}
	ok(good && f.vnet->gso_size == 1400 && f.vnet->flags == VNET_NEEDS_CSUM &&
		   f.vnet->gso_type == VNET_GSO_TCPV4 &&
		   f.vnet->csum_start == super_vnet.csum_start &&
		   f.vnet->csum_offset == super_vnet.csum_offset &&
		   f.vnet->hdr_len == packet_find(super).payload,
	   "a super-frame is what it was, and so is its virtio header");
}

static void lost(struct packet packet, const char *what)
{
	unsigned bad = 0, n;

	make(&packet, 1400);
	for (unsigned k = 0, all = 1; k < all; k++) {
		begin(1540);
		send_super(1540);
		leave(1540);
		all = n_path;
		lose(k);
		receive(DATAGRAMS);
		n = k && k < all - 1 ? 2 : 1;
		bad += wrong || count(0) != 1 || count(1) != segments() - 1 || came[k] ||
		       frames != n || u.lost;
	}
	ok_eq_int(bad, 0, "%s: a datagram that is lost costs its segment only", what);
}

static void losses(void)
{
	struct packet tcp = { PACKET_USUAL, .payload = 20000 }, udp = tcp, ip6 = tcp;

	tcp.flags = 0x10 | 0x80 | 0x08 | 0x01;
	udp.udp = true;
	ip6.v6 = true;
	ip6.udp = true;
	lost(tcp, "TCP");
	lost(udp, "UDP");
	lost(ip6, "UDP over IPv6");
}

/* Several super-frames one behind the other, of which each has the same segments. */
static void order(void)
{
	struct packet tcp = { PACKET_USUAL, .payload = 30000 };
	static uint8_t small[60] = { 1 };
	unsigned bad = 0;

	make(&tcp, 1400);
	for (unsigned seed = 0; seed < 60; seed++) {
		random_begin(seed);
		begin(1540);
		for (unsigned i = 0; i < 10; i++)
			send_super(1540);
		leave(1540);
		for (unsigned i = 0; seed && i + 3 < n_path; i++) {
			unsigned k = i + rnd(3);
			__typeof__(path[0]) other = path[i];

			path[i] = path[k];
			path[k] = other;
		}
		receive(seed ? 1 + rnd(40) : DATAGRAMS);
		bad += wrong || count(10) != segments() || (!seed && frames != 10);
	}
	ok_eq_int(bad, 0, "reordered and read in parts: each segment comes once");
	begin(1540);
	for (unsigned i = 0; i < 20; i++)
		send_super(1540);
	leave(1540);
	receive(DATAGRAMS);
	ok(!wrong && count(20) == segments() && frames > 20 && frames < 200,
	   "more slices than there is memory for come in more frames");

	begin(1540);
	send_super(1540);
	packer_forget(&p);
	packer_put(&p, &(struct frame){ .data = small, .len = sizeof(small) });
	leave(1540);
	free(path[n_path - 2].data);
	path[n_path - 2] = path[n_path - 1];
	n_path--;
	{
		struct frame f;
		unsigned at = 0;

		for (unsigned i = 0; i < n_path; i++) {
			unpacker_begin(&u, path[i].id, path[i].data, path[i].len);
			while (unpacker_next(&u, &f) == UNPACK_FRAME) {
				at = at * 10 + (f.vnet ? 1 : 2);
				unpacker_release(&u);
			}
		}
		ok_eq_int(at, 112, "what follows slices comes behind them");
	}
}

/* More than a batch of frames in datagrams that came at once. */
static void many(void)
{
	struct packet tcp = { PACKET_USUAL, .payload = 200 };
	struct frame f;
	unsigned n = 0;
	enum unpack what;

	begin(8900);
	make(&tcp, 150);
	for (unsigned i = 0; i < 400; i++)
		send_super(8900);
	leave(8900);
	receive(DATAGRAMS);
	ok(!wrong && count(400) == segments() && frames == 400, "400 super-frames come");
	unpacker_release(&u);
	for (unsigned i = 0; i < n_path; i++) {
		unpacker_begin(&u, path[i].id, path[i].data, path[i].len);
		while ((what = unpacker_next(&u, &f)) == UNPACK_FRAME)
			n++;
		if (what == UNPACK_FULL)
			break;
	}
	ok_eq_int(n, BATCH_MAX + 1, "but no more at once than there is memory for");
	unpacker_release(&u);
	ok(unpacker_next(&u, &f) == UNPACK_FRAME, "then there is room again");
	unpacker_release(&u);
}

/* The rest of a super-frame comes later than its first slices. */
static void waiting(void)
{
	struct packet tcp = { PACKET_USUAL, .payload = 60000 };
	struct frame f;
	unsigned bad = 0;

	make(&tcp, 1400);
	for (unsigned at_once = 1; at_once < 200; at_once++) {
		begin(1540);
		for (unsigned i = 0; i < 8; i++)
			send_super(1540);
		leave(1540);
		receive_some(at_once, true);
		bad += wrong || count(8) != segments() || frames != 8 || u.lost;
	}
	ok_eq_int(bad, 0, "however many come at once, super-frames are whole");
	for (unsigned seed = 0; seed < 40; seed++) {
		random_begin(seed);
		begin(1540);
		for (unsigned i = 0; i < 8; i++)
			send_super(1540);
		leave(1540);
		for (unsigned i = 0; i < 10; i++)
			lose(rnd(n_path));
		receive_some(1 + rnd(100), true);
		for (unsigned i = 0; i < segments(); i++)
			bad += came[i];
		bad += 10 - 8 * segments() + wrong + (u.lost != 0);
	}
	ok_eq_int(bad, 0, "and what is lost costs no more than without waiting");

	begin(1540);
	send_super(1540);
	unpacker_begin(&u, 1, path[0].data, path[0].len);
	ok(!unpacker_waits(&u) && unpacker_next(&u, &f) == UNPACK_END, "a first slice");
	unpacker_release(&u);
	ok(unpacker_waits(&u) > path[0].data &&
		   unpacker_waits(&u) < path[0].data + path[0].len,
	   "waits where it lies");
	unpacker_forget(&u);
	ok(!unpacker_waits(&u) && !unpacker_flush(&u, &f) && u.lost == 1,
	   "until it is given up, and counted");
}

/* One slice whose numbers are as given. Return: what becomes of it. */
static enum unpack give(uint32_t total, uint32_t from, uint32_t len, uint16_t hdr_len,
			uint32_t bytes, struct frame *f)
{
	static uint8_t item[PACKING_SLICE_HEAD + 2000];
	struct vnet vnet = { .gso_type = VNET_GSO_TCPV4, .hdr_len = hdr_len };

	vnet_swap(&vnet);
	put_be16(item, PACKING_FRAGMENT_BIT | PACKING_SLICE_BIT | len);
	put_be32(item + 2, total);
	put_be32(item + 5, from);
	item[5] = (uint8_t)total;
	memcpy(item + PACKING_FRAGMENT_HEAD, &vnet, VNET_BYTES);
	unpacker_begin(&u, 5, item, bytes);
	return unpacker_next(&u, f);
}

static void hostile(void)
{
	const uint32_t all = PACKING_SLICE_HEAD + 100;
	struct frame f;

	begin(1540);
	ok(give(FRAME_MAX + 1, 50, 100, 50, all, &f) == UNPACK_BAD &&
		   give(1000, 50, 0, 50, all, &f) == UNPACK_BAD &&
		   give(1000, 50, 100, 50, all - 1, &f) == UNPACK_BAD &&
		   give(1000, 50, 100, 50, PACKING_WORD, &f) == UNPACK_BAD &&
		   give(1000, 50, 100, 100, all, &f) == UNPACK_BAD &&
		   give(1000, 49, 100, 50, all, &f) == UNPACK_BAD &&
		   give(1000, 951, 100, 50, all, &f) == UNPACK_BAD &&
		   give(1000, 1000, 100, 50, all, &f) == UNPACK_BAD &&
		   give(1000, 300, 1000, FRAME_PEEK + 1, all + 900, &f) == UNPACK_BAD,
	   "slices that can't be are none");
	ok_eq_int(u.lost, 9, "each is counted");
	u.lost = 0;
	ok(give(1000, 950, 100, 50, all, &f) == UNPACK_END && u.lost == 1,
	   "a part of what is no super-frame is dropped");
	ok(give(1000, 500, 100, 50, all, &f) == UNPACK_END &&
		   give(1000, 550, 100, 40, all, &f) == UNPACK_END && u.lost == 2 &&
		   give(1001, 610, 100, 40, all, &f) == UNPACK_END && u.lost == 3 &&
		   !unpacker_flush(&u, &f) && u.lost == 4,
	   "also when another follows, or nothing");
	ok(give(100, 50, 100, 50, all, &f) == UNPACK_FRAME && f.len == 100,
	   "a whole one is for others to check");
	unpacker_release(&u);
}

/* Parts whose headers are good, but say other lengths than the slices have. */
static void other_headers(void)
{
	struct packet tcp = { PACKET_USUAL, .payload = 20000 };
	unsigned n = 0;

	make(&tcp, 1400);
	for (unsigned at = 0; at < PACKING_SLICE_HEAD + 66; at++) {
		for (unsigned k = 0; k < 8; k++) {
			struct frame f;

			begin(1540);
			send_super(1540);
			path[2].data[at] ^= (uint8_t)(1u << k);
			for (unsigned i = 2; i < 4; i++) {
				unpacker_begin(&u, path[i].id, path[i].data, path[i].len);
				while (unpacker_next(&u, &f) == UNPACK_FRAME)
					n += f.len > FRAME_MAX || !f.vnet;
				if (unpacker_flush(&u, &f))
					n += f.len > FRAME_MAX;
				unpacker_release(&u);
			}
		}
	}
	ok_eq_int(n, 0,
		  "each bit of a slice's headers flipped: a good length, or nothing");
}

static void refused(void)
{
	struct packet tcp = { PACKET_USUAL, .payload = 60000 }, udp = tcp;

	udp.udp = true;
	begin(1440);
	make(&udp, 1400);
	ok_eq_int(send_super(1440), -EMSGSIZE, "messages of UDP that do not fit");
	make(&tcp, 60);
	ok_eq_int(send_super(1440), -EMSGSIZE, "too many segments");
	make(&tcp, 0);
	ok_eq_int(send_super(1440), -EINVAL, "a super-frame that is malformed");
}

int main(void)
{
	whole();
	same();
	losses();
	order();
	many();
	waiting();
	hostile();
	other_headers();
	refused();
	free_path();
	unpacker_free(&u);
	return done();
}
