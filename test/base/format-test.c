/* SPDX-License-Identifier: MIT */
/*
 * format.c beside the C library's snprintf(): every conversion, and random ones, into
 * buffers of every size.
 */
#include "base/format.h"

#include <limits.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/random.h"
#include "lib/tap.h"

#define ROOM 64

PRINTF_LIKE(3, 4) static int ours(char *buf, size_t size, const char *fmt, ...)
{
	va_list args;
	int len;

	va_start(args, fmt);
	len = format_text(buf, size, fmt, args);
	va_end(args);
	return len;
}

/* Both write the same text of the same length, however little room there is. */
#define SAME(...)                                                                    \
	do {                                                                         \
		char want[ROOM], got[ROOM];                                          \
		int whole = snprintf(NULL, 0, __VA_ARGS__);                          \
		size_t size;                                                         \
                                                                                     \
		for (size = 0; size < ROOM; size++) {                                \
			memset(want, 'w', sizeof(want));                             \
			memset(got, 'w', sizeof(got));                               \
			snprintf(want, size, __VA_ARGS__);                           \
			if (ours(got, size, __VA_ARGS__) != whole ||                 \
			    memcmp(want, got, sizeof(got)) != 0)                     \
				break;                                               \
		}                                                                    \
		ok(size == ROOM, "%s, with %zu bytes: \"%.*s\"", #__VA_ARGS__, size, \
		   ROOM, got);                                                       \
	} while (0)

static void test_each(void)
{
	SAME("%s", "");
	SAME("no conversion, 100%%");
	SAME("%s and %s", "one", "another");
	SAME("%8s|%-8s|%2s|%-2s", "text", "text", "text", "text");
	SAME("%.2s|%.9s|%.0s", "text", "text", "text");
	SAME("%*s|%*s|%.*s|%.*s", 6, "text", -6, "text", 2, "text", -1, "text");
	SAME("%-*.*s|", 6, 3, "text");
	SAME("%c%c%3c|%-3c|", 'a', 'b', 'c', 'd');
	SAME("%u %u %u", 0, 10, UINT_MAX);
	SAME("%d %d %d %d", 0, -1, INT_MAX, INT_MIN);
	SAME("%lu %ld %ld", ULONG_MAX, LONG_MIN, LONG_MAX);
	SAME("%llu %lld %llx", ULLONG_MAX, LLONG_MIN, ULLONG_MAX);
	SAME("%zu %zx", SIZE_MAX, SIZE_MAX);
	SAME("%x %02x %04x %x", 0, 0xa, 0xbeef, UINT_MAX);
	SAME("%05d|%05u|%-5d|%5d|%5u", -42, 42, -42, -42, 42);
	SAME("%.3d|%.3u|%6.3d|%-6.3d", -4, 4, -4, -4);
	SAME("%.0d|%.0u|%3.0d", 0, 0, 0);
	SAME("%6x|%06x|%-6x|%.4x", 0xabc, 0xabc, 0xabc, 0xabc);
}

/* Whether both return the same. */
#define BOTH(value) \
	(snprintf(want, sizeof(want), fmt, value) == ours(got, sizeof(got), fmt, value))

static void test_random(void)
{
	static const char *const letters[] = { "d", "u", "x", "ld", "lu", "llu", "lld" };
	char fmt[32], want[128], got[128];
	bool is_same = true;

	for (int i = 0; i < 100000 && is_same; i++) {
		const char *letter = letters[rnd(ARRAY_SIZE(letters))];
		uint64_t value = ((uint64_t)rnd32() << 32 | rnd32()) >> rnd(64);
		char *p = fmt;

		*p++ = '%';
		for (uint32_t n = rnd(3); n; n--)
			*p++ = "-0"[rnd(2)];
		if (rnd(2))
			p += sprintf(p, "%u", 1 + rnd(40));
		if (rnd(2))
			p += sprintf(p, ".%u", rnd(30));
		strcpy(p, letter);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
		/* Each as wide as its letter says: on ARM others lie elsewhere. */
		if (letter[0] != 'l')
			is_same = BOTH((unsigned)value);
		else if (letter[1] != 'l')
			is_same = BOTH((unsigned long)value);
		else
			is_same = BOTH(value);
		is_same = is_same && !strcmp(want, got);
#pragma GCC diagnostic pop
	}
	ok(is_same, "random formats: %s is \"%s\", not \"%s\"", fmt, want, got);
}

static void test_unknown(void)
{
	static const char *const unknown[] = { "%f", "%p", "%hd", "%i", "%+d", "%", "%5" };

	for (size_t i = 0; i < ARRAY_SIZE(unknown); i++) {
		int status = 0;
		pid_t pid = fork();

		if (!pid) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-security"
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
			ours(NULL, 0, unknown[i]);
#pragma GCC diagnostic pop
			_exit(0);
		}
		waitpid(pid, &status, 0);
		ok(WIFSIGNALED(status), "\"%s\" is not taken for another one",
		   unknown[i]);
	}
}

int main(void)
{
	random_begin(1);
	test_each();
	test_random();
	test_unknown();
	return done();
}
