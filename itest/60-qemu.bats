#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# bats file_tags=slow
#
# Real QEMU guests on every kind of -netdev that has a way to netrelay. Two of
# them, a and b, are booted once for all tests; each of their NICs is of another
# kind, and netrelay r1 joins the first of a and the first of b, and so on, as
# links() has it. A third, c, whose NICs are for jumbo frames, is the one that is
# killed and started again. All are in the namespace lab.

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
	make_lab
	start_relays
	start_guests
}

teardown_file()
{
	common_teardown
}

# NIC | of a | of b | what netrelay has to join them
#
#   guest a nic1 --- r1 --- nic1 guest b
#           nic2 --- r2 --- nic2
#           ...
#           nic12 -- r12 -- nic12
#                     |
#                    br0 10.0.12.254
#
# and guest c, whose NICs are joined by cables rc1, rc2, ... to
#
#           nic1 --- r1         nic2 --- rc2 --- r12
#           nic3 --- rc3 --- r11        nic4 --- rc4 --- br4 10.0.4.254
#
# Behind the descriptors of 11 are connections to r11, as qemu_with_fd makes them.
links()
{
	link 1 socket,connect=127.0.0.1:5001 socket,connect=127.0.0.1:5201 \
		"-l 127.0.0.1:5001 -l tcp-listen:127.0.0.1:5201"
	link 2 socket,listen=127.0.0.1:5102 socket,listen=127.0.0.1:5202 \
		"127.0.0.1:5102 tcp:127.0.0.1:5202"
	link 3 "$(udp 5103 5303)" "$(udp 5203 5403)" \
		"-l 127.0.0.1:5003 5303::5103 udp:127.0.0.1:5203,local=127.0.0.1:5403"
	link 4 socket,mcast=230.0.0.1:5004 socket,mcast=230.0.0.2:5004 \
		"mcast:230.0.0.1:5004 mcast:230.0.0.2:5004"
	link 5 "$(inet off 127.0.0.1 5105)" "$(inet off ::1 5205)" \
		"-l 127.0.0.1:5105 -l tcp-listen:[::1]:5205"
	link 6 "$(inet on 127.0.0.1 5106)" "$(inet on ::1 5206)" \
		"127.0.0.1:5106 tcp:[::1]:5206"
	link 7 "$(unix off a7)" "$(unix off b7)" "unix-listen:$DIR/a7 unix-listen:$DIR/b7"
	link 8 "$(unix on a8)" "$(unix on b8)" "unix:$DIR/a8 unix:$DIR/b8"
	link 9 "$(unixgram a9)" "$(unixgram b9)" \
		"unixgram:$DIR/a9,local=$DIR/a9r unixgram:$DIR/b9,local=$DIR/b9r"
	link 10 "$(dgram 5110 5310)" "$(dgram 5210 5410)" \
		"5310:127.0.0.1:5110 udp:127.0.0.1:5210,local=127.0.0.1:5410"
	link 11 socket,fd=9 stream,server=off,addr.type=fd,addr.str=9 "-l 127.0.0.1:5011"
	link 12 socket,connect=127.0.0.1:5012 "$(unix off b12)" \
		"-l 127.0.0.1:5012 -l unix-listen:$DIR/b12 br0"
}

# As links(), for c.
links_of_c()
{
	link 1 socket,connect=127.0.0.1:5001
	link 2 socket,listen=127.0.0.1:5302 "127.0.0.1:5302 127.0.0.1:5012"
	link 3 "$(unix on c3)" "unix:$DIR/c3 127.0.0.1:5011"
	link 4 "$(unixgram c4)" "unixgram:$DIR/c4,local=$DIR/c4r br4"
}

link()
{
	local IFS='|'

	echo "$*"
}

# QEMU's side: what it binds, and where it sends to.

# inet on|off ADDR PORT: whether it is the server.
inet()
{
	echo "stream,server=$1,addr.type=inet,addr.host=$2,addr.port=$3"
}

# unix on|off NAME
unix()
{
	echo "stream,server=$1,addr.type=unix,addr.path=$DIR/$2"
}

# unixgram NAME
unixgram()
{
	echo "dgram,local.type=unix,local.path=$DIR/$1,remote.type=unix,remote.path=$DIR/$1r"
}

# udp PORT PEER
udp()
{
	echo "socket,udp=127.0.0.1:$2,localaddr=127.0.0.1:$1"
}

# dgram PORT PEER
dgram()
{
	local inet=type=inet at=host=127.0.0.1

	echo "dgram,local.$inet,local.$at,local.port=$1,remote.$inet,remote.$at,remote.port=$2"
}

# Bridges, and a way out for multicast.
make_lab()
{
	ns_add lab
	bridge_add lab br0 10.0.12.254/24
	bridge_add lab br4 10.0.4.254/24
	veth_pair lab way lab out 10.0.98.1/24 10.0.99.1/24
	ns lab ip route add 224.0.0.0/4 dev way
}

# Those who are dialled have to be there before their guest is.
start_relays()
{
	local number port path

	for number in $(column 1); do
		start_link "$number"
	done
	for number in 2 3 4; do
		start_link "c$number"
	done
	for port in 5001 5201 5011 5012 5105 5205; do
		wait_listen lab tcp "$port"
	done
	for path in a7 b7 b12; do
		wait_listen lab unix "$DIR/$path"
	done
}

# column NUMBER: of the table in links().
column()
{
	links | cut -d'|' -f"$1"
}

# start_link NUMBER: its netrelay.
start_link()
{
	local args

	args=$(
		links
		links_of_c | sed 's/^/c/'
	)
	args=$(awk -F'|' -v number="$1" '$1 == number { print $NF }' <<<"$args")
	# shellcheck disable=SC2086 # there are no blanks in them
	relay_start "r$1" in lab -v $args
}

# A qemu that comes with a connection to r11 as descriptor 9.
qemu_with_fd()
{
	mkdir "$DIR/bin"
	cat >"$DIR/bin/qemu-system-x86_64" <<-EOT
		#!/bin/bash
		exec 9<>/dev/tcp/127.0.0.1/5011
		PATH=$PATH
		exec qemu-system-x86_64 "\$@"
	EOT
	chmod 755 "$DIR/bin/qemu-system-x86_64"
}

start_guests()
{
	local nics

	qemu_with_fd
	mapfile -t nics < <(column 2)
	PATH=$DIR/bin:$PATH guest_start a in lab -- "${nics[@]}"
	mapfile -t nics < <(column 3)
	PATH=$DIR/bin:$PATH guest_start b in lab -- "${nics[@]}"
	start_c
	guest_wait a
	guest_wait b
	guest_addresses a 1 "$(column 1 | tail -n 1)"
	guest_addresses b 2 "$(column 1 | tail -n 1)"
	guest_noise a
	guest_echo b
}

start_c()
{
	local nics

	mapfile -t nics < <(links_of_c | cut -d'|' -f2)
	GUEST_DEVICE=host_mtu=9000 guest_start c in lab -- "${nics[@]}"
}

# wait_c: it is there, and so are its addresses, each in the network of its NIC.
wait_c()
{
	[[ ! -e $DIR/c.ready ]] || return 0
	guest_wait c
	guest_nic c 1 10.0.1.3/24
	guest_nic c 2 10.0.12.3/24
	guest_nic c 3 10.0.11.3/24
	guest_nic c 4 10.0.4.3/24
}

# works NUMBER: that link.
works()
{
	guests_pass a b "$1"
	relay_check_sums "r$1"
}

@test "socket,connect on both sides: netrelay -l" {
	works 1
}

@test "socket,listen on both sides: dialled" {
	works 2
}

@test "socket,udp" {
	works 3
}

@test "socket,mcast: two segments" {
	works 4
}

@test "stream over TCP, QEMU is the client, IPv4 and IPv6" {
	works 5
}

@test "stream over TCP, QEMU is the server, IPv4 and IPv6" {
	works 6
}

@test "stream over a unix socket, QEMU is the client" {
	works 7
}

@test "stream over a unix socket, QEMU is the server" {
	works 8
}

@test "dgram over unix sockets" {
	works 9
}

@test "dgram over UDP" {
	works 10
}

@test "socket,fd and stream with a descriptor" {
	works 11
}

@test "socket,connect and stream at a server that has a bridge" {
	works 12
	guest_pings a 1400 10.0.12.254
	guest_pings b 56 10.0.12.254
	ns lab ping -c 2 -i 0.2 -W 5 -s 1400 10.0.12.1
	ns lab ping -c 2 -i 0.2 -W 5 10.0.12.2
	relay_check_sums r12
}

# c_works: every NIC of c reaches who is behind it.
c_works()
{
	guest_pings c 1400 10.0.1.1 10.0.12.1 10.0.12.254 10.0.11.1 10.0.4.254
	ns lab ping -c 1 -W 5 10.0.4.3
	relay_check_sums rc2
	relay_check_sums rc3
	relay_check_sums rc4
}

@test "a guest with jumbo frames, over streams to another" {
	wait_c
	run -0 guest c cat /sys/class/net/nic3/mtu
	assert_output 9000
	run -0 guest a ip link set nic11 mtu 9000
	guest_pings c 8000 10.0.11.1
	guest_pings a 8900 10.0.11.3
	run -0 guest a ip link set nic11 mtu 1500
	relay_check_sums rc3
	relay_check_sums r11
}

@test "QEMU killed and started again, as a client and as a server" {
	wait_c
	c_works
	kill -KILL "$(pid_of c)"
	run -137 wait_end c
	# Those who dial it have noticed.
	relay_wait_up rc2 1
	relay_wait_up rc3 1
	start_c
	wait_c
	c_works
}

@test "netrelay killed and started again under QEMUs that listen or use datagrams" {
	local number

	for number in 2 3 4 6 8 9 10; do
		kill -KILL "$(pid_of "r$number")"
		run -137 wait_end "r$number"
	done
	for number in 2 3 4 6 8 9 10; do
		start_link "$number"
		relay_wait_up "r$number" 2 10
	done
	for number in 2 3 4 6 8 9 10; do
		guest_pings a 1400 "10.0.$number.2"
		relay_check_sums "r$number"
	done
}

# has_carried RELAY MIB
has_carried()
{
	relay_status "$1" | awk -v least=$(($2 << 20)) '
		match($0, /rx [0-9]+ frames [0-9]+/) {
			split(substr($0, RSTART, RLENGTH), word, " ")
			sum += word[4]
		}
		END { exit sum < least }'
}

# With LONG=1, 1 GiB and 20 times. Each time something was on its way; the guests' TCP sends
# that again.
#
#   a nic2 <--- r2 ---> nic2 b
@test "a file goes from guest to guest, while netrelay is killed and started again" {
	local mib=16 kills=4 make

	[[ ! ${LONG-} ]] || mib=1024 kills=20
	make="for n in \$(seq $((mib * 2))); do echo \$n; cat /tmp/data; done"
	# Without a stdin that lasts, nc would be the first to end.
	guest b "rm -f /tmp/sum; (sleep 1000 | nc -l -p 8 | md5sum >/tmp/sum) >/dev/null 2>&1 &"
	guest a "($make | nc 10.0.2.2 8) >/dev/null 2>&1 </dev/null &"
	for _ in $(seq "$kills"); do
		wait_for 120 "some of it" has_carried r2 $((mib / (kills + 1)))
		kill -KILL "$(pid_of r2)"
		run -137 wait_end r2
		start_link 2
		relay_wait_up r2 2 10
	done
	GUEST_LIMIT=300 run -0 guest b "until [ -s /tmp/sum ]; do sleep 1; done; cat /tmp/sum"
	made=$(GUEST_LIMIT=300 guest a "($make) | md5sum")
	echo "# $mib MiB, $kills times: ${output%% *}, ${made%% *}" >&3
	assert_equal "$output" "$made"
	relay_check_sums r2
}

# A QEMU that listens accepts one; the next waits until that has gone.
#
#   a nic2 <--- r2 ---> nic2 b
#          <- second ->
@test "a second netrelay at a QEMU that listens has its turn when the first has gone" {
	relay_start second in lab 127.0.0.1:5102 127.0.0.1:5202
	relay_wait_up second 2
	works 2
	run -0 relay_stop r2
	guest_pings a 1400 10.0.2.2
	relay_check_sums second
	run -0 relay_stop second
	start_link 2
	relay_wait_up r2 2
	works 2
}

# Frames of no bytes would stop QEMU from reading for good (see net_fill_rstate()
# and net_socket_send_dgram() in its net/), and runts are none.
@test "empty frames and runts do not get to a guest" {
	local bad=(00000000 00000001ff 0000000d +13)

	ns lab "$FRAMES" raw tcp:127.0.0.1:5001 --wait 0 "${bad[@]}"
	ns lab "$FRAMES" raw tcp:127.0.0.1:5003 --wait 0 "${bad[@]}" --split 1
	ns lab "$FRAMES" raw "unix:$DIR/b12" --wait 0 "${bad[@]}"
	wait_for 5 "runts at r1" has_dropped r1 3
	wait_for 5 "runts at r3" has_dropped r3 3
	wait_for 5 "runts at r12" has_dropped r12 3
	works 1
	works 3
	works 12
}

# has_dropped NAME COUNT: at least.
has_dropped()
{
	(($(relay_status "$1" | sed -n 's/^netrelay: status: .* dropped //p') >= $2))
}

#   netrelay --- UDP --- feed --- r1 --- a, b
@test "empty datagrams do not get to a guest" {
	relay_start feed in lab udp:127.0.0.1:5501,local=127.0.0.1:5502 127.0.0.1:5001
	relay_wait_up feed 2
	ns lab socat -u OPEN:/dev/null \
		UDP4:127.0.0.1:5502,bind=127.0.0.1:5501,shut-null
	wait_for 5 "empty datagram at feed" has_dropped feed 1
	works 1
	relay_check_sums feed
	run -0 relay_stop feed
}

# QEMU does not fill up what a guest sends; an ARP request has 42 bytes.
@test "a guest's short frames come filled up to 60 bytes" {
	start watcher in lab socat -u TCP4:127.0.0.1:5001 -
	wait_for 5 "watcher at r1" is_listed r1 "5001: 3 connected"
	run -1 guest a arping -c 1 -w 1 -I nic1 10.0.1.99
	wait_for 5 "ARP request of 60 bytes" \
		has_bytes "0000003cffffffffffff5254006e01010806[0-9a-f]{56}0{36}"
	dismiss watcher
}

is_listed()
{
	relay_status "$1" | grep -q "$2"
}

# has_bytes REGEX: what the watcher has got, in hexadecimal digits.
has_bytes()
{
	od -An -v -tx1 "$DIR/watcher.out" | tr -d ' \n' | grep -Eq "$1"
}
