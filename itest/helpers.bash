# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# What the .bats files load: lab.bash (processes, namespaces), networks.bash,
# relay.bash (netrelay itself) and guests.bash; and here set-up and teardown, who
# listens, what time, memory and processor time are spent, and the traffic tool.
#
# A file that says "namespaces a b" has these in each of its tests. One that has more
# to set up has a setup() of its own, which begins with common_setup.
#
# A test's files are in $DIR: NAME.out and NAME.err of what it started. When it
# fails, the ends of the .err files and of guests' consoles are shown.
#
# NETRELAY and FRAMES may name other programs than those in build/.

# shellcheck source=itest/lab.bash
source "$(dirname "${BASH_SOURCE[0]}")/lab.bash"
# shellcheck source=itest/networks.bash
source "$LAB_ROOT/itest/networks.bash"
# shellcheck source=itest/relay.bash
source "$LAB_ROOT/itest/relay.bash"
# shellcheck source=itest/guests.bash
source "$LAB_ROOT/itest/guests.bash"

NETRELAY=${NETRELAY:-$LAB_ROOT/build/netrelay}
FRAMES=${FRAMES:-$LAB_ROOT/build/frames}

if [[ ${BATS_VERSION-} ]]; then
	: "${BATS_LIB_PATH:=/usr/lib/bats}"
	export BATS_LIB_PATH
	bats_require_minimum_version 1.5.0
	bats_load_library bats-support
	bats_load_library bats-assert
	bats_load_library bats-file
fi

# --- set-up and teardown ----------------------------------------------------

# namespaces NAME...: what common_setup makes.
namespaces()
{
	NAMESPACES=$*
}

# common_setup: for setup(). Also does for setup_file(), with common_teardown in
# teardown_file(); the tests of that file then need neither.
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

# needs_root: skips the test when it can't make namespaces.
needs_root()
{
	((EUID == 0)) || skip "needs root, for namespaces"
}

needs_tun()
{
	[[ -c /dev/net/tun ]] || skip "needs /dev/net/tun"
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

# has_connection NS PATH: whether one to that unix listener was made, or accepted.
has_connection()
{
	(($(ns "$1" ss -Hxa src "unix:$2" | grep -vc LISTEN) > 0)) ||
		(($(ns "$1" ss -Hxl src "unix:$2" | awk '{ print $3 }') > 0))
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

# --- files --------------------------------------------------------------------

# has_lines FILE COUNT: no fewer.
has_lines()
{
	[[ -e $1 ]] && (($(wc -l <"$1") >= $2))
}

# --- time ---------------------------------------------------------------------

# has_spent SINCE MS: whether so much time has gone by since that _now_us.
has_spent()
{
	(($(_now_us) - $1 >= $2 * 1000))
}

# is_older_than FILE MS: of a file that nobody writes to.
is_older_than()
{
	has_spent "$(stat -c %.6Y "$1" | tr -d .)" "$2"
}

# cpu_us NAME: processor time that it has used so far, in microseconds.
cpu_us()
{
	awk '{ print int($1 / 1000) }' "/proc/$(pid_of "$1")/schedstat"
}

# --- memory -------------------------------------------------------------------

# rss_kib NAME: what it has resident. Counted anew: VmRSS may be off by hundreds
# of KiB, for each processor keeps a count of its own.
rss_kib()
{
	awk '$1 == "Rss:" { print $2 }' "/proc/$(pid_of "$1")/smaps_rollup"
}

is_rss_below() # NAME KIB
{
	(($(rss_kib "$1") < $2))
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

# made_frames COUNT [OPTION...]: a stream of them, to stdout.
made_frames()
{
	"$FRAMES" send - --count "$1" "${@:2}" 2>/dev/null
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
