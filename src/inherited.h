/* SPDX-License-Identifier: MIT */
/* Descriptors that the program was started with. */
#ifndef INHERITED_H
#define INHERITED_H

#include <stddef.h>

#include "conf/conf.h"
#include "net/passed.h"

/*
 * inherited_check() - Check the inherited descriptors that @conf uses, and those that a
 * service manager has passed. Call it before anything is opened. Standard descriptors that
 * are closed become /dev/null.
 * With --daemon, all other descriptors are closed.
 * @passed: set to the manager's sockets; each is at the address of a listener
 * @why:    on error, one line that says what is wrong and what to do
 * @size:   bytes at @why
 *
 * Return: 0; -ENOTTY or -EINVAL for wrong usage: frames to or from a terminal, sockets that
 * do not fit; another -errno.
 */
int inherited_check(const struct conf *conf, struct passed *passed, char *why,
		    size_t size);

#endif
