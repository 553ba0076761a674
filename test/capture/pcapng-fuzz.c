/* SPDX-License-Identifier: MIT */
/*
 * Writing captures: whatever names, frames and numbers there are, another reader of the
 * format (draft-ietf-opsawg-pcapng) finds them again, in blocks of the right form. And
 * any bytes at all are either whole blocks, or a part of one, or not pcapng.
 *
 * Input: names, a newline behind each; then packets: where, of how many bytes, and what
 * was lost before; the same bytes once more as pcapng.
 */
#include "lib/fuzz.h"

#include <errno.h>
#include <stdbool.h>

#include "capture/pcapng.h"

#define PACKETS_MAX 8

struct block {
	uint32_t type, len;
	const uint8_t *body, *end;
};

static uint32_t get32(const uint8_t *at)
{
	uint32_t value;

	memcpy(&value, at, sizeof(value));
	return value;
}

static struct block read_block(const uint8_t *data, size_t len)
{
	struct block b = { 0 };

	must(len >= 12);
	b.type = get32(data);
	b.len = get32(data + 4);
	must(b.len >= 12 && b.len % 4 == 0 && b.len <= len);
	must(get32(data + b.len - 4) == b.len);
	b.body = data + 8;
	b.end = data + b.len - 4;
	must(pcapng_whole(data, len, len) >= (long)b.len);
	return b;
}

static void must_be_text(const uint8_t *at, size_t len)
{
	for (size_t i = 0; i < len; i++)
		must(at[i] >= ' ' && at[i] <= '~');
}

/* Return: how many options there are, in order; those up to code @texts are text. */
static unsigned read_options(const struct block *b, size_t head, unsigned texts)
{
	const uint8_t *at = b->body + head;
	unsigned n = 0;

	for (;; n++) {
		uint32_t code, len;

		must(b->end - at >= 4);
		code = get32(at) & 0xffff;
		len = get32(at) >> 16;
		at += 4;
		if (!code)
			break;
		must((size_t)(b->end - at) >= len);
		if (code <= texts)
			must_be_text(at, len);
		at += (len + 3) & ~3u;
	}
	must(at == b->end);
	return n;
}

static void check_names(struct fuzz_input *in)
{
	char *a = fuzz_text(in), *b = fuzz_text(in), *c = fuzz_text(in);
	uint8_t *to = malloc(PCAPNG_BLOCK_MAX);
	struct block block;
	size_t len;

	must(to);
	len = pcapng_section(to, a, b, c);
	block = read_block(to, len);
	must(block.len == len && block.type == 0x0a0d0d0a);
	must(get32(block.body) == 0x1a2b3c4d && read_options(&block, 16, 4) == 3);
	len = pcapng_interface(to, a, b, 99);
	block = read_block(to, len);
	must(block.len == len && block.type == 1 && get32(block.body + 4) == 99);
	must(read_options(&block, 8, 3) == 3);
	free(to);
	free(a);
	free(b);
	free(c);
}

static void check_packet(struct fuzz_input *in)
{
	struct pcapng_packet k = {
		.interface = fuzz_byte(in),
		.time = fuzz_number(in, 4) * UINT64_C(77777777),
		.captured = fuzz_byte(in),
		.is_out = fuzz_byte(in) & 1,
		.gap = fuzz_byte(in) * UINT64_C(7777777777),
	};
	size_t len = pcapng_packet_size(&k);
	uint8_t *to = malloc(len), *data = pcapng_packet(to, &k);
	struct block b;

	must(data >= to && data + k.captured <= to + len);
	memset(data, 0xda, k.captured);
	b = read_block(to, len);
	must(b.len == len && b.type == 6 && get32(b.body) == k.interface);
	must(((uint64_t)get32(b.body + 4) << 32 | get32(b.body + 8)) == k.time);
	must(get32(b.body + 12) == k.captured && b.body + 20 == data);
	must(read_options(&b, 20 + ((k.captured + 3) & ~3u), 0) == 1 + !!k.gap);
	free(to);
}

/* Cut shorter, there are fewer blocks, never more, and none is bad that was not. */
static void check_whole(const uint8_t *data, size_t size)
{
	long all = pcapng_whole(data, size, 4 * size), part;

	must(all == -EINVAL || (all >= 0 && (size_t)all <= size));
	for (size_t len = 0; len < size; len++) {
		part = pcapng_whole(data, len, 4 * size);
		must(all < 0 || (part >= 0 && part <= all));
		must(part < 0 || (size_t)part <= len);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in = { data, size };

	check_whole(data, size);
	check_names(&in);
	for (unsigned i = 0; in.left && i < PACKETS_MAX; i++)
		check_packet(&in);
	return 0;
}
