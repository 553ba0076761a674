/* SPDX-License-Identifier: MIT */
/*
 * file-cap.c and tap-leave.c, and what tap-attach.c makes of them, as a user to whom the
 * program file gives CAP_NET_ADMIN: a child that has kept it, permitted and not ambient,
 * when it became another user. What a user asks for is refused whatever is in the
 * request, and it is refused by the kernel: the child has no capability left. The access
 * list itself is replaced by a word of the test's; bridge-acl-test.c tests that.
 *
 * It needs root, and a network namespace. Otherwise nothing is checked.
 */
#include "helper/tap-leave.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <linux/capability.h>
#include <linux/if_tun.h>

#include "base/util.h"
#include "helper/bridge-acl.h"
#include "helper/file-cap.h"
#include "lib/fault.h"
#include "lib/netns.h"
#include "lib/tap.h"
#include "sandbox/caps.h"

#define USER 65534
#define NET_ADMIN (1U << CAP_NET_ADMIN)

static char why[512];
static const char *allowed = "br0"; /* the one bridge that the list allows */
static char asked[IFNAMSIZ];	    /* the one that it was asked for last */

static void (*meanwhile)(void); /* what happens while the list is read */

int bridge_acl_check(const char *dir, const char *bridge, char *text, size_t size)
{
	(void)dir;
	snprintf(asked, sizeof(asked), "%s", bridge);
	snprintf(text, size, "the list speaks");
	if (meanwhile)
		meanwhile();
	return strcmp(bridge, allowed) ? -EACCES : 0;
}

static struct __user_cap_data_struct caps_now(void)
{
	struct __user_cap_header_struct header = { .version =
							   _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct caps[2] = { 0 };

	syscall(SYS_capget, &header, caps);
	return caps[0];
}

static void set_caps(uint32_t permitted, uint32_t inheritable)
{
	struct __user_cap_header_struct header = { .version =
							   _LINUX_CAPABILITY_VERSION_3 };
	const struct __user_cap_data_struct caps[2] = {
		{ .permitted = permitted,
		  .effective = permitted,
		  .inheritable = inheritable },
	};

	if (syscall(SYS_capset, &header, caps) < 0)
		abort();
}

static void become_user(uint32_t permitted, uint32_t inheritable)
{
	prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0);
	if (setgid(USER) < 0 || setuid(USER) < 0)
		abort();
	set_caps(permitted, inheritable);
	prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
}

/* Run @test in a child; what it checks counts. */
static void in_child(void (*test)(void))
{
	int fds[2], status, counts[2];
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC) < 0)
		abort();
	pid = fork();
	if (pid == 0) {
		test();
		counts[0] = tap.run;
		counts[1] = tap.failed;
		if (write(fds[1], counts, sizeof(counts)) < 0)
			abort();
		_exit(0);
	}
	close(fds[1]);
	if (read(fds[0], counts, sizeof(counts)) == (ssize_t)sizeof(counts)) {
		tap.run = counts[0];
		tap.failed = counts[1];
	}
	close(fds[0]);
	waitpid(pid, &status, 0);
	ok_eq_int(status, 0, "the child has ended well");
}

/* ---- the capability ---- */

static void test_begin(void)
{
	become_user(NET_ADMIN | 1U << CAP_NET_RAW, NET_ADMIN);
	ok_eq_int(net_right(), NET_RIGHT_FILE, "permitted and not ambient: the file's");
	ok_eq_int(file_cap_begin(), 0, "it is put aside");
	ok(caps_now().permitted == NET_ADMIN && !caps_now().effective &&
		   !caps_now().inheritable,
	   "nothing else is left, and nothing is effective");
	ok_eq_int(prctl(PR_GET_DUMPABLE, 0, 0, 0, 0), 0, "and nobody can look into it");
	file_cap_set(FILE_CAP_IN_USE);
	ok_eq_int(caps_now().effective, NET_ADMIN, "it is taken in use");
	file_cap_set(FILE_CAP_ASIDE);
	ok_eq_int(caps_now().effective, 0, "and put aside");
	file_cap_set(FILE_CAP_GONE);
	ok_eq_int(caps_now().permitted, 0, "and given up");
	ok_eq_int(net_right(), NET_RIGHT_NONE, "there is none any more");
	file_cap_set(FILE_CAP_IN_USE);
	ok_eq_int(caps_now().permitted, 0, "and none can be had");
}

static void test_ambient(void)
{
	become_user(NET_ADMIN, NET_ADMIN);
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_NET_ADMIN, 0, 0) < 0)
		return;
	ok_eq_int(net_right(), NET_RIGHT_OWN, "ambient: the user's own");
	ok_eq_int(file_cap_begin(), 0, "nothing is put aside");
	file_cap_set(FILE_CAP_GONE);
	ok(caps_now().effective == NET_ADMIN && caps_now().inheritable == NET_ADMIN,
	   "nor given up");
	ok_eq_int(prctl(PR_GET_DUMPABLE, 0, 0, 0, 0), 1, "and it can be looked into");
}

static void test_other(void)
{
	become_user(1U << CAP_NET_RAW, 0);
	ok_eq_int(net_right(), NET_RIGHT_NONE, "another capability");
	file_cap_begin();
	ok_eq_int(caps_now().effective, 1U << CAP_NET_RAW, "is none of our business");
}

static void test_root(void)
{
	ok_eq_int(net_right(), NET_RIGHT_OWN, "root's is its own");
	ok_eq_int(file_cap_begin(), 0, "and is left");
	ok(caps_now().effective & NET_ADMIN, "to it");
	set_caps(0, 0);
	ok_eq_int(net_right(), NET_RIGHT_NONE, "unless it was taken away");
}

static void test_set_id(void)
{
	if (setreuid(USER, 0) < 0)
		abort();
	ok_eq_int(file_cap_begin(), -EPERM, "set-user-ID is refused");
	if (setreuid(0, 0) < 0 || setregid(USER, 0) < 0)
		abort();
	ok_eq_int(file_cap_begin(), -EPERM, "set-group-ID, too");
}

static bool is_stuck;

int caps_set(uint64_t permitted, uint64_t effective)
{
	static int (*next)(uint64_t permitted, uint64_t effective);

	if (is_stuck)
		return -EPERM;
	if (!next)
		fault_find(&next, "caps_set");
	return next(permitted, effective);
}

static void aborted(int sig)
{
	_exit(sig);
}

/* A process of which the kernel does not take what it is to have put aside. */
static void test_stuck(void)
{
	int status;
	pid_t pid;

	become_user(NET_ADMIN, 0);
	is_stuck = true;
	pid = fork();
	if (pid == 0) {
		signal(SIGABRT, aborted);
		file_cap_begin();
		_exit(0);
	}
	waitpid(pid, &status, 0);
	ok(WIFEXITED(status) && WEXITSTATUS(status) == SIGABRT,
	   "what can't be put aside ends the process");
}

/* ---- requests ---- */

/* Links that belong to others, made by root. */
static struct {
	int stays, mine, named, theirs, lost, lo, tun;
} links;

static int make(const char *name, int flags, long owner, bool persists,
		const char *bridge)
{
	struct ifreq ifr = { .ifr_flags = (short)(IFF_NO_PI | flags) };
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
	struct nl_link link, on;
	struct nl_change change = { .master = -1 };

	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", name);
	if (fd < 0 || ioctl(fd, TUNSETIFF, &ifr) < 0 ||
	    (owner >= 0 && ioctl(fd, TUNSETOWNER, owner) < 0) ||
	    (persists && ioctl(fd, TUNSETPERSIST, 1) < 0) ||
	    nl_link_get(NULL, name, &link))
		abort();
	change.index = link.index;
	if (bridge) {
		if (nl_link_get(NULL, bridge, &on))
			abort();
		change.master = on.index;
		if (nl_link_change(&change))
			abort();
	}
	if (persists)
		close(fd);
	return link.index;
}

static void make_links(void)
{
	struct nl_link lo;

	links.mine = make("netrelay90", IFF_TAP, USER, false, NULL);
	links.stays = make("netrelay91", IFF_TAP, USER, true, NULL);
	links.named = make("eth7", IFF_TAP, USER, false, NULL);
	links.theirs = make("netrelay92", IFF_TAP, 1, false, NULL);
	links.lost = make("netrelay93", IFF_TAP, -1, false, NULL);
	links.tun = make("netrelay94", IFF_TUN, USER, false, NULL);
	if (nl_link_get(NULL, "lo", &lo))
		abort();
	links.lo = lo.index;
}

/* Try it as a user would, who can put anything into a request. Return: as tap_attach(). */
static int attach(const char *bridge, const char *name, uint32_t mtu, int index,
		  struct tap_dev *dev)
{
	struct tap_request req = { .mtu = mtu, .index = index };

	snprintf(req.bridge, sizeof(req.bridge), "%s", bridge);
	snprintf(req.tap, sizeof(req.tap), "%s", name);
	why[0] = '\0';
	return tap_attach(&req, dev, why, sizeof(why));
}

static void begin_as_user(void)
{
	become_user(NET_ADMIN, 0);
	file_cap_begin();
}

static void test_made(void)
{
	struct tap_dev dev, none;
	struct nl_link link;

	begin_as_user();
	ok_eq_int(attach("br0", "", 0, 0, &dev), 0, "leave: a tap is made");
	ok_eq_str(asked, "br0", "the list was asked");
	ok_eq_int(nl_link_get(NULL, dev.name, &link), 0, "it is there");
	ok(link.owner == USER && !link.is_persistent && link.master && link.is_up,
	   "it is the user's, on the bridge, and up");
	ok_eq_int(attach("br0", "netrelay-x", 1500, 0, &none), 0,
		  "one with a name that begins right, and the bridge's MTU");
	close(none.fd);
	/* Put back, and given the MTU of its bridge. */
	ok_eq_int(nl_link_change(&(struct nl_change){ .index = dev.index }), 0,
		  "it is taken off");
	ok_eq_int(attach("br0", "", 0, dev.index, &none), 0, "leave: it is put back");
	ok_eq_int(nl_link_change(&(struct nl_change){
			  .index = dev.index, .master = -1, .mtu = 1400 }),
		  0, "it is given another MTU");
	allowed = "none";
	ok_eq_int(attach("", "", 1400, dev.index, &none), 0,
		  "what changes nothing needs no leave");
	close(dev.fd);
}

static void test_grown(void)
{
	struct tap_dev dev, none;
	struct nl_link link, bridge;

	begin_as_user();
	attach("br0", "", 0, 0, &dev);
	nl_link_get(NULL, "br0", &bridge);
	nl_link_change(
		&(struct nl_change){ .index = dev.index, .master = -1, .mtu = 900 });
	nl_link_change(
		&(struct nl_change){ .index = bridge.index, .master = -1, .mtu = 1500 });
	ok_eq_int(attach("", "", 1500, dev.index, &none), 0,
		  "leave: the bridge's MTU becomes the tap's");
	nl_link_at(NULL, dev.index, &link);
	ok_eq_int(link.mtu, 1500, "it has");
	ok_eq_int(attach("", "", 600, dev.index, &none), -EPERM, "another MTU does not");
	ok(strstr(why, "for taps with its MTU, 1500"), "and it is told why: %s", why);
	close(dev.fd);
}

/* A tap that is to get an MTU, and leaves its bridge, or whose bridge goes, meanwhile. */
static void test_bridge_gone(void)
{
	struct tap_request req = { .mtu = 1500, .index = links.mine };
	struct nl_link none = { 0 }, mine;

	begin_as_user();
	if (nl_link_at(NULL, links.mine, &mine))
		abort();
	mine.master = 999999;
	ok(!tap_leave(&req, &none, &mine, why, sizeof(why)) && !caps_now().permitted,
	   "no leave for a bridge that has gone");
	ok_eq_str(why, "", "and none was refused");
}

static struct {
	const char *bridge, *tap;
	uint32_t mtu;
	int *index, ret;
	const char *why, *what;
} refusals[] = {
	{ "br1", "", 0, NULL, -EPERM, "the list speaks", "a bridge without leave" },
	{ "", "netrelay5", 0, NULL, -EPERM, "no right to make a tap", "no bridge" },
	{ "br0", "eth5", 0, NULL, -EPERM, "begin with netrelay", "another name" },
	{ "br0", "netrelay5", 68, NULL, -EPERM, "with its MTU, 1500", "a small MTU" },
	{ "br0", "netrelay5", 9000, NULL, -EPERM, "with its MTU, 1500", "a large one" },
	{ "br0", "netrelay91", 0, NULL, -EPERM, "no right to change",
	  "a persistent tap" },
	{ "br0", "netrelay92", 0, NULL, -EPERM, "belongs to another", "another user's" },
	{ "br1", "", 0, &links.mine, -EPERM, "the list speaks", "by number, no leave" },
	{ "br0", "", 0, &links.stays, -EPERM, "begin with", "by number, persistent" },
	{ "br0", "", 0, &links.named, -EPERM, "begin with", "by number, another name" },
	{ "br0", "", 0, &links.theirs, -EPERM, "begin with",
	  "by number, another user's" },
	{ "br0", "", 0, &links.lost, -EPERM, "begin with", "by number, nobody's" },
	{ "br0", "", 0, &links.lo, -EINVAL, "lo is not a tap", "by number, lo" },
	{ "br0", "", 0, &links.tun, -EINVAL, "is not a tap", "by number, a tun" },
	{ "br0", "", 68, &links.mine, -EPERM, "with its MTU", "by number, a small MTU" },
	{ "", "", 68, &links.mine, -EPERM, "no right to change", "an MTU on no bridge" },
	{ "", "", 1400, &links.lo, -EINVAL, "is not a tap", "an MTU of lo" },
	{ "", "", 0, &links.mine, -EPERM, "no right to change", "up on no bridge" },
};

static void test_refusals(void)
{
	begin_as_user();
	/* Each attempt has a process of its own, as in the helper. */
	for (size_t i = 0; i < ARRAY_SIZE(refusals); i++) {
		int index = refusals[i].index ? *refusals[i].index : 0, status;
		pid_t pid = fork();
		struct tap_dev dev;

		if (pid == 0) {
			int ret = attach(refusals[i].bridge, refusals[i].tap,
					 refusals[i].mtu, index, &dev);
			bool is_well = ret == refusals[i].ret && dev.fd < 0 &&
				       strstr(why, refusals[i].why) &&
				       !caps_now().permitted;

			if (!is_well)
				printf("# %d: %s\n", ret, why);
			fflush(stdout);
			_exit(!is_well);
		}
		waitpid(pid, &status, 0);
		ok_eq_int(status, 0, "refused: %s", refusals[i].what);
	}
}

static void test_untouched(void)
{
	const int *const all[] = { &links.mine,	  &links.stays, &links.named,
				   &links.theirs, &links.lost,	&links.tun };

	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		struct nl_link link;

		ok_eq_int(nl_link_at(NULL, *all[i], &link), 0, "a link of before");
		ok(!link.master && link.mtu == 1500 && !link.is_up, "%s is as it was",
		   link.name);
	}
}

/* ---- another tap gets the name of the one that was asked for by its number ---- */

static struct tap_dev held;
static int follower;

static void swap_taps(void)
{
	meanwhile = NULL;
	close(held.fd);
	file_cap_set(FILE_CAP_IN_USE);
	follower = make(held.name, IFF_TAP, 1, false, NULL);
	file_cap_set(FILE_CAP_ASIDE);
}

static void test_swapped(void)
{
	struct nl_link link;
	struct tap_dev none;

	begin_as_user();
	ok_eq_int(attach("br0", "", 0, 0, &held), 0, "a tap");
	nl_link_change(&(struct nl_change){ .index = held.index });
	meanwhile = swap_taps;
	ok_eq_int(attach("br0", "", 0, held.index, &none), -ENODEV,
		  "has gone while it was to be put back");
	ok_eq_int(nl_link_get(NULL, held.name, &link), 0, "another has its name");
	ok(link.index == follower && !link.master && !link.is_up, "and is left alone");
}

/* A /dev/net/tun for all, in a mount namespace of our own. */
static bool open_device_to_all(void)
{
	struct stat st;

	return stat("/dev/net/tun", &st) == 0 && unshare(CLONE_NEWNS) == 0 &&
	       mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
	       mount("tmpfs", "/dev/net", "tmpfs", 0, "mode=755") == 0 &&
	       mknod("/dev/net/tun", S_IFCHR | 0600, st.st_rdev) == 0 &&
	       chmod("/dev/net/tun", 0666) == 0;
}

int main(void)
{
	if (getuid() || !netns_enter() || !open_device_to_all()) {
		printf("1..0 # SKIP needs root, a network namespace and /dev/net/tun\n");
		return 0;
	}
	if (!netns_bridge("br0") || !netns_bridge("br1"))
		return 1;
	in_child(test_begin);
	in_child(test_ambient);
	in_child(test_other);
	in_child(test_root);
	in_child(test_set_id);
	in_child(test_stuck);
	make_links();
	in_child(test_made);
	in_child(test_grown);
	in_child(test_bridge_gone);
	in_child(test_refusals);
	in_child(test_untouched);
	in_child(test_swapped);
	return done();
}
