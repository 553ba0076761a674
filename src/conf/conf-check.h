/* SPDX-License-Identifier: MIT */
/* Finds what does not fit together although each part is right by itself. */
#ifndef CONF_CHECK_H
#define CONF_CHECK_H

#include "conf/conf.h"

/*
 * conf_check() - Look for two users of the same thing: a descriptor, an address, stdout;
 * and for what conf_check_keys() finds.
 * @i: of the endpoint to look at, as for conf_nth(); those after it do not count
 *
 * Return: a constant that says what is wrong with that endpoint and what to do;
 * NULL when there is no conflict.
 */
const char *conf_check(const struct conf *conf, size_t i);

/*
 * conf_check_keys() - Look for what an endpoint lacks that is sealed by keys.
 * @has_key, @has_peers: --key, --peers is given
 *
 * Return: as conf_check().
 */
const char *conf_check_keys(const struct endpoint *ep, bool has_key, bool has_peers);

/* conf_check_key_files() - Likewise of --key and --peers. */
const char *conf_check_key_files(const struct conf *conf);

#endif
