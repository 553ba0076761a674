/* SPDX-License-Identifier: MIT */
/*
 * Frames on stdin and stdout, QEMU's stream framing. Both may be shared with
 * whoever started us, so their flags are put back as they were.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ports.h"
#include "stream.h"

struct stdio {
	struct stream stream;
	int in_flags, out_flags;
};

static int set_nonblocking(int fd, int *old_flags)
{
	*old_flags = fcntl(fd, F_GETFL);
	if (*old_flags < 0)
		return -errno;
	return fcntl(fd, F_SETFL, *old_flags | O_NONBLOCK) < 0 ? -errno : 0;
}

static int stdio_open(struct port *p)
{
	struct stdio *s = container_of(p, struct stdio, stream.port);
	int ret = set_nonblocking(STDIN_FILENO, &s->in_flags);

	if (ret < 0)
		return port_why(p, ret, "stdin: %s", strerror(-ret));
	ret = set_nonblocking(STDOUT_FILENO, &s->out_flags);
	if (ret < 0)
		return port_why(p, ret, "stdout: %s", strerror(-ret));
	return stream_use(&s->stream, STDIN_FILENO, STDOUT_FILENO, STREAM_PLAIN);
}

static void stdio_close(struct port *p)
{
	struct stdio *s = container_of(p, struct stdio, stream.port);

	if (s->in_flags >= 0)
		fcntl(STDIN_FILENO, F_SETFL, s->in_flags);
	if (s->out_flags >= 0)
		fcntl(STDOUT_FILENO, F_SETFL, s->out_flags);
	stream_close(p);
}

static const struct port_ops ops = {
	.kind = "stdio",
	.is_stream = true,
	.can_wait = true,
	.only_once = true,
	.is_pipe = true,
	.open = stdio_open,
	.rx = stream_rx,
	.rx_done = stream_rx_done,
	.tx = stream_tx,
	.close = stdio_close,
	.free = stream_free,
};

struct port *port_stdio_new(const struct endpoint *ep, const struct port_env *env)
{
	struct stdio *s = calloc(1, sizeof(*s));

	if (!s || stream_init(&s->stream, &ops, env, ep->text) < 0) {
		free(s);
		errno = ENOMEM;
		return NULL;
	}
	s->in_flags = s->out_flags = -1;
	return &s->stream.port;
}

int port_stdio_check(char *why, size_t size)
{
	static const char *const names[] = { "stdin", "stdout" };

	for (int fd = STDIN_FILENO; fd <= STDOUT_FILENO; fd++) {
		if (fcntl(fd, F_GETFD) < 0) {
			snprintf(why, size,
				 "-: %s is closed; open it, or name another endpoint",
				 names[fd]);
			return -EBADF;
		}
		if (!isatty(fd))
			continue;
		snprintf(why, size,
			 "-: %s is a terminal, and frames are binary; "
			 "redirect it, or name a second endpoint",
			 names[fd]);
		return -ENOTTY;
	}
	return 0;
}
