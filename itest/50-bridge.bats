#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
#
# Taps and bridges: what a tap of ours is like and what becomes of it, bridges
# and taps that go and come back, MTUs, and users without any right. The
# topology of nearly every test is that of lab().

load helpers

HELPER=/usr/lib/qemu/qemu-bridge-helper
AS_USER=$LAB_ROOT/itest/as-user
MAX_FRAME=18 # an Ethernet header and a VLAN tag, above the MTU

setup()
{
	common_setup
	needs_tun
}

# lab [MTU]: a bridge with a member, behind which frames can be sent and seen.
# Without IPv6, nobody sends any of his own accord.
#
#   lab: client --- TCP 5000 --- netrelay --- netrelay0 --- br0 --- m0
#                                                                   |
#   far:                                                            m1
lab()
{
	local where

	ns_add lab far
	for where in lab far; do
		no_ipv6 "$where"
	done
	veth_pair lab m0 far m1
	ns lab ip link set m0 mtu "${1:-1500}"
	ns far ip link set m1 mtu "${1:-1500}"
	make_bridge
}

make_bridge()
{
	quiet_bridge lab br0
	bridge_port lab br0 m0
}

relay_in_lab()
{
	relay_start relay in lab -v -l 127.0.0.1:5000 "$@"
	relay_wait_up relay 1
}

# carries [MAX]: frames pass between a client and m1, both ways, and none is lost.
carries()
{
	# All of them fit a queue, should the client be slow.
	local count=$((${1:-1514} > 2000 ? 50 : 200))
	local sizes=(--count "$count" --max "${1:-1514}" --linger 100)

	relay_wait_up relay 1
	frames_start m1 in far recv if:m1 "${sizes[@]}" --lossless --padded
	ns lab "$FRAMES" send tcp:127.0.0.1:5000 "${sizes[@]}"
	frames_wait m1
	relay_wait_up relay 1
	frames_start client in lab recv tcp:127.0.0.1:5000 "${sizes[@]}" --lossless --padded
	relay_wait_up relay 2
	ns far "$FRAMES" send if:m1 "${sizes[@]}"
	frames_wait client
	relay_check_sums relay
}

# The bridge's ports but m0.
taps()
{
	bridge_ports lab br0 | grep -vx m0
}

# twice_tagged BYTES [TYPE]: the same with a tag of another VLAN ahead, or what is like one.
twice_tagged()
{
	printf '%08xffffffffffff0200000000aa%s00098100000788b6%0*d' "$1" "${2:-88a8}" \
		$((($1 - 22) * 2)) 0
}

# tagged BYTES: a frame of VLAN 7, with its length word, as hexadecimal digits.
tagged()
{
	printf '%08xffffffffffff0200000000aa8100000788b6%0*d' "$1" $((($1 - 18) * 2)) 0
}

# --- the tap ----------------------------------------------------------------

@test "a bridge by its name: a tap of ours on it, up, that leaves it as it was" {
	local mac

	lab 1400
	mac=$(link_word lab br0 link/ether)
	relay_in_lab br0
	assert_equal "$(taps)" netrelay0
	assert_equal "$(link_word lab netrelay0 mtu)" 1400
	assert_equal "$(link_word lab br0 mtu)" 1400
	assert_regex "$(link_word lab netrelay0)" '[<,]UP[,>].*link/ether fe:.* tun type tap'
	assert_equal "$(link_word lab br0 link/ether)" "$mac"
	carries 1414
	run -0 relay_stop relay
	assert_equal "$(taps)" ""
	has_no_link lab netrelay0
	assert_equal "$(link_word lab br0 link/ether)" "$mac"
}

@test "a bridge with an MTU of 9000 has its tap take as much" {
	lab 9000
	relay_in_lab br0
	assert_equal "$(link_word lab netrelay0 mtu)" 9000
	carries 9014
}

@test "the tap is gone when the relay was killed" {
	lab
	relay_in_lab br0
	has_link lab netrelay0
	kill -KILL "$(pid_of relay)"
	run -137 wait_end relay
	wait_for 5 "end of the tap" has_no_link lab netrelay0
}

@test "bridge: with a name and an MTU for the tap" {
	lab
	relay_in_lab bridge:br0,tap=mine,mtu=1300
	assert_equal "$(taps)" mine
	assert_equal "$(link_word lab mine mtu)" 1300
	carries 1314
}

@test "a tap that was there keeps its MAC and MTU, gets its bridge, and stays" {
	local mac

	lab
	ns lab ip tuntap add tap0 mode tap
	ns lab ip link set tap0 mtu 1450
	mac=$(link_word lab tap0 link/ether)
	relay_in_lab bridge:br0,tap=tap0
	assert_equal "$(taps)" tap0
	assert_equal "$(link_word lab tap0 link/ether)" "$mac"
	assert_equal "$(link_word lab tap0 mtu)" 1500 # the bridge's, as it was not on it
	carries
	run -0 relay_stop relay
	has_link lab tap0
	ns lab ip link set tap0 mtu 1450
	relay_in_lab bridge:br0,tap=tap0
	assert_equal "$(link_word lab tap0 mtu)" 1450 # its own, as it was on the bridge
	carries 1464
}

@test "tap: makes one on no bridge, and removes it" {
	lab
	relay_in_lab tap:mine
	assert_equal "$(link_word lab mine master)" ""
	assert_regex "$(link_word lab mine)" '[<,]UP[,>].* tun type tap'
	ns lab ip link set mine master br0
	carries
	run -0 relay_stop relay
	has_no_link lab mine
}

@test "tap: uses one that was there, and leaves it" {
	local mac

	lab
	ns lab ip tuntap add tap0 mode tap
	bridge_port lab br0 tap0
	mac=$(link_word lab tap0 link/ether)
	relay_in_lab tap:tap0
	carries
	run -0 relay_stop relay
	assert_equal "$(link_word lab tap0 link/ether)" "$mac"
	assert_equal "$(taps)" tap0
}

#   lab: client --- one --- netrelay0 --- br0 --- netrelay1 --- two
@test "several relays on one bridge" {
	lab
	relay_in_lab br0
	# One after the other, for their taps are numbered as they come.
	relay_start two in lab br0 tcp-listen:127.0.0.1:5001
	relay_wait_up two 1
	relay_start three in lab br0 tcp-listen:127.0.0.1:5002
	relay_wait_up three 1
	assert_equal "$(taps | sort)" $'netrelay0\nnetrelay1\nnetrelay2'
	frames_start rx in lab recv tcp:127.0.0.1:5001 --count 300 --lossless
	frames_start third in lab recv tcp:127.0.0.1:5002 --count 300 --lossless
	relay_wait_up two 2
	relay_wait_up three 2
	ns lab "$FRAMES" send tcp:127.0.0.1:5000 --count 300
	run -0 frames_wait rx
	run -0 frames_wait third
	relay_check_sums relay
	relay_check_sums two
	relay_check_sums three
	run -0 relay_stop two
	assert_equal "$(taps | sort)" $'netrelay0\nnetrelay2'
	carries
}

# --- lengths ----------------------------------------------------------------

@test "a VLAN tag above the MTU passes, a byte more is too long and counted" {
	local mtu=1400 most

	most=$((mtu + MAX_FRAME))
	lab "$mtu"
	relay_in_lab br0
	start capture in far tcpdump -i m1 -e -c 1 vlan 7
	wait_for 10 "tcpdump to listen" grep -q '^listening on' "$DIR/capture.err"
	ns lab "$FRAMES" raw tcp:127.0.0.1:5000 --wait 0 "$(tagged "$((most + 1))")"
	ns lab "$FRAMES" raw tcp:127.0.0.1:5000 --wait 0 "$(tagged "$most")"
	run -0 wait_end capture
	assert_file_contains "$DIR/capture.out" "length $most: vlan 7,"
	ns lab "$FRAMES" send tcp:127.0.0.1:5000 --count 10 --min $((most + 1)) --max 9000
	wait_for 5 "drops of what was too long" has_drops relay too-long 11
	relay_check_sums relay
}

@test "two VLAN tags above the MTU pass, as they do from any other tap" {
	local most=$((1400 + MAX_FRAME + 4))

	lab 1400
	relay_in_lab br0
	start capture in far tcpdump -i m1 -e -c 1 vlan 9
	wait_for 10 "tcpdump to listen" grep -q '^listening on' "$DIR/capture.err"
	ns lab "$FRAMES" raw tcp:127.0.0.1:5000 --wait 0 "$(twice_tagged "$((most + 1))")"
	ns lab "$FRAMES" raw tcp:127.0.0.1:5000 --wait 0 "$(twice_tagged "$most" 88b7)"
	ns lab "$FRAMES" raw tcp:127.0.0.1:5000 --wait 0 "$(twice_tagged "$most")"
	run -0 wait_end capture
	assert_file_contains "$DIR/capture.out" "length $most: vlan 9,"
	wait_for 5 "drops of what was too long" has_drops relay too-long 2
	relay_check_sums relay
}

@test "a bridge's MTU that grows is the tap's too, unless that was given" {
	lab 1400
	ns lab ip link add mine type bridge mcast_snooping 0
	ns lab ip link set mine mtu 1300 up
	relay_in_lab br0
	relay_start other in lab -v -l 127.0.0.1:5001 bridge:mine,mtu=1300
	relay_wait_up other 1
	ns far ip link set m1 mtu 9000
	ns lab ip link set m0 mtu 9000
	ns lab ip link set br0 mtu 9000
	ns lab ip link set mine mtu 9000
	wait_for 5 "the tap's MTU" has_mtu netrelay0 9000
	carries 9014
	assert_equal "$(link_word lab netrelay1 mtu)" 1300
	# Smaller again: what is sent still goes as far as it can.
	ns lab ip link set br0 mtu 1400
	ns lab ip link set br0 mtu 2000
	carries 1414
	assert_equal "$(link_word lab netrelay0 mtu)" 9000
	assert_equal "$(grep -c "br0: up$" "$DIR/relay.err")" 1
}

has_mtu()
{
	[[ $(link_word lab "$1" mtu) == "$2" ]]
}

@test "a tap's new MTU is heard of" {
	lab 1400
	relay_in_lab br0
	ns lab ip link set netrelay0 mtu 1000
	ns lab "$FRAMES" send tcp:127.0.0.1:5000 --count 5 --min 1019 --max 1019
	wait_for 5 "drops of what is too long now" has_drops relay too-long 5
	ns lab ip link set netrelay0 mtu 1400
	carries 1414
	has_drops relay too-long 5
}

# --- what comes and goes ----------------------------------------------------

is_down()
{
	relay_status relay | grep -q '^netrelay: port 1 .*: waiting, '
}

is_on_bridge()
{
	taps | grep -qx "$1"
}

@test "a bridge that is deleted is waited for" {
	lab
	relay_in_lab br0
	carries
	ns lab ip link del br0
	wait_for 5 "port to go down" is_down
	has_no_link lab netrelay0
	has_logged relay "^netrelay: br0: bridge br0 was deleted; trying again"
	ns lab "$FRAMES" send tcp:127.0.0.1:5000 --count 7
	wait_for 5 "drops of what has no port" is_accounted_for 'received .* dropped 7$'
	make_bridge
	carries
	assert_equal "$(taps)" netrelay0
}

is_accounted_for()
{
	relay_status relay | grep -q "^netrelay: status: .*$1"
}

@test "a bridge that is deleted and made again at once" {
	lab
	relay_in_lab br0
	ns lab ip link del br0
	make_bridge
	ns lab ip link del br0
	make_bridge
	wait_for 5 "tap on the bridge" is_on_bridge netrelay0
	carries
}

# The relay hears of its tap's new state first, and of the bridge's end with it.
@test "a bridge that is deleted while the tap is being made" {
	local relay helper

	lab
	relay_in_lab br0
	relay=$(pid_of relay)
	helper=$(helper_of relay taps)
	kill -STOP "$helper"
	ns lab ip link del netrelay0
	wait_for 5 "port to go down" is_opening
	kill -STOP "$relay"
	kill -CONT "$helper"
	wait_for 5 "tap on the bridge" is_on_bridge netrelay0
	ns lab ip link del br0
	kill -CONT "$relay"
	wait_for 5 "port to go down" is_down
	make_bridge
	carries
	assert_equal "$(taps)" netrelay0
}

is_opening()
{
	relay_status relay | grep -q '^netrelay: port 1 .*: connecting, '
}

# More happens than the socket holds that the relay hears of it by.
@test "a bridge that is deleted when too much happens to be told of" {
	lab
	relay_in_lab br0
	kill -STOP "$(pid_of relay)"
	yes $'link set m0 mtu 1400\nlink set m0 mtu 1500' | head -n 1000 >"$DIR/changes"
	ns lab ip -batch "$DIR/changes"
	ns lab ip link del br0
	kill -CONT "$(pid_of relay)"
	wait_for 10 "port to go down" is_down
	make_bridge
	carries
}

@test "a bridge that is renamed keeps the tap, and is waited for by its old name" {
	lab
	relay_in_lab br0
	ns lab ip link set br0 name other
	carries
	ns lab ip link del netrelay0
	wait_for 5 "what it waits for" \
		has_logged relay "bridge br0 does not exist; create it: ip link add br0 type bridge"
	ns lab ip link set other name br0
	carries
	assert_equal "$(taps)" netrelay0
}

@test "a tap that is deleted is made again, with all that belongs to it" {
	lab 1400
	relay_in_lab bridge:br0,tap=mine
	ns lab ip link del mine
	wait_for 5 "tap on the bridge" is_on_bridge mine
	carries 1414
	has_logged relay "tap mine: was deleted; trying again"
	assert_equal "$(link_word lab mine mtu)" 1400
	assert_regex "$(link_word lab mine link/ether)" '^fe:'
}

@test "a bridge that a tap: happens to be on may go" {
	lab
	ns lab ip tuntap add tap0 mode tap
	bridge_port lab br0 tap0
	relay_in_lab tap:tap0
	ns lab ip link del br0
	make_bridge
	bridge_port lab br0 tap0
	carries
	run ! has_logged relay "deleted"
}

# --- what others do to it ---------------------------------------------------

# told MESSAGE: by a warning of that, which has come just once.
told()
{
	assert_equal "$(grep -cF "netrelay: br0: $1; trying again" "$DIR/relay.err")" 1
}

is_back()
{
	[[ $(link_word lab "$1" master) == "${2:-br0}" && $(link_word lab "$1") =~ [\<,]UP[,\>] ]]
}

index_of()
{
	ns lab cat "/sys/class/net/$1/ifindex"
}

@test "a tap that is taken off its bridge is put back, as it was" {
	local index mac

	lab
	relay_in_lab br0
	carries
	index=$(index_of netrelay0) mac=$(link_word lab netrelay0 link/ether)
	ns lab ip link set netrelay0 nomaster
	wait_for 10 "the tap to be put back" is_back netrelay0
	carries
	told "tap netrelay0 was taken off bridge br0 by someone else"
	assert_equal "$(index_of netrelay0)" "$index"
	assert_equal "$(link_word lab netrelay0 link/ether)" "$mac"
	ns lab ip link set netrelay0 nomaster down
	wait_for 10 "the tap to be put back" is_back netrelay0
	carries
}

@test "a tap that is taken off again and again is put back ever later, and told of once" {
	local n

	lab
	relay_in_lab br0
	carries
	for ((n = 0; n < 5; n++)); do
		ns lab ip link set netrelay0 nomaster
		wait_for 10 "the tap to be put back" is_back netrelay0
	done
	(($(grep -c "taken off.*trying again" "$DIR/relay.err") < 5))
	carries
}

@test "a tap that is set down is set up again" {
	lab
	relay_in_lab br0
	ns lab ip link set netrelay0 down
	wait_for 10 "the tap to be up" is_back netrelay0
	carries
	told "tap netrelay0 was set down by someone else"
}

@test "a tap: that is set down is set up again, and stays where it is" {
	lab
	relay_in_lab tap:mine
	ns lab ip link set mine master br0
	ns lab ip link set mine down
	wait_for 10 "the tap to be up" is_back mine
	carries
	has_logged relay "^netrelay: tap:mine: tap mine was set down by someone else; trying again$"
	ns lab ip link add br1 type bridge
	ns lab ip link set br1 up
	ns lab ip link set mine master br1
	ns lab ip link set mine nomaster
	ns lab ip link set mine master br0
	carries
	assert_equal "$(grep -c "by someone else" "$DIR/relay.err")" 1
}

@test "a tap that is renamed goes on" {
	lab
	relay_in_lab br0
	ns lab ip link set netrelay0 down
	ns lab ip link set netrelay0 name lan
	ns lab ip link set lan up
	wait_for 10 "the tap to be up" is_back lan
	carries
	assert_equal "$(taps)" lan
	wait_for 5 "its new name" has_logged relay "br0: tap netrelay0 is called lan now$"
	ns lab ip link set lan nomaster
	wait_for 10 "the tap to be put back" is_back lan
	carries
	told "tap lan was taken off bridge br0 by someone else"
}

rx_of_1()
{
	relay_status relay | sed -n 's/^netrelay: port 1 .* rx \([0-9]*\) .*/\1/p'
}

@test "a tap that another bridge has is left there, until it is free" {
	local index received

	lab
	relay_in_lab br0
	carries
	index=$(index_of netrelay0) received=$(rx_of_1)
	ns lab ip link add br1 type bridge mcast_snooping 0
	ns lab ip link set br1 up
	ns lab ip link set netrelay0 master br1
	wait_for 5 "port to go down" is_down
	# It comes from another network, and must not get into this one.
	ns lab "$FRAMES" send if:br1 --count 20
	told "tap netrelay0 was moved to br1 by someone else, and is left there until it is \
free: ip link set netrelay0 nomaster"
	# Long enough for several tries.
	run ! happens_within 2 is_back netrelay0
	is_back netrelay0 br1
	ns lab ip link set netrelay0 nomaster
	wait_for 10 "the tap to be put back" is_back netrelay0
	relay_wait_up relay 1
	assert_equal "$(rx_of_1)" "$received"
	carries
	assert_equal "$(index_of netrelay0)" "$index"
	ns lab ip link set netrelay0 master br1
	wait_for 5 "port to go down" is_down
	ns lab ip link set netrelay0 master br0
	carries
	# With the bridge that had it.
	ns lab ip link set netrelay0 master br1
	wait_for 5 "port to go down" is_down
	ns lab ip link del br1
	wait_for 10 "the tap to be put back" is_back netrelay0
	carries
	run -0 relay_stop relay
	has_no_link lab netrelay0
}

@test "a tap that is moved to another namespace is made again" {
	lab
	relay_in_lab br0
	carries
	ns lab ip link set netrelay0 netns "$(ns_name far)"
	wait_for 10 "another tap" is_on_bridge netrelay0
	carries
	told "tap netrelay0 was moved to another network namespace"
	has_no_link far netrelay0
}

@test "a bridge that is set down is waited for, with its tap on it" {
	local index

	lab
	relay_in_lab br0
	carries
	index=$(index_of netrelay0)
	ns lab ip link set br0 down
	wait_for 5 "port to go down" is_down
	told "bridge br0 is down; set it up: ip link set br0 up"
	ns lab ip link set br0 up
	carries
	assert_equal "$(index_of netrelay0)" "$index"
	ns lab ip link set br0 down
	wait_for 5 "port to go down" is_down
	ns lab ip link del br0
	make_bridge
	carries
	assert_equal "$(taps)" netrelay0
}

@test "a bridge that is down at the start is no mistake" {
	lab
	ns lab ip link set br0 down
	relay_start relay in lab -v -l 127.0.0.1:5000 br0
	wait_for 5 "port to wait" is_down
	told "bridge br0 is down; set it up: ip link set br0 up"
	ns lab ip link set br0 up
	carries
}

@test "a persistent tap that is deleted and made again, not at once" {
	local endpoint

	lab
	for endpoint in bridge:br0,tap=tap0 tap:tap0; do
		ns lab ip tuntap add tap0 mode tap
		bridge_port lab br0 tap0
		relay_in_lab "$endpoint"
		carries
		ns lab ip link del tap0
		run ! happens_within 1 has_link lab tap0
		ns lab ip tuntap add tap0 mode tap
		bridge_port lab br0 tap0
		relay_wait_up relay 1 10
		carries
		run -0 relay_stop relay
		has_link lab tap0
		ns lab ip link del tap0
	done
}

@test "a persistent tap that is deleted for good: one of ours does" {
	lab
	ns lab ip tuntap add tap0 mode tap
	bridge_port lab br0 tap0
	relay_in_lab bridge:br0,tap=tap0
	ns lab ip link del tap0
	wait_for 10 "another tap" is_on_bridge tap0
	carries
}

# watches RELAY: how many of its sockets hear of links, by the bit of RTNLGRP_LINK
watches()
{
	local inode

	for inode in $(ns lab cat /proc/net/netlink |
		awk 'NR > 1 && $2 == 0 && $4 ~ /[13579bdf]$/ { print $10 }'); do
		find "/proc/$(pid_of "$1")/fd" -lname "socket:?$inode?"
	done | wc -l
}

@test "one subscription to news of links does for any number of taps" {
	lab
	relay_start relay in lab -v -l 127.0.0.1:5000 br0 br0 br0 br0 tap:mine
	relay_wait_up relay 5
	assert_equal "$(watches relay)" 1
	ns lab ip link set netrelay2 nomaster
	wait_for 10 "the tap to be put back" is_back netrelay2
	relay_wait_up relay 5
}

# --- its address ------------------------------------------------------------

@test "a tap of ours has the same address each time, and no other has it" {
	local first second

	lab
	relay_start relay in lab -v -l 127.0.0.1:5000 br0 br0 tap:mine
	relay_wait_up relay 3
	first=$(link_word lab netrelay0 link/ether) second=$(link_word lab netrelay1 link/ether)
	assert_regex "$first" '^fe:'
	assert_not_equal "$first" "$second"
	assert_not_equal "$first" "$(link_word lab mine link/ether)"
	run -0 relay_stop relay
	relay_in_lab br0
	assert_equal "$(link_word lab netrelay0 link/ether)" "$first"
	# Another namespace has its own network, or the same one by some way.
	ns far ip link add br0 type bridge
	ns far ip link set br0 up
	relay_start two in far -l 127.0.0.1:5000 br0
	relay_wait_up two 1
	assert_not_equal "$(link_word far netrelay0 link/ether)" "$first"
}

@test "a bridge that has the tap's address for its own keeps it over a restart" {
	local before

	ns_add lab
	ns lab ip link add br0 type bridge
	ns lab ip link set br0 up
	relay_in_lab br0
	before=$(link_word lab br0 link/ether)
	assert_equal "$before" "$(link_word lab netrelay0 link/ether)"
	run -0 relay_stop relay
	relay_in_lab br0
	assert_equal "$(link_word lab br0 link/ether)" "$before"
}

# What whoever used it last may have set: see tap_clear_leftovers() and tap_set_offload() in
# net/tap.c. Its filters would let nothing pass.
leave_behind()
{
	ns lab python3 - "$1" <<-'EOT'
		import contextlib, ctypes, fcntl, os, struct, sys
		fd = os.open('/dev/net/tun', os.O_RDWR)
		# IFF_TAP, IFF_NO_PI, IFF_VNET_HDR
		fcntl.ioctl(fd, 0x400454ca, struct.pack('16sH22x', sys.argv[1].encode(), 0x5002))
		# TUNSETTXFILTER: of one address, that of nobody
		fcntl.ioctl(fd, 0x400454d1, struct.pack('HH6s', 0, 1, bytes.fromhex('020000000099')))
		# TUNATTACHFILTER: a program that returns 0 drops all
		code = ctypes.create_string_buffer(struct.pack('HBBI', 6, 0, 0, 0))
		fcntl.ioctl(fd, 0x401054d5, struct.pack('HxxxxxxQ', 1, ctypes.addressof(code)))
		fcntl.ioctl(fd, 0x400454d4, struct.pack('i', 1))   # TUNSETSNDBUF
		fcntl.ioctl(fd, 0x400454d8, struct.pack('i', 12))  # TUNSETVNETHDRSZ
		# TUNSETVNETLE, TUNSETVNETBE: the byte order that is not the host's, if the kernel can
		order = 0x400454dc if sys.byteorder == 'big' else 0x400454de
		with contextlib.suppress(OSError): fcntl.ioctl(fd, order, struct.pack('i', 1))
	EOT
}

@test "what a persistent tap keeps of who used it last is undone" {
	lab
	ns lab ip tuntap add tap0 mode tap
	bridge_port lab br0 tap0
	leave_behind tap0
	relay_in_lab bridge:br0,tap=tap0
	carries
}

# --- what can't be ----------------------------------------------------------

# fails_with ENDPOINT MESSAGE COMMAND...: ends with status 1 and that one line of it.
fails_with()
{
	local line="netrelay: $1: $2" status=0

	shift 2
	ns lab "$@" >"$DIR/fails.out" 2>"$DIR/fails.err" || status=$?
	assert_equal "$status" 1
	assert_equal "$(cat "$DIR/fails.out")" ""
	assert_equal "$(cat "$DIR/fails.err")" "$line"
}

# fails ENDPOINT MESSAGE: as the target of a server, run by root.
fails()
{
	fails_with "$1" "$2" "$NETRELAY" -l 127.0.0.1:5001 "$1"
}

@test "one line says what is wrong with a bridge or a tap" {
	lab
	fails none "bridge none does not exist; create it: ip link add none type bridge"
	fails m0 "m0 is a veth, not a bridge; put it on one: ip link add br0 type bridge; \
ip link set m0 master br0; ip link set br0 up; then use br0"
	fails lo "lo is a network interface, not a bridge; put it on one: ip link add br0 type \
bridge; ip link set lo master br0; ip link set br0 up; then use br0, with the host's \
addresses on that"
	fails tap:m0 "m0 exists, and is not a tap; take another name"
	fails bridge:br0,tap=m0 "m0 exists, and is not a tap; take another name"
	ns lab ip tuntap add tun0 mode tun
	fails tap:tun0 "tun0 exists, and is not a tap; take another name"
	fails tun0 "tun0 is a tun, which carries IP packets, not frames; use a bridge or a tap"
	ns lab ip tuntap add tap9 mode tap
	fails tap9 "tap9 is a tap, not a bridge; use tap:tap9 or bridge:NAME,tap=tap9, or if it is \
Open vSwitch's: tap:nr0, and as root: ovs-vsctl add-port tap9 nr0"
	ns lab ip tuntap add many mode tap multi_queue
	fails tap:many "many is a tap with multi_queue; make it without"
	relay_in_lab bridge:br0,tap=mine
	fails bridge:br0,tap=mine \
		"mine is in use by another program; end that, or take another tap"
	assert_equal "$(taps)" mine
}

has_no_child()
{
	! pgrep -P "$1"
}

@test "a helper process is there only for those who need one" {
	local pid

	lab
	relay_start plain in lab -l 127.0.0.1:5001 tcp:127.0.0.1:9 udp:127.0.0.1:9,local=9
	wait_listen lab tcp 5001
	run -1 pgrep -P "$(pid_of plain)"
	relay_in_lab br0
	assert_equal "$(pgrep -P "$(pid_of relay)" -l | cut -d' ' -f2)" netrelay-broker
	assert_equal "$(pgrep -P "$(broker_of relay)" -l | cut -d' ' -f2)" netrelay-taps
	pid=$(helper_of relay taps)
	wait_for 5 "end of what made the tap" has_no_child "$pid"
	run -0 relay_stop relay
	wait_for 5 "end of the helper" is_gone "$pid"
}

# --- users without any right ------------------------------------------------

# user_relay_start ARGS...: as relay_in_lab, but nobody's.
user_relay_start()
{
	start relay in lab "$AS_USER" "$NETRELAY" -v -l 127.0.0.1:5000 "$@"
	relay_wait_up relay 1
	assert_regex "$(cat "/proc/$(pid_of relay)/status")" $'Uid:\t65534\t65534\t65534'
	assert_regex "$(cat "/proc/$(pid_of relay)/status")" $'CapEff:\t0000000000000000'
}

# user_fails ENDPOINT MESSAGE: as fails, for nobody.
user_fails()
{
	fails_with "$1" "$2" "$AS_USER" "$NETRELAY" -l 127.0.0.1:5001 "$1"
}

# no_right TAP FORM [MASTER]: what nobody is told who can't make a tap.
no_right()
{
	echo "no right to make a tap: run as root, or have an admin make one:" \
		"$(what_to_do "$1" "${3-}"), then use $2"
}

# shut_out: what who may not open /dev/net/tun is told: nothing else is of use before that.
shut_out()
{
	echo "/dev/net/tun can't be opened: Permission denied; run as root, or have an admin:" \
		"chmod 0666 /dev/net/tun"
}

# what_to_do TAP [MASTER]
what_to_do()
{
	echo "ip tuntap add $1 mode tap user 65534; ip link set $1${2:+ master $2} up"
}

# bridge_conf LINE: from here on there is a qemu-bridge-helper, with that in its list.
bridge_conf()
{
	export BRIDGE_CONF=$DIR/bridge.conf
	echo "$1" >"$BRIDGE_CONF"
}

@test "a user with a tap that an admin made: bridge:br0,tap= and tap:" {
	local endpoint

	lab
	ns lab ip tuntap add tap0 mode tap user 65534
	bridge_port lab br0 tap0
	for endpoint in bridge:br0,tap=tap0 tap:tap0; do
		user_relay_start "$endpoint"
		carries
		run -0 relay_stop relay
		assert_equal "$(taps)" tap0
	done
}

@test "a user's bridge that is deleted: goes on when an admin has put the tap on it" {
	lab
	ns lab ip tuntap add tap0 mode tap user 65534
	bridge_port lab br0 tap0
	user_relay_start bridge:br0,tap=tap0
	ns lab ip link del br0
	wait_for 5 "port to go down" is_down
	make_bridge
	wait_for 10 "what to do about it" \
		has_logged relay "no right to change tap0; as root: ip link set tap0 master br0; trying again$"
	bridge_port lab br0 tap0
	relay_wait_up relay 1 10
	carries
}

@test "a user's tap that is taken off its bridge: goes on when an admin has put it back" {
	lab
	ns lab ip tuntap add tap0 mode tap user 65534
	bridge_port lab br0 tap0
	user_relay_start bridge:br0,tap=tap0
	ns lab ip link set tap0 nomaster
	wait_for 10 "what to do about it" \
		has_logged relay "no right to change tap0; as root: ip link set tap0 master br0; trying again$"
	has_logged relay "^netrelay: bridge:br0,tap=tap0: tap tap0 was taken off bridge br0 by someone else"
	bridge_port lab br0 tap0
	relay_wait_up relay 1 10
	carries
}

@test "a user's tap whose bridge has a larger MTU now: is told of, and goes on" {
	lab 1400
	ns lab ip tuntap add tap0 mode tap user 65534
	ns lab ip link set tap0 mtu 1400
	bridge_port lab br0 tap0
	user_relay_start bridge:br0,tap=tap0
	ns lab ip link set br0 mtu 2000
	wait_for 5 "what to do about it" has_logged relay "no right to change tap0; as root: ip link set tap0 mtu 2000$"
	carries 1414
	assert_equal "$(grep -c "larger MTU" "$DIR/relay.err")" 1
}

@test "a user without a tap is told what an admin has to do, and that does" {
	lab
	user_fails bridge:br0,tap=tap0 "$(no_right tap0 bridge:br0,tap=tap0 br0)"
	ns lab sh -c "$(what_to_do tap0 br0)"
	user_relay_start bridge:br0,tap=tap0
	carries
	run -0 relay_stop relay
	user_fails tap:other "$(no_right other tap:other)"
	ns lab sh -c "$(what_to_do other)"
	user_relay_start tap:other
}

@test "a user's tap that is another's, on no bridge, or with another MTU" {
	lab
	ns lab ip tuntap add tap0 mode tap user 1
	user_fails bridge:br0,tap=tap0 \
		"tap0 belongs to another user; see: ip -details link show tap0"
	ns lab ip tuntap add tap1 mode tap user 65534
	user_fails bridge:br0,tap=tap1 \
		"no right to change tap1; as root: ip link set tap1 master br0 up"
	user_fails bridge:br0,tap=tap1,mtu=1400 \
		"no right to change tap1; as root: ip link set tap1 mtu 1400 master br0 up"
	ns lab ip link set tap1 mtu 1400 master br0 up
	user_relay_start bridge:br0,tap=tap1,mtu=1400
	carries 1414
}

@test "a user who may not open /dev/net/tun is told so" {
	lab
	ns lab ip tuntap add tap0 mode tap user 65534
	TUN_MODE=600 user_fails tap:tap0 \
		"$(shut_out)"
	# Where qemu-bridge-helper is asked, what it says is said, too.
	ns lab ip link del tap0
	TUN_MODE=600 user_fails bridge:br0,tap=tap0 "$(shut_out)"
}

@test "qemu-bridge-helper gives a user a tap on a bridge that is allowed" {
	local tap

	[[ -x $HELPER ]] || skip "needs $HELPER"
	lab 1400
	bridge_conf "allow br0"
	user_relay_start br0
	tap=$(taps)
	assert_equal "$(link_word lab "$tap" mtu)" 1400
	assert_regex "$(link_word lab "$tap" link/ether)" '^fe:'
	# The tap is there; the one who made it is not.
	assert_equal "$(pgrep -P "$(broker_of relay)" -l | cut -d' ' -f2)" netrelay-taps
	carries 1414
	ns lab ip link del "$tap"
	wait_for 5 "another tap" is_on_bridge "$tap"
	carries 1414
	# Nobody here may put it back: another is had.
	ns lab ip link set "$tap" nomaster
	wait_for 10 "another tap" is_on_bridge "$tap"
	carries 1414
	run -0 relay_stop relay
	wait_for 5 "end of the tap" has_no_link lab "$tap"
}

@test "qemu-bridge-helper's refusal is shown, on the one line" {
	local advice

	[[ -x $HELPER ]] || skip "needs $HELPER"
	lab
	advice=$(no_right tap0 bridge:br0,tap=tap0 br0)
	bridge_conf "allow other"
	user_fails br0 "$advice (qemu-bridge-helper: access denied by acl file)"
	bridge_conf "allow br0"
	TUN_MODE=600 user_fails br0 \
		"$(shut_out) (qemu-bridge-helper: failed to open /dev/net/tun: Permission denied)"
	assert_equal "$(taps)" ""
}
