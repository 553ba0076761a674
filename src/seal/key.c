/* SPDX-License-Identifier: MIT */
/*
 * Base64 without tables and without branches that depend on the text: what is a key must
 * not show in the caches of a processor, nor in how long it takes.
 */
#include "seal/key.h"

#include <errno.h>

/* All ones if @c is from @low to @high, otherwise 0. */
static int mask_within(int c, int low, int high)
{
	unsigned is_outside = ((unsigned)(c - low) | (unsigned)(high - c)) >> 31;

	return (int)is_outside - 1;
}

/* Return: what a digit stands for, 0 to 63; -1 when it is none. */
static int value_of(char digit)
{
	int c = (unsigned char)digit;
	int plus_1 = (mask_within(c, 'A', 'Z') & (c - 'A' + 1)) |
		     (mask_within(c, 'a', 'z') & (c - 'a' + 27)) |
		     (mask_within(c, '0', '9') & (c - '0' + 53)) |
		     (mask_within(c, '+', '+') & 63) | (mask_within(c, '/', '/') & 64);

	return plus_1 - 1;
}

static char digit_of(int v)
{
	return (char)((mask_within(v, 0, 25) & (v + 'A')) |
		      (mask_within(v, 26, 51) & (v - 26 + 'a')) |
		      (mask_within(v, 52, 61) & (v - 52 + '0')) |
		      (mask_within(v, 62, 62) & '+') | (mask_within(v, 63, 63) & '/'));
}

int key_read(uint8_t key[SEAL_KEY_BYTES], const char *text, size_t len)
{
	unsigned bits = 0, n_bits = 0, n = 0;
	int bad = 0;

	if (len != KEY_CHARS)
		return -EINVAL;
	for (unsigned i = 0; i < KEY_CHARS - 1; i++) {
		int v = value_of(text[i]);

		bad |= v;
		bits = bits << 6 | ((unsigned)v & 63);
		n_bits += 6;
		if (n_bits >= 8) {
			n_bits -= 8;
			key[n++] = (uint8_t)(bits >> n_bits);
		}
	}
	/* The last two bits are of no byte. */
	bad |= -(int)(bits & 3) | ~mask_within(text[KEY_CHARS - 1], '=', '=');
	return bad < 0 ? -EINVAL : 0;
}

int key_read_file(uint8_t key[SEAL_KEY_BYTES], const char *text, size_t len)
{
	if (len && text[len - 1] == '\n')
		len -= len > 1 && text[len - 2] == '\r' ? 2 : 1;
	return key_read(key, text, len);
}

void key_write(char text[KEY_TEXT_MAX], const uint8_t key[SEAL_KEY_BYTES])
{
	unsigned bits = 0, n_bits = 0, n = 0;

	for (unsigned i = 0; i < KEY_CHARS - 1; i++) {
		if (n_bits < 6) {
			bits = bits << 8 | (n < SEAL_KEY_BYTES ? key[n++] : 0);
			n_bits += 8;
		}
		n_bits -= 6;
		text[i] = digit_of((int)(bits >> n_bits & 63));
	}
	text[KEY_CHARS - 1] = '=';
	text[KEY_CHARS] = '\0';
}
