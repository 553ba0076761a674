/* SPDX-License-Identifier: MIT */
/*
 * gcm-wide.c and gcm-four.c beside the library. Which of them crypto.c takes follows from what
 * gcm_wide_works() and gcm_four_works() say: here these say what a test wants. What all are
 * published to do is crypto-test.c's.
 */
#include "seal/gcm-four.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>

#include "base/parts.h"
#include "base/util.h"
#include "lib/tap.h"
#include "seal/crypto.h"

#define LEN_MAX 65536
#define AD_MAX 600
#define BEHIND 32 /* bytes that nobody may touch */

static bool is_narrow, is_four;

/* What the processor can do. */
static bool ask(const char *function)
{
	void *there = dlsym(RTLD_NEXT, function);
	bool (*works)(void);

	memcpy(&works, &there, sizeof(works));
	return works();
}

bool gcm_wide_works(void)
{
	return !is_narrow && ask("gcm_wide_works");
}

bool gcm_four_works(void)
{
	return is_four && ask("gcm_four_works");
}

static struct aead *wide, *narrow;
static uint8_t ad[AD_MAX], by_wide[LEN_MAX + SEAL_TAG_BYTES + BEHIND],
	by_library[sizeof(by_wide)], elsewhere[sizeof(by_wide)], text[sizeof(by_wide)];

static void set(const uint8_t *key)
{
	is_narrow = true;
	aead_set(narrow, SEAL_AES256_GCM, key);
	is_narrow = false;
	aead_set(wide, SEAL_AES256_GCM, key);
}

/* Return: whether both seal it alike, and each opens it. @at: an offset, for the alignment */
static bool is_alike(uint64_t n, size_t ad_len, size_t len, size_t at)
{
	size_t all = sizeof(text) - at;
	uint8_t tag[SEAL_TAG_BYTES];

	memcpy(by_wide + at, text, all);
	memcpy(by_library + at, text, all);
	aead_seal(wide, n, ad, ad_len, by_wide + at, len, by_wide + at + len);
	aead_seal(narrow, n, ad, ad_len, by_library + at, len, by_library + at + len);
	if (memcmp(by_wide + at, by_library + at, all) ||
	    !memcmp(by_wide + at, text, len + SEAL_TAG_BYTES))
		return false;
	memcpy(tag, by_wide + at + len, sizeof(tag));
	tag[len % sizeof(tag)] ^= 1;
	if (aead_open(wide, n, ad, ad_len, by_library + at, len, tag) != -EBADMSG)
		return false;
	tag[len % sizeof(tag)] ^= 1;
	memcpy(by_library + at, by_wide + at, len);
	memcpy(elsewhere + at, text, all);
	aead_seal_from(wide, n, ad, ad_len, elsewhere + at, text, len,
		       elsewhere + at + len);
	if (memcmp(elsewhere + at, by_wide + at, all))
		return false;
	memset(elsewhere + at, 0, len);
	return !aead_open_to(wide, n, ad, ad_len, elsewhere + at, by_wide + at, len,
			     tag) &&
	       !memcmp(elsewhere + at, text, len) &&
	       !aead_open(wide, n, ad, ad_len, by_wide + at, len, tag) &&
	       !aead_open(narrow, n, ad, ad_len, by_library + at, len, tag) &&
	       !memcmp(by_wide + at, text, len) && !memcmp(by_library + at, text, len) &&
	       !memcmp(by_wide + at + len + SEAL_TAG_BYTES, text + len + SEAL_TAG_BYTES,
		       all - len - SEAL_TAG_BYTES);
}

static void test_lengths(const uint8_t *key, const char *what)
{
	static const size_t more[] = { 1440, 1450, 4096, 8191, 16389, 65519, LEN_MAX };
	unsigned wrong = 0;

	set(key);
	for (size_t len = 0; len <= 1040; len++)
		wrong += !is_alike(len << 30, len % 33, len, len % 16);
	ok_eq_int(wrong, 0, "%s: each length up to 1,040 bytes", what);
	for (size_t i = 0; i < ARRAY_SIZE(more); i++)
		wrong += !is_alike(UINT64_MAX - i, 4, more[i], 0);
	ok_eq_int(wrong, 0, "%s: long ones", what);
	for (size_t len = 0; len <= AD_MAX; len++)
		wrong += !is_alike(len, len, 40, 0);
	ok_eq_int(wrong, 0, "%s: each length of what goes with it", what);
}

static void test_key(const uint8_t *key, const char *what)
{
	is_four = false;
	test_lengths(key, what);
	if (!ask("gcm_four_works"))
		return;
	is_four = true;
	test_lengths(key, what);
}

int main(void)
{
	static const uint8_t zeros[SEAL_KEY_BYTES];
	uint8_t key[SEAL_KEY_BYTES];

	if (!HAS_KEYS || !gcm_wide_works()) {
		ok(true,
		   "gcm-wide # SKIP this processor has no VAES, or no library is there");
		return done();
	}
	wide = aead_new();
	narrow = aead_new();
	test_key(zeros, "a key of zeros, text of zeros");
	memset(key, 0xff, sizeof(key));
	memset(text, 0xff, sizeof(text));
	memset(ad, 0xff, sizeof(ad));
	test_key(key, "a key of ones, text of ones");
	for (unsigned i = 1; i <= 8; i++) {
		crypto_random(key, sizeof(key));
		crypto_random(text, sizeof(text));
		crypto_random(ad, sizeof(ad));
		test_key(key, "any key, any text");
	}
	aead_free(wide);
	aead_free(narrow);
	return done();
}
