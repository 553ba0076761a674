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

#include <linux/if_packet.h>
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
