#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2030,SC2031 # PATH is meant to be the test's alone
#
# vhost-user with other front ends than Debian 12's QEMU: DPDK's, a newer QEMU's, iPXE's; and
# guests that move from one netrelay to another while frames flow. What is sent beside a front
# end that dies goes on.

load ../helpers
load hosts

namespaces lab

setup()
{
	real_setup
	needs dpdk-testpmd
}

# --- DPDK -------------------------------------------------------------------

# pmd NAME MODE [OPTION...] -- PATH...: starts DPDK's testpmd, with a port at each of these
# sockets; "PATH,server=1": it listens. The address of port N is "pmd_mac N". Its memory is a
# memfd, for which no huge pages are needed, and which it could make shorter. It must not throw
# away what comes before it begins to count.
pmd()
{
	local name=$1 mode=$2 options=() devices=() number=0

	shift 2
	while [[ $1 != -- ]]; do
		options+=("$1")
		shift
	done
	for path in "${@:2}"; do
		devices+=(--vdev "net_virtio_user$number,queues=1,mac=$(pmd_mac "$number"),path=$path")
		number=$((number + 1))
	done
	RUNTIME_DIRECTORY=$DIR start "$name" in lab dpdk-testpmd --lcores=0@0-1,1@0-1 --no-pci \
		--no-huge --iova-mode=va -m 64 --no-telemetry --file-prefix="$LAB_TAG-$name" \
		"${devices[@]}" -- --forward-mode="$mode" --auto-start --total-num-mbufs=8192 \
		--no-flush-rx --stats-period=9 "${options[@]}"
}

pmd_mac()
{
	echo "02:00:00:00:00:0$(($1 + 1))"
}

# pmd_end NAME: ends it, in good order.
pmd_end()
{
	stop "$1" INT
}

# pmd_count NAME TX|RX: how many frames it has sent or received.
pmd_count()
{
	sed -n "/Accumulated/,\$s/.*$2-packets: \([0-9]*\).*/\1/p" "$DIR/$1.out"
}

# pmd_pair [OPTION...]: a testpmd whose two ports at $DIR/pmd send to each other what they can.
pmd_pair()
{
	pmd pair txonly --eth-peer="0,$(pmd_mac 1)" --eth-peer="1,$(pmd_mac 0)" "$@" -- \
		"$DIR/pmd" "$DIR/pmd"
}

has_received() # RELAY COUNT
{
	(($(received "$1") >= $2))
}

# carries RELAY COUNT: it receives so many more frames.
carries()
{
	wait_for 30 "$2 frames at $1" has_received "$1" $(($(received "$1") + $2))
}

# port_count RELAY ENDPOINT rx|tx: its frames.
port_count()
{
	relay_status "$1" | sed -n "s,^netrelay: port [0-9]* [^ ]*$2[^ ]* .*$3 \([0-9]*\) frames.*,\1,p"
}

# is_less_by ONE OTHER MOST
is_less_by()
{
	echo "# $1 of $2"
	(($1 <= $2 && $2 - $1 <= $3))
}

is_drained() # RELAY
{
	has_status "$1" "status: .* queued 0, "
}

# What is in a front end's ring when it ends is lost: 256 frames at most.
#
#   tx === relay === rx
@test "DPDK: a cable carries each of its frames" {
	local size sent

	for size in 64 1514; do
		relay_start relay in lab -v "vhost-user-listen:$DIR/a" "vhost-user-listen:$DIR/b"
		wait_listen lab unix "$DIR/b"
		pmd rx rxonly -- "$DIR/b"
		pmd tx txonly --txpkts="$size" -- "$DIR/a"
		relay_wait_up relay 2
		carries relay 300000
		pmd_end tx
		wait_for 5 "all to be sent" is_drained relay
		sent=$(port_count relay /b tx)
		run -0 drops relay queue
		assert_output 0
		pmd_end rx
		is_less_by "$sent" "$(pmd_count tx TX)" 256
		is_less_by "$(pmd_count rx RX)" "$sent" 0
		echo "# $size bytes: $sent frames" >&3
		relay_check_sums relay
		relay_stop relay
	done
}

#   pmd port 0 === relay === port 1
@test "DPDK: what two ports send each other at once is sent or counted" {
	relay_start relay in lab -v -l "vhost-user-listen:$DIR/pmd"
	wait_listen lab unix "$DIR/pmd"
	pmd both flowgen -- "$DIR/pmd" "$DIR/pmd"
	relay_wait_up relay 2
	carries relay 300000
	pmd_end both
	relay_wait_ports relay 0
	is_less_by "$(received relay)" "$(pmd_count both TX)" 512
	relay_check_sums relay
}

# lively: pings between two bridges of the relay, meanwhile.
#
#   s1: e0 10.0.0.1 - br1 === relay === br2 - e0 10.0.0.2 :s2
#                              ||
#                             pairs
lively()
{
	local n

	ns_add s1 s2
	for n in 1 2; do
		bridge_add lab "br$n"
		veth_pair "s$n" e0 lab "p$n"
		bridge_port lab "br$n" "p$n"
		ns "s$n" ip addr add "10.0.0.$n/24" dev e0
	done
	relay_start relay in lab -v -l "vhost-user-listen:$DIR/pmd" br1 br2
	wait_listen lab unix "$DIR/pmd"
	wait_ping s1 10.0.0.2
	start pings in s1 ping -i 0.1 -W 5 10.0.0.2
}

# is_lively: all of the pings were answered, but for the last one, which may be under way.
is_lively()
{
	local sent answered

	dismiss pings INT
	sent=$(sed -n 's/^\([0-9]*\) packets transmitted.*/\1/p' "$DIR/pings.out")
	answered=$(sed -n 's/.* icmp_seq=\([0-9]*\) ttl=.*/\1/p' "$DIR/pings.out")
	assert_equal "$answered" "$(seq "$(wc -l <<<"$answered")")"
	((sent - $(wc -l <<<"$answered") <= 1))
}

descriptors()
{
	find "/proc/$(pid_of "$1")/fd" -type l | wc -l
}

# pmd_kill NAME: ip netns exec becomes it.
pmd_kill()
{
	kill -KILL "$(pid_of "$1")"
	run -137 wait_end "$1"
}

# With LONG=1, 50 times.
@test "DPDK: killed again and again under full load" {
	local times=3 number open rss

	[[ ! ${LONG-} ]] || times=50
	lively
	open=$(descriptors relay)
	for number in $(seq "$times"); do
		pmd_pair --txpkts=$((number % 2 ? 64 : 1514))
		relay_wait_up relay 4
		carries relay 50000
		pmd_kill pair
		relay_wait_ports relay 2
		if ((number == 2)); then
			rss=$(rss_kib relay)
		fi
	done
	assert_equal "$(descriptors relay)" "$open"
	is_rss_below relay $((rss + 100))
	is_lively
	relay_check_sums relay
}

@test "DPDK: stopped in the middle, and going on" {
	lively
	pmd_pair
	relay_wait_up relay 4
	carries relay 50000
	kill -STOP "$(pid_of pair)"
	wait_ping s1 10.0.0.2
	kill -CONT "$(pid_of pair)"
	carries relay 50000
	pmd_end pair
	is_lively
	relay_check_sums relay
}

#   pair === relay
@test "DPDK: it listens, and netrelay is killed and started again" {
	pmd pair flowgen -- "$DIR/a,server=1" "$DIR/b,server=1"
	for _ in 1 2; do
		relay_start relay in lab -v "vhost-user:$DIR/a" "vhost-user:$DIR/b"
		relay_wait_up relay 2 20
		carries relay 50000
		relay_check_sums relay
		kill -KILL "$(pid_of relay)"
		run -137 wait_end relay
	done
	pmd_end pair
}

# --- iPXE -------------------------------------------------------------------

# offer INTERFACE ADDR DIRECTORY: what udhcpd and httpd offer to who boots there.
offer()
{
	printf '%s\n' "interface $1" "start 10.0.0.100" "end 10.0.0.110" "lease_file $3/leases" \
		"boot_file http://$2/boot.ipxe" "option subnet 255.255.255.0" >"$3/udhcpd.conf"
	printf '%s\n' '#!ipxe' "kernel vmlinuz console=ttyS0 panic=-1 quiet no_timer_check agent" \
		"initrd initrd.gz" boot >"$3/boot.ipxe"
	touch "$3/leases"
}

# netboot NAME: a machine without anything, but iPXE in its NIC.
netboot()
{
	GUEST_BOOT=net guest_start "$1" in lab -- "vhost-user,path=$DIR/vm,reconnect=1"
	guest_wait "$1"
}

# Neither its own host, that of the bridge, nor a guest completes checksums, and both send TCP
# in super-frames; iPXE takes neither.
#
#   vm1, vm2 === relay --- br0 10.0.0.1
@test "iPXE boots from a bridge, and then from the guest that has booted so" {
	local file

	guest_image
	mkdir "$DIR/www" "$DIR/guest"
	cp "$GUEST_DIR/vmlinuz" "$GUEST_DIR/initrd.gz" "$DIR/www"
	offer br0 10.0.0.1 "$DIR/www"
	offer nic1 10.0.0.2 "$DIR/guest"
	sed -i "s,$DIR/guest,/tmp," "$DIR/guest/udhcpd.conf"
	cp "$DIR/guest/udhcpd.conf" "$DIR/www/guest.conf"
	cp "$DIR/guest/boot.ipxe" "$DIR/www/guest.ipxe"
	bridge_add lab br0 10.0.0.1/24
	start dhcp in lab busybox udhcpd -f "$DIR/www/udhcpd.conf"
	start http in lab busybox httpd -f -p 10.0.0.1:80 -h "$DIR/www"
	relay_start relay in lab -v -l "vhost-user-listen:$DIR/vm" br0
	wait_listen lab unix "$DIR/vm"
	netboot vm1
	guest_nic vm1 1 10.0.0.2/24
	for file in vmlinuz initrd.gz guest.conf guest.ipxe; do
		guest vm1 "cd /tmp && wget -q http://10.0.0.1/$file"
	done
	dismiss dhcp
	dismiss http
	guest vm1 "cd /tmp && mv guest.ipxe boot.ipxe && touch leases && udhcpd guest.conf && httpd -h /tmp"
	netboot vm2
	guest_nic vm2 1 10.0.0.3/24
	guest_ping vm2 10.0.0.2 1400
	relay_check_sums relay
}

# --- a newer QEMU -----------------------------------------------------------

newer_qemu()
{
	"$REAL/newer-qemu" "$LAB_ROOT/build/real-qemu" || skip "needs QEMU of Debian's backports"
	PATH=$LAB_ROOT/build/real-qemu/bin:$PATH
}

# --- migration ----------------------------------------------------------------

# qmp_at NAME: QEMU's arguments for being asked.
qmp_at()
{
	echo "-qmp unix:$DIR/$1.qmp,server=on,wait=off"
}

# move FROM TO PATH: to a QEMU that has its NIC at PATH.
move()
{
	cp "$DIR/$1.number" "$DIR/$2.number"
	GUEST_QEMU="$(qmp_at "$2") -incoming unix:$DIR/$2.migration" \
		guest_start "$2" in lab -- "vhost-user,path=$3,reconnect-ms=100"
	wait_for 10 "QEMU $2" test -S "$DIR/$2.migration"
	"$LAB_ROOT/itest/qmp" "$DIR/$1.qmp" migrate "unix:$DIR/$2.migration"
	# It is there already, and what it was asked before it does not do again.
	cp "$DIR/$1.serial" "$DIR/$2.serial"
	touch "$DIR/$2.ready"
	guest_stop "$1"
}

# announced FILE: how many frames in that capture say where the guest is now: RARP, which the
# relay sends for it, as it does not do so itself.
announced()
{
	tshark -n -r "$1" -Y 'eth.type == 0x8035 && frame.packet_flags_direction == 2 &&
		frame.interface_name contains "one#1"' 2>/dev/null | wc -l
}

# What came from the network is in the guest's memory, and moves with it. Before QEMU 9.0, what a
# guest without KVM writes meanwhile may stay behind, and the guest ends in a panic.
#
#   vm, then vm3 === one --- trunk --- two === vm2
#          peer ===
@test "live migration to another netrelay and back, while frames flow" {
	local sum lost

	newer_qemu
	relay_start two in lab -v -l 127.0.0.1:5000 -l "vhost-user-listen:$DIR/two"
	wait_listen lab tcp 5000
	relay_start one in lab -v --capture "$DIR/one.pcapng,snap=60" -l "vhost-user-listen:$DIR/one" \
		trunk:127.0.0.1:5000
	wait_listen lab unix "$DIR/one"
	guest_start peer in lab -- "vhost-user,path=$DIR/one,reconnect-ms=100"
	wait_port one "unix:$DIR/one#1: "
	export GUEST_DEVICE=guest_announce=off
	GUEST_QEMU=$(qmp_at vm) guest_start vm in lab -- "vhost-user,path=$DIR/one,reconnect-ms=100"
	guest_wait peer
	guest_wait vm
	guest_nic peer 1 10.0.0.1/24
	guest_nic vm 1 10.0.0.2/24
	guest_noise vm
	guest_echo peer
	guest vm "ping -i 0.1 10.0.0.1 >/tmp/pings 2>&1 &"
	guest vm "(for n in \$(seq 64); do cat /tmp/data; done | nc 10.0.0.1 7 | md5sum >/tmp/sum) 2>/dev/null &"
	move vm vm2 "$DIR/two"
	move vm2 vm3 "$DIR/one"
	run -0 guest vm3 "until [ -s /tmp/sum ]; do sleep 0.1; done; cat /tmp/sum"
	sum=$(guest vm3 "for n in \$(seq 64); do cat /tmp/data; done | md5sum")
	assert_equal "$output" "$sum"
	guest vm3 "killall -INT ping; until grep received /tmp/pings; do sleep 0.1; done" >"$DIR/pings"
	lost=$(awk '/received/ { print $1 - $4 }' "$DIR/pings")
	echo "# pings: $(cat "$DIR/pings")" >&3
	((lost <= 10))
	relay_check_sums one
	relay_check_sums two
	relay_stop one
	(($(announced "$DIR/one.pcapng") >= 2))
}

# --- interrupts ---------------------------------------------------------------

# Interrupts of QEMU 7.2 go another way (guests.bash has why).
#
#   a, b === relay
@test "a newer QEMU's guests, with MSI-X" {
	newer_qemu
	relay_start relay in lab -v -l "vhost-user-listen:$DIR/relay"
	wait_listen lab unix "$DIR/relay"
	guest_start a in lab -- "vhost-user,path=$DIR/relay,reconnect-ms=100"
	guest_start b in lab -- "vhost-user,path=$DIR/relay,reconnect-ms=100"
	guest_wait a
	guest_wait b
	guest_addresses a 1 1
	guest_addresses b 2 1
	guest_noise a
	guest_echo b
	guests_pass a b 1
	run -0 guest a "grep virtio /proc/interrupts"
	assert_output --partial PCI-MSI
	kill -KILL "$(pid_of relay)"
	run -137 wait_end relay
	relay_start relay in lab -v -l "vhost-user-listen:$DIR/relay"
	relay_wait_up relay 2
	guests_pass a b 1
	relay_check_sums relay
}
