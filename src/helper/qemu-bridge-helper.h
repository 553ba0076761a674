/* SPDX-License-Identifier: MIT */
/*
 * qemu-bridge-helper is a set-uid program of QEMU. It makes a tap and attaches it to a
 * bridge, if /etc/qemu/bridge.conf allows the user that bridge. Where it is installed,
 * netrelay can use it as QEMU does.
 */
#ifndef QEMU_BRIDGE_HELPER_H
#define QEMU_BRIDGE_HELPER_H

#include <stddef.h>

/*
 * bridge_helper_tap() - Have qemu-bridge-helper make a tap on @bridge. It blocks for
 * up to 10 s.
 * @said: set to the first line of the helper's stderr, printable; "" if there is none
 * @size: bytes at @said
 *
 * The caller must check that the descriptor is a tap, and of which kind. The helper
 * has ended when this returns. This process must not have set no_new_privs: the helper
 * would then run without its privilege.
 *
 * Return: a descriptor, close-on-exec, the caller's to close; -ENOENT when no
 * helper is installed; -EPERM when it sent no descriptor; -ETIMEDOUT; another -errno.
 */
int bridge_helper_tap(const char *bridge, char *said, size_t size);

#endif
