/* SPDX-License-Identifier: MIT */
/* Records of one direction, sealed and opened in order. */
#include "seal/record.h"

#include <errno.h>

#include "base/util.h"

int record_begin(struct record_way *way, enum seal_suite suite,
		 const uint8_t key[SEAL_KEY_BYTES], uint64_t now)
{
	*way = (struct record_way){
		.aead = aead_new(),
		.suite = suite,
		.since = now,
		.max_records = RECORD_REKEY_RECORDS,
		.max_ms = RECORD_REKEY_MS,
	};
	if (!way->aead)
		return -ENOMEM;
	aead_set(way->aead, suite, key);
	return 0;
}

void record_end(struct record_way *way)
{
	aead_free(way->aead);
	crypto_wipe(way, sizeof(*way));
}

size_t record_seal(struct record_way *way, enum record_kind kind, uint8_t *at,
		   const uint8_t *from, size_t len)
{
	uint8_t *to = at + RECORD_HEAD;

	put_be16(at, kind);
	put_be16(at + 2, (uint32_t)(len + SEAL_TAG_BYTES));
	aead_seal_from(way->aead, way->n++, at, RECORD_HEAD, to, from, len, to + len);
	return len + RECORD_OVERHEAD;
}

/*
 * Noise's REKEY: the key is the first bytes that the cipher makes of zeros, with the one
 * counter that no record has.
 */
void record_rekey(struct record_way *way, uint64_t now)
{
	uint8_t key[SEAL_KEY_BYTES] = { 0 }, tag[SEAL_TAG_BYTES];

	aead_seal(way->aead, UINT64_MAX, NULL, 0, key, sizeof(key), tag);
	aead_set(way->aead, way->suite, key);
	crypto_wipe(key, sizeof(key));
	way->since = now;
	way->at = way->n;
}

size_t record_size(const uint8_t *at)
{
	size_t sealed = get_be16(at + 2);

	if (get_be16(at) > RECORD_REKEY || sealed < SEAL_TAG_BYTES)
		return 0;
	return RECORD_HEAD + sealed;
}

int record_open(struct record_way *way, const uint8_t *at, uint8_t *to,
		enum record_kind *kind)
{
	const uint8_t *from = at + RECORD_HEAD;
	size_t len = record_size(at) - RECORD_OVERHEAD;
	int ret = aead_open_to(way->aead, way->n, at, RECORD_HEAD, to, from, len,
			       from + len);

	if (ret < 0)
		return ret;
	way->n++;
	*kind = get_be16(at);
	return (int)len;
}
