// SPDX-License-Identifier: MIT
/*
 * Makes connections and drops them at once, as many as it can. It never waits long for
 * one: if the server's backlog is full, the kernel drops the connection's first packet,
 * and sends it again only a second later.
 */
#include <errno.h>
#include <sched.h>
#include <unistd.h>

#include <poll.h>

#include "frames.h"

#define WAIT_MS 20

static const struct linger reset = { .l_onoff = 1 };

/* Return: 1 if it was made, 0 if the server had no room, -errno. */
static int connect_once(int fd, const struct sockaddr *to, socklen_t len)
{
	int ret;

	if (connect(fd, to, len) == 0)
		return 1;
	if (errno == EAGAIN) { /* of a unix socket */
		sched_yield();
		return 0;
	}
	if (errno != EINPROGRESS)
		return -errno;
	ret = wait_fd(fd, POLLOUT, WAIT_MS);
	if (ret <= 0)
		return ret;
	/* If the server has reset it by now, it was made all the same. */
	return connect(fd, to, len) == 0 || errno == ECONNRESET ? 1 : -errno;
}

static int strike(const struct sockaddr_storage *to, socklen_t len, const char **step)
{
	int fd = socket(to->ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int ret;

	*step = "socket";
	if (fd < 0)
		return -errno;
	/* Without this, its port stays in use for a minute. A unix socket has no such thing. */
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	*step = "connect";
	ret = connect_once(fd, (const struct sockaddr *)to, len);
	close(fd);
	return ret;
}

int storm_run(const char *endpoint, int ms, FILE *out, const char **step)
{
	struct sockaddr_storage to;
	uint64_t start = now_ns(), end = start + (uint64_t)ms * 1000000u, made = 0;
	socklen_t len;
	double spent;
	int ret;

	*step = "endpoint";
	ret = channel_address(endpoint, &to, &len);
	while (ret >= 0 && now_ns() < end) {
		ret = strike(&to, len, step);
		made += ret > 0;
	}
	if (ret < 0)
		return ret;
	spent = (double)(now_ns() - start) / 1e9;
	fprintf(out, "made %ju in %.1f s: %.0f a second\n", (uintmax_t)made, spent,
		(double)made / spent);
	return 0;
}
