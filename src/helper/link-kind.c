/* SPDX-License-Identifier: MIT */
/*
 * Explains an interface that was named as a bridge but is none: an Open vSwitch
 * bridge, a network card, a bond. Each text says what the interface is and what to use
 * instead. In the texts @ stands for the interface's name, and # for its kind.
 *
 * #syscalls: access
 */
#include "helper/link-kind.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/util.h"

#define ON_A_BRIDGE                                                  \
	"put it on one: ip link add br0 type bridge; ip link set @ " \
	"master br0; ip link set br0 up; then use br0"

static const char wireless[] =
	"@ is a wireless interface, not a bridge, and no bridge takes it; give br0 an "
	"address of its own, have the host route, and use br0";
static const char tap[] =
	"@ is a tap, not a bridge; use tap:@ or bridge:NAME,tap=@, or if it is Open "
	"vSwitch's: tap:nr0, and as root: ovs-vsctl add-port @ nr0";
static const char other[] = "@ is a #, not a bridge; " ON_A_BRIDGE;
static const char macvtap[] =
	"@ is a macvtap; use fd:3, and 3<>/dev/tap$(cat /sys/class/net/@/ifindex)";

static const struct {
	const char *kind, *text;
} kinds[] = {
	{ "openvswitch", "@ is an Open vSwitch bridge; use tap:nr0, and as root: "
			 "ovs-vsctl add-port @ nr0" },
	{ "macvtap", macvtap },
	{ "tun", "@ is a tun, which carries IP packets, not frames; use a bridge or a "
		 "tap" },
	{ "wireguard", "@ is a WireGuard tunnel, which carries IP packets, not frames; "
		       "use tcp: or udp: through it" },
	{ "", "@ is a network interface, not a bridge; " ON_A_BRIDGE
	      ", with the host's addresses on that" },
};

/* Copy @text to @why with @ and # replaced. */
static void expand(const char *text, const struct nl_link *link, char *why, size_t size)
{
	size_t len = 0;

	why[0] = '\0';
	for (; *text && len + 1 < size; text++) {
		char letter[] = { *text, '\0' };
		const char *piece = *text == '@'   ? link->name
				    : *text == '#' ? link->kind
						   : letter;
		int n = snprintf(why + len, size - len, "%s", piece);

		len += min_size((size_t)n, size - len - 1);
	}
}

void link_no_bridge(const struct nl_link *link, bool is_wireless, char *why, size_t size)
{
	const char *text = is_wireless ? wireless : link->is_tap ? tap : other;

	for (size_t i = 0; text == other && i < ARRAY_SIZE(kinds); i++)
		if (!strcmp(kinds[i].kind, link->kind))
			text = kinds[i].text;
	expand(text, link, why, size);
}

void link_no_tap(const struct nl_link *link, char *why, size_t size)
{
	const char *text = !strcmp(link->kind, "macvtap")
				   ? macvtap
				   : "@ exists, and is not a tap; take another name";

	expand(text, link, why, size);
}

bool link_is_wireless(const char *name)
{
	char path[sizeof("/sys/class/net//phy80211") + IFNAMSIZ];

	snprintf(path, sizeof(path), "/sys/class/net/%s/phy80211", name);
	return !access(path, F_OK);
}
