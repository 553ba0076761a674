/* SPDX-License-Identifier: MIT */
/*
 * http.c: requests that are good and bad, whole and in pieces of every size, whom they
 * take us for, and the answers to them.
 */
#include "show/http.h"

#include <stdlib.h>

#include "lib/random.h"
#include "lib/tap.h"

/* ---- requests ---- */

static const struct {
	const char *text;
	enum http_status status;
	const char *path;
} requests[] = {
	{ "GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n", HTTP_OK, "/metrics" },
	{ "GET / HTTP/1.0\n\n", HTTP_OK, "/" },
	{ "HEAD /metrics HTTP/1.1\r\n\r\n", HTTP_OK, "/metrics" },
	{ "GET /metrics?a=b&c=/ HTTP/1.1\r\n\r\n", HTTP_OK, "/metrics" },
	{ "GET http://a:1/metrics HTTP/1.1\r\n\r\n", HTTP_OK, "/metrics" },
	{ "GET http://a HTTP/1.1\r\n\r\n", HTTP_OK, "/" },
	{ "GET /../etc HTTP/1.1\r\n\r\n", HTTP_OK, "/../etc" },
	{ "GET /metrics HTTP/1.1\r\n", HTTP_MORE, NULL },
	{ "GET /metrics HTTP/1.1\r\nA: b\r\n", HTTP_MORE, NULL },
	{ "GET /metrics", HTTP_MORE, NULL },
	{ "", HTTP_MORE, NULL },
	{ "POST /metrics HTTP/1.1\r\n", HTTP_BAD_METHOD, NULL },
	{ "OPTIONS * HTTP/1.1\r\n", HTTP_BAD_METHOD, NULL },
	{ "GETS /metrics HTTP/1.1\r\n", HTTP_BAD_METHOD, NULL },
	{ "get /metrics HTTP/1.1\r\n", HTTP_BAD_REQUEST, NULL },
	{ "GET * HTTP/1.1\r\n", HTTP_BAD_REQUEST, NULL },
	{ "GET metrics HTTP/1.1\r\n", HTTP_BAD_REQUEST, NULL },
	{ "GET ?/ HTTP/1.1\r\n", HTTP_BAD_REQUEST, NULL },
	{ "GET /metrics\r\n", HTTP_BAD_REQUEST, NULL },
	{ "GET /metrics HTTP/2.0\r\n", HTTP_BAD_REQUEST, NULL },
	{ "GET /metrics HTTP/1.10\r\n", HTTP_BAD_REQUEST, NULL },
	{ "GET /metrics HTTP/1.\r\n", HTTP_BAD_REQUEST, NULL },
	{ "GET /metrics HTTP/1.1 \r\n", HTTP_BAD_REQUEST, NULL },
	{ "GET  /metrics HTTP/1.1\r\n", HTTP_BAD_REQUEST, NULL },
	{ " GET /metrics HTTP/1.1\r\n", HTTP_BAD_REQUEST, NULL },
	{ "GET /a b HTTP/1.1\r\n", HTTP_BAD_REQUEST, NULL },
	{ "GET\r\n", HTTP_BAD_REQUEST, NULL },
	{ "\r\n", HTTP_BAD_REQUEST, NULL },
	{ "\n", HTTP_BAD_REQUEST, NULL },
	{ "GET /\rx HTTP/1.1\r\n\r\n", HTTP_BAD_REQUEST, NULL },
	{ "GET / HTTP/1.1\r\nHost: a\r\nhOsT:b\r\n\r\n", HTTP_BAD_REQUEST, NULL },
	{ "GET / HTTP/1.1\r\nHost:\r\nHost:\r\n\r\n", HTTP_BAD_REQUEST, NULL },
	{ "GET / HTTP/1.1\r\nHost\r\nHos:\r\nHostt: b\r\nxHost: c\r\nHost: a\r\n\r\n",
	  HTTP_OK, "/" },
	{ "GET / HTTP/1.1\r\nHost: \xc3\xb6\r\n\r\n", HTTP_BAD_REQUEST, NULL },
	{ "GET / HTTP/1.1\r\nHost: a\x7f\r\n\r\n", HTTP_BAD_REQUEST, NULL },
	{ "\x16\x03\x01", HTTP_BAD_REQUEST, NULL },
	{ "GET /\xff", HTTP_BAD_REQUEST, NULL },
	{ "GET /\x1b[2J", HTTP_BAD_REQUEST, NULL },
};

/* In pieces of @size bytes, each in memory of its own. */
static enum http_status read_pieces(struct http_request *q, const char *text, size_t len,
				    size_t size)
{
	enum http_status status = HTTP_MORE;

	*q = (struct http_request){ 0 };
	for (size_t at = 0; at < len && status == HTTP_MORE; at += size) {
		size_t n = min_size(size, len - at);
		char *piece = malloc(n);

		if (!piece)
			abort();
		memcpy(piece, text + at, n);
		status = http_read(q, piece, n);
		free(piece);
	}
	return status;
}

static void test_request(size_t i)
{
	const char *text = requests[i].text;
	int wrong = 0;

	for (size_t size = 1; size <= strlen(text) + 1; size++) {
		struct http_request q;
		enum http_status status = read_pieces(&q, text, strlen(text), size);

		wrong += status != requests[i].status;
		if (status == HTTP_OK)
			wrong += !q.path || !requests[i].path ||
				 strcmp(q.path, requests[i].path) != 0 ||
				 q.is_head != !strncmp(text, "HEAD ", 5);
	}
	ok_eq_int(wrong, 0, "%s", text);
}

/* Of just the most that is taken, and of one byte more. */
static void test_bounds(void)
{
	static char text[2 * HTTP_HEAD_MAX];
	struct http_request q;
	int n;

	memset(text, 'a', sizeof(text));
	memcpy(text, "GET /", 5);
	ok_eq_int(read_pieces(&q, text, HTTP_LINE_MAX - 1, 100), HTTP_MORE,
		  "a line of the most bytes");
	ok_eq_int(read_pieces(&q, text, HTTP_LINE_MAX, 100), HTTP_LONG_LINE,
		  "a line too long");
	n = sprintf(text, "GET / HTTP/1.1\r\nA: ");
	text[n] = 'a';
	memcpy(text + HTTP_HEAD_MAX - 4, "\r\n\r\n", 4);
	ok_eq_int(read_pieces(&q, text, HTTP_HEAD_MAX, 1000), HTTP_OK,
		  "a head of the most bytes");
	memset(text + HTTP_HEAD_MAX - 4, 'a', 4);
	ok_eq_int(read_pieces(&q, text, HTTP_HEAD_MAX, 1000), HTTP_MORE,
		  "one that has not ended then");
	ok_eq_int(read_pieces(&q, text, HTTP_HEAD_MAX + 1, 1000), HTTP_LONG_HEAD,
		  "and that goes on");
	n = sprintf(text, "GET / HTTP/1.1\r\nHost: ");
	text[n] = 'a';
	ok_eq_int(read_pieces(&q, text, (size_t)n + HTTP_HOST_MAX - 1, 100), HTTP_MORE,
		  "a host of the most bytes");
	ok(q.host_len == HTTP_HOST_MAX - 1 && strlen(q.host) == q.host_len, "is kept");
	ok_eq_int(read_pieces(&q, text, (size_t)n + HTTP_HOST_MAX, 100), HTTP_BAD_REQUEST,
		  "one too long");
}

/* ---- whom they take us for ---- */

static const struct {
	const char *header;
	bool is_trusted;
} hosts[] = {
	{ "", true },
	{ "Host: \r\n", true },
	{ "Host: 127.0.0.1:9100\r\n", true },
	{ "Host:127.0.0.1\r\n", true },
	{ "Host: [::1]:9100\r\n", true },
	{ "host: [fe80::1]\r\n", true },
	{ "HOST:\tlocalhost:9100\r\n", true },
	{ "Host: relay:9100\r\n", true },
	{ "Host: a.localhost\r\n", true },
	{ "Host: .localhost\r\n", false },
	{ "Host: a.localhost.example\r\n", false },
	{ "Host: notlocalhost.example:9100\r\n", false },
	{ "Host: relay.example\r\n", false },
	{ "A: b\r\nHost: 127.0.0.1.example\r\nB: localhost\r\n", false },
	{ "Host: localhost.\r\n", false },
	{ "Host: 1.2.3.4x\r\n", false },
	{ "Host: e.example:1\r\nX-Host: localhost\r\n", false },
};

/* As a string it would end there. */
static void test_nul(void)
{
	static const char text[] = "GET / HTTP/1.1\r\nHost: a\0.example\r\n\r\n";
	struct http_request q;

	ok_eq_int(read_pieces(&q, text, sizeof(text) - 1, 3), HTTP_BAD_REQUEST,
		  "a host with a zero byte in it");
}

static void test_host(size_t i)
{
	struct http_request q;
	char text[256];

	snprintf(text, sizeof(text), "GET / HTTP/1.1\r\n%s\r\n", hosts[i].header);
	ok(read_pieces(&q, text, strlen(text), 1) == HTTP_OK &&
		   http_trusts_host(&q) == hosts[i].is_trusted,
	   "%s: %s", hosts[i].header, hosts[i].is_trusted ? "trusted" : "a stranger's");
}

static void test_noise(void)
{
	char text[300];
	struct http_request q;
	int wrong = 0;

	random_begin(1);
	for (int i = 0; i < 20000; i++) {
		static const char bytes[] = "GET /HEAD 1.P:\r\n\n ?";

		for (size_t k = 0; k < sizeof(text); k++)
			text[k] = rnd(50) ? bytes[rnd(sizeof(bytes))] : (char)rnd32();
		if (rnd(2))
			memcpy(text, "GET / HTTP/1.1\r", 15);
		wrong += read_pieces(&q, text, sizeof(text), 7) == HTTP_OK && !q.path;
	}
	ok_eq_int(wrong, 0, "noise is survived");
}

/* ---- answers ---- */

static void test_answer(enum http_status status, const char *text, bool is_head,
			const char *wanted)
{
	struct buf b = { 0 }, body = { 0 };

	buf_printf(&body, "%s", text);
	http_answer(&b, status, *text ? &body : NULL, is_head);
	ok_eq_str(b.data, wanted, "answer %d%s", (int)status, is_head ? " to HEAD" : "");
	buf_free(&b);
	buf_free(&body);
}

/* What makes browsers careful; each header is here once more, to the letter. */
#define CAREFUL                                                                  \
	"Cache-Control: no-store\r\nReferrer-Policy: no-referrer\r\n"            \
	"X-Content-Type-Options: nosniff\r\n"                                    \
	"Cross-Origin-Resource-Policy: same-origin\r\n"                          \
	"Content-Security-Policy: default-src 'none'; script-src 'self'; "       \
	"style-src 'self'; connect-src 'self'; img-src data:; base-uri 'none'; " \
	"form-action 'none'; frame-ancestors 'none'; trusted-types 'none'; "     \
	"require-trusted-types-for 'script'\r\nConnection: close\r\n"

#define ANSWER(status, len, more, body)                                    \
	"HTTP/1.1 " status "\r\nContent-Type: text/plain; version=0.0.4; " \
	"charset=utf-8\r\nContent-Length: " len "\r\n" more CAREFUL "\r\n" body

static void test_answers(void)
{
	struct buf b = { 0 };

	http_begin(&b, HTTP_OK, "a/b\r\nC: d", HTTP_TO_END);
	ok_eq_str(b.data,
		  "HTTP/1.1 200 OK\r\nContent-Type: a/b\r\nC: d\r\n" CAREFUL "\r\n",
		  "a body that ends with the connection");
	buf_free(&b);
	test_answer(HTTP_OK, "a\nb\n", false, ANSWER("200 OK", "4", "", "a\nb\n"));
	test_answer(HTTP_OK, "a\nb\n", true, ANSWER("200 OK", "4", "", ""));
	test_answer(HTTP_BAD_REQUEST, "", false,
		    ANSWER("400 Bad Request", "16", "", "400 Bad Request\n"));
	test_answer(HTTP_NOT_FOUND, "", true, ANSWER("404 Not Found", "14", "", ""));
	test_answer(HTTP_BAD_METHOD, "", false,
		    ANSWER("405 Method Not Allowed", "23", "Allow: GET, HEAD\r\n",
			   "405 Method Not Allowed\n"));
	test_answer(HTTP_LONG_LINE, "", false,
		    ANSWER("414 URI Too Long", "17", "", "414 URI Too Long\n"));
	test_answer(HTTP_MISDIRECTED, "", true,
		    ANSWER("421 Misdirected Request", "24", "", ""));
	test_answer(HTTP_LONG_HEAD, "", false,
		    ANSWER("431 Request Header Fields Too Large", "36", "",
			   "431 Request Header Fields Too Large\n"));
}

int main(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(requests); i++)
		test_request(i);
	test_bounds();
	test_nul();
	for (size_t i = 0; i < ARRAY_SIZE(hosts); i++)
		test_host(i);
	test_noise();
	test_answers();
	return done();
}
