/* SPDX-License-Identifier: MIT */
/* The relaying program: starts all parts, runs the event loop, and stops them. */
#ifndef PROGRAM_H
#define PROGRAM_H

#include <stddef.h>

#include "conf/conf.h"
#include "net/passed.h"

#define PROGRAM_WHY_MAX 1200 /* bytes of a message, with its NUL */

/*
 * program_run() - Relay as @conf says until a signal or the end of stdin stops it. Call it
 * once in a process. It logs errors.
 * @conf:   must stay until it returns, as must @passed
 * @passed: of inherited_check()
 *
 * Return: 0 or -errno.
 */
int program_run(const struct conf *conf, struct passed *passed);

#endif
