/* SPDX-License-Identifier: MIT */
/*
 * A guest whose memory and rings we share: its front end, which dials us, or is dialled.
 *
 * The port is up once the guest's driver has started its rings. When the guest stops them, as
 * at each reboot, the port stays up but counts as connecting until they run again: frames for
 * it are dropped meanwhile. It goes down when the front end goes.
 *
 * #syscalls: accept4 close fcntl getsockopt
 */
#include "port/vhost-io.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/log.h"
#include "base/parts.h"
#include "net/broker.h"
#include "net/sock.h"
#include "port/driver.h"

#define SILENT_MS 15000 /* as of other peers */
#define BOOT_MS 60000	/* that a guest may take to start its device */

static struct port *port_of(struct device *d)
{
	return &container_of(d, struct vhost, device)->port;
}

/* ---- what the device tells ---- */

static void on_kicked(struct device *d, unsigned ring)
{
	if (ring == DEVICE_TX)
		port_readable(port_of(d));
	else
		port_writable(port_of(d));
}

static void name_features(struct vhost *v)
{
	static const struct {
		enum device_feature bit;
		const char *name;
	} names[] = {
		{ VIRTIO_VERSION_1, "version_1" },
		{ NET_MRG_RXBUF, "mrg_rxbuf" },
		{ RING_EVENT_IDX, "event_idx" },
		{ RING_INDIRECT_DESC, "indirect_desc" },
		{ NET_CSUM, "csum" },
		{ NET_HOST_TSO4, "host_tso4" },
		{ NET_HOST_TSO6, "host_tso6" },
		{ NET_HOST_USO, "host_uso" },
		{ NET_GUEST_CSUM, "guest_csum" },
		{ NET_GUEST_TSO4, "guest_tso4" },
		{ NET_GUEST_TSO6, "guest_tso6" },
		{ NET_GUEST_USO4, "guest_uso4" },
		{ NET_GUEST_USO6, "guest_uso6" },
	};
	size_t used = 0;

	v->features[0] = '\0';
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (device_has(&v->device, names[i].bit))
			used += (size_t)snprintf(v->features + used,
						 sizeof(v->features) - used, "%s%s",
						 used ? " " : "", names[i].name);
	v->port.features = v->features;
}

/* What the guest takes as it is. A port has one flag for TCP over IPv4 and IPv6. */
static void learn(struct port *p, const struct device *d)
{
	name_features(vhost_of(p));
	p->takes_super = device_has(d, NET_GUEST_CSUM) && device_has(d, NET_GUEST_TSO4) &&
			 device_has(d, NET_GUEST_TSO6);
	p->takes_uso = p->takes_super && device_has(d, NET_GUEST_USO4) &&
		       device_has(d, NET_GUEST_USO6);
}

static void on_changed(struct device *d)
{
	struct port *p = port_of(d);

	if (!d->is_up) {
		p->features = NULL;
		port_why(p, -ENETDOWN, "the guest has stopped its network device");
		port_unproven(p);
		/* What waits is of no use to the guest when it is back. */
		port_writable(p);
		return;
	}
	learn(p, d);
	if (p->state == PORT_OPENING)
		port_opened(p, 0);
	else
		port_proven(p);
}

static void on_failed(struct device *d, int err)
{
	struct port *p = port_of(d);

	port_why(p, err, "%s", d->why);
	port_down(p);
}

static void end_due(struct deferred *deferred)
{
	struct vhost *v = container_of(deferred, struct vhost, ending);

	on_failed(&v->device, v->err);
}

void vhost_fail(struct vhost *v, int err)
{
	v->err = err;
	loop_defer(v->port.env->loop, &v->ending, end_due);
}

static const struct device_host host = {
	.kicked = on_kicked,
	.changed = on_changed,
	.failed = on_failed,
};

/* ---- the connection ---- */

/* Return: as ops->open(). */
static int use(struct vhost *v, int fd)
{
	struct port *p = &v->port;
	int ret;

	p->peer = sock_process(fd, v->peer, sizeof(v->peer));
	sock_take_fds(fd, true); /* it sends none before we have answered */
	p->takes_super = p->takes_uso = p->awaiting_peer = false;
	ret = device_open(&v->device, fd);
	if (ret < 0)
		return port_why(p, ret, "epoll: %s", strerror(-ret));
	/* One that we were given is there; what its front end does is no mistake of ours. */
	p->was_up |= p->ops->one_shot;
	if (HAS_STORY)
		port_tell(p, "connected; the guest has not started its device yet");
	return -EINPROGRESS;
}

/*
 * One that is up is a guest, and stays one while it boots again. One that has said something
 * is most likely one that boots.
 */
static bool accepted_is_gone(struct port *p)
{
	unsigned ms = vhost_of(p)->device.has_spoken ? BOOT_MS : SILENT_MS;

	return p->state == PORT_OPENING && loop_now() - p->since >= ms;
}

static int accepted_open(struct port *p)
{
	struct vhost *v = vhost_of(p);
	int fd = v->fd;

	v->fd = -1;
	return use(v, fd);
}

static void somebody_comes(struct watch *w, uint32_t events)
{
	struct vhost *v = container_of(w, struct vhost, caller);
	struct port *p = &v->port;
	int ret, fd = accept4(v->fd, NULL, NULL, SOCK_CLOEXEC);

	(void)events;
	if (fd < 0 && errno == EAGAIN)
		return;
	loop_del(p->env->loop, w);
	ret = fd < 0 ? port_why(p, -errno, "accept: %s", strerror(errno)) : use(v, fd);
	port_opened(p, ret);
}

static int listening_open(struct port *p)
{
	struct vhost *v = vhost_of(p);
	int ret = loop_add(p->env->loop, &v->caller, v->fd, EPOLLIN, somebody_comes);

	return ret < 0 ? port_why(p, ret, "epoll: %s", strerror(-ret)) : -EINPROGRESS;
}

static int dial_open(struct port *p)
{
	struct vhost *v = vhost_of(p);
	struct sock_addr addr;
	bool in_progress;
	int fd;

	sock_unix(v->ep->path, &addr);
	fd = sock_connect(&addr, SOCK_STREAM, 0, &in_progress);
	if (fd == -EACCES)
		fd = broker_dial(p->env->broker, v->ep->path);
	if (fd < 0)
		return port_why(p, fd, "connect to %s: %s%s", v->ep->path, strerror(-fd),
				sock_unix_hint(fd));
	return use(v, fd);
}

static void vhost_close(struct port *p)
{
	struct vhost *v = vhost_of(p);

	loop_undefer(&v->ending);
	timer_cancel(p->env->loop, &v->stuck);
	v->gives_up = false;
	if (v->flags >= 0 && v->fd < 0)
		fcntl(v->device.socket.fd, F_SETFL, v->flags);
	loop_del(p->env->loop, &v->caller);
	device_close(&v->device);
	p->takes_super = p->takes_uso = false;
	p->peer = p->features = NULL;
}

static void vhost_free(struct port *p)
{
	struct vhost *v = vhost_of(p);

	if (v->fd >= 0 && v->flags >= 0)
		fcntl(v->fd, F_SETFL, v->flags);
	if (v->fd >= 0)
		close(v->fd);
	free(v);
}

static const struct port_ops accepted_ops = {
	.kind = "vhost-user-listen",
	.takes_runs = true,
	.has_backpressure = true,
	.one_shot = true,
	.open = accepted_open,
	.rx = vhost_rx,
	.rx_done = vhost_rx_done,
	.tx = vhost_tx,
	.is_gone = accepted_is_gone,
	.close = vhost_close,
	.free = vhost_free,
};

static const struct port_ops dial_ops = {
	.kind = "vhost-user",
	.takes_runs = true,
	.has_backpressure = true,
	.open = dial_open,
	.rx = vhost_rx,
	.rx_done = vhost_rx_done,
	.tx = vhost_tx,
	.close = vhost_close,
	.free = vhost_free,
};

static const struct port_ops fd_ops = {
	.kind = "fd",
	.takes_runs = true,
	.has_backpressure = true,
	.one_shot = true,
	.open_error_is_fatal = true,
	.open = accepted_open,
	.rx = vhost_rx,
	.rx_done = vhost_rx_done,
	.tx = vhost_tx,
	.close = vhost_close,
	.free = vhost_free,
};

static const struct port_ops listening_ops = {
	.kind = "fd",
	.takes_runs = true,
	.has_backpressure = true,
	.open = listening_open,
	.rx = vhost_rx,
	.rx_done = vhost_rx_done,
	.tx = vhost_tx,
	.close = vhost_close,
	.free = vhost_free,
};

static struct vhost *vhost_new(const struct endpoint *ep, const struct port_ops *ops,
			       const struct port_env *env, const char *name)
{
	struct vhost *v = port_new(sizeof(*v), ops, env, name);

	if (!v)
		return NULL;
	v->ep = ep;
	v->fd = v->flags = v->caller.fd = -1;
	device_init(&v->device, env->loop, &host);
	return v;
}

struct port *port_vhost_new(const struct endpoint *ep, const struct port_env *env)
{
	struct vhost *v = vhost_new(ep, &dial_ops, env, ep->text);

	return v ? &v->port : NULL;
}

struct port *port_vhost_accepted(const struct endpoint *ep, int fd, const char *peer,
				 const struct port_env *env)
{
	struct vhost *v = vhost_new(ep, &accepted_ops, env, peer);

	if (v) {
		v->fd = fd;
		return &v->port;
	}
	close(fd);
	errno = ENOMEM;
	return NULL;
}

struct port *port_vhost_from_fd(const struct endpoint *ep, const struct port_env *env,
				int flags)
{
	int domain = 0, type = 0;
	socklen_t len = sizeof(int);
	struct vhost *v;

	getsockopt(ep->fd, SOL_SOCKET, SO_DOMAIN, &domain, &len);
	getsockopt(ep->fd, SOL_SOCKET, SO_TYPE, &type, &len);
	if (domain != AF_UNIX || type != SOCK_STREAM) {
		errno = EAFNOSUPPORT;
		return NULL;
	}
	v = vhost_new(ep, sock_listens(ep->fd) ? &listening_ops : &fd_ops, env, ep->text);
	if (!v)
		return NULL;
	v->fd = ep->fd;
	v->flags = flags;
	return &v->port;
}
