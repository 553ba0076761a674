/* SPDX-License-Identifier: MIT */
/*
 * Random numbers for tests: the same every time, from a seed that is shown with each
 * check that fails. TEST_SEED=N in the environment makes them others.
 */
#ifndef LIB_RANDOM_H
#define LIB_RANDOM_H

#include <stdint.h>
#include <stdlib.h>

#include "lib/tap.h"

static uint64_t random_state = 1;

/* random_begin() - Start again, from @seed. */
static inline void random_begin(uint64_t seed)
{
	const char *other = getenv("TEST_SEED");

	tap.has_seed = true;
	tap.seed = seed;
	/* The finaliser of MurmurHash3, for small seeds are much alike. */
	seed = (seed + (other ? strtoull(other, NULL, 0) << 32 : 0)) + 1;
	seed = (seed ^ seed >> 33) * 0xff51afd7ed558ccdu;
	seed = (seed ^ seed >> 33) * 0xc4ceb9fe1a85ec53u;
	random_state = seed ^ seed >> 33;
}

/* rnd32() - Any number; xorshift64*. */
static inline uint32_t rnd32(void)
{
	random_state ^= random_state >> 12;
	random_state ^= random_state << 25;
	random_state ^= random_state >> 27;
	return (uint32_t)(random_state * 0x2545f4914f6cdd1d >> 32);
}

/* rnd() - One from 0 to @below - 1. */
static inline uint32_t rnd(uint32_t below)
{
	return rnd32() % below;
}

/* rnd_bytes() - Fill @data with noise. */
static inline void rnd_bytes(uint8_t *data, size_t len)
{
	while (len--)
		*data++ = (uint8_t)rnd32();
}

#endif
