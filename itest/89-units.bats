#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
#
# The units of share/systemd, as systemd-analyze judges them, and the program inside of their
# restrictions as far as itest/in-unit can make them without systemd.

load helpers

UNITS=$LAB_ROOT/share/systemd

setup()
{
	common_setup
	command -v systemd-analyze >/dev/null || skip "needs systemd-analyze"
}

# A tree with the host's units and ours, as make install puts them there.
tree()
{
	mkdir -p "$DIR/root/usr/lib/systemd/system" "$DIR/root/etc/systemd/system"
	cp -r /usr/lib/systemd/system/. "$DIR/root/usr/lib/systemd/system/"
	make -s -C "$LAB_ROOT" install DESTDIR="$DIR/root" PREFIX=/usr >/dev/null
	cp --parents /bin/kill /usr/bin/kill "$DIR/root/" 2>/dev/null || true
}

# assert_exposed_below LIMIT: netrelay@lab, in tenths.
assert_exposed_below()
{
	local level

	run -0 systemd-analyze --root="$DIR/root" security --offline=true --threshold="$1" \
		netrelay@lab.service
	refute_output --partial ignoring
	level=$(sed -n 's/.*exposure level for netrelay@lab.service: \([0-9]\)\.\([0-9]\) .*/\1\2/p' <<<"$output")
	[[ $level ]] && ((10#$level < $1))
}

@test "the units are right, and expose little" {
	tree
	run -0 systemd-analyze --root="$DIR/root" --man=no verify netrelay@lab.service \
		netrelay@lab.socket
	assert_output ""
	assert_exposed_below 30
	install -Dm 644 "$DIR/root/usr/share/netrelay/no-bridge.conf" \
		"$DIR/root/etc/systemd/system/netrelay@lab.service.d/no-bridge.conf"
	run -0 systemd-analyze --root="$DIR/root" --man=no verify netrelay@lab.service
	assert_output ""
	assert_exposed_below 20
}

# install_elsewhere TARGET: of a build of its own, which has another folder for its configuration
# compiled in, for other tests run the usual one meanwhile.
install_elsewhere()
{
	make -s -C "$LAB_ROOT" "$1" BUILD="$DIR/build" DESTDIR="$DIR/root" PREFIX=/opt/nr \
		SYSCONFDIR=/opt/etc UNITDIR=/u
}

@test "they are installed with the paths of the build, and removed" {
	mkdir "$DIR/build"
	cp -a "$LAB_ROOT"/build/{static,base,sandbox,show} "$DIR/build"
	install_elsewhere install
	grep -qx 'ExecStart=/opt/nr/bin/netrelay -v --wait -f /opt/etc/netrelay/%i.conf' \
		"$DIR/root/u/netrelay@.service"
	run ! grep -E '[ =]/etc/netrelay|/usr/' "$DIR"/root/u/*
	assert_exists "$DIR/root/u/netrelay@.socket"
	install_elsewhere uninstall
	run -0 find "$DIR/root" -type f
	assert_output ""
}

# unit NAME UNITS -- ARGS...: starts a relay with the restrictions of these units, in namespace
# a; its folder is $DIR/run.
unit()
{
	local name=$1 units=()

	needs_root
	shift
	while [[ $1 != -- ]]; do
		units+=("$UNITS/$1")
		shift
	done
	mkdir -p "$DIR/run" "$DIR/bin"
	# Where a user without a name can run it.
	chmod 755 "$DIR" "$DIR/.." "$DIR/../.." "$DIR/../../.." "$DIR/bin"
	cp "$NETRELAY" "$DIR/bin/netrelay"
	start manager "$LAB_ROOT/itest/manager" collect "$DIR/run/notify"
	wait_listen - unixgram "$DIR/run/notify"
	chmod 666 "$DIR/run/notify"
	NOTIFY_SOCKET=$DIR/run/notify WATCHDOG_USEC=1000000 start "$name" in a \
		"$LAB_ROOT/itest/in-unit" "$DIR/run" "${units[@]}" -- "$DIR/bin/netrelay" "${@:2}"
	wait_for 15 "readiness" grep -q READY=1 "$DIR/manager.out"
	wait_for 5 "watchdog" grep -q WATCHDOG=1 "$DIR/manager.out"
	run -0 log_lines "$name" 'confined: no capabilities, Landlock [1-9][0-9]*, few system calls'
	assert_output 1
}

@test "with a bridge: it joins that, relays, runs commands, and is controlled" {
	needs_tun
	ns_add a
	bridge_add a br0
	unit one netrelay@.service -- -v --wait --ctl "$DIR/run/ctl" --capture "$DIR/run/c" \
		-l "unix-listen:$DIR/run/s,mode=0666" br0 'exec:exec sleep 1000' tap:t0
	relay_wait_up one 3
	run -0 bridge_ports a br0
	assert_output netrelay0
	run -0 of_helper
	frames_start far in a recv if:br0 --count 100
	run -0 "$FRAMES" send "unix:$DIR/run/s" --count 100
	run -0 frames_wait far
	run -0 "$NETRELAY" ctl "$DIR/run/ctl" add "unix-listen:$DIR/run/t"
	run -0 is_listening a unix "$DIR/run/t"
	run -0 "$NETRELAY" ctl "$DIR/run/ctl" add tcp:localhost:1
	# The bridge goes, and comes again.
	ip -n "$(ns_name a)" link del br0
	wait_port one 'br0: waiting'
	bridge_add a br0
	relay_wait_up one 3
	relay_check_sums one
	run -0 relay_stop one
	assert_not_exists "$DIR/run/ctl"
	run -0 capinfos -c "$DIR/run/c"
}

# example: the file in netrelay.conf(5) that is for the unit.
example()
{
	awk '/^\.Sh/ { wanted = /EXAMPLES/ } /^\.Ed/ { inside = 0 } wanted && inside
		/^\.Bd/ { inside = wanted && !n++ }' "$LAB_ROOT/man/netrelay.conf.5"
}

@test "the example of netrelay.conf(5) runs, and can be controlled" {
	needs_tun
	ns_add a
	bridge_add a br0
	example | sed "s#/run/netrelay/lab/#$DIR/run/#" >"$DIR/lab.conf"
	chmod 644 "$DIR/lab.conf"
	grep -qx '# /etc/netrelay/lab.conf' "$DIR/lab.conf"
	unit one netrelay@.service -- -v --wait -f "$DIR/lab.conf"
	run -0 "$NETRELAY" ctl "$DIR/run/ctl" status
	assert_line --regexp '^switch, 2 ports'
	wait_listen a tcp 5000
	wait_port one 'bridge:br0: up'
	run -0 "$NETRELAY" ctl "$DIR/run/ctl" reload
	assert_output "0 added, 0 ended, 0 changed, 3 as before"
	run -0 relay_stop one
}

of_helper()
{
	# The helper for taps alone has the right to make them.
	grep -q '^CapEff:.0000000000001000' "/proc/$(helper_of one taps)/status" &&
		grep -q '^CapEff:.0000000000000000' "/proc/$(pid_of one)/status"
}

@test "without a bridge it works, and has no right to one" {
	ns_add a
	bridge_add a br0
	unit one netrelay@.service no-bridge.conf -- -v --wait --ctl "$DIR/run/ctl" \
		-l "unix-listen:$DIR/run/s,mode=0666" -l 127.0.0.1:5000 udp:127.0.0.1:5002,local=5001
	frames_start far in a recv udp:127.0.0.1:5001,local=127.0.0.1:5002 --count 100
	run -0 "$FRAMES" send "unix:$DIR/run/s" --count 100
	run -0 frames_wait far
	run -1 "$NETRELAY" ctl "$DIR/run/ctl" add br0
	assert_output --partial "/dev/net/tun"
	run -0 relay_stop one
}

@test "systemd's own program for sockets starts it by the first connection, which is not lost" {
	local port

	port=$(free_port)
	start one systemd-socket-activate -l "127.0.0.1:$port" -l "$DIR/s" "$NETRELAY" -v \
		-l "127.0.0.1:$port" -l "unix-listen:$DIR/s"
	wait_listen - tcp "$port"
	run -0 "$FRAMES" send "unix:$DIR/s" --count 100
	wait_status one 'status: .* received 100,'
	assert_equal "$(log_lines one "listening at the service manager's socket")" 2
	run -0 relay_stop one
}

# --- other service managers -----------------------------------------------------

# options LINE: the options in it are the program's own.
options_are_ours()
{
	local option

	while read -r option; do
		# It comes with the configuration file.
		[[ $option == -f ]] || "$NETRELAY" --help | grep -qw -- "$option"
	done < <(grep -oE -- '(^| )--?[a-z]+' <<<"$1")
}

@test "OpenRC: what its script has the runner do" {
	mkdir "$DIR/init.d"
	cp "$LAB_ROOT/share/openrc/netrelay" "$DIR/init.d/netrelay"
	cat >"$DIR/runner" <<-'EOT'
		# Stands for openrc-run: RC_SVCNAME, the script, and functions to call.
		ebegin() { echo "begin $*"; }
		eend() { echo "end $*"; return "$1"; }
		eerror() { echo "error $*"; }
		need() { echo "need $*"; }
		use() { echo "use $*"; }
		after() { echo "after $*"; }
		before() { echo "before $*"; }
		RC_SVCNAME=$1
		. "$2"
		pidfile=${PIDFILE:-$pidfile}
		shift 2
		for each; do
			"$each" || exit
		done
		echo $command $command_args
		echo "$pidfile"
	EOT
	run -0 sh -eu "$DIR/runner" netrelay.lab "$DIR/init.d/netrelay" depend start_pre
	assert_line 'need localmount'
	assert_line '/usr/bin/netrelay --daemon --pidfile /run/netrelay.lab.pid --wait -f /etc/netrelay/lab.conf'
	assert_line /run/netrelay.lab.pid
	options_are_ours "$output"
	netrelay_user=nobody netrelay_config=/x netrelay_options=-v run -0 sh -eu "$DIR/runner" \
		netrelay.lab "$DIR/init.d/netrelay"
	assert_line '/usr/bin/netrelay --daemon --pidfile /run/netrelay.lab.pid --wait --user nobody -v -f /x'
	options_are_ours "$output"
	run -1 sh -eu "$DIR/runner" netrelay "$DIR/init.d/netrelay" start_pre
	assert_line 'error ln -s netrelay /etc/init.d/netrelay.NAME, and start that'
	# It has a relay read its file again.
	echo "listen unix-listen:$DIR/s" >"$DIR/lab.conf"
	relay_start one -f "$DIR/lab.conf" --pidfile "$DIR/pid"
	wait_for 10 "pidfile" test -s "$DIR/pid"
	PIDFILE=$DIR/pid run -0 sh -eu "$DIR/runner" netrelay.lab "$DIR/init.d/netrelay" reload
	assert_line 'end 0'
	wait_for 5 "words" has_logged one "lab.conf: read again: 0 added"
	run -0 relay_stop one
}

@test "procd: what its script has the runner do" {
	mkdir "$DIR/etc"
	touch "$DIR/etc/"{a,b}.conf "$DIR/etc/bridge.conf" "$DIR/etc/a.old"
	cat >"$DIR/runner" <<-'EOT'
		# Stands for rc.common.
		procd_open_instance() { echo "open $*"; }
		procd_set_param() { echo "set $*"; }
		procd_close_instance() { echo "close"; }
		procd_send_signal() { echo "signal $*"; }
		start() { start_service; }
		. "$1"
		CONFIGS=$2
		"$3"
	EOT
	run -0 sh -eu "$DIR/runner" "$LAB_ROOT/share/openwrt/netrelay.init" "$DIR/etc" start_service
	assert_equal "$(grep -c '^open' <<<"$output") $(grep -c '^close' <<<"$output")" "2 2"
	assert_line "open a"
	assert_line "set command /usr/bin/netrelay --wait -f $DIR/etc/a.conf"
	assert_line "open b"
	options_are_ours "$(grep '^set command' <<<"$output")"
	run -0 sh -eu "$DIR/runner" "$LAB_ROOT/share/openwrt/netrelay.init" "$DIR/etc" reload_service
	assert_equal "${lines[0]}" "signal netrelay * HUP"
	assert_line "open a"
	run -0 sh -eu "$DIR/runner" "$LAB_ROOT/share/openwrt/netrelay.init" "$DIR/none" start_service
	assert_output ""
}
