/* SPDX-License-Identifier: MIT */
/* The preamble of a trunk: to the byte as trunk.h says, and what is none. */
#include "trunk/trunk.h"

#include <errno.h>
#include <stdlib.h>

#include "base/util.h"
#include "frame/stream-layout.h"
#include "lib/random.h"
#include "lib/tap.h"

static void test_ours(void)
{
	static const uint8_t want[12] = { 0xff, 'n', 't', 'r', 0, 1, 0, 64, 0, 0, 0, 1 };
	uint8_t p[TRUNK_PREAMBLE + 1], rest = 0;
	unsigned version = 0;
	uint32_t takes = 0;

	memset(p, 0xaa, sizeof(p));
	trunk_preamble(p);
	for (size_t i = sizeof(want); i < TRUNK_PREAMBLE; i++)
		rest |= p[i];
	ok(!memcmp(p, want, sizeof(want)) && !rest && p[TRUNK_PREAMBLE] == 0xaa,
	   "ours is what version 1 has always been");
	ok(trunk_read_preamble(p, &version, &takes) == 0 && version == 1 &&
		   takes == TRUNK_TAKES_SUPER,
	   "and is understood");
}

static void test_others(void)
{
	static const struct {
		const char *what;
		unsigned at;
		uint8_t value;
		int want;
		unsigned version;
	} cases[] = {
		{ "another magic", 0, 0x7f, -EPROTO, 1 },
		{ "another magic", 3, 's', -EPROTO, 1 },
		{ "version 0", 5, 0, -EPROTO, 0 },
		{ "version 2", 5, 2, -EPROTO, 2 },
		{ "version 257", 4, 1, -EPROTO, 257 },
		{ "a shorter one", 7, 12, -EPROTO, 1 },
		{ "a longer one", 6, 1, -EPROTO, 1 },
		{ "one who takes what we don't know", 8, 0xff, 0, 1 },
		{ "one with keys", 12, 0xff, 0, 1 },
		{ "one with keys", 63, 0xff, 0, 1 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		uint8_t p[TRUNK_PREAMBLE];
		unsigned version = 99;
		uint32_t takes;

		trunk_preamble(p);
		p[cases[i].at] = cases[i].value;
		ok_eq_int(trunk_read_preamble(p, &version, &takes), cases[i].want,
			  "%s, byte %u", cases[i].what, cases[i].at);
		ok_eq_int(version, cases[i].version, "%s: its version", cases[i].what);
	}
}

static void test_magic(void)
{
	ok(TRUNK_MAGIC & LAYOUT_VNET_BIT, "the magic is no length of QEMU's");
	ok((TRUNK_MAGIC & ~LAYOUT_VNET_BIT) > VNET_BYTES + FRAME_MAX,
	   "and on a trunk no super-frame's either");
}

/* Whatever comes, nothing is read behind it, and no more than one bit is believed. */
static void test_noise(void)
{
	uint8_t *p = malloc(TRUNK_PREAMBLE);
	unsigned good = 0, version;
	uint32_t takes;

	random_begin(1);
	for (int i = 0; i < 100000; i++) {
		rnd_bytes(p, TRUNK_PREAMBLE);
		good += trunk_read_preamble(p, &version, &takes) == 0;
	}
	ok_eq_int(good, 0, "noise is no preamble");
	free(p);
}

int main(void)
{
	test_ours();
	test_others();
	test_magic();
	test_noise();
	return done();
}
