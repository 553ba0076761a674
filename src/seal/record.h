/* SPDX-License-Identifier: MIT */
/*
 * Records: what a sealed stream is made of after the handshake. One direction has one key,
 * and a counter that is never used twice with it.
 *
 * A record, RECORD_HEAD + n + SEAL_TAG_BYTES bytes, n <= RECORD_MAX:
 *
 *   0  2  what it is: enum record_kind, big-endian
 *   2  2  n + SEAL_TAG_BYTES, big-endian
 *   4  n  sealed bytes
 *  ..  16 tag; the first four bytes are its additional data
 *
 * So a record's cipher text is no longer than a Noise message may be (65,535 bytes; Noise
 * revision 34, section 3). Behind a record of RECORD_REKEY the direction has another key,
 * which follows from the old one (section 4.2, Rekey) and does not lead back to it; the
 * counter goes on.
 */
#ifndef RECORD_H
#define RECORD_H

#include <stddef.h>
#include <stdint.h>

#include "seal/crypto.h"

#define RECORD_HEAD 4
#define RECORD_MAX (65535 - SEAL_TAG_BYTES)
#define RECORD_OVERHEAD (RECORD_HEAD + SEAL_TAG_BYTES)
#define RECORD_SIZE_MAX (RECORD_MAX + RECORD_OVERHEAD)

/*
 * A key seals this many records at most, so 4 TiB. With AES-GCM and 2^38 blocks, an
 * attacker tells them from noise with a chance of 2^-53 (the square over 2^129; NIST SP
 * 800-38D and the bounds that RFC 8446, section 5.5, uses).
 */
#define RECORD_REKEY_RECORDS (1ull << 26)
#define RECORD_REKEY_MS (3600ull * 1000)

/* RECORD_END: empty, and the last one; so a stream that is cut off does not look ended. */
enum record_kind { RECORD_DATA, RECORD_END, RECORD_REKEY };

/*
 * One direction.
 * @n:      records so far
 * @since, @at: when its key was made (ms of any clock), and @n at that time
 * @max_records, @max_ms: of a key; as above
 */
struct record_way {
	struct aead *aead;
	enum seal_suite suite;
	uint64_t n, at, since;
	uint64_t max_records, max_ms;
};

/*
 * record_begin() - @way is all zero or was ended.
 * @key: of the handshake; copied
 * @now: ms
 *
 * Return: 0 or -ENOMEM.
 */
int record_begin(struct record_way *way, enum seal_suite suite,
		 const uint8_t key[SEAL_KEY_BYTES], uint64_t now);

/* record_end() - Wipe the key. It may be called twice. */
void record_end(struct record_way *way);

/* record_is_stale() - Whether it is time for another key. */
static inline int record_is_stale(const struct record_way *way, uint64_t now)
{
	return way->n - way->at >= way->max_records || now - way->since >= way->max_ms;
}

/*
 * record_seal() - Make a record.
 * @at:   where: RECORD_HEAD bytes for the head, then room for @len bytes and the tag
 * @from: the @len bytes: there, behind the head, or elsewhere
 *
 * Return: bytes of the record.
 */
size_t record_seal(struct record_way *way, enum record_kind kind, uint8_t *at,
		   const uint8_t *from, size_t len);

/* record_rekey() - Another key, from now on: after a record of RECORD_REKEY, at both ends. */
void record_rekey(struct record_way *way, uint64_t now);

/*
 * record_size() - Bytes of the record whose first RECORD_HEAD bytes are at @at.
 *
 * Return: them; 0: no record begins like that.
 */
size_t record_size(const uint8_t *at);

/*
 * record_open() - Open the next record.
 * @at: record_size() bytes
 * @to: room for all of these but RECORD_OVERHEAD: there, behind the head, or elsewhere
 *
 * Return: how many bytes it had; -EBADMSG: it was not sealed by the peer, or is not the next
 * one. Then nothing can be opened any more.
 */
int record_open(struct record_way *way, const uint8_t *at, uint8_t *to,
		enum record_kind *kind);

#endif
