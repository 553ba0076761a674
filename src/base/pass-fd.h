/* SPDX-License-Identifier: MIT */
/* Messages between our own processes that carry descriptors (unix(7), SCM_RIGHTS). */
#ifndef PASS_FD_H
#define PASS_FD_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define PASS_FDS_MAX 2 /* descriptors in a message */

/*
 * pass_send() - Send a message with @n descriptors, which stay the caller's. It waits
 * for room, unless @sock is non-blocking.
 *
 * Return: 0 or -errno.
 */
int pass_send(int sock, const void *data, size_t len, const int *fds, size_t n);

/*
 * pass_receive() - Receive a message without waiting.
 * @fds: set to its descriptors, which become the caller's, or to -1
 *
 * If our limit of descriptors has made the kernel leave out some, those that came are
 * closed, and @left_out is set.
 *
 * Return: the message's bytes; 0 when the other end has closed; -errno.
 */
ssize_t pass_receive(int sock, void *data, size_t size, int fds[PASS_FDS_MAX],
		     bool *left_out);

#endif
