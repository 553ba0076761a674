/* SPDX-License-Identifier: MIT */
/*
 * QEMU's multicast segment: every frame goes to the group, and we receive everything that
 * is sent to the group - our own frames too, since QEMUs on the same host must hear them.
 * We know our own frames by their source: they leave by a socket with a port of its own.
 *
 * A membership belongs to an interface, and ends with it without notice. So the group is
 * joined anew now and then, by another socket that is made in the same way; it also
 * shows whether frames would go another way today. While the interface is the same,
 * nobody on the network hears of this.
 *
 * Without if=, the route for the group names the interface. For IPv4 the kernel follows
 * the route when it joins, but frames of a connected socket leave where its source
 * address is (ip_route_output_key_hash_rcu() in net/ipv4/route.c), which may be
 * elsewhere. So we ask the kernel for the route, and set the socket's interface.
 *
 * #syscalls: bind close connect getsockname ioctl setsockopt socket
 */
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "net/nl.h"
#include "port/dgram.h"
#include "port/driver.h"

#define IDLE_MS 8000 /* a route may change without notice */

/*
 * @group: with the interface that if= names, as it was when the port was opened
 * @link:  the interface that the route named then; 0: not known, or not needed
 */
struct mcast {
	struct dgram dgram;
	const struct endpoint *ep;
	struct sock_addr group;
	int link;
	struct sock_addr self; /* where our own frames come from */
	int member;	       /* holds the membership; -1: wfd does */
};

static struct mcast *to_mcast(struct port *p)
{
	return container_of(p, struct mcast, dgram.port);
}

static bool is_own_echo(const struct dgram *d, const struct sockaddr_storage *from)
{
	return sock_is_from(&container_of(d, struct mcast, dgram)->self, from);
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

static struct in_addr address4(const struct sock_addr *addr)
{
	return ((const struct sockaddr_in *)&addr->storage)->sin_addr;
}

/* Return: the interface that the route for @group names; 0: set none. */
static int link_to(const struct mcast *m, const struct sock_addr *group)
{
	struct mnl_socket *sock = links_ask(m->dgram.port.env->links);
	int link;

	if (!sock || group->sa.sa_family != AF_INET || m->ep->local.host[0])
		return 0;
	link = nl_route_link(sock, address4(group));
	return link > 0 ? link : 0;
}

/* Membership, interface, loop and TTL as QEMU's net/socket.c sets them. */
static int join4(struct mcast *m, int fd, const struct sock_addr *group, int link)
{
	struct port *p = &m->dgram.port;
	struct ip_mreqn mreq = { .imr_multiaddr = address4(group), .imr_ifindex = link };
	struct sock_addr local;
	int ret = sock_addr_parse(&m->ep->local, AF_INET, &local);

	if (ret < 0)
		return port_why(p, ret, "if=%s: %s", m->ep->local.host, strerror(-ret));
	mreq.imr_address = address4(&local);
	ret = option(p, fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &mreq, sizeof(mreq),
		     "join the group");
	if (ret == 0 && mreq.imr_address.s_addr)
		ret = option(p, fd, IPPROTO_IP, IP_MULTICAST_IF, &mreq, sizeof(mreq),
			     m->ep->local.host);
	else if (ret == 0 && link)
		/* In a VRF this may be refused; then the kernel chooses. */
		setsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &mreq, sizeof(mreq));
	if (ret == 0)
		ret = int_option(p, fd, IPPROTO_IP, IP_MULTICAST_LOOP, 1, "loop");
	return ret;
}

static int join6(struct mcast *m, int fd, const struct sock_addr *group)
{
	struct port *p = &m->dgram.port;
	const struct sockaddr_in6 *sin6 = (const struct sockaddr_in6 *)&group->storage;
	struct ipv6_mreq mreq = {
		.ipv6mr_multiaddr = sin6->sin6_addr,
		.ipv6mr_interface = sin6->sin6_scope_id,
	};
	int ret = option(p, fd, IPPROTO_IPV6, IPV6_JOIN_GROUP, &mreq, sizeof(mreq),
			 "join the group");

	if (ret == 0)
		ret = int_option(p, fd, IPPROTO_IPV6, IPV6_MULTICAST_IF,
				 (int)mreq.ipv6mr_interface, m->ep->local.host);
	if (ret == 0)
		ret = int_option(p, fd, IPPROTO_IPV6, IPV6_MULTICAST_LOOP, 1, "loop");
	return ret;
}

/* Set @group, with the interface that if= names: bind() to ff02::/16 needs it. */
static int find_group(struct mcast *m, struct sock_addr *group)
{
	struct sockaddr_in6 *sin6 = (struct sockaddr_in6 *)&group->storage;
	struct port *p = &m->dgram.port;
	const char *name = m->ep->local.host;
	int ret = sock_addr_parse(&m->ep->remote, AF_UNSPEC, group);

	if (ret < 0)
		return port_why(p, ret, "group: %s", strerror(-ret));
	if (group->sa.sa_family == AF_INET || !name[0])
		return 0;
	sin6->sin6_scope_id = if_nametoindex(name);
	if (!sin6->sin6_scope_id)
		return port_why(p, -ENODEV, "if=%s: there is no such interface", name);
	return 0;
}

/* A socket that receives from the group; several programs of a host share its port. */
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
					 : sock_hint(-errno));
		close(fd);
		return p->why_err;
	}
	return fd;
}

static int connect_out(struct port *p, int fd, const struct sock_addr *group,
		       struct sock_addr *self)
{
	/* TTL and hop limit stay at their default, 1: a segment ends at the router. */
	if (connect(fd, &group->sa, group->len) < 0)
		return port_why(p, -errno, "connect: %s; is there a route for multicast?",
				strerror(errno));
	memset(self, 0, sizeof(*self));
	self->len = sizeof(self->storage);
	if (getsockname(fd, &self->sa, &self->len) < 0)
		return port_why(p, -errno, "getsockname: %s", strerror(errno));
	return 0;
}

/*
 * Make a socket that has joined @group and sends to it.
 * @link: as link_to() returns
 * @self: set to its source address
 *
 * The socket receives nothing, for it is connected to the group's address, which nobody
 * sends from. The one that is bound to the group receives because the host is a member
 * (ip(7), IP_MULTICAST_ALL).
 *
 * Return: the descriptor; -errno, with port_why().
 */
static int joined(struct mcast *m, const struct sock_addr *group, int link,
		  struct sock_addr *self)
{
	struct port *p = &m->dgram.port;
	int family = group->sa.sa_family;
	int ret, fd = socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return port_why(p, -errno, "socket: %s", strerror(errno));
	ret = family == AF_INET6 ? join6(m, fd, group) : join4(m, fd, group, link);
	if (ret == 0)
		ret = connect_out(p, fd, group, self);
	if (ret < 0)
		close(fd);
	return ret < 0 ? ret : fd;
}

static int mcast_look(struct dgram *d)
{
	struct mcast *m = to_mcast(&d->port);
	struct sock_addr group, self;
	int link, fd, ret = find_group(m, &group);

	if (ret < 0)
		return ret;
	link = link_to(m, &group);
	fd = joined(m, &group, link, &self);
	if (fd == -EMFILE || fd == -ENFILE || fd == -ENOMEM || fd == -ENOBUFS)
		return 0;
	if (fd < 0)
		return fd;
	if (m->member >= 0)
		close(m->member);
	m->member = fd;
	if ((!link || link == m->link) && sock_is_same_host(&group, &m->group) &&
	    sock_is_same_host(&self, &m->self))
		return 0;
	return port_why(&d->port, -ENODEV, "the route to the group has changed");
}

static int mcast_open(struct port *p)
{
	struct mcast *m = to_mcast(p);
	int ret = find_group(m, &m->group);

	if (ret < 0)
		return ret;
	m->dgram.rfd = bound_to_group(p, &m->group);
	p->is_mistake = m->dgram.rfd < 0;
	if (m->dgram.rfd < 0)
		return m->dgram.rfd;
	m->link = link_to(m, &m->group);
	m->dgram.wfd = joined(m, &m->group, m->link, &m->self);
	if (m->dgram.wfd < 0)
		return m->dgram.wfd;
	sock_tune_datagrams(m->dgram.rfd);
	sock_tune_datagrams(m->dgram.wfd);
	dgram_use_udp(&m->dgram);
	if (!p->was_up && endpoint_is_open(m->ep))
		log_warn("%s: whoever can send to this group joins the network; limit it "
			 "by allow=",
			 p->name);
	return dgram_begin(&m->dgram);
}

static void mcast_close(struct port *p)
{
	struct mcast *m = to_mcast(p);

	if (m->member >= 0)
		close(m->member);
	m->member = -1;
	dgram_close(p);
}

static const struct port_ops ops = {
	.kind = "mcast",
	.is_dgram = true,
	.open = mcast_open,
	.rx = dgram_rx,
	.tx = dgram_tx,
	.close = mcast_close,
	.free = dgram_free,
};

struct port *port_mcast_new(const struct endpoint *ep, const struct port_env *env)
{
	struct mcast *m = port_new(sizeof(*m), &ops, env, ep->text);

	if (!m)
		return NULL;
	m->ep = ep;
	m->dgram.rfd = m->dgram.wfd = -1;
	m->dgram.is_foreign = is_own_echo;
	m->dgram.access = &ep->access;
	m->dgram.look = mcast_look;
	m->dgram.idle_ms = ep->local.host[0] ? 0 : IDLE_MS;
	m->member = -1;
	return &m->dgram.port;
}
