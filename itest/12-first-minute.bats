#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
#
# What a newcomer meets in the first minute: each wrong start is answered by one line that
# names the thing, says what is wrong with it, and what to do; and -v tells the story of a
# link in words. 10-usage.bats has all forms of wrong usage.
#
# shellcheck disable=SC2016 # shells that are started read what is quoted

load helpers

AS_USER=$LAB_ROOT/itest/as-user

namespaces lab

teardown()
{
	rm -rf "/etc/netns/$(ns_name lab)"
	rmdir --ignore-fail-on-non-empty /etc/netns 2>/dev/null || true
	common_teardown
}

# answers STATUS LINE COMMAND...: it ends with that status, and that line is all it says.
answers()
{
	local status=0

	ns lab timeout 60 "${@:3}" </dev/null >"$DIR/out" 2>"$DIR/err" || status=$?
	assert_equal "$(cat "$DIR/err")" "netrelay: $2"
	assert_equal "$(cat "$DIR/out")" ""
	assert_equal "$status" "$1"
}

# keeps_trying LINE ENDPOINT...: without -v, that line is all that it says in several tries.
keeps_trying()
{
	relay_start one in lab "unix-listen:$DIR/near" "${@:2}"
	wait_for 10 "words" has_lines "$DIR/one.err" 1
	wait_for 10 "several tries" is_older_than "$DIR/one.err" 1000
	assert_equal "$(cat "$DIR/one.err")" "netrelay: $1; trying again"
	run -0 relay_stop one
}

# --- wrong starts -----------------------------------------------------------

@test "nothing, or a typo" {
	answers 2 "nothing to join: name one or two endpoints, or a port to listen on with -l; see netrelay --help" \
		"$NETRELAY"
	answers 2 "-f: the file is missing, as in -f lab.conf" "$NETRELAY" -f
	answers 2 "--lsiten: there is no such option; did you mean --listen?" \
		"$NETRELAY" --lsiten 5000
	answers 2 "--verbsoe: there is no such option; did you mean --verbose?" "$NETRELAY" --verbsoe br0
	answers 2 'brigde:br0: "brigde" is no IPv4 address or [IPv6 address], nor a kind of endpoint: tcp, tcp-listen, unix, unix-listen, udp, unixgram, mcast, bridge, tap, fd, trunk, exec, vhost-user, vhost-user-listen; did you mean bridge?' \
		"$NETRELAY" brigde:br0 -
	answers 2 "unix-listen:/s,mdoe=0660: unix-listen has no option \"mdoe\"; it has group=NAME, allow=uid:NAME or gid:NAME, max=N, accept-rate=N, peers=FILE, plain, name=WORD, isolated, mac=ADDR and pad=0, and the form is unix-listen:PATH[,mode=0660]; a comma within a path is doubled; did you mean mode?" \
		"$NETRELAY" "unix-listen:/s,mdoe=0660" -
	answers 2 "tcp://host:5000: host \"//host\" is no name, IPv4 address or [IPv6 address]; leave out the //" \
		"$NETRELAY" tcp://host:5000 -
	answers 2 "/run/vm.sock: this is a path; did you mean unix:/run/vm.sock?" "$NETRELAY" /run/vm.sock
}

@test "a word that is taken for a bridge, and was meant otherwise" {
	local word meant said

	while read -r word meant; do
		said="bridge $word does not exist; create it: ip link add $word type bridge"
		answers 1 "$word: $said; did you mean $meant?" "$NETRELAY" "$word"
	done <<-'EOT'
		help --help
		ctrl netrelay ctl
		5000 -l 5000
		10.0.0.1 10.0.0.1:PORT
		tcp tcp:HOST:PORT
		tap0 tap:NAME
	EOT
}

@test "ctl: a typo, no relay, no socket, no command" {
	answers 1 "ctl: $DIR/ctl: there is no such socket; the relay makes it when it is started with --ctl" \
		"$NETRELAY" ctl "$DIR/ctl" status
	echo >"$DIR/file"
	answers 1 "ctl: $DIR/file: is no socket; name the one that the relay was given with --ctl" \
		"$NETRELAY" ctl "$DIR/file" status
	answers 2 "ctl: the command is missing; try: netrelay ctl $DIR/ctl help" "$NETRELAY" ctl "$DIR/ctl"
	relay_start one in lab --ctl "$DIR/ctl" -l 127.0.0.1:5000
	wait_listen lab unix "$DIR/ctl"
	answers 1 "ctl: stauts: there is no such command; did you mean status?" \
		"$NETRELAY" ctl "$DIR/ctl" stauts
	answers 1 "ctl: frobnicate: there is no such command; try: help" \
		"$NETRELAY" ctl "$DIR/ctl" frobnicate
	run -0 relay_stop one
}

@test "a bridge that is missing, a tap in use" {
	needs_tun
	answers 1 "br7: bridge br7 does not exist; create it: ip link add br7 type bridge" \
		"$NETRELAY" -l 127.0.0.1:5000 br7
	relay_start one in lab -l 127.0.0.1:5000 tap:t0
	relay_wait_up one 1
	answers 1 "tap:t0: t0 is in use by another program; end that, or take another tap" \
		"$NETRELAY" -l 127.0.0.1:5001 tap:t0
	run -0 relay_stop one
}

@test "an ordinary user" {
	local shut="/dev/net/tun can't be opened: Permission denied; run as root, or have an admin: chmod 0666 /dev/net/tun"
	local admin="have an admin make one: ip tuntap add t0 mode tap user 65534; ip link set t0"

	needs_root
	needs_tun
	bridge_add lab br0
	answers 1 "tap:t0: no right to make a tap: run as root, or $admin up, then use tap:t0" \
		"$AS_USER" "$NETRELAY" -l 127.0.0.1:5000 tap:t0
	answers 1 "bridge:br0,tap=t0: no right to make a tap: run as root, or $admin master br0 up, then use bridge:br0,tap=t0" \
		"$AS_USER" "$NETRELAY" -l 127.0.0.1:5000 bridge:br0,tap=t0
	TUN_MODE=600 answers 1 "tap:t0: $shut" "$AS_USER" "$NETRELAY" -l 127.0.0.1:5000 tap:t0
	TUN_MODE=600 answers 1 "bridge:br0,tap=t0: $shut" \
		"$AS_USER" "$NETRELAY" -l 127.0.0.1:5000 bridge:br0,tap=t0
}

@test "what is in use: a TCP port, a unix socket, a path that is no socket" {
	echo >"$DIR/file"
	relay_start one in lab -l 127.0.0.1:5000 -l "unix-listen:$DIR/s"
	wait_listen lab unix "$DIR/s"
	answers 1 "127.0.0.1:5000: listen: $(error EADDRINUSE); end the program that uses it, or take another" \
		"$NETRELAY" -l 127.0.0.1:5000
	answers 1 "unix-listen:$DIR/s: listen: $(error EADDRINUSE); end the program that uses it, or take another" \
		"$NETRELAY" -l "unix-listen:$DIR/s"
	answers 1 "unix-listen:$DIR/file: listen: $(error ENOTSOCK); remove what is there, or take another path" \
		"$NETRELAY" -l "unix-listen:$DIR/file"
	run -0 relay_stop one
}

# error NAME: the words of the program's libc for an error.
error()
{
	case $("$NETRELAY" --version)$1 in
	*static*EADDRINUSE) echo "Address in use" ;;
	*static*ENOTSOCK) echo "Not a socket" ;;
	*EADDRINUSE) echo "Address already in use" ;;
	*) echo "Socket operation on non-socket" ;;
	esac
}

@test "a terminal as stdin" {
	local quoted

	printf -v quoted '%q ' "$NETRELAY" "unix:$DIR/s"
	run -2 timeout 60 script -qec "$quoted 2>'$DIR/err'" /dev/null </dev/null
	assert_equal "$(cat "$DIR/err")" \
		"netrelay: -: stdin is a terminal, and frames are binary; redirect it, or name a second endpoint"
}

@test "a peer that is absent: TCP, trunk, unix, a file that is no socket" {
	local refused="connect to 127.0.0.1:6000: Connection refused (nobody listens there)"

	keeps_trying "tcp:127.0.0.1:6000: $refused" tcp:127.0.0.1:6000
	keeps_trying "trunk:127.0.0.1:6000: $refused" trunk:127.0.0.1:6000
	keeps_trying "127.0.0.1:6000: $refused" 127.0.0.1:6000
	keeps_trying "unix:$DIR/far: connect to $DIR/far: No such file or directory (who listens there makes it: is that started?)" \
		"unix:$DIR/far"
	echo >"$DIR/file"
	keeps_trying "unix:$DIR/file: connect to $DIR/file: Connection refused (nobody listens there, or it is no socket)" \
		"unix:$DIR/file"
}

@test "a name that does not resolve, a network without a way" {
	relay_start one in lab -l "unix-listen:$DIR/near" tcp:nobody.test:6000 tcp:192.0.2.1:6000
	wait_for 20 "words" has_logged one "tcp:nobody.test:6000: resolve nobody.test: .*; trying again$"
	wait_for 20 "words" has_logged one \
		"192.0.2.1:6000: Network unreachable .this host has no route there; see: ip route.; trying again$"
	run -0 relay_stop one
}

# --- the story that -v tells ------------------------------------------------

# story RELAY PORT: what it has said of that port, a line each.
story()
{
	awk -v head="netrelay: $2: " 'index($0, head) == 1 { print substr($0, length(head) + 1) }' \
		"$DIR/$1.err"
}

# tells RELAY PORT LINE...: that is all that it has said so far; * stands for anything.
tells()
{
	local i=0 line lines

	mapfile -t lines < <(story "$1" "$2")
	for line in "${@:3}"; do
		# shellcheck disable=SC2053 # a pattern
		[[ ${lines[i++]-} == $line ]] || break
		line=
	done
	if [[ $line ]] || ((i != ${#lines[@]})); then
		echo "said of $2, where \"$line\" was to come:"
		printf '  %s\n' "${lines[@]}"
		return 1
	fi
}

quietly_tells()
{
	tells "$@" >/dev/null
}

# will_tell RELAY PORT LINE...: waits until it has said that, and no more.
will_tell()
{
	wait_for 20 "the story of $2" quietly_tells "$@" || {
		tells "$@"
		return 1
	}
}

STILL="still so; tries go on, at most 5 s apart, and only news is told"

@test "-v: a link over TCP, from the first try to the next outage" {
	local port=tcp:127.0.0.1:6000 refused first
	local near=127.0.0.1:5000

	refused="connect to 127.0.0.1:6000: Connection refused (nobody listens there); trying again"
	first=("trying 127.0.0.1:6000" "$refused" "next try in 0.1 s" "$STILL")
	relay_start one in lab -v -l "$near" "$port"
	will_tell one "$port" "${first[@]}"
	frames_start far in lab both tcp-listen:127.0.0.1:6000 --count 1 --expect 1000000 --timeout 300
	wait_port one "$port: up, rx 1 frames"
	tells one "$port" "${first[@]}" up
	# Up for long enough to be a success.
	wait_for 5 "a second" is_older_than "$DIR/one.err" 1200
	dismiss far KILL
	will_tell one "$port" "${first[@]}" up "*; trying again" \
		"next try in 0.1 s" "trying 127.0.0.1:6000" "$refused" "next try in 0.[12] s" "$STILL"
	run -0 relay_stop one
}

@test "-v: a name with two addresses: what is resolved, each that is tried, and what is taken" {
	local port=tcp:far.test:6000

	printf '%s far.test\n' 127.0.0.2 127.0.0.3 >"$DIR/hosts"
	frames_start far in lab both tcp-listen:127.0.0.3:6000 --count 1 --expect 1000000 --timeout 300
	# In a namespace of its own for mounts, which ip netns exec has made.
	start one in lab sh -c 'mount --bind "$0" /etc/hosts && exec "$@"' "$DIR/hosts" \
		"$NETRELAY" -v -l 127.0.0.1:5000 "$port"
	will_tell one "$port" "resolving far.test" "trying 127.0.0.2:6000" \
		"connect to 127.0.0.2:6000: Connection refused (nobody listens there)" \
		"trying 127.0.0.3:6000" "connected to 127.0.0.3:6000" up
	run -0 relay_stop one
}

#   one --- trunk --- two
@test "-v: a trunk tells so at both ends, and a listener who has come" {
	relay_start two in lab -v -l 127.0.0.1:6000
	wait_listen lab tcp 6000
	relay_start one in lab -v -l 127.0.0.1:5000 trunk:127.0.0.1:6000
	will_tell one trunk:127.0.0.1:6000 "trying 127.0.0.1:6000" \
		"connected to 127.0.0.1:6000, asking whether it is a netrelay" \
		"established as a trunk, with super-frames" up
	will_tell two 127.0.0.1:6000 listening "connection from tcp:127.0.0.1:*, 1 in all"
	wait_for 5 "its story" has_logged two "tcp:127.0.0.1:[0-9]*: established as a trunk, with super-frames"
	run -0 relay_stop one
	run -0 relay_stop two
}

@test "-v: a trunk to what is no netrelay" {
	local lines

	start far in lab socat -u OPEN:/dev/null TCP-LISTEN:6000,reuseaddr,fork
	wait_listen lab tcp 6000
	relay_start one in lab -v -l 127.0.0.1:5000 trunk:127.0.0.1:6000
	wait_for 20 "several tries" has_logged one "$STILL"
	mapfile -t lines < <(story one trunk:127.0.0.1:6000)
	[[ ${lines[0]} == "trying 127.0.0.1:6000" ]]
	[[ ${lines[1]} == "connected to 127.0.0.1:6000, asking whether it is a netrelay" ]]
	[[ ${lines[2]} == *"no netrelay"*"; trying again" ]]
	((${#lines[@]} <= 8))
	run -0 relay_stop one
	dismiss far TERM
}

@test "-v: a unix socket that comes late" {
	local port=unix:$DIR/far

	relay_start one in lab -v -l 127.0.0.1:5000 "$port"
	wait_for 20 "several tries" has_logged one "$STILL"
	frames_start far in lab both "unix-listen:$DIR/far" --count 1 --expect 1000000 --timeout 300
	wait_port one "$port: up, rx 1 frames"
	tells one "$port" "trying $DIR/far" \
		"connect to $DIR/far: No such file or directory (who listens there makes it: is that started?); trying again" \
		"next try in 0.1 s" "$STILL" up
	run -0 relay_stop one
}

#   near --- one --- netrelay0 --- br0
@test "-v: a bridge in a cable: what the helper does, and the carrier" {
	needs_tun
	bridge_add lab br0
	relay_start one in lab -v tcp-listen:127.0.0.1:5000 br0
	will_tell one br0 "asking the helper for a tap on bridge br0" "tap netrelay0 is made" \
		"by tap netrelay0, MTU 1500" up "tap has no carrier until the other end is up"
	frames_start near in lab both tcp:127.0.0.1:5000 --count 1 --expect 1000000 --timeout 300
	will_tell one br0 "asking the helper for a tap on bridge br0" "tap netrelay0 is made" \
		"by tap netrelay0, MTU 1500" up "tap has no carrier until the other end is up" \
		"tap has its carrier, for the other end is up"
	run -0 relay_stop one
}

@test "-v: a tap that is there, and one that is not" {
	needs_tun
	ns lab ip tuntap add t0 mode tap
	relay_start one in lab -v -l 127.0.0.1:5000 tap:t0 tap:t1
	will_tell one tap:t0 "asking the helper for tap t0" "tap t0 was there already, and is taken" up
	will_tell one tap:t1 "asking the helper for tap t1" "tap t1 is made" up
	run -0 relay_stop one
}

@test "-v: UDP to a name: which address it goes to" {
	local port=udp:localhost:6000,local=6001

	relay_start one in lab -v -l 127.0.0.1:5000 "$port"
	will_tell one "$port" "resolving localhost" "goes to *:6000" up
	run -0 relay_stop one
}
