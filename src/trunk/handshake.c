/* SPDX-License-Identifier: MIT */
/* The two messages. */
#include "trunk/handshake.h"

#include <errno.h>
#include <string.h>

#include "base/util.h"
#include "trunk/trunk.h"

#define HEARD_BYTES (NOISE_IK_1 + HANDSHAKE_1_PAYLOAD)
#define AES_LABEL "netrelay AES-256-GCM"
#define TAI64_EPOCH \
	(1ull << 62) /* and ten seconds, of 1970 (cr.yp.to/libtai/tai64.html) */
#define NS_PER_S 1000000000u

static const uint8_t no_psk[SEAL_KEY_BYTES];

static void compute_mac(uint8_t out[SEAL_HASH_BYTES], const uint8_t key[SEAL_HASH_BYTES],
			const uint8_t msg[HANDSHAKE_1_BYTES])
{
	struct iovec iov = { (void *)msg, HANDSHAKE_1_BYTES - HANDSHAKE_MAC_BYTES };

	crypto_hmac(out, key, SEAL_HASH_BYTES, &iov, 1);
}

static void put_hello(uint8_t *at, uint32_t size)
{
	put_be32(at, TRUNK_MAGIC);
	put_be16(at + 4, TRUNK_SEALED);
	put_be16(at + 6, size);
}

static bool is_hello(const uint8_t *at, uint32_t size)
{
	uint8_t want[HANDSHAKE_HELLO_BYTES];

	put_hello(want, size);
	return memcmp(at, want, sizeof(want)) == 0;
}

bool handshake_is_there(const uint8_t *at, size_t n)
{
	uint8_t want[HANDSHAKE_HELLO_BYTES];

	put_hello(want, HANDSHAKE_1_BYTES);
	return memcmp(at, want, min_size(n, sizeof(want))) == 0;
}

uint32_t handshake_takes(void)
{
	return HAS_OFFLOAD ? TRUNK_TAKES_SUPER | TRUNK_TAKES_SLICES : 0;
}

static void put_stamp(uint8_t out[HANDSHAKE_STAMP_BYTES], uint64_t ns)
{
	put_be64(out, TAI64_EPOCH + 10 + ns / NS_PER_S);
	put_be32(out + 8, (uint32_t)(ns % NS_PER_S));
}

int handshake_dial(struct handshake *h, const struct identity *me,
		   const uint8_t peer[SEAL_KEY_BYTES], const uint8_t *psk,
		   uint8_t out[HANDSHAKE_1_BYTES])
{
	uint8_t payload[HANDSHAKE_1_PAYLOAD], key[SEAL_HASH_BYTES], mac[SEAL_HASH_BYTES];
	int ret;

	put_hello(out, HANDSHAKE_1_BYTES);
	put_stamp(payload, identity_time(me));
	put_be32(payload + HANDSHAKE_STAMP_BYTES, handshake_takes());
	put_be32(payload + HANDSHAKE_STAMP_BYTES + 4, me->suites);
	h->ours = me->suites;
	noise_init(&h->noise, true, SEAL_CHACHA20_POLY1305, out, HANDSHAKE_HELLO_BYTES,
		   &me->pair, peer, psk ? psk : no_psk);
	ret = noise_write(&h->noise, payload, sizeof(payload),
			  out + HANDSHAKE_HELLO_BYTES);
	if (ret < 0) {
		handshake_wipe(h);
		return ret;
	}
	identity_mac_key(key, peer);
	compute_mac(mac, key, out);
	memcpy(out + HANDSHAKE_1_BYTES - HANDSHAKE_MAC_BYTES, mac, HANDSHAKE_MAC_BYTES);
	return 0;
}

int handshake_check(const struct identity *me, const uint8_t in[HANDSHAKE_1_BYTES])
{
	uint8_t mac[SEAL_HASH_BYTES];

	if (!is_hello(in, HANDSHAKE_1_BYTES))
		return -EPROTO;
	compute_mac(mac, me->mac_key, in);
	return crypto_equal(mac, in + HANDSHAKE_1_BYTES - HANDSHAKE_MAC_BYTES,
			    HANDSHAKE_MAC_BYTES)
		       ? 0
		       : -EACCES;
}

int handshake_hear(struct handshake *h, const struct identity *me,
		   const uint8_t in[HANDSHAKE_1_BYTES])
{
	h->ours = me->suites;
	noise_init(&h->noise, false, SEAL_CHACHA20_POLY1305, in, HANDSHAKE_HELLO_BYTES,
		   &me->pair, NULL, no_psk);
	if (noise_read_peer(&h->noise, in + HANDSHAKE_HELLO_BYTES, HEARD_BYTES) == 0)
		return 0;
	handshake_wipe(h);
	return -EBADMSG;
}

int handshake_believe(struct handshake *h, const uint8_t *shared,
		      const uint8_t in[HANDSHAKE_1_BYTES])
{
	uint8_t payload[HANDSHAKE_1_PAYLOAD];

	if (shared)
		noise_set_shared(&h->noise, shared);
	if (noise_read(&h->noise, in + HANDSHAKE_HELLO_BYTES, HEARD_BYTES, payload) < 0) {
		handshake_wipe(h);
		return -EBADMSG;
	}
	memcpy(h->stamp, payload, sizeof(h->stamp));
	h->takes = get_be32(payload + HANDSHAKE_STAMP_BYTES);
	h->suites = get_be32(payload + HANDSHAKE_STAMP_BYTES + 4);
	return 0;
}

/* So that a key of Noise, which is ChaChaPoly's, is not the other cipher's, too. */
static void derive(uint8_t key[SEAL_KEY_BYTES], enum seal_suite suite)
{
	struct iovec label = { (void *)AES_LABEL, sizeof(AES_LABEL) - 1 };
	uint8_t next[SEAL_HASH_BYTES];

	if (suite == SEAL_CHACHA20_POLY1305)
		return;
	crypto_hmac(next, key, SEAL_KEY_BYTES, &label, 1);
	memcpy(key, next, SEAL_KEY_BYTES);
	crypto_wipe(next, sizeof(next));
}

static int make_session(struct handshake *h, struct session *s, uint32_t takes,
			enum seal_suite suite)
{
	int ret;

	*s = (struct session){ .suite = suite, .peer_takes = takes };
	memcpy(s->peer, noise_peer(&h->noise), sizeof(s->peer));
	ret = noise_split(&h->noise, s->send, s->recv);
	derive(s->send, s->suite);
	derive(s->recv, s->suite);
	handshake_wipe(h);
	return ret;
}

int handshake_answer(struct handshake *h, const uint8_t *psk,
		     uint8_t out[HANDSHAKE_2_BYTES], struct session *s)
{
	uint32_t both = h->suites & h->ours;
	uint32_t suite = both & 1u << SEAL_AES256_GCM ? SEAL_AES256_GCM
						      : SEAL_CHACHA20_POLY1305;
	uint8_t payload[HANDSHAKE_2_PAYLOAD];
	int ret;

	put_hello(out, HANDSHAKE_2_BYTES);
	put_be32(payload, handshake_takes());
	put_be32(payload + 4, suite);
	noise_set_psk(&h->noise, psk ? psk : no_psk);
	ret = noise_write(&h->noise, payload, sizeof(payload),
			  out + HANDSHAKE_HELLO_BYTES);
	if (ret < 0) {
		handshake_wipe(h);
		return ret;
	}
	return make_session(h, s, h->takes, suite);
}

int handshake_finish(struct handshake *h, const uint8_t in[HANDSHAKE_2_BYTES],
		     struct session *s)
{
	uint8_t payload[HANDSHAKE_2_PAYLOAD];
	uint32_t suite;
	int ret;

	if (!is_hello(in, HANDSHAKE_2_BYTES))
		return -EPROTO;
	ret = noise_read(&h->noise, in + HANDSHAKE_HELLO_BYTES,
			 NOISE_IK_2 + HANDSHAKE_2_PAYLOAD, payload);
	if (ret < 0) {
		handshake_wipe(h);
		return -EBADMSG;
	}
	suite = get_be32(payload + 4);
	if (suite > SEAL_AES256_GCM || !(h->ours & 1u << suite)) {
		handshake_wipe(h);
		return -EPROTO;
	}
	return make_session(h, s, get_be32(payload), suite);
}

void handshake_wipe(struct handshake *h)
{
	noise_wipe(&h->noise);
	crypto_wipe(h, sizeof(*h));
}
