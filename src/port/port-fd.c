/* SPDX-License-Identifier: MIT */
/*
 * An inherited descriptor: a connected socket of streams, datagrams or packets, or a tap;
 * we ask the kernel which. The program that started us may have the descriptor too, so
 * its flags are restored at the end.
 *
 * #syscalls: fcntl getpeername getsockopt
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "base/parts.h"
#include "helper/tap-attach.h"
#include "net/sock.h"
#include "port/dgram.h"
#include "port/driver.h"
#include "port/stream.h"

/* @flags: of the descriptor, as it was inherited */
struct stream_fd {
	struct stream stream;
	int fd, flags;
};

struct dgram_fd {
	struct dgram dgram;
	int flags;
};

static int stream_fd_open(struct port *p)
{
	struct stream_fd *s = container_of(p, struct stream_fd, stream.port);

	return stream_use(&s->stream, s->fd, s->fd, TRUNK_NONE);
}

static void stream_fd_close(struct port *p)
{
	struct stream_fd *s = container_of(p, struct stream_fd, stream.port);

	fcntl(s->fd, F_SETFL, s->flags);
	stream_close(p);
}

static const struct port_ops stream_ops = {
	.kind = "fd",
	.is_stream = true,
	.has_backpressure = true,
	.one_shot = true,
	.open_error_is_fatal = true,
	.open = stream_fd_open,
	.rx = stream_rx,
	.rx_done = stream_rx_done,
	.tx = stream_tx,
	.shut = stream_shut,
	.close = stream_fd_close,
	.free = stream_free,
};

static int dgram_fd_open(struct port *p)
{
	struct dgram *d = container_of(p, struct dgram, port);

	sock_take_fds(d->rfd, false);
	return dgram_begin(d);
}

static void dgram_fd_close(struct port *p)
{
	struct dgram_fd *d = container_of(p, struct dgram_fd, dgram.port);

	fcntl(d->dgram.rfd, F_SETFL, d->flags);
	dgram_close(p);
}

static const struct port_ops dgram_ops = {
	.kind = "fd",
	.is_dgram = true,
	.one_shot = true,
	.open_error_is_fatal = true,
	.open = dgram_fd_open,
	.rx = dgram_rx,
	.tx = dgram_tx,
	.close = dgram_fd_close,
	.free = dgram_free,
};

static struct port *new_stream(const struct endpoint *ep, const struct port_env *env,
			       int flags)
{
	struct stream_fd *s = stream_new(sizeof(*s), &stream_ops, env, ep->text);

	if (!s)
		return NULL;
	s->fd = ep->fd;
	s->flags = flags;
	return &s->stream.port;
}

static struct port *new_dgram(const struct endpoint *ep, const struct port_env *env,
			      int flags, bool has_end)
{
	struct dgram_fd *d = port_new(sizeof(*d), &dgram_ops, env, ep->text);

	if (!d)
		return NULL;
	d->dgram.rfd = d->dgram.wfd = ep->fd;
	d->dgram.has_end = has_end;
	d->flags = flags;
	return &d->dgram.port;
}

static bool is_connected(int fd)
{
	struct sockaddr_storage addr;
	socklen_t len = sizeof(addr);

	return getpeername(fd, (struct sockaddr *)&addr, &len) == 0;
}

const char *port_fd_why(int err)
{
	static const struct {
		int err;
		const char *why;
	} whys[] = {
		{ EBADF, "is not open; whoever starts netrelay must pass it" },
		{ ENOTCONN, "is a socket that is not connected" },
		{ ENOTTY, "is neither a socket nor a tap" },
		{ EPROTOTYPE, "is a socket, but neither of streams nor of datagrams" },
		{ EAFNOSUPPORT, "is no unix stream socket, by which vhost-user goes" },
		{ EINVAL, "is a tap that carries headers, or IP packets" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(whys); i++)
		if (whys[i].err == err)
			return whys[i].why;
	return strerror(err);
}

int port_fd_check(const struct endpoint *ep, char *why, size_t size)
{
	int ret = fcntl(ep->fd, F_GETFD) < 0 ? -errno : 0;

	if (ret < 0)
		snprintf(why, size, "%s: %s", ep->text, port_fd_why(-ret));
	return ret;
}

/* @flags: the descriptor's, before we changed them. Return: NULL, with errno set, on failure. */
static struct port *new_by_type(const struct endpoint *ep, const struct port_env *env,
				int flags)
{
	struct tap_dev link;
	int type = 0, fd = ep->fd;
	socklen_t len = sizeof(type);

	if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) < 0) {
		int ret = HAS_TAP ? tap_identify(fd, &link) : -ENOTTY;

		errno = -ret;
		return ret < 0 || !HAS_TAP ? NULL
					   : port_tap_from_fd(&link, ep, env, flags);
	}
	if (!is_connected(fd) && !(HAS_VHOST && ep->is_vhost && sock_listens(fd))) {
		errno = ENOTCONN;
		return NULL;
	}
	if (HAS_VHOST && ep->is_vhost)
		return port_vhost_from_fd(ep, env, flags);
	if (type == SOCK_STREAM)
		return new_stream(ep, env, flags);
	if (HAS_DATAGRAMS && (type == SOCK_DGRAM || type == SOCK_SEQPACKET))
		return new_dgram(ep, env, flags, type == SOCK_SEQPACKET);
	errno = EPROTOTYPE;
	return NULL;
}

struct port *port_fd_new(const struct endpoint *ep, const struct port_env *env)
{
	int err, flags = fcntl(ep->fd, F_GETFL);
	struct port *p;

	if (flags < 0)
		return NULL;
	fcntl(ep->fd, F_SETFL, flags | O_NONBLOCK);
	fcntl(ep->fd, F_SETFD, FD_CLOEXEC);
	p = new_by_type(ep, env, flags);
	err = errno;
	if (!p)
		fcntl(ep->fd, F_SETFL, flags);
	errno = err;
	return p;
}
