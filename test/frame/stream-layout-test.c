/* SPDX-License-Identifier: MIT */
/*
 * stream-layout.c: batches of all kinds of frames, laid out in all the ways they come,
 * against the bytes that they should be, put one behind the other by a few
 * simple lines. Which pieces those bytes are in is checked, too: few, and in
 * place, is what it is for.
 */
#include "frame/stream-layout.h"

#include <limits.h>
#include <stdlib.h>

#include "base/util.h"
#include "lib/bytes.h"
#include "lib/random.h"
#include "lib/tap.h"

#define BYTES_MAX ((size_t)BATCH_MAX * (FRAME_MAX + LAYOUT_PREFIX + VNET_BYTES))
#define GAP_MAX 3

/* How a frame comes. */
enum kind { AT_ONCE, HAS_WORD, SPLIT, SUPER, SUPER_HAS_WORD, KINDS };

static struct frame frames[BATCH_MAX];
static struct vnet vnets[BATCH_MAX];
static uint8_t heads[BATCH_MAX][100];
static uint8_t *buf, *got;
static size_t used;
static struct bytes want;
static struct layout_pieces wire;

static uint32_t rnd_len(void)
{
	switch (rnd(8)) {
	case 0:
		return FRAME_HEADER + rnd(FRAME_MAX + 1 - FRAME_HEADER);
	case 1:
	case 2:
		return FRAME_HEADER + rnd(FRAME_PAD + 2 - FRAME_HEADER);
	default:
		return FRAME_HEADER + rnd(1501);
	}
}

static uint32_t least = FRAME_PAD; /* what frames are padded to */

static void append_wanted(const struct frame *f)
{
	static const uint8_t zeros[FRAME_PAD];
	uint32_t len = f->len, padded = len < least ? least : len;

	bytes_append_word(&want, f->vnet ? 0x80000000u | (padded + 10) : padded);
	if (f->vnet) {
		/* Little-endian, field by field. */
		const struct vnet *v = f->vnet;
		const uint8_t le[VNET_BYTES] = {
			v->flags,
			v->gso_type,
			(uint8_t)v->hdr_len,
			(uint8_t)(v->hdr_len >> 8),
			(uint8_t)v->gso_size,
			(uint8_t)(v->gso_size >> 8),
			(uint8_t)v->csum_start,
			(uint8_t)(v->csum_start >> 8),
			(uint8_t)v->csum_offset,
			(uint8_t)(v->csum_offset >> 8),
		};

		bytes_append(&want, le, sizeof(le));
	}
	if (f->head_len)
		bytes_append(&want, f->head, f->head_len);
	bytes_append(&want, f->data, len - f->head_len);
	bytes_append(&want, zeros, padded - len);
}

/* A frame made up in the buffer, @gap bytes behind the last one. */
static void lay_out(unsigned i, enum kind kind, uint32_t len, uint32_t gap)
{
	struct frame *f = &frames[i];
	uint8_t *at = buf + used + gap;

	*f = (struct frame){ .len = len };
	if (kind == SUPER || kind == SUPER_HAS_WORD) {
		vnets[i] = (struct vnet){ 1, 4, (uint16_t)rnd(65536), 1448, 54, 16 };
		f->vnet = &vnets[i];
	}
	if (kind == HAS_WORD || kind == SUPER_HAS_WORD) {
		f->layout = LAYOUT_STREAM;
		f->gap = layout_prefix_len(f);
		put_be32(at, layout_word(f, len));
		at += LAYOUT_PREFIX;
		if (f->vnet) {
			memcpy(at, f->vnet, VNET_BYTES);
			f->vnet = (const struct vnet *)at;
			at += VNET_BYTES;
		}
	}
	for (uint32_t k = 0; k < len; k += 1 + k / 16)
		at[k] = (uint8_t)(i + k);
	f->data = at;
	if (kind == SPLIT) {
		f->head_len = (uint16_t)(1 + rnd(len <= 100 ? len - 1 : 100));
		memset(heads[i], (int)i + 1, f->head_len);
		f->head = heads[i];
		f->data += f->head_len;
	}
	used = (size_t)(at + len - buf);
}

static void fresh(void)
{
	used = want.len = 0;
	wire.n = 0;
}

/* Whether the pieces together are what is wanted, from byte @skip on. */
static bool is_right(size_t skip)
{
	size_t n = 0;

	for (unsigned i = 0; i < wire.n; i++) {
		memcpy(got + n, wire.iov[i].iov_base, wire.iov[i].iov_len);
		n += wire.iov[i].iov_len;
	}
	return n == want.len - skip && memcmp(got, want.at + skip, n) == 0;
}

static void test_each(void)
{
	static const uint32_t lens[] = { 14, 15, 59, 60, 61, 1514, 65549, FRAME_MAX };

	for (unsigned kind = 0; kind < KINDS; kind++) {
		bool good = true;

		for (size_t i = 0; i < ARRAY_SIZE(lens); i++) {
			fresh();
			lay_out(0, kind, lens[i], 0);
			append_wanted(&frames[0]);
			layout_add_frames(&wire, frames, 1, least);
			good &= is_right(0) && want.len == layout_size(&frames[0], least);
		}
		ok(good, "a frame of kind %u, of each length, padded to %u", kind, least);
	}
}

static void test_pieces(void)
{
	fresh();
	for (unsigned i = 0; i < BATCH_MAX; i++)
		lay_out(i, i % 3 ? HAS_WORD : SUPER_HAS_WORD, 60 + i, 0);
	layout_add_frames(&wire, frames, BATCH_MAX, FRAME_PAD);
	/* Elsewhere each header of a super-frame is turned round, so it is a piece of its own. */
	ok(!VNET_IS_LITTLE_ENDIAN || (wire.n == 1 && wire.iov[0].iov_base == buf &&
				      wire.iov[0].iov_len == used),
	   "frames that lie one behind the other are one piece, super-frames or not");

	fresh();
	for (unsigned i = 0; i < 6; i++)
		lay_out(i, HAS_WORD, i == 3 ? 59 : 100, i == 1);
	for (unsigned i = 0; i < 6; i++)
		append_wanted(&frames[i]);
	layout_add_frames(&wire, frames, 6, FRAME_PAD);
	/* 0 | 1 2 | word, 3, padding | 4 5 */
	ok(wire.n == 6 && is_right(0), "a gap, or padding, breaks the run");

	fresh();
	for (unsigned i = 0; i < BATCH_MAX; i++)
		lay_out(i, SPLIT, FRAME_HEADER + 1, 0);
	layout_add_frames(&wire, frames, BATCH_MAX, FRAME_PAD);
	ok(wire.n <= LAYOUT_PIECES - 1 && wire.n == 4 * BATCH_MAX &&
		   LAYOUT_PIECES <= IOV_MAX,
	   "a batch of frames in two pieces, padded, has room beside a hello");
}

/* A list that is full takes whole frames only, and at least one whatever it has to be. */
static void test_many_pieces(void)
{
	enum { PADDED = FRAME_PIECES_MAX + 1 };
	struct iovec tail[FRAME_PIECES_MAX - 1];
	unsigned n, wrong = 0;

	fresh();
	for (unsigned k = 0; k < ARRAY_SIZE(tail); k++)
		tail[k] = (struct iovec){ buf + k, 1 };
	for (unsigned i = 0; i < BATCH_MAX; i++)
		frames[i] = (struct frame){ .data = buf,
					    .len = 1 + (uint32_t)ARRAY_SIZE(tail),
					    .tail = tail,
					    .tail_len = (uint32_t)ARRAY_SIZE(tail) };
	layout_add(&wire, buf, 1);
	wrong += layout_add_frames(&wire, frames, 1, PADDED) != 1 ||
		 wire.n != 1 + FRAME_PIECES_MAX + 2;
	n = 1 + layout_add_frames(&wire, frames + 1, BATCH_MAX - 1, PADDED);
	wrong += n != (LAYOUT_PIECES - 1) / (FRAME_PIECES_MAX + 2) ||
		 wire.n != 1 + n * (FRAME_PIECES_MAX + 2);
	ok_eq_int(wrong, 0, "of frames of %u pieces %u have room", FRAME_PIECES_MAX, n);
}

/* @n pieces of a byte are listed. */
static void fill(unsigned n)
{
	fresh();
	while (wire.n < n)
		layout_add(&wire, &got[wire.n], 1);
}

/* What has no room is left out, and what needs no piece of its own has room. */
static void test_full(void)
{
	static const enum kind ways[] = { AT_ONCE, SPLIT, SUPER };
	uint8_t *end;

	for (unsigned left = 0; left < 2; left++) {
		for (unsigned i = 0; i < ARRAY_SIZE(ways); i++) {
			fill(LAYOUT_PIECES - left);
			lay_out(0, ways[i], 100, 0);
			ok(layout_add_frames(&wire, frames, 1, FRAME_PAD) == 0 &&
				   wire.n == LAYOUT_PIECES - left,
			   "room for %u pieces, and a frame of kind %u", left, ways[i]);
		}
	}
	fill(LAYOUT_PIECES - 1);
	for (unsigned i = 0; i < 4; i++)
		lay_out(i, HAS_WORD, 100, i == 3);
	end = buf + 3 * (LAYOUT_PREFIX + 100);
	ok_eq_int(layout_add_frames(&wire, frames, 4, FRAME_PAD), 3,
		  "room for one piece, and four frames, a gap before the last");
	ok(wire.n == LAYOUT_PIECES && (uint8_t *)wire.iov[wire.n - 1].iov_base +
						      wire.iov[wire.n - 1].iov_len ==
					      end,
	   "three are the last piece");
}

static void test_random(uint64_t seed)
{
	unsigned wrong = 0, skips = 0;

	random_begin(seed);
	for (int round = 0; round < 150; round++) {
		unsigned n = 1 + rnd(round % 2 ? 6 : BATCH_MAX);
		uint8_t hello[64] = { 0xff, 1, 2, 3 };
		size_t skip;

		fresh();
		if (rnd(3) == 0) {
			layout_add(&wire, hello, sizeof(hello));
			bytes_append(&want, hello, sizeof(hello));
		}
		for (unsigned i = 0; i < n; i++) {
			lay_out(i, rnd(KINDS), rnd_len(), rnd(4) ? 0 : rnd(GAP_MAX));
			append_wanted(&frames[i]);
		}
		layout_add_frames(&wire, frames, n, FRAME_PAD);
		wrong += !is_right(0);
		/* In two or three steps, as writev() may take it. */
		skip = rnd(2) ? rnd(200) : rnd((uint32_t)want.len);
		skip = skip > want.len ? want.len : skip;
		layout_skip(&wire, skip);
		wrong += !is_right(skip);
		skips += skip > 0;
		layout_skip(&wire, want.len - skip);
		wrong += !is_right(want.len);
	}
	ok(!wrong && skips, "seed %d: the same bytes, and the same when some are sent",
	   (int)seed);
}

int main(void)
{
	buf = malloc(BYTES_MAX + BATCH_MAX * GAP_MAX);
	got = malloc(BYTES_MAX + 64);
	test_each();
	least = 0;
	test_each();
	least = FRAME_PAD;
	test_pieces();
	test_many_pieces();
	test_full();
	for (uint64_t seed = 1; seed <= 4; seed++)
		test_random(seed);
	free(buf);
	bytes_free(&want);
	free(got);
	return done();
}
