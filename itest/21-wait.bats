#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
#
# --wait: what an endpoint lacks at the start comes later, and frames pass then.

load helpers

setup()
{
	common_setup
	ns_add a
}

# waits ENDPOINT MESSAGE: start a relay that waits for it.
waits()
{
	relay_start one in a -v --wait -l "unix-listen:$DIR/s" "$1"
	wait_for 5 "words" has_logged one "$2.*; trying again"
	# With the longest back-off, news is all that leads to a try soon.
	(($(log_lines one "trying again") == 1))
}

# passes ENDPOINT: of a far end, in namespace a.
passes()
{
	relay_wait_up one 1
	frames_start far in a recv "$1" --count 100
	run -0 "$FRAMES" send "unix:$DIR/s" --count 100
	run -0 frames_wait far
	run -0 relay_stop one
}

@test "a bridge" {
	needs_tun
	waits br0 "bridge br0 does not exist"
	bridge_add a br0
	relay_wait_up one 1
	frames_start far in a recv if:br0 --count 100
	run -0 "$FRAMES" send "unix:$DIR/s" --count 100
	run -0 frames_wait far
	run -0 relay_stop one
}

@test "the address of a UDP socket, and of a listener" {
	waits udp:127.0.0.1:5001,local=10.1.0.1:5002 "bind to 10.1.0.1:5002: .*address"
	ns a ip addr add 10.1.0.1/32 dev lo
	passes udp:10.1.0.1:5002,local=127.0.0.1:5001
	ns a ip addr del 10.1.0.1/32 dev lo
	relay_start one in a -v --wait -l 10.1.0.1:5000 -l "unix-listen:$DIR/s"
	wait_for 5 "words" has_logged one "listen: .*; trying again"
	ns a ip addr add 10.1.0.1/32 dev lo
	wait_listen a tcp 5000
	frames_start far in a recv tcp:10.1.0.1:5000 --count 100
	relay_wait_ports one 1
	run -0 "$FRAMES" send "unix:$DIR/s" --count 100
	run -0 frames_wait far
	run -0 relay_stop one
}

@test "an address that the kernel still asks the network for" {
	ns_add b
	veth_pair a v b v 192.0.2.1/24 192.0.2.2/24
	ns a sysctl -qw net.ipv6.conf.v.accept_dad=1 net.ipv6.conf.v.dad_transmits=3
	ns a ip addr add 2001:db8::1/64 dev v
	relay_start one in a -v --wait -l '[2001:db8::1]:5000' -l "unix-listen:$DIR/s" \
		'udp:[2001:db8::2]:5001,local=[2001:db8::1]:5001'
	wait_for 5 "words" has_logged one "listen: .*address.*; trying again"
	wait_for 5 "words" has_logged one "bind to .*address.*; trying again"
	wait_listen a tcp 5000
	frames_start far in a recv 'tcp:[2001:db8::1]:5000' --count 100
	relay_wait_up one 2
	run -0 "$FRAMES" send "unix:$DIR/s" --count 100
	run -0 frames_wait far
	run -0 relay_stop one
}

@test "a folder of unix sockets" {
	waits "unixgram:$DIR/new/far,local=$DIR/new/near" "bind to .*: No such file"
	mkdir "$DIR/new"
	passes "unixgram:$DIR/new/near,local=$DIR/new/far"
	rm -r "$DIR/new"
	relay_start one in a --wait -l "unix-listen:$DIR/new/s"
	wait_for 5 "words" has_logged one "listen: .*; trying again"
	mkdir "$DIR/new"
	wait_listen a unix "$DIR/new/s"
	run -0 relay_stop one
}

@test "an interface of a multicast group" {
	waits "mcast:[ff15::1]:5003,if=eth9" "there is no such interface"
	ns a ip link add eth9 type bridge
	ns a ip link set eth9 up
	relay_wait_up one 1
	run -0 relay_stop one
}

@test "a mistake ends it all the same, and without --wait so does what is missing" {
	run -1 ns a "$NETRELAY" --wait -l "unix-listen:$DIR/s" lo
	assert_output --partial "not a bridge"
	start rival in a "$NETRELAY" -l 5000
	wait_listen a tcp 5000
	run -1 ns a "$NETRELAY" --wait -l 5000
	assert_output --partial "listen: Address in use"
	run -0 stop rival
	run -1 ns a "$NETRELAY" -l "unix-listen:$DIR/s" udp:127.0.0.1:5001,local=10.1.0.1:5002
	run -1 ns a "$NETRELAY" -l 10.1.0.1:5000
	run -1 ns a "$NETRELAY" -l "unix-listen:$DIR/new/s"
}
