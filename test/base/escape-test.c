/* SPDX-License-Identifier: MIT */
/*
 * escape.c: what every byte becomes, that a copy fits whatever room it gets, and
 * that what is escaped stays as it is when it is escaped again.
 */
#include "base/escape.h"

#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "lib/tap.h"

static void test_every_byte(void)
{
	for (unsigned int c = 1; c < 256; c++) {
		const char from[] = { (char)c, '\0' };
		char want[8], got[8];

		snprintf(want, sizeof(want), c >= 0x20 && c <= 0x7e ? "%c" : "\\x%02x",
			 c);
		escape_text(got, sizeof(got), from);
		ok_eq_str(got, want, "byte %02x", c);
	}
}

static void test_texts(void)
{
	static const struct {
		const char *from, *want;
	} cases[] = {
		{ "", "" },
		{ "br0: up", "br0: up" },
		{ "\x1b[2J\n", "\\x1b[2J\\x0a" },
		{ "br\xc3\xb6", "br\\xc3\\xb6" },
		{ "\\", "\\" },
		{ "\\x1b", "\\x1b" },
		{ "\t \x7f~", "\\x09 \\x7f~" },
	};
	char got[64], again[64];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		size_t len = escape_text(got, sizeof(got), cases[i].from);

		ok_eq_str(got, cases[i].want, "\"%s\"", cases[i].want);
		ok_eq_int(len, strlen(cases[i].want), "\"%s\": its length",
			  cases[i].want);
		escape_text(again, sizeof(again), got);
		ok_eq_str(again, got, "\"%s\": stays when escaped again", cases[i].want);
	}
}

/* In memory of just @size bytes, so that a sanitizer sees one written too far. */
static void test_room(const char *from, size_t size, const char *want)
{
	char *to = malloc(size + !size);
	size_t len;

	if (!to)
		abort();
	*to = 'z';
	len = escape_text(to, size, from);
	if (size)
		ok_eq_str(to, want, "cut to %zu bytes", size);
	else
		ok(*to == 'z', "of no bytes, none is written");
	ok_eq_int(len, strlen(want), "cut to %zu bytes: the length", size);
	free(to);
}

/* As soon as there is room for one more character or escape, and the NUL, it is there. */
static void test_rooms(void)
{
	static const char *const steps[] = { "", "a", "a\\x01", "a\\x01\\xff",
					     "a\\x01\\xffz" };
	size_t step = 0;

	for (size_t size = 0; size <= strlen("a\\x01\\xffz") + 2; size++) {
		if (step + 1 < ARRAY_SIZE(steps) && size > strlen(steps[step + 1]))
			step++;
		test_room("a\x01\xffz", size, steps[step]);
	}
}

static void test_quotes(void)
{
	static const struct {
		const char *from;
		size_t n;
		const char *want;
	} cases[] = {
		{ "SSH-2.0-OpenSSH_9.2\r\n", 21, "\"SSH-2.0-OpenSSH_9.2\"" },
		{ "\0\x3c\xff\xff\xff\xff\xff\xff", 8, "00 3c ff ff ff ff ff ff" },
		{ "abc\n", 4, "61 62 63 0a" },
		{ "abcd", 4, "\"abcd\"" },
		{ "abcd", 3, "61 62 63" },
		{ "", 0, "" },
		{ "0123456789012345678901234567890123456789", 40,
		  "\"01234567890123456789012345678901\"" },
		{ "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 13,
		  "ff ff ff ff ff ff ff ff ff ff ff ff" },
	};
	char got[ESCAPE_QUOTED_MAX];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		ok_eq_str(escape_quoted(got, (const uint8_t *)cases[i].from, cases[i].n),
			  cases[i].want, "quoted: %s", cases[i].want);
}

int main(void)
{
	test_every_byte();
	test_texts();
	test_rooms();
	test_quotes();
	return done();
}
