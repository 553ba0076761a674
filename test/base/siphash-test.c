/* SPDX-License-Identifier: MIT */
/*
 * siphash.c, beside the authors' own vectors: of the 64 in vectors_sip64 of
 * their reference code, the one for a message of eight bytes. The key is the
 * bytes 00 to 0f, the message 00 to 07, each read with the lowest byte first.
 */
#include "base/siphash.h"

#include "lib/tap.h"

int main(void)
{
	static const uint64_t key[2] = { 0x0706050403020100u, 0x0f0e0d0c0b0a0908u };
	static const uint64_t swapped[2] = { 0x0f0e0d0c0b0a0908u, 0x0706050403020100u };
	uint64_t hash = siphash(key, 0x0706050403020100u);

	ok(hash == 0x93f5f5799a932462u, "the published vector for eight bytes");
	ok(siphash(swapped, 0x0706050403020100u) != hash, "both halves of the key count");
	for (int bit = 0; bit < 64; bit += 7)
		ok(siphash(key, 0x0706050403020100u ^ (uint64_t)1 << bit) != hash,
		   "bit %d of the message counts", bit);
	return done();
}
