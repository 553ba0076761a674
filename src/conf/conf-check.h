/* SPDX-License-Identifier: MIT */
/* Finds endpoints that conflict although each is right by itself. Only conf.c needs this. */
#ifndef CONF_CHECK_H
#define CONF_CHECK_H

#include "conf/conf.h"

/*
 * conf_check() - Look for two users of the same thing: a descriptor, an address, stdout.
 * @i: of the endpoint to look at, as for conf_nth(); those after it do not count
 *
 * Return: a constant that says what is wrong with that endpoint and what to do;
 * NULL when there is no conflict.
 */
const char *conf_check(const struct conf *conf, size_t i);

#endif
