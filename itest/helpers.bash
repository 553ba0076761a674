# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# The .bats files load this file. It loads lab.bash (processes, namespaces), networks.bash,
# relay.bash (netrelay itself) and guests.bash, and has set-up and teardown, checks for
# listeners, time, memory and processor time, and the traffic tool.
#
# A .bats file that calls "namespaces a b" has these in each of its tests. A file that has
# more to set up has a setup() of its own, which begins with common_setup.
#
# The files of a test are in $DIR: NAME.out and NAME.err are the output of what it started.
# If the test fails, the ends of the .err files and of the guests' consoles are shown.
#
# NETRELAY and FRAMES may name other programs than those in build/.

# shellcheck source=itest/lab.bash
source "${BASH_SOURCE[0]%/*}/lab.bash"
# shellcheck source=itest/networks.bash
source "$LAB_ROOT/itest/networks.bash"
# shellcheck source=itest/relay.bash
source "$LAB_ROOT/itest/relay.bash"
# shellcheck source=itest/guests.bash
source "$LAB_ROOT/itest/guests.bash"

NETRELAY=${NETRELAY:-$LAB_ROOT/build/netrelay}
FRAMES=${FRAMES:-$LAB_ROOT/build/frames}

if [[ ${BATS_VERSION-} ]]; then
	bats_require_minimum_version 1.5.0
	# Ahead of each command bats notes where that is, in case it fails, and so takes a quarter of
	# all tests' processor time. Here it notes that once a command has failed.
	set +T
	bats_error_trap()
	{
		bats_check_status_from_trap
		bats_capture_stack_trace
		# shellcheck disable=SC2034 # bats reads it
		BATS_DEBUG_LAST_STACK_TRACE_IS_VALID=1
	}
	# bats_load_library would do, but starts twenty processes before each test.
	for library in "${BATS_LIB_PATH:-/usr/lib/bats}"/bats-{support,assert,file}/src/*.bash; do
		# shellcheck source=/dev/null
		source "$library"
	done
	unset library
fi

# --- set-up and teardown ----------------------------------------------------

# namespaces NAME...: the namespaces that common_setup makes.
namespaces()
{
	NAMESPACES=$*
}

# common_setup: for setup(). It may also be called in setup_file(), with common_teardown in
# teardown_file(); then the tests of that file need neither.
common_setup()
{
	local name

	lab_open "${BATS_TEST_TMPDIR:-$BATS_FILE_TMPDIR}/lab"
	for name in ${NAMESPACES-}; do
		ns_add "$name"
	done
}

setup()
{
	common_setup
}

teardown()
{
	common_teardown
}

common_teardown()
{
	local sad=0

	[[ ${DIR-} ]] || return 0 # skipped before that
	lab_close || sad=1
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

# needs_root: skips the test if it is not run by root, who may make namespaces.
needs_root()
{
	((EUID == 0)) || skip "needs root, for namespaces"
}

needs_tun()
{
	[[ -c /dev/net/tun ]] || skip "needs /dev/net/tun"
}

# --- who listens ------------------------------------------------------------

# is_listening NS tcp|udp PORT, or NS unix|unixgram PATH: whether somebody listens there. It
# makes no connection, because that could count as a client.
is_listening()
{
	local port

	# shellcheck disable=SC2016 # awk's own
	case $2 in
	tcp | udp)
		printf -v port %04X "$3"
		ns "$1" awk -v port="$port" -v state="$([[ $2 == tcp ]] && echo 0A || echo 07)" \
			'$2 ~ ":" port "$" && $4 == state { found = 1 } END { exit !found }' \
			"/proc/net/$2" "/proc/net/${2}6"
		;;
	unix) # __SO_ACCEPTCON, SOCK_STREAM
		ns "$1" awk -v path="$3" '$4 == "00010000" && $5 == "0001" && $8 == path { found = 1 }
			END { exit !found }' /proc/net/unix
		;;
	unixgram)
		ns "$1" awk -v path="$3" '$5 == "0002" && $8 == path { found = 1 }
			END { exit !found }' /proc/net/unix
		;;
	*) return 2 ;;
	esac
}

# wait_listen NS tcp|udp|unix|unixgram PORT|PATH [SECONDS]
wait_listen()
{
	wait_for "${4:-5}" "listener on $2 $3" is_listening "$1" "$2" "$3"
}

# has_connection NS PATH: whether there is a connection to that unix listener, accepted or
# still waiting.
has_connection()
{
	(($(ns "$1" ss -Hxa src "unix:$2" | grep -vc LISTEN) > 0)) ||
		(($(ns "$1" ss -Hxl src "unix:$2" | awk '{ print $3 }') > 0))
}

# is_all_read NS PORT...: whether nothing is under way in connections to these TCP ports.
is_all_read()
{
	local port sockets

	for port in "${@:2}"; do
		sockets=$(ns "$1" ss -Htn "sport = :$port or dport = :$port") && [[ $sockets ]] || return
		! awk '$2 + $3 { found = 1 } END { exit !found }' <<<"$sockets" || return
	done
}

# free_port: prints a TCP port that nobody listens on here.
free_port()
{
	local port

	for port in $(shuf -i 20000-29999 -n 100); do
		is_listening - tcp "$port" || break
	done
	echo "$port"
}

# --- files --------------------------------------------------------------------

# has_lines FILE COUNT: whether the file has COUNT lines or more.
has_lines()
{
	[[ -e $1 ]] && (($(wc -l <"$1") >= $2))
}

# --- time ---------------------------------------------------------------------

# has_spent SINCE MS: whether MS milliseconds have passed since SINCE, a time of _now_us.
has_spent()
{
	(($(_now_us) - $1 >= $2 * 1000))
}

# is_older_than FILE MS: whether nobody has written to the file for MS milliseconds.
is_older_than()
{
	has_spent "$(stat -c %.6Y "$1" | tr -d .)" "$2"
}

# cpu_us NAME: prints the processor time that a process has used so far, in microseconds.
cpu_us()
{
	awk '{ print int($1 / 1000) }' "/proc/$(pid_of "$1")/schedstat"
}

# --- memory -------------------------------------------------------------------

# rss_kib NAME: prints the resident memory of a process in KiB. It does not use VmRSS, which
# may be wrong by hundreds of KiB because each processor has a count of its own.
rss_kib()
{
	awk '$1 == "Rss:" { print $2 }' "/proc/$(pid_of "$1")/smaps_rollup"
}

is_rss_below() # NAME KIB
{
	(($(rss_kib "$1") < $2))
}

# --- the traffic tool -------------------------------------------------------

# frames_start NAME [in NS] ARGS...: starts the traffic tool in the background, and waits
# until its endpoint is open.
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
	_is_ready "$name"
}

# Whether it has said so: at once, or after something else.
_is_ready()
{
	local line

	read -r line <"$DIR/$1.out" && [[ $line == ready ]] && return
	[[ -s $DIR/$1.out || -s $DIR/$1.err ]] && grep -qx ready "$DIR/$1.out" "$DIR/$1.err"
}

_is_ready_or_over()
{
	_has_ended "$1" || _is_ready "$1"
}

# made_frames COUNT [OPTION...]: prints a stream of COUNT frames.
made_frames()
{
	"$FRAMES" send - --count "$1" "${@:2}" 2>/dev/null
}

# frames_wait NAME [SECONDS]: waits until the tool ends, and prints its report. Returns its
# exit status.
frames_wait()
{
	local status=0

	wait_end "$1" "${2:-60}" || status=$?
	cat "$DIR/$1.out" "$DIR/$1.err"
	return "$status"
}

# frames_total NAME WORD: prints the number behind WORD in the last line of the report.
frames_total()
{
	sed -nE "s/^total: .*\\b$2 ([0-9]+).*/\\1/p" "$DIR/$1.out" "$DIR/$1.err"
}
