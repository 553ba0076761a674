#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
#
# What takes long says on stderr what it does and how far it is, in plain lines.

load helpers

# until_seen FILE: a command that goes on until the file is there.
until_seen()
{
	printf 'until [[ -e %q ]]; do read -rt 0.1 <> <(:) || :; done' "$1"
}

says() # NAME TEXT
{
	grep -qF -- "$2" "$DIR/$1.err"
}

# is_plain NAME: no control characters, so nothing that only a terminal understands.
is_plain()
{
	! LC_ALL=C grep -n '[^[:print:]]' "$DIR/$1.err"
}

@test "progress: what is done, then its last line; and output only if it fails" {
	start one env PROGRESS_SECONDS=0.2 "$LAB_ROOT/ci/progress" "making one" bash -c \
		"echo first; printf '  \\e[1mCC  x.c\\n'; $(until_seen "$DIR/seen"); exit \$0" 0
	wait_for 5 "its beginning" says one "making one ..."
	wait_for 5 "its last line" says one "CC  x.c"
	touch "$DIR/seen"
	run -0 wait_end one
	is_plain one
	run ! says one first
	[[ ! -s $DIR/one.out ]]
	# It fails.
	run -3 --separate-stderr "$LAB_ROOT/ci/progress" "making two" bash -c 'echo why; exit 3'
	assert_equal "${stderr-}" $'making two ...\nwhy'
}

@test "progress: a signal ends the command, too, and nobody is left" {
	start one env PROGRESS_SECONDS=0.2 "$LAB_ROOT/ci/progress" "making one" bash -c \
		"echo \$\$ >'$DIR/pid'; $(until_seen "$DIR/none")"
	wait_for 5 "its pid" test -s "$DIR/pid"
	run stop one TERM
	wait_for 5 "its end" is_gone "$(<"$DIR/pid")"
}

@test "progress: of apt-get, how many per cent" {
	start one env PROGRESS_SECONDS=0.2 "$LAB_ROOT/ci/progress" "1 of 2" bash -c \
		"echo; echo pmstatus:gcc-12:42.5000:Unpacking gcc-12:amd64; $(until_seen "$DIR/seen"); exit 1"
	wait_for 5 "per cent" says one "42 %, Unpacking gcc-12:amd64"
	touch "$DIR/seen"
	run -1 wait_end one
	run ! says one pmstatus
}

@test "ci/deps: what is missing, and how far fetching it is" {
	local ID='' VERSION_ID=''

	# shellcheck source=/dev/null
	source /etc/os-release
	[[ $ID$VERSION_ID == debian12 && $EUID == 0 ]] || skip "needs Debian 12, and root"
	mkdir "$DIR/bin"
	# Stand for programs of the system: nothing is installed, and nothing will be.
	printf '#!/bin/bash\n' >"$DIR/bin/dpkg-query"
	printf '#!/bin/bash\n[[ $* == *install* ]] || exit 0\n%s\n%s\n' \
		'echo dlstatus:1:7.7000:Retrieving file 1 of 9' "$(until_seen "$DIR/seen")" >"$DIR/bin/apt-get"
	chmod 755 "$DIR/bin/"*
	start deps env PROGRESS_SECONDS=0.2 PATH="$DIR/bin:$PATH" "$LAB_ROOT/ci/deps" lint
	wait_for 5 "per cent" says deps "7 %, Retrieving file 1 of 9"
	touch "$DIR/seen"
	run -0 wait_end deps
	says deps "ci/deps: 6 packages are missing: clang-format "
	says deps "ci/deps: 1 of 2, fetching the list of packages ..."
	says deps "ci/deps: 2 of 2, installing 6 packages ..."
	is_plain deps
}

@test "side-by-side: how many have ended, and what runs" {
	local name

	for name in a 'b?' c; do
		echo "$name $(until_seen "$DIR/seen.$name"); echo ok 1; echo 1..1"
	done >"$DIR/list"
	PROGRESS_SECONDS=0.2 START_IN=$DIR/list start side "$LAB_ROOT/ci/side-by-side" -j 2
	wait_for 5 "two" says side "side-by-side: 0 of 3 done, 0 of 0 tests failed; running: "
	touch "$DIR/seen.a"
	wait_for 10 "the third" says side "side-by-side: 1 of 3 done, 0 of 1 tests failed; running: "
	touch "$DIR/seen.b?" "$DIR/seen.c"
	run -0 wait_end side
	assert_file_contains "$DIR/side.out" '^# 3 passed, 0 failed$'
	is_plain side
}

# demo COMMAND...: it has two guests, what it tells on the way, a ping that was answered, and
# leaves nothing.
demo()
{
	guest_image
	mkdir -m 1777 "$DIR/tmp"
	run -0 --separate-stderr env -u BATS_VERSION -u DIR TMPDIR="$DIR/tmp" timeout 300 "$@"
	assert_line --partial "3 packets received"
	assert_line --regexp "netrelay: status: switch, 2 ports: .* dropped 0$"
	assert_line "It works."
	grep -qx "ci/demo: waiting until alice has booted ..." <<<"${stderr-}"
	grep -qx "ci/demo: waiting until bob has booted ..." <<<"${stderr-}"
	run ! pgrep -f "$DIR/tmp"
	run -0 ls -A "$DIR/tmp"
	assert_output ""
}

# bats test_tags=slow
@test "make demo" {
	demo make -C "$LAB_ROOT" --no-print-directory demo
}

# bats test_tags=slow
@test "the demo needs no root" {
	local nobody=(setpriv --reuid=65534 --regid=65534 --clear-groups)

	needs_root
	"${nobody[@]}" test -r "$LAB_ROOT/ci/demo" -a -r "$NETRELAY" || skip "others can't read this checkout"
	chmod 755 "$DIR" "$DIR/.." "$DIR/../.." "$DIR/../../.."
	demo "${nobody[@]}" "$LAB_ROOT/ci/demo"
}

@test "bench: which of how many steps, and no more lines than of use" {
	run -0 --separate-stderr env PYTHONDONTWRITEBYTECODE=1 PYTHONPATH="$LAB_ROOT/bench" python3 -c \
		'import report
r = report.Results("")
r.steps = 2
r.begin("one")
r.going_on("run 1 of 2")
r.begin("two")'
	assert_equal "${stderr-}" $'bench: 1 of 2: one ...\nbench: 2 of 2: two ...'
	assert_output ""
}

# of_bench: Python on stdin, with the modules of the bench.
of_bench()
{
	run -0 --separate-stderr env PYTHONDONTWRITEBYTECODE=1 PYTHONPATH="$LAB_ROOT/bench" python3 -
}

@test "bench: each workload's table has a section of the report" {
	of_bench <<-'EOT'
		import guests, hosts, report, workloads
		names = [w.name for w in workloads.all_workloads() + guests.workloads()]
		names += [*hosts.WORKLOADS, "two-guests", "seal", "memory", "crowd", "idle-guests"]
		print([name for name in names if not report.section_of(name)], len(names) > 20)
		r = report.Results("")
		r.header("sealed", "by")
		r.row("x")
		r.header("tcp-tcp", "relay")
		r.row("y")
		lines = report.in_sections(r.lines)
		print([line for line in lines if line.startswith(("#", "| x", "| y"))])
	EOT
	assert_line "[] True"
	assert_line "['## Sockets and taps', '### tcp-tcp', '| y |',$(
		) '## Sealed trunks', '### sealed', '| x |']"
}

@test "bench: what a machine lacks is named, and is no goal missed" {
	local guests="qemu-system-x86_64, iperf3, busybox"

	of_bench <<-'EOT'
		import os, qemu, report, sealed, targets, workloads
		os.environ.update(PATH="/nowhere", NETRELAY_PROGRAMS="/nowhere")
		print(qemu.lacks(), "-", sealed.lacks("wireguard-go"), "-", sealed.lacks("netrelay sealed"))
		r = report.Results("")
		qemu.run(r, 1)
		r.skip("sealed, netrelay ssh", "no sshd here")
		r.add_flows("sealed", {name: workloads.Flow([gbits], [100], [0]) for name, gbits in
		                       (("netrelay trunk", 10), ("netrelay sealed", 7), ("netrelay tls", 4))})
		print(r.skipped)
		for row in targets.judge(r):
		    print(*row[1:])
	EOT
	assert_line "not measured: sealed, netrelay ssh: no sshd here"
	assert_line "no $guests here - no wireguard-go, wg here - None"
	assert_line "['- two guests of QEMU: no $guests here', '- sealed, netrelay ssh: no sshd here']"
	assert_line "≥ 0.6 x the plain trunk's 0.70 met"
	assert_line "≥ 2 x socat's over TLS, by exec: 1.75 **missed**"
	refute_output --partial "ssh's"
}
