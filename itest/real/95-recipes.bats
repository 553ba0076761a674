#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
#
# Recipes of doc/recipes.md that join two hosts, walked with the programs that they name:
#
#   near: br0 10.0.0.1   l0 192.0.2.1 ====== l0 192.0.2.2   br0 10.0.0.2 :far
#
# libvirt's, Open vSwitch's and ssh's are in the files of these, and the others in
# itest/91-recipes.bats.

load ../helpers
load ../recipes
load hosts

namespaces near far

setup()
{
	real_setup
	wire near far
}

# two_hosts: on each its own /etc, and a bridge.
two_hosts()
{
	host_start near
	host_start far
	bridge_add near br0 10.0.0.1/24
	bridge_add far br0 10.0.0.2/24
}

# --- WireGuard --------------------------------------------------------------

# wireguard HOST LABEL: its configuration, with keys in place of the words for them.
wireguard()
{
	on "$1" mkdir -p /etc/wireguard
	recipe "$2" | sed "s#PRIVATE-KEY-OF-A#$(cat "$DIR/a.key")#; s#PRIVATE-KEY-OF-B#$(cat "$DIR/b.key")#
		s#PUBLIC-KEY-OF-A#$(cat "$DIR/a.pub")#; s#PUBLIC-KEY-OF-B#$(cat "$DIR/b.pub")#" |
		on "$1" sh -c 'umask 077; cat >/etc/wireguard/wg0.conf'
	walk "$1" wg-up
}

@test "recipe: two bridges joined by a trunk in WireGuard; the VPN comes last, and again" {
	local side

	two_hosts
	for side in a b; do
		on near wg genkey >"$DIR/$side.key"
		on near wg pubkey <"$DIR/$side.key" >"$DIR/$side.pub"
	done
	walk far wg-dial
	wireguard far wg-b
	wireguard near wg-a
	walk near wg-listen
	passes near 10.0.0.1 far 10.0.0.2 30
	on near wg show | grep -q 'latest handshake'
	ns near ping -c 2 -i 0.2 -W 2 -M "do" -s 1472 10.0.0.2
	on far wg-quick down wg0
	walk far wg-up
	passes near 10.0.0.1 far 10.0.0.2 30
}

# --- a bridge without root --------------------------------------------------

# In place of what 91-recipes.bats has of it, here all of it is done: /usr/local, /etc and
# /dev/net/tun are those of the host near.
#
#   far: e0 10.0.0.2 --- netrelay --- l0 === l0 --- nobody's netrelay --- br0 10.0.0.1 :near
@test "recipe: an access list, installed, and used by nobody" {
	needs setcap
	host_start near
	bridge_add near br0 10.0.0.1/24
	on near sh -c 'mount -t tmpfs local /usr/local && mknod -m 666 /run/tun c 10 200 &&
		mount --bind /run/tun /dev/net/tun && mkdir -m 1777 /run/open'
	recipe_tools
	recipe_tool make "exec '$(command -v make)' -s -C '$LAB_ROOT' \"\$@\""
	recipe_tool netrelay "exec setpriv --reuid=65534 --regid=65534 --clear-groups --inh-caps=-all \\" \
		"/usr/local/bin/netrelay \"\$@\""
	walk near list-admin s/alice/nobody/
	walk near list-user "s#~/relay.ctl#/run/open/relay.ctl#; s/127.0.0.1/192.0.2.1/"
	grep -q 'allows bridge br0 to user 65534' "$DIR/list-user-1.out"
	relay_start guest in far tap:e0 192.0.2.1:5000
	address far e0 10.0.0.2/24
	passes far 10.0.0.2 near 10.0.0.1
	on near /usr/local/bin/netrelay ctl /run/open/relay.ctl status | grep -q 'switch, 2 ports'
}

# --- GNS3 -------------------------------------------------------------------

@test "recipe: GNS3's UDP, as a stand-in for ubridge does" {
	start ubridge in far "$REAL/stand-in" ubridge e0 20001 192.0.2.1 20000
	walk near gns3-udp
	relay_start mine in near tap:nr0 127.0.0.1:5000
	address near nr0 10.0.0.1/24
	address far e0 10.0.0.2/24
	passes near 10.0.0.1 far 10.0.0.2
}

# --- Wireshark --------------------------------------------------------------

# sees NAME: what tshark shows has a ping at port 1 and its answer.
sees()
{
	grep -q "icmp" "$DIR/$1.out"
}

@test "recipe: Wireshark from the start, later, and from another host" {
	needs tshark
	recipe_tools
	recipe_tool wireshark shift \
		"exec tshark -n -l -T fields -e frame.interface_name -e frame.protocols \"\$@\" 2>/dev/null"
	recipe_tool ssh 'shift' "exec ip netns exec '$(ns_name near)' \"\$@\""
	walk near wireshark-start s/127.0.0.1/192.0.2.1/
	# As --ctl of the relay that the other host asks.
	ln -s relay.ctl "$DIR/netrelay.ctl"
	relay_start a in near tap:a0 192.0.2.1:5000
	relay_start b in far tap:b0 192.0.2.1:5000
	address near a0 10.0.0.1/24
	address far b0 10.0.0.2/24
	wait_ping near 10.0.0.2
	walk near wireshark-later
	walk far wireshark-remote
	start pings in near ping -i 0.2 10.0.0.2
	for each in wireshark-start-1 wireshark-later-1 wireshark-remote-1; do
		wait_for 20 "pings in $each" sees "$each"
	done
	dismiss pings
	run -0 cut -f1 "$DIR/wireshark-later-1.out"
	assert_output --partial "tcp:192.0.2."
}

# --- PPPoE ------------------------------------------------------------------

# There is no /dev/ppp for what follows that.
@test "recipe: PPPoE's discovery passes between bridges with an MTU of 1508" {
	two_hosts
	walk near pppoe-bridge
	walk far pppoe-bridge
	walk far jumbo-listen
	walk near jumbo-dial
	wait_ping near 10.0.0.2
	host_daemon far server pppoe-server -F -I br0 -C provider
	wait_for 20 "an offer" _is_offered
	ns near ping -c 2 -i 0.2 -W 2 -M "do" -s 1480 10.0.0.2
}

_is_offered()
{
	on near timeout 5 pppoe-discovery -I br0 -t 1 -a 1 >"$DIR/offer" 2>&1
	grep -q 'Access-Concentrator: provider' "$DIR/offer"
}
