/* SPDX-License-Identifier: MIT */
/* Cookies of listeners. */
#include "trunk/cookie.h"

#include <string.h>

#define LABEL "netrelay cookie"

bool cookie_is_wanted(struct cookie_jar *jar, uint64_t now)
{
	if (now - jar->second >= 1000) {
		/* A second of load is followed by another one, or load would come and go. */
		jar->n = jar->n > COOKIE_PER_SECOND && now - jar->second < 2000
				 ? COOKIE_PER_SECOND
				 : 0;
		jar->second = now;
	}
	return ++jar->n > COOKIE_PER_SECOND;
}

int cookie_of(struct cookie_jar *jar, const void *addr, size_t len, uint64_t now,
	      uint8_t cookie[COOKIE_BYTES])
{
	struct iovec iov = { (void *)(uintptr_t)addr, len };
	uint8_t hash[SEAL_HASH_BYTES];

	if (!jar->has_secret || now - jar->since >= COOKIE_MS) {
		int ret = crypto_random(jar->secret, sizeof(jar->secret));

		if (ret < 0)
			return ret;
		jar->has_secret = true;
		jar->since = now;
	}
	crypto_hmac(hash, jar->secret, sizeof(jar->secret), &iov, 1);
	memcpy(cookie, hash, COOKIE_BYTES);
	return 0;
}

void cookie_code(uint8_t code[COOKIE_BYTES], const uint8_t cookie[COOKIE_BYTES],
		 const void *msg, size_t len)
{
	struct iovec iov = { (void *)(uintptr_t)msg, len };
	uint8_t hash[SEAL_HASH_BYTES];

	crypto_hmac(hash, cookie, COOKIE_BYTES, &iov, 1);
	memcpy(code, hash, COOKIE_BYTES);
}

static void set_key(struct aead *a, const uint8_t mac_key[SEAL_HASH_BYTES],
		    const uint8_t salt[COOKIE_SALT])
{
	struct iovec iov[2] = { { (void *)(uintptr_t)LABEL, sizeof(LABEL) - 1 },
				{ (void *)(uintptr_t)salt, COOKIE_SALT } };
	uint8_t key[SEAL_HASH_BYTES];

	crypto_hmac(key, mac_key, SEAL_HASH_BYTES, iov, 2);
	aead_set(a, SEAL_CHACHA20_POLY1305, key);
	crypto_wipe(key, sizeof(key));
}

int cookie_seal(uint8_t out[COOKIE_SEALED_BYTES], const uint8_t mac_key[SEAL_HASH_BYTES],
		const uint8_t mac[COOKIE_BYTES], const uint8_t cookie[COOKIE_BYTES])
{
	uint8_t *sealed = out + COOKIE_SALT;
	struct aead a;
	int ret = crypto_random(out, COOKIE_SALT);

	if (ret < 0)
		return ret;
	set_key(&a, mac_key, out);
	memcpy(sealed, cookie, COOKIE_BYTES);
	aead_seal(&a, 0, mac, COOKIE_BYTES, sealed, COOKIE_BYTES, sealed + COOKIE_BYTES);
	crypto_wipe(&a, sizeof(a));
	return 0;
}

int cookie_open(uint8_t cookie[COOKIE_BYTES], const uint8_t mac_key[SEAL_HASH_BYTES],
		const uint8_t mac[COOKIE_BYTES], const uint8_t in[COOKIE_SEALED_BYTES])
{
	const uint8_t *sealed = in + COOKIE_SALT;
	uint8_t plain[COOKIE_BYTES];
	struct aead a;
	int ret;

	set_key(&a, mac_key, in);
	memcpy(plain, sealed, COOKIE_BYTES);
	ret = aead_open(&a, 0, mac, COOKIE_BYTES, plain, COOKIE_BYTES,
			sealed + COOKIE_BYTES);
	if (ret == 0)
		memcpy(cookie, plain, COOKIE_BYTES);
	crypto_wipe(&a, sizeof(a));
	return ret;
}
