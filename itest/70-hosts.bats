#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
#
# From host to host: two namespaces h1 and h2, a link between them whose MTU is
# smaller than the frames, and bridges on both that a netrelay on each joins.
# What is sent from one end to the other comes whole, over TCP, UDP and a
# command's pipe, over both versions of IP.

load helpers

# routed_hosts MTU: the hosts do not see it, it is that of the routers' link.
#
#   h1: l0 192.0.2.1 ---- left0 :left: left1 == MTU == right1 :right: right0 ---- l0 192.0.3.1 :h2
#       2001:db8:1::1                                                       2001:db8:3::1
routed_hosts()
{
	local where

	ns_add h1 left right h2
	veth_pair h1 l0 left left0 192.0.2.1/24 192.0.2.254/24
	veth_pair left left1 right right1 198.51.100.1/24 198.51.100.2/24
	veth_pair right right0 h2 l0 192.0.3.254/24 192.0.3.1/24
	add_v6 h1 l0 2001:db8:1::1 left left0 2001:db8:1::ff
	add_v6 left left1 2001:db8:2::1 right right1 2001:db8:2::2
	add_v6 right right0 2001:db8:3::ff h2 l0 2001:db8:3::1
	for where in left right; do
		ns "$where" sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward
			echo 1 >/proc/sys/net/ipv6/conf/all/forwarding'
	done
	ns h1 ip route add default via 192.0.2.254
	ns h2 ip route add default via 192.0.3.254
	ns left ip route add 192.0.3.0/24 via 198.51.100.2
	ns right ip route add 192.0.2.0/24 via 198.51.100.1
	ns h1 ip route add default via 2001:db8:1::ff
	ns h2 ip route add default via 2001:db8:3::ff
	ns left ip route add 2001:db8:3::/64 via 2001:db8:2::2
	ns right ip route add 2001:db8:1::/64 via 2001:db8:2::1
	# With less than 1280 there is no IPv6 on it any more.
	ns left ip link set left1 mtu "$1"
	ns right ip link set right1 mtu "$1"
}

# add_v6 NS1 IF1 ADDR1 NS2 IF2 ADDR2
add_v6()
{
	ns "$1" ip addr add "$3/64" dev "$2" nodad
	ns "$4" ip addr add "$6/64" dev "$5" nodad
}

# joined: the stations reach each other as if they had one wire.
joined()
{
	relay_wait_up one 2 10
	relay_wait_up two 2 10
	ns s1 ping -c 3 -i 0.2 -W 5 10.0.0.2
	ns s2 ping -c 3 -i 0.2 -W 5 fd00::1
	as_long_as_can_be
	whole s1 s2
	whole s2 s1
	relay_check_sums one
	relay_check_sums two
}

# Frames of 1514 bytes; none may be split on the way.
as_long_as_can_be()
{
	ns s1 ping -c 2 -i 0.2 -W 5 -M "do" -s 1472 10.0.0.2
	ns s2 ping -c 2 -i 0.2 -W 5 -M "do" -s 1452 fd00::1
}

# whole FROM TO: frames of all sizes arrive there, each of them, unchanged.
whole()
{
	frames_start rx in "$2" recv if:e0 --count 300 --linger 100 --lossless
	ns "$1" "$FRAMES" send if:e0 --count 300 --rate 3000
	frames_wait rx
}

@test "bridge to bridge over TCP and a link with an MTU of 600" {
	hosts 600
	bridged_hosts
	one -l 5000 br0
	two -l 5000 br0 tcp:192.0.2.1:5000
	joined
}

@test "bridge to bridge over TCP on IPv6 and a link with an MTU of 1280" {
	hosts 1280
	bridged_hosts
	one -l 5000 br0
	two br0 '[2001:db8:1::1]:5000'
	joined
}

@test "bridge to bridge over a trunk and a link with an MTU of 600" {
	hosts 600
	bridged_hosts
	one -l 5000 br0
	two br0 trunk:192.0.2.1:5000
	joined
}

@test "bridge to bridge over UDP and a link with an MTU of 600" {
	hosts 600
	bridged_hosts
	one br0 udp:192.0.2.2:5001,local=192.0.2.1:5000
	two 5001:192.0.2.1:5000 br0
	joined
}

@test "bridge to bridge over UDP on IPv6 and a link with an MTU of 1280" {
	hosts 1280
	bridged_hosts
	one br0 'udp:[2001:db8:1::2]:5000'
	two '5000:[2001:db8:1::1]:' br0
	joined
}

@test "bridge to bridge by a command that runs netrelay on the other host" {
	hosts 600
	bridged_hosts
	one br0 "exec:ip netns exec $(ns_name h2) '$NETRELAY' - br0"
	relay_wait_up one 2 10
	wait_for 10 "tap at h2" has_tap h2
	ns s1 ping -c 3 -i 0.2 -W 5 10.0.0.2
	as_long_as_can_be
	whole s1 s2
	whole s2 s1
	relay_check_sums one
	kill -KILL "$(pgrep -x netrelay --ns "$(far_pid)" --nslist net)"
	wait_for 10 "end of the tap at h2" has_no_tap h2
	wait_for 10 "tap at h2" has_tap h2
	wait_for 10 "an answer again" as_long_as_can_be
	run -0 relay_stop one
	wait_for 5 "end of the tap at h2" has_no_tap h2
}

# A process of h2.
far_pid()
{
	ip netns pids "$(ns_name h2)" | head -n 1
}

has_tap()
{
	bridge_ports "$1" br0 | grep -q '^netrelay'
}

has_no_tap()
{
	local ports

	ports=$(bridge_ports "$1" br0) && ! grep -q '^netrelay' <<<"$ports"
}

@test "over a router with an MTU smaller than the hosts', over TCP" {
	routed_hosts 600
	bridged_hosts
	one -l 5000 br0
	two br0 192.0.2.1:5000
	joined
}

@test "over a router with an MTU smaller than the hosts', over UDP" {
	routed_hosts 600
	bridged_hosts
	one br0 udp:192.0.3.1:5000
	two br0 udp:192.0.2.1:5000
	joined
}

# With IPv6 a router does not split: the first packets too long for it are lost,
# and tell.
@test "over a router with an MTU smaller than the hosts', on IPv6" {
	routed_hosts 1280
	bridged_hosts
	one -l '[2001:db8:1::1]:5000' br0
	two br0 'tcp:[2001:db8:1::1]:5000'
	joined
	run -0 relay_stop one
	run -0 relay_stop two
	one br0 'udp:[2001:db8:3::1]:5000'
	two br0 'udp:[2001:db8:1::1]:5000'
	relay_wait_up one 2
	relay_wait_up two 2
	wait_for 10 "a long frame's arrival" as_long_as_can_be
	joined
}

# A server on each host, joined to one that has no bridge, which has a third.
#
#   s1 --- br0 - one :h1 ====== h2: two ====== h3: three - br0 --- s2
@test "servers joined in a row" {
	hosts 600
	ns_add h3 s1 s2
	needs_tun
	veth_pair h2 l1 h3 l0 192.0.3.2/24 192.0.3.3/24
	veth_pair s1 e0 h1 p0
	veth_pair s2 e0 h3 p0
	bridge_add h1 br0
	bridge_add h3 br0
	bridge_port h1 br0 p0
	bridge_port h3 br0 p0
	ns s1 ip addr add 10.0.0.1/24 dev e0
	ns s2 ip addr add 10.0.0.2/24 dev e0
	one -l 5000 br0
	two -l 5000 tcp:192.0.2.1:5000
	relay_start three in h3 -l 5000 br0 tcp:192.0.3.2:5000
	relay_wait_up one 2
	relay_wait_up two 2
	relay_wait_up three 2
	ns s1 ping -c 3 -i 0.2 -W 5 -M "do" -s 1472 10.0.0.2
	whole s1 s2
	whole s2 s1
	relay_check_sums one
	relay_check_sums two
	relay_check_sums three
}


# The kernel's own TCP, whose segments are of 1500 bytes, between the stations.
@test "a TCP connection between the stations brings every byte" {
	hosts 600
	bridged_hosts
	one -l 5000 br0
	two br0 192.0.2.1:5000
	relay_wait_up one 2
	relay_wait_up two 2
	head -c 20M /dev/urandom >"$DIR/data"
	start server in s2 socat -u TCP4-LISTEN:7000 OPEN:"$DIR/copy",creat
	wait_listen s2 tcp 7000
	ns s1 socat -u OPEN:"$DIR/data" TCP4:10.0.0.2:7000
	run -0 wait_end server 60
	cmp "$DIR/data" "$DIR/copy"
	relay_check_sums one
	relay_check_sums two
}

have_ipv6()
{
	local count="ip -6 addr | grep fe80: | grep -vc tentative"

	[[ $(guest a "$count") == 2 && $(guest b "$count") == 2 ]]
}

#   guest a nic1 - one :h1 ====== TCP, MTU 600 ====== h2: two - nic1 guest b
#           nic2 - udp1 ========= UDP, MTU 600 ========== udp2 - nic2
# bats test_tags=slow
@test "a guest on each host, over TCP and over UDP" {
	hosts 600
	one -l 127.0.0.1:5000 -l 192.0.2.1:5000
	two -l unix-listen:"$DIR/two" 192.0.2.1:5000
	relay_start udp1 in h1 tcp-listen:127.0.0.1:5001 udp:192.0.2.2:5002
	relay_start udp2 in h2 127.0.0.1:5001 udp:192.0.2.1:5002
	wait_listen h1 tcp 5000
	wait_listen h1 tcp 5001
	wait_listen h2 unix "$DIR/two"
	guest_start a in h1 -- socket,connect=127.0.0.1:5000 socket,connect=127.0.0.1:5001
	guest_start b in h2 -- "stream,server=off,addr.type=unix,addr.path=$DIR/two" \
		socket,listen=127.0.0.1:5001
	guest_wait a
	guest_wait b
	for nic in 1 2; do
		guest_nic a "$nic" "10.0.$nic.1/24"
		guest_nic b "$nic" "10.0.$nic.2/24"
	done
	wait_for 10 "IPv6 in the guests" have_ipv6
	relay_wait_up two 2
	relay_wait_up udp2 2 10
	for nic in 1 2; do
		guest_ping a "10.0.$nic.2"
		guest_ping a "10.0.$nic.2" 1472
		guest_ping b "fe80::5054:ff:fe6e:10$nic%nic$nic" 1452
	done
	for name in one two udp1 udp2; do
		relay_check_sums "$name"
	done
}
