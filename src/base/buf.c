/* SPDX-License-Identifier: MIT */
/*
 * A text buffer that grows. Its memory doubles whenever it is full. If there is no
 * memory the buffer remembers that, and ignores what is added afterwards: callers
 * check @failed once, at the end.
 */
#include "base/buf.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SIZE_FIRST 1024

void buf_free(struct buf *b)
{
	free(b->data);
	*b = (struct buf){ 0 };
}

/* Make room for @more bytes and a NUL. Return: whether there is room. */
static bool reserve(struct buf *b, size_t more)
{
	size_t size = b->size ? b->size : SIZE_FIRST;
	char *grown;

	b->failed |= more > SIZE_MAX / 4 || b->len > SIZE_MAX / 4;
	if (b->failed)
		return false;
	while (size < b->len + more + 1)
		size *= 2;
	if (size == b->size)
		return true;
	grown = realloc(b->data, size);
	if (!grown) {
		b->failed = true;
		return false;
	}
	b->data = grown;
	b->size = size;
	return true;
}

void buf_add(struct buf *b, const void *data, size_t len)
{
	if (!len || !reserve(b, len))
		return;
	memcpy(b->data + b->len, data, len);
	b->len += len;
	b->data[b->len] = '\0';
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
	va_list ap;
	int len;

	if (!reserve(b, 0))
		return;
	va_start(ap, fmt);
	len = vsnprintf(b->data + b->len, b->size - b->len, fmt, ap);
	va_end(ap);
	if (len < 0) {
		b->data[b->len] = '\0';
		b->failed = true;
		return;
	}
	if ((size_t)len >= b->size - b->len) {
		b->data[b->len] = '\0';
		if (!reserve(b, (size_t)len))
			return;
		va_start(ap, fmt);
		vsnprintf(b->data + b->len, b->size - b->len, fmt, ap);
		va_end(ap);
	}
	b->len += (size_t)len;
}

static void add_plain(struct buf *b, const char *c, bool is_special)
{
	if (is_special)
		buf_add(b, "\\", 1);
	buf_add(b, c, 1);
}

void buf_escape(struct buf *b, const char *text, const char *special)
{
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if (c == '\n')
			buf_add(b, "\\n", 2);
		else if (c < ' ' || c > '~')
			buf_printf(b, "\\u%04x", c);
		else
			add_plain(b, text, strchr(special, c));
	}
}
