/* SPDX-License-Identifier: MIT */
/*
 * Peers tell by the time which of two handshakes is the later one, and believe no earlier one.
 * A host that starts again has nothing else that only grows but the wall clock. As that may be
 * set back, it counts where it was the furthest, and the monotonic clock from there on.
 *
 * #syscalls: clock_gettime
 */
#include "seal/identity.h"

#include <string.h>
#include <time.h>

#include "base/loop.h"

#define NS_PER_S 1000000000
#define MAC_LABEL "netrelay mac1"

void identity_set(struct identity *me, const uint8_t key[SEAL_KEY_BYTES])
{
	memcpy(me->pair.key, key, sizeof(me->pair.key));
	crypto_public(me->pair.pub, me->pair.key);
	identity_mac_key(me->mac_key, me->pair.pub);
	me->suites = 1u << SEAL_CHACHA20_POLY1305;
	if (crypto_has_aes())
		me->suites |= 1u << SEAL_AES256_GCM;
}

void identity_look_at_clock(struct identity *me)
{
	struct timespec wall;
	int64_t ahead;

	clock_gettime(CLOCK_REALTIME, &wall);
	ahead = (int64_t)wall.tv_sec * NS_PER_S + wall.tv_nsec - (int64_t)loop_now_ns();
	if (ahead > me->ahead)
		me->ahead = ahead;
}

uint64_t identity_time(const struct identity *me)
{
	return (uint64_t)me->ahead + loop_now_ns();
}

void identity_mac_key(uint8_t out[SEAL_HASH_BYTES],
		      const uint8_t public_key[SEAL_KEY_BYTES])
{
	struct iovec iov[] = {
		{ (void *)MAC_LABEL, sizeof(MAC_LABEL) - 1 },
		{ (void *)public_key, SEAL_KEY_BYTES },
	};

	crypto_hash(out, iov, 2);
}
