# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# What the tests with real programs load beside helpers.bash: hosts in which
# programs run that manage a network, and traffic between any two ends.
#
# A host NAME is in the network namespace NAME, and has its own /etc, /run and
# /var (see the program host). What runs in it ends with it:
#
#   ns_add lab
#   host_start lab
#   host_daemon lab nm NetworkManager --no-daemon
#   on lab nmcli con show

# shellcheck source=itest/helpers.bash
[[ ${LAB_ROOT-} ]] || source "$(dirname "${BASH_SOURCE[0]}")/../helpers.bash"

REAL=$LAB_ROOT/itest/real
REAL_PROGRAMS=${NETRELAY_PROGRAMS:-$LAB_ROOT/build/real}

# real_setup: for setup(), which it is unless a file has more to do.
real_setup()
{
	common_setup
	needs_root
	needs_tun
}

setup()
{
	real_setup
}

# wire NS1 NS2: between two of them, 192.0.2.1 and 192.0.2.2, l0 at both ends.
wire()
{
	veth_pair "$1" l0 "$2" l0 192.0.2.1/24 192.0.2.2/24
}

# needs PROGRAM...: skips the test where one is missing.
needs()
{
	local program

	for program in "$@"; do
		command -v "$program" >/dev/null || skip "needs $program"
	done
}

# manual_block WORD: the commands of the manual's example that has it.
manual_block()
{
	awk -v word="$1" '/^\.Ed/ { if (index(block, word)) printf "%s", block; inside = 0 }
		inside { block = block $0 "\n" }
		/^\.Bd -literal/ { inside = 1; block = "" }' "$LAB_ROOT/man/netrelay.1"
}

# in_manual LINE: fails unless that is one of the examples there.
in_manual()
{
	manual_block "$1" | grep -qxF -- "$1" || {
		echo "the manual has no such example: $1"
		return 1
	}
}

# --- hosts ------------------------------------------------------------------

# host_start NAME
host_start()
{
	"$REAL/programs" "$REAL_PROGRAMS"
	start "host-$1" in "$1" "$REAL/host" "$REAL_PROGRAMS" "$DIR/$1.init"
	wait_for 10 "host $1" _is_host "$1"
}

_is_host()
{
	[[ -s $DIR/$1.init ]] && grep -qx ready "$DIR/host-$1.out"
}

# on NAME COMMAND...: runs it on that host; the functions below do, too.
on()
{
	nsenter -t "$(cat "$DIR/$1.init")" -a -- "${@:2}"
}

# host_daemon HOST NAME COMMAND...: runs it there in the background.
host_daemon()
{
	start "$2" nsenter -t "$(cat "$DIR/$1.init")" -a -- "${@:3}"
}

# host_daemon_stop HOST NAME PATTERN: ends what host_daemon started there.
host_daemon_stop()
{
	on "$1" pkill -f "$3" || true
	wait_end "$2" || true
}

# host_bus HOST: its own system bus.
host_bus()
{
	host_daemon "$1" "bus-$1" dbus-daemon --system --nofork --nopidfile
	wait_for 10 "bus of $1" on "$1" busctl --no-pager list
}

# --- traffic ----------------------------------------------------------------

# address NS IF ADDR/LEN: gives it to an interface, as soon as that is there.
address()
{
	wait_for 10 "$2 in $1" ns "$1" ip link show "$2"
	ns "$1" ip addr replace "$3" dev "$2"
	ns "$1" ip link set "$2" up
}

# wait_ping NS ADDR [SECONDS]: until one is answered.
wait_ping()
{
	wait_for "${3:-10}" "$2 to answer $1" ns "$1" ping -c 1 -W 1 "$2"
}

# passes NS1 ADDR1 NS2 ADDR2 [SECONDS]: pings of all sizes and TCP, both ways.
passes()
{
	wait_ping "$1" "$4" "${5:-10}"
	ns "$1" ping -c 3 -i 0.05 -W 2 -s 1400 "$4"
	ns "$3" ping -c 3 -i 0.05 -W 2 "$2"
	tcp_passes "$1" "$3" "$4"
	tcp_passes "$3" "$1" "$2"
}

# tcp_passes NS1 NS2 ADDR2 [PORT]: 1 MiB of noise to there, and none of it missing.
tcp_passes()
{
	local port=${4:-7000} name="sink-$RANDOM$RANDOM"

	[[ -s $DIR/noise ]] || head -c 1048576 /dev/urandom >"$DIR/noise"
	start "$name" in "$2" socat -u "TCP-LISTEN:$port,reuseaddr" STDOUT
	wait_listen "$2" tcp "$port"
	ns "$1" timeout 30 socat -u "FILE:$DIR/noise" "TCP:$3:$port,connect-timeout=10"
	wait_end "$name" 30
	cmp "$DIR/noise" "$DIR/$name.out"
}
