/* SPDX-License-Identifier: MIT */
/*
 * What noise.c must refuse: each bit of each message flipped, messages of any other length,
 * repeated, of another session, of the wrong end, and of who has a wrong key, secret or
 * prologue. Each time nothing of the payload may be seen, and the handshake must be wiped.
 */
#include "seal/noise.h"

#include <errno.h>

#include "base/parts.h"
#include "base/util.h"
#include "lib/no-random.h"
#include "lib/noise-ends.h"
#include "lib/tap.h"
#include "lib/zero.h"

#define NO_PSK NULL

/* What is tried with each of the protocols. */
static struct ends ends, fresh;
static enum seal_suite suite;
static const uint8_t *psk;
static const char *what;

/* Have a copy of @h read a message. Return: whether it was refused, and is wiped. */
static bool is_refused(const struct noise *h, const uint8_t *msg, size_t len, int error)
{
	struct noise copy = *h;
	uint8_t payload[300] = { 0 };
	int ret = noise_read(&copy, msg, len, payload);

	return (error ? ret == error : ret == -EBADMSG || ret == -EINVAL) &&
	       is_zero(payload, sizeof(payload)) && is_zero(&copy, sizeof(copy));
}

/* Likewise, if only who it is shall be read. */
static bool is_stranger(const struct noise *h, const uint8_t *msg, size_t len)
{
	struct noise copy = *h;

	return noise_read_peer(&copy, msg, len) < 0 && !noise_peer(&copy) &&
	       is_zero(&copy, sizeof(copy));
}

static void flip(const struct noise *h, uint8_t *msg, size_t len, const char *name)
{
	unsigned taken = 0, strangers = 0;

	for (size_t bit = 0; bit < 8 * len; bit++) {
		msg[bit / 8] ^= (uint8_t)(1 << bit % 8);
		taken += !is_refused(h, msg, len, 0);
		strangers += is_stranger(h, msg, len);
		msg[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	ok_eq_int(taken, 0, "%s: each bit of %s counts", what, name);
	ok_eq_int(strangers, h->is_dialler ? 8 * len : 8 * (NOISE_IK_1 - SEAL_TAG_BYTES),
		  "%s: who it is depends on those before the payload", what);
}

static void cut(const struct noise *h, const uint8_t *msg, size_t len, const char *name)
{
	static uint8_t longer[NOISE_MAX + 2];
	unsigned taken = 0;

	for (size_t n = 0; n < len; n++)
		taken += !is_refused(h, msg, n, n ? 0 : -EBADMSG);
	memcpy(longer, msg, len);
	taken += !is_refused(h, longer, len + 1, -EBADMSG);
	taken += !is_refused(h, longer, NOISE_MAX + 1, -EBADMSG);
	taken += !is_refused(h, msg, SIZE_MAX, -EBADMSG);
	taken += !is_refused(h, msg, (size_t)INT32_MAX + 1, -EBADMSG);
	ok_eq_int(taken, 0, "%s: %s has its length", what, name);
}

static void test_messages(void)
{
	struct noise done_dialler = ends.dialler, done_listener = ends.listener;
	struct ends other;
	uint8_t payload[ENDS_PAYLOAD_LEN];

	flip(&fresh.listener, ends.first, sizeof(ends.first), "message 1");
	flip(&ends.dialler, ends.second, sizeof(ends.second), "message 2");
	cut(&fresh.listener, ends.first, sizeof(ends.first), "message 1");
	cut(&ends.dialler, ends.second, sizeof(ends.second), "message 2");
	ok_eq_int(noise_read(&done_dialler, ends.second, sizeof(ends.second), payload),
		  ENDS_PAYLOAD_LEN, "%s: after all that, the right one is taken", what);
	ok(is_refused(&done_dialler, ends.second, sizeof(ends.second), -EINVAL),
	   "%s: message 2 again", what);
	ok(is_refused(&done_listener, ends.first, sizeof(ends.first), -EINVAL),
	   "%s: message 1 again", what);
	ok(is_refused(&fresh.listener, ends.second, sizeof(ends.second), -EBADMSG),
	   "%s: message 2 in place of message 1", what);
	ok(is_refused(&ends.dialler, ends.first, sizeof(ends.first), 0),
	   "%s: a dialler's own message comes back", what);
	ok(is_refused(&fresh.dialler, ends.second, sizeof(ends.second), -EINVAL),
	   "%s: message 2 before message 1", what);
	ends_begin(&other, suite, psk);
	noise_set_ephemeral(&other.dialler, ends_key(5).key);
	ends_run(&other);
	ok(is_refused(&other.dialler, ends.second, sizeof(ends.second), -EBADMSG),
	   "%s: message 2 of another session", what);
}

/* ---- wrong keys and secrets ---- */

/* A handshake of which one end has been changed must fail at a message. */
static void fails_at(struct ends *e, int message, const char *name)
{
	uint8_t payload[300] = { 0 };
	int ret = noise_write(&e->dialler, ENDS_PAYLOAD, ENDS_PAYLOAD_LEN, e->first);

	if (ret > 0 && message == 1) {
		ok(is_refused(&e->listener, e->first, (size_t)ret, -EBADMSG), "%s: %s",
		   what, name);
		return;
	}
	ret = noise_read(&e->listener, e->first, sizeof(e->first), payload);
	if (ret >= 0)
		ret = noise_write(&e->listener, ENDS_PAYLOAD, ENDS_PAYLOAD_LEN,
				  e->second);
	ok(ret > 0 && is_refused(&e->dialler, e->second, (size_t)ret, -EBADMSG), "%s: %s",
	   what, name);
}

static void init(struct ends *e, bool is_dialler, enum seal_suite of,
		 const char *prologue, const struct noise_pair *key,
		 const struct noise_pair *peer, const uint8_t *secret)
{
	noise_init(is_dialler ? &e->dialler : &e->listener, is_dialler, of, prologue,
		   strlen(prologue), key, is_dialler ? peer->pub : NULL, secret);
}

static void test_secrets(void)
{
	static const uint8_t other_psk[32] = "another secret";
	struct noise_pair other = ends_key(9), mixed;
	struct ends e = fresh;

	init(&e, true, suite, "hello", &e.dialler_key, &other, psk);
	fails_at(&e, 1, "the key of another listener");
	e = fresh;
	init(&e, true, suite, "hullo", &e.dialler_key, &e.listener_key, psk);
	fails_at(&e, 1, "another prologue");
	e = fresh;
	init(&e, true, suite, "hello", &e.dialler_key, &e.listener_key,
	     psk ? NO_PSK : ends_psk);
	fails_at(&e, 1, "another pattern");
	mixed = other;
	memcpy(mixed.pub, fresh.dialler_key.pub, sizeof(mixed.pub));
	e = fresh;
	init(&e, true, suite, "hello", &mixed, &e.listener_key, psk);
	fails_at(&e, 1, "a dialler that names another's key as its own");
	mixed = other;
	memcpy(mixed.pub, fresh.listener_key.pub, sizeof(mixed.pub));
	e = fresh;
	init(&e, false, suite, "hello", &mixed, NULL, psk);
	fails_at(&e, 1, "a listener that claims to have another's key");
	if (crypto_has_aes()) {
		e = fresh;
		init(&e, true,
		     suite == SEAL_AES256_GCM ? SEAL_CHACHA20_POLY1305 : SEAL_AES256_GCM,
		     "hello", &e.dialler_key, &e.listener_key, psk);
		fails_at(&e, 1, "another cipher");
	}
	if (psk) {
		e = fresh;
		noise_set_psk(&e.listener, other_psk);
		fails_at(&e, 2, "another secret");
	}
}

/* ---- points of low order ---- */

static const uint8_t points[][32] = {
	{ 0 },
	{ 1 },
	{ 0xe0, 0xeb, 0x7a, 0x7c, 0x3b, 0x41, 0xb8, 0xae, 0x16, 0x56, 0xe3,
	  0xfa, 0xf1, 0x9f, 0xc4, 0x6a, 0xda, 0x09, 0x8d, 0xeb, 0x9c, 0x32,
	  0xb1, 0xfd, 0x86, 0x62, 0x05, 0x16, 0x5f, 0x49, 0xb8, 0x00 },
};

static void test_low_order(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(points); i++) {
		struct noise_pair claimed = fresh.dialler_key, peer;
		struct ends e = ends;
		uint8_t payload[16];

		memcpy(e.first, points[i], 32);
		ok(is_refused(&fresh.listener, e.first, sizeof(e.first), -EINVAL),
		   "%s: low order %zu as the dialler's e", what, i);
		memcpy(e.second, points[i], 32);
		ok(is_refused(&ends.dialler, e.second, sizeof(e.second), -EINVAL),
		   "%s: as the listener's", what);
		e = fresh;
		memcpy(claimed.pub, points[i], 32);
		init(&e, true, suite, "hello", &claimed, &e.listener_key, psk);
		ok(noise_write(&e.dialler, ENDS_PAYLOAD, ENDS_PAYLOAD_LEN, e.first) > 0 &&
			   is_refused(&e.listener, e.first, sizeof(e.first), -EINVAL),
		   "%s: as who dials", what);
		e = fresh;
		memcpy(peer.pub, points[i], 32);
		init(&e, true, suite, "hello", &e.dialler_key, &peer, psk);
		ok_eq_int(noise_write(&e.dialler, payload, 0, e.first), -EINVAL,
			  "%s: as whom to dial", what);
		ok(is_zero(&e.dialler, sizeof(e.dialler)), "%s: which is wiped", what);
	}
}

/* ---- turns ---- */

static void test_turns(void)
{
	static uint8_t big[NOISE_MAX + 1], out[NOISE_MAX + 1];
	uint8_t send[32], recv[32];
	struct ends e = fresh;

	ok_eq_int(noise_write(&e.listener, NULL, 0, out), -EINVAL, "%s: not its turn",
		  what);
	ok(is_zero(&e.listener, sizeof(e.listener)), "%s: and it is wiped", what);
	ok_eq_int(noise_write(&e.listener, NULL, 0, out), -EINVAL, "%s: it is dead",
		  what);
	ok_eq_int(noise_read(&e.listener, ends.first, sizeof(ends.first), out), -EINVAL,
		  "%s: it reads nothing, too", what);
	ok(!noise_peer(&e.listener), "%s: and knows nobody", what);
	ok_eq_int(noise_write(&e.dialler, big, NOISE_MAX - NOISE_IK_1 + 1, out), -EINVAL,
		  "%s: a payload that is too long", what);
	ok(!noise_peer(&e.dialler), "%s: a dead dialler knows nobody", what);
	e = fresh;
	ok_eq_int(noise_write(&e.dialler, big, NOISE_MAX - NOISE_IK_1, out), NOISE_MAX,
		  "%s: the longest", what);
	ok_eq_int(noise_read(&e.listener, out, NOISE_MAX, big), NOISE_MAX - NOISE_IK_1,
		  "%s: is taken", what);
	e = ends;
	memset(send, 1, sizeof(send));
	memset(recv, 1, sizeof(recv));
	ok_eq_int(noise_split(&e.dialler, send, recv), -EINVAL, "%s: split too early",
		  what);
	ok(is_zero(send, 32) && is_zero(recv, 32), "%s: it gives no keys", what);
	e = fresh;
	noise_read_peer(&e.listener, ends.first, sizeof(ends.first));
	ok(is_refused(&e.listener, ends.first, NOISE_IK_1 - 1, -EBADMSG),
	   "%s: the rest of a message is cut off", what);
	ok(is_refused(&e.listener, out, NOISE_MAX + 1, -EBADMSG), "%s: or too long",
	   what);
	ok_eq_int(noise_read_peer(&e.listener, ends.first, sizeof(ends.first)), -EINVAL,
		  "%s: who it is can be read once", what);
}

/* No end may go on with a key that is not random. */
static void test_no_random(void)
{
	uint8_t out[300] = { 0 };
	struct ends e = fresh;

	random_error = EAGAIN;
	e.dialler.has_ephemeral = false;
	ok_eq_int(noise_write(&e.dialler, NULL, 0, out), -EAGAIN, "%s: no random key",
		  what);
	ok(is_zero(out, sizeof(out)) && is_zero(&e.dialler, sizeof(e.dialler)),
	   "%s: so no message, and the dialler is wiped", what);
	noise_read(&e.listener, ends.first, sizeof(ends.first), out);
	memset(out, 0, sizeof(out));
	e.listener.has_ephemeral = false;
	ok_eq_int(noise_write(&e.listener, NULL, 0, out), -EAGAIN, "%s: nor an answer",
		  what);
	ok(is_zero(out, sizeof(out)) && is_zero(&e.listener, sizeof(e.listener)),
	   "%s: and the listener is wiped", what);
	random_error = 0;
}

static void run(enum seal_suite of, const uint8_t *secret, const char *name)
{
	suite = of;
	psk = secret;
	what = name;
	ends_begin(&fresh, suite, psk);
	ends = fresh;
	if (!ok(ends_run(&ends), "%s: the handshake", what))
		return;
	test_messages();
	test_secrets();
	test_low_order();
	test_turns();
	test_no_random();
}

int main(void)
{
	if (!HAS_KEYS) {
		ok(true, "noise # SKIP built without a library");
		return done();
	}
	run(SEAL_CHACHA20_POLY1305, NO_PSK, "IK, ChaChaPoly");
	run(SEAL_CHACHA20_POLY1305, ends_psk, "IKpsk2, ChaChaPoly");
	if (crypto_has_aes()) {
		run(SEAL_AES256_GCM, NO_PSK, "IK, AESGCM");
		run(SEAL_AES256_GCM, ends_psk, "IKpsk2, AESGCM");
	}
	return done();
}
