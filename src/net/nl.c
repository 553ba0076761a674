/* SPDX-License-Identifier: MIT */
/*
 * rtnetlink. A request goes over a socket that is kept, or over one of its own. The
 * kernel has queued its answer when sendto() returns, because netlink_rcv_skb() runs
 * inside it. So the first datagram read afterwards must be the answer; any other is an
 * error, and we do not wait for a second one. What is left of earlier requests in a
 * socket that is kept is thrown away first.
 *
 * The length of each part of a message is checked before the part is used. Attributes
 * are first collected by type, so their order does not matter.
 *
 * libmnl makes the other system calls; mnl-builtin.c lists them.
 *
 * #syscalls: recvfrom setsockopt
 */
#include "net/nl.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include <libmnl/libmnl.h>
#include <linux/if_link.h>
#include <linux/if_tun.h>
#include <linux/rtnetlink.h>

/* Bytes: the kernel limits the buffer of a dump to this (netlink_recvmsg(), af_netlink.c). */
#define ANSWER_SIZE 32768
#define GROUPS (RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR)
#define WATCH_READS 64 /* datagrams read at once, before other events have their turn */
#define SEQ 1	       /* a socket sends one request only */
#define WATCH_BYTES (1 << 20) /* bytes for waiting events; each takes about 3 KiB */

/* Begin a message at @buf. It is zeroed, as libmnl before 1.0.5 does not clear padding. */
static struct nlmsghdr *begin(void *buf, int type, int flags, uint32_t seq)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(memset(buf, 0, NL_BUF_SIZE));

	nlh->nlmsg_type = (uint16_t)type;
	nlh->nlmsg_flags = (uint16_t)flags;
	nlh->nlmsg_seq = seq;
	return nlh;
}

struct nlmsghdr *nl_build_get(void *buf, int index, const char *name, uint32_t seq)
{
	struct nlmsghdr *nlh = begin(buf, RTM_GETLINK, NLM_F_REQUEST, seq);
	struct ifinfomsg *ifm = mnl_nlmsg_put_extra_header(nlh, sizeof(*ifm));

	ifm->ifi_index = index;
	if (!index)
		mnl_attr_put_strz(nlh, IFLA_IFNAME, name);
	mnl_attr_put_u32(nlh, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
	return nlh;
}

struct nlmsghdr *nl_build_change(void *buf, const struct nl_change *change, uint32_t seq)
{
	struct nlmsghdr *nlh = begin(buf, RTM_NEWLINK, NLM_F_REQUEST | NLM_F_ACK, seq);
	struct ifinfomsg *ifm = mnl_nlmsg_put_extra_header(nlh, sizeof(*ifm));

	ifm->ifi_index = change->index;
	if (change->up) {
		ifm->ifi_flags = IFF_UP;
		ifm->ifi_change = IFF_UP;
	}
	if (change->mac)
		mnl_attr_put(nlh, IFLA_ADDRESS, 6, change->mac);
	if (change->mtu)
		mnl_attr_put_u32(nlh, IFLA_MTU, change->mtu);
	if (change->master >= 0)
		mnl_attr_put_u32(nlh, IFLA_MASTER, (uint32_t)change->master);
	return nlh;
}

struct nlmsghdr *nl_build_route(void *buf, struct in_addr to, uint32_t seq)
{
	struct nlmsghdr *nlh = begin(buf, RTM_GETROUTE, NLM_F_REQUEST, seq);
	struct rtmsg *rtm = mnl_nlmsg_put_extra_header(nlh, sizeof(*rtm));

	rtm->rtm_family = AF_INET;
	rtm->rtm_dst_len = 8 * sizeof(to);
	mnl_attr_put(nlh, RTA_DST, sizeof(to), &to);
	return nlh;
}

/* Set each of the @max + 1 pointers at @tb to the attribute of that type, if there is one. */
static int collect(const struct nlattr *attr, int len, const struct nlattr **tb,
		   uint16_t max)
{
	while (len > 0) {
		if (!mnl_attr_ok(attr, len))
			return -EINVAL;
		if (mnl_attr_get_type(attr) <= max)
			tb[mnl_attr_get_type(attr)] = attr;

		int step = MNL_ALIGN(mnl_attr_get_len(attr));

		if (step >= len)
			break;
		len -= step;
		attr = mnl_attr_next(attr);
	}
	return 0;
}

static int collect_nested(const struct nlattr *attr, const struct nlattr **tb,
			  uint16_t max)
{
	return collect(mnl_attr_get_payload(attr), mnl_attr_get_payload_len(attr), tb,
		       max);
}

/* Read a 32-bit attribute. If it is missing (NULL), @value stays as it is. */
static int read_u32(const struct nlattr *attr, uint32_t *value)
{
	if (!attr)
		return 0;
	if (mnl_attr_get_payload_len(attr) != sizeof(*value))
		return -EINVAL;
	*value = mnl_attr_get_u32(attr);
	return 0;
}

static int read_u8(const struct nlattr *attr, uint8_t *value)
{
	if (!attr)
		return 0;
	if (mnl_attr_get_payload_len(attr) != sizeof(*value))
		return -EINVAL;
	memcpy(value, mnl_attr_get_payload(attr), sizeof(*value));
	return 0;
}

/* The text of @attr, if it ends within the attribute; else NULL. */
static const char *text_of(const struct nlattr *attr)
{
	const char *text = mnl_attr_get_payload(attr);

	return memchr(text, '\0', mnl_attr_get_payload_len(attr)) ? text : NULL;
}

static int read_name(const struct nlattr *attr, char name[IFNAMSIZ])
{
	const char *text = attr ? text_of(attr) : NULL;
	size_t len = text ? strlen(text) : 0;

	if (!len || len >= IFNAMSIZ)
		return -EINVAL;
	memcpy(name, text, len + 1);
	return 0;
}

/* Read IFLA_INFO_DATA of a link of kind "tun"; tun_fill_info() in drivers/net/tun.c writes it. */
static int read_tun(const struct nlattr *attr, struct nl_link *link)
{
	const struct nlattr *tb[IFLA_TUN_PERSIST + 1] = { 0 };
	uint8_t type = 0, pi = 0, persists = 0;

	if (!attr)
		return 0;
	link->owner = UINT32_MAX;
	if (collect_nested(attr, tb, IFLA_TUN_PERSIST) ||
	    read_u32(tb[IFLA_TUN_OWNER], &link->owner) ||
	    read_u8(tb[IFLA_TUN_TYPE], &type) || read_u8(tb[IFLA_TUN_PI], &pi) ||
	    read_u8(tb[IFLA_TUN_PERSIST], &persists))
		return -EINVAL;
	link->is_tap = type == IFF_TAP;
	link->has_pi = pi;
	link->is_persistent = persists;
	return 0;
}

static int read_kind(const struct nlattr *attr, struct nl_link *link)
{
	const struct nlattr *tb[IFLA_INFO_DATA + 1] = { 0 };

	if (!attr)
		return 0;
	if (collect_nested(attr, tb, IFLA_INFO_DATA))
		return -EINVAL;
	if (!tb[IFLA_INFO_KIND])
		return 0;

	const char *kind = text_of(tb[IFLA_INFO_KIND]);

	if (!kind)
		return -EINVAL;
	memcpy(link->kind, kind, strnlen(kind, sizeof(link->kind) - 1));
	link->is_bridge = !strcmp(kind, "bridge");
	return strcmp(kind, "tun") ? 0 : read_tun(tb[IFLA_INFO_DATA], link);
}

/* Collect the attributes of @nlh, whose payload begins with a header of @header bytes. */
static int collect_after(const struct nlmsghdr *nlh, size_t header,
			 const struct nlattr **tb, uint16_t max)
{
	size_t len = mnl_nlmsg_get_payload_len(nlh);

	if (len < header || len - header > ANSWER_SIZE)
		return -EINVAL;
	return collect(mnl_nlmsg_get_payload_offset(nlh, header), (int)(len - header), tb,
		       max);
}

static int read_attributes(const struct nlmsghdr *nlh, struct nl_link *link)
{
	const struct nlattr *tb[IFLA_LINKINFO + 1] = { 0 };
	uint32_t master = 0;

	if (collect_after(nlh, sizeof(struct ifinfomsg), tb, IFLA_LINKINFO))
		return -EINVAL;
	if (read_name(tb[IFLA_IFNAME], link->name) ||
	    read_u32(tb[IFLA_MTU], &link->mtu) || read_u32(tb[IFLA_MASTER], &master) ||
	    read_kind(tb[IFLA_LINKINFO], link))
		return -EINVAL;
	if (master > INT32_MAX)
		return -EINVAL;
	link->master = (int)master;
	return 0;
}

int nl_parse_link(const struct nlmsghdr *nlh, struct nl_link *link)
{
	bool deleted = nlh->nlmsg_type == RTM_DELLINK;

	if ((nlh->nlmsg_type != RTM_NEWLINK && !deleted) ||
	    mnl_nlmsg_get_payload_len(nlh) < sizeof(struct ifinfomsg))
		return -EINVAL;

	const struct ifinfomsg *ifm = mnl_nlmsg_get_payload(nlh);
	bool of_bridge = ifm->ifi_family == AF_BRIDGE;

	if ((ifm->ifi_family != AF_UNSPEC && !of_bridge) || ifm->ifi_index <= 0)
		return -EINVAL;
	*link = (struct nl_link){
		.index = ifm->ifi_index,
		.is_up = ifm->ifi_flags & IFF_UP,
		.gone = deleted && !of_bridge,
	};
	if (read_attributes(nlh, link))
		return -EINVAL;
	if (of_bridge && link->master == link->index) {
		link->is_bridge = true;
		link->master = 0;
	}
	if (of_bridge && deleted)
		link->master = 0;
	return 0;
}

int nl_parse_route(const struct nlmsghdr *nlh)
{
	const struct nlattr *tb[RTA_OIF + 1] = { 0 };
	uint32_t index = 0;

	if (nlh->nlmsg_type != RTM_NEWROUTE ||
	    collect_after(nlh, sizeof(struct rtmsg), tb, RTA_OIF) ||
	    read_u32(tb[RTA_OIF], &index) || !index || index > INT32_MAX)
		return -EINVAL;
	return (int)index;
}

/* Read an NLMSG_ERROR message. Return: 0 if it is an acknowledgement; -errno. */
static int read_error(const struct nlmsghdr *nlh)
{
	const struct nlmsgerr *err = mnl_nlmsg_get_payload(nlh);

	if (mnl_nlmsg_get_payload_len(nlh) < sizeof(*err) || err->error > 0)
		return -EPROTO;
	return err->error;
}

/* A request with NLM_F_ACK is answered by an acknowledgement alone. */
static int exchange(struct mnl_socket *sock, const struct nlmsghdr *req, void *buf,
		    size_t size)
{
	const struct nlmsghdr *nlh = buf;
	ssize_t n;

	while (recv(mnl_socket_get_fd(sock), buf, size, MSG_DONTWAIT) >= 0 ||
	       errno == EINTR || errno == ENOBUFS)
		;
	if (mnl_socket_sendto(sock, req, req->nlmsg_len) < 0)
		return -errno;
	do {
		n = mnl_socket_recvfrom(sock, buf, size);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	if (!mnl_nlmsg_ok(nlh, (int)n) || nlh->nlmsg_seq != req->nlmsg_seq ||
	    nlh->nlmsg_pid != mnl_socket_get_portid(sock))
		return -EPROTO;
	if (nlh->nlmsg_type == NLMSG_ERROR)
		return read_error(nlh);
	return req->nlmsg_flags & NLM_F_ACK ? -EPROTO : 0;
}

/* A bound socket. Return: NULL with errno set on an error. */
static struct mnl_socket *open_socket(int flags)
{
	struct mnl_socket *sock = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC | flags);
	int err;

	if (!sock || mnl_socket_bind(sock, 0, MNL_SOCKET_AUTOPID) == 0)
		return sock;
	err = errno;
	mnl_socket_close(sock);
	errno = err;
	return NULL;
}

/*
 * Send @req and read the kernel's answer, a single message, to @buf.
 * @kept: the socket to use; NULL for one of its own
 */
static int ask(struct mnl_socket *kept, const struct nlmsghdr *req, void *buf,
	       size_t size)
{
	struct mnl_socket *sock = kept ? kept : open_socket(0);
	int rc;

	if (!sock)
		return -errno;
	rc = exchange(sock, req, buf, size);
	if (!kept)
		mnl_socket_close(sock);
	return rc;
}

static int get(struct mnl_socket *kept, int index, const char *name, struct nl_link *link)
{
	_Alignas(struct nlmsghdr) char req[NL_BUF_SIZE];
	_Alignas(struct nlmsghdr) char answer[ANSWER_SIZE];
	int rc = ask(kept, nl_build_get(req, index, name, SEQ), answer, sizeof(answer));

	if (rc)
		return rc;
	if (nl_parse_link((const void *)answer, link) || link->gone)
		return -EPROTO;
	return 0;
}

struct mnl_socket *nl_open(void)
{
	return open_socket(0);
}

void nl_close(struct mnl_socket *sock)
{
	mnl_socket_close(sock);
}

int nl_link_get(struct mnl_socket *kept, const char *name, struct nl_link *link)
{
	if (strnlen(name, IFNAMSIZ) == IFNAMSIZ)
		return -EINVAL;
	return get(kept, 0, name, link);
}

int nl_link_at(struct mnl_socket *kept, int index, struct nl_link *link)
{
	return index > 0 ? get(kept, index, NULL, link) : -ENODEV;
}

int nl_link_change(const struct nl_change *change)
{
	_Alignas(struct nlmsghdr) char req[NL_BUF_SIZE];
	_Alignas(struct nlmsghdr) char answer[ANSWER_SIZE];

	return ask(NULL, nl_build_change(req, change, SEQ), answer, sizeof(answer));
}

int nl_route_link(struct mnl_socket *kept, struct in_addr to)
{
	_Alignas(struct nlmsghdr) char req[NL_BUF_SIZE];
	_Alignas(struct nlmsghdr) char answer[NL_BUF_SIZE] = { 0 }; /* it is short */
	int rc = ask(kept, nl_build_route(req, to, SEQ), answer, sizeof(answer));

	if (rc)
		return rc;
	rc = nl_parse_route((const void *)answer);
	return rc < 0 ? -EPROTO : rc;
}

struct mnl_socket *nl_monitor_open(int *fd)
{
	struct mnl_socket *sock = open_socket(SOCK_NONBLOCK);
	int bytes = WATCH_BYTES;

	if (!sock)
		return NULL;
	*fd = mnl_socket_get_fd(sock);
	/* Without CAP_NET_ADMIN we get as much as net.core.rmem_max allows. */
	if (setsockopt(*fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)) < 0)
		setsockopt(*fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
	return sock;
}

int nl_monitor_hear(struct mnl_socket *sock, bool is_on)
{
	unsigned self = mnl_socket_get_portid(sock);

	return mnl_socket_bind(sock, is_on ? GROUPS : 0, (pid_t)self) < 0 ? -errno : 0;
}

static void deliver(const struct nlmsghdr *nlh, int left,
		    void (*fn)(const struct nl_link *link, void *arg), void *arg)
{
	struct nl_link link;

	for (; mnl_nlmsg_ok(nlh, left); nlh = mnl_nlmsg_next(nlh, &left))
		if (nlh->nlmsg_type == RTM_NEWADDR || nlh->nlmsg_type == RTM_DELADDR)
			fn(NULL, arg);
		else if (!nl_parse_link(nlh, &link))
			fn(&link, arg);
}

int nl_monitor_read(struct mnl_socket *sock,
		    void (*fn)(const struct nl_link *link, void *arg), void *arg)
{
	_Alignas(struct nlmsghdr) char buf[ANSWER_SIZE];
	bool lost = false;

	for (int i = 0; i < WATCH_READS; i++) {
		ssize_t n = mnl_socket_recvfrom(sock, buf, sizeof(buf));

		if (n >= 0)
			deliver((const void *)buf, (int)n, fn, arg);
		else if (errno == EAGAIN)
			break;
		else if (errno == ENOBUFS || errno == ENOSPC)
			lost = true; /* the rest of the queue is still good */
		else if (errno != EINTR)
			return -errno;
	}
	return lost ? -ENOBUFS : 0;
}
