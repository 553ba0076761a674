#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
#
# Links that never die: the far end is not there yet, goes away, comes back,
# falls silent, or plays tricks, and the near end - a client that dials once and
# never again - keeps its one connection all the time.
#
# Most tests look like this, with another far link each:
#
#   near --- unix --- netrelay --- the far link --- far

load helpers

namespaces a

teardown()
{
	rm -rf "/etc/netns/$(ns_name a)"
	rmdir --ignore-fail-on-non-empty /etc/netns 2>/dev/null || true
	common_teardown
}

# --- what a relay says ------------------------------------------------------

# --- both ends --------------------------------------------------------------

# near_start: a client that sends all the time, counts all that comes, and dials once.
near_start()
{
	frames_start near in a both "unix:$DIR/near" --id 9 --count 1000000 --rate 100 \
		--timeout 300
	relay_wait_ports relay 2
}

# near_received COUNT ID...: what it got in all, so many frames from each.
near_received()
{
	local id

	run -0 relay_status relay
	assert_line --partial "listener unix-listen:$DIR/near: 1 connected, 1 accepted"
	run -0 relay_check_sums relay
	run -0 stop near
	for id in "${@:2}"; do
		assert_file_contains "$DIR/near.out" \
			"^from $id: received $1 lost 0 damaged 0 reordered 0 duplicated 0"
	done
}

# far_stays NAME ENDPOINT ID PORT: sends 20 frames, then stays; PORT is the
# relay's name of its end.
far_stays()
{
	frames_start "$1" in a both "$2" --id "$3" --count 20 --expect 1000000 --timeout 300
	wait_port relay "$4: up, rx 20 frames"
}

# frames_got NAME COUNT: it ends well, and with no fewer frames.
frames_got()
{
	run -0 frames_wait "$1"
	(($(sed -n 's/^total: received \([0-9]*\) .*/\1/p' <<<"$output") >= $2))
}

# far_passes NAME ENDPOINT ID: sends 20 frames, receives as many from near, and goes.
far_passes()
{
	frames_start "$1" in a both "$2" --id "$3" --count 20 --from 9 --linger 0 \
		--timeout 20
	frames_got "$1" 20
}

# comes_and_goes PORT FAR ABSENT: the relay's far PORT finds nobody (ABSENT is how
# its status shows that), then FAR, which is killed, then another one.
comes_and_goes()
{
	relay_start relay in a "unix-listen:$DIR/near" "$1"
	wait_listen a unix "$DIR/near"
	near_start
	wait_port relay "$3"
	far_stays one "$2" 1 "$1"
	run -137 stop one KILL
	far_passes two "$2" 2
	wait_port relay "$1: .*, rx 40 frames"
	near_received 20 1 2
	# One line an outage, however often it was tried: at most the three there were.
	[[ $(log_lines relay "$1: .*trying again") -le 3 ]]
}

@test "tcp: far end absent, comes, is killed, comes again" {
	comes_and_goes tcp:127.0.0.1:6000 tcp-listen:127.0.0.1:6000 \
		"unix:.*: up, .* dropped: no-port"
	assert_file_contains "$DIR/relay.err" \
		"tcp:127.0.0.1:6000: connect to 127.0.0.1:6000: Connection refused (nobody listens there); trying again"
}

@test "unix: far end absent, comes, is killed, comes again" {
	comes_and_goes "unix:$DIR/far" "unix-listen:$DIR/far" "unix:.*: up, .* dropped: no-port"
	assert_file_contains "$DIR/relay.err" "unix:$DIR/far: .*No such file"
}

# UDP tells nobody whether somebody is there: ICMP's "refused" must not matter.
@test "udp: far end absent and refused by ICMP, comes, is killed, comes again" {
	ns a nft -f - <<-'END'
		table ip count {
			counter refusals { }
			chain in {
				type filter hook input priority 0;
				icmp type destination-unreachable counter name refusals
			}
		}
	END
	comes_and_goes udp:127.0.0.1:6000,local=127.0.0.1:6001 \
		udp:127.0.0.1:6001,local=127.0.0.1:6000 "udp:.*: up, rx 0 .* dropped: refused [1-9][0-9]+"
	run -0 ns a nft list counter ip count refusals
	refute_output --partial "packets 0 "
	run -1 grep -v "status\|port\|listener" "$DIR/relay.err"
}

@test "unixgram: far end absent, comes, is killed, comes again" {
	comes_and_goes "unixgram:$DIR/far,local=$DIR/own" "unixgram:$DIR/own,local=$DIR/far" \
		"unixgram:.*: up, .* dropped: refused"
}

# QEMU that is started again removes its path, binds it anew, and may be the
# first to speak. A socket of ours connected to its old one would refuse that.
@test "unixgram: a far end that was started again is heard before we speak to it" {
	local id

	relay_start relay in a "unix-listen:$DIR/near" "unixgram:$DIR/far,local=$DIR/own"
	wait_listen a unix "$DIR/near"
	frames_start near in a both "unix:$DIR/near" --id 9 --count 1 --expect 60 --timeout 60
	relay_wait_ports relay 2
	for id in 1 2 3; do
		frames_start "far$id" in a both "unixgram:$DIR/own,local=$DIR/far" --id "$id" \
			--count 20 --expect 1000000 --timeout 60
		wait_port relay "unixgram:.* rx $((20 * id)) frames"
		run -137 stop "far$id" KILL
	done
	run -0 frames_wait near
	assert_line --partial "total: received 60 lost 0 damaged 0 reordered 0 duplicated 0"
}

@test "exec: a child that is not ready, comes, is killed, comes again" {
	cat >"$DIR/child" <<-END
		test -e '$DIR/ready' || exit 3
		echo \$\$ >>'$DIR/pids'
		exec '$FRAMES' both - --id \$(wc -l <'$DIR/pids') --count 20 --from 9 \\
			--expect 1000000 --timeout 300
	END
	relay_start relay in a "unix-listen:$DIR/near" "exec:sh '$DIR/child'"
	wait_listen a unix "$DIR/near"
	near_start
	wait_for 10 "first failures" has_logged relay "exited with status 3"
	touch "$DIR/ready"
	wait_port relay "exec:.*: up, rx 20 frames"
	kill -KILL "$(sed -n 1p "$DIR/pids")"
	wait_port relay "exec:.*: up, rx 40 frames"
	kill -KILL "$(sed -n 2p "$DIR/pids")"
	wait_port relay "exec:.*: up, rx 60 frames"
	near_received 20 1 2 3
}

# A name is resolved again at each try: it appears, and then it moves.
@test "a name that resolves later, and to another address later still" {
	local etc

	etc=/etc/netns/$(ns_name a)
	mkdir -p "$etc"
	echo "127.0.0.1 localhost" >"$etc/hosts"
	printf 'nameserver 127.0.0.1\noptions timeout:1 attempts:1\n' >"$etc/resolv.conf"
	relay_start relay in a "unix-listen:$DIR/near" tcp:far.test:6000
	wait_listen a unix "$DIR/near"
	near_start
	wait_for 10 "failure" has_logged relay "resolve far.test: .*trying again"
	# The same file: a new one would not be seen where this one is bound.
	echo "127.0.0.2 far.test" >>"$etc/hosts"
	far_stays one tcp-listen:127.0.0.2:6000 1 tcp:far.test:6000
	printf '127.0.0.3 far.test\n' >"$etc/hosts"
	run -137 stop one KILL
	far_passes two tcp-listen:127.0.0.3:6000 2
	wait_port relay "tcp:far.test:6000: .*, rx 40 frames"
	near_received 20 1 2
}

@test "udp: a name that resolves later" {
	local etc

	etc=/etc/netns/$(ns_name a)
	mkdir -p "$etc"
	echo "127.0.0.1 localhost" >"$etc/hosts"
	printf 'nameserver 127.0.0.1\noptions timeout:1 attempts:1\n' >"$etc/resolv.conf"
	relay_start relay in a "unix-listen:$DIR/near" udp:far.test:6000,local=6001
	wait_listen a unix "$DIR/near"
	near_start
	wait_for 10 "failure" has_logged relay "resolve far.test: .*trying again"
	echo "127.0.0.2 far.test" >>"$etc/hosts"
	wait_port relay "udp:.*: up"
	far_passes one udp:127.0.0.1:6001,local=127.0.0.2:6000 1
	near_received 20 1
}

in_time_wait()
{
	[[ $(ns a ss -Htan state time-wait sport = ":$1") ]]
}

#   near --- unix --- a netrelay --- tcp --- b netrelay -l --- c
@test "netrelay: a server that is killed is started again at once, and dialled again" {
	relay_start a in a "unix-listen:$DIR/near" tcp:127.0.0.1:5000
	relay_start b in a -l 5000
	wait_listen a unix "$DIR/near"
	frames_start near in a recv "unix:$DIR/near" --count 40 --timeout 60 --lossless
	relay_wait_up a 2 10
	relay_wait_up b 1 10
	frames_start c in a both tcp:127.0.0.1:5000 --count 20 --expect 1000 --id 1 --timeout 60
	# A probe of b comes ahead of them.
	wait_port a "unix:.* tx 2[1-9] frames"
	run -137 stop b KILL
	wait_for 5 "connection in TIME_WAIT" in_time_wait 5000
	relay_start b in a -l 5000
	wait_listen a tcp 5000
	relay_wait_up b 1
	relay_wait_up a 2
	run -0 ns a "$FRAMES" send tcp:127.0.0.1:5000 --count 20 --id 2
	run -0 frames_wait near
	assert_line "from 1: received 20 lost 0 damaged 0 reordered 0 duplicated 0"
	assert_line "from 2: received 20 lost 0 damaged 0 reordered 0 duplicated 0"
	relay_check_sums a
	relay_check_sums b
}

# --- trying again, and how often --------------------------------------------

# count_dials: from here on the kernel counts connections begun to port 6000.
count_dials()
{
	ns a nft -f - <<-'END'
		table inet count {
			counter dials { }
			chain out {
				type filter hook output priority 0;
				tcp dport 6000 tcp flags & (syn | ack) == syn counter name dials
			}
		}
	END
}

dials()
{
	ns a nft list counter inet count dials | awk '$1 == "packets" { print $2 }'
}

has_dialled()
{
	(($(dials) >= $1))
}

# no_sooner_than SINCE_US MS: that so much time has passed. On a slow machine
# more will have, so this only fails for who was too quick.
no_sooner_than()
{
	local ms=$((($(_now_us) - $1) / 1000))

	((ms >= $2)) || {
		echo "after $ms ms, and no sooner than $2 was allowed"
		return 1
	}
}

# Pauses are at least 50, 100, 200, 400, 800 ms: half of 0.1 s, doubling.
@test "a refused target is tried at growing intervals, from the start after a success" {
	local since tried

	count_dials
	since=$(_now_us)
	relay_start relay in a "unix-listen:$DIR/near" tcp:127.0.0.1:6000
	wait_for 15 "6 tries" has_dialled 6
	no_sooner_than "$since" 1550
	wait_listen a unix "$DIR/near"
	# Up for longer than a second: that was a success.
	frames_start far in a recv tcp-listen:127.0.0.1:6000 --count 150 --timeout 30 \
		--linger 0
	near_start
	wait_port relay "tcp:127.0.0.1:6000: up"
	tried=$(dials)
	frames_got far 150
	# Or else the pauses would be 1.6, 2.5, 2.5 s and more.
	happens_within 6 has_dialled $((tried + 3))
	# Once before it was up, and once after.
	[[ $(log_lines relay "trying again") == 2 ]]
}

# socat accepts and closes at once, for ever.
@test "a link that is accepted and closed at once: no spinning, few words" {
	local since

	count_dials
	start peer in a socat -u OPEN:/dev/null TCP-LISTEN:6000,reuseaddr,fork
	wait_listen a tcp 6000
	since=$(_now_us)
	relay_start relay in a "unix-listen:$DIR/near" tcp:127.0.0.1:6000
	wait_for 15 "6 tries" has_dialled 6
	no_sooner_than "$since" 1550
	[[ $(log_lines relay "closed by the peer; trying again") == 1 ]]
	[[ $(wc -l <"$DIR/relay.err") == 1 ]]
}

@test "exec: children that end at once, well or badly: no spinning, few words" {
	local since

	since=$(_now_us)
	relay_start relay in a -l 127.0.0.1:5000 exec:true exec:false \
		"exec:echo >>'$DIR/good'" "exec:echo >>'$DIR/bad'; exit 7"
	wait_for 15 "6 children of the one" has_lines "$DIR/good" 6
	wait_for 15 "6 children of the other" has_lines "$DIR/bad" 6
	no_sooner_than "$since" 1550
	# Each of the four says once that it ended, and with what.
	relay_check_sums relay
	[[ $(log_lines relay "exec:.*: exited; trying again") == 2 ]]
	[[ $(log_lines relay "exited with status 7; trying again") == 1 ]]
	[[ $(log_lines relay "exec:false: exited with status 1; trying again") == 1 ]]
	[[ $(grep -cv "status: \|port \|listener \|end of status" "$DIR/relay.err") == 4 ]]
}

# More clients than descriptors, and a target that comes only when there are none left.
@test "out of descriptors: no spinning, few words, and accepting again later" {
	local before since spent lack="accept: (No file descr|Too many open)" # musl, glibc

	start relay in a prlimit --nofile=32 "$NETRELAY" -l 127.0.0.1:5000 tcp:127.0.0.1:6000
	wait_listen a tcp 5000
	frames_start sink in a recv tcp:127.0.0.1:5000 --count 200 --lossless --timeout 60
	START_IN=hold frames_start crowd in a raw tcp:127.0.0.1:5000 --connections 60 --wait 0 \
		--hold
	wait_for 10 "lack of descriptors" has_logged relay "$lack"
	frames_start far in a recv tcp-listen:127.0.0.1:6000 --count 100 --lossless --timeout 60
	before=$(cpu_us relay)
	since=$(_now_us)
	wait_for 10 "more than one pause" has_spent "$since" 1500
	spent=$(($(cpu_us relay) - before))
	# 5 %. A spinning one takes 1.5 s, or what the machine gives it.
	((spent < 75000))
	# Those who are in are served meanwhile; who is dialled has descriptors left for it.
	wait_port relay "tcp:127.0.0.1:6000: up"
	dismiss crowd TERM
	relay_wait_up relay 2 15
	run -0 ns a "$FRAMES" send tcp:127.0.0.1:5000 --count 100 --id 1
	run -0 frames_wait far
	run -0 ns a "$FRAMES" send tcp:127.0.0.1:5000 --count 100 --id 2
	run -0 frames_wait sink
	relay_check_sums relay
	[[ $(log_lines relay "$lack") == 1 ]]
}

# --- peers that play tricks -------------------------------------------------

# qemu_relay NAME LISTEN CONNECT: a QEMU without a guest, whose hub carries frames
# between a "socket,listen=" and a "socket,connect=" on these ports.
qemu_relay()
{
	start "$1" in a qemu-system-x86_64 -machine none -nodefaults -display none \
		-monitor none -netdev "socket,id=x,listen=127.0.0.1:$2" \
		-netdev "socket,id=y,connect=127.0.0.1:$3" \
		-netdev hubport,id=hx,hubid=0,netdev=x -netdev hubport,id=hy,hubid=0,netdev=y
	wait_listen a tcp "$2" 20
}

#   near --- relay ------ 6000 QEMU --- 5999 far
#   other --- second ---/
@test "QEMU's socket,listen=, which takes one client at a time, and dies and comes back" {
	relay_start far in a -l 127.0.0.1:5999
	wait_listen a tcp 5999
	frames_start sink in a recv tcp:127.0.0.1:5999 --count 60 --timeout 60
	qemu_relay one 6000 5999
	relay_wait_ports far 2
	relay_start relay in a "unix-listen:$DIR/near" tcp:127.0.0.1:6000
	wait_listen a unix "$DIR/near"
	frames_start near in a both "unix:$DIR/near" --id 1 --count 20 --expect 1000000 \
		--timeout 60
	wait_port far "tcp:.* rx 20 frames"
	# In the backlog, up, and not read from, until the first has gone.
	relay_start second in a "unix-listen:$DIR/other" tcp:127.0.0.1:6000
	wait_listen a unix "$DIR/other"
	relay_wait_up second 1
	run -0 ns a "$FRAMES" send "unix:$DIR/other" --id 2 --count 20
	wait_port second "tcp:.* tx 20 frames"
	has_port far "tcp:.* rx 20 frames"
	run -0 relay_stop relay
	wait_port far "tcp:.* rx 40 frames"
	run -137 stop one KILL
	relay_wait_ports far 1
	qemu_relay two 6000 5999
	relay_wait_ports far 2
	relay_wait_up second 1 10
	run -0 ns a "$FRAMES" send "unix:$DIR/other" --id 3 --count 20
	run -0 frames_wait sink
	assert_line "from 1: received 20 lost 0 damaged 0 reordered 0 duplicated 0"
	assert_line "from 2: received 20 lost 0 damaged 0 reordered 0 duplicated 0"
	assert_line "from 3: received 20 lost 0 damaged 0 reordered 0 duplicated 0"
	relay_check_sums second
	relay_check_sums far
}

#   tx --- tcp ---\                  /--- tcp --- far, dialled: stops reading, resets
#   rx --- tcp ------ netrelay -l ------ tcp --- gone, accepted: the same
@test "reset in mid-write: whoever resets is gone, and nobody else notices" {
	local name

	small_buffers a
	relay_start relay in a -l 127.0.0.1:5000 tcp:127.0.0.1:6000
	wait_listen a tcp 5000
	frames_start rx in a recv tcp:127.0.0.1:5000 --count 2000 --lossless --timeout 60
	frames_start gone in a recv tcp:127.0.0.1:5000 --count 2000 --stop-after 1 --timeout 60
	frames_start far in a recv tcp-listen:127.0.0.1:6000 --count 2000 --stop-after 1 \
		--timeout 60
	relay_wait_up relay 3 10
	run -0 ns a "$FRAMES" send tcp:127.0.0.1:5000 --count 2000 --min 1000 --rate 1000
	run -0 frames_wait rx
	# Killed with input unread, their kernel resets the connection.
	for name in gone far; do
		run -0 relay_status relay
		assert_line --regexp "^netrelay: port .*, queued [1-9]"
		run -137 stop "$name" KILL
	done
	wait_port relay "tcp:127.0.0.1:6000: waiting, .* dropped: .*lost [1-9]"
	relay_wait_ports relay 1
	relay_check_sums relay
	run -0 relay_status relay
	assert_line --regexp "^netrelay: status: .* queued 0, "
	run -0 ns a nstat -asz TcpExtTCPAbortOnClose
	assert_line --regexp "^TcpExtTCPAbortOnClose +2 "
	frames_start again in a recv tcp-listen:127.0.0.1:6000 --count 100 --lossless \
		--timeout 60
	relay_wait_up relay 1 10
	run -0 ns a "$FRAMES" send tcp:127.0.0.1:5000 --count 100
	run -0 frames_wait again
}

# --- peers that fall silent -------------------------------------------------

# kernel_from VERSION
kernel_from()
{
	printf '%s\n' "$1" "$(uname -r)" | sort -VC
}

# Before 6.15 nothing makes Linux probe often enough for this one to be missed.
full_start()
{
	kernel_from 6.15 || return 0
	frames_start reader in b recv tcp-listen:10.0.0.2:5003 --count 3000 --stop-after 1 \
		--timeout 120
	relay_start three in a "unix-listen:$DIR/full" tcp:10.0.0.2:5003
	wait_listen a unix "$DIR/full"
	relay_wait_up three 1
	frames_start full in a send "unix:$DIR/full" --count 3000 --min 1000 --timeout 120
	wait_port three "tcp:.* queued [1-9]"
}

full_is_found_dead()
{
	kernel_from 6.15 || return 0
	wait_for 3 "full link found dead" has_logged three "tcp:10.0.0.2:5003: .*trying again"
	has_port three "tcp:.* dropped: lost [1-9]"
	relay_check_sums three
}

# probe_is_due_soon NS PORT: the shut window of a connection accepted there is
# asked about every 2 s, as it must be for its peer's death to be noticed.
probe_is_due_soon()
{
	local timer

	kernel_from 6.15 || return 0
	timer=$(ns "$1" cat /proc/net/tcp /proc/net/tcp6 |
		awk -v port="$(printf ':%04X' "$2")" '$4 == "01" && $2 ~ port "$" { print $6 }')
	[[ $timer == 04:* ]] && ((16#${timer#04:} <= 210))
}

has_accepted_none()
{
	relay_status "$1" | grep -q "listener .*: 0 connected"
}

# A peer that is there but does not read must be told from one that is gone,
# although both only leave data unsent. Either takes long to tell, so it is done
# at the same time.
#
#   idle --- unix --- one \                /--- tcp 5001 --- netrelay
#                          a --- veth --- b
#   busy --- unix --- two /                \--- tcp 5002 --- netrelay --- last
#   full --- unix --- three                 \-- tcp 5003 --- does not read, and goes
#
#   tx --- tcp 5000 --- netrelay, in c --- tcp 5001 --- rx: stopped for 28 s
@test "a dead TCP peer is found and comes back; a living one that does not read is kept" {
	local stopped cut

	ns_add b c
	small_buffers b
	small_buffers c
	veth_pair a one b two 10.0.0.1/24 10.0.0.2/24
	relay_start slow in c tcp-listen:127.0.0.1:5000 tcp-listen:127.0.0.1:5001
	wait_listen c tcp 5000
	wait_listen c tcp 5001
	frames_start rx in c recv tcp:127.0.0.1:5001 --count 3000 --lossless --timeout 120
	relay_wait_up slow 1
	kill -STOP "$(pid_of rx)"
	frames_start tx in c send tcp:127.0.0.1:5000 --count 3000 --min 1000 --timeout 120
	wait_port slow "tcp:.* queued [1-9]"
	stopped=$(_now_us)

	relay_start b1 in b -l tcp-listen:5001,dead=15
	relay_start b2 in b -l tcp-listen:5002,dead=15
	wait_listen b tcp 5001
	wait_listen b tcp 5002
	relay_start one in a "unix-listen:$DIR/idle" tcp:10.0.0.2:5001
	relay_start two in a "unix-listen:$DIR/busy" tcp:10.0.0.2:5002
	wait_listen a unix "$DIR/idle"
	wait_listen a unix "$DIR/busy"
	frames_start idle in a both "unix:$DIR/idle" --id 1 --count 0 --expect 20 --timeout 120
	frames_start busy in a both "unix:$DIR/busy" --id 9 --count 1000000 --rate 100 \
		--timeout 120
	relay_wait_up one 2
	relay_wait_up two 2
	wait_port two "tcp:.* tx [1-9][0-9]+ frames"
	full_start

	ns b nft -f - <<-'END'
		table inet cut {
			chain in { type filter hook input priority 0; policy drop; }
			chain out { type filter hook output priority 0; policy drop; }
		}
	END
	cut=$(_now_us)
	# 15 s, and some for a machine that is slow.
	wait_for 18 "idle link found dead" has_logged one "tcp:10.0.0.2:5001: .*trying again"
	# Nothing may have come over the idle one for 5 s before the cut, and so it is first.
	wait_for 8 "busy link found dead" has_logged two "tcp:10.0.0.2:5002: .*trying again"
	full_is_found_dead
	wait_for 3 "idle link found dead by its server" has_accepted_none b1
	wait_for 3 "busy link found dead by its server" has_accepted_none b2
	# By now the kernel would ask seldom whether they are back, if it were left to it.
	wait_for 30 "26 s without a link" has_spent "$cut" 26000
	ns b nft delete table inet cut
	wait_for 5 "idle link to be back" has_port one "tcp:.*: up, "
	wait_for 5 "busy link to be back" has_port two "tcp:.*: up, "

	frames_start last in b recv tcp:127.0.0.1:5002 --count 20 --from 9 --linger 0
	frames_got last 20
	run -0 ns b "$FRAMES" send tcp:127.0.0.1:5001 --count 20 --id 2
	frames_got idle 20
	relay_check_sums one
	relay_check_sums two

	wait_for 30 "28 s without reading" has_spent "$stopped" 28000
	run -1 grep -v "status\|port\|listener" "$DIR/slow.err"
	relay_wait_up slow 2
	probe_is_due_soon c 5001
	kill -CONT "$(pid_of rx)"
	run -0 frames_wait rx
	assert_line --partial "total: received 3000 lost 0 damaged 0 reordered 0 duplicated 0"
	run -0 frames_wait tx
	relay_check_sums slow
}

#   near --- unix --- four, six: 192.0.2.1 a ---veth--- far 192.0.2.2
@test "tcp and trunk: our own address is exchanged for another, by no choice of ours" {
	local name
	local -A id=([four]=4 [six]=6)

	ns_add far
	veth_pair a v far v 192.0.2.1/24 192.0.2.2/24
	ns a ip addr add 2001:db8::1/64 dev v nodad
	ns far ip addr add 2001:db8::2/64 dev v nodad
	relay_start far in far -l 5000
	wait_listen far tcp 5000
	relay_start four in a "unix-listen:$DIR/four" tcp:192.0.2.2:5000
	relay_start six in a "unix-listen:$DIR/six" 'trunk:[2001:db8::2]:5000'
	for name in four six; do
		wait_listen a unix "$DIR/$name"
		frames_start "near-$name" in a both "unix:$DIR/$name" --id "${id[$name]}" \
			--count 1000000 --rate 100 --timeout 300
		relay_wait_up "$name" 2
	done
	ns a ip addr add 2001:db8::9/64 dev v nodad
	ns a ip addr del 2001:db8::1/64 dev v
	ns a ip addr del 192.0.2.1/24 dev v
	ns a ip addr add 192.0.2.9/24 dev v
	for name in four six; do
		# Both within 10 s. The kernel alone would take until the link counts as dead.
		wait_for 5 "the lost link of $name" has_logged "$name" \
			"5000: .*is no address of this host any more; trying again"
		wait_port "$name" "t.*:5000: up" 5
		frames_start "rx-$name" in far recv tcp:127.0.0.1:5000 --count 20 \
			--from "${id[$name]}" --linger 0
		frames_got "rx-$name" 20
		relay_check_sums "$name"
		[[ $(log_lines "$name" "trying again") == 1 ]]
		dismiss "near-$name" KILL
		run -0 relay_stop "$name"
	done
}

#   a: guest --- cut --- b: relay with another guest
#   a: old   --- cut --- b: cable; new
@test "an outage on the way ends no accepted link; in a cable a newcomer gets a silent one's place" {
	local cut

	ns_add b
	veth_pair a one b two 10.0.0.1/24 10.0.0.2/24
	relay_start relay in b -l 5000
	relay_start cable in b tcp-listen:5001 "unix-listen:$DIR/s"
	wait_listen b tcp 5000
	wait_listen b tcp 5001
	wait_listen b unix "$DIR/s"
	frames_start far in a both tcp:10.0.0.2:5000 --id 1 --count 0 --expect 20 --timeout 120
	frames_start old in a both tcp:10.0.0.2:5001 --id 2 --count 0 --expect 1 --timeout 120
	frames_start other in b recv "unix:$DIR/s" --count 20 --from 4 --timeout 120 --linger 0
	relay_wait_up relay 1
	relay_wait_up cable 2
	ns b nft -f - <<-'END'
		table inet cut {
			chain in { type filter hook input priority 0; iifname two drop; }
			chain out { type filter hook output priority 0; oifname two drop; }
		}
	END
	cut=$(_now_us)
	# Something is under way to both, for silence to show.
	run -0 ns b "$FRAMES" send tcp:127.0.0.1:5000 --count 20 --id 3
	frames_start new in b send tcp:127.0.0.1:5001 --count 20 --id 4 --timeout 120
	wait_for 40 "the newcomer to have its place" has_logged cable \
		"has been silent, so a new connection takes its place"
	# Nothing may have come from the old one for 5 s before the cut.
	has_spent "$cut" 9000
	frames_got other 20
	wait_for 30 "20 s without a link" has_spent "$cut" 20000
	has_port relay "tcp:10.0.0.1:.*: up, "
	ns b nft delete table inet cut
	# What was sent meanwhile is sent again, ever more seldom before Linux 6.15.
	frames_got far 20
	relay_check_sums relay
	relay_check_sums cable
}

@test "accepted, dead=5: silence ends it" {
	ns_add b
	veth_pair a one b two 10.0.0.1/24 10.0.0.2/24
	relay_start relay in b -l tcp-listen:5000,dead=5
	wait_listen b tcp 5000
	frames_start far in a both tcp:10.0.0.2:5000 --count 0 --expect 1 --timeout 120
	relay_wait_up relay 1
	ns b nft -f - <<-'END'
		table inet cut {
			chain in { type filter hook input priority 0; policy drop; }
			chain out { type filter hook output priority 0; policy drop; }
		}
	END
	# Without dead=, it would be 15 s at least.
	happens_within 12 has_accepted_none relay
}

#   a: host 10.1.0.1 - bra - relay --- 10.0.1.1 [ r, MTU 600 ] 10.0.2.1 --- relay - brb - host 10.1.0.2
#
# The router drops what is too long, and its own word of it.
@test "a firewall drops the word that packets are too long: TCP goes through all the same" {
	ns_add b r
	veth_pair a one r ra 10.0.1.2/24 10.0.1.1/24
	veth_pair b two r rb 10.0.2.2/24 10.0.2.1/24
	ns r sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward'
	ns r ip link set rb mtu 600
	ns a ip route add 10.0.2.0/24 via 10.0.1.1
	ns b ip route add 10.0.1.0/24 via 10.0.2.1
	ns r nft -f - <<-'END'
		table inet hole {
			chain out { type filter hook output priority 0; meta l4proto icmp drop; }
		}
	END
	relay_start far in b tcp-listen:5000 "unix-listen:$DIR/far"
	wait_listen b tcp 5000
	wait_listen b unix "$DIR/far"
	relay_start near in a tcp:10.0.2.2:5000 "unix-listen:$DIR/near"
	wait_listen a unix "$DIR/near"
	frames_start rx in b recv "unix:$DIR/far" --count 500 --lossless --timeout 60
	relay_wait_up near 1
	frames_start tx in a send "unix:$DIR/near" --count 500 --min 1500 --timeout 60
	run -0 frames_wait rx
	run -0 frames_wait tx
	relay_check_sums near
}

#   a: fd00:1::2 --- fd00:1::1 [ r, MTU 1280 ] fd00:2::1 --- b: fd00:2::2
@test "the same over IPv6: what was dialled is dialled again, with short packets" {
	local from

	ns_add b r
	for from in a b r; do
		ns "$from" sh -c 'echo 0 >/proc/sys/net/ipv6/conf/default/accept_dad
			echo 0 >/proc/sys/net/ipv6/conf/all/accept_dad'
	done
	veth_pair a one r ra fd00:1::2/64 fd00:1::1/64
	veth_pair b two r rb fd00:2::2/64 fd00:2::1/64
	ns r sh -c 'echo 1 >/proc/sys/net/ipv6/conf/all/forwarding'
	ns r ip link set rb mtu 1280
	ns a ip route add fd00:2::/64 via fd00:1::1
	ns b ip route add fd00:1::/64 via fd00:2::1
	ns r nft -f - <<-'END'
		table inet hole {
			chain out {
				type filter hook output priority 0
				icmpv6 type packet-too-big drop
			}
		}
	END
	relay_start far in b -l 5000
	wait_listen b tcp 5000
	relay_start near in a "trunk:[fd00:2::2]:5000" "unix-listen:$DIR/near"
	wait_listen a unix "$DIR/near"
	relay_wait_up near 1 20
	frames_start rx in b recv tcp:127.0.0.1:5000 --count 50 --timeout 90 --linger 0
	frames_start tx in a both "unix:$DIR/near" --count 100000 --rate 100 --min 1500 \
		--max 1500 --timeout 120
	wait_for 30 "the stuck link to be found dead" has_logged near "no answer from the peer"
	frames_got rx 50
	relay_check_sums near
}

# --- pacing -----------------------------------------------------------------

# both_use NAME: the congestion control of both ends of the connections in a.
both_use()
{
	local found

	found=$(ns a ss -Htin state established | grep -oE "(bbr|reno|cubic) " | sort | uniq -c)
	[[ $(xargs <<<"$found") == "2 $1" ]]
}

# dials_near: a near link, both ends with reno. On a busy host the handshake may take as long
# as that of a far one; so whoever waits for this dials anew each time.
dials_near()
{
	relay_start near in a tcp:127.0.0.1:5000 "unix-listen:$DIR/near"
	if happens_within 1 both_use reno; then
		return 0
	fi
	run -0 stop near
	return 1
}

@test "BBR, which paces, is kept for a TCP peer that is far, and not for one that is near" {
	ns a sysctl -qw net.ipv4.tcp_congestion_control=bbr || skip "needs BBR"
	relay_start server in a -l 127.0.0.1:5000
	wait_listen a tcp 5000
	wait_for 30 "a near link without BBR" dials_near
	run -0 stop near
	# One packet at once, and the next some 5 ms later.
	ns a tc qdisc add dev lo root tbf rate 100kbit burst 90 limit 100000
	relay_start far in a tcp:127.0.0.1:5000 "unix-listen:$DIR/far"
	wait_for 10 "a far link with BBR" both_use bbr
}
