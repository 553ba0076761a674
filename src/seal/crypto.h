/* SPDX-License-Identifier: MIT */
/*
 * What sealed trunks need of cryptography: X25519, SHA-256, HMAC, two ciphers that also
 * authenticate (AEAD), random bytes. The library does the computing, in constant time, and
 * only crypto.c knows which one it is. A program that is built without one has no keys
 * (HAS_KEYS is 0), and must call nothing of this file.
 */
#ifndef CRYPTO_H
#define CRYPTO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#define SEAL_KEY_BYTES 32
#define SEAL_TAG_BYTES 16
#define SEAL_HASH_BYTES 32

enum seal_suite {
	SEAL_CHACHA20_POLY1305 = 1,
	SEAL_AES256_GCM = 2, /* only where crypto_has_aes() */
};

/* crypto_random() - Fill @out with @n random bytes, from the kernel. Return: 0 or -errno. */
int crypto_random(void *out, size_t n);

/*
 * crypto_has_aes() - Whether this processor computes AES-GCM itself (x86 by AES-NI and
 * PCLMULQDQ, POWER8), so that it is fast and takes the same time for all keys. It asks the
 * processor each time, which a virtual machine may take microseconds for: keep the answer.
 */
bool crypto_has_aes(void);

/* crypto_public() - The public key of @key (RFC 7748). */
void crypto_public(uint8_t pub[SEAL_KEY_BYTES], const uint8_t key[SEAL_KEY_BYTES]);

/*
 * crypto_dh() - X25519 (RFC 7748): what the owners of @key and @pub share. @out may be @pub
 * or @key.
 *
 * Return: 0; -EINVAL if @pub has a low order, for then @out, all zeros, is no secret.
 */
int crypto_dh(uint8_t out[SEAL_KEY_BYTES], const uint8_t key[SEAL_KEY_BYTES],
	      const uint8_t pub[SEAL_KEY_BYTES]);

/* crypto_hash() - SHA-256 (FIPS 180-4) of @n pieces, one behind the other. */
void crypto_hash(uint8_t out[SEAL_HASH_BYTES], const struct iovec *iov, int n);

/*
 * crypto_hmac() - HMAC-SHA256 (RFC 2104) of @n pieces. Two to be compared: by crypto_equal().
 * @key_len: any; what exceeds 64 bytes is hashed first
 */
void crypto_hmac(uint8_t out[SEAL_HASH_BYTES], const uint8_t *key, size_t key_len,
		 const struct iovec *iov, int n);

/*
 * A cipher with its key, as the library has it. It holds no pointer to itself or to memory:
 * it can lie anywhere, be copied, and ends by crypto_wipe().
 */
struct aead {
	_Alignas(16) uint8_t opaque[784];
};

/* aead_new() - Allocate one, which has no key yet. Return: to be freed by aead_free(), or NULL. */
struct aead *aead_new(void);

/*
 * aead_set() - Give it a cipher and a key, in place of those it had. It ends the program if
 * this processor lacks the cipher, and so do the two below if it never got a key.
 */
void aead_set(struct aead *a, enum seal_suite suite, const uint8_t key[SEAL_KEY_BYTES]);

/* aead_free() - Wipe and free it; nothing if it is NULL. */
void aead_free(struct aead *a);

/*
 * aead_seal_from() - Encrypt @len bytes (RFC 8439, or NIST SP 800-38D with a tag of 16
 * bytes).
 * @n:   the nonce, as Noise has it: 4 zero bytes, then @n, little-endian for
 *       ChaCha20-Poly1305, big-endian for AES. A second message of the same key with the
 *       same @n would break both.
 * @ad:  what the tag authenticates, too
 * @to, @from: the same, or they do not overlap
 * @tag: receives the tag; may lie directly behind @to
 */
void aead_seal_from(struct aead *a, uint64_t n, const void *ad, size_t ad_len,
		    uint8_t *to, const uint8_t *from, size_t len,
		    uint8_t tag[SEAL_TAG_BYTES]);

/* aead_seal() - The same in place. */
static inline void aead_seal(struct aead *a, uint64_t n, const void *ad, size_t ad_len,
			     uint8_t *data, size_t len, uint8_t tag[SEAL_TAG_BYTES])
{
	aead_seal_from(a, n, ad, ad_len, data, data, len, tag);
}

/*
 * aead_open_to() - Decrypt @len bytes, if @tag is that of these bytes, @ad and @n.
 *
 * Return: 0; -EBADMSG if it isn't, and then @to is all zeros.
 */
int aead_open_to(struct aead *a, uint64_t n, const void *ad, size_t ad_len, uint8_t *to,
		 const uint8_t *from, size_t len, const uint8_t tag[SEAL_TAG_BYTES]);

/* aead_open() - The same in place. */
static inline int aead_open(struct aead *a, uint64_t n, const void *ad, size_t ad_len,
			    uint8_t *data, size_t len, const uint8_t tag[SEAL_TAG_BYTES])
{
	return aead_open_to(a, n, ad, ad_len, data, data, len, tag);
}

/* crypto_equal() - Whether @n bytes are the same; how long it takes does not depend on them. */
bool crypto_equal(const void *a, const void *b, size_t n);

/* crypto_wipe() - Set @n bytes to zero, even if nobody reads them again. */
void crypto_wipe(void *p, size_t n);

#endif
