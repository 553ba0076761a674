# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# Walks the recipes of doc/recipes.md: takes their blocks out of the text and runs them line
# by line, as somebody would who pastes them. Each block has a label behind its language:
#
#   ```sh qemu-switch
#
#   walk lab qemu-switch        in the namespace lab, or on the host of that name
#
# What ends with & goes on to run. "qemu-system-x86_64 ..." boots a guest of guests.bash, the
# first one vm1. Home is $DIR, sudo is nothing, and /run is $DIR.

# shellcheck source=itest/helpers.bash
[[ ${LAB_ROOT-} ]] || source "${BASH_SOURCE[0]%/*}/helpers.bash"

RECIPES=$LAB_ROOT/doc/recipes.md

# recipe LABEL: prints that block.
recipe()
{
	awk -v label="$1" '/^```/ { inside = 0 }
		inside { print }
		/^```[a-z]+ / && $2 == label { inside = 1; found = 1 }
		END { exit !found }' "$RECIPES" || {
		echo "the recipes have no block $1"
		return 1
	}
}

# recipe_tool NAME LINE...: a program of that name for what is walked later.
recipe_tool()
{
	mkdir -p "$DIR/bin"
	printf '%s\n' '#!/bin/bash' "${@:2}" >"$DIR/bin/$1"
	chmod 755 "$DIR/bin/$1"
}

# recipe_tools: those that all need.
recipe_tools()
{
	recipe_tool netrelay "exec '$NETRELAY' \"\$@\""
	recipe_tool sudo "exec \"\$@\""
	# The machine's other options are the guest's; what the recipe has comes last.
	recipe_tool qemu-system-x86_64 "PATH=$PATH" "exec qemu-system-x86_64 \"\$@\" \$EXAMPLE"
}

# walk WHERE LABEL [SED-COMMAND]: its lines, changed by the command.
walk()
{
	local lines line number=0

	[[ -e $DIR/bin/sudo ]] || recipe_tools
	recipe "$2" >"$DIR/$2.block"
	mapfile -t lines < <(sed -e "s#/run/#$DIR/#g" -e "${3-}" "$DIR/$2.block")
	for line in "${lines[@]}"; do
		number=$((number + 1))
		walk_line "$1" "$2-$number" "$line" </dev/null || {
			echo "failed: $line"
			return 1
		}
	done
}

# walk_line WHERE NAME LINE: what it starts has that name; $DIR/NAME.out is its output.
walk_line()
{
	local enter=(ip netns exec "$(ns_name "$1")") args

	if [[ -e $DIR/$1.init ]]; then
		enter=(nsenter -t "$(cat "$DIR/$1.init")" -a --)
	fi
	case $3 in
	"qemu-system-x86_64 ... "*)
		args=${3#* ... }
		EXAMPLE=${args% &} PATH=$DIR/bin:$PATH guest_start "vm$(_next_guest)" in "$1" --
		;;
	*" | "*" &")
		# As a group, so that all of it ends.
		walk_env start "$2" "${enter[@]}" bash -c \
			"set -m; { ${3% &}; } & trap 'kill -- -\$!' TERM; wait; wait"
		;;
	*" &")
		walk_env start "$2" "${enter[@]}" bash -c "exec ${3% &}"
		_wait_listeners "$1" "$3"
		;;
	*)
		walk_env "${enter[@]}" bash -c "$3" >"$DIR/$2.out"
		;;
	esac
}

walk_env()
{
	HOME=$DIR PATH=$DIR/bin:$PATH "$@"
}

_next_guest()
{
	local number=1

	while [[ -e $DIR/vm$number.number ]]; do
		number=$((number + 1))
	done
	echo "$number"
}

# _wait_listeners WHERE LINE: until the line's netrelay is there, for who dials it next.
_wait_listeners()
{
	local port

	while read -r port; do
		wait_listen "$1" tcp "$port"
	done < <(grep -oE -- '-l (tcp-listen:)?([0-9.]+:)?[0-9]+' <<<"$2" | grep -oE '[0-9]+$')
}

# walked_guest NAME ADDR/LEN: sets up the one NIC of a guest that was walked.
walked_guest()
{
	guest_wait "$1"
	guest "$1" "ip addr add $2 dev eth0 && ip link set eth0 up"
}
