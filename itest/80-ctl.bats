#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
#
# --ctl and its client: what each command shows and does, who may, and that no
# client, however it behaves, costs anybody a frame.
#
# shellcheck disable=SC1003,SC2016 # what is quoted is for others to read

load helpers

PEER=$LAB_ROOT/itest/ctl-peer

teardown()
{
	common_teardown
	rm -rf "${OPEN_DIR:-$DIR/none}"
}

# relay_with_ctl NAME [in NS] ARGS...: its control socket is $DIR/ctl.
relay_with_ctl()
{
	if [[ $2 == in ]]; then
		relay_start "$1" in "$3" --ctl "$DIR/ctl" "${@:4}"
		wait_listen "$3" unix "$DIR/ctl"
	else
		relay_start "$1" --ctl "$DIR/ctl" "${@:2}"
		wait_listen - unix "$DIR/ctl"
	fi
}

ctl()
{
	"$NETRELAY" ctl "$DIR/ctl" "$@"
}

# peer_start NAME MODE ARGS...
peer_start()
{
	local name=$1 where=()

	shift
	if [[ $1 == in ]]; then
		where=(in "$2")
		shift 2
	fi
	start "$name" "${where[@]}" "$PEER" "$@"
	wait_for 10 "$name to be ready" grep -qx ready "$DIR/$name.out"
}

# json EXPRESSION: what Python makes of it, "r" being the status.
json()
{
	ctl status --json | python3 -c "import json, sys; r = json.load(sys.stdin); print(($1))"
}

is_json()
{
	[[ $(json "$1") == "$2" ]]
}

# port_is ID FIELD VALUE
port_is()
{
	is_json "[p['$2'] for p in r['ports'] if p['id'] == $1]" "['$3']"
}

# What a wrong command must not change: all but times and counters.
set_up_of_relay()
{
	json "[(p['id'], p['name'], p['isolated'], p['macs'], p['storm']) for p in r['ports']] +
		[l['endpoint'] for l in r['listeners']]"
}

# --- commands ---------------------------------------------------------------

#   a --- one === sink, nobody
@test "status: the table, JSON and counters of a server" {
	ns_add lab
	peer_start sink in lab sink 127.0.0.1 5001
	relay_with_ctl one in lab -l 5000 --hub tcp:127.0.0.1:5001 tcp:127.0.0.1:5002
	wait_listen lab tcp 5000
	wait_for 5 "the sink's port" port_is 1 state up
	run -0 ns lab "$FRAMES" send tcp:127.0.0.1:5000 --count 1000 --rate 2000 --min 100 --max 100
	wait_for 5 "all frames" is_json "r['received'], r['sent']" "(1000, 1000)"
	run -0 ctl status
	assert_line --regexp "^hub, 2 ports, for [0-9]+s: received 1000, copied 0, sent 1000, queued 0, dropped 0$"
	assert_line "listener 5000: 0 connected, 1 accepted so far"
	assert_line --regexp "^   1 tcp:127.0.0.1:5001 127.0.0.1:5001 up +[0-9]+s +0 +0 +0 +0 +1000 +100k "
	assert_line --regexp "^   2 tcp:127.0.0.1:5002 +(waiting|connecting) "
	assert_line "     last error: connect to 127.0.0.1:5002: Connection refused (nobody listens there)"
	run -0 json "r['kind'], r['ports'][0]['peer'], r['ports'][0]['tx_bytes'], r['listeners']"
	assert_output "('hub', '127.0.0.1:5001', 100000, [{'endpoint': '5000', 'name': '', 'connected': 0, 'accepted': 1, 'refused': {'allow': 0, 'accept-rate': 0, 'max': 0, 'per-address': 0, 'peers': 0, 'stray': 0}}])"
	run -0 ctl counters
	assert_line --index 0 --regexp $'^relay\thub\t[^\t]+\t[0-9]+\t1000\t0\t1000\t0\t0$'
	assert_line --index 1 --regexp $'^port\t1\tup\t[0-9]+\t0\t0\t1000\t100000\t0\t524288\t0\ttcp:127.0.0.1:5001\t127.0.0.1:5001$'
	run -0 ctl help
	assert_line --partial "add ENDPOINT"
	run -0 relay_stop one
	assert_not_exists "$DIR/ctl"
}

@test "rates are those of now" {
	ns_add lab
	relay_with_ctl one in lab -l 5000
	wait_listen lab tcp 5000
	frames_start rx in lab recv tcp:127.0.0.1:5000 --expect 100000 --timeout 30
	frames_start tx in lab send tcp:127.0.0.1:5000 --count 100000 --rate 2000 --min 100 --max 100 \
		--timeout 30
	# Those of a second, not of all; on a busy machine the sender may be late.
	wait_for 20 "rates" is_json "any(0 < 2 * p['rx_frames_rate'] < p['rx_frames'] and
		p['rx_bytes_rate'] // 100 in (p['rx_frames_rate'], p['rx_frames_rate'] + 1)
		for p in r['ports'])" True
	dismiss tx
	wait_for 10 "rest" is_json "all(p['tx_frames_rate'] == 0 for p in r['ports'])" True
	dismiss rx
	run -0 relay_stop one
}

@test "names from outside are escaped, and JSON stays JSON" {
	local name=$'we"ird\\ \033[31m\303\266'

	relay_with_ctl one -l "unix-listen:$DIR/l" "unix:$DIR/$name"
	wait_listen - unix "$DIR/l"
	run -0 ctl status
	refute_output --partial $'\033'
	# The path is at the end of a name that may be too long for its column.
	run -0 ctl counters
	assert_line --partial "unix:$DIR/we\"ird\\ \\x1b[31m\\xc3\\xb6"
	run -0 json "r['ports'][0]['name'].encode('latin-1').decode() == 'unix:$DIR/we\"ird\\\\ \\033[31m\\xf6'"
	assert_output True
	run -0 ctl del "unix:$DIR/$name"
	wait_for 5 "no port" is_json "r['ports']" "[]"
	run -0 relay_stop one
}

@test "a client of a unix socket is told by its process" {
	relay_with_ctl one -l "unix-listen:$DIR/l"
	wait_listen - unix "$DIR/l"
	frames_start a recv "unix:$DIR/l" --timeout 30
	wait_for 5 "its port" port_is 1 peer "pid $(pid_of a)"
	dismiss a
	run -0 relay_stop one
}

@test "what is wrong gets one line, and changes nothing" {
	local before line

	relay_with_ctl one -l "unix-listen:$DIR/l" "unix:$DIR/x" "unix:$DIR/x"
	before=$(set_up_of_relay)
	while IFS= read -r line; do
		# shellcheck disable=SC2086 # words
		run -1 ctl $line
		assert_output --regexp "^netrelay: ctl: [^ ].+$"
		((${#lines[@]} == 1))
		[[ $(set_up_of_relay) == "$before" ]]
	done <<-EOT
		nonsense
		status --nonsense
		add
		add -
		add fd:7
		add nonsense:5000
		add -l $DIR
		add unix-listen:$DIR/l
		add unix-listen:$DIR/none/l
		del
		del 77
		del unix:$DIR/x
		del -l unix:$DIR/x
		set 1
		set 77 isolated=on
		set 1 isolated=yes
		set 1 isolated=on mac=52:54:00
		set 1 isolated=on storm=many
		fdb now
		events now
	EOT
	run -1 ctl "$(printf 'x%.0s' {1..5000})"
	assert_output "netrelay: ctl: a command has at most 4095 bytes, and ends with a newline"
	run -0 relay_stop one
}

@test "add, set and del" {
	ns_add lab
	peer_start sink in lab sink 127.0.0.1 5001
	relay_with_ctl one in lab -l 5000
	wait_listen lab tcp 5000
	run -0 ctl add tcp:127.0.0.1:5001
	assert_output "port 1"
	wait_for 5 "it to be up" port_is 1 state up
	run -0 ctl add "exec:cat # \"as is\" \\n \\"
	assert_output "port 2"
	wait_for 5 "it to be up" port_is 2 state up
	run -0 ctl add -l 5002
	assert_output listening
	wait_listen lab tcp 5002
	run -0 ctl set 1 isolated=on mac=52:54:00:00:00:01+52:54:00:00:00:02 storm=1000
	run -0 json "[(p['isolated'], p['macs'], p['storm']) for p in r['ports']]"
	assert_output "[(True, ['52:54:00:00:00:01', '52:54:00:00:00:02'], 1000), (False, [], 0)]"
	run -0 ctl set tcp:127.0.0.1:5001 isolated=off mac=
	run -0 json "[(p['isolated'], p['macs'], p['storm']) for p in r['ports']]"
	assert_output "[(False, [], 1000), (False, [], 0)]"
	frames_start a in lab recv tcp:127.0.0.1:5002 --timeout 30
	wait_for 5 "a third port" is_json "len(r['ports'])" 3
	# A connection outlives its listener.
	run -0 ctl del -l 5002
	run -0 json "[l['endpoint'] for l in r['listeners']], len(r['ports'])"
	assert_output "(['5000'], 3)"
	run ! ns lab bash -c 'exec 3<>/dev/tcp/127.0.0.1/5002'
	dismiss a
	wait_for 5 "it to go" is_json "len(r['ports'])" 2
	run -0 ctl del 1
	run -0 ctl del 'exec:cat # "as is" \n \'
	wait_for 5 "none left" is_json "r['ports']" "[]"
	run -0 ctl add tcp:127.0.0.1:5001
	assert_output "port 4"
	relay_check_sums one
	run -0 relay_stop one
}

#   tx --- one === rx1, rx2
@test "fdb: what a switch has learnt; and storm, what it lets through from then on" {
	ns_add lab
	relay_with_ctl one in lab -l 5000
	wait_listen lab tcp 5000
	for name in rx1 rx2; do
		frames_start "$name" in lab recv tcp:127.0.0.1:5000 --expect 100000 --timeout 30
	done
	wait_for 5 "both" is_json "len(r['ports'])" 2
	frames_start tx in lab send tcp:127.0.0.1:5000 --count 100000 --rate 2000 --timeout 30
	wait_for 5 "its address" learns 3
	run -0 ctl fdb
	assert_line --index 0 "address           vlan   age port name"
	assert_line --index 1 --regexp "^[0-9a-f]{2}(:[0-9a-f]{2}){5}    0    [0-9]s    3 tcp:127.0.0.1:[0-9]+$"
	((${#lines[@]} == 2))
	is_json "[p['drops']['storm'] for p in r['ports']]" "[0, 0, 0]"
	run -0 ctl set 3 storm=1
	wait_for 20 "a storm" is_json "r['ports'][2]['drops']['storm'] > 20" True
	run -0 ctl set 3 storm=0
	wait_for 20 "no more of it" storm_is_over
	relay_check_sums one
	run -0 relay_stop one
}

learns()
{
	ctl fdb | awk -v port="$1" '$4 == port { found = 1 } END { exit !found }'
}

# Between two looks nothing is dropped, though frames come.
storm_is_over()
{
	local before drops

	before=$(json "r['ports'][2]['rx_frames']")
	drops=$(json "r['ports'][2]['drops']['storm']")
	wait_for 5 "frames" is_json "r['ports'][2]['rx_frames'] > $before + 20" True
	is_json "r['ports'][2]['drops']['storm']" "$drops"
}

@test "an endpoint that can't be opened is told of, and is the end of nothing" {
	needs_tun
	ns_add lab
	relay_with_ctl one in lab -l 5000
	wait_listen lab tcp 5000
	START_OUT=$DIR/events.out start events "$NETRELAY" ctl "$DIR/ctl" events
	wait_for 5 "a subscriber" is_connected
	run -1 ctl add "unixgram:$DIR/b,local=$DIR/none/a"
	assert_output --partial "No such file"
	run -1 ctl add tap:lo
	assert_output "netrelay: ctl: tap:lo: lo exists, and is not a tap; take another name"
	run -1 ctl add br7
	assert_output --partial "netrelay: ctl: br7: bridge br7 does not exist; "
	run -0 ctl add tap:nrt0
	assert_output "port 4"
	port_is 4 state up
	wait_for 5 "word of it" grep -q " up port 4 tap:nrt0" "$DIR/events.out"
	run -0 cut -d' ' -f2-5 "$DIR/events.out"
	assert_output --partial $'gone port 2 tap:lo\ngone port 3 br7\nup port 4 tap:nrt0'
	run -0 relay_stop one
	wait_end events
}

process_is()
{
	[[ $(ps -o state= -p "$1") == "$2" ]]
}

# Sets $helper to the relay's helper for taps, and stops it. It starts with the first that needs it.
stop_taps_helper()
{
	run -1 ctl add none9
	helper=$(helper_of one taps)
	kill -STOP "$helper"
	wait_for 5 "the helper to stop" process_is "$helper" T
}

# The helper is stopped, so that nothing that it is asked for is done.
@test "what takes long to open is answered in time, and who waits for it may go" {
	local helper

	needs_tun
	ns_add lab
	relay_with_ctl one in lab -l 5000
	stop_taps_helper
	start waits "$NETRELAY" ctl "$DIR/ctl" add br8
	wait_for 5 "its port" port_is 2 state connecting
	dismiss waits KILL
	run -0 ctl add br7
	assert_output "port 3"
	port_is 3 state connecting
	wait_for 5 "nobody but us" only_we_are_connected
	kill -CONT "$helper"
	wait_for 5 "no port" is_json "r['ports']" "[]"
	run -1 ctl add br7
	run -0 relay_stop one
}

# The relay is stopped, too: it hears of the failure when it was to look at the port again.
@test "who waits for what takes long is told why it failed, however busy the relay is" {
	local helper since

	needs_tun
	ns_add lab
	relay_with_ctl one in lab -l 5000
	stop_taps_helper
	start waits "$NETRELAY" ctl "$DIR/ctl" add br7
	wait_for 5 "its port" port_is 2 state connecting
	kill -STOP "$(pid_of one)"
	wait_for 5 "the relay to stop" process_is "$(pid_of one)" T
	kill -CONT "$helper"
	since=$(_now_us)
	wait_for 5 "an answer of the helper" has_spent "$since" 500
	kill -CONT "$(pid_of one)"
	run -1 wait_end waits
	assert_file_contains "$DIR/waits.err" "bridge br7 does not exist"
	run -0 relay_stop one
}

#   a ---unix--- one ---unix--- b, then c
@test "a cable: its ends can be exchanged, but there are no three" {
	frames_start b recv "unix-listen:$DIR/b" --count 100 --lossless --timeout 30
	relay_with_ctl one "unix-listen:$DIR/a" "unix:$DIR/b"
	run -1 ctl add "unix:$DIR/c"
	assert_output "netrelay: ctl: a cable has two ends, and this one has both; del one first"
	wait_for 5 "its far end" port_is 1 state up
	run -0 "$FRAMES" send "unix:$DIR/a" --count 100
	run -0 frames_wait b
	run -0 ctl del 1
	wait_for 5 "no port" is_json "r['ports']" "[]"
	frames_start c recv "unix-listen:$DIR/c" --count 100 --lossless --timeout 30
	run -0 ctl add "unix:$DIR/c"
	run -1 ctl add "unix:$DIR/d"
	run -0 "$FRAMES" send "unix:$DIR/a" --count 100
	run -0 frames_wait c
	run -0 relay_stop one
}

# Somebody is, to the control socket.
is_connected()
{
	awk -v path="$DIR/ctl" '$6 == "03" && $8 == path { found = 1 } END { exit !found }' \
		/proc/net/unix
}

@test "events: up, down, reconnect, gone" {
	local stamp="^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z"

	ns_add lab
	relay_with_ctl one in lab -l 5000 tcp:127.0.0.1:5001
	START_OUT=$DIR/events.out start events "$NETRELAY" ctl "$DIR/ctl" events
	wait_for 5 "a subscriber" is_connected
	peer_start sink in lab sink 127.0.0.1 5001
	wait_for 10 up grep -qE "$stamp up port 1 tcp:127.0.0.1:5001$" "$DIR/events.out"
	# One that is closed before it is accepted is reset.
	wait_for 10 "the sink to have it" grep -q accepted "$DIR/sink.out"
	stop sink
	wait_for 10 down grep -qE "$stamp down port 1 tcp:127.0.0.1:5001 closed by the peer$" "$DIR/events.out"
	peer_start sink in lab sink 127.0.0.1 5001
	wait_for 10 reconnect grep -qE \
		"$stamp reconnect port 1 tcp:127.0.0.1:5001 after [0-9]+\.[0-9] s$" "$DIR/events.out"
	run -0 ctl del 1
	wait_for 10 gone grep -qE "$stamp gone port 1 tcp:127.0.0.1:5001 taken away$" "$DIR/events.out"
	# Told of once each, however many tries there were.
	run -0 cut -d' ' -f2 "$DIR/events.out"
	assert_output $'up\ndown\nreconnect\ngone'
	run -0 relay_stop one
	run -0 wait_end events
}

@test "who does not read events loses some, and is told how many" {
	relay_with_ctl one -l "unix-listen:$DIR/l"
	wait_listen - unix "$DIR/l"
	peer_start deaf deaf "$DIR/ctl"
	python3 - "$DIR/l" <<-'EOT'
		import socket, sys
		for _ in range(4000):
		    with socket.socket(socket.AF_UNIX) as conn:
		        conn.connect(sys.argv[1])
	EOT
	wait_for 20 "all to be gone" is_json "r['listeners'][0]['accepted'], len(r['ports'])" "(4000, 0)"
	kill -USR1 "$(pid_of deaf)"
	wait_for 10 "word of it" grep -qE '^\.\.\. [0-9]+ events left out$' "$DIR/deaf.out"
	run -0 awk '/^\.\.\. / { n += $2; next } / (up|gone) port / { n++ } END { print n }' "$DIR/deaf.out"
	assert_output 8000
	run -0 relay_stop one
}

# --- captures ---------------------------------------------------------------

# capture_start NAME ARGS...: to $DIR/NAME.pcapng, until it has begun.
capture_start()
{
	start "$1" "$NETRELAY" ctl "$DIR/ctl" capture "$DIR/$1.pcapng" "${@:2}"
	wait_for 5 "capture $1" test -s "$DIR/$1.pcapng"
}

packets()
{
	capinfos -M -c "$DIR/$1.pcapng" | sed -n 's/^Number of packets: *//p'
}

#   a ---unix--- one ---unix--- b
@test "capture: all, one port's, one way's; ended by us and by the relay" {
	frames_start b recv "unix-listen:$DIR/b" --expect 200 --timeout 30
	relay_with_ctl one "unix-listen:$DIR/a" "unix:$DIR/b"
	wait_for 5 "its far end" port_is 1 state up
	capture_start all
	capture_start some port=1 dir=out snap=64
	start none "$NETRELAY" ctl "$DIR/ctl" capture "$DIR/none.pcapng,dir=in,snap=64" port=1
	wait_for 5 "capture none" test -s "$DIR/none.pcapng"
	run -0 "$FRAMES" send "unix:$DIR/a" --count 100
	wait_for 5 "all frames" is_json "r['sent']" 100
	run -0 stop some INT
	run -0 "$FRAMES" send "unix:$DIR/a" --id 2 --count 100
	run -0 frames_wait b
	run -0 relay_stop one
	run -0 wait_end all
	run -0 wait_end none
	[[ $(packets all) == 400 && $(packets some) == 100 && $(packets none) == 0 ]]
	run -0 tshark -n -r "$DIR/some.pcapng" -Y 'frame.cap_len > 64'
	refute_line --regexp '^ *[0-9]+ '
}

@test "capture: what is wrong, and too many" {
	local i

	relay_with_ctl one -l "unix-listen:$DIR/l"
	run -1 ctl capture
	assert_output --partial "the file is missing"
	run -1 ctl capture port=1
	assert_output --partial "the file is missing"
	run -1 ctl capture "$DIR/x" port=9
	assert_output "netrelay: ctl: there is no such port; see: status"
	run -1 ctl capture "$DIR/x" dir=up
	assert_output --partial "netrelay: ctl: dir=up: not known; "
	run -1 ctl capture "$DIR/x,y"
	assert_output --partial "netrelay: ctl: y: not known; "
	run -1 ctl capture "$DIR/none/x"
	assert_output --partial "No such file"
	# What was captured before stays.
	echo old >"$DIR/old"
	run -1 ctl capture "$DIR/old" port=9
	[[ $(cat "$DIR/old") == old ]]
	for i in 1 2 3 4; do
		capture_start "c$i"
	done
	run -1 ctl capture "$DIR/x"
	assert_output "netrelay: ctl: no more captures may run at the same time; end one of them"
	run -0 stop c1 INT
	capture_start c5
	# It is ended without a word, too.
	kill -KILL "$(pid_of c2)"
	run -137 wait_end c2
	capture_start c6
	run -0 relay_stop one
	for i in 3 4 5 6; do
		run -0 wait_end "c$i"
	done
}

# --- who may ----------------------------------------------------------------

# A directory that all users reach; bats' own is not.
open_dir()
{
	OPEN_DIR=$(mktemp -d /tmp/netrelay-ctl.XXXXXX)
	chmod 755 "$OPEN_DIR"
}

as_user()
{
	"$LAB_ROOT/itest/as-user" "$NETRELAY" "$@"
}

@test "the socket is its user's alone, and others who reach it are turned away" {
	needs_root
	needs_tun
	open_dir
	relay_start one --ctl "$OPEN_DIR/ctl" -l "unix-listen:$OPEN_DIR/l"
	wait_listen - unix "$OPEN_DIR/ctl"
	[[ $(stat -c %a "$OPEN_DIR/ctl") == 600 ]]
	run -1 as_user ctl "$OPEN_DIR/ctl" status
	assert_output "netrelay: ctl: $OPEN_DIR/ctl: permission denied; only root and the user who runs the relay may use it"
	chmod 666 "$OPEN_DIR/ctl"
	run -1 as_user ctl "$OPEN_DIR/ctl" status
	assert_output "netrelay: ctl: only root and the user who runs the relay may use it"
	run -1 as_user ctl "$OPEN_DIR/ctl" del 1
	run -0 "$NETRELAY" ctl "$OPEN_DIR/ctl" status
	run -0 relay_stop one
}

@test "root may control a user's relay, and the user too" {
	needs_root
	needs_tun
	open_dir
	chmod 777 "$OPEN_DIR"
	start one "$LAB_ROOT/itest/as-user" "$NETRELAY" --ctl "$OPEN_DIR/ctl" -l "unix-listen:$OPEN_DIR/l"
	wait_listen - unix "$OPEN_DIR/ctl"
	run -0 "$NETRELAY" ctl "$OPEN_DIR/ctl" status
	run -0 as_user ctl "$OPEN_DIR/ctl" status
	assert_output --partial "switch, 0 ports"
	run -0 relay_stop one
}

# What runs there is root in there, and nobody out here knows that user.
@test "in a user namespace: who is unknown there may if the path lets none but him in" {
	local user

	needs_root
	needs_tun
	open_dir
	chmod 777 "$OPEN_DIR"
	cp "$NETRELAY" "$OPEN_DIR/netrelay"
	start one "$LAB_ROOT/itest/in-userns" "$OPEN_DIR/netrelay" --ctl "$OPEN_DIR/ctl" \
		-l "unix-listen:$OPEN_DIR/l"
	wait_listen - unix "$OPEN_DIR/ctl"
	[[ $(stat -c %u "$OPEN_DIR/ctl") == 100000 ]]
	run -0 "$NETRELAY" ctl "$OPEN_DIR/ctl" status
	assert_output --partial "switch, 0 ports"
	run -0 setpriv --reuid=100000 --clear-groups "$OPEN_DIR/netrelay" ctl "$OPEN_DIR/ctl" status
	# A user that it knows as somebody else, and one that it does not know.
	chmod 666 "$OPEN_DIR/ctl"
	for user in 100001 1000; do
		run -1 setpriv --reuid="$user" --clear-groups "$OPEN_DIR/netrelay" ctl \
			"$OPEN_DIR/ctl" status
		assert_output "netrelay: ctl: only root and the user who runs the relay may use it"
	done
	run -0 relay_stop one
}

@test "the path: one in use is left alone, one left behind is taken over" {
	relay_with_ctl one -l "unix-listen:$DIR/l"
	run -1 "$NETRELAY" --ctl "$DIR/ctl" -l "unix-listen:$DIR/m"
	assert_output --partial "netrelay: --ctl $DIR/ctl: listen: "
	assert_output --partial " in use"
	run -0 ctl status
	kill -KILL "$(pid_of one)"
	run -137 wait_end one
	assert_exists "$DIR/ctl"
	run -1 ctl status
	assert_output "netrelay: ctl: $DIR/ctl: nobody listens there any more; start the relay again, with --ctl"
	relay_with_ctl two -l "unix-listen:$DIR/m"
	run -0 ctl status
	run -0 relay_stop two
	run -1 ctl status
	assert_output --partial "there is no such socket"
	run -1 "$NETRELAY" ctl "$DIR" status
	assert_output --partial "is no socket"
}

# --- clients as they should not be ------------------------------------------

@test "a relay that says nothing is given up after a while" {
	relay_with_ctl one -l "unix-listen:$DIR/l"
	wait_for 5 "its start" ctl status
	kill -STOP "$(pid_of one)"
	run -1 ctl status
	assert_output "netrelay: ctl: $DIR/ctl: the relay does not answer"
	kill -CONT "$(pid_of one)"
	run -0 ctl status
	run -0 relay_stop one
}

@test "socat will do, and so does a pipe that nobody reads" {
	relay_with_ctl one -l "unix-listen:$DIR/l"
	run -0 bash -c "echo status | socat - 'UNIX:$DIR/ctl'"
	assert_line --index 0 ok
	assert_line --index 1 --partial "switch, 0 ports"
	run -0 bash -c "printf 'nonsense\n' | socat - 'UNIX:$DIR/ctl'"
	assert_output "error: nonsense: there is no such command; try: help"
	# Its reader gone, it ends, though there are no events.
	run -0 timeout 60 bash -c "'$NETRELAY' ctl '$DIR/ctl' events | true"
	run -0 relay_stop one
}

#   tx ---unix--- one ---unix--- rx, and its control socket's clients
@test "clients that stall, flood, do not read or go away cost no frame" {
	local mode

	frames_start rx recv "unix-listen:$DIR/b" --count 200000 --lossless --timeout 60
	relay_with_ctl one "unix-listen:$DIR/a" "unix:$DIR/b"
	wait_for 5 "its far end" port_is 1 state up
	peer_start stall stall "$DIR/ctl" 6
	for mode in half flood lazy; do
		peer_start "$mode" "$mode" "$DIR/ctl"
	done
	run -0 "$FRAMES" send "unix:$DIR/a" --count 200000 --timeout 60
	run -0 frames_wait rx
	assert_line --partial "received 200000 lost 0 damaged 0 reordered 0 duplicated 0"
	# What was never said whole was never done.
	wait_for 20 "an answer in between" is_json \
		"r['received'], r['sent'], r['dropped'], r['ports'][0]['id']" "(200000, 200000, 0, 1)"
	for mode in half flood lazy stall; do
		is_running "$mode"
		stop "$mode"
	done
	wait_for 5 "all of them gone" only_we_are_connected
	run -0 relay_stop one
}

only_we_are_connected()
{
	local sockets

	sockets=$(find "/proc/$(pid_of one)/fd" -lname 'socket:*') && [[ $sockets ]] &&
		(($(wc -l <<<"$sockets") <= 6))
}

#   tx --- one === rx; and 64 more, that come and go
@test "64 ports added and removed under load: nothing is lost on the others" {
	local i ids sent

	ns_add lab
	peer_start sink in lab sink 127.0.0.1 5001
	relay_with_ctl one in lab -l 5000 --hub
	wait_listen lab tcp 5000
	frames_start rx in lab recv tcp:127.0.0.1:5000 --lossless
	wait_for 5 "its port" is_json "len(r['ports'])" 1
	frames_start tx in lab send tcp:127.0.0.1:5000 --count 1000000 --rate 2000 --min 60 --max 600
	for ((i = 1; i <= 64; i++)); do
		ctl add tcp:127.0.0.1:5001 >/dev/null
	done
	wait_for 20 "all to be up" is_json "sum(p['state'] == 'up' for p in r['ports'])" 66
	run -0 json "all(p['tx_frames'] > 0 for p in r['ports'] if 'tcp:127.0.0.1:5001' == p['endpoint'])"
	ids=$(json "' '.join(str(p['id']) for p in r['ports'] if p['endpoint'] == 'tcp:127.0.0.1:5001')")
	for i in $ids; do
		ctl del "$i"
	done
	wait_for 5 "them to be gone" is_json "len(r['ports'])" 2
	# All of that while frames were sent.
	is_running tx
	stop tx
	sent=$(sed -n 's/^sent //p' "$DIR/tx.out")
	relay_wait_ports one 1
	relay_check_sums one
	wait_status one "status: .* queued 0,"
	wait_for 5 "the last frame" is_all_read lab 5000
	run -0 stop rx
	run -0 cat "$DIR/rx.out"
	assert_line --regexp "^total: received [0-9]+ lost 0 damaged 0 reordered 0 duplicated 0 "
	# One more may have gone out just when tx was ended.
	(($(frames_total rx received) - sent <= 1 && $(frames_total rx received) >= sent))
	run -0 relay_stop one
}
