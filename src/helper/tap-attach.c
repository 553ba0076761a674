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

#include "base/near.h"
#include "base/parts.h"
#include "base/util.h"
#include "base/version.h"
#include "conf/endpoint-long.h"
#include "frame/vnet.h"
#include "helper/bridge-acl.h"
#include "helper/file-cap.h"
#include "helper/link-kind.h"
#include "helper/qemu-bridge-helper.h"
#include "helper/tap-leave.h"
#include "helper/tap-mac.h"
#include "net/nl.h"

#define TUN_DEVICE "/dev/net/tun"
#define TAP_FLAGS (IFF_TAP | IFF_NO_PI | (HAS_OFFLOAD ? IFF_VNET_HDR : 0))

enum origin { MADE, FOUND, FROM_QEMU_HELPER };

/*
 * A request under way: its result so far, and where its message goes on error.
 * @bridge:   index 0 without one
 * @tap:      if the relay has it open already
 * @no_leave: why the file's capability must not be used, if it is for want of leave
 * @is_shut:  TUN_DEVICE may not be opened, and @why says so
 */
struct state {
	const struct tap_request *req;
	struct tap_dev *dev;
	struct nl_link bridge, tap;
	enum origin origin;
	char no_leave[400];
	bool is_shut;
	char *why;
	size_t size;
};

static int PRINTF_LIKE(3, 4) fail(struct state *s, int rc, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(s->why, s->size, fmt, args);
	va_end(args);
	return rc;
}

static int no_bridge(struct state *s)
{
	const char *name = s->req->bridge;
	char hint[NEAR_HINT_MAX];

	return fail(s, -ENODEV,
		    "bridge %s does not exist; create it: ip link add %s type bridge%s",
		    name, name, endpoint_bridge_hint(name, hint));
}

static int find_bridge(struct state *s)
{
	const char *name = s->req->bridge;
	int rc;

	if (!HAS_BRIDGE || !name[0])
		return 0;
	rc = nl_link_get(NULL, name, &s->bridge);
	if (rc == -ENODEV)
		return no_bridge(s);
	if (rc)
		return fail(s, rc, "bridge %s: %s", name, strerror(-rc));
	if (s->bridge.is_bridge)
		return 0;
	link_no_bridge(&s->bridge, link_is_wireless(name), s->why, s->size);
	return -EINVAL;
}

/* Put what qemu-bridge-helper has said behind the message. */
static int add_said(struct state *s, const char *said)
{
	size_t len = strlen(s->why);

	if (said[0])
		snprintf(s->why + len, s->size - len, " (qemu-bridge-helper: %s)", said);
	return -EPERM;
}

/* We may not make a tap. @said: qemu-bridge-helper's message, or "" */
static int permission_denied(struct state *s, const char *said)
{
	const char *tap = s->req->tap[0] ? s->req->tap : "tap0";
	const char *bridge = s->req->bridge;
	char master[sizeof(" master ") + IFNAMSIZ] = "";
	char form[sizeof("bridge:,tap=") + 2 * IFNAMSIZ];

	snprintf(form, sizeof(form), "tap:%s", tap);
	if (bridge[0]) {
		snprintf(master, sizeof(master), " master %s", bridge);
		snprintf(form, sizeof(form), "bridge:%s,tap=%s", bridge, tap);
	}
	if (s->no_leave[0])
		fail(s, -EPERM, "%s", s->no_leave);
	else if (!s->is_shut)
		fail(s, -EPERM,
		     "no right to make a tap: run %s, or have an admin make one: "
		     "ip tuntap add %s mode tap user %u; ip link set %s%s up, "
		     "then use %s",
		     getuid() ? "as root" : "with CAP_NET_ADMIN", tap, getuid(), tap,
		     master, form);
	return add_said(s, said);
}

static int ask_helper(struct state *s)
{
	char said[100];
	int flags, rc, fd;

	file_cap_set(FILE_CAP_GONE);
	fd = bridge_helper_tap(s->req->bridge, said, sizeof(said));
	if (fd == -ETIMEDOUT)
		return fail(s, fd, "qemu-bridge-helper did not answer in time");
	if (fd < 0)
		return permission_denied(s, said);
	s->dev->fd = fd;
	s->origin = FROM_QEMU_HELPER;
	flags = fcntl(fd, F_GETFL);
	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
		return fail(s, -errno, "qemu-bridge-helper's tap: %s", strerror(errno));
	rc = tap_identify(fd, s->dev);
	if (rc)
		return fail(s, -EPROTO,
			    "qemu-bridge-helper sent something that is not a tap");
	return 0;
}

/* The kernel will not have us make a tap; it may still have the helper do so. */
static int refused(struct state *s)
{
	if (HAS_BRIDGE && s->req->bridge[0] && !s->req->tap[0])
		return ask_helper(s);
	return permission_denied(s, "");
}

static int open_device(struct state *s)
{
	static const struct {
		int err;
		const char *hint;
	} hints[] = {
		{ ENOENT, "; modprobe tun, or in a container: --device " TUN_DEVICE },
		{ ENODEV, "; modprobe tun" },
		{ ENXIO, "; modprobe tun" },
		{ EACCES, "; run as root, or have an admin: chmod 0666 " TUN_DEVICE },
		{ EPERM, "; in a container: --device " TUN_DEVICE },
	};
	const char *hint = "";
	int fd = open(TUN_DEVICE, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	int err = errno;

	if (fd >= 0)
		return fd;
	for (size_t i = 0; i < ARRAY_SIZE(hints); i++)
		if (hints[i].err == err)
			hint = hints[i].hint;
	return fail(s, -err, TUN_DEVICE " can't be opened: %s%s", strerror(err), hint);
}

/* Make the descriptor the tap @name: a whole name, or a pattern such as TAP_PATTERN. */
static int set_iff(struct tap_dev *dev, const char *name, int flags)
{
	struct ifreq ifr = { .ifr_flags = (short)(TAP_FLAGS | flags) };

	memcpy(ifr.ifr_name, name, strnlen(name, IFNAMSIZ - 1));
	if (ioctl(dev->fd, TAP_IOCTL(TUNSETIFF), &ifr) < 0)
		return -errno;
	memcpy(dev->name, ifr.ifr_name, IFNAMSIZ);
	dev->name[IFNAMSIZ - 1] = '\0';
	dev->has_vnet = HAS_OFFLOAD;
	return 0;
}

static int take_existing(struct state *s, const char *name)
{
	struct nl_link found = { 0 };
	int rc;

	/* It is not ours to take: only its owner, or who has the right anyhow, may. */
	file_cap_set(FILE_CAP_GONE);
	rc = set_iff(s->dev, name, 0);
	memcpy(found.name, name, strnlen(name, IFNAMSIZ - 1));
	s->origin = FOUND;
	if (rc == -EBUSY)
		return fail(
			s, rc,
			"%s is in use by another program; end that, or take another tap",
			name);
	if (rc == -EPERM)
		return fail(s, rc,
			    "%s belongs to another user; see: ip -details link show %s",
			    name, name);
	if (rc == -EINVAL && (nl_link_get(NULL, name, &found) || !found.is_tap)) {
		link_no_tap(&found, s->why, s->size);
		return rc;
	}
	if (rc == -EINVAL)
		return fail(s, rc, "%s is a tap with multi_queue; make it without", name);
	if (rc)
		return fail(s, rc, "%s: %s", name, strerror(-rc));
	tap_clear_leftovers(s->dev->fd);
	return 0;
}

/* @has_leave: it is by the access list, so the tap becomes this user's */
static int open_tap(struct state *s, bool has_leave)
{
	const char *name = s->req->tap[0] ? s->req->tap : TAP_PATTERN;
	int rc;

	rc = open_device(s);
	s->is_shut = rc == -EACCES || rc == -EPERM;
	if (s->is_shut)
		return HAS_BRIDGE && s->req->bridge[0] && !s->req->tap[0] ? ask_helper(s)
									  : rc;
	if (rc < 0)
		return rc;
	s->dev->fd = rc;
	s->origin = MADE;
	rc = set_iff(s->dev, name, IFF_TUN_EXCL);
	if (rc == -EBUSY)
		return take_existing(s, name);
	if (rc == -EPERM) {
		close(s->dev->fd);
		s->dev->fd = -1;
		return refused(s);
	}
	if (rc == -EINVAL)
		return fail(s, rc, "%s cannot be the name of a tap", name);
	if (!rc && has_leave && ioctl(s->dev->fd, TAP_IOCTL(TUNSETOWNER), getuid()) < 0)
		rc = -errno;
	if (rc)
		return fail(s, rc, "make tap %s: %s", name, strerror(-rc));
	return 0;
}

/* Look up a tap that the relay has open already, by its number. */
static int find_tap(struct state *s)
{
	int rc = nl_link_at(NULL, s->req->index, &s->tap);

	s->origin = FOUND;
	if (rc)
		return fail(s, rc, "look for the tap: %s", strerror(-rc));
	memcpy(s->dev->name, s->tap.name, IFNAMSIZ);
	return 0;
}

/* We may not make the changes in @left. */
static int change_denied(struct state *s, const struct nl_change *left)
{
	char mtu[32] = "", master[sizeof(" master ") + IFNAMSIZ] = "";

	if (s->origin == FROM_QEMU_HELPER)
		return fail(
			s, -EPERM,
			"no right to set the MTU: qemu-bridge-helper gives a tap that of "
			"bridge %s; leave out mtu=",
			s->req->bridge);
	if (s->no_leave[0] && s->req->index)
		return fail(s, -EPERM, "%s", s->no_leave);
	if (left->mtu)
		snprintf(mtu, sizeof(mtu), " mtu %u", left->mtu);
	if (left->master >= 0)
		snprintf(master, sizeof(master), " master %s", s->req->bridge);
	return fail(s, -EPERM, "no right to change %s; as root: ip link set %s%s%s%s",
		    s->dev->name, s->dev->name, mtu, master, left->up ? " up" : "");
}

static int explain(struct state *s, int rc, const struct nl_change *step,
		   const struct nl_change *left)
{
	const char *tap = s->dev->name;
	struct nl_link bridge;

	if (rc == -EPERM)
		return change_denied(s, left);
	if (step->master >= 0) {
		if (nl_link_get(NULL, s->req->bridge, &bridge) == -ENODEV)
			return no_bridge(s);
		return fail(s, rc, "attach %s to bridge %s: %s", tap, s->req->bridge,
			    strerror(-rc));
	}
	if (step->mtu)
		return fail(s, rc, "set the MTU of %s to %u: %s", tap, step->mtu,
			    strerror(-rc));
	return fail(s, rc, "set %s up: %s", tap, strerror(-rc));
}

/* Make the changes in @all, in the order that this file's first comment explains. */
static int apply(struct state *s, const struct nl_change *all)
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
			return explain(s, rc, step, &left);
		if (step->mtu)
			left.mtu = 0;
		if (step->master >= 0)
			left.master = -1;
	}
	return 0;
}

/* Change the tap to the state that was asked for. */
static int set_up(struct state *s)
{
	struct tap_dev *dev = s->dev;
	struct nl_link tap = s->tap;
	uint8_t mac[6];
	/* What was found by its number stays that link, even if another has its name now. */
	int rc = s->req->index ? 0 : nl_link_get(NULL, dev->name, &tap);

	if (rc)
		return fail(s, rc, "%s: %s", dev->name, strerror(-rc));
	tap_mac(mac, s->req->bridge, dev->name);

	bool attach = s->bridge.index && tap.master != s->bridge.index;
	uint32_t mtu = s->req->mtu ? s->req->mtu : attach ? s->bridge.mtu : tap.mtu;
	const struct nl_change change = {
		.index = tap.index,
		.master = attach ? s->bridge.index : -1,
		.mtu = mtu == tap.mtu ? 0 : mtu,
		.mac = s->origin == MADE ? mac : NULL,
		.up = !tap.is_up,
	};

	dev->index = tap.index;
	dev->bridge = attach ? s->bridge.index : tap.master;
	dev->mtu = mtu;
	dev->bridge_mtu = s->bridge.mtu;
	dev->is_bridge_up = s->bridge.is_up;
	dev->existed = s->origin == FOUND;
	return apply(s, &change);
}

static int get_tap(struct state *s)
{
	int rc = s->req->index ? find_tap(s) : 0;
	bool has_leave;

	if (rc)
		return rc;
	has_leave = HAS_BRIDGE && tap_leave(s->req, &s->bridge, &s->tap, s->no_leave,
					    sizeof(s->no_leave));
	if (s->req->index)
		return s->tap.is_tap ? 0
				     : fail(s, -EINVAL, "%s is not a tap", s->tap.name);
	rc = open_tap(s, has_leave);
	if (rc == 0)
		tap_set_offload(s->dev);
	return rc;
}

int tap_attach(const struct tap_request *req, struct tap_dev *dev, char *why, size_t size)
{
	struct state s = { .req = req, .dev = dev, .why = why, .size = size };
	int rc;

	*dev = (struct tap_dev){ .fd = -1 };
	if (strnlen(req->bridge, IFNAMSIZ) == IFNAMSIZ ||
	    strnlen(req->tap, IFNAMSIZ) == IFNAMSIZ)
		return fail(&s, -EINVAL, "an interface's name has at most %d bytes",
			    IFNAMSIZ - 1);
	rc = find_bridge(&s);
	if (!rc)
		rc = get_tap(&s);
	if (!rc)
		rc = set_up(&s);
	if (rc && dev->fd >= 0) {
		close(dev->fd);
		dev->fd = -1;
	}
	return rc;
}

int tap_check_bridge(const char *name, char *why, size_t size)
{
	struct tap_request req = { .bridge = "" };
	struct state s = { .req = &req, .why = why, .size = size };
	enum net_right right = net_right();
	int rc;

	if (strlen(name) >= sizeof(req.bridge))
		return fail(&s, -EINVAL, "the name of a bridge has at most %d bytes",
			    IFNAMSIZ - 1);
	memcpy(req.bridge, name, strlen(name));
	rc = find_bridge(&s);
	if (rc)
		return rc;
	if (!s.bridge.index)
		return no_bridge(&s);
	if (right == NET_RIGHT_OWN)
		return fail(&s, 0, "whoever has CAP_NET_ADMIN needs no leave");
	rc = bridge_acl_check(version_conf_dir, s.bridge.name, why, size);
	if (rc == 0 && right == NET_RIGHT_NONE) {
		size_t len = strlen(why);

		snprintf(why + len, size - len,
			 "; but this netrelay has no capability: make install-setcap");
		rc = -EPERM;
	}
	return rc;
}
