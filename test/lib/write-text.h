/* SPDX-License-Identifier: MIT */
/* Files for tests. */
#ifndef LIB_WRITE_TEXT_H
#define LIB_WRITE_TEXT_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* write_bytes() - Have a file of these bytes and no others. */
static inline void write_bytes(const char *path, const char *bytes, size_t len)
{
	FILE *f = fopen(path, "we");

	if (!f || fwrite(bytes, 1, len, f) != len || fclose(f) != 0)
		abort();
}

/* write_text() - The same of a string. */
static inline void write_text(const char *path, const char *text)
{
	write_bytes(path, text, strlen(text));
}

#endif
