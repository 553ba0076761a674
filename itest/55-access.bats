#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
#
# The program file has CAP_NET_ADMIN, and ordinary users run it: the access list says
# which bridges they may join, and nothing else can be had by that capability. The
# topology of every test is that of setup().
#
# shellcheck disable=SC2030,SC2031 # AS and FILE_CAP are meant to be the test's alone

load helpers

HELPER=/usr/lib/qemu/qemu-bridge-helper
AS_USER=$LAB_ROOT/itest/as-user
NOBODY=65534

# Two bridges, and an access list that tests write.
#
#   lab: netrelay --- br0     br1
setup()
{
	common_setup
	needs_tun
	command -v setcap >/dev/null || skip "needs setcap"
	ns_add lab
	no_ipv6 lab
	quiet_bridge lab br0
	quiet_bridge lab br1
	export FILE_CAP=cap_net_admin+ep ACCESS=$DIR/netrelay
	mkdir -m 755 "$ACCESS"
	LIST=/etc/netrelay/bridge.conf
}

teardown()
{
	rm -rf "${OPEN_DIR:-$DIR/none}"
	common_teardown
}

# open_dir: a directory that everybody reaches.
open_dir()
{
	OPEN_DIR=$(mktemp -d /tmp/netrelay-access.XXXXXX)
	chmod 777 "$OPEN_DIR"
}

# list LINE...: is the access list from now on.
list()
{
	printf '%s\n' "$@" >"$DIR/list"
	chmod 644 "$DIR/list"
	mv "$DIR/list" "$ACCESS/bridge.conf"
}

user_start()
{
	start relay in lab "$AS_USER" "$NETRELAY" -v -l 127.0.0.1:5000 "$@"
}

user_start_up()
{
	user_start "$@"
	relay_wait_up relay 1
}

# user_tries ENDPOINT: in vain, or it would be there for ever.
user_tries()
{
	ns lab timeout 60 "$AS_USER" "$NETRELAY" -l 127.0.0.1:5001 "$1"
}

# user_fails ENDPOINT MESSAGE
user_fails()
{
	run -1 --separate-stderr user_tries "$1"
	# shellcheck disable=SC2154 # of run
	assert_equal "$output$stderr" "netrelay: $1: $2"
	assert_equal "$(taps)" ""
}

# checked STATUS MESSAGE [BRIDGE]: what --check-bridge says.
checked()
{
	run "-$1" --separate-stderr ns lab "$AS_USER" "$NETRELAY" --check-bridge "${3:-br0}"
	assert_equal "$output" "$2"
	assert_equal "$stderr" ""
}

# refused MESSAGE: is said by both.
refused()
{
	checked 1 "$1"
	user_fails br0 "$1"
}

taps()
{
	bridge_ports lab br0
	bridge_ports lab br1
}

is_on_br0()
{
	bridge_ports lab br0 | grep -qx "$1"
}

# status_of PID NAME: a line of /proc/PID/status, without its name.
status_of()
{
	awk -v name="$2:" '$1 == name { print $2 }' "/proc/$1/status"
}

# caps_are PID PERMITTED: and none effective, nor such that a program could get.
caps_are()
{
	local set

	assert_equal "$1 $(status_of "$1" CapPrm)" "$1 000000000000$2"
	for set in CapEff CapInh CapAmb; do
		assert_equal "$1 $set $(status_of "$1" "$set")" "$1 $set 0000000000000000"
	done
	assert_equal "$(status_of "$1" Uid)" "$NOBODY"
}

# by_user COMMAND...: as that user, without netrelay.
by_user()
{
	setpriv --reuid=$NOBODY --regid=$NOBODY --clear-groups --inh-caps=-all --bounding-set=-all "$@"
}

no_line()
{
	echo "$LIST has no line that allows bridge ${1:-br0} to user $NOBODY; as root, add:" \
		"allow ${1:-br0} user:$NOBODY"
}

# --- the list ---------------------------------------------------------------

@test "a user who is allowed a bridge joins it by a tap of his own" {
	local cap

	list "# people" "allow br0 user:nobody"
	for cap in cap_net_admin+ep cap_net_admin+p; do
		export FILE_CAP=$cap
		checked 0 "$LIST, line 2, allows bridge br0 to user $NOBODY"
		user_start_up br0
		assert_equal "$(taps)" netrelay0
		assert_regex "$(ns lab ip -d link show netrelay0)" "mtu 1500 .*persist off user nobody"
		run -0 relay_stop relay
		wait_for 5 "end of the tap" has_no_link lab netrelay0
	done
	user_start_up bridge:br0,tap=netrelay-mine,mtu=1500
	assert_equal "$(taps)" netrelay-mine
}

@test "what no line allows is refused, and it is said what to add" {
	refused "$LIST is missing, so no user may join a bridge; as root, create it, with the \
line: allow br0 user:$NOBODY"
	list
	refused "$(no_line)"
	list "allow br1" "allow br0 user:1" "allow all group:1"
	refused "$(no_line)"
	checked 0 "$LIST, line 1, allows bridge br1 to user $NOBODY" br1
	checked 1 "bridge br9 does not exist; create it: ip link add br9 type bridge" br9
	list "allow all"
	checked 0 "$LIST, line 1, allows bridge br0 to user $NOBODY"
	list "allow all" "deny br0 user:nobody"
	refused "$LIST, line 2, denies bridge br0 to user $NOBODY"
}

@test "the groups that the user is in count" {
	list "allow br0 group:4321"
	refused "$(no_line)"
	export AS="--reuid=$NOBODY --regid=$NOBODY --groups=5,4321"
	checked 0 "$LIST, line 1, allows bridge br0 to user $NOBODY"
	export AS="--reuid=$NOBODY --regid=4321 --clear-groups"
	checked 0 "$LIST, line 1, allows bridge br0 to user $NOBODY"
	list "allow br0" "deny all group:4321"
	refused "$LIST, line 2, denies bridge br0 to user $NOBODY"
}

@test "a list that is not right denies all, and it is said how to mend it" {
	list "allow br0" "alow br1"
	refused "$LIST, line 2: \"alow\" must be allow or deny"
	list $'allow br0\r'
	refused "$LIST, line 1: byte 10 is a control character (0x0d); end lines by LF alone"
	list "allow br0" "deny br1 user:no-such-user"
	refused "$LIST, line 2: /etc/passwd has no no-such-user; correct the name, or write the number"
	list "allow br0"
	chmod 640 "$ACCESS/bridge.conf"
	refused "$LIST: Permission denied"
	chmod 666 "$ACCESS/bridge.conf"
	refused "$LIST is writable by others than root; as root: chmod go-w $LIST"
	chmod 644 "$ACCESS/bridge.conf"
	chown $NOBODY "$ACCESS/bridge.conf"
	refused "$LIST belongs to user $NOBODY, who could allow everything; as root: chown root $LIST"
	chown 0 "$ACCESS/bridge.conf"
	chmod 777 "$ACCESS"
	refused "/etc/netrelay is writable by others than root; as root: chmod go-w /etc/netrelay"
	chmod 755 "$ACCESS"
	mv "$ACCESS/bridge.conf" "$ACCESS/other"
	ln -s other "$ACCESS/bridge.conf"
	refused "$LIST: it must not be a symbolic link"
}

@test "root needs no leave, and a file without the capability says so" {
	local tap

	run -0 ns lab "$NETRELAY" --check-bridge br0
	assert_output "whoever has CAP_NET_ADMIN needs no leave"
	list "deny all"
	export AS="--reuid=0 --regid=0 --clear-groups"
	checked 0 "whoever has CAP_NET_ADMIN needs no leave"
	user_start_up bridge:br0,mtu=1400
	run -0 relay_stop relay
	list "allow br0"
	unset AS
	FILE_CAP=cap_net_raw+p checked 1 "$LIST, line 1, allows bridge br0 to user $NOBODY; but \
this netrelay has no capability: make install-setcap"
	# Given to this process by who started it, it is the user's own.
	list "deny all"
	export RUN="setpriv --reuid=$NOBODY --inh-caps=+net_admin --ambient-caps=+net_admin"
	export AS="--regid=0 --clear-groups" FILE_CAP=none
	checked 0 "whoever has CAP_NET_ADMIN needs no leave"
	user_start_up br0
	tap=$(taps)
	caps_are "$(pid_of relay)" 0000
	# The helper still has it when the tap is to be made again.
	ns lab ip link del "$tap"
	wait_for 10 "tap on its bridge again" is_on_br0 "$tap"
}

@test "the list is read each time: it may change while the relay runs" {
	list "allow br0"
	user_start_up br0
	list "deny br0"
	ns lab ip link del netrelay0
	wait_for 10 "refusal" has_logged relay "br0: $LIST, line 1, denies bridge br0 to user $NOBODY; trying"
	assert_equal "$(taps)" ""
	list "allow br0"
	wait_for 10 "another tap" is_on_br0 netrelay0
	relay_wait_up relay 1
	# The tap that it has is put back by the same rule.
	list "deny br0"
	ns lab ip link set netrelay0 nomaster
	wait_for 10 "refusal" has_logged relay "br0: $LIST, line 1, denies bridge br0 to user $NOBODY; trying" 2
	assert_equal "$(taps)" ""
	list "allow br0"
	wait_for 10 "a tap" is_on_br0 netrelay0
	relay_wait_up relay 1
	# And so is the bridge, if it is made anew.
	ns lab ip link del br0
	quiet_bridge lab br0
	wait_for 10 "a tap" is_on_br0 netrelay0
	# As is what it asks for when the bridge's MTU has grown.
	ns lab ip link set br0 mtu 2000
	wait_for 10 "a larger MTU" test_mtu netrelay0 2000
}

test_mtu()
{
	[[ $(link_word lab "$1" mtu) == "$2" ]]
}

@test "a helper that was killed is followed by one that can do the same" {
	local old

	list "allow br0"
	user_start_up br0
	old=$(helper_of relay taps)
	kill -KILL "$old"
	wait_for 5 "another helper" other_helper "$old"
	ns lab ip link del netrelay0
	wait_for 10 "another tap" is_on_br0 netrelay0
}

other_helper()
{
	[[ $(helper_of relay taps) && $(helper_of relay taps) != "$1" ]]
}

@test "without leave all goes on as without the capability" {
	list
	ns lab ip tuntap add tap0 mode tap user $NOBODY
	bridge_port lab br0 tap0
	user_start_up bridge:br0,tap=tap0
	run -0 relay_stop relay
	[[ -x $HELPER ]] || skip "needs $HELPER"
	ns lab ip link del tap0
	export BRIDGE_CONF=$DIR/qemu.conf
	echo "allow br0" >"$BRIDGE_CONF"
	user_start_up br0
	assert_regex "$(taps)" '^tap[0-9]+$'
	run -0 relay_stop relay
	wait_for 5 "end of the tap" has_no_taps
	echo "allow br1" >"$BRIDGE_CONF"
	user_fails br0 "$(no_line) (qemu-bridge-helper: access denied by acl file)"
}

has_no_taps()
{
	[[ -z $(taps) ]]
}

# --- what the capability must not give --------------------------------------

@test "attack: other people's taps, and names and MTUs that are not for users" {
	list "allow br0"
	ns lab ip tuntap add tap1 mode tap user 1
	ns lab ip tuntap add netrelay7 mode tap user 1
	veth_pair lab eth0 lab peer
	user_fails tap:tap1 "tap1 belongs to another user; see: ip -details link show tap1"
	user_fails bridge:br0,tap=netrelay7 \
		"netrelay7 belongs to another user; see: ip -details link show netrelay7"
	user_fails bridge:br0,tap=eth0 "eth0 exists, and is not a tap; take another name"
	user_fails tap:netrelay8 "no right to make a tap: run as root, or have an admin make one: \
ip tuntap add netrelay8 mode tap user $NOBODY; ip link set netrelay8 up, then use tap:netrelay8"
	user_fails bridge:br0,tap=eth1 "leave for bridge br0 is for taps that netrelay makes, whose \
names begin with netrelay; leave out tap="
	user_fails bridge:br0,tap=netrelay8,mtu=100 \
		"leave for bridge br0 is for taps with its MTU, 1500; leave out mtu="
	assert_equal "$(link_word lab br0 mtu)" 1500
	has_no_link lab eth1
	has_no_link lab netrelay8
	[[ $(link_word lab tap1) != *[\<,]UP[,\>]* ]]
	run -2 user_tries abcdefghijklmnop
	run -2 user_tries "bridge:br0,tap=netrelay%d/../x"
}

@test "attack: a tap of the user's own is not moved or changed for him" {
	list "allow br0"
	ns lab ip tuntap add netrelay7 mode tap user $NOBODY
	ns lab ip link set netrelay7 mtu 1400
	bridge_port lab br1 netrelay7
	run -1 user_tries bridge:br0,tap=netrelay7
	assert_output "netrelay: bridge:br0,tap=netrelay7: no right to change netrelay7; as root: ip \
link set netrelay7 mtu 1500 master br0"
	assert_equal "$(bridge_ports lab br1)" netrelay7
	assert_equal "$(link_word lab netrelay7 mtu)" 1400
}

@test "attack: a bridge that is denied, by another name of it" {
	ns lab ip link property add dev br1 altname other || skip "needs names of that kind"
	list "allow all" "deny br1"
	checked 1 "$LIST, line 2, denies bridge br1 to user $NOBODY" other
	user_fails other "$LIST, line 2, denies bridge br1 to user $NOBODY"
	list "allow other"
	user_fails other "$(no_line br1)"
}

@test "attack: the processes have no more than they must, and nobody can get at them" {
	local pid helper start brokers child

	list "allow br0"
	START_OUT=$DIR/capture user_start --capture - br0 "exec:exec sleep 60"
	relay_wait_up relay 2
	wait_for 5 "command" has_command relay sleep
	pid=$(pid_of relay)
	caps_are "$pid" 0000
	helper=$(helper_of relay taps)
	start=$(helper_of relay start)
	brokers=$(broker_parent_of relay && broker_of relay)
	# The brokers start another helper when one is lost.
	for child in $brokers $helper; do
		caps_are "$child" 1000
	done
	for child in $(pgrep -P "$pid" | grep -vxF "$brokers") $start $(pgrep -P "$start") \
		$(pgrep -P "$(pgrep -P "$start" -d,)"); do
		caps_are "$child" 0000
		cat "/proc/$child/comm" >>"$DIR/children"
	done
	assert_equal "$(sort "$DIR/children" | tr '\n' ' ')" "netrelay-exec netrelay-start netrelay-writer sleep "
	for child in "$pid" "$helper" $brokers; do
		run ! by_user ls "/proc/$child/fd"
		run ! by_user cat "/proc/$child/environ"
		run ! by_user cat "/proc/$child/maps"
		run -1 by_user /usr/bin/python3 -c "import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
PTRACE_SEIZE = 0x4206
exit(libc.ptrace(PTRACE_SEIZE, $child, 0, 0) and os.strerror(ctypes.get_errno()))"
		assert_output "Operation not permitted"
	done
	# Nor is memory written to a file when it ends by a fault.
	assert_equal "$(stat -c %u "/proc/$pid/mem")" 0
}

@test "attack: a program that is traced, or in a user namespace, gets no capability" {
	list "allow br0"
	RUN="unshare --user --map-root-user" run -1 user_tries br0
	assert_output --partial "no right to make a tap"
	# Without a name in it, nobody has made the list.
	RUN="unshare --user" run -1 user_tries br0
	assert_output --partial "/etc/netrelay belongs to user $NOBODY"
	RUN="setpriv --no-new-privs" run -1 user_tries br0
	assert_output --partial "no right to make a tap"
	cat >"$DIR/traced" <<-'EOT'
		import ctypes, os, sys
		libc = ctypes.CDLL(None)
		child = os.fork()
		if child == 0:
		    libc.ptrace(0, 0, 0, 0)
		    os.execv(sys.argv[1], sys.argv[1:])
		while True:
		    _, status = os.waitpid(child, 0)
		    if not os.WIFSTOPPED(status):
		        sys.exit(os.waitstatus_to_exitcode(status))
		    signal = os.WSTOPSIG(status)
		    libc.ptrace(7, child, 0, 0 if signal == 5 else signal)
	EOT
	RUN="/usr/bin/python3 /dev/stdin" run -1 user_tries br0 <"$DIR/traced"
	assert_output --partial "no right to make a tap"
	assert_equal "$(taps)" ""
}

@test "attack: what is added while it runs has no more rights" {
	list "allow br0"
	ns lab ip tuntap add tap1 mode tap user 1
	open_dir
	user_start --ctl "$OPEN_DIR/ctl" br0
	relay_wait_up relay 1
	ctl add br1
	assert_output --partial "$(no_line br1)"
	ctl add tap:tap1
	assert_output --partial "tap1 belongs to another user"
	ctl add bridge:br0,tap=eth1
	assert_output --partial "whose names begin with netrelay"
	ctl add tap:netrelay5
	assert_output --partial "no right to make a tap"
	assert_equal "$(taps)" netrelay0
}

# ctl COMMAND...: of the relay, which is refused.
ctl()
{
	run -1 ns lab "$AS_USER" "$NETRELAY" ctl "$OPEN_DIR/ctl" "$@"
}

@test "a file that is set-user-ID or set-group-ID is refused" {
	local mode

	open_dir
	cp "$NETRELAY" "$OPEN_DIR/netrelay"
	for mode in 4755 2755; do
		chmod "$mode" "$OPEN_DIR/netrelay"
		run -1 by_user "$OPEN_DIR/netrelay" --version
		assert_output "netrelay: netrelay must not be set-user-ID or set-group-ID; as root: \
chmod ug-s its file, and make install-setcap"
	done
}

# --- make install -----------------------------------------------------------

install()
{
	run -0 make -s -C "$LAB_ROOT" "$@" DESTDIR="$DIR/root" PREFIX=/usr
}

@test "make install: the program, its manual, and a list that denies all; no list is lost" {
	local list=$DIR/root/etc/netrelay/bridge.conf

	install install
	assert_equal "$(stat -c %a "$DIR/root/usr/bin/netrelay")" 755
	assert_equal "$(stat -c %a "$list")" 644
	assert_equal "$(stat -c %a "${list%/*}")" 755
	assert_file_exists "$DIR/root/usr/share/man/man1/netrelay.1"
	cp "$list" "$ACCESS/bridge.conf"
	checked 1 "$(no_line)"
	echo "allow br0" >>"$list"
	cp "$list" "$ACCESS/bridge.conf"
	run -0 ns lab "$AS_USER" "$NETRELAY" --check-bridge br0
	install install
	grep -qx "allow br0" "$list"
	install uninstall
	assert_equal "$(find "$DIR/root" -type f)" "$list"
	rm "$list"
	install install
	install uninstall
	assert_equal "$(find "$DIR/root" -type f)" ""
}

@test "make install-setcap: gives the capability, or says what it lacks" {
	install install-setcap
	assert_equal "$(getcap "$DIR/root/usr/bin/netrelay")" "$DIR/root/usr/bin/netrelay cap_net_admin=p"
	install install
	assert_output --partial "it had a capability, which make install-setcap gives it again"
	install install
	refute_output --partial "capability"
	mkdir "$DIR/bin"
	printf '#!/bin/sh\nexit 1\n' >"$DIR/bin/setcap"
	chmod 755 "$DIR/bin/setcap"
	PATH=$DIR/bin:$PATH run ! make -s -C "$LAB_ROOT" install-setcap DESTDIR="$DIR/root" PREFIX=/usr
	assert_output --partial "make install-setcap needs root"
}

# The capability is for bridges that the list allows, wherever the endpoint was written.
@test "a file that is read again brings an allowed bridge, and no other" {
	open_dir
	list "allow br0"
	echo "listen 127.0.0.1:5000" >"$OPEN_DIR/conf"
	start relay in lab "$AS_USER" "$NETRELAY" -v -f "$OPEN_DIR/conf"
	wait_listen lab tcp 5000
	printf '%s\n' "listen 127.0.0.1:5000" "join br0" "join br1" >"$OPEN_DIR/conf"
	kill -HUP "$(pid_of relay)"
	wait_for 5 "words" has_logged relay "read again: 2 added"
	wait_for 5 "a refusal" has_logged relay "br1: .*netrelay/bridge.conf"
	relay_wait_up relay 1
	assert_equal "$(bridge_ports lab br0 | wc -l) $(bridge_ports lab br1 | wc -l)" "1 0"
	run ! has_logged relay "does not name"
	run -0 relay_stop relay
}
