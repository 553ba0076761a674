/* SPDX-License-Identifier: MIT */
/* Bytes that are written as hexadecimal digits, as test vectors are published. */
#ifndef LIB_HEX_H
#define LIB_HEX_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/tap.h"

static inline unsigned hex_digit(char c)
{
	static const char digits[] = "0123456789abcdef";
	const char *at = c ? strchr(digits, c) : NULL;

	if (!at) {
		printf("Bail out! not a hexadecimal digit: %d\n", c);
		exit(1);
	}
	return (unsigned)(at - digits);
}

/* hex_read() - Read @text to its end. Return: how many bytes; the test ends if not to @room. */
static inline size_t hex_read(uint8_t *out, size_t room, const char *text)
{
	size_t n = strlen(text) / 2;

	if (strlen(text) % 2 || n > room) {
		printf("Bail out! %zu digits for %zu bytes\n", strlen(text), room);
		exit(1);
	}
	for (size_t i = 0; i < n; i++)
		out[i] = (uint8_t)(hex_digit(text[2 * i]) << 4 |
				   hex_digit(text[2 * i + 1]));
	return n;
}

/* ok_hex() - Check that the @n bytes at @got are those that @want has. */
static inline bool ok_hex(const void *got, size_t n, const char *want, const char *what)
{
	uint8_t bytes[4096];
	bool same = hex_read(bytes, sizeof(bytes), want) == n && !memcmp(got, bytes, n);

	return ok(same, "%s", what);
}

#endif
