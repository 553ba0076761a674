#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
#
# The end of stdin while nobody is there to take its frames. Nothing may be read
# then, and still the program must not stay for ever.

# shellcheck disable=SC2016 # shells that are started read what is quoted
load helpers

# hold PATHS...: keeps FIFOs open for reading and writing, until it is stopped.
hold()
{
	mkfifo "$@"
	start holder bash -c 'for path; do exec {fd}<>"$path"; done; echo; exec sleep 1000' \
		bash "$@"
	wait_for 5 "pipes" grep -q '^$' "$DIR/holder.out"
}

@test "stdin has ended, with nothing in it, and nobody is at the other end" {
	local in

	touch "$DIR/empty"
	for in in /dev/null "$DIR/empty"; do
		START_IN=$in relay_start one - "unix:$DIR/s"
		run -0 wait_end one 10
	done
	made_frames 3 >"$DIR/file"
	# A file that was read to its end by whoever had it before.
	START_IN=$DIR/file start two sh -c 'cat >/dev/null; exec "$0" - "unix:$1"' "$NETRELAY" \
		"$DIR/s"
	run -0 wait_end two 10
	start three sh -c 'true | "$0" - "unix:$1"' "$NETRELAY" "$DIR/s"
	run -0 wait_end three 10
	start four python3 -c 'import os, socket, subprocess, sys
ours, its = socket.socketpair()
relay = subprocess.Popen(sys.argv[1:], stdin=its)
its.close()
ours.shutdown(socket.SHUT_WR)
sys.exit(relay.wait())' "$NETRELAY" - "unix:$DIR/s"
	run -0 wait_end four 10
}

@test "stdin ends after the other end has gone" {
	hold "$DIR/in"
	frames_start far recv "unix-listen:$DIR/s" --count 1000 --timeout 60
	START_IN=$DIR/in relay_start one - "unix:$DIR/s"
	relay_wait_up one 2
	run stop far KILL
	wait_for 5 "its end" grep -q "trying again" "$DIR/one.err"
	run stop holder
	run -0 wait_end one 10
}

@test "as long as something waits in stdin, it is kept for whoever comes" {
	mkfifo "$DIR/in"
	START_IN=$DIR/in relay_start one - "unix:$DIR/s"
	made_frames 20 >"$DIR/in"
	wait_for 10 "three looks" is_older_than "$DIR/one.out" 3300
	is_running one
	frames_start far recv "unix-listen:$DIR/s" --count 20 --lossless --timeout 60
	run -0 frames_wait far
	run -0 wait_end one
}

# As behind an ssh that has lost its connection: both pipes are closed at once.
@test "who is at both ends of it is gone: what waits in stdin is of no use" {
	hold "$DIR/in" "$DIR/out"
	START_IN=$DIR/in START_OUT=$DIR/out relay_start one - "unix:$DIR/s"
	made_frames 20 >"$DIR/in"
	wait_for 5 "first try" grep -q "trying again" "$DIR/one.err"
	run stop holder
	run -0 wait_end one 10
}

@test "one description for both: its flags are as they were, afterwards" {
	local flags

	mkfifo "$DIR/fifo"
	flags='grep -h flags /proc/self/fdinfo/3'
	start one sh -c "exec 3<>'$DIR/fifo'; $flags; '$NETRELAY' - 'unix-listen:$DIR/s' <&3 >&3
		$flags"
	wait_listen - unix "$DIR/s"
	kill -TERM "$(pgrep -P "$(pid_of one)")"
	run -0 wait_end one
	[[ $(wc -l <"$DIR/one.out") == 2 && $(uniq "$DIR/one.out" | wc -l) == 1 ]]
}

# with_flags KIND... -- ENDPOINT...: as it, with descriptor 3 of that kind; its flags
# ahead and behind.
with_flags()
{
	local kind=()

	while [[ $1 != -- ]]; do
		kind+=("$1")
		shift
	done
	# shellcheck disable=SC2016 # for the shell below
	start one in lab "$LAB_ROOT/itest/pass-fd" "${kind[@]}" -- sh -c '
		grep -h flags /proc/self/fdinfo/3; "$@"; grep -h flags /proc/self/fdinfo/3' \
		sh "$NETRELAY" fd:3 "${@:2}"
}

@test "fd: the flags of what was inherited are as they were, afterwards" {
	local kind

	ns_add lab
	for kind in "udp 127.0.0.1 6000 127.0.0.1 6001" "tap own0" "tap-vnet own1"; do
		# shellcheck disable=SC2086 # words
		with_flags $kind -- "unix-listen:$DIR/s"
		wait_listen lab unix "$DIR/s"
		kill -TERM "$(pgrep -P "$(pid_of one)" netrelay)"
		run -0 wait_end one
		[[ $(wc -l <"$DIR/one.out") == 2 && $(uniq "$DIR/one.out" | wc -l) == 1 ]]
	done
	# One that is of no use.
	with_flags unconnected -- "unix-listen:$DIR/s"
	run -0 wait_end one
	[[ $(wc -l <"$DIR/one.out") == 2 && $(uniq "$DIR/one.out" | wc -l) == 1 ]]
}
