/* SPDX-License-Identifier: MIT */
/* Two ends that agree, and all the ways in which they must not. */
#include "trunk/handshake.h"

#include <errno.h>
#include <stdlib.h>

#include "base/util.h"
#include "lib/no-random.h"
#include "lib/random.h"
#include "lib/tap.h"
#include "lib/zero.h"
#include "trunk/trunk.h"

static struct identity dialler, listener, other;
static const uint8_t psk[SEAL_KEY_BYTES] = { 7 }, wrong_psk[SEAL_KEY_BYTES] = { 8 };

/* One handshake, message by message. */
struct pair {
	struct handshake d, l;
	uint8_t first[HANDSHAKE_1_BYTES], second[HANDSHAKE_2_BYTES];
	struct session ds, ls;
};

/* All steps. */
static int hear(struct handshake *h, const struct identity *me, const uint8_t *in)
{
	int ret = handshake_check(me, in);

	if (ret == 0)
		ret = handshake_hear(h, me, in);
	return ret == 0 ? handshake_believe(h, NULL, in) : ret;
}

/* Return: what the listener says to the first message; then the second one is made. */
static int to_second(struct pair *p, const uint8_t *d_psk, const uint8_t *l_psk)
{
	int ret;

	memset(p, 0, sizeof(*p));
	ret = handshake_dial(&p->d, &dialler, listener.pair.pub, d_psk, p->first);
	if (ret == 0)
		ret = hear(&p->l, &listener, p->first);
	if (ret == 0)
		ret = handshake_answer(&p->l, l_psk, p->second, &p->ls);
	return ret;
}

static bool sessions_fit(const struct pair *p)
{
	return p->ds.suite == p->ls.suite &&
	       memcmp(p->ds.send, p->ls.recv, SEAL_KEY_BYTES) == 0 &&
	       memcmp(p->ds.recv, p->ls.send, SEAL_KEY_BYTES) == 0 &&
	       memcmp(p->ds.send, p->ds.recv, SEAL_KEY_BYTES) != 0;
}

static void test_agree(const uint8_t *secret, const char *what)
{
	struct pair p;

	ok_eq_int(to_second(&p, secret, secret), 0, "%s: the listener answers", what);
	ok(memcmp(p.ls.peer, dialler.pair.pub, SEAL_KEY_BYTES) == 0,
	   "and knows who has dialled");
	ok_eq_int(handshake_finish(&p.d, p.second, &p.ds), 0, "the dialler agrees");
	ok(sessions_fit(&p), "both have the same keys, another one for each way");
	ok(p.ds.peer_takes == handshake_takes() && p.ls.peer_takes == handshake_takes(),
	   "and know what the other takes");
	ok(memcmp(p.ds.peer, listener.pair.pub, SEAL_KEY_BYTES) == 0,
	   "the dialler has whom it dialled");
	ok(is_zero(&p.d, sizeof(p.d)) && is_zero(&p.l, sizeof(p.l)),
	   "nothing of the handshake is left");
}

static void test_suites(void)
{
	struct pair p;
	uint32_t all = listener.suites;

	to_second(&p, NULL, NULL);
	ok_eq_int(p.ls.suite, crypto_has_aes() ? SEAL_AES256_GCM : SEAL_CHACHA20_POLY1305,
		  "AES where both processors have it");
	listener.suites = 1u << SEAL_CHACHA20_POLY1305;
	to_second(&p, NULL, NULL);
	ok(handshake_finish(&p.d, p.second, &p.ds) == 0 &&
		   p.ds.suite == SEAL_CHACHA20_POLY1305 && sessions_fit(&p),
	   "ChaCha20 where the listener's has not");
	listener.suites = all;
	dialler.suites = 1u << SEAL_CHACHA20_POLY1305;
	to_second(&p, NULL, NULL);
	ok(handshake_finish(&p.d, p.second, &p.ds) == 0 &&
		   p.ds.suite == SEAL_CHACHA20_POLY1305 && sessions_fit(&p),
	   "or the dialler's has not");
	to_second(&p, NULL, NULL);
	p.d.ours = 0;
	ok_eq_int(handshake_finish(&p.d, p.second, &p.ds), -EPROTO,
		  "a suite that the dialler has not offered is refused");
	dialler.suites = all;
}

/* What a listener may know of a peer before: it is the same, or the handshake fails. */
static void test_shared(void)
{
	uint8_t shared[SEAL_KEY_BYTES];
	struct pair p = { 0 };

	if (crypto_dh(shared, listener.pair.key, dialler.pair.pub) < 0)
		abort();
	handshake_dial(&p.d, &dialler, listener.pair.pub, NULL, p.first);
	handshake_hear(&p.l, &listener, p.first);
	ok_eq_int(handshake_believe(&p.l, shared, p.first), 0,
		  "what was computed before is believed");
	ok(handshake_answer(&p.l, NULL, p.second, &p.ls) == 0 &&
		   handshake_finish(&p.d, p.second, &p.ds) == 0 && sessions_fit(&p),
	   "and both agree");
	shared[7] ^= 1;
	handshake_dial(&p.d, &dialler, listener.pair.pub, NULL, p.first);
	handshake_hear(&p.l, &listener, p.first);
	ok(handshake_believe(&p.l, shared, p.first) == -EBADMSG &&
		   is_zero(&p.l, sizeof(p.l)),
	   "of another peer, it proves nothing");
}

/* A listener that has the key, and says what none may say. */
static void test_lying_listener(void)
{
	static const uint32_t suites[] = { 0, 3, 31, 32, 33, 34, UINT32_MAX };
	unsigned wrong = 0;

	for (unsigned i = 0; i < sizeof(suites) / sizeof(*suites); i++) {
		uint8_t payload[HANDSHAKE_2_PAYLOAD] = { 0 };
		struct pair p = { 0 };

		handshake_dial(&p.d, &dialler, listener.pair.pub, NULL, p.first);
		hear(&p.l, &listener, p.first);
		put_be32(payload + 4, suites[i]);
		put_be32(p.second, TRUNK_MAGIC);
		put_be32(p.second + 4, TRUNK_SEALED << 16 | HANDSHAKE_2_BYTES);
		noise_set_psk(&p.l.noise, (const uint8_t[SEAL_KEY_BYTES]){ 0 });
		noise_write(&p.l.noise, payload, sizeof(payload),
			    p.second + HANDSHAKE_HELLO_BYTES);
		wrong += handshake_finish(&p.d, p.second, &p.ds) != -EPROTO ||
			 !is_zero(&p.d, sizeof(p.d)) || !is_zero(&p.ds, sizeof(p.ds));
		handshake_wipe(&p.l);
	}
	ok_eq_int(wrong, 0,
		  "a suite that there is none of is refused, and leaves nothing");
}

static void test_no_random(void)
{
	struct pair p = { 0 };

	random_error = EIO;
	ok(handshake_dial(&p.d, &dialler, listener.pair.pub, NULL, p.first) == -EIO &&
		   is_zero(&p.d, sizeof(p.d)),
	   "nobody dials without random numbers");
	random_error = 0;
	handshake_dial(&p.d, &dialler, listener.pair.pub, NULL, p.first);
	hear(&p.l, &listener, p.first);
	random_error = EIO;
	ok(handshake_answer(&p.l, NULL, p.second, &p.ls) == -EIO &&
		   is_zero(&p.l, sizeof(p.l)) && is_zero(&p.ls, sizeof(p.ls)),
	   "nor answers, and nothing of a session is made");
	random_error = 0;
	handshake_wipe(&p.d);
}

static void test_wrong_keys(void)
{
	struct pair p = { 0 };
	uint8_t low[SEAL_KEY_BYTES] = { 0 };

	handshake_dial(&p.d, &dialler, other.pair.pub, NULL, p.first);
	ok_eq_int(hear(&p.l, &listener, p.first), -EACCES,
		  "a dialler with another key for the listener costs it a hash");
	to_second(&p, psk, wrong_psk);
	ok_eq_int(handshake_finish(&p.d, p.second, &p.ds), -EBADMSG,
		  "another secret of the pair");
	ok(is_zero(&p.d, sizeof(p.d)) && is_zero(&p.ds, sizeof(p.ds)), "leaves nothing");
	to_second(&p, psk, NULL);
	ok_eq_int(handshake_finish(&p.d, p.second, &p.ds), -EBADMSG,
		  "a secret at one end alone");
	ok_eq_int(handshake_dial(&p.d, &dialler, low, NULL, p.first), -EINVAL,
		  "a peer's key that is none");
	/* Somebody else answers, who has read the listener's public key only. */
	handshake_dial(&p.d, &dialler, listener.pair.pub, NULL, p.first);
	ok_eq_int(hear(&p.l, &other, p.first), -EACCES,
		  "who has not the listener's key can't read what it was sent");
}

/* Each bit of both messages. */
static void test_flipped(void)
{
	unsigned heard = 0, finished = 0, kept = 0;
	struct pair p;

	for (unsigned bit = 0; bit < HANDSHAKE_1_BYTES * 8; bit++) {
		memset(&p, 0, sizeof(p));
		handshake_dial(&p.d, &dialler, listener.pair.pub, NULL, p.first);
		p.first[bit / 8] ^= (uint8_t)(1 << bit % 8);
		heard += hear(&p.l, &listener, p.first) == 0;
		kept += !is_zero(&p.l, sizeof(p.l));
	}
	ok_eq_int(heard, 0, "no bit of the first message can be another one");
	for (unsigned bit = 0; bit < HANDSHAKE_2_BYTES * 8; bit++) {
		to_second(&p, NULL, NULL);
		p.second[bit / 8] ^= (uint8_t)(1 << bit % 8);
		finished += handshake_finish(&p.d, p.second, &p.ds) == 0;
		kept += !is_zero(&p.ds, sizeof(p.ds));
		handshake_wipe(&p.d);
	}
	ok_eq_int(finished, 0, "nor of the second one");
	ok_eq_int(kept, 0, "and nothing comes of it");
}

/* A right proof of the listener's key before anything at all. */
static void test_after_mac(void)
{
	unsigned heard = 0, wrong = 0;

	for (unsigned at = 0; at < HANDSHAKE_1_BYTES - HANDSHAKE_MAC_BYTES; at++) {
		struct pair p = { 0 };
		uint8_t mac[SEAL_HASH_BYTES];
		struct iovec iov = { p.first, HANDSHAKE_1_BYTES - HANDSHAKE_MAC_BYTES };
		int ret;

		handshake_dial(&p.d, &dialler, listener.pair.pub, NULL, p.first);
		p.first[at] ^= 0x40;
		crypto_hmac(mac, listener.mac_key, SEAL_HASH_BYTES, &iov, 1);
		memcpy(p.first + iov.iov_len, mac, HANDSHAKE_MAC_BYTES);
		ret = hear(&p.l, &listener, p.first);
		heard += ret == 0;
		wrong += ret != (at < HANDSHAKE_HELLO_BYTES ? -EPROTO : -EBADMSG);
	}
	ok_eq_int(heard, 0, "who knows the listener's key can't change a message either");
	ok_eq_int(wrong, 0, "and the two are told apart");
}

static void test_old(void)
{
	struct pair p, q;

	to_second(&p, NULL, NULL);
	to_second(&q, NULL, NULL);
	ok_eq_int(handshake_finish(&q.d, p.second, &q.ds), -EBADMSG,
		  "an answer of an earlier handshake is none to this one");
	to_second(&p, NULL, NULL);
	to_second(&q, NULL, NULL);
	ok(memcmp(p.first, q.first, sizeof(p.first)) != 0 &&
		   memcmp(p.l.stamp, q.l.stamp, sizeof(p.l.stamp)) <= 0,
	   "no two are the same, and time only goes on");
	memset(&q, 0, sizeof(q));
	ok(hear(&p.l, &listener, p.first) == 0 && hear(&q.l, &listener, p.first) == 0 &&
		   memcmp(p.l.stamp, q.l.stamp, sizeof(p.l.stamp)) == 0,
	   "one that is sent again has the same time");
	ok(get_be64(p.l.stamp) >> 62 == 1 && get_be32(p.l.stamp + 8) < 1000000000,
	   "which is TAI64N");
}

static void test_begins(void)
{
	struct pair p = { 0 };
	uint8_t plain[8] = { 0, 0, 0, 60 },
		older[8] = { 0xff, 'n', 't', 'r', 0, 1, 0, 64 };
	unsigned right = 0;

	handshake_dial(&p.d, &dialler, listener.pair.pub, NULL, p.first);
	for (size_t n = 0; n <= sizeof(p.first); n++)
		right += handshake_is_there(p.first, n);
	ok_eq_int(right, HANDSHAKE_1_BYTES + 1, "a handshake is seen in any part of it");
	ok(!handshake_is_there(plain, 1) && !handshake_is_there(older, 6) &&
		   handshake_is_there(older, 5),
	   "and nothing else is taken for one");
	older[5] = TRUNK_SEALED;
	ok(!handshake_is_there(older, 8), "nor one of another length");
	memset(p.second, 0, sizeof(p.second));
	ok_eq_int(handshake_finish(&p.d, p.second, &p.ds), -EPROTO,
		  "an answer must be one, too");
}

int main(void)
{
	static const uint8_t d[SEAL_KEY_BYTES] = { 0, 1 }, l[SEAL_KEY_BYTES] = { 0, 2 },
			     o[SEAL_KEY_BYTES] = { 0, 3 };

	identity_set(&dialler, d);
	identity_set(&listener, l);
	identity_set(&other, o);
	test_agree(NULL, "without a secret");
	test_agree(psk, "with a secret of the pair");
	test_suites();
	test_shared();
	test_lying_listener();
	test_no_random();
	test_wrong_keys();
	test_flipped();
	test_after_mac();
	test_old();
	test_begins();
	return done();
}
