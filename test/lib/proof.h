/* SPDX-License-Identifier: MIT */
/* The record by which a dialler proves that it has the keys (trunk/prove.h), or one like it. */
#ifndef LIB_PROOF_H
#define LIB_PROOF_H

#include "trunk/prove.h"

static inline void proof_make(struct session *s, enum record_kind kind,
			      uint8_t out[PROVE_BYTES])
{
	struct aead aead;
	struct record_way way = { .aead = &aead };

	aead_set(&aead, s->suite, s->send);
	record_seal(&way, kind, out, out + RECORD_HEAD, 0);
	s->sent = 1;
}

#endif
