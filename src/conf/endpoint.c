/* SPDX-License-Identifier: MIT */
/*
 * Reads the text of an endpoint: copies it once and cuts the copy up in place. A
 * text that begins with the prefix of a known kind is a long form (endpoint-long.c).
 * Any other text is a short form, and the number of its colons outside brackets says
 * which one. Both consist of the same parts (endpoint-parts.c).
 */
#include "conf/endpoint.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/near.h"
#include "base/parts.h"
#include "conf/endpoint-long.h"
#include "conf/endpoint-parts.h"

#ifdef LACKS_VHOST
#define LISTEN_VHOST ""
#else
#define LISTEN_VHOST "vhost-user-listen:PATH, "
#endif
#define LISTEN_FORMS                                   \
	"PORT, ADDR:PORT, [ADDR6]:PORT, " LISTEN_VHOST \
	"tcp-listen:[ADDR:]PORT or unix-listen:PATH[,mode=0660]"

/* Refuse @word: it is neither @what a short form begins with, nor the kind of a long form. */
static int unknown(struct parse *p, const char *word, const char *what)
{
	char list[256];

	endpoint_long_list(list, sizeof(list));
	return part_refuse(p, QUOTED " is no %s, nor a kind of endpoint: %s", word, what,
			   list);
}

static int short_bridge(struct parse *p, char **part)
{
	p->ep->kind = ENDPOINT_BRIDGE;
	if (!HAS_BRIDGE)
		return part_refuse(p, "bridges: " LEFT_OUT);
	if (strchr(part[0], ':'))
		return part_refuse(p, "the port is missing; the form is [ADDR6]:PORT");
	return part_name(p, "bridge", part[0], p->ep->name);
}

static int short_tcp(struct parse *p, char **part)
{
	struct endpoint_addr *remote = &p->ep->remote;
	int err;

	p->ep->kind = ENDPOINT_TCP;
	if (!*part[0])
		return part_refuse(p, "the address is missing; the form is ADDR:PORT");
	if (!part_addr(part[0], remote) && !part_is_all(part[1], DIGITS))
		return unknown(p, part[0], ADDRESS);
	err = part_port(p, part[1], &remote->port);
	if (err || remote->family)
		return err;
	if (!part_is_host_name(part[0]))
		return part_refuse(p, QUOTED " is no " ADDRESS, part[0]);
	return part_refuse(p, QUOTED " is no " ADDRESS "; tcp:%.64s:%u takes a name",
			   part[0], part[0], remote->port);
}

static int short_udp(struct parse *p, char **part)
{
	struct endpoint_addr *local = &p->ep->local, *remote = &p->ep->remote;
	char *lport = part[0], *addr = part[1], *rport = part[2];
	struct in6_addr in6;
	int err;

	p->ep->kind = ENDPOINT_UDP;
	if (!HAS_DATAGRAMS)
		return part_refuse(p, "UDP: " LEFT_OUT);
	if (!*lport && !*rport)
		return part_refuse(p,
				   "both ports are missing; give LPORT, RPORT or both");
	if (!part_is_all(lport, DIGITS))
		return inet_pton(AF_INET6, p->text, &in6) == 1
			       ? part_refuse(p, IN_BRACKETS)
			       : unknown(p, lport, "local port from 1 to 65535");
	err = part_port(p, *lport ? lport : rport, &local->port);
	if (!err)
		err = part_port(p, *rport ? rport : lport, &remote->port);
	if (err)
		return err;
	if (!*addr && local->port == remote->port)
		return part_refuse(
			p,
			"both ports are %u, but the two ports must differ when the "
			"address is left out: it is 127.0.0.1 then",
			local->port);
	if (part_addr(*addr ? addr : "127.0.0.1", remote))
		return 0;
	if (!part_is_host_name(addr))
		return part_refuse(p, QUOTED " is no " ADDRESS, addr);
	return part_refuse(
		p, QUOTED " is no " ADDRESS "; udp:%.64s:%u,local=%u takes a name", addr,
		addr, remote->port, local->port);
}

/* Cut the options off a short form, which must not have any. Return: the options, or NULL. */
static const char *cut_options(char *s)
{
	char *close = strrchr(s, ']');
	char *comma = strchr(close ? close : s, ',');

	if (comma)
		*comma++ = '\0';
	return comma;
}

/* Refuse options behind a short form that is right, and show the long form that has them. */
static int refuse_options(struct parse *p, const char *options)
{
	static const char *const prefixes[] = {
		[ENDPOINT_TCP] = "tcp",
		[ENDPOINT_TCP_LISTEN] = "tcp-listen",
		[ENDPOINT_BRIDGE] = "bridge",
	};

	if (p->ep->kind == ENDPOINT_UDP)
		return part_refuse(p,
				   "options need the long form, as in "
				   "udp:HOST:RPORT,local=LPORT,%.64s",
				   options);
	return part_refuse(p, "options need the long form, as in %s:%.64s",
			   prefixes[p->ep->kind], p->text);
}

static int read_short(struct parse *p)
{
	static int (*const forms[])(struct parse *, char **) = {
		[1] = short_bridge,
		[2] = short_tcp,
		[3] = short_udp,
	};
	const char *options = cut_options(p->copy);
	char *part[ARRAY_SIZE(forms) - 1];
	size_t n = part_split(p->copy, part, ARRAY_SIZE(part));
	int err;

	p->form = "ADDR:PORT or LPORT:ADDR:RPORT";
	err = n < ARRAY_SIZE(forms) ? forms[n](p, part) : part_too_many(p);
	return !err && options ? refuse_options(p, options) : err;
}

/* What was refused may be a long form whose kind was mistyped, or something like it. */
static int add_hint(struct parse *p, int err)
{
	size_t len = HAS_HINTS && err && p->size ? strlen(p->why) : 0;
	char hint[NEAR_HINT_MAX];

	if (len)
		snprintf(p->why + len, p->size - len, "%s",
			 endpoint_long_hint(p->text, hint));
	return err;
}

static int begin(struct parse *p)
{
	size_t len = strlen(p->text);

	*p->ep = (struct endpoint){ .mode = 0600, .dead = ENDPOINT_DEAD_USUAL, .fd = -1 };
	if (len >= ENDPOINT_TEXT_MAX)
		return part_refuse(p,
				   "an endpoint of %zu bytes is too long; %d are allowed",
				   len, ENDPOINT_TEXT_MAX - 1);
	memcpy(p->ep->text, p->text, len + 1);
	memcpy(p->copy, p->text, len + 1);
	return 0;
}

int endpoint_parse(struct endpoint *ep, const char *text, char *why, size_t size)
{
	struct parse p = { .ep = ep, .text = text, .why = why, .size = size };
	const struct endpoint_long *kind;
	int err = begin(&p);

	if (err)
		return err;
	if (!*text)
		return part_refuse(
			&p, "an endpoint must not be empty; - is stdin and stdout");
	if (!strcmp(text, "-")) {
		ep->kind = ENDPOINT_STDIO;
		return 0;
	}
	if (!strncmp(text, "-,", 2))
		return part_refuse(&p, "stdin and stdout have no options; say - alone");
	kind = endpoint_long_find(text);
	err = kind ? endpoint_long_read(&p, kind) : read_short(&p);
	if (HAS_HINTS && err && strchr("./", *text) && strchr(text, '/'))
		return part_refuse(&p, "this is a path; did you mean unix:%.64s?", text);
	return add_hint(&p, err);
}

/* Whether udp is among the options of what listens: that has no short form without it. */
static bool is_udp(const char *text)
{
	for (const char *at = text; (at = strstr(at, ",udp")) != NULL; at++)
		if (!at[4] || at[4] == ',')
			return true;
	return false;
}

/* PORT,udp is read as tcp-listen:PORT,udp, and keeps its text. */
static int read_udp(struct parse *p)
{
	char whole[ENDPOINT_TEXT_MAX + 16];
	struct parse other = *p;
	int err;

	snprintf(whole, sizeof(whole), "tcp-listen:%s", p->text);
	other.text = whole;
	err = begin(&other);
	if (!err)
		err = endpoint_long_read(&other, endpoint_long_find(whole));
	memcpy(p->ep->text, p->text, strlen(p->text) + 1);
	return err;
}

int endpoint_parse_listen(struct endpoint *ep, const char *text, char *why, size_t size)
{
	struct parse p = { .ep = ep, .text = text, .why = why, .size = size };
	const struct endpoint_long *kind;
	const char *options;
	int err = begin(&p);

	if (err)
		return err;
	kind = endpoint_long_find(text);
	if (kind && endpoint_long_listens(kind))
		return add_hint(&p, endpoint_long_read(&p, kind));
	if (kind || !strchr(DIGITS "[", *text) || !*text)
		return add_hint(
			&p,
			part_refuse(
				&p,
				"nothing can listen on this; -l takes " LISTEN_FORMS));
	if (HAS_KEYS && is_udp(text))
		return read_udp(&p);
	ep->kind = ENDPOINT_TCP_LISTEN;
	p.form = LISTEN_FORMS;
	options = cut_options(p.copy);
	err = part_local(&p, p.copy);
	return !err && options ? refuse_options(&p, options) : err;
}

int endpoint_parse_option(struct endpoint *ep, const char *option, const char *text,
			  char *why, size_t size)
{
	/* Longer than an endpoint may be, so that begin() refuses what is. */
	char whole[ENDPOINT_TEXT_MAX + 16];
	struct parse p = { .ep = ep, .text = whole, .why = why, .size = size };
	int err;

	snprintf(whole, sizeof(whole), "%s %s", option, text);
	err = begin(&p);
	return err ? err : endpoint_long_read(&p, endpoint_long_option(option));
}

/* Return: the digit's value, 0 to 15; -1 when it is no hexadecimal digit. */
static int hex_digit(char c)
{
	const char *digits = "0123456789abcdef", *at;

	at = c ? strchr(digits, c >= 'A' && c <= 'F' ? c - 'A' + 'a' : c) : NULL;
	return at ? (int)(at - digits) : -1;
}

int endpoint_parse_mac(uint8_t mac[6], const char *text)
{
	uint8_t read[6];

	for (int i = 0; i < 6; i++, text += 3) {
		int high = hex_digit(text[0]);
		int low = high < 0 ? -1 : hex_digit(text[1]);

		if (low < 0 || text[2] != (i < 5 ? ':' : '\0'))
			return -EINVAL;
		read[i] = (uint8_t)(high << 4 | low);
	}
	/* A group's address and the address of all zeros cannot be a machine's. */
	if ((read[0] & 1) || !memcmp(read, (const uint8_t[6]){ 0 }, sizeof(read)))
		return -EINVAL;
	memcpy(mac, read, sizeof(read));
	return 0;
}

const char *endpoint_command(const struct endpoint *ep)
{
	return ep->text + strlen("exec:");
}
