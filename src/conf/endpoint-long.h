/* SPDX-License-Identifier: MIT */
/*
 * The long forms of an endpoint, KIND:BODY[,OPTION=VALUE]... For endpoint.c.
 */
#ifndef ENDPOINT_LONG_H
#define ENDPOINT_LONG_H

#include <stdbool.h>
#include <stddef.h>

#include "conf/endpoint-parts.h"

struct endpoint_long; /* a kind, and how its long form goes */

/* endpoint_long_find() - The kind whose prefix @text begins with, or NULL. */
const struct endpoint_long *endpoint_long_find(const char *text);

/* endpoint_long_listens() - Whether it is one of the kinds that accept connections. */
bool endpoint_long_listens(const struct endpoint_long *kind);

/* endpoint_long_read() - Read p->copy, which begins with that prefix. Return: 0 or -EINVAL. */
int endpoint_long_read(struct parse *p, const struct endpoint_long *kind);

/*
 * endpoint_long_clash() - Two endpoints of one kind.
 *
 * Return: what is wrong when both can't be had at the same time, and what to do;
 * else NULL.
 */
const char *endpoint_long_clash(const struct endpoint *a, const struct endpoint *b);

/* endpoint_long_list() - The prefixes of all, as "tcp, udp, ...", at @list. */
void endpoint_long_list(char *list, size_t size);

#endif
