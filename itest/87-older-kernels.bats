#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
#
# Kernels that have nothing of what netrelay uses only where it is there: see without.c.
# Each relay here has all of it refused at once; itself, its helper and its broker.

load helpers
load stations

setup()
{
	common_setup
	needs_root
	ns_add lab
	no_ipv6 lab
}

# older_start NAME ARGS...: a relay in lab, for which the kernel refuses all of it.
older_start()
{
	start "$1" in lab env LACKS=all "$LAB_ROOT/build/without" "$NETRELAY" -v "${@:2}"
}

# unconfined NAME: it has given up what it can without such a kernel, and says so.
unconfined()
{
	wait_for 5 "$1 to be confined" has_logged "$1" \
		"confined: no capabilities, Landlock 0, all system calls"
}

# is_quiet NAME: whether a process is hardly woken for 0.3 s; the timer does so 15 times or more.
is_quiet()
{
	local before after

	before=$(grep ^voluntary "/proc/$(pid_of "$1")/status")
	read -rt 0.3 <>"$DIR/.hold" || true
	after=$(grep ^voluntary "/proc/$(pid_of "$1")/status")
	((${after##*[!0-9]} - ${before##*[!0-9]} < 10))
}

@test "older kernels: a cable between TCP and UDP" {
	older_start cable tcp-listen:127.0.0.1:5001 6001::6002
	unconfined cable
	wait_listen lab tcp 5001
	frames_start udp in lab recv udp:127.0.0.1:6001,local=127.0.0.1:6002 --count 200 --lossless
	run -0 ns lab "$FRAMES" send tcp:127.0.0.1:5001 --count 200 --rate 2000
	run -0 frames_wait udp
	frames_start tcp in lab recv tcp:127.0.0.1:5001 --count 200 --lossless
	relay_wait_up cable 2
	run -0 ns lab "$FRAMES" send udp:127.0.0.1:6001,local=127.0.0.1:6002 --count 200 --rate 2000
	run -0 frames_wait tcp
	relay_check_sums cable
	run -0 relay_stop cable
}

@test "older kernels: a switch on all addresses, a trunk and a command" {
	relay_start far in lab -l 5002 -l "unix-listen:$DIR/far"
	wait_listen lab tcp 5002
	older_start one -l 5000 trunk:localhost:5002 "exec:exec socat - UNIX-CONNECT:$DIR/c"
	unconfined one
	wait_listen lab tcp 5000
	frames_start command in lab recv "unix-listen:$DIR/c" --count 1 --timeout 30
	stations a=5000 b=5000
	station_start c in lab "tcp:127.0.0.1:5002"
	converse a b
	converse a c 20
	run -0 relay_stop one
}

# IPv6 is refused: a listener says why, and the others go on.
@test "older kernels: an address of IPv6 is a mistake that is told" {
	run -1 ns lab env LACKS=all "$LAB_ROOT/build/without" "$NETRELAY" -l '[::1]:5000'
	assert_output --partial "[::1]:5000"
	assert_output --partial "Address family not supported by protocol"
}

#   lab: client --- TCP 5000 --- netrelay --- netrelay0 --- br0 --- m0 --- m1 :far
@test "older kernels: a bridge, and TCP from a tap without offloads" {
	needs_tun
	ns_add far
	no_ipv6 far
	veth_pair lab m0 far m1
	quiet_bridge lab br0
	bridge_port lab br0 m0
	older_start relay -l 127.0.0.1:5000 br0
	unconfined relay
	relay_wait_up relay 1
	frames_start m1 in far recv if:m1 --count 200 --linger 100 --lossless --padded
	run -0 ns lab "$FRAMES" send tcp:127.0.0.1:5000 --count 200 --linger 100
	run -0 frames_wait m1
	frames_start client in lab recv tcp:127.0.0.1:5000 --count 200 --linger 100 --lossless
	relay_wait_up relay 2
	ns far "$FRAMES" send if:m1 --count 200 --linger 100
	run -0 frames_wait client
	relay_check_sums relay
	run -0 relay_stop relay
	has_no_link lab netrelay0
}

#   s1: e0 10.0.0.1 --- br0 - netrelay one === netrelay two - br0 --- e0 10.0.0.2 :s2
@test "older kernels: TCP between two bridges, one of whose kernels is older" {
	hosts
	bridged_hosts
	start one in h1 env LACKS=all "$LAB_ROOT/build/without" "$NETRELAY" -v br0 -l 192.0.2.1:5000
	wait_listen h1 tcp 5000
	two br0 trunk:192.0.2.1:5000
	relay_wait_up one 2 10
	start server in s2 iperf3 -s -1
	wait_listen s2 tcp 5201
	run -0 ns s1 timeout 60 iperf3 -c 10.0.0.2 -n 4M
	start server6 in s1 iperf3 -s -1
	wait_listen s1 tcp 5201
	run -0 ns s2 timeout 60 iperf3 -c 10.0.0.1 -n 4M
	relay_check_sums one
}

#   hostile clients --- unix sockets --- netrelay --- TCP: stations a and b
@test "older kernels: whoever sends descriptors that take long to close ends only their own port" {
	start relay in lab env LACKS=passrights "$LAB_ROOT/build/without" "$NETRELAY" -v \
		-l 127.0.0.1:5000 -l "unix-listen:$DIR/s" -l "unix-listen:$DIR/few,max=1" \
		"unixgram:$DIR/far,local=$DIR/own" --ctl "$DIR/ctl"
	wait_listen lab tcp 5000
	wait_for 5 "a control socket" test -S "$DIR/ctl"
	stations a=5000 b=5000
	converse a b
	# Meanwhile the relay reads nothing, or the hostile one might be the last to close.
	kill -STOP "$(pid_of relay)"
	START_IN=hold start hostile in lab "$LAB_ROOT/itest/linger" 5 \
		"$DIR/s" "$DIR/few" "$DIR/own" "$DIR/ctl"
	wait_for 30 "descriptors that are sent" grep -qx "sent 20" "$DIR/hostile.out"
	kill -CONT "$(pid_of relay)"
	converse a b 10
	wait_for 10 "the hostile ports to end" has_logged relay \
		"unix:$DIR/s#[0-9]*: .*the peer sends descriptors, which nobody takes" 5
	station_send a 1 "$(mac b)" after
	station_wait b after 1
	# Nothing wakes it when there is nothing to do.
	wait_for 10 "its timer to stop" is_quiet relay
	run -0 relay_stop relay
}
