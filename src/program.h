/* SPDX-License-Identifier: MIT */
/* The relaying program: starts all parts, runs the event loop, and stops them. */
#ifndef PROGRAM_H
#define PROGRAM_H

#include <stddef.h>

#include "conf/conf.h"

#define PROGRAM_WHY_MAX 1200 /* bytes of a message, with its NUL */

/*
 * program_check() - Check the inherited descriptors that @conf uses. Call it before
 * anything is opened. Standard descriptors that are closed become /dev/null.
 * @why:  on error, one line that says what is wrong and what to do
 * @size: bytes at @why
 *
 * Return: 0; -ENOTTY for wrong usage: frames to or from a terminal; another -errno.
 */
int program_check(const struct conf *conf, char *why, size_t size);

/*
 * program_run() - Relay as @conf says until a signal or the end of stdin stops it. Call it
 * once in a process. It logs errors.
 * @conf: must stay until it returns
 *
 * Return: 0 or -errno.
 */
int program_run(const struct conf *conf);

#endif
