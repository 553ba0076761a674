/* SPDX-License-Identifier: MIT */
/* datagram.c: what the peer sealed is opened once, in any order, and nothing else is. */
#include "seal/datagram.h"

#include <errno.h>
#include <string.h>

#include "base/util.h"
#include "lib/random.h"
#include "lib/tap.h"
#include "lib/zero.h"

#define LEN 100
#define KEPT 3000

static struct datagram_keys a, b;
static uint8_t kept[KEPT][LEN + DATAGRAM_OVERHEAD];

static void begin(enum seal_suite suite)
{
	uint8_t there[SEAL_KEY_BYTES], back[SEAL_KEY_BYTES];

	random_begin(suite);
	rnd_bytes(there, sizeof(there));
	rnd_bytes(back, sizeof(back));
	datagram_begin(&a, suite, there, back, 11, 22, 1000);
	datagram_begin(&b, suite, back, there, 22, 11, 1000);
}

static size_t make(uint8_t *at, uint8_t fill, size_t len)
{
	memset(at + DATAGRAM_HEAD, fill, len);
	return datagram_seal(&a, 4, at, len);
}

/* Return: as datagram_open(), of a copy. */
static int open_copy(const uint8_t *at, size_t len)
{
	static uint8_t copy[10000];
	uint64_t n;

	memcpy(copy, at, len);
	return datagram_open(&b, copy, len, &n);
}

static void pass(enum seal_suite suite)
{
	uint8_t at[LEN + DATAGRAM_OVERHEAD], clear[LEN];
	uint64_t n;
	size_t len;

	begin(suite);
	memset(clear, 7, sizeof(clear));
	len = make(at, 7, LEN);
	ok(len == LEN + DATAGRAM_OVERHEAD && get_be32(at) == 4u << 24 &&
		   datagram_index(at) == 22 && get_be64(at + 8) == 0,
	   "suite %d: the head", suite);
	ok(memcmp(at + DATAGRAM_HEAD, clear, LEN) != 0, "it is sealed");
	ok(datagram_open(&b, at, len, &n) == LEN && n == 0 &&
		   !memcmp(at + DATAGRAM_HEAD, clear, LEN),
	   "the peer opens it");
	len = make(at, 7, 0);
	ok(open_copy(at, len) == 0, "an empty one");
	ok(open_copy(at, len) == -EALREADY, "not twice");
	make(at, 7, LEN);
	ok(datagram_open(&a, at, LEN + DATAGRAM_OVERHEAD, &n) == -EBADMSG,
	   "nobody opens what it has sealed itself");
}

static void damage(enum seal_suite suite)
{
	uint8_t at[LEN + DATAGRAM_OVERHEAD];
	unsigned refused = 0;
	size_t len;

	begin(suite);
	for (unsigned i = 0; i < 10; i++)
		open_copy(at, make(at, 1, LEN));
	len = make(at, 1, LEN);
	for (size_t i = 0; i < 8 * len; i++) {
		at[i / 8] ^= (uint8_t)(1u << i % 8);
		refused += open_copy(at, len) < 0;
		at[i / 8] ^= (uint8_t)(1u << i % 8);
	}
	ok_eq_int(refused, 8 * len, "suite %d: each bit flipped is refused", suite);
	refused = 0;
	for (size_t i = 0; i < len; i++)
		refused += open_copy(at, i) == -EBADMSG;
	ok_eq_int(refused, len, "each length cut");
	ok_eq_int(b.window.next, 10, "none of it moves the window");
	ok_eq_int(open_copy(at, len), LEN, "and the right one is opened");
}

static void order(void)
{
	unsigned good = 0, late = 0;

	begin(SEAL_CHACHA20_POLY1305);
	for (unsigned i = 0; i < KEPT; i++)
		make(kept[i], (uint8_t)i, LEN);
	for (unsigned i = KEPT; i-- > 0;)
		good += open_copy(kept[i], sizeof(kept[i])) == LEN;
	ok_eq_int(good, KEPT, "backwards, each is opened");
	for (unsigned i = 0; i < KEPT; i++)
		late += open_copy(kept[i], sizeof(kept[i])) == -EALREADY;
	ok_eq_int(late, KEPT, "but no second time");
	begin(SEAL_CHACHA20_POLY1305);
	make(kept[0], 0, LEN);
	a.n = WINDOW_LATE;
	open_copy(kept[1], make(kept[1], 1, LEN));
	ok_eq_int(open_copy(kept[0], sizeof(kept[0])), -EALREADY,
		  "nor one that is too late");
}

static void ages(void)
{
	begin(SEAL_CHACHA20_POLY1305);
	a.stale = 10;
	a.stale_ms = 5000;
	ok(!datagram_is_stale(&a, 1000) && !datagram_is_stale(&a, 5999) &&
		   datagram_is_stale(&a, 6000) && !datagram_is_spent(&a, 20999) &&
		   datagram_is_spent(&a, 21000),
	   "keys age with time");
	a.n = 9;
	ok(!datagram_is_stale(&a, 1000), "not by nine of ten datagrams");
	a.n = 10;
	ok(datagram_is_stale(&a, 1000) && !datagram_is_spent(&a, 1000), "by ten sent");
	a.n = 40;
	ok(datagram_is_spent(&a, 1000), "by forty they are spent");
	a.n = 0;
	a.window.next = 10;
	ok(datagram_is_stale(&a, 1000), "by ten received");
	datagram_end(&a);
	ok(!datagram_has_keys(&a) && is_zero(&a, sizeof(a)), "and are wiped");
}

int main(void)
{
	pass(SEAL_CHACHA20_POLY1305);
	damage(SEAL_CHACHA20_POLY1305);
	if (crypto_has_aes()) {
		pass(SEAL_AES256_GCM);
		damage(SEAL_AES256_GCM);
	}
	order();
	ages();
	return done();
}
