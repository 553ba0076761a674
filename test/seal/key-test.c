/* SPDX-License-Identifier: MIT */
/* key.c: which texts are keys, and that each key is one text only. */
#include "seal/key.h"

#include <errno.h>
#include <string.h>

#include "base/util.h"
#include "lib/tap.h"

#define ALL_ONES "//////////////////////////////////////////8="
#define SOME "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="

static const char digits[] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static void test_known(void)
{
	uint8_t key[SEAL_KEY_BYTES], want[SEAL_KEY_BYTES];
	char text[KEY_TEXT_MAX];

	ok_eq_int(key_read(key, ALL_ONES, KEY_CHARS), 0, "all ones are read");
	memset(want, 0xff, sizeof(want));
	ok(!memcmp(key, want, sizeof(key)), "as all ones");
	ok_eq_int(key_read(key, SOME, KEY_CHARS), 0, "0 to 31 are read");
	for (unsigned i = 0; i < sizeof(want); i++)
		want[i] = (uint8_t)i;
	ok(!memcmp(key, want, sizeof(key)), "as 0 to 31");
	key_write(text, key);
	ok_eq_str(text, SOME, "and written");
	memset(key, 0xff, sizeof(key));
	key_write(text, key);
	ok_eq_str(text, ALL_ONES, "all ones are written");
	memset(key, 0, sizeof(key));
	key_write(text, key);
	ok(strspn(text, "A") == KEY_CHARS - 1 && !strcmp(text + KEY_CHARS - 1, "="),
	   "all zeros are written");
}

/* Whether a key may have this byte there: the last digit has two bits that must be 0. */
static bool may_be(unsigned at, int byte)
{
	const char *digit = byte ? strchr(digits, byte) : NULL;

	if (at == KEY_CHARS - 1)
		return byte == '=';
	return digit && (at < KEY_CHARS - 2 || (digit - digits) % 4 == 0);
}

/* What is read is written as the same text, so there is no other text of that key. */
static void test_each_byte(void)
{
	char text[KEY_TEXT_MAX], again[KEY_TEXT_MAX];
	uint8_t key[SEAL_KEY_BYTES];
	int wrong = 0, other = 0;

	for (unsigned at = 0; at < KEY_CHARS; at++)
		for (int byte = 0; byte < 256; byte++) {
			bool is_key;

			memcpy(text, SOME, sizeof(text));
			text[at] = (char)byte;
			is_key = key_read(key, text, KEY_CHARS) == 0;
			wrong += is_key != may_be(at, byte);
			key_write(again, key);
			other += is_key && strcmp(text, again) != 0;
		}
	ok_eq_int(wrong, 0, "each byte at each place: a key or none");
	ok_eq_int(other, 0, "each key has one text");
}

static void test_lengths(void)
{
	static const char text[] = SOME SOME;
	uint8_t key[SEAL_KEY_BYTES];
	int wrong = 0;

	for (size_t len = 0; len < sizeof(text); len++)
		wrong += key_read(key, text, len) != (len == KEY_CHARS ? 0 : -EINVAL);
	ok_eq_int(wrong, 0, "44 characters, and no other number");
}

static const struct {
	const char *text;
	bool is_key;
} files[] = {
	{ SOME, true },
	{ SOME "\n", true },
	{ SOME "\r\n", true },
	{ SOME "\r", false },
	{ SOME "\n\n", false },
	{ SOME " \n", false },
	{ " " SOME, false },
	{ "\n" SOME, false },
	{ "AAECAwQFBgcICQoLDA0ODxAREhMUFRYX GBkaGxwdHh8=", false },
	{ "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh9=", false },
	{ "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8", false },
	{ "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh==", false },
	{ SOME "\n" SOME "\n", false },
	{ "", false },
	{ "\n", false },
	{ "\r\n", false },
};

static void test_files(void)
{
	uint8_t key[SEAL_KEY_BYTES];

	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		ok_eq_int(key_read_file(key, files[i].text, strlen(files[i].text)),
			  files[i].is_key ? 0 : -EINVAL, "a file of \"%s\"",
			  files[i].text);
}

int main(void)
{
	test_known();
	test_each_byte();
	test_lengths();
	test_files();
	return done();
}
