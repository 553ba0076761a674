/* SPDX-License-Identifier: MIT */
/*
 * AES-256-GCM for processors that compute two blocks with one instruction (VAES and
 * VPCLMULQDQ: AMD's since Zen 3, Intel's since Ice Lake), which no library in reach does
 * without adding more than all of this program has. The library makes the keys of the
 * rounds, and is what the tests compare this file with.
 */
#ifndef GCM_WIDE_H
#define GCM_WIDE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GCM_WIDE_BLOCK 16
#define GCM_WIDE_ROUNDS 14
#define GCM_WIDE_GROUP 16 /* blocks that are hashed together */
#define GCM_WIDE_POWERS 17
#define GCM_WIDE_ZEROS 15 /* so that a whole group may be loaded */

/*
 * A key. It holds no pointer.
 * @keys:   of the rounds
 * @powers: of the key of GHASH, the highest first; behind them zeros
 * @takes_four: gcm-four.h is to be used
 */
struct gcm_wide {
	uint8_t keys[(GCM_WIDE_ROUNDS + 1) * GCM_WIDE_BLOCK];
	uint8_t powers[(GCM_WIDE_POWERS + GCM_WIDE_ZEROS) * GCM_WIDE_BLOCK];
	bool takes_four;
};

/*
 * gcm_wide_works() - Whether this processor and its kernel have what the rest of this file
 * needs. It asks the processor, which a virtual machine may take microseconds for.
 */
bool gcm_wide_works(void);

/* gcm_wide_set() - @keys: of the rounds, as FIPS 197, 5.2, has them, byte by byte. */
void gcm_wide_set(struct gcm_wide *g, const uint8_t *keys);

/*
 * gcm_wide_run() - Encrypt (@seal) or decrypt @len bytes, and compute the tag (NIST SP
 * 800-38D).
 * @n:     the nonce: 4 zero bytes, then @n, big-endian. As a number, for bytes that were
 *         just stored one by one hold up the load of them all, until the message ahead is done
 * @to, @from: the same, or they do not overlap
 * @len:   less than 2^32 blocks
 */
void gcm_wide_run(const struct gcm_wide *g, bool seal, uint64_t n, const void *ad,
		  size_t ad_len, uint8_t *to, const uint8_t *from, size_t len,
		  uint8_t tag[GCM_WIDE_BLOCK]);

#endif
