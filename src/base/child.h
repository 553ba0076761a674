/* SPDX-License-Identifier: MIT */
/* The first steps of a process that was forked from the relay. */
#ifndef CHILD_H
#define CHILD_H

#include <stdbool.h>
#include <sys/types.h>

/*
 * child_close_fds() - Close all inherited descriptors but stderr and @fd.
 * @fd:           the descriptor to keep; it moves to number 3
 * @keeps_stdout: keep stdout as well
 *
 * stdin, and stdout unless it is kept, become /dev/null: they may carry somebody's
 * frames.
 *
 * Return: @fd's new number, or -errno.
 */
int child_close_fds(int fd, bool keeps_stdout);

/* child_close_range() - Close all descriptors from @from to @to that are open. */
void child_close_range(int from, int to);

/*
 * child_wait() - Wait for a child's end for up to @ms, and then kill it. It does nothing if
 * there is no such child.
 */
void child_wait(pid_t pid, unsigned ms);

/*
 * child_default_signals() - Before running another program: unblock all signals, and
 * set those that netrelay ignores back to their default.
 */
void child_default_signals(void);

#endif
