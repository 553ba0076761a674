/* SPDX-License-Identifier: MIT */
/*
 * An inherited descriptor: a connected socket of streams, datagrams or packets,
 * or a tap. The kernel is asked which.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "dgram.h"
#include "link.h"
#include "log.h"
#include "ports.h"
#include "stream.h"

static int stream_fd_open(struct port *p)
{
	struct stream *s = container_of(p, struct stream, port);

	return stream_use(s, s->rfd, s->wfd, STREAM_PLAIN);
}

static const struct port_ops stream_ops = {
	.kind = "fd",
	.is_stream = true,
	.can_wait = true,
	.only_once = true,
	.is_setup = true,
	.open = stream_fd_open,
	.rx = stream_rx,
	.rx_done = stream_rx_done,
	.tx = stream_tx,
	.shut = stream_shut,
	.close = stream_close,
	.free = stream_free,
};

static int dgram_fd_open(struct port *p)
{
	struct dgram *d = container_of(p, struct dgram, port);

	return dgram_begin(d, d->wfd);
}

static const struct port_ops dgram_ops = {
	.kind = "fd",
	.is_dgram = true,
	.only_once = true,
	.is_setup = true,
	.open = dgram_fd_open,
	.rx = dgram_rx,
	.tx = dgram_tx,
	.close = dgram_close,
	.free = dgram_free,
};

static struct port *new_stream(const struct endpoint *ep, const struct port_env *env)
{
	struct stream *s = calloc(1, sizeof(*s));

	if (!s || stream_init(s, &stream_ops, env, ep->text) < 0) {
		free(s);
		errno = ENOMEM;
		return NULL;
	}
	s->rfd = s->wfd = ep->fd;
	return &s->port;
}

static struct port *new_dgram(const struct endpoint *ep, const struct port_env *env,
			      bool has_end)
{
	struct dgram *d = calloc(1, sizeof(*d));

	if (!d || port_init(&d->port, &dgram_ops, env, ep->text) < 0) {
		free(d);
		errno = ENOMEM;
		return NULL;
	}
	d->rfd = d->wfd = ep->fd;
	d->has_end = has_end;
	return &d->port;
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
		{ EINVAL, "is a tap that carries headers, or IP packets" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(whys); i++)
		if (whys[i].err == err)
			return whys[i].why;
	return strerror(err);
}

struct port *port_fd_new(const struct endpoint *ep, const struct port_env *env)
{
	struct link link;
	int type = 0, fd = ep->fd, flags = fcntl(fd, F_GETFL);
	socklen_t len = sizeof(type);

	if (flags < 0)
		return NULL;
	fcntl(fd, F_SETFL, flags | O_NONBLOCK);
	fcntl(fd, F_SETFD, FD_CLOEXEC);
	if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) < 0) {
		int ret = link_identify(fd, &link);

		errno = -ret;
		return ret < 0 ? NULL : port_tap_from_fd(&link, ep, env);
	}
	if (!is_connected(fd))
		return NULL;
	if (type == SOCK_STREAM)
		return new_stream(ep, env);
	if (type == SOCK_DGRAM || type == SOCK_SEQPACKET)
		return new_dgram(ep, env, type == SOCK_SEQPACKET);
	errno = EPROTOTYPE;
	return NULL;
}
