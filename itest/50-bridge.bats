#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
#
# Taps and bridges: what a tap of ours is like and what becomes of it, bridges
# and taps that go and come back, MTUs, and users without any right. The
# topology of nearly every test is that of lab().

bats_require_minimum_version 1.5.0
load helpers

HELPER=/usr/lib/qemu/qemu-bridge-helper
AS_USER=$BENCH_ROOT/itest/as-user
MAX_FRAME=18 # an Ethernet header and a VLAN tag, above the MTU

setup()
{
	common_setup
	needs_root
	[[ -c /dev/net/tun ]] || skip "needs /dev/net/tun"
}

teardown()
{
	common_teardown
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
		ns "$where" sh -c 'echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6'
	done
	veth_pair lab m0 far m1
	ns lab ip link set m0 mtu "${1:-1500}"
	ns far ip link set m1 mtu "${1:-1500}"
	make_bridge
}

make_bridge()
{
	# Snooping would send a frame of its own.
	ns lab ip link add br0 type bridge mcast_snooping 0
	ns lab ip link set br0 up
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

# link NS IF [WORD]: what "ip link" says of it, or the word after WORD there.
link()
{
	ns "$1" ip -details -o link show "$2" |
		awk -v word="${3-}" '!word { print }
			word { for (i = 1; i < NF; i++) if ($i == word) { print $(i + 1); exit } }'
}

has_link()
{
	ns "$1" ip link show "$2" >/dev/null 2>&1
}

has_no_link()
{
	ns "$1" true && ! has_link "$@"
}

# The bridge's ports but m0.
taps()
{
	bridge_ports lab br0 | grep -vx m0
}

# drops REASON: how often the relay gives it as its own ports' reason.
drops()
{
	relay_status relay |
		awk -v reason="$1" '/^netrelay: port / { sub(/.*dropped: /, "")
			for (i = 1; i < NF; i += 2) if ($i == reason) n += $(i + 1) } END { print n + 0 }'
}

has_drops()
{
	(($(drops "$1") == $2))
}

says()
{
	grep -q -- "$1" "$DIR/relay.err"
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
	mac=$(link lab br0 link/ether)
	relay_in_lab br0
	assert_equal "$(taps)" netrelay0
	assert_equal "$(link lab netrelay0 mtu)" 1400
	assert_equal "$(link lab br0 mtu)" 1400
	assert_regex "$(link lab netrelay0)" '[<,]UP[,>].*link/ether fe:.* tun type tap'
	assert_equal "$(link lab br0 link/ether)" "$mac"
	carries 1414
	run -0 relay_stop relay
	assert_equal "$(taps)" ""
	has_no_link lab netrelay0
	assert_equal "$(link lab br0 link/ether)" "$mac"
}

@test "a bridge with an MTU of 9000 has its tap take as much" {
	lab 9000
	relay_in_lab br0
	assert_equal "$(link lab netrelay0 mtu)" 9000
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
	assert_equal "$(link lab mine mtu)" 1300
	carries 1314
}

@test "a tap that was there keeps its MAC and MTU, gets its bridge, and stays" {
	local mac

	lab
	ns lab ip tuntap add tap0 mode tap
	ns lab ip link set tap0 mtu 1450
	mac=$(link lab tap0 link/ether)
	relay_in_lab bridge:br0,tap=tap0
	assert_equal "$(taps)" tap0
	assert_equal "$(link lab tap0 link/ether)" "$mac"
	assert_equal "$(link lab tap0 mtu)" 1500 # the bridge's, as it was not on it
	carries
	run -0 relay_stop relay
	has_link lab tap0
	ns lab ip link set tap0 mtu 1450
	relay_in_lab bridge:br0,tap=tap0
	assert_equal "$(link lab tap0 mtu)" 1450 # its own, as it was on the bridge
	carries 1464
}

@test "tap: makes one on no bridge, and removes it" {
	lab
	relay_in_lab tap:mine
	assert_equal "$(link lab mine master)" ""
	assert_regex "$(link lab mine)" '[<,]UP[,>].* tun type tap'
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
	mac=$(link lab tap0 link/ether)
	relay_in_lab tap:tap0
	carries
	run -0 relay_stop relay
	assert_equal "$(link lab tap0 link/ether)" "$mac"
	assert_equal "$(taps)" tap0
}

#   lab: client --- one --- netrelay0 --- br0 --- netrelay1 --- two
@test "several relays on one bridge" {
	lab
	relay_in_lab br0
	relay_start two in lab br0 tcp-listen:127.0.0.1:5001
	relay_start three in lab br0 tcp-listen:127.0.0.1:5002
	relay_wait_up two 1
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
	wait_for 5 "drops of what was too long" has_drops too-long 11
	relay_check_sums relay
}

@test "a tap's new MTU is heard of" {
	lab 1400
	relay_in_lab br0
	ns lab ip link set netrelay0 mtu 1000
	ns lab "$FRAMES" send tcp:127.0.0.1:5000 --count 5 --min 1019 --max 1019
	wait_for 5 "drops of what is too long now" has_drops too-long 5
	ns lab ip link set netrelay0 mtu 1400
	carries 1414
	has_drops too-long 5
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
	says "^netrelay: br0: bridge br0 was deleted; trying again"
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
	helper=$(pgrep -P "$relay")
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
		says "bridge br0 does not exist; create it: ip link add br0 type bridge"
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
	says "tap mine: was deleted; trying again"
	assert_equal "$(link lab mine mtu)" 1400
	assert_regex "$(link lab mine link/ether)" '^fe:'
}

@test "a tap that is set down counts what it refuses, and goes on when up" {
	lab
	relay_in_lab br0
	ns lab ip link set netrelay0 down
	ns lab "$FRAMES" send tcp:127.0.0.1:5000 --count 20
	wait_for 5 "drops of what is refused, and of a probe" has_drops refused 21
	run -0 relay_status relay
	assert_line --partial "port 1 br0: up, "
	ns lab ip link set netrelay0 up
	carries
	has_drops refused 21
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
	run ! says "deleted"
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
	fails m0 "m0 is not a bridge; see: ip link show type bridge"
	fails tap:m0 "m0 exists, and is not a tap; take another name"
	fails bridge:br0,tap=m0 "m0 exists, and is not a tap; take another name"
	ns lab ip tuntap add tun0 mode tun
	fails tap:tun0 "tun0 exists, and is not a tap; take another name"
	ns lab ip tuntap add many mode tap multi_queue
	fails tap:many "many is a tap with multi_queue; make it without"
	relay_in_lab bridge:br0,tap=mine
	fails bridge:br0,tap=mine \
		"mine is in use by another program; end that, or take another tap"
	assert_equal "$(taps)" mine
}

@test "a helper process is there only for those who need one" {
	local pid

	lab
	relay_start plain in lab -l 127.0.0.1:5001 tcp:127.0.0.1:9 udp:127.0.0.1:9,local=9
	wait_listen lab tcp 5001
	run -1 pgrep -P "$(pid_of plain)"
	relay_in_lab br0
	pid=$(pgrep -P "$(pid_of relay)")
	assert_equal "$(cat "/proc/$pid/comm")" netrelay-helper
	# That which made the tap has ended.
	run -1 pgrep -P "$pid"
	run -0 relay_stop relay
	run ! kill -0 "$pid"
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
		says "no right to change tap0; as root: ip link set tap0 master br0; trying again$"
	bridge_port lab br0 tap0
	relay_wait_up relay 1 10
	carries
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
		"/dev/net/tun: Permission denied; have an admin: chmod 0666 /dev/net/tun"
}

@test "qemu-bridge-helper gives a user a tap on a bridge that is allowed" {
	local tap

	[[ -x $HELPER ]] || skip "needs $HELPER"
	lab 1400
	bridge_conf "allow br0"
	user_relay_start br0
	tap=$(taps)
	assert_equal "$(link lab "$tap" mtu)" 1400
	assert_regex "$(link lab "$tap" link/ether)" '^fe:'
	# The tap is there; the one who made it is not.
	assert_equal "$(pgrep -P "$(pid_of relay)" -l | cut -d' ' -f2)" netrelay-helper
	carries 1414
	ns lab ip link del "$tap"
	wait_for 5 "another tap" is_on_bridge "$tap"
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
		"$advice (qemu-bridge-helper: failed to open /dev/net/tun: Permission denied)"
	assert_equal "$(taps)" ""
}
