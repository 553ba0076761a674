#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
#
# netrelay top, looked at in tmux: the pictures that it draws, in windows of several
# sizes, and the terminal that it leaves behind.

load helpers

namespaces lab

setup()
{
	command -v tmux >/dev/null || skip "needs tmux"
	common_setup
}

in_tmux()
{
	tmux -S "$DIR/tmux" "$@"
}

# terminal_start WIDTH HEIGHT: one with a shell in it, and something on its screen.
terminal_start()
{
	start tmux env -u TMUX tmux -S "$DIR/tmux" -f /dev/null -D
	wait_for 5 "tmux" test -S "$DIR/tmux"
	in_tmux new-session -d -x "$1" -y "$2" \
		"PS1='shell> ' LC_ALL=C.UTF-8 TERM=screen bash --norc --noprofile"
	shows '^shell>'
	in_tmux send-keys 'echo earlier' Enter
	shows '^earlier$'
}

screen()
{
	in_tmux capture-pane -p
}

is_on_screen()
{
	screen | grep -qE -- "$1"
}

# shows REGEX [SECONDS]: until it does.
shows()
{
	wait_for "${2:-5}" "\"$1\" on the screen" is_on_screen "$1" || {
		screen
		return 1
	}
}

is_not_on_screen()
{
	local picture

	picture=$(screen) && [[ $picture ]] && ! grep -qE -- "$1" <<<"$picture"
}

shows_no()
{
	wait_for 5 "no \"$1\" on the screen" is_not_on_screen "$1" || {
		screen
		return 1
	}
}

keys()
{
	in_tmux send-keys "$@"
}

# As it was before top: the shell's lines, a cursor, a terminal that echoes.
terminal_is_restored()
{
	shows '^earlier$'
	shows_no 'netrelay.*ports up'
	[[ $(in_tmux display-message -p '#{alternate_on} #{cursor_flag} #{wrap_flag}') == "0 1 1" ]]
	keys "stty -a | grep -oE ' -?(icanon|echo) ' | tr -d '\n'; echo ." Enter
	shows '^ icanon  echo \.$'
}

#   tx ---> one ===> rx1, rx2; and nobody at 5009
traffic_start()
{
	local name

	relay_start one in lab --ctl "$DIR/ctl" -l 5000 --hub tcp:127.0.0.1:5009
	wait_listen lab tcp 5000
	wait_listen lab unix "$DIR/ctl"
	for name in rx1 rx2; do
		frames_start "$name" in lab recv tcp:127.0.0.1:5000 --expect 1000000 --timeout 60
	done
	wait_for 5 "both receivers" has_ports 3
	frames_start tx in lab send tcp:127.0.0.1:5000 --count 1000000 --rate 1000 --min 1250 \
		--max 1250 --timeout 60
}

has_ports()
{
	(($("$NETRELAY" ctl "$DIR/ctl" counters | grep -c ^port) == $1))
}

# A sender's thousand frames a second, or what a busy machine makes of them.
RATE='[1-9][0-9]*'

@test "ports, rates and bars; in a window that is resized" {
	traffic_start
	terminal_start 110 14
	keys "'$NETRELAY' top '$DIR/ctl'" Enter
	shows 'netrelay .*hub, 3 of 4 ports up, for [0-9ms]+ +.*/ctl ?$'
	shows " in $RATE f/s .* out [0-9]+ f/s .* queued [0-9]+ +dropped [0-9]+" 8
	shows "^ +port name +state +since in f/s in bps +out f/s out bps +queue +drops$"
	shows "^ +1 tcp:127.0.0.1:5009 +(waiting|connecting) +[0-9]+s +0 +0 "
	# The sender's bar is on the left, a receiver's on the right; both are full.
	shows "^ +4 tcp:127.0.0.1:[0-9]+ up +[0-9]+s +$RATE +[0-9.]+[kM] █{6,} .* 0 +0 " 8
	shows "^ +2 tcp:127.0.0.1:[0-9]+ up +[0-9]+s +0 +0 +$RATE +[0-9.]+[kM] █{5,}"
	[[ $(in_tmux display-message -p '#{alternate_on} #{cursor_flag}') == "1 0" ]]
	shows '^ q quit '

	in_tmux resize-window -x 60 -y 8
	shows "^ +port name +state +in bps out bps +drops$"
	shows "^ +4 tcp.*[0-9]+ +up +[0-9.]+[kM] +[0-9.]+k? +[0-9]+$"
	run -0 screen
	refute_line --regexp '.{61}'
	shows '^ q quit '
	in_tmux resize-window -x 60 -y 6
	shows '^ +3 tcp'
	shows_no '^ +4 tcp'
	in_tmux resize-window -x 20 -y 3
	shows_no '^ +1 tcp'
	in_tmux resize-window -x 140 -y 20
	shows "^ +4 tcp:127.0.0.1:[0-9]+ up +[0-9]+s +$RATE +[0-9.]+[kM] █{16,}" 8
	shows '^ q quit '
	keys q
	terminal_is_restored
	run -0 relay_stop one
}

@test "keys: scroll, sort" {
	traffic_start
	for _ in {1..20}; do
		"$NETRELAY" ctl "$DIR/ctl" add tcp:127.0.0.1:5009
	done
	terminal_start 100 12
	keys "'$NETRELAY' top '$DIR/ctl'" Enter
	shows '^ \.\.\. 17 more  q quit  s sort by rate  up, down: scroll'
	shows '^ +1 tcp'
	keys Down Down
	shows '^ 2 above  \.\.\. 15 more '
	shows_no '^ +2 tcp'
	keys Up
	shows '^ 1 above  \.\.\. 16 more '
	keys NPage NPage NPage NPage NPage
	shows '^ 17 above  q quit'
	shows '^ +24 tcp'
	keys PPage PPage PPage PPage PPage
	shows '^ \.\.\. 17 more '
	keys s
	shows ' s sort by number'
	# The busiest first, which 1 is not.
	wait_for 5 "a receiver at the top" first_port_is 2
	keys s
	wait_for 5 "the first one at the top" first_port_is 1
	keys Q
	terminal_is_restored
	run -0 relay_stop one
}

first_port_is()
{
	[[ $(screen | sed -n '5p') =~ ^\ +"$1"\ tcp ]]
}

@test "it leaves the terminal in order when it is ended or stopped" {
	local sig

	relay_start one in lab --ctl "$DIR/ctl" -l 5000
	wait_listen lab unix "$DIR/ctl"
	terminal_start 100 12
	for sig in INT TERM QUIT HUP; do
		keys "clear; echo earlier; '$NETRELAY' top '$DIR/ctl'" Enter
		shows 'switch, 0 of 0 ports up'
		pkill_top "$sig"
		terminal_is_restored
	done
	keys "clear; echo earlier; '$NETRELAY' top '$DIR/ctl'" Enter
	shows 'switch, 0 of 0 ports up'
	keys C-z
	shows 'Stopped'
	terminal_is_restored
	keys fg Enter
	shows 'switch, 0 of 0 ports up'
	keys C-c
	terminal_is_restored
	run -0 relay_stop one
}

@test "a port with a name is shown by it, and by who is there" {
	relay_start one in lab --ctl "$DIR/ctl" -l tcp-listen:5000,name=web "unix:$DIR/none,name=up"
	wait_listen lab tcp 5000
	wait_listen lab unix "$DIR/ctl"
	frames_start rx in lab recv tcp:127.0.0.1:5000 --expect 1 --timeout 60
	wait_for 5 "the receiver" has_ports 2
	terminal_start 120 12
	keys "'$NETRELAY' top '$DIR/ctl'" Enter
	shows '^ +2 web \(127\.0\.0\.1:[0-9]+\) +up '
	shows '^ +1 up +(waiting|connecting) '
	keys q
	terminal_is_restored
	relay_stop one
	dismiss rx
}

# To the one that runs in our terminal.
pkill_top()
{
	kill "-$1" "$(pgrep -P "$(in_tmux display-message -p '#{pane_pid}')" netrelay)"
}

@test "a relay that goes away is waited for" {
	relay_start one in lab --ctl "$DIR/ctl" -l 5000
	wait_listen lab unix "$DIR/ctl"
	terminal_start 100 12
	keys "'$NETRELAY' top '$DIR/ctl'" Enter
	shows 'switch, 0 of 0 ports up'
	kill -STOP "$(pid_of one)"
	shows '^ the relay does not answer; trying again' 8
	kill -CONT "$(pid_of one)"
	shows_no 'does not answer'
	run -0 relay_stop one
	shows 'there is no such socket'
	relay_start one in lab --ctl "$DIR/ctl" -l 5000 --hub
	shows 'hub, 0 of 0 ports up'
	shows_no 'no such socket'
	keys q
	terminal_is_restored
	run -0 relay_stop one
}

# What an impostor says is not obeyed by the terminal.
@test "what comes from the socket is not drawn as it is" {
	terminal_start 100 12
	printf 'ok\nrelay\tx\033[31mx\tv\t1\t2\t3\t4\t5\t6\n' >"$DIR/answer"
	start fake socat "UNIX-LISTEN:$DIR/fake,fork" "SYSTEM:cat '$DIR/answer'"
	wait_listen - unix "$DIR/fake"
	keys "'$NETRELAY' top '$DIR/fake'" Enter
	shows 'netrelay v +x\?\[31mx, 0 of 0 ports up'
	keys q
	terminal_is_restored
	dismiss fake
	start fake socat "UNIX-LISTEN:$DIR/fake,fork" "SYSTEM:head -c 100000 /dev/urandom"
	wait_listen - unix "$DIR/fake"
	keys "'$NETRELAY' top '$DIR/fake'" Enter
	shows 'the program that answers is not a relay'
	keys q
	terminal_is_restored
	dismiss fake
}

@test "no terminal, no socket: one line" {
	run -1 "$NETRELAY" top "$DIR/ctl"
	assert_output "netrelay: top: stdin and stdout must be a terminal; for other uses there is: netrelay ctl $DIR/ctl status"
	terminal_start 150 12
	keys "'$NETRELAY' top '$DIR/ctl'" Enter
	shows "^netrelay: top: $DIR/ctl: there is no such socket"
}
