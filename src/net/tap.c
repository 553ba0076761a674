/* SPDX-License-Identifier: MIT */
/*
 * Uses an open tap by the ioctls of the tun driver (linux/if_tun.h), and asks rtnetlink
 * for what these do not tell.
 *
 * #syscalls: ioctl
 */
#include "net/tap.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/ioctl.h>

#include <linux/if_tun.h>

#include "base/parts.h"
#include "frame/vnet.h"
#include "net/nl.h"

#define TAP_FLAGS (IFF_TAP | IFF_NO_PI)

#define MTU_UNKNOWN 65535 /* bytes; at least as much as any tap can have */

/* Linux 6.2 has both of these; the headers of Debian 12 are older. */
#ifndef TUN_F_USO4
#define TUN_F_USO4 0x20
#define TUN_F_USO6 0x40
#endif

#ifndef TUNSETCARRIER
#define TUNSETCARRIER _IOW('T', 226, int)
#endif

#ifndef TUNSETFILTEREBPF
#define TUNSETFILTEREBPF _IOR('T', 225, int)
#endif

/* Find out the name of the tap at dev->fd, and whether its frames have virtio headers. */
static int read_name(struct tap_dev *dev)
{
	struct ifreq ifr = { 0 };

	if (ioctl(dev->fd, TAP_IOCTL(TUNGETIFF), &ifr) < 0)
		return errno == EBADF ? -EBADF : -ENOTTY;
	memcpy(dev->name, ifr.ifr_name, IFNAMSIZ);
	dev->name[IFNAMSIZ - 1] = '\0';
	dev->has_vnet = ifr.ifr_flags & IFF_VNET_HDR;
	return (ifr.ifr_flags & TAP_FLAGS) == TAP_FLAGS ? 0 : -EINVAL;
}

/* An error is ignored: a kernel that does not know the request has nothing to switch off. */
static void try_ioctl(int fd, unsigned long request, const void *arg)
{
	(void)!ioctl(fd, TAP_IOCTL(request), arg);
}

void tap_set_offload(struct tap_dev *dev)
{
	static const unsigned long tcp = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6;
	int size = VNET_BYTES, no = 0;

	dev->has_uso = false;
	if (dev->has_vnet) {
		try_ioctl(dev->fd, TUNSETVNETHDRSZ, &size);
		try_ioctl(dev->fd, TUNSETVNETLE, &no);
		try_ioctl(dev->fd, TUNSETVNETBE, &no);
	}
	if (!HAS_OFFLOAD || !dev->has_vnet) {
		try_ioctl(dev->fd, TUNSETOFFLOAD, NULL);
		return;
	}
	if (ioctl(dev->fd, TAP_IOCTL(TUNSETOFFLOAD), tcp | TUN_F_USO4 | TUN_F_USO6) == 0)
		dev->has_uso = true;
	else
		(void)!ioctl(dev->fd, TAP_IOCTL(TUNSETOFFLOAD), tcp);
}

void tap_clear_leftovers(int fd)
{
	struct tun_filter any = { 0 };
	int none = -1, most = INT_MAX;

	try_ioctl(fd, TUNSETTXFILTER, &any);
	try_ioctl(fd, TUNDETACHFILTER, NULL);
	try_ioctl(fd, TUNSETFILTEREBPF, &none);
	try_ioctl(fd, TUNSETSNDBUF, &most);
}

int tap_identify(int fd, struct tap_dev *dev)
{
	struct nl_link tap;
	int rc;

	*dev = (struct tap_dev){ .fd = fd, .mtu = MTU_UNKNOWN };
	rc = read_name(dev);
	if (rc)
		return rc;
	rc = nl_link_get(NULL, dev->name, &tap);
	if (!rc && tap.has_pi)
		rc = -EINVAL;
	if (rc && rc != -ENODEV)
		return rc;
	if (!rc) {
		dev->index = tap.index;
		dev->bridge = tap.master;
		dev->mtu = tap.mtu;
	}
	tap_set_offload(dev);
	return 0;
}

bool tap_is_there(int fd)
{
	struct ifreq ifr = { 0 };

	return ioctl(fd, TAP_IOCTL(TUNGETIFF), &ifr) == 0;
}

int tap_set_carrier(int fd, bool is_on)
{
	int value = is_on;

	return ioctl(fd, TAP_IOCTL(TUNSETCARRIER), &value) < 0 ? -errno : 0;
}
