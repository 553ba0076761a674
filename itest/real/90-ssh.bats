#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
#
# A link by ssh, which is encrypted, and whose far end is started by it:
#
#   near: nr0 10.0.0.1 --- netrelay - ssh --- sshd - netrelay - --- e0 10.0.0.2 :far
#         l0 192.0.2.1 ============================ l0 192.0.2.2

load ../helpers
load ../recipes
load hosts

namespaces near far

setup()
{
	real_setup
	wire near far
	host_start near
	host_start far
	sshd
}

# sshd: on far, and what near needs to get there.
sshd()
{
	local key

	on far sh -c 'grep -q ^sshd: /etc/passwd || echo sshd:x:64056:65534::/run/sshd:/bin/false >>/etc/passwd
		mkdir -p /run/sshd'
	for key in host user; do
		on far ssh-keygen -q -t ed25519 -N '' -f "$DIR/$key"
	done
	cat >"$DIR/sshd_config" <<-EOT
		ListenAddress 192.0.2.2:22
		HostKey $DIR/host
		AuthorizedKeysFile $DIR/user.pub
		StrictModes no
		UsePAM no
		PermitRootLogin prohibit-password
		PasswordAuthentication no
		SetEnv PATH=$DIR/bin:/usr/sbin:/usr/bin:/sbin:/bin
	EOT
	cat >"$DIR/ssh_config" <<-EOT
		Host far 192.0.2.2
		HostName 192.0.2.2
		IdentityFile $DIR/user
		StrictHostKeyChecking no
		UserKnownHostsFile $DIR/known
		BatchMode yes
	EOT
	host_daemon far sshd /usr/sbin/sshd -D -e -f "$DIR/sshd_config"
	wait_listen far tcp 22
}

# relay FAR-ENDPOINT...
relay()
{
	host_daemon near relay "$NETRELAY" -v tap:nr0 \
		"exec:exec ssh -F $DIR/ssh_config far $NETRELAY - $*"
}

# stop_relay: with all that it started.
stop_relay()
{
	host_daemon_stop near relay "^$NETRELAY"
}

# How many sessions of sshd's have a relay; some have a helper, too.
far_relays()
{
	on far ps -eo sid=,args= | awk -v relay="$NETRELAY" '$2 == relay { print $1 }' | sort -u | wc -l
}

_has_far_relays()
{
	(($(far_relays) == $1))
}

_ssh_of_near()
{
	on near pgrep -x ssh
}

_is_no_ssh()
{
	[[ $(_ssh_of_near) != "$1" ]]
}

@test "a tap of another host by ssh; ssh is killed, and the relay started again" {
	ns near ip tuntap add nr0 mode tap
	ns far ip tuntap add e0 mode tap
	address near nr0 10.0.0.1/24
	address far e0 10.0.0.2/24
	relay tap:e0
	passes near 10.0.0.1 far 10.0.0.2
	on near pkill -x ssh
	wait_for 10 "ssh to be started again" _ssh_of_near
	passes near 10.0.0.1 far 10.0.0.2
	stop_relay
	wait_for 10 "no relay at the far end" _has_far_relays 0
	relay tap:e0
	passes near 10.0.0.1 far 10.0.0.2
}

@test "ssh to a relay that waits for its other end: none is left when ssh goes" {
	local ssh

	relay tcp:127.0.0.1:5999
	for _ in 1 2 3; do
		wait_for 10 "ssh" _ssh_of_near
		wait_for 10 "one relay at the far end" _has_far_relays 1
		ssh=$(_ssh_of_near)
		on near kill "$ssh"
		wait_for 10 "ssh to go" _is_no_ssh "$ssh"
	done
	stop_relay
	wait_for 10 "no relay at the far end" _has_far_relays 0
}

@test "recipe: two bridges joined by ssh, and ssh is killed" {
	recipe_tools
	recipe_tool ssh "exec /usr/bin/ssh -F '$DIR/ssh_config' \"\$@\""
	recipe ssh-config >>"$DIR/ssh_config"
	bridge_add near br0 10.0.0.1/24
	bridge_add far br0 10.0.0.2/24
	walk near ssh-bridge
	passes near 10.0.0.1 far 10.0.0.2
	on near pkill -x ssh
	wait_for 10 "ssh to be started again" _ssh_of_near
	passes near 10.0.0.1 far 10.0.0.2
}
