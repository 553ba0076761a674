/* SPDX-License-Identifier: MIT */
/* Landlock (landlock(7)): a process gives up rights to the file system, also as root. */
#ifndef LANDLOCK_H
#define LANDLOCK_H

/*
 * landlock_deny() - Deny this process all that the kernel's Landlock knows of files:
 * opening, making, removing, renaming and cutting them. Descriptors that are open stay
 * of use, and paths of unix sockets can be dialled. From version 6 it can't dial
 * abstract unix sockets of other processes either. It needs no_new_privs.
 *
 * Return: the version of Landlock's interface; 0 when the kernel has none; -errno.
 */
int landlock_deny(void);

/*
 * landlock_read_only() - As landlock_deny(), but files can be read, and @device, if it is
 * there, can be used as a device; NULL for none.
 */
int landlock_read_only(const char *device);

#endif
