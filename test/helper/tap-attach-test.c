/* SPDX-License-Identifier: MIT */
/*
 * tap-attach.c and qemu-bridge-helper.c, in a network namespace of their own: what a tap
 * becomes, what is said when it can't be had, and that nothing is left behind whatever
 * system call fails. In place of QEMU's helper this program is run again, and does what
 * the bridge's name says. Where no namespace can be made, nothing is checked.
 */
#include "helper/tap-attach.h"

#include <signal.h>
#include <stdio.h>
#include <sys/syscall.h>

#include <linux/if_tun.h>

#include "base/util.h"
#include "helper/qemu-bridge-helper.h"
#include "lib/fault.h"
#include "lib/netns.h"
#include "lib/tap.h"
#include "lib/without.h"

#define ALARM_S 300
#define SAID_MAX 100

static bool has_no_program; /* QEMU's */
static char why[512];

/* ---- QEMU's helper ---- */

int access(const char *path, int mode)
{
	if (strstr(path, "qemu-bridge-helper"))
		return has_no_program ? -1 : 0;
	return (int)syscall(SYS_faccessat, AT_FDCWD, path, mode, 0);
}

int execve(const char *path, char *const argv[], char *const envp[])
{
	(void)path;
	return (int)syscall(SYS_execve, "/proc/self/exe", argv, envp);
}

static int make_tap(int flags)
{
	struct ifreq ifr = { .ifr_flags = (short)(IFF_TAP | IFF_NO_PI | flags) };
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);

	memcpy(ifr.ifr_name, "qemutap", sizeof("qemutap"));
	return fd >= 0 && ioctl(fd, TUNSETIFF, &ifr) == 0 ? fd : -1;
}

static void hand_over(const int *fds, size_t n)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(2 * sizeof(int))];
	} control = { 0 };
	struct iovec iov = { .iov_base = why, .iov_len = 1 };
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = &control,
			      .msg_controllen = CMSG_SPACE(n * sizeof(int)) };

	control.align.cmsg_level = SOL_SOCKET;
	control.align.cmsg_type = SCM_RIGHTS;
	control.align.cmsg_len = CMSG_LEN(n * sizeof(int));
	memcpy(CMSG_DATA(&control.align), fds, n * sizeof(int));
	if (sendmsg(3, &msg, 0) < 0)
		abort();
}

/* In its place. */
static int qemu_helper(const char *bridge)
{
	int fds[2] = { 1, 1 };

	if (!strcmp(bridge, "--br=tapbr"))
		fds[0] = make_tap(IFF_VNET_HDR);
	else if (!strcmp(bridge, "--br=nobr"))
		return dprintf(2, "access \033denied\nand more\n") < 0;
	else if (!strcmp(bridge, "--br=mutebr"))
		return 1;
	hand_over(fds, strcmp(bridge, "--br=twobr") ? 1 : 2);
	return 0;
}

static void test_qemu_helper(void)
{
	char said[SAID_MAX];
	int fd;

	fd = bridge_helper_tap("tapbr", said, sizeof(said));
	ok(fd >= 0 && tap_is_there(fd), "QEMU's helper: gives a tap");
	ok(fcntl(fd, F_GETFD) & FD_CLOEXEC, "QEMU's helper: close-on-exec");
	close(fd);
	ok_eq_int(bridge_helper_tap("nobr", said, sizeof(said)), -EPERM, "it gives none");
	ok_eq_str(said, "access ?denied", "its first line, made printable");
	ok_eq_int(bridge_helper_tap("mutebr", said, sizeof(said)), -EPERM,
		  "it ends without a word");
	ok_eq_str(said, "", "nothing was said");
	ok_eq_int(bridge_helper_tap("twobr", said, sizeof(said)), -EPERM,
		  "it gives more than one descriptor");
	has_no_program = true;
	ok_eq_int(bridge_helper_tap("tapbr", said, sizeof(said)), -ENOENT,
		  "none is installed");
	has_no_program = false;
}

static void test_qemu_helper_faults(void)
{
	static const enum fault_call calls[] = { FAULT_open, FAULT_socketpair,
						 FAULT_pipe2, FAULT_fork, FAULT_recvmsg };
	unsigned before = fault_open_fds();
	char said[SAID_MAX];

	for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
		fault_arm(calls[i], 1, ENOMEM);
		ok(bridge_helper_tap("tapbr", said, sizeof(said)) < 0,
		   "QEMU's helper: without %s() there is no tap", fault_name(calls[i]));
		ok(fault_disarm(), "which was called");
		ok_eq_int(fault_open_fds(), before, "and no descriptor is left");
	}
}

/* ---- taps ---- */

/* Return: as tap_attach(), with the reason at @why. */
static int attach(const char *bridge, const char *name, uint32_t mtu, struct tap_dev *dev)
{
	struct tap_request req = { .mtu = mtu };

	snprintf(req.bridge, sizeof(req.bridge), "%s", bridge);
	snprintf(req.tap, sizeof(req.tap), "%s", name);
	why[0] = '\0';
	return tap_attach(&req, dev, why, sizeof(why));
}

static void test_made(void)
{
	struct nl_link link, bridge;
	struct tap_dev dev, other;

	nl_link_get(NULL, "tapbr", &bridge);
	ok_eq_int(attach("tapbr", "one", 1400, &dev), 0, "a tap on a bridge");
	ok_eq_int(nl_link_get(NULL, "one", &link), 0, "is there");
	ok(link.is_tap && link.is_up && link.master == bridge.index && link.mtu == 1400,
	   "up, on that bridge, with that MTU");
	ok(!dev.existed && dev.index == link.index && dev.bridge == bridge.index &&
		   dev.has_vnet && dev.is_bridge_up && dev.mtu == 1400,
	   "and it is said so");
	ok_eq_int(attach("tapbr", "one", 0, &other), -EBUSY, "one that is in use");
	ok(strstr(why, "in use by another program"), "is told: %s", why);
	ok_eq_int(ioctl(dev.fd, TUNSETPERSIST, 1), 0, "it stays");
	close(dev.fd);
	ok_eq_int(attach("tapbr", "one", 0, &dev), 0, "it is taken again");
	ok(dev.existed && dev.mtu == 1400, "as it was");
	ioctl(dev.fd, TUNSETPERSIST, 0);
	close(dev.fd);
	ok_eq_int(nl_link_get(NULL, "one", &link), -ENODEV,
		  "it goes with its descriptor");
}

static void test_kept(void)
{
	struct tap_request req = { .bridge = "tapbr" };
	struct tap_dev dev, none;
	struct nl_change off = { .master = 0 };
	struct nl_link link;

	attach("tapbr", "two", 0, &dev);
	off.index = req.index = dev.index;
	nl_link_change(&off);
	req.mtu = 1300;
	ok_eq_int(tap_attach(&req, &none, why, sizeof(why)), 0, "one is put back");
	nl_link_get(NULL, "two", &link);
	ok(link.master == dev.bridge && link.mtu == 1300 && none.fd == -1,
	   "by its number");
	close(dev.fd);
	ok_eq_int(tap_attach(&req, &none, why, sizeof(why)), -ENODEV, "one that is gone");
	ok(strstr(why, "look for the tap"), "is told: %s", why);
	req.index = (int)if_nametoindex("lo");
	ok_eq_int(tap_attach(&req, &none, why, sizeof(why)), -EINVAL,
		  "a link that is none, by its number");
	ok_eq_str(why, "lo is not a tap", "is left alone");
	nl_link_get(NULL, "lo", &link);
	ok(!link.master && link.mtu != 1300, "and stays as it is");
}

static void refused(const char *bridge, const char *name, uint32_t mtu, int err,
		    const char *word)
{
	unsigned before = fault_open_fds();
	struct tap_dev dev;

	ok_eq_int(attach(bridge, name, mtu, &dev), err, "bridge '%s', tap '%s': refused",
		  bridge, name);
	fault_disarm();
	ok(strstr(why, word), "says %s: %s", word, why);
	ok(dev.fd == -1 && fault_open_fds() == before, "and leaves no descriptor");
}

static void test_refused(void)
{
	refused("none", "", 0, -ENODEV, "does not exist");
	refused("lo", "", 0, -EINVAL, "lo");
	refused("", "lo", 0, -EINVAL, "lo");
	refused("", "a/b", 0, -EINVAL, "cannot be the name of a tap");
	refused("tapbr", "mtu", 70000, -EINVAL, "set the MTU of mtu to 70000");
	fault_arm(FAULT_open, 1, ENOENT);
	refused("", "x", 0, -ENOENT, "modprobe tun");
	fault_arm(FAULT_open, 1, EACCES);
	refused("", "x", 0, -EACCES, "chmod");
	fault_arm(FAULT_ioctl, 1, EPERM);
	refused("tapbr", "x", 0, -EPERM, "no right to make a tap");
	fault_arm(FAULT_ioctl, 1, EPERM);
	refused("nobr", "", 0, -EPERM, "(qemu-bridge-helper: access ?denied)");
	fault_arm(FAULT_ioctl, 1, EPERM);
	refused("filebr", "", 0, -EPROTO, "something that is not a tap");
}

/* The kernel does not let us, but QEMU's helper. */
static void test_helped(void)
{
	enum fault_call by[] = { FAULT_open, FAULT_ioctl };
	struct tap_dev dev;

	for (size_t i = 0; i < ARRAY_SIZE(by); i++) {
		fault_arm(by[i], 1, EPERM);
		ok_eq_int(attach("tapbr", "", 0, &dev), 0, "without %s(): by the helper",
			  fault_name(by[i]));
		fault_disarm();
		ok_eq_str(dev.name, "qemutap", "its tap");
		ok(fcntl(dev.fd, F_GETFL) & O_NONBLOCK, "does not block");
		close(dev.fd);
	}
}

/* Return: whether the call came to be made. */
static bool one_fault(enum fault_call call, unsigned at, bool *is_well)
{
	unsigned before = fault_open_fds();
	struct nl_link left;
	struct tap_dev dev;
	bool is_hit;
	int ret;

	fault_arm(call, at, EIO);
	ret = attach("tapbr", "swept", 1400, &dev);
	is_hit = fault_disarm();
	if (ret == 0 && dev.fd >= 0)
		close(dev.fd);
	*is_well = fault_open_fds() == before &&
		   nl_link_get(NULL, "swept", &left) == -ENODEV &&
		   (ret == 0 ? !why[0] : why[0] && dev.fd == -1);
	return is_hit;
}

static void test_faults(void)
{
	for (enum fault_call call = FAULT_NONE + 1; call < FAULT_CALLS; call++) {
		bool is_well = true;
		unsigned at = 1;

		while (one_fault(call, at, &is_well) && is_well)
			at++;
		ok(is_well, "%s() may fail at any of %u calls", fault_name(call), at - 1);
	}
}

/* Linux before 6.2. */
static void test_no_uso(void)
{
	struct tap_dev dev;
	int flags;

	attach("", "old", 0, &dev);
	flags = dev.has_uso;
	/* TUNSETVNETHDRSZ, TUNSETVNETLE and TUNSETVNETBE come ahead of it. */
	fault_arm(FAULT_ioctl, 4, EINVAL);
	tap_set_offload(&dev);
	fault_disarm();
	ok(!dev.has_uso, "a kernel that knows of no USO");
	tap_set_offload(&dev);
	ok_eq_int(dev.has_uso, flags, "asked again, gives what it has");
	ok(!dev.has_uso || !(is_without("uso") || is_without("offload")),
	   "and nothing more");
	close(dev.fd);
}

int main(int argc, char **argv)
{
	if (argc > 2 && !strcmp(argv[1], "--use-vnet"))
		return qemu_helper(argv[2]);
	if (!netns_or_skip())
		return 0;
	alarm(ALARM_S);
	if (!netns_bridge("tapbr") || !netns_bridge("nobr") || !netns_bridge("filebr"))
		return 1;
	test_qemu_helper();
	test_qemu_helper_faults();
	test_made();
	test_kept();
	test_refused();
	test_helped();
	test_faults();
	test_no_uso();
	return done();
}
