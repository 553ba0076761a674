/* SPDX-License-Identifier: MIT */
/*
 * The names that a listener gives to its connections: STEM, STEM-2, STEM-3 and so on, each
 * the first that is free. So a single peer has the same name after each reconnect, and so
 * have its series of metrics and whoever asks for it by name.
 *
 * A listener that was taken away leaves its connections, and another one may be added with
 * the same name: both take their names from the same place.
 */
#ifndef NAMES_H
#define NAMES_H

#include <stddef.h>

#include "conf/endpoint.h"

struct names;
struct relay;

/*
 * names_get() - Find or make the names of @stem, for one more user.
 * @all: the list of those in use; it begins as NULL
 *
 * Return: them; NULL without memory. Give them back by names_put().
 */
struct names *names_get(struct names **all, const char *stem);

/* names_put() - One user less; they are freed with the last. @names may be NULL. */
void names_put(struct names **all, struct names *names);

/*
 * names_take() - Take the first name that is free.
 * @name: set to it, cut to @size bytes
 *
 * The time that this takes does not depend on how many are taken, but for one word of
 * memory for 64 names.
 *
 * Return: its number, from 1; 0 without memory.
 */
unsigned names_take(struct names *names, char *name, size_t size);

/* names_release() - Give back the name of that number. */
void names_release(struct names *names, unsigned number);

/*
 * names_check() - Refuse an endpoint whose ports might have the name of another port.
 * @why: on error, one line that says what is wrong and what to do
 *
 * Return: 0 or -EEXIST.
 */
int names_check(const struct relay *r, const struct endpoint *ep, char *why, size_t size);

#endif
