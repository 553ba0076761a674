#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
#
# name=: a port keeps its name, and with it its series of metrics, its place in captures and
# what scripts call it, however often its client connects again; and no two have the same.

load helpers
load stations

namespaces lab

ctl()
{
	"$NETRELAY" ctl "$DIR/ctl" "$@"
}

# ports FIELD...: these fields of status --json, a line for each port.
ports()
{
	ctl status --json | python3 -c "import json, sys
for p in json.load(sys.stdin)['ports']:
	print(*(p[key] for key in sys.argv[1:]))" "$@"
}

# has_names NAME...: whether these are the ports that there are, in any order.
has_names()
{
	diff <(printf '%s\n' "$@" | sort) <(ports name | sort) >/dev/null
}

# wait_names NAME...
wait_names()
{
	wait_for 5 "ports called $*" has_names "$@"
}

# value SERIES: its value, of what is fetched now; nothing if it is not there.
value()
{
	ns lab curl -sS --max-time 60 http://127.0.0.1:9100/metrics |
		awk -v series="$1 " 'index($0, series) == 1 { print $NF }'
}

# named_relay ARGS...: a relay with control socket and metrics.
named_relay()
{
	relay_start relay in lab -v --ctl "$DIR/ctl" --metrics 9100 "$@"
	wait_listen lab unix "$DIR/ctl"
}

#   a, b --- relay: a is web, b is web-2; a comes and goes
@test "a client that connects again keeps its name, its series, and its place in a capture" {
	local labels='{port="web",listener="tcp-listen:5000"}' id

	named_relay -l tcp-listen:5000,name=web
	station_start a in lab tcp:127.0.0.1:5000
	wait_names web
	station_start b in lab tcp:127.0.0.1:5000
	wait_names web web-2
	start capture "$NETRELAY" ctl "$DIR/ctl" capture "$DIR/file" port=web dir=in
	wait_for 5 "the capture to begin" test -s "$DIR/file"
	converse a b
	(($(value "netrelay_port_receive_frames_total$labels") >= 21))
	id=$(ports name id | awk '$1 == "web" { print $2 }')
	for round in 1 2 3; do
		dismiss a
		wait_names web-2
		[[ ! $(value "netrelay_port_up$labels") ]]
		station_start a in lab tcp:127.0.0.1:5000
		wait_names web web-2
		[[ $(value "netrelay_port_up$labels") == 1 ]]
		[[ $(value "netrelay_port_receive_frames_total$labels") == 0 ]]
		station_send a 1 "$(mac b)" "round-$round"
		station_wait b "round-$round" 1
	done
	(($(ports name id | awk '$1 == "web" { print $2 }') > id))
	# Messages say who it is now.
	has_logged relay '^netrelay: web \(tcp:127\.0\.0\.1:[0-9]+\): up$' 4
	has_logged relay '^netrelay: web-2 \(tcp:127\.0\.0\.1:[0-9]+\): up$'
	stop capture INT
	# Each of its ports was an interface, and all had that name.
	run -0 capinfos -M "$DIR/file"
	assert_output --partial 'Number of interfaces in file: 4'
	[[ $(tshark -n -r "$DIR/file" -T fields -e frame.interface_name 2>/dev/null | sort -u) == web ]]
	relay_check_sums relay
}

@test "a name does what a number does: status, set, events, fdb, del" {
	# With two ports only, no address would be learnt.
	named_relay -l tcp-listen:5000,name=web "unix:$DIR/none,name=up.link" "unix:$DIR/plain"
	station_start a in lab tcp:127.0.0.1:5000
	wait_names up.link "unix:$DIR/plain" web
	has_port relay "up\.link \(unix:$DIR/none\): waiting"
	has_port relay 'web \(tcp:127\.0\.0\.1:[0-9]+\): up'
	has_status relay 'listener web \(tcp-listen:5000\): 1 connected'
	ctl status | grep -qE '^port name +endpoint +peer '
	ctl status | grep -qE '^ +[0-9]+ web +tcp-listen:5000 +127\.0\.0\.1:[0-9]+ +up '
	ctl counters | grep -qP '^port\t\d+\tup\t.*\tweb\t127\.0\.0\.1:\d+$'
	start events "$NETRELAY" ctl "$DIR/ctl" events
	ctl set web isolated=on
	[[ $(ports name isolated | grep '^web ') == "web True" ]]
	station_send a 1 "$EVERYBODY" hello
	wait_for 5 "its address" eval "ctl fdb | grep -q ' web$'"
	ctl del web
	wait_for 5 "the event" grep -qE 'Z gone port [0-9]+ web taken away$' "$DIR/events.out"
	wait_names up.link "unix:$DIR/plain"
	# That was the connection. Now there is none, and the listener is not meant.
	run -1 ctl del web
	assert_output --partial "web: there is no such port"
	ctl del -l web
	has_status relay 'status: switch, 2 ports'
	run -1 has_status relay 'listener'
	ctl del up.link
	ctl add "unix:$DIR/none,name=up.link"
	run -1 ctl capture "$DIR/file" port=web
	assert_output --partial "there is no such port"
}

@test "a name that another port has, or may get, is refused" {
	run -2 timeout 60 "$NETRELAY" "unix:a,name=x" "unix:b,name=x"
	assert_output --partial 'x (unix:b): another endpoint has this name'
	run -2 timeout 60 "$NETRELAY" -l tcp-listen:5000,name=x unix:b,name=x-2
	assert_output --partial 'x-2 (unix:b): a listener gives its connections such names'
	run -2 timeout 60 "$NETRELAY" --capture f,port=y -l tcp-listen:5000,name=x
	assert_output --partial '--capture: port=y: no endpoint has that name'
	named_relay -l tcp-listen:5000,name=x "unix:$DIR/none,name=y"
	run -1 ctl add "unix:$DIR/other,name=y"
	assert_output --partial "y (unix:$DIR/other): port 1 is called y; choose another name"
	run -1 ctl add "unix:$DIR/other,name=x-9"
	assert_output --partial "a listener gives its connections such names"
	# A listener that takes over its connections' names.
	station_start a in lab tcp:127.0.0.1:5000
	station_start b in lab tcp:127.0.0.1:5000
	wait_names x x-2 y
	ctl del -l x
	run -1 ctl add "unix:$DIR/other,name=x-2"
	assert_output --regexp "port [0-9]+ is called x-2"
	ctl add tcp-listen:5001,name=x
	station_start c in lab tcp:127.0.0.1:5001
	wait_names x x-2 x-3 y
	dismiss a
	wait_names x-2 x-3 y
	station_start d in lab tcp:127.0.0.1:5001
	wait_names x x-2 x-3 y
}

# crowd COUNT ROUNDS: so many connections to $DIR/s, of which half leave and come again in
# each round; it prints a line and waits for one after each.
crowd()
{
	python3 -c "
import random, socket, sys
def dial():
	s = socket.socket(socket.AF_UNIX)
	s.connect('$DIR/s')
	return s
random.seed(1)
crowd = [dial() for _ in range($1)]
for _ in range($2):
	print('here', flush=True)
	sys.stdin.readline()
	random.shuffle(crowd)
	for s in crowd[$1 // 2:]:
		s.close()
	print('half', flush=True)
	sys.stdin.readline()
	crowd[$1 // 2:] = [dial() for _ in crowd[$1 // 2:]]
print('here', flush=True)
sys.stdin.readline()"
}

# said COUNT: whether the crowd has said so many words.
said()
{
	(($(wc -l <"$DIR/crowd.out") >= $1))
}

has_ports()
{
	(($(ctl counters | grep -c ^port) == $1))
}

@test "1,000 connections that come and go have the names up to guest-1000" {
	local n=1000 round words=0

	named_relay -l "unix-listen:$DIR/s,name=guest"
	mkfifo "$DIR/words"
	export -f crowd
	start crowd bash -c "exec <>'$DIR/words'; DIR='$DIR' crowd $n 3"
	for round in 1 2 3 4; do
		wait_for 20 "the crowd" said $((words += 1))
		wait_for 20 "$n ports" has_ports "$n"
		ports name | sort >"$DIR/names"
		diff "$DIR/names" <({
			echo guest
			seq -f 'guest-%g' 2 "$n"
		} | sort)
		[[ $(value 'netrelay_port_up{port="guest-1000",listener="unix-listen:'"$DIR"'/s"}') == 1 ]]
		echo go >"$DIR/words"
		((round < 4)) || break
		wait_for 20 "half of it to leave" said $((words += 1))
		wait_for 20 "the other half" has_ports $((n / 2))
		echo go >"$DIR/words"
	done
	# No series is there twice.
	ns lab curl -sS http://127.0.0.1:9100/metrics | grep -v '^#' | sed 's/ [^ ]*$//' | sort | uniq -d >"$DIR/twice"
	[[ ! -s $DIR/twice ]]
}
