#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
#
# What the program gives up after set-up, and what it can do all the same. All other files
# run confined, too, so what works there works in the sandbox.

load helpers

# of PID FIELD: from /proc/PID/status, its words.
of()
{
	sed -n "s/^$2:[[:space:]]*//p" "/proc/$1/status" | tr '\t' ' '
}

is_confined()
{
	[[ $(of "$1" Seccomp) == 2 ]]
}

# assert_confined PID [CAPABILITIES]: those that may be left.
assert_confined()
{
	local set none=0000000000000000

	wait_for 5 "$1 to be confined" is_confined "$1"
	for set in CapEff CapPrm CapBnd; do
		assert_equal "$set $(of "$1" $set)" "$set ${2:-$none}"
	done
	assert_equal "$(of "$1" CapInh) $(of "$1" CapAmb)" "$none $none"
	assert_equal "$(of "$1" NoNewPrivs)" 1
}

capture_writer_of()
{
	_child_of "$(pid_of "$1")" netrelay-writer
}

@test "the relay and the writer of its capture have nothing; broker and commands have what they need" {
	local pid

	needs_root
	relay_start one -v -l "unix-listen:$DIR/s" 'exec:exec sleep 1000' --capture "$DIR/c"
	wait_for 5 "command" has_command one sleep
	assert_confined "$(pid_of one)"
	assert_confined "$(capture_writer_of one)"
	wait_for 5 "words" has_logged one "confined: no capabilities, Landlock [0-9]*, few system calls"
	for pid in "$(broker_of one)" "$(helper_of one start)" "$(command_of one sleep)"; do
		assert_equal "$(of "$pid" Seccomp) $(of "$pid" NoNewPrivs)" "0 0"
		assert_equal "$(of "$pid" CapEff)" "$(of $$ CapEff)"
	done
	run -0 relay_stop one
}

# assert_helpers NAME KIND...: these are there, and no others.
assert_helpers()
{
	assert_equal "$(pgrep -P "$(broker_of "$1")" -l | cut -d- -f2 | sort | tr '\n' ' ')" "${*:2} "
}

@test "each helper is there if it is needed, and has what it needs alone" {
	local net_admin=0000000000001000

	needs_tun
	ns_add lab
	bridge_add lab br0
	relay_start one in lab -l 5000 tcp:localhost:9
	wait_for 5 "a helper" helper_of one names
	assert_confined "$(helper_of one names)"
	assert_helpers one names
	run -0 relay_stop one
	relay_start one in lab -l 5000 br0
	relay_wait_up one 1
	assert_confined "$(helper_of one taps)" $net_admin
	assert_helpers one taps
	run -0 relay_stop one
	relay_start one in lab -l 5000 'exec:exec sleep 1000' --ctl "$DIR/ctl"
	relay_wait_up one 1
	assert_helpers one start
	run -0 ns lab "$NETRELAY" ctl "$DIR/ctl" add br0
	assert_helpers one start taps
	run -0 relay_stop one
}

# Each is stopped in turn; the two others answer.
@test "a helper that hangs does not delay the others" {
	local kind

	needs_tun
	ns_add lab
	relay_start one in lab -l 5000 --ctl "$DIR/ctl" 'exec:exec sleep 1000'
	relay_wait_up one 1
	for kind in start taps names; do
		[[ $kind != start ]] || run ns lab "$NETRELAY" ctl "$DIR/ctl" add none0
		[[ $kind != taps ]] || run ns lab "$NETRELAY" ctl "$DIR/ctl" add tcp:none.invalid:9
		kill -STOP "$(helper_of one $kind)"
		if [[ $kind != start ]]; then
			run -0 ns lab "$NETRELAY" ctl "$DIR/ctl" add 'exec:exec sleep 1000'
		fi
		if [[ $kind != taps ]]; then
			run -1 ns lab "$NETRELAY" ctl "$DIR/ctl" add none1
			assert_output --partial "bridge none1 does not exist"
		fi
		if [[ $kind != names ]]; then
			run ns lab "$NETRELAY" ctl "$DIR/ctl" add tcp:localhost:9
			wait_for 5 "an answer" has_logged one "tcp:localhost:9: connect to"
			run -0 ns lab "$NETRELAY" ctl "$DIR/ctl" del "${output#port }"
		fi
		kill -CONT "$(helper_of one $kind)"
	done
	run -0 relay_stop one
}

@test "for what needs no other process, there is none" {
	needs_root
	ns_add lab
	relay_start one in lab -l 5000 tcp:127.0.0.1:9 udp:127.0.0.1:9,local=9
	wait_listen lab tcp 5000
	assert_confined "$(pid_of one)"
	run -1 pgrep -P "$(pid_of one)"
}

@test "--no-sandbox: it keeps all, and says so" {
	needs_root
	relay_start one --no-sandbox -l "unix-listen:$DIR/s" 'exec:exec sleep 1000'
	wait_for 5 "command" pgrep -P "$(pid_of one)" -x netrelay-start
	wait_for 5 "words" grep -q -- "--no-sandbox: the relay keeps all its rights" "$DIR/one.err"
	assert_equal "$(of "$(pid_of one)" CapEff)" "$(of $$ CapEff)"
	assert_equal "$(of "$(pid_of one)" Seccomp)" 0
	run -0 relay_stop one
}

# open_on_exec PID: descriptors that a program would get from it.
open_on_exec()
{
	local fd flags

	for fd in "/proc/$1/fdinfo/"*; do
		flags=$(sed -n 's/^flags:[[:space:]]*//p' "$fd")
		((8#$flags & 8#2000000)) || printf '%s ' "${fd##*/}"
	done
}

@test "what the relay and its processes open is closed on exec" {
	local pid

	needs_tun
	ns_add lab
	bridge_add lab br0
	(umask 077 && "$NETRELAY" genkey >"$DIR/key")
	echo "$("$NETRELAY" genkey | "$NETRELAY" pubkey) far" >"$DIR/peers"
	echo "listen 127.0.0.1:5003" >"$DIR/conf"
	relay_start one in lab -f "$DIR/conf" -l 5000 -l "unix-listen:$DIR/s" --key "$DIR/key" \
		-l "vhost-user-listen:$DIR/v" -l "tcp-listen:5001,peers=$DIR/peers,udp" \
		--ctl "$DIR/ctl" --metrics 9100 --capture "$DIR/c" --pidfile "$DIR/pid" \
		udp:127.0.0.1:6001,local=6002 mcast:230.0.0.1:6003,if=127.0.0.1 tcp:localhost:6004 \
		"unixgram:$DIR/a,local=$DIR/b" tap:t0 br0 'exec:exec sleep 1000'
	wait_listen lab tcp 5003
	relay_wait_up one 6
	start events "$NETRELAY" ctl "$DIR/ctl" events
	frames_start client in lab raw tcp:127.0.0.1:5000 --wait 20000
	relay_wait_ports one 8
	# Whoever runs the tests may leave some open.
	start other in lab sleep 1000
	assert_equal "$(open_on_exec "$(pid_of one)")" "$(open_on_exec "$(pid_of other)")"
	for pid in "$(broker_parent_of one)" "$(broker_of one)" \
		"$(capture_writer_of one)" "$(helper_of one names)" "$(helper_of one taps)" \
		"$(helper_of one start)" "$(pgrep -P "$(helper_of one start)" -x netrelay-exec)"; do
		assert_equal "$(cat "/proc/$pid/comm") $(open_on_exec "$pid")" \
			"$(cat "/proc/$pid/comm") 0 1 2 "
	done
	# There were some to be looked at.
	(($(find "/proc/$(pid_of one)/fd" -mindepth 1 | wc -l) > 25))
	dismiss events
	dismiss other
	run -0 relay_stop one
}

@test "ctl and top have no more than a control socket of another user needs" {
	needs_root
	relay_start one -l "unix-listen:$DIR/s" --ctl "$DIR/ctl"
	wait_listen - unix "$DIR/ctl"
	start events "$NETRELAY" ctl "$DIR/ctl" events
	assert_confined "$(pid_of events)" 0000000000000002
	start capture "$NETRELAY" ctl "$DIR/ctl" capture "$DIR/c"
	assert_confined "$(pid_of capture)" 0000000000000002
	run -0 stop capture INT
	START_IN=hold start terminal script -qec "exec $NETRELAY top $DIR/ctl" /dev/null
	wait_for 5 "top" pgrep -P "$(pid_of terminal)" -x netrelay
	assert_confined "$(pgrep -P "$(pid_of terminal)" -x netrelay)" 0000000000000002
	dismiss terminal
	run -0 "$NETRELAY" ctl "$DIR/ctl" add "unix-listen:$DIR/other"
	wait_listen - unix "$DIR/other"
	run -0 relay_stop one
	[[ ! -e $DIR/other && ! -e $DIR/s && ! -e $DIR/ctl ]]
}

# --- users ------------------------------------------------------------------

@test "--user: the relay is another user, with its groups, and says what it can't reach" {
	local pid

	needs_root
	frames_start far recv "unix-listen:$DIR/far" --expect 1 --timeout 30
	chmod 711 "$DIR"
	relay_start one --user daemon -l "unix-listen:$DIR/s" "unix:$DIR/far" \
		"unixgram:$DIR/far,local=$DIR/near" --ctl "$DIR/ctl" \
		"exec:id -un >'$DIR/who'; exec sleep 1000"
	pid=$(pid_of one)
	wait_for 5 "words" has_logged one \
		"user daemon may not write to: unix:$DIR/far, unixgram:$DIR/far,local=$DIR/near"
	assert_confined "$pid"
	assert_equal "$(of "$pid" Uid)" "1 1 1 1"
	assert_equal "$(of "$pid" Gid)" "1 1 1 1"
	assert_equal "$(of "$pid" Groups)" "$(id -G daemon) "
	# Commands run as who started it.
	wait_for 5 "a command" has_command one sleep
	assert_equal "$(cat "$DIR/who")" "$(id -un)"
	assert_equal "$(of "$(command_of one sleep)" CapEff)" "$(of $$ CapEff)"
	# It can't be dumped or traced, so what there is of it in /proc is root's.
	assert_equal "$(stat -c %u "/proc/$pid/mem")" 0
	# What it was started as may still control it, and what it made is removed.
	run -0 "$NETRELAY" ctl "$DIR/ctl" status
	run -0 relay_stop one
	[[ ! -e $DIR/s && ! -e $DIR/ctl && ! -e $DIR/near ]]
}

@test "--user: who is not there, and who has no right to" {
	needs_root
	run -1 "$NETRELAY" --user no-such-user -l "unix-listen:$DIR/s"
	assert_output "netrelay: --user no-such-user: there is no such user in /etc/passwd"
	run -1 "$LAB_ROOT/itest/as-user" "$NETRELAY" --user daemon -l "unix-listen:$DIR/s"
	assert_output "netrelay: --user daemon: only root can become another user"
}

# far NAME ARGS...: a server at $DIR/far, which only another user may dial.
far()
{
	frames_start "$1" recv "unix-listen:$DIR/new" "${@:2}"
	chown daemon "$DIR/new"
	chmod 700 "$DIR/new"
	mv -T "$DIR/new" "$DIR/far"
}

#   one ---unix--- far, of another user; the second time it is dialled in the sandbox
@test "root's relay dials another user's socket again" {
	needs_root
	far first --expect 1 --timeout 30
	relay_start one -v -l "unix-listen:$DIR/s" "unix:$DIR/far"
	relay_wait_up one 1
	assert_confined "$(pid_of one)"
	run -137 stop first KILL
	# Reset, if it had not accepted it yet.
	wait_for 5 "its end" has_logged one "(closed by|Connection reset by) (the )?peer"
	far second --expect 100 --timeout 30
	relay_wait_up one 1
	run -0 "$FRAMES" send "unix:$DIR/s" --count 100
	run -0 frames_wait second
	run -0 relay_stop one
}

# --- what is lost -----------------------------------------------------------

@test "the broker is killed: there is another one, which can do the same" {
	local pid

	needs_root
	relay_start one -l "unix-listen:$DIR/s" 'exec:exec sleep 1000' --ctl "$DIR/ctl"
	relay_wait_up one 1
	pid=$(broker_of one)
	kill -KILL "$pid"
	wait_for 5 "words" has_logged one "the broker process was killed; starting another one"
	wait_for 5 "another one" broker_of one
	run -0 "$NETRELAY" ctl "$DIR/ctl" add "unix-listen:$DIR/other"
	kill -KILL "$(helper_of one start)"
	wait_for 5 "the end of the helper" has_logged one "the helper process for commands has ended"
	wait_for 10 "another helper" helper_of one start
	wait_for 10 "another command" has_command one sleep
	run -0 relay_stop one
	[[ ! -e $DIR/s && ! -e $DIR/other && ! -e $DIR/ctl ]]
}

@test "the broker and its parent are killed: said, and the relay goes on with what it has" {
	needs_root
	frames_start far recv "unix-listen:$DIR/far" --expect 100 --timeout 30
	relay_start one -l "unix-listen:$DIR/s" "unix:$DIR/far" 'exec:exec sleep 1000' \
		--ctl "$DIR/ctl"
	relay_wait_up one 2
	kill -KILL "$(broker_parent_of one)" "$(broker_of one)"
	wait_for 5 "words" has_logged one "the broker process has ended: unix sockets can't be made"
	run -1 "$NETRELAY" ctl "$DIR/ctl" add "unix-listen:$DIR/other"
	assert_output --partial "listen: Broken pipe"
	run -0 "$FRAMES" send "unix:$DIR/s" --count 100
	run -0 frames_wait far
	run -0 relay_stop one
}

@test "a path that somebody removed is made again, by the broker" {
	needs_root
	relay_start one "unixgram:$DIR/far,local=$DIR/near" -l "unix-listen:$DIR/s"
	wait_for 5 "its path" test -S "$DIR/near"
	assert_confined "$(pid_of one)"
	rm "$DIR/near"
	wait_for 15 "its path again" test -S "$DIR/near"
	run -0 relay_stop one
	[[ ! -e $DIR/near ]]
}

# --- the manual -------------------------------------------------------------

@test "the manual has the system calls that are allowed" {
	# Those of x86-64, and those of filter.c.
	{
		sed -n '/relay_calls/,/^}/s/^\tSYS_\(.*\),$/\1/p' "$LAB_ROOT/build/sandbox/syscalls.h" |
			grep -xFf <(sed -n 's/^#define __NR_\([a-z0-9_]*\) .*/\1/p' \
				"/usr/include/x86_64-linux-gnu/asm/unistd_64.h")
		sed -n '/checks\[\] = {/,/^\t}/s/.*{ SYS_\([a-z0-9]*\),.*/\1/p' \
			"$LAB_ROOT/src/sandbox/filter.c"
		echo mmap
		echo fcntl
	} | LC_ALL=C sort >"$DIR/source"
	sed -n '/allowed after set-up, on x86-64/,/^\.Pp/p' "$LAB_ROOT/man/netrelay.1" | sed '1d;$d' |
		tr -d ',.' | tr ' ' '\n' >"$DIR/manual"
	diff "$DIR/source" "$DIR/manual"
	(($(wc -l <"$DIR/manual") > 50))
}
