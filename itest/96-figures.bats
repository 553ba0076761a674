#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# bats file_tags=slow
#
# What a relay has to bear, in figures. Each test shows what it measured. In a few seconds
# each does what it can; LONG=1 does it in full, and takes about ten minutes:
#
#   LONG=1 make itest T=96-figures
#
# Rates are compared with others of the same run only, in turns.

load helpers

SIEGE=$LAB_ROOT/itest/siege

# by_length SHORT LONG: prints the one that is asked for.
by_length()
{
	if [[ ${LONG-} ]]; then
		echo "$2"
	else
		echo "$1"
	fi
}

show()
{
	echo "# $*" >&3
}

setup()
{
	common_setup
	ns_add lab
}

# siege_start NAME ARGS...
siege_start()
{
	start "$1" in lab "$SIEGE" "${@:2}"
	wait_for 120 "siege $1" grep -qx ready "$DIR/$1.out"
}

# talk FRAMES RATE: two guests of "one", at 5000, exchange so many each; none may be lost.
# They are small, so that a guest may stand still for a second on a busy machine.
talk()
{
	local id frames=(both tcp:127.0.0.1:5000 --count "$1" --rate "$2" --max 300 --lossless
		--linger 0 --timeout 20)

	# So that neither is heard before the other one is there.
	kill -STOP "$(pid_of one)"
	for id in 1 2; do
		frames_start "talk$id" in lab "${frames[@]}" --id "$id" \
			--from "$((3 - id))" --dst "02:6e:72:00:00:0$((3 - id))"
	done
	kill -CONT "$(pid_of one)"
}

# talked COUNT: they have.
talked()
{
	local id

	for id in 1 2; do
		run frames_wait "talk$id" "$(by_length 60 400)"
		assert_success
		assert_line --partial "received $1 lost 0 damaged 0 reordered 0 duplicated 0"
	done
}

fd_count()
{
	find "/proc/$(pid_of "$1")/fd" -mindepth 1 | wc -l
}

has_fds() # NAME COUNT
{
	(($(fd_count "$1") == $2))
}

enough_memory() # GIB
{
	awk -v least="$1" '/^MemAvailable:/ { exit $2 < least * 1048576 }' /proc/meminfo ||
		skip "needs $1 GiB of memory"
}

@test "1,000 clients in mid-frame, and all lengths there are: two others lose nothing" {
	local count

	count=$(by_length 20000 500000)
	relay_start one in lab -l 5000
	wait_listen lab tcp 5000
	siege_start half hold 127.0.0.1:5000 1000 half
	siege_start words words 127.0.0.1:5000
	talk "$count" 5000
	talked "$count"
	run -0 stop words
	assert_output ''
	assert [ "$(sed -n 's/^rounds //p' "$DIR/words.out")" -gt 0 ]
	show "$((2 * count)) frames, 0 lost; words: $(tail -n 1 "$DIR/words.out")"
	run -0 stop half
	relay_check_sums one
	run -0 relay_stop one
}

# A rate at full load says little: alone, in one window and the next, it was between 2.5 and 6.4
# million frames for a second of the relay's processor time, as others have it read more or less
# at once. So what the relay needs for the stopped ones is measured, without other load.
#
#   noise, to all --- TCP --- one: -l, -l ---< 100 that have stopped, in turns
@test "100 readers that have stopped: 90 % of the relay's time is left for others" {
	relay_start one in lab -l "unix-listen:$DIR/s" -l 5000 --ctl "$DIR/ctl"
	wait_listen lab tcp 5000
	frames_start rx in lab both "unix:$DIR/s" --count 1000000000 --id 2 --from 1 --rate 10 \
		--timeout 60
	# shellcheck disable=SC2153 # of helpers.bash
	start noise in lab "$FRAMES" both tcp:127.0.0.1:5000 --count 1000000000 --expect 0 \
		--min 1400 --rate 1000 --id 3 --timeout 60
	relay_wait_ports one 2
	run -0 ns lab "$SIEGE" stopped 127.0.0.1:5000 "$DIR/ctl" "$(pid_of one)" "$(by_length 3 20)"
	show "${lines[-1]}"
	assert [ "$(sed -nE 's/^left ([0-9]+).*/\1/p' <<<"${lines[-1]}")" -ge 90 ]
	relay_check_sums one
	for name in rx noise; do
		dismiss "$name" KILL
	done
	run -0 relay_stop one
}

# Two guests answer each other's frames, so that the relay always has some, and none is lost: a
# sender that does not wait for answers shows how much its reader's full queue drops. It is a rate
# by the clock, so LONG=1 needs a machine without other load.
#
#   noise, to all --- TCP --- one: -l ---< two guests, and 100 readers that have stopped, in turns
@test "100 readers that have stopped: two others keep 90 % of their rate at full load" {
	relay_start one in lab -l 5000 --ctl "$DIR/ctl"
	wait_listen lab tcp 5000
	# shellcheck disable=SC2153 # of helpers.bash
	start noise in lab "$FRAMES" both tcp:127.0.0.1:5000 --count 1000000000 --expect 0 \
		--min 1400 --max 1400 --rate 1000 --id 3 --timeout 600
	relay_wait_ports one 1
	run -0 ns lab "$SIEGE" beside 127.0.0.1:5000 "$DIR/ctl" "$(pid_of one)" "$(by_length 5 40)"
	printf '# %s\n' "${lines[@]}" >&3
	# A few windows, beside other tests, show no more than that they are not held up.
	assert [ "$(sed -nE 's/^rate ([0-9]+).*/\1/p' <<<"$output")" -ge "$(by_length 10 90)" ]
	relay_check_sums one
	dismiss noise KILL
	run -0 relay_stop one
}

# false_ones WHAT COUNT [ARGS...]: sends them, and prints the us of processor time for one.
false_ones()
{
	local before

	before=$(cpu_us one)
	ns lab timeout 300 "$LAB_ROOT/itest/seal-peer" "$1" 127.0.0.1 5000 "$DIR/key" \
		"$(cat "$DIR/pub")" "$2" "${@:3}" >/dev/null || return
	echo $((($(cpu_us one) - before) / $2))
}

# What the relay spends on these it has not for others, who have all else: with 20 us for each
# of 5,000 a second, a tenth. Over TCP each costs a computation with keys, so there is
# accept-rate= against them.
@test "100,000 false handshakes: 5,000 a second leave 90 % to others" {
	local count each tcp

	count=$(by_length 10000 100000)
	(umask 077 && "$NETRELAY" genkey >"$DIR/key")
	"$NETRELAY" pubkey <"$DIR/key" >"$DIR/pub"
	echo "$("$NETRELAY" genkey | "$NETRELAY" pubkey) somebody" >"$DIR/peers"
	relay_start one in lab --key "$DIR/key" --peers "$DIR/peers" --ctl "$DIR/ctl" \
		-l 127.0.0.1:5000,udp -l "tcp-listen:127.0.0.1:5000,accept-rate=100"
	wait_listen lab udp 5000
	wait_listen lab tcp 5000
	each=$(false_ones storm "$count" --rate 5000)
	tcp=$(false_ones flood "$((count / 10))")
	show "$count over UDP: $each us of processor time each; over TCP with accept-rate=100: $tcp us"
	# Beside other tests it is only compared with what does the computation.
	((each < tcp))
	[[ ! ${LONG-} ]] || ((each <= 20 && tcp <= 100))
	run -0 "$NETRELAY" ctl "$DIR/ctl" status
	assert_output --partial 'switch, 0 ports'
	assert_output --regexp 'refused: accept-rate [1-9]'
	run -0 relay_stop one
}

@test "clients that do nothing: 10,000 fit into 64 MB" {
	local count idle

	count=$(by_length 3000 10000)
	relay_start one in lab -l 5000
	wait_listen lab tcp 5000
	siege_start idle hold 127.0.0.1:5000 "$count"
	wait_status one "listener .*: $count connected" 60
	idle=$(rss_kib one)
	show "$count idle clients: RSS $((idle / 1024)) MiB"
	((idle * 1024 <= count * 6400))
	run -0 stop idle
	run -0 relay_stop one
}

# kernel_kib: what TCP has of the kernel's memory, on the whole machine.
kernel_kib()
{
	awk '$1 == "TCP:" { print $NF * 4 }' /proc/net/sockstat
}

n_full()
{
	"$NETRELAY" ctl "$DIR/ctl" status --json | grep -o '"queue_bytes": [0-9]*' |
		awk -F: '$2 > 256 * 1024 { n++ } END { print n + 0 }'
}

has_full() # COUNT
{
	(($(n_full) >= $1))
}

#   mute x COUNT --- TCP --- one --- TCP --- tx
@test "clients that never read take what the manual says, and give it back" {
	local count kernel kernel_before rss before port_kib=$((512 + 68 + 60)) buffers=64

	count=$(by_length 500 10000)
	[[ ! ${LONG-} ]] || enough_memory 12
	# The manual says that these decide what the kernel takes. Here the client's is ours, too.
	ns lab sh -c "cd /proc/sys/net/ipv4 && echo 4096 16384 $((buffers * 1024)) >tcp_wmem &&
		echo 4096 32768 $((buffers * 1024)) >tcp_rmem"
	relay_start one in lab -l 5000 --ctl "$DIR/ctl" --storm 0
	wait_listen lab tcp 5000
	kernel_before=$(kernel_kib)
	siege_start mute hold 127.0.0.1:5000 "$count"
	wait_status one "listener .*: $count connected" 60
	before=$(rss_kib one)
	start tx in lab "$FRAMES" both tcp:127.0.0.1:5000 --count 1000000000 --expect 0 \
		--min 1400 --rate 500 --timeout 60
	wait_for "$(by_length 60 300)" "full queues" has_full "$count"
	rss=$(rss_kib one)
	kernel=$(($(kernel_kib) - kernel_before))
	show "$count that never read: RSS $((rss / 1024)) MiB, $(((rss - before) / count)) KiB each;" \
		"the kernel $((kernel / 1024)) MiB, $((kernel / count)) KiB each"
	((rss - before <= count * port_kib))
	# Both buffers, and a packet more than one of them holds.
	((kernel <= count * (2 * buffers + 96)))
	dismiss tx KILL
	run -0 stop mute
	wait_for 60 "the end of all" has_status one "listener .*: 0 connected"
	# What is freed is given back within a moment.
	wait_for 10 "its memory" is_rss_below one $((before + 1024))
	relay_check_sums one
	run -0 relay_stop one
}

# Not by a status in its log, which has a line for each connection.
listener_of_one()
{
	"$NETRELAY" ctl "$DIR/ctl" status | grep '^listener '
}

has_none()
{
	[[ $(listener_of_one) == *": 0 connected"* ]]
}

n_accepted()
{
	listener_of_one | sed -E 's/.* ([0-9]+) accepted so far.*/\1/'
}

@test "connections that come and are reset: 10,000 a second, and nothing stays" {
	local seconds fds rss before spent accepted

	seconds=$(by_length 3 60)
	relay_start one in lab -l 5000 --ctl "$DIR/ctl"
	wait_listen lab tcp 5000
	# Whatever is made once is there after the first.
	run -0 ns lab "$FRAMES" storm tcp:127.0.0.1:5000 --wait 100
	wait_for 10 "the end of all" has_none
	fds=$(fd_count one)
	rss=$(rss_kib one)
	accepted=$(n_accepted)
	before=$(cpu_us one)
	run -0 ns lab "$FRAMES" storm tcp:127.0.0.1:5000 --wait "${seconds}000"
	wait_for 10 "the end of all" has_none
	spent=$(($(cpu_us one) - before))
	accepted=$(($(n_accepted) - accepted))
	show "$output; accepted $accepted, $((spent / accepted)) us of processor time each," \
		"$(rss_kib one) KiB after $rss"
	# The client has the same processors, so what the relay could do is what counts.
	((spent / accepted <= 100))
	[[ ! ${LONG-} ]] || ((accepted >= 10000 * seconds))
	wait_for 10 "its descriptors" has_fds one "$fds"
	wait_for 10 "its memory" is_rss_below one $((rss + 128))
	run -0 relay_stop one
}

# In make test, 30-links does this for more kinds of links.
#
#   tx --- unix --- one :a --- cut --- b: rx
@test "a dead network is found within 15 s; back again, frames pass within 2 s" {
	local cut found back

	[[ ${LONG-} ]] || skip "with LONG=1"
	ns_add b
	veth_pair lab one b two 10.0.0.1/24 10.0.0.2/24
	relay_start far in b -l 5000
	wait_listen b tcp 5000
	relay_start one in lab "unix-listen:$DIR/s" tcp:10.0.0.2:5000
	wait_listen lab unix "$DIR/s"
	start tx in lab "$FRAMES" both "unix:$DIR/s" --count 1000000000 --expect 0 --rate 100 \
		--timeout 60
	relay_wait_up one 2
	wait_port one "tcp:.* tx [1-9][0-9]+ frames"
	ns b nft add table inet cut
	ns b nft 'add chain inet cut in { type filter hook input priority 0; policy drop; }'
	cut=$(_now_us)
	wait_for 20 "the dead link" has_logged one "tcp:10.0.0.2:5000: .*trying again"
	found=$(($(_now_us) - cut))
	wait_for 30 "20 s without a link" has_spent "$cut" 20000
	frames_start rx in b recv tcp:127.0.0.1:5000 --count 1 --linger 0 --timeout 30 &
	ns b nft delete table inet cut
	back=$(_now_us)
	wait_port far "tcp:10.0.0.1.* rx [1-9]" 10
	back=$(($(_now_us) - back))
	show "found after $((found / 1000)) ms, back after $((back / 1000)) ms"
	((found <= 15000000 && back <= 2000000))
	dismiss tx KILL
	run -0 relay_stop one
	run -0 relay_stop far
}

is_traced()
{
	grep -q '^TracerPid:[[:space:]]*[1-9]' "/proc/$(pid_of one)/status"
}

@test "under load no memory is asked for, until a port comes" {
	local count

	count=$(by_length 10000 120000)
	relay_start one in lab --no-sandbox -l 5000
	wait_listen lab tcp 5000
	talk "$count" 2000
	relay_wait_up one 2
	wait_for 10 "frames" has_status one "status: .* received [1-9][0-9]{3}"
	start trace strace -f -qq -e trace=brk,mmap,munmap,mremap -o "$DIR/trace" -p "$(pid_of one)"
	wait_for 10 "strace" is_traced
	talked "$count"
	# The two go, and with them their memory.
	grep -v '^[0-9]* *munmap' "$DIR/trace" >"$DIR/asked" || true
	show "$((2 * count)) frames, $(wc -l <"$DIR/asked") calls for memory"
	assert [ ! -s "$DIR/asked" ]
	run -0 ns lab "$FRAMES" send tcp:127.0.0.1:5000 --count 1
	wait_for 10 "a call, for a new port" grep -q mmap "$DIR/trace"
	dismiss trace INT
	run -0 relay_stop one
}

# spend NAME PORT COUNT [OPTION...]: has it carry so many frames, and prints the ns for one.
spend()
{
	local before rx=rx$2

	frames_start "$rx" in lab recv "tcp:127.0.0.1:$(($2 + 1))" --count "$3" --linger 0 \
		>/dev/null
	before=$(cpu_us "$1")
	ns lab "$FRAMES" send "tcp:127.0.0.1:$2" --count "$3" "${@:4}" >/dev/null
	frames_wait "$rx" >/dev/null
	echo $((($(cpu_us "$1") - before) * 1000 / $3))
}

# spend_both PAIRS: so many times the relay with and the one without a sandbox, by turns one and
# the other first, since each leaves the machine warm for the next. Sets $ratio to the median of
# all pairs so far, in thousandths.
spend_both()
{
	local n with without

	for n in $(seq "$1"); do
		((n % 2)) || without=$(spend without 6000 60000 --batch)
		with=$(spend with 5000 60000 --batch)
		((n % 2 == 0)) || without=$(spend without 6000 60000 --batch)
		echo "$with $without"
	done >>"$DIR/spent"
	ratio=$(awk '{ print int(1000 * $1 / $2) }' "$DIR/spent" | sort -n |
		awk '{ r[NR] = $1 } END { print r[int((NR + 1) / 2)] }')
}

# A call costs 8 ns more with the filter, and a frame is 1/50 of a call. But one pair of runs
# differs by 10 % either way on a quiet machine, and by 50 % on a busy one, as do two relays
# without a sandbox. So LONG=1 takes the median of 401 pairs, and otherwise pairs are added
# until the median is within 10 %, up to 99.
#
#   send --- TCP --- a cable, confined or not --- TCP --- recv
@test "the sandbox costs 2 % of a frame's processor time at most" {
	local ratio

	relay_start with in lab tcp-listen:5000 tcp-listen:5001
	relay_start without in lab --no-sandbox tcp-listen:6000 tcp-listen:6001
	wait_listen lab tcp 5001
	wait_listen lab tcp 6001
	spend_both "$(by_length 9 401)"
	while ((ratio > $(by_length 1100 1020) && $(wc -l <"$DIR/spent") < 99)); do
		spend_both 9
	done
	show "$(sort -n "$DIR/spent" | head -n 1 | tr ' ' /) ns a frame at the least," \
		"with it $ratio for 1000 without: median of $(wc -l <"$DIR/spent")"
	((ratio <= $(by_length 1100 1020)))
	run -0 relay_stop with
	run -0 relay_stop without
}
