#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
#
# netrelay in a container, run by podman. The image is made by the last stage of the Dockerfile,
# from the binary that is here: no other image can be fetched for the first stage.
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
	on lab tee /run/bin/podman >/dev/null <<-'EOT'
		#!/bin/sh
		exec /usr/bin/podman --root /run/podman/root --runroot /run/podman/run \
			--storage-driver vfs --cgroup-manager cgroupfs --runtime crun \
			--events-backend file "$@"
	EOT
	on lab chmod +x /run/bin/podman
	mkdir "$DIR/context"
	cp "$NETRELAY" "$DIR/context/netrelay"
	sed -n '/^FROM scratch/,$p' "$LAB_ROOT/Dockerfile" |
		sed 's|^COPY --from=build /build/|COPY |' >"$DIR/context/Dockerfile"
	podman_on_lab build -q --build-arg VERSION=1.2.3 -t netrelay "$DIR/context"
}

teardown()
{
	podman_on_lab rm -a -f -t 1 || true
	common_teardown
}

podman_on_lab()
{
	on_lab podman "$@"
}

on_lab()
{
	on lab env PATH="/run/bin:$PATH" "$@"
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

# Processes of the container that nobody has waited for.
zombies()
{
	on lab cat /proc/[0-9]*/stat 2>/dev/null | grep -c ') Z '
}

helper()
{
	on lab pgrep -x netrelay-taps
}

has_other_helper()
{
	local now

	now=$(helper) && [[ $now != "$1" ]]
}

@test "the image: labels, whose it is, and nothing but the program" {
	run -0 podman_on_lab inspect --type image netrelay \
		--format '{{.User}} {{.Config.Entrypoint}} {{index .Labels "org.opencontainers.image.version"}}'
	assert_output "65534:65534 [/netrelay] 1.2.3"
	podman_on_lab create --name relay netrelay
	podman_on_lab export relay | tar -t --exclude '*/' >"$DIR/files"
	assert_equal "$(grep -vE '^(dev|etc|proc|run|sys)(/|$)' "$DIR/files")" netrelay
	run -0 podman_on_lab run --rm --cgroups=disabled --network none --read-only --cap-drop all netrelay --version
	assert_output --partial "netrelay "
}

@test "a container on its host's network, with a bridge" {
	bridge_add lab br0 10.0.0.1/24
	container --user 0 --network host --cap-drop all --cap-add NET_ADMIN --device /dev/net/tun \
		netrelay -v -l 5000 br0
	wait_listen lab tcp 5000
	relay_start far in far tap:e0 tcp:192.0.2.1:5000
	address far e0 10.0.0.2/24
	passes far 10.0.0.2 lab 10.0.0.1
	# As process 1 it waits for whoever has no parent any more, and takes signals.
	before=$(helper)
	on lab kill -KILL "$before"
	on lab pkill -KILL -x -n netrelay-broker
	on lab ip link del netrelay0
	wait_for 20 "another helper" has_other_helper "$before"
	passes far 10.0.0.2 lab 10.0.0.1
	assert_equal "$(zombies)" 0
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
	container -p 5000:5000 --read-only --cap-drop all --security-opt no-new-privileges \
		netrelay -v -l 5000
	relay_start far in far tap:e0 tcp:192.0.2.1:5000
	relay_start far2 in far2 tap:e0 tcp:192.0.3.1:5000
	address far e0 10.0.0.2/24
	address far2 e0 10.0.0.3/24
	passes far 10.0.0.2 far2 10.0.0.3
	podman_on_lab restart -t 8 relay
	passes far 10.0.0.2 far2 10.0.0.3 30
}

@test "compose.yaml: what it would run" {
	command -v podman-compose >/dev/null || skip "needs podman-compose"
	run -0 on_lab podman-compose --dry-run -f "$LAB_ROOT/share/compose.yaml" up
	assert_output --regexp 'podman create --name=[^ ]*left.* --read-only .*--cap-drop ALL .* netrelay -v -l 5000'
	assert_output --regexp 'podman create --name=[^ ]*right.* netrelay -v -l 5000 trunk:left:5000'
}

@test "two containers as in compose.yaml, in one network" {
	podman_on_lab network create both
	container --network both --network-alias left -p 192.0.2.1:5001:5000 --read-only --cap-drop all \
		--security-opt no-new-privileges netrelay -v -l 5000
	left=$(podman_on_lab inspect relay --format '{{.NetworkSettings.Networks.both.IPAddress}}')
	# Names need a program that Debian 12 has not (aardvark-dns).
	podman_on_lab run -d --name right --cgroups=disabled --network both -p 192.0.2.1:5002:5000 \
		--read-only --cap-drop all --security-opt no-new-privileges \
		netrelay -v -l 5000 "trunk:$left:5000"
	relay_start one in far tap:e0 tcp:192.0.2.1:5001
	ns_add far2
	veth_pair lab l2 far2 l0 192.0.3.1/24 192.0.3.2/24
	ns far2 ip route add 192.0.2.0/24 via 192.0.3.1
	relay_start two in far2 tap:e0 tcp:192.0.2.1:5002
	address far e0 10.0.0.2/24
	address far2 e0 10.0.0.3/24
	passes far 10.0.0.2 far2 10.0.0.3
}
