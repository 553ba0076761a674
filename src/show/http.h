/* SPDX-License-Identifier: MIT */
/*
 * As much of HTTP/1.1 (RFC 9112) as a server needs that answers one request for each
 * connection and reads only its first line. Nothing is received or sent here.
 */
#ifndef HTTP_H
#define HTTP_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

#define HTTP_LINE_MAX 512  /* bytes of the longest request line, with a NUL at its end */
#define HTTP_HEAD_MAX 8192 /* bytes of the longest request, up to its empty line */

/* Statuses of RFC 9110, section 15, and RFC 6585. */
enum http_status {
	HTTP_MORE = 0, /* no status: the request is not complete yet */
	HTTP_OK = 200,
	HTTP_BAD_REQUEST = 400,
	HTTP_NOT_FOUND = 404,
	HTTP_BAD_METHOD = 405,
	HTTP_LONG_LINE = 414,
	HTTP_LONG_HEAD = 431,
};

/*
 * A request that arrives in pieces. It begins as all zeros.
 * @line:    the request line, @line_len bytes so far
 * @len:     bytes of the request so far
 * @column:  bytes of the current header line so far, without carriage returns
 * @path:    the path that is asked for, without a query; points into @line. It is set
 *           once the request line is complete and right
 * @is_head: the request is a HEAD and not a GET
 */
struct http_request {
	char line[HTTP_LINE_MAX];
	size_t line_len, len, column;
	const char *path;
	bool is_head;
};

/*
 * http_read() - Read the next @len bytes of a request.
 *
 * Return: HTTP_MORE; HTTP_OK when the request is complete, a GET or a HEAD; otherwise
 * the status to refuse it with, as soon as that is known.
 */
enum http_status http_read(struct http_request *q, const char *data, size_t len);

/*
 * http_begin() - Append the head of an answer to @b. The connection must be closed
 * behind the answer.
 * @len: bytes of the body, which is text in UTF-8
 */
void http_begin(struct buf *b, enum http_status status, size_t len);

/*
 * http_answer() - Append a whole answer to @b. The connection must be closed behind it.
 * @body:    text in UTF-8; NULL for one line with the number and the words of @status
 * @is_head: the request was a HEAD: leave out the body
 */
void http_answer(struct buf *b, enum http_status status, const struct buf *body,
		 bool is_head);

#endif
