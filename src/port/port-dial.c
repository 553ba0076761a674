/* SPDX-License-Identifier: MIT */
/*
 * A stream over TCP or a unix socket, or a trunk, which we dial, and dial again when it is
 * lost. The helper resolves a name anew at each try. If there are several addresses, each
 * is tried a moment after the one ahead of it, and the first that answers is taken
 * (RFC 8305). A link whose own address is taken from the host is dialled again at once:
 * no answer can arrive at it, and TCP would take a while to find that out.
 *
 * #syscalls: close
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/parts.h"
#include "helper/helper.h"
#include "net/broker.h"
#include "net/keys.h"
#include "net/links.h"
#include "port/driver.h"
#include "port/stream.h"
#include "trunk/prove.h"

/*
 * How long to try. The kernel would go on for two minutes at ever longer intervals, and
 * notice a peer that is back half a minute late.
 */
#define CONNECT_MS 4000
#define NEXT_MS 250 /* until the next address is tried, too (RFC 8305, section 8) */
#define LOOK_MS \
	2000 /* after news of addresses: one may be taken away only to be put back */

struct dial;

/* An address, and the connection to it that is in progress. */
struct attempt {
	struct dial *dial;
	struct sock_addr addr;
	struct watch watch;
};

/*
 * @attempts: the @n addresses, to be tried in turn; @next is the next of them
 * @patience: until the next address is tried, or all are given up
 * @news:     of this host's addresses, while a TCP link is up
 * @look:     set from then until the link's own address is looked for
 * @prove:    the handshake of a sealed trunk
 */
struct dial {
	struct stream stream;
	const struct endpoint *ep;
	struct helper_call call;
	struct attempt attempts[HELPER_ADDRS_MAX];
	unsigned n, next;
	struct timer patience;
	struct links_user news;
	struct timer look;
	struct prove prove;
};

static struct dial *to_dial(struct port *p)
{
	return container_of(p, struct dial, stream.port);
}

static void look_due(struct timer *t)
{
	struct stream *s = &container_of(t, struct dial, look)->stream;

	if (port_look_source(&s->port, s->channel->wfd) < 0)
		port_down(&s->port);
}

static void on_news(struct links_user *u, const struct nl_link *link)
{
	struct dial *d = container_of(u, struct dial, news);

	(void)link;
	if (!d->look.is_set)
		timer_set(d->stream.port.env->loop, &d->look, LOOK_MS, look_due);
}

/* Without news, a link that is void is found out as any other dead one. */
static void await_news(struct dial *d)
{
	struct links *links = d->stream.port.env->links;

	if (d->stream.is_tcp && links)
		links_join(links, &d->news, "");
}

static void proved(struct prove *prove, int fd, int ret)
{
	struct dial *d = container_of(prove, struct dial, prove);
	struct port *p = &d->stream.port;

	if (ret < 0) {
		close(fd);
		ret = port_why(p, ret, "%s", prove->why);
	} else {
		ret = stream_use_session(&d->stream, fd, &prove->session);
	}
	if (ret == 0)
		await_news(d);
	port_opened(p, ret);
}

/* Return: -EINPROGRESS; another -errno, with port_why(). */
static int prove(struct dial *d, int fd)
{
	struct port *p = &d->stream.port;
	struct keys *keys = p->env->keys;
	uint8_t psk[SEAL_KEY_BYTES];
	char why[PEERS_WHY_MAX];
	int ret = keys_psk(keys, d->ep->psk_path, psk, why, sizeof(why));

	if (ret < 0)
		port_why(p, ret, "%s", why);
	else if ((ret = prove_dial(&d->prove, fd, keys_own(keys), d->ep->peer, psk,
				   proved)) < 0)
		port_why(p, ret, "%s", d->prove.why);
	crypto_wipe(psk, sizeof(psk));
	if (ret == 0)
		return -EINPROGRESS;
	close(fd);
	return ret;
}

static void stop_proving(struct dial *d)
{
	int fd = prove_stop(&d->prove);

	if (fd >= 0)
		close(fd);
}

/*
 * Use the connection that attempt @a has made.
 *
 * Return: 0; -EINPROGRESS; another -errno, with port_why().
 */
static int use(struct attempt *a, int fd)
{
	struct dial *d = a->dial;
	bool is_trunk = HAS_TRUNK && d->ep->kind == ENDPOINT_TRUNK;
	char text[SOCK_TEXT_MAX];
	int ret;

	if (HAS_STORY)
		port_tell(&d->stream.port, "connected to %s%s", sock_text(&a->addr, text),
			  d->ep->has_peer ? ", asking it to prove that it is the peer"
			  : is_trunk	  ? ", asking whether it is a netrelay"
					  : "");
	if (HAS_KEYS && d->ep->has_peer)
		return prove(d, fd);
	ret = stream_use(&d->stream, fd, fd, is_trunk ? TRUNK_HELLO_SENT : TRUNK_NONE);
	if (ret == 0)
		await_news(d);
	return ret;
}

/* Stop watching an attempt. Return: its descriptor. */
static int detach(struct attempt *a)
{
	int fd = a->watch.fd;

	loop_del(a->dial->stream.port.env->loop, &a->watch);
	return fd;
}

static void close_attempts(struct dial *d)
{
	timer_cancel(d->stream.port.env->loop, &d->patience);
	for (unsigned i = 0; i < d->n; i++)
		if (d->attempts[i].watch.fd >= 0)
			close(detach(&d->attempts[i]));
}

static bool is_any_left(const struct dial *d)
{
	for (unsigned i = 0; i < d->n; i++)
		if (d->attempts[i].watch.fd >= 0)
			return true;
	return false;
}

/* What the user may look at, if connecting has failed with @err. */
static const char *hint_of(const struct dial *d, int err)
{
	bool is_unix = d->ep->kind == ENDPOINT_UNIX;

	switch (HAS_HINTS && !is_unix ? err : 0) {
	case -ECONNREFUSED:
		return " (nobody listens there)";
	case -ETIMEDOUT:
		return " (is that host up, and lets a firewall this pass?)";
	case -EHOSTUNREACH:
		return " (is that host up, and on this network?)";
	case -ENETUNREACH:
		return " (this host has no route there; see: ip route)";
	}
	if (HAS_HINTS && is_unix && err == -EPROTOTYPE)
		return " (it is of another type; for datagrams, take unixgram:)";
	return is_unix ? sock_unix_hint(err) : "";
}

/* Note that an attempt has failed. While others are left, this is not what ends the try. */
static int failed(struct attempt *a, int ret)
{
	struct dial *d = a->dial;
	struct port *p = &d->stream.port;
	char text[SOCK_TEXT_MAX];

	port_why(p, ret, "connect to %s: %s%s", sock_text(&a->addr, text), strerror(-ret),
		 hint_of(d, ret));
	if (HAS_STORY && (d->next < d->n || is_any_left(d)))
		port_tell(p, "%s", p->why);
	return ret;
}

/*
 * If packets of full length seemed not to arrive when the link was last lost, send short
 * ones over IPv6, where no router may fragment them.
 */
static unsigned mss_to(const struct attempt *a)
{
	bool is_ipv6 = a->addr.sa.sa_family == AF_INET6;

	return is_ipv6 && a->dial->stream.was_cut_short ? SOCK_MSS_IPV6 : 0;
}

/* Return: the connection's descriptor; -EINPROGRESS; -errno, with port_why(). */
static int begin(struct attempt *a, void (*ready)(struct watch *w, uint32_t events))
{
	struct dial *d = a->dial;
	char text[SOCK_TEXT_MAX];
	bool in_progress;
	int ret, fd;

	if (HAS_STORY)
		port_tell(&d->stream.port, "trying %s", sock_text(&a->addr, text));
	fd = sock_connect(&a->addr, SOCK_STREAM, mss_to(a), &in_progress);
	if (fd == -EACCES && d->ep->kind == ENDPOINT_UNIX)
		fd = broker_dial(d->stream.port.env->broker, d->ep->path);
	if (fd < 0)
		return failed(a, fd);
	if (!in_progress)
		return fd;
	ret = loop_add(d->stream.port.env->loop, &a->watch, fd, EPOLLOUT, ready);
	if (ret < 0) {
		close(fd);
		return failed(a, ret);
	}
	return -EINPROGRESS;
}

static void patience_over(struct timer *t);
static void attempt_ready(struct watch *w, uint32_t events);

/* Go on to the next address. Return: as ops->open(). */
static int try_next(struct dial *d)
{
	struct port *p = &d->stream.port;

	while (d->next < d->n) {
		struct attempt *a = &d->attempts[d->next++];
		int ret = begin(a, attempt_ready);

		if (ret >= 0) {
			close_attempts(d);
			return use(a, ret);
		}
		if (ret == -EINPROGRESS) {
			timer_set(p->env->loop, &d->patience,
				  d->next < d->n ? NEXT_MS : CONNECT_MS, patience_over);
			return ret;
		}
	}
	if (!is_any_left(d))
		return p->why_err;
	timer_set(p->env->loop, &d->patience, CONNECT_MS, patience_over);
	return -EINPROGRESS;
}

static void attempt_ready(struct watch *w, uint32_t events)
{
	struct attempt *a = container_of(w, struct attempt, watch);
	struct dial *d = a->dial;
	int fd = detach(a), ret = sock_error(fd);

	(void)events;
	if (ret == 0 && sock_is_own(fd)) {
		/* Leave no trace: a listener could not bind to a port in TIME_WAIT. */
		sock_close_hard(fd);
		ret = -ECONNREFUSED;
	} else if (ret < 0) {
		close(fd);
	}
	if (ret < 0) {
		failed(a, ret);
		ret = try_next(d);
	} else {
		close_attempts(d);
		ret = use(a, fd);
	}
	if (ret != -EINPROGRESS)
		port_opened(&d->stream.port, ret);
}

static void give_up(struct dial *d, int err)
{
	for (unsigned i = 0; i < d->n; i++) {
		struct attempt *a = &d->attempts[i];

		if (a->watch.fd < 0)
			continue;
		close(detach(a));
		failed(a, err);
	}
}

static void patience_over(struct timer *t)
{
	struct dial *d = container_of(t, struct dial, patience);
	int ret = -ETIMEDOUT;

	if (d->next < d->n)
		ret = try_next(d);
	else
		give_up(d, ret);
	if (ret != -EINPROGRESS)
		port_opened(&d->stream.port, ret);
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
	d->n = answer->resolve.n;
	for (unsigned i = 0; i < d->n; i++)
		d->attempts[i].addr = answer->resolve.addr[i];
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
		sock_unix(d->ep->path, &d->attempts[0].addr);
	else
		ret = sock_addr_parse(&d->ep->remote, AF_UNSPEC, &d->attempts[0].addr);
	if (ret == 0)
		return try_next(d);
	if (!HAS_NAMES || ret != -ENXIO)
		return port_why(p, ret, "%s: %s", d->ep->remote.host, strerror(-ret));
	req.resolve.addr = d->ep->remote;
	req.resolve.type = SOCK_STREAM;
	port_tell(p, "resolving %s", d->ep->remote.host);
	ret = helper_ask(p->env->helpers, &d->call, &req, resolved);
	return ret < 0 ? port_why(p, ret, "resolve: %s", strerror(-ret)) : -EINPROGRESS;
}

static void dial_close(struct port *p)
{
	struct dial *d = to_dial(p);

	helper_forget(&d->call);
	if (p->env->links)
		links_leave(p->env->links, &d->news);
	timer_cancel(p->env->loop, &d->look);
	close_attempts(d);
	if (HAS_KEYS)
		stop_proving(d);
	stream_close(p);
}

static const struct port_ops ops = {
	.kind = "dial",
	.is_stream = true,
	.has_backpressure = true,
	.open = dial_open,
	.rx = stream_rx,
	.rx_done = stream_rx_done,
	.tx = stream_tx,
	.shut = stream_shut,
	.close = dial_close,
	.free = stream_free,
};

struct port *port_dial_new(const struct endpoint *ep, const struct port_env *env)
{
	struct dial *d = stream_new(sizeof(*d), &ops, env, ep->text);

	if (!d)
		return NULL;
	d->ep = ep;
	d->news.changed = on_news;
	d->news.is_of_host = true;
	for (unsigned i = 0; i < HELPER_ADDRS_MAX; i++) {
		d->attempts[i].dial = d;
		d->attempts[i].watch.fd = -1;
	}
	prove_init(&d->prove, env->loop);
	d->stream.is_dialled = true;
	d->stream.dead = ep->dead;
	return &d->stream.port;
}
