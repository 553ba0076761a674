/* SPDX-License-Identifier: MIT */
/*
 * The parts that all forms of an endpoint are made of - addresses, ports, paths,
 * names, numbers - and what is said of one that is wrong. For the files that
 * read endpoints; everybody else wants endpoint.h.
 */
#ifndef ENDPOINT_PARTS_H
#define ENDPOINT_PARTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/util.h"
#include "conf/endpoint.h"

#define QUOTED "\"%.64s\"" /* a part of the text, or the beginning of it */
#define ADDRESS "IPv4 address or [IPv6 address]"
#define IN_BRACKETS "an IPv6 address goes in brackets, as in [::1]:5000"

#define DIGITS "0123456789"

/*
 * One text being read.
 * @text:   as typed
 * @copy:   of @text, to be cut up in place
 * @form:   what would be right, for messages
 * @option: the key of the option being read, or NULL
 * @why:    where a message goes, of @size bytes
 */
struct parse {
	struct endpoint *ep;
	const char *text;
	char copy[ENDPOINT_TEXT_MAX];
	const char *form;
	const char *option;
	char *why;
	size_t size;
};

/*
 * part_refuse() - Say what is wrong, and what would be right.
 *
 * The endpoint's name goes in front, and the option's if one is being read. The
 * message is printable, whatever the user typed.
 *
 * Return: -EINVAL.
 */
int part_refuse(struct parse *p, const char *fmt, ...) PRINTF_LIKE(2, 3);

/*
 * part_split() - Cut @s in place at the colons outside brackets.
 *
 * Return: the number of parts, at least 1; no more than @max are put into @part.
 */
size_t part_split(char *s, char **part, size_t max);

/* part_too_many() - Refuse what part_split() has found more parts in than p->form has. */
int part_too_many(struct parse *p);

/* part_is_all() - Whether @s has no bytes but those in @set. */
bool part_is_all(const char *s, const char *set);

/* part_addr() - Read a numeric address. Return: whether it is one; else *@addr is spoilt. */
bool part_addr(const char *s, struct endpoint_addr *addr);

/* part_is_host_name() - Whether @s looks like a name to resolve. */
bool part_is_host_name(const char *s);

/*
 * Readers that refuse by themselves what is wrong. Return: 0 or -EINVAL.
 *
 * part_port():   1 to 65535
 * part_name():   an interface's name, for ENDPOINT_NAME_MAX bytes at @name;
 *                @whose it is, is said in messages
 * part_path():   a unix socket's path, for ENDPOINT_PATH_MAX bytes at @path
 * part_remote(): HOST:PORT, into the endpoint's remote
 * part_local():  [ADDR:]PORT, into the endpoint's local
 */
int part_port(struct parse *p, const char *s, uint16_t *port);
int part_name(struct parse *p, const char *whose, const char *s, char *name);
int part_path(struct parse *p, const char *s, char *path);
int part_remote(struct parse *p, char *body);
int part_local(struct parse *p, char *body);

#endif
