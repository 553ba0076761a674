/* SPDX-License-Identifier: MIT */
/*
 * One frame a datagram over unix sockets: QEMU's dgram. Frames come in on a
 * socket bound to our path and leave by another that is connected to theirs.
 * With one connected socket for both, a peer that is started again - which
 * binds a new socket to the same path - could not send to us before we had
 * sent to it (EPERM, unix_may_send() in the kernel's af_unix.c). And without a
 * connection, epoll would call a full receiver writable.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dgram.h"
#include "ports.h"

struct unixgram {
	struct dgram dgram;
	const struct endpoint *ep;
	struct sock_path made;
};

static struct unixgram *to_unixgram(struct port *p)
{
	return container_of(p, struct unixgram, dgram.port);
}

/* Tried whenever there is something to send and nobody to send it to. */
static int unixgram_reconnect(struct dgram *d)
{
	struct sock_addr peer;

	sock_unix(to_unixgram(&d->port)->ep->path, &peer);
	return connect(d->wfd, &peer.sa, peer.len) < 0 ? -errno : 0;
}

static int unixgram_open(struct port *p)
{
	struct unixgram *u = to_unixgram(p);
	const char *path = u->ep->local_path;
	int fd = sock_bound_unix(path, SOCK_DGRAM, 0600, &u->made);

	if (fd < 0)
		return port_why(p, fd, "bind to %s: %s%s", path, strerror(-fd),
				sock_advice(fd));
	u->dgram.rfd = fd;
	u->dgram.wfd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (u->dgram.wfd < 0)
		return port_why(p, -errno, "socket: %s", strerror(errno));
	sock_tune_datagrams(u->dgram.wfd);
	return port_watch(p, u->dgram.rfd, u->dgram.wfd);
}

static void unixgram_close(struct port *p)
{
	struct unixgram *u = to_unixgram(p);

	if (u->dgram.rfd >= 0)
		sock_unlink(&u->made);
	dgram_close(p);
}

static const struct port_ops ops = {
	.kind = "unixgram",
	.is_dgram = true,
	.can_wait = true,
	.is_setup = true,
	.open = unixgram_open,
	.rx = dgram_rx,
	.tx = dgram_tx,
	.close = unixgram_close,
	.free = dgram_free,
};

struct port *port_unixgram_new(const struct endpoint *ep, const struct port_env *env)
{
	struct unixgram *u = calloc(1, sizeof(*u));

	if (!u || port_init(&u->dgram.port, &ops, env, ep->text) < 0) {
		free(u);
		errno = ENOMEM;
		return NULL;
	}
	u->ep = ep;
	u->dgram.rfd = u->dgram.wfd = -1;
	u->dgram.reconnect = unixgram_reconnect;
	return &u->dgram.port;
}
