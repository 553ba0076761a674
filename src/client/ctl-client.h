/* SPDX-License-Identifier: MIT */
/* netrelay ctl: the client of a relay's control socket. */
#ifndef CTL_CLIENT_H
#define CTL_CLIENT_H

#include <stddef.h>
#include <sys/types.h>

/*
 * ctl_client() - Send a command to the relay, and print the answer to stdout.
 * @path:    the control socket
 * @command: the command's words, at least one, and a NULL behind them
 *
 * An error of the client or of the relay is logged.
 *
 * Return: 0; -EINVAL when the relay refused the command; another -errno.
 */
int ctl_client(const char *path, char **command);

/*
 * ctl_connect() - Connect to a control socket.
 * @path: shorter than ENDPOINT_PATH_MAX
 * @why:  on error, one line that says what is wrong and what to do
 * @size: bytes at @why
 *
 * Return: a descriptor, non-blocking, the caller's to close; -errno.
 */
int ctl_connect(const char *path, char *why, size_t size);

/*
 * ctl_client_confine() - Give up all rights that are not needed any more, when all is
 * open; see sandbox/sandbox.h. An error is told by a message.
 * @self: our pid, if we send signals to ourselves; 0 if not
 *
 * Return: 0 or -errno.
 */
int ctl_client_confine(pid_t self);

#endif
