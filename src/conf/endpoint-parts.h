/* SPDX-License-Identifier: MIT */
/*
 * Reads the parts of an endpoint: addresses, ports, paths, names and numbers; and refuses
 * wrong ones. Only the files that read endpoints need this, and conf.c, which reads a bridge's
 * name; all others need endpoint.h.
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
 * An endpoint that is being read.
 * @ep:     the result
 * @text:   the text as typed
 * @copy:   a copy of @text, to be cut up in place
 * @form:   the right form, for messages
 * @option: the key of the option that is being read, or NULL
 * @has_mode: option mode was given
 * @why:    where a message goes, @size bytes
 */
struct parse {
	struct endpoint *ep;
	const char *text;
	char copy[ENDPOINT_TEXT_MAX];
	const char *form;
	const char *option;
	bool has_mode;
	char *why;
	size_t size;
};

/*
 * part_refuse() - Write a message to p->why: what is wrong, and what would be right.
 *
 * The endpoint's text goes in front of it, and the option's key if one is being read.
 * The message is escaped, so it is printable whatever the user typed.
 *
 * Return: -EINVAL.
 */
int part_refuse(struct parse *p, const char *fmt, ...) PRINTF_LIKE(2, 3);

/*
 * part_split() - Cut @s in place at each colon that is not in brackets.
 *
 * Return: the number of parts, at least 1; the first @max of them are at @part.
 */
size_t part_split(char *s, char **part, size_t max);

/* part_too_many() - Refuse a text that has more colons than p->form. Return: -EINVAL. */
int part_too_many(struct parse *p);

/* part_is_all() - Whether all bytes of @s are in @set; true of an empty @s. */
bool part_is_all(const char *s, const char *set);

/*
 * part_addr() - Read an IPv4 address or an [IPv6 address] into @addr's host and family.
 *
 * Return: whether @s is one; if not, host may have been written to.
 */
bool part_addr(const char *s, struct endpoint_addr *addr);

/* part_is_host_name() - Whether @s looks like a host name, to be resolved later. */
bool part_is_host_name(const char *s);

/* part_name_fault() - What is wrong with an interface's name; NULL: nothing. */
const char *part_name_fault(const char *s);

/*
 * These read a part, and refuse a wrong one by themselves. Return: 0 or -EINVAL.
 *
 * part_port():   a port from 1 to 65535, to @port in host byte order
 * part_name():   an interface's name, to @name, ENDPOINT_NAME_MAX bytes; messages
 *                call it "the @whose's name"
 * part_path():   a unix socket's path, to @path, ENDPOINT_PATH_MAX bytes
 * part_remote(): HOST:PORT, to the endpoint's remote
 * part_local():  [ADDR:]PORT, to the endpoint's local
 */
int part_port(struct parse *p, const char *s, uint16_t *port);
int part_name(struct parse *p, const char *whose, const char *s, char *name);
int part_path(struct parse *p, const char *s, char *path);
int part_remote(struct parse *p, char *body);
int part_local(struct parse *p, char *body);

#endif
