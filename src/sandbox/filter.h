/* SPDX-License-Identifier: MIT */
/* What system calls each role may make, and with which arguments. */
#ifndef FILTER_H
#define FILTER_H

#include <linux/filter.h>

#include "sandbox/sandbox.h"

/*
 * filter_build() - Make the filter of @role.
 * @to:    room for SECCOMP_FILTER_MAX instructions
 * @kills: the processes that may be sent signals; 0 for none
 *
 * Return: the number of instructions; -errno of seccomp_build().
 */
int filter_build(struct sock_filter *to, enum sandbox_role role,
		 const pid_t kills[SANDBOX_KILLS_MAX]);

#endif
