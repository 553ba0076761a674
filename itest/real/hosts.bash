# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# The tests with other programs load this file in addition to helpers.bash. It has hosts, on
# which programs that manage a network can run, and traffic between any two ends.
#
# A host NAME is in the network namespace NAME, and has its own /etc, /run and /var (see the
# program host). Programs on it end with it:
#
#   ns_add lab
#   host_start lab
#   host_daemon lab nm NetworkManager --no-daemon
#   on lab nmcli con show

# shellcheck source=itest/helpers.bash
[[ ${LAB_ROOT-} ]] || source "${BASH_SOURCE[0]%/*}/../helpers.bash"

REAL=$LAB_ROOT/itest/real
REAL_PROGRAMS=${NETRELAY_PROGRAMS:-$LAB_ROOT/build/real}

# real_setup: for setup(), unless a file has more to set up.
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

# wire NS1 NS2: joins two namespaces: l0 192.0.2.1 and l0 192.0.2.2.
wire()
{
	veth_pair "$1" l0 "$2" l0 192.0.2.1/24 192.0.2.2/24
}

# needs PROGRAM...: skips the test if a program is missing.
needs()
{
	local program

	for program in "$@"; do
		command -v "$program" >/dev/null || skip "needs $program"
	done
}

# manual_block WORD: prints the commands of the manual's example that contains WORD.
manual_block()
{
	awk -v word="$1" '/^\.Ed/ { if (index(block, word)) printf "%s", block; inside = 0 }
		inside { block = block $0 "\n" }
		/^\.Bd -literal/ { inside = 1; block = "" }' "$LAB_ROOT/man/netrelay.1"
}

# in_manual LINE: fails unless that line is in an example of the manual.
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

# on NAME COMMAND...: runs a command on that host; the functions below do so, too.
on()
{
	nsenter -t "$(cat "$DIR/$1.init")" -a -- "${@:2}"
}

# host_daemon HOST NAME COMMAND...: runs a command there in the background.
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

# host_bus HOST: starts a system bus for the host.
host_bus()
{
	host_daemon "$1" "bus-$1" dbus-daemon --system --nofork --nopidfile
	wait_for 10 "bus of $1" on "$1" busctl --no-pager list
}

# --- traffic ----------------------------------------------------------------

# address NS IF ADDR/LEN: gives an interface an address, as soon as the interface exists.
address()
{
	wait_for 10 "$2 in $1" ns "$1" ip link show "$2"
	ns "$1" ip addr replace "$3" dev "$2"
	ns "$1" ip link set "$2" up
}

# wait_ping NS ADDR [SECONDS]: waits until a ping is answered.
wait_ping()
{
	wait_for "${3:-10}" "$2 to answer $1" ns "$1" ping -c 1 -W 1 "$2"
}

# passes NS1 ADDR1 NS2 ADDR2 [SECONDS]: sends pings of two sizes, and TCP in both directions.
passes()
{
	wait_ping "$1" "$4" "${5:-10}"
	ns "$1" ping -c 3 -i 0.05 -W 2 -s 1400 "$4"
	ns "$3" ping -c 3 -i 0.05 -W 2 "$2"
	tcp_passes "$1" "$3" "$4"
	tcp_passes "$3" "$1" "$2"
}

# tcp_passes NS1 NS2 ADDR2 [PORT]: sends 1 MiB of random bytes, all of which must arrive.
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
