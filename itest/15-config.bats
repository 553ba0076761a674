#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
#
# -f FILE: a relay from a file, what is said of a wrong one, and reading it again while
# frames flow: by SIGHUP and by ctl, in the sandbox and without, as another user.

load helpers

teardown()
{
	common_teardown
	rm -rf "${OPEN_DIR:-$DIR/none}"
}

# conf_file LINE...: writes $DIR/lab.conf, in one step.
conf_file()
{
	printf '%s\n' "$@" >"$DIR/lab.conf.new"
	mv "$DIR/lab.conf.new" "$DIR/lab.conf"
}

ctl()
{
	"$NETRELAY" ctl "$DIR/ctl" "$@"
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

# lab_relay [ARG...]: starts one from $DIR/lab.conf in the namespace lab.
lab_relay()
{
	relay_start one in lab "$@" -f "$DIR/lab.conf"
	wait_for 10 "$1 to take signals" _blocks_usr1 one
}

# reload PATTERN: by a signal; waits until it is logged.
reload()
{
	local before

	before=$(log_lines one "$1")
	kill -HUP "$(pid_of one)"
	wait_for 5 "words: $1" has_logged one "$1" $((before + 1))
}

read_again()
{
	reload "lab.conf: read again: $1"
}

# Which endpoints the ports have.
ports()
{
	json "' '.join(p['name'] for p in r['ports'] if not p['name'].startswith('tcp:127.0.0.1:'))"
}

listeners()
{
	json "' '.join(l['endpoint'] for l in r['listeners'])"
}

# --- at the start -----------------------------------------------------------

@test "a switch from a file, with options of the command line beside it" {
	ns_add lab
	conf_file "# a lab" "" "listen 127.0.0.1:5000" "include more.conf" "ctl $DIR/ctl"
	printf 'hub\r\njoin "exec:exec sleep 1000 # %s"\r\n' 'all of it' >"$DIR/more.conf"
	run -0 "$NETRELAY" --check "$DIR/lab.conf"
	assert_output "$DIR/lab.conf: ok, a hub with 1 listener and 1 endpoint"
	lab_relay -v unix:/nowhere
	wait_for 5 "both" is_json "[p['name'] for p in r['ports']]" \
		"['exec:exec sleep 1000 # all of it', 'unix:/nowhere']"
	is_json "r['kind']" hub
	run -0 relay_stop one
}

@test "a cable from a file carries frames" {
	ns_add lab
	conf_file "join tcp-listen:127.0.0.1:5000" "join tcp-listen:127.0.0.1:5001"
	lab_relay
	wait_listen lab tcp 5001
	frames_start rx in lab recv tcp:127.0.0.1:5001 --expect 1000 --timeout 30
	run -0 ns lab "$FRAMES" send tcp:127.0.0.1:5000 --count 1000
	run -0 frames_wait rx
	run -0 relay_stop one
}

@test "each fault has its line, and --check tells all of them" {
	local line

	conf_file "lisen 5000" "listen 5000" "storm many" "join" "join tap:" "br0" "hub on" \
		"storm 5" "include none.conf" "include lab.conf" "join \"a" "listen 5000" "user" \
		"wait" "wait"
	run -2 "$NETRELAY" --check "$DIR/lab.conf"
	for line in 1 3 4 5 6 7 8 9 10 11 12 13; do
		assert_line --regexp "^netrelay: $DIR/lab.conf:$line: "
	done
	((${#lines[@]} == 12))
	assert_line --partial 'lab.conf:1: "lisen" is no option that a file can have, nor join or include; did you mean listen?'
	run -2 "$NETRELAY" -f "$DIR/lab.conf"
	((${#lines[@]} == 1))
	assert_output --partial "lab.conf:1: "
	run -2 "$NETRELAY" -f "$DIR/none.conf"
	assert_output "netrelay: $DIR/none.conf: No such file or directory"
}

@test "--print-config prints a file that means the same" {
	ns_add lab
	run -0 "$NETRELAY" --print-config -v --storm 7 --ctl "$DIR/ctl" -l 127.0.0.1:5000 \
		'exec:exec sleep 1000 # "x"' unix:/nowhere,isolated
	echo "$output" >"$DIR/lab.conf"
	lab_relay
	wait_for 5 "both" is_json "[(p['name'], p['isolated']) for p in r['ports']]" \
		"[('exec:exec sleep 1000 # \"x\"', False), ('unix:/nowhere,isolated', True)]"
	run -0 "$NETRELAY" --print-config br0
	assert_output $'join br0\njoin -'
	run -0 relay_stop one
}

# --- reading it again -------------------------------------------------------

#   tx --5001-- one --5002-- rx      other listeners and endpoints come and go
@test "unchanged ports lose no frame, whatever else is changed" {
	local i

	ns_add lab
	conf_file "listen 127.0.0.1:5000" "ctl $DIR/ctl" "join tcp-listen:127.0.0.1:5001" \
		"join tcp-listen:127.0.0.1:5002"
	lab_relay
	wait_listen lab tcp 5002
	frames_start rx in lab recv tcp:127.0.0.1:5002 --expect 20000 --timeout 60 --lossless
	# Small ones, so that a reader may be late.
	frames_start tx in lab send tcp:127.0.0.1:5001 --count 20000 --rate 8000 --max 100 --timeout 60
	for i in 1 2 3 4 5; do
		conf_file "listen 127.0.0.1:5000" "ctl $DIR/ctl" "listen 127.0.0.1:600$i" \
			"join tcp-listen:127.0.0.1:5002" "join tcp-listen:127.0.0.1:5001" \
			"join unix:/nowhere$i" "join exec:exec sleep 100$i" "storm 10000$i"
		read_again "3 added"
		wait_listen lab tcp "600$i"
	done
	run -0 frames_wait rx
	run -0 frames_wait tx
	assert_equal "$(listeners)" "127.0.0.1:6005 tcp-listen:127.0.0.1:5002 tcp-listen:127.0.0.1:5001 127.0.0.1:5000"
	wait_for 5 "the command" has_command one sleep
	assert_equal "$(ports)" "unix:/nowhere5 exec:exec sleep 1005"
	relay_check_sums one
	run -0 relay_stop one
}

@test "a tap and a command that stay are the same ones, and rules change in place" {
	local pid index

	needs_tun
	ns_add lab
	bridge_add lab br0
	conf_file "listen 127.0.0.1:5000" "ctl $DIR/ctl" "join bridge:br0,tap=t0" \
		"join exec:exec sleep 1000" "join tcp:127.0.0.1:9"
	lab_relay
	wait_for 5 "both" is_json "[p['state'] for p in r['ports'][:2]]" "['up', 'up']"
	pid=$(command_of one sleep)
	index=$(ns lab cat /sys/class/net/t0/ifindex)
	conf_file "listen 127.0.0.1:5000" "ctl $DIR/ctl" \
		"join bridge:br0,tap=t0,isolated,mac=52:54:00:00:00:01" \
		"join exec:exec sleep 1000" "join tcp:127.0.0.1:9,isolated"
	read_again "0 added, 0 ended, 2 changed, 2 as before"
	assert_equal "$(command_of one sleep) $(ns lab cat /sys/class/net/t0/ifindex)" "$pid $index"
	is_json "[(p['id'], p['isolated'], p['macs']) for p in r['ports']]" \
		"[(1, True, ['52:54:00:00:00:01']), (2, False, []), (3, True, [])]"
	is_json "r['ports'][2]['name']" "tcp:127.0.0.1:9,isolated"
	# What ctl has set is as the file says again.
	ctl set 2 isolated=on
	read_again "0 added, 0 ended, 1 changed, 3 as before"
	is_json "r['ports'][1]['isolated']" False
	# Other endpoints take their places.
	conf_file "listen 127.0.0.1:5000" "ctl $DIR/ctl" "join bridge:br0,tap=t0,mtu=1400" \
		"join exec:exec sleep 1001"
	read_again "2 added, 3 ended, 0 changed, 1 as before"
	wait_for 5 "both" is_json "[(p['id'], p['state']) for p in r['ports']]" \
		"[(4, 'up'), (5, 'up')]"
	run -0 relay_stop one
}

@test "who may connect changes in place, and connections stay" {
	ns_add lab
	conf_file "listen tcp-listen:127.0.0.1:5000,max=5" "ctl $DIR/ctl"
	lab_relay
	wait_listen lab tcp 5000
	frames_start a in lab recv tcp:127.0.0.1:5000 --timeout 60
	wait_for 5 "its port" is_json "len(r['ports'])" 1
	conf_file "listen tcp-listen:127.0.0.1:5000,allow=192.0.2.0/24,isolated" "ctl $DIR/ctl"
	read_again "0 added, 0 ended, 1 changed, 0 as before"
	is_json "[p['isolated'] for p in r['ports']]" "[True]"
	ns lab bash -c 'exec 3<>/dev/tcp/127.0.0.1/5000; read -r -t 5 <&3' || true
	wait_for 5 "it is refused" is_json "r['listeners'][0]['refused']['allow']" 1
	conf_file "listen tcp-listen:127.0.0.1:5000,per-address=1" "ctl $DIR/ctl"
	read_again "0 added, 0 ended, 1 changed, 0 as before"
	frames_start b in lab recv tcp:127.0.0.1:5000 --timeout 60
	wait_for 5 "its port" is_json "len(r['ports'])" 2
	# The listener goes, the connections stay.
	conf_file "listen 127.0.0.1:5001" "ctl $DIR/ctl"
	read_again "1 added, 1 ended, 0 changed, 0 as before"
	is_json "len(r['ports'])" 2
	dismiss a
	dismiss b
	run -0 relay_stop one
}

@test "a file with any fault changes nothing, and says so in one line" {
	local before bad

	ns_add lab
	conf_file "listen 127.0.0.1:5000" "ctl $DIR/ctl" "join unix:/nowhere"
	lab_relay
	wait_for 5 "its port" is_json "len(r['ports'])" 1
	before="$(ports) $(listeners)"
	while read -r bad; do
		conf_file "listen 127.0.0.1:5000" "ctl $DIR/ctl" "join unix:/other" "$bad"
		reload "lab.conf.*; nothing was changed"
		run -1 ctl reload
		assert_output --regexp "^netrelay: ctl: $DIR/lab.conf.*; nothing was changed$"
		assert_equal "$(ports) $(listeners)" "$before"
	done <<-EOT
		storm many
		join tcp:127.0.0.1
		join fd:5
		join -
		hub
		fdb-size 5
		user nobody
		no-sandbox
		metrics 9100
		wait
		capture f
		include none.conf
		include lab.conf
	EOT
	# Half written, another control socket, no listener, no file.
	printf 'listen 127.0.0.1:5000\nctl %s\njoin unix:/a\nlis' "$DIR/ctl" >"$DIR/lab.conf"
	reload 'lab.conf:4: "lis" is no option .*; nothing was changed'
	conf_file "listen 127.0.0.1:5000" "ctl $DIR/ctl2"
	reload "lab.conf: ctl can't change while the relay runs; restart netrelay for that"
	conf_file "ctl $DIR/ctl" "join unix:/a" "join unix:/b"
	reload "lab.conf: listen can't change while the relay runs; restart netrelay for that"
	rm "$DIR/lab.conf"
	reload "lab.conf: No such file or directory; nothing was changed"
	mkfifo "$DIR/lab.conf"
	reload "lab.conf: it is no file; .*; nothing was changed"
	rm "$DIR/lab.conf"
	assert_equal "$(ports) $(listeners)" "$before"
	conf_file "listen 127.0.0.1:5000" "ctl $DIR/ctl" "join unix:/other"
	run -0 ctl reload
	assert_output "1 added, 1 ended, 0 changed, 1 as before"
	run -0 relay_stop one
}

@test "what can't be added is told, the rest is there, and the next time it is tried again" {
	needs_tun
	ns_add lab
	conf_file "listen 127.0.0.1:5000" "ctl $DIR/ctl"
	lab_relay
	start nc in lab python3 -c 'import socket, time; s = socket.socket()
s.bind(("127.0.0.1", 5001)); s.listen(); print("ready", flush=True); time.sleep(1000)'
	wait_for 5 "another program" grep -qx ready "$DIR/nc.out"
	wait_for 5 "control socket" test -S "$DIR/ctl"
	conf_file "listen 127.0.0.1:5000" "ctl $DIR/ctl" "listen 127.0.0.1:5001" "join br0" "join unix:/a"
	run -0 ctl reload
	assert_line --partial "not added: 127.0.0.1:5001: listen: Address in use"
	assert_line "2 added, 0 ended, 0 changed, 1 as before"
	wait_for 5 "words" has_logged one "br0: .*bridge br0 does not exist"
	wait_for 5 "one port" is_json "[p['name'] for p in r['ports']]" "['unix:/a']"
	dismiss nc
	bridge_add lab br0
	run -0 ctl reload
	assert_output "2 added, 0 ended, 0 changed, 2 as before"
	wait_for 5 "the bridge" is_json "[p['name'] for p in r['ports'] if p['state'] == 'up']" "['br0']"
	run -0 relay_stop one
}

@test "what ctl has added stays, and what it has deleted comes back" {
	ns_add lab
	conf_file "listen 127.0.0.1:5000" "ctl $DIR/ctl" "join unix:/a" "join unix:/b"
	lab_relay
	wait_for 5 "both" is_json "len(r['ports'])" 2
	ctl add unix:/c
	ctl add unix:/d
	ctl add -l 127.0.0.1:5001
	ctl del unix:/a
	wait_for 5 "it to go" is_json "len(r['ports'])" 3
	conf_file "listen 127.0.0.1:5000" "ctl $DIR/ctl" "join unix:/a" "join unix:/d"
	read_again "1 added, 1 ended, 0 changed, 2 as before"
	wait_for 5 "three" is_json "len(r['ports'])" 3
	assert_equal "$(ports)" "unix:/c unix:/d unix:/a"
	# Now /d is the file's.
	conf_file "listen 127.0.0.1:5000" "ctl $DIR/ctl" "join unix:/a"
	read_again "0 added, 1 ended, 0 changed, 2 as before"
	wait_for 5 "two" is_json "len(r['ports'])" 2
	assert_equal "$(ports)" "unix:/c unix:/a"
	run -0 relay_stop one
}

@test "a cable has two ends after each reading" {
	ns_add lab
	conf_file "ctl $DIR/ctl" "join tcp-listen:127.0.0.1:5001" "join unix:/b"
	lab_relay
	wait_listen lab tcp 5001
	frames_start a in lab recv tcp:127.0.0.1:5001 --timeout 60
	wait_for 5 "both" is_json "len(r['ports'])" 2
	conf_file "ctl $DIR/ctl" "join tcp-listen:127.0.0.1:5002" "join unix:/b"
	read_again "1 added, 1 ended, 0 changed, 1 as before"
	wait_for 5 "the old connection to go" is_json "len(r['ports'])" 1
	wait_gone a
	ctl del unix:/b
	wait_for 5 "it to go" is_json "len(r['ports'])" 0
	ctl add unix:/c
	read_again "1 added, 1 ended, 0 changed, 1 as before"
	wait_for 5 "/b alone" is_json "[p['name'] for p in r['ports']]" "['unix:/b']"
	frames_start rx in lab recv "unix-listen:$DIR/x" --expect 100 --timeout 30
	conf_file "ctl $DIR/ctl" "join tcp-listen:127.0.0.1:5002" "join unix:$DIR/x"
	read_again "1 added, 1 ended, 0 changed, 1 as before"
	wait_for 5 "it to be up" is_json "[p['state'] for p in r['ports']]" "['up']"
	run -0 ns lab "$FRAMES" send tcp:127.0.0.1:5002 --count 100
	run -0 frames_wait rx
	run -0 relay_stop one
}

@test "a hundred SIGHUPs in a row, while the file changes" {
	local i fds

	ns_add lab
	conf_file "listen 127.0.0.1:5000" "ctl $DIR/ctl" "join unix:/a"
	lab_relay
	read_again "0 added"
	fds=$(count_fds one)
	for i in $(seq 100); do
		conf_file "listen 127.0.0.1:5000" "ctl $DIR/ctl" "join unix:/a" \
			"join exec:exec sleep 100$((i % 3))" "listen unix-listen:$DIR/l$((i % 2))"
		kill -HUP "$(pid_of one)"
	done
	conf_file "listen 127.0.0.1:5000" "ctl $DIR/ctl" "join unix:/a"
	read_again "0 added"
	wait_for 5 "one port" is_json "[p['name'] for p in r['ports']]" "['unix:/a']"
	wait_for 10 "no more descriptors" has_fds one "$fds"
	[[ ! -e $DIR/l0 && ! -e $DIR/l1 ]]
	wait_for 10 "no command" has_no_command one
	run -0 relay_stop one
}

count_fds()
{
	local fds=("/proc/$(pid_of "$1")/fd/"*)

	echo "${#fds[@]}"
}

has_fds() # NAME COUNT: it has one more for the helper
{
	(($(count_fds "$1") <= $2 + 1))
}

has_no_command()
{
	[[ -z $(command_of "$1" sleep) ]]
}

@test "with wait, what is added and not there yet is waited for" {
	needs_tun
	ns_add lab
	conf_file "listen 127.0.0.1:5000" "ctl $DIR/ctl" "wait"
	lab_relay
	conf_file "listen 127.0.0.1:5000" "ctl $DIR/ctl" "wait" "join br0" "listen 192.0.2.1:5001"
	read_again "2 added, 0 ended, 0 changed, 1 as before"
	wait_for 5 "it to wait" is_json "[p['state'] for p in r['ports']]" "['waiting']"
	bridge_add lab br0 192.0.2.1/24
	wait_for 10 "the bridge" is_json "[p['state'] for p in r['ports']]" "['up']"
	wait_listen lab tcp 5001 10
	run -0 relay_stop one
}

@test "names: a port gets one, loses it or gives it to another, and goes on" {
	ns_add lab
	conf_file "listen 127.0.0.1:5000" "ctl $DIR/ctl" "join unix:/a" "join unix:/b,name=x"
	lab_relay
	wait_for 5 "both" is_json "len(r['ports'])" 2
	conf_file "listen 127.0.0.1:5000" "ctl $DIR/ctl" "join unix:/a,name=x" "join unix:/b"
	read_again "0 added, 0 ended, 2 changed, 1 as before"
	run -0 ctl status
	assert_line --regexp "^ +1 x "
	run -0 ctl del x
	wait_for 5 "it to go" is_json "[p['id'] for p in r['ports']]" "[2]"
	conf_file "listen 127.0.0.1:5000" "ctl $DIR/ctl" "join unix:/a,name=x" "join unix:/b,name=x"
	reload "lab.conf:4: x .unix:/b.: another endpoint has this name; .*; nothing was changed"
	run -0 relay_stop one
}

# --- who reads it -----------------------------------------------------------

# What is new needs the broker and each helper, which look into the file themselves.
reads_new_things()
{
	conf_file "listen unix-listen:$DIR/s" "join exec:exec sleep 1000" \
		"join tcp:localhost:9" "listen unix-listen:$DIR/l" "$@"
	read_again "3 added"
	wait_listen lab unix "$DIR/l"
	wait_for 10 "the command" has_command one sleep
	wait_port one "tcp:localhost:9: (waiting|connecting)"
	wait_for 10 "a name" has_logged one "tcp:localhost:9: connect to (127.0.0.1:9|.*::1.:9)"
	run ! has_logged one "does not name"
	conf_file "listen unix-listen:$DIR/s" "$@"
	read_again "0 added, 3 ended"
	[[ ! -e $DIR/l ]]
}

@test "without --ctl, helpers do what the file names from then on" {
	needs_tun
	ns_add lab
	bridge_add lab br0
	conf_file "listen unix-listen:$DIR/s" "join exec:exec sleep 2000"
	lab_relay -v
	wait_for 5 "a command" has_command one sleep
	conf_file "listen unix-listen:$DIR/s"
	read_again "0 added, 1 ended"
	reads_new_things
	conf_file "listen unix-listen:$DIR/s" "join br0"
	read_again "1 added"
	relay_wait_up one 1
	conf_file "listen unix-listen:$DIR/s" "join bridge:br0,tap=t1"
	read_again "1 added, 1 ended"
	wait_for 5 "the tap" has_link lab t1
	run ! has_logged one "does not name"
	run -0 relay_stop one
}

@test "with --user, root's file is read by the broker" {
	ns_add lab
	conf_file "listen unix-listen:$DIR/s" "user daemon"
	chmod 600 "$DIR/lab.conf"
	lab_relay -v
	wait_listen lab unix "$DIR/s"
	reads_new_things "user daemon"
	run -0 relay_stop one
}

@test "an ordinary user's relay reads what that user may read" {
	local file

	needs_root
	OPEN_DIR=$(mktemp -d /tmp/netrelay-config.XXXXXX)
	chmod 777 "$OPEN_DIR"
	file=$OPEN_DIR/lab.conf
	printf '%s\n' "listen unix-listen:$OPEN_DIR/s" "ctl $OPEN_DIR/ctl" "join unix:/a" >"$file"
	start one "$LAB_ROOT/itest/as-user" "$NETRELAY" -f "$file"
	wait_for 10 "control socket" test -S "$OPEN_DIR/ctl"
	printf '%s\n' "listen unix-listen:$OPEN_DIR/s" "ctl $OPEN_DIR/ctl" "join unix:/b" \
		"join exec:exec sleep 1000" >"$file"
	run -0 "$NETRELAY" ctl "$OPEN_DIR/ctl" reload
	assert_output "2 added, 1 ended, 0 changed, 1 as before"
	wait_for 5 "a command" has_command one sleep
	echo "join unix:/secret" >"$OPEN_DIR/secret"
	chmod 600 "$OPEN_DIR/secret" "$file"
	echo "include secret" >>"$file"
	run -1 "$NETRELAY" ctl "$OPEN_DIR/ctl" reload
	assert_output "netrelay: ctl: $file: Permission denied; nothing was changed"
	chmod 644 "$file"
	run -1 "$NETRELAY" ctl "$OPEN_DIR/ctl" reload
	assert_output "netrelay: ctl: $file:5: include $OPEN_DIR/secret: Permission denied; nothing was changed"
	run -0 relay_stop one
}

@test "without the sandbox it reads the file itself" {
	ns_add lab
	conf_file "listen 127.0.0.1:5000" "no-sandbox" "join unix:/a"
	lab_relay
	conf_file "listen 127.0.0.1:5000" "no-sandbox" "join unix:/b" "join exec:exec sleep 1000"
	read_again "2 added, 1 ended, 0 changed, 1 as before"
	relay_wait_up one 1
	run -0 relay_stop one
}

@test "the broker is killed, or stopped, and the file is read again all the same" {
	local pid

	ns_add lab
	conf_file "listen unix-listen:$DIR/s" "join unix:/a"
	lab_relay
	pid=$(broker_of one)
	kill -STOP "$pid"
	conf_file "listen unix-listen:$DIR/s" "join unix:/b" "listen unix-listen:$DIR/l"
	reload "lab.conf: the broker can't read it: .*; nothing was changed"
	kill -KILL "$pid"
	wait_for 5 "another one" has_logged one "starting another one"
	wait_for 5 "another one" broker_of one
	read_again "2 added, 1 ended"
	wait_listen lab unix "$DIR/l"
	run -0 relay_stop one
	[[ ! -e $DIR/l ]]
}

@test "without a file SIGHUP ends the relay, and ctl says that there is none" {
	ns_add lab
	relay_start one in lab -l 127.0.0.1:5000 --ctl "$DIR/ctl"
	wait_for 10 "control socket" test -S "$DIR/ctl"
	run -1 ctl reload
	assert_output "netrelay: ctl: there is no file to read again; start netrelay with -f FILE"
	run -1 ctl relaod
	assert_output "netrelay: ctl: relaod: there is no such command; did you mean reload?"
	run -0 stop one HUP
}
