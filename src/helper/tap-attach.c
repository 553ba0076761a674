/* SPDX-License-Identifier: MIT */
/*
 * Makes a tap and attaches it. A tap comes from one of three places: we make it, or it
 * exists already (persistent), or qemu-bridge-helper makes it. TUNSETIFF with
 * IFF_TUN_EXCL tells the first two apart without a race. Then the tap is compared with
 * what was asked for, and only the differences are changed, through rtnetlink, in this
 * order:
 *
 *   1. MAC and MTU   A bridge takes its own MAC and MTU from its ports, so both must
 *                    be right before it sees the tap.
 *   2. bridge
 *   3. up            No frame passes before all is set.
 *
 * These are three messages because the kernel chooses the order within one message,
 * and that order has changed. A tap that we made disappears when its descriptor is
 * closed, so closing it undoes everything.
 *
 * #syscalls: close fcntl getuid ioctl open
 */
#include "helper/tap-attach.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <linux/if_tun.h>

#include "base/util.h"
#include "frame/vnet.h"
#include "helper/link-kind.h"
#include "helper/qemu-bridge-helper.h"
#include "helper/tap-mac.h"
#include "net/nl.h"

#define TUN_DEVICE "/dev/net/tun"
#define TAP_FLAGS (IFF_TAP | IFF_NO_PI)

enum origin { MADE, FOUND, HELPED };

/* A request under way: its result so far, and where its message goes on error. */
struct attempt {
	const struct tap_request *req;
	struct tap_dev *dev;
	struct nl_link bridge; /* index 0 without one */
	enum origin origin;
	char *why;
	size_t size;
};

static int PRINTF_LIKE(3, 4) fail(struct attempt *try, int rc, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(try->why, try->size, fmt, args);
	va_end(args);
	return rc;
}

static int no_bridge(struct attempt *try)
{
	const char *name = try->req->bridge;

	return fail(try, -ENODEV,
		    "bridge %s does not exist; create it: ip link add %s type bridge",
		    name, name);
}

static int find_bridge(struct attempt *try)
{
	const char *name = try->req->bridge;
	int rc;

	if (!name[0])
		return 0;
	rc = nl_link_get(name, &try->bridge);
	if (rc == -ENODEV)
		return no_bridge(try);
	if (rc)
		return fail(try, rc, "bridge %s: %s", name, strerror(-rc));
	if (try->bridge.is_bridge)
		return 0;
	link_no_bridge(&try->bridge, link_is_wireless(name), try->why, try->size);
	return -EINVAL;
}

/* We may not make a tap. @said: qemu-bridge-helper's message, or "" */
static int no_right(struct attempt *try, const char *said)
{
	const char *tap = try->req->tap[0] ? try->req->tap : "tap0";
	const char *bridge = try->req->bridge;
	char master[sizeof(" master ") + IFNAMSIZ] = "";
	char form[sizeof("bridge:,tap=") + 2 * IFNAMSIZ];

	snprintf(form, sizeof(form), "tap:%s", tap);
	if (bridge[0]) {
		snprintf(master, sizeof(master), " master %s", bridge);
		snprintf(form, sizeof(form), "bridge:%s,tap=%s", bridge, tap);
	}
	return fail(try, -EPERM,
		    "no right to make a tap: run %s, or have an admin make one: "
		    "ip tuntap add %s mode tap user %u; ip link set %s%s up, "
		    "then use %s%s%s%s",
		    getuid() ? "as root" : "with CAP_NET_ADMIN", tap, getuid(), tap,
		    master, form, said[0] ? " (qemu-bridge-helper: " : "", said,
		    said[0] ? ")" : "");
}

static int ask_helper(struct attempt *try)
{
	char said[100];
	int flags, rc;
	int fd = bridge_helper_tap(try->req->bridge, said, sizeof(said));

	if (fd == -ETIMEDOUT)
		return fail(try, fd, "qemu-bridge-helper did not answer in time");
	if (fd < 0)
		return no_right(try, said);
	try->dev->fd = fd;
	try->origin = HELPED;
	flags = fcntl(fd, F_GETFL);
	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
		return fail(try, -errno, "qemu-bridge-helper's tap: %s", strerror(errno));
	rc = tap_identify(fd, try->dev);
	if (rc)
		return fail(try, -EPROTO,
			    "qemu-bridge-helper gave us something that is no tap");
	return 0;
}

/* The kernel will not have us make a tap; it may still have the helper do so. */
static int refused(struct attempt *try)
{
	if (try->req->bridge[0] && !try->req->tap[0])
		return ask_helper(try);
	return no_right(try, "");
}

static int open_device(struct attempt *try)
{
	static const struct {
		int err;
		const char *advice;
	} advices[] = {
		{ ENOENT, "; modprobe tun, or in a container: --device " TUN_DEVICE },
		{ ENODEV, "; modprobe tun" },
		{ ENXIO, "; modprobe tun" },
		{ EACCES, "; have an admin: chmod 0666 " TUN_DEVICE },
		{ EPERM, "; in a container: --device " TUN_DEVICE },
	};
	const char *advice = "";
	int fd = open(TUN_DEVICE, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	int err = errno;

	if (fd >= 0)
		return fd;
	for (size_t i = 0; i < ARRAY_SIZE(advices); i++)
		if (advices[i].err == err)
			advice = advices[i].advice;
	return fail(try, -err, TUN_DEVICE ": %s%s", strerror(err), advice);
}

/* Make the descriptor the tap @name: a whole name, or a pattern such as TAP_PATTERN. */
static int set_iff(struct tap_dev *dev, const char *name, int flags)
{
	struct ifreq ifr = { .ifr_flags = (short)(TAP_FLAGS | IFF_VNET_HDR | flags) };

	memcpy(ifr.ifr_name, name, strnlen(name, IFNAMSIZ - 1));
	if (ioctl(dev->fd, TUNSETIFF, &ifr) < 0)
		return -errno;
	memcpy(dev->name, ifr.ifr_name, IFNAMSIZ);
	dev->name[IFNAMSIZ - 1] = '\0';
	dev->has_vnet = true;
	return 0;
}

static int take_existing(struct attempt *try, const char *name)
{
	struct nl_link found = { 0 };
	int rc = set_iff(try->dev, name, 0);

	memcpy(found.name, name, strnlen(name, IFNAMSIZ - 1));
	try->origin = FOUND;
	if (rc == -EBUSY)
		return fail(
			try, rc,
			"%s is in use by another program; end that, or take another tap",
			name);
	if (rc == -EPERM)
		return fail(try, rc,
			    "%s belongs to another user; see: ip -details link show %s",
			    name, name);
	if (rc == -EINVAL && (nl_link_get(name, &found) || !found.is_tap)) {
		link_no_tap(&found, try->why, try->size);
		return rc;
	}
	if (rc == -EINVAL)
		return fail(try, rc, "%s is a tap with multi_queue; make it without",
			    name);
	if (rc)
		return fail(try, rc, "%s: %s", name, strerror(-rc));
	tap_clear_leftovers(try->dev->fd);
	return 0;
}

static int open_tap(struct attempt *try)
{
	const char *name = try->req->tap[0] ? try->req->tap : TAP_PATTERN;
	int rc;

	rc = open_device(try);
	if (rc == -EACCES || rc == -EPERM)
		return try->req->bridge[0] && !try->req->tap[0] ? ask_helper(try) : rc;
	if (rc < 0)
		return rc;
	try->dev->fd = rc;
	try->origin = MADE;
	rc = set_iff(try->dev, name, IFF_TUN_EXCL);
	if (rc == -EBUSY)
		return take_existing(try, name);
	if (rc == -EPERM) {
		close(try->dev->fd);
		try->dev->fd = -1;
		return refused(try);
	}
	if (rc == -EINVAL)
		return fail(try, rc, "%s is no name that a tap could have", name);
	if (rc)
		return fail(try, rc, "make tap %s: %s", name, strerror(-rc));
	return 0;
}

/* Look up a tap that the relay has open already, by its number. */
static int find_tap(struct attempt *try)
{
	struct nl_link tap;
	int rc = nl_link_at(try->req->index, &tap);

	try->origin = FOUND;
	if (rc)
		return fail(try, rc, "look for the tap: %s", strerror(-rc));
	memcpy(try->dev->name, tap.name, IFNAMSIZ);
	return 0;
}

/* We may not make the changes in @left. */
static int no_right_to_change(struct attempt *try, const struct nl_change *left)
{
	char mtu[32] = "", master[sizeof(" master ") + IFNAMSIZ] = "";

	if (try->origin == HELPED)
		return fail(
			try, -EPERM,
			"no right to set the MTU: qemu-bridge-helper gives a tap that of "
			"bridge %s; leave out mtu=",
			try->req->bridge);
	if (left->mtu)
		snprintf(mtu, sizeof(mtu), " mtu %u", left->mtu);
	if (left->master >= 0)
		snprintf(master, sizeof(master), " master %s", try->req->bridge);
	return fail(try, -EPERM, "no right to change %s; as root: ip link set %s%s%s%s",
		    try->dev->name, try->dev->name, mtu, master, left->up ? " up" : "");
}

static int explain(struct attempt *try, int rc, const struct nl_change *step,
		   const struct nl_change *left)
{
	const char *tap = try->dev->name;
	struct nl_link bridge;

	if (rc == -EPERM)
		return no_right_to_change(try, left);
	if (step->master >= 0) {
		if (nl_link_get(try->req->bridge, &bridge) == -ENODEV)
			return no_bridge(try);
		return fail(try, rc, "attach %s to bridge %s: %s", tap, try->req->bridge,
			    strerror(-rc));
	}
	if (step->mtu)
		return fail(try, rc, "set the MTU of %s to %u: %s", tap, step->mtu,
			    strerror(-rc));
	return fail(try, rc, "set %s up: %s", tap, strerror(-rc));
}

/* Make the changes in @all, in the order that this file's first comment explains. */
static int apply(struct attempt *try, const struct nl_change *all)
{
	struct nl_change left = *all;
	const struct nl_change steps[] = {
		{ .index = all->index, .master = -1, .mac = all->mac, .mtu = all->mtu },
		{ .index = all->index, .master = all->master },
		{ .index = all->index, .master = -1, .up = all->up },
	};

	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		const struct nl_change *step = &steps[i];
		bool idle = !step->mac && !step->mtu && step->master < 0 && !step->up;
		int rc = idle ? 0 : nl_link_change(step);

		if (rc)
			return explain(try, rc, step, &left);
		if (step->mtu)
			left.mtu = 0;
		if (step->master >= 0)
			left.master = -1;
	}
	return 0;
}

/* Change the tap to the state that was asked for. */
static int set_up(struct attempt *try)
{
	struct tap_dev *dev = try->dev;
	struct nl_link tap;
	uint8_t mac[6];
	int rc = nl_link_get(dev->name, &tap);

	if (rc)
		return fail(try, rc, "%s: %s", dev->name, strerror(-rc));
	tap_mac(mac, try->req->bridge, dev->name);

	bool attach = try->bridge.index && tap.master != try->bridge.index;
	uint32_t mtu = try->req->mtu ? try->req->mtu : attach ? try->bridge.mtu : tap.mtu;
	const struct nl_change change = {
		.index = tap.index,
		.master = attach ? try->bridge.index : -1,
		.mtu = mtu == tap.mtu ? 0 : mtu,
		.mac = try->origin == MADE ? mac : NULL,
		.up = !tap.is_up,
	};

	dev->index = tap.index;
	dev->bridge = attach ? try->bridge.index : tap.master;
	dev->mtu = mtu;
	dev->bridge_mtu = try->bridge.mtu;
	dev->is_bridge_up = try->bridge.is_up;
	dev->was_there = try->origin == FOUND;
	return apply(try, &change);
}

static int get_tap(struct attempt *try)
{
	int rc;

	if (try->req->index)
		return find_tap(try);
	rc = open_tap(try);
	if (rc)
		return rc;
	rc = tap_set_offload(try->dev);
	return rc ? fail(try, rc, "%s: %s", try->dev->name, strerror(-rc)) : 0;
}

int tap_attach(const struct tap_request *req, struct tap_dev *dev, char *why, size_t size)
{
	struct attempt try = { .req = req, .dev = dev, .why = why, .size = size };
	int rc;

	*dev = (struct tap_dev){ .fd = -1 };
	if (strnlen(req->bridge, IFNAMSIZ) == IFNAMSIZ ||
	    strnlen(req->tap, IFNAMSIZ) == IFNAMSIZ)
		return fail(&try, -EINVAL, "an interface's name has at most %d bytes",
			    IFNAMSIZ - 1);
	rc = find_bridge(&try);
	if (!rc)
		rc = get_tap(&try);
	if (!rc)
		rc = set_up(&try);
	if (rc && dev->fd >= 0) {
		close(dev->fd);
		dev->fd = -1;
	}
	return rc;
}
