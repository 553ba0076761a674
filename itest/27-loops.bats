#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
#
# Loops: cut without anybody's doing, by one port and one warning, soon after
# the first frame that goes round; what is behind still talks; and
# when a way round is gone, the port that was blocked forwards again. A bridge's
# own spanning tree is left to do its work.

load helpers
load stations

CUT_MS=10000 # for a busy machine; without a cut it is for ever
COPIES=100

setup()
{
	common_setup
	ns_add lab
	# No frames but ours.
	no_ipv6 lab
}

# --- what relays say --------------------------------------------------------

# warnings TEXT RELAY...: how many of theirs say so.
warnings()
{
	local name

	for name in "${@:2}"; do
		grep -- "$1" "$DIR/$name.err"
	done | wc -l
}

has_warned()
{
	(($(warnings "$@") > 0))
}

# wait_cut RELAY...
wait_cut()
{
	wait_for 2 "a loop cut" has_warned "there is a loop" "$@"
}

# wait_healed RELAY...: after 3 s without a sign of the loop, and soon.
wait_healed()
{
	wait_for 10 "the loop to be gone" has_warned "the loop is gone" "$@"
}

# told_once RELAY...: by one of them, which named the first two of its ports.
told_once()
{
	local name port other

	assert_equal "$(warnings "there is a loop" "$@")" 1
	for name in "$@"; do
		grep "there is a loop" "$DIR/$name.err" >"$DIR/warning" || continue
		for port in 1 2; do
			other=$(name_of "$name" "$port")
			[[ $other ]]
			grep -qF -- "$other" "$DIR/warning"
		done
	done
}

# name_of RELAY PORT
name_of()
{
	relay_status "$1" | sed -nE "s/^netrelay: port $2 (.*): [a-z]+, rx .*/\1/p"
}

# say TEXT...: into the report; for figures.
say()
{
	echo "# $*" >&3
}

# copies_few TEXT SENDER STATION...: what was broadcast came to each of them, if
# it was another's, but not too often, and not for long.
copies_few()
{
	local name after copies

	for name in "${@:3}"; do
		copies=$(heard "$name" "$1")
		after=$(came_after "$name" "$1" "$2")
		[[ $name == "$2" ]] || ((copies >= 1))
		((copies)) || continue
		say "$copies copies at $name, the last after $after ms"
		((copies <= COPIES && after <= CUT_MS))
	done
}

# --- what there is to be joined ---------------------------------------------

# relay_in NS NAME PORT TARGET...: a server there, once all of that is up.
relay_in()
{
	relay_start "$2" in "$1" -l "$3" "${@:4}"
	wait_listen "$1" tcp "$3"
	relay_wait_up "$2" $(($# - 3))
}

# wire NAME PORT TO: a link from PORT to port TO of three cables; pull takes away
# the one in the middle, which neither end gets to feel.
wire()
{
	relay_start "$1-r" in lab tcp-listen:$(($2 + 200)) "tcp:127.0.0.1:$3"
	wait_listen lab tcp $(($2 + 200))
	relay_start "$1-m" in lab tcp-listen:$(($2 + 100)) tcp:127.0.0.1:$(($2 + 200))
	wait_listen lab tcp $(($2 + 100))
	relay_start "$1-l" in lab "tcp-listen:$2" tcp:127.0.0.1:$(($2 + 100))
	wait_listen lab tcp "$2"
	relay_wait_up "$1-l" 1
	relay_wait_up "$1-m" 2
	relay_wait_up "$1-r" 2
}

pull()
{
	run -0 relay_stop "$1-m"
}

# disable_port NS PORT: its bridge passes nothing there any more, nor looks for anybody
# behind it.
disable_port()
{
	# In this order: a change of the link would enable it again.
	ns "$1" ip link set "$2" type bridge_slave fdb_flush
	ns "$1" bridge link set dev "$2" state 0
}

# --- between relays ---------------------------------------------------------

#             /--------------- tcp -----------------\
#   a --- one -l 5001                             two -l 5002 --- b
#             \--- tcp --- wire: 3 cables --- tcp --/
@test "two links between two relays: cut, told once, healed when one is gone" {
	relay_in lab two 5002
	wire wire 5003 5002
	relay_wait_up two 1
	relay_in lab one 5001 tcp:127.0.0.1:5002 tcp:127.0.0.1:5003
	relay_wait_up two 2
	stations a=5001 b=5002
	relay_wait_up one 3
	relay_wait_up two 3
	station_send a 1 "$EVERYBODY" storm
	wait_cut one two
	converse a b
	copies_few storm a a b
	told_once one two
	pull wire
	wait_healed one two
	converse a b
	told_once one two
	relay_check_sums one
	relay_check_sums two
}

# proxy NAME PORT: leads to 5002, and can be killed, which both ends feel. It
# listens no more once it has been found.
proxy()
{
	start "$1" in lab socat "TCP-LISTEN:$2,reuseaddr" TCP:127.0.0.1:5002
}

# failover KIND: the link in use is killed. It is the older one, at both ends.
#
#             /--- KIND --- older --- KIND ---\
#   a --- one -l 5001                       two -l 5002 --- b
#             \--- KIND --- newer --- KIND ---/
failover()
{
	local since

	relay_in lab two 5002
	proxy older 5003
	wait_listen lab tcp 5003
	relay_start one in lab -l 5001 "$1:127.0.0.1:5003" "$1:127.0.0.1:5004"
	relay_wait_up two 1
	proxy newer 5004
	relay_wait_up two 2 10
	stations a=5001 b=5002
	relay_wait_up one 3
	relay_wait_up two 3
	station_send a 1 "$EVERYBODY" storm
	wait_cut one two
	converse a b
	copies_few storm a a b
	told_once one two
	since=$(_now_us)
	dismiss older KILL
	# Much sooner than a loop is thought to be gone.
	happens_within 2 _talk a b over
	say "traffic again after $((($(_now_us) - since) / 1000)) ms"
	converse a b
	relay_check_sums one
	relay_check_sums two
}

@test "two links between two relays: when one is lost, the other takes over at once" {
	failover tcp
}

@test "two trunks between two relays: cut, and one takes over from the other" {
	failover trunk
}

#   a --- one -l 5001 --- tcp --- two -l 5002 --- b
#            \                     |
#            wire                 tcp
#              \--- three -l 5003 -+--- c
@test "three relays in a ring: cut in one place, healed when it is open" {
	relay_in lab one 5001
	relay_in lab two 5002 tcp:127.0.0.1:5001
	wire wire 5004 5001
	relay_in lab three 5003 tcp:127.0.0.1:5002 tcp:127.0.0.1:5004
	stations a=5001 b=5002 c=5003
	relay_wait_up one 3
	relay_wait_up two 3
	relay_wait_up three 3
	station_send b 1 "$EVERYBODY" storm
	wait_cut one two three
	converse a b
	converse b c
	converse c a
	copies_few storm b a b c
	told_once one two three
	pull wire
	wait_healed one two three
	# Only the relay that was cut knows that ways have changed. The others learn from what
	# goes to everybody, as the search for an address (ARP) does.
	station_send c 1 "$EVERYBODY" search
	converse a b
	converse b c
	converse c a
	assert_equal "$(warnings "there is a loop" one two three)" 1
	for name in one two three; do
		relay_check_sums "$name"
	done
}

# duplicates NAME: how many frames came to it more than once.
duplicates()
{
	awk '/^total:/ { for (i = 1; i < NF; i++) if ($i == "duplicated") print $(i + 1) }' \
		"$DIR/$1.out"
}

#   sender --- one -l 5001 === tcp === two -l 5002 --- rx
@test "a loop that is closed while broadcasts go on" {
	local cut sent got

	relay_in lab two 5002
	relay_start one in lab -l 5001 tcp:127.0.0.1:5002 tcp:127.0.0.1:5003
	relay_wait_up one 1
	frames_start rx in lab recv tcp:127.0.0.1:5002
	relay_wait_up two 2
	frames_start tx in lab send tcp:127.0.0.1:5001 --count 1000000 --rate 100
	wait_for 5 "broadcasts" has_sent_on two 100
	proxy second 5003
	relay_wait_up one 3 10 # it tries again by and by
	wait_cut one two
	cut=$(_now_us)
	wait_for 10 "4 s" has_spent "$cut" 4000
	stop tx
	relay_wait_ports one 2
	relay_wait_ports two 3
	wait_status one "status: .* queued 0,"
	wait_status two "status: .* queued 0,"
	wait_for 5 "the last one" is_all_read lab 5002
	run stop rx
	run -0 cat "$DIR/rx.out"
	assert_line --regexp "^from 1: received [0-9]+ lost 0 damaged 0 "
	sent=$(sed -n 's/^sent //p' "$DIR/tx.out") got=$(frames_total rx received)
	# One more may have gone out just when tx was ended.
	((got == sent || got == sent + 1))
	say "$(duplicates rx) copies too many"
	(($(duplicates rx) < COPIES))
	# In these seconds, it was not thought to be gone.
	assert_equal "$(warnings "there is a loop" one two)" 1
	relay_check_sums one
	relay_check_sums two
}

# has_sent_on RELAY COUNT: frames, in all.
has_sent_on()
{
	(($(relay_status "$1" | sed -n 's/^netrelay: status: .* sent \([0-9]*\), .*/\1/p') >= $2))
}

# --- through kernel bridges -------------------------------------------------

#               /--- t0 ---\
#   a --- one -l 5001      br0 --- b
#               \--- t1 ---/
@test "two taps on a bridge: cut, told once, healed when one is disabled" {
	needs_tun
	quiet_bridge lab br0
	relay_in lab one 5001 bridge:br0,tap=t0 bridge:br0,tap=t1
	stations a=5001
	veth_station b lab br0
	relay_wait_up one 3
	station_send a 1 "$EVERYBODY" storm
	wait_cut one
	converse a b
	copies_few storm a a b
	told_once one
	disable_port lab t1
	wait_healed one
	converse a b
	assert_equal "$(warnings "there is a loop" one)" 1
	relay_check_sums one
}

#   a --- br0 --- cable --- tcp --- cable --- br0 --- b
#    lab: br0 --- cable --- tcp --- cable --- br0 :far
@test "two cables between two bridges: cut, told once, healed" {
	needs_tun
	ns_add far
	veth_pair lab l0 far l0 192.0.2.1/24 192.0.2.2/24
	quiet_bridge lab br0
	quiet_bridge far br0
	for n in 1 2; do
		relay_start "near$n" in lab br0 "tcp-listen:500$n"
		wait_listen lab tcp "500$n"
		relay_start "far$n" in far "192.0.2.1:500$n" br0
		relay_wait_up "far$n" 2
	done
	veth_station a lab br0
	veth_station b far br0
	station_send a 1 "$EVERYBODY" storm
	wait_cut near1 near2 far1 far2
	converse a b
	copies_few storm a a b
	told_once near1 near2 far1 far2
	disable_port far "$(bridge_ports far br0 | grep netrelay | head -n 1)"
	wait_healed near1 near2 far1 far2
	converse a b
	for name in near1 near2 far1 far2; do
		relay_check_sums "$name"
	done
}

# The bridge passes tagged frames only, as one that filters VLANs does whose ports
# have no PVID. So no probe without a tag comes back.
#
#               /--- t0 ---\
#   a --- one -l 5001      br0
#   b ---/      \--- t1 ---/
@test "a loop in a VLAN only: cut, told once" {
	needs_tun
	quiet_bridge lab br0
	ns lab nft -f - <<-'EOT'
		table bridge lab {
			chain forward {
				type filter hook forward priority 0
				ether type != vlan drop
			}
		}
	EOT
	relay_in lab one 5001 bridge:br0,tap=t0 bridge:br0,tap=t1
	stations a=5001 b=5001
	relay_wait_up one 4
	station_send a 1 "$EVERYBODY" untagged
	station_wait b untagged 1
	converse a b
	assert_equal "$(heard b untagged)" 1
	station_send a 1 "$EVERYBODY" storm 7
	wait_cut one
	converse a b
	copies_few storm a a b
	told_once one
	relay_check_sums one
}

# What comes to the bridge goes round there for ever, as fast as the kernel can.
# It is in a namespace of its own: a frame from a tap keeps the tap's from being
# freed, and would go round in there for good if the test failed.
#
#   a --- one -l 5001 --- t0 --- br0 --- out ------ in --- br0 === both ends of a veth pair
#   b ---/                           :lab      far:
@test "a loop behind one port: told, blocked, and the others go on" {
	local before since used

	needs_tun
	ns_add far
	no_ipv6 far
	quiet_bridge lab br0
	quiet_bridge far br0
	veth_pair lab out far in
	bridge_port lab br0 out
	bridge_port far br0 in
	relay_in lab one 5001 bridge:br0,tap=t0
	stations a=5001 b=5001
	relay_wait_up one 3
	veth_pair far v0 far v1
	bridge_port far br0 v0
	bridge_port far br0 v1
	since=$(_now_us)
	station_send a 1 "$EVERYBODY" storm
	# As long as it is not noticed, a is at either port, and a frame to it may go astray.
	wait_for 5 "a and b to hear each other" _talk a b early
	wait_for 10 "the loop to be noticed" has_warned "loop behind it" one
	say "told after $((($(_now_us) - since) / 1000)) ms"
	before=$(cpu_us one) since=$(_now_us)
	for _ in 1 2 3 4 5; do
		converse a b
	done
	used=$((($(cpu_us one) - before) / 1000)) since=$((($(_now_us) - since) / 1000))
	say "$used ms of CPU in $since ms"
	((used * 2 < since))
	ns far ip link del v0
	wait_healed one
	relay_check_sums one
}

# The bridge lets no probe through, with a tag or without.
#
#               /--- t0 ---\
#   a --- one -l 5001      br0
#   b ---/      \--- t1 ---/
@test "a loop that no probe gets through: held, and nobody is blocked" {
	needs_tun
	quiet_bridge lab br0
	ns lab nft -f - <<-'EOT'
		table bridge lab {
			chain forward {
				type filter hook forward priority 0
				ether daddr 03:6e:65:74:72:6c drop
			}
		}
	EOT
	relay_in lab one 5001 bridge:br0,tap=t0 bridge:br0,tap=t1
	stations a=5001 b=5001
	relay_wait_up one 4
	for n in 1 2 3 4 5; do
		station_send a 1 "$EVERYBODY" "storm$n"
		station_wait b "storm$n" 1
		station_send b 1 "$EVERYBODY" "back$n"
		station_wait a "back$n" 1
		copies_few "storm$n" a b
	done
	nobody_blocked one
	relay_check_sums one
}

# --- guests who are up to something -----------------------------------------

# nobody_blocked RELAY...
nobody_blocked()
{
	local name

	for name in "$@"; do
		run -1 grep -E "^netrelay: port [0-9]+ .*: blocked, " <<<"$(relay_status "$name")"
	done
	assert_equal "$(warnings "does not forward" "$@")" 0
}

# only_blocked RELAY PORT...: no others, if any.
only_blocked()
{
	local port

	while read -r port; do
		[[ " ${*:2} " == *" $port "* ]]
	done < <(relay_status "$1" | sed -nE "s/^netrelay: port ([0-9]+) .*: blocked, .*/\1/p")
}

# go_on SECONDS A B: they converse, and broadcast so that probes go out.
go_on()
{
	local n end=$((SECONDS + $1))

	for ((n = 0; SECONDS <= end; n++)); do
		station_send "$2" 1 "$EVERYBODY" "news-$n"
		station_wait "$3" "news-$n" 1
		converse "$2" "$3"
	done
}

# Ids are chosen by chance, and only the worse one lets pass what the better one
# asks; so there is one such guest at each.
#
#   a, m --- one -l 5001 --- trunk or tcp --- two -l 5002 --- b, n
guests_of_two()
{
	relay_in lab two 5002
	relay_in lab one 5001 "$1:127.0.0.1:5002"
	stations a=5001 b=5002
	relay_wait_up one 2
	relay_wait_up two 2
	stations m=5001 n=5002
	relay_wait_up one 3
	relay_wait_up two 3
	station_tell m echo "$2" 3
	station_tell n echo "$2" 3
	go_on 5 a b
	only_blocked one 3
	only_blocked two 3
	# There was something to send back.
	grep -q "^sent back" "$DIR/m.out" "$DIR/n.out"
	relay_check_sums one
	relay_check_sums two
}

@test "guests who send probes back do not cut a trunk" {
	guests_of_two trunk probes
}

@test "guests who send probes back do not cut a plain link" {
	guests_of_two tcp probes
}

@test "guests who play old probes back do not cut a trunk" {
	guests_of_two trunk old
}

# is_limited RELAY NAME: that port's state says so.
is_limited()
{
	relay_status "$1" | grep -Eq "^netrelay: port [0-9]+ $2[^ ]*: limited, rx "
}

#   a --- one -l 5001 --- t0 --- br0 --- b, and m who sends back
@test "who sends back behind an uplink does not cut it" {
	local what

	needs_tun
	quiet_bridge lab br0
	relay_in lab one 5001 bridge:br0,tap=t0
	stations a=5001
	veth_station b lab br0
	veth_station m lab br0
	relay_wait_up one 2
	for what in old probes all; do
		station_tell m echo "$what"
		[[ $what == all ]] || go_on 4 a b
		grep -q "^sent back" "$DIR/m.out"
	done
	# What is for everybody comes back too; but that moves nobody any more.
	wait_for 5 "the uplink to be limited" has_warned "are limited" one
	is_limited one bridge:br0
	station_send a 50 "$EVERYBODY" news
	station_wait b news 50
	converse a b
	nobody_blocked one
	relay_check_sums one
	station_tell m echo none
	wait_healed one
	run ! is_limited one bridge:br0
}

#   v, m, a --- one -l 5001        m sends as if it were v
@test "a guest who spoofs another's address blocks nobody" {
	local n spoof to

	relay_in lab one 5001
	stations m=5001
	relay_wait_up one 1
	stations v=5001 a=5001
	relay_wait_up one 3
	converse v a
	spoof=$(mac v) to=$(mac a)
	for ((n = 0; n < 2000; n++)); do
		station_tell m send 1 "$EVERYBODY" "$spoof" spoof
		station_tell v send 1 "$to" "$spoof" true
	done
	station_wait a true 2000
	nobody_blocked one
	# The same by ten thousand frames a second.
	for ((n = 0; n < 40; n++)); do
		station_tell m send 250 "$EVERYBODY" "$spoof" spoof
		station_tell v send 250 "$to" "$spoof" fast
	done
	station_wait a fast 10000
	nobody_blocked one
	station_send v 1 "$(mac a)" after
	station_wait a after 1
	relay_check_sums one
}

# They do so, once each, and it is told by now.
_both_speak()
{
	station_tell v send 1 "$EVERYBODY" "$(mac twin)" here
	station_tell m send 1 "$EVERYBODY" "$(mac twin)" here
	has_warned "$(mac twin)" one
}

@test "two guests with one address: told, with both ports, and nobody is blocked" {
	relay_in lab one 5001
	stations m=5001 v=5001 a=5001
	relay_wait_up one 3
	wait_for 15 "the address to be told" _both_speak
	assert_equal "$(warnings "$(mac twin)" one)" 1
	grep "$(mac twin)" "$DIR/one.err" >"$DIR/warning"
	grep -qE "at port (1|2) and at port (1|2), " "$DIR/warning"
	nobody_blocked one
	relay_check_sums one
}
