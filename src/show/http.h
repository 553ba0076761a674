/* SPDX-License-Identifier: MIT */
/*
 * As much of HTTP/1.1 (RFC 9112) as a server needs that answers one request for each
 * connection and reads only its first line and its Host. Nothing is received or sent here.
 */
#ifndef HTTP_H
#define HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

#define HTTP_LINE_MAX 512  /* bytes of the longest request line, with a NUL at its end */
#define HTTP_HEAD_MAX 8192 /* bytes of the longest request, up to its empty line */
#define HTTP_HOST_MAX \
	264 /* bytes of the longest DNS name, ":65535" and a NUL, and some */

/* Statuses of RFC 9110, section 15, and RFC 6585. */
enum http_status {
	HTTP_MORE = 0, /* no status: the request is not complete yet */
	HTTP_OK = 200,
	HTTP_BAD_REQUEST = 400,
	HTTP_NOT_FOUND = 404,
	HTTP_BAD_METHOD = 405,
	HTTP_LONG_LINE = 414,
	HTTP_MISDIRECTED = 421,
	HTTP_LONG_HEAD = 431,
};

/*
 * A request that arrives in pieces. It begins as all zeros.
 * @line:    the request line, @line_len bytes so far
 * @len:     bytes of the request so far
 * @column:  bytes of the current header line so far, without carriage returns
 * @host, @host_len: what the header Host says so far; @has_host: there is one
 * @n_key:   bytes at the beginning of the current header line that are as in "Host:"
 * @path:    the path that is asked for, without a query; points into @line. It is set
 *           once the request line is complete and right
 * @is_head: the request is a HEAD and not a GET
 */
struct http_request {
	char line[HTTP_LINE_MAX];
	size_t line_len, len, column;
	char host[HTTP_HOST_MAX];
	size_t host_len, n_key;
	const char *path;
	bool has_host, is_head;
};

/*
 * http_read() - Read the next @len bytes of a request.
 *
 * Return: HTTP_MORE; HTTP_OK when the request is complete, a GET or a HEAD; otherwise
 * the status to refuse it with, as soon as that is known.
 */
enum http_status http_read(struct http_request *q, const char *data, size_t len);

/*
 * http_trusts_host() - Whether a browser that sent this request has looked up a name that
 * no stranger can own.
 *
 * A web page may have its own name changed to our address, and would then count as ours
 * (DNS rebinding). So only addresses, localhost, and names without a dot are trusted, and
 * requests without Host, which no browser sends.
 */
bool http_trusts_host(const struct http_request *q);

#define HTTP_TEXT "text/plain; version=0.0.4; charset=utf-8"
#define HTTP_TO_END SIZE_MAX /* for @len: the body ends with the connection */

/*
 * http_begin() - Append the head of an answer to @b. The connection must be closed
 * behind the answer.
 * @type: the body's type, as in Content-Type; further header lines may follow
 * @len:  bytes of the body, or HTTP_TO_END
 */
void http_begin(struct buf *b, enum http_status status, const char *type, size_t len);

/*
 * http_answer() - Append a whole answer to @b. The connection must be closed behind it.
 * @body:    text in UTF-8; NULL for one line with the number and the words of @status
 * @is_head: the request was a HEAD: leave out the body
 */
void http_answer(struct buf *b, enum http_status status, const struct buf *body,
		 bool is_head);

#endif
