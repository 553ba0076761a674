#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
#
# --metrics: what Prometheus gets is what the status says, in a form that its own
# tool finds nothing wrong with; and nobody who talks to that port, or does not,
# keeps others from it or frames from their way.

load helpers

namespaces lab

# metrics_relay ARGS...: one, with its metrics at port 9100.
metrics_relay()
{
	relay_start one in lab --metrics 9100 "$@"
	wait_listen lab tcp 9100
}

# fetch [CURL-OPTIONS]: the metrics.
fetch()
{
	ns lab curl -sS --max-time 60 "$@" http://127.0.0.1:9100/metrics
}

# value SERIES: its value, of what is fetched now.
value()
{
	fetch | awk -v series="$1 " 'index($0, series) == 1 { print $NF }'
}

has_value()
{
	[[ $(value "$1") == "$2" ]]
}

# http REQUEST [PATH]: the status, by curl.
http()
{
	ns lab curl -sS --max-time 60 -o "$DIR/body" -w '%{http_code}' "${@:2}" \
		"http://127.0.0.1:9100$1"
}

# hex TEXT: as frames raw takes it.
hex()
{
	printf '%b' "$1" | od -An -v -tx1 | tr -d ' \n'
}

# Connections of clients that the relay has open.
clients()
{
	local sockets

	sockets=$(ns lab ss -Htn state established sport = :9100) || return
	grep -c . <<<"$sockets" || true
}

has_clients()
{
	[[ $(clients) == "$1" ]]
}

# --- what it says -----------------------------------------------------------

# The lines of a status as series.
status_series()
{
	awk -v dir="$DIR" '
	function number(words,    found) {
		match($0, words " [0-9]+")
		found = substr($0, RSTART, RLENGTH)
		sub(/.* /, "", found)
		return found
	}
	/^netrelay: status: / {
		print "netrelay_receive_frames_total " number(": received")
		print "netrelay_copied_frames_total " number(", copied")
		print "netrelay_transmit_frames_total " number(", sent")
		print "queued " number(", queued")
		print "dropped " number(", dropped")
	}
	/^netrelay: listener / {
		labels = "{listener=\"" substr($3, 1, length($3) - 1) "\"} "
		print "netrelay_listener_connections" labels number(":")
		print "netrelay_listener_accepted_total" labels number(" connected,")
	}
	/^netrelay: port / {
		# As messages have it, and as what it comes from.
		name = substr($4, 1, length($4) - 1)
		kind = "listener"
		if (name == "tcp:127.0.0.1:6000")
			kind = "name"
		else
			name = name ~ /^unix:/ ? "unix-listen:" dir "/s" : "5000"
		labels = "{port=\"" $3 "\"," kind "=\"" name "\""
		print "netrelay_port_up" labels "} " ($5 == "up,")
		print "netrelay_port_receive_frames_total" labels "} " number(", rx")
		print "netrelay_port_receive_bytes_total" labels "} " number("rx [0-9]+ frames")
		print "netrelay_port_transmit_frames_total" labels "} " number(", tx")
		print "netrelay_port_transmit_bytes_total" labels "} " number("tx [0-9]+ frames")
		print "netrelay_port_queue_frames" labels "} " number(", queued")
		print "netrelay_port_queue_bytes" labels "} " number("queued [0-9]+ frames")
		sub(/.*, dropped: (none)?/, "")
		for (i = 1; i < NF; i += 2)
			print "netrelay_port_drops_total" labels ",reason=\"" $i "\"} " $(i + 1)
	}' | sort
}

# Those of them that are in what was fetched; no drop stands for drops that are none.
fetched_series()
{
	awk '
	/^netrelay_port_drops_total/ && $NF { print }
	/^netrelay_drops_total/ { dropped += $NF }
	/^netrelay_port_queue_frames/ { queued += $NF }
	/^netrelay_(receive|copied|transmit)_frames_total/ { print }
	/^netrelay_listener_(connections|accepted)/ || /^netrelay_port_(up|receive|transmit|queue_(frames|bytes))/ { print }
	END { print "queued " queued + 0; print "dropped " dropped + 0 }' | sort
}

#   1, 2 === one ---unix--- 3, which is stopped; one is asked for what is not there
@test "promtool finds nothing wrong, and the values are the status's" {
	metrics_relay -l 5000 -l "unix-listen:$DIR/s" tcp:127.0.0.1:6000
	wait_listen lab unix "$DIR/s"
	run -0 --separate-stderr fetch
	run -0 ns lab sh -c 'curl -s http://127.0.0.1:9100/metrics | promtool check metrics'
	assert_output ""
	frames_start m3 in lab recv "unix:$DIR/s"
	frames_start m2 in lab recv tcp:127.0.0.1:5000 --count 2000 --lossless
	relay_wait_up one 2
	kill -STOP "$(pid_of m3)"
	run -0 ns lab "$FRAMES" send tcp:127.0.0.1:5000 --count 2000 --min 1000 --id 1 --rate 2000
	run -0 frames_wait m2
	relay_wait_ports one 2 # m3 and the target: the others have gone

	relay_status one | status_series >"$DIR/want"
	fetch >"$DIR/metrics"
	fetched_series <"$DIR/metrics" >"$DIR/got"
	diff -u "$DIR/want" "$DIR/got"
	grep -q '^netrelay_port_drops_total.*reason="queue"} [1-9]' "$DIR/got"
	grep -q '^netrelay_port_queue_frames.* [1-9]' "$DIR/got"
	grep -qx 'netrelay_receive_frames_total 2000' "$DIR/got"
	run -0 ns lab promtool check metrics <"$DIR/metrics"
	assert_output ""
	grep -Eq '^netrelay_port_state\{port="1",name="tcp:127.0.0.1:6000",state="waiting"\} 1$' \
		"$DIR/metrics"
	kill -CONT "$(pid_of m3)"
	run -0 relay_stop one
}

@test "what ports have counted stays in the totals when they are gone" {
	local sent

	metrics_relay -l 5000
	for sent in 10 20 30; do
		run -0 ns lab "$FRAMES" send tcp:127.0.0.1:5000 --count 10
		wait_for 5 "$sent drops" has_value 'netrelay_drops_total{reason="no-port"}' "$sent"
		relay_wait_ports one 0
		has_value netrelay_receive_frames_total "$sent"
	done
	has_value 'netrelay_drops_total{reason="no-port"}' 30
	has_value 'netrelay_listener_accepted_total{listener="5000"}' 3
	has_value 'netrelay_listener_receive_frames_total{listener="5000"}' 30
	has_value 'netrelay_listener_drops_total{listener="5000",reason="no-port"}' 30
	run -0 fetch
	refute_line --partial 'netrelay_port_up{'
	run -0 relay_stop one
}

# series: what is fetched, without values.
series()
{
	fetch | sed -E '/^#/d; s/ [0-9.]+$//'
}

#   guest, again and again === one ---unix--- server, again and again
@test "who connects again has the series that it had, but for the port's number" {
	local times

	frames_start server recv "unix-listen:$DIR/s" --count 10
	metrics_relay -l tcp-listen:5000,mac=02:00:00:00:00:01 "unix:$DIR/s"
	for times in 1 2 3; do
		relay_wait_up one 1
		START_IN=hold frames_start guest in lab raw tcp:127.0.0.1:5000 --hold --wait 0 \
			"0000003c$(printf 'f%.0s' {1..12})020000000001$(printf '0%.0s' {1..96})"
		wait_for 5 "$times frames" has_value \
			'netrelay_listener_receive_frames_total{listener="tcp-listen:5000,mac=02:00:00:00:00:01"}' \
			"$times"
		series >"$DIR/series$times"
		[[ $(grep -c "port=\"$((times + 1))\",listener=" "$DIR/series$times") == 32 ]]
		# Of the connection nothing else may differ: not its peer's port.
		sed -i "s/port=\"$((times + 1))\"/port=\"N\"/" "$DIR/series$times"
		[[ $(sort "$DIR/series$times" | uniq -d) == "" ]]
		diff "$DIR/series1" "$DIR/series$times"
		dismiss guest
		dismiss server
		frames_start server recv "unix-listen:$DIR/s" --count 10
		relay_wait_ports one 1
	done
	# What a Prometheus Operator names its targets by would be renamed here.
	run -0 cat "$DIR/series1"
	refute_line --regexp '[{,](endpoint|instance|job|namespace|pod|container|service|node)='
	dismiss server
	run -0 relay_stop one
}

@test "the process: time of start, CPU, memory" {
	local now rss

	metrics_relay -l 5000
	now=$(date +%s)
	(($(value process_start_time_seconds) <= now && $(value process_start_time_seconds) > now - 60))
	[[ $(value process_cpu_seconds_total) =~ ^0\.[0-9]{6}$ ]]
	rss=$(value process_resident_memory_bytes)
	((rss > 50000 && rss < 20000000))
	run -0 relay_stop one
}

@test "a name that the user made up does not break the text" {
	local name=$DIR/$'q"b\\n\nl\e[2J\xc3\xb6'

	metrics_relay -l "unix-listen:$name" "unix:$DIR/x\"y"
	fetch >"$DIR/metrics"
	run -0 ns lab promtool check metrics <"$DIR/metrics"
	assert_output ""
	grep -qF 'q\"b\\n\\x0al\\x1b[2J\\xc3\\xb6"} 0' "$DIR/metrics"
	grep -qF "name=\"unix:$DIR/x\\\"y\"} 0" "$DIR/metrics"
	run -0 relay_stop one
}

@test "the manual has every one of them" {
	local name

	metrics_relay -l 5000
	fetch | awk '/^# TYPE / { print $3 }' >"$DIR/names"
	(($(wc -l <"$DIR/names") > 20))
	while read -r name; do
		grep -Eq "^\.It (.* )?$name( |\$)" "$LAB_ROOT/man/netrelay.1" || fail "no $name"
	done <"$DIR/names"
	run -0 relay_stop one
}

# dashboard FILE: checks it against what is fetched, and then the queries by promtool.
dashboard()
{
	"$LAB_ROOT/itest/dashboard" "$1" <(fetch) >"$DIR/rules.yml" || {
		cat "$DIR/rules.yml"
		return 1
	}
	promtool check rules "$DIR/rules.yml"
}

@test "Grafana's dashboard asks for what there is, as it is" {
	local file=$LAB_ROOT/share/grafana/netrelay.json what

	metrics_relay -l 5000 tcp:127.0.0.1:6000
	wait_listen lab tcp 5000
	START_IN=hold frames_start member in lab raw tcp:127.0.0.1:5000 --wait 0 --hold
	relay_wait_up one 1
	run -0 dashboard "$file"
	# It notices what is wrong: a metric, a label, a legend, a gauge's rate, a variable.
	for what in s/port_queue_bytes/port_queue_octets/ 's/state) (/status) (/' 's/{{reason}}/{{why}}/' \
		's/netrelay_port_addresses{[^}]*}/rate(&[5m])/' 's/"name": "port"/"name": "ports"/' \
		's/ \* 8"/ * * 8"/'; do
		sed "$what" "$file" >"$DIR/wrong.json"
		run ! cmp -s "$file" "$DIR/wrong.json"
		run -1 dashboard "$DIR/wrong.json"
	done
	dismiss member
	run -0 relay_stop one
}

# --- how it is asked --------------------------------------------------------

@test "GET and HEAD of what there is, and refusals of the rest" {
	metrics_relay -l 5000
	[[ $(http /metrics) == 200 ]]
	[[ $(http /metrics?a=b) == 200 ]]
	[[ $(http / -0) == 200 ]]
	gzip -dc "$DIR/body" | grep -q page.js
	[[ $(http /metric) == 404 ]]
	[[ $(http /metrics/) == 404 ]]
	[[ $(http /../../etc/passwd --path-as-is) == 404 ]]
	[[ $(http /metrics -d a=b) == 405 ]]
	[[ $(http /metrics -X DELETE) == 405 ]]
	[[ $(http "/$(printf '%0600d' 0)") == 414 ]]
	[[ $(http /metrics -H "A: $(printf '%08192d' 0)") == 431 ]]
	[[ $(http /metrics --http2-prior-knowledge || true) == 000 ]]
	run -0 fetch -I
	assert_line $'HTTP/1.1 200 OK\r'
	assert_line $'Content-Type: text/plain; version=0.0.4; charset=utf-8\r'
	assert_line $'Connection: close\r'
	assert_line --regexp $'^Content-Length: [1-9][0-9]{3,}\r$'
	run -0 fetch -i -X PUT
	assert_line $'Allow: GET, HEAD\r'
	wait_for 2 "end of all connections" has_clients 0
	run -0 relay_stop one
}

@test "a request in pieces is answered, one that is garbage is refused" {
	local request

	metrics_relay -l 5000
	run -0 ns lab "$FRAMES" raw tcp:127.0.0.1:9100 --split 1 --wait 3000 \
		"$(hex 'GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n')"
	assert_output --partial "closed 1 reset 0 open 0"
	for request in 'GET /metrics\r\n' '\x16\x03\x01\x02\x00' '\r\n\r\n' '\0'; do
		run -0 bash -c "printf '$request' | ip netns exec $(ns_name lab) \
			socat -t 60 - TCP:127.0.0.1:9100"
		assert_line $'HTTP/1.1 400 Bad Request\r'
	done
	run -0 relay_stop one
}

@test "on loopback only, unless told otherwise" {
	local at

	ns lab ip addr add 192.0.2.1/32 dev lo
	metrics_relay -l 5000
	run -0 fetch
	run -7 ns lab curl -sS http://192.0.2.1:9100/metrics
	run -7 ns lab curl -sS 'http://[::1]:9100/metrics'
	run -0 relay_stop one
	for at in 192.0.2.1 '[::]'; do
		relay_start one in lab -l 5000 --metrics "$at:9100"
		wait_listen lab tcp 9100
		run -0 ns lab curl -sS http://192.0.2.1:9100/metrics
		assert_line "netrelay_relay_info{kind=\"switch\"} 1"
		run -0 relay_stop one
	done
}

@test "a port in use is a mistake in the set-up, said in one line" {
	metrics_relay -l 5000
	relay_start two in lab -l 5001 --metrics 9100
	run -1 wait_end two
	[[ $(wc -l <"$DIR/two.err") == 1 ]]
	grep -qx 'netrelay: --metrics 9100: listen: Address.* in use; .*' "$DIR/two.err"
	run -0 relay_stop one
}

@test "a cable has them, too" {
	metrics_relay "unix-listen:$DIR/a" "unix-listen:$DIR/b"
	has_value 'netrelay_relay_info{kind="cable"}' 1
	run -0 relay_stop one
}

# --- those who do harm ------------------------------------------------------

# crowd NAME REQUEST [CONNECTIONS]: clients that send this and then nothing.
crowd()
{
	START_IN=hold frames_start "$1" in lab raw tcp:127.0.0.1:9100 \
		--connections "${3:-100}" --wait 0 --hold "$(hex "$2")"
}

#   1 === one === 2, and at the other port, all at once: 100 that send nothing,
#   100 that send half a request, 100 that do not read what they asked for, garbage
@test "hostile clients: frames go on their way, and others get their answer" {
	metrics_relay -l 5000
	wait_listen lab tcp 5000
	START_IN=hold frames_start idle in lab raw tcp:127.0.0.1:9100 --connections 100 \
		--wait 0 --hold
	frames_start m2 in lab recv tcp:127.0.0.1:5000 --count 10000 --lossless
	relay_wait_up one 1
	frames_start m1 in lab send tcp:127.0.0.1:5000 --count 10000 --id 1 --rate 2000
	crowd half 'GET /metr'
	start noise in lab socat -u OPEN:/dev/urandom TCP:127.0.0.1:9100
	crowd deaf 'GET /metrics HTTP/1.1\r\n\r\n'
	for _ in {1..5}; do
		run -0 fetch
		assert_line --partial "netrelay_port_receive_frames_total"
		(($(clients) <= 17))
	done
	run -0 frames_wait m1
	run -0 frames_wait m2
	assert_line "from 1: received 10000 lost 0 damaged 0 reordered 0 duplicated 0"
	relay_check_sums one
	wait_for 12 "end of all connections" has_clients 0
	wait_gone noise
	dismiss idle
	dismiss half
	dismiss deaf
	run -0 relay_stop one
}

@test "a client that stalls is let go after five seconds, not before" {
	local since

	metrics_relay -l 5000
	since=$(_now_us)
	crowd half 'GET /metrics HTTP/1.1\r\nA:' 3
	wait_for 10 "end of all connections" has_clients 0
	has_spent "$since" 4900
	dismiss half
	run -0 relay_stop one
}

#   500 === one; with such a name, the answer is of more bytes than a socket takes
@test "a long answer arrives whole, and who does not read it is let go" {
	local path since

	path=$DIR/$(printf '\001%.0s' {1..55})
	metrics_relay -l "unix-listen:$path"
	START_IN=hold frames_start members in lab raw "unix:$path" --connections 500 \
		--wait 0 --hold
	wait_for 10 "500 ports" has_ports 500
	since=$(_now_us)
	START_IN=hold frames_start deaf in lab raw tcp:127.0.0.1:9100 --rcvbuf 4096 --wait 0 \
		--hold "$(hex 'GET /metrics HTTP/1.1\r\n\r\n')"
	fetch -D "$DIR/head" -o "$DIR/metrics"
	grep -q "^Content-Length: $(stat -c %s "$DIR/metrics")"$'\r$' "$DIR/head"
	(($(stat -c %s "$DIR/metrics") > 4000000))
	(($(grep -c '^netrelay_port_up{.*} 1$' "$DIR/metrics") == 500))
	run -0 ns lab promtool check metrics <"$DIR/metrics"
	wait_for 10 "end of the one that does not read" has_clients 0
	has_spent "$since" 4900
	dismiss members
	dismiss deaf
	run -0 relay_stop one
}

has_ports()
{
	(($(fetch | grep -c '^netrelay_port_up{.*} 1$') == $1))
}

# More clients than descriptors.
@test "out of descriptors: no spinning, and answers again later" {
	local since before

	start one in lab prlimit --nofile=16 "$NETRELAY" -l 5000 --metrics 9100
	wait_listen lab tcp 9100
	crowd many 'GET /' 30
	wait_for 5 "lack of descriptors" grep -Eq "metrics .*accept: " "$DIR/one.err"
	before=$(cpu_us one)
	since=$(_now_us)
	wait_for 10 "more than one pause" has_spent "$since" 1500
	(($(cpu_us one) - before < 150000))
	dismiss many
	wait_for 10 "an answer" fetch
	run -0 relay_stop one
}
