#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# bats file_tags=slow
#
# vhost-user: guests whose memory netrelay reads and writes itself. Two of them, a and b, are
# booted once for all tests; each of their NICs has another way to the other guest, as links()
# has it. All are in the namespace lab. real/45-vhost-user.bats has other front ends than this
# QEMU.

load helpers

# All is set up but once.
setup()
{
	:
}

teardown()
{
	:
}

setup_file()
{
	needs_root
	needs_tun
	common_setup
	guest_image
	ns_add lab
	bridge_add lab br0 10.0.1.254/24
	mkdir -m 777 "$DIR/open"
	start_relays
	start_guests
}

teardown_file()
{
	rm -f "$(cut_file)"
	common_teardown
}

# NIC | of a | of b | what netrelay has to join them
#
#   guest a nic1 ====== r1 ====== nic1 guest b      === vhost-user
#                       |
#                      br0 10.0.1.254
#
#           nic2 ====== r2 ====== nic2              r2 dials
#           nic3 ====== r3 ------ nic3              -netdev stream
#           nic4 == r4 -- trunk -- s4 == nic4       s4: trunk and listener in a cable
#           nic5 ====== r5 ====== nic5              r5 is nobody's, and tells of frames
links()
{
	link 1 "$(unix a1)" "$(unix a1)" "--ctl $DIR/ctl --metrics 9100 -l vhost-user-listen:$DIR/a1 br0"
	link 2 "$(unix a2),server=on" "$(unix b2),server=on" "vhost-user:$DIR/a2 vhost-user:$DIR/b2"
	link 3 "$(unix a3)" "stream,server=off,addr.type=unix,addr.path=$DIR/b3" \
		"-l vhost-user-listen:$DIR/a3 -l unix-listen:$DIR/b3"
	link 4 "$(unix a4)" "$(unix b4)" "-l 127.0.0.1:5004 vhost-user-listen:$DIR/a4"
	link 5 "$(unix open/5)" "$(unix open/5)" "-v -l vhost-user-listen:$DIR/open/5,mode=0666"
}

link()
{
	local IFS='|'

	echo "$*"
}

# unix NAME: QEMU's side.
unix()
{
	echo "vhost-user,path=$DIR/$1"
}

start_relays()
{
	local number

	for number in 1 2 3 4 s4; do
		start_link "$number"
	done
	let_pass
	start_link 5
	for number in a1 a3 b3 a4 b4 open/5; do
		wait_listen lab unix "$DIR/$number"
	done
}

# let_pass: nobody may go to $DIR/open.
let_pass()
{
	local dir=$DIR

	until [[ $dir == /tmp || $dir == / ]]; do
		chmod a+x "$dir"
		dir=${dir%/*}
	done
}

# start_link NUMBER: its netrelay.
start_link()
{
	local args program=$NETRELAY

	args=$(links | awk -F'|' -v number="$1" '$1 == number { print $NF }')
	case $1 in
	s4) args="vhost-user-listen:$DIR/b4 trunk:127.0.0.1:5004" ;;
	5) program="$LAB_ROOT/itest/as-user $NETRELAY" ;;
	esac
	# shellcheck disable=SC2086 # there are no blanks in them
	start "r$1" in lab $program -v $args
}

# nics COLUMN: of the table in links(). Who dials does so again.
nics()
{
	links | cut -d'|' -f"$1" | sed '/^vhost-user/{ /server=on/!s/$/,reconnect=1/; }'
}

# start_guest NAME
start_guest()
{
	local nics column=2

	[[ $1 == a ]] || column=3
	mapfile -t nics < <(nics "$column")
	guest_start "$1" in lab -- "${nics[@]}"
}

# ready GUEST: it has booted, and has its addresses.
ready()
{
	[[ ! -e $DIR/$1.ready ]] || return 0
	guest_wait "$1"
	guest_addresses "$1" "$([[ $1 == a ]] && echo 1 || echo 2)" 5
}

start_guests()
{
	start_guest a
	start_guest b
	ready a
	ready b
	guest_noise a
	guest_echo b
}

# works NUMBER: that link.
works()
{
	guests_pass a b "$1"
	relay_check_sums "r$1"
}

# all_work: one ping each.
all_work()
{
	guest_pings a 1400 10.0.1.2 10.0.2.2 10.0.3.2 10.0.4.2 10.0.5.2 10.0.1.254
}


@test "vhost-user: two guests at one listener, and a bridge" {
	works 1
	guest_pings a 1400 10.0.1.254
	guest_pings b 56 10.0.1.254
	ns lab ping -c 2 -i 0.2 -W 5 -s 1400 10.0.1.1
	ns lab ping -c 2 -i 0.2 -W 5 10.0.1.2
}

@test "vhost-user: a cable between two QEMUs that listen" {
	works 2
}

@test "vhost-user: to a QEMU on a stream" {
	works 3
}

@test "vhost-user: over a trunk" {
	works 4
	relay_check_sums rs4
}

@test "vhost-user: of an ordinary user" {
	works 5
	run -0 stat -c %a "$DIR/open/5"
	assert_output 666
	run -0 cat "/proc/$(pid_of r5)/status"
	assert_line --regexp '^Uid:\s65534\s65534\s'
	assert_line --regexp '^CapEff:\s0+$'
}

# file PIECES: a guest's command that prints so many times 512 KiB, no two of them alike, once
# its /tmp/lines is there.
FILE_LINES=89000
file()
{
	echo "for n in \$(seq $1); do echo \$n; cat /tmp/lines; done"
}

# host_file PIECES: the host's command that prints the same.
host_file()
{
	file "$1" | sed "s|cat /tmp/lines|seq $FILE_LINES|"
}

# send_file NUMBER MIB: by that link, from a to b. It takes as long as it takes while frames flow.
# b reads nothing until a has much to send, which then goes in super-frames: else a guest that
# makes its data more slowly than they are sent would send each frame alone.
send_file()
{
	local pieces=$(($2 * 2)) read before sum

	sum=$(eval "$(host_file "$pieces")" | md5sum)
	read="(read line </tmp/go; md5sum) >/tmp/sum"
	guest b "rm -f /tmp/sum /tmp/go; mkfifo /tmp/go"
	# Without a stdin that lasts, nc would be the first to end.
	guest b "(sleep 100000 | nc -l -p 8 | $read) >/dev/null 2>&1 &"
	guest a "seq $FILE_LINES >/tmp/lines"
	guest a "($(file "$pieces")) 2>/dev/null | nc 10.0.$1.2 8 >/dev/null 2>&1 &"
	wait_for 30 "a has much to send" has_much a
	[[ $1 != 1 ]] || capture_start ,snap=128,dir=in
	guest b "echo go >/tmp/go"
	[[ $1 != 1 ]] || has_super_frames
	until has_sum b; do
		before=$(received "r$1")
		wait_for 10 "frames, or the sum of all" goes_on "r$1" "$before"
	done
	assert_equal "$(guest b "cat /tmp/sum")" "$sum"
	relay_check_sums "r$1"
}

# has_much GUEST: a socket of its, in bytes that are neither sent nor acknowledged.
has_much()
{
	guest "$1" "netstat -tn | awk '\$3 > 20000 { much = 1 } END { exit !much }'"
}

# capture_start KEYS: of r1, into $DIR/capture.out.
capture_start()
{
	start capture in lab "$NETRELAY" ctl "$DIR/ctl" capture "-$1"
	wait_for 10 "the capture's begin" test -s "$DIR/capture.out"
}

# has_super_frames: r1's capture shows one, and ends.
has_super_frames()
{
	wait_for 30 "a super-frame" captured "tcp && frame.len > 1514"
	dismiss capture
}

# captured FILTER: the capture may still be written.
captured()
{
	tshark -n -r "$DIR/capture.out" -Y "$1" 2>/dev/null | grep -q .
}

# has_sum GUEST: waits for it some seconds.
has_sum()
{
	guest "$1" "for n in \$(seq 25); do [ ! -s /tmp/sum ] || exit 0; sleep 0.2; done; exit 1"
}

goes_on() # RELAY BEFORE
{
	(($(received "$1") > $2 + 10)) || has_sum b
}

# With LONG=1, 1 GiB, and by other ways as well.
@test "vhost-user: a file goes from guest to guest, in super-frames" {
	local mib=16 links=1 number

	[[ ! ${LONG-} ]] || mib=1024 links="1 3 4"
	for number in $links; do
		send_file "$number" "$mib"
	done
}

@test "vhost-user: a file goes from a guest to a bridge, and back" {
	local pieces=32 sum

	[[ ! ${LONG-} ]] || pieces=2048
	sum=$(eval "$(host_file "$pieces")" | md5sum)
	start sink in lab socat -u TCP-LISTEN:8,bind=10.0.1.254 SYSTEM:"md5sum >'$DIR/sum'"
	wait_listen lab tcp 8
	guest a "seq $FILE_LINES >/tmp/lines"
	GUEST_LIMIT=1800 guest a "($(file "$pieces")) | nc 10.0.1.254 8"
	wait_end sink 60
	assert_equal "$(cat "$DIR/sum")" "$sum"
	# Without a stdin that lasts, nc would be the first to end.
	guest a "rm -f /tmp/sum; (sleep 100000 | nc -l -p 9 | md5sum >/tmp/sum) >/dev/null 2>&1 &"
	wait_for 30 "a to listen" guest a "netstat -tln | grep -q :9"
	eval "$(host_file "$pieces")" | ns lab timeout 1800 socat -u STDIN TCP:10.0.1.1:9
	wait_for 60 "the sum" has_sum a
	assert_equal "$(guest a "cat /tmp/sum")" "$sum"
	relay_check_sums r1
}

# --- what can be seen of it ---------------------------------------------------

# ctl COMMAND...: asks r1.
ctl()
{
	ns lab "$NETRELAY" ctl "$DIR/ctl" "$@"
}

# of_json EXPRESSION: of Python, over the status of r1.
of_json()
{
	ctl status --json | python3 -c "import json, sys
status = json.load(sys.stdin)
print($1)"
}

@test "vhost-user: status, JSON, metrics and a capture show the guests" {
	local name word

	for name in a b; do
		run -0 of_json "[p['state'] for p in status['ports'] if p['peer'] == 'pid $(pid_of "$name")']"
		assert_output "['up']"
	done
	run -0 ctl status
	assert_output --partial "vhost-user-listen:$DIR/a1: 2 connected"
	for word in mrg_rxbuf guest_tso4 host_tso6 event_idx; do
		assert_line --regexp "^ +guest: .*$word"
	done
	run -0 of_json "[p['features'] for p in status['ports'] if p['peer'] == 'pid $(pid_of a)']"
	assert_output --partial guest_tso4
	ns lab curl -sS http://127.0.0.1:9100/metrics >"$DIR/metrics"
	run -0 grep -c "^netrelay_port_up{.*,listener=\"vhost-user-listen:$DIR/a1\"} 1" "$DIR/metrics"
	assert_output 2
	capture_start ""
	guest_pings a 1400 10.0.1.2
	dismiss capture
	run -0 tshark -n -r "$DIR/capture.out" -Y "icmp && frame.len == 1442" -T fields -e frame.interface_name
	assert_line "unix:$DIR/a1#1"
	assert_line "unix:$DIR/a1#2"
}

# top_shows REGEX: it draws r1's ports, and a line like that among them.
top_shows()
{
	wait_for 10 "\"$1\" drawn by top" is_drawn "$1" || {
		tmux -S "$DIR/tmux" capture-pane -p
		return 1
	}
}

is_drawn()
{
	tmux -S "$DIR/tmux" capture-pane -p | grep -qE -- "$1"
}

top_start()
{
	start tmux env -u TMUX tmux -S "$DIR/tmux" -f /dev/null -D
	wait_for 5 "tmux" test -S "$DIR/tmux"
	tmux -S "$DIR/tmux" new-session -d -x 170 -y 12 "LC_ALL=C.UTF-8 TERM=screen '$NETRELAY' top '$DIR/ctl'"
}

# rests RELAY: whether it uses less than a hundredth of the time of a processor.
rests()
{
	local since used

	since=$(_now_us)
	used=$(cpu_us "$1")
	wait_for 10 "a second" has_spent "$since" 1000
	((($(cpu_us "$1") - used) * 100 < $(_now_us) - since))
}

# has_waiting NAME MOST: how much waits for that guest is shown, in bytes; 0: nothing.
has_waiting()
{
	local bytes

	bytes=$(of_json "[p['queue_bytes'] for p in status['ports'] if p['peer'] == 'pid $(pid_of "$1")'][0]")
	(($2 ? bytes > 1400 && bytes <= $2 : bytes == 0))
}

# What waits: a queue takes 512 KiB.
@test "vhost-user: top shows the guests by their processes, and what waits for one" {
	command -v tmux >/dev/null || skip "needs tmux"
	top_start
	top_shows "^ +[0-9]+ .*#[0-9]+ \(pid $(pid_of a)\) +up .* 0 +[0-9]+ *$"
	top_shows "^ +[0-9]+ .*#[0-9]+ \(pid $(pid_of b)\) +up .* 0 +[0-9]+ *$"
	ns lab ping -c 2 -i 0.2 -W 5 10.0.1.2
	kill -STOP "$(pid_of b)"
	run -1 ns lab ping -f -l 1000 -c 1000 -s 1400 -W 1 10.0.1.2
	top_shows "^ +[0-9]+ .*#[0-9]+ \(pid $(pid_of b)\) +up .* [0-9.]+k +[0-9]+ *$"
	has_waiting b $((512 << 10))
	wait_for 10 "the relay to sleep meanwhile" rests r1
	kill -CONT "$(pid_of b)"
	wait_for 10 "nothing to wait" has_waiting b 0
	top_shows "^ +[0-9]+ .*#[0-9]+ \(pid $(pid_of b)\) +up .* 0 +[0-9]+ *$"
	tmux -S "$DIR/tmux" send-keys q
	dismiss tmux
}

# traced DIRECTION FROM TO LENGTH: whether r5 has told of a frame between these guests.
traced()
{
	guest_pings "$2" 1337 "10.0.5.$([[ $3 == a ]] && echo 1 || echo 2)"
	has_logged r5 "^netrelay: ([0-9]+:){2}[0-9.]+ [0-9]+ unix:$DIR/open/5#[0-9]+ $1 $(mac_of "$2") > $(mac_of "$3"), IPv4, length $4$"
}

mac_of()
{
	printf '52:54:00:6e:%02x:05' "$(cat "$DIR/$1.number")"
}

# A flood is told of in part.
@test "vhost-user: a trace tells of each frame of a guest, where it comes in and goes out" {
	wait_for 20 "a frame of a, in" traced in a b 1379
	wait_for 20 "a frame of a, out" traced out a b 1379
	wait_for 20 "a frame of b, in" traced in b a 1379
	wait_for 20 "a super-frame" sends_super
}

# sends_super: from a to b, in one piece.
sends_super()
{
	guest a "nc 10.0.5.2 7 </tmp/data >/dev/null"
	has_logged r5 "unix:$DIR/open/5#[0-9]+ (in|out) $(mac_of a) > $(mac_of b), IPv4, super-frame of [0-9]+, length"
}

# --- one side only ------------------------------------------------------------

# What it is sent waits in its ring and its queue.
@test "vhost-user: a guest that is stopped does not hold up the other, and goes on" {
	works 1
	kill -STOP "$(pid_of b)"
	run -1 ns lab ping -f -l 1000 -c 1000 -s 1400 -W 1 10.0.1.2
	guest_pings a 1400 10.0.1.254 10.0.1.254 10.0.1.254
	ns lab ping -c 3 -i 0.2 -W 5 10.0.1.1
	kill -CONT "$(pid_of b)"
	works 1
}

# --- MTU ------------------------------------------------------------------------

# mtu BYTES: of nic5 of a and b.
mtu()
{
	guest a "ip link set nic5 mtu $1"
	guest b "ip link set nic5 mtu $1"
}

# What QEMU says of an MTU (host_mtu) the guest has from the start. A guest that takes a frame in
# one buffer only has no room for long ones; it gets the others.
#
#   a, b nic5 ====== r5 ====== nic1 large, small
@test "vhost-user: another MTU, and a guest whose buffers are too small for it" {
	local before one=mrg_rxbuf=off,guest_tso4=off,guest_tso6=off,guest_ecn=off,guest_ufo=off

	GUEST_DEVICE=host_mtu=9000 guest_start large in lab -- "$(unix open/5)"
	GUEST_DEVICE=$one guest_start small in lab -- "$(unix open/5)"
	mtu 9000
	guest_pings a 8972 10.0.5.2
	guest_pings a 56 10.0.5.2
	guest_wait large
	guest_wait small
	run -0 guest large cat /sys/class/net/nic1/mtu
	assert_line 9000
	guest_nic large 1 10.0.5.3/24
	guest_nic small 1 10.0.5.4/24
	guest_pings large 8972 10.0.5.1
	guest_pings a 8972 10.0.5.3
	guest_pings a 1472 10.0.5.4
	before=$(drops r5 too-long)
	run ! guest a "ping -c 2 -W 1 -s 8972 10.0.5.4"
	(($(drops r5 too-long) == before + 2))
	guest_pings small 1472 10.0.5.1 10.0.5.3
	guest_stop large
	guest_stop small
	relay_wait_ports r5 2
	mtu 1500
	works 5
}

# --- the end of one side --------------------------------------------------------

# kill_link NUMBER: its netrelay ends at once.
kill_link()
{
	kill -KILL "$(pid_of "r$1")"
	run -137 wait_end "r$1"
}

# The QEMU on a stream dials but once.
@test "vhost-user: netrelay killed and started again under running guests" {
	local number

	for number in 1 2 4 5; do
		kill_link "$number"
	done
	run -0 guest a "until [ \$(cat /sys/class/net/nic[1245]/carrier | tr -d '\n') = 0000 ]; do sleep 0.1; done"
	for number in 1 2 4 5; do
		start_link "$number"
	done
	relay_wait_up r1 3
	for number in 2 4 5 s4; do
		relay_wait_up "r$number" 2
	done
	works 1
	works 2
	works 4
	works 5
	guest_pings a 1400 10.0.1.254
}

#   a nic2 === r2 === nic2 b
@test "vhost-user: QEMU killed and started again, before netrelay and after it" {
	kill -KILL "$(pid_of b)"
	run -137 wait_end b
	relay_wait_up r1 2
	for number in 2 3 5 s4; do
		relay_wait_up "r$number" 1
	done
	guest_pings a 56 10.0.1.254
	kill_link 2
	kill_link 1
	start_guest b
	start_link 2
	start_link 1
	ready b
	guest_echo b
	all_work
	works 1
	works 2
}

# --- wrong use --------------------------------------------------------------------

# ends_alone TEXT HEX...: who sends that is told of.
ends_alone()
{
	ns lab "$FRAMES" raw "unix:$DIR/a1" --wait 0 "${@:2}"
	wait_for 5 "words: $1" has_logged r1 "^netrelay: unix:$DIR/a1#[0-9]+: .*$1"
}

@test "vhost-user: who speaks something else at its socket is told of, and ends alone" {
	ends_alone "the front end closed the connection"
	ends_alone "a message ends in the midst" 010000000100
	ends_alone "has a payload of a wrong size" 0000003cffffffffffff +54
	guest_pings a 56 10.0.1.2 10.0.1.254
	relay_wait_up r1 3
	relay_check_sums r1
}

# QEMU says nothing of it. What is in its NIC's ROM starts the device.
@test "vhost-user: a QEMU whose memory is not shared is told of" {
	start unshared in lab qemu-system-x86_64 -accel tcg -m 64M -nodefaults -display none \
		-chardev "socket,id=c,path=$DIR/a1" -netdev vhost-user,id=n,chardev=c \
		-device virtio-net-pci,netdev=n,vectors=0,bootindex=1
	wait_for 20 "a word" has_logged r1 "a1#[0-9]+: the guest's memory is not shared"
	dismiss unshared
	guest_pings a 56 10.0.1.2
}

# The memory is a file that QEMU does not hold by seals. The guest is stopped, so that it is
# netrelay that finds it cut short: in its sandbox.
@test "vhost-user: memory that is cut short ends its own port, and nothing else" {
	local file

	file=$(cut_file)
	start short in lab qemu-system-x86_64 -accel tcg -m 64M -nodefaults -display none \
		-machine memory-backend=m -object "memory-backend-file,id=m,share=on,size=64M,mem-path=$file" \
		-chardev "socket,id=c,path=$DIR/a1" -netdev vhost-user,id=n,chardev=c \
		-device virtio-net-pci,netdev=n,vectors=0,bootindex=1
	relay_wait_up r1 4 60
	kill -STOP "$(pid_of short)"
	relay_wait_up r1 4
	truncate -s 0 "$file"
	# A question to all, which nobody answers.
	run -1 ns lab ping -c 1 -W 1 10.0.1.99
	wait_for 10 "a word" has_logged r1 "a1#[0-9]+: the guest's memory was taken away"
	relay_wait_ports r1 3
	guest_pings a 1400 10.0.1.2 10.0.1.254
	relay_check_sums r1
	kill -KILL "$(pid_of short)"
	run -137 wait_end short
}

# cut_file: its memory.
cut_file()
{
	echo "/dev/shm/$LAB_TAG-cut"
}

is_waiting() # PATH
{
	(($(ns lab ss -Hxl src "unix:$1" | awk '{ print $3 }') == 1))
}

@test "vhost-user: a cable takes one guest at a time; the second one has its turn" {
	relay_start cable in lab "vhost-user-listen:$DIR/cable" "unix-listen:$DIR/end"
	wait_listen lab unix "$DIR/end"
	frames_start first in lab recv "unix:$DIR/cable" --timeout 600
	relay_wait_ports cable 1
	start second in lab "$LAB_ROOT/itest/vhost-come" "$DIR/cable" 0
	wait_for 10 "the second one to wait" is_waiting "$DIR/cable"
	is_running second
	dismiss first
	wait_end second
	run -0 relay_stop cable
}

# open_things RELAY: how many descriptors it has, and how many mappings of guests' memory.
open_things()
{
	find "/proc/$(pid_of "$1")/fd" -type l | wc -l
	grep -c memfd "/proc/$(pid_of "$1")/maps" || true
}

# What the first thousand need once is there then.
@test "vhost-user: after 10,000 guests nothing is left of them" {
	local before rss

	relay_start many in lab -l "vhost-user-listen:$DIR/many"
	wait_listen lab unix "$DIR/many"
	timeout 300 "$LAB_ROOT/itest/vhost-come" "$DIR/many" 1000
	relay_wait_ports many 0
	before=$(open_things many)
	rss=$(rss_kib many)
	timeout 600 "$LAB_ROOT/itest/vhost-come" "$DIR/many" 10000
	relay_wait_ports many 0
	assert_equal "$(open_things many)" "$before"
	echo "# $rss, then $(rss_kib many) KiB" >&3
	is_rss_below many $((rss + 100))
	relay_check_sums many
	run -0 relay_stop many
}

#   a nic2 === r2 === nic2 b
@test "vhost-user: a front end's connection that netrelay was started with" {
	kill_link 2
	start r2 in lab "$LAB_ROOT/itest/pass-fd" unix "$DIR/a2" -- \
		"$NETRELAY" -v fd:3,vhost-user "vhost-user:$DIR/b2"
	relay_wait_up r2 2
	works 2
}
