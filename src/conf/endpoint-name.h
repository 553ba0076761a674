/* SPDX-License-Identifier: MIT */
/*
 * The names that users give to ports by name=. A port that an endpoint makes has that
 * name. The connections of a listener have NAME, NAME-2, NAME-3 and so on, so that each
 * has one of its own (relay/names.h).
 */
#ifndef ENDPOINT_NAME_H
#define ENDPOINT_NAME_H

#include <stdbool.h>
#include <stddef.h>

#include "conf/endpoint.h"

/*
 * endpoint_is_port_name() - Whether @word may name a port: letters, digits, ".", "_" and
 * "-", and not digits alone, because numbers are numbers of ports.
 * @size: bytes that it may have with its NUL
 */
bool endpoint_is_port_name(const char *word, size_t size);

/* endpoint_may_name() - Whether a port that @ep makes may be called @name. */
bool endpoint_may_name(const struct endpoint *ep, const char *name);

/*
 * endpoint_name_conflict() - Compare the names of two endpoints.
 *
 * Return: a constant that says what is wrong if ports of both may have the same name, and
 * what to do; otherwise NULL.
 */
const char *endpoint_name_conflict(const struct endpoint *a, const struct endpoint *b);

/*
 * endpoint_label() - Write what messages call an endpoint: its text, or "NAME (TEXT)".
 * @buf: set to it, cut to @size bytes
 *
 * Return: @buf.
 */
const char *endpoint_label(const struct endpoint *ep, char *buf, size_t size);

#endif
