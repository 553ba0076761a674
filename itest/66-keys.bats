#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
#
# Sealed trunks: keys and peers, as a user has them; who may come and who may not; what others
# on the wire see; and what becomes of a peer that is struck, or comes twice.

load helpers

# keys NAME...: a key pair for each, NAME.key and NAME.pub.
keys()
{
	local name

	cd "$DIR" || return
	for name; do
		(umask 077 && "$NETRELAY" genkey >"$name.key")
		"$NETRELAY" pubkey <"$name.key" >"$name.pub"
	done
}

pub()
{
	cat "$DIR/$1.pub"
}

# peers LINE...: what the peers file has.
peers()
{
	printf '%s\n' "$@" >"$DIR/peers.new"
	mv "$DIR/peers.new" "$DIR/peers"
}

# listen ARGS...: one listens at h1, for the peers.
listen()
{
	one --ctl "$DIR/one.ctl" --key "$DIR/h1.key" --peers "$DIR/peers" "$@" -l 5000
	wait_listen h1 tcp 5000
}

# dial ARGS...: two of h2 dials it.
dial()
{
	two --key "$DIR/h2.key" -l 127.0.0.1:5001 "$@" "trunk:192.0.2.1:5000,peer=$(pub h1)"
}

# ask COMMAND...: of one's control socket.
ask()
{
	timeout 10 "$NETRELAY" ctl "$DIR/one.ctl" "$@"
}

# fields NAME...: these members of each port of one's status.
fields()
{
	ask status --json | python3 -c 'import json, sys
for port in json.load(sys.stdin)["ports"]:
    print(*(json.dumps(port[name]) for name in sys.argv[1:]))' "$@"
}

setup()
{
	common_setup
	keys h1 h2 h3
	peers "$(pub h2) site-b"
}

@test "two sites are one network, and the wire shows nothing of it" {
	hosts
	bridged_hosts
	start wire in h1 tcpdump -Z root -i l0 -U -w "$DIR/wire.pcap" tcp port 5000
	wait_for 10 "tcpdump to listen" grep -q 'listening on' "$DIR/wire.err"
	listen br0
	dial br0
	wait_for 10 "an answer" ns s1 ping -c 1 -W 1 10.0.0.2
	run -0 ns s1 ping -c 5 -i 0.1 -p 6e657472656c6179 10.0.0.2
	run -0 ask status
	assert_line --regexp '^ +[0-9]+ site-b +5000 '
	assert_line --regexp 'sealed: (AES-256-GCM|ChaCha20-Poly1305), for '
	assert_output --partial ", for $(pub h2)"
	run -0 fields name sealed
	assert_line --regexp '^"site-b" \{"suite": "(AES-256-GCM|ChaCha20-Poly1305)", "key": "'
	assert_output --partial "\"key\": \"$(pub h2)\", \"since_ms\": "
	assert_line --regexp '"since_ms": [1-9][0-9]{0,4}\}$'
	assert_line '"br0" null'
	wait_for 10 "packets" grep -aq ntr "$DIR/wire.pcap"
	stop wire
	run -1 grep -aq netrelay "$DIR/wire.pcap"
}

@test "a peer has its line's name and rules, and changes take hold while it is up" {
	hosts
	peers "$(pub h2) site-b isolated storm=7" "$(pub h3) site-c"
	listen
	dial
	relay_wait_up one 1
	run -0 fields name isolated storm
	assert_output '"site-b" true 7'
	peers "$(pub h2) site-b storm=9"
	# Another peer comes, so the file is read again.
	relay_start three in h2 --key "$DIR/h3.key" "trunk:192.0.2.1:5000,peer=$(pub h1)" -l 127.0.0.1:5003
	wait_for 10 "a refusal" has_logged one 'refused: its key .* is not in .*peers; add it there'
	run -0 fields name isolated storm
	assert_output '"site-b" false 9'
}

@test "a peer that is struck is cut off, and may come back when it is entered again" {
	hosts
	listen
	dial
	relay_wait_up one 1
	peers "# nobody"
	kill -HUP "$(pid_of one)"
	wait_for 10 "the end" has_logged one 'site-b .*: its key was taken out of the peers file'
	wait_for 10 "a refusal" has_logged one 'refused: its key'
	run -0 ask status
	assert_output --partial 'refused: peers'
	peers "$(pub h2) site-b"
	relay_wait_up one 1 20
}

@test "who has no key, or another, is refused, told nothing, and is no port" {
	hosts
	listen
	# A QEMU, and a trunk without a key
	two -l 127.0.0.1:5001 tcp:192.0.2.1:5000
	frames_start noise in h2 send tcp:127.0.0.1:5001 --count 5
	wait_for 10 "a refusal" has_logged one 'refused: no handshake came, but something else'
	relay_stop two
	two trunk:192.0.2.1:5000 -l 127.0.0.1:5001
	wait_for 10 "a refusal" has_logged one 'refused: it has no key'
	wait_for 10 "the reason" has_logged two 'takes only peers with keys'
	relay_stop two
	# Another key for the listener
	two --key "$DIR/h2.key" -l 127.0.0.1:5001 "trunk:192.0.2.1:5000,peer=$(pub h3)"
	wait_for 10 "a refusal" has_logged one 'refused: the peer has another key for us'
	wait_for 10 "the reason" has_logged two 'without an answer: is peer= its key'
	relay_stop two
	run -0 ask status
	assert_output --partial 'switch, 0 ports'
	run -1 grep -q 'port [1-9]' "$DIR/one.err"
}

@test "a listener without keys says so to one who has them, and the other way round" {
	hosts
	one -l 5000
	wait_listen h1 tcp 5000
	dial
	wait_for 10 "the reason" has_logged two 'the peer takes no keys; give it --key and peers='
	wait_for 10 "the reason" has_logged one 'the peer has a key, so give this one --key'
}

@test "a secret of the pair must be the same at both ends" {
	hosts
	(umask 077 && "$NETRELAY" genkey >"$DIR/pair.psk" && "$NETRELAY" genkey >"$DIR/wrong.psk")
	peers "$(pub h2) site-b psk=$DIR/pair.psk"
	listen
	two --key "$DIR/h2.key" -l 127.0.0.1:5001 \
		"trunk:192.0.2.1:5000,peer=$(pub h1),psk=$DIR/pair.psk"
	relay_wait_up one 1
	relay_stop two
	two --key "$DIR/h2.key" -l 127.0.0.1:5001 \
		"trunk:192.0.2.1:5000,peer=$(pub h1),psk=$DIR/wrong.psk"
	wait_for 10 "the reason" has_logged two "can't prove that it has the key of peer="
	relay_stop two
	dial
	wait_for 10 "the reason" has_logged two "can't prove that it has the key of peer="
}

@test "with plain, a QEMU may come beside the peers" {
	hosts
	one --ctl "$DIR/one.ctl" --key "$DIR/h1.key" -l "tcp-listen:5000,peers=$DIR/peers,plain"
	wait_listen h1 tcp 5000
	dial
	relay_wait_up one 1
	# One that only listens, and one that speaks first
	frames_start left in h1 recv tcp:127.0.0.1:5000 --count 20 --lossless
	relay_wait_up one 2
	run -0 ns h2 "$FRAMES" send tcp:127.0.0.1:5001 --count 20
	run -0 frames_wait left
	frames_start right in h2 recv tcp:127.0.0.1:5001 --count 20 --lossless
	wait_port two 'tcp:127.*: up'
	run -0 ns h1 "$FRAMES" send tcp:127.0.0.1:5000 --count 20
	run -0 frames_wait right
	relay_check_sums one
	run -0 ask status
	assert_output --partial sealed
}

@test "a peer that comes anew ends its old connection" {
	hosts
	listen
	dial
	relay_wait_up one 1
	# The old one's host is cut off, and nobody notices.
	relay_start again in h2 -v --key "$DIR/h2.key" -l 127.0.0.1:5002 "trunk:192.0.2.1:5000,peer=$(pub h1)"
	wait_for 10 "the end" has_logged one 'site-b .*: its peer has connected anew'
	run -0 ask status
	assert_output --partial 'switch, 1 ports'
	assert_line --regexp '^ +[0-9]+ site-b +5000 '
	# It dials again, and ends the new one, and so on: that is no good.
	wait_for 20 "a warning" has_logged one 'site-b: its key came from elsewhere 5 times'
	run -0 grep -c 'came from elsewhere' "$DIR/one.err"
	assert_output 1
}

@test "a stream between two bridges is whole, with super-frames, both ways" {
	local to from

	hosts
	bridged_hosts
	listen br0
	dial br0
	wait_for 10 "an answer" ns s1 ping -c 1 -W 1 10.0.0.2
	head -c 64M /dev/urandom >"$DIR/noise"
	for from in s1 s2; do
		to=$([[ $from == s1 ]] && echo s2 || echo s1)
		start server in "$to" sh -c 'socat -b 1000000 -u TCP4-LISTEN:7000,reuseaddr - | openssl dgst -sha256 -r'
		wait_listen "$to" tcp 7000
		run -0 ns "$from" timeout 60 socat -b 1000000 -u "$DIR/noise" "TCP4:10.0.0.${to#s}:7000"
		run -0 wait_end server 60
		run -0 diff "$DIR/server.out" <(openssl dgst -sha256 -r <"$DIR/noise")
	done
	relay_check_sums one
	relay_check_sums two
}

@test "a cable between two listeners has one peer at each end" {
	hosts
	peers "$(pub h2) site-b" "$(pub h3) site-c"
	one --ctl "$DIR/one.ctl" --key "$DIR/h1.key" \
		"tcp-listen:5000,peers=$DIR/peers" "tcp-listen:5005,peers=$DIR/peers"
	wait_listen h1 tcp 5005
	dial
	wait_for 10 "the first" has_logged one 'site-b .*: established'
	relay_start three in h2 --key "$DIR/h3.key" "trunk:192.0.2.1:5005,peer=$(pub h1)" -l 127.0.0.1:5003
	relay_wait_up one 2
	# The first one, which has the other end already
	relay_start again in h2 --key "$DIR/h2.key" "trunk:192.0.2.1:5005,peer=$(pub h1)" -l 127.0.0.1:5002
	wait_for 10 "a refusal" has_logged one 'site-b is another peer than the one that has this end'
	wait_port one 'site-b .*: up'
	wait_port one 'site-c .*: up'
	run -1 has_logged one 'connected anew'
}

# configure LISTENERS...: writes what "one" has, with keys.
configure()
{
	printf '%s\n' "key $DIR/h1.key" "$@" >"$DIR/one.conf"
}

reload()
{
	run -0 ask reload
}

@test "a peers file may get another name while its peers are there" {
	hosts
	cp "$DIR/peers" "$DIR/before"
	configure "listen tcp-listen:5005,peers=$DIR/peers" "listen tcp-listen:5000,peers=$DIR/before"
	one --ctl "$DIR/one.ctl" -f "$DIR/one.conf"
	wait_listen h1 tcp 5000
	dial
	relay_wait_up one 1
	mv "$DIR/before" "$DIR/after"
	configure "listen tcp-listen:5005,peers=$DIR/peers" "listen tcp-listen:5000,peers=$DIR/after"
	reload
	assert_output '0 added, 0 ended, 1 changed, 1 as before'
	run -1 has_logged one 'taken out of the peers file'
	run -1 has_logged one 'No such file'
	relay_wait_up one 1
}

@test "one end of a cable still has one connection when it has no peers any more" {
	hosts
	configure "join tcp-listen:5000,peers=$DIR/peers" "join tcp-listen:5005,peers=$DIR/peers"
	one --ctl "$DIR/one.ctl" -f "$DIR/one.conf"
	wait_listen h1 tcp 5005
	configure "join tcp-listen:5000" "join tcp-listen:5005,peers=$DIR/peers"
	reload
	two -l 127.0.0.1:5001 tcp:192.0.2.1:5000 tcp:192.0.2.1:5000
	relay_wait_up two 2
	run -0 ask status
	assert_output --partial 'cable, 1 ports'
}

# --- against a peer that shares no code with netrelay ------------------------

PEER=$LAB_ROOT/itest/seal-peer

# peer WHAT ADDR PORT KEY ARGS...: as its key says, to h1.
peer()
{
	ns h1 timeout 300 "$PEER" "$1" "$2" "$3" "$DIR/$4.key" "$(pub "${OTHER:-h1}")" "${@:5}"
}

@test "another implementation dials, with either cipher, keys that change, and a secret" {
	hosts
	one --key "$DIR/h1.key" -l "tcp-listen:5000,peers=$DIR/peers" -l 127.0.0.1:5001
	wait_listen h1 tcp 5001
	run -0 peer dial 192.0.2.1 5000 h2 5001
	assert_output --regexp '^200 frames, (AESGCM|ChaChaPoly)$'
	run -0 peer dial 192.0.2.1 5000 h2 5001 --suites 2
	assert_output '200 frames, ChaChaPoly'
	(umask 077 && "$NETRELAY" genkey >"$DIR/pair.psk")
	peers "$(pub h2) site-b psk=$DIR/pair.psk"
	run -0 peer dial 192.0.2.1 5000 h2 5001 --psk "$DIR/pair.psk"
	run -1 grep -E 'did not seal|cut off' "$DIR/one.err"
}

@test "another implementation is dialled, with either cipher" {
	local suites

	hosts
	for suites in 6 2; do
		start listener in h1 "$PEER" listen 127.0.0.1 6000 "$DIR/h2.key" "$(pub h1)" 5001 --suites "$suites"
		wait_for 10 "it to listen" grep -q listening "$DIR/listener.out"
		one --key "$DIR/h1.key" "trunk:127.0.0.1:6000,peer=$(pub h2)" -l 127.0.0.1:5001
		run -0 wait_end listener 60
		run -0 grep -E '^200 frames' "$DIR/listener.out"
		relay_stop one
	done
}

PEER_UDP=$LAB_ROOT/itest/seal-peer-udp

# meet WHAT [ARGS...]: another implementation dials one over UDP, which has a plain port, too.
meet()
{
	hosts
	one --key "$DIR/h1.key" -l "tcp-listen:5000,peers=$DIR/peers,udp,keepalive=1,dead=0" -l 127.0.0.1:5001
	wait_listen h1 tcp 5001
	run -0 ns h1 timeout 120 "$PEER_UDP" "$1" 192.0.2.1 5000 "$DIR/h2.key" "$(pub h1)" 5001 "${@:2}"
}

@test "another implementation dials over UDP, with frames in fragments, and keys that change" {
	meet dial
	assert_output --regexp '^85 frames, (AESGCM|ChaChaPoly)$'
	assert_equal "$(drops one cut) $(drops one not-genuine)" '0 0'
	run -0 ns h1 timeout 120 "$PEER_UDP" dial 192.0.2.1 5000 "$DIR/h2.key" "$(pub h1)" 5001 --suites 2
	assert_output '85 frames, ChaChaPoly'
	relay_check_sums one
}

@test "another implementation is dialled over UDP" {
	hosts
	start listener in h1 "$PEER_UDP" listen 127.0.0.1 6000 "$DIR/h2.key" "$(pub h1)" 5001
	wait_for 10 "it to listen" grep -q listening "$DIR/listener.out"
	one --key "$DIR/h1.key" "trunk:127.0.0.1:6000,udp,peer=$(pub h2),keepalive=1,dead=0" -l 127.0.0.1:5001
	run -0 wait_end listener 60
	run -0 grep -E '^85 frames' "$DIR/listener.out"
	relay_check_sums one
}

@test "another implementation and slices: super-frames are what they were, both ways" {
	meet supers
	assert_line 'TCP over IPv4: 1 slices, and super'
	assert_line 'TCP over IPv6: 1 slices, and super'
	assert_line 'UDP over IPv4: 1 slices, and super'
	assert_line 'UDP over IPv6: 1 slices, and super'
	assert_equal "$(drops one cut) $(drops one malformed)" '0 0'
}

@test "a peer that takes no slices gets right plain frames, and may send slices" {
	meet supers --takes 1
	assert_line 'TCP over IPv4: 36 whole, and super'
	assert_line 'TCP over IPv6: 36 whole, and super'
	assert_line 'UDP over IPv4: 36 whole, and super'
	assert_line 'UDP over IPv6: 36 whole, and super'
}

@test "slices that are lost cost themselves, and those in another order nothing" {
	meet gaps
	assert_output '8 orders'
	assert_equal "$(drops one cut) $(drops one malformed)" '0 0'
	relay_check_sums one
}

@test "fragments and slices that can't be right are refused and counted, and the trunk lives" {
	meet wrong
	assert_output '16 wrong ones'
	assert_equal "$(drops one cut)" 16
	relay_check_sums one
}

@test "a datagram that comes twice is refused, and one that comes late is not" {
	meet replay
	assert_output '7 refused'
	assert_equal "$(drops one not-genuine)" 7
	relay_check_sums one
}

repeat_is_told()
{
	peer repeat 192.0.2.1 5000 h2 1000 >/dev/null
	has_logged one 'site-b was later when it last connected'
}

@test "no bit, no part and no repetition of a handshake is answered" {
	hosts
	listen
	run -0 peer forge 192.0.2.1 5000 h2
	assert_output 'answered 0 of 1376'
	run -0 peer repeat 192.0.2.1 5000 h2
	assert_output 'answered not not'
	# What it was answered to is no port, for it proves nothing.
	run -1 grep -q 'port [1-9]\|established' "$DIR/one.err"
	# One such line a second is written, and another one may have come just before.
	wait_for 60 "the reason" repeat_is_told
	run -0 grep -c 'was later when it last' "$DIR/one.err"
	assert [ "$output" -lt 60 ]
	# It was in the peer's name; the right one still may come.
	dial
	relay_wait_up one 1
}

@test "what was recorded before a restart makes no port, and does not disturb its peer" {
	hosts
	listen
	run -0 peer record 192.0.2.1 5000 h2 --file "$DIR/first"
	relay_stop one
	listen
	# The relay knows no timestamps now.
	start player in h1 "$PEER" play 192.0.2.1 5000 "$DIR/h2.key" "$(pub h1)" --file "$DIR/first"
	wait_for 10 "an answer" grep -qx answered "$DIR/player.out"
	run -0 ask status
	assert_output --partial 'switch, 0 ports'
	dial
	relay_wait_up one 1
	wait_for 20 "the end" grep -qx closed "$DIR/player.out"
	run -0 has_logged one 'refused: it has not proved that it has its key'
	run -1 has_logged one 'connected anew'
	run -1 has_logged two 'trying again'
	relay_wait_up one 1
}

@test "a changed record ends the link, with the reason, and it comes back" {
	hosts
	listen
	run -0 peer tamper 192.0.2.1 5000 h2
	assert_output --regexp 'closed|reset'
	wait_for 10 "the reason" has_logged one 'site-b .*: a record that the peer did not seal'
	dial
	relay_wait_up one 1
}

@test "no key of a link that has ended is left in memory, nor the secret of the pair" {
	local suites

	hosts
	(umask 077 && "$NETRELAY" genkey >"$DIR/pair.psk")
	peers "$(pub h2) site-b psk=$DIR/pair.psk"
	listen
	for suites in 6 2; do
		run -0 peer memory 192.0.2.1 5000 h2 "$(pid_of one)" --psk "$DIR/pair.psk" --suites $suites
		assert_output 'left: nothing'
	done
}

@test "nor of a link over UDP, whose keys are there as long as it lives" {
	local suites

	hosts
	(umask 077 && "$NETRELAY" genkey >"$DIR/pair.psk")
	peers "$(pub h2) site-b psk=$DIR/pair.psk"
	one --key "$DIR/h1.key" -l "tcp-listen:5000,peers=$DIR/peers,udp,dead=5" -l 127.0.0.1:5001
	wait_listen h1 tcp 5001
	for suites in 6 2; do
		run -0 ns h1 timeout 60 "$PEER_UDP" memory 192.0.2.1 5000 "$DIR/h2.key" "$(pub h1)" \
			"$(pid_of one)" --psk "$DIR/pair.psk" --suites $suites
		assert_line --index 1 'left: nothing'
	done
	# ChaCha20 has its key as it is.
	assert_line --index 0 'there: key 1 key 1 of ours key 2 key 2 of ours'
}

@test "two thousand false handshakes cost the others nothing, and leave nothing" {
	local fds

	hosts
	listen
	dial
	relay_wait_up one 1
	fds=$(find "/proc/$(pid_of one)/fd" -type l | wc -l)
	run -0 peer flood 192.0.2.1 5000 h3 2000
	assert_output --regexp '^answered 0, '
	run -0 ask status
	assert_output --partial 'refused: peers 2000'
	assert_output --partial 'switch, 1 ports'
	assert_equal "$(find "/proc/$(pid_of one)/fd" -type l | wc -l)" "$fds"
}
