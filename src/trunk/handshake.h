/* SPDX-License-Identifier: MIT */
/*
 * How two netrelays with keys agree on a sealed trunk. Each has a key pair; the one that
 * dials knows the other's public key, which looks the first one's up in its list. Nothing
 * here knows what carries the bytes, or when.
 *
 * It is Noise_IKpsk2_25519_ChaChaPoly_SHA256 (Noise, revision 34), in two messages, each
 * behind a hello (trunk/trunk.h) of version TRUNK_SEALED. The prologue is the first
 * hello. Without a secret of the pair that is zero, as WireGuard has it.
 *
 *	0  8  hello: TRUNK_MAGIC, TRUNK_SEALED, bytes of all
 *	8     Noise's message, its payload:
 *	      the first one's, 20 bytes: a timestamp (TAI64N, 12 bytes), what the sender
 *	      takes (4), the suites that it would have (4)
 *	      the second one's, 8 bytes: what the sender takes (4), the suite (4)
 *	..16  the first one only: HMAC-SHA256 of all before, cut short, whose key is made of
 *	      the listener's public key. Who does not know that costs the listener no more.
 *
 * All is big-endian. The one that dialled then proves, before anything is made of it, that it
 * has the keys that this has brought: by an empty record (trunk/prove.h), or a ping over
 * datagrams (trunk/seal-link.h). Who repeats what was recorded can't do that.
 *
 * A timestamp that is not later than the peer's last one is a message
 * that was recorded and sent again. What was agreed is sealed, so nobody in between can
 * talk the two down.
 *
 * The records that follow are sealed by AES-256-GCM, if both processors compute that, else
 * by ChaCha20-Poly1305. The keys of the first are made from those of Noise, so that none
 * serves two ciphers.
 */
#ifndef HANDSHAKE_H
#define HANDSHAKE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "seal/crypto.h"
#include "seal/identity.h"
#include "seal/noise.h"

#define HANDSHAKE_STAMP_BYTES 12
#define HANDSHAKE_MAC_BYTES 16
#define HANDSHAKE_HELLO_BYTES 8
#define HANDSHAKE_1_PAYLOAD (HANDSHAKE_STAMP_BYTES + 8)
#define HANDSHAKE_2_PAYLOAD 8
#define HANDSHAKE_1_BYTES \
	(HANDSHAKE_HELLO_BYTES + NOISE_IK_1 + HANDSHAKE_1_PAYLOAD + HANDSHAKE_MAC_BYTES)
#define HANDSHAKE_2_BYTES (HANDSHAKE_HELLO_BYTES + NOISE_IK_2 + HANDSHAKE_2_PAYLOAD)

/*
 * What a handshake has brought; to be wiped.
 * @send, @recv: keys of the two directions
 * @peer:       whose it is
 * @peer_takes: as of struct trunk
 * @sent, @received: records that the handshake itself has used
 */
struct session {
	enum seal_suite suite;
	uint8_t send[SEAL_KEY_BYTES], recv[SEAL_KEY_BYTES];
	uint8_t peer[SEAL_KEY_BYTES];
	uint32_t peer_takes;
	unsigned sent, received;
};

/*
 * One that is under way.
 * @stamp: of the peer that dialled
 * @takes, @suites: what it said
 * @ours:  the suites that we have
 */
struct handshake {
	struct noise noise;
	uint8_t stamp[HANDSHAKE_STAMP_BYTES];
	uint32_t takes, suites, ours;
};

/* handshake_takes() - What both messages of ours say that we take. */
uint32_t handshake_takes(void);

/*
 * handshake_dial() - Make the first message.
 * @peer: the listener's public key
 * @psk:  the secret of the pair, SEAL_KEY_BYTES; NULL: none
 *
 * Return: 0; -EINVAL: @peer is no key; another -errno: there are no random numbers.
 */
int handshake_dial(struct handshake *h, const struct identity *me,
		   const uint8_t peer[SEAL_KEY_BYTES], const uint8_t *psk,
		   uint8_t out[HANDSHAKE_1_BYTES]);

/*
 * handshake_check() - Whether a first message is for us: its sender knows our key. A hash
 * tells, before anything costs more.
 *
 * Return: 0; -EPROTO: it is none, or of another version; -EACCES: its sender does not know
 * our key.
 */
int handshake_check(const struct identity *me, const uint8_t in[HANDSHAKE_1_BYTES]);

/*
 * handshake_hear() - Read of a first message that is for us who sends it, or claims to:
 * noise_peer().
 *
 * Return: 0; -EBADMSG: what it sent is wrong.
 */
int handshake_hear(struct handshake *h, const struct identity *me,
		   const uint8_t in[HANDSHAKE_1_BYTES]);

/*
 * handshake_believe() - Read the rest, which proves who sends it, if @stamp is new.
 * @shared: what crypto_dh() makes of our key and the peer's, if it is known already; or NULL
 *
 * Return: 0 or -EBADMSG.
 */
int handshake_believe(struct handshake *h, const uint8_t *shared,
		      const uint8_t in[HANDSHAKE_1_BYTES]);

/* handshake_answer() - Make the second message, and the session. Return: 0 or -errno. */
int handshake_answer(struct handshake *h, const uint8_t *psk,
		     uint8_t out[HANDSHAKE_2_BYTES], struct session *s);

/*
 * handshake_finish() - Read the second message, and make the session.
 *
 * Return: 0; -EPROTO: it is none, or of another version; -EBADMSG: the peer has not the key
 * that it was dialled for, or not our secret, or somebody changed it on its way.
 */
int handshake_finish(struct handshake *h, const uint8_t in[HANDSHAKE_2_BYTES],
		     struct session *s);

/* handshake_wipe() - Forget all. It may be called at any time, and twice. */
void handshake_wipe(struct handshake *h);

/* handshake_is_there() - Whether the @n bytes at @at may be the beginning of a first message. */
bool handshake_is_there(const uint8_t *at, size_t n);

#endif
