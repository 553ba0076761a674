/* SPDX-License-Identifier: MIT */
/*
 * Frames on stdin and stdout, in QEMU's stream framing. The program that started us may
 * share both, so their flags are restored at the end.
 *
 * While no other port is up, stdin is not read, and epoll does not watch it: it would
 * report a hang-up without end while data waits. So a timer checks whether stdin has
 * ended.
 *
 * #syscalls: fcntl fstat ioctl lseek poll recvfrom
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "port/driver.h"
#include "port/stream.h"

#define LOOK_MS 1000
#define DEV_NULL makedev(1, 3)

struct stdio {
	struct stream stream;
	int in_flags, out_flags;
	struct timer look;
};

static short poll_one(int fd, short events)
{
	struct pollfd pfd = { .fd = fd, .events = events };

	return poll(&pfd, 1, 0) == 1 ? pfd.revents : 0;
}

/* Whether a read would bring nothing but the end of file; nothing is read to find out. */
static bool is_empty(int fd, short revents)
{
	struct stat st;
	char byte;

	if (fstat(fd, &st) < 0)
		return false;
	switch (st.st_mode & S_IFMT) {
	case S_IFIFO:
		return (revents & POLLHUP) && !(revents & POLLIN);
	case S_IFSOCK:
		return (revents & (POLLRDHUP | POLLHUP)) &&
		       recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) <= 0;
	case S_IFREG:
		return lseek(fd, 0, SEEK_CUR) >= st.st_size;
	case S_IFCHR:
		return st.st_rdev == DEV_NULL;
	default:
		return false;
	}
}

/*
 * Data in stdin is kept until another port is up, unless the writer has closed stdout,
 * too, as ssh's server does: then nobody needs it.
 */
static bool has_ended(void)
{
	short in = poll_one(STDIN_FILENO, POLLIN | POLLRDHUP);
	short out = poll_one(STDOUT_FILENO, 0);

	if ((in & POLLHUP) && (out & (POLLHUP | POLLERR)))
		return true;
	return is_empty(STDIN_FILENO, in);
}

static void look_due(struct timer *t)
{
	struct stdio *s = container_of(t, struct stdio, look);
	struct port *p = &s->stream.port;

	if (!p->is_held || !has_ended()) {
		timer_set(p->env->loop, t, LOOK_MS, look_due);
		return;
	}
	stream_cut(&s->stream);
	port_why(p, PORT_CLOSED, "stdin has ended");
	port_down(p);
}

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
	timer_set(p->env->loop, &s->look, LOOK_MS, look_due);
	return stream_use(&s->stream, STDIN_FILENO, STDOUT_FILENO, TRUNK_NONE);
}

static void stdio_close(struct port *p)
{
	struct stdio *s = container_of(p, struct stdio, stream.port);

	timer_cancel(p->env->loop, &s->look);
	/* In reverse order: if both are one open file, stdin's are the original flags. */
	if (s->out_flags >= 0)
		fcntl(STDOUT_FILENO, F_SETFL, s->out_flags);
	if (s->in_flags >= 0)
		fcntl(STDIN_FILENO, F_SETFL, s->in_flags);
	stream_close(p);
}

static const struct port_ops ops = {
	.kind = "stdio",
	.is_stream = true,
	.has_backpressure = true,
	.one_shot = true,
	.is_stdio = true,
	.open = stdio_open,
	.rx = stream_rx,
	.rx_done = stream_rx_done,
	.tx = stream_tx,
	.close = stdio_close,
	.free = stream_free,
};

struct port *port_stdio_new(const struct endpoint *ep, const struct port_env *env)
{
	struct stdio *s = stream_new(sizeof(*s), &ops, env, ep->text);

	if (!s)
		return NULL;
	s->in_flags = s->out_flags = -1;
	return &s->stream.port;
}

int port_stdio_check(const struct endpoint *ep, char *why, size_t size)
{
	static const char *const names[] = { "stdin", "stdout" };

	(void)ep;
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
