/* SPDX-License-Identifier: MIT */
/* What a process forked from the relay does first. */
#ifndef CHILD_H
#define CHILD_H

#include <stdbool.h>

/*
 * child_close_fds() - Close all descriptors but stderr and @fd.
 * @keeps_stdout: that one too; it may be somebody's frames, and so may stdin
 *
 * Return: @fd's new number, or -errno.
 */
int child_close_fds(int fd, bool keeps_stdout);

/* child_default_signals() - For a program not ours: we block and ignore none any more. */
void child_default_signals(void);

#endif
