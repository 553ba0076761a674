# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# Networks that the tests of several files use, in addition to those of lab.bash.

# no_ipv6 NS: turns IPv6 off for interfaces that are made later, so that the kernel sends no
# frames of its own.
no_ipv6()
{
	ns "$1" sh -c 'echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6'
}

# small_buffers NS: has TCP buffer little, so that a sender soon notices that its peer does
# not read. Segments are small as well: if only one or two fit a window, the sender may not
# be told when the window opens again, and asks half a minute later.
small_buffers()
{
	ns "$1" ip link set lo mtu 1500
	ns "$1" sh -c 'cd /proc/sys/net/ipv4 && echo 4096 65536 131072 >tcp_rmem &&
		echo 4096 16384 131072 >tcp_wmem'
}

# quiet_bridge NS NAME: makes a bridge that sends no frames of its own.
quiet_bridge()
{
	ns "$1" ip link add "$2" type bridge mcast_snooping 0
	ns "$1" ip link set "$2" up
}

# link_word NS IF [WORD]: prints what "ip link" shows for IF, or only the word after WORD.
link_word()
{
	ns "$1" ip -details -o link show "$2" |
		awk -v word="${3-}" '!word { print }
			word { for (i = 1; i < NF; i++) if ($i == word) { print $(i + 1); exit } }'
}

has_link() # NS IF
{
	ns "$1" ip link show "$2" >/dev/null 2>&1
}

has_no_link() # NS IF
{
	ns "$1" true && ! has_link "$@"
}

# hosts [MTU]: makes two hosts, h1 and h2, joined by a wire.
#
#   h1: l0 192.0.2.1, 2001:db8:1::1 ====== MTU ====== l0 192.0.2.2, 2001:db8:1::2 :h2
hosts()
{
	local n

	ns_add h1 h2
	veth_pair h1 l0 h2 l0 192.0.2.1/24 192.0.2.2/24
	for n in 1 2; do
		ns "h$n" ip addr add "2001:db8:1::$n/64" dev l0 nodad
		ns "h$n" ip link set l0 mtu "${1:-1500}"
	done
}

# bridged_hosts: makes a bridge on each of these hosts, and a station behind it.
#
#   s1: e0 10.0.0.1, fd00::1 --- p0 - br0 :h1       h2: br0 - p0 --- e0 10.0.0.2, fd00::2 :s2
bridged_hosts()
{
	local n

	needs_tun
	ns_add s1 s2
	for n in 1 2; do
		veth_pair "s$n" e0 "h$n" p0
		bridge_add "h$n" br0
		bridge_port "h$n" br0 p0
		ns "s$n" ip addr add "10.0.0.$n/24" dev e0
		ns "s$n" ip addr add "fd00::$n/64" dev e0 nodad
	done
}

# one RELAY_ARGS..., two RELAY_ARGS...: start a netrelay on h1 and h2.
one()
{
	relay_start one in h1 -v "$@"
}

two()
{
	relay_start two in h2 -v "$@"
}
