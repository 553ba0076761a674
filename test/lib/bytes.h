/* SPDX-License-Identifier: MIT */
/* For tests: a run of bytes that grows. All zero: empty. */
#ifndef LIB_BYTES_H
#define LIB_BYTES_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/util.h"

struct bytes {
	uint8_t *at;
	size_t len, size;
};

/* bytes_room() - Make it @len bytes longer. Return: where they are, not yet set. */
static inline uint8_t *bytes_room(struct bytes *b, size_t len)
{
	if (b->len + len > b->size) {
		b->size = 2 * (b->len + len) + 256;
		b->at = realloc(b->at, b->size);
		if (!b->at)
			abort();
	}
	b->len += len;
	return b->at + b->len - len;
}

static inline void bytes_append(struct bytes *b, const void *data, size_t len)
{
	if (len)
		memcpy(bytes_room(b, len), data, len);
}

/* bytes_append_word() - 4 bytes, big-endian: a length word. */
static inline void bytes_append_word(struct bytes *b, uint32_t word)
{
	put_be32(bytes_room(b, 4), word);
}

/* bytes_read() - Append what @fd has, @max bytes at most. Return: as read(). */
static inline ssize_t bytes_read(struct bytes *b, int fd, size_t max)
{
	ssize_t n = read(fd, bytes_room(b, max), max);

	b->len -= max - (n > 0 ? (size_t)n : 0);
	return n;
}

/* bytes_drop() - Take @len bytes off its beginning. */
static inline void bytes_drop(struct bytes *b, size_t len)
{
	memmove(b->at, b->at + len, b->len - len);
	b->len -= len;
}

static inline bool bytes_same(const struct bytes *a, const struct bytes *b)
{
	return a->len == b->len && (!a->len || memcmp(a->at, b->at, a->len) == 0);
}

static inline void bytes_free(struct bytes *b)
{
	free(b->at);
	*b = (struct bytes){ 0 };
}

#endif
