#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
#
# Slow readers and stopped ones: what a cable holds back, what a server drops,
# what either costs in memory, and that every frame is accounted for meanwhile.

load helpers

QUEUE_LIMIT=$((512 << 10))
QUEUE_HIGH=$((256 << 10))
QUEUE_LOW=$((64 << 10))

# --- what a relay says ------------------------------------------------------

# queued_bytes RELAY: of the port that has most.
queued_bytes()
{
	relay_status "$1" | sed -nE 's/^.*, queued [0-9]+ frames ([0-9]+) bytes.*/\1/p' |
		sort -n | tail -n 1
}

is_queued_above()
{
	(($(queued_bytes "$1") > $2))
}

is_queued_below()
{
	(($(queued_bytes "$1") < $2))
}

# has_unread RELAY NS: something has come to one of its sockets, and was not read.
has_unread()
{
	ns "$2" ss -Hantxp | awk -v pid="pid=$(pid_of "$1")," '
		$2 != "LISTEN" && index($0, pid) && $3 > 0 { found = 1 } END { exit !found }'
}

# stands_still RELAY [NS]: it receives nothing for as long as it takes to ask four
# times, and that is not for want of something to receive.
stands_still()
{
	local before _

	before=$(received "$1")
	[[ $before ]] || return 1
	for _ in 1 2 3; do
		has_unread "$1" "${2:-a}" || return 1
		[[ $(received "$1") == "$before" ]] || return 1
	done
}

# proc_status PID FIELD: KiB, or a count.
proc_status()
{
	awk -v field="$2:" '$1 == field { print $2 }' "/proc/$1/status"
}

# --- a cable loses nothing --------------------------------------------------

# stopped_reader SRC DST TX RX: netrelay SRC DST is a cable from TX to RX, which
# is stopped before anything comes, until all stands still, and then goes on.
stopped_reader()
{
	ns_add a
	small_buffers a
	relay_start relay in a -v "$1" "$2"
	wait_status relay "status: "
	frames_start rx in a recv "$4" --count 3000 --lossless --timeout 60
	relay_wait_up relay "$5"
	kill -STOP "$(pid_of rx)"
	frames_start tx in a send "$3" --count 3000 --min 1000 --timeout 60
	# More than 256 KiB, less what the kernel took when the source was held already.
	wait_for 20 "queue" is_queued_above relay "$QUEUE_LOW"
	wait_for 10 "source to be held" stands_still relay
	is_queued_above relay "$QUEUE_LOW"
	is_queued_below relay $((QUEUE_LIMIT + 1))
	is_running tx
	relay_check_sums relay
	kill -CONT "$(pid_of rx)"
	run -0 frames_wait rx
	assert_line --partial "total: received 3000 lost 0 damaged 0 reordered 0 duplicated 0"
	run -0 frames_wait tx
	relay_check_sums relay
	has_status relay "status: .* received 3000, copied 0, sent 3000, queued 0, dropped 0"
}

@test "cable, TCP to TCP: a stopped reader holds the sender, and nothing is lost" {
	stopped_reader tcp-listen:127.0.0.1:5000 tcp-listen:127.0.0.1:5001 \
		tcp:127.0.0.1:5000 tcp:127.0.0.1:5001 1
}

@test "cable, unix to dialled TCP: a stopped reader holds the sender, nothing is lost" {
	stopped_reader "unix-listen:$DIR/in" tcp:127.0.0.1:5001 \
		"unix:$DIR/in" tcp-listen:127.0.0.1:5001 1
}

@test "cable, unix to unix: a stopped reader holds the sender, and nothing is lost" {
	stopped_reader "unix-listen:$DIR/in" "unix-listen:$DIR/out" \
		"unix:$DIR/in" "unix:$DIR/out" 1
}

@test "cable, TCP to unix datagrams: a stopped reader holds the sender, nothing is lost" {
	stopped_reader tcp-listen:127.0.0.1:5000 "unixgram:$DIR/out,local=$DIR/own" \
		tcp:127.0.0.1:5000 "unixgram:$DIR/own,local=$DIR/out" 1
}

@test "cable, unix datagrams to TCP: a stopped reader holds the sender, nothing is lost" {
	stopped_reader "unixgram:$DIR/in,local=$DIR/own" tcp-listen:127.0.0.1:5001 \
		"unixgram:$DIR/own,local=$DIR/in" tcp:127.0.0.1:5001 2
}

@test "a source that is slow is not taken for one that is held" {
	ns_add a
	relay_start relay in a tcp-listen:127.0.0.1:5000 tcp-listen:127.0.0.1:5001
	wait_listen a tcp 5000
	wait_listen a tcp 5001
	frames_start rx in a recv tcp:127.0.0.1:5001 --count 2 --timeout 60
	relay_wait_up relay 1
	START_IN=hold frames_start tx in a raw tcp:127.0.0.1:5000 --hold --wait 0 \
		"0000003c$(printf '0%.0s' {1..120})"
	wait_status relay "status: .* received 1,"
	run ! stands_still relay
	dismiss tx
}

@test "cable, both ways at once, and both readers stop: nothing is lost" {
	ns_add a
	small_buffers a
	relay_start relay in a tcp-listen:127.0.0.1:5000 tcp-listen:127.0.0.1:5001
	wait_listen a tcp 5000
	wait_listen a tcp 5001
	# So that it finds both at once, and the first one's frames have somewhere to go.
	kill -STOP "$(pid_of relay)"
	frames_start one in a both tcp:127.0.0.1:5000 --count 3000 --min 1000 --id 1 --from 2 \
		--lossless --timeout 60 --stop-after 1
	frames_start two in a both tcp:127.0.0.1:5001 --count 3000 --min 1000 --id 2 --from 1 \
		--lossless --timeout 60 --stop-after 1
	kill -CONT "$(pid_of relay)"
	wait_status relay "port 1 .* queued [1-9]"
	wait_status relay "port 2 .* queued [1-9]"
	wait_for 10 "both to be held" stands_still relay
	kill -USR1 "$(pid_of one)" "$(pid_of two)"
	run -0 frames_wait one
	assert_line "from 2: received 3000 lost 0 damaged 0 reordered 0 duplicated 0"
	run -0 frames_wait two
	assert_line "from 1: received 3000 lost 0 damaged 0 reordered 0 duplicated 0"
	relay_check_sums relay
}

has_received_more()
{
	(($(received "$1") > $2))
}

# take BYTES: so many more off the relay's standard output.
take()
{
	head -c "$1" <"$DIR/pipe" >>"$DIR/taken"
}

#   tx --- unix --- relay --- a pipe, from which the test takes as much as it likes
@test "cable: a source is held from 256 KiB queued, until they are down to 64" {
	local at held size=1000 count=3000 out

	mkfifo "$DIR/pipe"
	exec {out}<>"$DIR/pipe"
	START_IN=hold START_OUT=$DIR/pipe relay_start relay "unix-listen:$DIR/in" -
	wait_listen - unix "$DIR/in"
	frames_start tx send "unix:$DIR/in" --count "$count" --min "$size" --max "$size" \
		--timeout 60
	wait_for 10 "queue above its high mark" is_queued_above relay "$QUEUE_HIGH"
	wait_for 10 "source to be held" stands_still relay -
	at=$(queued_bytes relay)
	((at <= QUEUE_LIMIT))
	held=$(received relay)
	# Down to somewhat above the low mark: it stays held.
	take $((at - QUEUE_LOW - 20000))
	wait_for 10 "queue near its low mark" is_queued_below relay $((QUEUE_LOW + 25000))
	is_queued_above relay "$QUEUE_LOW"
	[[ $(received relay) == "$held" ]]
	# And below it: the source is read from again.
	take 40000
	wait_for 10 "more from the source" has_received_more relay "$held"
	relay_check_sums relay
	take $((count * (size + 4) - $(wc -c <"$DIR/taken")))
	exec {out}>&-
	run -0 frames_wait tx
	START_IN=$DIR/taken frames_start all recv - --count "$count" --lossless
	run -0 frames_wait all
	relay_check_sums relay
}

# --- a server loses whole frames, of the slow one only ----------------------

#   tx --- tcp ---\                /--- tcp --- slow: stops reading
#                  netrelay -l ---
#   rx --- tcp ---/                \--- unix datagrams --- dgram: stops reading
@test "server: stopped readers lose whole frames, and nobody else any" {
	local name lost got probes
	local -A port=([slow]=tcp [dgram]=unixgram)

	ns_add a
	small_buffers a
	frames_start dgram in a recv "unixgram:$DIR/own,local=$DIR/far" --count 3000 \
		--timeout 10 --stop-after 1
	relay_start relay in a -l 5000 "unixgram:$DIR/far,local=$DIR/own"
	wait_listen a tcp 5000
	frames_start rx in a recv tcp:127.0.0.1:5000 --count 3000 --lossless --timeout 60
	relay_wait_ports relay 2
	frames_start slow in a recv tcp:127.0.0.1:5000 --count 3000 --timeout 10 --stop-after 1
	relay_wait_ports relay 3
	run -0 ns a "$FRAMES" send tcp:127.0.0.1:5000 --count 3000 --min 1000 --rate 1500
	run -0 frames_wait rx
	assert_line --partial "total: received 3000 lost 0 damaged 0 reordered 0 duplicated 0"
	relay_check_sums relay
	has_status relay "port 1 unixgram:.* dropped: queue [1-9][0-9]*$"
	has_status relay "port 3 tcp:.* dropped: queue [1-9][0-9]*$"
	is_queued_above relay $((QUEUE_LIMIT / 2))
	is_queued_below relay $((QUEUE_LIMIT + 1))
	# Each frame was copied twice, and a probe is a copy to each of four.
	probes=$((($(relay_status relay | sed -n 's/.* copied \([0-9]*\),.*/\1/p') - 6000) / 4))
	# All that was not dropped by now will arrive.
	relay_status relay >"$DIR/full"
	kill -USR1 "$(pid_of slow)" "$(pid_of dgram)"
	for name in slow dgram; do
		lost=$(sed -nE "s/.* ${port[$name]}:.* queue ([0-9]+)\$/\\1/p" "$DIR/full")
		run -0 frames_wait "$name"
		assert_line --regexp "^total: .* damaged 0 reordered 0 duplicated 0 other "
		got=$(($(frames_total "$name" received) + $(frames_total "$name" other)))
		assert_equal "$got" $((3000 + probes - lost))
	done
	wait_status relay "status: .* queued 0, "
	relay_check_sums relay
}

# --- memory and time --------------------------------------------------------

# full_queues COUNT: that so many are; sockets may still have taken something since.
full_queues()
{
	relay_status relay | awk -v least=$((QUEUE_LIMIT / 2)) -v due="$1" '
		match($0, /queued [0-9]+ frames [0-9]+/) {
			split(substr($0, RSTART, RLENGTH), word, " ")
			full += word[4] > least
		}
		END { exit full != due }'
}

@test "memory: bounded with 20 stopped readers, and given back" {
	local before full drained n

	ns_add a
	small_buffers a
	relay_start relay in a -l 5000
	wait_listen a tcp 5000
	# What it takes to receive is not to be counted as the queues'.
	run -0 ns a "$FRAMES" send tcp:127.0.0.1:5000 --count 100 --min 1000 --batch
	relay_wait_ports relay 0
	before=$(rss_kib relay)
	for n in {1..20}; do
		frames_start "rx$n" in a recv tcp:127.0.0.1:5000 --count 3000 --timeout 30 \
			--stop-after 1
	done
	relay_wait_ports relay 20
	# At a pace: what comes at once is dropped before the sockets' buffers are full.
	run -0 ns a "$FRAMES" send tcp:127.0.0.1:5000 --count 3000 --min 1000 --rate 3000
	wait_for 10 "20 full queues" full_queues 20
	relay_check_sums relay
	full=$(rss_kib relay)
	# 512 KiB each, and a longest frame, for those do not wrap; some pages for the
	# port, and a batch.
	((full - before <= 20 * (512 + 68 + 32) + 256))
	for n in {1..10}; do
		kill -USR1 "$(pid_of "rx$n")"
	done
	wait_for 20 "10 full queues" full_queues 10
	wait_for 10 "memory of those that drained" is_rss_below relay $((full - 10 * 200))
	drained=$(rss_kib relay)
	for n in {1..20}; do
		dismiss "rx$n" TERM
	done
	relay_wait_ports relay 0
	wait_for 10 "memory of those that left" is_rss_below relay $((before + 512))
	echo "KiB before $before, full $full, half drained $drained, after $(rss_kib relay)"
	relay_check_sums relay
}

# wakeups PID...: how often they have waited in all.
wakeups()
{
	local pid

	for pid in "$@"; do
		proc_status "$pid" voluntary_ctxt_switches
		proc_status "$pid" nonvoluntary_ctxt_switches
	done | awk '{ sum += $1 } END { print sum }'
}

# asleep_for MS PID...: none of them wakes up for that long.
asleep_for()
{
	local before since

	since=$(_now_us)
	before=$(wakeups "${@:2}")
	[[ $before ]] || return
	wait_for 30 "$1 ms" has_spent "$since" "$1"
	[[ $(wakeups "${@:2}") == "$before" ]]
}

#   one, two --- tcp --- netrelay -l --- unix, UDP, exec
@test "idle: five processes of less than 1 MB each, which never wake up" {
	local pid pids

	ns_add a
	# Or its kernel would speak to the tap now and then.
	no_ipv6 a
	relay_start relay in a -l 5000 -l "unix-listen:$DIR/hub" tap:nrt0 \
		'exec:exec sleep 1000' udp:127.0.0.1:6001,local=127.0.0.1:6000
	wait_listen a tcp 5000
	relay_wait_up relay 3
	pids=("$(pid_of relay)" "$(helper_of relay taps)" "$(helper_of relay start)"
		"$(broker_of relay)" "$(broker_parent_of relay)")
	for pid in "${pids[@]}"; do
		(($(proc_status "$pid" VmRSS) < 1000))
	done
	frames_start one in a recv tcp:127.0.0.1:5000 --count 1000 --timeout 60
	START_IN=hold frames_start two in a raw "unix:$DIR/hub" --hold --wait 0
	relay_wait_ports relay 5
	run -0 ns a "$FRAMES" send tcp:127.0.0.1:5000 --count 100
	wait_status relay "port 4 tcp:.* tx 10[1-9] frames" # with a probe
	# What it does after traffic, it does within a few seconds.
	wait_for 20 "3.5 s of sleep" asleep_for 3500 "${pids[@]}"
	relay_check_sums relay
}

# --- every frame is accounted for -------------------------------------------

#   tx, cut --- tcp ---\               /--- tcp --- fast, slow, stopped
#                       netrelay -l ---
#   dgram --- UDP -----/               \--- unix datagrams --- nobody
@test "received + copied = sent + queued + dropped, at every stage of traffic" {
	local n beyond

	ns_add a
	small_buffers a
	relay_start relay in a -l 5000 "unixgram:$DIR/nobody,local=$DIR/own" \
		udp:127.0.0.1:6001,local=127.0.0.1:6000
	wait_listen a tcp 5000
	frames_start fast in a recv tcp:127.0.0.1:5000 --count 100000 --timeout 60
	frames_start slow in a recv tcp:127.0.0.1:5000 --count 100000 --timeout 60 --slow 200
	frames_start stopped in a recv tcp:127.0.0.1:5000 --count 100000 --timeout 60 \
		--stop-after 1
	relay_wait_ports relay 5
	frames_start tx in a send tcp:127.0.0.1:5000 --count 1000000 --rate 4000 --max 9000
	frames_start dgram in a both udp:127.0.0.1:6000,local=127.0.0.1:6001 --id 2 \
		--count 1000000 --rate 1000 --max 9000
	for n in 1 2 3 4 5 6 7 8; do
		relay_check_sums relay
		run ns a "$FRAMES" raw tcp:127.0.0.1:5000 --wait 50 00000005 0102030405 000005ea +700
		relay_check_sums relay
		case $n in
		3) kill -USR1 "$(pid_of stopped)" ;;
		5) run -137 stop slow KILL ;;
		7) run -137 stop stopped KILL ;;
		esac
	done
	stop tx
	stop dgram
	dismiss fast TERM
	relay_wait_ports relay 2
	relay_check_sums relay
	wait_status relay "status: .* queued 0, dropped [1-9]"
	# Of what the raw client sent, a runt and a cut frame each time; and one of each of the
	# others may have been stopped half-way.
	beyond=$(($(received relay) - $(sed -n 's/^sent //p' "$DIR/tx.out") -
		$(sed -n 's/^sent //p' "$DIR/dgram.out")))
	echo "$beyond frames beyond those of tx and dgram"
	((beyond >= 16 && beyond <= 18))
	run -0 relay_stop relay
}

# --- the end ----------------------------------------------------------------

@test "SIGTERM with frames queued: it ends at once, and says what was queued" {
	local asked

	ns_add a
	small_buffers a
	relay_start relay in a -v tcp-listen:127.0.0.1:5000 "unix-listen:$DIR/out"
	wait_listen a tcp 5000
	wait_listen a unix "$DIR/out"
	frames_start rx in a recv "unix:$DIR/out" --count 3000 --timeout 5
	relay_wait_ports relay 1
	kill -STOP "$(pid_of rx)"
	frames_start tx in a send tcp:127.0.0.1:5000 --count 3000 --min 1000 --timeout 5
	wait_for 10 "queue" is_queued_above relay "$QUEUE_LOW"
	wait_for 10 "source to be held" stands_still relay
	asked=$(grep -c "end of status" "$DIR/relay.err")
	run -0 relay_stop relay
	kill -CONT "$(pid_of rx)"
	[[ $(grep -c "end of status" "$DIR/relay.err") == $((asked + 1)) ]]
	run tail -n 6 "$DIR/relay.err"
	assert_line --regexp "status: cable, 2 ports: .* queued [1-9][0-9]*, dropped 0$"
	assert_line "netrelay: end of status"
	awk -f "$LAB_ROOT/itest/status.awk" <<<"$output"
	[[ ! -e $DIR/out ]]
	# What had left it arrives, and no half frame with it.
	run frames_wait rx
	assert_line --partial " damaged 0 reordered 0 duplicated 0"
}

#   a file --- stdin, relay --- tcp --- rx, slow
@test "stdin's end with a slow receiver: all is delivered, and it ends well" {
	ns_add a
	small_buffers a
	"$FRAMES" send - --count 300 --min 1000 --max 1000 >"$DIR/file" 2>/dev/null
	START_IN=$DIR/file relay_start relay in a - tcp:127.0.0.1:5001
	frames_start rx in a recv tcp-listen:127.0.0.1:5001 --count 300 --lossless --timeout 60 \
		--slow 30 --rcvbuf 4096
	run -0 wait_end relay 60
	run -0 frames_wait rx
	assert_line --partial "total: received 300 lost 0 damaged 0 reordered 0 duplicated 0"
}

#   a file --- stdin, relay --- tcp --- rx, which stops for good
@test "stdin's end with a receiver that takes nothing: it is not waited for, and told" {
	ns_add a
	small_buffers a
	"$FRAMES" send - --count 250 --min 1000 --max 1000 >"$DIR/file" 2>/dev/null
	frames_start rx in a recv tcp-listen:127.0.0.1:5001 --count 250 --stop-after 1 \
		--rcvbuf 4096 --timeout 60
	START_IN=$DIR/file relay_start relay in a -v - tcp:127.0.0.1:5001
	run -0 wait_end relay 30
	run cat "$DIR/relay.err"
	assert_line --regexp "status: cable, .* received 250, .* queued [1-9][0-9]*, dropped 0$"
}
