/* SPDX-License-Identifier: MIT */
/*
 * buf.c: that text comes out as it was put in, however it grows, what every
 * byte becomes when it is escaped, and that nothing is added after a failure.
 */
#include "base/buf.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "lib/tap.h"

static void test_empty(void)
{
	struct buf b = { 0 };

	ok(!b.data && !b.len && !b.failed, "all zero is an empty one");
	buf_add(&b, NULL, 0);
	buf_escape(&b, "", "");
	ok(!b.data && !b.len && !b.failed, "nothing added, it stays one");
	buf_printf(&b, "%s", "");
	ok_eq_str(b.data, "", "an empty text ends too");
	ok_eq_int(b.len, 0, "and has no length");
	buf_free(&b);
	ok(!b.data && !b.len && !b.size && !b.failed, "freed, it is empty again");
	buf_free(&b);
}

/*
 * In pieces of @step bytes, so that each size is met that it grows at. A
 * sanitizer sees a byte too far.
 */
static void test_growing(size_t step)
{
	static char all[10000];
	struct buf b = { 0 };
	int wrong = 0;

	for (size_t i = 0; i < sizeof(all); i++)
		all[i] = (char)('!' + i % 90);
	for (size_t at = 0; at < sizeof(all);) {
		size_t n = min_size(step, sizeof(all) - at);

		if (at / step % 2)
			buf_add(&b, all + at, n);
		else
			buf_printf(&b, "%.*s", (int)n, all + at);
		at += n;
		wrong += b.len != at || b.size <= b.len || b.data[b.len] != '\0';
	}
	ok_eq_int(wrong, 0, "steps of %zu: it always ends", step);
	ok(b.len == sizeof(all) && !memcmp(b.data, all, sizeof(all)),
	   "steps of %zu: it is what was added", step);
	ok(b.size < 2 * sizeof(all), "steps of %zu: it has no more room than twice that",
	   step);
	ok(!b.failed, "steps of %zu: nothing failed", step);
	buf_free(&b);
}

static void test_bytes(void)
{
	static const char bytes[] = "a\0b\n\xff";
	struct buf b = { 0 };

	buf_add(&b, bytes, sizeof(bytes));
	ok(b.len == sizeof(bytes) && !memcmp(b.data, bytes, sizeof(bytes)),
	   "bytes are added as they are, a NUL too");
	buf_free(&b);
}

static void test_escape(void)
{
	static const struct {
		const char *text, *special, *want;
	} cases[] = {
		{ "", "\"\\", "" },
		{ "br0", "\"\\", "br0" },
		{ "br0", "", "br0" },
		{ "a\"b\\c", "\"\\", "a\\\"b\\\\c" },
		{ "a\"b\\c", "", "a\"b\\c" },
		{ "a,b", ",", "a\\,b" },
		{ "a\nb", "\"\\", "a\\nb" },
		{ "\x1b[2J\t", "\"\\", "\\u001b[2J\\u0009" },
		{ "br\xc3\xb6", "\"\\", "br\\u00c3\\u00b6" },
		{ "~\x7f%s", "\"\\", "~\\u007f%s" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct buf b = { 0 };

		buf_add(&b, ">", 1);
		buf_escape(&b, cases[i].text, cases[i].special);
		buf_add(&b, "<", 1);
		b.data[b.len - 1] = '\0';
		ok_eq_str(b.data + 1, cases[i].want, "\"%s\"", cases[i].want);
		buf_free(&b);
	}
}

static void test_every_byte(void)
{
	for (unsigned int c = 1; c < 256; c++) {
		const char text[] = { (char)c, '\0' };
		struct buf b = { 0 };
		char want[8];

		if (c == '\n')
			strcpy(want, "\\n");
		else if (c == '"' || c == '\\')
			snprintf(want, sizeof(want), "\\%c", c);
		else
			snprintf(want, sizeof(want),
				 c < 0x20 || c > 0x7e ? "\\u00%02x" : "%c", c);
		buf_escape(&b, text, "\"\\");
		ok_eq_str(b.data, want, "byte %02x", c);
		buf_free(&b);
	}
}

/* More than any memory; what is there already stays, and may still be looked at. */
static void test_failure(void)
{
	struct buf b = { 0 };

	buf_add(&b, "kept", 4);
	buf_add(&b, "x", SIZE_MAX);
	ok(b.failed, "what there is no memory for is told of");
	ok_eq_str(b.data, "kept", "what was there is kept");
	buf_add(&b, "y", SIZE_MAX / 4 + 1);
	buf_add(&b, "z", 1);
	buf_printf(&b, "%d", 1);
	buf_escape(&b, "e\n", "");
	ok_eq_str(b.data, "kept", "nothing is added behind it");
	ok_eq_int(b.len, 4, "nor is it any longer");
	buf_free(&b);
	ok(!b.failed, "freed, it is as new");
	buf_add(&b, "z", 1);
	ok_eq_str(b.data, "z", "and may be used again");
	buf_free(&b);
}

int main(void)
{
	static const size_t steps[] = { 1, 2, 7, 511, 512, 1023, 1024, 1025, 9999 };

	test_empty();
	for (size_t i = 0; i < ARRAY_SIZE(steps); i++)
		test_growing(steps[i]);
	test_bytes();
	test_escape();
	test_every_byte();
	test_failure();
	return done();
}
