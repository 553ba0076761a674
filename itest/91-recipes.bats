#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
#
# The recipes of doc/recipes.md are walked, but for those that need programs which are only
# unpacked: these are in real/95-recipes.bats and others there. What else doc/ says is true.
# shellcheck disable=SC2030,SC2031 # FILE_CAP and the like are meant to be the test's alone

load helpers
load recipes

# output_of LABEL-NUMBER: what that line of the block has printed.
output_of()
{
	cat "$DIR/$1.out"
}

# --- QEMU by hand -----------------------------------------------------------

# bats test_tags=slow
@test "recipe: two machines at a switch" {
	ns_add lab
	walk lab qemu-switch
	walked_guest vm1 10.0.0.1/24
	walked_guest vm2 10.0.0.2/24
	guest_ping vm1 10.0.0.2 1400
	walk lab qemu-see
	run -0 output_of qemu-see-1
	assert_output --regexp "^switch, 2 ports, "
}

# The guests' QEMU is 7.2, without KVM.
# bats test_tags=slow
@test "recipe: two machines at a switch, by shared memory" {
	ns_add lab
	walk lab vhost-switch 's/netdev=n0,/netdev=n0,vectors=0,/; s/-m 1G/-smp 1,maxcpus=2 -m 1G/'
	walked_guest vm1 10.0.0.1/24
	walked_guest vm2 10.0.0.2/24
	guest_ping vm1 10.0.0.2 1400
	walk lab vhost-see
	run -0 output_of vhost-see-1
	assert_output --regexp "^switch, 2 ports, "
	assert_line --regexp "^ +guest: "
}

# qemu_rows: the table of -netdev, as "netdev|endpoint|again", with the paths in $DIR.
qemu_rows()
{
	awk -F' *[|] *' '/^\|/ && $2 ~ /QEMU has `-netdev`/ { inside = 1; getline; next }
		!/^\|/ { inside = 0 }
		inside { gsub(/`/, ""); print $2 "|" $3 "|" $5 }' "$RECIPES" | sed "s#/run/#$DIR/#g"
}

# start_rows: a netrelay for each, whose other end is a tap.
#
#   lab: nrN 10.0.N.1 --- netrelay --- the row's -netdev --- nicN 10.0.N.2 :vm
start_rows()
{
	local endpoint number=0 args

	needs_tun
	while IFS='|' read -r _ endpoint _; do
		number=$((number + 1))
		read -ra args <<<"$endpoint"
		relay_start "row$number" in lab -v "${args[@]}" "tap:nr$number"
		wait_for 10 "tap of row $number" ns lab ip link show "nr$number"
		ns lab ip addr add "10.0.$number.1/24" dev "nr$number"
		ns lab ip link set "nr$number" up
	done < <(qemu_rows)
	for number in 5001 5005; do
		wait_listen lab tcp "$number"
	done
}

lab_pings()
{
	ns lab ping -c 1 -W 1 "$1"
}

# bats test_tags=slow
@test "recipe: each -netdev of the table, and which pass again after a restart" {
	local netdevs rows number again

	ns_add lab
	ns lab ip route add 224.0.0.0/4 dev lo
	mapfile -t netdevs < <(qemu_rows | cut -d'|' -f1)
	rows=${#netdevs[@]}
	((rows == 10))
	start_rows
	guest_start vm in lab -- "${netdevs[@]}"
	guest_wait vm
	for number in $(seq "$rows"); do
		guest_nic vm "$number" "10.0.$number.2/24"
	done
	for number in $(seq "$rows"); do
		wait_for 15 "an answer by ${netdevs[number - 1]}" lab_pings "10.0.$number.2"
		ns lab ping -c 2 -i 0.2 -W 5 -s 1400 "10.0.$number.2"
		relay_check_sums "row$number"
		relay_stop "row$number"
	done
	start_rows
	number=0
	while IFS='|' read -r _ _ again; do
		number=$((number + 1))
		case $again in
		yes) wait_for 15 "${netdevs[number - 1]} again" lab_pings "10.0.$number.2" ;;
		no*) run ! ns lab ping -c 2 -W 1 "10.0.$number.2" ;;
		*) false ;;
		esac
	done < <(qemu_rows)
}

@test "recipe: a tiny machine boots to a shell" {
	cd "$LAB_ROOT"
	guest_image
	ns_add lab
	walk lab tiny-make
	START_IN=hold start tiny in lab bash -c "exec $(recipe tiny-boot)"
	wait_for 60 "a prompt" grep -qE '(/|~) # ' "$DIR/tiny.out"
	dismiss tiny
}

# --- vrnetlab ---------------------------------------------------------------

# Two QEMUs that listen as vrnetlab's do, each on a host of its own.
#
#   h1: vm1 - :10001    192.0.2.1 ====== 192.0.2.2   :10001 - vm2 :h2
# bats test_tags=slow
@test "recipe: vrnetlab's routers on a cable, and one that is started again" {
	hosts
	guest_start vm1 in h1 -- socket,listen=:10001
	guest_start vm2 in h2 -- socket,listen=:10001
	walk h1 vrnetlab-cable
	guest_wait vm1
	guest_wait vm2
	guest_nic vm1 1 10.0.0.1/24
	guest_nic vm2 1 10.0.0.2/24
	guest_ping vm1 10.0.0.2 1400
	dismiss vm2
	guest_start vm2 in h2 -- socket,listen=:10001
	guest_wait vm2
	guest_nic vm2 1 10.0.0.2/24
	guest_ping vm2 10.0.0.1 1400
}

# --- a bridge without root --------------------------------------------------

# Alice is nobody here, and may write her control socket.
alice()
{
	needs_tun
	ns_add lab
	bridge_add lab br0 10.0.0.254/24
	open=$(mktemp -d /tmp/netrelay-recipe.XXXXXX)
	chmod 777 "$open"
	recipe_tools
	recipe_tool netrelay "exec '$LAB_ROOT/itest/as-user' '$NETRELAY' \"\$@\""
}

teardown()
{
	rm -rf "${open:-$DIR/none}"
	common_teardown
}

# alice_walks LABEL: a relay by which frames get from far to the bridge.
#
#   far: e0 10.0.0.2 --- netrelay --- l0 192.0.2.2 === l0 192.0.2.1 --- relay --- br0 10.0.0.254 :lab
alice_walks()
{
	ns_add far
	veth_pair lab l0 far l0 192.0.2.1/24 192.0.2.2/24
	walk lab "$1" "s#~/relay.ctl#$open/relay.ctl#; s/127.0.0.1/192.0.2.1/"
	wait_for 10 "a tap on br0" has_ports_of_bridge
	relay_start guest in far tap:e0 192.0.2.1:5000
	wait_for 10 "e0" has_link far e0
	ns far ip addr add 10.0.0.2/24 dev e0
	ns far ip link set e0 up
	wait_for 10 "the bridge's host" ns far ping -c 1 -W 1 10.0.0.254
	walk lab user-see "s#~/relay.ctl#$open/relay.ctl#"
	run -0 output_of user-see-1
	assert_output --regexp "switch, 2 ports, "
}

has_ports_of_bridge()
{
	[[ $(bridge_ports lab br0) ]]
}

@test "recipe: a tap for alice" {
	alice
	walk lab tap-admin s/alice/nobody/
	alice_walks tap-user
}

@test "recipe: an access list" {
	command -v setcap >/dev/null || skip "needs setcap"
	alice
	export FILE_CAP=cap_net_admin+p ACCESS=$DIR/access
	mkdir -m 755 "$ACCESS"
	recipe_tool make "exec '$(command -v make)' -s -C '$LAB_ROOT' -n \"\$@\""
	walk lab list-admin "s#alice#nobody#; s#/etc/netrelay/#$ACCESS/#"
	chmod 644 "$ACCESS/bridge.conf"
	alice_walks list-user
	run -0 output_of list-user-1
	assert_output --partial "allows bridge br0 to user 65534"
}

@test "recipe: QEMU's helper" {
	[[ -x /usr/lib/qemu/qemu-bridge-helper ]] || skip "needs qemu-bridge-helper"
	alice
	export BRIDGE_CONF=$DIR/qemu/bridge.conf
	recipe_tool chmod "[[ \$* == 'u+s /usr/lib/qemu/qemu-bridge-helper' ]] # as-user does"
	walk lab helper-admin "s#/etc/qemu#$DIR/qemu#"
	rm "$DIR/bin/chmod"
	alice_walks helper-user
}

# --- a CI job ---------------------------------------------------------------

# bats test_tags=slow
@test "recipe: a CI job's machines, its capture and its status" {
	ns_add lab
	walk lab ci-job
	walked_guest vm1 10.0.0.1/24
	walked_guest vm2 10.0.0.2/24
	guest_ping vm1 10.0.0.2
	walk lab ci-after
	run -0 python3 -c 'import json, sys
r = json.load(open(sys.argv[1]))
print([p["state"] for p in r["ports"]], r["dropped"])' "$DIR/relay.json"
	assert_output "['up', 'up'] 0"
	relay_stop ci-job-1
	tshark -n -r "$DIR/frames.pcapng" -Y icmp 2>/dev/null >"$DIR/icmp"
	(($(wc -l <"$DIR/icmp") == 6))
}

@test "recipe: the CI job of GitHub is YAML" {
	recipe ci-github >"$DIR/job.yml"
	run -0 python3 -c 'import sys, yaml
for name, job in yaml.safe_load(open(sys.argv[1]))["jobs"].items():
    print(name, *(step.get("run", step.get("uses")) for step in job["steps"]), sep="\n")' "$DIR/job.yml"
	assert_line -n 0 machines
	# What the lines of the job need is there before they run.
	assert_line -n 2 --partial qemu-system-x86
	assert_line -n 3 --partial "install ci/netrelay /usr/local/bin/"
	assert_line -n 4 ci/boot-and-test
}

# --- MTU --------------------------------------------------------------------

#   s1: e0 10.0.0.1 --- p0 - br0 :h1 192.0.2.1 ====== 192.0.2.2 h2: br0 - p0 --- e0 10.0.0.2 :s2
jumbo()
{
	local n

	needs_tun
	hosts "$1"
	for n in 1 2; do
		ns "h$n" ip link add br0 type bridge
		ns "h$n" ip link set br0 up
		walk "h$n" jumbo-bridge
	done
	bridged_stations
	walk h2 jumbo-listen
	walk h1 jumbo-dial
	wait_for 10 "s2 to answer" ns s1 ping -c 1 -W 1 10.0.0.2
}

bridged_stations()
{
	local n

	ns_add s1 s2
	for n in 1 2; do
		veth_pair "s$n" e0 "h$n" p0 "10.0.0.$n/24" "192.0.9.$n/32"
		ns "s$n" ip link set e0 mtu 9000
		ns "h$n" ip link set p0 mtu 9000
		bridge_port "h$n" br0 p0
	done
}

@test "recipe: jumbo frames between bridges, over a path of 1500" {
	jumbo 1500
	walk s1 jumbo-see
}

@test "recipe: jumbo frames between bridges, over a line that is PPPoE" {
	jumbo 1492
	walk s1 jumbo-see
}

# --- the text itself --------------------------------------------------------

# Each is named behind one of the functions that take a label.
@test "every block of the recipes has a label, and is walked by a test" {
	local label

	# The first fence of each pair has a language and a label, the other has nothing.
	run -0 awk '/^```/ && NF != (n++ % 2 ? 1 : 2)' "$RECIPES"
	assert_output ""
	labels >"$DIR/labels"
	has_lines "$DIR/labels" 30
	run -0 uniq -d "$DIR/labels"
	assert_output ""
	while read -r label; do
		grep -qE "((walk|wireguard) [^ ]+|recipe|_walks) $label\b" \
			"$LAB_ROOT"/itest/*.bats "$LAB_ROOT"/itest/real/*.bats || {
			echo "not walked: $label"
			return 1
		}
	done <"$DIR/labels"
}

labels()
{
	awk '/^```[a-z]/ { print $2 }' "$RECIPES" | sort
}

@test "the links of all texts lead somewhere" {
	local text link count=0

	for text in "$LAB_ROOT"/*.md "$LAB_ROOT"/doc/*.md "$LAB_ROOT"/.github/*/*.md; do
		while read -r link; do
			leads_somewhere "$text" "$link" || {
				echo "$text: leads nowhere: $link"
				return 1
			}
			count=$((count + 1))
		done < <(grep -oE '\]\([^)]*\)' "$text" | sed 's/^](//; s/)$//' | sort -u)
	done
	((count >= 40))
}

# leads_somewhere TEXT LINK: to a file beside the text, and to a heading of a text.
leads_somewhere()
{
	local file=${2%%\#*}

	[[ $2 != https:* ]] || return 0
	[[ ! $file ]] && file=$1 || file=$(dirname "$1")/$file
	[[ -e $file ]] && { [[ $2 != *\#* ]] || headings "$file" | grep -qxF -- "${2#*\#}"; }
}

headings() # TEXT
{
	sed -n 's/^##* //p' "$1" | tr '[:upper:]' '[:lower:]' | tr -d ',' | tr ' ' -
}

# What stands between the quotes is a message; N and X in it are the program's.
@test "the messages and counters of the recipes' last table are the program's" {
	local message part count=0

	# What stands in two literals, one behind the other, is one.
	cat "$LAB_ROOT"/src/*.c "$LAB_ROOT"/src/*/*.c | tr '\n' ' ' |
		sed 's/"[[:space:]]*"//g' >"$DIR/source"
	while IFS= read -r message; do
		while IFS= read -r part; do
			grep -qF -- "$part" "$DIR/source" || {
				echo "not in the source: $part"
				return 1
			}
		done < <(sed -E 's/\<[NX]\>/\n/g' <<<"$message" | sed -E 's/^[ :]*//; s/[ :]*$//' | grep .)
		count=$((count + 1))
	done < <(grep -oE '“[^”]*”' "$RECIPES" | tr -d '“”')
	((count >= 10))
	while IFS='`' read -r _ part _; do
		grep -qF -- "= \"$part\"" "$LAB_ROOT/src/port/port-names.c" || {
			echo "no counter: $part"
			return 1
		}
	done < <(grep -oE "\`[a-z-]+\` (is counted|drops)" "$RECIPES")
}

# --- the comparison ---------------------------------------------------------

# figure SECTION ROW FIELD: of the bench's report; ROW is the beginning of a row.
figure()
{
	awk -F' *[|] *' -v section="### $1" -v row="$2" -v field="$3" '/^#/ { inside = $0 == section }
		{ line = $0; gsub(/\*/, "", line) }
		inside && index(line, "| " row " |") == 1 { print $field; exit }' "$LAB_ROOT/bench/results.md"
}

# compared HEADING: the rows of the table of that heading, without their borders.
compared()
{
	awk -F' *[|] *' -v heading="$1" '/^\|/ && $2 == heading { inside = 1; getline; next }
		!/^\|/ { inside = 0 }
		inside { print $2 "|" $3 "|" $4 "|" $5 }' "$LAB_ROOT/doc/comparison.md"
}

@test "the figures of the comparison are the bench's" {
	local name one two cpu

	compared "joined by" >"$DIR/bridges"
	has_lines "$DIR/bridges" 6
	while IFS='|' read -r name one two cpu; do
		assert_equal "$name $one $two $cpu" "$name $(figure bridges "$name" 3) $(
			figure bridges-4 "$name" 3) $(figure bridges "$name" 5)"
	done <"$DIR/bridges"
	compared relay >"$DIR/relays"
	has_lines "$DIR/relays" 2
	while IFS='|' read -r name one two _; do
		assert_equal "$name $one $two" "$name $(
			figure tcp-tcp "1514 one write a frame | $name" 4) $(
			figure tcp-tcp "1514 batched | $name" 4)"
	done <"$DIR/relays"
	compared switch >"$DIR/switches"
	has_lines "$DIR/switches" 2
	while IFS='|' read -r name one two _; do
		assert_equal "$name $one $two" "$name $(
			figure "clients unicast $name" "unicast one write a frame | $name 2" 4) $(
			figure "clients unicast $name" "unicast one write a frame | $name 64" 4)"
	done <"$DIR/switches"
}

@test "the figures of the comparison are the bench's: sealed trunks and guests" {
	local name one two three

	compared "sealed by" >"$DIR/sealed"
	has_lines "$DIR/sealed" 5
	while IFS='|' read -r name one two three; do
		assert_equal "$name $one $two $three" "$name $(figure sealed "$name" 3) $(
			figure sealed "$name" 5) $(figure far "$name" 3)"
	done <"$DIR/sealed"
	compared "back end" >"$DIR/guests"
	has_lines "$DIR/guests" 3
	while IFS='|' read -r name one two three; do
		assert_equal "$name $one $two $three" "$name $(
			figure guests "64 batched | $name" 4) $(
			figure guests "1514 one write a frame | $name" 4) $(
			figure guests "1514 batched | $name" 4)"
	done <"$DIR/guests"
	compared -netdev >"$DIR/netdevs"
	has_lines "$DIR/netdevs" 4
	while IFS='|' read -r name one two _; do
		assert_equal "$name $one $two" "$name $(
			figure "two-guests: of QEMU, iperf3" "$name" 4) $(
			figure "two-guests: of QEMU, iperf3" "$name" 6)"
	done <"$DIR/netdevs"
}

# rounded FORMAT NUMBER [DIVISOR]
rounded()
{
	awk -v "x=$2" -v "by=${3:-1}" -v "format=$1" 'BEGIN { printf format, x / by }'
}

# ns SECTION ROW RELAY: what a frame costs.
ns_of()
{
	figure "$1" "$2 | $3" 4
}

@test "the figures of the README are the bench's" {
	local one=(tcp-tcp "1514 one write a frame") batch=(tcp-tcp "1514 batched") text
	local udp=(udp-udp "1514 one write a frame") guest=(guests "1514 batched") said

	text=$(tr '\n' ' ' <"$LAB_ROOT/README.md")
	for said in \
		"a 1514-byte frame costs $(rounded %.1f "$(ns_of "${one[@]}" netrelay)" 1000) µs of CPU if it comes alone" \
		"alone ($(figure "${one[0]}" "${one[1]} | netrelay" 6) x null, $(
			rounded %.2f "$(ns_of "${one[@]}" netrelay)" "$(ns_of "${one[@]}" socat)") x socat)" \
		"and $(rounded %.2f "$(ns_of "${batch[@]}" netrelay)" 1000) µs in a batch ($(
			figure "${batch[0]}" "${batch[1]} | netrelay" 6) x null, $(
			rounded %.2f "$(ns_of "${batch[@]}" netrelay)" "$(ns_of "${batch[@]}" socat)") x socat)" \
		"for UDP, $(rounded %.1f "$(ns_of "${udp[@]}" netrelay)" 1000) µs ($(
			rounded %.2f "$(ns_of "${udp[@]}" netrelay)" "$(ns_of "${udp[@]}" socat)") x socat)" \
		"from guest to guest, $(rounded %.2f "$(ns_of "${guest[@]}" netrelay)" 1000) µs ($(
			rounded %.2f "$(ns_of "${guest[@]}" netrelay)" "$(ns_of "${guest[@]}" dpdk)") x DPDK)" \
		"passes a trunk at $(rounded %.1f "$(figure bridges "netrelay trunk" 3)") Gbit/s: $(
			rounded %.2f "$(figure bridges "netrelay trunk" 3)" "$(figure bridges vxlan 3)") x the kernel's VXLAN, $(
			rounded %.0f "$(figure bridges "netrelay trunk" 3)" "$(figure bridges vde 3)") x the best other relay" \
		"a sealed trunk at $(rounded %.1f "$(figure sealed "netrelay sealed" 3)"), $(
			rounded %.0f "$(figure sealed "netrelay sealed" 3)" "$(figure sealed wireguard-go 3)") x wireguard-go"; do
		grep -qF -- "$said" <<<"$text" || {
			echo "the README does not say: $said"
			return 1
		}
	done
}

# --- keys -------------------------------------------------------------------

#   s1 --- br0 - netrelay :h1 === sealed === h2: netrelay - br0 --- s2
@test "recipe: two bridges joined by a trunk with keys, from nothing" {
	hosts
	bridged_hosts
	walk h2 keys-make 's/netrelay.key/far.key/'
	run -0 output_of keys-make-2
	far=$output
	walk h1 keys-make
	run -0 output_of keys-make-2
	near=$output
	[[ $near =~ ^[A-Za-z0-9+/]{43}=$ && $far =~ ^[A-Za-z0-9+/]{43}=$ && $near != "$far" ]]
	walk h1 keys-listen "s#PUBLIC-KEY-OF-B#$far#"
	walk h2 keys-dial "s#netrelay.key#far.key#; s#PUBLIC-KEY-OF-A#$near#"
	wait_for 10 "an answer" ns s1 ping -c 1 -W 1 10.0.0.2
	run -0 "$NETRELAY" ctl "$DIR/netrelay.ctl" status
	assert_line --regexp '^ +[0-9]+ site-b '
	assert_line --regexp '^ +sealed: '
}
