#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
#
# The page beside /metrics, as far as that can be seen without a browser (itest/real/65-page
# has one): what is at which path, with which headers, for whom; and that those who ask for
# it, or do not read it, keep no frame from its way.

load helpers
load stations

namespaces lab

# page_relay ARGS...: one, with its page at port 9100.
page_relay()
{
	relay_start one in lab --metrics 9100 "$@"
	wait_listen lab tcp 9100
}

# fetch PATH [CURL-OPTIONS]
fetch()
{
	ns lab curl -sS --compressed --max-time 60 "${@:2}" "http://127.0.0.1:9100$1"
}

# code PATH [CURL-OPTIONS]: the status.
code()
{
	fetch "$1" -o "$DIR/body" -w '%{http_code}' "${@:2}"
}

# json PATH EXPRESSION: what Python makes of it, "r" being what is there.
json()
{
	fetch "$1" | python3 -c "import json, sys; r = json.load(sys.stdin); print(($2))"
}

is_json()
{
	[[ $(json "$1" "$2") == "$3" ]]
}

hex()
{
	printf '%b' "$1" | od -An -v -tx1 | tr -d ' \n'
}

# --- what is there ------------------------------------------------------------

@test "the page asks for nothing but its own parts, each of its type" {
	local path type

	page_relay -l 5000
	while read -r path type; do
		fetch "$path" -D "$DIR/head" -o "$DIR/body"
		run -0 cat "$DIR/head"
		assert_line $'HTTP/1.1 200 OK\r'
		assert_line "Content-Type: $type"$'\r'
		assert_line $'X-Content-Type-Options: nosniff\r'
		assert_line $'Referrer-Policy: no-referrer\r'
		assert_line $'Cache-Control: no-store\r'
		assert_line $'Cross-Origin-Resource-Policy: same-origin\r'
		assert_line --regexp "^Content-Security-Policy: default-src 'none'; script-src 'self'; "
		refute_output --regexp 'unsafe|[Aa]ccess-[Cc]ontrol'
		# A HEAD says the same.
		fetch "$path" -I -o "$DIR/head2"
		diff "$DIR/head" "$DIR/head2"
		[[ $type == application/json ]] ||
			cmp "$DIR/body" "$LAB_ROOT/src/show/$(basename "${path/%\//page.html}")"
	done <<-'EOT'
		/ text/html; charset=utf-8
		/page.css text/css; charset=utf-8
		/page.js text/javascript; charset=utf-8
		/status.json application/json
		/fdb.json application/json
	EOT
	# No address of others, no script or style inside the page, no text that becomes HTML.
	run -1 grep -nE '(src|href)="?(https?:)?//|<script[^>]*>[^<]|<style| (on[a-z]+|style)="?' \
		"$LAB_ROOT/src/show/page.html"
	run -1 grep -nE 'innerHTML|outerHTML|insertAdjacent|document.write|eval\(|Function\(' \
		"$LAB_ROOT/src/show/page.js"
	run -0 relay_stop one
}

@test "no other method, no other path, and no name that a stranger may own" {
	local host

	page_relay -l 5000
	[[ $(code /status.json?a=b) == 200 ]]
	[[ $(code /status.json -d a=b) == 405 ]]
	[[ $(code / -X OPTIONS -H 'Origin: http://example.com') == 405 ]]
	[[ $(code /page.html) == 404 ]]
	[[ $(code /status) == 404 ]]
	[[ $(code //) == 404 ]]
	for host in localhost:9100 '[::1]:9100' relay a.localhost; do
		[[ $(code /status.json -H "Host: $host") == 200 ]]
	done
	for host in example.com example.com:9100 localhost.example.com 127.0.0.1.example.com; do
		[[ $(code /status.json -H "Host: $host") == 421 ]]
		grep -q "use an address" "$DIR/body"
		[[ $(code / -H "Host: $host") == 421 ]]
		# Prometheus may call us by any name.
		[[ $(code /metrics -H "Host: $host") == 200 ]]
	done
	run -0 relay_stop one
}

# --- what it says -------------------------------------------------------------

#   1, 2, a === one; with fewer ports a switch has nothing to learn
@test "the status is that of the control socket, with rates; addresses are listed" {
	page_relay --ctl "$DIR/ctl" -l 5000
	wait_listen lab tcp 5000
	frames_start m2 in lab recv tcp:127.0.0.1:5000 --count 1000000
	stations a=5000
	relay_wait_up one 2
	frames_start m1 in lab send tcp:127.0.0.1:5000 --count 1000000 --rate 2000 --id 1
	wait_for 10 "rates" is_json /status.json "any(p['rx_bytes_rate'] > 0 for p in r['ports'])" True
	wait_for 10 "the sender" is_json /fdb.json \
		"[(a['mac'], a['vlan'], a['port']) for a in r['addresses']]" \
		"[('02:6e:72:00:00:01', 0, 3)]"
	is_json /fdb.json "r['known'], r['limit'], r['addresses'][0]['age'] < 10" "(1, 16384, True)"
	is_json /status.json "[p['addresses'] for p in r['ports']]" "[0, 0, 1]"
	dismiss m1
	dismiss m2
	dismiss a
	wait_for 5 "all to go" is_json /status.json "r['ports']" "[]"
	# But for the time, it is the same text.
	sed 's/"uptime_ms": [0-9]*/T/' <(fetch /status.json) >"$DIR/got"
	sed 's/"uptime_ms": [0-9]*/T/' <("$NETRELAY" ctl "$DIR/ctl" status --json) >"$DIR/want"
	diff "$DIR/want" "$DIR/got"
	run -0 relay_stop one
}

@test "rates are measured without a control socket, too; a hub knows no addresses" {
	page_relay --hub -l 5000
	wait_listen lab tcp 5000
	frames_start m1 in lab send tcp:127.0.0.1:5000 --count 100000 --rate 1000
	wait_for 10 "rates" is_json /status.json "any(p['rx_bytes_rate'] > 0 for p in r['ports'])" True
	is_json /fdb.json "r" "{'known': 0, 'limit': 0, 'addresses': []}"
	dismiss m1
	run -0 relay_stop one
}

@test "many addresses come in steps, each once" {
	page_relay -l 5000
	wait_listen lab tcp 5000
	stations a=5000 b=5000 c=5000
	relay_wait_up one 3
	station_tell a sources 5000 "$EVERYBODY" 02:00:00
	wait_for 20 "addresses" is_json /fdb.json "r['known']" 5000
	is_json /fdb.json "len({a['mac'] for a in r['addresses']}), len(r['addresses'])" "(5000, 5000)"
	dismiss a
	dismiss b
	dismiss c
	run -0 relay_stop one
}

@test "names are text, whatever is in them" {
	local name=$DIR/$'<img src=x onerror=a()>"\\\n\e[2J\xc3\xb6'

	page_relay -l "unix-listen:$name" "unix:$DIR/</script><script>a()"
	fetch /status.json >"$DIR/status"
	run -1 grep -nP '[^ -~]' "$DIR/status"
	is_json /status.json "r['listeners'][0]['endpoint'].encode('latin-1')[-30:]" \
		"b'=x onerror=a()>\"\\\\\\\\\\\\n\\\\x1b[2J\\\\xc3\\\\xb6'" ||
		json /status.json "r['listeners'][0]['endpoint'].encode('latin-1')"
	run -0 relay_stop one
}

# --- those who do harm --------------------------------------------------------

# crowd NAME REQUEST [OPTION...]: 100 clients that send this, and do not read.
crowd()
{
	START_IN=hold frames_start "$1" in lab raw tcp:127.0.0.1:9100 --connections 100 \
		--rcvbuf 4096 --wait 0 --hold "${@:3}" "$(hex "$2")"
}

#   1, 500 more === one === 2, and at the other port, all at once: those that do not read the
#   status of so many, that ask byte by byte, that ask for half
@test "hostile readers: frames go on their way, and others get their answer" {
	page_relay -l 5000 -l "unix-listen:$DIR/s"
	wait_listen lab unix "$DIR/s"
	START_IN=hold frames_start members in lab raw "unix:$DIR/s" --connections 500 --wait 0 --hold
	wait_for 10 "500 ports" is_json /status.json "len(r['ports'])" 500
	frames_start m2 in lab recv tcp:127.0.0.1:5000 --count 5000 --lossless
	wait_for 5 "501 ports" is_json /status.json "len(r['ports'])" 501
	frames_start m1 in lab send tcp:127.0.0.1:5000 --count 5000 --id 1 --rate 2000 \
		--dst 02:6e:72:00:00:02
	crowd deaf 'GET /status.json HTTP/1.1\r\n\r\n'
	crowd half 'GET /status.js'
	crowd deaf2 'GET /page.js HTTP/1.1\r\n\r\n'
	for _ in {1..5}; do
		is_json /status.json "len(r['ports']) >= 500" True
	done
	run -0 ns lab "$FRAMES" raw tcp:127.0.0.1:9100 --split 1 --wait 3000 \
		"$(hex 'GET /fdb.json HTTP/1.1\r\nHost: a\r\n\r\n')"
	assert_output --partial "closed 1 reset 0 open 0"
	run -0 frames_wait m1
	run -0 frames_wait m2
	assert_line "from 1: received 5000 lost 0 damaged 0 reordered 0 duplicated 0"
	relay_check_sums one
	dismiss deaf
	dismiss half
	dismiss deaf2
	dismiss members
	run -0 relay_stop one
}
