/* SPDX-License-Identifier: MIT */
/*
 * In place of crypto.c, where the program is built without a library: it has no keys then,
 * so nobody calls these. They only let what would call them be linked, also where the linker
 * does not drop that first.
 */
#include "seal/crypto.h"

int crypto_random(void *out, size_t n)
{
	(void)out, (void)n;
	__builtin_trap();
}

bool crypto_has_aes(void)
{
	__builtin_trap();
}

void crypto_public(uint8_t pub[SEAL_KEY_BYTES], const uint8_t key[SEAL_KEY_BYTES])
{
	(void)pub, (void)key;
	__builtin_trap();
}

int crypto_dh(uint8_t out[SEAL_KEY_BYTES], const uint8_t key[SEAL_KEY_BYTES],
	      const uint8_t pub[SEAL_KEY_BYTES])
{
	(void)out, (void)key, (void)pub;
	__builtin_trap();
}

void crypto_hash(uint8_t out[SEAL_HASH_BYTES], const struct iovec *iov, int n)
{
	(void)out, (void)iov, (void)n;
	__builtin_trap();
}

void crypto_hmac(uint8_t out[SEAL_HASH_BYTES], const uint8_t *key, size_t key_len,
		 const struct iovec *iov, int n)
{
	(void)out, (void)key, (void)key_len, (void)iov, (void)n;
	__builtin_trap();
}

struct aead *aead_new(void)
{
	__builtin_trap();
}

void aead_free(struct aead *a)
{
	(void)a;
	__builtin_trap();
}

void aead_set(struct aead *a, enum seal_suite suite, const uint8_t key[SEAL_KEY_BYTES])
{
	(void)a, (void)suite, (void)key;
	__builtin_trap();
}

void aead_seal_from(struct aead *a, uint64_t n, const void *ad, size_t ad_len,
		    uint8_t *to, const uint8_t *from, size_t len,
		    uint8_t tag[SEAL_TAG_BYTES])
{
	(void)a, (void)n, (void)ad, (void)ad_len, (void)to, (void)from, (void)len,
		(void)tag;
	__builtin_trap();
}

int aead_open_to(struct aead *a, uint64_t n, const void *ad, size_t ad_len, uint8_t *to,
		 const uint8_t *from, size_t len, const uint8_t tag[SEAL_TAG_BYTES])
{
	(void)a, (void)n, (void)ad, (void)ad_len, (void)to, (void)from, (void)len,
		(void)tag;
	__builtin_trap();
}

bool crypto_equal(const void *a, const void *b, size_t n)
{
	(void)a, (void)b, (void)n;
	__builtin_trap();
}

void crypto_wipe(void *p, size_t n)
{
	(void)p, (void)n;
	__builtin_trap();
}
