/* SPDX-License-Identifier: MIT */
/* recent.c: what is remembered, for how long, and at whose cost where room is short. */
#include "relay/recent.h"

#include <string.h>

#include "lib/random.h"
#include "lib/tap.h"

static struct recent r;

/* A hash of its own for each @n, all of them of one bucket. */
static uint64_t hash_of(uint32_t n)
{
	return (uint64_t)n << 32 | 5;
}

static void test_time(void)
{
	memset(&r, 0, sizeof(r));
	ok(!recent_find(&r, 0, 5), "empty: not even 0 is there");
	recent_add(&r, 77, 3, 1000);
	ok(recent_find(&r, 77, 1000), "there at once,");
	ok(recent_find(&r, 77, 1000 + RECENT_MS - 1), "and until its time is over");
	ok(!recent_find(&r, 77, 1000 + RECENT_MS), "and then no more");
	ok(!recent_find(&r, 77 | 1ull << 40, 1000), "another one of its bucket is not");
	ok_eq_int(recent_find(&r, 77, 1000)->port, 3, "its port");
	recent_add(&r, 78, 3, UINT32_MAX - 10);
	ok(recent_find(&r, 78, UINT32_MAX + 10ull), "also when the clock begins again");
}

/* Nobody has what others brought forgotten by bringing much. */
static void test_greedy(void)
{
	unsigned kept = 0;

	memset(&r, 0, sizeof(r));
	for (uint32_t n = 1; n < RECENT_WAYS; n++)
		recent_add(&r, hash_of(n), n, 1000);
	for (uint32_t n = 0; n < 10000; n++)
		recent_add(&r, hash_of(100 + n), 99, 1001);
	for (uint32_t n = 1; n < RECENT_WAYS; n++)
		kept += recent_find(&r, hash_of(n), 1001) != NULL;
	ok_eq_int(kept, RECENT_WAYS - 1, "10,000 of one port: all others' are kept");
	ok(recent_find(&r, hash_of(100 + 9999), 1001), "and its last one is");
	recent_add(&r, hash_of(50), 50, 1002);
	ok(recent_find(&r, hash_of(50), 1002), "one of yet another port has room");
	recent_add(&r, hash_of(60), 60, 1000 + RECENT_MS);
	kept = 0;
	for (uint32_t n = 0; n < 4; n++)
		kept += recent_find(&r, hash_of((uint32_t[]){ 50, 60 }[n % 2]),
				    1000 + RECENT_MS) != NULL;
	ok_eq_int(kept, 4, "what is over makes room first");
}

static void test_many(void)
{
	unsigned found = 0;

	memset(&r, 0, sizeof(r));
	random_begin(1);
	for (uint32_t n = 0; n < 400; n++) {
		uint64_t hash = (uint64_t)rnd32() << 32 | rnd32();

		recent_add(&r, hash, n, 1000 + n);
		found += recent_find(&r, hash, 1000 + n) != NULL;
	}
	ok_eq_int(found, 400,
		  "400 within half a second: each is there when it was added");
}

int main(void)
{
	test_time();
	test_greedy();
	test_many();
	return done();
}
