#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
#
# Sealed trunks over UDP: what is lost, repeated, changed or too long on the way, peers whose
# address changes, and who gets an answer.

load helpers

# pub NAME: its public key.
pub()
{
	cat "$DIR/$1.pub"
}

setup()
{
	local name

	common_setup
	"$NETRELAY" --version | grep -q 'left out:.*keys' && skip "this netrelay has no keys"
	for name in h1 h2 h3; do
		(umask 077 && "$NETRELAY" genkey >"$DIR/$name.key")
		"$NETRELAY" pubkey <"$DIR/$name.key" >"$DIR/$name.pub"
	done
	echo "$(pub h2) site-b" >"$DIR/peers"
}

# listen ARGS...: one listens at h1, for the peers.
listen()
{
	one --ctl "$DIR/one.ctl" --key "$DIR/h1.key" --peers "$DIR/peers" "$@"
	wait_listen h1 udp 5000
}

# sites: two sites with a bridge and a station each, joined.
sites()
{
	bridged_hosts
	listen -l 5000,udp br0
	two --key "$DIR/h2.key" "trunk:192.0.2.1:5000,udp,peer=$(pub h1)${1-}" br0
	wait_for 10 "an answer" ns s1 ping -c 1 -W 1 10.0.0.2
}

# flow [ARGS...]: TCP from s2 to s1 for some seconds.
flow()
{
	start server in s1 iperf3 -s -1
	wait_listen s1 tcp 5201
	run -0 ns s2 timeout 60 iperf3 -c 10.0.0.1 -t 3 "$@"
	wait_end server
}

status()
{
	timeout 10 "$NETRELAY" ctl "$DIR/one.ctl" status
}

# again FILE [flip]: sends what tcpdump wrote there, to UDP port 5000, once more; with a bit
# of each flipped.
again()
{
	ns h2 timeout 20 python3 - "$@" <<-'EOT'
		import socket, struct, sys
		data = open(sys.argv[1], 'rb').read()
		raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
		at, n = 24, 0
		while at + 16 <= len(data):
		    size = struct.unpack('<I', data[at + 8:at + 12])[0]
		    ip = bytearray(data[at + 16 + 14:at + 16 + size])
		    at += 16 + size
		    ip = ip[:struct.unpack('!H', ip[2:4])[0]]
		    if ip[9] != 17 or ip[22:24] != b'\x13\x88':
		        continue
		    ip[26:28] = b'\0\0'
		    if len(sys.argv) > 2:
		        bit = n * 37 % (8 * (len(ip) - 28))
		        ip[28 + bit // 8] ^= 1 << bit % 8
		    try:
		        raw.sendto(bytes(ip), ('192.0.2.1', 0))
		        n += 1
		    except OSError:
		        pass
		print(n)
	EOT
}

# record FILE COMMAND...: with what h2 sends to UDP port 5000 meanwhile.
record()
{
	start wire in h2 tcpdump --immediate-mode -i l0 -U -w "$1" udp dst port 5000
	wait_for 10 "tcpdump to listen" grep -q 'listening on' "$DIR/wire.err"
	"${@:2}"
	stop wire
}

refused_more_than() # COUNT
{
	local n

	n=$(status | sed -n 's/.*not-genuine \([0-9]*\).*/\1/p')
	((${n:-0} > $1))
}

# flows_in_super_frames RELAY [ARGS...]: whether a flow's frames have four segments or more, on
# average, at that relay's bridge. They may have fewer while the host is so busy that the flow
# has to begin slowly, again and again.
flows_in_super_frames()
{
	local units bytes units_before bytes_before

	read -r units_before bytes_before < <(sent_to "$1" br0)
	flow "${@:2}" || return
	read -r units bytes < <(sent_to "$1" br0)
	((units - units_before < (bytes - bytes_before) / 1514 / 4))
}

@test "two sites are one network over UDP, and super-frames cross it in slices" {
	hosts
	sites
	run -0 ns s1 ping -c 3 -i 0.1 -s 20000 10.0.0.2
	assert_output --partial ' 0% packet loss'
	wait_for 60 "a flow in super-frames" flows_in_super_frames one
	wait_for 60 "another one back" flows_in_super_frames two -R
	relay_check_sums one
	relay_check_sums two
	run -0 status
	assert_output --partial "sealed: "
	assert_output --partial "for $(pub h2)"
	refute_output --partial 'malformed'
	relay_check_sums one
	relay_check_sums two
}

@test "frames of all lengths stay in order, both ways" {
	local from to

	hosts
	listen -l 5000,udp -l tcp-listen:127.0.0.1:5001,plain
	two --key "$DIR/h2.key" "trunk:192.0.2.1:5000,udp,peer=$(pub h1)" -l 127.0.0.1:5001
	relay_wait_up one 1
	for to in h1 h2; do
		from=$([[ $to == h1 ]] && echo h2 || echo h1)
		frames_start "$to" in "$to" recv tcp:127.0.0.1:5001 --count 1000
		relay_wait_up "$([[ $to == h1 ]] && echo one || echo two)" 2
		run -0 ns "$from" "$FRAMES" send tcp:127.0.0.1:5001 --count 1000 --max 9000 --rate 1000
		run -0 frames_wait "$to"
		assert_output --partial 'received 1000'
		assert_output --partial 'reordered 0'
	done
	relay_check_sums one
}

@test "over IPv6, and with an address of the listener's" {
	hosts
	listen -l '[2001:db8:1::1]:5000,udp' -l 127.0.0.1:5001
	two --key "$DIR/h2.key" "trunk:[2001:db8:1::1]:5000,udp,peer=$(pub h1)" -l 127.0.0.1:5001
	relay_wait_up one 1
}

@test "nobody but a peer is told that somebody listens" {
	hosts
	listen -l 5000,udp
	start wire in h1 tcpdump --immediate-mode -i l0 -U -w "$DIR/wire.pcap" udp src port 5000
	wait_for 10 "tcpdump to listen" grep -q 'listening on' "$DIR/wire.err"
	ns h2 python3 -c 'import socket, os
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for n in (0, 1, 8, 12, 40, 64, 148, 172, 180, 1400):
    for type in range(8):
        s.sendto(bytes([type, 0, 0, 0]) + os.urandom(n), ("192.0.2.1", 5000))'
	# One whose key is not in the list, and one that knows another key of ours
	two --key "$DIR/h3.key" "trunk:192.0.2.1:5000,udp,peer=$(pub h1)" -l 127.0.0.1:5001
	wait_for 10 "a refusal" has_logged one 'refused: its key .* is not in .*peers; add it there'
	wait_for 10 "the reason" has_logged two 'no answer; does netrelay listen there with ,udp'
	relay_stop two
	two --key "$DIR/h2.key" "trunk:192.0.2.1:5000,udp,peer=$(pub h3)" -l 127.0.0.1:5001
	wait_for 10 "the reason" has_logged two 'no answer'
	run -0 status
	assert_output --partial 'switch, 0 ports'
	stop wire
	run -0 stat -c %s "$DIR/wire.pcap"
	assert_output 24
}

@test "what was recorded and sent again, or changed, is refused, and the trunk lives" {
	hosts
	sites
	record "$DIR/again.pcap" ns s2 ping -q -c 200 -i 0.005 10.0.0.1
	run -0 again "$DIR/again.pcap"
	((output >= 200)) || { echo "sent again: $output"; false; }
	wait_for 10 "refusals" refused_more_than 199
	run -0 again "$DIR/again.pcap" flip
	wait_for 10 "refusals" refused_more_than 380
	run -0 ns s1 ping -c 10 -i 0.05 10.0.0.2
	assert_output --partial ' 0% packet loss'
	run -1 has_logged one 'site-b .*: (down|.*trying again|.*is at)'
}

@test "a handshake that was recorded makes no port, also after a restart" {
	hosts
	listen -l 5000,udp
	record "$DIR/hello.pcap" two --key "$DIR/h2.key" \
		"trunk:192.0.2.1:5000,udp,peer=$(pub h1)" -l 127.0.0.1:5001
	relay_wait_up one 1
	relay_stop two
	relay_stop one
	listen -l 5000,udp
	run -0 again "$DIR/hello.pcap"
	run -0 status
	assert_output --partial 'switch, 0 ports'
}

@test "a peer whose address changes is followed" {
	hosts
	sites
	ns h2 ip addr add 192.0.2.9/24 dev l0
	ns h2 ip addr del 192.0.2.2/24 dev l0
	ns h2 ip addr show dev l0 | grep -q 192.0.2.9 || ns h2 ip addr add 192.0.2.9/24 dev l0
	wait_for 10 "an answer" ns s2 ping -c 1 -W 1 10.0.0.1
	wait_for 5 "the news" has_logged one 'the peer is at 192.0.2.9:'
	flow
	run -1 has_logged two 'trying again'
}

# r: between h1 (192.0.2.1) and h2, which it hides behind 192.0.2.254.
routed()
{
	ns_add h1 h2 r
	veth_pair h1 l0 r r1 192.0.2.1/24 192.0.2.254/24
	veth_pair h2 l0 r r2 198.51.100.2/24 198.51.100.254/24
	ns h2 ip route add default via 198.51.100.254
	ns r sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward'
	# The rules are to see each datagram, as they are behind a real interface.
	ns h1 ethtool -K l0 tx-udp-segmentation off
	ns h2 ethtool -K l0 tx-udp-segmentation off
	ns r nft -f - <<-'EOT'
		table ip nat {
			chain out {
				type nat hook postrouting priority srcnat
				oifname r1 masquerade random
			}
		}
		table ip filter {
			chain way {
				type filter hook forward priority filter
			}
		}
	EOT
}

@test "through a router that translates addresses, and forgets them" {
	routed
	sites ,keepalive=2
	wait_for 5 "the news" has_logged one 'site-b .192.0.2.254:'
	ns r nft flush table ip nat
	ns r nft add rule ip nat out oifname r1 meta l4proto udp masquerade to :40000-40010
	ns r sh -c 'ip link set r1 down; ip link set r1 up'
	wait_for 20 "an answer" ns s2 ping -c 1 -W 1 10.0.0.1
	wait_for 20 "an answer" ns s1 ping -c 1 -W 1 10.0.0.2
	run -0 has_logged one 'the peer is at 192.0.2.254:400'
}

@test "the path's MTU is found, also when it becomes less and nobody says so" {
	routed
	ns r ip link set r1 mtu 1300
	ns h1 ip link set l0 mtu 1300
	# No ICMP says so.
	ns r nft add chain ip filter said '{ type filter hook output priority filter; }'
	ns r nft add rule ip filter said icmp type destination-unreachable drop
	sites
	flow
	run -0 ns s1 ping -c 3 -i 0.1 -s 1400 -M 'do' 10.0.0.2
	assert_output --partial ' 0% packet loss'
	ns r nft add rule ip filter way ip length '>' 1270 drop
	wait_for 30 "long frames to pass" ns s1 ping -c 2 -i 0.1 -W 1 -s 1400 -M 'do' 10.0.0.2
	flow
}

@test "where packets are lost, frames are, and nothing stalls" {
	routed
	ns r nft add rule ip filter way meta l4proto udp numgen random mod 100 '<' 2 drop
	sites
	run -0 ns s1 ping -q -c 300 -i 0.005 10.0.0.2
	flow
	relay_wait_up one 2
	run -1 has_logged two 'trying again'
}

@test "a dead peer is found out, and comes back by itself" {
	hosts
	listen -l 5000,udp,dead=5
	two --key "$DIR/h2.key" "trunk:192.0.2.1:5000,udp,peer=$(pub h1),dead=5" -l 127.0.0.1:5001
	relay_wait_up one 1
	ns h2 ip link set l0 down
	wait_for 10 "the end" has_logged one 'site-b .*: the peer has not answered for 5 s'
	wait_for 10 "the end" has_logged two 'the peer has not answered for 5 s'
	ns h2 ip link set l0 up
	relay_wait_up one 1 20
	# A listener that starts anew knows no keys.
	relay_stop one
	listen -l 5000,udp,dead=5
	relay_wait_up one 1 20
}

@test "a listener that was restarted is found again within 5 s, if there is something to send" {
	local at

	hosts
	sites
	start pings in s2 ping -i 0.1 10.0.0.1
	relay_stop one
	listen -l 5000,udp br0
	at=$(_now_us)
	wait_for 10 "an answer" ns s1 ping -c 1 -W 1 10.0.0.2
	echo "# after $((($(_now_us) - at) / 1000)) ms" >&3
	# Long before it is given up, which is after 15 s.
	assert [ $(($(_now_us) - at)) -lt 11000000 ]
	# What came before was of no link.
	run -0 status
	assert_output --regexp 'refused: stray [1-9]'
	# It was the same link for who has dialled.
	run -1 has_logged two 'trying again'
	dismiss pings INT
}

@test "max, per-address and accept-rate count peers, and others are not answered" {
	hosts
	echo "$(pub h3) site-c" >>"$DIR/peers"
	listen -l 5000,udp,max=1
	two --key "$DIR/h2.key" "trunk:192.0.2.1:5000,udp,peer=$(pub h1)" -l 127.0.0.1:5001
	relay_wait_up one 1
	relay_start three in h2 --key "$DIR/h3.key" "trunk:192.0.2.1:5000,udp,peer=$(pub h1)" \
		-l 127.0.0.1:5003
	wait_for 10 "a refusal" has_refused 'max [1-9]'
	run -0 status
	assert_output --partial 'switch, 1 ports'
	run -1 has_logged one 'refused:'
}

has_refused()
{
	status | grep -Eq "refused: .*$1"
}

@test "--wait waits for the address, and a socket of the service manager is used" {
	hosts
	one --ctl "$DIR/one.ctl" --wait --key "$DIR/h1.key" --peers "$DIR/peers" \
		-l 192.0.2.7:5000,udp -l 127.0.0.1:5001
	wait_for 5 "words" has_logged one '192.0.2.7:5000,udp: listen: .*; trying again'
	ns h1 ip addr add 192.0.2.7/24 dev l0
	two --key "$DIR/h2.key" "trunk:192.0.2.7:5000,udp,peer=$(pub h1)" -l 127.0.0.1:5001
	relay_wait_up one 1 20
	relay_stop one
	start one in h1 "$LAB_ROOT/itest/manager" pass s=udp:192.0.2.7:5000 -- \
		"$NETRELAY" -v --ctl "$DIR/one.ctl" --key "$DIR/h1.key" --peers "$DIR/peers" \
		-l 192.0.2.7:5000,udp
	wait_for 5 "words" has_logged one "listening at the service manager's socket"
	relay_wait_up one 1 20
}

#              /--- l2, 2 Mbit/s and long queues --- h2, s2
#  s1 --- h1 -<
#              \--- l3 ----------------------------- h3, s3
@test "a peer behind a slow way does not keep another one waiting" {
	local n ms

	needs_tun
	echo "$(pub h3) site-c" >>"$DIR/peers"
	ns_add h1 h2 h3 s1 s2 s3
	veth_pair h1 l2 h2 l0 192.0.2.1/24 192.0.2.2/24
	veth_pair h1 l3 h3 l0 198.51.100.1/24 198.51.100.2/24
	for n in 1 2 3; do
		veth_pair "s$n" e0 "h$n" p0
		bridge_add "h$n" br0
		ns "h$n" ip link set p0 master br0
		ns "s$n" ip addr add "10.0.0.$n/24" dev e0
	done
	ns h1 tc qdisc add dev l2 root tbf rate 2mbit burst 10kb limit 30000000
	listen -l 5000,udp br0
	two --key "$DIR/h2.key" "trunk:192.0.2.1:5000,udp,peer=$(pub h1)" br0
	relay_start three in h3 --key "$DIR/h3.key" "trunk:198.51.100.1:5000,udp,peer=$(pub h1)" br0
	wait_for 10 "an answer" ns s1 ping -c 1 -W 1 10.0.0.2
	wait_for 10 "an answer" ns s1 ping -c 1 -W 1 10.0.0.3
	# Its answers would have to wait, too.
	ns s1 ip neigh replace 10.0.0.2 dev e0 \
		lladdr "$(ns s2 cat /sys/class/net/e0/address)"
	start flood in s1 python3 -c 'import socket, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
while True:
    for _ in range(10):
        try:
            s.sendto(bytes(1400), ("10.0.0.2", 7000))
        except OSError:
            pass
    time.sleep(0.002)'
	wait_for 20 "frames that are dropped" is_congested
	run -0 ns s1 ping -q -c 30 -i 0.05 10.0.0.3
	ms=$(sed -nE 's|.*= [0-9.]*/([0-9]*).*|\1|p' <<<"$output")
	echo "# $ms ms there and back on average" >&3
	assert [ "$ms" -lt 300 ]
	dismiss flood KILL
}

is_congested()
{
	status | grep -Eq 'drops: .*queue [1-9]'
}

@test "a peer that is struck is cut off, and may come back when it is entered again" {
	hosts
	listen -l 5000,udp
	two --key "$DIR/h2.key" "trunk:192.0.2.1:5000,udp,peer=$(pub h1)" -l 127.0.0.1:5001
	relay_wait_up one 1
	echo "# nobody" >"$DIR/peers.new"
	mv "$DIR/peers.new" "$DIR/peers"
	kill -HUP "$(pid_of one)"
	wait_for 10 "the end" has_logged one 'site-b .*: its key was taken out of the peers file'
	wait_for 20 "a refusal" has_logged one 'refused: its key'
	echo "$(pub h2) site-b" >"$DIR/peers.new"
	mv "$DIR/peers.new" "$DIR/peers"
	relay_wait_up one 1 20
}

@test "a peer that starts again keeps its port" {
	hosts
	listen -l 5000,udp
	two --key "$DIR/h2.key" "trunk:192.0.2.1:5000,udp,peer=$(pub h1)" -l 127.0.0.1:5001
	relay_wait_up one 1
	relay_stop two
	two --key "$DIR/h2.key" "trunk:192.0.2.1:5000,udp,peer=$(pub h1)" -l 127.0.0.1:5001
	wait_for 10 "the news" has_logged one 'the peer is at'
	run -0 status
	assert_output --partial 'switch, 1 ports'
}
