/* SPDX-License-Identifier: MIT */
/*
 * Cryptography by BearSSL, https://bearssl.org/, whose code has no branch and no address
 * that depends on a secret. Of its variants for other machines, those are taken that this
 * compiler's target does best; AES only where the processor does it, and by gcm-wide.h where
 * that works. With HAS_SANDY2X, and a processor that has AVX, the curve is libsodium's,
 * https://libsodium.org/: as constant in time, and thrice as fast.
 *
 * #syscalls: getrandom
 */
#include "seal/crypto.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include <bearssl.h>

#include "base/parts.h"
#include "seal/gcm-wide.h"

#ifdef HAS_SANDY2X
#include "seal/x86.h"
#endif

#ifdef __SSE2__
#define CHACHA20 br_chacha20_sse2_run
#else
#define CHACHA20 br_chacha20_ct_run
#endif

#ifdef __SIZEOF_INT128__
#define CHACHA20_POLY1305 br_poly1305_ctmulq_run
#else
#define CHACHA20_POLY1305 br_poly1305_ctmul_run
#endif

#define STACK_BYTES 4096 /* more than the library takes */
#define NONCE_BYTES 12

/* What is in the opaque bytes. */
struct cipher {
	enum seal_suite suite;
	bool is_wide;
	br_ghash ghash;
	union {
		uint8_t chacha20[SEAL_KEY_BYTES];
		br_aes_gen_ctr_keys aes;
		struct gcm_wide wide;
	} key;
};

_Static_assert(sizeof(struct cipher) <= sizeof(struct aead), "struct aead is too small");
_Static_assert(_Alignof(struct cipher) <= _Alignof(struct aead), "it is not aligned");

int crypto_random(void *out, size_t n)
{
	uint8_t *at = out;

	while (n) {
		ssize_t got = getrandom(at, n, 0);

		if (got < 0 && errno != EINTR)
			return -errno;
		if (got > 0) {
			at += got;
			n -= (size_t)got;
		}
	}
	return 0;
}

/*
 * The library does not wipe what its functions had on the stack, such as the keys of the
 * rounds of AES, the first of which are the key. This does, below the caller.
 */
static __attribute__((noinline)) void wipe_stack(void)
{
	uint8_t left[STACK_BYTES];

	crypto_wipe(left, sizeof(left));
}

/* ---- the curve ---- */

#ifdef HAS_SANDY2X

/*
 * What libsodium's crypto_scalarmult_curve25519() calls where there is AVX, or NULL. That
 * function itself would bring all of the library, 200 KB. The type is of its file
 * crypto_scalarmult/curve25519/scalarmult_curve25519.h.
 */
struct crypto_scalarmult_curve25519_implementation {
	int (*mult)(unsigned char *out, const unsigned char *key,
		    const unsigned char *point);
	int (*mult_base)(unsigned char *out, const unsigned char *key);
};
extern struct crypto_scalarmult_curve25519_implementation
	crypto_scalarmult_curve25519_sandy2x_implementation;

static bool has_avx(void)
{
	unsigned a, b, c, d;

	__cpuid(1, a, b, c, d);
	return c & bit_AVX && x86_saves(X86_AVX);
}

static bool multiply_fast(uint8_t out[SEAL_KEY_BYTES], const uint8_t key[SEAL_KEY_BYTES],
			  const uint8_t point[SEAL_KEY_BYTES])
{
	return has_avx() &&
	       !crypto_scalarmult_curve25519_sandy2x_implementation.mult(out, key, point);
}
#else
static bool multiply_fast(uint8_t out[SEAL_KEY_BYTES], const uint8_t key[SEAL_KEY_BYTES],
			  const uint8_t point[SEAL_KEY_BYTES])
{
	(void)out;
	(void)key;
	(void)point;
	return false;
}
#endif

static void multiply(uint8_t out[SEAL_KEY_BYTES], const uint8_t key[SEAL_KEY_BYTES],
		     const uint8_t point[SEAL_KEY_BYTES])
{
	if (multiply_fast(out, key, point))
		return;
	memcpy(out, point, SEAL_KEY_BYTES);
	br_ec_c25519_m31.mul(out, SEAL_KEY_BYTES, key, SEAL_KEY_BYTES, BR_EC_curve25519);
}

int crypto_dh(uint8_t out[SEAL_KEY_BYTES], const uint8_t key[SEAL_KEY_BYTES],
	      const uint8_t pub[SEAL_KEY_BYTES])
{
	static const uint8_t zeros[SEAL_KEY_BYTES];
	uint8_t shared[SEAL_KEY_BYTES];

	multiply(shared, key, pub);
	memcpy(out, shared, SEAL_KEY_BYTES);
	crypto_wipe(shared, sizeof(shared));
	wipe_stack();
	return crypto_equal(out, zeros, SEAL_KEY_BYTES) ? -EINVAL : 0;
}

void crypto_public(uint8_t pub[SEAL_KEY_BYTES], const uint8_t key[SEAL_KEY_BYTES])
{
	static const uint8_t base[SEAL_KEY_BYTES] = { 9 };

	(void)crypto_dh(pub, key, base);
}

/* ---- hashes ---- */

void crypto_hash(uint8_t out[SEAL_HASH_BYTES], const struct iovec *iov, int n)
{
	br_sha256_context hash;

	br_sha256_init(&hash);
	for (int i = 0; i < n; i++)
		br_sha256_update(&hash, iov[i].iov_base, iov[i].iov_len);
	br_sha256_out(&hash, out);
	crypto_wipe(&hash, sizeof(hash));
}

void crypto_hmac(uint8_t out[SEAL_HASH_BYTES], const uint8_t *key, size_t key_len,
		 const struct iovec *iov, int n)
{
	br_hmac_key_context prepared;
	br_hmac_context hmac;

	br_hmac_key_init(&prepared, &br_sha256_vtable, key, key_len);
	br_hmac_init(&hmac, &prepared, SEAL_HASH_BYTES);
	for (int i = 0; i < n; i++)
		br_hmac_update(&hmac, iov[i].iov_base, iov[i].iov_len);
	br_hmac_out(&hmac, out);
	crypto_wipe(&prepared, sizeof(prepared));
	crypto_wipe(&hmac, sizeof(hmac));
	wipe_stack();
}

/* ---- ciphers ---- */

static const br_block_ctr_class *aes_of_processor(void)
{
	const br_block_ctr_class *aes = br_aes_x86ni_ctr_get_vtable();

	return aes ? aes : br_aes_pwr8_ctr_get_vtable();
}

static br_ghash ghash_of_processor(void)
{
	br_ghash ghash = br_ghash_pclmul_get();

	return ghash ? ghash : br_ghash_pwr8_get();
}

bool crypto_has_aes(void)
{
	return aes_of_processor() && ghash_of_processor();
}

struct aead *aead_new(void)
{
	return calloc(1, sizeof(struct aead));
}

void aead_free(struct aead *a)
{
	if (a)
		crypto_wipe(a, sizeof(*a));
	free(a);
	wipe_stack();
}

static void set_aes(struct cipher *c, const uint8_t key[SEAL_KEY_BYTES])
{
	const br_block_ctr_class *aes = aes_of_processor();
	br_aes_gen_ctr_keys keys;

	c->ghash = ghash_of_processor();
	if (!aes || !c->ghash)
		__builtin_trap();
	aes->init(&keys.vtable, key, SEAL_KEY_BYTES);
	c->is_wide = gcm_wide_works();
	if (c->is_wide)
		gcm_wide_set(&c->key.wide, keys.c_x86ni.skey.skni);
	else
		c->key.aes = keys;
	crypto_wipe(&keys, sizeof(keys));
}

void aead_set(struct aead *a, enum seal_suite suite, const uint8_t key[SEAL_KEY_BYTES])
{
	struct cipher *c = (struct cipher *)(void *)a;

	crypto_wipe(a, sizeof(*a));
	if (suite == SEAL_CHACHA20_POLY1305) {
		memcpy(c->key.chacha20, key, SEAL_KEY_BYTES);
	} else {
		set_aes(c, key);
		wipe_stack();
	}
	c->suite = suite;
}

static void put_nonce(uint8_t nonce[NONCE_BYTES], enum seal_suite suite, uint64_t n)
{
	bool is_little = suite == SEAL_CHACHA20_POLY1305;

	memset(nonce, 0, 4);
	for (unsigned i = 0; i < 8; i++)
		nonce[4 + i] = (uint8_t)(n >> 8 * (is_little ? i : 7 - i));
}

/* A message: @n and what follows as of aead_seal_from(). */
struct message {
	uint64_t n;
	const void *ad;
	size_t ad_len;
	uint8_t *to;
	const uint8_t *from;
	size_t len;
};

/* Encrypt or decrypt, and compute the tag of the encrypted bytes. */
static void run(struct aead *a, bool seal, const struct message *m,
		uint8_t tag[SEAL_TAG_BYTES])
{
	struct cipher *c = (struct cipher *)(void *)a;
	uint8_t nonce[NONCE_BYTES];
	br_gcm_context gcm;

	if (c->is_wide) {
		gcm_wide_run(&c->key.wide, seal, m->n, m->ad, m->ad_len, m->to, m->from,
			     m->len, tag);
		return;
	}
	put_nonce(nonce, c->suite, m->n);
	if (m->to != m->from)
		memcpy(m->to, m->from, m->len);
	if (c->suite == SEAL_CHACHA20_POLY1305) {
		CHACHA20_POLY1305(c->key.chacha20, nonce, m->to, m->len, m->ad, m->ad_len,
				  tag, CHACHA20, seal);
		return;
	}
	if (c->suite != SEAL_AES256_GCM)
		__builtin_trap();
	br_gcm_init(&gcm, &c->key.aes.vtable, c->ghash);
	br_gcm_reset(&gcm, nonce, sizeof(nonce));
	br_gcm_aad_inject(&gcm, m->ad, m->ad_len);
	br_gcm_flip(&gcm);
	br_gcm_run(&gcm, seal, m->to, m->len);
	br_gcm_get_tag(&gcm, tag);
	crypto_wipe(&gcm, sizeof(gcm));
}

void aead_seal_from(struct aead *a, uint64_t n, const void *ad, size_t ad_len,
		    uint8_t *to, const uint8_t *from, size_t len,
		    uint8_t tag[SEAL_TAG_BYTES])
{
	struct message m = { n, ad, ad_len, to, from, len };

	run(a, true, &m, tag);
}

int aead_open_to(struct aead *a, uint64_t n, const void *ad, size_t ad_len, uint8_t *to,
		 const uint8_t *from, size_t len, const uint8_t tag[SEAL_TAG_BYTES])
{
	struct message m = { n, ad, ad_len, to, from, len };
	uint8_t right[SEAL_TAG_BYTES];
	bool is_right;

	run(a, false, &m, right);
	is_right = crypto_equal(right, tag, SEAL_TAG_BYTES);
	crypto_wipe(right, sizeof(right));
	if (is_right)
		return 0;
	crypto_wipe(to, len);
	return -EBADMSG;
}

/* ---- memory ---- */

bool crypto_equal(const void *a, const void *b, size_t n)
{
	const volatile uint8_t *x = a;
	const volatile uint8_t *y = b;
	uint8_t differ = 0;

	for (size_t i = 0; i < n; i++)
		differ = (uint8_t)(differ | (x[i] ^ y[i]));
	return !differ;
}

void crypto_wipe(void *p, size_t n)
{
	explicit_bzero(p, n);
}
