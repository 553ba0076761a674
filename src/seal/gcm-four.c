/* SPDX-License-Identifier: MIT */
/*
 * As gcm-wide.c, whose explanation of GHASH holds here, but with four blocks in a vector. Both
 * halves of the cipher go side by side: one group of blocks is encrypted while the one ahead
 * of it is hashed, which other units of the processor do.
 *
 * A short message costs little more than its share of a long one, for there is nothing but
 * groups: the block that the counter begins with, which is for the tag, is the first one's
 * first, and in its place what goes with the message is hashed. So the message begins one
 * block later, which masks leave out; they also cut off what is behind its end.
 *
 * No branch and no address depends on a secret.
 */
#include "seal/gcm-four.h"

#ifdef __x86_64__

#include <immintrin.h>

#include "base/util.h"
#include "seal/x86.h"

#define FOUR __attribute__((target("avx512f,avx512bw,aes,pclmul,vaes,vpclmulqdq")))
#define BLOCK GCM_WIDE_BLOCK
#define VECTOR ((size_t)4 * BLOCK)
#define GROUP ((size_t)GCM_WIDE_GROUP * BLOCK)
#define VECTORS (GROUP / VECTOR)
#define POWERS ((size_t)GCM_WIDE_POWERS * BLOCK)
#define XOR3 0x96 /* of vpternlog */

_Static_assert(VECTORS == 4, "struct group has as many");
_Static_assert(POWERS == GROUP + BLOCK, "the last group is hashed with the lengths");
_Static_assert(GCM_WIDE_ZEROS >= GCM_WIDE_GROUP - 1, "the last group may have one block");

bool gcm_four_works(void)
{
	unsigned a, b, c, d;

	__cpuid_count(7, 0, a, b, c, d);
	return b & bit_AVX512F && b & bit_AVX512BW && x86_saves(X86_AVX512);
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

/* A group of blocks, and masks of their bytes. */
struct group {
	__m512i a, b, c, d;
};

struct masks {
	__mmask64 a, b, c, d;
};

/* The first @len bytes of a vector. */
static FOUR inline __mmask64 first_bytes(size_t len)
{
	return len < VECTOR ? (1ull << len) - 1 : ~0ull;
}

/* Those of a vector that begins at offset @at of @len bytes. */
static FOUR inline __mmask64 bytes_from(size_t at, size_t len)
{
	return len > at ? first_bytes(len - at) : 0;
}

/* The first @len bytes of a group; @is_first: but not the first block. */
static FOUR inline struct masks masks_of(size_t len, bool is_first)
{
	__mmask64 a = first_bytes(len);

	return (struct masks){
		is_first ? a & ~0xffffull : a,
		bytes_from(VECTOR, len),
		bytes_from(2 * VECTOR, len),
		bytes_from(3 * VECTOR, len),
	};
}

/* Bytes that are masked out are not touched in memory, and are zeros. */
static FOUR inline struct group load_group(const uint8_t *at, struct masks m)
{
	return (struct group){
		_mm512_maskz_loadu_epi8(m.a, at),
		_mm512_maskz_loadu_epi8(m.b, at + VECTOR),
		_mm512_maskz_loadu_epi8(m.c, at + 2 * VECTOR),
		_mm512_maskz_loadu_epi8(m.d, at + 3 * VECTOR),
	};
}

static FOUR inline void store_group(uint8_t *at, struct masks m, struct group v)
{
	_mm512_mask_storeu_epi8(at, m.a, v.a);
	_mm512_mask_storeu_epi8(at + VECTOR, m.b, v.b);
	_mm512_mask_storeu_epi8(at + 2 * VECTOR, m.c, v.c);
	_mm512_mask_storeu_epi8(at + 3 * VECTOR, m.d, v.d);
}

static FOUR inline struct group add_groups(struct group v, struct group w)
{
	return (struct group){
		_mm512_xor_si512(v.a, w.a),
		_mm512_xor_si512(v.b, w.b),
		_mm512_xor_si512(v.c, w.c),
		_mm512_xor_si512(v.d, w.d),
	};
}

static FOUR inline struct group clear_rest(struct masks m, struct group v)
{
	return (struct group){
		_mm512_maskz_mov_epi8(m.a, v.a),
		_mm512_maskz_mov_epi8(m.b, v.b),
		_mm512_maskz_mov_epi8(m.c, v.c),
		_mm512_maskz_mov_epi8(m.d, v.d),
	};
}

/* ---- AES ---- */

static FOUR inline __m512i next_counter(__m512i counter)
{
	return _mm512_add_epi32(counter, each(0, 4));
}

/* The same of the last group, if it has no more than two vectors. */
static FOUR inline struct group half_key_stream(const uint8_t *keys, __m512i counter)
{
	__m512i key = load_block(keys);
	struct group v = { 0 };

	v.a = _mm512_xor_si512(reverse(counter), key);
	v.b = _mm512_xor_si512(reverse(next_counter(counter)), key);
	for (unsigned i = 1; i < GCM_WIDE_ROUNDS; i++) {
		key = load_block(keys + BLOCK * i);
		v.a = _mm512_aesenc_epi128(v.a, key);
		v.b = _mm512_aesenc_epi128(v.b, key);
	}
	key = load_block(keys + BLOCK * GCM_WIDE_ROUNDS);
	v.a = _mm512_aesenclast_epi128(v.a, key);
	v.b = _mm512_aesenclast_epi128(v.b, key);
	return v;
}

/* What a group is encrypted with. @counter: of its first blocks; set to the next ones' */
static FOUR inline struct group key_stream(const uint8_t *keys, __m512i *counter)
{
	__m512i key = load_block(keys), next = *counter;
	struct group v;

	v.a = _mm512_xor_si512(reverse(next), key);
	next = next_counter(next);
	v.b = _mm512_xor_si512(reverse(next), key);
	next = next_counter(next);
	v.c = _mm512_xor_si512(reverse(next), key);
	next = next_counter(next);
	v.d = _mm512_xor_si512(reverse(next), key);
	*counter = next_counter(next);
	for (unsigned i = 1; i < GCM_WIDE_ROUNDS; i++) {
		key = load_block(keys + BLOCK * i);
		v.a = _mm512_aesenc_epi128(v.a, key);
		v.b = _mm512_aesenc_epi128(v.b, key);
		v.c = _mm512_aesenc_epi128(v.c, key);
		v.d = _mm512_aesenc_epi128(v.d, key);
	}
	key = load_block(keys + BLOCK * GCM_WIDE_ROUNDS);
	return (struct group){
		_mm512_aesenclast_epi128(v.a, key),
		_mm512_aesenclast_epi128(v.b, key),
		_mm512_aesenclast_epi128(v.c, key),
		_mm512_aesenclast_epi128(v.d, key),
	};
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

/*
 * Add the products of a group and @powers to @sum. @y: of the blocks ahead; only its first
 * block may be other than zero
 */
static FOUR inline void add_group(struct product *sum, __m512i y, struct group v,
				  const uint8_t *powers)
{
	add_product(sum, reverse(v.d), _mm512_loadu_si512(powers + 3 * VECTOR));
	add_product(sum, reverse(v.c), _mm512_loadu_si512(powers + 2 * VECTOR));
	add_product(sum, reverse(v.b), _mm512_loadu_si512(powers + VECTOR));
	add_product(sum, _mm512_xor_si512(reverse(v.a), y), _mm512_loadu_si512(powers));
}

static FOUR inline __m512i hash_group(const struct gcm_wide *g, __m512i y, struct group v)
{
	struct product sum = { 0 };

	add_group(&sum, y, v, g->powers + POWERS - GROUP);
	return reduce(&sum);
}

/*
 * The end of a message: a group of @blocks blocks, and the lengths, whose power is the first.
 * The powers of the others follow from how many they are.
 */
static FOUR inline __m512i hash_last(const struct gcm_wide *g, __m512i y, struct group v,
				     size_t blocks, __m512i lengths)
{
	struct product sum = { 0 };

	add_group(&sum, y, v, g->powers + POWERS - (blocks + 1) * BLOCK);
	add_product(&sum, lengths, first_power(g));
	return reduce(&sum);
}

/*
 * What goes with a message, but for its last block, which is left to the first group. So
 * mostly there is nothing to do.
 */
static FOUR inline __m512i hash_ad(const struct gcm_wide *g, const uint8_t **ad,
				   size_t *len)
{
	__m512i y = _mm512_setzero_si512();

	for (; *len > BLOCK; *ad += BLOCK, *len -= BLOCK) {
		struct product p = { 0 };
		__m512i v = _mm512_maskz_loadu_epi8(first_bytes(BLOCK), *ad);

		add_product(&p, _mm512_xor_si512(y, reverse(v)), first_power(g));
		y = reduce(&p);
	}
	return y;
}

/* ---- both ---- */

FOUR void gcm_four_run(const struct gcm_wide *g, bool seal, uint64_t n, const void *ad,
		       size_t ad_len, uint8_t *to, const uint8_t *from, size_t len,
		       uint8_t tag[BLOCK])
{
	__m512i lengths = _mm512_set_epi64(0, 0, 0, 0, 0, 0, 8 * (long long)ad_len,
					   8 * (long long)len);
	__m512i counter = _mm512_add_epi32(each(n >> 32, n << 32 | 1),
					   _mm512_set_epi64(0, 3, 0, 2, 0, 1, 0, 0));
	const uint8_t *ad_at = ad;
	__m512i y = hash_ad(g, &ad_at, &ad_len), mask, extra;
	struct group pending, in, out;
	struct masks m;

	extra = _mm512_maskz_loadu_epi8(first_bytes(ad_len), ad_at);
	from -= BLOCK;
	to -= BLOCK;
	len += BLOCK;
	out = len > 2 * VECTOR ? key_stream(g->keys, &counter)
			       : half_key_stream(g->keys, counter);
	mask = out.a;
	m = masks_of(len, true);
	for (;;) {
		in = load_group(from, m);
		out = add_groups(in, out);
		store_group(to, m, out);
		pending = seal ? clear_rest(m, out) : in;
		pending.a = _mm512_or_si512(pending.a, extra);
		if (len <= GROUP)
			break;
		extra = _mm512_setzero_si512();
		len -= GROUP;
		from += GROUP;
		to += GROUP;
		out = len > 2 * VECTOR ? key_stream(g->keys, &counter)
				       : half_key_stream(g->keys, counter);
		y = hash_group(g, y, pending);
		m = masks_of(len, false);
	}
	y = hash_last(g, y, pending, (len + BLOCK - 1) / BLOCK, lengths);
	y = _mm512_xor_si512(reverse(y), mask);
	_mm_storeu_si128((void *)tag, _mm512_castsi512_si128(y));
}

#endif
