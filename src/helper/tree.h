/* SPDX-License-Identifier: MIT */
/* Sends a signal to all processes below this one: its children, their children, and so on. */
#ifndef TREE_H
#define TREE_H

#include <stdbool.h>
#include <sys/types.h>

/*
 * tree_signal() - Send @sig, and then SIGCONT, to all processes below this one.
 * @spares: whether to leave out a child of this process, with all below it; NULL to
 *          leave out none
 * @arg:    passed to @spares
 *
 * It may miss a process that is forked meanwhile: call it again to be sure.
 *
 * Return: 0; -errno when /proc is missing or of another PID namespace, or when the
 * kernel has no lists of children (CONFIG_PROC_CHILDREN). Then no signal was sent.
 */
int tree_signal(int sig, bool (*spares)(pid_t pid, void *arg), void *arg);

#endif
