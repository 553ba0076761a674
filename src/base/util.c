/* SPDX-License-Identifier: MIT */
/*
 * Small things that several layers need: reading a number, writing all of a buffer,
 * asking whether a signal is ignored.
 *
 * #syscalls: poll rt_sigaction write
 */
#include "base/util.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

/* strtoul() is not used: it would accept blanks and a sign. */
bool parse_uint(const char *text, unsigned base, uint32_t limit, uint32_t *value)
{
	uint64_t n = 0;

	if (!*text)
		return false;
	for (; *text; text++) {
		unsigned digit = (unsigned)(unsigned char)*text - '0';

		if (digit >= base)
			return false;
		n = n * base + digit;
		if (n > limit)
			return false;
	}
	*value = (uint32_t)n;
	return true;
}

int write_all(int fd, const void *data, size_t len)
{
	const char *at = data;

	while (len) {
		ssize_t n = write(fd, at, len);

		if (n < 0 && errno == EAGAIN) {
			struct pollfd pfd = { .fd = fd, .events = POLLOUT };

			poll(&pfd, 1, -1);
		} else if (n < 0 && errno != EINTR) {
			return -errno;
		} else if (n > 0) {
			at += n;
			len -= (size_t)n;
		}
	}
	return 0;
}

bool signal_is_ignored(int sig)
{
	struct sigaction now;

	return sigaction(sig, NULL, &now) == 0 && now.sa_handler == SIG_IGN;
}

uint64_t text_hash(const char *text)
{
	uint64_t hash = 14695981039346656037u;

	for (; *text; text++)
		hash = (hash ^ (unsigned char)*text) * 1099511628211u;
	return hash;
}
