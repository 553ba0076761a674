/* SPDX-License-Identifier: MIT */
/*
 * gso.c: super-frames of every kind against the splitter of packet.h; what it
 * must refuse, one lie at a time; and a few hundred thousand damaged frames in
 * memory of just their size.
 */
#include "frame/gso.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "frame/frame.h"
#include "lib/packet.h"
#include "lib/pieces.h"
#include "lib/random.h"
#include "lib/tap.h"

#define FUZZ_ROUNDS 300000

static const struct packet base = { PACKET_USUAL, .seq = 0xfffffff0, .payload = 3000 };

static int begin(const uint8_t *frame, uint32_t len, const struct vnet *vnet)
{
	const struct frame f = pieces_whole(frame, len, vnet);
	struct gso g;

	return gso_begin(&g, &f);
}

/* Whether gso.c makes what packet.h makes. */
static bool is_split_alike(const uint8_t *frame, uint32_t len, const struct vnet *vnet)
{
	static uint8_t want[PACKET_MAX];
	uint8_t *copy = packet_copy(frame, len);
	struct gso_segment s;
	struct gso g;
	unsigned i = 0;
	const struct frame super = pieces_whole(copy, len, vnet);
	bool same = !gso_begin(&g, &super);

	for (; same && gso_next(&g, &s); i++) {
		uint32_t n = packet_segment(want, copy, len, vnet->gso_size, i);

		same = pieces_are(&s.frame, want, n) && s.frame.data >= copy &&
		       s.frame.data + frame_data_len(&s.frame) <= copy + len;
	}
	same = same && i == g.n && !gso_next(&g, &s) &&
	       !packet_segment(want, copy, len, vnet->gso_size, i);
	free(copy);
	return same;
}

static bool is_good(const struct packet *p, uint16_t gso_size)
{
	static uint8_t frame[PACKET_MAX];
	uint32_t len = packet_build(frame, p);
	struct vnet vnet = packet_make_super(frame, len, gso_size);

	return is_split_alike(frame, len, &vnet);
}

/* Every kind of header that is taken, and payloads around each edge. */
static void test_kinds(void)
{
	static const struct {
		const char *name;
		unsigned tags, ip_options, ext, tcp_options;
	} cases[] = {
		{ "plain", 0, 0, 0, 0 },	   { "one tag", 1, 0, 0, 12 },
		{ "two tags", 2, 0, 0, 12 },	   { "IP options", 0, 40, 0, 0 },
		{ "IPv6 extensions", 0, 0, 8, 0 }, { "longer ones", 1, 0, 48, 12 },
		{ "TCP options", 0, 0, 0, 40 },	   { "all", 2, 40, 96, 40 },
	};
	static const uint32_t payloads[] = { 1, 99, 100, 101, 200, 201, 299, 1234, 3200 };

	for (size_t i = 0; i < ARRAY_SIZE(cases) * 4; i++) {
		struct packet p = base;
		unsigned bad = 0;

		p.v6 = i & 1;
		p.udp = i & 2;
		p.tags = cases[i / 4].tags;
		p.ip_options = p.v6 ? 0 : cases[i / 4].ip_options;
		p.ext = p.v6 ? cases[i / 4].ext : 0;
		p.tcp_options = cases[i / 4].tcp_options;
		for (size_t k = 0; k < ARRAY_SIZE(payloads); k++) {
			p.payload = payloads[k];
			bad += !is_good(&p, 100) || !is_good(&p, 33);
		}
		ok_eq_int(bad, 0, "%s over IPv%d: %s", p.udp ? "UDP" : "TCP",
			  p.v6 ? 6 : 4, cases[i / 4].name);
	}
}

static void test_flags(void)
{
	unsigned bad = 0;

	for (unsigned flags = 0; flags < 256; flags++) {
		struct packet p = base;

		p.flags = (uint8_t)flags;
		bad += !is_good(&p, 1448);
		p.payload = 100;
		bad += !is_good(&p, 1448);
	}
	ok_eq_int(bad, 0, "all TCP flags, in three segments and in one");
}

static void test_sizes(void)
{
	struct packet p = base;
	unsigned bad = 0;

	p.payload = 65535 - 20 - 32;
	ok(is_good(&p, 1448), "the longest over IPv4");
	p.v6 = true;
	p.payload = 65535 - 32;
	ok(is_good(&p, 1428), "the longest over IPv6");
	p.payload = GSO_TCP_SEGMENTS_MAX;
	ok(is_good(&p, 1), "as many TCP segments as allowed");
	p.payload++;
	ok(!is_good(&p, 1), "no more");
	p.udp = true;
	p.payload = GSO_UDP_SEGMENTS_MAX * 10;
	ok(is_good(&p, 10), "as many UDP segments as allowed");
	p.payload++;
	ok(!is_good(&p, 10), "no more");
	for (uint8_t fill = 0; fill < 255; fill++) {
		for (unsigned k = 0; k < 40; k++) {
			p.fill = fill;
			p.payload = 2 + k;
			p.v6 = k & 1;
			bad += !is_good(&p, 2);
		}
	}
	ok_eq_int(bad, 0, "UDP: many sums");
}

/* A datagram whose sum is 0 must say 0xffff. */
static void test_zero_sum(void)
{
	static uint8_t frame[PACKET_MAX];
	struct packet p = base;
	struct gso_segment s;
	struct frame super;
	struct vnet vnet;
	unsigned zeros = 0;
	struct gso g;
	const uint8_t *end;
	uint32_t len;

	p.udp = true;
	p.payload = 4;
	for (uint32_t i = 0; i < 65536; i++) {
		len = packet_build(frame, &p);
		packet_p16(frame + len - 4, i);
		packet_p16(frame + len - 2, i);
		vnet = packet_make_super(frame, len, 2);
		super = pieces_whole(frame, len, &vnet);
		if (gso_begin(&g, &super) || !gso_next(&g, &s))
			break;
		end = s.head + s.frame.head_len;
		if (!end[-2] && !end[-1])
			break;
		zeros += end[-2] == 0xff && end[-1] == 0xff;
	}
	ok_eq_int(zeros, 1,
		  "UDP: a sum of 0 is written as 0xffff, the only time it occurs");
}

/* One lie: @bytes of @value at @offset from the header @where, or in the vnet header. */
enum where { ETH, IP, L4, NEXT, VNET, LENGTH };

struct lie {
	const char *name;
	bool v6, udp;
	unsigned ext;
	enum where where;
	uint32_t offset, bytes, value;
};

static const struct lie lies[] = {
	{ "ARP", .where = ETH, .offset = 12, .bytes = 2, .value = 0x0806 },
	{ "three tags", .where = ETH, .offset = 12, .bytes = 2, .value = 0x8100 },
	{ "IPv6 by type", .where = ETH, .offset = 12, .bytes = 2, .value = 0x86dd },
	{ "IPv4 by type", .v6 = true, .where = ETH, .offset = 12, .bytes = 2,
	  .value = 0x0800 },
	{ "IPv4 version", .where = IP, .offset = 0, .bytes = 1, .value = 0x55 },
	{ "IPv6 version", .v6 = true, .where = IP, .offset = 0, .bytes = 1,
	  .value = 0x50 },
	{ "IPv4 header too short", .where = IP, .offset = 0, .bytes = 1, .value = 0x44 },
	{ "IPv4 header longer", .where = IP, .offset = 0, .bytes = 1, .value = 0x46 },
	{ "IPv4 longer than the frame", .where = IP, .offset = 2, .bytes = 2,
	  .value = 3053 },
	{ "IPv4 shorter than the frame", .where = IP, .offset = 2, .bytes = 2,
	  .value = 3051 },
	{ "IPv6 longer than the frame", .v6 = true, .where = IP, .offset = 4, .bytes = 2,
	  .value = 3033 },
	{ "IPv6 shorter than the frame", .v6 = true, .where = IP, .offset = 4, .bytes = 2,
	  .value = 3031 },
	{ "more fragments", .where = IP, .offset = 6, .bytes = 2, .value = 0x2000 },
	{ "not the first fragment", .where = IP, .offset = 6, .bytes = 2, .value = 1 },
	{ "far fragment", .where = IP, .offset = 6, .bytes = 2, .value = 0x1000 },
	{ "IPv4 protocol", .where = IP, .offset = 9, .bytes = 1, .value = 17 },
	{ "IPv4 protocol SCTP", .where = IP, .offset = 9, .bytes = 1, .value = 132 },
	{ "UDP that is TCP", .udp = true, .where = IP, .offset = 9, .bytes = 1,
	  .value = 6 },
	{ "IPv6 fragment header", .v6 = true, .ext = 8, .where = IP, .offset = 6,
	  .bytes = 1, .value = 44 },
	{ "IPv6 authentication", .v6 = true, .ext = 8, .where = IP, .offset = 6,
	  .bytes = 1, .value = 51 },
	{
		"IPv6 extension too long",
		.v6 = true,
		.ext = 8,
		.where = NEXT,
		.offset = 1,
		.bytes = 1,
		.value = 255,
	},
	{ "IPv6 extension one longer", .v6 = true, .ext = 8, .where = NEXT, .offset = 1,
	  .bytes = 1, .value = 1 },
	{ "IPv6 extension to another protocol", .v6 = true, .ext = 8, .where = NEXT,
	  .offset = 0, .bytes = 1, .value = 17 },
	{ "TCP header too short", .where = L4, .offset = 12, .bytes = 1, .value = 0x40 },
	{ "UDP length too long", .udp = true, .where = L4, .offset = 4, .bytes = 2,
	  .value = 3009 },
	{ "UDP length too short", .udp = true, .where = L4, .offset = 4, .bytes = 2,
	  .value = 3007 },
	{ "no flags", .where = VNET, .offset = 0, .bytes = 1, .value = 0 },
	{ "data valid only", .where = VNET, .offset = 0, .bytes = 1, .value = 2 },
	{ "no super-frame", .where = VNET, .offset = 1, .bytes = 1, .value = 0 },
	{ "IPv6 by vnet", .where = VNET, .offset = 1, .bytes = 1, .value = 4 },
	{ "IPv4 by vnet", .v6 = true, .where = VNET, .offset = 1, .bytes = 1,
	  .value = 1 },
	{ "UDP by vnet", .where = VNET, .offset = 1, .bytes = 1, .value = 5 },
	{ "TCP by vnet", .udp = true, .where = VNET, .offset = 1, .bytes = 1,
	  .value = 1 },
	{ "UFO", .udp = true, .where = VNET, .offset = 1, .bytes = 1, .value = 3 },
	{ "ECN", .where = VNET, .offset = 1, .bytes = 1, .value = 0x81 },
	{ "segments of 0", .where = VNET, .offset = 4, .bytes = 2, .value = 0 },
	{ "start one too far", .where = VNET, .offset = 6, .bytes = 2, .value = 35 },
	{ "start one too early", .where = VNET, .offset = 6, .bytes = 2, .value = 33 },
	{ "start behind the end", .where = VNET, .offset = 6, .bytes = 2,
	  .value = 65535 },
	{ "UDP's offset", .where = VNET, .offset = 8, .bytes = 2, .value = 6 },
	{ "TCP's offset", .udp = true, .where = VNET, .offset = 8, .bytes = 2,
	  .value = 16 },
	{ "offset behind the end", .where = VNET, .offset = 8, .bytes = 2,
	  .value = 65535 },
	{ "one byte less", .where = LENGTH, .value = 1 },
	{ "no payload", .where = LENGTH, .value = 3000 },
	{ "half a TCP header", .where = LENGTH, .value = 3020 },
	{ "no transport header", .where = LENGTH, .value = 3032 },
};

static void lie_about(uint8_t *frame, uint32_t *len, struct vnet *vnet,
		      const struct lie *lie)
{
	struct packet_at at = packet_find(frame);
	const uint32_t begins[] = {
		[ETH] = 0, [IP] = at.l3, [L4] = at.l4, [NEXT] = at.l3 + 40
	};

	if (lie->where == LENGTH) {
		*len -= lie->value;
	} else if (lie->where == VNET && lie->bytes == 2) {
		uint16_t value = (uint16_t)lie->value;

		memcpy((uint8_t *)vnet + lie->offset, &value, sizeof(value));
	} else if (lie->where == VNET) {
		memset((uint8_t *)vnet + lie->offset, (int)lie->value, 1);
	} else if (lie->bytes == 2) {
		packet_p16(frame + begins[lie->where] + lie->offset, lie->value);
	} else {
		frame[begins[lie->where] + lie->offset] = (uint8_t)lie->value;
	}
}

static void test_lies(void)
{
	static uint8_t frame[PACKET_MAX];

	for (size_t i = 0; i < ARRAY_SIZE(lies); i++) {
		struct packet p = base;
		struct vnet vnet;
		uint8_t *copy;
		uint32_t len;

		p.v6 = lies[i].v6;
		p.udp = lies[i].udp;
		p.ext = lies[i].ext;
		len = packet_build(frame, &p);
		vnet = packet_make_super(frame, len, p.udp ? 1000 : 1448);
		copy = packet_copy(frame, len);
		if (begin(copy, len, &vnet))
			ok(false, "%s: good before", lies[i].name);
		free(copy);
		lie_about(frame, &len, &vnet, &lies[i]);
		copy = packet_copy(frame, len);
		ok_eq_int(begin(copy, len, &vnet), -EINVAL, "refused: %s", lies[i].name);
		free(copy);
	}
}

/* A length that agrees with the frame's, so that only the piece itself is missing. */
static void test_truncated(void)
{
	static uint8_t frame[PACKET_MAX];
	unsigned accepted = 0;

	for (unsigned i = 0; i < 4; i++) {
		struct packet p = base;
		struct packet_at at;
		struct vnet vnet;
		uint32_t len;

		p.v6 = i & 1;
		p.udp = i & 2;
		p.tags = 2;
		p.ext = p.v6 ? 16 : 0;
		len = packet_build(frame, &p);
		at = packet_find(frame);
		vnet = packet_make_super(frame, len, 1000);
		for (len = 0; len <= at.payload; len++) {
			uint8_t *copy = packet_copy(frame, len);

			if (len >= at.l3 + 40)
				packet_p16(copy + at.l3 + (p.v6 ? 4 : 2),
					   len - at.l3 - (p.v6 ? 40 : 0));
			if (p.udp && len >= at.l4 + 8)
				packet_p16(copy + at.l4 + 4, len - at.l4);
			accepted += !begin(copy, len, &vnet);
			free(copy);
		}
	}
	ok_eq_int(accepted, 0, "refused: cut off anywhere in the headers");
}

static void test_headers(void)
{
	static uint8_t frame[PACKET_MAX];
	struct packet p = base;
	struct vnet vnet;
	uint32_t len;

	p.v6 = true;
	p.tags = 2;
	p.tcp_options = 40;
	p.ext = 128;
	ok(is_good(&p, 100), "headers of %u bytes", 22 + 40 + 128 + 60);
	p.ext = 136;
	len = packet_build(frame, &p);
	vnet = packet_make_super(frame, len, 100);
	ok_eq_int(begin(frame, len, &vnet), -EINVAL, "refused: headers of %u bytes",
		  22 + 40 + 136 + 60);
	p = base;
	p.tags = 3;
	len = packet_build(frame, &p);
	vnet = packet_make_super(frame, len, 100);
	ok_eq_int(begin(frame, len, &vnet), -EINVAL, "refused: three tags");
	p.tags = 0;
	len = packet_build(frame, &p);
	vnet = packet_make_super(frame, len, 100);
	/* What follows the shorter header is taken for TCP: a header of 20 bytes. */
	frame[14] = 0x44;
	frame[14 + 16 + 12] = 0x50;
	vnet.csum_start = 14 + 16;
	ok_eq_int(begin(frame, len, &vnet), -EINVAL,
		  "refused: an IPv4 header of 16 bytes, and csum_start agrees");
}

/* Whether completing gives the frame @want, and leaves the one that came as it is. */
static bool is_completed(const uint8_t *frame, uint32_t len, const struct vnet *vnet,
			 const uint8_t *want)
{
	uint8_t *copy = packet_copy(frame, len);
	const struct frame f = pieces_whole(copy, len, vnet);
	struct gso_segment s;
	bool good = !gso_complete(&s, &f) && !s.frame.vnet &&
		    pieces_are(&s.frame, want, len) && !memcmp(copy, frame, len);

	free(copy);
	return good;
}

static void test_complete(void)
{
	static uint8_t frame[PACKET_MAX], want[PACKET_MAX];
	unsigned bad = 0, len;

	for (unsigned i = 0; i < 64; i++) {
		struct packet p = base;
		struct vnet vnet;

		p.v6 = i & 1;
		p.udp = i & 2;
		p.tags = i / 4 % 3;
		p.payload = i;
		len = packet_build(want, &p);
		memcpy(frame, want, len);
		vnet = packet_make_super(frame, len, 0);
		vnet.gso_type = 0;
		bad += !is_completed(frame, len, &vnet, want);
		vnet.flags = VNET_DATA_VALID;
		bad += !is_completed(frame, len, &vnet, frame);
	}
	ok_eq_int(bad, 0, "complete: every kind; and not when it needs none");
}

/*
 * The same frame in three pieces, the first of which is a head of @head bytes, if any,
 * and the second ends at @second.
 */
static struct frame cut(const uint8_t *frame, uint32_t len, const struct vnet *vnet,
			uint32_t head, uint32_t second, struct iovec *tail)
{
	struct frame f = { .head = packet_copy(frame, head),
			   .head_len = (uint16_t)head,
			   .data = packet_copy(frame + head, second - head),
			   .tail = tail,
			   .tail_len = len - second,
			   .len = len,
			   .vnet = vnet };

	*tail = (struct iovec){ packet_copy(frame + second, len - second), len - second };
	return f;
}

/* Whether a frame cut so is split, or completed, as it is in one piece. */
static bool is_cut_alike(const uint8_t *frame, uint32_t len, const struct vnet *vnet,
			 uint32_t head, uint32_t second)
{
	struct gso_segment want, got;
	struct iovec tail;
	const struct frame whole = pieces_whole(frame, len, vnet),
			   f = cut(frame, len, vnet, head, second, &tail);
	static uint8_t bytes[PACKET_MAX];
	struct gso a, b;
	bool same = true;

	if (!vnet->gso_type) {
		same = !gso_complete(&want, &whole) && !gso_complete(&got, &f);
		pieces_join(bytes, &want.frame);
		same = same && pieces_are(&got.frame, bytes, len);
	} else {
		same = !gso_begin(&a, &whole) && !gso_begin(&b, &f) && a.n == b.n;
		while (same && gso_next(&a, &want)) {
			pieces_join(bytes, &want.frame);
			same = gso_next(&b, &got) &&
			       pieces_are(&got.frame, bytes, want.frame.len);
		}
	}
	free((void *)(uintptr_t)f.head);
	free((void *)(uintptr_t)f.data);
	free(tail.iov_base);
	return same;
}

/* At every place in its headers, and by odd numbers of bytes in its payload. */
static void test_cuts(void)
{
	static uint8_t frame[PACKET_MAX];
	unsigned wrong = 0, ways = 0;

	for (unsigned kind = 0; kind < 16; kind++) {
		struct packet p = base;
		struct vnet vnet;
		uint32_t len;

		p.v6 = kind & 1;
		p.udp = kind & 2;
		p.tags = kind & 4 ? 2 : 0;
		p.payload = 500;
		len = packet_build(frame, &p);
		vnet = packet_make_super(frame, len, 101);
		if (kind & 8)
			vnet.gso_type = VNET_GSO_NONE;
		for (uint32_t head = 0; head <= FRAME_PEEK; head++, ways += 2) {
			wrong += !is_cut_alike(frame, len, &vnet, head, head);
			wrong += !is_cut_alike(frame, len, &vnet, head,
					       head + (head * 37 + 1) % (len - head));
		}
	}
	ok_eq_int(wrong, 0, "cut into pieces, in %u ways: split and completed as ever",
		  ways);
}

/* A checksum that is farther behind than a head reaches, as behind a tunnel's options. */
static void test_complete_far(void)
{
	uint8_t frame[700], got[700];
	struct vnet vnet = { .flags = VNET_NEEDS_CSUM, .csum_start = 401 };
	struct gso_segment s;
	struct frame f;
	bool good;

	for (size_t i = 0; i < sizeof(frame); i++)
		frame[i] = (uint8_t)(i * 11);
	f = pieces_whole(frame, sizeof(frame), &vnet);
	vnet.csum_offset = 16;
	good = !gso_complete(&s, &f) && pieces_join(got, &s.frame) == sizeof(got);
	ok(good && !memcmp(got, frame, 417) && !memcmp(got + 419, frame + 419, 700 - 419),
	   "complete: far behind, only the checksum is another one");
	ok_eq_int(packet_g16(got + 417), 0xffff - packet_sum(0, frame + 401, 299),
		  "complete: and it is right");
	f.head = frame;
	f.head_len = 10;
	f.data += 10;
	ok_eq_int(gso_complete(&s, &f), -EINVAL,
		  "complete: of several pieces it is refused");
	f = pieces_whole(frame, sizeof(frame), &vnet);
	f.tail = &(struct iovec){ frame + 600, 100 };
	f.tail_len = 100;
	ok_eq_int(gso_complete(&s, &f), -EINVAL,
		  "complete: with the rest in a tail, too");
	memset(frame, 0xff, sizeof(frame));
	f = pieces_whole(frame, sizeof(frame), &vnet);
	vnet.csum_start = 400;
	ok(!gso_complete(&s, &f) && pieces_join(got, &s.frame) == sizeof(got) &&
		   !memcmp(got, frame, sizeof(got)),
	   "complete: far behind, 0 is written as 0xffff, too");
}

static void test_complete_edges(void)
{
	static const struct {
		uint16_t start, offset;
		int want;
	} cases[] = {
		{ 14, 0, 0 },
		{ 13, 0, -EINVAL },
		{ 0, 16, -EINVAL },
		{ 14, 44, 0 },
		{ 14, 45, -EINVAL },
		{ 14, 46, -EINVAL },
		{ 58, 0, 0 },
		{ 59, 0, -EINVAL },
		{ 60, 0, -EINVAL },
		{ 61, 0, -EINVAL },
		{ 65535, 0, -EINVAL },
		{ 14, 65535, -EINVAL },
		{ 65535, 65535, -EINVAL },
		{ 65535, 1, -EINVAL },
		{ 30, 28, 0 },
		{ 20, 65522, -EINVAL },
	};
	uint8_t *frame = malloc(60);
	struct gso_segment s;
	uint8_t got[60];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct vnet vnet = { .flags = VNET_NEEDS_CSUM,
				     .csum_start = cases[i].start,
				     .csum_offset = cases[i].offset };

		const struct frame f = pieces_whole(frame, 60, &vnet);

		memset(frame, 0xff, 60);
		ok_eq_int(gso_complete(&s, &f), cases[i].want,
			  "complete: 60 bytes, %u + %u", cases[i].start, cases[i].offset);
		if (cases[i].want)
			continue;
		pieces_join(got, &s.frame);
		ok_eq_int(packet_g16(got + cases[i].start + cases[i].offset), 0xffff,
			  "complete: 0 is written as 0xffff");
	}
	free(frame);
}

/* Damage: bytes anywhere, mostly in the headers; the end cut off; a random vnet header. */
static void damage(uint8_t *frame, uint32_t *len, struct vnet *vnet)
{
	uint32_t how = rnd32();

	for (uint32_t n = how % 4; n; n--) {
		uint32_t at = rnd(how & 16 ? *len : 70);

		frame[at % *len] = (uint8_t)rnd32();
	}
	if (how & 32)
		*len = rnd(*len + 1);
	if ((how & 0xc0) == 0xc0) {
		uint32_t at = rnd(VNET_BYTES);

		memset((uint8_t *)vnet + at, (int)rnd32(), 1);
	}
}

/* Whether all segments lie within the frame, and together are its payload. */
static bool is_sound(struct gso *g, const uint8_t *frame, uint32_t len)
{
	const uint8_t *due = frame + g->head_len;
	struct gso_segment s;
	unsigned n = 0;

	while (gso_next(g, &s)) {
		uint32_t payload = frame_data_len(&s.frame);

		if (s.frame.data != due || !payload || payload > g->gso_size ||
		    s.frame.head_len != g->head_len || s.frame.tail_len)
			return false;
		due += payload;
		n++;
	}
	return n == g->n && due == frame + len;
}

static void test_fuzz(void)
{
	static uint8_t frame[PACKET_MAX];
	unsigned bad = 0, taken = 0, refused = 0;

	random_begin(20);
	for (int i = 0; i < FUZZ_ROUNDS; i++) {
		uint32_t kind = rnd32(), len;
		struct packet p = base;
		struct vnet vnet;
		struct gso_segment s;
		struct frame f;
		uint8_t *copy;
		struct gso g;

		p.v6 = kind & 1;
		p.udp = kind & 2;
		p.tags = kind / 4 % 3;
		p.ext = p.v6 ? kind / 16 % 4 * 8 : 0;
		p.ip_options = p.v6 ? 0 : kind / 16 % 4 * 4;
		p.payload = 1 + kind / 64 % 200;
		len = packet_build(frame, &p);
		vnet = packet_make_super(frame, len, (uint16_t)(1 + kind / 16384 % 80));
		damage(frame, &len, &vnet);
		copy = packet_copy(frame, len);
		f = pieces_whole(copy, len, &vnet);
		if (gso_begin(&g, &f)) {
			refused++;
		} else {
			taken++;
			bad += !is_sound(&g, copy, len);
		}
		gso_complete(&s, &f);
		free(copy);
	}
	ok_eq_int(bad, 0, "damaged frames: what is split, is split soundly");
	ok(taken > FUZZ_ROUNDS / 10 && refused > FUZZ_ROUNDS / 10,
	   "damaged frames: %u taken, %u refused", taken, refused);
}

int main(void)
{
	test_kinds();
	test_flags();
	test_sizes();
	test_zero_sum();
	test_lies();
	test_truncated();
	test_headers();
	test_complete();
	test_complete_edges();
	test_complete_far();
	test_cuts();
	test_fuzz();
	return done();
}
