/* SPDX-License-Identifier: MIT */
/*
 * seal-link.c with datagrams of strangers, and of a peer that has the keys and lies. Input:
 * datagrams, each behind a byte that says what is to be done with it, its length (2 bytes)
 * and how much time has passed (1).
 */
#include "lib/fuzz.h"

#include "trunk/seal-link.h"

static unsigned sent;

static int count_sent(struct seal_link *l, const uint8_t *data, size_t len, bool is_reply)
{
	(void)l;
	(void)is_reply;
	must(len >= SEAL_LINK_HEAD && len <= PMTU_MAX && data[0] <= SEAL_LINK_CONTROL);
	sent++;
	return 0;
}

/* @at has room for the head ahead of its @len bytes, and for the tag behind. */
static void give(struct seal_link *l, struct datagram_keys *peer,
		 const struct identity *me, uint8_t how, uint8_t *at, size_t len,
		 uint64_t now)
{
	static struct cookie_jar jar;
	uint8_t cookie[SEAL_LINK_COOKIE_BYTES];
	struct seal_link_taken t;
	struct handshake hs;

	sent = 0;
	if (how & 1) {
		len = datagram_seal(peer, SEAL_LINK_DATA + (how >> 1) % 2, at, len);
		seal_link_take(l, at, len, now, &t);
		must(!t.payload || (t.payload > at && t.payload + t.len <= at + len));
	} else if (how & 2) {
		must(seal_link_take(l, at + DATAGRAM_HEAD, len, now, &t) < 0);
	} else {
		must(seal_link_hear(&jar, me, at + DATAGRAM_HEAD, len, "a", 1, now, &hs,
				    cookie) < 0);
	}
	must(sent <= 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t one[SEAL_KEY_BYTES] = { 1 }, two[SEAL_KEY_BYTES] = { 2 };
	static struct identity me;
	struct fuzz_input in = { data, size };
	struct seal_link l = { .send = count_sent, .dead_ms = 15000 };
	struct datagram_keys peer;
	uint64_t now = 1000;

	if (!me.suites)
		identity_set(&me, one);
	seal_link_begin(&l, now);
	datagram_begin(&l.keys, SEAL_CHACHA20_POLY1305, one, two, 11, 22, now);
	datagram_begin(&peer, SEAL_CHACHA20_POLY1305, two, one, 22, 11, now);
	while (in.left) {
		uint8_t how = fuzz_byte(&in);
		size_t len = fuzz_number(&in, 2);
		uint8_t *at;

		now += fuzz_byte(&in) * 16;
		len = len < in.left ? len : in.left;
		at = calloc(1, len + DATAGRAM_OVERHEAD);
		must(at);
		memcpy(at + DATAGRAM_HEAD, in.at, len);
		in.at += len;
		in.left -= len;
		give(&l, &peer, &me, how, at, len, now);
		free(at);
		must(l.pmtu.size >= PMTU_LEAST && l.pmtu.size <= PMTU_MAX);
		if (seal_link_run(&l, now) < 0)
			break;
		must(seal_link_at(&l) > now);
	}
	seal_link_end(&l);
	return 0;
}
