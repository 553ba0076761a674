#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
#
# Every kind of endpoint, in its short form and its long one, with frames both
# ways at once: counted, compared byte by byte, and none lost. The far side of
# each is the traffic tool, which has its own idea of how frames are carried.
#
# shellcheck disable=SC2016 # shells that are started read what is quoted

load helpers

PASS_FD=$LAB_ROOT/itest/pass-fd

# What waits in one place at the start must fit there: 512 KiB in a queue of the
# relay, 500 frames in a tap, 1000 packets of both ways in the kernel's backlog.
COUNT=300

# Nothing is to be lost, so both ends must be there before the first frame is
# sent. What listens is started first, and stopped; then the relays; when they
# have dialled, they are stopped, too. What dials finds the kernel to connect to,
# and then what just sends finds its buffers. All is let go at once.

# begin_end NAME NS ENDPOINT FRAMES-OPTION...: one that listens.
begin_end()
{
	if [[ $3 == *-listen:* ]]; then
		frames_start "$1" in "$2" both "${@:3}"
		kill -STOP "$(pid_of "$1")"
	fi
}

# join_end NAME NS ENDPOINT FRAMES-OPTION...: one that dials.
join_end()
{
	if [[ $3 == tcp:* || $3 == unix:* ]]; then
		frames_start "$1" in "$2" both "${@:3}"
	fi
}

# send_end NAME NS ENDPOINT FRAMES-OPTION...: one that needs no connection.
send_end()
{
	if [[ $3 != tcp:* && $3 != unix:* && $3 != *-listen:* ]]; then
		frames_start "$1" in "$2" both "${@:3}"
	fi
}

# exchange NS1 FAR1 NS2 FAR2 COUNT [FRAMES-OPTION...] -- RELAY...: frames from each
# far end to the other. RELAYs are lines "NAME NS UP ARGS...": a relay, and how
# many of its ports come up without a far end that dials. When NS is "by", ARGS
# are a function that starts it.
exchange()
{
	local ns1=$1 far1=$2 ns2=$3 far2=$4 count=$5 options=() relay words names=()

	shift 5
	while [[ $1 != -- ]]; do
		options+=("$1")
		shift
	done
	shift
	options+=(--count "$count" --lossless --linger 100)
	begin_end left "$ns1" "$far1" --id 1 "${options[@]}"
	begin_end right "$ns2" "$far2" --id 2 "${options[@]}"
	for relay in "$@"; do
		read -ra words <<<"$relay"
		names+=("${words[0]}")
		if [[ ${words[1]} == by ]]; then
			"${words[@]:3}"
		else
			relay_start "${words[0]}" in "${words[1]}" "${words[@]:3}"
		fi
	done
	for relay in "$@"; do
		read -ra words <<<"$relay"
		relay_wait_up "${words[0]}" "${words[2]}" 15
	done
	signal_all STOP "${names[@]}"
	join_end left "$ns1" "$far1" --id 1 "${options[@]}"
	join_end right "$ns2" "$far2" --id 2 "${options[@]}"
	send_end left "$ns1" "$far1" --id 1 "${options[@]}"
	signal_all CONT "${names[@]}" left right
	end_exchange "$count" "${names[@]}"
}

# signal_all SIGNAL NAME...: those that have not ended yet.
signal_all()
{
	local name

	for name in "${@:2}"; do
		kill "-$1" "$(pid_of "$name")" 2>/dev/null || true
	done
}

# got NAME FROM COUNT: that end has all of the other's frames, and none of its own.
got()
{
	run frames_wait "$1"
	assert_success
	assert_line "from $2: received $3 lost 0 damaged 0 reordered 0 duplicated 0"
	refute_line --regexp "^from [^$2]"
}

# end_exchange COUNT RELAY...: all arrived, nothing else did but probes, where there
# is a bridge, and is accounted for.
end_exchange()
{
	local count=$1 name sent probes

	got left 2 "$count"
	got right 1 "$count"
	probes=$(($(frames_total left other) + $(frames_total right other)))
	shift
	for name in "$@"; do
		relay_status "$name" >"$DIR/status" # once, for there are many of these
		awk -f "$LAB_ROOT/itest/status.awk" "$DIR/status"
		sent=$(awk -F'[ ,]+' '/queued 0, dropped 0$/ { print $11 }' "$DIR/status")
		((sent == 2 * count + probes))
		run -0 relay_stop "$name"
	done
}

#   frames FAR --- ENDPOINT one unix-listen --- frames
#
# cable ENDPOINT FAR [COUNT [FRAMES-OPTION...]]: in namespace lab.
cable()
{
	local up=1

	if [[ $1 == *-listen:* ]]; then
		up=0
	fi
	exchange lab "$2" lab "unix:$DIR/u" "${3:-$COUNT}" "${@:4}" -- \
		"one lab $up $1 unix-listen:$DIR/u"
}

# --- streams ----------------------------------------------------------------

@test "tcp, in all its forms" {
	ns_add lab
	cable 127.0.0.1:5000 tcp-listen:127.0.0.1:5000
	cable '[::1]:5000' 'tcp-listen:[::1]:5000'
	cable tcp:127.0.0.1:5000 tcp-listen:127.0.0.1:5000
	cable 'tcp:[::1]:5000' 'tcp-listen:[::1]:5000'
	cable 'tcp:[::ffff:127.0.0.1]:5000' tcp-listen:127.0.0.1:5000
}

# A relay that knows a name with two addresses.
dial_both()
{
	printf '127.0.0.1 both\n::1 both\n' >"$DIR/hosts"
	# In a namespace of its own for mounts, which ip netns exec has made.
	start one in lab sh -c 'mount --bind "$0" /etc/hosts && exec "$@"' "$DIR/hosts" \
		"$NETRELAY" tcp:both:5000 "unix-listen:$DIR/u"
	wait_listen lab unix "$DIR/u" # until then a signal would end the shell
}

@test "tcp, by a name, whichever of its addresses answers" {
	local far

	ns_add lab
	cable tcp:localhost:5000 tcp-listen:127.0.0.1:5000
	for far in 127.0.0.1 '[::1]'; do
		exchange lab "tcp-listen:$far:5000" lab "unix:$DIR/u" "$COUNT" -- \
			"one by 1 dial_both"
	done
}

@test "tcp-listen, in all its forms" {
	ns_add lab
	cable tcp-listen:5000 tcp:127.0.0.1:5000
	cable tcp-listen:5000 'tcp:[::1]:5000'
	cable tcp-listen:127.0.0.1:5000 tcp:127.0.0.1:5000
	cable tcp-listen:0.0.0.0:5000 tcp:127.0.0.1:5000
	cable 'tcp-listen:[::1]:5000' 'tcp:[::1]:5000'
	cable 'tcp-listen:[::]:5000' tcp:127.0.0.1:5000
}

@test "unix and unix-listen, with commas and blanks in the path" {
	local dir=$DIR/a,b

	ns_add lab
	mkdir "$dir"
	cable "unix:$DIR/s" "unix-listen:$DIR/s"
	cable "unix-listen:$DIR/s" "unix:$DIR/s"
	cable "unix:${dir/,/,,}/s,,,," "unix-listen:$dir/s,,"
	cable "unix-listen:${dir/,/,,}/,,s,mode=0666" "unix:$dir/,s"
}

@test "streams carry what is longest, and fill up what is too short" {
	ns_add lab
	cable tcp:127.0.0.1:5000 tcp-listen:127.0.0.1:5000 500 --min 65535 --max 69632
	cable tcp-listen:5000 tcp:127.0.0.1:5000 500 --min 26 --max 90 --padded
	cable "unix-listen:$DIR/s" "unix:$DIR/s" 20000 --max 69632 --sizes log --batch
}

# --- datagrams --------------------------------------------------------------

@test "udp, in all its short forms" {
	ns_add lab
	ns lab ip addr add 10.0.0.1/24 dev lo
	ns lab ip addr add 10.0.0.2/24 dev lo
	ns lab ip addr add fd00::1/64 dev lo
	ns lab ip addr add fd00::2/64 dev lo
	cable 5001::5002 udp:127.0.0.1:5001,local=127.0.0.1:5002
	cable 5001:127.0.0.1:5002 udp:127.0.0.1:5001,local=127.0.0.1:5002
	cable '5001:[::1]:5002' 'udp:[::1]:5001,local=[::1]:5002'
}

#   frames 10.0.0.2 far ---veth--- 10.0.0.1 lab one --- frames
@test "udp, in the short forms with one port for both ends" {
	ns_add lab far
	veth_pair lab v far v 10.0.0.1/24 10.0.0.2/24
	ns lab ip addr add fd00::1/64 dev v
	ns far ip addr add fd00::2/64 dev v
	across 5000:10.0.0.2: udp:10.0.0.1:5000,local=10.0.0.2:5000
	across :10.0.0.2:5000 udp:10.0.0.1:5000,local=10.0.0.2:5000
	across '5000:[fd00::2]:' 'udp:[fd00::1]:5000,local=[fd00::2]:5000'
	across ':[fd00::2]:5000' 'udp:[fd00::1]:5000,local=[fd00::2]:5000'
	across udp:10.0.0.2:5000 udp:10.0.0.1:5000,local=10.0.0.2:5000
}

# across ENDPOINT FAR [COUNT [FRAMES-OPTION...]]: the far end in namespace far.
across()
{
	local up=1

	if [[ $1 == *-listen:* ]]; then
		up=0
	fi
	exchange far "$2" lab "unix:$DIR/u" "${3:-$COUNT}" "${@:4}" -- \
		"one lab $up $1 unix-listen:$DIR/u"
}

@test "udp, in all its long forms" {
	ns_add lab
	cable udp:127.0.0.1:5002,local=5001 udp:127.0.0.1:5001,local=127.0.0.1:5002
	cable udp:127.0.0.1:5002,local=127.0.0.1:5001 udp:127.0.0.1:5001,local=127.0.0.1:5002
	cable 'udp:[::1]:5002,local=5001' 'udp:[::1]:5001,local=[::1]:5002'
	cable 'udp:[::1]:5002,local=[::1]:5001' 'udp:[::1]:5001,local=[::1]:5002'
	cable udp:localhost:5002,local=127.0.0.1:5001 udp:127.0.0.1:5001,local=127.0.0.1:5002
}

@test "udp carries what is longest, and fills up what is too short" {
	ns_add lab
	cable 5001::5002 udp:127.0.0.1:5001,local=127.0.0.1:5002 7 --min 65500 --max 65507
	cable 5001::5002 udp:127.0.0.1:5001,local=127.0.0.1:5002 "$COUNT" --min 26 --max 90 --padded
}

#   frames 10.0.0.2 far ---veth, MTU 1280--- 10.0.0.1 lab one --- frames
@test "udp frames longer than the MTU between hosts arrive" {
	ns_add lab far
	veth_pair lab v far v 10.0.0.1/24 10.0.0.2/24
	ns lab ip addr add fd00::1/64 dev v
	ns far ip addr add fd00::2/64 dev v
	ns lab ip link set v mtu 1280
	ns far ip link set v mtu 1280
	across :10.0.0.2:5000 udp:10.0.0.1:5000,local=10.0.0.2:5000 50 --max 9014
	across ':[fd00::2]:5000' 'udp:[fd00::1]:5000,local=[fd00::2]:5000' 50 --max 9014
}

# sneak NS UDP-ENDPOINT: ten frames from somebody who is not the peer.
sneak()
{
	ns "$1" "$FRAMES" send "$2" --count 10 --id 66
}

#   frames 10.0.0.2 far ---veth--- 10.0.0.1 lab one --- frames
#          10.0.0.3 a stranger
@test "udp hears nobody but its peer" {
	ns_add lab far
	veth_pair lab v far v 10.0.0.1/24 10.0.0.2/24
	ns far ip addr add 10.0.0.3/24 dev v
	frames_start rx in lab recv "unix-listen:$DIR/s" --count 100 --lossless
	relay_start one in lab 5001:10.0.0.2:5002 "unix:$DIR/s"
	relay_wait_up one 2
	sneak far udp:10.0.0.1:5001,local=10.0.0.3:5002 # the port is right, the address is not
	sneak far udp:10.0.0.1:5001,local=10.0.0.2:5003 # the address is right, the port is not
	run -0 ns far "$FRAMES" send udp:10.0.0.1:5001,local=10.0.0.2:5002 --count 100
	run -0 frames_wait rx
	assert_line "from 1: received 100 lost 0 damaged 0 reordered 0 duplicated 0"
	refute_output --partial "from 66"
	relay_check_sums one
	run -0 relay_status one
	assert_line --partial "received 100, copied 0, sent 100, queued 0, dropped 0"
	run -0 relay_stop one
}

@test "unixgram, with commas in the paths" {
	local dir=$DIR/a,b

	ns_add lab
	mkdir "$dir"
	cable "unixgram:$DIR/b,local=$DIR/a" "unixgram:$DIR/a,local=$DIR/b"
	cable "unixgram:${dir/,/,,}/b,,,local=${dir/,/,,}/a" "unixgram:$dir/a,local=$dir/b,"
	cable "unixgram:$DIR/b,local=$DIR/a" "unixgram:$DIR/a,local=$DIR/b" 100 \
		--min 65535 --max 69632
	cable "unixgram:$DIR/b,local=$DIR/a" "unixgram:$DIR/a,local=$DIR/b" 500 \
		--min 26 --max 90 --padded
}

@test "with pad=0, all kinds of streams and datagrams leave short frames as they are" {
	local near far

	ns_add lab
	ns lab ip route add 224.0.0.0/4 dev lo
	while read -r near far; do
		exchange lab "$far" lab "unix:$DIR/u" "$COUNT" --min 26 --max 90 -- \
			"one lab $([[ $near == *-listen:* ]] && echo 0 || echo 1) $near,pad=0 unix-listen:$DIR/u,pad=0"
	done <<-END
		tcp:127.0.0.1:5000 tcp-listen:127.0.0.1:5000
		tcp-listen:5000 tcp:127.0.0.1:5000
		unix:$DIR/s unix-listen:$DIR/s
		udp:127.0.0.1:5002,local=5001 udp:127.0.0.1:5001,local=127.0.0.1:5002
		unixgram:$DIR/b,local=$DIR/a unixgram:$DIR/a,local=$DIR/b
	END
	exchange lab "unix:$DIR/u" lab "unix:$DIR/w" "$COUNT" --min 26 --max 90 -- \
		"one lab 1 unix-listen:$DIR/u,pad=0 mcast:230.0.0.1:1234,pad=0" \
		"two lab 1 mcast:230.0.0.1:1234,pad=0 unix-listen:$DIR/w,pad=0"
}

# --- link-local addresses ---------------------------------------------------

link_local()
{
	ns "$1" ip -6 -o addr show dev "$2" scope link | awk '{ sub("/.*", "", $4); print $4 }'
}

#   frames fe80::2%v far ---veth--- fe80::1%v lab one --- frames
@test "IPv6 link-local addresses, with their interface" {
	ns_add lab far
	veth_pair lab v far v
	ns lab ip addr add fe80::1/64 dev v
	ns far ip addr add fe80::2/64 dev v
	across 'tcp:[fe80::2%v]:5000' 'tcp-listen:[fe80::2%v]:5000'
	across '[fe80::2%v]:5000' 'tcp-listen:[fe80::2%v]:5000'
	across 'tcp-listen:[fe80::1%v]:5000' 'tcp:[fe80::1%v]:5000'
	across '5001:[fe80::2%v]:5002' 'udp:[fe80::1%v]:5001,local=[fe80::2%v]:5002'
	across 'udp:[fe80::2%v]:5002,local=[fe80::1%v]:5001' \
		'udp:[fe80::1%v]:5001,local=[fe80::2%v]:5002'
}

# --- multicast --------------------------------------------------------------

#   frames --- one mcast ---lo--- mcast two --- frames
@test "mcast: two members on a host hear each other, and not themselves" {
	ns_add lab
	ns lab ip route add 224.0.0.0/4 dev lo
	exchange lab "unix:$DIR/u" lab "unix:$DIR/w" "$COUNT" -- \
		"one lab 1 unix-listen:$DIR/u mcast:230.0.0.1:1234" \
		"two lab 1 mcast:230.0.0.1:1234 unix-listen:$DIR/w"
	exchange lab "unix:$DIR/u" lab "unix:$DIR/w" "$COUNT" --min 26 --max 90 --padded -- \
		"one lab 1 unix-listen:$DIR/u mcast:230.0.0.1:1234,if=127.0.0.1" \
		"two lab 1 mcast:230.0.0.1:1234,if=127.0.0.1 unix-listen:$DIR/w"
}

#   frames --- one mcast lab ---v veth v--- far mcast two --- frames
#              10.0.0.1                            10.0.0.2
@test "mcast: two members on two hosts, IPv4 and IPv6, by an interface" {
	local group

	ns_add lab far
	veth_pair lab other far other 10.1.0.1/24 10.1.0.2/24
	veth_pair lab v far v 10.0.0.1/24 10.0.0.2/24
	exchange lab "unix:$DIR/u" far "unix:$DIR/w" "$COUNT" -- \
		"one lab 1 unix-listen:$DIR/u mcast:230.0.0.1:1234,if=10.0.0.1" \
		"two far 1 mcast:230.0.0.1:1234,if=10.0.0.2 unix-listen:$DIR/w"
	for group in ff02::1234 ff05::1234 ff0e::1234; do
		exchange lab "unix:$DIR/u" far "unix:$DIR/w" "$COUNT" -- \
			"one lab 1 unix-listen:$DIR/u mcast:[$group]:1234,if=v" \
			"two far 1 mcast:[$group]:1234,if=v unix-listen:$DIR/w"
	done
	# Nothing of it took the other way.
	((4 * COUNT * 60 <= $(ns lab cat /sys/class/net/v/statistics/rx_bytes)))
	((100 >= $(ns lab cat /sys/class/net/other/statistics/rx_packets)))
}

#   frames --- one mcast ---lo--- mcast two --- frames
#                        \--- a stranger who only sends
@test "mcast: what a third one sends to the group is heard by both" {
	local name

	ns_add lab
	ns lab ip route add 224.0.0.0/4 dev lo
	for name in one two; do
		relay_start "$name" in lab mcast:230.0.0.1:1234 "unix-listen:$DIR/$name"
		relay_wait_up "$name" 1
		frames_start "rx-$name" in lab recv "unix:$DIR/$name" --count 100 --lossless
		relay_wait_up "$name" 2
	done
	run -0 ns lab "$FRAMES" send udp:230.0.0.1:1234,local=127.0.0.1:1235 --count 100
	for name in one two; do
		run -0 frames_wait "rx-$name"
		assert_line --partial "total: received 100 lost 0 damaged 0"
		relay_check_sums "$name"
		run -0 relay_stop "$name"
	done
}

# --- bridges and taps -------------------------------------------------------

# A bridge br0 in namespace lab that namespace far is attached to, by veth v; with
# no IPv6 and no snooping, so that there are no frames but ours.
lab_bridge()
{
	local name

	ns_add lab far
	for name in lab far; do
		no_ipv6 "$name"
	done
	quiet_bridge lab br0
	veth_pair lab v far v
	bridge_port lab br0 v
}

# by_tap NS FAR ENDPOINT TAP [FRAMES-OPTION...]: as cable, but that one dials the near
# end, too: a tap, which has no carrier until then, is to carry the first frame.
by_tap()
{
	TAP=$4
	exchange "$1" "$2" lab "unix-listen:$DIR/u" "$COUNT" "${@:5}" -- \
		"one by 2 start_by_tap $3"
}

start_by_tap()
{
	relay_start one in lab "$1" "unix:$DIR/u"
	wait_for 5 "carrier of $TAP" has_carrier "$TAP"
}

# A tap has it, and so the bridge that it may be on forwards to it.
has_carrier()
{
	[[ $(ns lab cat "/sys/class/net/$1/operstate") != down ]] &&
		[[ $(ns lab sh -c "cat /sys/class/net/$1/brport/state 2>&1") != [012] ]]
}

#   frames v far ---veth--- br0 lab, tap --- one --- frames
@test "a bridge, in all its forms" {
	local form name

	needs_root
	lab_bridge
	for form in br0 bridge:br0 bridge:br0,tap=mine bridge:br0,mtu=1500 \
		bridge:br0,mtu=1400,tap=mine; do
		name=${form##*tap=}
		[[ $form == *tap=* ]] || name=netrelay0
		by_tap far if:v "$form" "${name%%,*}" --max 1400
		[[ $(bridge_ports lab br0) == v ]]
	done
}

#   frames v far ---veth--- br0 lab --- tap t0 one --- frames
@test "a tap that is there, and one that is not" {
	needs_root
	lab_bridge
	ns lab ip tuntap add t0 mode tap
	bridge_port lab br0 t0
	by_tap far if:v tap:t0 t0
	run -0 bridge_ports lab br0
	assert_line t0
	# A new one is on no bridge, so what is sent is heard on it itself.
	by_tap lab if:t1 tap:t1 t1
	run ! ns lab ip link show t1
}

# --- descriptors ------------------------------------------------------------

# given NS FAR LAUNCHER... -- : as cable, for a relay that its launcher gives fd:3.
given()
{
	local ns=$1 far=$2 options=(--count "$COUNT" --lossless --linger 100)

	shift 2
	begin_end left "$ns" "$far" --id 1 "${options[@]}"
	begin_end right lab "unix-listen:$DIR/u" --id 2 "${options[@]}"
	start one in lab "$@" "$NETRELAY" -v fd:3 "unix:$DIR/u"
	wait_for 5 "netrelay in the launcher's place" is_netrelay one
	relay_wait_up one 2
	kill -STOP "$(pid_of one)"
	send_end left "$ns" "$far" --id 1 "${options[@]}"
	signal_all CONT one left right
	got left 2 "$COUNT"
	got right 1 "$COUNT"
	# A stream that ended can't be opened again, and the work is done.
	if [[ $far == *-listen:* ]]; then
		run -0 wait_end one
	else
		run -0 relay_stop one
	fi
	# What -v has said in the end.
	awk '/: status: / { block = "" } { block = block $0 "\n" } END { printf "%s", block }' \
		"$DIR/one.err" | tee "$DIR/status"
	awk -f "$LAB_ROOT/itest/status.awk" "$DIR/status"
	assert_file_contains "$DIR/status" "queued 0, dropped 0$"
}

# The launcher has become what it launches: before, a signal would end it.
is_netrelay()
{
	[[ $(cat "/proc/$(pid_of "$1")/comm") == "$(basename "$NETRELAY")" ]] &&
		grep -q '^SigBlk:.*[1-9a-f]' "/proc/$(pid_of "$1")/status"
}

@test "fd: a TCP connection, from a shell and from a program" {
	ns_add lab
	given lab tcp-listen:127.0.0.1:5000 \
		bash -c 'exec 3<>/dev/tcp/127.0.0.1/5000; exec "$@"' bash
	given lab 'tcp-listen:[::1]:5000' "$PASS_FD" tcp ::1 5000 --
}

@test "fd: a unix connection" {
	ns_add lab
	given lab "unix-listen:$DIR/s" "$PASS_FD" unix "$DIR/s" --
}

@test "fd: a connected datagram socket" {
	ns_add lab
	# Its buffer is as small as it was given.
	COUNT=60 given lab udp:127.0.0.1:5001,local=127.0.0.1:5002 \
		"$PASS_FD" udp 127.0.0.1 5001 127.0.0.1 5002 --
}

#   frames --- netrelay fd:3 ---socketpair--- fd:3 one --- frames
@test "fd: a socketpair of datagrams" {
	ns_add lab
	given_pair pair
	relay_check_sums one
	run -0 relay_stop one
}

@test "fd: a socketpair of packets, whose end is the end" {
	ns_add lab
	given_pair packets
	relay_check_sums one
	# What the launcher gave the other end ends when its stream does.
	kill "$(pgrep -P "$(pid_of one)" -x "$(basename "$NETRELAY")")"
	run -0 wait_end one
	assert_file_contains "$DIR/one.err" "fd:3: closed by the peer"
}

# given_pair KIND: frames both ways between two relays that share a socketpair.
given_pair()
{
	begin_end left lab "unix-listen:$DIR/s" --count "$COUNT" --id 1 --lossless --linger 100
	begin_end right lab "unix-listen:$DIR/u" --count "$COUNT" --id 2 --lossless --linger 100
	start one in lab "$PASS_FD" "$1" -- "$NETRELAY" "unix:$DIR/s" fd:3 -- \
		"$NETRELAY" -v fd:3 "unix:$DIR/u"
	wait_for 5 "netrelay in the launcher's place" is_netrelay one
	relay_wait_up one 2
	wait_for 5 "the other one's connection" has_connection lab "$DIR/s"
	signal_all CONT left right
	got left 2 "$COUNT"
	got right 1 "$COUNT"
}

#   frames v far ---veth--- br0 lab --- tap of the launcher, one --- frames
@test "fd: a tap, without virtio headers and with them" {
	local kind

	needs_root
	lab_bridge
	for kind in tap tap-vnet; do
		ns lab ip tuntap add "t-$kind" mode tap
		bridge_port lab br0 "t-$kind"
		given far if:v "$PASS_FD" "$kind" "t-$kind" --
		ns lab ip link del "t-$kind"
	done
}

# --- commands ---------------------------------------------------------------

#   frames unix-listen --- netrelay - in exec: --- one --- frames
run_command()
{
	local command="test \"\$x\" = 1,2,,3 && exec '$NETRELAY' - 'unix:$DIR/a,,b c'"

	relay_start one in lab "exec:x=1,2,,3; $command" "unix-listen:$DIR/u"
}

@test "exec: a command with arguments, quotes and commas" {
	ns_add lab
	exchange lab "unix-listen:$DIR/a,b c" lab "unix:$DIR/u" "$COUNT" -- \
		"one by 1 run_command"
}

@test "exec: a command that is a plain pipe's two ends" {
	# What cat is given comes back.
	relay_start one exec:cat "unix-listen:$DIR/u"
	relay_wait_up one 1
	run -0 "$FRAMES" both "unix:$DIR/u" --count 2000 --lossless --max 65535 --sizes log
	assert_line "from 1: received 2000 lost 0 damaged 0 reordered 0 duplicated 0"
	relay_check_sums one
	run -0 relay_stop one
}

# --- pipelines --------------------------------------------------------------

#   file --- one --- frames
@test "-: a file as stdin; the far end comes late, and all arrives" {
	ns_add lab
	made_frames 5000 --max 9000 >"$DIR/made"
	START_IN=$DIR/made relay_start one in lab - tcp:127.0.0.1:5000
	wait_for 5 "first try" grep -q 'Connection refused (nobody listens there); trying again' "$DIR/one.err"
	frames_start rx in lab recv tcp-listen:127.0.0.1:5000 --count 5000 --lossless
	run -0 wait_end one 20
	run -0 frames_wait rx
	assert_line --partial "total: received 5000 lost 0 damaged 0 reordered 0 duplicated 0"
}

@test "-: a file as stdin, to one who connects late, also with the order turned round" {
	local ends

	made_frames 5000 --max 9000 >"$DIR/made"
	for ends in "- unix-listen:$DIR/s" "unix-listen:$DIR/s -" "unix-listen:$DIR/s"; do
		# shellcheck disable=SC2086
		START_IN=$DIR/made relay_start one $ends
		wait_listen - unix "$DIR/s"
		run -0 "$FRAMES" recv "unix:$DIR/s" --count 5000 --lossless
		run -0 wait_end one 20
		assert_not_exists "$DIR/s"
	done
}

@test "-: a reader that stops for a while gets all that stdin had" {
	made_frames 20000 >"$DIR/made"
	frames_start rx recv "unix-listen:$DIR/s" --count 20000 --lossless --stop-after 10 \
		--resume-after 1000
	START_IN=$DIR/made relay_start one - "unix:$DIR/s"
	run -0 wait_end one 20
	run -0 frames_wait rx
	assert_line --partial "total: received 20000 lost 0 damaged 0 reordered 0 duplicated 0"
}

# Without anybody there: 24-stdio.bats.
@test "-: /dev/null as stdin: over as soon as somebody is there" {
	frames_start rx raw "unix-listen:$DIR/s" --wait 10000
	relay_start one - "unix:$DIR/s"
	run -0 wait_end one
	run -0 frames_wait rx
	assert_line --regexp '^sent 0 bytes on 1 connections: closed 1 reset 0 open 0 received 0'
}

#   frames | netrelay - X --- Y netrelay - | frames
@test "-: from a pipe, through two relays, into a pipe" {
	ns_add lab
	mkfifo "$DIR/in" "$DIR/out"
	START_IN=$DIR/out start rx "$FRAMES" recv - --count 5000 --lossless
	START_IN=hold START_OUT=$DIR/out relay_start two in lab tcp-listen:5000 -
	START_IN=$DIR/in relay_start one in lab - tcp:127.0.0.1:5000
	"$FRAMES" send - --count 5000 --max 9000 >"$DIR/in" 2>/dev/null
	run -0 wait_end one 20
	run -0 frames_wait rx
	assert_line --partial "total: received 5000 lost 0 damaged 0 reordered 0 duplicated 0"
	run stop two
}

# hold_pipes NAME [NAME]: makes them, and has both ends of them open.
hold_pipes()
{
	mkfifo "${@/#/$DIR/}"
	start holder sh -c 'exec 3<>"$1" 4<>"$2"; echo; exec sleep 1000' sh "$DIR/$1" \
		"$DIR/${2-$1}"
	wait_for 5 "pipes" grep -q '^$' "$DIR/holder.out"
}

#   frames =two pipes= one --- frames
@test "-: both ways at once over pipes" {
	hold_pipes to from # until both sides have opened them
	frames_start right both "unix-listen:$DIR/u" --id 2 --count 5000 --lossless --max 9000
	START_IN=$DIR/to START_OUT=$DIR/from relay_start one - "unix:$DIR/u"
	START_IN=$DIR/from START_OUT=$DIR/to start left "$FRAMES" both - --id 1 --count 5000 \
		--lossless --max 9000
	relay_wait_up one 2
	wait_for 5 "the pipes' other ends" grep -qx ready "$DIR/left.err"
	run stop holder
	got left 2 5000
	got right 1 5000
	run -0 wait_end one
}

@test "-: nobody reads stdout any more: it ends, without a failure" {
	hold_pipes out
	START_IN=hold START_OUT=$DIR/out relay_start one "unix-listen:$DIR/s" -
	wait_listen - unix "$DIR/s"
	run stop holder
	run "$FRAMES" send "unix:$DIR/s" --count 10
	run -0 wait_end one
}

# --- relay to relay ---------------------------------------------------------

# link END END: between two relays, what the first and the second have for it; the
# one that listens is given second.
#
#   frames --- one END ===== END two --- frames
link()
{
	exchange lab "unix:$DIR/u" lab "unix:$DIR/w" "$COUNT" -- \
		"two lab 1 $2 unix-listen:$DIR/w" "one lab 1 unix-listen:$DIR/u $1"
}

@test "two relays, joined by every kind of link" {
	ns_add lab
	link 127.0.0.1:5000 tcp-listen:5000
	link trunk:127.0.0.1:5000 tcp-listen:5000
	link 'trunk:[::1]:5000' 'tcp-listen:[::1]:5000'
	link trunk:localhost:5000 tcp-listen:127.0.0.1:5000
	link "unix:$DIR/s" "unix-listen:$DIR/s"
	exchange lab "unix:$DIR/u" lab "unix:$DIR/w" "$COUNT" -- \
		"one lab 1 unix-listen:$DIR/u 5000::5001" "two lab 1 5001::5000 unix-listen:$DIR/w"
	exchange lab "unix:$DIR/u" lab "unix:$DIR/w" "$COUNT" -- \
		"one lab 1 unix-listen:$DIR/u unixgram:$DIR/b,local=$DIR/a" \
		"two lab 1 unixgram:$DIR/a,local=$DIR/b unix-listen:$DIR/w"
}

#   frames --- a =tcp= b =udp= c =unixgram= d =unix= e =exec= netrelay --- frames
@test "a chain of six relays" {
	ns_add lab
	begin_end right lab "unix-listen:$DIR/w" --id 2 --count "$COUNT" --lossless --linger 100
	relay_start e in lab "unix-listen:$DIR/de" "exec:exec '$NETRELAY' - 'unix:$DIR/w'"
	wait_listen lab unix "$DIR/de"
	relay_start d in lab "unixgram:$DIR/c,local=$DIR/d" "unix:$DIR/de"
	relay_start c in lab 5001::5002 "unixgram:$DIR/d,local=$DIR/c"
	relay_start b in lab tcp-listen:5000 5002::5001
	wait_listen lab tcp 5000
	relay_start a in lab "unix-listen:$DIR/u" tcp:127.0.0.1:5000
	for name in b c d e; do
		relay_wait_up "$name" 2
	done
	relay_wait_up a 1
	wait_for 5 "the last one's connection" has_connection lab "$DIR/w"
	frames_start left in lab both "unix:$DIR/u" --id 1 --count "$COUNT" --lossless --linger 100
	signal_all CONT right
	got left 2 "$COUNT"
	got right 1 "$COUNT"
	for name in a b c d e; do
		relay_check_sums "$name"
	done
	for name in a b c d e; do
		run -0 relay_stop "$name"
	done
}
