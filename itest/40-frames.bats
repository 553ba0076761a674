#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
#
# What is a frame and what is not: lengths, padding, cut and mangled streams,
# garbage on every input. Whatever one port is sent, no other may see half a
# frame, or lose one.

load helpers

# --- what a relay says ------------------------------------------------------

# word LENGTH: a length word, in hex.
word()
{
	printf '%08x' "$1"
}

# frame LENGTH: that many zeros behind their length word, as frames raw takes them.
frame()
{
	word "$1"
	echo " +$1"
}

# hub: one that gives each frame to all, with a listener on $DIR/hub, and one for each further argument.
hub()
{
	relay_start relay --hub -l "unix-listen:$DIR/hub" "$@"
	wait_listen - unix "$DIR/hub"
}

# --- lengths ----------------------------------------------------------------

# watchers [ENDPOINT...]: two clients, and peers by UDP and unix datagrams, of a
# relay in namespace a that has these endpoints, too. Each sees every frame, takes
# 10 of ours, and nothing that is shorter than 60 bytes.
watchers()
{
	ns_add a
	frames_start dgram recv "unixgram:$DIR/own,local=$DIR/far" --count 10 --lossless --padded
	frames_start udp in a recv udp:127.0.0.1:6000,local=127.0.0.1:6001 --count 10 \
		--lossless --padded
	relay_start relay in a --hub -l "unix-listen:$DIR/hub" -l 127.0.0.1:5000 \
		"unixgram:$DIR/far,local=$DIR/own" udp:127.0.0.1:6001,local=127.0.0.1:6000 "$@"
	wait_listen a unix "$DIR/hub"
	frames_start unix recv "unix:$DIR/hub" --count 10 --lossless --padded
	frames_start tcp in a recv tcp:127.0.0.1:5000 --count 10 --lossless --padded
	relay_wait_up relay $((4 + $#))
}

# watchers_saw OTHER OTHER_UDP: beside the 10, so many frames that are not ours.
watchers_saw()
{
	local name

	ns a "$FRAMES" send "unix:$DIR/hub" --count 10 --min 26 --max 100
	for name in unix tcp dgram udp; do
		run -0 frames_wait "$name"
		if [[ $name == udp ]]; then
			set -- "$2"
		fi
		assert_line --partial \
			"received 10 lost 0 damaged 0 reordered 0 duplicated 0 other $1 "
	done
	relay_check_sums relay
}

@test "lengths on a stream: runts go nowhere, the rest passes, in step, up to 69632" {
	watchers
	# shellcheck disable=SC2046 # two words each
	run -0 "$FRAMES" raw "unix:$DIR/hub" --half-close $(frame 0) $(frame 1) $(frame 13) \
		$(frame 14) $(frame 59) $(frame 60) $(frame 0) $(frame 69632) $(frame 60)
	assert_output --partial "closed 1 reset 0 open 0"
	wait_status relay "status: .* received 9, "
	watchers_saw 5 4
	has_status relay "port .*udp:.* too-long 1$"
	# That, and the runts.
	has_status relay "status: .* dropped 5$"
}

@test "lengths on a stream, byte by byte" {
	watchers
	# shellcheck disable=SC2046 # two words each
	run -0 "$FRAMES" raw "unix:$DIR/hub" --split 1 --half-close $(frame 0) $(frame 1) \
		$(frame 13) $(frame 14) $(frame 59) $(frame 60) $(frame 0) $(frame 69632) $(frame 60)
	assert_output --partial "closed 1 reset 0 open 0"
	wait_status relay "status: .* received 9, "
	watchers_saw 5 4
	has_status relay "status: .* dropped 5$"
}

@test "lengths of unix datagrams" {
	watchers "unixgram:$DIR/src,local=$DIR/in"
	run -0 ns a "$FRAMES" raw "unixgram:$DIR/in,local=$DIR/src" --wait 0 \
		+0 +1 +13 +14 +0 +59 +60 +69632 +69633 +60
	wait_status relay "status: .* received 10, "
	has_status relay "port .*unixgram:$DIR/src.* dropped: runt 4 oversize 1"
	watchers_saw 5 4
}

@test "lengths of UDP datagrams" {
	watchers udp:127.0.0.1:6003,local=127.0.0.1:6002
	run -0 ns a "$FRAMES" raw udp:127.0.0.1:6002,local=127.0.0.1:6003 --wait 0 \
		+0 +1 +13 +14 +0 +59 +60 +65507 +60
	wait_status relay "status: .* received 9, "
	has_status relay "port .*udp:127.0.0.1:6003.* dropped: runt 4"
	watchers_saw 5 5
}

# sniff NAME ENDPOINT: a client that keeps what it gets, until the relay ends.
sniff()
{
	frames_start "$1" raw "$2" --wait 60000
}

sniffed()
{
	sed -n 's/^bytes //p' "$DIR/$1.out"
}

zeros()
{
	printf "%0$((2 * $1))d" 0
}

@test "short frames are filled up with zeros to 60, and no others" {
	local f14=ffffffffffff0200000000018888 f59 f60

	f59=${f14}$(printf 'ab%.0s' {1..45})
	f60=${f14}$(printf 'cd%.0s' {1..46})
	hub "unixgram:$DIR/far,local=$DIR/own"
	sniff stream "unix:$DIR/hub"
	frames_start dgram raw "unixgram:$DIR/own,local=$DIR/far" --expect $((3 * 60 + 61))
	relay_wait_up relay 2
	run -0 "$FRAMES" raw "unix:$DIR/hub" --half-close 0000000e "$f14" 0000003b "$f59" \
		0000003c "$f60" 0000003d "${f60}ef"
	wait_status relay "status: .* received 4, copied 4, sent 8,"
	run -0 frames_wait dgram
	assert_equal "$(sniffed dgram)" "$f14$(zeros 46)${f59}00${f60}${f60}ef"
	run -0 relay_stop relay
	run -0 frames_wait stream
	assert_equal "$(sniffed stream)" \
		"0000003c$f14$(zeros 46)0000003c${f59}000000003c${f60}0000003d${f60}ef"
}

# too_long LENGTH [OPTION...]: a good frame, then that length and nothing else.
too_long()
{
	# shellcheck disable=SC2046 # two words
	run -0 "$FRAMES" raw "unix:$DIR/hub" "${@:2}" $(frame 60) "$(word "$1")"
	assert_output --partial "closed 1 reset 0 open 0"
}

@test "a length above 69632 ends the connection at the header, and no other" {
	local length n=0

	hub
	frames_start rx recv "unix:$DIR/hub" --count 1000 --lossless --timeout 60
	relay_wait_up relay 1
	frames_start tx send "unix:$DIR/hub" --count 1000 --rate 1000
	for length in 69633 $((1 << 31)) $(((1 << 32) - 1)); do
		too_long "$length"
		too_long "$length" --split 1
		n=$((n + 2))
		assert_file_contains "$DIR/relay.err" \
			"unix:.*: a frame of $length bytes was announced, 69632 are the most"
	done
	run -0 frames_wait rx
	assert_line --partial "total: received 1000 lost 0 damaged 0 reordered 0 duplicated 0"
	run -0 frames_wait tx
	relay_wait_ports relay 0
	relay_check_sums relay
	# Those ahead of it passed.
	has_status relay "status: .* received $((1000 + 2 * n)), "
}

@test "2,000 connections with such a length: few lines, and the others are counted" {
	local since told most omitted

	ns_add a
	relay_start relay in a -l 127.0.0.1:5000
	wait_listen a tcp 5000
	since=$(_now_us)
	for _ in 1 2; do
		run -0 ns a "$FRAMES" raw tcp:127.0.0.1:5000 "$(word 69633)" --connections 1000
	done
	relay_wait_ports relay 0 20
	# 1,000 at once, 100 a second more, and some for the clock.
	most=$((1100 + ($(_now_us) - since) / 10000))
	run -0 relay_status relay
	told=$(log_lines relay "a frame of 69633 bytes was announced")
	omitted=$(sed -n 's/^netrelay: \([0-9]*\) messages left out here$/\1/p' "$DIR/relay.err" |
		awk '{ n += $1 } END { print n + 0 }')
	echo "# $told lines, $omitted left out" >&3
	((told >= 1000 && told <= most && told + omitted == 2000))
	run -0 relay_stop relay
}

@test "a length above 69632 is counted as oversize; who is dialled is dialled again" {
	frames_start one raw "unix-listen:$DIR/far" "$(word 69633)"
	relay_start relay "unix-listen:$DIR/near" "unix:$DIR/far"
	wait_listen - unix "$DIR/near"
	run -0 frames_wait one
	assert_output --partial "closed 1"
	has_status relay "port .* unix:$DIR/far: .* rx 1 frames .* dropped: oversize 1"
	frames_start two recv "unix-listen:$DIR/far" --count 10 --lossless
	relay_wait_up relay 1
	run -0 "$FRAMES" send "unix:$DIR/near" --count 10
	run -0 frames_wait two
	relay_check_sums relay
}

# --- streams in pieces ------------------------------------------------------

@test "a frame cut by the stream's end is counted, and never sent" {

	relay_start relay "unix-listen:$DIR/near" "unix-listen:$DIR/far"
	wait_listen - unix "$DIR/near"
	wait_listen - unix "$DIR/far"
	sniff far "unix:$DIR/far"
	relay_wait_up relay 1
	# In the length word, in the header, in the frame, one byte too early.
	run -0 "$FRAMES" raw "unix:$DIR/near" --half-close 0000
	run -0 "$FRAMES" raw "unix:$DIR/near" --half-close "$(word 1514)" +10
	run -0 "$FRAMES" raw "unix:$DIR/near" --half-close "$(word 69632)" +69631
	# shellcheck disable=SC2046 # two words
	run -0 "$FRAMES" raw "unix:$DIR/near" --half-close $(frame 60) "$(word 60)" +59
	wait_status relay "status: .* received 5, copied 0, sent 1, queued 0, dropped 4"
	relay_check_sums relay
	# A client that is killed is cut as well, and the next one begins afresh.
	START_IN=hold frames_start mid raw "unix:$DIR/near" --hold --wait 0 "$(word 1514)" +700
	relay_wait_ports relay 2
	run -137 stop mid KILL
	wait_status relay "status: .* received 6, copied 0, sent 1, queued 0, dropped 5"
	run -0 "$FRAMES" raw "unix:$DIR/near" --half-close "$(word 60)" \
		"$(printf 'ee%.0s' {1..60})"
	wait_status relay "status: .* sent 2, "
	relay_check_sums relay
	run -0 relay_stop relay
	run -0 frames_wait far
	assert_equal "$(sniffed far)" "0000003c$(zeros 60)0000003c$(printf 'ee%.0s' {1..60})"
}

@test "a peer that is dialled again after a cut frame begins afresh" {
	relay_start relay "unix-listen:$DIR/near" "unix:$DIR/far"
	wait_listen - unix "$DIR/near"
	frames_start near recv "unix:$DIR/near" --count 10 --lossless --timeout 30
	run -0 "$FRAMES" raw "unix-listen:$DIR/far" --wait 0 "$(word 1514)" +700
	wait_status relay "port 1 .* dropped: cut 1$"
	run -0 "$FRAMES" send "unix-listen:$DIR/far" --count 10
	run -0 frames_wait near
	assert_line --partial "total: received 10 lost 0 damaged 0 reordered 0 duplicated 0"
	relay_check_sums relay
}

# In namespace a: as many TCP connections as there are bytes in two frames, less
# one. Each sends another part of them, and when told so by stdin, the rest.
split_script()
{
	cat <<-'END'
		cd "$1" && n=$2
		for ((k = 1; k <= n; k++)); do
			exec {fd[k]}<>/dev/tcp/127.0.0.1/5000
			head -c "$k" "two.$k" >&"${fd[k]}"
		done
		echo parts
		read -r _
		for ((k = 1; k <= n; k++)); do
			tail -c +$((k + 1)) "two.$k" >&"${fd[k]}"
		done
		read -r _
	END
}

@test "two frames, split in two writes at every byte" {
	local k n=127

	ns_add a
	for ((k = 1; k <= n; k++)); do
		"$FRAMES" send - --id "$k" --count 2 --min 60 --max 60 >"$DIR/two.$k" 2>/dev/null
	done
	split_script >"$DIR/split"
	mkfifo "$DIR/go"
	relay_start relay in a -l 5000
	wait_listen a tcp 5000
	frames_start rx in a recv tcp:127.0.0.1:5000 --count $((2 * n)) --lossless --timeout 30
	# Both ways, a FIFO's opening waits for nobody.
	exec {go}<>"$DIR/go"
	START_IN=$DIR/go start tx in a bash "$DIR/split" "$DIR" "$n" {go}>&-
	wait_for 20 "first parts" grep -qx parts "$DIR/tx.out"
	# All that is whole: the first frame of those split behind it.
	wait_status relay "status: .* received 64, "
	echo >&"$go"
	run -0 frames_wait rx
	echo >&"$go"
	exec {go}>&-
	run -0 wait_end tx
	relay_check_sums relay
	has_status relay "status: .* received $((2 * n)), "
}

# keep NAME PATH: writes what the relay's unix socket gives to $DIR/NAME.stream.
keep()
{
	start "$1" socat -u "UNIX-CONNECT:$2" "CREATE:$DIR/$1.stream"
}

# tiny COUNT LENGTH PADDING: a stream of frames of LENGTH bytes, each another
# EtherType, with PADDING zeros behind each.
tiny()
{
	LC_ALL=C awk -v count="$1" -v len="$2" -v padding="$3" 'BEGIN {
		for (i = 0; i < count; i++) {
			printf "%c%c%c%c", 0, 0, 0, len + padding
			for (j = 0; j < 12; j++)
				printf "%c", (i * 7 + j) % 256
			printf "%c%c", i / 256, i % 256
			for (j = 14; j < len; j++)
				printf "%c", (i + j * 3) % 256
			for (j = 0; j < padding; j++)
				printf "%c", 0
		}
	}'
}

@test "many tiny frames in one write" {
	tiny 5000 14 0 >"$DIR/sent"
	tiny 5000 14 46 >"$DIR/due"
	relay_start relay "unix-listen:$DIR/near" "unix-listen:$DIR/far"
	wait_listen - unix "$DIR/near"
	wait_listen - unix "$DIR/far"
	keep far "$DIR/far"
	relay_wait_up relay 1
	run -0 "$FRAMES" raw "unix:$DIR/near" --half-close "@$DIR/sent"
	wait_status relay "status: .* received 5000, copied 0, sent 5000,"
	run -0 relay_stop relay
	run -0 wait_end far
	cmp "$DIR/due" "$DIR/far.stream"
}

#   stdin --- relay --- unix --- file
@test "every EtherType passes byte-exact" {
	tiny 65536 62 0 >"$DIR/sent"
	START_IN=$DIR/sent relay_start relay - "unix-listen:$DIR/far"
	wait_listen - unix "$DIR/far"
	keep far "$DIR/far"
	run -0 wait_end relay 30
	run -0 wait_end far
	cmp "$DIR/sent" "$DIR/far.stream"
}

@test "tags, also double, and addresses that bridges do not forward, pass byte-exact" {
	local frame stream='' dgram='' pieces=() src=020000000001 pad

	pad=$(printf '5a%.0s' {1..60})
	for frame in "ffffffffffff${src}81000064 0800$pad" "ffffffffffff${src}810000000806$pad" \
		"ffffffffffff${src}8100efff86dd$pad" "ffffffffffff${src}88a80064810000c80800$pad" \
		"ffffffffffff${src}81000064810000c88100012c0800$pad" \
		"0180c2000000${src}0026424203${pad}" "0180c2000001${src}88080001ffff$pad" \
		"0180c2000002${src}88090101$pad" "0180c2000003${src}888e0100$pad" \
		"0180c200000e${src}88cc0207$pad" "0180c2000021${src}88f5$pad" \
		"01000ccccccc${src}0020aaaa03$pad" "000000000000000000000000ffff$pad"; do
		frame=${frame// /}
		pieces+=("$(word $((${#frame} / 2)))$frame")
		stream+=$(word $((${#frame} / 2)))$frame
		dgram+=$frame
	done
	hub "unixgram:$DIR/far,local=$DIR/own"
	sniff stream "unix:$DIR/hub"
	frames_start dgram raw "unixgram:$DIR/own,local=$DIR/far" --expect $((${#dgram} / 2))
	relay_wait_up relay 2
	run -0 "$FRAMES" raw "unix:$DIR/hub" --half-close "${pieces[@]}"
	wait_status relay "status: .* received 13, copied 13, sent 26, queued 0, dropped 0"
	run -0 frames_wait dgram
	assert_equal "$(sniffed dgram)" "$dgram"
	run -0 relay_stop relay
	run -0 frames_wait stream
	assert_equal "$(sniffed stream)" "$stream"
}

# --- jumbo frames -----------------------------------------------------------

#   tx --- tcp --- one --- unix --- two --- unixgram --- three --- tcp --- rx
@test "jumbo frames through TCP, unix streams and unix datagrams, up to 69632" {
	local max

	ns_add a
	for max in 65535 69632; do
		relay_start one in a tcp-listen:127.0.0.1:5000 "unix-listen:$DIR/mid"
		relay_start three in a "unixgram:$DIR/two,local=$DIR/three" tcp-listen:127.0.0.1:5001
		wait_listen a unix "$DIR/mid"
		wait_listen a unixgram "$DIR/three"
		wait_listen a tcp 5001
		relay_start two in a "unix:$DIR/mid" "unixgram:$DIR/three,local=$DIR/two"
		frames_start rx in a recv tcp:127.0.0.1:5001 --count 1000 --lossless
		wait_listen a unixgram "$DIR/two"
		relay_wait_up two 2
		relay_wait_up three 2
		run -0 ns a "$FRAMES" send tcp:127.0.0.1:5000 --count 1000 --min 9000 --max "$max" \
			--batch
		run -0 frames_wait rx
		assert_line --partial "received 1000 lost 0 damaged 0 reordered 0 duplicated 0"
		for relay in one two three; do
			relay_check_sums "$relay"
			run -0 relay_stop "$relay"
		done
	done
}

#   tx --- unix --- relay --- udp --- rx
@test "UDP carries up to 65507 bytes; what is longer is dropped as too-long" {
	ns_add a
	relay_start relay in a "unix-listen:$DIR/near" udp:127.0.0.1:6001,local=127.0.0.1:6000
	wait_listen a unix "$DIR/near"
	frames_start rx in a recv udp:127.0.0.1:6000,local=127.0.0.1:6001 --count 20 --lossless
	run -0 ns a "$FRAMES" send "unix:$DIR/near" --count 10 --min 65507 --max 65507 --id 1
	run -0 ns a "$FRAMES" send "unix:$DIR/near" --count 7 --min 65508 --max 65508 --id 2
	run -0 ns a "$FRAMES" send "unix:$DIR/near" --count 10 --min 60 --max 9000 --id 3
	run -0 frames_wait rx
	assert_line "from 1: received 10 lost 0 damaged 0 reordered 0 duplicated 0"
	assert_line "from 3: received 10 lost 0 damaged 0 reordered 0 duplicated 0"
	refute_line --partial "from 2"
	has_status relay "port .* udp:.* tx 20 frames .* dropped: too-long 7$"
	relay_check_sums relay
}

# packets: what has gone out of lab's end of the wire; a run counts as one.
packets()
{
	ns lab cat /sys/class/net/v/statistics/tx_packets
}

# crosses ID COUNT LENGTH: frames in one batch, all of which arrive. Sets "spent" to
# the packets that it took.
crosses()
{
	local before

	frames_start "rx$1" in far recv udp:10.0.0.1:5000,local=10.0.0.2:5000 \
		--count "$2" --from "$1" --lossless --rcvbuf 8000000
	before=$(packets)
	run -0 ns lab "$FRAMES" send "unix:$DIR/near" --batch --count "$2" --id "$1" --min "$3" --max "$3"
	run -0 frames_wait "rx$1"
	assert_line "from $1: received $2 lost 0 damaged 0 reordered 0 duplicated 0"
	spent=$(($(packets) - before))
}

#   tx --- unix --- relay :lab ---veth, its MTU lowered--- far: rx
@test "a path that narrows under UDP_SEGMENT: what fits goes on in runs, nothing is lost" {
	local spent

	ns_add lab far
	veth_pair lab v far v 10.0.0.1/24 10.0.0.2/24
	relay_start relay in lab "unix-listen:$DIR/near" :10.0.0.2:5000
	wait_listen lab unix "$DIR/near"
	crosses 1 600 1400
	((spent < 200)) || fail "$spent packets: not in runs"
	ns lab ip link set v mtu 1280
	# Each now goes in two fragments.
	crosses 2 600 1400
	((spent >= 1200)) || fail "$spent packets: the path has not narrowed"
	crosses 3 600 1200
	((spent < 200)) || fail "$spent packets: what fits no longer goes in runs"
	run -0 ns lab "$FRAMES" send "unix:$DIR/near" --batch --count 5 --id 4 --min 65508 --max 65508
	crosses 5 10 60
	has_status relay "port .* :10.0.0.2:5000: .* dropped: too-long 5$"
	relay_check_sums relay
}

# --- garbage ----------------------------------------------------------------

# garbage SEED BYTES PLAIN: bytes that nobody foresaw. PLAIN percent of them are 0,
# so that length words come that are no mistake at once. None is our EtherType's.
garbage()
{
	LC_ALL=C awk -v seed="$1" -v bytes="$2" -v plain="$3" 'BEGIN {
		srand(seed)
		for (i = 0; i < bytes; i++) {
			byte = rand() * 100 < plain ? 0 : int(rand() * 256)
			printf "%c", byte == 136 ? 137 : byte
		}
	}'
}

# trunk_garbage SEED: a trunk's hello, and frames behind virtio headers that
# promise anything.
trunk_garbage()
{
	printf '\377ntr\0\1\0\100\0\0\0\1'
	head -c 52 /dev/zero
	LC_ALL=C awk -v seed="$1" 'BEGIN {
		srand(seed)
		for (i = 0; i < 400; i++) {
			len = 10 + int(rand() * 200)
			printf "%c%c%c%c", 128, 0, 0, len
			# Flags and kind of super-frame are often good ones, so that more is read.
			for (j = 0; j < 2; j++)
				printf "%c", rand() < 0.7 ? int(rand() * 6) : int(rand() * 256)
			for (j = 2; j < len; j++) {
				byte = j < 10 && rand() < 0.6 ? 0 : int(rand() * 256)
				printf "%c", byte == 136 ? 137 : byte
			}
		}
	}'
}

# garbage_files SEED: $DIR/g.1 and so on: a kilobyte to 300 of it.
garbage_files()
{
	garbage "$1" 100000 0 >"$DIR/g.1"
	garbage $(($1 + 1)) 300000 70 >"$DIR/g.2"
	garbage $(($1 + 2)) 300000 90 >"$DIR/g.3"
	{
		head -c 7 "$DIR/g.1"
		cat "$DIR/g.3"
	} >"$DIR/g.4"
	printf '\0\0\2\0' >"$DIR/g.5"
	head -c 700 "$DIR/g.1" >>"$DIR/g.5"
	trunk_garbage "$1" >"$DIR/g.6"
}

# pieces_of FILE: "@PIECE" for each of some 40 pieces of all sizes that it is cut into.
pieces_of()
{
	local size at=0 n=0 total

	total=$(wc -c <"$1")
	for size in 0 1 13 14 15 59 60 61 1500 9000 65507 $(shuf -i 1-1500 -n 30 \
		--random-source="$1"); do
		((at + size <= total)) || break
		n=$((n + 1))
		tail -c +$((at + 1)) "$1" | head -c "$size" >"$1.piece$n"
		at=$((at + size))
		echo "@$1.piece$n"
	done
}

# bystanders_start COUNT RATE MAX [OTHERS]: one client of the relay in namespace a
# sends that many frames to another, at a pace that lasts while others do harm.
bystanders_start()
{
	frames_start one in a recv tcp:127.0.0.1:5000 --count "$1" --from 2 --lossless \
		--linger 0 --timeout 60
	wait_status relay "listener 5000: $((1 + ${4:-0})) connected"
	frames_start two in a send tcp:127.0.0.1:5000 --count "$1" --id 2 --rate "$2" --max "$3"
}

bystanders_lost_nothing()
{
	run -0 frames_wait one
	assert_line "from 2: received $1 lost 0 damaged 0 reordered 0 duplicated 0"
	run -0 frames_wait two
}

# A namespace where multicast goes round, and a relay with every kind of input.
garbage_relay()
{
	ns_add a
	ns a ip link set lo multicast on
	ns a ip route add 224.0.0.0/4 dev lo
	echo "head -c 30000 '$DIR/g.1'" >"$DIR/child1"
	echo "cat '$DIR/g.3'" >"$DIR/child2"
	relay_start relay in a -l 5000 -l "unix-listen:$DIR/hub" tcp:127.0.0.1:6000 \
		"unix:$DIR/far" udp:127.0.0.1:6003,local=127.0.0.1:6002 \
		"unixgram:$DIR/src,local=$DIR/in" mcast:230.0.0.1:1234,if=127.0.0.1 tap:nrt0 \
		"exec:sh '$DIR/child1'" "exec:sh '$DIR/child2'"
	wait_listen a tcp 5000
	wait_listen a unix "$DIR/hub"
	wait_status relay "port .* tap:nrt0: up"
}

# raw_at ENDPOINT PIECE...: garbage, whatever becomes of it.
raw_at()
{
	ns a "$FRAMES" raw "$@" --wait 50 >>"$DIR/raw.out"
}

@test "garbage on every input: nobody else loses a frame, and it goes on relaying" {
	local seed=${SEED:-$EPOCHSECONDS} file pieces

	echo "SEED=$seed"
	garbage_files "$seed"
	garbage_relay
	start tcp in a socat -u "OPEN:$DIR/g.2" TCP-LISTEN:6000,reuseaddr,fork
	start unix in a socat -u "OPEN:$DIR/g.4" "UNIX-LISTEN:$DIR/far,fork"
	wait_for 10 "garbage from children" grep -q "exec:sh '$DIR/child1'" "$DIR/relay.err"
	ns a ip link set nrt0 up
	bystanders_start 2000 500 1514
	for file in "$DIR"/g.?; do
		raw_at tcp:127.0.0.1:5000 "@$file"
		raw_at "unix:$DIR/hub" "@$file" --connections 3
		raw_at "unix:$DIR/hub" "@$file" --split 977
		mapfile -t pieces < <(pieces_of "$file")
		raw_at udp:127.0.0.1:6002,local=127.0.0.1:6003 "${pieces[@]}"
		raw_at "unixgram:$DIR/in,local=$DIR/src" "${pieces[@]}"
		raw_at udp:230.0.0.1:1234,local=127.0.0.1:6009 "${pieces[@]}"
		# The kernel sends nothing shorter, and nothing above the MTU.
		raw_at if:nrt0 "${pieces[@]:3:6}"
	done
	bystanders_lost_nothing 2000
	is_running relay
	relay_check_sums relay
	wait_status relay "port .* tap:nrt0: up, rx [1-9]"
	wait_status relay "port .* mcast:.*: up, rx [1-9]"
	wait_status relay "port .* unixgram:.*: up, rx [1-9]"
	wait_status relay "port .* udp:.*: up, rx [1-9]"
	wait_status relay "port .* tcp:127.0.0.1:6000: [a-z]*, rx [1-9]"
	wait_status relay "port .* unix:$DIR/far: [a-z]*, rx [1-9]"
	wait_status relay "port .* exec:sh '$DIR/child2': [a-z]*, rx [1-9]"
	run -0 relay_stop relay
}

@test "garbage on stdin ends the program in good order" {
	local seed=${SEED:-$EPOCHSECONDS} file

	echo "SEED=$seed"
	garbage_files "$seed"
	for file in "$DIR"/g.?; do
		START_IN=$file relay_start relay - "unix-listen:$DIR/far"
		wait_listen - unix "$DIR/far"
		frames_start far recv "unix:$DIR/far" --count 1 --timeout 20
		run -0 wait_end relay
		run frames_wait far
		assert_line --partial "received 0 lost 1 damaged 0 reordered 0 duplicated 0"
		assert_file_not_empty "$DIR/relay.err"
	done
}

# bats test_tags=slow
@test "1000 clients silent in mid-frame: a pair loses nothing, memory stays small" {
	local before after

	ns_add a
	relay_start relay in a -l 5000
	wait_listen a tcp 5000
	before=$(rss_kib relay)
	START_IN=hold frames_start crowd in a raw tcp:127.0.0.1:5000 --connections 1000 --hold \
		--wait 0 "$(word 1514)" +14
	relay_wait_ports relay 1000 20
	bystanders_start 200 100 100 1000
	bystanders_lost_nothing 200
	relay_wait_ports relay 1000
	relay_check_sums relay
	after=$(rss_kib relay)
	echo "$before KiB before, $after KiB with 1000 clients"
	# A page for the part of a frame, and the port itself.
	((after - before < 16 * 1024))
	dismiss crowd TERM
	relay_wait_ports relay 0 20
	# Each of them was cut in the middle of its frame.
	has_status relay "status: .* received 1200, "
	relay_check_sums relay
}
