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

#include "gro.h"
#include "helper.h"
#include "log.h"
#include "nl.h"
#include "ports.h"

#define RX_BYTES ((size_t)128 << 10) /* about the most one wake-up takes */
#define CHECK_MS 2000
#define VLAN_TAG 4 /* the kernel's is_skb_forwardable() allows one above the MTU */

_Static_assert(PORT_QUEUE_HIGH + RX_BYTES + FRAME_MAX <= PORT_QUEUE_BYTES,
	       "a queue must take what one more wake-up brings, or a cable loses frames");

struct tap {
	struct port port;
	const struct endpoint *ep;
	struct helper_call call;
	struct link link;
	struct gro gro;
	struct vnet vnets[BATCH_MAX]; /* of the frames received last */
	struct mnl_socket *events;
	struct watch events_watch;
	struct timer check; /* whether an inherited tap is still there */
	bool is_dark;	    /* it was told that there is no carrier */
	bool in_doubt;	    /* links came to their end while it was being attached */
};

static struct tap *to_tap(struct port *p)
{
	return container_of(p, struct tap, port);
}

static int tap_begin(struct tap *t)
{
	t->is_dark = false;
	t->port.takes_super = t->link.has_vnet;
	t->port.takes_uso = t->link.has_uso;
	t->gro.udp = t->link.has_uso;
	t->port.peer = t->link.name;
	return port_watch(&t->port, t->link.fd, t->link.fd);
}

static int tap_use(struct tap *t)
{
	if (t->ep->kind == ENDPOINT_BRIDGE)
		log_info("%s: by tap %s, MTU %u", t->port.name, t->link.name,
			 t->link.mtu);
	return tap_begin(t);
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

/*
 * @is_tight: right behind the frame ahead of it, but for a length word
 *
 * Return: whether the next one is to lie so, too.
 */
static bool take(struct tap *t, struct batch *b, uint8_t *data, size_t len,
		 const struct vnet *vnet, bool is_tight)
{
	struct frame f = { .data = data, .len = (uint32_t)len, .has_word = true };

	if (t->link.has_vnet && (vnet->gso_type || (vnet->flags & VNET_NEEDS_CSUM))) {
		f.vnet = vnet;
		f.has_word = !is_tight;
	}
	if (f.has_word)
		put_be32((uint8_t *)(uintptr_t)frame_wire(&f), frame_word(&f, f.len));
	port_take(&t->port, b, &f);
	return !f.vnet;
}

/*
 * A frame is read to where it can leave on a stream as it lies. Behind one that
 * needs its virtio header there is room for that and a length word; behind a plain
 * one only for the word, so that runs of them are one piece. The virtio header
 * then comes over the end of the frame ahead, which is put right at once.
 */
static int tap_rx(struct port *p, struct batch *b)
{
	struct tap *t = to_tap(p);
	size_t header = t->link.has_vnet ? VNET_BYTES : 0, used = 0, last = 0;
	bool is_tight = false;

	/* Most likely the next is as long as the last. */
	for (unsigned i = 0; i < BATCH_MAX && used + last <= RX_BYTES; i++) {
		uint8_t *data = b->buf + used + FRAME_WORD + (is_tight ? 0 : VNET_BYTES);
		uint8_t *vnet = data - VNET_BYTES, ahead[VNET_BYTES];
		ssize_t n;

		memcpy(ahead, vnet, VNET_BYTES);
		n = read(t->link.fd, data - header, header + FRAME_MAX);
		memcpy(&t->vnets[i], vnet, VNET_BYTES);
		if (is_tight)
			memcpy(vnet, ahead, VNET_BYTES);
		if (n < 0 && (errno == EAGAIN || errno == EINTR || i))
			break;
		if (n < 0)
			return port_why(p, -errno, "tap %s: %s", t->link.name,
					errno == EBADFD ? "was deleted"
							: strerror(errno));
		if ((size_t)n < header)
			continue;
		last = (size_t)n - header;
		is_tight = take(t, b, data, last, &t->vnets[i], is_tight);
		used = (size_t)(data - b->buf) + last;
	}
	return 0;
}

/* What a super-frame's longest segment will have, as far as its headers tell. */
static uint32_t longest_on_wire(const struct frame *f)
{
	const struct vnet *v = f->vnet;
	uint32_t head, size;

	if (!v || !v->gso_type)
		return frame_len(f);
	head = v->csum_start;
	if (v->gso_type == VNET_GSO_UDP_L4)
		head += UDP_SIZE;
	else if (head + TCP_SIZE <= f->len)
		head += (f->data[head + TCP_DATA_OFFSET] >> 4) * 4u;
	size = head + v->gso_size;
	return size < frame_len(f) ? size : frame_len(f);
}

static bool fits(const struct tap *t, const struct frame *f)
{
	return longest_on_wire(f) <= t->link.mtu + ETHER_HDR_LEN + VLAN_TAG;
}

/*
 * @frames, @bytes: what is written, and counted
 *
 * A tap that is no more is told of by reading from it, in detail.
 */
static void write_pieces(struct tap *t, const struct iovec *iov, int n, unsigned frames,
			 uint32_t bytes)
{
	if (writev(t->link.fd, iov, n) >= 0) {
		t->port.count.tx_frames += frames;
		t->port.count.tx_bytes += bytes;
		return;
	}
	/* EIO: the tap is down, which whoever set it down can undo. */
	port_drop(&t->port, errno == EBADFD ? DROP_LOST : DROP_REFUSED, frames);
}

/* A frame as it is: a super-frame, or any to a tap without virtio headers. */
static void write_one(struct tap *t, const struct frame *f)
{
	struct iovec iov[] = {
		{ .iov_base = (void *)(uintptr_t)f->vnet,
		  .iov_len = t->link.has_vnet ? VNET_BYTES : 0 },
		{ .iov_base = (void *)(uintptr_t)f->head, .iov_len = f->head_len },
		{ .iov_base = (void *)(uintptr_t)f->data, .iov_len = f->len },
	};

	write_pieces(t, iov, ARRAY_SIZE(iov), 1, frame_len(f));
}

static void write_run(struct tap *t, const struct frame *f, unsigned n)
{
	gro_merge(&t->gro, f, n);
	for (unsigned i = 0; i < t->gro.n; i++) {
		const struct gro_unit *u = &t->gro.unit[i];

		write_pieces(t, u->iov, u->n_iov, u->frames, u->bytes);
	}
}

/* Runs of plain frames are merged, where the tap takes that; the rest goes as it is. */
static void write_in_order(struct tap *t, const struct frame *f, unsigned n)
{
	while (n) {
		unsigned run = 0;

		while (t->link.has_vnet && run < n && !f[run].vnet)
			run++;
		if (run)
			write_run(t, f, run);
		else
			write_one(t, f);
		f += run ? run : 1;
		n -= run ? run : 1;
	}
}

static int tap_tx(struct port *p, const struct frame *f, unsigned n)
{
	struct tap *t = to_tap(p);
	unsigned from = 0;

	for (unsigned i = 0; i < n; i++) {
		if (fits(t, &f[i]))
			continue;
		write_in_order(t, f + from, i - from);
		port_drop(p, DROP_TOO_LONG, 1);
		from = i + 1;
	}
	write_in_order(t, f + from, n - from);
	return (int)n;
}

/* A kernel that can't (before 4.20) leaves it on. */
static void tap_carrier(struct port *p, bool is_on)
{
	struct tap *t = to_tap(p);

	if (t->is_dark == is_on && link_carrier(t->link.fd, is_on) == 0)
		t->is_dark = !is_on;
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
	.can_wait = true,
	.is_setup = true,
	.open = tap_open,
	.rx = tap_rx,
	.tx = tap_tx,
	.carrier = tap_carrier,
	.close = tap_close,
	.free = tap_free,
};

static void check_fd(struct timer *timer)
{
	struct tap *t = container_of(timer, struct tap, check);

	if (!link_is_there(t->link.fd)) {
		port_why(&t->port, -ENODEV, "tap %s: was deleted", t->link.name);
		port_down(&t->port);
		return;
	}
	timer_set(t->port.env->loop, timer, CHECK_MS, check_fd);
}

static int tap_fd_open(struct port *p)
{
	struct tap *t = to_tap(p);

	timer_set(p->env->loop, &t->check, CHECK_MS, check_fd);
	return tap_begin(t);
}

static void tap_fd_close(struct port *p)
{
	timer_cancel(p->env->loop, &to_tap(p)->check);
	tap_close(p);
}

static const struct port_ops fd_ops = {
	.kind = "tap",
	.can_wait = true,
	.only_once = true,
	.is_setup = true,
	.open = tap_fd_open,
	.rx = tap_rx,
	.tx = tap_tx,
	.carrier = tap_carrier,
	.close = tap_fd_close,
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
