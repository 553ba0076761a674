/* SPDX-License-Identifier: MIT */
/*
 * Records cut off a stream's bytes, which arrive in pieces cut anywhere, against the
 * list of what was put into them.
 */
#include "trunk/deframer.h"

#include <errno.h>
#include <stdlib.h>

#include "frame/run.h"
#include "lib/bytes.h"
#include "lib/fault.h"
#include "lib/random.h"
#include "lib/tap.h"

#define SIZE (DEFRAMER_PARTIAL_MAX + 20000)

static const uint8_t hello[TRUNK_HELLO_BYTES] = { 0xff, 'n', 't', 'r', 0, 1,
						  0,	64,  0,	  0,   0, 1 };

/* @all: the stream; @at: what of it has arrived; @got: records that came out */
static struct {
	struct deframer d;
	struct trunk t;
	struct bytes all, got;
	size_t at;
	uint8_t *buf;
	unsigned hellos, rests;
	bool is_bad;
} rig;

static void begin(enum trunk_state state)
{
	deframer_reset(&rig.d);
	rig.t = (struct trunk){ .state = state };
	rig.got.len = rig.at = 0;
	rig.hellos = rig.rests = 0;
	rig.is_bad = false;
}

static void put(uint32_t word, size_t len)
{
	bytes_append_word(&rig.all, word);
	rnd_bytes(bytes_room(&rig.all, len), len);
}

/* As much of the stream as fits the pieces, but for what is behind @end. */
static size_t arrive(const struct iovec *iov, int n, size_t end)
{
	size_t done = 0;

	for (int i = 0; i < n; i++) {
		size_t now = min_size(iov[i].iov_len, end - rig.at);

		memcpy(iov[i].iov_base, rig.all.at + rig.at, now);
		rig.at += now;
		done += now;
	}
	return done;
}

static void see(struct frame run)
{
	for (;; run = run_next(&run)) {
		struct frame f = run_first(&run);

		bytes_append_word(&rig.got, layout_word(&f, f.len));
		if (f.vnet) {
			struct vnet v = *f.vnet;

			vnet_swap(&v);
			bytes_append(&rig.got, &v, VNET_BYTES);
		}
		bytes_append(&rig.got, f.data, f.len);
		if (!run.n_more)
			return;
	}
}

/* Return: whether another one may be there. */
static bool take_one(size_t end)
{
	struct iovec rest;
	struct frame f;

	switch (deframer_next(&rig.d, &rig.t, &f)) {
	case DEFRAMED_FRAMES:
		see(f);
		return true;
	case DEFRAMED_HELLO:
		bytes_append(&rig.got, f.data, f.len);
		rig.hellos++;
		rig.t.state = TRUNK_ESTABLISHED;
		return true;
	case DEFRAMED_BAD:
		rig.is_bad = true;
		return false;
	case DEFRAMED_NONE:
		break;
	}
	if (!deframer_rest(&rig.d, &rest))
		return false;
	rig.rests++;
	rig.d.end += arrive(&rest, 1, end);
	return true;
}

/* All up to @end has arrived: receive until nothing is left. */
static void receive(size_t end)
{
	while (rig.at < end && !rig.is_bad) {
		struct iovec iov[2];
		int n = deframer_room(&rig.d, rig.buf, SIZE, iov);

		deframer_received(&rig.d, rig.buf, SIZE, arrive(iov, n, end));
		while (take_one(end))
			;
		if (rig.is_bad)
			return;
		deframer_keep(&rig.d);
		/* It is somebody else's now. */
		memset(rig.buf, 0xee, SIZE + DEFRAMER_PARTIAL_MAX);
	}
}

/* ---- tests ---- */

static void test_every_cut(void)
{
	unsigned wrong = 0, ways = 0;

	rig.all.len = 0;
	put(60, 60);
	bytes_append(&rig.all, hello, sizeof(hello));
	put(LAYOUT_VNET_BIT | 30, 30);
	put(0, 0);
	put(61, 61);
	put(61, 61);
	put(LAYOUT_VNET_BIT | VNET_BYTES, VNET_BYTES);
	put(13, 13);
	for (size_t i = 0; i <= rig.all.len; i++) {
		for (size_t j = i; j <= rig.all.len; j++, ways++) {
			begin(TRUNK_HELLO_SENT);
			receive(i);
			receive(j);
			receive(rig.all.len);
			wrong += !bytes_same(&rig.got, &rig.all) || rig.hellos != 1 ||
				 rig.d.n_partial;
		}
	}
	ok_eq_int(wrong, 0, "records in three pieces, cut in each of %u ways", ways);
}

/* The rest of a long record is received right behind its beginning. */
static void test_no_copy(void)
{
	struct iovec iov[2];

	rig.all.len = 0;
	put(60, 60);
	put(1000, 1000);
	begin(TRUNK_NONE);
	receive(500);
	ok(deframer_room(&rig.d, rig.buf, SIZE, iov) == 2 &&
		   iov[0].iov_base == rig.d.partial + 436 && iov[0].iov_len == 568 &&
		   iov[1].iov_base == rig.buf && iov[1].iov_len == SIZE - 1004,
	   "a record of which 436 bytes of 1,004 are there");
	receive(600);
	ok(rig.d.n_partial == 536 && rig.d.missing == 468, "and 100 more");
}

static void test_random(uint64_t seed)
{
	random_begin(seed);
	begin(TRUNK_ESTABLISHED);
	rig.all.len = 0;
	for (unsigned i = 0; i < 300; i++) {
		uint32_t len = rnd(rnd(4) ? 1515 : FRAME_MAX + 1);

		if (rnd(2))
			put(len, len);
		else
			put(LAYOUT_VNET_BIT | (len + VNET_BYTES), len + VNET_BYTES);
	}
	while (rig.at < rig.all.len && !rig.is_bad)
		receive(min_size(rig.at + 1 + rnd(rnd(2) ? 100 : 300000), rig.all.len));
	ok(bytes_same(&rig.got, &rig.all) && !rig.d.n_partial,
	   "records of all kinds come out as they were");
	ok(rig.rests, "and some had their rest received at once");
}

static void test_bad(void)
{
	static const struct {
		enum trunk_state state;
		uint32_t word;
		bool is_good;
	} cases[] = {
		{ TRUNK_NONE, FRAME_MAX, true },
		{ TRUNK_NONE, FRAME_MAX + 1, false },
		{ TRUNK_NONE, LAYOUT_VNET_BIT | 100, false },
		{ TRUNK_NONE, TRUNK_MAGIC, false },
		{ TRUNK_HELLO_SENT, LAYOUT_VNET_BIT | 100, false },
		{ TRUNK_HELLO_SENT, TRUNK_MAGIC, true },
		{ TRUNK_HELLO_EXPECTED, LAYOUT_VNET_BIT | 100, false },
		{ TRUNK_HELLO_EXPECTED, TRUNK_MAGIC, true },
		{ TRUNK_HELLO_EXPECTED, FRAME_MAX + 1, false },
		{ TRUNK_ESTABLISHED, TRUNK_MAGIC, false },
		{ TRUNK_ESTABLISHED, LAYOUT_VNET_BIT | VNET_BYTES, true },
		{ TRUNK_ESTABLISHED, LAYOUT_VNET_BIT | (VNET_BYTES - 1), false },
		{ TRUNK_ESTABLISHED, LAYOUT_VNET_BIT | (VNET_BYTES + FRAME_MAX), true },
		{ TRUNK_ESTABLISHED, LAYOUT_VNET_BIT | (VNET_BYTES + FRAME_MAX + 1),
		  false },
		{ TRUNK_ESTABLISHED, FRAME_MAX + 1, false },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		rig.all.len = 0;
		put(cases[i].word, 0);
		begin(cases[i].state);
		receive(3);
		ok(!rig.is_bad, "case %zu: three bytes are not judged", i);
		receive(4);
		ok(rig.is_bad == !cases[i].is_good &&
			   (!rig.is_bad || (deframer_left(&rig.d) == 4 &&
					    get_be32(rig.d.next) == cases[i].word)),
		   "case %zu: prefix %08x in state %d", i, cases[i].word, cases[i].state);
	}
}

/* All that there was room for has come, and the beginning of a record, soon copied. */
static void test_short_rest(void)
{
	struct iovec iov[2];
	struct frame f;

	rig.all.len = 0;
	put(FRAME_MAX, FRAME_MAX);
	put(SIZE - FRAME_MAX - 3 * LAYOUT_PREFIX - 100,
	    SIZE - FRAME_MAX - 3 * LAYOUT_PREFIX - 100);
	put(1000, 1000);
	begin(TRUNK_NONE);
	deframer_received(&rig.d, rig.buf, SIZE,
			  arrive(iov, deframer_room(&rig.d, rig.buf, SIZE, iov), SIZE));
	while (deframer_next(&rig.d, &rig.t, &f) == DEFRAMED_FRAMES)
		;
	ok_eq_int(deframer_left(&rig.d), LAYOUT_PREFIX + 100,
		  "a little of a record is left");
	ok(!deframer_rest(&rig.d, iov), "which is not worth a system call");
}

static void test_no_memory(void)
{
	struct deframer d = { 0 };

	fault_arm(FAULT_mmap, 1, ENOMEM);
	ok_eq_int(deframer_init(&d), -ENOMEM, "no memory");
	ok(fault_disarm() && !d.partial, "and nothing to be freed");
	deframer_free(&d);
}

int main(void)
{
	rig.buf = malloc(SIZE + DEFRAMER_PARTIAL_MAX);
	if (!rig.buf || deframer_init(&rig.d) < 0)
		abort();
	test_every_cut();
	test_no_copy();
	for (uint64_t seed = 1; seed <= 4; seed++)
		test_random(seed);
	test_bad();
	test_short_rest();
	test_no_memory();
	deframer_free(&rig.d);
	bytes_free(&rig.all);
	bytes_free(&rig.got);
	free(rig.buf);
	return done();
}
