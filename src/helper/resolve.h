/* SPDX-License-Identifier: MIT */
/* Resolves a name into addresses. It blocks, so it runs in the helper. */
#ifndef RESOLVE_H
#define RESOLVE_H

#include <stddef.h>

#include "conf/endpoint.h"
#include "net/sock.h"

#define RESOLVE_MAX 8 /* addresses of a name that are used */

/*
 * resolve_name() - Resolve a name into addresses of both IP versions, or of one.
 * @name: the name, and the port that the addresses get
 * @type: SOCK_STREAM or SOCK_DGRAM
 * @out:  set to up to RESOLVE_MAX addresses, in the order to try them
 * @why:  on error, one line that says what is wrong
 * @size: bytes at @why
 *
 * It forks a process for each question. A process that still waits for an answer ends
 * when the calling process ends.
 *
 * Return: the number of addresses; -EHOSTUNREACH when the name cannot be resolved;
 * another -errno.
 */
int resolve_name(const struct endpoint_addr *name, int type, struct sock_addr *out,
		 char *why, size_t size);

#endif
