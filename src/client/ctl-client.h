/* SPDX-License-Identifier: MIT */
/* The other end of a control socket: what netrelay ctl does. */
#ifndef CTL_CLIENT_H
#define CTL_CLIENT_H

#include <stddef.h>

/*
 * ctl_client() - Send a command, and print what is answered.
 * @command: its words, up to a NULL
 *
 * An error, ours or the relay's, goes to the log.
 *
 * Return: 0 or -errno.
 */
int ctl_client(const char *path, char **command);

/*
 * ctl_connect() - Connect to a control socket, whose path fits.
 * @why: on error, one line that says what is wrong and what to do
 *
 * Return: a descriptor, non-blocking; -errno.
 */
int ctl_connect(const char *path, char *why, size_t size);

#endif
