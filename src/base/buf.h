/* SPDX-License-Identifier: MIT */
/*
 * Text that grows: what is shown of a relay is written into one of these, and
 * then sent to whoever asked. All zero is an empty one.
 */
#ifndef BUF_H
#define BUF_H

#include <stdbool.h>
#include <stddef.h>

#include "base/util.h"

/*
 * @data, @len: the text, with a NUL behind it; NULL while nothing was ever added
 * @failed:     there was no memory for all of it: what is there is cut
 */
struct buf {
	char *data;
	size_t len, size;
	bool failed;
};

void buf_free(struct buf *b);

void buf_printf(struct buf *b, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* buf_add() - Append @len bytes as they are. */
void buf_add(struct buf *b, const void *data, size_t len);

/*
 * buf_escape() - Append @text, with a backslash ahead of each byte of @special.
 *
 * What is not printable ASCII becomes \u00XX, as JSON wants it; a newline
 * becomes \n, which both JSON and Prometheus read. Prometheus knows no \u: for
 * it, have @text made printable by escape_text() first.
 */
void buf_escape(struct buf *b, const char *text, const char *special);

#endif
