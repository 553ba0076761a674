/* SPDX-License-Identifier: MIT */
/*
 * byte-ring.c against a long array of what was put in, and two indexes into it.
 * Random histories with fixed seeds, over several sizes; and memory that was
 * used once is given back.
 */
#include "base/byte-ring.h"

#include <stdbool.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/util.h"
#include "lib/random.h"
#include "lib/tap.h"

#define MODEL_BYTES ((size_t)8 << 20)
#define STEPS 20000

static uint8_t model[MODEL_BYTES];
static size_t put, taken;

/* Whether what is in it is what the model says. */
static bool same(const struct byte_ring *r)
{
	struct iovec iov[2];

	byte_ring_peek(r, iov);
	return r->bytes == put - taken && iov[0].iov_len + iov[1].iov_len == r->bytes &&
	       !memcmp(iov[0].iov_base, model + taken, iov[0].iov_len) &&
	       !memcmp(iov[1].iov_base, model + taken + iov[0].iov_len, iov[1].iov_len);
}

static bool add(struct byte_ring *r, size_t len)
{
	uint8_t *at = byte_ring_add(r, len);

	if (!at)
		return false;
	for (size_t i = 0; i < len; i++)
		at[i] = model[put + i] = (uint8_t)rnd(256);
	put += len;
	return true;
}

static void drop(struct byte_ring *r, size_t n)
{
	byte_ring_drop(r, n);
	taken += n;
}

static void test_random(uint64_t seed, size_t size, uint32_t piece)
{
	bool good = true;
	unsigned full = 0, empty = 0;
	struct byte_ring r;

	random_begin(seed);
	put = taken = 0;
	if (byte_ring_init(&r, size) < 0)
		exit(1);
	for (int i = 0; i < STEPS && good; i++) {
		/* It fills and empties by turns. */
		bool adds = rnd(100) < (i / 500 % 2 ? 70u : 30u);

		if (put + piece > MODEL_BYTES)
			break;
		if (adds && !add(&r, 1 + rnd(piece)))
			full++;
		else if (!adds && r.bytes)
			drop(&r, 1 + rnd((uint32_t)min_size(r.bytes, piece)));
		empty += !r.bytes;
		good = same(&r);
	}
	ok(good && full && empty, "seed %d: %zu bytes in pieces up to %u, full %u times",
	   (int)seed, size, piece, full);
	byte_ring_free(&r);
}

/* Short of the space that a piece did not fit into, all of it can be used. */
static void test_full(void)
{
	struct byte_ring r;
	unsigned n = 0;

	put = taken = 0;
	byte_ring_init(&r, 4096);
	ok(!byte_ring_add(&r, 4097), "what is larger than it never fits");
	while (add(&r, 100))
		n++;
	ok_eq_int(n, 40, "pieces of 100 bytes fit 40 times into 4096");
	drop(&r, 250);
	ok(add(&r, 100) && add(&r, 100) && !add(&r, 100) && add(&r, 50),
	   "what was taken can be used again");
	ok(!add(&r, 1) && same(&r), "to the last byte");
	drop(&r, r.bytes);
	ok(add(&r, 4096) && same(&r), "and all of it once it is empty");
	byte_ring_free(&r);
}

static size_t resident(const struct byte_ring *r)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE), n = 0;
	unsigned char *vec = malloc(r->size / page);

	mincore(r->buf, r->size, vec);
	for (size_t i = 0; i < r->size / page; i++)
		n += vec[i] & 1;
	free(vec);
	return n * page;
}

static void test_memory(void)
{
	struct byte_ring r;

	put = taken = 0;
	byte_ring_init(&r, (size_t)4 << 20);
	ok_eq_int(resident(&r), 0, "none of it is resident at first");
	while (add(&r, 1500))
		;
	ok(resident(&r) > r.size - (r.size >> 4), "all of it is when it is full");
	drop(&r, r.bytes);
	ok(resident(&r) <= (size_t)64 << 10, "and it is given back when it is empty");
	byte_ring_free(&r);
}

int main(void)
{
	test_full();
	for (uint64_t seed = 1; seed <= 8; seed++)
		test_random(seed, (size_t)(1000 * seed * seed), (uint32_t)(100 * seed));
	test_random(9, 64, 64);
	test_memory();
	return done();
}
