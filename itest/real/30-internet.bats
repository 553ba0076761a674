#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
#
# Programs that give a guest the network that any program of this host has,
# without a right. The guest is a tap here:
#
#   guest: e0 --- netrelay --- unix --- netrelay --- program :home
#                                                    l0 192.0.2.1 --- l0 192.0.2.254 :world
#                                                                        198.51.100.1

load ../helpers
load hosts

namespaces guest home world

WORLD=198.51.100.1

setup()
{
	real_setup
	veth_pair home l0 world l0 192.0.2.1/24 192.0.2.254/24
	ns home ip route add default via 192.0.2.254
	ns world ip addr add "$WORLD/32" dev lo
	# Pings by whoever has no right.
	ns home sh -c 'echo 0 2147483647 >/proc/sys/net/ipv4/ping_group_range'
	# Where nobody, whom root's programs become, may make sockets.
	sockets=$(mktemp -d)
	chmod 777 "$sockets"
}

teardown()
{
	common_teardown
	rm -rf "$sockets"
}

# relay ENDPOINT: in home.
relay()
{
	relay_start relay in home -v "unix-listen:$DIR/guest.sock" "$1"
	wait_listen home unix "$DIR/guest.sock"
}

# guest_tap ADDR/LEN GATEWAY
guest_tap()
{
	relay_start guest in guest -v tap:e0 "unix:$DIR/guest.sock,pad=0"
	address guest e0 "$1"
	ns guest ip route add default via "$2"
}

# --- passt ------------------------------------------------------------------

# It takes the host's address for the guest's.
passt_guest()
{
	guest_tap 192.0.2.1/24 192.0.2.254
	wait_ping guest "$WORLD"
}

# Debian 12's takes a padded acknowledgement for none, here and below.
@test "passt as a command of the relay's" {
	needs passt
	in_manual "netrelay -l 5000 'exec:exec passt -f -F 0'"
	relay 'exec:exec passt -f -F 0'
	passt_guest
	tcp_passes guest world "$WORLD"
	ns guest ping -c 3 -i 0.1 -W 2 -s 1400 "$WORLD"
}

@test "passt at its own socket, TCP both ways, and a new relay" {
	needs passt
	in_manual "netrelay -l 5000 unix:/run/passt.sock,pad=0"
	start passt in home passt -q -f -s "$sockets/passt" -t 7001
	wait_listen home unix "$sockets/passt"
	relay "unix:$sockets/passt,pad=0"
	passt_guest
	tcp_passes guest world "$WORLD"
	tcp_passes world guest 192.0.2.1 7001
	relay_stop relay
	relay "unix:$sockets/passt,pad=0"
	wait_ping guest "$WORLD"
	tcp_passes guest world "$WORLD"
	tcp_passes world guest 192.0.2.1 7001
}

@test "a virtual machine whose network is passt's" {
	needs passt qemu-system-x86_64 python3
	start passt in home passt -q -f -s "$sockets/passt"
	wait_listen home unix "$sockets/passt"
	relay_start relay in home -v -l 127.0.0.1:5000 "unix:$sockets/passt,pad=0"
	wait_listen home tcp 5000
	head -c 300000 /dev/urandom >"$DIR/file"
	start web in world python3 -m http.server --directory "$DIR" 8000
	wait_listen world tcp 8000
	guest_start vm in home -- socket,connect=127.0.0.1:5000
	guest_wait vm
	guest vm "ip link set nic1 up && udhcpc -i nic1 -n -q -f -s /bin/true 2>&1" | tee "$DIR/lease"
	grep -q 'lease of 192.0.2.1 obtained' "$DIR/lease"
	guest_nic vm 1 192.0.2.1/24
	guest vm ip route add default via 192.0.2.254
	guest_ping vm "$WORLD"
	run guest vm "wget -q -O - http://$WORLD:8000/file | wc -c"
	assert_output 300000
}

# --- slirp4netns ------------------------------------------------------------

# What it makes in a namespace of its own, where rootless podman has its
# containers, is a tap. A bridge joins that and ours:
#
#   guest: e0 --- netrelay --- unix --- netrelay --- netrelay0 - br0 - sl0 :inner
#                                                                       |
#                                       l0 192.0.2.1 - slirp4netns :home
@test "slirp4netns, whose tap is on a bridge, and a new relay" {
	needs slirp4netns
	ns_add inner
	start slirp in home slirp4netns --mtu=1500 --netns-type=path \
		"/run/netns/$(ns_name inner)" sl0
	wait_for 10 "slirp4netns" ns inner ip link show sl0
	bridge_add inner br0
	bridge_port inner br0 sl0
	relay_start relay in inner -v "unix-listen:$DIR/guest.sock" br0
	wait_listen inner unix "$DIR/guest.sock"
	guest_tap 10.0.2.100/24 10.0.2.2
	wait_ping guest 10.0.2.2
	tcp_passes guest world "$WORLD"
	relay_stop relay
	relay_start relay in inner -v "unix-listen:$DIR/guest.sock" br0
	wait_ping guest 10.0.2.2
	tcp_passes guest world "$WORLD"
}

# --- slirp ------------------------------------------------------------------

@test "slirp of a VDE switch" {
	needs vde_switch vde_plug slirpvde
	START_IN=hold start switch vde_switch -s "$DIR/switch"
	wait_for 5 "VDE switch" test -S "$DIR/switch/ctl"
	START_IN=hold start slirp in home slirpvde -s "$DIR/switch"
	relay udp:127.0.0.1:5002,local=127.0.0.1:5001
	start plug in home "$REAL/again" vde_plug "vde://$DIR/switch" "udp://127.0.0.1:5002->127.0.0.1:5001"
	guest_tap 10.0.2.15/24 10.0.2.2
	wait_ping guest 10.0.2.2
	tcp_passes guest world "$WORLD"
}
