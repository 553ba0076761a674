#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# bats file_tags=slow
#
# System calls and allocations that fail: see itest/faults. By default a sample of them,
# for 25 s. The seed is the clock's, and is shown. FAULTS_SEED chooses one, FAULTS_SECONDS
# how long it takes; with FAULTS_ALL=1 it is all of them, which takes an hour or more.

load helpers

setup()
{
	common_setup
	SEED=${FAULTS_SEED:-$(date +%s)}
}

@test "any system call or allocation may fail" {
	if [[ ! ${NETRELAY_SANITIZED-} ]]; then
		make -s -C "$LAB_ROOT" sanitized
	fi
	echo "# faults: seed $SEED" >&3
	run "$LAB_ROOT/itest/faults" --seed "$SEED" --seconds "${FAULTS_SECONDS:-25}" \
		${FAULTS_ALL:+--all --go-on}
	assert_success
	assert_line --regexp '^[1-9][0-9]* of [0-9]+ faults, 0 findings, .*; [1-9][0-9]* came'
}

# It hung: the process that writes the capture waited for the one that waited for its end.
@test "a start that fails ends all that was started" {
	local call

	for call in epoll_ctl:1 epoll_ctl:2 epoll_ctl:3 timerfd_create:1; do
		run "$LAB_ROOT/itest/faults" --only "$call:ENOMEM" --times 1
		assert_success
		assert_line --partial "; 1 came"
	done
}
