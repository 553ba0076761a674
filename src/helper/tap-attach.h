/* SPDX-License-Identifier: MIT */
/*
 * Makes a tap and attaches it to a bridge. This is the part of netrelay that
 * needs privilege (CAP_NET_ADMIN), or somebody who has it: an admin who made a
 * persistent tap for the user, or qemu-bridge-helper. It blocks until the kernel
 * has answered, so it runs in the helper process.
 */
#ifndef TAP_ATTACH_H
#define TAP_ATTACH_H

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "net/tap.h"

#define TAP_PATTERN "netrelay%d" /* what the kernel names our taps by */

/*
 * What to attach to.
 * @bridge: the bridge's name; "" for a tap attached to nothing
 * @tap:    the tap's name; "" to let the kernel number one by TAP_PATTERN
 * @mtu:    the tap's MTU; 0 to take the bridge's when it is attached now, and
 *          else to leave it
 * @index:  not 0: the number of a tap that we have open. It is put back where it
 *          belongs, or its MTU is changed, and no more: dev->fd is -1
 */
struct tap_request {
	char bridge[IFNAMSIZ];
	char tap[IFNAMSIZ];
	uint32_t mtu;
	int index;
};

/*
 * tap_attach() - Open or make a tap, attach it, set it up.
 * @why:  on error, one line: what is wrong and what to do about it
 * @size: bytes at @why
 *
 * A tap that is made has a MAC of its own for good: see tap-mac.h. One that was
 * there before (persistent) keeps its MAC and is changed only where it differs from
 * what is asked for, so that its owner needs no privilege when an admin has set it
 * up. Without the right to make a tap,
 * qemu-bridge-helper is tried, which takes up to 10 s.
 *
 * Return: 0; -ENODEV when the bridge does not exist (yet); -EPERM when nobody
 * lets us; another -errno. After an error nothing is left behind.
 */
int tap_attach(const struct tap_request *req, struct tap_dev *dev, char *why,
	       size_t size);

#endif
