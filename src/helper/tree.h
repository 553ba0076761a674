/* SPDX-License-Identifier: MIT */
/* The processes below one: its children, theirs, and so on. */
#ifndef TREE_H
#define TREE_H

#include <stdbool.h>
#include <sys/types.h>

/*
 * tree_signal() - Send @sig to all that are below this process, and SIGCONT after it.
 * @spares: which of its children to leave alone, with all that is below them;
 *          NULL: none
 *
 * Each pass finds those that are there; who forks meanwhile needs another one.
 *
 * Return: 0 or -errno, when /proc can't tell, for it is not there, or the kernel was
 * built without lists of children (CONFIG_PROC_CHILDREN). Then nobody got it.
 */
int tree_signal(int sig, bool (*spares)(pid_t pid, void *arg), void *arg);

#endif
