/* SPDX-License-Identifier: MIT */
/*
 * Sealed datagrams, and the keys that one handshake has brought for them. As they may be
 * lost and arrive in another order, each says its counter, and none is taken twice.
 *
 * A datagram, DATAGRAM_HEAD + n + SEAL_TAG_BYTES bytes:
 *
 *	0  1  what it is, of the user's choice
 *	1  3  zero
 *	4  4  index of the keys, of the receiver's choice, big-endian
 *	8  8  counter, big-endian
 *	16 n  sealed bytes
 *	.. 16 tag; the head is its additional data
 */
#ifndef DATAGRAM_H
#define DATAGRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "seal/crypto.h"
#include "seal/window.h"

#define DATAGRAM_HEAD 16
#define DATAGRAM_OVERHEAD (DATAGRAM_HEAD + SEAL_TAG_BYTES)

/*
 * When other keys are wanted, and when these are used no more. 2^28 datagrams of 9,000 bytes
 * are 2^37.2 blocks of AES, for which the bounds of RFC 8446, section 5.5, leave an attacker
 * a chance of 2^-54 to tell them from noise.
 */
#define DATAGRAM_STALE (1ull << 26)
#define DATAGRAM_STALE_MS (3600ull * 1000)
#define DATAGRAM_SPENT_TIMES 4

/*
 * Keys of both directions. All zero: none.
 * @ours, @theirs: the index that the peer writes, and the one that we write
 * @n:      datagrams that were sealed
 * @window: of those that were opened
 * @since:  when they were made, ms of any clock
 * @stale, @stale_ms: as above
 */
struct datagram_keys {
	struct aead send, recv;
	enum seal_suite suite;
	uint32_t ours, theirs;
	uint64_t n;
	struct window window;
	uint64_t since, stale, stale_ms;
};

/* datagram_begin() - Nothing was sealed or opened with these keys. They are copied. */
void datagram_begin(struct datagram_keys *k, enum seal_suite suite,
		    const uint8_t send[SEAL_KEY_BYTES],
		    const uint8_t recv[SEAL_KEY_BYTES], uint32_t ours, uint32_t theirs,
		    uint64_t now);

/* datagram_end() - Wipe them. It may be called twice. */
void datagram_end(struct datagram_keys *k);

static inline bool datagram_has_keys(const struct datagram_keys *k)
{
	return k->suite != 0;
}

/* datagram_is_stale() - Whether it is time for others. */
bool datagram_is_stale(const struct datagram_keys *k, uint64_t now);

/* datagram_is_spent() - Whether they must not be used any more. */
bool datagram_is_spent(const struct datagram_keys *k, uint64_t now);

/* datagram_index() - The receiver's index of a datagram of DATAGRAM_HEAD bytes or more. */
uint32_t datagram_index(const uint8_t *at);

/*
 * datagram_seal() - Make a datagram where its bytes lie.
 * @at: DATAGRAM_HEAD bytes for the head, then @len bytes, then room for the tag
 *
 * Return: its bytes.
 */
size_t datagram_seal(struct datagram_keys *k, uint8_t type, uint8_t *at, size_t len);

/*
 * datagram_open() - Open one where it lies.
 * @at, @len: all of it
 * @n:        set to its counter
 *
 * Return: how many bytes lie behind its head; -EALREADY: it has come before, or is too late;
 * -EBADMSG: it is not the peer's, or somebody has changed it.
 */
int datagram_open(struct datagram_keys *k, uint8_t *at, size_t len, uint64_t *n);

#endif
