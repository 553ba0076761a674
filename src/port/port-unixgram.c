/* SPDX-License-Identifier: MIT */
/*
 * One frame in each datagram over unix sockets: QEMU's dgram. A single socket, bound to
 * our path, serves both ways, so that a peer can answer to where a frame came from. It
 * is not connected: if the peer were started again - and bound a new socket to the same
 * path - it could not send to us before we had sent to it (EPERM, unix_may_send() in the
 * kernel's af_unix.c). So each frame names the path that it goes to, which costs a
 * quarter of a microsecond.
 *
 * Without a connection, epoll would call a full receiver writable. So a second socket is
 * connected to the peer, only to wait on. But if our own buffer is full, or the peer is
 * connected to us, and so takes from nobody else, room shows at the first socket.
 *
 * #syscalls: close connect poll socket
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "net/broker.h"
#include "port/dgram.h"
#include "port/driver.h"

/*
 * @waiter:  the second socket
 * @room:    waits for room at it
 * @waits_on_first: room shows at the first socket instead
 */
struct unixgram {
	struct dgram dgram;
	const struct endpoint *ep;
	struct sock_path made;
	int waiter;
	struct watch room;
	bool waits_on_first;
};

static struct unixgram *to_unixgram(struct port *p)
{
	return container_of(p, struct unixgram, dgram.port);
}

static void unixgram_full(struct dgram *d)
{
	struct unixgram *u = to_unixgram(&d->port);
	struct pollfd room = { .fd = u->waiter, .events = POLLOUT };

	u->waits_on_first = connect(u->waiter, &d->to.sa, d->to.len) < 0 ||
			    poll(&room, 1, 0) != 0;
}

static void has_room(struct watch *w, uint32_t events)
{
	(void)events;
	port_writable(&container_of(w, struct unixgram, room)->dgram.port);
}

static void unixgram_arm(struct port *p, bool rx, bool tx)
{
	struct unixgram *u = to_unixgram(p);

	port_arm_fds(p, rx, tx && u->waits_on_first);
	loop_mod(p->env->loop, &u->room, tx && !u->waits_on_first ? EPOLLOUT : 0);
}

/* Somebody may remove our path, or another program may bind to it. */
static int unixgram_look(struct dgram *d)
{
	struct unixgram *u = to_unixgram(&d->port);

	if (sock_is_linked(&u->made))
		return 0;
	return port_why(&d->port, -ENOENT, "%s was removed", u->ep->local_path);
}

static int unixgram_open(struct port *p)
{
	struct unixgram *u = to_unixgram(p);
	const char *path = u->ep->local_path;
	char why[BROKER_WHY_MAX];
	gid_t gid;
	int fd, ret = broker_group(p->env->broker, u->ep->access.group, &gid, why);

	if (ret < 0)
		return port_why(p, ret, "%s", why);
	fd = broker_bind(p->env->broker, path, SOCK_DGRAM, u->ep->mode, gid, &u->made);
	if (fd < 0)
		return port_why(p, fd, "bind to %s: %s%s", path, strerror(-fd),
				sock_hint(fd));
	u->dgram.rfd = u->dgram.wfd = fd;
	sock_tune_datagrams(fd);
	u->waiter = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (u->waiter < 0)
		return port_why(p, -errno, "socket: %s", strerror(errno));
	u->waits_on_first = false;
	ret = loop_add(p->env->loop, &u->room, u->waiter, 0, has_room);
	if (ret < 0)
		return port_why(p, ret, "epoll: %s", strerror(-ret));
	return dgram_begin(&u->dgram);
}

static void unixgram_close(struct port *p)
{
	struct unixgram *u = to_unixgram(p);

	bool was_bound = u->dgram.rfd >= 0;

	loop_del(p->env->loop, &u->room);
	if (u->waiter >= 0)
		close(u->waiter);
	u->waiter = -1;
	dgram_close(p);
	if (was_bound)
		broker_unlink(p->env->broker, &u->made);
}

static const struct port_ops ops = {
	.kind = "unixgram",
	.is_dgram = true,
	.has_backpressure = true,
	.open_error_is_fatal = true,
	.open = unixgram_open,
	.arm = unixgram_arm,
	.rx = dgram_rx,
	.tx = dgram_tx,
	.close = unixgram_close,
	.free = dgram_free,
};

struct port *port_unixgram_new(const struct endpoint *ep, const struct port_env *env)
{
	struct unixgram *u = port_new(sizeof(*u), &ops, env, ep->text);

	if (!u)
		return NULL;
	u->ep = ep;
	u->dgram.rfd = u->dgram.wfd = -1;
	u->waiter = u->room.fd = -1;
	u->dgram.full = unixgram_full;
	u->dgram.look = unixgram_look;
	u->dgram.port.peer = ep->path;
	sock_unix(ep->path, &u->dgram.to);
	return &u->dgram.port;
}
