/* SPDX-License-Identifier: MIT */
/*
 * seal-link.c and what is wrong: a kernel without random bytes, one that refuses long
 * datagrams, handshakes that are cut or of another time, and a peer that has the keys and
 * lies. There is no path: each message is handed over as the test says.
 */
#include "trunk/seal-link.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "lib/no-random.h"
#include "lib/tap.h"
#include "lib/zero.h"

#define CODE_AT (SEAL_LINK_HELLO_BYTES - COOKIE_BYTES)

/*
 * @a, @b: the dialler and the listener
 * @out, @len: what was sent last, of @sent messages
 * @takes: bytes that the kernel takes
 * @hs, @cookie: what hear() has made
 */
static struct {
	struct seal_link a, b;
	struct identity a_is, b_is;
	struct cookie_jar jar;
	uint8_t out[PMTU_MAX];
	size_t len, takes;
	unsigned sent;
	uint32_t index;
	uint64_t now;
	struct handshake hs;
	uint8_t cookie[SEAL_LINK_COOKIE_BYTES];
} w;

static int keep(struct seal_link *l, const uint8_t *data, size_t len, bool is_reply)
{
	(void)l;
	(void)is_reply;
	if (len > w.takes)
		return -EMSGSIZE;
	memcpy(w.out, data, len);
	w.len = len;
	w.sent++;
	return 0;
}

static void begin(void)
{
	const uint8_t one[SEAL_KEY_BYTES] = { 0, 1 }, two[SEAL_KEY_BYTES] = { 0, 2 };

	memset(&w, 0, sizeof(w));
	w.now = 1000000;
	w.takes = PMTU_MAX;
	w.index = 100;
	w.a.is_dialler = true;
	w.a.send = w.b.send = keep;
	w.a.dead_ms = w.b.dead_ms = 15000;
	identity_set(&w.a_is, one);
	identity_set(&w.b_is, two);
	seal_link_begin(&w.a, w.now);
	seal_link_begin(&w.b, w.now);
}

static int dial(void)
{
	return seal_link_dial(&w.a, &w.a_is, w.b_is.pair.pub, NULL, ++w.index, w.now);
}

/* The listener gets the first @len bytes of what was sent last. */
static int hear(size_t len)
{
	uint8_t *copy = malloc(len);
	int ret;

	memcpy(copy, w.out, len);
	ret = seal_link_hear(&w.jar, &w.b_is, copy, len, "10.0.0.1", 8, w.now, &w.hs,
			     w.cookie);
	free(copy);
	return ret;
}

static int answer(void)
{
	return seal_link_answer(&w.b, &w.hs, NULL, w.out, ++w.index, w.now);
}

static bool is_believed(void)
{
	return hear(w.len) == 0 &&
	       handshake_believe(&w.hs, NULL, w.out + SEAL_LINK_HEAD) == 0;
}

/* It lies in memory of its own size. */
static int take(struct seal_link *l, const uint8_t *data, size_t len,
		struct seal_link_taken *t)
{
	uint8_t *copy = malloc(len + !len);
	int ret;

	memcpy(copy, data, len);
	ret = seal_link_take(l, copy, len, w.now, t);
	free(copy);
	return ret;
}

static int a_takes(const uint8_t *data, size_t len)
{
	struct seal_link_taken t;

	return take(&w.a, data, len, &t);
}

/* Return: whether both have keys: hello, answer, ping, pong. */
static bool meet(void)
{
	struct seal_link_taken t;

	begin();
	return dial() == 0 && is_believed() && answer() == 0 &&
	       a_takes(w.out, w.len) == 0 && take(&w.b, w.out, w.len, &t) == 0 &&
	       t.is_first && a_takes(w.out, w.len) == 0 && seal_link_is_up(&w.a) &&
	       seal_link_is_up(&w.b);
}

static void load(void)
{
	for (unsigned i = 0; i <= COOKIE_PER_SECOND; i++)
		cookie_is_wanted(&w.jar, w.now);
}

static void no_random(void)
{
	begin();
	random_error = ENOSYS;
	ok_eq_int(dial(), -ENOSYS, "without random bytes there is no hello");
	ok(!w.sent && !w.a.index && !w.a.tries, "and none was sent");
	random_error = 0;
	ok(dial() == 0 && is_believed(), "with them one is heard");
	random_error = ENOSYS;
	ok_eq_int(answer(), -ENOSYS, "there is no answer");
	ok(w.sent == 1 && !datagram_has_keys(&w.b.next), "and there are no keys");
	load();
	ok_eq_int(hear(w.len), -ENOSYS, "nor a secret for cookies");
	random_error = 0;
	ok_eq_int(hear(w.len), -EAGAIN, "then there is");
	random_error = ENOSYS;
	ok_eq_int(hear(w.len), -ENOSYS, "a cookie is not sealed");
	random_error = 0;
}

static void hellos(void)
{
	begin();
	dial();
	ok_eq_int(hear(w.len - 1), -EPROTO, "a hello that is cut");
	w.out[0] = SEAL_LINK_ANSWER;
	ok_eq_int(hear(w.len), -EPROTO, "an answer is no hello");
	w.out[0] = SEAL_LINK_HELLO;
	w.out[CODE_AT - 1] ^= 1;
	ok_eq_int(hear(w.len), -EACCES, "one to another listener");
	w.out[CODE_AT - 1] ^= 1;
	put_be32(w.out + 4, 0);
	ok_eq_int(hear(w.len), -EPROTO, "one that has no index");
	put_be32(w.out + 4, w.index);
	ok_eq_int(hear(w.len), 0, "one that is right");
}

static void cookies(void)
{
	static const uint8_t zeros[COOKIE_BYTES];
	const size_t len = SEAL_LINK_COOKIE_BYTES;

	begin();
	dial();
	load();
	ok_eq_int(hear(w.len), -EAGAIN, "under load a cookie is sent");
	ok_eq_int(a_takes(w.cookie, len - 1), -EPROTO, "one that is cut");
	w.cookie[7] ^= 1;
	ok_eq_int(a_takes(w.cookie, len), -EPROTO, "one of another hello");
	w.cookie[7] ^= 1;
	w.cookie[len - 1] ^= 1;
	ok_eq_int(a_takes(w.cookie, len), -EBADMSG, "one that was changed");
	w.cookie[len - 1] ^= 1;
	ok(!w.a.has_cookie && w.a.refused == 3, "none of these counts");
	ok(a_takes(w.cookie, len) == 0 && w.a.has_cookie, "the right one does");
	w.now += COOKIE_MS - 1;
	dial();
	ok(memcmp(w.out + CODE_AT, zeros, COOKIE_BYTES) != 0, "for two minutes");
	w.now++;
	dial();
	ok(!memcmp(w.out + CODE_AT, zeros, COOKIE_BYTES), "and no longer");
	seal_link_end(&w.a);
	put_be32(w.cookie + 4, 0);
	ok_eq_int(a_takes(w.cookie, len), -EPROTO, "one that nobody asked for");
}

static void answers(void)
{
	uint8_t out[SEAL_LINK_ANSWER_BYTES];

	begin();
	ok(dial() == 0 && is_believed() && answer() == 0 && w.len == sizeof(out),
	   "a hello is answered");
	memcpy(out, w.out, sizeof(out));
	ok_eq_int(a_takes(out, sizeof(out) - 1), -EPROTO, "an answer that is cut");
	out[7] ^= 1;
	ok_eq_int(a_takes(out, sizeof(out)), -EPROTO, "one to another hello");
	out[7] ^= 1;
	out[sizeof(out) - 1] ^= 1;
	ok_eq_int(a_takes(out, sizeof(out)), -EBADMSG, "one that was changed");
	out[sizeof(out) - 1] ^= 1;
	ok(!datagram_has_keys(&w.a.next) && w.a.refused == 3, "none of these has keys");
	ok_eq_int(a_takes(out, sizeof(out)), 0, "the right one, after all of them");
	ok_eq_int(a_takes(out, sizeof(out)), -EPROTO, "and once only");
}

static void cut(void)
{
	const uint8_t types[] = { 0, SEAL_LINK_HELLO, SEAL_LINK_CONTROL + 1, 255 };
	uint8_t at[DATAGRAM_OVERHEAD] = { SEAL_LINK_DATA };
	unsigned n = 0;

	ok(meet(), "two ends meet");
	put_be32(at + 4, w.a.keys.ours);
	for (size_t len = 0; len < sizeof(at); len++)
		n += a_takes(at, len) == (len < SEAL_LINK_HEAD ? -EPROTO : -EBADMSG);
	ok_eq_int(n, sizeof(at), "what is too short is refused");
	n = 0;
	for (unsigned i = 0; i < sizeof(types); i++) {
		at[0] = types[i];
		n += a_takes(at, sizeof(at)) == -EPROTO;
	}
	ok_eq_int(n, sizeof(types), "so is what is of no type");
	ok_eq_int(w.a.refused, sizeof(at) + sizeof(types), "and counted");
}

/* What the peer seals: @len bytes, the first of which are @kind and @said. */
static int lie(uint8_t kind, uint32_t said, size_t len)
{
	uint8_t at[DATAGRAM_OVERHEAD + 8] = { 0 };

	at[DATAGRAM_HEAD] = kind;
	put_be16(at + DATAGRAM_HEAD + 1, said);
	len = datagram_seal(&w.b.keys, SEAL_LINK_CONTROL, at, len);
	return a_takes(at, len);
}

static void lies(void)
{
	unsigned sent;
	uint32_t size;

	ok(meet(), "two ends meet");
	sent = w.sent;
	size = w.a.pmtu.size;
	for (size_t len = 0; len < 3; len++)
		ok_eq_int(lie(1, 0, len), 0, "%zu bytes of a ping", len);
	ok_eq_int(lie(0, 0, 3), 0, "what is no ping nor pong");
	ok_eq_int(lie(3, 0, 3), 0, "nor this");
	ok_eq_int(lie(2, 0xffff, 3), 0, "a pong that nobody asked for");
	ok(w.sent == sent && w.a.pmtu.size == size, "have no effect");
	ok(lie(1, 0, 3) == 0 && w.sent == sent + 1, "a ping has an answer");
}

static void too_long(void)
{
	struct seal_link_taken t;

	ok(meet(), "two ends meet");
	w.takes = 1472;
	ok(seal_link_run(&w.a, w.now) == 0 && w.len == PMTU_BASE, "the base is probed");
	take(&w.b, w.out, w.len, &t);
	a_takes(w.out, w.len);
	ok(seal_link_run(&w.a, w.now) == 0 && w.len == 1472,
	   "then the longest that the kernel takes, without delay");
	take(&w.b, w.out, w.len, &t);
	a_takes(w.out, w.len);
	ok_eq_int(w.a.pmtu.size, 1472, "and it is used");
}

/* Whether no key of @l's is left, nor anything of a handshake. */
static bool is_wiped(const struct seal_link *l)
{
	return is_zero(&l->keys, sizeof(l->keys)) && is_zero(&l->next, sizeof(l->next)) &&
	       is_zero(&l->before, sizeof(l->before)) && is_zero(&l->hs, sizeof(l->hs)) &&
	       !l->index;
}

/* Other keys come into use, a third handshake is under way at either end, and then it ends. */
static void wiped(void)
{
	struct seal_link_taken t;

	ok(meet(), "two ends meet");
	ok(dial() == 0 && is_believed() && answer() == 0 && a_takes(w.out, w.len) == 0 &&
		   take(&w.b, w.out, w.len, &t) == 0 && a_takes(w.out, w.len) == 0,
	   "and have other keys");
	ok(dial() == 0 && is_believed() && answer() == 0 && dial() == 0 &&
		   datagram_has_keys(&w.a.before) && datagram_has_keys(&w.b.before) &&
		   datagram_has_keys(&w.b.next) && !is_wiped(&w.a) && !is_wiped(&w.b) &&
		   !is_zero(&w.a.hs, sizeof(w.a.hs)),
	   "those before, and the next");
	ok(is_zero(&w.hs, sizeof(w.hs)),
	   "nothing is left of a handshake that was answered");
	seal_link_end(&w.a);
	seal_link_end(&w.b);
	ok(is_wiped(&w.a) && is_wiped(&w.b), "nor of a link that has ended");
}

int main(void)
{
	no_random();
	hellos();
	cookies();
	answers();
	cut();
	lies();
	too_long();
	wiped();
	return done();
}
