#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
#
# Commands of exec:, and the helper that starts them: what they start in turn ends
# with them, whoever ends or is killed; and a helper that is lost comes back.

# shellcheck disable=SC2016 # shells that are started read what is quoted
load helpers

is_all_gone()
{
	local pid

	while read -r pid; do
		is_gone "$pid" || return 1
	done <"$DIR/pids"
}

# tree COMMANDS: a command that starts more: one in the background, a pipeline, a daemon
# whose parents are gone and who is in a session of its own. Each writes down its
# pid. Then it runs COMMANDS.
tree()
{
	: >"$DIR/pids"
	echo "echo \$\$ >>'$DIR/pids'; exec sleep 1000" >"$DIR/leaf"
	cat >"$DIR/tree" <<-END
		sh '$DIR/leaf' &
		sh '$DIR/leaf' | sh '$DIR/leaf' &
		setsid sh -c 'sh "\$0" &' '$DIR/leaf' &
		echo \$\$ >>'$DIR/pids'
	END
	echo ". '$DIR/tree'; $*"
}

tree_starts()
{
	wait_for 10 "all of the tree" has_lines "$DIR/pids" 5
}

# --- what a command starts --------------------------------------------------

@test "all that a command starts ends with the relay, by TERM and by KILL" {
	local end

	for end in "TERM 0" "KILL 137"; do
		# shellcheck disable=SC2086
		set -- $end
		relay_start one -l "unix-listen:$DIR/s" "exec:$(tree exec sleep 1000)"
		tree_starts
		run "-$2" stop one "$1"
		wait_for 10 "end of all of it" is_all_gone
		rm -f "$DIR/s"
	done
}

@test "all that a command starts ends with its port" {
	relay_start one --ctl "$DIR/ctl" -l "unix-listen:$DIR/s" "exec:$(tree wait)"
	tree_starts
	run -0 "$NETRELAY" ctl "$DIR/ctl" del 1
	wait_for 10 "end of all of it" is_all_gone
	run -0 relay_stop one
}

@test "all that a command starts ends with the command, and its port starts it again" {
	# One that holds the socket open would leave the port up for ever.
	relay_start one -l "unix-listen:$DIR/s" "exec:$(tree "test -e '$DIR/go' && exec sleep 1000
		sleep 0.3; touch '$DIR/go'; exit 3")"
	tree_starts
	wait_for 10 "message" grep -q "exited with status 3; trying again" "$DIR/one.err"
	wait_for 10 "the next one" has_lines "$DIR/pids" 10
	head -n 5 "$DIR/pids" >"$DIR/first" && mv "$DIR/first" "$DIR/pids"
	wait_for 10 "end of all of the first" is_all_gone
	run -0 relay_stop one
}

@test "all that a command starts ends when the helper, or the keeper, is killed" {
	local who

	for who in helper keeper; do
		relay_start one -l "unix-listen:$DIR/s" "exec:$(tree exec sleep 1000)"
		tree_starts
		mv "$DIR/pids" "$DIR/old"
		if [[ $who == helper ]]; then
			kill -KILL "$(helper_of one start)"
		else
			kill -KILL "$(pgrep -P "$(helper_of one start)" -x netrelay-exec)"
		fi
		wait_for 10 "the next one" has_lines "$DIR/pids" 5
		cp "$DIR/pids" "$DIR/new"
		mv "$DIR/old" "$DIR/pids"
		wait_for 10 "end of all of the first" is_all_gone
		mv "$DIR/new" "$DIR/pids"
		run -0 relay_stop one
		wait_for 10 "end of all of the second" is_all_gone
	done
}

@test "all that a command starts ends, even if it ignores TERM" {
	relay_start one --ctl "$DIR/ctl" -l "unix-listen:$DIR/s" \
		"exec:trap '' TERM; $(tree exec sleep 1000)"
	tree_starts
	run -0 "$NETRELAY" ctl "$DIR/ctl" del 1
	wait_for 10 "end of all of it" is_all_gone
	run -0 relay_stop one
}

@test "a command may ask on the terminal, as ssh does for a password" {
	mkfifo "$DIR/keys"
	exec {keys}<>"$DIR/keys"
	START_IN=$DIR/keys start one script -qec "exec '$NETRELAY' -l 'unix-listen:$DIR/s' \
		'exec:stty -echo </dev/tty && echo >\"$DIR/asked\" && read -r word </dev/tty &&
		echo \"\$word\" >\"$DIR/word\"; exec sleep 1000'" /dev/null
	wait_listen - unix "$DIR/s"
	wait_for 5 "question" test -s "$DIR/asked"
	echo secret >&"$keys"
	wait_for 5 "answer" grep -qx secret "$DIR/word"
	# The interrupt key is for all of them.
	printf '\x03' >&"$keys"
	run -0 wait_end one
	exec {keys}>&-
}

@test "more than 64 commands" {
	local i commands=()

	for i in $(seq 70); do
		commands+=("exec:echo >>'$DIR/started'; exec sleep $((1000 + i))")
	done
	relay_start one -l "unix-listen:$DIR/s" "${commands[@]}"
	wait_for 20 "70 commands" has_lines "$DIR/started" 70
	run -0 relay_stop one
}

# has_no_zombies PID: among its children.
has_no_zombies()
{
	! pgrep -P "$1" --runstates Z
}

@test "as PID 1 it leaves no zombies, neither commands' orphans nor others" {
	local init

	needs_root
	start one unshare --pid --fork --kill-child --mount-proc "$NETRELAY" \
		-l "unix-listen:$DIR/s" "exec:(sleep 0.4 &); (sleep 0.2 &); echo >>'$DIR/n'; sleep 0.3"
	wait_listen - unix "$DIR/s"
	init=$(pgrep -P "$(pid_of one)")
	wait_for 15 "4 commands" has_lines "$DIR/n" 4
	wait_for 5 "orphans of commands" has_no_zombies "$init"
	# Whoever comes from outside leaves his orphans to PID 1, and so does the helper.
	nsenter -t "$init" -p sh -c "(sleep 0.1; echo >>'$DIR/orphan') &"
	wait_for 5 "an orphan" has_lines "$DIR/orphan" 1
	wait_for 5 "orphan of the relay" has_no_zombies "$init"
	kill -KILL "$(pgrep -P "$(pgrep -P "$(pgrep -P "$init" -x netrelay-broker)")" \
		-x netrelay-start)"
	wait_for 15 "another command" has_lines "$DIR/n" $(($(wc -l <"$DIR/n") + 2))
	wait_for 5 "what the helper left" has_no_zombies "$init"
	kill -TERM "$init"
	wait_end one
}

# --- the helper -------------------------------------------------------------

@test "the helpers are killed: names, taps and commands work again" {
	local what

	ns_add a
	bridge_add a br0
	relay_start one in a --ctl "$DIR/ctl" -l "unix-listen:$DIR/s" br0 \
		"exec:echo >>'$DIR/n'; exec sleep 1000"
	relay_wait_up one 2
	kill -KILL "$(helper_of one start)" "$(helper_of one taps)"
	wait_for 10 "another command" has_lines "$DIR/n" 2
	ns a ip link del br0
	wait_for 10 "end of the bridge" grep -q "br0: " "$DIR/one.err"
	bridge_add a br0
	relay_wait_up one 2 15
	frames_start far in a recv tcp-listen:127.0.0.1:6000 --count 1 --timeout 60
	run -0 ns a "$NETRELAY" ctl "$DIR/ctl" add tcp:localhost:6000
	relay_wait_up one 3 15
	kill -KILL "$(helper_of one names)"
	run -0 ns a "$NETRELAY" ctl "$DIR/ctl" del 3
	wait_for 5 "its end" has_logged one "the helper process for names has ended"
	frames_start next in a recv tcp-listen:127.0.0.1:6001 --count 1 --timeout 60
	run -0 ns a "$NETRELAY" ctl "$DIR/ctl" add tcp:localhost:6001
	relay_wait_up one 3 15
	for what in names taps commands; do
		has_logged one "the helper process for $what has ended; starting another one"
	done
	(($(log_lines one "the helper process") == 3))
	run -0 relay_stop one
	dismiss far TERM
	dismiss next TERM
}

@test "a helper that is killed again and again: few words, and no spinning" {
	local i helper now last slow=0

	relay_start one -l "unix-listen:$DIR/s" "exec:exec sleep 1000"
	for i in 1 2 3 4; do
		wait_for 15 "a helper" helper_of one start
		helper=$(helper_of one start)
		kill -KILL "$helper"
		# The end of one that has lived for a second is news.
		now=$(_now_us)
		((i == 1 || now - last < 1000000)) || slow=$((slow + 1))
		last=$now
		wait_for 5 "its end" is_gone "$helper"
	done
	wait_for 15 "command" has_command one sleep
	(($(grep -c "the helper process for commands has ended" "$DIR/one.err") <= 2 + slow))
	run -0 relay_stop one
}

# --- what is told -----------------------------------------------------------

@test "a command that speaks something else: its words, and what would do" {
	relay_start one -l "unix-listen:$DIR/s" \
		"exec:echo 'SSH-2.0-OpenSSH_9.2'; sleep 1000 # 1" \
		"exec:printf '\\000\\074\\377\\377\\377\\377\\377\\377'; sleep 1000 # 2"
	wait_for 5 "text" has_logged one '# 1: .*announced.*It sent "SSH-2.0-OpenSSH_9.2".*udp://.*a tap'
	wait_for 5 "bytes" has_logged one '# 2: .*announced.*It sent 00 3c ff ff ff ff ff ff.*udp://'
	run -0 relay_stop one
}

@test "a command that we end is not said to have failed" {
	relay_start one -v -l "unix-listen:$DIR/s" \
		"exec:trap 'exit 143' TERM; echo 'no frame'; while :; do sleep 0.1; done"
	wait_for 5 "first end" has_logged one "announced.*trying again"
	wait_for 10 "three tries" tried 3
	run -0 relay_stop one
	run ! has_logged one "exited with|ended by"
}

tried()
{
	(($(relay_status one | sed -nE 's/.*oversize ([0-9]+).*/\1/p') >= $1))
}

@test "a command that fails at once, again and again, is never up" {
	relay_start one -v -l "unix-listen:$DIR/s" "exec:echo >>'$DIR/n'; exit 3"
	wait_for 15 "5 tries" has_lines "$DIR/n" 5
	# It is taken for one that works if the machine has kept it from its end for a second.
	(($(log_lines one "exec:.*: up") <= 1))
	[[ $(grep -c "exec:.*exited with status 3" "$DIR/one.err") == 1 ]]
	run -0 relay_stop one
}

@test "a command that only listens gets frames at once, and is up in the end" {
	relay_start one -v "unix-listen:$DIR/s" "exec:exec cat >'$DIR/got'"
	wait_for 5 "command" has_command one cat
	run -0 "$FRAMES" send "unix:$DIR/s" --count 10
	wait_for 5 "frames" test -s "$DIR/got"
	run ! has_logged one "exec:.*: no-port"
	wait_for 5 "up" has_logged one "exec:.*: up"
	run stop one
}

@test "without a shell: one line, however often it is tried" {
	needs_root
	"$NETRELAY" --version | grep -q "(static" || skip "a shared build needs its libraries"
	mkdir -p "$DIR/root/dev"
	cp "$NETRELAY" "$DIR/root/netrelay"
	touch "$DIR/root/dev/null"
	start one unshare -m sh -c 'mount --bind /dev/null "$0/dev/null" &&
		exec chroot "$0" /netrelay -l unix-listen:/s exec:cat' "$DIR/root"
	wait_for 5 "message" has_logged one "exec:cat: exec: needs a shell: /bin/sh: No such file"
	wait_for 10 "several tries" has_tried_for 1500
	run -0 cat "$DIR/one.err"
	((${#lines[@]} == 1))
	run -0 stop one
}

# Since the beginning of the test, ms; tries are made at 0, 0.1, 0.3 and 0.7 s at the latest.
has_tried_for()
{
	(($(_now_us) - $(stat -c %.6Y "$DIR/root/netrelay" | tr -d .) >= $1 * 1000))
}
