/* SPDX-License-Identifier: MIT */
/*
 * As gcm-wide.c, whose explanation of GHASH holds here, but with four blocks in a vector. Both
 * halves of the cipher go side by side: one group of blocks is encrypted while the one ahead
 * of it is hashed, which other units of the processor do. What is shorter than a group is
 * loaded and stored by masks.
 *
 * No branch and no address depends on a secret.
 */
#include "seal/gcm-four.h"

#ifdef __x86_64__

#include <cpuid.h>
#include <immintrin.h>

#include "base/util.h"

#define FOUR __attribute__((target("avx512f,avx512bw,aes,pclmul,vaes,vpclmulqdq")))
#define BLOCK GCM_WIDE_BLOCK
#define VECTOR ((size_t)4 * BLOCK)
#define GROUP ((size_t)GCM_WIDE_GROUP * BLOCK)
#define VECTORS (GROUP / VECTOR)
#define POWERS ((size_t)GCM_WIDE_POWERS * BLOCK)
#define XOR3 0x96	 /* of vpternlog */
#define XCR0_AVX512 0xe6 /* the kernel saves all of its registers */

_Static_assert(VECTORS == 4, "crypt_group() has as many");
_Static_assert(POWERS == GROUP + BLOCK, "finish() has one more block than a group");

bool gcm_four_works(void)
{
	unsigned a, b, c, d, low, high;

	__asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
	__cpuid_count(7, 0, a, b, c, d);
	return (low & XCR0_AVX512) == XCR0_AVX512 && b & bit_AVX512F && b & bit_AVX512BW;
}

/* The same block four times. */
static FOUR inline __m512i load_block(const void *at)
{
	return _mm512_broadcast_i32x4(_mm_loadu_si128(at));
}

/* The same 64-bit numbers in each block. */
static FOUR inline __m512i each(uint64_t high, uint64_t low)
{
	return _mm512_broadcast_i32x4(_mm_set_epi64x((long long)high, (long long)low));
}

/* Reverse the order of the bytes of each block. */
static FOUR inline __m512i reverse(__m512i v)
{
	return _mm512_shuffle_epi8(v, each(0x0001020304050607, 0x08090a0b0c0d0e0f));
}

/* Up to VECTOR bytes; the others are zeros. */
static FOUR inline __mmask64 first_bytes(size_t len)
{
	return len < VECTOR ? (1ull << len) - 1 : ~0ull;
}

/* ---- AES ---- */

static FOUR inline __m512i encrypt(const uint8_t *keys, __m512i v)
{
	v = _mm512_xor_si512(v, load_block(keys));
	for (unsigned i = 1; i < GCM_WIDE_ROUNDS; i++)
		v = _mm512_aesenc_epi128(v, load_block(keys + BLOCK * i));
	return _mm512_aesenclast_epi128(v, load_block(keys + BLOCK * GCM_WIDE_ROUNDS));
}

static FOUR inline __m512i next_counter(__m512i counter)
{
	return _mm512_add_epi32(counter, each(0, 4));
}

static FOUR inline void add_to(uint8_t *to, const uint8_t *from, __m512i v)
{
	_mm512_storeu_si512(to, _mm512_xor_si512(v, _mm512_loadu_si512(from)));
}

/* Encrypt or decrypt GROUP bytes. @counter: of the first blocks. Return: of the next ones. */
static FOUR inline __m512i crypt_group(const uint8_t *keys, __m512i counter, uint8_t *to,
				       const uint8_t *from)
{
	__m512i key = load_block(keys), a, b, c, d;

	a = _mm512_xor_si512(reverse(counter), key);
	counter = next_counter(counter);
	b = _mm512_xor_si512(reverse(counter), key);
	counter = next_counter(counter);
	c = _mm512_xor_si512(reverse(counter), key);
	counter = next_counter(counter);
	d = _mm512_xor_si512(reverse(counter), key);
	for (unsigned i = 1; i < GCM_WIDE_ROUNDS; i++) {
		key = load_block(keys + BLOCK * i);
		a = _mm512_aesenc_epi128(a, key);
		b = _mm512_aesenc_epi128(b, key);
		c = _mm512_aesenc_epi128(c, key);
		d = _mm512_aesenc_epi128(d, key);
	}
	key = load_block(keys + BLOCK * GCM_WIDE_ROUNDS);
	add_to(to, from, _mm512_aesenclast_epi128(a, key));
	add_to(to + VECTOR, from + VECTOR, _mm512_aesenclast_epi128(b, key));
	add_to(to + 2 * VECTOR, from + 2 * VECTOR, _mm512_aesenclast_epi128(c, key));
	add_to(to + 3 * VECTOR, from + 3 * VECTOR, _mm512_aesenclast_epi128(d, key));
	return next_counter(counter);
}

/* ---- GHASH ---- */

/* Sums of products, whose middle parts overlap the two others. */
struct product {
	__m512i low, middle, high;
};

static FOUR inline void add_product(struct product *sum, __m512i a, __m512i b)
{
	sum->low = _mm512_xor_si512(sum->low, _mm512_clmulepi64_epi128(a, b, 0x00));
	sum->high = _mm512_xor_si512(sum->high, _mm512_clmulepi64_epi128(a, b, 0x11));
	sum->middle = _mm512_ternarylogic_epi64(
		sum->middle, _mm512_clmulepi64_epi128(a, b, 0x01),
		_mm512_clmulepi64_epi128(a, b, 0x10), XOR3);
}

static FOUR inline __m512i reduce_half(__m512i v, __m512i more)
{
	__m512i folded = _mm512_clmulepi64_epi128(v, each(0, 0xc200000000000000), 0x00);

	return _mm512_ternarylogic_epi64(_mm512_shuffle_epi32(v, 0x4e), folded, more,
					 XOR3);
}

/* Return: the sum of all blocks, in the first one, and zeros. */
static FOUR inline __m512i reduce(const struct product *p)
{
	__m512i v = reduce_half(reduce_half(p->low, p->middle), p->high);
	__m256i two = _mm256_xor_si256(_mm512_castsi512_si256(v),
				       _mm512_extracti64x4_epi64(v, 1));
	__m128i one = _mm_xor_si128(_mm256_castsi256_si128(two),
				    _mm256_extracti128_si256(two, 1));

	return _mm512_zextsi128_si512(one);
}

/* The last of the powers: the key itself, and zeros. */
static FOUR inline __m512i first_power(const struct gcm_wide *g)
{
	return _mm512_zextsi128_si512(
		_mm_loadu_si128((const void *)(g->powers + POWERS - BLOCK)));
}

/* Only the first block of @y may be other than zero; so it is when it is returned. */
static FOUR inline __m512i hash_group(const struct gcm_wide *g, __m512i y,
				      const uint8_t *data)
{
	const uint8_t *powers = g->powers + POWERS - GROUP;
	struct product sum = { 0 };

	for (size_t at = GROUP; at; at -= VECTOR) {
		__m512i v = reverse(_mm512_loadu_si512(data + at - VECTOR));

		if (at == VECTOR)
			v = _mm512_xor_si512(v, y);
		add_product(&sum, v, _mm512_loadu_si512(powers + at - VECTOR));
	}
	return reduce(&sum);
}

/* What goes with a message: few bytes, so block by block. */
static FOUR inline __m512i hash_ad(const struct gcm_wide *g, const uint8_t *ad,
				   size_t len)
{
	__m512i y = _mm512_setzero_si512();

	while (len) {
		size_t now = min_size(len, BLOCK);
		struct product p = { 0 };
		__m512i v = _mm512_maskz_loadu_epi8(first_bytes(now), ad);

		add_product(&p, _mm512_xor_si512(y, reverse(v)), first_power(g));
		y = reduce(&p);
		ad += now;
		len -= now;
	}
	return y;
}

/* ---- both ---- */

/* A message that is being sealed or opened. @y: as of hash_group() */
struct state {
	const struct gcm_wide *g;
	bool seal;
	__m512i counter, y;
};

/*
 * The last bytes, less than a group, and the @lengths of all, whose power is the first. The
 * powers of the others follow from how many blocks they are.
 */
static FOUR inline __m512i finish(const struct state *s, uint8_t *to, const uint8_t *from,
				  size_t len, __m512i lengths)
{
	const uint8_t *power =
		s->g->powers + POWERS - ((len + BLOCK - 1) / BLOCK + 1) * BLOCK;
	__m512i counter = s->counter, y = s->y;
	struct product sum = { 0 };
	size_t at = 0;

	do {
		__mmask64 mask = first_bytes(len - at);
		__m512i in = _mm512_maskz_loadu_epi8(mask, from + at);
		__m512i out = _mm512_xor_si512(in, encrypt(s->g->keys, reverse(counter)));

		_mm512_mask_storeu_epi8(to + at, mask, out);
		if (s->seal)
			in = _mm512_maskz_mov_epi8(mask, out);
		add_product(&sum, _mm512_xor_si512(y, reverse(in)),
			    _mm512_loadu_si512(power + at));
		y = _mm512_setzero_si512();
		counter = next_counter(counter);
		at += VECTOR;
	} while (at < len);
	add_product(&sum, lengths, first_power(s->g));
	return reduce(&sum);
}

FOUR void gcm_four_run(const struct gcm_wide *g, bool seal, uint64_t n, const void *ad,
		       size_t ad_len, uint8_t *to, const uint8_t *from, size_t len,
		       uint8_t tag[BLOCK])
{
	__m512i lengths = _mm512_set_epi64(0, 0, 0, 0, 0, 0, 8 * (long long)ad_len,
					   8 * (long long)len);
	__m512i first = each(n >> 32, n << 32 | 1);
	__m512i mask = encrypt(g->keys, reverse(first));
	struct state s = {
		.g = g,
		.seal = seal,
		.counter =
			_mm512_add_epi32(first, _mm512_set_epi64(0, 4, 0, 3, 0, 2, 0, 1)),
		.y = hash_ad(g, ad, ad_len),
	};
	const uint8_t *next = seal ? to : from;
	bool is_behind = seal && len >= GROUP;

	if (is_behind) {
		s.counter = crypt_group(g->keys, s.counter, to, from);
		to += GROUP;
		from += GROUP;
		len -= GROUP;
	}
	for (; len >= GROUP; len -= GROUP, to += GROUP, from += GROUP, next += GROUP) {
		s.y = hash_group(g, s.y, next);
		s.counter = crypt_group(g->keys, s.counter, to, from);
	}
	if (is_behind)
		s.y = hash_group(g, s.y, next);
	s.y = finish(&s, to, from, len, lengths);
	s.y = _mm512_xor_si512(reverse(s.y), mask);
	_mm_storeu_si128((void *)tag, _mm512_castsi512_si128(s.y));
}

#endif
