/* SPDX-License-Identifier: MIT */
/*
 * What is right by itself, and still cannot be had at the same time. For conf.c.
 */
#ifndef CONF_CHECK_H
#define CONF_CHECK_H

#include "conf/conf.h"

/*
 * conf_check() - Look for two that want the same thing.
 * @which: set to the endpoint that wants it, too
 *
 * Return: what is wrong with that one, and what to do; NULL when all is well.
 */
const char *conf_check(const struct conf *conf, const struct endpoint **which);

#endif
