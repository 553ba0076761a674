/* SPDX-License-Identifier: MIT */
/*
 * rtnetlink through libmnl: looks up a link, changes it, finds the link of a route, and
 * receives events of links and addresses. Building and reading messages is separate from
 * sending them, so that both can be tested without a kernel.
 */
#ifndef NL_H
#define NL_H

#include <net/if.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct nlmsghdr;
struct mnl_socket;

#define NL_KIND_MAX 16 /* bytes of a link's kind that are kept, with the NUL */

/*
 * A link as rtnetlink describes it (rtnetlink(7), linux/if_link.h).
 * @index:     its ifindex
 * @master:    ifindex of the bridge that it is attached to; 0 for none
 * @mtu:       bytes of payload, without the Ethernet header
 * @kind:      IFLA_INFO_KIND, such as "veth"; "" if it has none, as a network card
 * @is_up:     IFF_UP is set
 * @is_bridge: its kind is "bridge"
 * @is_tap:    IFLA_INFO_KIND is "tun", and its type is tap (Linux 4.17)
 * @has_pi:    it is a tun or tap whose frames begin with a struct tun_pi. TUNGETIFF
 *             cannot tell: there the bit of IFF_NO_PI also means IFF_NOFILTER
 * @is_persistent: it is a tun or tap that stays when no program has it open
 * @owner:     of a tun or tap: the user who may open it; UINT32_MAX if none was set
 * @gone:      it was removed, or moved to another network namespace
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
	bool is_persistent;
	uint32_t owner;
	bool gone;
};

/*
 * A change to the link @index.
 * @master: ifindex of the bridge to attach it to; 0 to detach it; -1 for no change
 * @mtu:    bytes; 0 for no change
 * @mac:    six bytes; NULL for no change
 * @up:     set the link up; false for no change
 */
struct nl_change {
	int index;
	int master;
	uint32_t mtu;
	const uint8_t *mac;
	bool up;
};

#define NL_BUF_SIZE 1024 /* bytes; enough for every message built here */

/*
 * nl_build_get() - Build an RTM_GETLINK request.
 * @buf:   NL_BUF_SIZE bytes, aligned for a struct nlmsghdr
 * @index: the link's ifindex; if it is 0, @name is used
 * @name:  the link's name, shorter than IFNAMSIZ
 * @seq:   the message's sequence number
 *
 * Return: the message, at @buf.
 */
struct nlmsghdr *nl_build_get(void *buf, int index, const char *name, uint32_t seq);

/* nl_build_change() - Build an RTM_NEWLINK request for @change; @buf and @seq as above. */
struct nlmsghdr *nl_build_change(void *buf, const struct nl_change *change, uint32_t seq);

/* nl_build_route() - Build an RTM_GETROUTE request for packets to @to; @buf and @seq as above. */
struct nlmsghdr *nl_build_route(void *buf, struct in_addr to, uint32_t seq);

/*
 * nl_parse_route() - Read an RTM_NEWROUTE.
 * @nlh: the message, which must be whole (mnl_nlmsg_ok()); its attributes are checked here
 *
 * Return: the ifindex of the link that the route leads to; -EINVAL when there is none, or
 * it is another message, or its attributes are malformed.
 */
int nl_parse_route(const struct nlmsghdr *nlh);

/*
 * nl_parse_link() - Read an RTM_NEWLINK or RTM_DELLINK.
 * @nlh:  the message, which must be whole (mnl_nlmsg_ok()); its attributes are
 *        checked here
 * @link: filled in; without meaning after an error
 *
 * A bridge reports its ports in messages of family AF_BRIDGE to the same group
 * (net/bridge/br_netlink.c). In these, RTM_DELLINK means that the port left the
 * bridge: @link then has no master, and is not gone. A bridge names itself as its
 * master in these: @link is then a bridge without a master.
 *
 * Return: 0; -EINVAL when it is another message or its attributes are malformed.
 */
int nl_parse_link(const struct nlmsghdr *nlh, struct nl_link *link);

/*
 * nl_open() - Open a socket for requests, to be kept: a confined process can't open one.
 *
 * Return: the socket, for nl_close(); NULL with errno set.
 */
struct mnl_socket *nl_open(void);

/* nl_close() - Close and free a socket of nl_open() or nl_monitor_open(). */
void nl_close(struct mnl_socket *sock);

/*
 * nl_link_get() - Ask the kernel about the link @name, and wait for the answer.
 * @kept: a socket of nl_open(); NULL to open one for this request alone
 *
 * Return: 0; -ENODEV when there is no such link; -EINVAL when the name is too long;
 * -EPROTO when the answer makes no sense; another -errno.
 */
int nl_link_get(struct mnl_socket *kept, const char *name, struct nl_link *link);

/* nl_link_at() - As nl_link_get(), for the link with ifindex @index. */
int nl_link_at(struct mnl_socket *kept, int index, struct nl_link *link);

/*
 * nl_link_change() - Have the kernel make @change, and wait for its answer.
 *
 * Return: 0; -EPERM without CAP_NET_ADMIN; another -errno that the kernel gave.
 */
int nl_link_change(const struct nl_change *change);

/*
 * nl_route_link() - Ask the kernel by which link packets to @to leave the host, and wait
 * for the answer. Routes that depend on the source address are not considered.
 * @kept: as above
 *
 * Return: the link's ifindex; -ENETUNREACH when there is no route; another -errno.
 */
int nl_route_link(struct mnl_socket *kept, struct in_addr to);

/*
 * nl_monitor_open() - Open a socket for events of links and addresses; nl_monitor_hear()
 * subscribes to them.
 * @fd: set to the descriptor to wait on; non-blocking, close-on-exec
 *
 * The socket has room for hundreds of waiting events: making many taps at once
 * causes as many.
 *
 * Return: the socket, for nl_monitor_read() and nl_close(); NULL with errno set.
 */
struct mnl_socket *nl_monitor_open(int *fd);

/*
 * nl_monitor_hear() - Subscribe to events (RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR,
 * RTNLGRP_IPV6_IFADDR), or end the subscription. No privilege is needed.
 *
 * Return: 0 or -errno.
 */
int nl_monitor_hear(struct mnl_socket *sock, bool is_on);

/*
 * nl_monitor_read() - Call @fn for each waiting event.
 * @fn: gets the link; NULL for an event of an address. It must not close @sock.
 *
 * It returns when no event is left, and also after 64 reads, so that other work
 * of the event loop is not kept waiting; level-triggered waiting brings the rest.
 *
 * Return: 0; -ENOBUFS when events were lost and links must be looked up again;
 * another -errno when the socket is of no more use.
 */
int nl_monitor_read(struct mnl_socket *sock,
		    void (*fn)(const struct nl_link *link, void *arg), void *arg);

#endif
