/* SPDX-License-Identifier: MIT */
#include "seal/identity.h"

#include <string.h>

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

void identity_mac_key(uint8_t out[SEAL_HASH_BYTES],
		      const uint8_t public_key[SEAL_KEY_BYTES])
{
	struct iovec iov[] = {
		{ (void *)MAC_LABEL, sizeof(MAC_LABEL) - 1 },
		{ (void *)public_key, SEAL_KEY_BYTES },
	};

	crypto_hash(out, iov, 2);
}
