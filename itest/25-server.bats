#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
#
# netrelay -l: what any member sends reaches all others, once, and not itself,
# whatever kinds they are of, and while others come and go.
#
# shellcheck disable=SC2016 # shells that are started read what is quoted

load helpers

# So many frames of each member that what all of them send fits one member's queue
# (512 KiB), a tap (500 frames) and a kernel's backlog (1000 packets): none is lost.
COUNT=40

# So that no frame is sent before all are there, members are started while the
# relay is stopped: the kernel takes their connections, and the relay finds all of
# them when it goes on. Those that it dials are stopped themselves until then.

# member ID ENDPOINT: number ID of $MEMBERS, in namespace $MEMBER_IN or lab.
member()
{
	frames_start "m$1" in "${MEMBER_IN:-lab}" both "$2" --id "$1" --count "$COUNT" \
		--expect $(((MEMBERS - 1) * COUNT)) --lossless --linger 100
}

# dialled_member ID ENDPOINT: as member, for one that the relay or its child dials.
dialled_member()
{
	member "$@"
	kill -STOP "$(pid_of "m$1")"
}

relay_pause()
{
	kill -STOP "$(pid_of one)"
}

# Let the relay and all members go, and see that they got what they should, and
# beyond it no more than the relay's probes.
all_exchange()
{
	local id other sent probes=0

	kill -CONT "$(pid_of one)"
	for ((id = 1; id <= MEMBERS; id++)); do
		kill -CONT "$(pid_of "m$id")" 2>/dev/null || true
	done
	for ((id = 1; id <= MEMBERS; id++)); do
		run frames_wait "m$id"
		assert_success
		for ((other = 1; other <= MEMBERS; other++)); do
			if ((other == id)); then
				refute_line --partial "from $other:"
			else
				assert_line "from $other: received $COUNT lost 0 damaged 0 reordered 0 duplicated 0"
			fi
		done
		probes=$((probes + $(frames_total "m$id" other)))
	done
	relay_check_sums one
	sent=$(relay_status one | awk -F'[ ,]+' '/queued 0, dropped 0$/ { print $11 }')
	((probes >= MEMBERS && sent == MEMBERS * (MEMBERS - 1) * COUNT + probes))
}

is_refused()
{
	run ! ns lab bash -c 'exec 3<>"/dev/tcp/$1/$2"' bash "$1" "$2"
	assert_output --partial "Connection refused"
}

# --- who hears whom ---------------------------------------------------------

#   1, 2, 3, ... === one
@test "three clients: each frame reaches the others, and not its sender" {
	ns_add lab
	MEMBERS=3
	relay_start one in lab -l 5000
	wait_listen lab tcp 5000
	relay_pause
	for id in 1 2 3; do
		member "$id" tcp:127.0.0.1:5000
	done
	all_exchange
	run -0 relay_status one
	assert_line --partial "listener 5000: 0 connected, 3 accepted so far"
	run -0 relay_stop one
}

@test "ten clients" {
	ns_add lab
	MEMBERS=10
	relay_start one in lab -l 5000
	wait_listen lab tcp 5000
	relay_pause
	for id in {1..10}; do
		member "$id" tcp:127.0.0.1:5000
	done
	all_exchange
	run -0 relay_stop one
}

@test "a server with a single member keeps to itself what that sends" {
	ns_add lab
	relay_start one in lab -l 5000
	wait_listen lab tcp 5000
	frames_start m1 in lab both tcp:127.0.0.1:5000 --count 50 --expect 0 --linger 200
	run -0 frames_wait m1
	assert_line --partial "total: received 0 "
	relay_check_sums one
	probes=$(frames_total m1 other)
	run -0 relay_status one
	assert_line --partial \
		"received 50, copied $probes, sent $probes, queued 0, dropped 50"
	run -0 relay_stop one
}

# In lab, but for m6, which is on the other end of the bridge's veth.
#
#   m1 tcp4 ---\            /--- udp m4
#   m2 tcp6 --- one -l ... ----- unixgram m5
#   m3 unix ---/   | |  |  \---- br0 ---veth v--- far m6
#                  | |  \------- exec: netrelay - ---unix--- m7
#                  | \---------- - =pipes= m8
@test "members of every kind at once" {
	ns_add lab far
	MEMBERS=8
	for name in lab far; do # no frames but ours
		no_ipv6 "$name"
	done
	quiet_bridge lab br0
	veth_pair lab v far v
	bridge_port lab br0 v
	dialled_member 7 "unix-listen:$DIR/m7"
	mkfifo "$DIR/to" "$DIR/from"
	start holder sh -c 'exec 3<>"$0/to" 4<>"$0/from"; echo; exec sleep 1000' "$DIR"
	wait_for 5 "pipes" grep -q '^$' "$DIR/holder.out"
	START_IN=$DIR/to START_OUT=$DIR/from relay_start one in lab -l 5000 \
		-l "unix-listen:$DIR/s" 5001::5002 "unixgram:$DIR/b,local=$DIR/a" br0 \
		"exec:exec '$NETRELAY' - 'unix:$DIR/m7'" -
	relay_wait_up one 5 10
	wait_for 5 "connection of the command" has_connection lab "$DIR/m7"
	relay_pause
	member 1 tcp:127.0.0.1:5000
	member 2 'tcp:[::1]:5000'
	member 3 "unix:$DIR/s"
	member 4 udp:127.0.0.1:5001,local=127.0.0.1:5002
	member 5 "unixgram:$DIR/a,local=$DIR/b"
	MEMBER_IN=far member 6 if:v
	START_IN=$DIR/from START_OUT=$DIR/to member 8 -
	all_exchange
	run stop holder
	run -0 wait_end one # for its stdin has ended
}

#   1, 2 --unix--- one ---tcp--- 3
@test "two clients of a unix-listen target in a server" {
	ns_add lab
	MEMBERS=3
	relay_start one in lab -l 5000 "unix-listen:$DIR/s"
	wait_listen lab unix "$DIR/s"
	relay_pause
	member 1 "unix:$DIR/s"
	member 2 "unix:$DIR/s"
	member 3 tcp:127.0.0.1:5000
	all_exchange
	run -0 relay_status one
	assert_line --partial "listener unix-listen:$DIR/s: 0 connected, 2 accepted so far"
	run -0 relay_stop one
}

#   1, 2 === one ---tcp--- two === 3, 4
@test "two servers, one of which dials the other, are one" {
	ns_add lab
	MEMBERS=4
	relay_start two in lab -l 5002
	wait_listen lab tcp 5002
	relay_start one in lab -l 5001 tcp:127.0.0.1:5002
	relay_wait_up one 1
	relay_wait_up two 1
	relay_pause
	kill -STOP "$(pid_of two)"
	member 1 tcp:127.0.0.1:5001
	member 2 tcp:127.0.0.1:5001
	member 3 tcp:127.0.0.1:5002
	member 4 tcp:127.0.0.1:5002
	kill -CONT "$(pid_of two)"
	kill -CONT "$(pid_of one)"
	for id in {1..4}; do
		run frames_wait "m$id"
		assert_success
		assert_line --partial "total: received $((3 * COUNT)) lost 0 damaged 0"
		refute_line --partial "from $id:"
	done
	relay_check_sums one
	relay_check_sums two
	run -0 relay_stop one
	run -0 relay_stop two
}

# --- where it listens -------------------------------------------------------

@test "-l PORT listens at every address of both IP versions" {
	ns_add lab
	ns lab ip addr add 10.0.0.1/24 dev lo
	ns lab ip addr add fd00::1/64 dev lo
	ns lab sh -c 'echo 1 >/proc/sys/net/ipv6/bindv6only'
	MEMBERS=5
	relay_start one in lab -l 5000
	wait_listen lab tcp 5000
	relay_pause
	member 1 tcp:127.0.0.1:5000
	member 2 tcp:127.3.2.1:5000
	member 3 tcp:10.0.0.1:5000
	member 4 'tcp:[::1]:5000'
	member 5 'tcp:[fd00::1]:5000'
	all_exchange
	run -0 relay_stop one
}

@test "-l PORT listens at IPv4 where there is no IPv6" {
	ns_add lab
	ns lab sh -c 'echo 1 >/proc/sys/net/ipv6/conf/all/disable_ipv6'
	MEMBERS=2
	relay_start one in lab -l 5000
	wait_listen lab tcp 5000
	relay_pause
	member 1 tcp:127.0.0.1:5000
	member 2 tcp:127.0.0.1:5000
	all_exchange
	run -0 relay_stop one
}

@test "-l ADDR:PORT and [ADDR6]:PORT listen there and nowhere else, -l may be repeated" {
	ns_add lab
	ns lab ip addr add 10.0.0.1/24 dev lo
	ns lab ip addr add fd00::1/64 dev lo
	MEMBERS=4
	relay_start one in lab -l 127.0.0.1:5000 -l '[::1]:5000' -l tcp-listen:10.0.0.1:5000 \
		-l 5001
	wait_listen lab tcp 5001
	is_refused 127.0.0.2 5000
	is_refused fd00::1 5000
	relay_pause
	member 1 tcp:127.0.0.1:5000
	member 2 'tcp:[::1]:5000'
	member 3 tcp:10.0.0.1:5000
	member 4 'tcp:[fd00::1]:5001'
	all_exchange
	run -0 relay_status one
	assert_line --partial "listener 127.0.0.1:5000: 0 connected, 1 accepted so far"
	assert_line --partial "listener [::1]:5000: 0 connected, 1 accepted so far"
	assert_line --partial "listener tcp-listen:10.0.0.1:5000: 0 connected, 1 accepted so far"
	assert_line --partial "listener 5001: 0 connected, 1 accepted so far"
	run -0 relay_stop one
}

# --- coming and going -------------------------------------------------------

# One visit each: sends and leaves; leaves in the middle of a frame; leaves with
# much unread, so that TCP resets; only listens.
visits()
{
	ns lab "$FRAMES" send tcp:127.0.0.1:5000 --count 3 --id 9 --linger 0 &&
		ns lab "$FRAMES" raw 'tcp:[::1]:5000' --wait 0 000000400102 &&
		ns lab "$FRAMES" raw "unix:$DIR/s" --connections 3 --wait 10 --split 7 0000003c +60 &&
		ns lab "$FRAMES" recv tcp:127.0.0.1:5000 --count 20 --linger 0
}

have_received()
{
	(($(relay_status one | grep -cE "^netrelay: port [12] .*, rx $1 frames ") == 2))
}

#   1, 2 === one === visitors
@test "clients come and go under traffic, and the others lose nothing" {
	ns_add lab
	relay_start one in lab -l 5000 -l "unix-listen:$DIR/s"
	wait_listen lab tcp 5000
	relay_pause
	for id in 1 2; do
		frames_start "m$id" in lab both tcp:127.0.0.1:5000 --id "$id" --from $((3 - id)) \
			--count 4000 --max 400 --rate 2000 --lossless --linger 120000 --timeout 60
	done
	kill -CONT "$(pid_of one)"
	relay_wait_up one 2
	for _ in {1..5}; do
		run -0 visits
	done
	wait_for 60 "all frames" have_received 4000
	wait_for 10 "the last visitor to be gone" has_ports 2
	relay_check_sums one
	run -0 relay_status one
	for id in 1 2; do
		assert_line --regexp "^netrelay: port $id .* queued 0 frames 0 bytes, dropped: none$"
	done
	assert_line --partial "listener 5000: 2 connected, 17 accepted so far"
	assert_line --partial "listener unix-listen:$DIR/s: 0 connected, 15 accepted so far"
	for id in 1 2; do
		run -0 stop "m$id"
		run cat "$DIR/m$id.out"
		assert_line "from $((3 - id)): received 4000 lost 0 damaged 0 reordered 0 duplicated 0"
	done
	run -0 relay_stop one
}

has_ports()
{
	relay_status one | grep -q "^netrelay: status: switch, $1 ports:"
}

open_descriptors()
{
	find "/proc/$(pid_of one)/fd" -mindepth 1 | wc -l
}

# probes_beyond COPIED SENT: to how many members there were probes, if so many
# frames were copied and sent.
probes_beyond()
{
	relay_status one | sed -n 's/^netrelay: status: .* copied \([0-9]*\), sent \([0-9]*\),.*/\1 \2/p' |
		awk -v copied="$1" -v sent="$2" '$1 - copied == $2 - sent { print $2 - sent }'
}

#   1 --- one === 200 clients
# bats test_tags=slow
@test "200 clients connect, hear everything, and leave" {
	ns_add lab
	relay_start one in lab -l 5000
	wait_listen lab tcp 5000
	relay_check_sums one
	before=$(open_descriptors)
	for round in 1 2 3; do
		START_IN=hold frames_start crowd in lab raw tcp:127.0.0.1:5000 --connections 200 \
			--wait 30000
		relay_wait_ports one 200 20
		run -0 ns lab "$FRAMES" send tcp:127.0.0.1:5000 --count 10 --min 60 --max 60
		wait_for 10 "the sender to be gone" has_ports 200
		relay_check_sums one
		run -0 relay_status one
		assert_line --regexp \
			"received $((round * 10)), copied .*, queued 0, dropped 0$"
		probes=$(probes_beyond $((round * 1990)) $((round * 2000)))
		((probes >= round * 201 && probes % 201 == 0))
		run stop crowd
		wait_for 10 "the crowd to be gone" has_ports 0
		[[ $(open_descriptors) == "$before" ]]
	done
	run -0 relay_status one
	assert_line --partial "listener 5000: 0 connected, 603 accepted so far"
	relay_check_sums one
	run -0 relay_stop one
}

#   1, then 2 --- one ---unix--- frames
@test "a cable's tcp-listen takes one at a time; the second one has its turn" {
	ns_add lab
	frames_start rx in lab recv "unix-listen:$DIR/s" --count 100 --lossless --timeout 30
	relay_start one in lab tcp-listen:5000 "unix:$DIR/s"
	relay_wait_up one 1
	START_IN=hold frames_start first in lab raw tcp:127.0.0.1:5000 --hold --wait 0
	relay_wait_up one 2
	frames_start second in lab send tcp:127.0.0.1:5000 --count 100
	relay_check_sums one
	run -0 relay_status one
	assert_line --partial "listener tcp-listen:5000: 1 connected, 1 accepted so far"
	assert_line --partial "status: cable, 2 ports: received 0,"
	run stop first
	run -0 frames_wait second
	run -0 frames_wait rx
	assert_line "from 1: received 100 lost 0 damaged 0 reordered 0 duplicated 0"
	relay_check_sums one
	run -0 relay_status one
	assert_line --partial "received 100, copied 0, sent 100, queued 0, dropped 0"
	assert_line --partial "2 accepted so far"
	run -0 relay_stop one
}
