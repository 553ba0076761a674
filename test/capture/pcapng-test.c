/* SPDX-License-Identifier: MIT */
/*
 * pcapng.c, byte by byte: each block as the draft lays it out, written down here
 * as units of four bytes in host order and texts as they are. What other
 * programs make of them is for itest/.
 */
#include "capture/pcapng.h"

#include <errno.h>
#include <stdlib.h>

#include "base/util.h"
#include "lib/tap.h"

#define END 0xfffffffeu /* of a list of words; none of them has this value */
#define TEXT 0xfffffffdu

/* What a block should be: words, and for each TEXT among them the next of @texts. */
static size_t lay_out(uint8_t *to, const uint32_t *words, const char *const *texts)
{
	uint8_t *at = to;

	for (; *words != END; words++) {
		if (*words != TEXT) {
			memcpy(at, words, 4);
			at += 4;
			continue;
		}
		memcpy(at, *texts, strlen(*texts));
		at += strlen(*texts++);
		while ((at - to) % 4)
			*at++ = 0;
	}
	return (size_t)(at - to);
}

static void check(const char *what, const uint8_t *got, size_t len, const uint32_t *words,
		  const char *const *texts)
{
	uint8_t want[PCAPNG_BLOCK_MAX];
	size_t want_len = lay_out(want, words, texts);

	if (!ok(len == want_len && !memcmp(got, want, len), "%s", what))
		for (size_t i = 0; i < len || i < want_len; i++)
			printf("# %zu: got %02x, want %02x\n", i, i < len ? got[i] : 0,
			       i < want_len ? want[i] : 0);
}

/* An option's code and length, two of two bytes each. */
static uint32_t option(uint16_t code, uint16_t len)
{
	uint16_t halves[] = { code, len };
	uint32_t word;

	memcpy(&word, halves, sizeof(word));
	return word;
}

/* A value of eight bytes, in host order. */
static uint32_t half(uint64_t value, int i)
{
	uint32_t halves[2];

	memcpy(halves, &value, sizeof(value));
	return halves[i];
}

static void test_section(void)
{
	uint8_t block[PCAPNG_BLOCK_MAX];
	size_t len = pcapng_section(block, "x86_64", "Linux 6", "netrelay 1.2");
	const char *texts[] = { "x86_64", "Linux 6", "netrelay 1.2" };
	uint32_t words[] = {
		0x0a0d0d0a,    72,	     0x1a2b3c4d, option(1, 0), 0xffffffff,
		0xffffffff,    option(2, 6), TEXT,	 option(3, 7), TEXT,
		option(4, 12), TEXT,	     0,		 72,	       END,
	};

	check("a section", block, len, words, texts);
}

static void test_interface(void)
{
	uint8_t block[PCAPNG_BLOCK_MAX];
	size_t len = pcapng_interface(block, "unix:\xc3\xb6", "port 7", 1500);
	const char *texts[] = { "unix:\\xc3\\xb6", "port 7", "\x09" };
	uint32_t words[] = {
		1,    64,	    option(1, 0), 1500,		option(2, 13),
		TEXT, option(3, 6), TEXT,	  option(9, 1), TEXT,
		0,    64,	    END,
	};

	check("an interface, its name escaped", block, len, words, texts);
}

/* A text may be of any length, and the longest must fit. */
static void test_long_texts(void)
{
	uint8_t *block = malloc(PCAPNG_BLOCK_MAX);
	char text[2000];
	size_t len;

	memset(text, '\xff', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	len = pcapng_section(block, text, text, text);
	ok(len <= PCAPNG_BLOCK_MAX && pcapng_whole(block, len, len) == (long)len,
	   "long texts are cut: a section of %zu bytes", len);
	len = pcapng_interface(block, text, text, 1);
	ok(len <= PCAPNG_BLOCK_MAX && pcapng_whole(block, len, len) == (long)len,
	   "long texts are cut: an interface of %zu bytes", len);
	len = pcapng_interface(block, "", "", 1);
	ok_eq_int(len, 16 + 4 + 4 + 8 + 4 + 4, "empty texts are options without a value");
	free(block);
}

static void test_statistics(void)
{
	uint8_t block[PCAPNG_BLOCK_MAX];
	uint64_t received = 0x123456789abcull, lost = 7;
	size_t len = pcapng_statistics(block, 3, 0x1122334455667788ull, received, lost);
	uint32_t words[] = {
		5,
		52,
		3,
		0x11223344,
		0x55667788,
		option(4, 8),
		half(received, 0),
		half(received, 1),
		option(5, 8),
		half(lost, 0),
		half(lost, 1),
		0,
		52,
		END,
	};

	check("statistics", block, len, words, NULL);
	ok_eq_int(len, PCAPNG_STATISTICS_BYTES, "are as long as said");
}

/* In memory of just that size, of a packet that leaves so many bytes of padding. */
static void test_packet(const char *packet, bool is_out, uint64_t gap)
{
	struct pcapng_packet k = {
		.interface = 2,
		.time = 0x0102030405060708ull,
		.captured = (uint32_t)strlen(packet),
		.len = 1514,
		.is_out = is_out,
		.gap = gap,
	};
	size_t size = pcapng_packet_size(&k);
	uint8_t *block = malloc(size), *data;
	uint32_t total = (uint32_t)size;
	uint32_t plain[] = {
		6,	    total, 2,	 0x01020304,   0x05060708,
		k.captured, 1514,  TEXT, option(2, 4), is_out ? 2 : 1,
		0,	    total, END,
	};
	uint32_t gapped[] = {
		6,
		total,
		2,
		0x01020304,
		0x05060708,
		k.captured,
		1514,
		TEXT,
		option(2, 4),
		is_out ? 2 : 1,
		option(4, 8),
		half(gap, 0),
		half(gap, 1),
		0,
		total,
		END,
	};

	memset(block, 0xee, size);
	data = pcapng_packet(block, &k);
	memcpy(data, packet, k.captured);
	check(gap ? "a packet behind lost ones" : "a packet", block, size,
	      gap ? gapped : plain, &packet);
	free(block);
}

static void test_whole(void)
{
	uint8_t block[3 * PCAPNG_STATISTICS_BYTES];
	const size_t one = PCAPNG_STATISTICS_BYTES;
	bool good = true;
	uint32_t bad[] = { 0,	      4, 8, 11, 13, 53, 2 * PCAPNG_STATISTICS_BYTES + 4,
			   0xfffffffc };

	for (unsigned i = 0; i < 3; i++)
		pcapng_statistics(block + i * one, i, 0, 0, 0);
	for (size_t len = 0; len <= sizeof(block); len++) {
		uint8_t *exact = malloc(len);

		memcpy(exact, block, len);
		good &= pcapng_whole(exact, len, one) == (long)(len / one * one);
		free(exact);
	}
	ok(good, "of any part of three blocks, the whole ones are counted");
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		memcpy(block + one + 4, &bad[i], sizeof(bad[i]));
		ok_eq_int(pcapng_whole(block, 2 * one, 2 * one), -EINVAL,
			  "a length of %u is none", bad[i]);
	}
}

int main(void)
{
	test_section();
	test_interface();
	test_long_texts();
	test_statistics();
	test_packet("four", false, 0);
	test_packet("five5", true, 0);
	test_packet("sixsix", false, 9);
	test_packet("", true, 1ull << 40);
	test_whole();
	return done();
}
