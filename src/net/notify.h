/* SPDX-License-Identifier: MIT */
/*
 * Tells the service manager how the program is, as sd_notify(3) has it: lines "NAME=VALUE" in
 * a datagram to the unix socket that $NOTIFY_SOCKET names. Every service manager that does
 * the same can be told, not just systemd.
 */
#ifndef NOTIFY_H
#define NOTIFY_H

#include <stddef.h>

#include "base/util.h"

/*
 * @fd:          a connected socket; -1: there is nobody to tell
 * @watchdog_ms: something must be told at least this often; 0: it need not
 */
struct notify {
	int fd;
	unsigned watchdog_ms;
};

/*
 * notify_start() - Connect to the service manager, if there is one, and take its variables out
 * of the environment, so that no other program mistakes them for its own.
 * @why:  on error, one line that says what is wrong with the environment
 * @size: bytes at @why
 *
 * Return: 0; -errno, and nobody is told.
 */
int notify_start(struct notify *n, char *why, size_t size);

/*
 * notify_send() - Tell the service manager. It does nothing if there is none.
 * @wait_ms: how long to wait for room, if need be; 0: not at all
 * @fmt:     lines without the last newline. A value that has text from outside must be
 *           escaped: a newline in it would begin another assignment
 *
 * Return: 0; -errno.
 */
int notify_send(struct notify *n, int wait_ms, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* notify_stop() - Close the socket. */
void notify_stop(struct notify *n);

#endif
