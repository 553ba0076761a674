/* SPDX-License-Identifier: MIT */
#include "conf/endpoint-body.h"

#include <arpa/inet.h>
#include <limits.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define MTU_MIN 68	/* ETH_MIN_MTU */
#define MTU_LIMIT 65521 /* a tap's: 65535 less the Ethernet header */

#define DEAD_MIN 5 /* seconds; with less, a peer that is only slow would be called dead */
#define DEAD_MAX 3600 /* seconds */

int body_check_udp(struct parse *p)
{
	struct endpoint_addr *local = &p->ep->local, *remote = &p->ep->remote;

	if (!local->port)
		local->port = remote->port;
	if (local->family && remote->family && local->family != remote->family)
		return part_refuse(
			p, "local address and host must both be IPv4 or both IPv6");
	return 0;
}

/* A port alone is 127.0.0.1's, so that only this host reaches it. */
int body_metrics(struct parse *p, char *body)
{
	struct endpoint_addr *local = &p->ep->local;
	int err = part_local(p, body);

	if (!err && !local->host[0])
		part_addr("127.0.0.1", local);
	return err;
}

int body_unix(struct parse *p, char *body)
{
	return part_path(p, body, p->ep->path);
}

int option_dead(struct parse *p, char *value)
{
	uint32_t seconds;

	if (!parse_uint(value, 10, DEAD_MAX, &seconds) || (seconds && seconds < DEAD_MIN))
		return part_refuse(p,
				   QUOTED
				   " must be a number of seconds from %d to %d, or "
				   "0 for never",
				   value, DEAD_MIN, DEAD_MAX);
	p->ep->dead = (int)seconds;
	return 0;
}

int option_local_path(struct parse *p, char *value)
{
	return part_path(p, value, p->ep->local_path);
}

int body_check_unixgram(struct parse *p)
{
	if (!*p->ep->local_path)
		return part_refuse(p, "option local is missing; the form is %s", p->form);
	if (!strcmp(p->ep->path, p->ep->local_path))
		return part_refuse(
			p,
			"the two paths must differ: PATH is the peer's, local=PATH is ours");
	return 0;
}

int body_group(struct parse *p, char *body)
{
	const struct endpoint_addr *group = &p->ep->remote;
	unsigned char addr[sizeof(struct in6_addr)];
	int err = part_remote(p, body);

	if (err)
		return err;
	if (strchr(group->host, '%'))
		return part_refuse(p, "name a group's interface by if=NAME, not by %%");
	/* The family of a name is 0, which is none. */
	if (inet_pton(group->family, group->host, addr) == 1 &&
	    (group->family == AF_INET ? addr[0] >> 4 == 0xe : addr[0] == 0xff))
		return 0;
	return part_refuse(p,
			   "group " QUOTED " is no multicast address: 224.0.0.0 to "
			   "239.255.255.255, or [ff00::] and up",
			   group->host);
}

int option_group_if(struct parse *p, char *value)
{
	struct endpoint_addr *local = &p->ep->local;

	if (p->ep->remote.family == AF_INET6)
		return part_name(p, "interface", value, local->host);
	if (!part_addr(value, local) || local->family != AF_INET)
		return part_refuse(
			p, QUOTED " must be an IPv4 address, as the group is one", value);
	return 0;
}

int body_bridge(struct parse *p, char *body)
{
	return part_name(p, "bridge", body, p->ep->name);
}

int option_bridge_tap(struct parse *p, char *value)
{
	return part_name(p, "tap", value, p->ep->tap);
}

int option_bridge_mtu(struct parse *p, char *value)
{
	if (!parse_uint(value, 10, MTU_LIMIT, &p->ep->mtu) || p->ep->mtu < MTU_MIN)
		return part_refuse(p, QUOTED " must be a number from %d to %d", value,
				   MTU_MIN, MTU_LIMIT);
	return 0;
}

int body_check_bridge(struct parse *p)
{
	if (!strcmp(p->ep->name, p->ep->tap))
		return part_refuse(p, "the tap must not have the bridge's own name");
	return 0;
}

int body_tap(struct parse *p, char *body)
{
	return part_name(p, "tap", body, p->ep->name);
}

int body_fd(struct parse *p, char *body)
{
	uint32_t fd;

	if (!parse_uint(body, 10, INT_MAX, &fd))
		return part_refuse(
			p, "descriptor " QUOTED " must be a number, as in fd:3", body);
	if (fd == STDERR_FILENO)
		return part_refuse(p, "descriptor 2 is standard error, where messages "
				      "go; pass it by another number");
	p->ep->fd = (int)fd;
	return 0;
}

int option_vhost(struct parse *p, char *value)
{
	(void)value;
	p->ep->is_vhost = true;
	return 0;
}

/*
 * A command has no options. Frames to it are not padded: it is not QEMU, and passt
 * before August 2023, for one, ignores padded frames.
 */
int body_command(struct parse *p, char *body)
{
	p->ep->rules.is_unpadded = true;
	if (part_is_all(body, " \t\n"))
		return part_refuse(p, "the command is blank; the form is %s", p->form);
	return 0;
}
