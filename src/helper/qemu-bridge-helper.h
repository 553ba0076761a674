/* SPDX-License-Identifier: MIT */
/*
 * qemu-bridge-helper: QEMU's set-uid program that makes a tap on a bridge which
 * /etc/qemu/bridge.conf opens to the user. Where an admin has installed it, it
 * serves netrelay's users as well as QEMU's.
 */
#ifndef QEMU_BRIDGE_HELPER_H
#define QEMU_BRIDGE_HELPER_H

#include <stddef.h>

/*
 * bridge_helper_tap() - Have qemu-bridge-helper make a tap on @bridge. Blocks for up to 10 s.
 * @said: set to the first line the helper wrote to stderr, printable; "" if none
 * @size: bytes at @said
 *
 * What comes back is some descriptor: whether it is a tap, and of what kind, is
 * for the caller to look at. Nothing of the helper is left running. The process
 * must not have no_new_privs set, or the helper has no more right than we do.
 *
 * Return: a descriptor, close-on-exec, the caller's to close; -ENOENT when no
 * helper is installed; -EPERM when it gave none; -ETIMEDOUT; another -errno.
 */
int bridge_helper_tap(const char *bridge, char *said, size_t size);

#endif
