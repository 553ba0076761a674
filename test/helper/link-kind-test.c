/* SPDX-License-Identifier: MIT */
/* link-kind.c: what people are told who take something else for a bridge or a tap. */
#include "helper/link-kind.h"

#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "lib/tap.h"

static const struct {
	struct nl_link link;
	bool is_wireless;
	const char *text;
} bridges[] = {
	{ { .name = "ovs-br0", .kind = "openvswitch" },
	  false,
	  "ovs-br0 is an Open vSwitch bridge; use tap:nr0, and as root: ovs-vsctl add-port "
	  "ovs-br0 nr0" },
	{ { .name = "bond0", .kind = "bond" },
	  false,
	  "bond0 is a bond, not a bridge; put it on one: ip link add br0 type bridge; ip link "
	  "set bond0 master br0; ip link set br0 up; then use br0" },
	{ { .name = "eth0" },
	  false,
	  "eth0 is a network interface, not a bridge; put it on one: ip link add br0 type "
	  "bridge; ip link set eth0 master br0; ip link set br0 up; then use br0, with the "
	  "host's addresses on that" },
	{ { .name = "wlan0" },
	  true,
	  "wlan0 is a wireless interface, not a bridge, and no bridge takes it; give br0 an "
	  "address of its own, have the host route, and use br0" },
	{ { .name = "macvtap0", .kind = "macvtap" },
	  false,
	  "macvtap0 is a macvtap; use fd:3, and 3<>/dev/tap$(cat "
	  "/sys/class/net/macvtap0/ifindex)" },
	{ { .name = "tap0", .kind = "tun", .is_tap = true },
	  false,
	  "tap0 is a tap, not a bridge; use tap:tap0 or bridge:NAME,tap=tap0, or if it is "
	  "Open vSwitch's: tap:nr0, and as root: ovs-vsctl add-port tap0 nr0" },
	{ { .name = "tun0", .kind = "tun" },
	  false,
	  "tun0 is a tun, which carries IP packets, not frames; use a bridge or a tap" },
	{ { .name = "wg0", .kind = "wireguard" },
	  false,
	  "wg0 is a WireGuard tunnel, which carries IP packets, not frames; use tcp: or udp: "
	  "through it" },
	{ { .name = "@#", .kind = "@" },
	  false,
	  "@# is a @, not a bridge; put it on one: ip link add br0 type bridge; ip link set @# "
	  "master br0; ip link set br0 up; then use br0" },
};

/* In memory of exactly its size, so that a sanitizer sees every byte too many. */
static void test_size(size_t size)
{
	struct nl_link link = { .name = "abcdefghijklmno" };
	char *why = malloc(size);

	if (!why)
		abort();
	link_no_bridge(&link, false, why, size);
	ok(strlen(why) < size, "cut off at %zu bytes: %s", size, why);
	free(why);
}

int main(void)
{
	const struct nl_link macvtap = { .name = "m0", .kind = "macvtap" };
	const struct nl_link veth = { .name = "m0", .kind = "veth" };
	char why[512];

	for (size_t i = 0; i < ARRAY_SIZE(bridges); i++) {
		link_no_bridge(&bridges[i].link, bridges[i].is_wireless, why,
			       sizeof(why));
		ok_eq_str(why, bridges[i].text, "no bridge: %s", bridges[i].link.name);
	}
	link_no_tap(&macvtap, why, sizeof(why));
	ok_eq_str(
		why,
		"m0 is a macvtap; use fd:3, and 3<>/dev/tap$(cat /sys/class/net/m0/ifindex)",
		"no tap: macvtap");
	link_no_tap(&veth, why, sizeof(why));
	ok_eq_str(why, "m0 exists, and is not a tap; take another name", "no tap: veth");
	for (size_t size = 1; size < 40; size++)
		test_size(size);
	ok(!link_is_wireless("lo"), "lo is not wireless");
	return done();
}
