/* SPDX-License-Identifier: MIT */
/* Who we are: a key pair, and what else follows from it. */
#ifndef IDENTITY_H
#define IDENTITY_H

#include "seal/noise.h"

/*
 * @pair:    to be wiped
 * @mac_key: what others who know the public key make the same way, see identity_mac_key()
 * @suites:  that this processor has: bit N is suite N
 * @ahead:   the most that the wall clock was ever ahead of loop_now_ns(), ns
 */
struct identity {
	struct noise_pair pair;
	uint8_t mac_key[SEAL_HASH_BYTES];
	uint32_t suites;
	int64_t ahead;
};

/* identity_set() - Make it of a private key. */
void identity_set(struct identity *me, const uint8_t key[SEAL_KEY_BYTES]);

/*
 * identity_look_at_clock() - For identity_time(): call it once in a while.
 * identity_time() - Return: ns since 1970 or a later time. It only grows, also when the wall
 * clock is set back, and also over a restart if that clock is not set back meanwhile.
 */
void identity_look_at_clock(struct identity *me);
uint64_t identity_time(const struct identity *me);

/*
 * identity_mac_key() - The key of a cheap proof that somebody knows a public key: who does
 * not is answered nothing, and costs little (as "mac1" of WireGuard's protocol).
 */
void identity_mac_key(uint8_t out[SEAL_HASH_BYTES],
		      const uint8_t public_key[SEAL_KEY_BYTES]);

#endif
