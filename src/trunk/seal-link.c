/* SPDX-License-Identifier: MIT */
/* One end of a sealed trunk over datagrams. */
#include "trunk/seal-link.h"

#include <errno.h>
#include <string.h>

#include "base/util.h"

#define PING 1
#define PONG 2
#define CONTROL_BYTES 3
#define SILENCES 3 /* pings in the time that a peer may be silent */

void seal_link_begin(struct seal_link *l, uint64_t now)
{
	l->heard_at = l->sent_at = l->ping_at = l->dial_at = now;
	l->wants_dial = l->is_dialler;
	pmtu_begin(&l->pmtu, PMTU_MAX, now);
}

void seal_link_end(struct seal_link *l)
{
	datagram_end(&l->keys);
	datagram_end(&l->before);
	datagram_end(&l->next);
	handshake_wipe(&l->hs);
	l->index = 0;
}

static void put_head(uint8_t *at, enum seal_link_type type, uint32_t index)
{
	put_be32(at, (uint32_t)type << 24);
	put_be32(at + 4, index);
}

/* ---- handshakes ---- */

int seal_link_dial(struct seal_link *l, const struct identity *me,
		   const uint8_t peer[SEAL_KEY_BYTES], const uint8_t *psk, uint32_t index,
		   uint64_t now)
{
	uint8_t out[SEAL_LINK_HELLO_BYTES] = { 0 };
	uint8_t *code = out + SEAL_LINK_HEAD + HANDSHAKE_1_BYTES;
	int ret = handshake_dial(&l->hs, me, peer, psk, out + SEAL_LINK_HEAD);

	if (ret < 0)
		return ret;
	put_head(out, SEAL_LINK_HELLO, index);
	memcpy(l->peer, peer, sizeof(l->peer));
	memcpy(l->mac, code - HANDSHAKE_MAC_BYTES, sizeof(l->mac));
	if (l->has_cookie && now - l->cookie_at < COOKIE_MS)
		cookie_code(code, l->cookie, out, (size_t)(code - out));
	l->index = index;
	l->tries++;
	l->dial_at = now + SEAL_LINK_RETRY_MS;
	l->wants_dial = false;
	l->send(l, out, sizeof(out), false);
	return 0;
}

int seal_link_hear(struct cookie_jar *jar, const struct identity *me, const uint8_t *in,
		   size_t len, const void *addr, size_t addr_len, uint64_t now,
		   struct handshake *hs, uint8_t out[SEAL_LINK_COOKIE_BYTES])
{
	const uint8_t *first = in + SEAL_LINK_HEAD, *code = first + HANDSHAKE_1_BYTES;
	uint8_t cookie[COOKIE_BYTES], want[COOKIE_BYTES];
	int ret;

	if (len != SEAL_LINK_HELLO_BYTES ||
	    get_be32(in) != (uint32_t)SEAL_LINK_HELLO << 24 || !get_be32(in + 4))
		return -EPROTO;
	ret = handshake_check(me, first);
	if (ret < 0)
		return ret;
	if (!cookie_is_wanted(jar, now))
		return handshake_hear(hs, me, first);
	ret = cookie_of(jar, addr, addr_len, now, cookie);
	if (ret < 0)
		return ret;
	cookie_code(want, cookie, in, (size_t)(code - in));
	if (crypto_equal(want, code, sizeof(want)))
		return handshake_hear(hs, me, first);
	put_head(out, SEAL_LINK_COOKIE, get_be32(in + 4));
	ret = cookie_seal(out + SEAL_LINK_HEAD, me->mac_key, code - HANDSHAKE_MAC_BYTES,
			  cookie);
	return ret < 0 ? ret : -EAGAIN;
}

static void set_next(struct seal_link *l, struct session *s, uint32_t ours,
		     uint32_t theirs, uint64_t now)
{
	datagram_begin(&l->next, s->suite, s->send, s->recv, ours, theirs, now);
	memcpy(l->peer, s->peer, sizeof(l->peer));
	l->peer_takes = s->peer_takes;
	crypto_wipe(s, sizeof(*s));
}

int seal_link_answer(struct seal_link *l, struct handshake *hs, const uint8_t *psk,
		     const uint8_t *hello, uint32_t index, uint64_t now)
{
	uint8_t out[SEAL_LINK_ANSWER_BYTES];
	uint32_t theirs = get_be32(hello + 4);
	struct session s;
	int ret = handshake_answer(hs, psk, out + SEAL_LINK_HEAD + 4, &s);

	if (ret < 0)
		return ret;
	put_head(out, SEAL_LINK_ANSWER, theirs);
	put_be32(out + SEAL_LINK_HEAD, index);
	set_next(l, &s, index, theirs, now);
	l->send(l, out, sizeof(out), true);
	return 0;
}

/* ---- control ---- */

/* @size: of the whole datagram */
static int send_control(struct seal_link *l, struct datagram_keys *k, uint8_t kind,
			uint32_t said, uint32_t size, bool is_reply)
{
	uint8_t out[PMTU_MAX];

	memset(out, 0, size);
	out[DATAGRAM_HEAD] = kind;
	put_be16(out + DATAGRAM_HEAD + 1, said);
	datagram_seal(k, SEAL_LINK_CONTROL, out, size - DATAGRAM_OVERHEAD);
	return l->send(l, out, size, is_reply);
}

static void ping(struct seal_link *l, struct datagram_keys *k, uint64_t now)
{
	uint32_t size = DATAGRAM_OVERHEAD + CONTROL_BYTES;

	l->ping_at = l->sent_at = now;
	send_control(l, k, PING, size, size, false);
}

static void take_control(struct seal_link *l, const uint8_t *at, size_t len, uint64_t now)
{
	uint32_t size = DATAGRAM_OVERHEAD + CONTROL_BYTES;

	if (len < CONTROL_BYTES)
		return;
	if (at[0] == PONG) {
		pmtu_answered(&l->pmtu, get_be16(at + 1), now);
	} else if (at[0] == PING) {
		l->sent_at = now;
		send_control(l, &l->keys, PONG, (uint32_t)len + DATAGRAM_OVERHEAD, size,
			     true);
	}
}

/* ---- receiving ---- */

static int refuse(struct seal_link *l, int err)
{
	l->refused++;
	return err;
}

/* Nothing is believed before a ping with these keys was answered. */
static int take_answer(struct seal_link *l, const uint8_t *at, size_t len, uint64_t now)
{
	struct handshake hs = l->hs;
	struct session s;
	int ret = -EPROTO;

	if (l->index && len == SEAL_LINK_ANSWER_BYTES && get_be32(at + 4) == l->index)
		ret = handshake_finish(&hs, at + SEAL_LINK_HEAD + 4, &s);
	if (ret < 0) {
		handshake_wipe(&hs);
		return refuse(l, ret);
	}
	handshake_wipe(&l->hs);
	set_next(l, &s, l->index, get_be32(at + SEAL_LINK_HEAD), now);
	l->index = 0;
	ping(l, &l->next, now);
	return 0;
}

static int take_cookie(struct seal_link *l, const uint8_t *at, size_t len, uint64_t now)
{
	uint8_t mac_key[SEAL_HASH_BYTES];

	if (!l->index || len != SEAL_LINK_COOKIE_BYTES || get_be32(at + 4) != l->index)
		return refuse(l, -EPROTO);
	identity_mac_key(mac_key, l->peer);
	if (cookie_open(l->cookie, mac_key, l->mac, at + SEAL_LINK_HEAD) < 0)
		return refuse(l, -EBADMSG);
	l->has_cookie = true;
	l->cookie_at = now;
	return 0;
}

/* Something arrived that is sealed with the next keys. */
static void promote(struct seal_link *l, uint64_t now)
{
	datagram_end(&l->before);
	l->before = l->keys;
	l->keys = l->next;
	datagram_end(&l->next);
	l->replaced_at = now;
	l->tries = 0;
}

static struct datagram_keys *keys_of(struct seal_link *l, uint32_t index)
{
	struct datagram_keys *all[] = { &l->keys, &l->next, &l->before };

	for (unsigned i = 0; i < ARRAY_SIZE(all); i++)
		if (datagram_has_keys(all[i]) && all[i]->ours == index)
			return all[i];
	return NULL;
}

static int take_sealed(struct seal_link *l, uint8_t *at, size_t len, uint64_t now,
		       struct seal_link_taken *out)
{
	bool is_data = get_be32(at) == (uint32_t)SEAL_LINK_DATA << 24;
	struct datagram_keys *k = NULL;
	uint64_t n, latest;
	int ret = -EBADMSG;

	if (len >= DATAGRAM_OVERHEAD)
		k = keys_of(l, datagram_index(at));
	if (k && !datagram_is_spent(k, now)) {
		latest = k->window.next;
		ret = datagram_open(k, at, len, &n);
	}
	if (ret < 0)
		return refuse(l, ret);
	out->is_newest = k != &l->before && n >= latest;
	if (k == &l->next) {
		out->is_first = true;
		promote(l, now);
		k = &l->keys;
	}
	l->heard_at = now;
	l->unheard_at = 0;
	if (is_data) {
		out->payload = at + DATAGRAM_HEAD;
		out->len = (size_t)ret;
		out->id = ((uint64_t)k->ours << 40) + n;
	} else {
		take_control(l, at + DATAGRAM_HEAD, (size_t)ret, now);
	}
	return 0;
}

int seal_link_take(struct seal_link *l, uint8_t *at, size_t len, uint64_t now,
		   struct seal_link_taken *out)
{
	*out = (struct seal_link_taken){ 0 };
	if (len < SEAL_LINK_HEAD)
		return refuse(l, -EPROTO);
	switch (get_be32(at)) {
	case (uint32_t)SEAL_LINK_ANSWER << 24:
		return take_answer(l, at, len, now);
	case (uint32_t)SEAL_LINK_COOKIE << 24:
		return take_cookie(l, at, len, now);
	case (uint32_t)SEAL_LINK_DATA << 24:
	case (uint32_t)SEAL_LINK_CONTROL << 24:
		return take_sealed(l, at, len, now, out);
	default:
		return refuse(l, -EPROTO);
	}
}

/* ---- sending, and what is due ---- */

void seal_link_moved(struct seal_link *l, uint64_t now)
{
	pmtu_begin(&l->pmtu, PMTU_MAX, now);
}

size_t seal_link_seal(struct seal_link *l, uint8_t *at, size_t len, uint64_t now)
{
	size_t size = datagram_seal(&l->keys, SEAL_LINK_DATA, at, len);

	l->sent_at = now;
	if (l->is_dialler && !l->unheard_at)
		l->unheard_at = now;
	pmtu_used(&l->pmtu, (uint32_t)size, now);
	return size;
}

static uint64_t sooner(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t later(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static uint64_t ping_after(const struct seal_link *l)
{
	return l->dead_ms / SILENCES;
}

/* When a ping is due because the peer is silent, or we are; UINT64_MAX: never. */
static uint64_t ping_due(const struct seal_link *l)
{
	uint64_t at = UINT64_MAX;

	if (l->dead_ms)
		at = later(l->heard_at, l->ping_at) + ping_after(l);
	if (l->unheard_at)
		at = sooner(at, later(l->unheard_at, l->ping_at) + SEAL_LINK_PING_MS);
	if (l->keepalive_ms && l->sent_at + l->keepalive_ms < at)
		at = l->sent_at + l->keepalive_ms;
	return at;
}

static void probe(struct seal_link *l, uint64_t now)
{
	uint32_t size;

	while ((size = pmtu_due(&l->pmtu, now)) > 0) {
		l->sent_at = now;
		if (send_control(l, &l->keys, PING, size, size, false) == -EMSGSIZE)
			pmtu_too_long(&l->pmtu, size, now);
	}
}

/* When a peer that says nothing may have lost our keys; UINT64_MAX: never. */
static uint64_t silent_from(const struct seal_link *l)
{
	uint64_t at = UINT64_MAX;

	if (l->dead_ms)
		at = l->heard_at + 2 * ping_after(l);
	if (l->unheard_at)
		at = sooner(at, l->unheard_at + SEAL_LINK_HELLO_MS);
	return at;
}

/* A dialler has something to ask its peer for: keys, or whether it has ours. */
static bool needs_hello(const struct seal_link *l, uint64_t now)
{
	return !seal_link_is_up(l) || datagram_is_stale(&l->keys, now) ||
	       now >= silent_from(l);
}

int seal_link_run(struct seal_link *l, uint64_t now)
{
	if (l->is_dialler && now >= l->dial_at && needs_hello(l, now)) {
		if (!seal_link_is_up(l) && l->tries >= SEAL_LINK_TRIES)
			return -ETIMEDOUT;
		l->wants_dial = true;
	}
	if (datagram_has_keys(&l->before) && now - l->replaced_at >= SEAL_LINK_LATE_MS)
		datagram_end(&l->before);
	if (!seal_link_is_up(l))
		return 0;
	if (datagram_is_spent(&l->keys, now))
		return -EKEYEXPIRED;
	if (l->dead_ms && now - l->heard_at >= l->dead_ms)
		return -ETIMEDOUT;
	if (now >= ping_due(l))
		ping(l, &l->keys, now);
	probe(l, now);
	return 0;
}

uint64_t seal_link_at(const struct seal_link *l)
{
	const struct datagram_keys *k = &l->keys;
	uint64_t at;

	if (!seal_link_is_up(l))
		return l->is_dialler ? l->dial_at : UINT64_MAX;
	at = sooner(ping_due(l), l->pmtu.at);
	at = sooner(at, k->since + DATAGRAM_SPENT_TIMES * k->stale_ms);
	if (datagram_has_keys(&l->before))
		at = sooner(at, l->replaced_at + SEAL_LINK_LATE_MS);
	if (l->is_dialler)
		at = sooner(at, later(l->dial_at,
				      sooner(k->since + k->stale_ms, silent_from(l))));
	return l->dead_ms ? sooner(at, l->heard_at + l->dead_ms) : at;
}
