#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# bats file_tags=slow
#
# Thousands of ports: what one more of them costs does not depend on how many
# there are, and those that are down cost next to nothing.

load helpers

# As many as a process may have descriptors for, 10,000 at most.
@test "a client more costs beside 10,000 what it costs beside 100" {
	local many=$(($(ulimit -Hn) - 1000))

	((many > 10000)) && many=10000
	((many >= 2000)) || skip "needs some thousand descriptors"
	# With names, which must not make a difference either.
	relay_start relay -l "unix-listen:$DIR/s,name=guest"
	wait_listen - unix "$DIR/s"
	"$LAB_ROOT/itest/crowd" "$DIR/s" "$(pid_of relay)" 100 "$many" | tee "$DIR/costs" >&3
	awk '{ bad += $3 > 3 * $2 } END { exit bad > 0 || NR != 3 }' "$DIR/costs"
}

@test "1,000 dialled endpoints that are down take little of a processor" {
	local dead=() before start spent

	for i in $(seq 1000); do
		dead+=("unix:$DIR/none$i")
	done
	relay_start relay -l "unix-listen:$DIR/s" "${dead[@]}"
	wait_listen - unix "$DIR/s"
	# By then all are tried once in 5 s, or somewhat more often.
	start=$(_now_us)
	wait_for 20 "the pauses to have grown" has_spent "$start" 8000
	before=$(cpu_us relay)
	start=$(_now_us)
	wait_for 20 "10 s" has_spent "$start" 10000
	spent=$(($(cpu_us relay) - before))
	start=$(($(_now_us) - start))
	echo "# $((spent / 1000)) ms in $((start / 1000)) ms" >&3
	# It is about 1 %.
	((spent < start / 20))
}
