# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# What the .bats files load: bench.bash (processes, namespaces), guests.bash,
# and here set-up and teardown, netrelay itself, and waiting for listeners.
#
# A test's files are in $DIR: NAME.out and NAME.err of what it started. When it
# fails, the ends of the .err files and of guests' consoles are shown.
#
# NETRELAY and FRAMES may name other programs than those in build/.

# shellcheck source=itest/bench.bash
source "$(dirname "${BASH_SOURCE[0]}")/bench.bash"
# shellcheck source=itest/guests.bash
source "$BENCH_ROOT/itest/guests.bash"

NETRELAY=${NETRELAY:-$BENCH_ROOT/build/netrelay}
FRAMES=${FRAMES:-$BENCH_ROOT/build/frames}

if [[ ${BATS_VERSION-} ]]; then
	: "${BATS_LIB_PATH:=/usr/lib/bats}"
	export BATS_LIB_PATH
	bats_load_library bats-support
	bats_load_library bats-assert
	bats_load_library bats-file
fi

# --- set-up and teardown ----------------------------------------------------

# common_setup: for setup(). Also does for setup_file(), with common_teardown in
# teardown_file(); the tests of that file then need neither.
common_setup()
{
	bench_open "${BATS_TEST_TMPDIR:-$BATS_FILE_TMPDIR}/bench"
}

common_teardown()
{
	local sad=0

	bench_close || sad=1
	if ((sad)) || [[ -z ${BATS_TEST_COMPLETED-} && ${BATS_TEST_TMPDIR-} ]]; then
		_show_errors
	fi
	return "$sad"
}

_show_errors()
{
	local file

	for file in "$DIR"/*.err "$DIR"/*.console; do
		if [[ -s $file ]]; then
			echo "--- ${file##*/}:"
			tail -n 20 "$file"
		fi
	done
}

# needs_root: skips the test when it can't make namespaces.
needs_root()
{
	((EUID == 0)) || skip "needs root, for namespaces"
}

# --- who listens ------------------------------------------------------------

# is_listening NS tcp|udp PORT, or NS unix|unixgram PATH. Looks, and knocks at
# no door: a connection would count as somebody's.
is_listening()
{
	local port

	case $2 in
	tcp | udp)
		printf -v port %04X "$3"
		ns "$1" cat "/proc/net/$2" "/proc/net/${2}6" |
			awk -v port="$port" -v state="$([[ $2 == tcp ]] && echo 0A || echo 07)" \
				'$2 ~ ":" port "$" && $4 == state { found = 1 } END { exit !found }'
		;;
	unix) # __SO_ACCEPTCON, SOCK_STREAM
		ns "$1" cat /proc/net/unix |
			awk -v path="$3" '$4 == "00010000" && $5 == "0001" && $8 == path { found = 1 }
				END { exit !found }'
		;;
	unixgram)
		ns "$1" cat /proc/net/unix |
			awk -v path="$3" '$5 == "0002" && $8 == path { found = 1 } END { exit !found }'
		;;
	*) return 2 ;;
	esac
}

# wait_listen NS tcp|udp|unix|unixgram PORT|PATH [SECONDS]
wait_listen()
{
	wait_for "${4:-5}" "listener on $2 $3" is_listening "$1" "$2" "$3"
}

# free_port: a TCP port that nobody listens on here.
free_port()
{
	local port

	for port in $(shuf -i 20000-29999 -n 100); do
		is_listening - tcp "$port" || break
	done
	echo "$port"
}

# --- time ---------------------------------------------------------------------

# has_spent SINCE MS: whether so much time has gone by since that _now_us.
has_spent()
{
	(($(_now_us) - $1 >= $2 * 1000))
}

# --- memory -------------------------------------------------------------------

# rss_kib NAME: what it has resident. Counted anew: VmRSS may be off by hundreds
# of KiB, for each processor keeps a count of its own.
rss_kib()
{
	awk '$1 == "Rss:" { print $2 }' "/proc/$(pid_of "$1")/smaps_rollup"
}

# --- the traffic tool -------------------------------------------------------

# frames_start NAME [in NS] ARGS...: in the background, until its endpoint is open.
frames_start()
{
	local name=$1 where=()

	shift
	if [[ $1 == in ]]; then
		where=(in "$2")
		shift 2
	fi
	start "$name" "${where[@]}" "$FRAMES" "$@"
	wait_for 10 "frames $name to be ready" _is_ready_or_over "$name"
	grep -qx ready "$DIR/$name.out" "$DIR/$name.err"
}

_is_ready_or_over()
{
	_has_ended "$1" || grep -qx ready "$DIR/$1.out" "$DIR/$1.err"
}

# frames_wait NAME [SECONDS]: until it ends; shows its report; its exit status.
frames_wait()
{
	local status=0

	wait_end "$1" "${2:-60}" || status=$?
	cat "$DIR/$1.out" "$DIR/$1.err"
	return "$status"
}

# frames_total NAME WORD: the number behind it in the last line of its report.
frames_total()
{
	sed -nE "s/^total: .*\\b$2 ([0-9]+).*/\\1/p" "$DIR/$1.out" "$DIR/$1.err"
}

# --- netrelay ---------------------------------------------------------------

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

# relay_stop NAME: asks it to stop; its exit status.
relay_stop()
{
	stop "$1" TERM
}

_count_statuses()
{
	grep -c '^netrelay: end of status' "$DIR/$1.err" || true
}

_has_statuses()
{
	(($(_count_statuses "$1") >= $2))
}

# While it forks, a program blocks all there are: SIGILL, for one, must be free.
_blocks_usr1()
{
	_has_ended "$1" || [[ $(grep '^SigBlk:' "/proc/$(pid_of "$1")/status") == *[2367abef]?[0-7] ]]
}

# relay_status NAME: asks for its counters, and prints them.
relay_status()
{
	local before

	# Before it has got so far as to block it, the signal would be its end.
	wait_for 10 "$1 to take signals" _blocks_usr1 "$1"
	before=$(_count_statuses "$1")
	kill -USR1 "$(pid_of "$1")" || return
	wait_for 5 "status of $1" _has_statuses "$1" $((before + 1)) || return
	awk '/^netrelay: status: / { block = "" } { block = block $0 "\n" }
		/^netrelay: end of status/ { last = block } END { printf "%s", last }' "$DIR/$1.err"
}

_has_ports()
{
	relay_status "$1" | grep -q "^netrelay: status: [a-z]*, $2 ports\?:"
}

# relay_wait_ports NAME COUNT [SECONDS]: until it has so many ports.
relay_wait_ports()
{
	wait_for "${3:-5}" "$2 ports at $1" _has_ports "$1" "$2"
}

_has_up()
{
	(($(relay_status "$1" | grep -cE '^netrelay: port .*: (up|blocked|limited), rx ') == $2))
}

# relay_wait_up NAME COUNT [SECONDS]: until so many of its ports are up; one may
# be blocked or limited already, for a loop.
relay_wait_up()
{
	wait_for "${3:-5}" "$2 ports up at $1" _has_up "$1" "$2"
}

# relay_check_sums NAME: every frame is accounted for.
relay_check_sums()
{
	local status

	status=$(relay_status "$1") || return
	awk -f "$BENCH_ROOT/itest/status.awk" <<<"$status" || {
		echo "$status"
		return 1
	}
}

# --- the helper, and commands -----------------------------------------------

# helper_of NAME: its pid.
helper_of()
{
	pgrep -P "$(pid_of "$1")" -x netrelay-helper
}

# command_of NAME PROGRAM: the pid of what exec: runs, when the shell has become it.
command_of()
{
	local keeper

	for keeper in $(pgrep -P "$(helper_of "$1")" -x netrelay-exec); do
		pgrep -P "$keeper" -x "$2" || true
	done
}

has_command()
{
	[[ $(command_of "$1" "$2") ]]
}

# is_gone PID: or dead, and waiting for init to take notice.
is_gone()
{
	! grep -q '^State:[[:space:]]*[^ZX]' "/proc/$1/status"
}
