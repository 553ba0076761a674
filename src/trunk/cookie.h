/* SPDX-License-Identifier: MIT */
/*
 * Cookies: what keeps a flood of first messages of handshakes, which cost a listener a
 * computation with keys each, from addresses that are not the sender's own.
 *
 * A listener under load answers a first message with a cookie, which it makes of the
 * sender's address and a secret of COOKIE_MS, and keeps nothing. A sender that gets it puts
 * a code made with it behind its next message. The cookie is sealed to the message that it
 * answers, so nobody else can make a dialler use another (as WireGuard's protocol has it,
 * section 5.4.7 of its paper; where that has a nonce of 24 bytes, here is a key made of
 * random bytes, which is used once).
 *
 * The answer, COOKIE_SEALED_BYTES bytes: random bytes (16), the sealed cookie (16), tag (16).
 */
#ifndef COOKIE_H
#define COOKIE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "seal/crypto.h"

#define COOKIE_BYTES 16
#define COOKIE_SALT 16
#define COOKIE_SEALED_BYTES (COOKIE_SALT + COOKIE_BYTES + SEAL_TAG_BYTES)
#define COOKIE_MS (120ull * 1000)
#define COOKIE_PER_SECOND 200 /* first messages that are no load yet */

/*
 * A listener's. All zero at first.
 * @secret, @since: of which cookies are made now, and since when (ms of any clock)
 * @n, @second: first messages that came in the second that began then
 */
struct cookie_jar {
	uint8_t secret[SEAL_KEY_BYTES];
	uint64_t since, second;
	unsigned n;
	bool has_secret;
};

/* cookie_is_wanted() - A first message came. Return: whether only one with a cookie counts. */
bool cookie_is_wanted(struct cookie_jar *jar, uint64_t now);

/*
 * cookie_of() - Make the cookie of an address.
 * @addr: @len bytes that tell it from others
 *
 * Return: 0; -errno: there are no random bytes.
 */
int cookie_of(struct cookie_jar *jar, const void *addr, size_t len, uint64_t now,
	      uint8_t cookie[COOKIE_BYTES]);

/* cookie_code() - The code of @len bytes at @msg, which shows that their sender has the cookie. */
void cookie_code(uint8_t code[COOKIE_BYTES], const uint8_t cookie[COOKIE_BYTES],
		 const void *msg, size_t len);

/*
 * cookie_seal() - Seal a cookie to the message that it answers.
 * @mac_key: of the listener's public key (seal/identity.h)
 * @mac:     what the message has, made with that key; COOKIE_BYTES
 *
 * Return: 0; -errno: there are no random bytes.
 */
int cookie_seal(uint8_t out[COOKIE_SEALED_BYTES], const uint8_t mac_key[SEAL_HASH_BYTES],
		const uint8_t mac[COOKIE_BYTES], const uint8_t cookie[COOKIE_BYTES]);

/* cookie_open() - Return: 0; -EBADMSG: it is no answer to the message that had @mac. */
int cookie_open(uint8_t cookie[COOKIE_BYTES], const uint8_t mac_key[SEAL_HASH_BYTES],
		const uint8_t mac[COOKIE_BYTES], const uint8_t in[COOKIE_SEALED_BYTES]);

#endif
