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
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/tap.h"
#include "sandbox/caps.h"

#define FIRST_PID_NS \
	0xeffffffc /* PROC_PID_INIT_INO, the kernel's include/linux/proc_ns.h */

static bool is_first_pid_ns(void)
{
	struct stat st;

	return stat("/proc/self/ns/pid", &st) == 0 && st.st_ino == FIRST_PID_NS;
}

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

static bool make_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0444);
	ssize_t len = (ssize_t)strlen(text);

	return fd >= 0 && write(fd, text, (size_t)len) == len && close(fd) == 0;
}

/*
 * Files as a host has them that has this ID, in a mount namespace of our own: this test may
 * run in a network namespace, and on a host without an ID.
 */
static bool become_host(const char *id)
{
	return unshare(CLONE_NEWNS) == 0 &&
	       mount("", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
	       mount("none", "/etc", "tmpfs", 0, NULL) == 0 &&
	       mount("none", "/proc/sys/net/core", "tmpfs", 0, NULL) == 0 &&
	       make_file("/etc/machine-id", id) &&
	       make_file("/proc/sys/net/core/dev_weight", "64\n");
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
	if (geteuid() != 0 || !is_first_pid_ns()) {
		printf("# the rest needs root, and the host's own processes\n");
		return done();
	}
	ok(become_host("0123456789abcdef0123456789abcdef\n"), "a host");
	tap_mac(one, "br0", "netrelay0");
	ret = mac_after(become_tap_worker, other);
	ok(ret == 0 && !memcmp(one, other, 6), "the same with few capabilities");
	ok(become_host("fedcba9876543210fedcba9876543210\n"), "another host");
	tap_mac(other, "br0", "netrelay0");
	ok(memcmp(one, other, 6) != 0, "has another");
	ok(umount("/proc/sys/net/core") == 0 && umount("/proc/sys/net/core") == 0,
	   "not the host's own namespace");
	ret = mac_after(leave_home, other);
	tap_mac(one, "br0", "netrelay0");
	ok(ret == 0 && memcmp(one, other, 6) != 0, "another one in another namespace");
	return done();
}
