/* SPDX-License-Identifier: MIT */
/*
 * A one's complement sum may be computed with words of any width, if each carry is added
 * again at the bottom. So 64 bits are added at a time, and folded to 16 at the end. There
 * are four sums, because the processor can add to them at the same time.
 */
#include "frame/csum.h"

#include <arpa/inet.h>
#include <string.h>

#include "frame/headers.h"
#include "frame/vnet.h"

enum { WORD = sizeof(uint64_t), LANES = 4, STRIDE = WORD * LANES };

static inline uint64_t add(uint64_t a, uint64_t b)
{
	a += b;
	return a + (a < b);
}

static inline uint64_t load(const uint8_t *p)
{
	uint64_t word;

	memcpy(&word, p, sizeof(word));
	return word;
}

/* Add less than a word, as if a zero byte followed an odd one. */
static inline uint64_t add_tail(uint64_t sum, const uint8_t *p, size_t len)
{
	uint32_t half;
	uint16_t quarter;

	if (len & 4) {
		memcpy(&half, p, sizeof(half));
		sum = add(sum, half);
		p += sizeof(half);
	}
	if (len & 2) {
		memcpy(&quarter, p, sizeof(quarter));
		sum = add(sum, quarter);
		p += sizeof(quarter);
	}
	if (len & 1) {
		quarter = 0;
		memcpy(&quarter, p, 1);
		sum = add(sum, quarter);
	}
	return sum;
}

uint64_t csum_add(uint64_t sum, const void *data, size_t len)
{
	const uint8_t *p = data;
	uint64_t b = 0, c = 0, d = 0;

	for (; len >= STRIDE; len -= STRIDE, p += STRIDE) {
		sum = add(sum, load(p));
		b = add(b, load(p + WORD));
		c = add(c, load(p + 2 * WORD));
		d = add(d, load(p + 3 * WORD));
	}
	for (; len >= WORD; len -= WORD, p += WORD)
		sum = add(sum, load(p));
	return add_tail(add(add(sum, b), add(c, d)), p, len);
}

uint16_t csum_fold(uint64_t sum)
{
	sum = (sum >> 32) + (uint32_t)sum;
	sum = (sum >> 32) + (uint32_t)sum;
	sum = (sum >> 16) + (uint16_t)sum;
	sum = (sum >> 16) + (uint16_t)sum;
	return (uint16_t)sum;
}

uint64_t csum_pseudo(const uint8_t *ip, uint8_t proto, uint32_t len)
{
	/* Both numbers have 32 bits, so this sum does not overflow. */
	uint64_t sum = (uint64_t)htonl(len) + htonl(proto);

	if (ip[0] >> 4 == 6)
		return csum_add(sum, ip + IP6_ADDRESSES, 32);
	return csum_add(sum, ip + IP4_ADDRESSES, 8);
}
