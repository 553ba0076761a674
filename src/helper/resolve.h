/* SPDX-License-Identifier: MIT */
/* From a name to addresses. It blocks, so it is the helper's work. */
#ifndef RESOLVE_H
#define RESOLVE_H

#include <stddef.h>

#include "conf/endpoint.h"
#include "net/sock.h"

#define RESOLVE_MAX 8

/*
 * resolve_name() - Ask for both IP versions, and make do with one.
 * @name: the name, and the port that the addresses get
 * @type: SOCK_STREAM or SOCK_DGRAM
 * @out:  set to up to RESOLVE_MAX addresses, the one to be tried first ahead
 * @why:  on error, one line
 *
 * It forks a process for each question, and leaves it to the end of the caller
 * to end those that are still without an answer.
 *
 * Return: how many; -EHOSTUNREACH; another -errno.
 */
int resolve_name(const struct endpoint_addr *name, int type, struct sock_addr *out,
		 char *why, size_t size);

#endif
