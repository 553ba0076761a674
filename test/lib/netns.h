/* SPDX-License-Identifier: MIT */
/* For tests: a network namespace of the process' own, which goes with it. */
#ifndef LIB_NETNS_H
#define LIB_NETNS_H

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <libmnl/libmnl.h>
#include <linux/if_packet.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>

#include "net/nl.h"

#define NETNS_ETHERTYPE 0x88b5

static inline void netns_write(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		abort();
	close(fd);
}

/* netns_set_up() - Set a link up. Return: whether it could be. */
static inline bool netns_set_up(const char *name)
{
	struct nl_link link;
	struct nl_change change = { .master = -1, .up = true };

	if (nl_link_get(NULL, name, &link))
		return false;
	change.index = link.index;
	return !nl_link_change(&change);
}

/*
 * netns_enter() - Leave for a namespace with lo alone, which is up.
 *
 * As root, or as the root of a user namespace that is made for it; then nobody else's
 * files can be given away, which tests don't.
 *
 * Return: false, with errno set, where none can be made.
 */
static inline bool netns_enter(void)
{
	char map[32];

	snprintf(map, sizeof(map), "0 %u 1", getuid());
	if (unshare(CLONE_NEWNET) < 0) {
		if (unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0)
			return false;
		netns_write("/proc/self/uid_map", map);
	}
	return netns_set_up("lo");
}

/* netns_or_skip() - The same, and where none can be made TAP is told so. */
static inline bool netns_or_skip(void)
{
	bool is_in = netns_enter();

	if (!is_in)
		printf("1..0 # SKIP no network namespace: %s\n", strerror(errno));
	return is_in;
}

static inline int netns_ioctl(unsigned long request, void *arg)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int ret = ioctl(fd, request, arg) < 0 ? -errno : 0;

	close(fd);
	return ret;
}

/* netns_bridge() - Make a bridge and set it up. Return: whether it could be. */
static inline bool netns_bridge(const char *name)
{
	char buf[IFNAMSIZ];

	snprintf(buf, sizeof(buf), "%s", name);
	return !netns_ioctl(SIOCBRADDBR, buf) && netns_set_up(name);
}

static inline int netns_set_down(const char *name)
{
	struct ifreq ifr = { 0 };

	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", name);
	return netns_ioctl(SIOCSIFFLAGS, &ifr);
}

/* netns_rename() - Call a link otherwise. Return: 0 or -errno. */
static inline int netns_rename(const char *name, const char *to)
{
	struct ifreq ifr = { 0 };

	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", name);
	snprintf(ifr.ifr_newname, sizeof(ifr.ifr_newname), "%s", to);
	return netns_ioctl(SIOCSIFNAME, &ifr);
}

/* netns_address() - Give link @name the address @text, of a network of 256. */
static inline void netns_address(const char *name, const char *text)
{
	struct sockaddr_in addr = { .sin_family = AF_INET };
	struct ifreq ifr = { 0 };

	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", name);
	inet_pton(AF_INET, text, &addr.sin_addr);
	memcpy(&ifr.ifr_addr, &addr, sizeof(addr));
	if (netns_ioctl(SIOCSIFADDR, &ifr) < 0)
		abort();
	inet_pton(AF_INET, "255.255.255.0", &addr.sin_addr);
	memcpy(&ifr.ifr_netmask, &addr, sizeof(addr));
	if (netns_ioctl(SIOCSIFNETMASK, &ifr) < 0)
		abort();
}

/* The kernel has done it when this returns. */
static inline void netns_send(const struct nlmsghdr *nlh)
{
	struct sockaddr_nl to = { .nl_family = AF_NETLINK };
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

	if (sendto(fd, nlh, nlh->nlmsg_len, 0, (struct sockaddr *)&to, sizeof(to)) < 0)
		abort();
	close(fd);
}

/* netns_link_del() - Delete a link of any kind. */
static inline void netns_link_del(const char *name)
{
	uint32_t buf[NL_BUF_SIZE / sizeof(uint32_t)];
	struct nlmsghdr *nlh = nl_build_get(buf, 0, name, 1);

	nlh->nlmsg_type = RTM_DELLINK;
	netns_send(nlh);
}

/* netns_link_move() - Move a link to the namespace that descriptor @to is of. */
static inline void netns_link_move(const char *name, int to)
{
	struct nl_change change = { .index = (int)if_nametoindex(name), .master = -1 };
	uint32_t buf[NL_BUF_SIZE / sizeof(uint32_t)];
	struct nlmsghdr *nlh = nl_build_change(buf, &change, 1);

	mnl_attr_put_u32(nlh, IFLA_NET_NS_FD, (uint32_t)to);
	netns_send(nlh);
}

static inline void netns_bridge_del(const char *name)
{
	char buf[IFNAMSIZ];

	snprintf(buf, sizeof(buf), "%s", name);
	netns_set_down(name);
	netns_ioctl(SIOCBRDELBR, buf);
}

/*
 * netns_packet_socket() - A socket that sends frames out of link @name, and hears those
 * of NETNS_ETHERTYPE that come in by it. Return: the descriptor, non-blocking; or -1.
 */
static inline int netns_packet_socket(const char *name)
{
	struct sockaddr_ll addr = { .sll_family = AF_PACKET,
				    .sll_protocol = htons(NETNS_ETHERTYPE) };
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	addr.sll_ifindex = (int)if_nametoindex(name);
	if (addr.sll_ifindex && bind(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0)
		return fd;
	close(fd);
	return -1;
}

#endif
