#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
#
# The completions for bash, zsh and fish: that they know what the manual has and what runs,
# and that bash and fish say the same. bash's function is called as bash would; fish is
# asked by `complete -C`; zsh gets its lines typed in tmux.

load helpers

namespaces lab

COMPLETIONS=$LAB_ROOT/share/completions
MANUAL=$LAB_ROOT/man/netrelay.1

setup()
{
	common_setup
	mkdir "$DIR/bin"
	ln -s "$NETRELAY" "$DIR/bin/netrelay"
}

# of_bash LINE: what bash offers behind it, as whole words, sorted, a line each.
of_bash()
{
	# shellcheck disable=SC2016 # for that bash
	on_lab bash --norc -c "source '$COMPLETIONS/netrelay.bash'"'
		COMP_LINE=$1 COMP_POINT=${#1}
		_netrelay netrelay 2>/dev/null
		word=${1##* } front=${word%"${word##*[:=]}"}
		((${#COMPREPLY[@]} == 0)) || printf "$front%s\n" "${COMPREPLY[@]}"' bash "$1" | sort
}

of_fish()
{
	on_lab env HOME="$DIR" fish --no-config -c "source '$COMPLETIONS/netrelay.fish'
		complete -C \$argv[1] | string replace -r '\t.*' ''" "$1" | sort
}

on_lab()
{
	ns lab env PATH="$DIR/bin:$PATH" "$@"
}

# Without markup: each option, form or rule that the manual has an entry for.
manual_entries() # SECTION
{
	awk -v section="$1" '/^\.S[hs]/ { inside = $0 ~ section } inside && /^\.It/' "$MANUAL" |
		sed -E 's/^\.It//; s/ (Cm|Ar|Ns|Oo|Oc|Op)\>//g; s/\\&//g'
}

manual_keys()
{
	{
		manual_entries "long forms"
		manual_entries "Rules of a port"
		manual_entries "Who may connect"
	} | tr -d ' ' | grep -oE ',[a-z-]+=?' | tr -d , | sort -u
}

# A line for each kind, with a body that is right.
kinds()
{
	cat <<-EOT
		tcp:127.0.0.1:1
		tcp-listen:1
		unix:/x
		unix-listen:/x
		udp:127.0.0.1:1
		unixgram:/x
		mcast:230.0.0.1:1
		bridge:x
		tap:x
		fd:3
		trunk:127.0.0.1:1
		vhost-user:/x
		vhost-user-listen:/x
	EOT
}

@test "options and kinds are those of the manual" {
	of_bash 'netrelay -' >"$DIR/options"
	{
		echo -vv
		manual_entries 'DESCRIPTION|Options' | grep -oE 'Fl -?[A-Za-z-]+' | sed 's/Fl /-/'
	} | sort -u >"$DIR/manual"
	diff "$DIR/options" "$DIR/manual"
	of_bash 'netrelay x ' | grep : >"$DIR/kinds"
	manual_entries 'long forms' | tr -d ' ' | sed 's/:.*/:/' | sort >"$DIR/manual"
	diff "$DIR/kinds" "$DIR/manual"
	assert_equal "$(of_bash 'netrelay -l ')" "$(grep listen "$DIR/kinds")"
	assert_equal "$(kinds | sed 's/:.*/:/' | sort)" "$(grep -v exec: "$DIR/kinds")"
}

@test "each kind's options are those of the manual" {
	local kind key

	kinds | while read -r kind; do
		of_bash "netrelay x $kind," | sed 's/.*,//' >"$DIR/keys"
		cat "$DIR/keys" >>"$DIR/all"
		manual_entries 'long forms' | tr -d ' ' | grep "^${kind%%:*}:" |
			grep -oE ',[a-z-]+=' | tr -d , >"$DIR/manual" || true
		while read -r key; do
			grep -qx -- "$key" "$DIR/keys"
		done <"$DIR/manual"
	done
	sort -u "$DIR/all" | diff - <(manual_keys)
}

@test "commands and ports of the relay that runs, in bash" {
	bridge_add lab br0
	start one in lab "$NETRELAY" --ctl "$DIR/ctl" -l 127.0.0.1:5000 "unix:$DIR/peer" \
		"exec:echo \$(touch $DIR/harm); cat" "unix:$DIR/far,name=web"
	wait_for 5 "control socket" test -S "$DIR/ctl"
	of_bash "netrelay ctl $DIR/ctl " >"$DIR/commands"
	on_lab netrelay ctl "$DIR/ctl" help | awk '{ print $1 }' | sort | diff "$DIR/commands" -
	rm -f "$DIR/harm"
	run -0 of_bash "netrelay ctl $DIR/ctl del "
	assert_equal "$(xargs <<<"$output")" "-l 1 2 3 unix:$DIR/peer web"
	assert_file_not_exist "$DIR/harm"
	assert_equal "$(of_bash "netrelay ctl $DIR/ctl del unix:${DIR:0:2}")" "unix:$DIR/peer"
	assert_equal "$(of_bash "netrelay ctl $DIR/ctl set w")" web
	assert_equal "$(of_bash "netrelay ctl $DIR/ctl capture /x port=w")" port=web
	assert_equal "$(of_bash "netrelay ctl $DIR/ctl del -l ")" 127.0.0.1:5000
	assert_equal "$(of_bash "netrelay ctl $DIR/ctl set 1 isolated=")" isolated=off$'\n'isolated=on
	assert_equal "$(of_bash "netrelay ctl $DIR/ctl capture /x dir=b")" dir=both
	assert_equal "$(of_bash "netrelay ctl $DIR/ctl status ")" --json
	assert_equal "$(of_bash "netrelay ctl $DIR/ctl status x -v y ")" --json
	assert_equal "$(of_bash "netrelay ctl $DIR/none del ")" -l
	assert_equal "$(of_bash "netrelay top $DIR/ct")" "$DIR/ctl"
	assert_equal "$(of_bash "netrelay -l 5000 b")" br0$'\n'bridge:
	assert_equal "$(of_bash "netrelay bridge:")" bridge:br0
	assert_equal "$(of_bash "netrelay --check-bridge b")" br0
	assert_equal "$(of_bash "netrelay p")" pubkey
	assert_equal "$(of_bash "netrelay genkey ")" ""
	assert_equal "$(of_bash "netrelay --user nobo")" nobody
	assert_equal "$(of_bash "netrelay --ctl $DIR/ct")" "$DIR/ctl"
	assert_equal "$(of_bash "netrelay -f $DIR/ct")" "$DIR/ctl"
	assert_equal "$(of_bash "netrelay unix:$DIR/ct")" "unix:$DIR/ctl"
	relay_stop one
}

# What both are asked.
lines()
{
	kinds | sed 's/^/netrelay x /; s/$/,/'
	cat <<-EOT
		netrelay -
		netrelay --c
		netrelay t
		netrelay x b
		netrelay -l t
		netrelay bridge:
		netrelay bridge:br0,tap=
		netrelay --check-bridge b
		netrelay --ctl $DIR/ct
		netrelay -f $DIR/ct
		netrelay --config $DIR/ct
		netrelay --check $DIR/ct
		netrelay unix:$DIR/ct
		netrelay unixgram:/x,local=$DIR/ct
		netrelay ctl $DIR/ct
		netrelay ctl $DIR/ctl c
		netrelay ctl $DIR/ctl del -
		netrelay ctl $DIR/ctl del u
		netrelay ctl $DIR/ctl del -l 1
		netrelay ctl $DIR/ctl set 1 i
		netrelay ctl $DIR/ctl set 1 isolated=
		netrelay ctl $DIR/ctl capture /x dir=
		netrelay ctl $DIR/ctl capture /x port=
		netrelay ctl $DIR/ctl add tcp
		netrelay ctl $DIR/ctl add -l u
		netrelay top $DIR/ct
		netrelay g
		netrelay --key $DIR/ct
		netrelay --peers $DIR/ct
		netrelay -l tcp-listen:1,peers=$DIR/ct
		netrelay trunk:h:1,psk=$DIR/ct
	EOT
}

same_as_bash() # FUNCTION
{
	local line

	bridge_add lab br0
	on_lab ip tuntap add t7 mode tap
	start one in lab "$NETRELAY" --ctl "$DIR/ctl" -l 127.0.0.1:5000 "unix:$DIR/peer"
	wait_for 5 "control socket" test -S "$DIR/ctl"
	lines | while IFS= read -r line; do
		of_bash "$line" >"$DIR/bash"
		grep -q . "$DIR/bash" || echo "nothing for: $line"
		"$1" "$line" </dev/null | diff "$DIR/bash" - || echo "differs: $line"
	done >"$DIR/differ"
	cat "$DIR/differ"
	assert_file_empty "$DIR/differ"
	relay_stop one
}

@test "fish offers what bash does" {
	command -v fish >/dev/null || skip "needs fish"
	fish -n "$COMPLETIONS/netrelay.fish"
	same_as_bash of_fish
}

in_tmux()
{
	tmux -S "$DIR/tmux" "$@"
}

shows() # TEXT
{
	in_tmux capture-pane -p | grep -qF -- "$1"
}

# completes LINE TEXT: a line that is typed, with a tab at its end, becomes the other.
completes()
{
	in_tmux send-keys C-u "$1" Tab
	wait_for 10 "$2" shows "%% $2"
}

@test "zsh completes in a terminal" {
	command -v zsh >/dev/null || skip "needs zsh"
	zsh -n "$COMPLETIONS/_netrelay"
	start one in lab "$NETRELAY" --ctl "$DIR/ctl" -l 127.0.0.1:5000 "unix:$DIR/peer"
	wait_for 5 "control socket" test -S "$DIR/ctl"
	start tmux in lab env -u TMUX tmux -S "$DIR/tmux" -f /dev/null -D
	wait_for 5 "tmux" test -S "$DIR/tmux"
	in_tmux new-session -d -x 200 -y 20 "PS1='%%%% ' HOME='$DIR' PATH='$DIR/bin:$PATH' zsh -f"
	in_tmux send-keys "fpath=('$COMPLETIONS' \$fpath); autoload -U compinit; compinit -u -D" Enter
	completes 'netrelay -l tcp' 'netrelay -l tcp-listen:'
	completes 'netrelay gen' 'netrelay genkey'
	completes "netrelay -l tcp-listen:1,peers=$DIR/ct" "netrelay -l tcp-listen:1,peers=$DIR/ctl"
	completes 'netrelay --cap' 'netrelay --capture'
	completes "netrelay -f $DIR/ct" "netrelay -f $DIR/ctl"
	completes 'netrelay x tcp-listen:1,acc' 'netrelay x tcp-listen:1,accept-rate='
	completes "netrelay unix:$DIR/ct" "netrelay unix:$DIR/ctl"
	completes "netrelay ctl $DIR/ctl cap" "netrelay ctl $DIR/ctl capture"
	completes "netrelay ctl $DIR/ctl del u" "netrelay ctl $DIR/ctl del unix:$DIR/peer"
	completes "netrelay ctl $DIR/ctl set 1 isolated=of" "netrelay ctl $DIR/ctl set 1 isolated=off"
	run -0 in_tmux capture-pane -p
	refute_output --partial _netrelay
	in_tmux kill-server
	relay_stop one
}
