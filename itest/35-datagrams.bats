#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
#
# Datagrams have no connection that breaks: that the far end went elsewhere, that our
# own address is another, or that an interface was made again must be found out. The
# near end sends all the time; whoever is to hear it comes later.
#
#   near --- unix --- relay, namespace a --- datagrams --- far

load helpers

namespaces a

teardown()
{
	common_teardown
	rm -rf "/etc/netns/$(ns_name a)"
}

# names LINE...: what namespace a's hosts file has from now on.
names()
{
	local etc

	etc=/etc/netns/$(ns_name a)
	mkdir -p "$etc"
	printf '%s\n' "$@" >"$etc/hosts"
}

# begin NAME ENDPOINT: a relay with that and a near end that sends without an end. The
# endpoint is up first: its name may take a while to resolve, and frames are dropped until then.
begin()
{
	relay_start "$1" in a -v --ctl "$DIR/$1.ctl" "$2" "unix-listen:$DIR/$1"
	wait_listen a unix "$DIR/$1"
	relay_wait_up "$1" 1
	frames_start "near-$1" in a both "unix:$DIR/$1" --id 9 --count 1000000 --rate 100 \
		--timeout 300
}

# hears NS ENDPOINT [COUNT]: somebody who never answers gets so many frames.
hears()
{
	run -0 ns "$1" "$FRAMES" recv "$2" --count "${3:-20}" --from 9 --linger 0
	(($(sed -nE 's/^total: received ([0-9]+) .*/\1/p' <<<"$output") >= ${3:-20}))
}

state()
{
	"$NETRELAY" ctl "$DIR/$1.ctl" status
}

# value RELAY PORT KEY: of the first port in its JSON whose endpoint begins so.
value()
{
	"$NETRELAY" ctl "$DIR/$1.ctl" status --json | python3 -c '
import json, sys
ports = [p for p in json.load(sys.stdin)["ports"] if p["endpoint"].startswith(sys.argv[1])]
p = ports[0]
print(p["drops"][sys.argv[2]] if sys.argv[2] in p["drops"] else p[sys.argv[2]])' "$2" "$3"
}

is_value()
{
	[[ $(value "$1" "$2" "$3") == "$4" ]]
}

refuses()
{
	(($(value "$1" udp: refused) > 0))
}

# --- names ------------------------------------------------------------------

@test "udp: of a name's addresses, one that local= can reach, and where somebody is" {
	names '::1 both' '127.0.0.1 both' '127.0.0.1 four' '::1 six'
	begin one udp:both:5002,local=127.0.0.1:5001
	hears a udp:127.0.0.1:5001,local=127.0.0.1:5002
	begin two 'udp:both:6002,local=[::1]:6001'
	hears a 'udp:[::1]:6001,local=[::1]:6002'
	# Nobody is at the other address.
	begin three udp:both:7002,local=7001
	hears a udp:127.0.0.1:7001,local=127.0.0.1:7002
	begin four udp:both:8002,local=8001
	hears a 'udp:[::1]:8001,local=[::1]:8002'
	relay_start five in a -v udp:six:9002,local=127.0.0.1:9001 "unix-listen:$DIR/u"
	wait_for 5 "reason" grep -q "six has no address of the IP version of local=127.0.0.1" \
		"$DIR/five.err"
}

@test "udp: a name that leads elsewhere is followed, one who never answers is left alone" {
	names '127.0.0.2 far.test'
	frames_start far in a recv udp:127.0.0.1:5001,local=127.0.0.2:5002 --from 9 \
		--count 700 --lossless --linger 0
	begin one udp:far.test:5002,local=127.0.0.1:5001
	# In these 7 s it is asked again where the name leads.
	run -0 frames_wait far
	[[ $(log_lines one "now$") == 0 ]]
	names '127.0.0.3 far.test'
	hears a udp:127.0.0.1:5001,local=127.0.0.3:5002
	[[ $(log_lines one "goes to 127.0.0.3:5002 now$") == 1 ]]
	[[ $(log_lines one "trying again") == 0 ]]
	# A name that can't be resolved is no reason to go anywhere.
	names '127.0.0.1 localhost'
	hears a udp:127.0.0.1:5001,local=127.0.0.3:5002 700
	[[ $(log_lines one "now$") == 1 ]]
	relay_check_sums one
}

# --- this host --------------------------------------------------------------

#   near --- relay 192.0.2.1 a ---veth--- far 192.0.2.2
@test "udp: our own address is exchanged for another, by no choice of ours" {
	ns_add far
	veth_pair a v far v 192.0.2.1/24 192.0.2.2/24
	ns a ip addr add 2001:db8::1/64 dev v
	ns far ip addr add 2001:db8::2/64 dev v
	begin four udp:192.0.2.2:5000
	begin six 'udp:[2001:db8::2]:6000'
	begin fixed udp:192.0.2.2:7000,local=192.0.2.1:7000
	hears far udp:192.0.2.1:5000,local=192.0.2.2:5000
	hears far 'udp:[2001:db8::1]:6000,local=[2001:db8::2]:6000'
	hears far udp:192.0.2.1:7000,local=192.0.2.2:7000
	ns a ip addr add 192.0.2.9/24 dev v
	ns a ip addr add 2001:db8::9/64 dev v
	ns a ip addr del 192.0.2.1/24 dev v # and so .9, which is second to it
	ns a ip addr replace 192.0.2.9/24 dev v
	ns a ip addr del 2001:db8::1/64 dev v
	# Until the relay has looked, its socket may send from an address that is gone.
	for name in four six fixed; do
		wait_for 15 "$name to find out" has_logged "$name" "trying again"
	done
	hears far udp:192.0.2.9:5000,local=192.0.2.2:5000
	hears far 'udp:[2001:db8::9]:6000,local=[2001:db8::2]:6000'
	wait_for 5 "port down" is_value fixed udp: state waiting
	ns a ip addr add 192.0.2.1/24 dev v
	hears far udp:192.0.2.1:7000,local=192.0.2.2:7000
	for name in four six fixed; do
		[[ $(log_lines "$name" "^netrelay: udp.*: .*trying again") -le 3 ]]
		relay_check_sums "$name"
	done
}

# link_local: the way to the far end, by addresses that belong to an interface.
link_local()
{
	veth_pair a v far v
	ns a ip addr add fe80::1/64 dev v
	ns far ip addr add fe80::2/64 dev v
	# The kernel takes a moment until both ends of a new pair are up.
	wait_for 5 "way to a" is_reached far fe80::1
	wait_for 5 "way to far" is_reached a fe80::2
}

# is_reached NS ADDRESS: by a neighbour's answer, so that both ends are in use.
is_reached()
{
	ns "$1" ping -6 -c 1 -W 1 "$2%v" >"$DIR/ping.out" 2>&1
}

#   near --- relay fe80::1%v a ---veth, deleted and made again--- far fe80::2%v
@test "udp: the interface of a link-local address is deleted and made again" {
	ns_add far
	link_local
	begin one 'udp:[fe80::2%v]:5000'
	hears far 'udp:[fe80::1%v]:5000,local=[fe80::2%v]:5000'
	ns a ip link del v
	wait_for 5 "port down" is_value one udp: state waiting
	link_local
	hears far 'udp:[fe80::1%v]:5000,local=[fe80::2%v]:5000'
	[[ $(log_lines one "^netrelay: udp.*trying again") -le 3 ]]
	relay_check_sums one
}

# mcast_start NAME IF-OPTION GROUP: a relay in each namespace, near's and far's.
mcast_start()
{
	begin "$1" "mcast:$3:1234$2"
	relay_start "far-$1" in far "mcast:$3:1234${4-$2}" "unix-listen:$DIR/far-$1"
	wait_listen far unix "$DIR/far-$1"
}

ways()
{
	veth_pair a v far v 10.0.0.1/24 10.0.0.2/24
	ns a ip addr add fd00::1/64 dev v
	ns far ip addr add fd00::2/64 dev v
	ns a ip route add 224.0.0.0/4 dev v
	ns far ip route add 224.0.0.0/4 dev v
}

#   near --- relay a ---veth, deleted and made again--- far relay --- far
@test "mcast: the interface of a group is deleted and made again" {
	local name

	ns_add far
	ways
	mcast_start route '' 230.0.0.1
	mcast_start if ,if=10.0.0.1 230.0.0.2 ,if=10.0.0.2
	mcast_start route6 '' '[ff05::1]'
	mcast_start if6 ,if=v '[ff02::2]'
	for name in route if route6 if6; do
		hears far "unix:$DIR/far-$name"
	done
	ns a ip link del v
	# It comes back before anybody has noticed, and, the second time, after.
	ways
	for name in route if route6 if6; do
		hears far "unix:$DIR/far-$name"
	done
	ns a ip link del v
	for name in route if route6 if6; do
		wait_for 8 "$name to be down" is_value "$name" mcast: state waiting
	done
	ways
	for name in route if route6 if6; do
		hears far "unix:$DIR/far-$name"
		[[ $(log_lines "$name" "^netrelay: mcast.*trying again") -le 8 ]]
		relay_check_sums "$name"
	done
}

# is_heard_from N COUNT: one has had so many frames, once far N has sent 20.
is_heard_from()
{
	run -0 ns "f$1" "$FRAMES" send "unix:$DIR/far$1" --count 20 --id 5
	wait_for 5 "frames from f$1" is_value one mcast: rx_frames "$2"
}

#                        /---v0, the only one with an address--- far0, in f0
#   near --- relay one, a
#                        \---v1--- far1, in f1
@test "mcast: without if= the route leads, not the address that it sends from" {
	local n since

	for n in 0 1; do
		ns_add "f$n"
		veth_pair a "v$n" "f$n" v
		ns "f$n" ip addr add "10.$n.0.2/24" dev v
		ns "f$n" ip route add default dev v
		relay_start "far$n" in "f$n" "mcast:230.0.0.1:1234,if=10.$n.0.2" \
			"unix-listen:$DIR/far$n"
		wait_listen "f$n" unix "$DIR/far$n"
	done
	ns a ip addr add 10.0.0.1/24 dev v0
	ns a ip route add 10.1.0.0/24 dev v1
	ns a ip route add 224.0.0.0/4 dev v1
	begin one mcast:230.0.0.1:1234
	# This one never sends, and so has no reason to look after its way.
	relay_start idle in a mcast:230.0.0.2:1234 "unix-listen:$DIR/idle"
	wait_listen a unix "$DIR/idle"
	since=$(_now_us)
	hears f1 "unix:$DIR/far1"
	is_heard_from 1 20
	wait_for 20 "idle one to be at rest" has_spent "$since" 13000
	# From both it sends as 10.0.0.1.
	ns a ip route replace 224.0.0.0/4 dev v0
	hears f0 "unix:$DIR/far0"
	is_heard_from 0 40
	relay_start away in f0 mcast:230.0.0.2:1234,if=10.0.0.2 "unix-listen:$DIR/away"
	wait_listen f0 unix "$DIR/away"
	frames_start sender in f0 both "unix:$DIR/away" --id 9 --count 1000000 --rate 100 \
		--timeout 60
	hears a "unix:$DIR/idle"
	[[ $(log_lines one "trying again") == 1 ]]
	relay_check_sums one
}

# --- what is known of the far end -------------------------------------------

@test "the far end of datagrams that is not there: refused, and unreachable" {
	begin udp udp:127.0.0.1:5002,local=127.0.0.1:5001
	begin six 'udp:[::1]:5002,local=[::1]:5001'
	begin unix "unixgram:$DIR/far,local=$DIR/own"
	wait_for 5 "udp" is_value udp udp: far_end unreachable
	wait_for 5 "six" is_value six udp: far_end unreachable
	wait_for 5 "unixgram" is_value unix unixgram: far_end unreachable
	run -0 state udp
	assert_line --regexp '^ *far end: unreachable: (Connection refused|Refused)'
	assert_line --regexp '^ *drops: refused [0-9]+'
	for name in udp six unix; do
		run -0 value "$name" u refused
		((output > 0))
		run -0 value "$name" u state
		assert_output up
		relay_check_sums "$name"
	done
	# Somebody who is there, and says nothing.
	frames_start far in a recv udp:127.0.0.1:5001,local=127.0.0.1:5002 --count 1000000
	wait_for 12 "nobody to refuse" is_value udp udp: far_end silent
	run -0 state udp
	assert_line --regexp '^ *far end: nothing heard from it yet'
	dismiss far KILL
	frames_start far in a both udp:127.0.0.1:5001,local=127.0.0.1:5002 --count 1 \
		--expect 1000000
	wait_for 5 "a frame" is_value udp udp: far_end heard
}

@test "udp: the same port for both IP versions" {
	begin four udp:127.0.0.1:7000,local=7001
	begin six 'udp:[::1]:7000,local=7001'
	hears a udp:127.0.0.1:7001,local=127.0.0.1:7000
	hears a 'udp:[::1]:7001,local=[::1]:7000'
	# An IPv4 address, as IPv6 writes it.
	begin mapped 'udp:[::ffff:127.0.0.1]:8000,local=8001'
	hears a udp:127.0.0.1:8001,local=127.0.0.1:8000
}

@test "udp: what the host's own queue has no room for is counted, and the next ones go" {
	ns_add far
	veth_pair a v far v 192.0.2.1/24 192.0.2.2/24
	begin one udp:192.0.2.2:5000
	hears far udp:192.0.2.1:5000,local=192.0.2.2:5000
	ns a tc qdisc add dev v root tbf rate 64kbit burst 3000 limit 6000
	wait_for 10 "refusals" refuses one
	is_value one udp: state up
	ns a tc qdisc del dev v root
	hears far udp:192.0.2.1:5000,local=192.0.2.2:5000 200
	is_value one udp: state up
	[[ $(log_lines one "trying again") == 0 ]]
	relay_check_sums one
}
