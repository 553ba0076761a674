/* SPDX-License-Identifier: MIT */
/* Reads the long forms of an endpoint, KIND:BODY[,OPTION=VALUE]...; only endpoint.c needs it. */
#ifndef ENDPOINT_LONG_H
#define ENDPOINT_LONG_H

#include <stdbool.h>
#include <stddef.h>

#include "conf/endpoint-parts.h"

struct endpoint_long; /* a kind of endpoint, and how its long form is read */

/* endpoint_long_find() - Find the kind whose prefix @text begins with. Return: it or NULL. */
const struct endpoint_long *endpoint_long_find(const char *text);

/* endpoint_long_option() - The same of an option of the command line: --ctl or --metrics. */
const struct endpoint_long *endpoint_long_option(const char *option);

/* endpoint_listens() - Whether it is of one of the kinds that accept connections. */
bool endpoint_listens(enum endpoint_kind kind);

/* endpoint_long_listens() - The same of a long form. */
bool endpoint_long_listens(const struct endpoint_long *kind);

/*
 * endpoint_long_read() - Read p->copy, which begins with the prefix of @kind, into p->ep.
 *
 * Return: 0; -EINVAL, with the message at p->why.
 */
int endpoint_long_read(struct parse *p, const struct endpoint_long *kind);

/*
 * endpoint_long_conflict() - Compare two endpoints of the same kind.
 *
 * Return: a constant that says what is wrong if they cannot both be used, and what to
 * do; otherwise NULL.
 */
const char *endpoint_long_conflict(const struct endpoint *a, const struct endpoint *b);

/*
 * endpoint_long_hint() - If the word ahead of the first colon of @text is nearly the prefix
 * of a kind, say which one that is, as near_hint() does; if it is one, but the text
 * is written as a web address is, say so. Return: @hint.
 */
const char *endpoint_long_hint(const char *text, char *hint);

/*
 * endpoint_bridge_hint() - Say what the name of a bridge that does not exist may have been
 * meant for: a command, a kind of endpoint, a port, an address; as near_hint() does.
 *
 * Return: @hint.
 */
const char *endpoint_bridge_hint(const char *name, char *hint);

/*
 * endpoint_long_list() - Write the prefixes of all kinds, as "tcp, udp, ...".
 * @list: set to the text, cut to @size bytes with its NUL; @size must not be 0
 */
void endpoint_long_list(char *list, size_t size);

#endif
