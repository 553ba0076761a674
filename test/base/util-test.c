/* SPDX-License-Identifier: MIT */
/* Numbers in digits, copies, writing all of it, signals that are ignored. */
#include "base/util.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/tap.h"

#define MANY ((size_t)1 << 20)

static void test_numbers(void)
{
	static const struct {
		const char *text;
		unsigned base;
		uint32_t limit;
		long long want; /* -1: it is none */
	} all[] = {
		{ "0", 10, 0, 0 },
		{ "007", 10, 7, 7 },
		{ "4294967295", 10, UINT32_MAX, UINT32_MAX },
		{ "4294967296", 10, UINT32_MAX, -1 },
		{ "18446744073709551617", 10, UINT32_MAX, -1 },
		{ "8", 10, 7, -1 },
		{ "0660", 8, 0777, 0660 },
		{ "8", 8, 0777, -1 },
		{ "", 10, 9, -1 },
		{ " 1", 10, 9, -1 },
		{ "+1", 10, 9, -1 },
		{ "-1", 10, 9, -1 },
		{ "1 ", 10, 9, -1 },
		{ "0x1", 10, 9, -1 },
		{ "\xb2", 10, 9, -1 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		uint32_t value = 99;
		bool is_one = parse_uint(all[i].text, all[i].base, all[i].limit, &value);

		ok_eq_int(is_one ? (long long)value : -1, all[i].want,
			  "\"%s\", base %u, up to %u", all[i].text, all[i].base,
			  all[i].limit);
		ok(is_one || value == 99, "a value is set only for one that is right");
	}
}

static void test_rate(void)
{
	ok_eq_int(per_second(1500, 500, 2000), 500, "1000 more in two seconds");
	ok_eq_int(per_second(500, 1500, 2000), 0, "a counter that began anew");
	ok_eq_int(per_second(1500, 500, 0), 0, "in no time");
}

/* @sum: a descriptor; then what it has brought */
static void *read_all(void *arg)
{
	size_t *sum = arg;
	int fd = (int)*sum;
	char buf[4096];
	ssize_t n;

	*sum = 0;
	while ((n = read(fd, buf, sizeof(buf))) > 0)
		*sum += (size_t)n;
	return NULL;
}

static void test_write(void)
{
	char *data = calloc(1, MANY);
	pthread_t reader;
	size_t sum;
	int fds[2];

	if (!data || pipe(fds) < 0)
		exit(1);
	fcntl(fds[1], F_SETFL, O_NONBLOCK);
	sum = (size_t)fds[0];
	pthread_create(&reader, NULL, read_all, &sum);
	ok_eq_int(write_all(fds[1], data, MANY), 0,
		  "more than a pipe takes, which would not wait");
	close(fds[1]);
	pthread_join(reader, NULL);
	ok_eq_int(sum, MANY, "all of it is there");
	close(fds[0]);
	if (pipe(fds) < 0)
		exit(1);
	signal(SIGPIPE, SIG_IGN);
	close(fds[0]);
	ok_eq_int(write_all(fds[1], data, 1), -EPIPE, "nobody reads");
	close(fds[1]);
	free(data);
}

static void test_signals(void)
{
	signal(SIGHUP, SIG_DFL);
	ok(!signal_is_ignored(SIGHUP), "a signal is not ignored");
	signal(SIGHUP, SIG_IGN);
	ok(signal_is_ignored(SIGHUP), "or is");
	ok(!signal_is_ignored(-1), "one that there is not is not");
}

/* Source of the values: Landon Curt Noll's test vectors of FNV-1a, 64 bits. */
static void test_hash(void)
{
	ok(text_hash("") == 0xcbf29ce484222325u, "the hash of an empty text");
	ok(text_hash("a") == 0xaf63dc4c8601ec8cu, "of a byte");
	ok(text_hash("foobar") == 0x85944171f73967e8u, "of a word");
}

static void test_copy(void)
{
	static uint8_t from[5000], to[sizeof(from)], zeros[sizeof(from)];
	unsigned wrong = 0;

	for (size_t i = 0; i < sizeof(from); i++)
		from[i] = (uint8_t)(1 + i % 255);
	for (size_t n = 0; n < sizeof(from); n += n < 300 ? 1 : 97) {
		memset(to, 0, sizeof(to));
		copy_some(to + n % 3, from, n);
		wrong += memcmp(to, zeros, n % 3) || memcmp(to + n % 3, from, n) ||
			 memcmp(to + n % 3 + n, zeros, sizeof(to) - n % 3 - n) != 0;
	}
	ok_eq_int(wrong, 0, "copies of all lengths, and nothing beyond them");
}

int main(void)
{
	test_numbers();
	test_copy();
	test_rate();
	test_write();
	test_signals();
	test_hash();
	return done();
}
