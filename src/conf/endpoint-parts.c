/* SPDX-License-Identifier: MIT */
/*
 * Reads the parts of an endpoint. Each reader gets one part, cut out and ended by a
 * NUL, and checks all of its bytes. It refuses a wrong part with part_refuse(), which
 * puts the endpoint's name in front and keeps the message printable.
 */
#include "conf/endpoint-parts.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/escape.h"
#include "base/parts.h"

#define MESSAGE_MAX 1024
#define QUOTE_MAX 64 /* longest part of a text that a message repeats, as in QUOTED */
#define HOST_NAME_LEN 253 /* RFC 1035, without the last dot and the root's length byte */

#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

int part_refuse(struct parse *p, const char *fmt, ...)
{
	const char *text = *p->text ? p->text : "\"\"";
	char msg[MESSAGE_MAX];
	va_list args;
	int len;

	len = snprintf(msg, sizeof(msg), "%.*s%s: %s%s%s", QUOTE_MAX, text,
		       strlen(text) > QUOTE_MAX ? "..." : "", p->option ? "option " : "",
		       p->option ? p->option : "", p->option ? ": " : "");
	va_start(args, fmt);
	vsnprintf(msg + len, sizeof(msg) - (size_t)len, fmt, args);
	va_end(args);
	escape_text(p->why, p->size, msg);
	return -EINVAL;
}

bool part_is_all(const char *s, const char *set)
{
	return s[strspn(s, set)] == '\0';
}

int part_port(struct parse *p, const char *s, uint16_t *port)
{
	uint32_t n;

	if (!*s)
		return part_refuse(p,
				   "the port is missing; it is a number from 1 to 65535");
	if (!parse_uint(s, 10, UINT16_MAX, &n) || n == 0)
		return part_refuse(p, "port " QUOTED " must be a number from 1 to 65535",
				   s);
	*port = (uint16_t)n;
	return 0;
}

/* As the kernel does (dev_valid_name() in net/core/dev.c), and more. */
const char *part_name_fault(const char *s)
{
	if (!*s)
		return "is empty";
	if (strlen(s) >= ENDPOINT_NAME_MAX)
		return "is longer than the 15 bytes the kernel allows";
	if (!strcmp(s, ".") || !strcmp(s, ".."))
		return "is one that the kernel refuses";
	for (const char *c = s; *c; c++)
		if ((unsigned char)*c <= ' ' || *c == 0x7f)
			return "must not contain blanks or control characters";
	if (strpbrk(s, "/:,"))
		return "must not contain '/', ':' or ','";
	if (strchr(s, '%'))
		return "must not contain '%': the kernel would read a pattern";
	return NULL;
}

int part_name(struct parse *p, const char *whose, const char *s, char *name)
{
	const char *fault = part_name_fault(s);

	if (fault)
		return part_refuse(p, "the %s's name " QUOTED " %s", whose, s, fault);
	memcpy(name, s, strlen(s) + 1);
	return 0;
}

int part_path(struct parse *p, const char *s, char *path)
{
	size_t len = strlen(s);

	if (len >= ENDPOINT_PATH_MAX)
		return part_refuse(
			p, "the path is %zu bytes long; a unix socket's has %d at most",
			len, ENDPOINT_PATH_MAX - 1);
	memcpy(path, s, len + 1);
	return 0;
}

static bool read_addr6(const char *s, struct endpoint_addr *addr)
{
	size_t len = strlen(s);
	struct in6_addr in6;
	char *scope;
	bool is_addr;

	if (len < 2 || len - 2 >= sizeof(addr->host) || s[0] != '[' || s[len - 1] != ']')
		return false;
	memcpy(addr->host, s + 1, len - 2);
	addr->host[len - 2] = '\0';
	scope = strchr(addr->host, '%');
	if (scope && part_name_fault(scope + 1))
		return false;
	if (scope)
		*scope = '\0';
	is_addr = inet_pton(AF_INET6, addr->host, &in6) == 1;
	if (scope)
		*scope = '%';
	if (is_addr)
		addr->family = AF_INET6;
	return is_addr;
}

bool part_addr(const char *s, struct endpoint_addr *addr)
{
	struct in_addr in;

	if (inet_pton(AF_INET, s, &in) != 1)
		return read_addr6(s, addr);
	memcpy(addr->host, s, strlen(s) + 1);
	addr->family = AF_INET;
	return true;
}

/*
 * Digits and dots alone are a mistyped address. A resolver would accept some of them:
 * it reads 10.1 as 10.0.0.1.
 */
bool part_is_host_name(const char *s)
{
	return strlen(s) <= HOST_NAME_LEN && part_is_all(s, LETTERS DIGITS "-_.") &&
	       !part_is_all(s, DIGITS ".");
}

size_t part_split(char *s, char **part, size_t max)
{
	size_t n = 0;

	do {
		char *close = *s == '[' ? strchr(s, ']') : NULL;

		if (n < max)
			part[n] = s;
		n++;
		s = strchr(close ? close : s, ':');
		if (s)
			*s++ = '\0';
	} while (s);
	return n;
}

int part_too_many(struct parse *p)
{
	return part_refuse(p, "too many colons for %s; " IN_BRACKETS, p->form);
}

int part_remote(struct parse *p, char *body)
{
	struct endpoint_addr *remote = &p->ep->remote;
	char *part[2];
	size_t n = part_split(body, part, ARRAY_SIZE(part));

	if (n > 2)
		return part_too_many(p);
	if (n < 2)
		return part_refuse(p, "the port is missing; the form is %s", p->form);
	if (!*part[0])
		return part_refuse(p, "the host is missing; the form is %s", p->form);
	if (!part_addr(part[0], remote)) {
		if (!part_is_host_name(part[0]))
			return part_refuse(p, "host " QUOTED " is no name, " ADDRESS,
					   part[0]);
		if (!HAS_NAMES)
			return part_refuse(p, "host " QUOTED " is a name: " LEFT_OUT,
					   part[0]);
		memcpy(remote->host, part[0], strlen(part[0]) + 1);
	}
	return part_port(p, part[1], &remote->port);
}

int part_local(struct parse *p, char *body)
{
	char *part[2];
	size_t n = part_split(body, part, ARRAY_SIZE(part));

	if (n > 2)
		return part_too_many(p);
	if (n == 2 && !*part[0])
		return part_refuse(
			p,
			"the address is missing; for any address, give the port alone");
	if (n == 2 && !part_addr(part[0], &p->ep->local))
		return part_refuse(p, QUOTED " is no " ADDRESS, part[0]);
	return part_port(p, part[n - 1], &p->ep->local.port);
}
