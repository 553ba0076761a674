#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
#
# netrelay -l as a switch: it knows who is where, and shows nobody else what it
# sends there; whatever protocol it is passes; and what it is told of a port, it
# keeps to: isolated, mac=, and how much it may flood. What becomes of loops is
# in 27-loops.

load helpers
load stations

setup()
{
	common_setup
	ns_add lab
	# No frames but ours.
	no_ipv6 lab
}

# switch [OPTION...]: with three stations on it.
#
#   a, b, c === one -l 5000
switch()
{
	relay_start one in lab "$@" -l 5000
	wait_listen lab tcp 5000
	stations a=5000 b=5000 c=5000
	relay_wait_up one 3
}

# known NAME...: the switch has heard of each, and all the others have heard that.
known()
{
	local name

	for name in "$@"; do
		station_send "$name" 1 "$EVERYBODY" "here-is-$name"
	done
	for name in "$@"; do
		wait_for 5 "all to hear $name" all_but_one_heard "here-is-$name" "$@"
	done
}

all_but_one_heard()
{
	local name total=0

	for name in "${@:2}"; do
		total=$((total + $(heard "$name" "$1")))
	done
	((total == $# - 2))
}

# only TEXT COUNT NAME OTHER...: so many have come to NAME, and none to the others,
# who were sent something behind it that has come.
only()
{
	local name

	station_wait "$3" "$1" "$2"
	for name in "${@:4}"; do
		passed_by "$name"
		assert_equal "$(heard "$name" "$1")" 0
	done
	assert_equal "$(heard "$3" "$1")" "$2"
}

# Frames to one port keep their order, so what was to come before this has.
passed_by()
{
	local word="mark-$RANDOM-$RANDOM" from

	for from in a b c; do
		[[ $from == "$1" ]] || station_send "$from" 1 "$(mac "$1")" "$word"
	done
	station_wait "$1" "$word" 2 20
}

# --- who is where -----------------------------------------------------------

@test "unicast goes to all until its owner was heard of, then to him alone" {
	switch
	station_send a 3 "$(mac b)" unknown
	station_wait b unknown 3
	station_wait c unknown 3
	assert_equal "$(heard a unknown)" 0
	known a b c
	station_send a 50 "$(mac b)" for-b
	station_send c 50 "$(mac a)" for-a
	only for-b 50 b c a
	only for-a 50 a b c
	relay_check_sums one
	# Who leaves takes what is known of him along.
	run stop b
	relay_wait_ports one 2
	station_start d in lab tcp:127.0.0.1:5000
	relay_wait_up one 3
	station_send a 5 "$(mac b)" gone
	station_wait c gone 5
	station_wait d gone 5
	relay_check_sums one
}

#   a === one === t0 c      b === two --- unix --- one
@test "the program of make tiny: a switch with a tap, and a cable to its unix socket" {
	needs_tun
	[[ -x $LAB_ROOT/build/tiny/netrelay ]] || skip "needs make tiny"
	# shellcheck disable=SC2034 # for relay_start
	NETRELAY=$LAB_ROOT/build/tiny/netrelay
	run -0 "$NETRELAY" --help
	refute_output --regexp 'bridge|--user|--daemon|-vv|udp|trunk'
	relay_start one in lab -v -l 127.0.0.1:5000 -l "unix-listen:$DIR/s" tap:t0
	wait_for 10 "tap" has_link lab t0
	no_ipv6 lab
	ns lab ip link set t0 up
	wait_listen lab unix "$DIR/s"
	stations a=5000
	relay_start two in lab tcp-listen:127.0.0.1:5001 "unix:$DIR/s"
	wait_listen lab tcp 5001
	stations b=5001
	station_start c in lab if:t0
	relay_wait_up one 3
	known a b c
	station_send a 3 "$(mac c)" for-c
	only for-c 3 c b
	station_send c 3 "$(mac b)" for-b
	only for-b 3 b a
	relay_check_sums one
	relay_check_sums two
}

@test "an address that moves is followed within one frame" {
	local n

	switch
	known a b c
	for n in 1 2 3 4 5; do
		station_tell c send 1 "$(mac b)" "$(mac a)" "moved-$n"
		station_wait b "moved-$n" 1
		station_send b 1 "$(mac a)" "to-c-$n"
		station_wait c "to-c-$n" 1
		station_tell a send 1 "$(mac b)" "$(mac a)" "back-$n"
		station_wait b "back-$n" 1
		station_send b 1 "$(mac a)" "to-a-$n"
		station_wait a "to-a-$n" 1
	done
	assert_equal "$(heard a 'to-c-.')" 0
	assert_equal "$(heard c 'to-a-.')" 0
	relay_check_sums one
}

@test "the same address in two VLANs is in two places" {
	switch
	known a b c
	station_tell a send 1 "$EVERYBODY" "$(mac both)" in-5 5
	station_tell c send 1 "$EVERYBODY" "$(mac both)" in-6 6
	station_wait b in-5 1
	station_wait b in-6 1
	station_send b 10 "$(mac both)" to-5 5
	station_send b 10 "$(mac both)" to-6 6
	only to-5 10 a c
	only to-6 10 c a
	# In a third one, and in none, it is nowhere.
	station_send b 1 "$(mac both)" to-7 7
	station_send b 1 "$(mac both)" untagged
	for each in to-7 untagged; do
		station_wait a "$each" 1
		station_wait c "$each" 1
	done
	relay_check_sums one
}

@test "tags, also double, and what bridges keep to themselves, pass to all" {
	local frame pattern

	switch
	station_send a 1 "$EVERYBODY" single 100
	station_send a 1 "$EVERYBODY" double 100 200
	station_send a 1 "$EVERYBODY" triple 100 200 300
	station_send a 1 01:80:c2:00:00:00 0026:bpdu
	station_send a 1 01:80:c2:00:00:01 8808:pause
	station_send a 1 01:80:c2:00:00:02 8809:lacp
	station_send a 1 01:80:c2:00:00:03 888e:eapol
	station_send a 1 01:80:c2:00:00:0e 88cc:lldp
	station_send a 1 01:00:0c:cc:cc:cc 2000:cdp
	station_send a 1 "$EVERYBODY" 88b5:any
	for frame in b c; do
		for pattern in "$EVERYBODY $(mac a) vlan 100 88b6 single" \
			"$EVERYBODY $(mac a) vlan 100 vlan 200 88b6 double" \
			"$EVERYBODY $(mac a) vlan 100 vlan 200 vlan 300 88b6 triple" \
			"01:80:c2:00:00:00 $(mac a) 0026 bpdu" "01:80:c2:00:00:01 $(mac a) 8808 pause" \
			"01:80:c2:00:00:02 $(mac a) 8809 lacp" "01:80:c2:00:00:03 $(mac a) 888e eapol" \
			"01:80:c2:00:00:0e $(mac a) 88cc lldp" "01:00:0c:cc:cc:cc $(mac a) 2000 cdp" \
			"$EVERYBODY $(mac a) 88b5 any"; do
			station_wait "$frame" "$pattern" 1
		done
	done
	relay_check_sums one
}

@test "--hub: each frame to all the others, whoever it is for" {
	switch --hub
	known a b c
	station_send a 10 "$(mac b)" for-b
	station_wait b for-b 10
	station_wait c for-b 10
	assert_equal "$(heard a for-b)" 0
	# It looks for no loops, either.
	assert_equal "$(heard b '88b5 netrelay')" 0
	run -0 relay_status one
	assert_line --partial "status: hub, 3 ports: "
	relay_check_sums one
}

# --- how much it remembers --------------------------------------------------

# sink PORTS: a member that swallows what station c makes up, and is the last of them.
sink()
{
	frames_start sink in lab both tcp:127.0.0.1:5000 --id 7 --count 1 --expect 10000000 \
		--timeout 300
	relay_wait_up one "$1"
	station_wait a "$EVERYBODY 02:6e:72:00:00:07 88b5 .*" 1
}

# made_up COUNT PREFIX: station c begins to pretend to be so many.
made_up()
{
	station_tell c sources "$1" 02:6e:72:00:00:07 "$2"
}

# has_made_up TIMES: it has done with that.
has_made_up()
{
	(($(grep -c '^sources sent' "$DIR/c.out") >= $1))
}

#   a, b, d === one === c: with a million addresses
# bats test_tags=slow
@test "a million addresses of one port: no more memory, and the others stay known" {
	local full after most n=0

	switch
	station_start d in lab tcp:127.0.0.1:5000
	sink 5
	known a b c d
	made_up 20000 02:00:01 # the table is full with that
	wait_for 10 "20,000" has_made_up 1
	passed_by a
	full=$(rss_kib one)
	made_up 1000000 02:00:02
	until has_made_up 2; do
		n=$((n + 10))
		station_send a 10 "$(mac b)" for-b
		station_wait b for-b "$n" 30
	done
	passed_by a
	# What a stalled queue held is given back a second later, but for the 256 KiB that it
	# keeps once it was used; which it may have been by now for the first time.
	most=$((full + 256 + 64))
	wait_for 5 "memory to be given back" is_rss_below one "$most" || true # and is judged below
	after=$(rss_kib one)
	echo "# RSS $full KiB with 20,000, $after KiB after a million; $n frames meanwhile" >&3
	((n >= 10 && after < most && after < 4000))
	# The other way, too; that was learnt before all this.
	station_send b 10 "$(mac a)" for-a
	station_wait a for-a 10
	passed_by d
	assert_equal "$(heard d 'for-[ab]')" 0
	relay_check_sums one
}

@test "--fdb-size: the oldest of who has too many go, and nobody else's" {
	switch --fdb-size 16
	sink 4
	known a b c
	made_up 100 02:00:01
	wait_for 10 "100" has_made_up 1
	station_send a 10 "$(mac b)" for-b
	only for-b 10 b c
	# Of those made up, the last ones are known, and the first are not.
	station_send a 1 02:00:01:00:00:63 last
	only last 1 c b
	station_send a 1 02:00:01:00:00:00 first
	station_wait b first 1
	station_wait c first 1
	relay_check_sums one
}

# --- what a port may do -----------------------------------------------------

#   a, b === one -l tcp-listen:5001,isolated
#   c ------ one -l 5000
#   d ------ one udp:...,isolated
@test "isolated ports reach the others, and not each other" {
	local from to

	relay_start one in lab -l tcp-listen:5001,isolated -l 5000 tcp:127.0.0.1:5002,isolated
	relay_start two in lab tcp-listen:5002 tcp-listen:5003
	wait_listen lab tcp 5000
	wait_listen lab tcp 5003
	stations a=5001 b=5001 c=5000 d=5003
	relay_wait_up one 4
	relay_wait_up two 2
	for from in a b d c; do
		station_send "$from" 1 "$EVERYBODY" "from-$from"
		station_wait c "from-[^c]" 1
	done
	for to in a b d; do
		station_wait "$to" from-c 1
		converse "$to" c
		assert_equal "$(heard "$to" 'from-[abd]')" 0
	done
	assert_equal "$(heard c 'from-[abd]')" 3
	# Nor do they when their addresses are known.
	station_send a 5 "$(mac b)" to-another
	station_send a 5 "$(mac d)" to-another
	converse a c
	converse b c
	converse d c
	for to in b c d; do
		assert_equal "$(heard "$to" to-another)" 0
	done
	has_drops one no-port 10
	relay_check_sums one
}

#   a === one -l tcp-listen:5001,mac=...
#   b, c === one -l 5000
@test "mac=: from any other address a port gets nothing through" {
	relay_start one in lab -l "tcp-listen:5001,mac=$(mac a),mac=$(mac other)" -l 5000
	wait_listen lab tcp 5000
	stations a=5001 b=5000 c=5000
	relay_wait_up one 3
	known a b c
	station_tell a send 3 "$EVERYBODY" "$(mac b)" forged
	station_tell a send 2 "$(mac b)" "$(mac c)" forged
	station_tell a send 4 "$EVERYBODY" "$(mac other)" allowed
	station_wait b allowed 4
	station_wait c allowed 4
	assert_equal "$(heard b forged) $(heard c forged)" "0 0"
	has_drops one mac 5
	# Where b is was not forgotten for it.
	station_send c 3 "$(mac b)" for-b
	only for-b 3 b a
	relay_check_sums one
}

@test "--storm: what a port floods is limited by the second, what it sends to one is not" {
	local passed

	switch --storm 100
	known a b c
	station_send a 1000 "$EVERYBODY" storm
	station_send a 1000 "$(mac b)" for-b
	station_wait b for-b 1000
	passed_by c
	passed=$(heard b storm)
	echo "# $passed of 1000 broadcasts passed" >&3
	# At the turn of a second it begins anew.
	((passed >= 99 && passed <= 200))
	assert_equal "$(heard c storm)" "$passed"
	has_drops one storm $((1000 - passed))
	assert_equal "$(grep -c 'a storm: more than 100 broadcasts a second' "$DIR/one.err")" 1
	# What looks like a relay's probe is not beyond that.
	station_send a 1000 03:6e:65:74:72:6c 88b5:netrelay
	passed_by c
	(($(heard c "$(mac a) 88b5 netrelay") <= 200))
	# It was a's, and no one else's.
	station_send c 50 "$EVERYBODY" from-c
	station_wait b from-c 50
	wait_for 10 "the end of the storm" grep -q "the storm is over" "$DIR/one.err"
	relay_check_sums one
}

# --- bridges and their protocols --------------------------------------------

# carrier_is NS IF 0|1: of that, and of the bridge that has no other port.
carrier_is()
{
	[[ $(ns "$1" cat "/sys/class/net/$2/carrier" /sys/class/net/br0/carrier) == "$3"$'\n'"$3" ]]
}

wait_carrier()
{
	wait_for 5 "carrier $3 of $2" carrier_is "$@"
}

#   lab: br0 --- t0 cable l0 === l0 cable t1 --- br0 :far
@test "a tap has a carrier while there is somebody at the other end of its cable" {
	needs_tun
	ns_add far
	veth_pair lab l0 far l0 192.0.2.1/24 192.0.2.2/24
	bridge_add lab br0
	bridge_add far br0
	relay_start one in lab tcp-listen:5000 bridge:br0,tap=t0
	wait_listen lab tcp 5000
	wait_carrier lab t0 0
	ns lab ip link show br0 | grep -q NO-CARRIER
	# A QEMU, as far as it can tell.
	station_start a in lab tcp:127.0.0.1:5000
	wait_carrier lab t0 1
	run stop a
	wait_carrier lab t0 0
	# Another netrelay, and its bridge.
	relay_start two in far bridge:br0,tap=t1 192.0.2.1:5000
	wait_carrier lab t0 1
	wait_carrier far t1 1
	run -137 stop one KILL
	wait_carrier far t1 0
	relay_start one in lab tcp-listen:5000 bridge:br0,tap=t0
	wait_carrier far t1 1
	wait_carrier lab t0 1
	relay_check_sums two
	# With a server there may always be somebody.
	run -0 relay_stop one
	relay_start one in lab -l 5001 bridge:br0,tap=t0
	wait_carrier lab t0 1
}

# tree NS: a bridge that finds its place in a spanning tree, in 4 s.
tree()
{
	ns "$1" ip link add br0 type bridge mcast_snooping 0 stp_state 1 hello_time 100 \
		forward_delay 200 max_age 600
	ns "$1" ip link set br0 up
}

# port_states NS...: one digit for each tap: 3 forwards, 4 is blocked, 0 to 2 is neither yet.
port_states()
{
	local where

	for where in "$@"; do
		ns "$where" sh -c 'cat /sys/class/net/br0/brif/netrelay*/state'
	done | sort | tr -d '\n'
}

has_converged()
{
	[[ $(port_states "${@:2}") == "$1" ]]
}

# broken NAME...: whether one of these relays has seen a loop.
broken()
{
	local name

	for name in "$@"; do
		if grep "loop" "$DIR/$name.err"; then
			return 0
		fi
	done
	return 1
}

#   a --- br0 --- near1 --- tcp --- far1 --- br0 --- b
#    lab: br0 --- near2 --- tcp --- far2 --- br0 :far
@test "a spanning tree through cables is left to cut the loop" {
	local name

	needs_tun
	ns_add far
	veth_pair lab l0 far l0 192.0.2.1/24 192.0.2.2/24
	tree lab
	tree far
	for n in 1 2; do
		relay_start "near$n" in lab br0 "tcp-listen:500$n"
		wait_listen lab tcp "500$n"
		relay_start "far$n" in far "192.0.2.1:500$n" br0
		relay_wait_up "far$n" 2
	done
	veth_station a lab br0
	veth_station b far br0
	wait_for 30 "one blocked port" has_converged 3334 lab far
	converse a b 10
	station_send a 5 "$EVERYBODY" once
	station_wait b once 5
	converse a b
	assert_equal "$(heard b once)" 5
	run ! broken near1 near2 far1 far2
	for name in near1 near2 far1 far2; do
		relay_check_sums "$name"
	done
}

#   a --- one -l 5000 === netrelay0, netrelay1 === br0 --- b
@test "a spanning tree through a switch is left to cut the loop" {
	needs_tun
	tree lab
	relay_start one in lab -l 5000 br0 br0
	wait_listen lab tcp 5000
	stations a=5000
	veth_station b lab br0
	relay_wait_up one 3
	wait_for 30 "one blocked port" has_converged 34 lab
	converse a b 10
	station_send a 5 "$EVERYBODY" once
	station_wait b once 5
	converse a b
	assert_equal "$(heard b once)" 5
	run ! broken one
	relay_check_sums one
}

# --- guests -----------------------------------------------------------------

# in_guests COMMAND GUEST...
in_guests()
{
	local name

	for name in "${@:2}"; do
		guest "$name" "$1"
	done
}

nic_received()
{
	guest "$1" cat /sys/class/net/nic1/statistics/rx_packets | grep .
}

has_received()
{
	(($(nic_received "$1") >= $2))
}

#   a, b === one -l 5000 === c: sniffs
# bats test_tags=slow
@test "guests: one that sniffs sees what is for nobody, and nothing that others send each other" {
	local before

	guest_image
	relay_start one in lab -l 5000
	wait_listen lab tcp 5000
	for name in a b c; do
		guest_start "$name" in lab -- socket,connect=127.0.0.1:5000
	done
	for name in a b c; do
		guest_wait "$name"
	done
	in_guests "echo 1 >/proc/sys/net/ipv6/conf/all/disable_ipv6" a b c
	guest_nic a 1 10.0.0.1/24
	guest_nic b 1 10.0.0.2/24
	guest c "ip link set nic1 up promisc on"
	guest_ping a 10.0.0.2
	# To an address that nobody has.
	before=$(nic_received c)
	guest a "arp -s 10.0.0.9 52:54:00:00:00:09; ping -c 5 -i 0.1 -W 1 10.0.0.9 || true"
	wait_for 5 "what is for nobody" has_received c $((before + 5))
	before=$(nic_received c)
	guest_ping a 10.0.0.2 1400
	guest a "ping -c 20 -i 0.05 10.0.0.2"
	guest b "ping -c 20 -i 0.05 10.0.0.1"
	assert_equal "$(nic_received c)" "$before"
	relay_check_sums one
}

# bond GUEST HOST: of its two NICs, by LACP.
bond()
{
	local at=/sys/class/net/bond0/bonding

	guest "$1" "load bonding && echo +bond0 >/sys/class/net/bonding_masters"
	guest "$1" "echo 802.3ad >$at/mode && echo 100 >$at/miimon && echo fast >$at/lacp_rate"
	guest "$1" "echo +nic1 >$at/slaves && echo +nic2 >$at/slaves"
	guest "$1" "ip addr add 10.0.0.$2/24 dev bond0 && ip link set bond0 up"
}

# has_partner GUEST MAC: that is at the other end of both links, and both ends send and receive by
# them (IEEE 802.1AX: "collecting" and "distributing"; 63 with short timeouts, which both have).
has_partner()
{
	local count="grep -c 'port state: 63' /proc/net/bonding/bond0"

	run -0 guest "$1" "cd /sys/class/net/bond0/bonding && cat ad_num_ports ad_partner_mac && $count"
	assert_output --partial "2"$'\n'"$2"$'\n'"4"
}

#   guest a: nic1 --- r1 --- nic1 :guest b
#   bond0    nic2 --- r2 --- nic2    bond0
# bats test_tags=slow
@test "guests: a bond of two links by LACP, each through a cable" {
	local n mac_a mac_b

	guest_image
	for n in 1 2; do
		relay_start "r$n" in lab "tcp-listen:500$n" "tcp-listen:510$n"
		wait_listen lab tcp "510$n"
	done
	export GUEST_DEVICE=speed=1000,duplex=full
	guest_start a in lab -- socket,connect=127.0.0.1:5001 socket,connect=127.0.0.1:5002
	guest_start b in lab -- socket,connect=127.0.0.1:5101 socket,connect=127.0.0.1:5102
	guest_wait a
	guest_wait b
	bond a 1
	bond b 2
	mac_a=$(guest a cat /sys/class/net/bond0/address | grep .)
	mac_b=$(guest b cat /sys/class/net/bond0/address | grep .)
	wait_for 30 "partner of a" has_partner a "$mac_b"
	wait_for 30 "partner of b" has_partner b "$mac_a"
	guest_ping a 10.0.0.2 1400
	for n in 1 2; do
		relay_check_sums "r$n"
	done
}
