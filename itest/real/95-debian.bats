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

# What the copy has and this system has not, but for where it says what happened. This system
# itself may change meanwhile.
left_behind()
{
	local new=$DIR/copy/new file

	find "$new" -mindepth 1 \( -path "$new/var/lib/dpkg" -o -path "$new/var/log" \
		-o -path "$new/var/cache" -o -path "$new/tmp" \) -prune -o -printf '/%P\n' |
		while IFS= read -r file; do
			[[ -e $file || -L $file ]] || echo "$file"
		done
}

joins()
{
	[[ $(bridge_ports lab br0) ]]
}

# All that it is to have; what an admin may edit is a conffile.
has_all_parts()
{
	local part

	run -0 inside dpkg -L netrelay
	while read -r part; do
		assert_line "$part"
		[[ -s $DIR/copy/root/$part ]]
	done <<-'EOT'
		/usr/bin/netrelay
		/usr/share/man/man1/netrelay.1.gz
		/usr/share/man/man5/netrelay.conf.5.gz
		/usr/share/bash-completion/completions/netrelay
		/usr/share/zsh/vendor-completions/_netrelay
		/usr/share/fish/vendor_completions.d/netrelay.fish
		/lib/systemd/system/netrelay@.service
		/lib/systemd/system/netrelay@.socket
		/usr/share/netrelay/no-bridge.conf
	EOT
	run -0 inside dpkg -s netrelay
	assert_output --partial "/etc/netrelay/bridge.conf "
	assert_output --partial "/etc/apparmor.d/netrelay "
}

@test "the package is installed, used, upgraded, removed and purged" {
	local list=$DIR/copy/root/etc/netrelay/bridge.conf

	inside dpkg -i /tmp/old.deb
	inside netrelay --version
	has_all_parts
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

	left_behind | grep -qx /usr/bin/netrelay
	inside dpkg -r netrelay
	assert_file_exists "$list"
	assert_file_not_exist "$DIR/copy/root/usr/bin/netrelay"
	inside dpkg -i /tmp/new.deb
	inside dpkg -P netrelay
	rm -f "$DIR/copy/root"/tmp/[abc]
	assert_equal "$(left_behind)" ""
}
