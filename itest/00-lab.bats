#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
#
# The lab itself: that the traffic tool reaches every kind of endpoint
# and sees every kind of fault, that guests talk to each other without netrelay,
# and that teardown leaves nothing. When something is red here, the rest of the
# results mean nothing.

load helpers

# direct RECEIVER SENDER [OPTION...]: frames from one endpoint to the other.
direct()
{
	frames_start rx recv "$1" --count 2000 --max 1500 --lossless
	"$FRAMES" send "$2" --count 2000 --max 1500 "${@:3}"
	run -0 frames_wait rx
	assert_line --partial "total: received 2000 lost 0 damaged 0 reordered 0 duplicated 0"
}

# faulty FAULT OPTION...: a stream with one fault, and how the receiver likes it.
faulty()
{
	"$FRAMES" send - --count 1000 --fault "$1@500" >"$DIR/stream" 2>"$DIR/sent"
	"$FRAMES" recv - --count 1000 --timeout 1 --linger 50 "${@:2}" <"$DIR/stream" 2>&1
}

@test "frames: TCP, either side dialling, IPv4 and IPv6" {
	ns_add a
	for addr in 127.0.0.1 '[::1]'; do
		frames_start rx in a recv "tcp-listen:$addr:5000" --count 2000 --lossless
		ns a "$FRAMES" send "tcp:$addr:5000" --count 2000
		run -0 frames_wait rx
		frames_start tx in a send "tcp-listen:$addr:5000" --count 2000 --batch
		run -0 ns a "$FRAMES" recv "tcp:$addr:5000" --count 2000 --lossless
		assert_line --partial "total: received 2000 lost 0"
		run -0 frames_wait tx
	done
}

@test "frames: unix stream, either side dialling" {
	direct "unix-listen:$DIR/s" "unix:$DIR/s"
	frames_start tx send "unix-listen:$DIR/s" --count 2000 --batch
	run -0 "$FRAMES" recv "unix:$DIR/s" --count 2000 --lossless
	run -0 frames_wait tx
}

@test "frames: UDP, IPv4 and IPv6" {
	ns_add a
	for addr in 127.0.0.1 '[::1]'; do
		frames_start rx in a recv "udp:$addr:5002,local=$addr:5001" --count 2000 --lossless
		ns a "$FRAMES" send "udp:$addr:5001,local=$addr:5002" --count 2000
		run -0 frames_wait rx
		assert_line --partial "total: received 2000 lost 0"
	done
}

@test "frames: unix datagrams" {
	direct "unixgram:$DIR/b,local=$DIR/a" "unixgram:$DIR/a,local=$DIR/b"
}

@test "frames: stdin and stdout" {
	mkfifo "$DIR/pipe"
	START_IN=$DIR/pipe start rx "$FRAMES" recv - --count 2000 --lossless
	"$FRAMES" send - --count 2000 >"$DIR/pipe"
	run -0 frames_wait rx
	assert_line --partial "total: received 2000 lost 0"
}

#   a: one --- veth --- b: two
@test "frames: an interface" {
	ns_add a b
	veth_pair a one b two
	frames_start rx in b recv if:two --count 2000 --max 1514 --lossless
	ns a "$FRAMES" send if:one --count 2000 --max 1514
	run -0 frames_wait rx
	assert_line --partial "total: received 2000 lost 0"
}

@test "frames: both ways at once, with more under way than any buffer holds" {
	frames_start one both "unix-listen:$DIR/s" --count 20000 --max 65535 --sizes log \
		--id 1 --lossless
	run -0 "$FRAMES" both "unix:$DIR/s" --count 20000 --max 65535 --sizes log --id 2 \
		--lossless --batch
	assert_line "from 1: received 20000 lost 0 damaged 0 reordered 0 duplicated 0"
	run -0 frames_wait one
	assert_line "from 2: received 20000 lost 0 damaged 0 reordered 0 duplicated 0"
}

@test "frames: a flipped bit is damage" {
	run -1 faulty damage
	assert_line --partial "total: received 999 lost 1 damaged 1 reordered 0 duplicated 0"
}

@test "frames: a missing frame is a loss, and an error where none is allowed" {
	run -0 faulty lose
	assert_line --partial "total: received 999 lost 1 damaged 0 reordered 0 duplicated 0"
	run -1 faulty lose --lossless
}

@test "frames: a frame that comes twice" {
	run -1 faulty duplicate
	assert_line --partial "total: received 1000 lost 0 damaged 0 reordered 0 duplicated 1"
}

@test "frames: two frames that change places" {
	run -1 faulty reorder
	assert_line --partial "total: received 1000 lost 0 damaged 0 reordered 1 duplicated 0"
}

@test "frames: every byte counts, the header's too" {
	local at

	"$FRAMES" send - --count 1 --min 60 --max 60 >"$DIR/good" 2>/dev/null
	run -0 "$FRAMES" recv - --count 1 --timeout 30 --linger 0 --lossless <"$DIR/good"
	for at in 4 9 10 15 18 19 20 25 26 29 30 62 63; do
		cp "$DIR/good" "$DIR/bad"
		printf '\377' | dd of="$DIR/bad" bs=1 seek=$((at)) conv=notrunc status=none
		if cmp -s "$DIR/good" "$DIR/bad"; then
			printf '\376' | dd of="$DIR/bad" bs=1 seek=$((at)) conv=notrunc status=none
		fi
		run -1 "$FRAMES" recv - --count 1 --timeout 1 --linger 0 --lossless <"$DIR/bad"
		assert_output --partial "damaged 1"
	done
}

@test "frames: frames that end in the middle, and lengths that can't be" {
	"$FRAMES" send - --count 3 --min 60 --max 60 2>/dev/null | head -c 190 >"$DIR/short"
	run -1 "$FRAMES" recv - --count 3 --timeout 1 --lossless <"$DIR/short"
	assert_line --partial "total: received 2 lost 1"
	printf '\0\001\020\001' >"$DIR/long"
	run -1 "$FRAMES" recv - --count 1 --timeout 1 <"$DIR/long"
	assert_line --partial "damaged 1"
	printf '\0\0\0\0' >"$DIR/empty"
	run -1 "$FRAMES" recv - --count 1 --timeout 1 <"$DIR/empty"
	assert_line --partial "damaged 1"
}

@test "frames: padding is asked for, or not allowed" {
	local stream=$DIR/stream

	"$FRAMES" send - --count 1 --min 40 --max 40 >"$stream" 2>/dev/null
	run -0 "$FRAMES" recv - --count 1 --timeout 30 --lossless <"$stream"
	run -1 "$FRAMES" recv - --count 1 --timeout 1 --padded <"$stream"
	{
		printf '\0\0\0\074'
		tail -c +5 "$stream"
		head -c 20 /dev/zero
	} >"$DIR/padded"
	run -0 "$FRAMES" recv - --count 1 --timeout 30 --lossless --padded <"$DIR/padded"
	run -1 "$FRAMES" recv - --count 1 --timeout 1 <"$DIR/padded"
	printf '\001' | dd of="$DIR/padded" bs=1 seek=63 conv=notrunc status=none
	run -1 "$FRAMES" recv - --count 1 --timeout 1 --padded <"$DIR/padded"
}

@test "frames: senders are told apart, and may be left out" {
	"$FRAMES" send - --count 50 --id 1 >"$DIR/stream" 2>/dev/null
	"$FRAMES" send - --count 60 --id 2 >>"$DIR/stream" 2>/dev/null
	run -0 "$FRAMES" recv - --count 110 --lossless <"$DIR/stream"
	assert_line "from 1: received 50 lost 0 damaged 0 reordered 0 duplicated 0"
	assert_line "from 2: received 60 lost 0 damaged 0 reordered 0 duplicated 0"
	run -0 "$FRAMES" recv - --count 60 --from 2 --lossless <"$DIR/stream"
	assert_line --partial "total: received 60 lost 0 damaged 0 reordered 0 duplicated 0 other 50"
}

@test "frames: a reader that stops holds the sender up, and goes on when told" {
	frames_start rx recv "unix-listen:$DIR/s" --count 20000 --lossless --stop-after 100
	run -1 "$FRAMES" send "unix:$DIR/s" --count 20000 --timeout 1
	assert_output --partial "timed out"
	wait_for 5 "reader to stop" grep -qx stopped "$DIR/rx.out"
	run -1 stop rx
	assert_file_contains "$DIR/rx.out" "total: received 100 "
	start tx "$FRAMES" send "unix:$DIR/s" --count 20000
	frames_start rx recv "unix-listen:$DIR/s" --count 20000 --lossless --stop-after 100
	wait_for 5 "reader to stop" grep -qx stopped "$DIR/rx.out"
	kill -USR1 "$(pid_of rx)"
	run -0 frames_wait rx
	run -0 frames_wait tx
}

@test "frames: a sender that was held up keeps to its rate, and does not make up for it" {
	local since

	frames_start rx recv "unix-listen:$DIR/s" --count 50 --lossless --stop-after 1 \
		--resume-after 1000
	since=$(_now_us)
	run -0 "$FRAMES" send "unix:$DIR/s" --count 50 --rate 50 --min 60000 --max 60000
	run -0 frames_wait rx
	has_spent "$since" 1700
}

@test "frames: raw bytes, and what the other side does about them" {
	frames_start server raw "unix-listen:$DIR/s" --expect 8 0102
	run -0 "$FRAMES" raw "unix:$DIR/s" --split 1 00000001ff +3
	assert_line --regexp '^sent 8 bytes on 1 connections: closed 1 reset 0 open 0 received 2'
	assert_line "bytes 0102"
	run -0 frames_wait server
	assert_line --partial "received 8 bytes"
	assert_line "bytes 00000001ff000000"
}

@test "frames: raw bytes held open until told" {
	frames_start server recv "unix-listen:$DIR/s" --timeout 30 --count 1
	START_IN=hold frames_start client raw "unix:$DIR/s" --hold --wait 0 00
	wait_for 5 "client's report" grep -q 'open 1' "$DIR/client.out"
	is_running client
	is_running server
	run stop client
	run -0 frames_wait server
}

@test "frames: a storm of connections, as long as there is a server" {
	frames_start server recv "unix-listen:$DIR/s" --timeout 1 --count 1
	run -1 "$FRAMES" storm "unix:$DIR/s" --wait 30000
	assert_output --regexp "^frames: unix:$DIR/s: connect: (Connection refused|No such file .*)$"
	run frames_wait server
	assert_line --partial "received 0"
	run -1 "$FRAMES" storm "unix-listen:$DIR/s"
	assert_output --partial "endpoint: Invalid argument"
}

#   a nic1 --- socket --- nic1 b       a nic2 --- unix --- nic2 b
# bats test_tags=slow
@test "guests: two, joined by QEMU's own sockets, ping each other" {
	ns_add lab
	guest_start a in lab -- socket,listen=127.0.0.1:5000 \
		"stream,server=on,addr.type=unix,addr.path=$DIR/net"
	wait_listen lab tcp 5000
	wait_listen lab unix "$DIR/net"
	guest_start b in lab -- socket,connect=127.0.0.1:5000 \
		"stream,server=off,addr.type=unix,addr.path=$DIR/net"
	guest_wait a
	guest_wait b
	guest_nic a 1 10.0.1.1/24
	guest_nic a 2 10.0.2.1/24
	guest_nic b 1 10.0.1.2/24
	guest_nic b 2 10.0.2.2/24
	run -0 guest_ping a 10.0.1.2
	assert_output --partial "3 packets received"
	run -0 guest_ping b 10.0.2.1 1400
	run -1 guest_ping a 10.0.1.3
	run -0 guest_stop b
	run -1 guest_ping a 10.0.1.2
}

# bats test_tags=slow
@test "guests: output and exit status are the command's" {
	guest_start g -- "socket,id=unused,udp=127.0.0.1:9,localaddr=127.0.0.1:0"
	guest_wait g
	run -0 guest g 'echo one; echo; echo "two  three"'
	assert_output $'one\n\ntwo  three'
	run -7 guest g 'printf end; exit 7'
	assert_output end
	run -0 guest g "seq 3000 | md5sum"
	assert_output "$(seq 3000 | md5sum)"
	run -0 guest g "seq 3000"
	assert_output "$(seq 3000)"
	GUEST_LIMIT=1 run ! guest g sleep 30
	run -0 guest g echo still there
	assert_output "still there"
	run -0 guest g cat /sys/class/net/nic1/address
	assert_output 52:54:00:6e:01:01
}

@test "counters that do not add up are noticed" {
	local good

	good='netrelay: status: hub, 3 ports: received 100, copied 100, sent 198, queued 0, dropped 2
netrelay: port 1 tcp:10.0.0.1:5000: up, rx 50 frames 4000 bytes, tx 50 frames 4000 bytes, queued 0 frames 0 bytes, dropped: runt 1 queue 1
netrelay: port 2 -: up, rx 40 frames 1 bytes, tx 40 frames 1 bytes, queued 0 frames 0 bytes, dropped: none
netrelay: end of status'
	awk -f "$LAB_ROOT/itest/status.awk" <<<"$good"
	run -1 awk -f "$LAB_ROOT/itest/status.awk" <<<"${good/sent 198/sent 197}"
	assert_output --partial "received 100 + copied 100 is not sent 197"
	run -1 awk -f "$LAB_ROOT/itest/status.awk" <<<"${good/rx 40/rx 51}"
	run -1 awk -f "$LAB_ROOT/itest/status.awk" <<<"${good/runt 1/runt 2}"
	run -1 awk -f "$LAB_ROOT/itest/status.awk" <<<""
}

# A lab within the lab: what common_teardown does to a test that left things.
inner()
{
	(
		lab_open "$DIR/inner"
		"$@"
		lab_close
	)
}

leave_child()
{
	export LAB_GRACE=1
	start parent sh -c 'sleep 1000 & echo $!'
	wait_end parent
	cp "$DIR/parent.out" "$DIR/../child"
}

refuse_to_end()
{
	export LAB_GRACE=1
	start stubborn sh -c 'trap "" TERM; echo $$; while :; do sleep 0.1; done'
	wait_for 5 "stubborn one" grep -q . "$DIR/stubborn.out"
	cp "$DIR/stubborn.out" "$DIR/../child"
}

leave_in_namespace()
{
	ns_add x
	ip netns exec "$(ns_name x)" sleep 1000 3>&- &
	echo $! >"$DIR/../child"
	wait_for 5 "process in namespace" in_namespace x
}

in_namespace()
{
	[[ $(ip netns pids "$(ns_name "$1")") ]]
}

clean_up_well()
{
	start one sleep 1000
	start two sh -c 'sleep 1000 & echo $!; exec sleep 1000'
	wait_for 5 "child of two" grep -q . "$DIR/two.out"
	kill "$(cat "$DIR/two.out")"
	start three sleep 1000
	kill -STOP "$(pid_of three)"
}

# Gone, or dead and waiting for init to take notice.
is_gone()
{
	! grep -q '^State:[[:space:]]*[^ZX]' "/proc/$1/status"
}

assert_gone()
{
	wait_for 2 "end of what was left" is_gone "$(cat "$DIR/child")"
}

@test "teardown: ends what runs, stopped or not" {
	run -0 inner clean_up_well
}

@test "teardown: ends and complains of children that were left" {
	run -1 inner leave_child
	assert_output --partial "left behind: $(cat "$DIR/child") sleep 1000"
	assert_gone
}

@test "teardown: kills and complains of what won't end" {
	run -1 inner refuse_to_end
	assert_output --partial "had to be killed: stubborn"
	assert_gone
}

@test "dismiss: whatever the exit status, but it must end by itself" {
	start one sleep 1000
	dismiss one
	LAB_GRACE=1
	start stubborn sh -c 'trap "" TERM; echo; while :; do sleep 0.1; done'
	wait_for 5 "stubborn one" grep -q '^$' "$DIR/stubborn.out"
	run -1 dismiss stubborn
	rm "$DIR/.hard"
}

@test "teardown: removes namespaces, and complains of who lives there" {
	needs_root
	run -1 inner leave_in_namespace
	assert_output --partial "left in x: $(cat "$DIR/child") sleep 1000"
	assert_gone
	run ! ip netns exec "$(ns_name x)" true
}

@test "teardown: complains of a new interface in the root namespace" {
	grep -vx lo "$DIR/.interfaces" >"$DIR/fewer" || true # there may be no other
	cp "$DIR/.interfaces" "$DIR/all"
	cp "$DIR/fewer" "$DIR/.interfaces"
	run -1 lab_close
	assert_output --partial "new in the root namespace: lo"
	cp "$DIR/all" "$DIR/.interfaces"
}

# --- side by side -------------------------------------------------------------

# Of three places "busy" has two. So "light" runs beside it, and "next" when it has ended.
@test "side-by-side: a command that keeps a processor busy has two places" {
	needs_root
	cat >"$DIR/list" <<-END
		busy*2 until [ -e $DIR/light ]; do sleep 0.05; done; sleep 1; touch $DIR/ended; echo ok
		light touch $DIR/light; echo ok
		next*2 test -e $DIR/ended && echo ok
	END
	run -0 timeout 60 "$LAB_ROOT/ci/side-by-side" -j 3 <"$DIR/list"
	assert_line "# 3 passed, 0 failed"
}
