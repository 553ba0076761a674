/* SPDX-License-Identifier: MIT */
/*
 * csum.c against sums made byte by byte: all lengths up to a few unrolled rounds,
 * at every alignment, in pieces, and where carries run over. And the examples of
 * RFC 1071 and of a real header.
 */
#include "frame/csum.h"

#include <string.h>

#include "base/util.h"
#include "frame/frame.h"
#include "lib/packet.h"
#include "lib/random.h"
#include "lib/tap.h"

/* What a sum would be stored as, in network order. */
static uint32_t stored(uint64_t sum)
{
	uint16_t folded = csum_fold(sum);
	uint8_t bytes[2];

	memcpy(bytes, &folded, 2);
	return packet_g16(bytes);
}

static void test_known(void)
{
	/* RFC 1071, 3: the sum is ddf2. */
	static const uint8_t rfc[] = { 0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7 };
	static const uint8_t ip[] = { 0x45, 0x00, 0x00, 0x73, 0x00, 0x00, 0x40,
				      0x00, 0x40, 0x11, 0xb8, 0x61, 0xc0, 0xa8,
				      0x00, 0x01, 0xc0, 0xa8, 0x00, 0xc7 };
	static const uint8_t odd[] = { 0x12 };

	ok_eq_int(stored(csum_add(0, rfc, sizeof(rfc))), 0xddf2, "RFC 1071's example");
	ok_eq_int(stored(csum_add(0, ip, sizeof(ip))), 0xffff, "a good IPv4 header");
	ok_eq_int(stored(csum_add(0, odd, 1)), 0x1200, "an odd byte is padded behind");
	ok_eq_int(stored(csum_add(0, odd, 0)), 0, "nothing");
}

static bool is_same(const uint8_t *p, size_t len, uint64_t start)
{
	uint32_t want = packet_sum(stored(start), p, (uint32_t)len);

	/* 0 and 0xffff are one number, but only a sum of nothing is 0. */
	return stored(csum_add(start, p, len)) == want;
}

static void test_lengths(uint8_t byte, const char *name)
{
	static const uint64_t starts[] = {
		0, 1, 0xffff, UINT64_MAX, UINT64_MAX - 1, 0xffffffff00000000
	};
	uint8_t buf[320];
	unsigned bad = 0;

	random_begin(42);
	for (size_t i = 0; i < sizeof(buf); i++)
		buf[i] = byte ? byte : (uint8_t)rnd32();
	for (size_t at = 0; at < 16; at++) {
		for (size_t len = 0; len <= 300; len++) {
			for (size_t s = 0; s < ARRAY_SIZE(starts); s++)
				bad += !is_same(buf + at, len, starts[s]);
		}
	}
	ok_eq_int(bad, 0, "%s: all lengths, alignments and first sums", name);
}

static void test_every_bit(void)
{
	uint8_t buf[75] = { 0 };
	unsigned bad = 0;

	for (unsigned i = 0; i < sizeof(buf) * 8; i++) {
		buf[i / 8] = (uint8_t)(1 << i % 8);
		bad += stored(csum_add(0, buf, sizeof(buf))) !=
		       (uint32_t)buf[i / 8] << (i / 8 % 2 ? 0 : 8);
		buf[i / 8] = 0;
	}
	ok_eq_int(bad, 0, "every bit counts");
}

static void test_pieces(void)
{
	static uint8_t buf[FRAME_MAX];
	unsigned bad = 0;

	random_begin(4711);
	for (size_t i = 0; i < sizeof(buf); i++)
		buf[i] = (uint8_t)(rnd32() | 0xf0);
	for (int n = 0; n < 200; n++) {
		size_t len = rnd(sizeof(buf)), at = 0;
		uint64_t sum = 0;

		while (at < len) {
			size_t piece = rnd(3000) * 2;

			if (piece > len - at)
				piece = len - at;
			sum = csum_add(sum, buf + at, piece);
			at += piece;
		}
		bad += stored(sum) != stored(csum_add(0, buf, len));
	}
	ok_eq_int(bad, 0, "in pieces as in one");
	ok_eq_int(stored(csum_add(0, buf, sizeof(buf))), packet_sum(0, buf, sizeof(buf)),
		  "the longest frame");
}

static void test_fold(void)
{
	static const struct {
		uint64_t sum;
		uint16_t want;
	} cases[] = {
		{ 0, 0 },
		{ 0xffff, 0xffff },
		{ 0x10000, 1 },
		{ 0x1fffe, 0xffff },
		{ 0xffffffff, 0xffff },
		{ 0x100000000, 1 },
		{ 0xffffffffffffffff, 0xffff },
		{ 0xfffffffffffffffe, 0xfffe },
		{ 0xffff0000ffff0001, 1 },
		{ 0x0001000200030004, 10 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		ok_eq_int(csum_fold(cases[i].sum), cases[i].want, "fold %llx",
			  (unsigned long long)cases[i].sum);
}

static void test_pseudo(void)
{
	static const uint32_t lens[] = { 0, 8, 20, 255, 256, 1480, 65535, 65536, 0x12345 };
	uint8_t ip[40];

	random_begin(7);
	for (int version = 4; version <= 6; version += 2) {
		for (size_t i = 0; i < ARRAY_SIZE(lens); i++) {
			for (size_t k = 0; k < sizeof(ip); k++)
				ip[k] = (uint8_t)rnd32();
			ip[0] = (uint8_t)(version << 4 | 5);
			ok_eq_int(stored(csum_pseudo(ip, 17, lens[i])),
				  packet_pseudo(ip, 17, lens[i]), "IPv%d, %u bytes",
				  version, lens[i]);
			ok(csum_fold(csum_pseudo(ip, 17, lens[i])) !=
				   csum_fold(csum_pseudo(ip, 6, lens[i])),
			   "IPv%d, %u bytes: the protocol counts", version, lens[i]);
		}
	}
}

int main(void)
{
	test_known();
	test_lengths(0, "random bytes");
	test_lengths(0xff, "all ones");
	test_lengths(0x01, "small numbers");
	test_every_bit();
	test_pieces();
	test_fold();
	test_pseudo();
	return done();
}
