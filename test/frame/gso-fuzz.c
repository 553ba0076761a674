/* SPDX-License-Identifier: MIT */
/*
 * gso.c with any frame behind any virtio header: nothing is read that is not there,
 * and what is taken for a super-frame is split into segments that are, byte by
 * byte, those of another splitter.
 *
 * Input: the virtio header and the frame as they are; or what a good super-frame
 * is made of, which bytes of it are then changed, and where it is cut off.
 */
#include <errno.h>

#include "frame/gso.h"
#include "lib/fuzz-packet.h"
#include "lib/fuzz.h"
#include "lib/pieces.h"

static void check_complete(const uint8_t *frame, uint32_t len, const struct vnet *vnet)
{
	static uint8_t got[PACKET_MAX];
	const struct frame f = pieces_whole(frame, len, vnet);
	uint32_t field = (uint32_t)vnet->csum_start + vnet->csum_offset;
	struct gso_segment s;
	int ret = gso_complete(&s, &f);

	must(ret == 0 || ret == -EINVAL);
	if (ret)
		return;
	must(pieces_join(got, &s.frame) == len && !s.frame.vnet);
	for (uint32_t i = 0; i < len; i++)
		must(got[i] == frame[i] || i == field || i == field + 1);
}

/* With the sum in the checksum field that a kernel puts there. */
static void check_bytes(const uint8_t *frame, uint32_t len, const struct vnet *vnet)
{
	static uint8_t want[PACKET_MAX];
	uint8_t *copy = packet_copy(frame, len);
	const struct frame f = pieces_whole(copy, len, vnet);
	struct gso_segment s;
	struct gso g;

	packet_make_super(copy, len, vnet->gso_size);
	must(gso_begin(&g, &f) == 0);
	for (unsigned i = 0; gso_next(&g, &s); i++) {
		uint32_t n = packet_segment(want, copy, len, vnet->gso_size, i);

		must(pieces_are(&s.frame, want, n));
	}
	must(!packet_segment(want, copy, len, vnet->gso_size, g.n));
	free(copy);
}

static void check_split(const uint8_t *frame, uint32_t len, const struct vnet *vnet)
{
	const struct frame f = pieces_whole(frame, len, vnet);
	struct gso_segment s;
	struct gso g;
	uint32_t at, size;
	unsigned n = 0;
	int ret = gso_begin(&g, &f);

	must(ret == 0 || ret == -EINVAL);
	if (ret < 0)
		return;
	must(g.head_len <= GSO_HEAD_MAX && g.head_len < len && g.n);
	must(g.n <= GSO_TCP_SEGMENTS_MAX);
	must(packet_g16(frame + g.l3 + (g.is_ipv6 ? 4 : 2)) ==
	     len - g.l3 - (g.is_ipv6 ? 40 : 0));
	must(vnet->csum_start == g.l4 && vnet->flags & VNET_NEEDS_CSUM);
	for (at = g.head_len; gso_next(&g, &s); at += size, n++) {
		size = frame_data_len(&s.frame);
		must(s.frame.data == frame + at && size && size <= vnet->gso_size);
		must(size == vnet->gso_size || at + size == len);
		must(s.frame.head_len == g.head_len);
	}
	must(at == len && n == g.n);
	check_bytes(frame, len, vnet);
}

/* Cut in two behind @at bytes, as a guest's frame if that is FRAME_PEEK: all is the same. */
static void check_cut(const uint8_t *frame, uint32_t len, const struct vnet *vnet,
		      uint32_t at)
{
	static uint8_t want[PACKET_MAX];
	uint32_t head = at < len ? at : len;
	const struct frame whole = pieces_whole(frame, len, vnet),
			   f = { .head = packet_copy(frame, head),
				 .head_len = (uint16_t)head,
				 .data = packet_copy(frame + head, len - head),
				 .len = len,
				 .vnet = vnet,
				 .is_foreign = at == FRAME_PEEK };
	struct gso_segment s, t;
	struct gso a, b;

	must(gso_begin(&a, &whole) == gso_begin(&b, &f) && a.n == b.n);
	while (gso_next(&a, &s)) {
		pieces_join(want, &s.frame);
		must(gso_next(&b, &t) && pieces_are(&t.frame, want, s.frame.len));
	}
	free((void *)(uintptr_t)f.head);
	free((void *)(uintptr_t)f.data);
}

static void check(const uint8_t *frame, uint32_t len, const struct vnet *vnet)
{
	uint8_t *copy = packet_copy(frame, len);

	check_complete(copy, len, vnet);
	check_split(copy, len, vnet);
	if (len) {
		check_cut(copy, len, vnet, 1 + vnet->gso_size % (FRAME_PEEK - 1));
		check_cut(copy, len, vnet, FRAME_PEEK);
	}
	free(copy);
}

static void change(struct fuzz_input *in, uint8_t *frame, uint32_t len, struct vnet *vnet)
{
	uint8_t *header = (uint8_t *)vnet;

	while (in->left) {
		uint32_t at = fuzz_byte(in);

		if (at < sizeof(*vnet))
			header[at] = fuzz_byte(in);
		else
			frame[(at - sizeof(*vnet)) % len] = fuzz_byte(in);
	}
}

static void check_made(struct fuzz_input *in)
{
	static uint8_t frame[PACKET_MAX];
	struct packet p = fuzz_packet(in);
	uint32_t len, cut;
	struct vnet vnet;

	p.payload = (fuzz_number(in, 2) >> fuzz_byte(in) % 8) % 65400;
	len = packet_build(frame, &p);
	vnet = packet_make_super(frame, len, (uint16_t)fuzz_number(in, 2));
	cut = fuzz_byte(in);
	change(in, frame, len, &vnet);
	check(frame, cut > 200 ? len * (cut - 200) / 56 : len, &vnet);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in = { data, size };
	struct vnet vnet;

	if (fuzz_byte(&in) % 4) {
		check_made(&in);
	} else if (in.left >= sizeof(vnet)) {
		memcpy(&vnet, in.at, sizeof(vnet));
		check(in.at + sizeof(vnet), (uint32_t)(in.left - sizeof(vnet)), &vnet);
	}
	return 0;
}
