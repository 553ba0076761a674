/* SPDX-License-Identifier: MIT */
/* The two ends of a Noise handshake with fixed keys, and what both need. */
#ifndef LIB_NOISE_ENDS_H
#define LIB_NOISE_ENDS_H

#include <string.h>

#include "seal/noise.h"

#define ENDS_PAYLOAD "a payload"
#define ENDS_PAYLOAD_LEN 9

struct ends {
	struct noise_pair dialler_key, listener_key;
	struct noise dialler, listener;
	uint8_t first[NOISE_IK_1 + ENDS_PAYLOAD_LEN]; /* the messages that they make */
	uint8_t second[NOISE_IK_2 + ENDS_PAYLOAD_LEN];
};

static const uint8_t ends_psk[SEAL_KEY_BYTES] = "a secret of the pair";

/* The lowest bits of a key do not count. */
static inline struct noise_pair ends_key(uint8_t number)
{
	struct noise_pair pair = { .key = { 0, number, 3 } };

	crypto_public(pair.pub, pair.key);
	return pair;
}

/* ends_begin() - Begin a handshake, of IKpsk2 if there is a @psk. */
static inline void ends_begin(struct ends *e, enum seal_suite suite, const uint8_t *psk)
{
	e->dialler_key = ends_key(1);
	e->listener_key = ends_key(2);
	noise_init(&e->dialler, true, suite, "hello", 5, &e->dialler_key,
		   e->listener_key.pub, psk);
	noise_init(&e->listener, false, suite, "hello", 5, &e->listener_key, NULL, psk);
	noise_set_ephemeral(&e->dialler, ends_key(3).key);
	noise_set_ephemeral(&e->listener, ends_key(4).key);
}

/* ends_run() - Have both make their messages; the ends are as before the last one is read. */
static inline bool ends_run(struct ends *e)
{
	uint8_t payload[ENDS_PAYLOAD_LEN];

	return noise_write(&e->dialler, ENDS_PAYLOAD, ENDS_PAYLOAD_LEN, e->first) ==
		       sizeof(e->first) &&
	       noise_read(&e->listener, e->first, sizeof(e->first), payload) ==
		       ENDS_PAYLOAD_LEN &&
	       noise_write(&e->listener, ENDS_PAYLOAD, ENDS_PAYLOAD_LEN, e->second) ==
		       sizeof(e->second);
}

#endif
