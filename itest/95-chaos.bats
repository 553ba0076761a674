#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# bats file_tags=slow
#
# A minute of chaos: see itest/chaos. The seed is the clock's, and is shown, also
# when all held. CHAOS_SEED chooses one, CHAOS_SECONDS how long each test takes:
#
#   CHAOS_SECONDS=3600 bats itest/95-chaos.bats          an hour of each program
#   CHAOS_SEED=7 CHAOS_SECONDS=60 bats itest/95-chaos.bats -f sanitized
#
# or without bats, both programs in turns: ten minutes, 1000 deeds, for ever, some kinds:
#
#   make chaos
#   make chaos SEED=7 N=1000
#   make chaos N=0
#   itest/chaos --seconds 3600 [--seed N] [--program build/netrelay] [--only KIND,...]
#
# What is found ends it, with the command that does that round again.

load helpers

setup()
{
	common_setup
	SEED=${CHAOS_SEED:-$(date +%s)}
}

# chaos SECONDS PROGRAM
chaos()
{
	local seconds=${CHAOS_SECONDS:-$1}

	echo "# chaos: seed $SEED, $seconds s, ${2##*/}" >&3
	run "$LAB_ROOT/itest/chaos" --seed "$SEED" --seconds "$seconds" --program "$2"
	assert_success
	assert_line --partial "all held"
	assert_line --partial "honest frames"
}

@test "chaos for the sanitized program" {
	if [[ ! ${NETRELAY_SANITIZED-} ]]; then
		make -s -C "$LAB_ROOT" sanitized
	fi
	chaos 35 "${NETRELAY_SANITIZED:-$LAB_ROOT/build/netrelay-sanitized}"
}

@test "chaos for the program as it is released" {
	chaos 15 "$NETRELAY"
}
