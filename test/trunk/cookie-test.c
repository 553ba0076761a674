/* SPDX-License-Identifier: MIT */
/* cookie.c: a cookie is of one address and one time, and reaches only who asked for it. */
#include "trunk/cookie.h"

#include <errno.h>
#include <string.h>

#include "lib/no-random.h"
#include "lib/random.h"
#include "lib/tap.h"

static void made(void)
{
	uint8_t one[COOKIE_BYTES], same[COOKIE_BYTES], other[COOKIE_BYTES];
	struct cookie_jar jar = { 0 };

	ok(cookie_of(&jar, "10.0.0.1:5000", 13, 1000, one) == 0 &&
		   cookie_of(&jar, "10.0.0.1:5000", 13, 1000 + COOKIE_MS - 1, same) ==
			   0 &&
		   !memcmp(one, same, sizeof(one)),
	   "an address has one cookie for two minutes");
	cookie_of(&jar, "10.0.0.1:5001", 13, 2000, other);
	ok(memcmp(one, other, sizeof(one)) != 0, "another address has another one");
	cookie_of(&jar, "10.0.0.1:5000", 13, 1000 + COOKIE_MS, other);
	ok(memcmp(one, other, sizeof(one)) != 0, "then it is another");
	memset(&jar, 0, sizeof(jar));
	cookie_of(&jar, "10.0.0.1:5000", 13, 1000, other);
	ok(memcmp(one, other, sizeof(one)) != 0, "and at another listener");
	cookie_code(one, other, "message", 7);
	cookie_code(same, other, "messagf", 7);
	ok(memcmp(one, same, sizeof(one)) != 0, "a code is of one message");
}

static void sealed(void)
{
	uint8_t in[COOKIE_SEALED_BYTES], again[COOKIE_SEALED_BYTES], cookie[COOKIE_BYTES],
		out[COOKIE_BYTES] = { 0 }, zeros[COOKIE_BYTES] = { 0 };
	uint8_t key[SEAL_HASH_BYTES], mac[COOKIE_BYTES];
	unsigned refused = 0;

	random_begin(1);
	rnd_bytes(key, sizeof(key));
	rnd_bytes(mac, sizeof(mac));
	rnd_bytes(cookie, sizeof(cookie));
	cookie_seal(in, key, mac, cookie);
	cookie_seal(again, key, mac, cookie);
	ok(memcmp(in, again, sizeof(in)) != 0, "no two answers are the same");
	for (size_t i = 0; i < 8 * sizeof(in); i++) {
		in[i / 8] ^= (uint8_t)(1u << i % 8);
		refused += cookie_open(out, key, mac, in) == -EBADMSG;
		in[i / 8] ^= (uint8_t)(1u << i % 8);
	}
	ok_eq_int(refused, 8 * sizeof(in), "each bit flipped is refused");
	mac[3] ^= 1;
	ok_eq_int(cookie_open(out, key, mac, in), -EBADMSG,
		  "one that answers another message");
	mac[3] ^= 1;
	key[3] ^= 1;
	ok_eq_int(cookie_open(out, key, mac, in), -EBADMSG, "one of another listener");
	key[3] ^= 1;
	ok(!memcmp(out, zeros, sizeof(out)), "none of these gives a cookie");
	ok(cookie_open(out, key, mac, in) == 0 && !memcmp(out, cookie, sizeof(out)),
	   "the right one does");
}

/* Without random bytes, a cookie could be guessed. */
static void no_random(void)
{
	uint8_t cookie[COOKIE_BYTES], before[COOKIE_BYTES], sealed[COOKIE_SEALED_BYTES];
	const uint8_t key[SEAL_HASH_BYTES] = { 1 };
	struct cookie_jar jar = { 0 };

	random_error = ENOSYS;
	ok_eq_int(cookie_of(&jar, "10.0.0.1", 8, 1000, cookie), -ENOSYS,
		  "no random bytes: no cookie");
	random_error = 0;
	ok_eq_int(cookie_of(&jar, "10.0.0.1", 8, 1000, before), 0, "with them there is");
	random_error = ENOSYS;
	ok(cookie_of(&jar, "10.0.0.1", 8, 1001, cookie) == 0 &&
		   !memcmp(cookie, before, sizeof(cookie)),
	   "and its secret is used on");
	ok_eq_int(cookie_of(&jar, "10.0.0.1", 8, 1000 + COOKIE_MS, cookie), -ENOSYS,
		  "but not for ever");
	ok_eq_int(cookie_seal(sealed, key, cookie, cookie), -ENOSYS, "none is sealed");
	random_error = 0;
}

/* Return: how many of @n messages, @gap ms apart, need a cookie. */
static unsigned wanted(struct cookie_jar *jar, uint64_t *now, unsigned n, unsigned gap)
{
	unsigned count = 0;

	for (; n; n--) {
		count += cookie_is_wanted(jar, *now);
		*now += gap;
	}
	return count;
}

static void load(void)
{
	struct cookie_jar jar = { 0 };
	uint64_t now = 5000000;

	ok_eq_int(wanted(&jar, &now, 5000, 6), 0, "166 a second need none");
	now += 10000;
	ok_eq_int(wanted(&jar, &now, 1000, 0), 1000 - COOKIE_PER_SECOND,
		  "of a thousand at once all but 200 do");
	now += 1000;
	ok_eq_int(wanted(&jar, &now, 1000, 1), 1000, "in the next second all");
	now += 2000;
	ok_eq_int(wanted(&jar, &now, 10, 1), 0, "after that none");
}

int main(void)
{
	made();
	sealed();
	no_random();
	load();
	return done();
}
