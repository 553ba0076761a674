#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
#
# Splitting and merging, against the kernel's: see offload.c.

load helpers

OFFLOAD=${OFFLOAD:-$LAB_ROOT/build/offload}

#  +------------ a ------------+
#  |  tap a ----+              |
#  |           br0 -- tap plain|
#  |  tap super-+              |
#  +---------------------------+
offload()
{
	ns_add a
	# Nothing of the kernel's own is to come in between.
	no_ipv6 a
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
