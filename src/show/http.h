/* SPDX-License-Identifier: MIT */
/*
 * As much of HTTP/1.1 (RFC 9112) as a server needs that answers one request a
 * connection and looks at nothing but its first line. No input or output here.
 */
#ifndef HTTP_H
#define HTTP_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

#define HTTP_LINE_MAX 512  /* longest request line, with a NUL in place of its end */
#define HTTP_HEAD_MAX 8192 /* most bytes of a request up to its empty line */

enum http_status {
	HTTP_MORE = 0, /* no status: more of the request has to come */
	HTTP_OK = 200,
	HTTP_BAD_REQUEST = 400,
	HTTP_NOT_FOUND = 404,
	HTTP_BAD_METHOD = 405,
	HTTP_LONG_LINE = 414,
	HTTP_LONG_HEAD = 431,
};

/*
 * A request that arrives in pieces. All zero: nothing yet.
 * @path:    what is asked for, without a query; lies in @line; set with HTTP_OK
 * @is_head: HEAD, not GET
 * @len:     bytes so far
 * @column:  of the next byte in its line, carriage returns not counted
 */
struct http_request {
	char line[HTTP_LINE_MAX];
	size_t line_len, len, column;
	const char *path;
	bool is_head;
};

/*
 * http_read() - Read on in a request.
 *
 * Return: HTTP_MORE; HTTP_OK when it is whole, a GET or a HEAD; else the status
 * to refuse it with, as soon as that is certain.
 */
enum http_status http_read(struct http_request *q, const char *data, size_t len);

/*
 * http_begin() - Append the head of an answer, after which the connection is to be
 * closed.
 * @len: bytes of the body, which is text in UTF-8
 */
void http_begin(struct buf *b, enum http_status status, size_t len);

/*
 * http_answer() - Append a whole answer, after which the connection is to be closed.
 * @body:    text in UTF-8; or NULL, for a line that says what @status is
 * @is_head: leave the body itself out
 */
void http_answer(struct buf *b, enum http_status status, const struct buf *body,
		 bool is_head);

#endif
