/* SPDX-License-Identifier: MIT */
/*
 * port-mcast.c: the group over IPv4 and IPv6, by the interface that is named or that the
 * route names, and what happens when that is another one. In a network namespace of its
 * own; where none can be made, nothing is checked.
 */
#include <net/route.h>

#include <linux/if_tun.h>

#include "lib/fault.h"
#include "lib/leap.h"
#include "lib/live.h"
#include "lib/netns.h"
#include "lib/tap.h"
#include "lib/without.h"

#define LEN 60
#define LOOK_S 8 /* IDLE_MS of port-mcast.c */

static unsigned brought;

static void count_frame(const struct frame *f)
{
	brought += f->len == LEN;
}

static void begin(const char *text)
{
	brought = 0;
	live_begin(count_frame);
	live_open(text);
}

static void end(void)
{
	live_close();
	live_end();
}

/* Another member of ff02::1 at port 5001 of mc0, which also sends to it. */
static int other_member(struct sockaddr_in6 *group)
{
	int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	struct ipv6_mreq mreq = { .ipv6mr_interface = if_nametoindex("mc0") };

	*group = (struct sockaddr_in6){ .sin6_family = AF_INET6,
					.sin6_port = htons(5001),
					.sin6_scope_id = mreq.ipv6mr_interface };
	inet_pton(AF_INET6, "ff02::1", &group->sin6_addr);
	mreq.ipv6mr_multiaddr = group->sin6_addr;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){ 1 }, sizeof(int));
	if (bind(fd, (struct sockaddr *)group, sizeof(*group)) < 0 ||
	    setsockopt(fd, IPPROTO_IPV6, IPV6_JOIN_GROUP, &mreq, sizeof(mreq)) < 0 ||
	    setsockopt(fd, IPPROTO_IPV6, IPV6_MULTICAST_IF, &mreq.ipv6mr_interface,
		       sizeof(int)) < 0)
		abort();
	return fd;
}

/* A link with a carrier, and an address at once. Return: what it goes with; -1. */
static int make_link(void)
{
	struct ifreq ifr = { .ifr_name = "mc0", .ifr_flags = IFF_TAP | IFF_NO_PI };
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);

	if (access("/proc/sys/net/ipv6", X_OK) < 0)
		return -1;
	netns_write("/proc/sys/net/ipv6/conf/default/accept_dad", "0");
	if (ioctl(fd, TUNSETIFF, &ifr) < 0 || !netns_set_up("mc0"))
		abort();
	return fd;
}

static void test_ipv6(void)
{
	int link = make_link(), fd;
	struct sockaddr_in6 group;
	uint8_t data[LEN] = { 0 }, got[2 * LEN];

	if (link < 0)
		return;
	if (is_without("ipv6")) {
		begin("mcast:[ff02::1]:5001,if=mc0");
		ok(live_went_down("Address family not supported by protocol"),
		   "a group of IPv6, where there is none");
		end();
		close(link);
		return;
	}
	fd = other_member(&group);
	begin("mcast:[ff02::1]:5001,if=mc0");
	ok(live_is_up(), "a group of IPv6");
	port_send(live.port, &(struct frame){ .data = data, .len = LEN });
	port_flush(live.port);
	ok_eq_int(recv(fd, got, sizeof(got), 0), LEN, "others hear us");
	sendto(fd, data, sizeof(data), 0, (struct sockaddr *)&group, sizeof(group));
	live_until(brought);
	ok_eq_int(brought, 1, "we hear others, and not ourselves");
	end();
	close(fd);
	close(link);
	begin("mcast:[ff02::1]:5001,if=none0");
	ok(live_went_down("if=none0: there is no such interface"), "by no interface");
	end();
}

static void set_route(unsigned long request, const char *device)
{
	struct sockaddr_in to = { .sin_family = AF_INET }, mask = to;
	struct rtentry rt = { .rt_flags = RTF_UP, .rt_dev = (char *)(uintptr_t)device };

	inet_pton(AF_INET, "230.0.0.0", &to.sin_addr);
	inet_pton(AF_INET, "255.0.0.0", &mask.sin_addr);
	memcpy(&rt.rt_dst, &to, sizeof(to));
	memcpy(&rt.rt_genmask, &mask, sizeof(mask));
	if (netns_ioctl(request, &rt) < 0)
		abort();
}

static void test_no_route(void)
{
	begin("mcast:230.0.0.1:5001");
	ok(live_went_down("join the group: No such device; it needs a route for "
			  "multicast, or if="),
	   "no route leads to the group");
	set_route(SIOCADDRT, "br0");
	leap(&live.taker.loop, 5);
	ok(live_is_up(), "now one does");
	end();
}

static void look(void)
{
	leap(&live.taker.loop, LOOK_S);
	turn(&live.taker.loop);
}

static void test_other_route(void)
{
	begin("mcast:230.0.0.1:5001");
	live_is_up();
	for (unsigned i = 0; i < 3; i++)
		look();
	ok_eq_int(live.downs, 0, "as long as the route is the same, it stays up");
	set_route(SIOCDELRT, "br0");
	set_route(SIOCADDRT, "br1");
	look();
	ok(live_went_down("the route to the group has changed"), "it leads elsewhere");
	leap(&live.taker.loop, 5);
	ok(live_is_up(), "that is where it goes");
	live_forget();
	fault_arm(FAULT_socket, 1, EMFILE);
	look();
	ok(fault_disarm() && !live.downs,
	   "without a descriptor nothing can be found out");
	set_route(SIOCDELRT, "br1");
	look();
	ok(live_went_down("join the group: No such device"), "it leads nowhere");
	end();
}

static void test_interface(void)
{
	begin("mcast:230.0.0.1:5001,if=10.1.0.1");
	ok(live_is_up(), "by the interface that has an address");
	for (unsigned i = 0; i < 2; i++)
		look();
	netns_bridge_del("br1");
	look();
	ok(live_went_down("No such device"), "which goes: %s", live.why);
	end();
}

int main(void)
{
	if (!netns_or_skip())
		return 0;
	live_prepare();
	if (!netns_bridge("br0") || !netns_bridge("br1"))
		return 1;
	netns_address("br0", "10.0.0.1");
	netns_address("br1", "10.1.0.1");
	test_ipv6();
	test_no_route();
	test_other_route();
	test_interface();
	return done();
}
