/* SPDX-License-Identifier: MIT */
/*
 * Escaping, byte by byte. Not by isprint(), whose answer is the locale's; nor by
 * printf(), which is slow, for thousands of names are escaped for one answer.
 */
#include "text.h"

#include <string.h>

size_t text_escape(char *to, size_t size, const char *from)
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
