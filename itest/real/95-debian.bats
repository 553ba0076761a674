#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
#
# The Debian package (ci/deb, which ci/test builds before): installed, used, upgraded, removed
# and purged in a copy of this system that is thrown away.

load ../helpers

namespaces lab

setup()
{
	common_setup
	shopt -s nullglob
	local packages=("$LAB_ROOT"/build/deb/netrelay_*.deb)
	((${#packages[@]} == 1)) || skip "make deb has not made one package: ${packages[*]}"
	mkdir "$DIR/copy"
	mount -t tmpfs -o mode=755 copy "$DIR/copy"
	mkdir "$DIR/copy/root" "$DIR/copy/new" "$DIR/copy/work"
	mount -t overlay -o "lowerdir=/,upperdir=$DIR/copy/new,workdir=$DIR/copy/work" copy "$DIR/copy/root"
	mount -t proc proc "$DIR/copy/root/proc"
	mount -t tmpfs -o mode=755 dev "$DIR/copy/root/dev"
	mkdir "$DIR/copy/root/dev/net"
	mknod -m 666 "$DIR/copy/root/dev/net/tun" c 10 200
	mknod -m 666 "$DIR/copy/root/dev/null" c 1 3
	mknod -m 666 "$DIR/copy/root/dev/urandom" c 1 9
	cp "${packages[0]}" "$DIR/copy/root/tmp/new.deb"
	# The one before it is the same, but for its version.
	dpkg-deb -R "${packages[0]}" "$DIR/copy/old"
	sed -i 's/^Version: .*/Version: 0.0.1/' "$DIR/copy/old/DEBIAN/control"
	dpkg-deb -b "$DIR/copy/old" "$DIR/copy/root/tmp/old.deb" >"$DIR/packed"
	bridge_add lab br0
}

teardown()
{
	umount -l "$DIR/copy/root/proc" "$DIR/copy/root/dev" "$DIR/copy/root" "$DIR/copy" || true
	common_teardown
}

# inside COMMAND...: in the copy, and in the namespace lab.
inside()
{
	ns lab chroot "$DIR/copy/root" "$@"
}

as_nobody()
{
	inside setpriv --reuid 65534 --regid 65534 --clear-groups "$@"
}

# All files of the copy but those in which the system says what happened.
files()
{
	inside find / -xdev \( -path /var/lib/dpkg -o -path /var/log -o -path /var/cache -o -path /tmp \
		-o -path /proc -o -path /dev \) -prune -o -print | sort
}

joins()
{
	[[ $(bridge_ports lab br0) ]]
}

@test "the package is installed, used, upgraded, removed and purged" {
	local list=$DIR/copy/root/etc/netrelay/bridge.conf

	files >"$DIR/before"
	inside dpkg -i /tmp/old.deb
	inside netrelay --version
	run -0 inside dpkg -s netrelay
	assert_output --partial /etc/netrelay/bridge.conf
	assert_equal "$(inside getcap /usr/bin/netrelay)" ""
	run -1 as_nobody netrelay --check-bridge br0
	start cable in lab chroot "$DIR/copy/root" netrelay -v unix-listen:/tmp/a unix-listen:/tmp/b
	wait_for 5 "confined relay" grep -q confined "$DIR/cable.err"
	relay_stop cable

	echo 'allow br0 user:nobody' >>"$list"
	inside dpkg -i /tmp/new.deb
	grep -q '^allow br0 user:nobody' "$list"
	assert_equal "$(inside getcap /usr/bin/netrelay)" "/usr/bin/netrelay cap_net_admin=p"
	run -0 as_nobody netrelay --check-bridge br0
	start bridge in lab chroot "$DIR/copy/root" setpriv --reuid 65534 --regid 65534 --clear-groups \
		netrelay -v unix-listen:/tmp/c br0
	wait_for 10 "tap on br0" joins
	relay_stop bridge

	inside dpkg -r netrelay
	assert_file_exists "$list"
	assert_file_not_exist "$DIR/copy/root/usr/bin/netrelay"
	inside dpkg -i /tmp/new.deb
	inside dpkg -P netrelay
	rm -f "$DIR/copy/root"/tmp/[abc]
	# An empty folder of AppArmor's may be gone, too; nothing of ours is left.
	assert_equal "$(files | comm -13 "$DIR/before" -)" ""
}
