/* SPDX-License-Identifier: MIT */
/* frame.c: a frame cut in every way into up to four pieces, each in memory of just its size. */
#include "frame/frame.h"

#include <stdlib.h>

#include "lib/pieces.h"
#include "lib/random.h"
#include "lib/tap.h"

#define LEN 40u
#define TAILS 3

static uint8_t bytes[FRAME_MAX];

/* Bytes @from to @to of the frame, in memory of their own. */
static uint8_t *piece(uint32_t from, uint32_t to)
{
	return packet_copy(bytes + from, to - from);
}

/* @cuts: where the data begins, and the pieces of the tail, up to TAILS; @len is the last */
static struct frame make(const uint32_t *cuts, uint32_t len, struct iovec *tail)
{
	struct frame f = { .len = len, .head_len = (uint16_t)cuts[0] };

	f.head = cuts[0] ? piece(0, cuts[0]) : NULL;
	f.data = piece(cuts[0], cuts[1]);
	f.tail = tail;
	f.tail_len = len - cuts[1];
	for (unsigned i = 0; i < TAILS; i++) {
		uint32_t end = i + 1 < TAILS ? cuts[2 + i] : len;

		tail[i] = (struct iovec){ piece(cuts[1 + i], end), end - cuts[1 + i] };
	}
	return f;
}

static void unmake(const struct frame *f, const struct iovec *tail)
{
	free((void *)(uintptr_t)f->head);
	free((void *)(uintptr_t)f->data);
	for (unsigned i = 0; i < TAILS; i++)
		free(tail[i].iov_base);
}

static unsigned count_wrong_peeks(const struct frame *f)
{
	unsigned wrong = 0;
	uint8_t room[LEN + 1];

	for (uint32_t n = 1; n <= LEN; n++) {
		const uint8_t *at = frame_peek(f, n, room);

		wrong += !at || memcmp(at, bytes, n) != 0;
		/* No copy where there is one piece. */
		wrong += n <= f->head_len && at != f->head;
		wrong += !f->head_len && n <= frame_data_len(f) && at != f->data;
	}
	return wrong + (frame_peek(f, LEN + 1, room) != NULL);
}

static unsigned count_wrong_parts(const struct frame *f)
{
	uint32_t from = rnd(LEN), n = 1 + rnd(LEN - from);
	uint8_t *copy = malloc(n);
	struct frame part;
	unsigned wrong;

	frame_copy(copy, f, from, n);
	wrong = memcmp(copy, bytes + from, n) != 0;
	free(copy);
	from = f->head_len + rnd(LEN - f->head_len);
	n = rnd(LEN + 1 - from);
	frame_part(&part, f, from, n);
	return wrong + !pieces_are(&part, bytes + from, n) + (part.head_len != 0);
}

static unsigned count_wrong_pieces(const struct frame *f)
{
	struct iovec iov[FRAME_PIECES_MAX];
	unsigned n = frame_pieces(f, iov, FRAME_PIECES_MAX), wrong = !n;
	uint32_t at = 0;

	for (unsigned i = 0; i < n; i++) {
		wrong += !iov[i].iov_len ||
			 memcmp(iov[i].iov_base, bytes + at, iov[i].iov_len) != 0;
		at += (uint32_t)iov[i].iov_len;
	}
	return wrong + (at != LEN) + (frame_pieces(f, iov, n) != n) +
	       (frame_pieces(f, iov, n - 1) != 0);
}

static void test_all_ways(void)
{
	unsigned wrong = 0, ways = 0;
	struct iovec tail[TAILS];
	uint32_t c[4];

	random_begin(1);
	for (c[0] = 0; c[0] < LEN; c[0]++) {
		for (c[1] = c[0]; c[1] <= LEN; c[1]++) {
			struct frame f;

			c[2] = c[1] + rnd(LEN + 1 - c[1]);
			c[3] = c[2] + rnd(LEN + 1 - c[2]);
			f = make(c, LEN, tail);
			wrong += count_wrong_peeks(&f) + count_wrong_parts(&f) +
				 count_wrong_pieces(&f);
			ways++;
			unmake(&f, tail);
		}
	}
	ok(!wrong, "cut in %u ways: peek, copy, part and pieces", ways);
}

/* Only of what is in the head there is anything to see. */
static void test_foreign(void)
{
	uint8_t room[FRAME_PEEK + 1];
	struct frame f = { .head = bytes,
			   .head_len = FRAME_PEEK,
			   .data = NULL,
			   .len = 1000,
			   .is_foreign = true };

	ok(frame_peek(&f, 1, room) == bytes && frame_peek(&f, FRAME_PEEK, room) == bytes,
	   "foreign: headers are seen in the head");
	ok(!frame_peek(&f, FRAME_PEEK + 1, room), "foreign: and nothing behind it");
	f.len = f.head_len = 60;
	ok(frame_peek(&f, 60, room) == bytes && !frame_peek(&f, 61, room),
	   "foreign: nor behind a short one's end");
	ok_eq_int(frame_peek_len(&f), 60, "all of a short frame may be seen");
	f.len = 1000;
	ok_eq_int(frame_peek_len(&f), FRAME_PEEK, "and so much of a long one");
}

/* The frame's length says where it ends, not its last piece. */
static void test_long_tail(void)
{
	const struct iovec tail[] = { { bytes + 20, 0 }, { bytes + 20, 80 } };
	const struct frame f = { .data = bytes, .len = 50, .tail = tail, .tail_len = 30 };
	struct iovec iov[4];
	struct frame part;

	ok(frame_pieces(&f, iov, 4) == 2 && iov[1].iov_len == 30,
	   "a piece that is longer than the frame needs is cut; an empty one is left out");
	frame_part(&part, &f, 10, 15);
	ok(frame_data_len(&part) == 10 && part.tail_len == 5 &&
		   frame_pieces(&part, iov, 4) == 2 && iov[1].iov_len == 5,
	   "so is one of a part");
}

int main(void)
{
	rnd_bytes(bytes, sizeof(bytes));
	test_all_ways();
	test_foreign();
	test_long_tail();
	return done();
}
