#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
#
# Other programs that carry frames. On netrelay's side is a tap with an address,
# on the other one, too:
#
#   near: nr0 10.0.0.1 --- netrelay --- program --- e0 10.0.0.2 :far
#         l0 192.0.2.1 ============================ l0 192.0.2.2

load ../helpers
load hosts

namespaces near far

setup()
{
	real_setup
	wire near far
}

# relay ENDPOINT: from nr0 to there.
relay()
{
	relay_start relay in near -v tap:nr0 "$1"
	address near nr0 10.0.0.1/24
}

# relay_again ENDPOINT: a new one in place of the old.
relay_again()
{
	relay_check_sums relay
	relay_stop relay
	relay "$1"
}

ends_pass()
{
	passes near 10.0.0.1 far 10.0.0.2
}

@test "socat's tap behind UDP, and a new relay" {
	needs socat

	start socat in far socat TUN:10.0.0.2/24,tun-type=tap,tun-name=e0,iff-no-pi,iff-up \
		UDP-DATAGRAM:192.0.2.1:5001,bind=192.0.2.2:5002
	relay udp:192.0.2.2:5002,local=5001
	ends_pass
	relay_again udp:192.0.2.2:5002,local=5001
	ends_pass
	relay_check_sums relay
}

@test "socat between a stream and another, and a new socat" {
	needs socat

	relay_start far in far -v tap:e0 tcp-listen:192.0.2.2:5002
	wait_listen far tcp 5002
	start socat in near socat TCP-LISTEN:5001,bind=127.0.0.1,reuseaddr TCP:192.0.2.2:5002
	wait_listen near tcp 5001
	relay 127.0.0.1:5001
	address far e0 10.0.0.2/24
	ends_pass
	dismiss socat
	start socat in near socat TCP-LISTEN:5001,bind=127.0.0.1,reuseaddr TCP:192.0.2.2:5002
	ends_pass
}

@test "a VDE switch, by vde_plug's UDP, and a new relay" {
	needs vde_switch vde_plug
	in_manual "netrelay -l 5000 udp:127.0.0.1:5002,local=5001"
	in_manual "vde_plug /run/vde.ctl 'udp://5002->127.0.0.1:5001'"
	START_IN=hold start switch vde_switch -s "$DIR/switch"
	wait_for 5 "VDE switch" test -S "$DIR/switch/ctl"
	start plug-tap in far vde_plug "vde://$DIR/switch" tap://e0
	# It ends when nobody is there to take what it sends.
	start plug-udp in far "$REAL/again" vde_plug "vde://$DIR/switch" \
		"udp://192.0.2.2:5002->192.0.2.1:5001"
	address far e0 10.0.0.2/24
	relay udp:192.0.2.2:5002,local=5001
	ends_pass
	relay_again udp:192.0.2.2:5002,local=5001
	ends_pass
}

@test "vde_plug as a command, which frames otherwise: what would do is said" {
	needs vde_switch vde_plug
	START_IN=hold start switch vde_switch -s "$DIR/switch"
	wait_for 5 "VDE switch" test -S "$DIR/switch/ctl"
	start plug-tap in far vde_plug "vde://$DIR/switch" tap://e0
	address far e0 10.0.0.2/24
	relay "exec:exec vde_plug vde://$DIR/switch"
	# Frames come; the first word of them is no length.
	ns far ping -c 2 -i 0.2 -W 1 10.0.0.1 || true
	wait_for 10 "the message" grep -q "vde_plug's udp://" "$DIR/relay.err"
	is_running relay
}

# --- stand-ins --------------------------------------------------------------

@test "GNS3's ubridge and dynamips, as a stand-in does, and a new relay" {
	start ubridge in far "$REAL/stand-in" ubridge e0 5002 192.0.2.1 5001
	relay udp:192.0.2.2:5002,local=5001
	address far e0 10.0.0.2/24
	ends_pass
	relay_again udp:192.0.2.2:5002,local=5001
	ends_pass
}

@test "a QEMU that dials again, as a stand-in does, and a new relay" {
	start qemu in far "$REAL/stand-in" qemu e0 192.0.2.1 5001
	relay tcp-listen:5001
	address far e0 10.0.0.2/24
	ends_pass
	relay_again tcp-listen:5001
	ends_pass
}

@test "vrnetlab's xcon, as a stand-in does, and a new relay" {
	relay_start far in far -v tap:e0 tcp-listen:10001
	relay tcp-listen:10001
	wait_listen near tcp 10001
	wait_listen far tcp 10001
	address far e0 10.0.0.2/24
	start xcon in near "$REAL/again" "$REAL/stand-in" xcon 127.0.0.1 10001 192.0.2.2 10001
	ends_pass
	relay_again tcp-listen:10001
	ends_pass
}

@test "gvproxy, which answers the sender's address, as a stand-in does" {
	# Its own would go with it.
	ns far ip tuntap add e0 mode tap
	address far e0 10.0.0.2/24
	start gvproxy in far "$REAL/again" "$REAL/stand-in" gvproxy e0 "$DIR/gvproxy"
	wait_listen far unixgram "$DIR/gvproxy"
	relay "unixgram:$DIR/gvproxy,local=$DIR/guest"
	ends_pass
	relay_again "unixgram:$DIR/gvproxy,local=$DIR/guest"
	ends_pass
}

# socat makes a pair of sockets for each of the two, and hands messages on.
@test "vde_plug's seqpacket, a message a frame" {
	needs socat vde_plug
	start far in far "$NETRELAY" tap:e0 tcp-listen:192.0.2.2:5002
	printf '#!/bin/sh\nexec %s\n' "'$NETRELAY' -v fd:3 192.0.2.2:5002" >"$DIR/relay"
	printf '#!/bin/sh\nexec %s\n' "vde_plug seqpacket://3 tap://nr0" >"$DIR/plug"
	chmod +x "$DIR/relay" "$DIR/plug"
	start near in near socat "EXEC:$DIR/relay,type=5,fdin=3,fdout=3" \
		"EXEC:$DIR/plug,type=5,fdin=3,fdout=3"
	address near nr0 10.0.0.1/24
	address far e0 10.0.0.2/24
	ends_pass
}
