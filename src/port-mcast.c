/* SPDX-License-Identifier: MIT */
/*
 * QEMU's multicast segment: every frame goes to the group, and everything sent
 * to the group is for us - our own frames too, since QEMUs of the same host
 * must hear them. So that those can be told apart, they leave by a socket with
 * a port of its own.
 */
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dgram.h"
#include "ports.h"

struct mcast {
	struct dgram dgram;
	const struct endpoint *ep;
	struct sock_addr self; /* where our own frames come from */
};

static struct mcast *to_mcast(struct port *p)
{
	return container_of(p, struct mcast, dgram.port);
}

static bool is_same(const struct sockaddr_storage *a, const struct sockaddr_storage *b)
{
	const struct sockaddr_in *a4 = (const struct sockaddr_in *)a;
	const struct sockaddr_in *b4 = (const struct sockaddr_in *)b;
	const struct sockaddr_in6 *a6 = (const struct sockaddr_in6 *)a;
	const struct sockaddr_in6 *b6 = (const struct sockaddr_in6 *)b;

	if (a->ss_family != b->ss_family)
		return false;
	if (a->ss_family == AF_INET)
		return a4->sin_port == b4->sin_port &&
		       a4->sin_addr.s_addr == b4->sin_addr.s_addr;
	return a6->sin6_port == b6->sin6_port &&
	       memcmp(&a6->sin6_addr, &b6->sin6_addr, sizeof(a6->sin6_addr)) == 0;
}

static bool is_own_echo(const struct dgram *d, const struct sockaddr_storage *from)
{
	return is_same(from, &container_of(d, struct mcast, dgram)->self.storage);
}

static int option(struct port *p, int fd, int level, int name, const void *value,
		  socklen_t len, const char *what)
{
	if (setsockopt(fd, level, name, value, len) < 0)
		return port_why(p, -errno, "%s: %s%s", what, strerror(errno),
				errno == ENODEV
					? "; it needs a route for multicast, or if="
					: "");
	return 0;
}

static int int_option(struct port *p, int fd, int level, int name, int value,
		      const char *what)
{
	return option(p, fd, level, name, &value, sizeof(value), what);
}

/* Membership for @rfd; interface, loop and TTL for @wfd: as QEMU's net/socket.c sets them. */
static int join4(struct mcast *m, int rfd, int wfd, const struct sock_addr *group,
		 const struct sock_addr *local)
{
	struct port *p = &m->dgram.port;
	struct in_addr out = ((const struct sockaddr_in *)&local->storage)->sin_addr;
	struct ip_mreq mreq = {
		.imr_multiaddr = ((const struct sockaddr_in *)&group->storage)->sin_addr,
		.imr_interface = out,
	};
	int ret = option(p, rfd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &mreq, sizeof(mreq),
			 "join the group");

	if (ret == 0 && out.s_addr)
		ret = option(p, wfd, IPPROTO_IP, IP_MULTICAST_IF, &out, sizeof(out),
			     m->ep->local.host);
	if (ret == 0)
		ret = int_option(p, wfd, IPPROTO_IP, IP_MULTICAST_LOOP, 1, "loop");
	return ret;
}

static int join6(struct mcast *m, int rfd, int wfd, const struct sock_addr *group)
{
	struct port *p = &m->dgram.port;
	const char *name = m->ep->local.host;
	const struct sockaddr_in6 *sin6 = (const struct sockaddr_in6 *)&group->storage;
	struct ipv6_mreq mreq = {
		.ipv6mr_multiaddr = sin6->sin6_addr,
		.ipv6mr_interface = sin6->sin6_scope_id,
	};
	int ret = option(p, rfd, IPPROTO_IPV6, IPV6_JOIN_GROUP, &mreq, sizeof(mreq),
			 "join the group");

	if (ret == 0)
		ret = int_option(p, wfd, IPPROTO_IPV6, IPV6_MULTICAST_IF,
				 (int)mreq.ipv6mr_interface, name);
	if (ret == 0)
		ret = int_option(p, wfd, IPPROTO_IPV6, IPV6_MULTICAST_LOOP, 1, "loop");
	return ret;
}

/* The group, with the interface that if= names: bind() to ff02:: takes no other way. */
static int find_group(struct mcast *m, struct sock_addr *group)
{
	struct sockaddr_in6 *sin6 = (struct sockaddr_in6 *)&group->storage;
	struct port *p = &m->dgram.port;
	const char *name = m->ep->local.host;
	int ret = sock_numeric(&m->ep->remote, AF_UNSPEC, group);

	if (ret < 0)
		return port_why(p, ret, "group: %s", strerror(-ret));
	if (group->sa.sa_family == AF_INET || !name[0])
		return 0;
	sin6->sin6_scope_id = if_nametoindex(name);
	if (!sin6->sin6_scope_id)
		return port_why(p, -ENODEV, "if=%s: there is no such interface", name);
	return 0;
}

/* Several programs of one host share the group's port. */
static int bound_to_group(struct port *p, const struct sock_addr *group)
{
	int fd =
		socket(group->sa.sa_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return port_why(p, -errno, "socket: %s", strerror(errno));
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){ 1 }, sizeof(int));
	if (bind(fd, &group->sa, group->len) < 0) {
		port_why(p, -errno, "bind: %s%s", strerror(errno),
			 errno == EINVAL ? "; a link-local group needs if=INTERFACE"
					 : sock_advice(-errno));
		close(fd);
		return p->why_err;
	}
	return fd;
}

static int connect_out(struct mcast *m, const struct sock_addr *group)
{
	struct port *p = &m->dgram.port;

	/* TTL and hop limit stay at their default, 1: a segment ends at the router. */
	if (connect(m->dgram.wfd, &group->sa, group->len) < 0)
		return port_why(p, -errno, "connect: %s; is there a route for multicast?",
				strerror(errno));
	m->self.len = sizeof(m->self.storage);
	if (getsockname(m->dgram.wfd, &m->self.sa, &m->self.len) < 0)
		return port_why(p, -errno, "getsockname: %s", strerror(errno));
	return 0;
}

static int mcast_open(struct port *p)
{
	struct mcast *m = to_mcast(p);
	struct sock_addr group, local;
	int family = m->ep->remote.family, ret = find_group(m, &group);

	if (ret < 0)
		return ret;
	m->dgram.rfd = bound_to_group(p, &group);
	p->is_mistake = m->dgram.rfd < 0;
	if (m->dgram.rfd < 0)
		return m->dgram.rfd;
	m->dgram.wfd = socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (m->dgram.wfd < 0)
		return port_why(p, -errno, "socket: %s", strerror(errno));
	if (family == AF_INET6) {
		ret = join6(m, m->dgram.rfd, m->dgram.wfd, &group);
	} else {
		sock_numeric(&m->ep->local, AF_INET, &local);
		ret = join4(m, m->dgram.rfd, m->dgram.wfd, &group, &local);
	}
	if (ret == 0)
		ret = connect_out(m, &group);
	if (ret < 0)
		return ret;
	sock_tune_datagrams(m->dgram.rfd);
	sock_tune_datagrams(m->dgram.wfd);
	dgram_use_udp(&m->dgram);
	return port_watch(p, m->dgram.rfd, m->dgram.wfd);
}

static const struct port_ops ops = {
	.kind = "mcast",
	.is_dgram = true,
	.open = mcast_open,
	.rx = dgram_rx,
	.tx = dgram_tx,
	.close = dgram_close,
	.free = dgram_free,
};

struct port *port_mcast_new(const struct endpoint *ep, const struct port_env *env)
{
	struct mcast *m = calloc(1, sizeof(*m));

	if (!m || port_init(&m->dgram.port, &ops, env, ep->text) < 0) {
		free(m);
		errno = ENOMEM;
		return NULL;
	}
	m->ep = ep;
	m->dgram.rfd = m->dgram.wfd = -1;
	m->dgram.is_foreign = is_own_echo;
	return &m->dgram.port;
}
