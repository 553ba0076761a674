#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
#
# Captures, as tshark and capinfos read them: everything that went through is in
# there, and whatever becomes of the reader or the disk, the relay goes on.

load helpers

# --- reading captures -------------------------------------------------------

# tshark_on FILE ARGS...: what it has to say; nothing of it may be a complaint.
tshark_on()
{
	tshark -n -r "$1" "${@:2}" 2>"$DIR/tshark.complaints" || return
	# All that it may tell root is that it is root.
	! grep -v '^Running as user' "$DIR/tshark.complaints" >&2
}

# count FILE FILTER: packets that match.
count()
{
	local numbers

	numbers=$(tshark_on "$1" -Y "$2" -T fields -e frame.number) || return
	wc -w <<<"$numbers"
}

# is_in NAME, is_out NAME: filters, for packets of one interface, one way.
is_in()
{
	echo "frame.interface_name == \"$1\" && frame.packet_flags_direction == 1"
}

is_out()
{
	echo "frame.interface_name == \"$1\" && frame.packet_flags_direction == 2"
}

# info FILE NAME: what capinfos says under that name.
info()
{
	capinfos -M "$1" | sed -n "s/^$2: *//p"
}

# block_sum FILE FIELD: of a field of the file's own blocks, which tshark takes apart
# when told that the file as such is of interest.
block_sum()
{
	local values

	values=$(tshark_on "$1" -X 'read_format:MIME Files Format' -T fields -E occurrence=a \
		-E aggregator=' ' -e "pcapng.options.option.data.$2") || return
	tr ' ' '\n' <<<"$values" | awk '{ sum += $1 } END { print sum + 0 }'
}

# check_file FILE: it is whole, in order, and as it should be.
check_file()
{
	run -0 capinfos "$1"
	refute_output --partial "cut short"
	assert_equal "$(info "$1" 'File type')" pcapng
	assert_equal "$(info "$1" 'File timestamp precision')" "nanoseconds (9)"
	assert_equal "$(info "$1" 'Strict time order')" True
	[[ $(info "$1" 'Capture application') == "netrelay "* ]]
	tshark_on "$1" >/dev/null
}

# check_counts RELAY FILE: per port and direction, as many packets as it counted when
# it was stopped; it was started with -v.
check_counts()
{
	local name rx tx n=0

	while read -r name rx tx; do
		assert_equal "$(count "$2" "$(is_in "$name")") in $name" "$rx in $name"
		assert_equal "$(count "$2" "$(is_out "$name")") out $name" "$tx out $name"
		n=$((n + 1))
	done < <(tac "$DIR/$1.err" | sed -n '/: status: /q
		s/^netrelay: port [0-9]* \(.*\): [a-z]*, rx \([0-9]*\) .* tx \([0-9]*\) .*/\1 \2 \3/p')
	((n > 0))
	assert_equal "$(info "$2" 'Number of interfaces in file')" "$n"
}

# check_frames FILE FILTER COUNT ID...: the packets that match are whole frames, just
# those that were sent, in order.
check_frames()
{
	local from=() id

	for id in "${@:4}"; do
		from+=(--from "$id")
	done
	tshark -n -r "$1" -Y "$2" -F nsecpcap -w "$DIR/some.pcap" 2>/dev/null
	"$LAB_ROOT/itest/pcap-frames" <"$DIR/some.pcap" >"$DIR/some.frames"
	run -0 "$FRAMES" recv - --count "$3" --lossless "${from[@]}" <"$DIR/some.frames"
	assert_output --partial "total: received $3 lost 0 damaged 0 reordered 0 duplicated 0"
}

# has_packets FILE COUNT: for wait_for, while it is being written.
has_packets()
{
	(($(capinfos -Mc "$1" | awk '/^Number of packets:/ { print $4 }') == $2))
}

# --- what is in a capture ---------------------------------------------------

#   a --- unix --- relay --- unix --- b
@test "a cable's capture holds every frame, at both of its ports, both ways" {
	local file=$DIR/c.pcapng

	frames_start a both "unix-listen:$DIR/a" --id 1 --count 700 --expect 400 --min 26 \
		--max 1600 --lossless --padded
	frames_start b both "unix-listen:$DIR/b" --id 2 --count 400 --expect 700 --min 60 \
		--max 9000 --lossless --padded
	relay_start relay -v --capture "$file" "unix:$DIR/a" "unix:$DIR/b"
	run -0 frames_wait a
	run -0 frames_wait b
	relay_check_sums relay
	# While it goes on, it can be read.
	wait_for 5 "2200 packets in the file" has_packets "$file" 2200
	run -0 relay_stop relay
	check_file "$file"
	check_counts relay "$file"
	assert_equal "$(stat -c %a "$file")" 600
	check_frames "$file" "$(is_in "unix:$DIR/a")" 700 1
	check_frames "$file" "$(is_out "unix:$DIR/b")" 700 1
	check_frames "$file" "$(is_in "unix:$DIR/b")" 400 2
	check_frames "$file" "$(is_out "unix:$DIR/a")" 400 2
	assert_equal "$(block_sum "$file" interface.received)" 2200
	assert_equal "$(block_sum "$file" interface.dropped)" 0
	grep -q "capture $file: 2200 packets captured, none lost" "$DIR/relay.err"
}

#   a --- tcp ---+
#   b --- unix --+-- relay
#   c --- udp ---+
@test "a server's capture has an interface for each of its ports" {
	local file=$DIR/c.pcapng name

	ns_add n
	frames_start a in n both tcp-listen:127.0.0.1:5001 --id 1 --count 300 --rate 2000 \
		--lossless
	frames_start b in n both "unix-listen:$DIR/b" --id 2 --count 300 --rate 2000 --lossless
	frames_start c in n recv udp:127.0.0.1:6000,local=127.0.0.1:6001 --count 600 --lossless
	relay_start relay in n -v --capture "$file" -l "unix-listen:$DIR/hub" tcp:127.0.0.1:5001 \
		"unix:$DIR/b" udp:127.0.0.1:6001,local=127.0.0.1:6000
	for name in a b c; do
		run -0 frames_wait "$name"
	done
	relay_check_sums relay
	run -0 relay_stop relay
	check_file "$file"
	check_counts relay "$file"
	check_frames "$file" "$(is_in tcp:127.0.0.1:5001)" 300 1
	check_frames "$file" "$(is_in "unix:$DIR/b")" 300 2
	check_frames "$file" "$(is_out tcp:127.0.0.1:5001)" 300 2
	check_frames "$file" "$(is_out udp:127.0.0.1:6001,local=127.0.0.1:6000)" 600 1 2
}

#   a --- unix --- relay --- unix --- b
@test "dir=in has each frame once, port= those of one, snap= the beginning of each" {
	local file=$DIR/c,1.pcapng

	frames_start b recv "unix-listen:$DIR/b" --count 200 --lossless --timeout 30
	frames_start a send "unix-listen:$DIR/a" --count 200 --min 200 --max 1000
	relay_start relay --capture "$DIR/c,,1.pcapng,dir=in" "unix:$DIR/a" "unix:$DIR/b"
	run -0 frames_wait b
	run -0 relay_stop relay
	check_file "$file"
	check_frames "$file" frame 200 1
	assert_equal "$(info "$file" 'Number of packets')" 200
	frames_start b recv "unix-listen:$DIR/b" --count 200 --lossless --timeout 30
	frames_start a send "unix-listen:$DIR/a" --count 200 --min 200 --max 1000
	relay_start relay --capture "$DIR/2.pcapng,port=2,snap=60" "unix:$DIR/a" "unix:$DIR/b"
	run -0 frames_wait b
	run -0 relay_stop relay
	check_file "$DIR/2.pcapng"
	assert_equal "$(info "$DIR/2.pcapng" 'Number of interfaces in file')" 1
	assert_equal "$(count "$DIR/2.pcapng" "$(is_out "unix:$DIR/b") && frame.cap_len == 60")" 200
}

@test "ports that come and go are interfaces, told apart by number and name" {
	local file=$DIR/c.pcapng i

	frames_start rx recv "unix-listen:$DIR/rx" --count 200 --lossless --timeout 30
	relay_start relay --hub --capture "$file" -l "unix-listen:$DIR/hub" "unix:$DIR/rx"
	wait_listen - unix "$DIR/hub"
	for i in {1..20}; do
		"$FRAMES" send "unix:$DIR/hub" --id "$i" --count 10 --linger 0 >/dev/null
	done
	run -0 frames_wait rx
	run -0 relay_stop relay
	check_file "$file"
	assert_equal "$(info "$file" 'Number of interfaces in file')" 21
	for i in 1 7 20; do
		check_frames "$file" "$(is_in "unix:$DIR/hub#$i")" 10 "$i"
	done
	assert_equal "$(block_sum "$file" interface.received)" 400
}

#  s1: e0 --- p1 br1 ---+
#                       relay      all but s1 and s2 in h
#  s2: e0 --- p2 br2 ---+
@test "a super-frame from one bridge's tap to another's is captured whole" {
	local file=$DIR/c.pcapng n

	needs_tun
	ns_add h s1 s2
	for n in 1 2; do
		veth_pair "s$n" e0 h "p$n"
		bridge_add h "br$n"
		bridge_port h "br$n" "p$n"
		ns "s$n" ip addr add "10.0.0.$n/24" dev e0
	done
	relay_start relay in h -v --capture "$file" br1 br2
	relay_wait_up relay 2
	wait_for 10 "an answer" ns s1 ping -c 1 -W 1 10.0.0.2
	start server in s2 iperf3 -s -1
	wait_listen s2 tcp 5201
	run -0 ns s1 iperf3 -c 10.0.0.2 -n 1M
	run -0 wait_end server
	relay_check_sums relay
	run -0 relay_stop relay
	check_file "$file"
	check_counts relay "$file"
	n=$(count "$file" "$(is_in br1) && frame.len > 10000 && frame.cap_len == frame.len")
	((n > 5))
	# What TCP carried is all there.
	assert_equal "$(count "$file" "tcp && $(is_out br2) && tcp.analysis.lost_segment")" 0
}

# --- where it goes ----------------------------------------------------------

# relayed COUNT [OPTION...]: so many frames through a relay of these options, none lost.
relayed()
{
	frames_start rx recv "unix-listen:$DIR/rx" --count "$1" --lossless --timeout 30
	frames_start tx send "unix-listen:$DIR/tx" --count "$1" --min 900 --max 1100 --batch
	START_OUT=${RELAY_OUT:-$DIR/relay.out} relay_start relay "${@:2}" "unix:$DIR/tx" "unix:$DIR/rx"
	run -0 frames_wait rx
	run -0 frames_wait tx
	relay_check_sums relay
}

@test "a capture on stdout can be read while it is made" {
	mkfifo "$DIR/pipe"
	START_IN=$DIR/pipe start tshark tshark -n -l -r -
	RELAY_OUT=$DIR/pipe relayed 100 --capture -
	wait_for 10 "200 packets shown" has_lines "$DIR/tshark.out" 200
	run -0 relay_stop relay
	run -0 wait_end tshark
}

@test "wireshark's own capture program takes it from a FIFO, live" {
	mkfifo "$DIR/pipe"
	start dumpcap dumpcap -q -n -i "$DIR/pipe" -w "$DIR/dumped"
	relayed 100 --capture "$DIR/pipe"
	wait_for 10 "200 packets written" has_packets "$DIR/dumped" 200
	run -0 relay_stop relay
	run -0 wait_end dumpcap
	check_file "$DIR/dumped"
}

@test "a FIFO that nobody reads is waited for, and nobody waits with it" {
	mkfifo "$DIR/pipe"
	relayed 100 --capture "$DIR/pipe"
	START_OUT=$DIR/c.pcapng start cat cat "$DIR/pipe"
	wait_for 5 "what was queued" has_packets "$DIR/c.pcapng" 200
	run -0 relay_stop relay
	run -0 wait_end cat
	check_file "$DIR/c.pcapng"
	# And one that nobody ever reads does not keep it from ending.
	relayed 100 --capture "$DIR/pipe"
	run -0 relay_stop relay
}

# --- who can't keep up ------------------------------------------------------

# took VARIABLE COMMAND...: sets it to milliseconds.
took()
{
	local -n ms=$1
	local before=${EPOCHREALTIME/[.,]/}

	"${@:2}"
	# shellcheck disable=SC2034 # a name for the caller's
	ms=$(((${EPOCHREALTIME/[.,]/} - before) / 1000))
}

@test "a reader that stalls loses packets of the capture, and the relay loses nothing" {
	local file=$DIR/c.pcapng plain stalled

	took plain relayed 30000
	run -0 relay_stop relay
	mkfifo "$DIR/pipe"
	START_OUT=$file start cat cat "$DIR/pipe"
	kill -STOP "$(pid_of cat)"
	took stalled relayed 30000 --capture "$DIR/pipe"
	echo "# $plain ms without, $stalled ms with a capture that stalls" >&3
	((stalled < 10 * plain + 20000))
	assert_equal "$(grep -c 'packets are being lost: the reader is too slow' "$DIR/relay.err")" 1
	# Read again, all that was kept comes, and from then on all.
	kill -CONT "$(pid_of cat)"
	frames_start late recv "unix-listen:$DIR/rx" --count 1 --lossless
	relay_wait_up relay 1
	run -0 "$FRAMES" send "unix-listen:$DIR/tx" --id 9 --count 1
	run -0 frames_wait late
	check_counts_with_gap "$file"
}

# check_counts_with_gap FILE: what is not in it is told of, in three places.
check_counts_with_gap()
{
	local packets lost

	run -0 relay_stop relay
	run -0 wait_end cat
	check_file "$1"
	read -r packets lost < <(sed -n \
		's/^netrelay: capture .*: \([0-9]*\) packets captured, \([0-9]*\) packets lost: .*/\1 \2/p' \
		"$DIR/relay.err")
	((lost > 10000 && packets > 1000))
	assert_equal $((packets + lost)) 60002
	assert_equal "$(info "$1" 'Number of packets')" "$packets"
	assert_equal "$(block_sum "$1" interface.dropped)" "$lost"
	assert_equal "$(block_sum "$1" interface.received)" 60002
	assert_equal "$(block_sum "$1" packet.drop_count)" "$lost"
}

@test "when the reader goes the capture ends, and the relay goes on" {
	mkfifo "$DIR/pipe"
	start cat cat "$DIR/pipe"
	relayed 100 --capture "$DIR/pipe"
	run -137 stop cat KILL
	wait_for 5 "a word of it" grep -q "capture $DIR/pipe: its reader has gone" "$DIR/relay.err"
	wait_for 5 "the end" grep -q "capture $DIR/pipe: the reader has gone: 200 packets" \
		"$DIR/relay.err"
	frames_start late recv "unix-listen:$DIR/rx" --count 10 --lossless
	relay_wait_up relay 1
	run -0 "$FRAMES" send "unix-listen:$DIR/tx" --count 10
	run -0 frames_wait late
	relay_check_sums relay
	run -0 relay_stop relay
}

# The relay sees a disk of 1 MiB, and we see it through the relay's eyes.
@test "when the disk is full the capture ends, and can be read; the relay goes on" {
	local file packets

	needs_root
	mkdir "$DIR/disk"
	frames_start rx recv "unix-listen:$DIR/rx" --count 5000 --lossless --timeout 30
	frames_start tx send "unix-listen:$DIR/tx" --count 5000 --min 900 --max 1100 --batch
	# shellcheck disable=SC2016 # for the inner shell
	start relay unshare -m sh -c 'mount -t tmpfs -o size=1m none "$1/disk" && shift && exec "$@"' \
		sh "$DIR" "$NETRELAY" --capture "$DIR/disk/c.pcapng" "unix:$DIR/tx" "unix:$DIR/rx"
	run -0 frames_wait rx
	run -0 frames_wait tx
	file=/proc/$(pid_of relay)/root$DIR/disk/c.pcapng
	wait_for 5 "a word of it" grep -q "c.pcapng: No space left on device" "$DIR/relay.err"
	wait_for 5 "the end" grep -q "c.pcapng: the reader has gone" "$DIR/relay.err"
	relay_check_sums relay
	run -0 capinfos "$file"
	refute_output --partial "cut short"
	packets=$(count "$file" frame)
	((packets > 500 && packets < 1200))
	check_frames "$file" "$(is_in "unix:$DIR/tx")" "$(count "$file" "$(is_in "unix:$DIR/tx")")" 1
	run -0 relay_stop relay
}

@test "a relay that is killed leaves a capture that can be read" {
	relayed 1000 --capture "$DIR/c.pcapng"
	run -137 stop relay KILL
	wait_for 5 "all packets" has_packets "$DIR/c.pcapng" 2000
	check_file "$DIR/c.pcapng"
}

@test "a signal to all of them at once, as from a terminal, ends it in good order" {
	relayed 1000 --capture "$DIR/c.pcapng"
	kill -INT "$(pid_of relay)" "$(pgrep -P "$(pid_of relay)")"
	run -0 wait_end relay
	check_file "$DIR/c.pcapng"
	assert_equal "$(info "$DIR/c.pcapng" 'Number of packets')" 2000
	assert_equal "$(block_sum "$DIR/c.pcapng" interface.received)" 2000
}

# --- what can't be ----------------------------------------------------------

# refused_with STATUS TEXT ARGS...: one line, and that exit status.
refused_with()
{
	run "-$1" "$NETRELAY" "${@:3}"
	assert_output "netrelay: $2"
}

@test "a file that can't be opened is told of, and nothing is begun" {
	refused_with 1 "capture $DIR/no/file: No such file or directory" --capture "$DIR/no/file" \
		-l "unix-listen:$DIR/hub"
	refused_with 1 "capture $DIR: Is a directory" --capture "$DIR" -l "unix-listen:$DIR/hub"
	assert_not_exist "$DIR/hub"
	refused_with 2 "-: --capture - writes to stdout; name a file there, or another endpoint here" --capture - \
		"unix:$DIR/x"
}

@test "a capture that is there stays until another comes, which others can't read" {
	local file=$DIR/c.pcapng

	echo old >"$file"
	chmod 644 "$file"
	run -1 "$NETRELAY" --capture "$file" -l "unix-listen:$DIR/none/l"
	assert_output --partial "listen: No such file"
	assert_equal "$(cat "$file")" old
	ln -s "$file" "$DIR/link"
	run -1 "$NETRELAY" --capture "$DIR/link" -l "unix-listen:$DIR/l"
	assert_output --partial "netrelay: capture $DIR/link: is a symbolic link"
	assert_equal "$(cat "$file")" old
	relayed 10 --capture "$file"
	run -0 relay_stop relay
	check_file "$file"
	assert_equal "$(stat -c %a "$file")" 600
}

@test "a terminal is no place for a capture" {
	run -1 timeout 60 script -qec \
		"'$NETRELAY' --capture - 'unix:$DIR/a' 'unix:$DIR/b' 2>'$DIR/err'" /dev/null </dev/null
	run -0 cat "$DIR/err"
	assert_output --partial "netrelay: capture -: a terminal can't show a capture"
}
