/* SPDX-License-Identifier: MIT */
/* Sealed datagrams. */
#include "seal/datagram.h"

#include <errno.h>
#include <string.h>

#include "base/util.h"

#define AT_INDEX 4
#define AT_COUNTER 8

void datagram_begin(struct datagram_keys *k, enum seal_suite suite,
		    const uint8_t send[SEAL_KEY_BYTES],
		    const uint8_t recv[SEAL_KEY_BYTES], uint32_t ours, uint32_t theirs,
		    uint64_t now)
{
	memset(k, 0, sizeof(*k));
	k->suite = suite;
	k->ours = ours;
	k->theirs = theirs;
	k->since = now;
	k->stale = DATAGRAM_STALE;
	k->stale_ms = DATAGRAM_STALE_MS;
	aead_set(&k->send, suite, send);
	aead_set(&k->recv, suite, recv);
}

void datagram_end(struct datagram_keys *k)
{
	crypto_wipe(k, sizeof(*k));
}

static bool is_over(const struct datagram_keys *k, uint64_t now, unsigned times)
{
	return k->n >= times * k->stale || k->window.next >= times * k->stale ||
	       now - k->since >= times * k->stale_ms;
}

bool datagram_is_stale(const struct datagram_keys *k, uint64_t now)
{
	return is_over(k, now, 1);
}

bool datagram_is_spent(const struct datagram_keys *k, uint64_t now)
{
	return is_over(k, now, DATAGRAM_SPENT_TIMES);
}

uint32_t datagram_index(const uint8_t *at)
{
	return get_be32(at + AT_INDEX);
}

size_t datagram_seal(struct datagram_keys *k, uint8_t type, uint8_t *at, size_t len)
{
	uint8_t *data = at + DATAGRAM_HEAD;

	put_be32(at, (uint32_t)type << 24);
	put_be32(at + AT_INDEX, k->theirs);
	put_be64(at + AT_COUNTER, k->n);
	aead_seal(&k->send, k->n++, at, DATAGRAM_HEAD, data, len, data + len);
	return len + DATAGRAM_OVERHEAD;
}

int datagram_open(struct datagram_keys *k, uint8_t *at, size_t len, uint64_t *n)
{
	uint8_t *data = at + DATAGRAM_HEAD;

	if (len < DATAGRAM_OVERHEAD)
		return -EBADMSG;
	len -= DATAGRAM_OVERHEAD;
	*n = get_be64(at + AT_COUNTER);
	if (!window_is_new(&k->window, *n))
		return -EALREADY;
	if (aead_open(&k->recv, *n, at, DATAGRAM_HEAD, data, len, data + len) < 0)
		return -EBADMSG;
	window_add(&k->window, *n);
	return (int)len;
}
