/* SPDX-License-Identifier: MIT */
/*
 * Makes a tap and attaches it to a bridge. This is the part of netrelay that needs
 * privilege: CAP_NET_ADMIN of its own, or the program file's and leave by the access
 * list (see tap-leave.h), or a persistent tap that an admin made for the user, or
 * qemu-bridge-helper. It blocks until the kernel has answered, so it runs in the helper
 * process.
 */
#ifndef TAP_ATTACH_H
#define TAP_ATTACH_H

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "net/tap.h"

#define TAP_PREFIX "netrelay"
#define TAP_PATTERN TAP_PREFIX "%d" /* the kernel replaces %d by a free number */

/*
 * A request for a tap.
 * @bridge: name of the bridge to attach it to; "" for none
 * @tap:    the tap's name; "" to let the kernel make one from TAP_PATTERN
 * @mtu:    the tap's MTU, bytes of payload. 0: the bridge's if the tap is attached
 *          now, otherwise the tap keeps its own
 * @index:  0, or the ifindex of a tap that the relay has open. That tap is only
 *          attached again or given its MTU, and no descriptor is returned: dev->fd is -1
 */
struct tap_request {
	char bridge[IFNAMSIZ];
	char tap[IFNAMSIZ];
	uint32_t mtu;
	int index;
};

/*
 * tap_attach() - Open or make a tap, attach it to the bridge, and set it up.
 * @dev:  filled in; its fd is the caller's to close
 * @why:  on error, one line: what is wrong and what to do about it
 * @size: bytes at @why
 *
 * A new tap gets a MAC address that is the same each time: see tap-mac.h. A tap that
 * exists already (persistent) keeps its MAC, and is changed only where it differs from
 * the request; so its owner needs no privilege if an admin has set it up. If we may
 * not make a tap, qemu-bridge-helper is tried, which takes up to 10 s. If the capability
 * is that of the program file, this process may not have it any more afterwards.
 *
 * Return: 0; -ENODEV when the bridge does not exist (yet); -EPERM when we have no
 * right, and qemu-bridge-helper did not help; another -errno. After an error dev->fd
 * is -1, and a tap that was made is gone.
 */
int tap_attach(const struct tap_request *req, struct tap_dev *dev, char *why,
	       size_t size);

/*
 * tap_check_bridge() - Whether this process could make a tap on the bridge @name now,
 * other than by qemu-bridge-helper. Nothing is changed.
 * @why: set to one line that says why, or why not
 *
 * Return: 0; -ENODEV when the bridge does not exist; -EPERM without a capability;
 * -EACCES when the access list does not allow it; another -errno.
 */
int tap_check_bridge(const char *name, char *why, size_t size);

#endif
