/* SPDX-License-Identifier: MIT */
/*
 * A filter of system calls (seccomp(2)): a list of those that are allowed, some of them
 * with certain arguments only. Any other ends the process, by SIGSYS.
 */
#ifndef SECCOMP_H
#define SECCOMP_H

#include <linux/filter.h>
#include <stdint.h>

#define SECCOMP_FILTER_MAX 512 /* instructions; enough for our lists, and more */

/*
 * A system call that is allowed if argument @arg, of which the bits of @mask count, is
 * one of the @n @values. The upper half of a 64-bit argument is not looked at.
 */
struct seccomp_check {
	int call;
	unsigned arg;
	uint32_t mask;
	const uint32_t *values;
	unsigned n;
};

/*
 * seccomp_build() - Make a filter.
 * @to:     room for SECCOMP_FILTER_MAX instructions
 * @calls:  @n_calls system calls that are allowed, the most frequent first
 * @checks: @n_checks that are allowed with certain arguments; each call comes once
 *
 * It refuses the numbers of other architectures, and those of x32 on x86-64.
 *
 * Return: the number of instructions; -E2BIG when there is no room; -ENOTSUP on an
 * architecture for which there are no filters.
 */
int seccomp_build(struct sock_filter *to, const uint16_t *calls, unsigned n_calls,
		  const struct seccomp_check *checks, unsigned n_checks);

/*
 * seccomp_apply() - Filter the system calls of this process from now on. It needs
 * no_new_privs.
 *
 * Return: 0; -EINVAL when the kernel has no seccomp filters; another -errno.
 */
int seccomp_apply(const struct sock_filter *filter, int n);

#endif
