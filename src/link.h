/* SPDX-License-Identifier: MIT */
/*
 * Taps, and bridges reached through them. This is the part of netrelay that
 * needs privilege (CAP_NET_ADMIN), or somebody who has it: an admin who made a
 * persistent tap for the user, or qemu-bridge-helper. All of it blocks until
 * the kernel has answered, so it runs in the helper process.
 */
#ifndef LINK_H
#define LINK_H

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LINK_TAP_PATTERN "netrelay%d" /* what the kernel names our taps by */

/*
 * What to attach to.
 * @bridge: the bridge's name; "" for a tap attached to nothing
 * @tap:    the tap's name; "" to let the kernel number one by LINK_TAP_PATTERN
 * @mtu:    the tap's MTU; 0 to take the bridge's when it is attached now, and
 *          else to leave it
 * @index:  not 0: the number of a tap that we have open. It is put back where it
 *          belongs, or its MTU is changed, and no more: link->fd is -1
 */
struct link_request {
	char bridge[IFNAMSIZ];
	char tap[IFNAMSIZ];
	uint32_t mtu;
	int index;
};

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
struct link {
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
 * link_attach() - Open or make a tap, attach it, set it up.
 * @why:  on error, one line: what is wrong and what to do about it
 * @size: bytes at @why
 *
 * A tap that is made has a MAC of its own for good: see link-mac.h. One that was
 * there before (persistent) keeps its MAC and is changed only where it differs from
 * what is asked for, so that its owner needs no privilege when an admin has set it
 * up. Without the right to make a tap,
 * qemu-bridge-helper is tried, which takes up to 10 s.
 *
 * Return: 0; -ENODEV when the bridge does not exist (yet); -EPERM when nobody
 * lets us; another -errno. After an error nothing is left behind.
 */
int link_attach(const struct link_request *req, struct link *link, char *why,
		size_t size);

/*
 * link_identify() - Find out about a tap that somebody else opened.
 * @fd:   the descriptor; stays the caller's, and becomes @link->fd
 *
 * Return: 0; -ENOTTY when @fd is no tap; -EINVAL when it carries headers or IP
 * packets; another -errno.
 */
int link_identify(int fd, struct link *link);

/*
 * link_is_there() - Whether a tap's interface still exists, in any namespace.
 *
 * One that tun made says so by itself: EBADFD. A macvtap does not, neither to who
 * waits, nor reads, nor writes (tap_del_queues() in the kernel's drivers/net/tap.c).
 */
bool link_is_there(int fd);

/*
 * link_carrier() - Have a tap's interface say that it has a carrier, or not.
 *
 * Needs no privilege beyond the descriptor (tun_net_change_carrier() in the
 * kernel's drivers/net/tun.c).
 *
 * Return: 0 or -errno.
 */
int link_carrier(int fd, bool is_on);

#endif
