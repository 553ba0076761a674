#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
#
# -vv: each frame is told of where it comes in and where it goes out; not all of
# them when there are many, and then how many were not.

load helpers

# What is said of frames, without the time.
lines()
{
	sed -nE 's/^netrelay: ([0-9]{2}:){2}[0-9]{2}\.[0-9]{6} //p' "$DIR/one.err"
}

has_told()
{
	(($(lines | wc -l) >= $1))
}

# Frames that are told of, and those that are said not to be.
accounted()
{
	awk '/^netrelay: ..:..:..\./ { n++ }
		match($0, /[0-9]+ frames not shown/) { n += substr($0, RSTART) + 0 }
		END { print n + 0 }' "$DIR/one.err"
}

# frame TYPE-AND-MORE: 60 bytes behind a length word, in hex, from 52:54:00:00:00:01.
frame()
{
	local hex="ffffffffffff525400000001$1"

	printf '0000003c%s%0*d' "$hex" $((120 - ${#hex})) 0
}

#   1 ---unix--- one ---unix--- 2
@test "a frame is told of where it comes in and where it goes out" {
	local from="52:54:00:00:00:01 > ff:ff:ff:ff:ff:ff"

	relay_start one -vv "unix-listen:$DIR/a" "unix-listen:$DIR/b"
	wait_listen - unix "$DIR/b"
	frames_start sink recv "unix:$DIR/b" --timeout 20
	relay_wait_ports one 1
	run -0 "$FRAMES" raw "unix:$DIR/a" --wait 100 "$(frame 08060001)" "$(frame 810000070800)" \
		"$(frame 88a800058100000786dd)" "$(frame 0026424203)" "$(frame 88b5)"
	wait_for 5 "ten lines" has_told 10
	run -0 lines
	assert_line "2 unix:$DIR/a#1 in $from, ARP, length 60"
	assert_line "1 unix:$DIR/b#1 out $from, ARP, length 60"
	assert_line "2 unix:$DIR/a#1 in $from, vlan 7, IPv4, length 60"
	assert_line "1 unix:$DIR/b#1 out $from, vlan 7, IPv4, length 60"
	assert_line "2 unix:$DIR/a#1 in $from, vlan 5.7, IPv6, length 60"
	assert_line "2 unix:$DIR/a#1 in $from, STP, length 60"
	assert_line "1 unix:$DIR/b#1 out $from, 0x88b5, length 60"
	[[ ${#lines[@]} == 10 ]]
	dismiss sink
	run -0 relay_stop one
}

@test "the time is that of the user's clock" {
	local before after at

	export TZ=XXX-5:30
	relay_start one -vv -l "unix-listen:$DIR/a"
	unset TZ
	wait_listen - unix "$DIR/a"
	before=$(TZ=XXX-5:30 date +%H:%M:%S)
	run -0 "$FRAMES" raw "unix:$DIR/a" --wait 100 "$(frame 0806)"
	wait_for 5 "a line" has_told 1
	after=$(TZ=XXX-5:30 date +%H:%M:%S)
	at=$(sed -nE 's/^netrelay: ([0-9:]{8})\..* in .*/\1/p' "$DIR/one.err")
	# Around midnight the last is less than the first.
	[[ $before > $after || (! $at < $before && ! $at > $after) ]]
	run -0 relay_stop one
}

@test "-v alone says nothing of frames" {
	relay_start one -v -l "unix-listen:$DIR/a"
	wait_listen - unix "$DIR/a"
	run -0 "$FRAMES" raw "unix:$DIR/a" --wait 100 "$(frame 0806)"
	run -0 relay_stop one
	run -0 accounted
	assert_output 0
	run -0 lines
	assert_output ""
}

@test "a flood is told of in few lines, which say how many frames are not shown" {
	local since seconds

	relay_start one -vv "unix-listen:$DIR/a" "unix-listen:$DIR/b"
	wait_listen - unix "$DIR/b"
	frames_start sink recv "unix:$DIR/b" --count 100000 --lossless
	relay_wait_ports one 1
	since=$SECONDS
	run -0 "$FRAMES" send "unix:$DIR/a" --count 100000 --batch
	run -0 frames_wait sink
	relay_check_sums one
	run -0 relay_stop one
	seconds=$((SECONDS - since + 1))
	(($(lines | wc -l) >= 100 && $(lines | wc -l) <= 101 + 50 * seconds))
	[[ $(accounted) == 200000 ]]
	refute grep -q "left out" "$DIR/one.err"
}
