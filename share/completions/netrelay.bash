# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# bash completion for netrelay(1). It has no lists of its own: options and kinds of endpoints
# come from `netrelay --help`, a kind's options from the message about one that there is not,
# and commands and ports from the relay that runs.

# _netrelay_of PATTERN: the words of --help that match, each once.
_netrelay_of()
{
	"$netrelay" --help 2>/dev/null | grep -oE -- "$1" | sed 's/^[ ,]*//; s/:.*/:/' | sort -u
}

# What the options of the kind in $cur are: keys with "=", and flags.
_netrelay_keys()
{
	local said
	said=$("$netrelay" "${cur%,*},?" 2>&1 </dev/null) || true
	[[ $said == *'; it has '* ]] || return
	said=${said##*; it has }
	{
		sed 's/, and the form is .*//; s/, /\n/g; s/ and /\n/g' <<<"$said" | grep -oE '^[a-z-]+=?'
		grep -oE ',[a-z-]+=?' <<<"${said#*, and the form is }" | tr -d ,
	} | sort -u
}

# _netrelay_links FILE: interfaces that have this in /sys: bridges, or taps.
_netrelay_links()
{
	local at
	for at in /sys/class/net/*/"$1"; do
		[[ ! -e $at ]] || basename "${at%/*}"
	done
}

# _netrelay_files PREFIX WORD: completes a path behind PREFIX.
_netrelay_files()
{
	local file
	while IFS= read -r file; do
		[[ ! -d $file ]] || file+=/
		found+=("$1$file")
	done < <(compgen -f -- "$2")
	compopt -o nospace 2>/dev/null
}

# _netrelay_take PREFIX WORD LIST: what of a list begins with WORD, behind PREFIX.
_netrelay_take()
{
	local word
	while IFS= read -r word; do
		[[ ! $word || $word != "$2"* ]] || found+=("$1$word")
		[[ $word != *[:=] ]] || compopt -o nospace 2>/dev/null
	done <<<"$3"
}

# _netrelay_endpoint WORDS [KIND]: an endpoint, of a kind whose prefix ends so; or other words.
_netrelay_endpoint()
{
	local kind=${cur%%:*} value=${cur##*=} front=${cur%,*},
	case $cur in
	exec:*) _netrelay_take exec: "${cur#exec:}" "$(compgen -c -- "${cur#exec:}" | sort -u)" ;;
	*,tap=*) _netrelay_take "${cur%=*}=" "$value" "$(_netrelay_links tun_flags)" ;;
	*,if=*) _netrelay_take "${cur%=*}=" "$value" "$(ls /sys/class/net)" ;;
	*,group=*) _netrelay_take "${cur%=*}=" "$value" "$(compgen -g)" ;;
	unixgram:*,local=* | *,peers=* | *,psk=*) _netrelay_files "${cur%=*}=" "$value" ;;
	*,*=*) ;;
	*:*,*) _netrelay_take "$front" "${cur##*,}" "$(_netrelay_keys)" ;;
	unix:* | unix-listen:* | unixgram:* | vhost-user:* | vhost-user-listen:*) _netrelay_files "$kind:" "${cur#*:}" ;;
	bridge:*) _netrelay_take bridge: "${cur#*:}" "$(_netrelay_links bridge)" ;;
	tap:*) _netrelay_take tap: "${cur#*:}" "$(_netrelay_links tun_flags)" ;;
	*:*) ;;
	*) _netrelay_take '' "$cur" "$1"$'\n'"$(_netrelay_of "[a-z][a-z-]*${2-:}[][A-Z]+")" ;;
	esac
}

# The value of an option, by the word that --help has behind it.
_netrelay_value()
{
	case $1 in
	-l) _netrelay_endpoint '' -listen: ;;
	--check-bridge) _netrelay_take '' "$cur" "$(_netrelay_links bridge)" ;;
	--user) _netrelay_take '' "$cur" "$(compgen -u)" ;;
	*) [[ $2 != PATH && $2 != FILE ]] || _netrelay_files '' "$cur" ;;
	esac
}

# _netrelay_ask COMMAND...: an answer of the relay, if one runs there.
_netrelay_ask()
{
	[[ ! -S ${words[2]} ]] || "$netrelay" ctl "${words[2]}" "$@" 2>/dev/null </dev/null
}

# By number and by name; a name that a shell would read as more than a word is left out.
_netrelay_ports()
{
	_netrelay_ask counters | awk -F '\t' '
		$1 == "port" { print $2 }
		$1 == "port" && $12 ~ /^[][A-Za-z0-9:.,=@%+#\/_-]+$/ { print $12 }'
}

_netrelay_ctl()
{
	local help command=${words[3]} n=${#words[@]}
	help=$(_netrelay_ask help)
	if ((n == 4)); then
		_netrelay_take '' "$cur" "$(awk '{ print $1 }' <<<"$help")"
		return
	fi
	help=$(grep "^$command " <<<"$help")
	case $command/$n in
	add/5) _netrelay_endpoint -l ;;
	add/6) _netrelay_endpoint '' -listen: ;;
	del/5) _netrelay_take '' "$cur" "$(_netrelay_ports)"$'\n-l' ;;
	del/6) _netrelay_take '' "$cur" "$(_netrelay_ask status --json |
		sed -n 's/^{"endpoint": "\([^"]*\)".*/\1/p')" ;;
	set/5) _netrelay_take '' "$cur" "$(_netrelay_ports)" ;;
	capture/5) _netrelay_files '' "$cur" ;;
	set/* | capture/*) _netrelay_choice "$(grep -oE '[a-z]+=[^, ]*' <<<"$help")" ;;
	*) _netrelay_take '' "$cur" "$(grep -oE -- '--[a-z]+' <<<"$help")" ;;
	esac
}

# _netrelay_choice LIST: KEY=VALUE, where LIST has KEY=ONE|OTHER, or KEY=WHAT.
_netrelay_choice()
{
	local key=${cur%%=*}
	case $cur in
	port=*) _netrelay_take port= "${cur#*=}" "$(_netrelay_ports)" ;;
	*=*) _netrelay_take "$key=" "${cur#*=}" \
		"$(grep "^$key=[a-z]" <<<"$1" | sed 's/.*=//; s/|/\n/g')" ;;
	*) _netrelay_take '' "$cur" "$(grep -oE '^[a-z]+=' <<<"$1")" ;;
	esac
}

_netrelay()
{
	local netrelay=$1 line=${COMP_LINE:0:COMP_POINT} words cur option found=() front
	# Not COMP_WORDS, which are cut at each colon and equals sign.
	read -ra words <<<"$line"
	[[ $line != *[[:blank:]] ]] || words+=('')
	cur=${words[-1]}
	option=$("$netrelay" --help 2>/dev/null | grep -oE -- "${words[-2]}(, --[a-z]+)? [][A-Z:]+" |
		head -n 1)
	case ${words[1]} in
	ctl | top)
		if ((${#words[@]} == 3)); then
			_netrelay_files '' "$cur"
		elif [[ ${words[1]} == ctl && ${#words[@]} -gt 3 ]]; then
			_netrelay_ctl
		fi
		;;
	genkey | pubkey) ((${#words[@]} > 2)) || found=("$cur") ;;
	*)
		if [[ ${words[-2]} == -* && $option ]]; then
			_netrelay_value "${words[-2]}" "${option##* }"
		elif [[ $cur == -* ]]; then
			_netrelay_take '' "$cur" "$(_netrelay_of '(^|[ ,])-[A-Za-z-]+')"
		else
			((${#words[@]} > 2)) || _netrelay_take '' "$cur" $'ctl\ntop\ngenkey\npubkey'
			_netrelay_endpoint "$(_netrelay_links bridge)"
		fi
		;;
	esac
	# What bash has cut off at a colon or an equals sign, it puts in front again.
	front=${cur%"${cur##*[:=]}"}
	[[ $COMP_WORDBREAKS == *:* ]] || front=''
	COMPREPLY=("${found[@]#"$front"}")
}

complete -F _netrelay netrelay
