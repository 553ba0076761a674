/* SPDX-License-Identifier: MIT */
/*
 * rtnetlink through libmnl, and no more of it than taps and bridges need: look
 * a link up, change it, hear of links that come, change and go. Building and
 * reading messages is apart from sending them, so that both can be tested
 * without a kernel.
 */
#ifndef NL_H
#define NL_H

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct nlmsghdr;
struct mnl_socket;

#define NL_KIND_MAX 16

/*
 * A link as rtnetlink describes it (rtnetlink(7), linux/if_link.h).
 * @master:    ifindex of the bridge it is attached to; 0 when to none
 * @mtu:       bytes of payload, without the Ethernet header
 * @kind:      IFLA_INFO_KIND, such as "veth"; "" when it has none, as a network card
 * @is_bridge: its kind is "bridge"
 * @is_tap:    IFLA_INFO_KIND says "tun", and its type is a tap (Linux 4.17)
 * @has_pi:    it is a tun or tap, and frames have a struct tun_pi in front of them.
 *             TUNGETIFF does not tell: there IFF_NO_PI also means IFF_NOFILTER
 * @gone:      it is no more, or not in this network namespace any more
 */
struct nl_link {
	int index;
	char name[IFNAMSIZ];
	int master;
	uint32_t mtu;
	char kind[NL_KIND_MAX];
	bool is_up;
	bool is_bridge;
	bool is_tap;
	bool has_pi;
	bool gone;
};

/*
 * What to change about link @index; members left zero (-1 for @master) stay as they are.
 * @mac: six bytes, or NULL
 */
struct nl_change {
	int index;
	int master; /* -1: leave; 0: detach */
	uint32_t mtu;
	const uint8_t *mac;
	bool up;
};

#define NL_BUF_SIZE 1024 /* enough for every message built here */

/*
 * nl_build_get() - RTM_GETLINK at @buf, for link number @index, or if that is 0
 * for @name (shorter than IFNAMSIZ).
 * @buf: NL_BUF_SIZE bytes, aligned for a struct nlmsghdr
 */
struct nlmsghdr *nl_build_get(void *buf, int index, const char *name, uint32_t seq);

/* nl_build_change() - RTM_NEWLINK that makes @change, at @buf as above. */
struct nlmsghdr *nl_build_change(void *buf, const struct nl_change *change, uint32_t seq);

/*
 * nl_parse_link() - Read an RTM_NEWLINK or RTM_DELLINK.
 *
 * The message must be whole (mnl_nlmsg_ok); its attributes are checked here.
 *
 * A bridge reports its ports in messages of family AF_BRIDGE to the same group
 * (net/bridge/br_netlink.c). There RTM_DELLINK says that the port left the
 * bridge: the link comes out with no master, and is not gone. And there a
 * bridge names itself as its master: it comes out as a bridge with none.
 *
 * Return: 0; -EINVAL when it is another message or its attributes are malformed.
 */
int nl_parse_link(const struct nlmsghdr *nlh, struct nl_link *link);

/*
 * nl_link_get() - Ask the kernel about link @name.
 *
 * Return: 0; -ENODEV when there is none; -EPROTO when the kernel's answer makes
 * no sense; another -errno.
 */
int nl_link_get(const char *name, struct nl_link *link);

/* nl_link_at() - The same, by its number. */
int nl_link_at(int index, struct nl_link *link);

/*
 * nl_link_change() - Have the kernel make @change, and wait for its answer.
 *
 * Return: 0; -EPERM without CAP_NET_ADMIN; another -errno as the kernel gave it.
 */
int nl_link_change(const struct nl_change *change);

/*
 * nl_watch_open() - Subscribe to events of links and addresses (RTNLGRP_LINK,
 * RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR); needs no privilege.
 * @fd: set to the descriptor to wait on; non-blocking, close-on-exec
 *
 * Hundreds of events may wait in it, as they come when many taps are made at once.
 *
 * Return: the socket, for nl_watch_read() and nl_watch_close(); NULL, errno set.
 */
struct mnl_socket *nl_watch_open(int *fd);

/*
 * nl_watch_read() - Hand the events that wait to @fn, those of addresses as NULL.
 *
 * Returns when none is left, or after so many that others should have a turn;
 * level-triggered waiting brings the rest. @fn must not close @sock.
 *
 * Return: 0; -ENOBUFS when events were lost, so that links must be looked up
 * again; another -errno when the socket is of no more use.
 */
int nl_watch_read(struct mnl_socket *sock,
		  void (*fn)(const struct nl_link *link, void *arg), void *arg);

void nl_watch_close(struct mnl_socket *sock);

#endif
