/* SPDX-License-Identifier: MIT */
/*
 * qemu-bridge-helper is a set-uid program of QEMU. It makes a tap and attaches it to a
 * bridge, if /etc/qemu/bridge.conf allows the user that bridge. Where it is installed,
 * netrelay can use it as QEMU does.
 */
#ifndef QEMU_BRIDGE_HELPER_H
#define QEMU_BRIDGE_HELPER_H

#include <stddef.h>

/* bridge_helper_path() - Where it is installed, and may be run; NULL: it is not. */
const char *bridge_helper_path(void);

/*
 * bridge_helper_tap() - Have qemu-bridge-helper make a tap on @bridge. It blocks for
 * up to 10 s.
 * @said: set to the first line of the helper's stderr, printable; "" if there is none
 * @size: bytes at @said
 *
 * The caller must check that the descriptor is a tap, and of which kind. The helper
 * has ended when this returns. If this process has set no_new_privs, the helper would
 * run without its privilege, and is not run.
 *
 * Return: a descriptor, close-on-exec, the caller's to close; -ENOENT when no helper is
 * installed, or it would be of no use; -EPERM when it sent no descriptor; -ETIMEDOUT;
 * another -errno.
 */
int bridge_helper_tap(const char *bridge, char *said, size_t size);

#endif
