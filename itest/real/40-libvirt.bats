#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
#
# libvirt's guests, with each type of interface that a relay can be at the other
# end of. One guest has all of them:
#
#   lab: nr0 10.0.N.1 --- netrelay --- what libvirt calls the type --- nicN 10.0.N.2 :guest
#
# Interfaces and relay are those of doc/recipes.md.

load ../helpers
load ../recipes
load hosts

namespaces lab

setup()
{
	real_setup
	needs qemu-system-x86_64
	ns lab ip route add 224.0.0.0/4 dev lo
	host_start lab
}

# libvirt: libvirtd. Users whom its installation would make must be there.
libvirt()
{
	on lab sh -c 'echo libvirt-qemu:x:64055:64055::/:/bin/false >>/etc/passwd
		echo libvirt-qemu:x:64055: >>/etc/group'
	on lab sh -c 'mkdir -p /etc/libvirt && cat >/etc/libvirt/qemu.conf' <<-'EOT'
		user = "root"
		group = "root"
		dynamic_ownership = 0
		remember_owner = 0
		security_driver = "none"
		cgroup_controllers = []
		namespaces = []
		stdio_handler = "file"
	EOT
	host_daemon lab libvirtd libvirtd
	wait_for 20 "libvirtd" on lab virsh version
}

# libvirt_guest NAME INTERFACE...: as guest_start of guests.bash has them. LIBVIRT_MEMORY is what
# its memory is, LIBVIRT_PROCESSORS how many it has, LIBVIRT_QEMU more for QEMU.
libvirt_guest()
{
	local name=$1

	shift
	guest_image
	mkfifo "$DIR/$name.agent.in" "$DIR/$name.agent.out"
	cat >"$DIR/$name.xml" <<-EOT
		<domain type="qemu" xmlns:qemu="http://libvirt.org/schemas/domain/qemu/1.0">
		<name>$name</name><memory unit="MiB">128</memory><vcpu>${LIBVIRT_PROCESSORS:-1}</vcpu>
		${LIBVIRT_MEMORY-}
		<os><type arch="x86_64">hvm</type><kernel>$GUEST_DIR/vmlinuz</kernel>
		<initrd>$GUEST_DIR/initrd.gz</initrd>
		<cmdline>console=ttyS0 panic=-1 quiet no_timer_check agent</cmdline></os>
		<features><acpi/></features><cpu mode="maximum"/>
		<devices>
		<serial type="file"><source path="$DIR/$name.console"/><target port="0"/></serial>
		<serial type="pipe"><source path="$DIR/$name.agent"/><target port="1"/></serial>
		$*
		<memballoon model="none"/>
		</devices>
		${LIBVIRT_QEMU-}
		</domain>
	EOT
	on lab virsh create "$DIR/$name.xml"
	# What runs as long as the guest.
	host_daemon lab "$name" sh -c "while virsh domstate $name | grep -q running; do sleep 1; done"
	guest_wait "$name"
}

# relay: the recipe's, with a tap that has all addresses.
relay()
{
	local number args

	read -ra args < <(recipe libvirt-relay)
	relay_start relay in lab -v tap:nr0 "${args[@]:1:${#args[@]}-2}"
	for number in 1 2 3 4; do
		address lab nr0 "10.0.$number.1/24"
	done
}

# pass NUMBER...: both ways.
pass()
{
	local number

	for number in "$@"; do
		wait_ping lab "10.0.$number.2" 15
		guest_ping vm "10.0.$number.1" 1400
	done
}

@test "libvirt's client, server, udp and mcast, and which of them have a new relay" {
	local number

	libvirt
	relay
	wait_listen lab tcp 5001
	libvirt_guest vm "$(recipe libvirt-client)" "$(recipe libvirt-server)" \
		"$(recipe libvirt-udp)" "$(recipe libvirt-mcast)"
	for number in 1 2 3 4; do
		guest_nic vm "$number" "10.0.$number.2/24"
	done
	pass 1 2 3 4
	relay_check_sums relay
	relay_stop relay
	relay
	pass 2 3 4
	# It dials once.
	run ! ns lab ping -c 2 -W 1 10.0.1.2
}

# here: where netrelay and the guest's host both have the socket.
here()
{
	sed "s#/run/#$DIR/#g"
}

# For QEMU 7.2 without KVM, as guests.bash has it.
#
#   lab: nr0 10.0.1.1 --- netrelay === vhostuser === nic1 10.0.1.2 :guest
@test "libvirt's vhostuser, and a new relay" {
	local turn

	LIBVIRT_PROCESSORS=2
	LIBVIRT_MEMORY=$(recipe libvirt-memory)
	LIBVIRT_QEMU="<qemu:commandline><qemu:arg value='-global'/><qemu:arg value='virtio-net-pci.vectors=0'/></qemu:commandline>"
	libvirt
	for turn in 1 2; do
		relay_start relay in lab -v -l "vhost-user-listen:$DIR/vms.sock" tap:nr0
		address lab nr0 10.0.1.1/24
		wait_listen lab unix "$DIR/vms.sock"
		if ((turn == 1)); then
			libvirt_guest vm "$(recipe libvirt-vhostuser | here)"
			guest_nic vm 1 10.0.1.2/24
		fi
		relay_wait_up relay 2
		pass 1
		relay_check_sums relay
		kill -KILL "$(pid_of relay)"
		run -137 wait_end relay
	done
}

@test "the README's interface is the recipe's, with another address and port" {
	awk '/^```/ { inside = 0 } inside { print } /^```xml$/ { inside = 1 }' "$LAB_ROOT/README.md" |
		sed 's/52:54:00:00:00:01/52:54:00:6e:01:01/; s/5000/5001/' >"$DIR/readme"
	diff "$DIR/readme" <(recipe libvirt-client)
}
