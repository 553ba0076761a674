#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
#
# netrelay in a container, in an image with nothing else, run by podman:
#
#   far: e0 10.0.0.2 --- netrelay --- l0 192.0.2.2 === l0 192.0.2.1 --- container :lab
#   (and far2 in the same manner)

load ../helpers
load hosts

namespaces lab far

setup()
{
	real_setup
	wire lab far
	host_start lab
	# What limits containers is the machine's; they go without.
	on lab mount -t cgroup2 -o ro cgroup2 /sys/fs/cgroup
	# Links that their installation would make.
	on lab mkdir /run/bin
	on lab ln -s /usr/sbin/iptables-nft /run/bin/iptables
	on lab ln -s /usr/sbin/ip6tables-nft /run/bin/ip6tables
	tar -C "$(dirname "$NETRELAY")" -cf "$DIR/image.tar" "$(basename "$NETRELAY")"
	podman_on_lab import -c "ENTRYPOINT [\"/$(basename "$NETRELAY")\"]" "$DIR/image.tar" netrelay
}

teardown()
{
	podman_on_lab rm -a -f -t 1 || true
	common_teardown
}

podman_on_lab()
{
	on lab env PATH="/run/bin:$PATH" podman --root /run/podman/root --runroot /run/podman/run \
		--storage-driver vfs --cgroup-manager cgroupfs --runtime crun --events-backend file "$@"
}

# container ARGS...: in the background.
container()
{
	podman_on_lab run -d --name relay --cgroups=disabled "$@"
}

logs()
{
	podman_on_lab logs relay 2>&1
}

says()
{
	logs | grep -q -- "$1"
}

@test "a container on its host's network, with a bridge" {
	bridge_add lab br0 10.0.0.1/24
	container --network host --cap-add NET_ADMIN --device /dev/net/tun netrelay -v -l 5000 br0
	wait_listen lab tcp 5000
	relay_start far in far tap:e0 tcp:192.0.2.1:5000
	address far e0 10.0.0.2/24
	passes far 10.0.0.2 lab 10.0.0.1
	# As process 1 it takes signals, too.
	podman_on_lab stop -t 8 relay
	assert_equal "$(podman_on_lab inspect --format '{{.State.ExitCode}}' relay)" 0
	logs
	says 'end of status'
	podman_on_lab start relay
	passes far 10.0.0.2 lab 10.0.0.1
}

@test "a container on a network of its own, with a port of its host's" {
	ns_add far2
	veth_pair lab l2 far2 l0 192.0.3.1/24 192.0.3.2/24
	container -p 5000:5000 --read-only --cap-drop all netrelay -v -l 5000
	relay_start far in far tap:e0 tcp:192.0.2.1:5000
	relay_start far2 in far2 tap:e0 tcp:192.0.3.1:5000
	address far e0 10.0.0.2/24
	address far2 e0 10.0.0.3/24
	passes far 10.0.0.2 far2 10.0.0.3
	podman_on_lab restart -t 8 relay
	passes far 10.0.0.2 far2 10.0.0.3 30
}
