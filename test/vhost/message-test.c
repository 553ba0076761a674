/* SPDX-License-Identifier: MIT */
/* message.c: messages of all sizes, in parts, with too few and too many descriptors; answers. */
#include "vhost/message.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/util.h"
#include "lib/tap.h"

static int ends[2]; /* the front end's, and ours */

static void connect_ends(void)
{
	if (ends[0]) {
		close(ends[0]);
		close(ends[1]);
	}
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
		abort();
}

/* Send @len bytes with @n_fds descriptors. */
static void give(const void *data, size_t len, unsigned n_fds)
{
	union {
		struct cmsghdr align;
		char room[CMSG_SPACE(16 * sizeof(int))];
	} control = { 0 };
	struct iovec iov = { (void *)(uintptr_t)data, len };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct cmsghdr *c;

	if (n_fds) {
		msg.msg_control = &control;
		msg.msg_controllen = CMSG_SPACE(n_fds * sizeof(int));
		c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(n_fds * sizeof(int));
		for (unsigned i = 0; i < n_fds; i++)
			memcpy(CMSG_DATA(c) + i * sizeof(int), &ends[0], sizeof(int));
	}
	if (sendmsg(ends[0], &msg, MSG_NOSIGNAL) != (ssize_t)len)
		abort();
}

struct raw {
	uint32_t head[3];
	uint8_t payload[512];
};

static size_t build(struct raw *r, uint32_t request, uint32_t flags, uint32_t size,
		    uint32_t first)
{
	memset(r, 0, sizeof(*r));
	r->head[0] = request;
	r->head[1] = flags;
	r->head[2] = size;
	memcpy(r->payload, &first, sizeof(first));
	return MESSAGE_HEADER + min_size(size, sizeof(r->payload));
}

static unsigned open_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	unsigned n = 0;

	while (d && readdir(d))
		n++;
	if (d)
		closedir(d);
	return n;
}

/* @first: the first word of the payload */
static const struct {
	const char *what;
	uint32_t request, flags, size, first;
	unsigned n_fds;
	int ret;
} cases[] = {
	{ "a request without payload", GET_FEATURES, 1, 0, 0, 0, 1 },
	{ "with one", GET_FEATURES, 1, 8, 0, 0, -EPROTO },
	{ "with a descriptor", GET_FEATURES, 1, 0, 0, 1, -EPROTO },
	{ "of version 2", GET_FEATURES, 2, 0, 0, 0, -EPROTO },
	{ "of no version", GET_FEATURES, 0, 0, 0, 0, -EPROTO },
	{ "a reply", GET_FEATURES, 5, 0, 0, 0, -EPROTO },
	{ "one that wants a reply", SET_OWNER, 9, 0, 0, 0, 1 },
	{ "features", SET_FEATURES, 1, 8, 0, 0, 1 },
	{ "features, a byte short", SET_FEATURES, 1, 7, 0, 0, -EPROTO },
	{ "features, a byte long", SET_FEATURES, 1, 9, 0, 0, -EPROTO },
	{ "no memory", SET_MEM_TABLE, 1, 8, 0, 0, 1 },
	{ "no number of regions", SET_MEM_TABLE, 1, 7, 0, 0, -EPROTO },
	{ "two regions", SET_MEM_TABLE, 1, 8 + 2 * 32, 2, 2, 1 },
	{ "two, and room for eight", SET_MEM_TABLE, 1, 8 + 8 * 32, 2, 2, 1 },
	{ "two, one of them cut", SET_MEM_TABLE, 1, 7 + 2 * 32, 2, 2, -EPROTO },
	{ "two, and one descriptor", SET_MEM_TABLE, 1, 8 + 2 * 32, 2, 1, -EPROTO },
	{ "two, and three descriptors", SET_MEM_TABLE, 1, 8 + 2 * 32, 2, 3, -EPROTO },
	{ "eight regions", SET_MEM_TABLE, 1, 8 + 8 * 32, 8, 8, 1 },
	{ "nine regions", SET_MEM_TABLE, 1, 8 + 9 * 32, 9, 8, -EPROTO },
	{ "nine descriptors", SET_MEM_TABLE, 1, 8 + 8 * 32, 8, 9, -EPROTO },
	{ "more regions than numbers", SET_MEM_TABLE, 1, 8, UINT32_MAX, 0, -EPROTO },
	{ "a payload without end", SET_MEM_TABLE, 1, UINT32_MAX, 0, 0, -EPROTO },
	{ "a kick", SET_VRING_KICK, 1, 8, 1, 1, 1 },
	{ "a kick without descriptor", SET_VRING_KICK, 1, 8, 1, 0, -EPROTO },
	{ "a kick that says so", SET_VRING_KICK, 1, 8, 0x101, 0, 1 },
	{ "and has one all the same", SET_VRING_KICK, 1, 8, 0x101, 1, -EPROTO },
	{ "a log", SET_LOG_BASE, 1, 16, 0, 1, 1 },
	{ "a log without descriptor", SET_LOG_BASE, 1, 16, 0, 0, -EPROTO },
	{ "a region", ADD_MEM_REG, 1, 40, 0, 1, 1 },
	{ "a region to be taken away", REM_MEM_REG, 1, 40, 0, 0, 1 },
	{ "the same with a descriptor", REM_MEM_REG, 1, 40, 0, 1, 1 },
	{ "a request that nobody knows", 99, 1, 100, 0, 2, 1 },
	{ "request 0", 0, 1, 0, 0, 0, 1 },
	{ "the last request", UINT32_MAX, 1, 0, 0, 0, 1 },
};

static void test_cases(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct message m = { 0 };
		const char *why = NULL;
		unsigned before;
		struct raw r;
		size_t len;

		connect_ends();
		before = open_fds();
		len = build(&r, cases[i].request, cases[i].flags, cases[i].size,
			    cases[i].first);
		give(&r, len, cases[i].n_fds);
		ok_eq_int(message_read(&m, ends[1], &why), cases[i].ret, "%s",
			  cases[i].what);
		ok(cases[i].ret > 0 || (why && *why), "and a reason");
		message_end(&m);
		ok_eq_int(open_fds(), before, "and no descriptor is left");
	}
}

/* Cut at each byte: it is complete with its last one only, and none of the next is read. */
static void test_parts(void)
{
	struct raw r;
	size_t len = build(&r, SET_MEM_TABLE, 1, 8 + 32, 1);
	unsigned wrong = 0;

	r.payload[0] = 1;
	for (size_t at = 1; at < len; at++) {
		struct message m = { 0 };
		const char *why = "";
		struct raw next;

		connect_ends();
		give(&r, at, 1);
		wrong += message_read(&m, ends[1], &why) != 0;
		give((uint8_t *)&r + at, len - at, 0);
		give(&next, build(&next, GET_FEATURES, 1, 0, 0), 0);
		wrong += message_read(&m, ends[1], &why) != 1 || m.n_fds != 1 ||
			 m.table.n != 1;
		message_end(&m);
		wrong += message_read(&m, ends[1], &why) != 1 ||
			 m.request != GET_FEATURES;
		message_end(&m);
	}
	ok_eq_int(wrong, 0, "a message in two parts, cut anywhere");
	wrong = 0;
	for (size_t at = 0; at < len; at++) {
		struct message m = { 0 };
		const char *why = "";

		connect_ends();
		if (at)
			give(&r, at, 1);
		shutdown(ends[0], SHUT_WR);
		wrong += message_read(&m, ends[1], &why) != (at ? -EPROTO : -ENODATA);
		message_end(&m);
	}
	ok_eq_int(wrong, 0, "one that ends anywhere");
}

/* Each part of a message can bring descriptors: no more are kept than one message has. */
static void test_fds_in_parts(void)
{
	static const struct {
		unsigned first, second;
		int ret;
	} counts[] = { { 1, 1, 1 }, { 0, 2, 1 }, { 2, 1, -EPROTO }, { 8, 8, -EPROTO } };

	for (size_t i = 0; i < ARRAY_SIZE(counts); i++) {
		struct message m = { 0 };
		const char *why = "";
		unsigned before;
		struct raw r;
		size_t len = build(&r, SET_MEM_TABLE, 1, 8 + 2 * 32, 2);

		connect_ends();
		before = open_fds();
		give(&r, MESSAGE_HEADER, counts[i].first);
		give(r.payload, len - MESSAGE_HEADER, counts[i].second);
		ok_eq_int(message_read(&m, ends[1], &why), counts[i].ret,
			  "%u descriptors, and %u with the payload", counts[i].first,
			  counts[i].second);
		ok(m.n_fds <= MESSAGE_FDS_MAX, "no more than there can be");
		message_end(&m);
		ok_eq_int(open_fds(), before, "and no descriptor is left");
	}
}

static void test_answer(void)
{
	struct message m = { .request = GET_QUEUE_NUM, .flags = 9, .u64 = 7 };
	uint8_t got[64];
	uint32_t head[3];
	uint64_t value;
	int ret = 0;

	connect_ends();
	ok_eq_int(message_answer(&m, 8, ends[1]), 0, "an answer");
	ok_eq_int(recv(ends[0], got, sizeof(got), 0), 20, "is a header and a payload");
	memcpy(head, got, sizeof(head));
	memcpy(&value, got + 12, sizeof(value));
	ok(head[0] == GET_QUEUE_NUM && head[1] == 5 && head[2] == 8 && value == 7,
	   "as they should be");
	for (int i = 0; i < 1000000 && ret == 0; i++)
		ret = message_answer(&m, 8, ends[1]);
	ok_eq_int(ret, -EAGAIN, "nobody reads");
	close(ends[0]);
	ends[0] = dup(ends[1]);
	ok_eq_int(message_answer(&m, 8, ends[1]), -EPIPE, "nobody is there");
}

/* Front ends must not use up what the relay needs for itself. */
static void test_limit(void)
{
	struct rlimit before, limit;
	size_t len;
	struct raw r;

	if (getrlimit(RLIMIT_NOFILE, &before) < 0)
		abort();
	len = build(&r, SET_VRING_CALL, 1, 8, 0);
	for (unsigned spare = 40; spare >= 24; spare -= 16) {
		struct message m = { 0 };
		const char *why = "";

		connect_ends();
		limit = before;
		limit.rlim_cur = (rlim_t)ends[1] + 256 + spare;
		if (setrlimit(RLIMIT_NOFILE, &limit) < 0 ||
		    dup2(ends[1], ends[1] + 256) < 0)
			abort();
		/* All below that are in use. */
		while (dup(ends[1]) < ends[1] + 256)
			;
		give(&r, len, 1);
		ok_eq_int(message_read(&m, ends[1], &why), spare > 32 ? 1 : -EPROTO,
			  "about %u descriptors are left %s", spare, why);
		message_end(&m);
		for (int fd = ends[1] + 1; fd < ends[1] + 256 + (int)spare; fd++)
			close(fd);
		setrlimit(RLIMIT_NOFILE, &before);
	}
}

int main(void)
{
	test_cases();
	test_parts();
	test_fds_in_parts();
	test_answer();
	test_limit();
	return done();
}
