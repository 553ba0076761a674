#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
#
# Open vSwitch, whose bridges are none of the kernel's. Its datapath is that in
# user space, which needs no module:
#
#   far: e0 10.0.0.2 --- netrelay --- unix --- netrelay --- nr0 - ovs-br0 10.0.0.1 :lab

load ../helpers
load ../recipes
load hosts

namespaces lab far

setup()
{
	real_setup
	host_start lab
}

# openvswitch: database and switch, with a bridge.
openvswitch()
{
	on lab sh -c 'mkdir -p /run/openvswitch /etc/openvswitch
		ovsdb-tool create /etc/openvswitch/conf.db /usr/share/openvswitch/vswitch.ovsschema'
	host_daemon lab ovsdb ovsdb-server /etc/openvswitch/conf.db \
		--remote=punix:/run/openvswitch/db.sock
	wait_for 10 "ovsdb-server" on lab ovs-vsctl --no-wait init
	# Else it drops what is longer than its MTU: super-frames.
	on lab ovs-vsctl --no-wait set Open_vSwitch . other_config:userspace-tso-enable=true
	host_daemon lab vswitchd /usr/lib/openvswitch-switch/ovs-vswitchd
	on lab ovs-vsctl --timeout=20 add-br ovs-br0 -- set bridge ovs-br0 datapath_type=netdev
	address lab ovs-br0 10.0.0.1/24
}

relay()
{
	relay_start relay in lab -v -l "unix-listen:$DIR/relay.sock" "$@"
	wait_listen lab unix "$DIR/relay.sock"
}

far()
{
	relay_start far in far -v tap:e0 "unix:$DIR/relay.sock"
	address far e0 10.0.0.2/24
}

@test "a tap of ours on a bridge of Open vSwitch's, and a new relay" {
	in_manual "netrelay -l 5000 tap:nr0"
	in_manual "ovs-vsctl add-port ovs-br0 nr0"
	in_manual "ip tuntap add nr0 mode tap"
	in_manual "ovs-vsctl set Open_vSwitch . other_config:userspace-tso-enable=true"
	openvswitch
	# A tap that stays is one that this datapath goes on with.
	ns lab ip tuntap add nr0 mode tap
	ns lab ip link set nr0 up
	relay tap:nr0
	on lab ovs-vsctl --timeout=20 add-port ovs-br0 nr0
	far
	passes far 10.0.0.2 lab 10.0.0.1
	relay_check_sums relay
	relay_stop relay
	relay tap:nr0
	passes far 10.0.0.2 lab 10.0.0.1
	relay_check_sums relay
}

# The machine at port 5000 is elsewhere here, and gets there by a wire.
@test "recipe: a tap that stays, on a bridge of Open vSwitch's" {
	openvswitch
	walk lab ovs-tso
	wire lab far
	walk lab ovs-tap
	walk lab ovs-relay s/127.0.0.1/192.0.2.1/
	relay_start far in far -v tap:e0 192.0.2.1:5000
	address far e0 10.0.0.2/24
	passes far 10.0.0.2 lab 10.0.0.1
}
