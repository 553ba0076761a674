#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
#
# What a user meets before and after frames flow: help, wrong usage, set-ups that
# can't work, signals, and what is left behind. Every message is one line that
# names the endpoint, what is wrong with it, and what to do.
#
# shellcheck disable=SC2016 # shells that are started read what is quoted

load helpers

PASS_FD=$LAB_ROOT/itest/pass-fd

# one_line FILE TEXT...: holds one line, printable, with all of the texts in it.
one_line()
{
	local file=$1 text lines LC_ALL=C

	shift
	mapfile lines <"$file"
	for text in "$@"; do
		[[ ${lines[*]} == *"$text"* ]] || {
			echo "is not said: $text"
			break
		}
		text=
	done
	if [[ $text || ${#lines[@]} != 1 || ${lines[0]} != *$'\n' ||
		${lines[0]%?} == *[![:print:]]* ]]; then
		cat -v "$file"
		return 1
	fi
}

# wrong TEXT... -- ARGS...: is wrong usage, and the message says so.
wrong()
{
	local said=()

	while [[ $1 != -- ]]; do
		said+=("$1")
		shift
	done
	refuses 2 - "${said[@]}" -- "$NETRELAY" "${@:2}"
}

# fails [in NS] TEXT... -- COMMAND...: can't be set up; the message says what to do.
fails()
{
	if [[ $1 == in ]]; then
		refuses 1 "${@:2}"
	else
		refuses 1 - "$@"
	fi
}

# refuses STATUS NS TEXT... -- COMMAND...: one line on stderr, nothing on stdout.
refuses()
{
	local expected=$1 ns=$2 said=() status=0

	shift 2
	while [[ $1 != -- ]]; do
		said+=("$1")
		shift
	done
	shift
	ns "$ns" timeout 60 "$@" </dev/null >"$DIR/out" 2>"$DIR/err" || status=$?
	one_line "$DIR/err" "netrelay: " "${said[@]}" || return
	if ((status != expected)) || [[ -s $DIR/out ]]; then
		echo "exit status $status, stdout: $(cat -v "$DIR/out")"
		return 1
	fi
}

# wrong_endpoints LISTEN: reads lines "ENDPOINT|PART|WHAT IS RIGHT"; with LISTEN,
# they are -l's.
wrong_endpoints()
{
	local endpoint part right args n=0

	while IFS='|' read -r endpoint part right; do
		args=("$endpoint")
		if [[ $1 ]]; then
			args=("-l$endpoint")
		fi
		wrong "netrelay: $endpoint: " "$part" "$right" -- "${args[@]}"
		n=$((n + 1))
	done
	((n > 10))
}

# --- help and version -------------------------------------------------------

@test "--help and -h fit one screen and name every form" {
	local form

	run -0 --separate-stderr "$NETRELAY" --help
	[[ -z $stderr ]]
	((${#lines[@]} <= 24 && $(wc -l <<<"$output") <= 24))
	((${#output} > 1000))
	run ! grep -nE '.{81}|[^ -~]' <<<"$output"
	for form in 'netrelay [-v] [SRC] [DST]' 'netrelay [-v] -l PORT [TARGET ...]' \
		'netrelay ctl PATH COMMAND' 'top PATH ' 'genkey | pubkey ' '--key FILE ' '--peers FILE ' \
		'-l, --listen PORT, ADDR:PORT, [ADDR6]:PORT' '-f, --config FILE ' '--check FILE' \
		--print-config '-v, --verbose' '-h, --help' '-V, --version' \
		'--hub ' '--storm N ' '--fdb-size N ' '--ctl PATH ' '--metrics [ADDR:]PORT ' \
		'--capture FILE' '--user NAME ' '--no-sandbox ' '--wait ' \
		'  - or ' LPORT:ADDR:RPORT LPORT:ADDR: :ADDR:RPORT LPORT::RPORT '  ADDR:PORT ' \
		'  NAME ' tcp:HOST:PORT trunk:HOST:PORT 'tcp-listen:[ADDR:]PORT' unix:PATH \
		'unix-listen:PATH[,mode=0660]' 'udp:HOST:PORT[,local=[ADDR:]PORT]' \
		vhost-user:PATH 'vhost-user-listen:PATH[,mode=0660]' unixgram:PATH,local=PATH 'mcast:GROUP:PORT[,if=ADDR]' if=INTERFACE \
		'bridge:NAME[,tap=NAME][,mtu=N]' tap:NAME 'fd:N[,vhost-user]' exec:COMMAND \
		,isolated ,mac=ADDR ,pad=0 'Exit status: 0 ' '; 1 ' '; 2 '; do
		grep -qF -e "$form" <<<"$("$NETRELAY" --help)"
	done
	[[ $("$NETRELAY" -h) == "$("$NETRELAY" --help)" ]]
	# Whatever else there is.
	[[ $("$NETRELAY" -v -l 5000 br0 --help nonsense:) == "$("$NETRELAY" -h)" ]]
}

@test "the manual names every form that --help does" {
	local word

	run -0 bash -c '"$0" --help | grep -oE "(^  | or )[a-z-]+:" | grep -o "[a-z-]*:" | tr -d : | sort -u' "$NETRELAY"
	((${#lines[@]} == 14))
	for word in "${lines[@]}"; do
		grep -qE "Cm $word( |$)" "$LAB_ROOT/man/netrelay.1"
	done
}

@test "--version and -V: one line, with what is inside" {
	run -0 --separate-stderr "$NETRELAY" --version
	[[ -z $stderr ]]
	((${#lines[@]} == 1))
	assert_output --regexp '^netrelay [^ ]+ \((static|shared), libmnl( stand-in)?(, BearSSL(, libsodium)?)?\)$'
	[[ $("$NETRELAY" -V) == "$output" ]]
}

@test "--help and --version that can't be written fail" {
	[[ -c /dev/full ]] || skip "no /dev/full here"
	for option in --help --version; do
		run -1 sh -c '"$0" "$1" 2>&1 >/dev/full' "$NETRELAY" "$option"
		assert_output --partial "netrelay: stdout: "
	done
}

# --- wrong usage ------------------------------------------------------------

@test "wrong usage: options, and how many endpoints" {
	wrong "nothing to join" "name one or two endpoints" -- # nothing at all
	wrong "nothing to join" "name one or two endpoints" -- -v
	wrong "-x: " "no such option" "netrelay --help" -- -x
	wrong "-x: " "no such option" "netrelay --help" -- -vx br0
	wrong "--linger: " "no such option" "netrelay --help" -- --linger 5000
	wrong "--lisen: " "no such option" "did you mean --listen?" -- --lisen 5000
	wrong "--help=me: " "takes no value" "netrelay --help" -- --help=me
	wrong "-l: " "port is missing" "as in -l 5000" -- -l
	wrong "-l: " "port is missing" "as in -l 5000" -- br0 -vl
	wrong "3 endpoints" "too many for a cable, which has two" "netrelay -l PORT TARGET" -- br0 br1 br2
	wrong "-: " "stdin and stdout can be one endpoint only" "use another endpoint in place of one" -- -
	wrong "-: " "can be one endpoint only" "use another endpoint in place of one" -- - -
	wrong "-: " "can be one endpoint only" "use another endpoint in place of one" -- -l 5000 - br0 -
	wrong "5000: " "given twice" "once is enough" -- -l 5000 -l 5000
	wrong "unix-listen:a: " "given twice" "once is enough" -- -l unix-listen:a unix-listen:a
	wrong "fd:3: " "given twice" "one endpoint only" -- fd:3 fd:3
	wrong "fd:1: " "belongs to -, which is given as well" -- - fd:1
	wrong '"": ' "must not be empty" "- is stdin and stdout" -- ""
	wrong "second:: " "port is missing" "1 to 65535" -- br0 second:
	wrong "third:: " "port is missing" "1 to 65535" -- -l 5000 br0 br1 third:
}

@test "wrong usage: short forms" {
	wrong_endpoints '' <<-'EOT'
		:|address is missing|ADDR:PORT
		:5000|address is missing|ADDR:PORT
		::|both ports are missing|LPORT, RPORT or both
		:10.0.0.1:|both ports are missing|LPORT, RPORT or both
		5000::5000|both ports are 5000|must differ
		5000::|both ports are 5000|must differ
		::5000|both ports are 5000|must differ
		10.0.0.1:|port is missing|1 to 65535
		[::1]:|port is missing|1 to 65535
		[::1]|port is missing|[ADDR6]:PORT
		10.0.0.1:0|port "0"|1 to 65535
		10.0.0.1:65536|port "65536"|1 to 65535
		10.0.0.1:-1|port "-1"|1 to 65535
		10.0.0.1:0x50|port "0x50"|1 to 65535
		10.0.0.1:http|port "http"|1 to 65535
		10.0.0.1: 80|port " 80"|1 to 65535
		10.0.0.1:99999999999999999999|port "99999999999999999999"|1 to 65535
		0:10.0.0.1:5000|port "0"|1 to 65535
		5000:10.0.0.1:0|port "0"|1 to 65535
		5000:10.0.0.1:65536|port "65536"|1 to 65535
		x:10.0.0.1:5000|"x" is no local port|1 to 65535
		5000:10.0.0.256:5001|"10.0.0.256"|no IPv4 address or [IPv6 address]
		10.0.0.256:5000|"10.0.0.256"|no IPv4 address or [IPv6 address]
		010.0.0.1:5000|"010.0.0.1"|no IPv4 address or [IPv6 address]
		10.1:5000|"10.1"|no IPv4 address or [IPv6 address]
		[10.0.0.1]:5000|"[10.0.0.1]"|no IPv4 address or [IPv6 address]
		[fe80::g]:5000|"[fe80::g]"|no IPv4 address or [IPv6 address]
		[fe80::1%]:5000|"[fe80::1%]"|no IPv4 address or [IPv6 address]
		host:5000|"host" is no IPv4 address|tcp:host:5000 takes a name
		5000:host:5001|"host" is no IPv4 address|udp:host:5001,local=5000 takes a name
		::1:5000|too many colons|in brackets, as in [::1]:5000
		fe80::1|IPv6 address|in brackets, as in [::1]:5000
		1:2:3:4|too many colons|ADDR:PORT or LPORT:ADDR:RPORT
		[::1:5000|too many colons|in brackets, as in [::1]:5000
		unxi:/run/a|"unxi"|a kind of endpoint: tcp, tcp-listen, unix,
		tpc:host:5000|"tpc"|a kind of endpoint: tcp, tcp-listen, unix,
		br-0123456789abc|name "br-0123456789abc"|longer than the 15 bytes
		br/0|name "br/0"|must not contain '/'
		br 0|name "br 0"|must not contain blanks
		br%d|name "br%d"|must not contain '%'
		..|name ".."|the kernel refuses
		br0,mtu=9000|options need the long form|bridge:br0,mtu=9000
		10.0.0.1:5000,isolated|options need the long form|tcp:10.0.0.1:5000,isolated
		1:10.0.0.1:2,isolated|options need the long form|udp:HOST:RPORT,local=LPORT,isolated
	EOT
}

@test "wrong usage: long forms of streams and UDP" {
	wrong_endpoints '' <<-'EOT'
		tcp:|nothing follows tcp:|tcp:HOST:PORT
		tcp:host|port is missing|tcp:HOST:PORT
		tcp::5000|host is missing|tcp:HOST:PORT
		tcp:host:|port is missing|1 to 65535
		tcp:host:0|port "0"|1 to 65535
		tcp:host:1:2|too many colons|in brackets, as in [::1]:5000
		tcp:10.0.0.256:5000|host "10.0.0.256"|no name, IPv4 address or [IPv6 address]
		tcp:h st:5000|host "h st"|no name, IPv4 address or [IPv6 address]
		tcp:host:1,x=1|tcp has no option "x"|tcp:HOST:PORT
		tcp:host:1,|nothing follows a comma|tcp:HOST:PORT
		tcp-listen:|nothing follows tcp-listen:|tcp-listen:[ADDR:]PORT
		tcp-listen:0|port "0"|1 to 65535
		tcp-listen::5000|address is missing|give the port alone
		tcp-listen:host:5000|"host"|no IPv4 address or [IPv6 address]
		tcp-listen:5000,mode=0600|tcp-listen has no option "mode"|tcp-listen:[ADDR:]PORT
		unix:|nothing follows unix:|unix:PATH
		unix:a,b|unix has no option "b"|a comma within a path is doubled
		unix-listen:a,mode=8|option mode: "8"|octal number from 0 to 0777
		unix-listen:a,mode=1000|option mode: "1000"|octal number from 0 to 0777
		unix-listen:a,mode=rw|option mode: "rw"|octal number from 0 to 0777
		unix-listen:a,mode=|option mode has no value|unix-listen:PATH[,mode=0660]
		unix-listen:a,mode=1,mode=1|option mode is given twice|give it once
		unix-listen:a,mdoe=1|unix-listen has no option "mdoe"|unix-listen:PATH[,mode=0660]
		udp:|nothing follows udp:|udp:HOST:PORT[,local=[ADDR:]PORT]
		udp:5000|port is missing|udp:HOST:PORT[,local=[ADDR:]PORT]
		udp:host:1,local=0|option local: port "0"|1 to 65535
		udp:host:1,local=host:1|option local: "host"|no IPv4 address or [IPv6 address]
		udp:host:1,lokal=1|udp has no option "lokal"|udp:HOST:PORT[,local=[ADDR:]PORT]
		udp:[::1]:1,local=10.0.0.1:1|local address and host|must both be IPv4 or both IPv6
	EOT
}

@test "wrong usage: the other long forms" {
	wrong_endpoints '' <<-'EOT'
		unixgram:a|option local is missing|unixgram:PATH,local=PATH
		unixgram:,local=a|nothing follows unixgram:|unixgram:PATH,local=PATH
		unixgram:a,local=a|the two paths must differ|PATH is the peer's, local=PATH is ours
		mcast:|nothing follows mcast:|mcast:GROUP:PORT[,if=ADDR]
		mcast:230.0.0.1|port is missing|mcast:GROUP:PORT[,if=ADDR]
		mcast:10.0.0.1:1234|group "10.0.0.1"|224.0.0.0 to 239.255.255.255
		mcast:[fe80::1]:1234|group "fe80::1"|[ff00::] and up
		mcast:[ff02::1%lo]:1234|interface by if=NAME, not by %|if=NAME
		mcast:230.0.0.1:1234,if=eth0|option if: "eth0"|must be an IPv4 address
		mcast:[ff02::1]:1234,if=a/b|name "a/b"|must not contain '/'
		bridge:|nothing follows bridge:|bridge:NAME[,tap=NAME][,mtu=N]
		bridge:br-0123456789abc|name "br-0123456789abc"|longer than the 15 bytes
		bridge:b,tap=t%d|option tap: the tap's name "t%d"|must not contain '%'
		bridge:b,tap=b|the tap must not have|bridge's own name
		bridge:b,mtu=67|option mtu: "67"|from 68 to 65521
		bridge:b,mtu=65522|option mtu: "65522"|from 68 to 65521
		bridge:b,vlan=1|bridge has no option "vlan"|bridge:NAME[,tap=NAME][,mtu=N]
		tap:|nothing follows tap:|tap:NAME
		tap:0123456789abcdef|name "0123456789abcdef"|longer than the 15 bytes
		tap:a,mtu=9000|tap has no option "mtu"|tap:NAME
		fd:|nothing follows fd:|fd:N
		fd:x|descriptor "x"|as in fd:3
		fd:-1|descriptor "-1"|as in fd:3
		fd:2147483648|descriptor "2147483648"|as in fd:3
		fd:2|descriptor 2 is standard error|pass it by another number
		exec:|nothing follows exec:|exec:COMMAND
		exec:  |command is blank|exec:COMMAND
	EOT
}

@test "wrong usage: rules of a port" {
	wrong_endpoints '' <<-'EOT'
		tcp:host:1,isolated=on|option isolated takes no value|say isolated alone
		tcp:host:1,isolated,isolated|option isolated is given twice|give it once
		unix:a,isolatde|unix has no option "isolatde"|it has name=WORD, isolated, mac=ADDR and pad=0
		unix:a,name|option name has no value|name=WORD
		tcp-listen:1,name=7|"7" must be 1 to 31 letters, digits|not digits alone
		fd:3,name=a b|"a b" must be 1 to 31 letters, digits, ., _ or -
		tap:a,mac|option mac has no value|mac=52:54:00:00:00:01
		tap:a,mac=52:54:00:00:00|"52:54:00:00:00"|as in 52:54:00:00:00:01
		tap:a,mac=52:54:00:00:00:01:02|"52:54:00:00:00:01:02"|as in 52:54:00:00:00:01
		tap:a,mac=52-54-00-00-00-01|"52-54-00-00-00-01"|as in 52:54:00:00:00:01
		tap:a,mac=01:00:5e:00:00:01|"01:00:5e:00:00:01"|address of one machine
		tap:a,mac=ff:ff:ff:ff:ff:ff|"ff:ff:ff:ff:ff:ff"|address of one machine
		tap:a,mac=00:00:00:00:00:00|"00:00:00:00:00:00"|address of one machine
		fd:3,mac=2:0:0:0:0:1|"2:0:0:0:0:1"|as in 52:54:00:00:00:01
	EOT
	wrong "tap:a,mac=" 'option mac: "02:00:00:00:00:09" is one too many' "8 addresses at most" -- \
		"tap:a$(printf ',mac=02:00:00:00:00:%02d' {1..9})"
	wrong "option mac: " "is given twice" "each address once" -- \
		tap:a,mac=02:00:00:00:00:0a,mac=02:00:00:00:00:0A
}

@test "wrong usage: options of a server" {
	wrong "--hub " "for a server, with -l" "to the other end" -- --hub br0 br1
	wrong "--storm " "for a server, with -l" -- --storm 5 br0
	wrong "--fdb-size " "for a server, with -l" -- --fdb-size 5 br0
	wrong "--storm " "--hub makes a hub" "leave one of them out" -- -l 5000 --hub --storm 5
	wrong "--hub=1: " "takes no value" -- -l 5000 --hub=1
	wrong "--storm: " "value is missing" "netrelay --help" -- -l 5000 --storm
	wrong "--storm is given twice" "give it once" -- -l 5000 --storm 1 --storm 2
	for value in '' -1 +1 ' 1' 1x 0x1 1e3 4294967296 99999999999999999999; do
		wrong "--storm: \"$value\"" "a number from 0 to 4294967295" -- \
			-l 5000 "--storm=$value"
	done
	for value in '' -1 0 1048577; do
		wrong "--fdb-size: \"$value\"" "a number from 1 to 1048576" -- \
			-l 5000 --fdb-size "$value"
	done
}

@test "wrong usage: control socket, metrics and capture" {
	local long

	long=$(printf 'a%.0s' {1..108})
	wrong "--ctl: " "the path is empty" -- br0 --ctl ''
	wrong "--ctl aaa" "the path is 108 bytes long" "107 at most" -- br0 --ctl "$long"
	wrong "--ctl is given twice" "give it once" -- br0 --ctl a --ctl b
	wrong "--capture: " "the path is empty" -- br0 --capture ''
	wrong "-: --capture - writes to stdout" "name a file there" -- br0 --capture -
	wrong "fd:1: --capture - writes to stdout" -- --capture - br0 fd:1
	for value in '' 0 65536 -1 :9100 host:9100 ::1:9100 tcp-listen:9100 \
		unix-listen:a; do
		wrong "--metrics: \"$value\"" "PORT, ADDR:PORT or [ADDR6]:PORT" "from 1 to 65535" -- \
			br0 --metrics "$value"
	done
	wrong "ctl: " "path is missing" "netrelay ctl PATH COMMAND" -- ctl
	wrong "ctl: " "command is missing" "netrelay ctl a help" -- ctl a
	wrong "ctl: " "the path is empty" -- ctl '' help
	wrong "ctl: " "the path is 108 bytes long" "107 at most" -- ctl "$long" help
	wrong "top: " "path is missing" "netrelay top PATH" -- top
	wrong "top: " "one path is enough" "netrelay top PATH" -- top a b
	wrong "top: " "the path is 108 bytes long" "107 at most" -- top "$long"
	wrong "ctl must be the first word" "bridge:ctl" -- -v ctl a help
	[[ $("$NETRELAY" ctl --help) == "$("$NETRELAY" --help)" ]]
}

@test "wrong usage: what -l takes" {
	wrong_endpoints listen <<-'EOT'
		0|port "0"|1 to 65535
		65536|port "65536"|1 to 65535
		5000x|port "5000x"|1 to 65535
		10.0.0.1|port "10.0.0.1"|1 to 65535
		10.0.0.1:|port is missing|1 to 65535
		10.0.0.256:5000|"10.0.0.256"|no IPv4 address or [IPv6 address]
		[::1|too many colons|[ADDR6]:PORT
		::1:5000|nothing can listen on this|PORT, ADDR:PORT, [ADDR6]:PORT
		5000:10.0.0.1:5000|too many colons|PORT, ADDR:PORT, [ADDR6]:PORT
		5000,isolated|options need the long form|tcp-listen:5000,isolated
		-|nothing can listen on this|PORT, ADDR:PORT, [ADDR6]:PORT
		br0|nothing can listen on this|tcp-listen:[ADDR:]PORT
		host:5000|nothing can listen on this|PORT, ADDR:PORT, [ADDR6]:PORT
		tcp:10.0.0.1:5000|nothing can listen on this|tcp-listen:[ADDR:]PORT
		unix:/run/a|nothing can listen on this|unix-listen:PATH[,mode=0660]
		tcp-listen:0|port "0"|1 to 65535
		unix-listen:a,mode=x|option mode: "x"|octal number from 0 to 0777
	EOT
}

@test "wrong usage: control characters do not get through, long texts are cut short" {
	local long

	long=$(printf 'a%.0s' {1..5000})
	wrong '\x1b[2J\x0a: ' '"br\x1b[2J\x0a"' "control characters" -- $'br\e[2J\n'
	wrong '\x0d\x07' "1 to 65535" -- $'10.0.0.1:1\r\a'
	wrong '\x1b]0;x\x07' "-l takes PORT" -- -l $'\e]0;x\a'
	wrong '\x09' 'no option "x\x09' -- $'udp:host:1,x\t=1'
	wrong '--storm: "\x1b[2J"' "must be a number" -- $'--storm=\e[2J'
	wrong '--metrics: "\x0a"' "must be PORT" -- --metrics $'\n'
	wrong 'netrelay ctl \x1b help' "command is missing" -- ctl $'\e'
	wrong 'option mac: "\x07"' "address of one machine" -- $'tap:a,mac=\a'
	wrong '--\x1b[31m: ' "no such option" -- $'--\e[31m'
	wrong '-\x1b: ' "no such option" -- $'-\e'
	wrong '\xff\xfe' "1 to 65535" -- $'10.0.0.1:\xff\xfe'
	wrong 'aaa...: ' "5000 bytes is too long" "1023 are allowed" -- "$long"
	wrong 'aaa...: ' "5000 bytes is too long" "1023 are allowed" -- -l "$long"
	wrong 'tcp:aaa' "host" "no name" -- "tcp:${long::300}:5000"
	wrong 'unix:aaa' "the path is 108 bytes long" "107 at most" -- "unix:${long::108}"
	wrong 'unixgram:a,local=aaa' "option local: the path is 108 bytes long" "107 at most" -- \
		"unixgram:a,local=${long::108}"
	wrong '--aaa' "no such option" -- "--$long"
	(($(wc -c <"$DIR/err") < 400))
}

# --- set-ups that can't work ------------------------------------------------

@test "set-up: bridges and taps" {
	ns_add lab
	veth_pair lab plain lab peer
	bridge_add lab br0
	fails in lab "nobr: bridge nobr does not exist" "ip link add nobr type bridge" -- \
		"$NETRELAY" -l 127.0.0.1:5000 nobr
	fails in lab "bridge:nobr: bridge nobr does not exist" "ip link add nobr type bridge" -- \
		"$NETRELAY" bridge:nobr -
	fails in lab "plain: plain is a veth, not a bridge" "ip link set plain master br0" -- \
		"$NETRELAY" plain -
	fails in lab "bridge:br0,tap=plain: plain exists, and is not a tap" "take another name" -- \
		"$NETRELAY" -l 127.0.0.1:5000 bridge:br0,tap=plain
	fails in lab "tap:plain: plain exists, and is not a tap" "take another name" -- "$NETRELAY" tap:plain -
	ns lab ip tuntap add t0 mode tap
	START_IN=hold relay_start one in lab tap:t0 -
	relay_wait_up one 2
	fails in lab "tap:t0: t0 is in use by another program" "take another tap" -- "$NETRELAY" tap:t0 -
	run -0 relay_stop one
	run -0 bridge_ports lab br0
	assert_output ""
}

@test "set-up: addresses that are in use, or nobody's" {
	ns_add lab
	relay_start one in lab -l 5000 udp:127.0.0.1:6001,local=6000 \
		'udp:[::1]:6001,local=6000'
	relay_wait_up one 2
	fails in lab "5000: listen: Address" "in use; end the program that uses it, or take another" -- \
		"$NETRELAY" -l 5000
	fails in lab "127.0.0.1:5000: listen: Address" "in use; end the program that uses it" -- \
		"$NETRELAY" -l 127.0.0.1:5000
	fails in lab "tcp-listen:[::1]:5000: listen: Address" "in use; end the program that uses it" -- \
		"$NETRELAY" 'tcp-listen:[::1]:5000' -
	fails in lab "6000::6002: bind to 0.0.0.0:6000: Address" "in use; end the program that uses it" -- \
		"$NETRELAY" 6000::6002
	fails in lab "udp:[::1]:6002,local=6000: bind to [::]:6000: Address" "end the program that uses it" -- \
		"$NETRELAY" 'udp:[::1]:6002,local=6000'
	fails in lab "192.0.2.7:5000: listen: " "take one of this host" -- \
		"$NETRELAY" -l 192.0.2.7:5000
	fails in lab "tcp-listen:[2001:db8::7]:5000: listen: " "take one of this host" -- \
		"$NETRELAY" 'tcp-listen:[2001:db8::7]:5000' -
	fails in lab "local=192.0.2.7:5: bind to 192.0.2.7:5: " "take one of this host" -- \
		"$NETRELAY" -l 127.0.0.1:5001 udp:127.0.0.1:5,local=192.0.2.7:5
	fails in lab "[fe80::1%none]:5000: listen: " "there is no such interface" -- \
		"$NETRELAY" -l '[fe80::1%none]:5000'
	fails in lab "mcast:[ff02::5]:1234: bind: " "needs if=INTERFACE" -- \
		"$NETRELAY" 'mcast:[ff02::5]:1234' -
	run -0 relay_stop one
}

@test "set-up: paths" {
	mkdir "$DIR/d"
	echo precious >"$DIR/file"
	relay_start one -l "unix-listen:$DIR/s" "unixgram:$DIR/theirs,local=$DIR/g"
	wait_listen - unix "$DIR/s"
	wait_listen - unixgram "$DIR/g"
	fails "unix-listen:$DIR/s: listen: Address" "in use; end the program that uses it, or take another" -- \
		"$NETRELAY" -l "unix-listen:$DIR/s"
	fails "bind to $DIR/g: Address" "in use; end the program that uses it, or take another" -- \
		"$NETRELAY" "unixgram:$DIR/x,local=$DIR/g" -
	fails "bind to $DIR/s: Address" "in use; end the program that uses it, or take another" -- \
		"$NETRELAY" "unixgram:$DIR/x,local=$DIR/s" -
	fails "unix-listen:$DIR/none/s: listen: " "make its directory first" -- \
		"$NETRELAY" "unix-listen:$DIR/none/s" -
	fails "bind to $DIR/none/s: " "make its directory first" -- \
		"$NETRELAY" "unixgram:$DIR/x,local=$DIR/none/s" -
	fails "unix-listen:$DIR/file/s: listen: " "a part of the path is a file" -- \
		"$NETRELAY" "unix-listen:$DIR/file/s" -
	fails "unix-listen:$DIR/file: listen: " "remove what is there" -- \
		"$NETRELAY" "unix-listen:$DIR/file" -
	fails "bind to $DIR/file: " "remove what is there" -- \
		"$NETRELAY" "unixgram:$DIR/x,local=$DIR/file" -
	fails "unix-listen:$DIR/d: listen: " "remove what is there" -- \
		"$NETRELAY" "unix-listen:$DIR/d" -
	[[ $(<"$DIR/file") == precious && -d $DIR/d ]]
	# Nobody took anything from who was there first.
	assert_socket_exists "$DIR/s"
	assert_socket_exists "$DIR/g"
	frames_start rx recv "unix:$DIR/s" --count 50 --lossless
	relay_wait_up one 2
	run -0 "$FRAMES" send "unixgram:$DIR/g,local=$DIR/theirs" --count 50
	run -0 frames_wait rx
	relay_check_sums one
	run -0 relay_stop one
}

@test "set-up: descriptors" {
	local pass=("$PASS_FD")

	fails "fd:9: is not open" "whoever starts netrelay must pass it" -- \
		sh -c 'exec "$0" fd:9 - 9<&-' "$NETRELAY"
	# Those that netrelay opens for itself do not make up for it.
	for fd in 3 4 5 6 7; do
		fails "fd:$fd: is not open" "must pass it" -- sh -c \
			'exec "$0" -l unix-listen:$1/s exec:true fd:$2 3<&- 4<&- 5<&- 6<&- 7<&-' \
			"$NETRELAY" "$DIR" "$fd"
	done
	fails "fd:2147483647: is not open" "must pass it" -- "$NETRELAY" fd:2147483647 -
	fails "fd:0: is not open" "must pass it" -- sh -c 'exec "$0" fd:0 unix-listen:$1/s <&-' \
		"$NETRELAY" "$DIR"
	fails "fd:9: is neither a socket nor a tap" -- \
		sh -c 'exec "$0" fd:9 - 9</dev/null' "$NETRELAY"
	fails "fd:3: is a socket that is not connected" -- \
		"${pass[@]}" unconnected -- "$NETRELAY" fd:3 -
	fails "fd:3: is a socket that is not connected" -- \
		"${pass[@]}" listening -- "$NETRELAY" fd:3 -
	fails "fd:3: is a socket, but neither of streams nor of datagrams" -- \
		"${pass[@]}" netlink -- "$NETRELAY" fd:3 -
	ns_add lab
	fails in lab "fd:3: is a tap that carries headers, or IP packets" -- \
		"${pass[@]}" tap-headers t0 -- "$NETRELAY" fd:3 -
	fails in lab "fd:3: is a tap that carries headers, or IP packets" -- \
		"${pass[@]}" tun t0 -- "$NETRELAY" fd:3 -
}

@test "a terminal is refused as stdin and as stdout, and a closed one too" {
	local run=("$NETRELAY" - "unix:$DIR/s") quoted

	printf -v quoted '%q ' "${run[@]}"
	run -2 timeout 60 script -qec "$quoted >'$DIR/out' 2>'$DIR/err'" /dev/null </dev/null
	one_line "$DIR/err" "-: stdin is a terminal" "redirect it, or name a second endpoint"
	[[ ! -s $DIR/out ]]
	run -2 timeout 60 script -qec "$quoted </dev/null 2>'$DIR/err'" /dev/null </dev/null
	refute_output
	one_line "$DIR/err" "-: stdout is a terminal" "redirect it, or name a second endpoint"
	# One endpoint is enough for a terminal to be the other.
	run -2 timeout 60 script -qec "'$NETRELAY' 'unix:$DIR/s' 2>'$DIR/err'" /dev/null </dev/null
	one_line "$DIR/err" "-: stdin is a terminal"
	fails "-: stdin is closed" "open it, or name another endpoint" -- \
		sh -c 'exec "$@" <&-' sh "${run[@]}"
	run -1 sh -c 'exec "$@" </dev/null 2>"$0" >&-' "$DIR/err" "${run[@]}"
	one_line "$DIR/err" "-: stdout is closed" "open it, or name another endpoint"
}

@test "a terminal that is no endpoint is none of our business" {
	start one script -qec "exec '$NETRELAY' -l 'unix-listen:$DIR/s'" /dev/null
	wait_listen - unix "$DIR/s"
	run -0 pkill -TERM -P "$(pid_of one)" # which script started
	run -0 wait_end one
	[[ ! -s $DIR/one.out ]]
}

# --- signals, and the end ---------------------------------------------------

@test "TERM, INT and HUP stop it, with exit status 0 and in silence" {
	for signal in TERM INT HUP; do
		relay_start one -l "unix-listen:$DIR/s" exec:cat
		relay_wait_up one 1
		: >"$DIR/one.err"
		run -0 stop one "$signal"
		[[ ! -s $DIR/one.out && ! -s $DIR/one.err ]]
		assert_not_exists "$DIR/s"
	done
}

@test "a signal that it was told to ignore is ignored" {
	start one env --ignore-signal=HUP --ignore-signal=INT "$NETRELAY" -l "unix-listen:$DIR/s"
	wait_listen - unix "$DIR/s"
	kill -HUP "$(pid_of one)"
	kill -INT "$(pid_of one)"
	relay_check_sums one
	frames_start rx recv "unix:$DIR/s" --count 50 --lossless
	relay_wait_ports one 1
	run -0 "$FRAMES" send "unix:$DIR/s" --count 50
	run -0 frames_wait rx
	run -0 relay_stop one
}

@test "-v tells of ports, and prints the status at the end" {
	relay_start one -v -l "unix-listen:$DIR/s"
	wait_listen - unix "$DIR/s"
	run -0 "$FRAMES" send "unix:$DIR/s" --count 50
	wait_for 5 "end of client" grep -q 'closed by the peer' "$DIR/one.err"
	run -0 relay_stop one
	assert_file_contains "$DIR/one.err" "^netrelay: unix-listen:$DIR/s: listening$"
	assert_file_contains "$DIR/one.err" "^netrelay: unix:$DIR/s#1: up$"
	assert_file_contains "$DIR/one.err" \
		'^netrelay: status: switch, 0 ports: received 50, copied 0, sent 0, queued 0, dropped 50$'
	[[ $(tail -n 1 "$DIR/one.err") == "netrelay: end of status" ]]
	awk -f "$LAB_ROOT/itest/status.awk" "$DIR/one.err"
	[[ ! -s $DIR/one.out ]]
}

# all_of: the pids that the kill of README and manual is for: pidof finds the helpers, too.
all_of()
{
	pgrep -f -- "-l unix-listen:$DIR/s"
}

@test "kill -USR1 \$(pidof netrelay) prints the status once, and ends no helper" {
	local before all=()

	needs_tun
	ns_add lab
	relay_start one in lab --capture "$DIR/c" -l "unix-listen:$DIR/s" tap:t0 'exec:exec sleep 1000' \
		tcp:localhost:9
	wait_for 10 "a command" has_command one sleep
	wait_for 10 "a name" has_logged one "connect to"
	relay_wait_up one 2
	mapfile -t all < <(all_of)
	((${#all[@]} >= 6))
	before=$(_count_statuses one)
	kill -USR1 "${all[@]}"
	wait_for 5 "status" _has_statuses one $((before + 1))
	# Whoever was ended is missing, or is another one by now.
	run -0 all_of
	assert_output "$(printf '%s\n' "${all[@]}")"
	pass_frames "$DIR/s"
	run -1 grep -E 'ended|starting another' "$DIR/one.err"
	assert_equal "$(_count_statuses one)" $((before + 1))
	run -0 relay_stop one
}

# --- stderr -----------------------------------------------------------------

# pass_frames PATH: from one client of a server to another.
pass_frames()
{
	frames_start rx recv "unix:$1" --count 100 --lossless
	START_IN=hold frames_start tx send "unix:$1" --count 100
	run -0 frames_wait rx
	run -0 frames_wait tx
}

@test "a stderr that nobody reads does not stop the relay" {
	local pipe

	mkfifo "$DIR/full"
	exec {pipe}<>"$DIR/full"
	head -c 65536 /dev/zero >&"$pipe" # as much as it takes
	start one sh -c 'exec "$0" -v -l "unix-listen:$1/s" 2>"$1/full"' "$NETRELAY" "$DIR"
	wait_listen - unix "$DIR/s"
	pass_frames "$DIR/s"
	kill -USR1 "$(pid_of one)"
	pass_frames "$DIR/s"
	# When there is room again, it says that something is missing.
	head -c 65536 <&"$pipe" >/dev/null
	cat <&"$pipe" >"$DIR/read" &
	kill -USR1 "$(pid_of one)"
	wait_for 5 "the status" grep -q "end of status" "$DIR/read"
	kill %1
	assert_file_contains "$DIR/read" '^netrelay: [0-9]* messages left out here$'
	awk -f "$LAB_ROOT/itest/status.awk" "$DIR/read"
	exec {pipe}<&-
	run -0 relay_stop one
}

@test "a stderr whose reader is gone does not stop the relay" {
	mkfifo "$DIR/gone"
	start reader sh -c 'exec 3<>"$0"; echo; exec sleep 1000' "$DIR/gone"
	wait_for 5 "reader" grep -q '^$' "$DIR/reader.out"
	start one sh -c 'exec "$0" -v -l "unix-listen:$1/s" 2>"$1/gone"' "$NETRELAY" "$DIR"
	wait_listen - unix "$DIR/s"
	run stop reader
	kill -USR1 "$(pid_of one)"
	pass_frames "$DIR/s"
	run -0 relay_stop one
}

#   frames --- :5000 one --- localhost:6000 frames
@test "started without stdin, stdout or stderr, it does not mix them up" {
	local closed fd

	ns_add lab
	for closed in '<&-' '>&-' '2>&-' '<&- >&- 2>&-'; do
		frames_start rx in lab recv tcp-listen:127.0.0.1:6000 --count 500 --lossless
		start one in lab sh -c "exec \"\$0\" \"\$@\" $closed" "$NETRELAY" -v -l 5000 \
			tcp:localhost:6000
		wait_for 10 "connection" ns lab sh -c \
			'ss -Htn state established dport = 6000 | grep -q .'
		for fd in 0 1 2; do
			[[ $(readlink "/proc/$(pid_of one)/fd/$fd") != *socket* ]]
			[[ $(readlink "/proc/$(helper_of one names)/fd/$fd") != *socket* ]]
			[[ $(readlink "/proc/$(pid_of one)/fd/$fd") != anon_inode* ]]
		done
		kill -USR1 "$(pid_of one)"
		ns lab "$FRAMES" send tcp:127.0.0.1:5000 --count 500
		kill -USR1 "$(pid_of one)"
		run -0 frames_wait rx
		assert_line --partial "total: received 500 lost 0 damaged 0"
		run -0 relay_stop one
	done
}

# --- surroundings -----------------------------------------------------------

@test "environment, umask and directory do not matter" {
	mkdir "$DIR/d"
	start one sh -c 'cd "$1/d" && rmdir "$1/d" && umask 0777 &&
		exec env -i LAB_MARK="$LAB_MARK" POSIXLY_CORRECT=1 LC_ALL=xx_XX.UTF-8 LANGUAGE=x \
		TZ=:/none HOME= IFS=l TMPDIR=/none LD_LIBRARY_PATH=/none RES_OPTIONS=x \
		"$0" -l "unix-listen:$1/s,mode=0600" exec:cat' "$NETRELAY" "$DIR"
	relay_wait_up one 1
	# cat gives back what it gets.
	run -0 "$FRAMES" both "unix:$DIR/s" --count 100 --lossless
	relay_check_sums one
	run -0 relay_stop one
}

# --- children ---------------------------------------------------------------

fds_of()
{
	find "/proc/$1/fd" -mindepth 1 -printf '%f\n' | sort -n | tr '\n' ' '
}

@test "a command has stdin, stdout and stderr, and nothing else" {
	local child

	exec 7</dev/null
	relay_start one -l "unix-listen:$DIR/s" -l "unix-listen:$DIR/t" \
		"unixgram:$DIR/x,local=$DIR/y" "exec:exec sleep 1000"
	exec 7<&-
	wait_for 5 "command" has_command one sleep
	frames_start client raw "unix:$DIR/s" --wait 20000
	relay_wait_ports one 3
	child=$(command_of one sleep)
	[[ $(fds_of "$child") == "0 1 2 " ]]
	[[ $(readlink "/proc/$child/fd/0") == socket:* ]]
	[[ $(readlink "/proc/$child/fd/1") == "$(readlink "/proc/$child/fd/0")" ]]
	[[ $(readlink "/proc/$child/fd/2") == "$DIR/one.err" ]]
	# And no signal is blocked or ignored because that suits us.
	run -0 grep -E '^Sig(Blk|Ign)' "/proc/$child/status"
	assert_line --regexp $'SigBlk:\t0+$'
	# Two real-time signals are the libc's own, and whoever starts the tests may ignore them.
	assert_line --regexp $'SigIgn:\t0+[01]?[08]?0{7}$'
	# The helper has no socket but the one to the relay, and the keeper its life line.
	run -0 find "/proc/$(helper_of one start)/fd" -lname 'socket:*'
	((${#lines[@]} == 1))
	run -0 find "/proc/$(pgrep -P "$(helper_of one start)" -x netrelay-exec)/fd" -lname 'socket:*'
	((${#lines[@]} == 1))
	run -0 relay_stop one
}

# leaves_nobody SIGNAL STATUS COMMAND...: the end by a signal is the children's, too.
leaves_nobody()
{
	local helper child

	relay_start one -l "unix-listen:$DIR/s" "exec:$3"
	wait_for 5 "command" has_command one sleep
	helper=$(helper_of one start)
	child=$(command_of one sleep)
	run "-$2" stop one "$1"
	wait_for 10 "end of helper" is_gone "$helper"
	wait_for 10 "end of command" is_gone "$child"
	rm -f "$DIR/s"
}

@test "helper and command end with the relay, by TERM and by KILL" {
	leaves_nobody TERM 0 "exec sleep 1000"
	leaves_nobody KILL 137 "exec sleep 1000"
}

@test "a command is given time to tidy up" {
	relay_start one -l "unix-listen:$DIR/s" \
		"exec:trap 'echo tidy >\"$DIR/last\"; exit' TERM; while :; do sleep 0.1; done"
	relay_wait_up one 1
	run -0 relay_stop one
	assert_file_contains "$DIR/last" tidy
}

@test "a command that ignores TERM ends with the relay all the same" {
	leaves_nobody TERM 0 "trap '' TERM; exec sleep 1000"
	leaves_nobody KILL 137 "trap '' TERM; exec sleep 1000"
}

@test "a command ends when the helper is killed; the relay goes on" {
	local child

	relay_start one -l "unix-listen:$DIR/s" "exec:exec sleep 1000"
	wait_for 5 "command" has_command one sleep
	child=$(command_of one sleep)
	kill -KILL "$(helper_of one start)"
	wait_for 10 "end of command" is_gone "$child"
	wait_for 5 "message" grep -q "the helper process for commands has ended" "$DIR/one.err"
	pass_frames "$DIR/s"
	run -0 relay_stop one
}

@test "how a command ended is told, also when SIGCHLD was ignored at the start" {
	start one env --ignore-signal=CHLD "$NETRELAY" -l "unix-listen:$DIR/s" "exec:exit 3"
	wait_for 5 "message" grep -q "exec:exit 3: exited with status 3" "$DIR/one.err"
	run -0 relay_stop one
}

# --- unix paths -------------------------------------------------------------

@test "unix paths are removed at the end, and taken over when stale" {
	local args=(-l "unix-listen:$DIR/s" "unixgram:$DIR/x,local=$DIR/g")

	relay_start one "${args[@]}"
	wait_listen - unix "$DIR/s"
	wait_listen - unixgram "$DIR/g"
	run -137 stop one KILL
	assert_socket_exists "$DIR/s"
	assert_socket_exists "$DIR/g"
	relay_start one "${args[@]}"
	wait_listen - unix "$DIR/s"
	wait_listen - unixgram "$DIR/g"
	pass_frames "$DIR/s"
	run -0 relay_stop one
	assert_not_exists "$DIR/s"
	assert_not_exists "$DIR/g"
	# Also when the set-up fails half-way.
	fails "fd:9: is neither" -- sh -c 'exec "$@" 9</dev/null' sh "$NETRELAY" "${args[@]}" fd:9
	assert_not_exists "$DIR/s"
	assert_not_exists "$DIR/g"
}

@test "a path that is somebody else's by now is not removed" {
	relay_start one -l "unix-listen:$DIR/s"
	wait_listen - unix "$DIR/s"
	rm "$DIR/s"
	relay_start two -l "unix-listen:$DIR/s"
	wait_for 5 "second listener" test -S "$DIR/s"
	run -0 relay_stop one
	assert_socket_exists "$DIR/s"
	pass_frames "$DIR/s"
	run -0 relay_stop two
	assert_not_exists "$DIR/s"
}

@test "mode= is the mode of the path, whatever the umask" {
	local mask mode

	for mask in 0 022 077 0777; do
		for mode in 0 600 0660 777; do
			start one sh -c 'umask "$1"; exec "$0" -l "unix-listen:$2/s,mode=$3" \
				-l "unix-listen:$2/t" "unixgram:$2/x,local=$2/g"' \
				"$NETRELAY" "$mask" "$DIR" "$mode"
			wait_listen - unixgram "$DIR/g"
			[[ $((8#$(stat -c %a "$DIR/s"))) == $((8#$mode)) ]]
			[[ $(stat -c %a "$DIR/t") == 600 ]]
			[[ $(stat -c %a "$DIR/g") == 600 ]]
			run -0 relay_stop one
		done
	done
}

@test "a build says in one line which compiler or header is missing, and what installs it" {
	run -1 "$LAB_ROOT/ci/compiles" static no-such-compiler
	assert_output --partial "no-such-compiler: not found"
	assert_line "can't compile; on Debian 12, install what is needed: ci/deps build"
	run -1 "$LAB_ROOT/ci/compiles" shared gcc -nostdinc -I"$DIR"
	assert_output --partial "features.h: No such file"
	assert_line --partial "ci/deps build"
	run -0 "$LAB_ROOT/ci/compiles" shared gcc
	assert_output ""
	run -0 --separate-stderr "$LAB_ROOT/ci/compiles" static gcc
	[[ $stderr == *"without musl (Debian's musl-tools)"* ]]
}
