/* SPDX-License-Identifier: MIT */
/*
 * Reads HTTP requests and writes answers. The request line is kept, and checked once it
 * is complete. Header lines but Host are skipped up to the empty line, so they take no
 * memory.
 */
#include "show/http.h"

#include <string.h>

#include "base/util.h"

static const char *reason(enum http_status status)
{
	static const struct {
		enum http_status status;
		const char *reason;
	} reasons[] = {
		{ HTTP_BAD_REQUEST, "Bad Request" },
		{ HTTP_OK, "OK" },
		{ HTTP_NOT_FOUND, "Not Found" },
		{ HTTP_BAD_METHOD, "Method Not Allowed" },
		{ HTTP_LONG_LINE, "URI Too Long" },
		{ HTTP_MISDIRECTED, "Misdirected Request" },
		{ HTTP_LONG_HEAD, "Request Header Fields Too Large" },
	};
	size_t i = ARRAY_SIZE(reasons);

	/* It is the first one if it is none of the others. */
	while (--i && reasons[i].status != status)
		;
	return reasons[i].reason;
}

/* Cut off the next word of a line; exactly one space separates words. Return: it or NULL. */
static char *take_word(char **rest)
{
	char *word = *rest, *end = word ? strchr(word, ' ') : NULL;

	if (end)
		*end++ = '\0';
	*rest = end;
	return word && *word ? word : NULL;
}

static bool is_method(const char *word)
{
	return word && strspn(word, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == strlen(word);
}

/* Find the path in a request's target; a proxy sends http://HOST/PATH. Return: it or NULL. */
static const char *path_of(char *target)
{
	static const char scheme[] = "http://";
	char *path = target;

	if (!strncmp(target, scheme, sizeof(scheme) - 1)) {
		path = strchr(target + sizeof(scheme) - 1, '/');
		if (!path)
			return "/";
	}
	path[strcspn(path, "?")] = '\0';
	return *path == '/' ? path : NULL;
}

static bool ends_in_return(const struct http_request *q)
{
	return q->line_len && q->line[q->line_len - 1] == '\r';
}

/* Check the request line: METHOD TARGET HTTP/1.x (RFC 9112, section 3). */
static enum http_status judge_line(struct http_request *q)
{
	char *rest = q->line, *method, *target, *version;

	if (ends_in_return(q))
		q->line[q->line_len - 1] = '\0';
	method = take_word(&rest);
	target = take_word(&rest);
	version = take_word(&rest);
	if (!is_method(method) || !target || !version || rest ||
	    strncmp(version, "HTTP/1.", 7) != 0 || strlen(version) != 8)
		return HTTP_BAD_REQUEST;
	q->is_head = !strcmp(method, "HEAD");
	if (!q->is_head && strcmp(method, "GET") != 0)
		return HTTP_BAD_METHOD;
	q->path = path_of(target);
	return q->path ? HTTP_MORE : HTTP_BAD_REQUEST;
}

/* Read a byte of the request line. */
static enum http_status read_line(struct http_request *q, char c)
{
	if (c == '\n')
		return judge_line(q);
	if ((c < ' ' && c != '\r') || c > '~' || ends_in_return(q))
		return HTTP_BAD_REQUEST;
	if (q->line_len + 1 == sizeof(q->line))
		return HTTP_LONG_LINE;
	q->line[q->line_len++] = c;
	return HTTP_MORE;
}

/* Read a byte of a header line's text. Two Hosts are refused, or one that can't be a name. */
static enum http_status read_field(struct http_request *q, char c)
{
	static const char lower[] = "host:", upper[] = "HOST:";
	const size_t key_len = sizeof(lower) - 1;
	size_t at = q->column++;

	if (at < key_len) {
		if (q->n_key != at || (c != lower[at] && c != upper[at]))
			return HTTP_MORE;
		if (++q->n_key < key_len || !q->has_host) {
			q->has_host |= q->n_key == key_len;
			return HTTP_MORE;
		}
		return HTTP_BAD_REQUEST;
	}
	if (q->n_key < key_len || c == ' ' || c == '\t')
		return HTTP_MORE;
	if (q->host_len + 1 == sizeof(q->host) || c < ' ' || c > '~')
		return HTTP_BAD_REQUEST;
	q->host[q->host_len++] = c;
	return HTTP_MORE;
}

/* Read a byte of a header line. */
static enum http_status read_header(struct http_request *q, char c)
{
	if (c == '\n' && !q->column)
		return HTTP_OK;
	if (c == '\n')
		q->column = q->n_key = 0;
	else if (c != '\r')
		return read_field(q, c);
	return HTTP_MORE;
}

enum http_status http_read(struct http_request *q, const char *data, size_t len)
{
	enum http_status status = HTTP_MORE;

	for (size_t i = 0; i < len && status == HTTP_MORE; i++) {
		if (q->len++ == HTTP_HEAD_MAX)
			return HTTP_LONG_HEAD;
		status = q->path ? read_header(q, data[i]) : read_line(q, data[i]);
	}
	return status;
}

bool http_trusts_host(const struct http_request *q)
{
	static const char local[] = ".localhost";
	size_t len = strcspn(q->host, ":"), n_local = sizeof(local) - 1;

	return q->host[0] == '[' || !memchr(q->host, '.', len) ||
	       strspn(q->host, "0123456789.") == len ||
	       (len > n_local && !memcmp(q->host + len - n_local, local, n_local));
}

/*
 * What browsers are told of each answer: to keep no copy, to have it for no other page, to
 * take it for nothing but its type, and to run and load only what comes from here. No text
 * becomes HTML (trusted types).
 */
#define FOR_BROWSERS                                                             \
	"Cache-Control: no-store\r\n"                                            \
	"Referrer-Policy: no-referrer\r\n"                                       \
	"X-Content-Type-Options: nosniff\r\n"                                    \
	"Cross-Origin-Resource-Policy: same-origin\r\n"                          \
	"Content-Security-Policy: default-src 'none'; script-src 'self'; "       \
	"style-src 'self'; connect-src 'self'; img-src data:; base-uri 'none'; " \
	"form-action 'none'; frame-ancestors 'none'; trusted-types 'none'; "     \
	"require-trusted-types-for 'script'\r\n"

void http_begin(struct buf *b, enum http_status status, const char *type, size_t len)
{
	buf_printf(b, "HTTP/1.1 %d %s\r\nContent-Type: %s\r\n", (int)status,
		   reason(status), type);
	if (len != HTTP_TO_END)
		buf_printf(b, "Content-Length: %zu\r\n", len);
	buf_printf(b, "%s" FOR_BROWSERS "Connection: close\r\n\r\n",
		   status == HTTP_BAD_METHOD ? "Allow: GET, HEAD\r\n" : "");
}

void http_answer(struct buf *b, enum http_status status, const struct buf *body,
		 bool is_head)
{
	struct buf line = { 0 };

	if (!body) {
		buf_printf(&line, "%d %s\n", (int)status, reason(status));
		body = &line;
	}
	http_begin(b, status, HTTP_TEXT, body->len);
	if (!is_head)
		buf_add(b, body->data, body->len);
	b->failed |= body->failed;
	buf_free(&line);
}
