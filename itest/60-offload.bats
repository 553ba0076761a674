#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
#
# Splitting and merging, against the kernel's: see offload.c.

bats_require_minimum_version 1.5.0
load helpers

OFFLOAD=${OFFLOAD:-$BENCH_ROOT/build/offload}

setup()
{
	common_setup
}

teardown()
{
	common_teardown
}

#  +------------ a ------------+
#  |  tap a ----+              |
#  |           br0 -- tap plain|
#  |  tap super-+              |
#  +---------------------------+
offload()
{
	needs_root
	ns_add a
	# Nothing of the kernel's own is to come in between.
	ns a sh -c 'echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6'
	ns a ip link add br0 type bridge forward_delay 0 mcast_snooping 0
	ns a ip link set br0 up
	run ns a "$OFFLOAD" br0 "$@"
	echo "$output" | grep -v '^ok '
	assert_success
	assert_line --regexp '^ok .* merge: TCP over IPv4'
	assert_line --regexp '^ok .* pieces: UDP over IPv4'
}

@test "offload: super-frames are split and merged as the kernel does it" {
	offload
}

@test "offload: the same by taps that take no super-frames of UDP" {
	offload no-uso
}
