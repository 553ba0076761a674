#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
#
# Keys, as a user meets them: genkey and pubkey, wrong use of the options, files of keys that
# are missing, wrong or open to others, and changes of them while the relay runs.

load helpers

# RFC 7748, section 6.1: Alice's keys.
PRIVATE=dwdtCnMYpX08FsFyUbJmRd9ML4frwJkqsXf7pR25LCo=
PUBLIC=hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo=
OTHER=3p7bfXt9wbTTW2HC7OQ1Nz+DQ8hbeGdNrfx+FG+IK08=

teardown()
{
	common_teardown
	rm -rf "${OPEN_DIR:-$DIR/none}"
}

setup()
{
	common_setup
	"$NETRELAY" --version | grep -q 'left out:.*keys' && skip "this netrelay has no keys"
	umask 077
	echo "$PRIVATE" >"$DIR/key"
	"$NETRELAY" genkey >"$DIR/psk"
	echo "$OTHER site-b isolated # the other site" >"$DIR/peers"
}

# replace FILE: by what is in stdin, in one step.
replace()
{
	cat >"$1.new"
	mv "$1.new" "$1"
}

# --- genkey and pubkey ------------------------------------------------------

@test "genkey makes keys, and pubkey the public ones" {
	local key

	run -0 --separate-stderr "$NETRELAY" genkey
	[[ $output =~ ^[A-Za-z0-9+/]{43}=$ && ! $stderr ]]
	key=$output
	run -0 "$NETRELAY" genkey
	[[ $output != "$key" ]]
	run -0 "$NETRELAY" pubkey <<<"$PRIVATE"
	assert_output "$PUBLIC"
	run -0 "$NETRELAY" pubkey < <(printf '%s' "$PRIVATE")
	assert_output "$PUBLIC"
	run -0 "$NETRELAY" pubkey < <(printf '%s\r\n' "$PRIVATE")
	assert_output "$PUBLIC"
}

@test "pubkey refuses what is no key, in one line" {
	local text

	for text in '' x "$PRIVATE$PRIVATE" "$PRIVATE\n$PRIVATE\n" "$PRIVATE\n\n" " $PRIVATE" \
		"${PRIVATE%o=}p=" "${PRIVATE%=}" "${PRIVATE/p/-}"; do
		run -1 --separate-stderr "$NETRELAY" pubkey < <(printf '%b' "$text")
		[[ ! $output ]]
		assert_equal "$stderr" \
			"netrelay: pubkey: stdin has no key: one line of 44 characters, which netrelay genkey prints"
	done
	run -1 timeout 60 "$NETRELAY" pubkey </dev/zero
	run -1 bash -c "'$NETRELAY' pubkey <&-"
	assert_output "netrelay: stdin: Bad file descriptor"
	run -1 bash -c "'$NETRELAY' genkey >/dev/full"
	assert_output "netrelay: stdout: No space left on device"
}

@test "genkey warns of a file that others can read" {
	run -0 bash -c "umask 022; '$NETRELAY' genkey >'$DIR/open'"
	assert_output "netrelay: genkey: others can read the file that this key is written to; chmod 600 it, and say umask 077 before the next one"
	run -0 bash -c "umask 077; '$NETRELAY' genkey >'$DIR/closed'"
	assert_output ""
	run -0 "$NETRELAY" pubkey <"$DIR/open"
}

@test "a bridge that is called as a command is reached by its long form" {
	run -0 "$NETRELAY" --print-config bridge:genkey bridge:pubkey
	assert_output $'join bridge:genkey\njoin bridge:pubkey'
	run -2 "$NETRELAY" genkey br0
	assert_output --partial "a bridge of that name is bridge:genkey"
}

# --- wrong use --------------------------------------------------------------

@test "a part that is forgotten is told, and no trunk is made in clear text" {
	local args says

	while IFS='|' read -r args says; do
		# shellcheck disable=SC2086 # words
		run -2 "$NETRELAY" $args
		assert_line --index 0 --partial "$says"
		((${#lines[@]} == 1))
	done <<-EOT
		trunk:h:1,peer=$PUBLIC br0|peer= needs a key of our own; add --key FILE
		-l tcp-listen:1,peers=p|peers= needs a key of our own; add --key FILE
		-l 5000 --peers p|--peers needs a key of our own; add --key FILE
		--key k trunk:h:1 br0|--key: nothing is sealed by it; add peer=PUBKEY
		--key k --peers p trunk:h:1,peer=$PUBLIC br0|--peers is for listeners
		--key k -l tcp-listen:1,plain trunk:h:1,peer=$PUBLIC|plain lets in others than the peers
		trunk:h:1,psk=k br0|add peer=PUBKEY, or leave psk= out
		trunk:h:1,peer=x br0|"x" is no public key: 44 characters, as netrelay pubkey prints it
		tcp:h:1,peer=$PUBLIC br0|tcp has no option "peer"
		--key k --key k br0|--key is given twice
	EOT
}

@test "files and --print-config have the options of keys" {
	cat >"$DIR/lab.conf" <<-EOT
		key $DIR/key
		peers $DIR/peers
		listen tcp-listen:127.0.0.1:5000,plain
		listen unix-listen:$DIR/s,peers=$DIR/peers
		join trunk:192.0.2.1:5000,peer=$OTHER,psk=$DIR/psk
	EOT
	run -0 "$NETRELAY" --check "$DIR/lab.conf"
	assert_output "$DIR/lab.conf: ok, a switch with 2 listeners and 1 endpoint"
	run -0 "$NETRELAY" --print-config -f "$DIR/lab.conf"
	assert_output "$(<"$DIR/lab.conf")"
	echo "$OTHER site-b isolatd" >"$DIR/peers"
	run -2 "$NETRELAY" --check "$DIR/lab.conf"
	assert_output --regexp "peers:1: there is no rule \"isolatd\"; .*did you mean isolated\?$"
	echo "$OTHER site-b" >"$DIR/peers"
	mv "$DIR/psk" "$DIR/gone"
	run -2 "$NETRELAY" --check "$DIR/lab.conf"
	assert_output "netrelay: $DIR/psk: No such file or directory"
	chmod 644 "$DIR/gone"
	mv "$DIR/gone" "$DIR/psk"
	run -0 "$NETRELAY" --check "$DIR/lab.conf"
	assert_line "netrelay: $DIR/psk: others can read this key; chmod 600 $DIR/psk"
	sed -i '/^key/d' "$DIR/lab.conf"
	run -2 "$NETRELAY" --check "$DIR/lab.conf"
	assert_line --partial "lab.conf:1: peers needs a key of our own"
	assert_line --partial "lab.conf:3: unix-listen:"
	assert_line --partial "lab.conf:4: trunk:192.0.2.1:5000,peer="
}

# --- files ------------------------------------------------------------------

# refused TEXT: the relay does not start, and says that, in one line; so does --check.
refused()
{
	printf '%s\n' "key $DIR/key" "peers $DIR/peers" "listen unix-listen:$DIR/s" \
		"join trunk:192.0.2.1:5000,peer=$OTHER,psk=$DIR/psk" >"$DIR/checked.conf"
	run -2 "$NETRELAY" --check "$DIR/checked.conf"
	assert_output "netrelay: $1"
	run -1 timeout 60 "$NETRELAY" --key "$DIR/key" --peers "$DIR/peers" -l "unix-listen:$DIR/s" \
		"trunk:192.0.2.1:5000,peer=$OTHER,psk=$DIR/psk"
	assert_output "netrelay: $1"
	assert_not_exists "$DIR/s"
}

@test "files of keys that are missing or wrong are told at the start" {
	local good own

	for good in key psk peers; do
		mv "$DIR/$good" "$DIR/good"
		refused "$DIR/$good: No such file or directory"
		mkdir "$DIR/$good"
		refused "$DIR/$good: it is no file; it must be one, so that it can be read again"
		rmdir "$DIR/$good"
		mv "$DIR/good" "$DIR/$good"
	done
	for good in key psk; do
		mv "$DIR/$good" "$DIR/good"
		echo "$PUBLIC $PUBLIC" >"$DIR/$good"
		refused "$DIR/$good: it has no key: one line of 44 characters, which netrelay genkey prints"
		mv "$DIR/good" "$DIR/$good"
	done
	printf '%s\n' "# x" "$OTHER a" "" "$PUBLIC b isolatd" >"$DIR/peers"
	refused "$DIR/peers:4: there is no rule \"isolatd\"; a peer may have isolated, mac=ADDR, pad=0, storm=N and psk=FILE; did you mean isolated?"
	printf '%s\n' "$OTHER a" "$PUBLIC b psk=none" >"$DIR/peers"
	refused "$DIR/none: No such file or directory"
	echo "$("$NETRELAY" pubkey <"$DIR/psk") a" >"$DIR/peers"
	mv "$DIR/psk" "$DIR/key"
	cp "$DIR/key" "$DIR/psk"
	own=$("$NETRELAY" pubkey <"$DIR/key")
	run -1 timeout 60 "$NETRELAY" --key "$DIR/key" "trunk:h:1,peer=$own" "unix-listen:$DIR/s"
	assert_output "netrelay: trunk:h:1,peer=$own: peer= is our own public key; give that of the host that is dialled"
}

@test "files that others can read or change are warned of, once" {
	echo "$OTHER a psk=psk" >"$DIR/peers"
	chmod 644 "$DIR/key"
	chmod 640 "$DIR/psk"
	chmod 664 "$DIR/peers"
	printf '%s\n' "key $DIR/key" "peers $DIR/peers" "listen unix-listen:$DIR/s" >"$DIR/lab.conf"
	relay_start one -f "$DIR/lab.conf"
	wait_for 10 "the listener" test -S "$DIR/s"
	wait_for 10 "to take signals" _blocks_usr1 one
	kill -HUP "$(pid_of one)"
	wait_for 5 "it" has_logged one "read again"
	assert_equal "$(log_lines one "others can")" 3
	has_logged one "$DIR/key: others can read this key; chmod 600 $DIR/key"
	has_logged one "$DIR/psk: others can read this key; chmod 600 $DIR/psk"
	has_logged one "$DIR/peers: others can change who may come; chmod go-w $DIR/peers"
	run -0 relay_stop one
}

# reload_fails TEXT
reload_fails()
{
	run -1 "$NETRELAY" ctl "$DIR/ctl" reload
	assert_output "netrelay: ctl: $1; nothing was changed"
}

# What a relay does that was started by one of the tests below.
reads_again()
{
	wait_for 10 "control socket" test -S "$DIR/ctl"
	run -0 "$NETRELAY" ctl "$DIR/ctl" reload
	echo "$PUBLIC b" >>"$DIR/peers"
	run -0 "$NETRELAY" ctl "$DIR/ctl" reload
	echo "$PUBLIC c" >>"$DIR/peers"
	reload_fails "$DIR/peers:3: the key is that of line 2, too; a peer has one line"
	rm "$DIR/peers"
	reload_fails "$DIR/peers: No such file or directory"
	echo "$OTHER a psk=psk" | replace "$DIR/peers"
	run -0 "$NETRELAY" ctl "$DIR/ctl" reload
	echo x | replace "$DIR/key"
	reload_fails "$DIR/key: it has no key: one line of 44 characters, which netrelay genkey prints"
	echo "$PRIVATE" | replace "$DIR/key"
	run -0 "$NETRELAY" ctl "$DIR/ctl" reload
	# A file that is named only now, and one that is not.
	echo "$OTHER a" >"$DIR/more.peers"
	echo "listen unix-listen:$DIR/s2,peers=$DIR/more.peers" >>"$DIR/lab.conf"
	run -0 "$NETRELAY" ctl "$DIR/ctl" reload
	assert_output --partial "1 added"
	echo "key $DIR/psk" >"$DIR/other.conf"
	grep -v '^key' "$DIR/lab.conf" >>"$DIR/other.conf"
	replace "$DIR/lab.conf" <"$DIR/other.conf"
	reload_fails "$DIR/lab.conf: key can't change while the relay runs; restart netrelay for that"
}

lab_conf()
{
	printf '%s\n' "key $DIR/key" "peers $DIR/peers" "listen unix-listen:$DIR/s" "ctl $DIR/ctl" \
		"$@" >"$DIR/lab.conf"
}

@test "changes are taken in the sandbox, by the broker" {
	lab_conf
	relay_start one -f "$DIR/lab.conf"
	reads_again
	run -0 relay_stop one
}

@test "and by a relay that has become another user" {
	needs_root
	lab_conf "user daemon"
	relay_start one -f "$DIR/lab.conf"
	reads_again
	run -0 relay_stop one
}

@test "and without the sandbox" {
	lab_conf "no-sandbox"
	relay_start one -f "$DIR/lab.conf"
	reads_again
	run -0 relay_stop one
}

@test "an ordinary user's relay has that user's keys" {
	needs_root
	OPEN_DIR=$(mktemp -d /tmp/netrelay-keys.XXXXXX)
	chmod 777 "$OPEN_DIR"
	cp "$DIR/key" "$DIR/peers" "$OPEN_DIR"
	chmod 644 "$OPEN_DIR/peers"
	run -1 timeout 10 "$LAB_ROOT/itest/as-user" "$NETRELAY" --key "$OPEN_DIR/key" \
		--peers "$OPEN_DIR/peers" -l "unix-listen:$OPEN_DIR/s"
	assert_output "netrelay: $OPEN_DIR/key: Permission denied"
	chown 65534 "$OPEN_DIR/key"
	start one "$LAB_ROOT/itest/as-user" "$NETRELAY" --key "$OPEN_DIR/key" \
		--peers "$OPEN_DIR/peers" -l "unix-listen:$OPEN_DIR/s"
	wait_for 10 "the listener" test -S "$OPEN_DIR/s"
	run -0 relay_stop one
}

# holds_key PID: whether the private key is in its memory, as bytes or as text.
holds_key()
{
	python3 - "$1" "$PRIVATE" <<-'EOT'
		import base64, sys
		pid, text = sys.argv[1:]
		wanted = [text.encode(), base64.b64decode(text)]
		found = False
		with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb", 0) as mem:
		    for line in maps:
		        span, rights = line.split()[:2]
		        if rights[0] != "r" or "[v" in line:
		            continue
		        start, end = (int(x, 16) for x in span.split("-"))
		        mem.seek(start)
		        data = mem.read(end - start)
		        found |= any(w in data for w in wanted)
		sys.exit(not found)
	EOT
}

@test "the relay has the private key, and no other process has it" {
	needs_root
	lab_conf "join exec:exec sleep 1000"
	relay_start one -f "$DIR/lab.conf"
	wait_for 10 "control socket" test -S "$DIR/ctl"
	wait_for 5 "the command" has_command one sleep
	touch "$DIR/key"
	run -0 "$NETRELAY" ctl "$DIR/ctl" reload
	holds_key "$(pid_of one)"
	run ! holds_key "$(broker_of one)"
	run ! holds_key "$(broker_parent_of one)"
	run ! holds_key "$(helper_of one start)"
	run -0 relay_stop one
}

@test "a control command names no files, and needs a key, too" {
	relay_start one --ctl "$DIR/ctl" -l "unix-listen:$DIR/s"
	wait_for 10 "control socket" test -S "$DIR/ctl"
	run -1 "$NETRELAY" ctl "$DIR/ctl" add "trunk:h:1,peer=$PUBLIC"
	assert_output --partial "peer= needs a key of our own; add --key FILE"
	run -1 "$NETRELAY" ctl "$DIR/ctl" add "trunk:h:1,peer=$PUBLIC,psk=/etc/shadow"
	assert_output --partial "psk= and peers= name files, and only the configuration may"
	run -1 "$NETRELAY" ctl "$DIR/ctl" add -l "unix-listen:$DIR/t,peers=/etc/shadow"
	assert_output --partial "psk= and peers= name files"
	run -1 "$NETRELAY" ctl "$DIR/ctl" add -l "unix-listen:$DIR/t,plain"
	assert_output --partial "plain lets in others than the peers"
	run -0 relay_stop one
}

@test "10,000 peers: the relay starts in well under a second" {
	local before

	python3 - >"$DIR/peers" <<-'EOT'
		import base64, hashlib
		for i in range(10000):
		    key = base64.b64encode(hashlib.sha256(b"%d" % i).digest()).decode()
		    print(key, f"site-{i}", "isolated mac=52:54:00:00:00:01 storm=100")
	EOT
	before=$(_now_us)
	relay_start one --key "$DIR/key" --peers "$DIR/peers" -l "unix-listen:$DIR/s"
	wait_for 10 "the listener" test -S "$DIR/s"
	echo "# $(($(_now_us) - before)) us"
	(($(_now_us) - before < 5000000))
	run -0 relay_stop one
}
