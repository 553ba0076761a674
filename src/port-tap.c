/* SPDX-License-Identifier: MIT */
/*
 * A tap, and a bridge reached by one. The helper makes and attaches it. That a
 * tap was deleted shows on its descriptor; that its bridge was, nobody says
 * but rtnetlink, which also tells when there is a bridge of that name again.
 */
#include <errno.h>
#include <net/ethernet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/uio.h>
#include <unistd.h>

#include "helper.h"
#include "log.h"
#include "nl.h"
#include "ports.h"

#define VLAN_TAG 4 /* the kernel's is_skb_forwardable() allows one above the MTU */

struct tap {
	struct port port;
	const struct endpoint *ep;
	struct helper_call call;
	struct link link;
	struct mnl_socket *events;
	struct watch events_watch;
	bool in_doubt; /* links came to their end while it was being attached */
};

static struct tap *to_tap(struct port *p)
{
	return container_of(p, struct tap, port);
}

static int tap_use(struct tap *t)
{
	if (t->ep->kind == ENDPOINT_BRIDGE)
		log_info("%s: by tap %s, MTU %u", t->port.name, t->link.name,
			 t->link.mtu);
	return port_watch(&t->port, t->link.fd, t->link.fd);
}

static int lost_bridge(struct tap *t)
{
	return port_why(&t->port, -ENODEV, "bridge %s was deleted", t->ep->name);
}

/*
 * Whether the tap is still where it was put. The kernel is asked, and might
 * keep us waiting: only for when events do not tell.
 */
static bool is_attached(struct tap *t)
{
	struct nl_link tap;

	/* That there is none any more shows on its descriptor. */
	if (nl_link_get(t->link.name, &tap))
		return true;
	t->link.mtu = tap.mtu;
	return t->ep->kind != ENDPOINT_BRIDGE || tap.master == t->link.bridge;
}

static void attached(struct helper_call *call, const struct helper_answer *answer, int fd)
{
	struct tap *t = container_of(call, struct tap, call);

	if (answer->err) {
		port_opened(&t->port, port_why(&t->port, answer->err, "%s", answer->why));
		return;
	}
	t->link = answer->attach;
	t->link.fd = fd;
	if (t->in_doubt && !is_attached(t))
		port_opened(&t->port, lost_bridge(t));
	else
		port_opened(&t->port, tap_use(t));
}

/* What we wait for came back, or what we use went away. */
static void link_changed(const struct nl_link *link, void *arg)
{
	struct tap *t = arg;
	const char *awaited = t->ep->kind == ENDPOINT_BRIDGE ? t->ep->name : t->link.name;

	if (t->port.state == PORT_WAITING && !link->gone && !strcmp(link->name, awaited))
		port_retry_now(&t->port);
	t->in_doubt |= link->gone;
	if (t->port.state != PORT_UP)
		return;
	if (link->gone && t->ep->kind == ENDPOINT_BRIDGE &&
	    link->index == t->link.bridge) {
		lost_bridge(t);
		port_down(&t->port);
	} else if (!link->gone && link->index == t->link.index) {
		t->link.mtu = link->mtu;
	}
}

static void events_ready(struct watch *w, uint32_t events)
{
	struct tap *t = container_of(w, struct tap, events_watch);
	int ret = nl_watch_read(t->events, link_changed, t);

	(void)events;
	if (ret != -ENOBUFS)
		return;
	/* Some were lost. */
	t->in_doubt = true;
	port_retry_now(&t->port);
	if (t->port.state == PORT_UP && !is_attached(t)) {
		lost_bridge(t);
		port_down(&t->port);
	}
}

/* Kept while the port is down: that is when the news is waited for. */
static int watch_links(struct tap *t)
{
	int fd, ret;

	if (t->events)
		return 0;
	t->events = nl_watch_open(&fd);
	if (!t->events)
		return port_why(&t->port, -errno, "rtnetlink: %s", strerror(errno));
	ret = loop_add(t->port.env->loop, &t->events_watch, fd, EPOLLIN, events_ready);
	return ret < 0 ? port_why(&t->port, ret, "rtnetlink: %s", strerror(-ret)) : 0;
}

static int tap_open(struct port *p)
{
	struct tap *t = to_tap(p);
	struct helper_request req = { .op = HELPER_ATTACH };
	int ret = watch_links(t);

	if (ret < 0)
		return ret;
	if (t->ep->kind == ENDPOINT_BRIDGE) {
		snprintf(req.attach.bridge, sizeof(req.attach.bridge), "%s", t->ep->name);
		snprintf(req.attach.tap, sizeof(req.attach.tap), "%s", t->ep->tap);
	} else {
		snprintf(req.attach.tap, sizeof(req.attach.tap), "%s", t->ep->name);
	}
	req.attach.mtu = t->ep->mtu;
	t->in_doubt = false;
	ret = helper_ask(p->env->helper, &t->call, &req, attached);
	return ret < 0 ? port_why(p, ret, "%s", strerror(-ret)) : -EINPROGRESS;
}

static int tap_rx(struct port *p, struct batch *b)
{
	struct tap *t = to_tap(p);
	size_t used = 0;

	while (b->n < BATCH_MAX && used + FRAME_MAX <= BATCH_BUF_SIZE) {
		ssize_t n = read(t->link.fd, b->buf + used, FRAME_MAX);

		if (n < 0 && (errno == EAGAIN || errno == EINTR || b->n))
			break;
		if (n < 0)
			return port_why(p, -errno, "tap %s: %s", t->link.name,
					errno == EBADFD ? "was deleted"
							: strerror(errno));
		port_take(p, b, b->buf + used, (size_t)n, false);
		used += (size_t)n;
	}
	return 0;
}

static bool is_too_long(const struct tap *t, uint32_t len)
{
	return len > t->link.mtu + ETHER_HDR_LEN + VLAN_TAG;
}

static int tap_tx(struct port *p, const struct frame *f, unsigned n)
{
	struct tap *t = to_tap(p);

	for (unsigned i = 0; i < n; i++) {
		if (is_too_long(t, f[i].len)) {
			port_drop(p, DROP_TOO_LONG, 1);
			continue;
		}
		if (write(t->link.fd, f[i].data, f[i].len) >= 0) {
			port_sent(p, &f[i]);
			continue;
		}
		if (errno == EAGAIN)
			return (int)i;
		if (errno == EBADFD)
			return i ? (int)i
				 : port_why(p, -EBADFD, "tap %s: was deleted",
					    t->link.name);
		/* EIO: the tap is down, which whoever set it down can undo. */
		port_drop(p, DROP_REFUSED, 1);
	}
	return (int)n;
}

static void tap_close(struct port *p)
{
	struct tap *t = to_tap(p);

	helper_forget(p->env->helper, &t->call);
	if (t->link.fd >= 0)
		close(t->link.fd);
	t->link.fd = -1;
}

static void tap_free(struct port *p)
{
	struct tap *t = to_tap(p);

	loop_del(p->env->loop, &t->events_watch);
	if (t->events)
		nl_watch_close(t->events);
	free(t);
}

static const struct port_ops ops = {
	.kind = "tap",
	.is_setup = true,
	.open = tap_open,
	.rx = tap_rx,
	.tx = tap_tx,
	.close = tap_close,
	.free = tap_free,
};

static int tap_fd_open(struct port *p)
{
	return port_watch(p, to_tap(p)->link.fd, to_tap(p)->link.fd);
}

static const struct port_ops fd_ops = {
	.kind = "tap",
	.only_once = true,
	.is_setup = true,
	.open = tap_fd_open,
	.rx = tap_rx,
	.tx = tap_tx,
	.close = tap_close,
	.free = tap_free,
};

static struct tap *tap_new(const struct port_ops *tap_ops, const struct endpoint *ep,
			   const struct port_env *env)
{
	struct tap *t = calloc(1, sizeof(*t));

	if (!t || port_init(&t->port, tap_ops, env, ep->text) < 0) {
		free(t);
		errno = ENOMEM;
		return NULL;
	}
	t->ep = ep;
	t->link.fd = -1;
	t->events_watch.fd = -1;
	if (ep->kind == ENDPOINT_TAP)
		snprintf(t->link.name, sizeof(t->link.name), "%s", ep->name);
	return t;
}

struct port *port_tap_new(const struct endpoint *ep, const struct port_env *env)
{
	struct tap *t = tap_new(&ops, ep, env);

	return t ? &t->port : NULL;
}

struct port *port_tap_from_fd(const struct link *link, const struct endpoint *ep,
			      const struct port_env *env)
{
	struct tap *t = tap_new(&fd_ops, ep, env);

	if (!t)
		return NULL;
	t->link = *link;
	return &t->port;
}
