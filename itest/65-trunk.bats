#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
#
# Trunks: two netrelays that carry a kernel's super-frames whole, and split them
# for who takes only plain frames; and what becomes of those who are no netrelay,
# or another one, or lie.

load helpers

PEER=$LAB_ROOT/itest/trunk-peer
GIB=$((1 << 30))

# trunked: one listens at h1, with its bridge; two of h2 dials it.
trunked()
{
	hosts
	bridged_hosts
	one -l 5000 br0
	two br0 trunk:192.0.2.1:5000
	relay_wait_up one 2
	relay_wait_up two 2
	wait_for 10 "an answer" ns s1 ping -c 1 -W 1 10.0.0.2
}

# stream BYTES: always the same noise, which nothing can make shorter.
stream()
{
	head -c "$1" /dev/zero | openssl enc -aes-128-ctr -K 00 -iv 00 2>/dev/null
}

# sum_of BYTES: the stream's checksum. OpenSSL computes it in a fraction of sha256sum's time.
SUM="openssl dgst -sha256 -r"
sum_of()
{
	[[ -e $DIR/sum.$1 ]] || stream "$1" | $SUM >"$DIR/sum.$1"
	cat "$DIR/sum.$1"
}

# cross FROM TO 4|6 ADDR BYTES: a stream goes from a station to another by TCP.
cross()
{
	local want

	start server in "$2" sh -c "socat -b 1000000 -u TCP$3-LISTEN:7000,reuseaddr - | $SUM"
	wait_listen "$2" tcp 7000
	stream "$5" | ns "$1" timeout 300 socat -b 1000000 -u - "TCP$3:$4:7000"
	run -0 wait_end server 300
	want=$(sum_of "$5")
	assert_equal "$(cat "$DIR/server.out")" "$want"
}

# --- frames, byte by byte ---------------------------------------------------

# exchange FROM TO FRAMES-OPTION...: frames both ways between a client of one, in
# h1, and one of two. Neither is to send before the other is there: so the left
# one waits at the door of one that is stopped, and the right one comes then.
exchange()
{
	local from=$1 to=$2

	shift 2
	kill -STOP "$(pid_of one)"
	frames_start left in h1 both "tcp:$from" --id 1 --lossless --linger 100 "$@"
	frames_start right in "${RIGHT:-h2}" both "tcp:$to" --id 2 --lossless --linger 100 "$@"
	relay_wait_up two 2
	kill -CONT "$(pid_of one)"
	run -0 frames_wait left
	assert_line --regexp '^from 2: received [0-9]+ lost 0 damaged 0 reordered 0 duplicated 0'
	run -0 frames_wait right
	assert_line --regexp '^from 1: received [0-9]+ lost 0 damaged 0 reordered 0 duplicated 0'
	relay_check_sums one
	relay_check_sums two
}

#   left --- one :h1 ====== trunk ====== h2: two --- right
@test "a trunk to a server: plain frames both ways, by IPv4, IPv6 and a name" {
	local to

	hosts
	one -l 5000
	wait_listen h1 tcp 5000
	for to in 192.0.2.1 '[2001:db8:1::1]'; do
		two tcp-listen:127.0.0.1:5001 "trunk:$to:5000"
		relay_wait_up two 1
		relay_wait_up one 1
		exchange 127.0.0.1:5000 127.0.0.1:5001 --count 300
		run -0 relay_stop two
		relay_wait_ports one 0
	done
	# The name that can be told everywhere.
	relay_start two in h1 -v tcp-listen:127.0.0.1:5001 trunk:localhost:5000
	relay_wait_up two 1 10
	relay_wait_up one 1
	RIGHT=h1 exchange 127.0.0.1:5000 127.0.0.1:5001 --count 300
}

#   left --- one :h1 ====== trunk ====== h2: two --- right
@test "a trunk to a cable: frames of any length both ways" {
	hosts
	one tcp-listen:127.0.0.1:5000 tcp-listen:192.0.2.1:5000
	wait_listen h1 tcp 5000
	two tcp-listen:127.0.0.1:5001 trunk:192.0.2.1:5000
	relay_wait_up two 1
	relay_wait_up one 1
	exchange 127.0.0.1:5000 127.0.0.1:5001 --count 5000 --max 65000 --sizes log
	refute has_logged two "take tcp:"
}

# --- bridges ----------------------------------------------------------------

# bats test_tags=slow
@test "1 GiB from bridge to bridge, by IPv4 and IPv6, in super-frames that cross whole" {
	local units bytes

	trunked
	cross s1 s2 4 10.0.0.2 "$GIB"
	read -r units bytes < <(sent_to two br0)
	((bytes > GIB))
	# In frames of a wire they were 740,000.
	((units < GIB / 1500 / 8)) || fail "$units frames for $bytes bytes"
	cross s2 s1 6 '[fd00::1]' "$GIB"
	read -r units bytes < <(sent_to one br0)
	((bytes > GIB))
	((units < GIB / 1500 / 4)) || fail "$units frames for $bytes bytes"
	relay_check_sums one
	relay_check_sums two
}

# Not every kernel has VLAN devices; so the tag is put on by a program between
# two taps with offload.
#
#   s1: inner 10.7.0.1 -(7)- outer br0 :h1 ====== h2: br0 outer -(7)- inner 10.7.0.2 :s2
@test "TCP behind a VLAN tag crosses whole, too" {
	local n units bytes

	trunked
	for n in 1 2; do
		start "vlan$n" in "h$n" "$PEER" vlan outer inner
		wait_for 10 "taps" grep -q ready "$DIR/vlan$n.out"
		bridge_port "h$n" br0 outer
		ns "h$n" ip link set inner netns "$(ns_name "s$n")"
		ns "s$n" ip addr add "10.7.0.$n/24" dev inner
		ns "s$n" ip link set inner up
	done
	wait_for 10 "an answer" ns s1 ping -c 1 -W 1 10.7.0.2
	cross s1 s2 4 10.7.0.2 $((GIB / 16))
	read -r units bytes < <(sent_to two br0)
	((bytes > GIB / 16 && units < GIB / 16 / 1500 / 4)) ||
		fail "$units frames for $bytes bytes"
	relay_check_sums one
	relay_check_sums two
}

@test "UDP that is sent by UDP_SEGMENT arrives, every datagram, in order" {
	local addr

	trunked
	for addr in 10.0.0.2 fd00::2; do
		start server in s2 "$PEER" udp-recv "$addr" 7000 16000
		wait_for 10 "the server" grep -q ready "$DIR/server.out"
		ns s1 "$PEER" udp-send "$addr" 7000 16000
		run -0 wait_end server 20
		assert_file_contains "$DIR/server.out" 'all 16000'
	done
	relay_check_sums one
	relay_check_sums two
}

#   s1 --- br0 - one :h1 ====== trunk ====== h2: two - br0 --- s2
#                 |                               |
#               sniff                           sniff
@test "plain ports beside a trunk get only plain frames, whose checksums are good" {
	local n

	hosts
	bridged_hosts
	one --hub -l 5000 br0
	two --hub -l 5000 br0 trunk:192.0.2.1:5000
	relay_wait_up one 2
	relay_wait_up two 2
	wait_for 10 "an answer" ns s1 ping -c 1 -W 1 10.0.0.2
	for n in 1 2; do
		start "sniff$n" in "h$n" "$PEER" sniff 127.0.0.1 5000
		wait_for 10 "sniff$n" grep -q ready "$DIR/sniff$n.out"
	done
	relay_wait_up one 3
	relay_wait_up two 3
	cross s1 s2 4 10.0.0.2 $((GIB / 64))
	cross s2 s1 6 '[fd00::1]' $((GIB / 64))
	ns s1 "$PEER" udp-send 10.0.0.2 7000 400 || true # nobody is there
	for n in 1 2; do
		run -0 stop "sniff$n"
		run -0 cat "$DIR/sniff$n.out"
		assert_line --regexp '^frames [0-9]+ longest 1514 good [0-9]{4,} bad 0 ports $'
	done
	relay_check_sums one
	relay_check_sums two
}

#   s1 --- br0 - one :h1 ====== trunk ====== h2: two - br0 --- s2
#                                                 |
#                                               pairs
@test "what is damaged is never made good on its way to a bridge" {
	local n

	trunked
	run -0 relay_stop two
	two -l 5000 br0 trunk:192.0.2.1:5000
	relay_wait_up two 2
	for n in 1 2; do
		# A bridge that looks into IP drops what has a bad header.
		ns "h$n" ip link set br0 type bridge mcast_snooping 0
		ns "h$n" sh -c 'cd /proc/sys/net/bridge && echo 0 >bridge-nf-call-iptables' || true
		# What was merged is to be split by the kernel before it is looked at.
		ns "h$n" ethtool -K p0 tso off gso off tx off >/dev/null
		ns "s$n" ethtool -K e0 gro off >/dev/null
		start "capture$n" in "s$n" "$PEER" capture e0
		wait_for 10 "capture$n" grep -q ready "$DIR/capture$n.out"
	done
	ns h2 "$PEER" pairs 127.0.0.1 5000
	# Behind all else, from the same side.
	ns h2 "$FRAMES" send tcp:127.0.0.1:5000 --count 1
	wait_for 5 "18 frames" has_sent_18
	for n in 1 2; do
		wait_for 5 "an answer" ns "s$((3 - n))" ping -c 1 -W 1 "10.0.0.$n"
		run -0 stop "capture$n"
		run -0 cat "$DIR/capture$n.out"
		# A damaged IP header is not for TCP to see, but it is still damaged.
		assert_line --regexp ' good 12 bad 6 ports 7002,7003,7004,7005,7006$'
	done
	relay_check_sums one
	relay_check_sums two
}

has_sent_18()
{
	local units bytes

	read -r units bytes < <(sent_to one br0)
	((units >= 18 || bytes >= 18 * 1054))
}

# in_guest BYTES: what the guest is sent on port 7000, once that is all, has the
# stream's checksum.
in_guest()
{
	local want

	want=$(stream "$1" | md5sum)
	wait_for 180 "the guest's sum" guest g "grep -q . /tmp/sum"
	run -0 guest g "cat /tmp/sum"
	assert_line "$want"
}

#   s1 --- br0 - one :h1 ====== trunk ====== h2: two - br0 - three -l --- guest
# With LONG=1, 1 GiB: a guest without an accelerator takes a minute for it.
# bats test_tags=slow
@test "a big file from a bridge through a trunk and a bridge to a guest with a plain NIC, and back" {
	local bytes=$((GIB / 16))

	[[ ! ${LONG-} ]] || bytes=$GIB
	trunked
	relay_start three in h2 -l 127.0.0.1:5001 br0
	wait_listen h2 tcp 5001
	guest_start g in h2 -- socket,connect=127.0.0.1:5001
	guest_wait g
	guest_nic g 1 10.0.0.3/24
	relay_wait_up three 2
	wait_for 10 "an answer" ns s1 ping -c 1 -W 1 10.0.0.3
	# The sum is taken of the socket itself: nc would copy it to a pipe, KiB by KiB.
	guest g "nc -l -p 7000 -e sh -c 'md5sum >/tmp/sum' >/dev/null 2>&1 &"
	wait_for 10 "the guest to listen" guest g "netstat -ltn | grep -q :7000"
	stream "$bytes" | ns s1 timeout 300 socat -b 1000000 -u - TCP4:10.0.0.3:7000
	in_guest "$bytes"
	start server in s1 sh -c 'socat -u TCP4-LISTEN:7000 - | md5sum'
	wait_listen s1 tcp 7000
	guest g "dd if=/dev/zero bs=64k count=256 | nc 10.0.0.1 7000"
	run -0 wait_end server 300
	assert_equal "$(cat "$DIR/server.out")" "$(head -c 16777216 /dev/zero | md5sum)"
	relay_check_sums one
	relay_check_sums two
	relay_check_sums three
}

# --- others -----------------------------------------------------------------

#   two :h2 ====== trunk ====== h1: a QEMU, or what does as one
@test "a peer that takes our hello for a length, and closes: told of once" {
	hosts
	two tcp-listen:5001 trunk:192.0.2.1:5000
	for n in 1 2 3; do
		# As QEMU does, it gives up with what we said.
		frames_start "qemu$n" in h1 recv tcp-listen:192.0.2.1:5000 --expect 1
		wait_gone "qemu$n" 15
	done
	wait_for 5 "a message" has_logged two "take tcp:"
	run cat "$DIR/two.err"
	assert_line --regexp '^netrelay: trunk:192.0.2.1:5000: .*no netrelay.*; to reach a QEMU, take tcp:; trying again$'
}

@test "a peer that says nothing: told of within 10 s, once, and tried ever less often" {
	hosts
	start silent in h1 socat -u TCP4-LISTEN:5000,fork,reuseaddr -
	wait_listen h1 tcp 5000
	relay_start two in h2 tcp-listen:5001 trunk:192.0.2.1:5000
	wait_for 10 "a message" has_logged two "no answer as a netrelay gives it; to reach a QEMU, take tcp:"
	wait_for 15 "the next try" has_dialled 2
	wait_for 15 "one more" has_dialled 3
	assert_equal "$(log_lines two "take tcp:")" 1
	(($(cpu_us two) < 200000))
}

# Preambles that socat was sent.
has_dialled()
{
	(($(wc -c <"$DIR/silent.out") >= 64 * $1))
}

@test "a peer of another version: both versions are told, and what to do" {
	hosts
	start stub in h1 "$PEER" stub 192.0.2.1 5000 7
	wait_for 10 "the stub" grep -q ready "$DIR/stub.out"
	two tcp-listen:5001 trunk:192.0.2.1:5000
	wait_for 10 "a message" has_logged two \
		"^netrelay: trunk:192.0.2.1:5000: the peer's trunk is of version 7, ours of 1; .*; trying again"
	(($(cpu_us two) < 200000))
	run -0 relay_stop two
	# The other way round; our hello comes back, for the other side to know.
	one -l 5001
	wait_listen h1 tcp 5001
	start caller in h2 "$PEER" send 192.0.2.1 5001 "ff6e7472000700400000000100$(printf '%0*d' 102 0)"
	wait_for 5 "a message" has_logged one "^netrelay: tcp:192.0.2.2:.*: the peer's trunk is of version 7, ours of 1; "
	wait_for 5 "the end" grep -q 'closed, of version 1' "$DIR/caller.out"
	relay_wait_ports one 0
}

# refused NAME WHAT...: one says it, and is closed; the others go on.
refused()
{
	local name=$1

	shift
	start "$name" in h2 "$PEER" send 192.0.2.1 5000 "$@"
	wait_for 5 "$name's end" grep -q closed "$DIR/$name.out"
	wait_end "$name"
}

#   bystanders, and liars --- one :h1
@test "a hello in mid-stream, a second one, garbage: closed, counted, others go on" {
	local long=80011000

	hosts
	one -l 5000
	wait_listen h1 tcp 5000
	frames_start bystander in h2 recv tcp:192.0.2.1:5000 --from 9 --count 500 --lossless
	relay_wait_up one 1
	refused mid frame hello
	refused second hello hello
	refused garbage hello ffffffffffffffffffff
	refused runt hello 80000009aabbccdd
	refused plain "$long"
	refused late frame "$long"
	refused long hello 8001100b
	wait_for 5 "all to be gone" relay_wait_ports one 1
	run -0 relay_status one
	# Two of them have sent a frame; a probe that was to go to each may be lost.
	assert_line --regexp '^netrelay: status: switch, 1 port.* dropped [7-9]$'
	# Super-frames that are none, to somebody who takes only plain frames. The
	# connection goes on: that it is dropped is counted.
	start odd in h2 "$PEER" send 192.0.2.1 5000 hello \
		"80000046$(printf '0101000000010000%0*d' 124 0)" frame
	wait_for 5 "the drop" has_drops one malformed 1
	ns h1 "$FRAMES" send tcp:192.0.2.1:5000 --id 9 --count 500
	run -0 frames_wait bystander
	relay_check_sums one
	run stop odd
}

#   frames --- two :h2 ====== trunk, and tcp: ====== h1: one --- frames
@test "a plain stream and a trunk to the same server, side by side" {
	hosts
	one -l 5000
	wait_listen h1 tcp 5000
	two tcp-listen:127.0.0.1:5001 trunk:192.0.2.1:5000
	relay_start plain in h2 tcp-listen:127.0.0.1:5002 tcp:192.0.2.1:5000
	frames_start a in h2 recv tcp:127.0.0.1:5001 --from 9 --count 500 --lossless
	frames_start b in h2 recv tcp:127.0.0.1:5002 --from 9 --count 500 --lossless
	relay_wait_up two 2
	relay_wait_up plain 2
	relay_wait_up one 2
	ns h1 "$FRAMES" send tcp:127.0.0.1:5000 --id 9 --count 500
	run -0 frames_wait a
	run -0 frames_wait b
	relay_check_sums one
}

@test "either side is killed and started again: traffic goes on" {
	trunked
	kill -KILL "$(pid_of one)"
	wait_gone one
	one -l 5000 br0
	wait_for 15 "an answer" ns s1 ping -c 1 -W 1 10.0.0.2
	cross s1 s2 4 10.0.0.2 $((GIB / 64))
	kill -KILL "$(pid_of two)"
	wait_gone two
	two br0 trunk:192.0.2.1:5000
	wait_for 15 "an answer" ns s1 ping -c 1 -W 1 10.0.0.2
	cross s2 s1 4 10.0.0.1 $((GIB / 64))
	relay_wait_up one 2
	relay_check_sums one
	relay_check_sums two
}
