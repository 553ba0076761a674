/* SPDX-License-Identifier: MIT */
/*
 * UDP to one peer. The socket is connected, so that the kernel drops datagrams of others;
 * QEMU itself would take frames from anyone. Datagrams that came in before it was
 * connected are checked by their source. With allow=, an address that it does not have is
 * not used at all.
 *
 * If a name has several addresses, one is used, and the next when nobody is there. While
 * nothing is heard, the name is resolved again now and then, for the peer may have
 * another address.
 *
 * #syscalls: close connect getpeername setsockopt
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/parts.h"
#include "helper/helper.h"
#include "net/admit.h"
#include "port/dgram.h"
#include "port/driver.h"

#define SILENT_MS 4000 /* without a frame, before the name is resolved again */

/*
 * @addrs, @n: the name's addresses of local='s IP version; number @at is in use
 * @peer:      what the socket is connected to
 * @heard_rx:  frames received at the last check
 * @heard_at:  when the last check found that there were more, loop_now()
 * @asked_at:  when the name was last resolved, loop_now()
 * @is_known:  somebody was heard at the address in use
 * @moved:     the address in use is no longer one of the name's
 */
struct udp {
	struct dgram dgram;
	const struct endpoint *ep;
	struct helper_call call;
	struct sock_addr addrs[HELPER_ADDRS_MAX];
	unsigned n, at;
	struct sock_addr peer;
	uint64_t heard_rx, heard_at, asked_at;
	bool is_known, moved;
};

static struct udp *to_udp(struct port *p)
{
	return container_of(p, struct udp, dgram.port);
}

static bool is_stranger(const struct dgram *d, const struct sockaddr_storage *from)
{
	return !sock_is_from(&container_of(d, struct udp, dgram)->peer, from);
}

static int bind_local(struct udp *u, const struct sock_addr *remote)
{
	struct port *p = &u->dgram.port;
	char text[SOCK_TEXT_MAX];
	struct sock_addr local;
	int fd, ret = sock_addr_parse(&u->ep->local, remote->sa.sa_family, &local);

	if (ret < 0)
		return port_why(p, ret, "local=%s: %s", u->ep->local.host,
				strerror(-ret));
	sock_unmap(&local);
	if (local.sa.sa_family != remote->sa.sa_family)
		return port_why(p, -EAFNOSUPPORT,
				"%s and local=%s are not of one IP version",
				sock_text(remote, text), u->ep->local.host);
	fd = sock_bind(&local, SOCK_DGRAM);
	p->is_mistake &= fd < 0;
	return fd < 0 ? port_why(p, fd, "bind to %s: %s%s", sock_text(&local, text),
				 strerror(-fd), sock_hint(fd))
		      : fd;
}

static int use(struct udp *u, struct sock_addr remote)
{
	struct port *p = &u->dgram.port;
	char text[SOCK_TEXT_MAX];
	int fd;

	sock_unmap(&remote);
	if (HAS_ACCESS && !admit_has_address(&u->ep->access, &remote.sa)) {
		/* A name may have another address later. */
		p->is_mistake &= u->ep->remote.family != AF_UNSPEC;
		return port_why(p, -EACCES, "allow= does not have %s",
				sock_text(&remote, text));
	}
	fd = bind_local(u, &remote);
	if (fd < 0)
		return fd;
	if (connect(fd, &remote.sa, remote.len) < 0) {
		int err = errno;

		close(fd);
		return port_why(p, -err, "%s: %s", sock_text(&remote, text),
				strerror(err));
	}
	/* A socket that is connected to 0.0.0.0 sends to this host: see what that became. */
	u->peer = remote;
	getpeername(fd, &u->peer.sa, &u->peer.len);
	u->dgram.is_foreign = is_stranger;
	u->dgram.rfd = u->dgram.wfd = fd;
	sock_tune_datagrams(fd);
	/*
	 * Routers may fragment datagrams (no DF bit; RFC 791, 3.2, and ip(7)). With path MTU
	 * discovery (RFC 1191), one with a small MTU would drop them.
	 */
	setsockopt(fd, IPPROTO_IP, IP_MTU_DISCOVER, &(int){ IP_PMTUDISC_DONT },
		   sizeof(int));
	dgram_use_udp(&u->dgram);
	u->heard_rx = p->count.rx_frames;
	u->heard_at = loop_now();
	u->is_known = u->moved = false;
	return dgram_begin(&u->dgram);
}

/* Use the first address that can be sent to, from number @first on. */
static int use_one(struct udp *u, unsigned first)
{
	int ret = -EHOSTUNREACH;

	u->dgram.port.is_mistake = true;
	for (unsigned i = 0; i < u->n && ret < 0; i++) {
		u->at = (first + i) % u->n;
		ret = use(u, u->addrs[u->at]);
	}
	return ret;
}

/* ---- names ---- */

/* Copy the addresses of local='s IP version. Return: how many there are. */
static unsigned keep(const struct udp *u, const struct helper_answer *answer,
		     struct sock_addr *addrs)
{
	int family = u->ep->local.family;
	unsigned n = 0;

	for (unsigned i = 0; i < answer->resolve.n && i < HELPER_ADDRS_MAX; i++)
		if (!family || answer->resolve.addr[i].sa.sa_family == family)
			addrs[n++] = answer->resolve.addr[i];
	return n;
}

static int ask(struct udp *u, helper_done *done)
{
	struct port *p = &u->dgram.port;
	struct helper_request req = { .op = HELPER_RESOLVE };
	int ret;

	req.resolve.addr = u->ep->remote;
	req.resolve.type = SOCK_DGRAM;
	u->asked_at = loop_now();
	ret = helper_ask(p->env->helpers, &u->call, &req, done);
	return ret < 0 ? port_why(p, ret, "resolve: %s", strerror(-ret)) : -EINPROGRESS;
}

/* Use an address of the name, and tell which. */
static int use_first(struct udp *u)
{
	char text[SOCK_TEXT_MAX];
	int ret = use_one(u, 0);

	if (HAS_STORY && ret == 0)
		port_tell(&u->dgram.port, "goes to %s",
			  sock_text(&u->addrs[u->at], text));
	return ret;
}

static void resolved(struct helper_call *call, const struct helper_answer *answer, int fd)
{
	struct udp *u = container_of(call, struct udp, call);
	struct port *p = &u->dgram.port;

	if (fd >= 0)
		close(fd);
	u->n = answer->err ? 0 : keep(u, answer, u->addrs);
	if (answer->err)
		port_opened(p, port_why(p, answer->err, "%s", answer->why));
	else if (!u->n)
		port_opened(p, port_why(p, -EAFNOSUPPORT,
					"%s has no address of the IP version of local=%s",
					u->ep->remote.host, u->ep->local.host));
	else
		port_opened(p, use_first(u));
}

static int udp_look(struct dgram *d);

static void look_now(struct timer *t)
{
	struct udp *u = container_of(t, struct udp, dgram.timer);

	if (udp_look(&u->dgram) < 0)
		port_down(&u->dgram.port);
}

/*
 * The name was resolved again while the port is up. If the address in use is still one
 * of its addresses, nothing changes: a peer that never answers may listen all the same.
 */
static void resolved_again(struct helper_call *call, const struct helper_answer *answer,
			   int fd)
{
	struct udp *u = container_of(call, struct udp, call);
	struct sock_addr addrs[HELPER_ADDRS_MAX];
	unsigned n;

	if (fd >= 0)
		close(fd);
	n = answer->err ? 0 : keep(u, answer, addrs);
	for (unsigned i = 0; i < n; i++)
		if (sock_is_same_host(&addrs[i], &u->addrs[u->at]))
			return;
	if (!n)
		return;
	memcpy(u->addrs, addrs, n * sizeof(addrs[0]));
	u->n = n;
	u->moved = true;
	/* A timer, because of what loop.h says on adding watches again. */
	timer_set(u->dgram.port.env->loop, &u->dgram.timer, 0, look_now);
}

/* Change to another address of the name; the port stays up. */
static int move(struct udp *u, unsigned to)
{
	struct port *p = &u->dgram.port;
	char text[SOCK_TEXT_MAX];
	int ret;

	port_set_fds(p, -1, -1);
	dgram_close(p);
	ret = use_one(u, to);
	if (ret == 0)
		log_info("%s: goes to %s now", p->name,
			 sock_text(&u->addrs[u->at], text));
	return ret;
}

/* ---- while it is up ---- */

static void note_heard(struct udp *u)
{
	uint64_t rx = u->dgram.port.count.rx_frames;

	if (rx == u->heard_rx)
		return;
	u->heard_rx = rx;
	u->heard_at = loop_now();
	u->is_known = true;
}

static int udp_look(struct dgram *d)
{
	struct udp *u = to_udp(&d->port);
	uint64_t now = loop_now();
	int ret = port_look_source(&d->port, d->wfd);

	note_heard(u);
	/* All that came in before the socket was connected has been read by now. */
	d->is_foreign = NULL;
	if (ret < 0)
		return ret;
	if (u->moved)
		return move(u, 0);
	/* Nobody was ever there. A peer that was heard once is waited for. */
	if (d->port.far_errno && !u->is_known && u->n > 1)
		return move(u, u->at + 1);
	if (u->ep->remote.family == AF_UNSPEC && now - u->heard_at >= SILENT_MS &&
	    now - u->asked_at >= SILENT_MS && !u->call.is_waiting)
		ask(u, resolved_again);
	return 0;
}

static int udp_open(struct port *p)
{
	struct udp *u = to_udp(p);
	int ret = sock_addr_parse(&u->ep->remote, AF_UNSPEC, &u->addrs[0]);

	u->n = 1;
	if (ret == 0)
		return use_one(u, 0);
	if (!HAS_NAMES || ret != -ENXIO)
		return port_why(p, ret, "%s: %s", u->ep->remote.host, strerror(-ret));
	port_tell(p, "resolving %s", u->ep->remote.host);
	return ask(u, resolved);
}

static void udp_close(struct port *p)
{
	helper_forget(&to_udp(p)->call);
	dgram_close(p);
}

static const struct port_ops ops = {
	.kind = "udp",
	.is_dgram = true,
	.open = udp_open,
	.rx = dgram_rx,
	.tx = dgram_tx,
	.close = udp_close,
	.free = dgram_free,
};

struct port *port_udp_new(const struct endpoint *ep, const struct port_env *env)
{
	struct udp *u = port_new(sizeof(*u), &ops, env, ep->text);

	if (!u)
		return NULL;
	u->ep = ep;
	u->dgram.rfd = u->dgram.wfd = -1;
	u->dgram.look = udp_look;
	u->dgram.access = &ep->access;
	return &u->dgram.port;
}
