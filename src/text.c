/* SPDX-License-Identifier: MIT */
/*
 * Escaping, byte by byte. Not by isprint(), whose answer is the locale's.
 */
#include "text.h"

#include <stdio.h>
#include <string.h>

size_t text_escape(char *to, size_t size, const char *from)
{
	size_t used = 0;

	for (; *from; from++) {
		unsigned char c = (unsigned char)*from;
		char out[sizeof("\\x00")];
		size_t len = (size_t)snprintf(out, sizeof(out),
					      c < ' ' || c > '~' ? "\\x%02x" : "%c", c);

		if (used + len >= size)
			break;
		memcpy(to + used, out, len);
		used += len;
	}
	if (size)
		to[used] = '\0';
	return used;
}
