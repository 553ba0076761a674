/* SPDX-License-Identifier: MIT */
/*
 * The MAC address of a tap: the same for the same names, whatever rights are left, and
 * another one in another network namespace.
 */
#include "helper/tap-mac.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/tap.h"
#include "sandbox/caps.h"

static int become_tap_worker(void)
{
	return caps_keep(1u << CAP_NET_ADMIN);
}

static int leave_home(void)
{
	return unshare(CLONE_NEWNET) < 0 ? -errno : 0;
}

/* What another process computes, after it has done @first. Return: 0 or -errno. */
static int mac_after(int (*first)(void), uint8_t mac[6])
{
	int fds[2], ret = 0;
	pid_t pid;

	if (pipe(fds) < 0 || (pid = fork()) < 0)
		return -errno;
	if (pid == 0) {
		ret = first();
		tap_mac(mac, "br0", "netrelay0");
		if (write(fds[1], mac, 6) != 6)
			ret = -EIO;
		_exit(-ret);
	}
	if (read(fds[0], mac, 6) != 6)
		ret = -EIO;
	close(fds[0]);
	close(fds[1]);
	waitpid(pid, &ret, 0);
	return -WEXITSTATUS(ret);
}

/* An /etc of our own, for a host that has no machine-id is told by its boot alone. */
static bool give_machine_id(void)
{
	static const char id[] = "0123456789abcdef0123456789abcdef\n";
	int fd;

	if (unshare(CLONE_NEWNS) < 0 ||
	    mount("", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("none", "/etc", "tmpfs", 0, NULL) < 0)
		return false;
	fd = open("/etc/machine-id", O_WRONLY | O_CREAT | O_CLOEXEC, 0444);
	return fd >= 0 && write(fd, id, sizeof(id) - 1) > 0 && close(fd) == 0;
}

int main(void)
{
	uint8_t one[6], other[6];
	int ret;

	tap_mac(one, "br0", "netrelay0");
	tap_mac(other, "br0", "netrelay0");
	ok(!memcmp(one, other, 6), "the same each time");
	ok(one[0] == 0xfe, "a local one, above those of guests");
	tap_mac(other, "br0", "netrelay1");
	ok(memcmp(one, other, 6) != 0, "another tap has another");
	tap_mac(other, "br1", "netrelay0");
	ok(memcmp(one, other, 6) != 0, "so has one of another bridge");
	if (geteuid() != 0) {
		tap_puts("# the rest needs root\n");
		return done();
	}
	memcpy(other, one, 6);
	ok(give_machine_id(), "a host that has another ID");
	tap_mac(one, "br0", "netrelay0");
	ok(memcmp(one, other, 6) != 0, "has other ones, if this is its own namespace");
	ret = mac_after(become_tap_worker, other);
	ok(ret == 0 && !memcmp(one, other, 6), "the same with few capabilities");
	ret = mac_after(leave_home, other);
	ok(ret == 0 && memcmp(one, other, 6) != 0, "another one in another namespace");
	return done();
}
