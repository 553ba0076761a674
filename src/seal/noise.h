/* SPDX-License-Identifier: MIT */
/*
 * The handshake of the Noise Protocol Framework, revision 34 (noiseprotocol.org), by its
 * pattern IK, or IKpsk2 with a secret that both ends know before:
 *
 *	<- s                       the dialler knows the listener's public key
 *	...
 *	-> e, es, s, ss            message 1 and its payload
 *	<- e, ee, se [, psk]       message 2 and its payload
 *
 * with Curve25519, SHA-256, and ChaCha20-Poly1305 or AES-256-GCM. Nothing is allocated or
 * sent here. What fails ends the handshake and wipes it. A struct noise holds no pointer:
 * where anybody can send a wrong message, as in datagrams, try each with a copy, and wipe
 * the one that is not needed.
 */
#ifndef NOISE_H
#define NOISE_H

#include "seal/crypto.h"

#define NOISE_MAX 65535 /* bytes of a message */
#define NOISE_IK_1 (SEAL_KEY_BYTES + SEAL_KEY_BYTES + 2 * SEAL_TAG_BYTES) /* no payload */
#define NOISE_IK_2 (SEAL_KEY_BYTES + SEAL_TAG_BYTES)

/* A key and its public key, which takes long to compute. */
struct noise_pair {
	uint8_t key[SEAL_KEY_BYTES];
	uint8_t pub[SEAL_KEY_BYTES];
};

enum noise_stage {
	NOISE_DEAD, /* wiped: after a failure, or its end */
	NOISE_FIRST,
	NOISE_FIRST_PEER, /* message 1 was read as far as the dialler's key */
	NOISE_SECOND,
	NOISE_DONE,
};

/* A handshake. All that is in it is noise.c's; wiped by noise_wipe(). */
struct noise {
	enum noise_stage stage;
	enum seal_suite suite;
	bool is_dialler, has_psk, has_ephemeral, has_shared;
	struct noise_pair s, e;
	uint8_t rs[SEAL_KEY_BYTES], re[SEAL_KEY_BYTES]; /* the peer's public keys */
	uint8_t psk[SEAL_KEY_BYTES], shared[SEAL_KEY_BYTES];
	uint8_t h[SEAL_HASH_BYTES], ck[SEAL_HASH_BYTES], k[SEAL_KEY_BYTES];
	uint64_t n;
};

/*
 * noise_init() - Begin a handshake.
 * @is_dialler: who sends message 1: Noise's initiator
 * @suite:      AES only where crypto_has_aes()
 * @prologue:   what both ends must have seen alike, or the handshake fails
 * @s:          our own keys
 * @rs:         the listener's public key; of the dialler only, NULL for the listener
 * @psk:        NULL: the pattern is IK; else it is IKpsk2 with this secret, which the
 *              listener may still change by noise_set_psk()
 */
void noise_init(struct noise *h, bool is_dialler, enum seal_suite suite,
		const void *prologue, size_t prologue_len, const struct noise_pair *s,
		const uint8_t *rs, const uint8_t *psk);

/*
 * noise_write() - Make the next message.
 * @len: of the payload; NOISE_MAX less NOISE_IK_1 or NOISE_IK_2 at most
 * @out: receives as many bytes more than @len; does not overlap @payload
 *
 * Return: how many bytes; -EINVAL if it is not our turn, if @len is too long, or if the
 * peer's key has a low order; what the kernel said about random bytes.
 */
int noise_write(struct noise *h, const void *payload, size_t len, uint8_t *out);

/*
 * noise_read() - Read the peer's message.
 * @payload: receives its payload: NOISE_IK_1 or NOISE_IK_2 less than @len bytes; must not
 *           overlap @msg. If the message is refused it receives nothing but zeros.
 *
 * Return: the bytes of the payload; -EBADMSG if that is no message of who has the right keys,
 * secret and prologue; -EINVAL if it is not the peer's turn, or a key in it has a low order.
 */
int noise_read(struct noise *h, const uint8_t *msg, size_t len, uint8_t *payload);

/*
 * noise_read_peer() - Read of message 1 only who sends it, or claims to: what proves it
 * follows. So a listener can refuse a stranger before it computes more, and say by
 * noise_set_shared() and noise_set_psk() what it knows of a peer. Then noise_read() of the
 * same message reads the rest.
 *
 * Return: 0, and noise_peer() is known; else as noise_read().
 */
int noise_read_peer(struct noise *h, const uint8_t *msg, size_t len);

/* noise_peer() - The peer's static public key, or NULL if it is not known yet. */
const uint8_t *noise_peer(const struct noise *h);

/* noise_set_psk() - Use another secret; of IKpsk2, before message 2. */
void noise_set_psk(struct noise *h, const uint8_t psk[SEAL_KEY_BYTES]);

/* noise_set_shared() - Spare the computation of crypto_dh() of our static key and the peer's. */
void noise_set_shared(struct noise *h, const uint8_t shared[SEAL_KEY_BYTES]);

/* noise_set_ephemeral() - Use this key in place of a random one; for tests alone. */
void noise_set_ephemeral(struct noise *h, const uint8_t key[SEAL_KEY_BYTES]);

/*
 * noise_hash() - What identifies this session to both ends, and is no secret: the hash of all
 * that was sent; SEAL_HASH_BYTES, of use after message 2, until noise_split().
 */
const uint8_t *noise_hash(const struct noise *h);

/*
 * noise_split() - Give out the keys of the session, and wipe the handshake.
 *
 * Return: 0; -EINVAL if it was not complete, and then the keys are zeros.
 */
int noise_split(struct noise *h, uint8_t send[SEAL_KEY_BYTES],
		uint8_t recv[SEAL_KEY_BYTES]);

/* noise_wipe() - End the handshake; nothing of it is left. */
void noise_wipe(struct noise *h);

/*
 * noise_hkdf() - Noise's HKDF: RFC 5869 with the salt @ck and no info.
 * @out: @n times 32 bytes, 3 times at most; may hold neither @ck nor @secret
 */
void noise_hkdf(uint8_t (*out)[SEAL_HASH_BYTES], unsigned n,
		const uint8_t ck[SEAL_HASH_BYTES], const void *secret, size_t len);

#endif
