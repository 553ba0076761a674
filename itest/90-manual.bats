#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
#
# That README, manual and --help are true: their examples are run as they stand
# there, what they list is what the program has, and they list the same.

load helpers

README=$LAB_ROOT/README.md
MANUAL=$LAB_ROOT/man/netrelay.1
MANUAL5=$LAB_ROOT/man/netrelay.conf.5

# --- taking texts apart -----------------------------------------------------

# Blocks of examples, each behind a line "---"; no continuation lines are left.
manual_examples()
{
	awk '/^\.Sh/ { wanted = /EXAMPLES|SECURITY/ }
		/^\.Ed/ { inside = 0 }
		wanted && inside { print }
		/^\.Bd -literal/ { inside = 1; if (wanted) print "---" }' "$MANUAL" |
		sed 's/\\e/\\/g; s/\\&//g' | sed -e ':a' -e '/\\$/ { N; s/\\\n[[:space:]]*//; ta }'
}

readme_examples()
{
	awk '/^```/ { inside = 0 }
		inside { print }
		/^```sh$/ { inside = 1; print "---" }' "$README" |
		sed -e 's/[[:space:]]*#.*//' -e ':a' -e '/\\$/ { N; s/\\\n[[:space:]]*//; ta }'
}

# readme_rows HEADING: the rows of the table with that in its head, "form|endpoints".
readme_rows()
{
	awk -F'|' -v heading="$1" '/^\|/ && index($2, heading) { inside = 1; getline; next }
		!/^\|/ { inside = 0 }
		inside { print $2 "|" $3 }' "$README"
}

# codes: what is in backquotes in each line of stdin, a line each.
codes()
{
	grep -o "\`[^\`]*\`" | tr -d "\`"
}

# What --help has of endpoints, and what the manual has, in the same form: no
# brackets, lower case, options without their values.
help_forms()
{
	"$NETRELAY" --help | awk -F '   *' '/^[^ ]/ { inside = /^Endpoints/; next } inside { print $2 }' |
		sed 's/ or /\n/g' | simplify
}

# The rules of a port, likewise.
help_rules()
{
	"$NETRELAY" --help | grep '^Rules' | grep -oE ',[a-z]+(=[A-Z0-9]+)?' | simplify
}

manual_rules()
{
	awk '/^\.S[hs]/ { inside = /Rules of a port/ } inside && /^\.It/' "$MANUAL" |
		sed -E 's/^\.It//; s/ (Cm|Ar|Ns)\>//g; s/ //g' | simplify
}

manual_forms()
{
	awk '/^\.S[hs]/ { inside = /Endpoints/ } inside && /^\.It/' "$MANUAL" |
		sed -E 's/^\.It//; s/ , /\n/; s/ (Cm|Ar|Ns|Oo|Oc|Op)\>//g; s/\\&//g; s/ //g' | simplify
}

simplify()
{
	tr -d '[]' | tr '[:upper:]' '[:lower:]' | sed 's/=[^,]*/=/g' | sort
}

# --- the examples, run ------------------------------------------------------

# Two hosts, as the examples have them. The other one has a server, as for
# "tcp:otherhost:5000", and ssh gets there.
#
#   here: br0      l0 192.0.2.1 ------ l0 192.0.2.7      br0 :other
#                  wg0 10.9.0.1 ------ wg0 10.9.0.7
two_hosts()
{
	needs_tun
	ns_add here other
	veth_pair here l0 other l0 192.0.2.1/24 192.0.2.7/24
	# Not a VPN, but the same addresses.
	veth_pair here wg0 other wg0 10.9.0.1/24 10.9.0.7/24
	bridge_add here br0
	bridge_add other br0
	relay_start server in other -l 5000
	wait_listen other tcp 5000
	mkdir "$DIR/bin"
	(umask 077 && "$NETRELAY" genkey >"$DIR/host.key")
	echo "$("$NETRELAY" genkey | "$NETRELAY" pubkey) site" >"$DIR/peers"
	cat >"$DIR/bin/netrelay" <<-EOT
		#!/bin/sh
		exec '$NETRELAY' "\$@"
	EOT
	cat >"$DIR/bin/ssh" <<-EOT
		#!/bin/sh
		shift
		exec ip netns exec $(ns_name other) "\$@"
	EOT
	cat >"$DIR/bin/pidof" <<-EOT
		#!/bin/sh
		echo $(pid_of server)
	EOT
	cat >"$DIR/bin/qemu-system-x86_64" <<-EOT
		#!/bin/sh
		PATH=$PATH
		exec qemu-system-x86_64 "\$@" \$EXAMPLE
	EOT
	chmod 755 "$DIR/bin/"*
}

# run_block: the examples in stdin, one after another as somebody would type
# them. Each netrelay and each QEMU goes on to run.
run_block()
{
	local line number=0

	while read -r line; do
		number=$((number + 1))
		line=${line//otherhost/192.0.2.7}
		line=${line//alice/65534}
		line=${line//\/run\/netrelay./$DIR/}
		line=${line//\$HOME\/netrelay./$DIR/}
		line=${line//\~\/relay./$DIR/}
		line=${line//host.key/$DIR/host.key}
		line=${line//--peers peers/--peers $DIR/peers}
		line=${line#sudo } # here all are root
		run_line "example$number" "${line% &}" </dev/null || {
			echo "failed: $line"
			return 1
		}
		echo "$line" >"$DIR/example$number.line"
	done
}

run_line()
{
	local before

	case $2 in
	"netrelay -l 5000 bridge:br0,tap=tap0")
		# "as that user"
		start "$1" in here bash -c "exec '$LAB_ROOT/itest/as-user' '$NETRELAY' ${2#netrelay }"
		;;
	"netrelay ctl "*)
		wait_for 5 "control socket" test -S "$DIR/ctl"
		PATH=$DIR/bin:$PATH bash -c "$2"
		;;
	"netrelay top "*)
		PATH=$DIR/bin:$PATH TERM=xterm script -qec "$2" /dev/null <<<q
		;;
	"netrelay "*)
		PATH=$DIR/bin:$PATH start "$1" in here bash -c "exec $2"
		;;
	"qemu-system-x86_64 ... "*)
		EXAMPLE=$(without_kvm "${2#* ... }") PATH=$DIR/bin:$PATH guest_start "$1" in here --
		;;
	"ip "*)
		ns here sh -c "$2"
		;;
	"kill -USR1 "*)
		before=$(_count_statuses server)
		PATH=$DIR/bin:$PATH sh -c "$2"
		wait_for 5 "status of the server" _has_statuses server $((before + 1))
		;;
	"make "*)
		make -C "$LAB_ROOT" help | grep -q "^  $2 "
		;;
	*)
		echo "no way known to try this out"
		return 1
		;;
	esac
}

# without_kvm LINE: what an old QEMU needs for vhost-user then; guests.bash has why.
without_kvm()
{
	if _is_old_qemu; then
		sed '/vhost-user/{ s/netdev=n0,/&vectors=0,/; s/^/-smp 1,maxcpus=2 /; }' <<<"$1"
	else
		echo "$1"
	fi
}

# targets LINE: how many endpoints a netrelay's command line has that are dialled
# or opened, and not waited for.
targets()
{
	local count=0

	eval "set -- $1"
	shift
	while (($#)); do
		case $1 in
		-l | --ctl | --key | --peers) shift ;;
		-* | *-listen:*) ;;
		*) count=$((count + 1)) ;;
		esac
		shift
	done
	echo "$count"
}

# all_works: each netrelay that the block started has all of its ports up, counts
# right, and ends in order.
all_works()
{
	local file name line guests added

	guests=$(grep -l '^qemu' "$DIR"/example*.line | wc -l)
	for file in "$DIR"/example*.line; do
		if grep -q '^qemu.*vhost-user' "$file"; then
			name=$(basename "$file" .line)
			guest_wait "$name"
			guest "$name" "ip link set eth0 up"
		fi
	done
	added=$(grep -lE '^netrelay ctl .* add ' "$DIR"/example*.line | wc -l)
	for file in "$DIR"/example*.line; do
		name=$(basename "$file" .line)
		line=$(cat "$file")
		[[ $line == netrelay* && $line != netrelay\ @(ctl|top)\ * ]] || continue
		relay_wait_up "$name" $((guests + added + $(targets "${line% &}"))) 10 || {
			echo "failed: $line"
			relay_status "$name"
			return 1
		}
		if ((guests > 1)); then
			guests_meet
		fi
		# A port is up also if its guest's memory is not shared.
		if [[ $line == *vhost-user* ]]; then
			wait_for 10 "a frame of the guest" has_frames "$name"
		fi
		# That a command was started does not say that it works.
		if [[ $line == *exec:* ]]; then
			wait_for 10 "tap at the other host" has_tap
		fi
		relay_check_sums "$name"
		relay_stop "$name"
	done
}

has_frames() # RELAY
{
	(($(received "$1") > 0))
}

has_tap()
{
	[[ $(bridge_ports other br0) ]]
}

# The guests of the block, at its second line and below, ping each other. They
# are not the lab's own, which gives NICs a name.
guests_meet()
{
	local mac

	guest_wait example2
	guest_wait example3
	guest_nic_of_example example2 10.0.0.1/24
	guest_nic_of_example example3 10.0.0.2/24
	guest_ping example2 10.0.0.2
	# Nor have they the one MAC that QEMU gives to all alike.
	mac=$(guest example2 cat /sys/class/net/eth0/address)
	[[ $(guest example3 cat /sys/class/net/eth0/address) != "$mac" ]]
}

guest_nic_of_example()
{
	guest "$1" "ip addr add $2 dev eth0 && ip link set eth0 up"
}

# try_examples COUNT: the blocks in stdin, that many at least, each block in a world of
# its own, but for one that begins with "ip": what it makes is for the next.
try_examples()
{
	local block=() line number=0

	two_hosts
	while IFS= read -r line; do
		if [[ $line == --- ]]; then
			try_block "${block[@]}"
			block=()
			number=$((number + 1))
		elif [[ $line ]]; then
			block+=("$line")
		fi
	done
	try_block "${block[@]}"
	# The text was found and taken apart.
	((number >= $1))
}

try_block()
{
	local name

	(($#)) || return 0
	printf '%s\n' "$@" >"$DIR/block"
	rm -f "$DIR"/example*
	run_block <"$DIR/block"
	all_works
	for name in $(_running | grep '^example'); do
		dismiss "$name"
	done
}

@test "every example of the manual works" {
	manual_examples >"$DIR/examples"
	try_examples 15 <"$DIR/examples"
}

# The files, each read by the program.
@test "every example of netrelay.conf(5) is right, and it has each option" {
	local file count=0

	awk -v dir="$DIR" '/^\.Sh/ { wanted = /EXAMPLES/ }
		/^\.Ed/ { file = "" }
		file { print >file }
		/^\.Bd -literal/ && wanted { file = dir "/example" ++n ".conf" }' "$MANUAL5"
	for file in "$DIR"/example*.conf; do
		run -0 "$NETRELAY" --check "$file"
		assert_output --regexp "^$file: ok, a (cable|switch) with "
		count=$((count + 1))
	done
	((count >= 2))
	sed -n '/It Ar option/,/^\.El/s/^\.Cm \([a-z-]*\) .*/\1/p' "$MANUAL5" | sort >"$DIR/manual"
	sed -n 's/^\t*{ "\([a-z-]*\)", [a-z]*_argument, NULL, \(OPT.*\|.v.\) },.*/\1/p' \
		"$LAB_ROOT/src/conf/conf-option.c" | grep -vE '^(check|check-bridge|print-config)$' |
		sort >"$DIR/source"
	assert_same "$DIR/source" "$DIR/manual" 12
}

@test "every example of the README works" {
	readme_examples >"$DIR/examples"
	try_examples 4 <"$DIR/examples"
}

# --- what is listed, and what there is --------------------------------------

# The lists below come from texts; that they are not empty shows that they were
# found there.
assert_same()
{
	diff "$1" "$2"
	[[ $(wc -l <"$1") -ge $3 ]]
}

@test "--help and the manual have the same endpoints" {
	help_forms >"$DIR/help"
	manual_forms >"$DIR/manual"
	assert_same "$DIR/help" "$DIR/manual" 18
}

@test "--help and the manual have the same rules, and the program has them" {
	help_rules >"$DIR/help"
	manual_rules >"$DIR/manual"
	assert_same "$DIR/help" "$DIR/manual" 2
	sed -n '/^static const struct option rules/,/^}/s/.*key = "\([a-z]*\)".*/,\1/p' \
		"$LAB_ROOT/src/conf/endpoint-long.c" | sort >"$DIR/source"
	sed 's/=.*//' "$DIR/manual" >"$DIR/words"
	assert_same "$DIR/source" "$DIR/words" 2
}

@test "--help and the manual have the same options, and the program has them" {
	"$NETRELAY" --help | grep -oE '(^|[ [])--?[a-zA-Z]+(-[a-z]+)*' | tr -d ' [' |
		sed 's/^-vv$/-v/' | sort -u >"$DIR/help"
	grep -oE '\<Fl -?[a-zA-Z]+(-[a-z]+)*' "$MANUAL" | sed 's/^Fl /-/' | sort -u >"$DIR/manual"
	assert_same "$DIR/help" "$DIR/manual" 12
	sed -n 's/.*getopt_long([^"]*":\([a-zA-Z:]*\)".*/\1/p' "$LAB_ROOT/src/conf/conf.c" |
		tr -d : | grep -o . | sed 's/^/-/' >"$DIR/source"
	sed -n 's/^\t*{ "\([a-z-]*\)", [a-z]*_argument, .*/--\1/p' "$LAB_ROOT/src/conf/conf-option.c" >>"$DIR/source"
	sort -o "$DIR/source" "$DIR/source"
	assert_same "$DIR/source" "$DIR/manual" 12
	run -2 "$NETRELAY" --nonsense
}

@test "the manual has every reason for a drop" {
	grep -o '\[DROP_[A-Z_]*\] = "[a-z-]*"' "$LAB_ROOT/src/port/port-names.c" | cut -d'"' -f2 |
		sort >"$DIR/source"
	awk '/^The reasons for a drop are/ { inside = 1 } /^\.El/ { inside = 0 }
		inside && /^\.It/ { print $2 }' "$MANUAL" | sort >"$DIR/manual"
	assert_same "$DIR/source" "$DIR/manual" 14
}

@test "the manual has every field of status --json and of the addresses, and every command of ctl" {
	grep -ohE '(add_[a-z]+|begin_field)\(out, "[a-z_]+"' "$LAB_ROOT/src/show/show-json.c" |
		cut -d'"' -f2 | sort -u >"$DIR/source"
	grep -oE '"\], *\\n\\"[a-z]+|,\\n\\"[a-z]+' "$LAB_ROOT/src/show/show-json.c" |
		grep -oE '[a-z]+$' >>"$DIR/source"
	sort -u -o "$DIR/source" "$DIR/source"
	awk '/has these fields/ { inside = 1 } /^In names/ { inside = 0 }
		/these members/ { inside = 1 } /^\.Sh/ { inside = 0 }
		inside && /^\.It/ { gsub(/ ,/, ""); for (i = 2; i <= NF; i++) print $i }' "$MANUAL" |
		sort -u >"$DIR/manual"
	assert_same "$DIR/source" "$DIR/manual" 41
	sed -n 's/^\t{ "\([a-z]*\)", run_[a-z]*,.*/\1/p' "$LAB_ROOT/src/ctl/ctl-command.c" |
		sort >"$DIR/source"
	awk '/^\.Sh/ { inside = /CONTROL/ } inside && /^\.It Cm/ { print $3 }' "$MANUAL" |
		sort >"$DIR/manual"
	assert_same "$DIR/source" "$DIR/manual" 8
}

# --- the version ------------------------------------------------------------

@test "VERSION, CHANGELOG, README, manual and --version have the same version" {
	local version found

	version=$(cat "$LAB_ROOT/VERSION")
	[[ $version =~ ^[0-9]+\.[0-9]+\.[0-9]+$ ]]
	run -0 "$NETRELAY" --version
	assert_output --regexp "^netrelay ${version//./\\.}(\+g[0-9a-f]+(\.dirty)?)? \\("
	grep -qx "\.Os netrelay $version" "$MANUAL"
	found=$(grep -m 1 '^## ' "$LAB_ROOT/CHANGELOG.md")
	[[ $found =~ ^"## $version ("[0-9]{4}-[0-9]{2}-[0-9]{2}")"$ ]]
	# All that it names, and it names one.
	grep -oE 'netrelay v?[0-9]+\.[0-9.]*[0-9]' "$README" | sort -u >"$DIR/found"
	diff <(echo "netrelay $version") "$DIR/found"
}

# version_of DIR: what a build there would print.
version_of()
{
	make -s -C "$1" BUILD="$DIR/version-build" "$DIR/version-build/version" >&2
	head -n 1 "$DIR/version-build/version"
}

@test "the version is that of VERSION, and says of what commit, unless that has its tag" {
	local version id

	git -C "$LAB_ROOT" rev-parse HEAD || skip "needs a checkout by git"
	version=$(cat "$LAB_ROOT/VERSION")
	git init -q "$DIR/tree"
	cp "$LAB_ROOT"/{Makefile,VERSION} "$DIR/tree/"
	install -D "$LAB_ROOT/test/rules.mk" "$DIR/tree/test/rules.mk"
	export GIT_CONFIG_GLOBAL=/dev/null GIT_{AUTHOR,COMMITTER}_{NAME,EMAIL}=test
	git -C "$DIR/tree" add .
	git -C "$DIR/tree" commit -qm start
	id=$(git -C "$DIR/tree" rev-parse --short HEAD)
	[[ $(version_of "$DIR/tree") == "$version+g$id" ]]
	git -C "$DIR/tree" tag v0.0.1
	[[ $(version_of "$DIR/tree") == "$version+g$id" ]]
	git -C "$DIR/tree" tag "v$version"
	[[ $(version_of "$DIR/tree") == "$version" ]]
	echo "# more" >>"$DIR/tree/Makefile"
	[[ $(version_of "$DIR/tree") == "$version+g$id.dirty" ]]
	rm -rf "$DIR/tree/.git"
	[[ $(GIT_DIR=/nonexistent version_of "$DIR/tree") == "$version" ]]
}

@test "the manual's markup is in order" {
	command -v mandoc >/dev/null || skip "needs mandoc"
	run -0 mandoc -Tlint -W warning "$MANUAL" "$MANUAL5"
	assert_output ""
}

# The fixed parts of the messages that the manual explains, a line each.
manual_messages()
{
	awk '/^\.Sh/ { inside = /DIAGNOSTICS/ } inside && /^\.It/' "$MANUAL" |
		sed -E 's/^\.It //; s/(^| )Ar [^ ]+/\n/g' |
		sed -E 's/^ *[,;:]?( (No|Ns))? *//; /^$/d'
}

@test "the messages that the manual explains are the program's" {
	local part count=0

	# What stands in two literals, one behind the other, is one.
	cat "$LAB_ROOT"/src/*.c "$LAB_ROOT"/src/*/*.[ch] | tr '\n' ' ' |
		sed 's/"[[:space:]]*"//g' >"$DIR/source"
	while IFS= read -r part; do
		grep -qF -- "$part" "$DIR/source" || {
			echo "not in the source: $part"
			return 1
		}
		count=$((count + 1))
	done < <(manual_messages)
	((count >= 60))
}

# without_numbers: addresses and counts become N.
without_numbers()
{
	sed -E 's/[0-9]+/N/g; s/N\.N\.N\.N:N/ADDRESS/g'
}

@test "the README's status is as the program prints it, and adds up" {
	local status

	awk '/^```/ { inside = !inside; next } inside && /^netrelay: /' "$README" >"$DIR/readme"
	run -0 awk -f "$LAB_ROOT/itest/status.awk" "$DIR/readme"
	ns_add here
	relay_start relay in here -l 127.0.0.1:5000
	wait_listen here tcp 5000
	frames_start one in here recv tcp:127.0.0.1:5000 --count 6
	frames_start two in here recv tcp:127.0.0.1:5000 --count 6
	relay_wait_up relay 2
	relay_status relay | without_numbers >"$DIR/real"
	without_numbers <"$DIR/readme" >"$DIR/shown"
	assert_same "$DIR/real" "$DIR/shown" 5
}

# A form of -netdev, as a list of what must be in one that is tried.
parts()
{
	tr , '\n' <<<"$1" | sed -E '/^\.\.\.$/d; s/=([A-Z0-9:].*)?$/=/'
}

# The links of 60-qemu.bats, with what makes their parts.
tried_links()
{
	local functions

	functions=$(awk '/^(links|link|inet|unix|unixgram|udp|dgram)\(\)$/, /^}$/' \
		"$LAB_ROOT/itest/60-qemu.bats")
	(eval "$functions" && links)
}

# kind ENDPOINT: what tells it from others: "-l", "tcp:", "N::N", "N.N.N.N:N".
kind()
{
	case $1 in
	-l*) echo -l ;;
	[a-z]*:*) echo "${1%%:*}:" ;;
	*) sed -E 's/[0-9]+/N/g' <<<"$1" ;;
	esac
}

# is_tried FORM ENDPOINT: whether one of the links has both.
is_tried()
{
	local link part column nic words good

	while IFS= read -r link; do
		words=$(cut -d'|' -f4 <<<"$link" | tr ' ' '\n' | while read -r part; do kind "$part"; done)
		grep -qxF -- "$(kind "$2")" <<<"$words" || continue
		for column in 2 3; do
			nic=,$(cut -d'|' -f"$column" <<<"$link"),
			good=1
			for part in $(parts "$1"); do
				[[ $part != *= ]] || nic=${nic/",$part"*,/",$part,"}
				[[ $nic == *",$part,"* ]] || good=0
				nic=,$(cut -d'|' -f"$column" <<<"$link"),
			done
			((!good)) || return 0
		done
	done < <(tried_links)
	return 1
}

@test "the README's table of -netdev: each form is tried with each of its endpoints" {
	local form endpoint rows=0

	while IFS='|' read -r form endpoints; do
		form=$(codes <<<"$form")
		for endpoint in $(codes <<<"${endpoints// /_}"); do
			is_tried "$form" "${endpoint//_/ }" || {
				echo "not in 60-qemu.bats: $form with ${endpoint//_/ }"
				return 1
			}
		done
		rows=$((rows + 1))
	done < <(readme_rows "QEMU has")
	((rows >= 8))
}

# What is wrong with the second endpoint is only said when the first is right.
@test "the README's endpoints are such" {
	local endpoint count=0

	while read -r endpoint; do
		[[ $endpoint != -l* ]] || continue
		run -2 "$NETRELAY" "$endpoint" bridge:
		assert_output --partial "netrelay: bridge:: "
		count=$((count + 1))
	done < <({
		readme_rows "QEMU has"
		readme_rows "elsewhere"
	} | cut -d'|' -f2 | codes | sed 's/NAME/name/; s/=N$/=1500/; s/=NAME/=name/')
	((count >= 12))
}

@test "the README's make targets are there" {
	local target count=0

	run -0 make -C "$LAB_ROOT" --no-print-directory help
	while read -r target; do
		assert_line --regexp "^  make $target "
		count=$((count + 1))
	done < <(grep -oE '(^|`)make [a-z]+' "$README" | cut -d' ' -f2 | sort -u)
	((count >= 4))
}
