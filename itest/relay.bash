# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# netrelay in a test: starts and stops it, and looks at its status, its log, its helper and
# the commands that it runs.

# relay_start NAME [in NS] ARGS...
relay_start()
{
	local name=$1 where=()

	shift
	if [[ $1 == in ]]; then
		where=(in "$2")
		shift 2
	fi
	start "$name" "${where[@]}" "$NETRELAY" "$@"
}

# relay_stop NAME: asks the relay to stop. Returns its exit status.
relay_stop()
{
	stop "$1" TERM
}

# Whether the relay blocks SIGUSR1. While a program forks it blocks all signals, so this also
# checks that SIGILL is not blocked.
_blocks_usr1()
{
	local pid lines

	_has_ended "$1" && return
	read -r pid <"$DIR/.run/$1.pid"
	mapfile -t lines <"/proc/$pid/status"
	[[ ${lines[*]} =~ SigBlk:[[:space:]]*[0-9a-f]*[2367abef].[0-7]" " ]]
}

_count_statuses()
{
	grep -c '^netrelay: end of status' "$DIR/$1.err"
}

_has_statuses()
{
	(($(_count_statuses "$1") >= $2))
}

# relay_status NAME: prints the relay's status.
relay_status()
{
	local pid line='' block=''

	# The signal would end a relay that does not block it yet.
	wait_for 10 "$1 to take signals" _blocks_usr1 "$1"
	{
		cat >/dev/null # what it has said so far
		read -r pid <"$DIR/.run/$1.pid" && kill -USR1 "$pid" || return
		wait_for 5 "status of $1" _read_status || return
	} <"$DIR/$1.err"
	printf '%s' "$block"
}

# Adds to $block what there is of a status in stdin by now; $line is the last line's begin.
# Returns whether that is all of it.
_read_status()
{
	local part

	while IFS= read -r part; do
		line+=$part
		if [[ $block || $line == "netrelay: status: "* ]]; then
			block+=$line$'\n'
		fi
		[[ $line != "netrelay: end of status"* ]] || return 0
		line=
	done
	line+=$part
	return 1
}

_has_ports()
{
	relay_status "$1" | grep -q "^netrelay: status: [a-z]*, $2 ports\?:"
}

# relay_wait_ports NAME COUNT [SECONDS]: waits until the relay has COUNT ports.
relay_wait_ports()
{
	wait_for "${3:-5}" "$2 ports at $1" _has_ports "$1" "$2"
}

_has_up()
{
	(($(relay_status "$1" | grep -cE '^netrelay: port .*: (up|blocked|limited), rx ') == $2))
}

# relay_wait_up NAME COUNT [SECONDS]: waits until COUNT of its ports are up; blocked and
# limited ports count as up.
relay_wait_up()
{
	wait_for "${3:-5}" "$2 ports up at $1" _has_up "$1" "$2"
}

# relay_check_sums NAME: checks that received + copied = sent + queued + dropped.
relay_check_sums()
{
	local status

	status=$(relay_status "$1") || return
	awk -f "$LAB_ROOT/itest/status.awk" <<<"$status" || {
		echo "$status"
		return 1
	}
}

# sent_to RELAY PORT: "frames bytes" that a port whose name begins so was sent.
sent_to()
{
	relay_status "$1" | awk -v name="$2" '$1 == "netrelay:" && $2 == "port" &&
		index($4, name) == 1 { sub(/.*, tx /, ""); print $1, $3 }'
}

# has_status RELAY PATTERN: whether a line of its status matches.
has_status()
{
	relay_status "$1" | grep -Eq "^netrelay: $2"
}

# wait_status RELAY PATTERN [SECONDS]
wait_status()
{
	wait_for "${3:-10}" "status like $2 at $1" has_status "$1" "$2"
}

# has_port RELAY PATTERN: whether one of its port lines, from the name on, matches.
has_port()
{
	has_status "$1" "port [0-9]+ $2"
}

# wait_port RELAY PATTERN [SECONDS]
wait_port()
{
	wait_for "${3:-10}" "port like $2 at $1" has_port "$1" "$2"
}

# received RELAY: prints the number of all received frames.
received()
{
	local status

	status=$(relay_status "$1") || return
	sed -n 's/^netrelay: status: .* received \([0-9]*\), .*/\1/p' <<<"$status"
}

# drops RELAY REASON: prints how many frames its ports dropped for that reason.
drops()
{
	local status

	status=$(relay_status "$1") || return
	awk -v reason="$2" '/^netrelay: port / { sub(/.*dropped: /, "")
		for (i = 1; i < NF; i += 2) if ($i == reason) n += $(i + 1) }
		END { print n + 0 }' <<<"$status"
}

has_drops() # RELAY REASON COUNT
{
	(($(drops "$1" "$2") == $3))
}

# --- what it says -----------------------------------------------------------

# log_lines RELAY PATTERN: prints how many lines of its log match.
log_lines()
{
	grep -Ec -- "$2" "$DIR/$1.err" || true
}

# has_logged RELAY PATTERN [COUNT]: whether COUNT lines of its log match, by default 1.
has_logged()
{
	if ((${3:-1} == 1)); then
		grep -Eq -- "$2" "$DIR/$1.err"
	else
		(($(log_lines "$1" "$2") >= $3))
	fi
}

# --- the helpers, and commands -----------------------------------------------

# broker_parent_of NAME, broker_of NAME, helper_of NAME names|taps|start: its pid, as soon as
# there is one. start is the helper that starts commands.
broker_parent_of()
{
	_child_of "$(pid_of "$1")" netrelay-broker
}

broker_of()
{
	_child_of "$(broker_parent_of "$1")" netrelay-broker
}

# A process gives itself its name, some time after it was forked.
_child_of() # PID[,PID] NAME
{
	wait_for 5 "$2 below $1" pgrep -P "$1" -x "$2" && pgrep -P "$1" -x "$2"
}

# Its parent may have been killed; then it is the broker's parent's.
helper_of()
{
	_child_of "$(broker_of "$1"),$(broker_parent_of "$1")" "netrelay-$2"
}

# command_of NAME PROGRAM: prints the pid of the program that exec: runs, once the shell has
# become that program.
command_of()
{
	local keeper

	for keeper in $(pgrep -P "$(helper_of "$1" start)" -x netrelay-exec); do
		pgrep -P "$keeper" -x "$2" || true
	done
}

has_command()
{
	[[ $(command_of "$1" "$2") ]]
}

# is_gone PID: whether the process has ended; it may still be a zombie.
is_gone()
{
	! grep -q '^State:[[:space:]]*[^ZX]' "/proc/$1/status"
}
