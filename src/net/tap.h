/* SPDX-License-Identifier: MIT */
/* An open tap: what it is, and what its descriptor alone gives the right to. */
#ifndef TAP_H
#define TAP_H

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * A tap that is ready for frames.
 * @fd:     the tap, non-blocking, close-on-exec; the caller's to close
 * @index:  its ifindex
 * @bridge: the bridge's ifindex; 0 without one
 * @mtu:    bytes of payload
 * @bridge_mtu, @is_bridge_up: how the bridge was, before
 * @was_there: somebody else had made it
 * @has_vnet: a virtio header precedes each frame, which may be a super-frame
 * @has_uso: UDP super-frames too
 *
 * A tap that somebody else opened may be in another network namespace. Nothing
 * can be found out about it there: @index and @bridge are 0, @mtu is 65535, and
 * that it has no packet information header (IFF_NO_PI) is taken on trust.
 */
struct tap_dev {
	int fd;
	char name[IFNAMSIZ];
	int index;
	int bridge;
	uint32_t mtu;
	uint32_t bridge_mtu;
	bool is_bridge_up;
	bool was_there;
	bool has_vnet;
	bool has_uso;
};

/*
 * tap_set_offload() - Have the kernel give super-frames, and leave checksums to us,
 * as far as it can: into @dev->has_uso.
 *
 * A tap keeps what whoever used it last had asked for, so it is asked for each time;
 * also that numbers in virtio headers are of the host's byte order.
 *
 * Return: 0 or -errno.
 */
int tap_set_offload(struct tap_dev *dev);

/*
 * tap_clear_leftovers() - Undo what else a persistent tap keeps of whoever used it
 * last: filters, of three kinds, of what comes out of it, and a limit on how much may
 * wait to go in.
 */
void tap_clear_leftovers(int fd);

/*
 * tap_identify() - Find out about a tap that somebody else opened.
 * @fd:   the descriptor; stays the caller's, and becomes @dev->fd
 *
 * Return: 0; -ENOTTY when @fd is no tap; -EINVAL when it carries headers or IP
 * packets; another -errno.
 */
int tap_identify(int fd, struct tap_dev *dev);

/*
 * tap_is_there() - Whether a tap's interface still exists, in any namespace.
 *
 * One that tun made says so by itself: EBADFD. A macvtap does not, neither to who
 * waits, nor reads, nor writes (tap_del_queues() in the kernel's drivers/net/tap.c).
 */
bool tap_is_there(int fd);

/*
 * tap_set_carrier() - Have a tap's interface say that it has a carrier, or not.
 *
 * Needs no privilege beyond the descriptor (tun_net_change_carrier() in the
 * kernel's drivers/net/tun.c).
 *
 * Return: 0 or -errno.
 */
int tap_set_carrier(int fd, bool is_on);

#endif
