/* SPDX-License-Identifier: MIT */
/*
 * Reading HTTP requests: whatever comes, and in whatever pieces, the verdict is the same;
 * one that is complete has a path of printable text.
 *
 * Input: how long the first pieces are, up to a newline; the request.
 */
#include "lib/fuzz.h"

#include <stdbool.h>

#include "show/http.h"

static bool is_printable(const char *text)
{
	for (; *text; text++)
		if (*text <= ' ' || *text > '~')
			return false;
	return true;
}

static void check_answer(enum http_status status, bool is_head)
{
	struct buf answer = { 0 };
	const char *end;

	http_answer(&answer, status, NULL, is_head);
	must(!answer.failed && !strncmp(answer.data, "HTTP/1.1 ", 9));
	end = strstr(answer.data, "\r\n\r\n");
	must(end && (end[4] == '\0') == is_head);
	buf_free(&answer);
}

/* @pieces: how long each is, up to a newline */
static void run(struct http_request *q, enum http_status *status, const uint8_t *pieces,
		const char *data, size_t len)
{
	memset(q, 0, sizeof(*q));
	*status = HTTP_MORE;
	while (len && *status == HTTP_MORE) {
		size_t part = *pieces != '\n' && *pieces < len ? *pieces : len;

		*status = http_read(q, data, part);
		data += part;
		len -= part;
		pieces += *pieces != '\n';
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *end = size ? memchr(data, '\n', size) : NULL, *rest;
	enum http_status status, other;
	struct http_request q, p;

	if (!end)
		return 0;
	rest = end + 1;
	size -= (size_t)(rest - data);
	run(&q, &status, (const uint8_t *)"\n", (const char *)rest, size);
	run(&p, &other, data, (const char *)rest, size);
	must(status == other && q.len == p.len && q.is_head == p.is_head);
	must(q.host_len < HTTP_HOST_MAX && !strcmp(q.host, p.host));
	must(http_trusts_host(&q) == http_trusts_host(&p));
	must(!q.path == !p.path && (!q.path || !strcmp(q.path, p.path)));
	must(q.len <= HTTP_HEAD_MAX + 1);
	if (q.path)
		must(*q.path == '/' && is_printable(q.path));
	if (status == HTTP_OK)
		must(q.path);
	if (status != HTTP_MORE)
		check_answer(status, q.is_head);
	return 0;
}
