/* SPDX-License-Identifier: MIT */
/*
 * UDP to one peer. The socket is connected, so that the kernel keeps out what
 * others send: QEMU itself would take frames from anyone.
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dgram.h"
#include "helper.h"
#include "ports.h"

struct udp {
	struct dgram dgram;
	const struct endpoint *ep;
	struct helper_call call;
};

static struct udp *to_udp(struct port *p)
{
	return container_of(p, struct udp, dgram.port);
}

static int udp_use(struct udp *u, const struct sock_addr *remote)
{
	struct port *p = &u->dgram.port;
	char text[SOCK_TEXT_MAX];
	struct sock_addr local;
	int fd, ret = sock_numeric(&u->ep->local, remote->sa.sa_family, &local);

	if (ret < 0)
		return port_why(p, ret, "local=%s: %s", u->ep->local.host,
				strerror(-ret));
	if (local.sa.sa_family != remote->sa.sa_family)
		return port_why(p, -EAFNOSUPPORT,
				"%s and local=%s are not of one IP version",
				sock_text(remote, text), u->ep->local.host);
	fd = sock_bound(&local, SOCK_DGRAM);
	p->is_mistake = fd < 0;
	if (fd < 0)
		return port_why(p, fd, "bind to %s: %s%s", sock_text(&local, text),
				strerror(-fd), sock_advice(fd));
	u->dgram.rfd = u->dgram.wfd = fd;
	if (connect(fd, &remote->sa, remote->len) < 0)
		return port_why(p, -errno, "%s: %s", sock_text(remote, text),
				strerror(errno));
	sock_tune_datagrams(fd);
	/* A router on the way with a small MTU shall fragment, not refuse. */
	setsockopt(fd, IPPROTO_IP, IP_MTU_DISCOVER, &(int){ IP_PMTUDISC_DONT },
		   sizeof(int));
	dgram_use_udp(&u->dgram);
	return port_watch(p, fd, fd);
}

static void resolved(struct helper_call *call, const struct helper_answer *answer, int fd)
{
	struct udp *u = container_of(call, struct udp, call);
	struct port *p = &u->dgram.port;

	if (fd >= 0)
		close(fd);
	if (answer->err || answer->resolve.n == 0)
		port_opened(p, port_why(p, -EHOSTUNREACH, "%s", answer->why));
	else
		port_opened(p, udp_use(u, &answer->resolve.addr[0]));
}

static int udp_open(struct port *p)
{
	struct udp *u = to_udp(p);
	struct helper_request req = { .op = HELPER_RESOLVE };
	struct sock_addr remote;
	int ret = sock_numeric(&u->ep->remote, AF_UNSPEC, &remote);

	if (ret == 0)
		return udp_use(u, &remote);
	if (ret != -ENXIO)
		return port_why(p, ret, "%s: %s", u->ep->remote.host, strerror(-ret));
	req.resolve.addr = u->ep->remote;
	req.resolve.type = SOCK_DGRAM;
	ret = helper_ask(p->env->helper, &u->call, &req, resolved);
	return ret < 0 ? port_why(p, ret, "resolve: %s", strerror(-ret)) : -EINPROGRESS;
}

static void udp_close(struct port *p)
{
	helper_forget(p->env->helper, &to_udp(p)->call);
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
	struct udp *u = calloc(1, sizeof(*u));

	if (!u || port_init(&u->dgram.port, &ops, env, ep->text) < 0) {
		free(u);
		errno = ENOMEM;
		return NULL;
	}
	u->ep = ep;
	u->dgram.rfd = u->dgram.wfd = -1;
	return &u->dgram.port;
}
