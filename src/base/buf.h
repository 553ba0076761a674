/* SPDX-License-Identifier: MIT */
/*
 * A text buffer that grows. A view of the relay is first written into one, and
 * then sent to the client that asked. A struct buf of all zeros is empty.
 */
#ifndef BUF_H
#define BUF_H

#include <stdbool.h>
#include <stddef.h>

#include "base/util.h"

/*
 * @data:   the text, with a NUL behind it; NULL until something is added
 * @len:    bytes of the text, without the NUL
 * @size:   bytes reserved at @data
 * @failed: memory ran out, so the text is cut; nothing more is added to it
 */
struct buf {
	char *data;
	size_t len, size;
	bool failed;
};

/* buf_free() - Free the text; the buffer is empty afterwards, and can be used again. */
void buf_free(struct buf *b);

/* buf_printf() - Append formatted text. On an error it sets @failed, as all of these do. */
void buf_printf(struct buf *b, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* buf_add() - Append @len bytes as they are. */
void buf_add(struct buf *b, const void *data, size_t len);

/*
 * buf_escape() - Append @text, with a backslash ahead of each byte of @special.
 *
 * A byte that is not printable ASCII becomes \u00XX, as JSON wants it (RFC 8259,
 * section 7). A newline becomes \n, which both JSON and Prometheus can read.
 * Prometheus does not know \u, so pass @text through escape_text() first for it.
 */
void buf_escape(struct buf *b, const char *text, const char *special);

#endif
