/* SPDX-License-Identifier: MIT */
/*
 * Makes text safe to show, byte by byte. isprint() is not used because it depends on
 * the locale, and printf() is not because it is slow: the table of a large relay
 * escapes thousands of names.
 */
#include "base/escape.h"

#include <stdio.h>
#include <string.h>

size_t escape_text(char *to, size_t size, const char *from)
{
	static const char digits[] = "0123456789abcdef";
	size_t used = 0;

	for (; *from; from++) {
		unsigned char c = (unsigned char)*from;
		char out[] = { '\\', 'x', digits[c >> 4], digits[c & 15] };
		size_t len = sizeof(out);

		if (c >= ' ' && c <= '~') {
			out[0] = (char)c;
			len = 1;
		}
		if (used + len >= size)
			break;
		memcpy(to + used, out, len);
		used += len;
	}
	if (size)
		to[used] = '\0';
	return used;
}

#define QUOTED_TEXT 32
#define QUOTED_BYTES 12
#define TEXT_WORTHWHILE 4

_Static_assert(QUOTED_TEXT + sizeof("\"\"") <= ESCAPE_QUOTED_MAX &&
		       QUOTED_BYTES * sizeof(" ff") + 1 <= ESCAPE_QUOTED_MAX,
	       "what is quoted fits");

const char *escape_quoted(char *to, const uint8_t *from, size_t n)
{
	size_t len = 0, used = 0;

	while (len < n && len < QUOTED_TEXT && from[len] >= ' ' && from[len] <= '~')
		len++;
	if (len >= TEXT_WORTHWHILE) {
		snprintf(to, ESCAPE_QUOTED_MAX, "\"%.*s\"", (int)len, (const char *)from);
		return to;
	}
	*to = '\0';
	for (size_t i = 0; i < n && i < QUOTED_BYTES; i++)
		used += (size_t)snprintf(to + used, ESCAPE_QUOTED_MAX - used,
					 i ? " %02x" : "%02x", from[i]);
	return to;
}
