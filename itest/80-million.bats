#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# bats file_tags=slow
#
# A million frames of 60 to 65,535 bytes, numbered, every byte compared. Through
# a cable none is lost; a server may drop what a receiver is too slow for, and
# then has counted it.

load helpers

namespaces lab

MILLION=1000000
SHAPE=(--count "$MILLION" --min 60 --max 65535 --sizes log)
LIMIT=600 # for one million, on a machine that has other things to do, too

# million FAR SENDER END END: from the sender, through a cable, to the far end.
million()
{
	frames_start rx in lab recv "$1" "${SHAPE[@]}" --lossless --timeout 60
	relay_start one in lab "$3" "$4"
	relay_wait_up one 1
	frames_start tx in lab send "$2" "${SHAPE[@]}" --batch --timeout 60
	run frames_wait rx "$LIMIT"
	assert_success
	assert_line "from 1: received $MILLION lost 0 damaged 0 reordered 0 duplicated 0"
	run -0 frames_wait tx
	relay_check_sums one
	run -0 relay_status one
	assert_line --partial "received $MILLION, copied 0, sent $MILLION, queued 0, dropped 0"
	run -0 relay_stop one
}

#   frames ---tcp--- one ---tcp--- frames
@test "a million frames through a TCP cable" {
	million tcp-listen:127.0.0.1:5001 tcp:127.0.0.1:5000 tcp-listen:5000 127.0.0.1:5001
}

#   frames ---unix--- one ---unix--- frames
@test "a million frames through a unix cable" {
	million "unix-listen:$DIR/b" "unix:$DIR/a" "unix-listen:$DIR/a" "unix:$DIR/b"
}

has_sent_and_drained()
{
	relay_status one | grep -q "received $MILLION, .* queued 0,"
}

#   frames --- one === 2 receivers
@test "a million frames through a server to two others; what is lost was counted" {
	local got=0 probes name copied sent

	relay_start one in lab --storm 0 -l 5000
	wait_listen lab tcp 5000
	for name in rx1 rx2; do
		frames_start "$name" in lab recv tcp:127.0.0.1:5000 "${SHAPE[@]}" --timeout 20
	done
	relay_wait_up one 2
	frames_start tx in lab both tcp:127.0.0.1:5000 "${SHAPE[@]}" --expect 0 --batch \
		--timeout 60
	run -0 frames_wait tx "$LIMIT"
	wait_for 30 "the last frame" has_sent_and_drained
	probes=$(frames_total tx other)
	for name in rx1 rx2; do
		run frames_wait "$name" "$LIMIT"
		assert_success
		assert_line --regexp \
			'^total: received [0-9]+ lost [0-9]+ damaged 0 reordered 0 duplicated 0 '
		(($(frames_total "$name" received) > 0))
		got=$((got + $(frames_total "$name" received)))
		probes=$((probes + $(frames_total "$name" other)))
	done
	relay_check_sums one
	run -0 relay_status one
	echo "$output; received by both: $got, probes: $probes"
	[[ $output =~ received\ $MILLION,\ copied\ ([0-9]+),\ sent\ ([0-9]+),\ queued\ 0, ]]
	copied=${BASH_REMATCH[1]} sent=${BASH_REMATCH[2]}
	((sent == got + probes))
	# The rest are probes: a round to three ports after 100 frames at the most.
	((copied >= MILLION && copied - MILLION <= MILLION / 25))
	run -0 relay_stop one
}
