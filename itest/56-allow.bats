#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
#
# Who may connect: by network, user and group, mode of the path, and number; what is
# refused is counted, and costs the others nothing.
# shellcheck disable=SC2030,SC2031 # run sets output in a function, too

load helpers

# lab: addresses of several "hosts", all on its loopback
#
#   192.0.2.1  192.0.2.2  192.0.2.129   2001:db8::1  2001:db8::2  2001:db8:0:1::1
several_hosts()
{
	local addr

	ns_add lab
	for addr in 192.0.2.{1,2,129}/32 2001:db8::{1,2}/128 2001:db8:0:1::1/128; do
		ns lab ip addr add "$addr" dev lo
	done
}

# knock EXPECTED WHERE [OPTION...]: "in N refused N", in lab.
knock()
{
	run -0 ns lab "$LAB_ROOT/itest/knock" "${@:2}"
	assert_output "$1"
}

# hold NAME EXPECTED WHERE [OPTION...]: likewise, and those that are in stay.
hold()
{
	START_IN=hold start "$1" in lab "$LAB_ROOT/itest/knock" "${@:3}" --hold
	wait_for 10 "answer of $1" grep -qx "$2" "$DIR/$1.out"
}

# has_refused RELAY TEXT: in its status, behind "refused: ".
has_refused()
{
	relay_status "$1" | grep -q "^netrelay: listener .*, refused: $2\$"
}

fds()
{
	find "/proc/$(pid_of "$1")/fd" -mindepth 1 | wc -l
}

has_fds() # RELAY COUNT
{
	(($(fds "$1") == $2))
}

# --- by network -------------------------------------------------------------

@test "a listener: IPv4, IPv6 and mapped addresses are let in or reset, and counted" {
	several_hosts
	relay_start one in lab --ctl "$DIR/ctl" --metrics 9100 \
		-l tcp-listen:5000,allow=192.0.2.1+192.0.2.128/25+2001:db8::1
	wait_listen lab tcp 5000
	knock "in 1 refused 0" tcp:192.0.2.1:5000 --from 192.0.2.1
	knock "in 1 refused 0" tcp:192.0.2.1:5000 --from 192.0.2.129
	knock "in 0 refused 3" tcp:192.0.2.1:5000 --from 192.0.2.2 --count 3
	knock "in 1 refused 0" 'tcp:[2001:db8::2]:5000' --from 2001:db8::1
	knock "in 0 refused 1" 'tcp:[2001:db8::2]:5000' --from 2001:db8::2
	# The socket is one of IPv6 and has the others as mapped addresses.
	knock "in 0 refused 1" tcp:127.0.0.1:5000
	has_refused one "allow 5"
	run -0 ns lab "$NETRELAY" ctl "$DIR/ctl" status
	assert_line --partial "3 accepted so far, refused: allow 5"
	run -0 ns lab "$NETRELAY" ctl "$DIR/ctl" status --json
	assert_output --partial '"refused": {"allow": 5, "accept-rate": 0, "max": 0, "per-address": 0, "peers": 0, "stray": 0}'
	run -0 ns lab curl -sS --max-time 10 http://127.0.0.1:9100/metrics
	assert_line --regexp '^netrelay_listener_refused_total\{.*,reason="allow"\} 5$'
	run ! has_logged one "whoever can reach"
	run -0 relay_stop one
}

@test "frames pass between those who may" {
	several_hosts
	relay_start one in lab -l tcp-listen:5000,allow=127.0.0.1
	wait_listen lab tcp 5000
	frames_start a in lab recv tcp:127.0.0.1:5000 --count 1000 --from 2 --lossless --timeout 60
	relay_wait_up one 1
	frames_start b in lab send tcp:127.0.0.1:5000 --id 2 --count 1000 --max 400
	run -0 frames_wait a
	run -0 frames_wait b
	relay_check_sums one
	run -0 relay_stop one
}

@test "a cable: a stranger does not get the place, nor keep it from others" {
	several_hosts
	relay_start one in lab tcp-listen:5000,allow=192.0.2.1 udp:127.0.0.1:9,local=9
	wait_listen lab tcp 5000
	knock "in 0 refused 2" tcp:127.0.0.1:5000 --count 2
	hold first "in 1 refused 0" tcp:192.0.2.1:5000 --from 192.0.2.1
	knock "in 0 refused 2" tcp:127.0.0.1:5000 --count 2
	hold second "in 1 refused 0" tcp:192.0.2.1:5000 --from 192.0.2.1
	dismiss first
	wait_status one "listener .*: 1 connected, 2 accepted so far, refused: allow 4"
	dismiss second
	run -0 relay_stop one
}

@test "metrics: the others are reset" {
	several_hosts
	relay_start one in lab --metrics 0.0.0.0:9100,allow=192.0.2.1 -l 127.0.0.1:5000
	wait_listen lab tcp 9100
	run -0 ns lab curl -sS --max-time 10 --interface 192.0.2.1 http://192.0.2.2:9100/metrics
	assert_output --partial netrelay_build_info
	run ns lab curl -sS --max-time 10 --interface 192.0.2.2 http://192.0.2.2:9100/metrics
	# The reset comes before or after the request.
	((status == 7 || status == 56))
	run ! has_logged one "whoever can reach"
	run -0 relay_stop one
}

# group_send FROM: a frame of 60 bytes to the group.
group_send()
{
	ns lab python3 -c 'import socket, sys
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sock.bind((sys.argv[1], 0))
sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton("192.0.2.1"))
sock.sendto(bytes(60), ("239.1.1.1", 5000))' "$1"
}

@test "multicast: datagrams from elsewhere are dropped and counted" {
	several_hosts
	ns lab ip link set lo multicast on
	ns lab ip route add 239.0.0.0/8 dev lo
	relay_start one in lab -l 127.0.0.1:6000 mcast:239.1.1.1:5000,if=192.0.2.1,allow=192.0.2.2
	relay_wait_up one 1
	group_send 192.0.2.2
	group_send 192.0.2.129
	group_send 192.0.2.129
	wait_for 5 "the drops" has_drops one not-allowed 2
	[[ $(received one) == 3 ]]
	relay_check_sums one
	run ! has_logged one "whoever can send"
	run -0 relay_stop one
}

@test "UDP: to an address that is not in the list nothing is sent" {
	several_hosts
	run -1 ns lab timeout 60 "$NETRELAY" -l 127.0.0.1:5000 \
		udp:192.0.2.2:7000,local=7000,allow=192.0.2.1
	assert_output --partial "udp:192.0.2.2:7000,local=7000,allow=192.0.2.1: allow= does not have 192.0.2.2:7000"
}

@test "who can be reached by others and has no list says so, once" {
	several_hosts
	ns lab ip route add 239.0.0.0/8 dev lo
	relay_start one in lab -l 5000 -l 127.0.0.1:5001 -l "unix-listen:$DIR/s" -l '[::1]:5002' \
		-l 192.0.2.1:5003 --metrics 0.0.0.0:9100 mcast:239.1.1.1:5000,if=192.0.2.1
	wait_listen lab tcp 5003
	relay_wait_up one 1
	ns lab "$LAB_ROOT/itest/knock" tcp:127.0.0.1:5000
	run -0 relay_stop one
	run -0 grep 'whoever can' "$DIR/one.err"
	assert_equal "$output" "\
netrelay: --metrics 0.0.0.0:9100: whoever can reach this port can read names, addresses and counters of all ports; limit it by allow=, or serve on 127.0.0.1
netrelay: 5000: whoever can reach this port joins the network; limit it by allow=, or listen on 127.0.0.1
netrelay: 192.0.2.1:5003: whoever can reach this port joins the network; limit it by allow=, or listen on 127.0.0.1
netrelay: mcast:239.1.1.1:5000,if=192.0.2.1: whoever can send to this group joins the network; limit it by allow="
}

# --- unix sockets -----------------------------------------------------------

# A directory that all may search, unlike $DIR.
open_dir()
{
	needs_root
	OPEN_DIR=$(mktemp -d /tmp/netrelay-allow.XXXXXX)
	chmod 755 "$OPEN_DIR"
}

teardown()
{
	common_teardown
	[[ -z ${OPEN_DIR-} ]] || rm -rf "$OPEN_DIR"
}

# user_knock EXPECTED PATH SETPRIV-OPTIONS...
user_knock()
{
	cp -f "$LAB_ROOT/itest/knock" "$OPEN_DIR/knock"
	run -0 setpriv "${@:3}" "$OPEN_DIR/knock" "unix:$2"
	assert_output "$1"
}

NOBODY=(--reuid=65534 --regid=65534 --clear-groups)
MEMBER=(--reuid=4711 --regid=4711 "--groups=4,65534")
OTHER=(--reuid=4712 --regid=4712 --clear-groups)

@test "unix: mode and group are the path's, also of one that is added later" {
	local path

	open_dir
	relay_start one --ctl "$OPEN_DIR/ctl" -l "unix-listen:$OPEN_DIR/a,group=65534" \
		"unixgram:$OPEN_DIR/peer,local=$OPEN_DIR/g,mode=0620,group=adm"
	wait_listen - unix "$OPEN_DIR/ctl"
	[[ $(stat -c '%a %g' "$OPEN_DIR/a") == "660 65534" ]]
	[[ $(stat -c '%a %G' "$OPEN_DIR/g") == "620 adm" ]]
	"$NETRELAY" ctl "$OPEN_DIR/ctl" add -l "unix-listen:$OPEN_DIR/b,group=adm,mode=0640"
	[[ $(stat -c '%a %G' "$OPEN_DIR/b") == "640 adm" ]]
	for path in a b; do
		user_knock "in 0 refused 1" "$OPEN_DIR/$path" "${OTHER[@]}"
	done
	user_knock "in 1 refused 0" "$OPEN_DIR/a" "${NOBODY[@]}"
	user_knock "in 1 refused 0" "$OPEN_DIR/a" "${MEMBER[@]}"
	user_knock "in 0 refused 1" "$OPEN_DIR/b" "${MEMBER[@]}"
	run -1 "$NETRELAY" ctl "$OPEN_DIR/ctl" add -l "unix-listen:$OPEN_DIR/c,group=no-such"
	assert_output --partial "group=no-such: there is no such group in /etc/group"
	run -0 relay_stop one
}

@test "unix: users and groups by what the kernel knows of them" {
	open_dir
	relay_start one --ctl "$OPEN_DIR/ctl" -l "unix-listen:$OPEN_DIR/a,mode=0666,allow=uid:nobody" \
		-l "vhost-user-listen:$OPEN_DIR/v,mode=0666,allow=uid:nobody"
	wait_listen - unix "$OPEN_DIR/ctl"
	"$NETRELAY" ctl "$OPEN_DIR/ctl" add \
		-l "unix-listen:$OPEN_DIR/b,mode=0666,allow=gid:adm+uid:4712"
	user_knock "in 1 refused 0" "$OPEN_DIR/a" "${NOBODY[@]}"
	user_knock "in 0 refused 1" "$OPEN_DIR/a" "${MEMBER[@]}"
	user_knock "in 0 refused 1" "$OPEN_DIR/a" --reuid=0
	has_refused one "allow 2"
	user_knock "in 1 refused 0" "$OPEN_DIR/v" "${NOBODY[@]}"
	user_knock "in 0 refused 1" "$OPEN_DIR/v" "${MEMBER[@]}"
	has_refused one "allow 1"
	user_knock "in 1 refused 0" "$OPEN_DIR/b" "${MEMBER[@]}"
	user_knock "in 1 refused 0" "$OPEN_DIR/b" "${OTHER[@]}"
	user_knock "in 0 refused 1" "$OPEN_DIR/b" "${NOBODY[@]}"
	run -1 "$NETRELAY" ctl "$OPEN_DIR/ctl" add -l "unix-listen:$OPEN_DIR/c,allow=uid:no-such"
	assert_output --partial "allow=no-such: there is no such user in /etc/passwd"
	run -0 relay_stop one
}

@test "the control socket: a group and its members" {
	open_dir
	relay_start one --ctl "$OPEN_DIR/ctl,group=adm,allow=gid:adm" -l "unix-listen:$OPEN_DIR/a"
	wait_listen - unix "$OPEN_DIR/ctl"
	[[ $(stat -c '%a %G' "$OPEN_DIR/ctl") == "660 adm" ]]
	cp "$NETRELAY" "$OPEN_DIR/netrelay"
	run -0 setpriv "${MEMBER[@]}" "$OPEN_DIR/netrelay" ctl "$OPEN_DIR/ctl" status
	run -1 setpriv "${OTHER[@]}" "$OPEN_DIR/netrelay" ctl "$OPEN_DIR/ctl" status
	assert_output --partial "permission denied"
	chmod 666 "$OPEN_DIR/ctl"
	run -1 setpriv "${OTHER[@]}" "$OPEN_DIR/netrelay" ctl "$OPEN_DIR/ctl" status
	assert_output --partial "only root and the user who runs the relay"
	run -0 "$NETRELAY" ctl "$OPEN_DIR/ctl" status
	run -0 relay_stop one
}

@test "a group that is not one's own cannot be given" {
	open_dir
	chmod 777 "$OPEN_DIR"
	cp "$NETRELAY" "$OPEN_DIR/netrelay"
	run -1 setpriv "${NOBODY[@]}" "$OPEN_DIR/netrelay" -l "unix-listen:$OPEN_DIR/a,group=adm"
	assert_output "netrelay: unix-listen:$OPEN_DIR/a,group=adm: listen: Operation not permitted; only root or one of its members can give it to a group"
	[[ ! -e $OPEN_DIR/a ]]
}

# --- how many ---------------------------------------------------------------

@test "max, per-address and accept-rate: no more than that, and the others are counted" {
	local since seconds

	several_hosts
	relay_start one in lab -l tcp-listen:5000,allow=::/0+0.0.0.0/0,max=4,per-address=2 \
		-l tcp-listen:5001,accept-rate=5,allow=127.0.0.1
	wait_listen lab tcp 5001
	hold a "in 2 refused 1" tcp:127.0.0.1:5000 --from 192.0.2.1 --count 3
	# Of one /64.
	hold b "in 1 refused 0" 'tcp:[::1]:5000' --from 2001:db8::1
	hold c "in 1 refused 0" 'tcp:[::1]:5000' --from 2001:db8::2
	has_refused one "per-address 1"
	knock "in 0 refused 2" 'tcp:[::1]:5000' --from 2001:db8:0:1::1 --count 2
	has_refused one "max 2, per-address 1"
	dismiss a
	wait_status one "listener .*:5000.*: 2 connected"
	knock "in 0 refused 1" 'tcp:[::1]:5000' --from 2001:db8::1
	knock "in 1 refused 0" 'tcp:[::1]:5000' --from 2001:db8:0:1::1
	has_refused one "max 2, per-address 2"
	dismiss b
	dismiss c
	since=$(_now_us)
	run -0 ns lab "$LAB_ROOT/itest/knock" tcp:127.0.0.1:5001 --count 50
	seconds=$((($(_now_us) - since) / 1000000 + 1))
	[[ $output =~ ^in\ ([0-9]+)\ refused\ ([0-9]+)$ ]]
	((BASH_REMATCH[1] >= 5 && BASH_REMATCH[1] <= 5 + 5 * seconds))
	has_refused one "accept-rate ${BASH_REMATCH[2]}"
	run -0 relay_stop one
}

# --- storms -----------------------------------------------------------------

# storm WHERE: connections made and reset, for STORM_SECONDS (5).
storm()
{
	run -0 ns lab "$FRAMES" storm "$1" --wait "${STORM_SECONDS:-5}000"
	echo "# $output" >&3
	[[ $output =~ ^made\ ([0-9]+)\  ]]
	((BASH_REMATCH[1] > 1000))
}

# bats test_tags=slow
@test "connections that are made and dropped leave nothing behind" {
	local before rss

	several_hosts
	relay_start one in lab -l 127.0.0.1:5000
	wait_listen lab tcp 5000
	# What a crowd at once needs is kept.
	knock "in 300 refused 0" tcp:127.0.0.1:5000 --count 300
	wait_status one "listener .*: 0 connected"
	before=$(fds one) rss=$(rss_kib one)
	storm tcp:127.0.0.1:5000
	wait_for 20 "descriptors as before" has_fds one "$before"
	wait_status one "listener .*: 0 connected"
	echo "# RSS $rss KiB, then $(rss_kib one) KiB" >&3
	is_rss_below one $((rss + 4096))
	relay_check_sums one
	run -0 relay_stop one
}

has_connected() # COUNT
{
	# Not by a status in its log, which has a line for each connection.
	"$NETRELAY" ctl "$DIR/ctl" status | grep -q "^listener .*: $1 connected"
}

@test "5,000 connections that are reset: few lines, and the others are counted" {
	local since most told omitted

	(($(ulimit -Hn) >= 6000)) || skip "needs 6000 descriptors"
	several_hosts
	relay_start one in lab -l 127.0.0.1:5000 --ctl "$DIR/ctl"
	wait_listen lab tcp 5000
	hold crowd "in 5000 refused 0" tcp:127.0.0.1:5000 --count 5000
	wait_for 30 "the crowd" has_connected 5000
	since=$(_now_us)
	dismiss crowd
	wait_for 30 "its end" has_connected 0
	# 1,000 at once, 100 a second more, and some for the clock.
	most=$((1100 + ($(_now_us) - since) / 10000))
	# An answer is never left out, and comes with the count of what was.
	run -0 relay_status one
	told=$(log_lines one "Connection reset by peer$")
	omitted=$(sed -n 's/^netrelay: \([0-9]*\) messages left out here$/\1/p' "$DIR/one.err" |
		awk '{ n += $1 } END { print n + 0 }')
	echo "# $told lines, $omitted left out" >&3
	((told >= 1000 && told <= most && told + omitted == 5000))
	run -0 relay_stop one
}

# bats test_tags=slow
@test "strangers at the highest rate do not stop a bystander" {
	local refused

	several_hosts
	relay_start one in lab -l tcp-listen:5000,allow=192.0.2.1 -l 127.0.0.1:5001
	wait_listen lab tcp 5001
	frames_start a in lab recv tcp:127.0.0.1:5001 --from 2 --count 5000 --lossless --timeout 60
	relay_wait_up one 1
	frames_start b in lab send tcp:127.0.0.1:5001 --id 2 --count 5000 --max 60 --rate 1000
	storm tcp:127.0.0.1:5000
	run -0 frames_wait a
	run -0 frames_wait b
	wait_status one "listener tcp-listen:5000.*: 0 connected, 0 accepted so far, refused: allow "
	refused=$(relay_status one | sed -n 's/.*refused: allow //p')
	echo "# $refused refused" >&3
	run -0 relay_stop one
}

# bats test_tags=slow
@test "10,000 idle clients take 64 MB at most" {
	local many=$(($(ulimit -Hn) - 1000))

	((many > 10000)) && many=10000
	((many >= 2000)) || skip "needs some thousand descriptors"
	several_hosts
	relay_start one in lab -l "unix-listen:$DIR/s,max=$many"
	wait_listen lab unix "$DIR/s"
	START_IN=hold start crowd in lab "$LAB_ROOT/itest/knock" "unix:$DIR/s" --count "$many" --hold
	wait_for 60 "the crowd" has_status one "listener .*: $many connected"
	echo "# $many clients: $(rss_kib one) KiB" >&3
	is_rss_below one 65536
	dismiss crowd
	run -0 relay_stop one
}
