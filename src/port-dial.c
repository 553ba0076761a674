/* SPDX-License-Identifier: MIT */
/*
 * A stream over TCP or a unix socket, or a trunk, dialled, and dialled again when it is
 * lost. A name is resolved anew at each try, by the helper; of several
 * addresses the first that answers is taken.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "helper.h"
#include "ports.h"
#include "stream.h"

/*
 * A peer that is away answers nothing. The kernel would ask for two minutes, at
 * ever longer intervals, and not see for half a minute that it is back.
 */
#define CONNECT_MS 4000

/*
 * @addrs:   where to try, in turn; @next is the next of the @n
 * @fd:      a connection in progress, not yet the stream's; -1: none
 * @patience: until it is given up
 */
struct dial {
	struct stream stream;
	const struct endpoint *ep;
	struct helper_call call;
	struct sock_addr addrs[HELPER_ADDRS_MAX];
	unsigned n, next;
	int fd;
	struct timer patience;
};

static struct dial *to_dial(struct port *p)
{
	return container_of(p, struct dial, stream.port);
}

static int use(struct dial *d, int fd)
{
	bool is_trunk = d->ep->kind == ENDPOINT_TRUNK;

	return stream_use(&d->stream, fd, fd, is_trunk ? STREAM_ASKS : STREAM_PLAIN);
}

static void patience_over(struct timer *t);

/* Try addresses until one is connected (0), or may be soon (-EINPROGRESS). */
static int try_next(struct dial *d)
{
	int ret = -EHOSTUNREACH;
	bool in_progress;
	char text[SOCK_TEXT_MAX];

	while (d->next < d->n) {
		const struct sock_addr *addr = &d->addrs[d->next++];
		int fd = sock_connecting(addr, SOCK_STREAM, &in_progress);

		if (fd >= 0 && in_progress) {
			d->fd = fd;
			timer_set(d->stream.port.env->loop, &d->patience, CONNECT_MS,
				  patience_over);
			ret = port_watch(&d->stream.port, fd, fd);
			return ret < 0 ? ret : -EINPROGRESS;
		}
		if (fd >= 0)
			return use(d, fd);
		ret = port_why(&d->stream.port, fd, "connect to %s: %s",
			       sock_text(addr, text), strerror(-fd));
	}
	return ret;
}

/* Of the connection in progress @ret has become. Returns as open(). */
static int dialled(struct dial *d, int ret)
{
	struct port *p = &d->stream.port;
	char text[SOCK_TEXT_MAX];
	int fd = d->fd;

	timer_cancel(p->env->loop, &d->patience);
	loop_del(p->env->loop, &p->rd);
	d->fd = -1;
	if (ret == 0)
		return use(d, fd);
	close(fd);
	port_why(p, ret, "connect to %s: %s", sock_text(&d->addrs[d->next - 1], text),
		 strerror(-ret));
	return d->next < d->n ? try_next(d) : ret;
}

static int dial_ready(struct port *p)
{
	struct dial *d = to_dial(p);

	return dialled(d, sock_error(d->fd));
}

static void patience_over(struct timer *t)
{
	struct dial *d = container_of(t, struct dial, patience);

	port_opened(&d->stream.port, dialled(d, -ETIMEDOUT));
}

static void resolved(struct helper_call *call, const struct helper_answer *answer, int fd)
{
	struct dial *d = container_of(call, struct dial, call);

	if (fd >= 0)
		close(fd);
	if (answer->err) {
		port_opened(&d->stream.port,
			    port_why(&d->stream.port, answer->err, "%s", answer->why));
		return;
	}
	d->n = answer->resolve.n < HELPER_ADDRS_MAX ? answer->resolve.n
						    : HELPER_ADDRS_MAX;
	memcpy(d->addrs, answer->resolve.addr, d->n * sizeof(d->addrs[0]));
	port_opened(&d->stream.port, try_next(d));
}

static int dial_open(struct port *p)
{
	struct dial *d = to_dial(p);
	struct helper_request req = { .op = HELPER_RESOLVE };
	int ret = 0;

	d->n = 1;
	d->next = 0;
	if (d->ep->kind == ENDPOINT_UNIX)
		sock_unix(d->ep->path, &d->addrs[0]);
	else
		ret = sock_numeric(&d->ep->remote, AF_UNSPEC, &d->addrs[0]);
	if (ret == 0)
		return try_next(d);
	if (ret != -ENXIO)
		return port_why(p, ret, "%s: %s", d->ep->remote.host, strerror(-ret));
	req.resolve.addr = d->ep->remote;
	req.resolve.type = SOCK_STREAM;
	ret = helper_ask(p->env->helper, &d->call, &req, resolved);
	return ret < 0 ? port_why(p, ret, "resolve: %s", strerror(-ret)) : -EINPROGRESS;
}

static void dial_close(struct port *p)
{
	struct dial *d = to_dial(p);

	helper_forget(p->env->helper, &d->call);
	timer_cancel(p->env->loop, &d->patience);
	if (d->fd >= 0)
		close(d->fd);
	d->fd = -1;
	stream_close(p);
}

static const struct port_ops ops = {
	.kind = "dial",
	.is_stream = true,
	.can_wait = true,
	.open = dial_open,
	.ready = dial_ready,
	.rx = stream_rx,
	.rx_done = stream_rx_done,
	.tx = stream_tx,
	.shut = stream_shut,
	.close = dial_close,
	.free = stream_free,
};

struct port *port_dial_new(const struct endpoint *ep, const struct port_env *env)
{
	struct dial *d = calloc(1, sizeof(*d));

	if (!d || stream_init(&d->stream, &ops, env, ep->text) < 0) {
		free(d);
		errno = ENOMEM;
		return NULL;
	}
	d->ep = ep;
	d->fd = -1;
	d->stream.is_dialled = true;
	d->stream.dead = ep->dead;
	return &d->stream.port;
}
