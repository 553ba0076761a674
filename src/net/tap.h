/* SPDX-License-Identifier: MIT */
/* An open tap: its properties, and the operations that need no right but its descriptor. */
#ifndef TAP_H
#define TAP_H

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

/* glibc's ioctl() takes the request as an unsigned long, musl's takes an int, as POSIX says. */
#ifdef __GLIBC__
#define TAP_IOCTL(request) (request)
#else
#define TAP_IOCTL(request) ((int)(request))
#endif

/*
 * A tap that is ready for frames. A super-frame is a GSO packet: one large TCP or UDP
 * packet that stands for several (see frame/gso.h).
 * @fd:     the tap, non-blocking, close-on-exec; the caller's to close
 * @name:   its interface's name
 * @index:  its interface's ifindex
 * @bridge: ifindex of the bridge that it is attached to; 0 for none
 * @mtu:    bytes of payload, without the Ethernet header
 * @bridge_mtu:   the bridge's MTU before the tap was attached
 * @is_bridge_up: whether the bridge was up before that
 * @existed: the tap existed before; another program or an admin had made it
 * @has_vnet: each frame has a virtio header, and may be a super-frame of TCP
 * @has_uso:  frames may be super-frames of UDP, too
 *
 * A tap that another program opened may be in another network namespace, where we
 * cannot look it up. Then @index and @bridge are 0, @mtu is 65535, and we rely on
 * its having no packet information header (IFF_NO_PI).
 */
struct tap_dev {
	int fd;
	char name[IFNAMSIZ];
	int index;
	int bridge;
	uint32_t mtu;
	uint32_t bridge_mtu;
	bool is_bridge_up;
	bool existed;
	bool has_vnet;
	bool has_uso;
};

/*
 * tap_set_offload() - Have the kernel send us super-frames, and frames without a
 * checksum, as far as it can.
 * @dev: its has_vnet must be set; its has_uso is set to the result
 *
 * A tap keeps the settings of the program that used it last, so all of them are made
 * each time. The byte order of virtio headers is among them; it becomes the host's.
 *
 * A kernel that refuses them has never changed them: then the header is the usual one, and
 * all frames come singly, with checksums.
 */
void tap_set_offload(struct tap_dev *dev);

/*
 * tap_clear_leftovers() - Undo other settings that a persistent tap keeps from the
 * program that used it last: three kinds of filters for the frames that we read, and a
 * limit on the bytes that we may write ahead (TUNSETSNDBUF).
 */
void tap_clear_leftovers(int fd);

/*
 * tap_identify() - Find out about a tap that another program opened, and set its
 * offloads.
 * @fd:  the tap; it stays the caller's, and becomes dev->fd
 * @dev: filled in
 *
 * Return: 0; -EBADF when @fd is not open; -ENOTTY when it is not a tap; -EINVAL when
 * its frames have a packet information header, or it carries IP packets (a tun);
 * another -errno.
 */
int tap_identify(int fd, struct tap_dev *dev);

/*
 * tap_is_there() - Whether the interface of a tap still exists, in any namespace.
 *
 * A tap of the tun driver tells by itself when it is gone: EBADFD. A macvtap does
 * not, neither when it is polled nor when it is read or written to (tap_del_queues()
 * in the kernel's drivers/net/tap.c).
 */
bool tap_is_there(int fd);

/*
 * tap_set_carrier() - Switch the carrier of a tap's interface on or off.
 *
 * It needs no right but the descriptor (tun_net_change_carrier() in the kernel's
 * drivers/net/tun.c).
 *
 * Return: 0 or -errno.
 */
int tap_set_carrier(int fd, bool is_on);

#endif
