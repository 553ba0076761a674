# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# Stations: peers that send frames from addresses of their own, and write down the frames
# that they receive (see the program station). A station NAME has the address "mac NAME".
#
#   station_start a in lab tcp:127.0.0.1:5000
#   station_send a 3 "$(mac b)" hello      three frames to b
#   station_wait b hello 3                 waits until they have come
#   heard b hello                          prints how many have come

STATION=$LAB_ROOT/itest/station
# shellcheck disable=SC2034 # for the files that load this one
EVERYBODY=ff:ff:ff:ff:ff:ff

# station_start NAME in NAMESPACE ENDPOINT
station_start()
{
	mkfifo "$DIR/$1.commands" 2>/dev/null || true
	start "$1" in "$3" "$STATION" "$4" "$DIR/$1.commands"
	wait_for 10 "station $1" grep -qx ready "$DIR/$1.out"
}

# stations NAME=PORT...: starts stations that connect to these ports of relays in lab.
stations()
{
	local each

	for each in "$@"; do
		station_start "${each%=*}" in lab "tcp:127.0.0.1:${each#*=}"
	done
}

# veth_station NAME NS BRIDGE: starts a station behind that bridge, in its own namespace.
veth_station()
{
	ns_add "$1"
	no_ipv6 "$1"
	veth_pair "$1" e0 "$2" "to-$1"
	bridge_port "$2" "$3" "to-$1"
	station_start "$1" in "$1" if:e0
}

# mac NAME: prints a station's address; any word gives one.
mac()
{
	printf '%s' "$1" | cksum | awk '{ printf "02:00:%02x:%02x:%02x:%02x\n",
		$1 / 16777216, $1 / 65536 % 256, $1 / 256 % 256, $1 % 256 }'
}

# station_tell NAME WORD...: gives a station a command.
station_tell()
{
	echo "${*:2}" 1<>"$DIR/$1.commands"
}

# station_send NAME COUNT DST TEXT [VLAN...]: sends frames from the station's own address.
station_send()
{
	station_tell "$1" send "$2" "$3" "$(mac "$1")" "${@:4}"
}

# heard NAME PATTERN: prints how many received frames have lines that end like that.
heard()
{
	grep -cE "^came .* ($2)\$" "$DIR/$1.out" || true
}

has_heard()
{
	(($(heard "$1" "$2") >= $3))
}

# station_wait NAME PATTERN COUNT [SECONDS]
station_wait()
{
	wait_for "${4:-5}" "$3 of $2 at station $1" has_heard "$1" "$2" "$3"
}

# came_after NAME TEXT SENDER: prints the ms from when a frame was sent to when it last came.
came_after()
{
	local sent came

	sent=$(awk -v text="$2" '$1 == "sent" && $NF == text { print $2; exit }' "$DIR/$3.out")
	came=$(awk -v text="$2" '$1 == "came" && $NF == text { ms = $2 } END { print ms }' "$DIR/$1.out")
	echo $((came - sent))
}

# converse A B [SECONDS]: waits until both hear each other, and then each frame just once.
# Both send, because a distant switch learns a station's new place only from its frames.
converse()
{
	local word="talk-$RANDOM-$RANDOM"

	wait_for "${3:-5}" "$1 and $2 to hear each other" _talk "$1" "$2" "$word"
	station_send "$1" 20 "$(mac "$2")" "$word-to"
	station_wait "$2" "$word-to" 20
	station_send "$2" 20 "$(mac "$1")" "$word-back"
	station_wait "$1" "$word-back" 20
	assert_equal "$(heard "$2" "$word-to") $(heard "$1" "$word-back")" "20 20"
}

# Sends a frame in each direction. Returns whether both stations have heard each other.
_talk()
{
	station_send "$1" 1 "$(mac "$2")" "$3"
	station_send "$2" 1 "$(mac "$1")" "$3"
	has_heard "$2" "$3" 1 && has_heard "$1" "$3" 1
}
