#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
#
# Programs that manage a host's network, and think that a tap of ours on their
# bridge is a mistake. Each has a bridge of its own making, br0, on the host lab:
#
#   lab: br0 10.0.0.1 - netrelay0 --- netrelay -l --- unix --- netrelay --- e0 10.0.0.2 :far

load ../helpers
load hosts

namespaces lab far

setup()
{
	real_setup
	host_start lab
}

# file_on HOST PATH: makes it, from stdin.
file_on()
{
	on "$1" tee "$2" >/dev/null
}

# relay [FAR]: the lab's, and the one that is a far guest's.
relay()
{
	wait_for 10 "br0 in lab" ns lab ip link show br0
	relay_start relay in lab -v -l "unix-listen:$DIR/relay.sock" br0
	wait_listen lab unix "$DIR/relay.sock"
	relay_start guest in far -v tap:e0 "unix:$DIR/relay.sock"
	address far e0 10.0.0.2/24
	passes far 10.0.0.2 lab 10.0.0.1
	start monitor in lab ip -o monitor link
	wait_for 5 "monitor" _sees_links
}

# A change that concerns nobody shows it.
_sees_links()
{
	ns lab ip link set lo txqueuelen $((RANDOM + 1))
	[[ -s $DIR/monitor.out ]]
}

# taken_off: the tap was taken off the bridge after relay was called.
taken_off()
{
	wait_for 10 "netrelay0 to be taken off br0" grep -q 'Deleted.*netrelay0.*master br0' "$DIR/monitor.out"
}

# is_left_alone: the tap has not been taken off the bridge, though it was asked to be.
is_left_alone()
{
	passes far 10.0.0.2 lab 10.0.0.1
	refute grep -q 'Deleted.*netrelay0.*master br0' "$DIR/monitor.out"
	assert_equal "$(bridge_ports lab br0)" netrelay0
	assert_equal "$(grep -c "trying again" "$DIR/relay.err")" 0
}

# Frames pass again, and the tap is on the bridge for good.
is_back()
{
	passes far 10.0.0.2 lab 10.0.0.1 15
	assert_equal "$(bridge_ports lab br0)" netrelay0
	relay_check_sums relay
}

# --- NetworkManager ---------------------------------------------------------

# nm: NetworkManager, with a bridge of its own.
nm()
{
	local connection=(con-name br0 ifname br0 bridge.stp no
		ipv4.method manual ipv4.addresses 10.0.0.1/24 ipv6.method disabled)

	on lab rm -rf /etc/NetworkManager/conf.d /etc/NetworkManager/system-connections
	on lab mkdir /etc/NetworkManager/conf.d
	file_on lab /etc/NetworkManager/NetworkManager.conf <<-'EOT'
		[main]
		plugins=keyfile
		auth-polkit=false
		dhcp=internal
	EOT
	host_bus lab
	host_daemon lab nm NetworkManager --no-daemon
	wait_for 20 "NetworkManager" on lab nmcli general
	on lab nmcli con add type bridge "${connection[@]}"
	wait_for 10 "br0 to be up" on lab nmcli con up br0
}

@test "NetworkManager that activates its bridge again" {
	nm
	relay
	on lab nmcli con up br0
	taken_off
	is_back
}

# It is not one of its devices then. But a bridge that it activates again loses all ports.
@test "NetworkManager that activates its bridge again, and has our file" {
	nm
	file_on lab /etc/NetworkManager/conf.d/netrelay.conf <"$LAB_ROOT/share/netrelay-networkmanager.conf"
	on lab nmcli general reload
	relay
	wait_for 10 "NetworkManager to leave the tap alone" _is_unmanaged
	on lab nmcli con up br0
	wait_for 10 "br0 to be up again" _br0_is_activated
	is_back
	_is_unmanaged
}

_is_unmanaged()
{
	on lab nmcli -t -f DEVICE,STATE device | grep -qx netrelay0:unmanaged
}

_br0_is_activated()
{
	on lab nmcli -t -f DEVICE,STATE device | grep -qx br0:connected
}

@test "NetworkManager that takes the bridge down and up" {
	nm
	relay
	on lab nmcli con down br0
	wait_for 10 "br0 to go" _lab_has_no br0
	on lab nmcli con up br0
	is_back
}

_lab_has_no()
{
	! ns lab ip link show "$1"
}

# --- systemd-networkd -------------------------------------------------------

# networkd: with a bridge of its own, and leave to manage whatever there is.
networkd()
{
	on lab sh -c 'rm -rf /etc/systemd/network && mkdir /etc/systemd/network'
	file_on lab /etc/systemd/network/10-br0.netdev <<-'EOT'
		[NetDev]
		Name=br0
		Kind=bridge
	EOT
	file_on lab /etc/systemd/network/10-br0.network <<-'EOT'
		[Match]
		Name=br0
		[Network]
		Address=10.0.0.1/24
		LinkLocalAddressing=no
		ConfigureWithoutCarrier=yes
	EOT
	file_on lab /etc/systemd/network/90-all.network <<-'EOT'
		[Match]
		Name=*
		[Network]
		DHCP=yes
	EOT
	host_bus lab
	on lab chown -R systemd-network: /run/systemd/netif
	networkd_start
}

networkd_start()
{
	host_daemon lab networkd env SYSTEMD_LOG_TARGET=console /lib/systemd/systemd-networkd
	wait_for 10 "networkd" on lab networkctl --no-pager list
}

@test "systemd-networkd that is started again, with Name=*" {
	networkd
	relay
	host_daemon_stop lab networkd systemd-networkd
	networkd_start
	taken_off
	is_back
}

@test "systemd-networkd that is started again, and has our file" {
	networkd
	file_on lab /etc/systemd/network/00-netrelay.network <"$LAB_ROOT/share/00-netrelay.network"
	on lab networkctl reload
	relay
	host_daemon_stop lab networkd systemd-networkd
	networkd_start
	wait_for 10 "networkd to leave the tap alone" _networkd_has_looked
	is_left_alone
}

_networkd_has_looked()
{
	on lab networkctl --no-pager --no-legend list netrelay0 | grep -q unmanaged
}

# --- ifupdown2 --------------------------------------------------------------

@test "ifupdown2, whose ifreload knows no tap of ours" {
	file_on lab /etc/network/interfaces <<-'EOT'
		auto br0
		iface br0
		    address 10.0.0.1/24
		    bridge-ports none
		    bridge-stp off
	EOT
	on lab ifreload -a
	relay
	on lab ifreload -a
	taken_off
	is_back
}

@test "ifupdown2, whose ifreload knows our taps by their names" {
	file_on lab /etc/network/interfaces <<-'EOT'
		auto br0
		iface br0
		    address 10.0.0.1/24
		    bridge-ports none
		    bridge-stp off
		    bridge-ports-condone-regex ^netrelay
	EOT
	on lab ifreload -a
	relay
	on lab ifreload -a
	is_left_alone
}
