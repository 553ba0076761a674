/* SPDX-License-Identifier: MIT */
/*
 * AES in counter mode has four vectors of two blocks under way, for each takes the processor
 * some cycles a round.
 *
 * GHASH multiplies a group of blocks by as many powers of its key, adds the products up, and
 * reduces the sum once. Its numbers are polynomials whose lowest power is the highest bit
 * (NIST SP 800-38D, 6.3). With their bytes in reverse order, and the key multiplied by x
 * ahead, a product needs no shift (S. Gueron and M. Kounavis, "Intel Carry-Less
 * Multiplication Instruction and its Usage for Computing the GCM Mode", 2010).
 *
 * No branch and no address depends on a secret.
 */
#include "seal/gcm-wide.h"

#ifdef __x86_64__

#include <immintrin.h>
#include <string.h>

#include "base/util.h"
#include "seal/gcm-four.h"
#include "seal/x86.h"

#define WIDE __attribute__((target("avx2,aes,pclmul,vaes,vpclmulqdq")))
#define BLOCK GCM_WIDE_BLOCK
#define TWO ((size_t)2 * BLOCK)
#define STEP (4 * TWO) /* of the counter */
#define GROUP ((size_t)GCM_WIDE_GROUP * BLOCK)
#define POWERS ((size_t)GCM_WIDE_POWERS * BLOCK)

bool gcm_wide_works(void)
{
	unsigned a, b, c, d;

	__cpuid(1, a, b, c, d);
	if (!(c & bit_AES) || !(c & bit_PCLMUL) || !x86_saves(X86_AVX) ||
	    !__get_cpuid_count(7, 0, &a, &b, &c, &d))
		return false;
	return b & bit_AVX2 && c & bit_VAES && c & bit_VPCLMULQDQ;
}

static WIDE inline __m256i load(const void *at)
{
	return _mm256_loadu_si256(at);
}

static WIDE inline void store(void *at, __m256i v)
{
	_mm256_storeu_si256(at, v);
}

/* One block, twice. */
static WIDE inline __m256i load_twice(const void *at)
{
	return _mm256_broadcastsi128_si256(_mm_loadu_si128(at));
}

/* Less than two blocks, and zeros. */
static WIDE inline __m256i load_rest(const uint8_t *at, size_t len)
{
	uint8_t rest[TWO] = { 0 };

	if (len == BLOCK)
		return _mm256_zextsi128_si256(_mm_loadu_si128((const void *)at));
	memcpy(rest, at, len);
	return load(rest);
}

/* The same 64-bit numbers in both blocks. */
static WIDE inline __m256i both(uint64_t high, uint64_t low)
{
	return _mm256_broadcastsi128_si256(
		_mm_set_epi64x((long long)high, (long long)low));
}

/* Reverse the order of the bytes of each block. */
static WIDE inline __m256i reverse(__m256i v)
{
	return _mm256_shuffle_epi8(v, both(0x0001020304050607, 0x08090a0b0c0d0e0f));
}

/* ---- AES ---- */

static WIDE inline __m256i encrypt(const uint8_t *keys, __m256i v)
{
	v = _mm256_xor_si256(v, load_twice(keys));
	for (unsigned i = 1; i < GCM_WIDE_ROUNDS; i++)
		v = _mm256_aesenc_epi128(v, load_twice(keys + BLOCK * i));
	return _mm256_aesenclast_epi128(v, load_twice(keys + BLOCK * GCM_WIDE_ROUNDS));
}

static WIDE inline void add_to(uint8_t *to, const uint8_t *from, __m256i v)
{
	store(to, _mm256_xor_si256(v, load(from)));
}

/* Encrypt or decrypt STEP bytes. @counter: of the first two blocks, in reverse order */
static WIDE inline void step(const uint8_t *keys, __m256i counter, uint8_t *to,
			     const uint8_t *from)
{
	const __m256i two = both(0, 2);
	__m256i key = load_twice(keys), a, b, c, d;

	a = _mm256_xor_si256(reverse(counter), key);
	counter = _mm256_add_epi32(counter, two);
	b = _mm256_xor_si256(reverse(counter), key);
	counter = _mm256_add_epi32(counter, two);
	c = _mm256_xor_si256(reverse(counter), key);
	counter = _mm256_add_epi32(counter, two);
	d = _mm256_xor_si256(reverse(counter), key);
	for (unsigned i = 1; i < GCM_WIDE_ROUNDS; i++) {
		key = load_twice(keys + BLOCK * i);
		a = _mm256_aesenc_epi128(a, key);
		b = _mm256_aesenc_epi128(b, key);
		c = _mm256_aesenc_epi128(c, key);
		d = _mm256_aesenc_epi128(d, key);
	}
	key = load_twice(keys + BLOCK * GCM_WIDE_ROUNDS);
	add_to(to, from, _mm256_aesenclast_epi128(a, key));
	add_to(to + TWO, from + TWO, _mm256_aesenclast_epi128(b, key));
	add_to(to + 2 * TWO, from + 2 * TWO, _mm256_aesenclast_epi128(c, key));
	add_to(to + 3 * TWO, from + 3 * TWO, _mm256_aesenclast_epi128(d, key));
}

/* @first: the block that the counter begins with, which is for the tag */
static WIDE void count(const uint8_t *keys, __m256i first, uint8_t *to,
		       const uint8_t *from, size_t len)
{
	const __m256i two = both(0, 2), many = both(0, STEP / BLOCK);
	__m256i counter = _mm256_add_epi32(first, _mm256_set_epi64x(0, 2, 0, 1));

	for (; len >= STEP; len -= STEP, to += STEP, from += STEP) {
		step(keys, counter, to, from);
		counter = _mm256_add_epi32(counter, many);
	}
	for (; len >= TWO; len -= TWO, to += TWO, from += TWO) {
		add_to(to, from, encrypt(keys, reverse(counter)));
		counter = _mm256_add_epi32(counter, two);
	}
	if (len) {
		uint8_t rest[TWO];

		store(rest, _mm256_xor_si256(load_rest(from, len),
					     encrypt(keys, reverse(counter))));
		memcpy(to, rest, len);
	}
}

/* ---- GHASH ---- */

/* Two products, or sums of such, whose middle parts overlap the two others. */
struct product {
	__m256i low, middle, high;
};

static WIDE inline void add_product(struct product *sum, __m256i a, __m256i b)
{
	__m256i one = _mm256_clmulepi64_epi128(a, b, 0x01);
	__m256i other = _mm256_clmulepi64_epi128(a, b, 0x10);

	sum->low = _mm256_xor_si256(sum->low, _mm256_clmulepi64_epi128(a, b, 0x00));
	sum->high = _mm256_xor_si256(sum->high, _mm256_clmulepi64_epi128(a, b, 0x11));
	sum->middle = _mm256_xor_si256(sum->middle, _mm256_xor_si256(one, other));
}

/* x^128 = x^7 + x^2 + x + 1, with its bits and bytes as above */
#define POLYNOMIAL 0xc200000000000000
#define SWAP 0x4e /* the halves of each block */

static WIDE inline __m256i reduce_half(__m256i v)
{
	return _mm256_xor_si256(_mm256_shuffle_epi32(v, SWAP),
				_mm256_clmulepi64_epi128(v, both(0, POLYNOMIAL), 0x00));
}

static WIDE inline __m256i reduce(const struct product *p)
{
	__m256i v = _mm256_xor_si256(reduce_half(p->low), p->middle);

	return _mm256_xor_si256(reduce_half(v), p->high);
}

static WIDE inline __m256i multiply(__m256i a, __m256i b)
{
	struct product p = { 0 };

	add_product(&p, a, b);
	return reduce(&p);
}

/* Shift by one bit, and reduce what falls out. */
static WIDE inline __m256i times_x(__m256i v)
{
	__m256i carry = _mm256_slli_si256(_mm256_srli_epi64(v, 63), 8);
	__m256i top = _mm256_shuffle_epi32(_mm256_srai_epi32(v, 31), 0xff);

	v = _mm256_or_si256(_mm256_slli_epi64(v, 1), carry);
	return _mm256_xor_si256(v, _mm256_and_si256(top, both(POLYNOMIAL, 1)));
}

/* Add the second block of @v to the first, and clear it. */
static WIDE inline __m256i add_up(__m256i v)
{
	return _mm256_zextsi128_si256(
		_mm_xor_si128(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1)));
}

/* Hash up to GROUP bytes. The second block of @y is zero, also when it is returned. */
static WIDE inline __m256i hash_group(const struct gcm_wide *g, __m256i y,
				      const uint8_t *data, size_t len)
{
	const uint8_t *power = g->powers + POWERS - (len + BLOCK - 1) / BLOCK * BLOCK;
	struct product sum = { 0 };

	for (; len >= TWO; len -= TWO, data += TWO, power += TWO) {
		add_product(&sum, _mm256_xor_si256(y, reverse(load(data))), load(power));
		y = _mm256_setzero_si256();
	}
	if (len) {
		y = _mm256_xor_si256(y, reverse(load_rest(data, len)));
		add_product(&sum, y, load(power));
	}
	sum.low = add_up(sum.low);
	sum.middle = add_up(sum.middle);
	sum.high = add_up(sum.high);
	return reduce(&sum);
}

static WIDE __m256i hash(const struct gcm_wide *g, __m256i y, const uint8_t *data,
			 size_t len)
{
	for (; len >= GROUP; len -= GROUP, data += GROUP)
		y = hash_group(g, y, data, GROUP);
	return len ? hash_group(g, y, data, len) : y;
}

/* ---- both ---- */

WIDE void gcm_wide_set(struct gcm_wide *g, const uint8_t *keys)
{
	__m256i key, power;

	g->takes_four = gcm_four_works();
	memcpy(g->keys, keys, sizeof(g->keys));
	memset(g->powers, 0, sizeof(g->powers));
	key = times_x(reverse(encrypt(keys, _mm256_setzero_si256())));
	power = key;
	for (size_t at = POWERS; at; at -= BLOCK) {
		_mm_storeu_si128((void *)(g->powers + at - BLOCK),
				 _mm256_castsi256_si128(power));
		power = multiply(power, key);
	}
}

/* Both as numbers: the bytes are in reverse order. */
static WIDE inline __m256i numbers(uint64_t high, uint64_t low)
{
	return _mm256_set_epi64x(0, 0, (long long)high, (long long)low);
}

static WIDE void run(const struct gcm_wide *g, bool seal, uint64_t n, const void *ad,
		     size_t ad_len, uint8_t *to, const uint8_t *from, size_t len,
		     uint8_t tag[BLOCK])
{
	__m256i first = both(n >> 32, n << 32 | 1);
	__m256i mask = encrypt(g->keys, reverse(first)), y;

	y = hash(g, _mm256_setzero_si256(), ad, ad_len);
	if (seal)
		count(g->keys, first, to, from, len);
	y = hash(g, y, seal ? to : from, len);
	if (!seal)
		count(g->keys, first, to, from, len);
	y = _mm256_xor_si256(y, numbers(8 * (uint64_t)ad_len, 8 * (uint64_t)len));
	y = multiply(y, load(g->powers + POWERS - BLOCK));
	y = _mm256_xor_si256(reverse(y), mask);
	_mm_storeu_si128((void *)tag, _mm256_castsi256_si128(y));
}

void gcm_wide_run(const struct gcm_wide *g, bool seal, uint64_t n, const void *ad,
		  size_t ad_len, uint8_t *to, const uint8_t *from, size_t len,
		  uint8_t tag[BLOCK])
{
	(g->takes_four ? gcm_four_run : run)(g, seal, n, ad, ad_len, to, from, len, tag);
}

#else

bool gcm_wide_works(void)
{
	return false;
}

void gcm_wide_set(struct gcm_wide *g, const uint8_t *keys)
{
	(void)g;
	(void)keys;
}

void gcm_wide_run(const struct gcm_wide *g, bool seal, uint64_t n, const void *ad,
		  size_t ad_len, uint8_t *to, const uint8_t *from, size_t len,
		  uint8_t tag[GCM_WIDE_BLOCK])
{
	(void)g;
	(void)seal;
	(void)n;
	(void)ad;
	(void)ad_len;
	(void)to;
	(void)from;
	(void)len;
	(void)tag;
}

#endif
