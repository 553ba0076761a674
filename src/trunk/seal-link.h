/* SPDX-License-Identifier: MIT */
/*
 * One end of a sealed trunk over datagrams: which keys it has, whether its peer lives, and
 * how long datagrams may be. It opens no socket and knows no clock: its owner gives it what
 * came, and the time, and sends what it makes.
 *
 * A datagram begins with what it is (1 byte) and three zeros. Numbers are big-endian.
 *
 *	1  HELLO    dialler's index (4), first message (trunk/handshake.h), code made with a
 *	            cookie, or zeros (16)
 *	2  ANSWER   dialler's index (4), listener's (4), second message
 *	3  COOKIE   dialler's index (4), a sealed cookie (trunk/cookie.h)
 *	4  DATA     sealed (seal/datagram.h): frames (trunk/packing.h)
 *	5  CONTROL  sealed: ping or pong (1), length of the ping's datagram (2), zeros
 *
 * Handshakes may be lost, repeated or forged, so keys count only once something arrives that
 * is sealed with them: until then the old ones are used. The dialler pings with the new
 * keys, the listener pongs with them. The keys before are kept for datagrams under way. The
 * dialler begins a handshake anew when keys are stale or the peer is silent, so a peer that
 * has lost its keys is found again: soon if there is something to send, which it does not
 * answer, with a ping first.
 */
#ifndef SEAL_LINK_H
#define SEAL_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "seal/datagram.h"
#include "trunk/cookie.h"
#include "trunk/handshake.h"
#include "trunk/pmtu.h"

enum seal_link_type {
	SEAL_LINK_HELLO = 1,
	SEAL_LINK_ANSWER,
	SEAL_LINK_COOKIE,
	SEAL_LINK_DATA,
	SEAL_LINK_CONTROL,
};

#define SEAL_LINK_HEAD 8 /* of the first three: what it is, dialler's index */
#define SEAL_LINK_HELLO_BYTES (SEAL_LINK_HEAD + HANDSHAKE_1_BYTES + COOKIE_BYTES)
#define SEAL_LINK_ANSWER_BYTES (SEAL_LINK_HEAD + 4 + HANDSHAKE_2_BYTES)
#define SEAL_LINK_COOKIE_BYTES (SEAL_LINK_HEAD + COOKIE_SEALED_BYTES)

#define SEAL_LINK_RETRY_MS 1000 /* until another hello */
#define SEAL_LINK_TRIES 5	/* hellos, until a peer without keys is given up */
#define SEAL_LINK_LATE_MS 60000 /* how long keys that were replaced are kept */
#define SEAL_LINK_PING_MS \
	1000 /* without a word from who is sent something, until a ping */
#define SEAL_LINK_HELLO_MS 3000 /* and until a hello */

/*
 * @keys:  in use; those before; those of a handshake that nothing has arrived with
 * @replaced_at: when the keys before were
 * @hs, @index, @mac: the dialler's handshake that is under way, if @index is not 0
 * @tries, @dial_at: hellos in a row; the earliest time for the next
 * @cookie, @cookie_at: if @has_cookie
 * @wants_dial: seal_link_dial() is to be called
 * @dead_ms: how long the peer may be silent; 0: for ever
 * @keepalive_ms: the longest time to send nothing; 0: for ever
 * @heard_at, @sent_at, @ping_at: something of the peer's came; went; a ping went
 * @unheard_at: a dialler's first DATA since something of the peer's came; 0: it has sent none
 * @refused: datagrams that were not the peer's, were changed, or came twice
 * @peer_takes: as of struct trunk
 * @send:  send it; @is_reply: to where that came from which is being taken, else to where
 *         the peer is. Return: 0 or -errno
 */
struct seal_link {
	bool is_dialler;
	struct datagram_keys keys, before, next;
	uint64_t replaced_at;
	uint8_t peer[SEAL_KEY_BYTES];
	struct handshake hs;
	uint32_t index;
	uint8_t mac[HANDSHAKE_MAC_BYTES];
	unsigned tries;
	uint64_t dial_at;
	uint8_t cookie[COOKIE_BYTES];
	uint64_t cookie_at;
	bool has_cookie, wants_dial;
	uint64_t dead_ms, keepalive_ms;
	uint64_t heard_at, sent_at, ping_at, unheard_at;
	uint64_t refused;
	uint32_t peer_takes;
	struct pmtu pmtu;
	int (*send)(struct seal_link *l, const uint8_t *data, size_t len, bool is_reply);
};

/* What seal_link_take() has found. */
struct seal_link_taken {
	const uint8_t
		*payload; /* of DATA, which has @len bytes; NULL: nothing for the owner */
	size_t len;
	uint64_t id;	/* of the datagram; see unpacker_begin() */
	bool is_first;	/* the first thing that proves that the peer has the keys */
	bool is_newest; /* none of the peer's that came so far was sent later */
};

/* seal_link_begin() - Without keys. @l: all zeros but dead_ms, keepalive_ms, send, is_dialler */
void seal_link_begin(struct seal_link *l, uint64_t now);

/* seal_link_end() - Wipe all keys. */
void seal_link_end(struct seal_link *l);

/* seal_link_is_up() - Whether frames can be sent. */
static inline bool seal_link_is_up(const struct seal_link *l)
{
	return datagram_has_keys(&l->keys);
}

/*
 * seal_link_dial() - Send a hello.
 * @index: not 0, and another one for each; datagrams to us have it
 *
 * Return: 0; -errno as of handshake_dial().
 */
int seal_link_dial(struct seal_link *l, const struct identity *me,
		   const uint8_t peer[SEAL_KEY_BYTES], const uint8_t *psk, uint32_t index,
		   uint64_t now);

/*
 * seal_link_hear() - A listener got a datagram that may be a hello. Who sends it is then to
 * be looked up, its stamp compared, and handshake_believe() called.
 * @addr: @addr_len bytes that tell its source from others
 * @cookie: set to an answer of SEAL_LINK_COOKIE_BYTES after -EAGAIN
 *
 * Return: 0 with @hs; -EAGAIN: only a cookie is to be sent; else as handshake_check() and
 * handshake_hear().
 */
int seal_link_hear(struct cookie_jar *jar, const struct identity *me, const uint8_t *in,
		   size_t len, const void *addr, size_t addr_len, uint64_t now,
		   struct handshake *hs, uint8_t cookie[SEAL_LINK_COOKIE_BYTES]);

/*
 * seal_link_answer() - Answer a hello that was believed; also of a peer that has keys.
 * @hello: it; @index: ours, not 0
 *
 * Return: 0 or -errno.
 */
int seal_link_answer(struct seal_link *l, struct handshake *hs, const uint8_t *psk,
		     const uint8_t *hello, uint32_t index, uint64_t now);

/*
 * seal_link_take() - A datagram of any type but HELLO came, whose index is of this link.
 * @at: its @len bytes, which are opened where they lie
 *
 * Return: 0; -errno: it was refused, and counted.
 */
int seal_link_take(struct seal_link *l, uint8_t *at, size_t len, uint64_t now,
		   struct seal_link_taken *out);

/* seal_link_moved() - The peer is at another address, whose path is not known. */
void seal_link_moved(struct seal_link *l, uint64_t now);

/* seal_link_room() - Bytes of payload that DATA may have now. */
static inline uint32_t seal_link_room(const struct seal_link *l)
{
	return l->pmtu.size - DATAGRAM_OVERHEAD;
}

/* seal_link_seal() - Seal DATA, which is then sent; as datagram_seal(). The link is up. */
size_t seal_link_seal(struct seal_link *l, uint8_t *at, size_t len, uint64_t now);

/*
 * seal_link_run() - Do what is due: to be called at seal_link_at(), or at any other time.
 *
 * Return: 0; -ETIMEDOUT: the peer does not answer; -EKEYEXPIRED: keys may not be used any
 * more, and none came in their place. Then the link has ended.
 */
int seal_link_run(struct seal_link *l, uint64_t now);

/* seal_link_at() - When to call seal_link_run() next. */
uint64_t seal_link_at(const struct seal_link *l);

#endif
