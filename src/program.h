/* SPDX-License-Identifier: MIT */
/* The program that relays: what it is made of, started, wired together and stopped. */
#ifndef PROGRAM_H
#define PROGRAM_H

#include <stddef.h>

#include "conf/conf.h"

#define PROGRAM_WHY_MAX 1200

/*
 * program_check() - Look at what was inherited, before anything is opened.
 * @why: on error, one line that says what is wrong and what to do
 *
 * Return: 0; -ENOTTY for wrong usage; another -errno.
 */
int program_check(const struct conf *conf, char *why, size_t size);

/*
 * program_run() - Relay as @conf says until asked to stop; once in a process. What goes
 * wrong is told by messages.
 *
 * Return: 0 or -errno.
 */
int program_run(const struct conf *conf);

#endif
