# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# Starts and ends the processes and namespaces of a test. They are noted in files below
# $DIR, not in variables, because bats calls functions by `run` in a subshell, whose
# variables are lost. lab_close ends and removes what is noted there and nothing else, and
# complains about anything that should not be left.
#
# Tests call these functions often, so they start no process for what bash does itself.
#
# This file does not need bats. A test chooses the names of its processes, namespaces and
# guests; ns_name gives a namespace a real name that is unique.

# shellcheck disable=SC2034 # for the files that load this one
LAB_ROOT=$(cd "${BASH_SOURCE[0]%/*}/.." && pwd)
LAB_GRACE=30 # seconds that a process may take to end
LAB_PATIENCE=60

# lab_open DIRECTORY: makes the directory, which becomes $DIR.
lab_open()
{
	export DIR=$1 LAB_TAG="nr$$"
	mkdir -p "$DIR/.run" "$DIR/.ns"
	mkfifo "$DIR/.hold"
	_interfaces >"$DIR/.interfaces"
}

# lab_close: ends and removes everything; fails if something was left that should not be.
lab_close()
{
	local name known new='' sad=0

	for name in $(_running); do
		_signal "$name" TERM
	done
	for name in $(_running); do
		stop "$name" >/dev/null 2>&1 || true
	done
	_end_strays || sad=1
	_remove_namespaces || sad=1
	if [[ -s $DIR/.hard ]]; then
		echo "had to be killed: $(tr '\n' ' ' <"$DIR/.hard")" >&2
		sad=1
	fi
	known=$'\n'$(<"$DIR/.interfaces")$'\n'
	for name in $(_interfaces); do
		[[ $known == *$'\n'"$name"$'\n'* ]] || new+=" $name"
	done
	if [[ $new ]]; then
		echo "new in the root namespace:$new" >&2
		sad=1
	fi
	return "$sad"
}

_interfaces()
{
	local line

	while read -r line; do
		if [[ $line == *:* ]]; then
			echo "${line%%:*}"
		fi
	done </proc/net/dev
}

# --- waiting ----------------------------------------------------------------

_now_us()
{
	echo "${EPOCHREALTIME/[.,]/}"
}

# wait_for SECONDS DESCRIPTION COMMAND...: waits until COMMAND succeeds. SECONDS is how long
# that may take on an idle machine. On a busy one nothing fails because it comes late: it is
# waited for LAB_PATIENCE seconds at least.
wait_for()
{
	local seconds=$(($1 > LAB_PATIENCE ? $1 : LAB_PATIENCE))

	_look 200000 "$seconds" "${@:3}" || {
		echo "not within $seconds s: $2" >&2
		return 1
	}
}

# happens_within SECONDS COMMAND...: whether COMMAND succeeds in that time, which is no longer
# than it says. For what must not happen; what must happen is for wait_for.
happens_within()
{
	_look 50000 "$@"
}

# _look PAUSE SECONDS COMMAND...: looks every 50 ms, and later less often, up to PAUSE, a time
# in microseconds, because other tests need the processor.
_look()
{
	local most=$1 now since=${EPOCHREALTIME/[.,]/} end pause

	end=$((since + $2 * 1000000))
	shift 2
	until "$@" >/dev/null 2>&1; do
		now=${EPOCHREALTIME/[.,]/}
		((now < end)) || return 1
		pause=$(((now - since) / 10))
		pause=$((pause < 50000 ? 50000 : pause > most ? most : pause))
		printf -v pause '0.%06d' "$pause"
		# Nobody ever writes to it. A status above 128 says that the time is up.
		read -rt "$pause" <>"$DIR/.hold" || (($? > 128)) || sleep "$pause"
	done
}

# --- processes --------------------------------------------------------------

# start NAME [in NAMESPACE] COMMAND...: runs a program (not a function) in the background.
# START_IN is its stdin, by default /dev/null; "hold" is a stdin that never ends. START_OUT
# is its stdout, by default $DIR/NAME.out. Its stderr is $DIR/NAME.err.
start()
{
	local name=$1 pid

	shift
	! is_running "$name" || {
		echo "start: there is a $name that runs already" >&2
		return 1
	}
	if [[ $1 == in ]]; then
		set -- ip netns exec "$LAB_TAG-$2" "${@:3}"
	fi
	if _has_ended "$name"; then
		rm "$DIR/.run/$name.status"
	fi
	# What an earlier one of that name said is not to be taken for this one's.
	: >"$DIR/$name.out"
	: >"$DIR/$name.err"
	read -r pid < <(_supervise "$name" "$@" 2>/dev/null 3>&-) && [[ $pid ]]
}

# Runs a program, prints its pid, and keeps its exit status for wait_end and others.
_supervise()
{
	local name=$1 in=${START_IN:-/dev/null} out=${START_OUT:-$DIR/$1.out} status=0

	shift
	# By this mark its children can be told, too, wherever they went.
	export LAB_MARK="$LAB_TAG:$DIR"
	# In the background a shell ignores SIGINT, and so would the program.
	set -- env --default-signal=INT,QUIT "$@"
	if [[ $in == hold ]]; then
		"$@" <>"$DIR/.hold" >"$out" 2>"$DIR/$name.err" &
	else
		"$@" <"$in" >"$out" 2>"$DIR/$name.err" &
	fi
	echo "$!" >"$DIR/.run/$name.pid"
	echo "$!"
	exec >/dev/null
	wait "$!" || status=$?
	echo "$status" >"$DIR/.run/$name.status"
}

pid_of()
{
	local pid

	read -r pid <"$DIR/.run/$1.pid" && echo "$pid"
}

is_running()
{
	[[ -e $DIR/.run/$1.pid ]] && ! _has_ended "$1"
}

# The file is there a moment before what is in it.
_has_ended()
{
	[[ -s $DIR/.run/$1.status ]]
}

_running()
{
	local file name

	for file in "$DIR"/.run/*.pid; do
		name=${file##*/}
		if is_running "${name%.pid}"; then
			echo "${name%.pid}"
		fi
	done
}

_signal()
{
	local pid

	read -r pid <"$DIR/.run/$1.pid"
	kill "-$2" "$pid" 2>/dev/null || true
	# One that a test has stopped would not get to hear of it.
	kill -CONT "$pid" 2>/dev/null || true
}

# wait_end NAME [SECONDS]: waits until the program ends by itself. Returns its exit status,
# or 124 if it did not end in time.
wait_end()
{
	local status

	wait_for "${2:-10}" "end of $1" _has_ended "$1" || return 124
	read -r status <"$DIR/.run/$1.status"
	return "$status"
}

# stop NAME [SIGNAL]: ends the program, and waits until it has ended. Returns its exit
# status. If the program had to be killed, that is 137, and the teardown fails.
stop()
{
	if is_running "$1"; then
		_signal "$1" "${2:-TERM}"
		if ! happens_within "$LAB_GRACE" _has_ended "$1"; then
			echo "not within $LAB_GRACE s: end of $1" >&2
			echo "$1" >>"$DIR/.hard"
			_signal "$1" KILL
		fi
	fi
	wait_end "$1"
}

# dismiss NAME [SIGNAL]: ends a program whose exit status does not matter, such as a peer that
# the signal ends. Fails if the program had to be killed.
dismiss()
{
	stop "$@" || true
	! grep -qsxF "$1" "$DIR/.hard"
}

# wait_gone NAME [SECONDS]: waits until the program ends by itself, with any status.
wait_gone()
{
	wait_for "${2:-10}" "end of $1" _has_ended "$1"
}

# _marked OPTION: greps in the environments of all processes for our mark.
_marked()
{
	grep "$1" -szxF "LAB_MARK=$LAB_TAG:$DIR" /proc/[0-9]*/environ
}

_no_marked()
{
	! _marked -q
}

# Ends processes that were left by programs that have ended: these should be gone, too.
_end_strays()
{
	local pid

	happens_within "$LAB_GRACE" _no_marked && return 0
	for pid in $(_marked -l | cut -d/ -f3); do
		echo "left behind: $pid $(tr '\0' ' ' <"/proc/$pid/cmdline")" >&2
		kill -KILL "$pid" 2>/dev/null || true
	done
	return 1
}

# --- namespaces -------------------------------------------------------------

ns_name()
{
	echo "$LAB_TAG-$1"
}

# ns_add NAME...: makes namespaces. Skips the test if it is not run by root.
ns_add()
{
	local name

	if ((EUID)) && [[ ${BATS_VERSION-} ]]; then
		skip "needs root, for namespaces"
	fi
	for name in "$@"; do
		ip netns add "$LAB_TAG-$name"
		: >"$DIR/.ns/$name"
		ip -n "$LAB_TAG-$name" link set lo up
		# Addresses are to be good at once.
		nsenter --net="/run/netns/$LAB_TAG-$name" \
			sh -c 'echo 0 >/proc/sys/net/ipv6/conf/default/accept_dad'
	done
}

# ns NAME COMMAND...: runs a command in a namespace; "-" is the current one.
ns()
{
	if [[ $1 == - ]]; then
		"${@:2}"
	elif [[ $2 == ip ]]; then
		# That starts one process less.
		ip -n "$LAB_TAG-$1" "${@:3}"
	else
		ip netns exec "$LAB_TAG-$1" "${@:2}"
	fi
}

# veth_pair NS1 IF1 NS2 IF2 [ADDR1/LEN ADDR2/LEN]: makes a veth pair, and sets both ends up.
veth_pair()
{
	ip -n "$(ns_name "$1")" link add "$2" type veth peer name "$4" netns "$(ns_name "$3")"
	if [[ ${5-} ]]; then
		ns "$1" ip addr add "$5" dev "$2"
		ns "$3" ip addr add "$6" dev "$4"
	fi
	ns "$1" ip link set "$2" up
	ns "$3" ip link set "$4" up
}

# bridge_add NS BRIDGE [ADDR/LEN]
bridge_add()
{
	ns "$1" ip link add "$2" type bridge
	if [[ ${3-} ]]; then
		ns "$1" ip addr add "$3" dev "$2"
	fi
	ns "$1" ip link set "$2" up
}

# bridge_port NS BRIDGE IF: attaches IF to the bridge.
bridge_port()
{
	ns "$1" ip link set "$3" master "$2" up
}

# bridge_ports NS BRIDGE: prints the interfaces that are attached to it, one on each line.
bridge_ports()
{
	local links

	links=$(ns "$1" ip -o link show master "$2") || return
	awk -F': ' 'NF { sub(/@.*/, "", $2); print $2 }' <<<"$links"
}

_remove_namespaces()
{
	local file name pid sad=0

	for file in "$DIR"/.ns/*; do
		[[ -e $file ]] || continue
		name=$(ns_name "${file##*/}")
		for pid in $(ip netns pids "$name"); do
			echo "left in ${file##*/}: $pid $(tr '\0' ' ' <"/proc/$pid/cmdline")" >&2
			kill -KILL "$pid" 2>/dev/null || true
			sad=1
		done
		ip netns del "$name" && rm "$file" || sad=1
	done
	return "$sad"
}
