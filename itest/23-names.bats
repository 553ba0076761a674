#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
#
# Names and dialling: what becomes of a name server's errors, of addresses where
# nobody answers, and of a resolver that hangs.

# shellcheck disable=SC2016 # shells that are started read what is quoted
load helpers

namespaces a

# relay_with NAME HOSTS ARGS...: one for which HOSTS is the hosts file, and the name
# server is at 127.0.0.1.
relay_with()
{
	local name=$1

	printf '%s\n' "$2" >"$DIR/hosts"
	echo "nameserver 127.0.0.1" >"$DIR/resolv.conf"
	# In a namespace of its own for mounts, which ip netns exec has made.
	start "$name" in a sh -c 'mount --bind "$0/hosts" /etc/hosts &&
		mount --bind "$0/resolv.conf" /etc/resolv.conf && exec "$@"' "$DIR" \
		"$NETRELAY" "${@:3}"
}

stub_start()
{
	start stub in a "$LAB_ROOT/itest/dns-stub" "$1"
	wait_for 5 "name server" grep -q ready "$DIR/stub.out"
}

has_port_up()
{
	relay_status one | grep -Eq "^netrelay: port [0-9]+ $1: up"
}

@test "an error for AAAA, or silence, does not spoil a good A" {
	local kind n=0 ends=()

	ns a ip addr add 10.9.0.1/32 dev lo
	for kind in nxdomain servfail refused empty silent; do
		ends+=("tcp:$kind.test:6000" "udp:$kind.test:6000,local=$((6001 + n++))")
	done
	stub_start 10.9.0.1
	start far in a socat -u TCP-LISTEN:6000,bind=10.9.0.1,fork,reuseaddr EXEC:"sleep 1000"
	wait_listen a tcp 6000
	relay_with one "" -l "unix-listen:$DIR/s" "${ends[@]}"
	wait_listen a unix "$DIR/s"
	for kind in nxdomain servfail refused empty silent; do
		wait_for 15 "TCP where AAAA is $kind" has_port_up "tcp:$kind.test:6000"
		wait_for 15 "UDP where AAAA is $kind" has_port_up "udp:$kind.test:6000,.*"
	done
	run ! has_logged one "resolve"
	run -0 relay_stop one
	dismiss far TERM
}

@test "a name that nobody knows: what was asked, and what to do" {
	"$NETRELAY" --version | grep -q "(static" || skip "a shared build asks all that the host's programs do"
	relay_with one "" -l "unix-listen:$DIR/s" tcp:vm1.local:6000
	wait_for 15 "message" has_logged one \
		"tcp:vm1.local:6000: resolve vm1.local: .*static build asks /etc/hosts and DNS.*address.*shared build.*trying again"
	run -0 relay_stop one
}

# Two addresses where nobody is, ahead of one that answers: not twice the time that
# a peer is given to answer.
@test "of several addresses those that are dead cost little time" {
	local n

	ns_add b
	veth_pair a d0 b d0
	ns a ip addr add 2001:db8::99/64 dev d0
	for n in 1 2; do
		ns a ip neigh add "2001:db8::$n" lladdr "02:00:00:00:00:0$n" nud permanent dev d0
	done
	frames_start far in a recv tcp-listen:127.0.0.1:6000 --count 10 --lossless --timeout 60
	relay_with one $'2001:db8::1 far\n2001:db8::2 far\n127.0.0.1 far' \
		"unix-listen:$DIR/s" tcp:far:6000
	# One after the other, it would be 8 s.
	happens_within 7 has_port_up "tcp:far:6000"
	run -0 "$FRAMES" send "unix:$DIR/s" --count 10
	run -0 frames_wait far
	run -0 relay_stop one
}

@test "of several addresses none answers: one line; then the second one does" {
	ns a ip addr add 10.9.0.1/32 dev lo
	relay_with one $'10.9.0.1 far\n127.0.0.1 far' -l "unix-listen:$DIR/s" tcp:far:6000
	wait_for 5 "message" has_logged one "connect to .*:6000: Connection refused .nobody listens there.; trying again"
	frames_start far in a recv tcp-listen:127.0.0.1:6000 --count 1 --timeout 60
	wait_for 10 "second address" has_port_up "tcp:far:6000"
	frames_start other in a recv tcp-listen:10.9.0.1:6000 --count 1 --timeout 60
	dismiss far KILL
	wait_for 10 "the other one" has_port_up "tcp:far:6000"
	(($(grep -c "trying again" "$DIR/one.err") <= 2))
	run -0 relay_stop one
	dismiss other TERM
}

# By simultaneous open: with two ports to choose from, about each second try.
@test "a dialler does not become its own peer, and who is to listen there can" {
	local kind

	ns a sh -c 'echo 50000 50001 >/proc/sys/net/ipv4/ip_local_port_range'
	for kind in tcp trunk; do
		relay_start one in a -v -l "unix-listen:$DIR/s" "$kind:127.0.0.1:50000"
		wait_for 5 "first try" has_logged one "Connection refused .nobody listens there.; trying again"
		wait_for 10 "several tries" is_older_than "$DIR/one.out" 2500
		run ! has_logged one "$kind:127.0.0.1:50000: up"
		relay_start far in a -l 127.0.0.1:50000
		wait_listen a tcp 50000
		wait_for 10 "real peer" has_port_up "$kind:127.0.0.1:50000"
		run -0 relay_stop one
		run -0 relay_stop far
	done
}

# workers NAME: what the helper of it has started, and is no command's keeper.
workers()
{
	pgrep -P "$(helper_of "$1" names)" -x netrelay-names
}

@test "a worker that is killed: its name is asked for again" {
	stub_start 10.9.0.1
	relay_with one "" -l "unix-listen:$DIR/s" tcp:deaf.test:6000
	wait_listen a unix "$DIR/s"
	wait_for 5 "worker" workers one
	wait_for 5 "it to be confined" grep -q $'^NoNewPrivs:\t1' "/proc/$(workers one)/status"
	wait_for 5 "it to have no capability" grep -q $'^CapEff:\t0*$' "/proc/$(workers one)/status"
	kill -KILL "$(workers one)"
	wait_for 5 "message" has_logged one "resolve deaf.test: the process that worked on it was killed"
	wait_for 5 "another one" workers one
	run -0 stop one TERM
}

# ends_at_once: whether one that waits for a name ends in less than two seconds, which are
# what a command is given; a worker has nothing to tidy up.
ends_at_once()
{
	local since took worker

	relay_with one "" -l "unix-listen:$DIR/s" tcp:deaf.test:6000
	wait_for 5 "worker" workers one
	worker=$(workers one)
	since=$(_now_us)
	run -0 stop one TERM
	took=$(($(_now_us) - since))
	wait_for 5 "end of the worker" is_gone "$worker"
	((took < 1900000))
}

# A busy machine may delay it, too, so it has several tries.
@test "a resolver that hangs does not delay the end" {
	stub_start 10.9.0.1
	wait_for 60 "an end at once" ends_at_once
}
