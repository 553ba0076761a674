/* SPDX-License-Identifier: MIT */
/*
 * gcm-wide.h for processors that compute four blocks with one instruction (AVX-512: AMD's
 * since Zen 4, Intel's for servers since Ice Lake). Only on x86-64 these functions are there.
 */
#ifndef GCM_FOUR_H
#define GCM_FOUR_H

#include "seal/gcm-wide.h"

/* gcm_four_works() - As gcm_wide_works(), which must have said yes. */
bool gcm_four_works(void);

/* gcm_four_run() - As gcm_wide_run(), which calls it. */
void gcm_four_run(const struct gcm_wide *g, bool seal, uint64_t n, const void *ad,
		  size_t ad_len, uint8_t *to, const uint8_t *from, size_t len,
		  uint8_t tag[GCM_WIDE_BLOCK]);

#endif
