#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
#
# The program as a service: itest/manager stands for systemd, as far as a program can tell.

load helpers

setup()
{
	common_setup
	start manager "$LAB_ROOT/itest/manager" collect "$DIR/notify"
	wait_listen - unixgram "$DIR/notify"
	export NOTIFY_SOCKET=$DIR/notify
}

# has_told PATTERN [COUNT]: whether the manager was told that, so often.
has_told()
{
	(($(grep -Ec -- "$1" "$DIR/manager.out") >= ${2:-1}))
}

wait_told()
{
	wait_for 10 "to be told $1" has_told "$@"
}

told()
{
	sed 's/^[0-9]* //' "$DIR/manager.out"
}

# --- what the manager is told --------------------------------------------------

@test "ready when it is confined, what it does, and that it stops" {
	relay_start one -l "unix-listen:$DIR/s" "unix:$DIR/other"
	wait_told '^[0-9]+ READY=1\|STATUS=switch, 0 of 1 ports up; unix:.*/other: connect'
	grep -q '^Seccomp:.*2' "/proc/$(pid_of one)/status"
	START_IN=hold relay_start two -l "unix-listen:$DIR/other" -
	wait_told 'STATUS=switch, 1 of 1 ports up$'
	dismiss two
	wait_told 'STATUS=switch, 0 of 1 ports up; unix'
	run -0 relay_stop one
	wait_told '^[0-9]+ STOPPING=1$'
	run -0 told
	assert_equal "${lines[-1]}" STOPPING=1
	assert_equal "$(told | grep -c READY=1)" 2
}

@test "a reload is told, and that it has ended, also of a file with a mistake" {
	printf '%s\n' "listen unix-listen:$DIR/s" "join unix:$DIR/a" >"$DIR/conf"
	relay_start one -f "$DIR/conf"
	wait_told 'STATUS=switch, 0 of 1 ports up'
	echo "join unix:$DIR/b" >>"$DIR/conf"
	kill -HUP "$(pid_of one)"
	wait_told 'RELOADING=1\|MONOTONIC_USEC=[0-9]+$'
	wait_told 'STATUS=switch, 0 of 2 ports up'
	wait_told 'READY=1' 2
	echo "joyn unix:$DIR/c" >>"$DIR/conf"
	kill -HUP "$(pid_of one)"
	wait_told 'RELOADING=1' 2
	wait_told 'READY=1' 3
	run -0 relay_stop one
}

@test "by an abstract socket, too" {
	start abstract "$LAB_ROOT/itest/manager" collect "@$LAB_TAG-notify"
	wait_for 5 "socket" grep -q "@$LAB_TAG-notify" /proc/net/unix
	NOTIFY_SOCKET=@$LAB_TAG-notify relay_start one -l "unix-listen:$DIR/s"
	wait_for 5 "words" grep -q READY=1 "$DIR/abstract.out"
	run -0 relay_stop one
	wait_for 5 "words" grep -q STOPPING=1 "$DIR/abstract.out"
}

@test "the status has a reason of a peer's in one line, and is told once a second at most" {
	local i

	relay_start one --ctl "$DIR/ctl" -l "unix-listen:$DIR/s"
	wait_told 'READY=1'
	for i in {1..20}; do
		"$NETRELAY" ctl "$DIR/ctl" add "unix:$DIR/no"$'\n'"MAINPID=1$i" >/dev/null || true
	done
	wait_told 'STATUS=switch, 0 of 20 ports up'
	run ! has_told '\|MAINPID'
	awk '/STATUS/ { if (last && $1 - last < 900) exit 1; last = $1 }' "$DIR/manager.out"
	run -0 relay_stop one
}

@test "an endpoint that is a mistake is no readiness; one that is waited for is" {
	needs_root
	ns_add a
	relay_start one in a -l "unix-listen:$DIR/s" br0
	run -1 wait_end one
	run ! has_told READY
	relay_start one in a --wait -l "unix-listen:$DIR/s" br0
	wait_told 'READY=1.*; br0: bridge br0 does not exist'
	bridge_add a br0
	wait_told 'STATUS=switch, 1 of 1 ports up'
	run -0 relay_stop one
}

@test "the watchdog is told by the loop, and not by a stuck one" {
	local before

	WATCHDOG_USEC=400000 relay_start one -l "unix-listen:$DIR/s"
	wait_told '^[0-9]+ WATCHDOG=1$' 10
	kill -STOP "$(pid_of one)"
	before=$(told | grep -c WATCHDOG)
	run ! happens_within 1 has_told WATCHDOG=1 $((before + 2))
	kill -CONT "$(pid_of one)"
	wait_told WATCHDOG=1 $((before + 3))
	run -0 relay_stop one
	# The variable is somebody else's.
	WATCHDOG_USEC=100000 WATCHDOG_PID=1 relay_start two -l "unix-listen:$DIR/s"
	before=$(told | grep -c WATCHDOG)
	wait_told READY=1 2
	run ! happens_within 1 has_told WATCHDOG=1 $((before + 1))
	run -0 relay_stop two
}

@test "a manager that can't be reached, or does not read, is no reason not to run" {
	NOTIFY_SOCKET=$DIR/nobody relay_start one -l "unix-listen:$DIR/s"
	wait_for 5 "words" has_logged one "NOTIFY_SOCKET: $DIR/nobody: No such file.*; the service manager is not told"
	wait_listen - unix "$DIR/s"
	run -0 relay_stop one
	kill -STOP "$(pid_of manager)"
	WATCHDOG_USEC=20000 relay_start one -l "unix-listen:$DIR/s"
	wait_listen - unix "$DIR/s"
	run -0 "$FRAMES" send "unix:$DIR/s" --count 100
	run ! happens_within 2 is_gone "$(pid_of one)"
	run -0 relay_stop one
	kill -CONT "$(pid_of manager)"
}

@test "commands do not get the manager's variables" {
	WATCHDOG_USEC=1000000 \
		relay_start one -l "unix-listen:$DIR/s" "exec:env >'$DIR/environment'; sleep 1000"
	wait_for 10 "command" grep -q PATH "$DIR/environment"
	run -1 grep -E 'NOTIFY|WATCHDOG' "$DIR/environment"
	run -0 relay_stop one
}

@test "the journal gets priorities, of the broker and of a capture's writer, too" {
	start one "$LAB_ROOT/itest/manager" journal -- "$NETRELAY" -v -l "unix-listen:$DIR/s" \
		--capture "$DIR/c" "unix:$DIR/no" 'exec:exec sleep 1000'
	wait_for 10 "words" grep -qx '<6>unix-listen:.*: listening' "$DIR/one.out"
	wait_for 10 "words" grep -qx '<4>unix:.*: connect to .*; trying again' "$DIR/one.out"
	kill -KILL "$(broker_of one)"
	wait_for 10 "words" grep -qx '<4>the broker process was killed; starting another one' "$DIR/one.out"
	kill -USR1 "$(pid_of one)"
	wait_for 10 "words" grep -qx '<6>end of status' "$DIR/one.out"
	run -0 relay_stop one
	run ! grep -v '^<[46]>' "$DIR/one.out"
}

# --- the sockets that the manager passes ------------------------------------------

# pass NAME SOCKET... -- ARGS...: start a relay with these.
pass()
{
	local name=$1 sockets=()

	shift
	while [[ $1 != -- ]]; do
		sockets+=("s${#sockets[@]}=$1")
		shift
	done
	start "$name" "$LAB_ROOT/itest/manager" pass "${sockets[@]}" -- "$NETRELAY" "${@:2}"
}

@test "listeners take over the manager's sockets, and what came before is not lost" {
	local port

	port=$(free_port)
	# The sockets are there before the relay: so are two clients, and their frames.
	start one bash -c "exec '$LAB_ROOT/itest/manager' pass a=tcp:127.0.0.1:$port b=unix:$DIR/s \
		ctl=unix:$DIR/ctl -- sh -c '
			while [ ! -e $DIR/go ]; do sleep 0.05; done
			LISTEN_PID=\$\$ exec $NETRELAY -v -l 127.0.0.1:$port -l unix-listen:$DIR/s --ctl $DIR/ctl'"
	wait_listen - tcp "$port"
	frames_start reader recv "tcp:127.0.0.1:$port" --count 100
	start sender "$FRAMES" send "unix:$DIR/s" --count 100
	wait_for 5 "frames" has_connection - "$DIR/s"
	touch "$DIR/go"
	run -0 frames_wait reader
	assert_equal "$(frames_total reader received)" 100
	assert_equal "$(log_lines one "listening at the service manager's socket")" 3
	run -0 "$NETRELAY" ctl "$DIR/ctl" status
	run -0 relay_stop one
	# They are the manager's.
	assert_socket_exists "$DIR/s"
	assert_socket_exists "$DIR/ctl"
}

@test "a socket that was passed can be had again, and is not closed meanwhile" {
	pass one "unix:$DIR/s" -- --ctl "$DIR/ctl" -l "unix-listen:$DIR/s"
	wait_for 5 "socket" test -S "$DIR/ctl"
	run -0 "$NETRELAY" ctl "$DIR/ctl" del -l "unix-listen:$DIR/s"
	run -0 is_listening - unix "$DIR/s"
	run -0 "$NETRELAY" ctl "$DIR/ctl" add -l "unix-listen:$DIR/s"
	run -0 "$FRAMES" send "unix:$DIR/s" --count 10
	wait_status one 'status: .* received 10,'
	run -0 relay_stop one
}

@test "front ends of vhost-user come by sockets that were passed" {
	pass one "unix:$DIR/s" -- -v -l "vhost-user-listen:$DIR/s"
	pass two "unix:$DIR/t" -- -v fd:3,vhost-user "unix-listen:$DIR/u"
	wait_listen - unix "$DIR/s"
	wait_listen - unix "$DIR/t"
	run -0 timeout 60 "$LAB_ROOT/itest/vhost-come" "$DIR/s" 10
	assert_equal "$(log_lines one "listening at the service manager's socket")" 1
	run -0 timeout 60 "$LAB_ROOT/itest/vhost-come" "$DIR/t" 0
	run -0 timeout 60 "$LAB_ROOT/itest/vhost-come" "$DIR/t" 0
	assert_equal "$(log_lines two "fd:3,vhost-user: up")" 2
	run -0 relay_stop one
	run -0 relay_stop two
}

@test "sockets that no listener has, and wrong kinds, are refused in one line" {
	local port

	port=$(free_port)
	pass one "unix:$DIR/s" "tcp:127.0.0.1:$port" -- -l "unix-listen:$DIR/s"
	run -2 wait_end one
	run -0 cat "$DIR/one.err"
	assert_output "netrelay: the service manager passes a socket at 127.0.0.1:$port, \"s1\", and no listener has that address; add -l 127.0.0.1:$port"
	pass one "udp:127.0.0.1:$port" -- -l "127.0.0.1:$port"
	run -2 wait_end one
	run -0 cat "$DIR/one.err"
	assert_output --partial "no listener has that address; add -l 127.0.0.1:$port,udp"
	for kind in "seqpacket:$DIR/p" file abstract:x; do
		pass one "$kind" -- -l "$port"
		run -2 wait_end one
		run -0 cat "$DIR/one.err"
		assert_output --regexp '^netrelay: the service manager passes descriptor 3 "s0", which is a?n?o? .*fd:3$'
	done
	start one "$LAB_ROOT/itest/manager" pass fds=70 -- "$NETRELAY" -l "$port"
	run -2 wait_end one
	# Not ours.
	start one "$LAB_ROOT/itest/manager" pass "s=unix:$DIR/t" pid=1 -- "$NETRELAY" -l "unix-listen:$DIR/u"
	wait_listen - unix "$DIR/u"
	run -0 relay_stop one
}

@test "a connection that was passed is an endpoint" {
	local port

	port=$(free_port)
	relay_start far -l "127.0.0.1:$port"
	wait_listen - tcp "$port"
	pass one "dialled:127.0.0.1:$port" -- -l "unix-listen:$DIR/s" fd:3
	relay_wait_up one 1
	run -0 relay_stop one
	run -0 relay_stop far
}

# --- without a service manager ----------------------------------------------------

# log_start: starts a system log, which collects in syslog.out. It is that of daemons alone:
# their /dev is a folder of ours.
log_start()
{
	mkdir -p "$DIR/dev"
	touch "$DIR/dev/null"
	start syslog "$LAB_ROOT/itest/manager" collect "$DIR/dev/log"
	wait_listen - unixgram "$DIR/dev/log"
}

has_syslog()
{
	grep -Eq -- "^[0-9]+ $1" "$DIR/syslog.out"
}

# daemon NAME ARGS...: starts one as a shell would; its process is that of the pidfile NAME.
daemon()
{
	local name=$1

	shift
	unset NOTIFY_SOCKET
	# shellcheck disable=SC2016 # for that shell
	start "start-$name" unshare -m sh -c 'mount --bind /dev/null "$0/null" &&
		mount --rbind "$0" /dev && exec "$@"' "$DIR/dev" \
		"$NETRELAY" --daemon --pidfile "$DIR/$name.pid" "$@"
	wait_end "start-$name" 60
}

daemon_pid()
{
	cat "$DIR/$1.pid"
}

daemon_stop()
{
	local pid

	pid=$(daemon_pid "$1")
	kill "-${2:-TERM}" "$pid"
	wait_for 15 "end of $1" is_gone_or_never "$pid"
	wait_for 15 "end of its pidfile" test ! -e "$DIR/$1.pid"
}

is_gone_or_never()
{
	[[ ! -e /proc/$1 ]] || is_gone "$1"
}

@test "a daemon returns when it is ready, and ends in order" {
	needs_root
	log_start
	run -0 daemon one -v -l "unix-listen:$DIR/s" 'exec:echo said >&2; exec sleep 1000'
	grep -q '^netrelay: unix-listen:.*listening' "$DIR/start-one.err"
	grep -q '^netrelay: confined' "$DIR/start-one.err"
	run -0 is_listening - unix "$DIR/s"
	# Of a session of its own, without a terminal.
	run -0 ps -o sid=,tty= -p "$(daemon_pid one)"
	assert_output --regexp "^ *$(daemon_pid one) \?"
	# What it says later, and what its commands say.
	wait_for 5 "words" has_syslog "<30>netrelay\[$(daemon_pid one)\]: exec:.*: up"
	wait_for 5 "words of a command" has_syslog "said"
	run ! grep -q "end of status" "$DIR/start-one.err"
	run -0 "$FRAMES" send "unix:$DIR/s" --count 10
	daemon_stop one
	wait_for 5 "words" has_syslog "<30>netrelay\[[0-9]*\]: status: switch"
	assert_not_exists "$DIR/s"
}

@test "a daemon's system log may be started again, or be missing" {
	needs_root
	log_start
	run -0 daemon one -l "unix-listen:$DIR/s"
	dismiss syslog
	rm "$DIR/dev/log"
	kill -USR1 "$(daemon_pid one)"
	log_start
	kill -USR1 "$(daemon_pid one)"
	wait_for 5 "words" has_syslog '<30>netrelay\[[0-9]*\]: .*end of status'
	dismiss syslog
	rm "$DIR/dev/log"
	run -0 daemon two -l "unix-listen:$DIR/t"
	grep -q '/dev/log: No such file.*; messages are lost' "$DIR/start-two.err"
	log_start
	kill -USR1 "$(daemon_pid two)"
	wait_for 5 "words" has_syslog "<30>netrelay\[$(daemon_pid two)\]: .*end of status"
	daemon_stop one
	daemon_stop two
}

# fails STATUS PATTERN ARGS...: no daemon is left, nor a file of it.
fails()
{
	run -"$1" daemon bad "${@:3}"
	grep -Eq "^netrelay: $2" "$DIR/start-bad.err"
	run ! pgrep -f -- "--pidfile $DIR/bad.pid"
	assert_not_exists "$DIR/bad.pid"
}

@test "a daemon that can't start says why, and leaves nothing" {
	local port

	needs_root
	log_start
	port=$(free_port)
	fails 2 '-: with --daemon there is no stdin' tap:x
	fails 2 '--storm is for a server' --storm 5 tap:x tap:y
	fails 1 'nosuch0: bridge nosuch0 does not exist' -l "unix-listen:$DIR/s" nosuch0
	relay_start one -l "127.0.0.1:$port"
	wait_listen - tcp "$port"
	fails 1 "127.0.0.1:$port: listen: Address.*in use" -l "127.0.0.1:$port"
	run -0 relay_stop one
	fails 1 '--user nobody5: there is no such user' --user nobody5 -l "$port"
	fails 1 'capture /nonexistent/c: ' --capture /nonexistent/c -l "$port"
	fails 1 'fd:9: .*is not open' fd:9 -l "$port"
}

@test "a pidfile is never another's, and goes with the process, however that ends" {
	needs_root
	log_start
	run -0 daemon one -l "unix-listen:$DIR/s"
	kill -0 "$(daemon_pid one)"
	# A second one.
	cp "$DIR/one.pid" "$DIR/before"
	unset NOTIFY_SOCKET
	run -1 "$NETRELAY" --daemon --pidfile "$DIR/one.pid" -l "unix-listen:$DIR/t"
	assert_output --regexp "one.pid: process $(daemon_pid one) has it; stop that first"
	diff "$DIR/before" "$DIR/one.pid"
	# Killed: the broker is left, and removes the file.
	daemon_stop one KILL
	rm -f "$DIR/s"
	# As after a crash of the host.
	echo 999999 >"$DIR/one.pid"
	run -0 daemon one -l "unix-listen:$DIR/s" --user nobody
	kill -0 "$(daemon_pid one)"
	daemon_stop one
	echo precious >"$DIR/precious"
	ln -s "$DIR/precious" "$DIR/link"
	run -1 "$NETRELAY" --pidfile "$DIR/link" -l "unix-listen:$DIR/t"
	assert_output --regexp 'link: is a symbolic link$'
	run -1 "$NETRELAY" --pidfile "$DIR/precious" -l "unix-listen:$DIR/t"
	assert_output --regexp 'precious: has other contents than a number'
	assert_equal "$(cat "$DIR/precious")" precious
}

@test "a pidfile without a daemon, and without a sandbox" {
	for option in -v --no-sandbox; do
		relay_start one "$option" --pidfile "$DIR/pid" -l "unix-listen:$DIR/s"
		wait_for 10 "pidfile" test -s "$DIR/pid"
		assert_equal "$(cat "$DIR/pid")" "$(pid_of one)"
		run -0 relay_stop one
		assert_not_exists "$DIR/pid"
	done
}

@test "who reads a daemon's output, or holds another descriptor of it, is not kept waiting" {
	local out pid

	unset NOTIFY_SOCKET
	# The substitution ends when nobody has the pipe open.
	out=$(timeout 30 "$NETRELAY" --daemon --pidfile "$DIR/pid" -l "unix-listen:$DIR/s" \
		'exec:exec sleep 1000' 2>&1 7>&1)
	echo "$out"
	pid=$(cat "$DIR/pid")
	wait_for 10 "command" pgrep -f -s "$pid" "sleep 1000"
	kill "$pid"
	wait_for 15 "end" test ! -e "$DIR/pid"
}
