#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
#
# What the manual says of QEMU, and of a macvtap.

load ../helpers
load hosts

@test "QEMU 7.2 whose connect= is refused says nothing, and stays without a network" {
	local port version

	needs qemu-system-x86_64
	version=$(qemu-system-x86_64 --version | sed -nE '1s/.*version ([0-9]+\.[0-9]+).*/\1/p')
	[[ $version == 7.2 ]] || skip "this is QEMU $version"
	port=$(free_port)
	start qemu qemu-system-x86_64 -M pc -m 16 -nodefaults -display none -S \
		-qmp "unix:$DIR/qmp,server,nowait" -netdev "socket,id=n,connect=127.0.0.1:$port" -device virtio-net-pci,netdev=n,romfile=
	wait_for 10 "QEMU" test -S "$DIR/qmp"
	relay_start relay -v -l "127.0.0.1:$port"
	wait_listen - tcp "$port"
	# QEMU is there to be asked, and asks for nothing itself.
	START_IN=hold start monitor socat - "UNIX:$DIR/qmp"
	wait_for 10 "QEMU's greeting" grep -q '"QMP"' "$DIR/monitor.out"
	is_running qemu
	assert_equal "$(cat "$DIR/qemu.err")" ""
	run relay_status relay
	assert_output --partial "0 connected, 0 accepted so far"
}

# A macvtap is a tap that the kernel ties to an interface: no bridge is needed.
# What makes it, and the relay at it, is the manual's example.
#
#   guest: e0 10.0.0.3 --- netrelay --- g0 192.0.2.2 === g0 192.0.2.1 --- netrelay --- guest0
#                                                                             l0 ------/ :lab
#                                                          far: l0 10.0.0.2 --/
macvtap()
{
	local block

	ns_add lab far guest
	veth_pair lab g0 guest g0 192.0.2.1/24 192.0.2.2/24
	veth_pair lab l0 far l0
	ns far ip addr add 10.0.0.2/24 dev l0
	block=$(manual_block macvtap | sed "s/eth0/l0/; s/mode bridge/mode $1/
		s#^netrelay#exec '$NETRELAY' -v#")
	start relay in lab bash -ec "$block"
	wait_listen lab tcp 5000
	relay_start guest in guest -v tap:e0 tcp:192.0.2.1:5000
	address guest e0 10.0.0.3/24
}

@test "a macvtap is an fd: endpoint, for a guest that has its address" {
	macvtap bridge
	ns guest ip link set e0 address "$(ns lab cat /sys/class/net/guest0/address)"
	passes guest 10.0.0.3 far 10.0.0.2
	relay_check_sums relay
}

@test "a macvtap of mode passthru, for guests of any address" {
	macvtap passthru
	passes guest 10.0.0.3 far 10.0.0.2
	relay_check_sums relay
}

_is_not_up()
{
	! relay_status relay | grep -q 'fd:3: up'
}

@test "a macvtap that is deleted is not up any more" {
	macvtap bridge
	relay_wait_up relay 2
	ns lab ip link del guest0
	wait_for 10 "fd:3 not to be up" _is_not_up
	is_running relay
}
