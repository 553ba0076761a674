# SPDX-License-Identifier: MIT
#
# fish completion for netrelay(1). It has no lists of its own: options and kinds of endpoints
# come from `netrelay --help`, a kind's options from the message about one that there is not,
# and commands and ports from the relay that runs.

# Words of --help that match.
function __netrelay_of --argument-names netrelay pattern
    $netrelay --help 2>/dev/null | string match -ra -- $pattern |
        string replace -r '^[ ,]*' '' | sort -u
end

# The options of the kind that the word begins with: keys with "=", and flags.
function __netrelay_keys --argument-names netrelay front
    set -l said ($netrelay "$front?" 2>&1 </dev/null | string replace -rf '.*; it has ' '')
    string replace -r ', and the form is .*' '' -- $said | string split ', ' |
        string split ' and ' | string match -r '^[a-z-]+=?'
    string replace -r '.*, and the form is ' '' -- $said | string match -ra ',[a-z-]+=?' | string trim -c ,
end

function __netrelay_links --argument-names file
    for at in /sys/class/net/*/$file
        string split -r / -- $at | string match -v $file | tail -n 1
    end
end

# Paths, with what stands ahead of them.
function __netrelay_files --argument-names front word
    for file in $word*
        test -d $file; and echo $front$file/; or echo $front$file
    end
end

function __netrelay_endpoint --argument-names netrelay word kind
    set -l front (string replace -r '[^,]*$' '' -- $word)
    set -l key (string replace -r '[^=]*$' '' -- $word)
    switch $word
        case 'exec:*'
            complete -C (string replace exec: '' -- $word) | string replace -r '^' exec:
        case '*,tap=*'
            __netrelay_links tun_flags | string replace -r '^' -- $key
        case '*,if=*'
            string replace -r '.*/' $key -- /sys/class/net/*
        case '*,group=*'
            __fish_complete_groups | string replace -r '^' -- $key
        case 'unixgram:*,local=*' '*,peers=*' '*,psk=*'
            __netrelay_files $key (string replace -- $key '' $word)
        case '*,*=*'
        case '*:*,*'
            __netrelay_keys $netrelay $front | string replace -r '^' -- $front
        case 'unix:*' 'unix-listen:*' 'unixgram:*' 'vhost-user:*' 'vhost-user-listen:*'
            set -l parts (string split -m 1 : -- $word)
            __netrelay_files $parts[1]: $parts[2]
        case 'bridge:*'
            __netrelay_links bridge | string replace -r '^' bridge:
        case 'tap:*'
            __netrelay_links tun_flags | string replace -r '^' tap:
        case '*:*'
        case '*'
            if test -z "$kind"
                set kind :
                __netrelay_links bridge
            end
            __netrelay_of $netrelay "[a-z][a-z-]*$kind(?=[\[A-Z])"
    end
end

function __netrelay_ports --argument-names netrelay path
    $netrelay ctl $path counters 2>/dev/null | awk -F '\t' '$1 == "port" { print $2; print $12 }'
end

function __netrelay_ctl --argument-names word
    set -l said $argv[2..]
    set -l netrelay $said[1]
    set -l path $said[3]
    set -l command $said[4]
    test -S "$path"; or return
    set -l help ($netrelay ctl $path help 2>/dev/null)
    if not set -q said[4]
        string match -r '^[a-z]+' -- $help
        return
    end
    set help (string match -- "$command *" $help)
    switch $command/(count $said)
        case add/4
            echo -- -l
            __netrelay_endpoint $netrelay $word
        case add/5
            __netrelay_endpoint $netrelay $word -listen:
        case del/4
            echo -- -l
            __netrelay_ports $netrelay $path
        case del/5
            $netrelay ctl $path status --json | string replace -rf '^{"endpoint": "([^"]*)".*' '$1'
        case set/4
            __netrelay_ports $netrelay $path
        case capture/4
            __netrelay_files '' $word
        case 'set/*' 'capture/*'
            switch $word
                case 'port=*'
                    __netrelay_ports $netrelay $path | string replace -r '^' port=
                case '*=*'
                    set -l key (string replace -r '=.*' '=' -- $word)
                    string match -r "$key([a-z|]+)" -- $help | tail -n +2 | string split '|' |
                        string replace -r '^' -- $key
                case '*'
                    string match -ra '[a-z]+=' -- $help
            end
        case '*'
            string match -ra -- '--[a-z]+' $help
    end
end

function __netrelay_words
    set -l said (commandline -opc)
    set -l word (commandline -ct)
    set -l before $said[-1]
    set -l option
    if string match -q -- '-*' $before
        set option ($said[1] --help 2>/dev/null | string match -r -- "$before(?:, --[a-z]+)? [\[\]A-Z:]+")
    end
    if contains -- "$said[2]" ctl top
        if test (count $said) = 2
            __netrelay_files '' $word
        else if test $said[2] = ctl
            __netrelay_ctl $word $said
        end
    else if contains -- "$said[2]" genkey pubkey
    else if set -q option[1]
        switch $option[1]
            case '-l*'
                __netrelay_endpoint $said[1] $word -listen:
            case '--check-bridge *'
                __netrelay_links bridge
            case '--user *'
                __fish_complete_users
            case '*PATH' '*FILE'
                __netrelay_files '' $word
        end
    else if string match -q -- '-*' $word
        __netrelay_of $said[1] '(?<=^|[ ,])-[A-Za-z-]+'
    else
        test (count $said) = 1; and printf '%s\n' ctl top genkey pubkey
        __netrelay_endpoint $said[1] $word
    end
end

complete -c netrelay -f -a '(__netrelay_words)'
