/* SPDX-License-Identifier: MIT */
/*
 * The text of an endpoint, read in two steps. A word that begins with the
 * prefix of a known kind is a long form: the table of kinds says what reads its
 * body, and which options may follow after commas. Any other word is a short
 * form, told apart from the others by how many colons it has outside brackets.
 *
 * The text is copied once and cut up in place. Whoever finds a fault says so
 * with refuse(), which puts the endpoint's name in front and keeps the message
 * printable whatever the user typed.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "endpoint.h"
#include "util.h"

#define MESSAGE_MAX 1024
#define QUOTE_MAX 64 /* longest part of a text that a message repeats */
#define QUOTED "\"%.64s\""
#define HOST_NAME_LEN 253 /* RFC 1035, without the last dot and the root's length byte */
#define MTU_MIN 68	  /* ETH_MIN_MTU */
#define MTU_LIMIT 65521	  /* a tap's: 65535 less the Ethernet header */

#define DIGITS "0123456789"
#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define ADDRESS "IPv4 address or [IPv6 address]"
#define IN_BRACKETS "an IPv6 address goes in brackets, as in [::1]:5000"
#define DOUBLED "; a comma within a path is doubled"
#define LISTEN_FORMS \
	"PORT, ADDR:PORT, [ADDR6]:PORT, tcp-listen:[ADDR:]PORT or unix-listen:PATH[,mode=0660]"

/*
 * One text being read.
 * @text:   as typed
 * @form:   what would be right, for messages
 * @option: the key of the option being read, or NULL
 */
struct parse {
	struct endpoint *ep;
	const char *text;
	const char *form;
	const char *option;
	char *why;
	size_t size;
};

typedef int (*read_fn)(struct parse *p, char *part);

/* What a comma in the body of a long form means. */
enum comma { COMMA_CUTS, COMMA_DOUBLED, COMMA_PLAIN };

struct option {
	const char *key;
	read_fn read;
};

/*
 * @read:    reads what stands between the prefix and the options
 * @check:   looks at the whole once the options are read; may be NULL
 * @options: up to one without key; may be NULL
 */
struct kind {
	const char *prefix;
	enum endpoint_kind kind;
	enum comma comma;
	read_fn read;
	int (*check)(struct parse *p);
	const struct option *options;
	const char *form;
};

/* An escape is not cut in half when @to is too small. */
static void escape(char *to, size_t size, const char *from)
{
	size_t used = 0;

	for (; *from; from++) {
		unsigned char c = (unsigned char)*from;
		char out[8];
		size_t len = (size_t)snprintf(out, sizeof(out),
					      c < ' ' || c > '~' ? "\\x%02x" : "%c", c);

		if (used + len >= size)
			break;
		memcpy(to + used, out, len);
		used += len;
	}
	if (size)
		to[used] = '\0';
}

PRINTF_LIKE(2, 3) static int refuse(struct parse *p, const char *fmt, ...)
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
	escape(p->why, p->size, msg);
	return -EINVAL;
}

/* Digits only: strtoul() would take blanks and a sign. */
static bool read_number(const char *s, unsigned int base, uint32_t limit, uint32_t *value)
{
	uint64_t n = 0;

	if (!*s)
		return false;
	for (; *s; s++) {
		unsigned int digit = (unsigned int)(unsigned char)*s - '0';

		if (digit >= base)
			return false;
		n = n * base + digit;
		if (n > limit)
			return false;
	}
	*value = (uint32_t)n;
	return true;
}

static bool is_all(const char *s, const char *set)
{
	return s[strspn(s, set)] == '\0';
}

static int read_port(struct parse *p, const char *s, uint16_t *port)
{
	uint32_t n;

	if (!*s)
		return refuse(p, "the port is missing; it is a number from 1 to 65535");
	if (!read_number(s, 10, UINT16_MAX, &n) || n == 0)
		return refuse(p, "port " QUOTED " must be a number from 1 to 65535", s);
	*port = (uint16_t)n;
	return 0;
}

/* What keeps @s from being an interface's name (dev_valid_name() in the kernel), or NULL. */
static const char *name_fault(const char *s)
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

static int read_name(struct parse *p, const char *whose, const char *s, char *name)
{
	const char *fault = name_fault(s);

	if (fault)
		return refuse(p, "the %s's name " QUOTED " %s", whose, s, fault);
	memcpy(name, s, strlen(s) + 1);
	return 0;
}

static int read_path(struct parse *p, const char *s, char *path)
{
	size_t len = strlen(s);

	if (len >= ENDPOINT_PATH_MAX)
		return refuse(
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
	if (scope && name_fault(scope + 1))
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

static bool read_addr(const char *s, struct endpoint_addr *addr)
{
	struct in_addr in;

	if (inet_pton(AF_INET, s, &in) != 1)
		return read_addr6(s, addr);
	memcpy(addr->host, s, strlen(s) + 1);
	addr->family = AF_INET;
	return true;
}

/* Digits and dots alone are a mistyped address: a resolver would make something of 10.1. */
static bool is_host_name(const char *s)
{
	return strlen(s) <= HOST_NAME_LEN && is_all(s, LETTERS DIGITS "-_.") &&
	       !is_all(s, DIGITS ".");
}

/*
 * Cut @s at the colons outside brackets.
 *
 * Return: the number of parts, of which no more than @max are put into @part.
 */
static size_t split(char *s, char **part, size_t max)
{
	size_t n = 0;

	while (s) {
		char *close = *s == '[' ? strchr(s, ']') : NULL;

		if (n < max)
			part[n] = s;
		n++;
		s = strchr(close ? close : s, ':');
		if (s)
			*s++ = '\0';
	}
	return n;
}

static int too_many_colons(struct parse *p)
{
	return refuse(p, "too many colons for %s; " IN_BRACKETS, p->form);
}

static int read_remote(struct parse *p, char *body)
{
	struct endpoint_addr *remote = &p->ep->remote;
	char *part[2];
	size_t n = split(body, part, ARRAY_SIZE(part));

	if (n > 2)
		return too_many_colons(p);
	if (n < 2)
		return refuse(p, "the port is missing; the form is %s", p->form);
	if (!*part[0])
		return refuse(p, "the host is missing; the form is %s", p->form);
	if (!read_addr(part[0], remote)) {
		if (!is_host_name(part[0]))
			return refuse(p, "host " QUOTED " is no name, " ADDRESS, part[0]);
		memcpy(remote->host, part[0], strlen(part[0]) + 1);
	}
	return read_port(p, part[1], &remote->port);
}

static int read_local(struct parse *p, char *body)
{
	char *part[2];
	size_t n = split(body, part, ARRAY_SIZE(part));

	if (n > 2)
		return too_many_colons(p);
	if (n == 2 && !*part[0])
		return refuse(p,
			      "the address is missing; for any, leave its colon out too");
	if (n == 2 && !read_addr(part[0], &p->ep->local))
		return refuse(p, QUOTED " is no " ADDRESS, part[0]);
	return read_port(p, part[n - 1], &p->ep->local.port);
}

static int check_udp(struct parse *p)
{
	struct endpoint_addr *local = &p->ep->local, *remote = &p->ep->remote;

	if (!local->port)
		local->port = remote->port;
	if (local->family && remote->family && local->family != remote->family)
		return refuse(p, "local address and host must both be IPv4 or both IPv6");
	return 0;
}

static int read_unix(struct parse *p, char *body)
{
	return read_path(p, body, p->ep->path);
}

static int read_mode(struct parse *p, char *value)
{
	uint32_t mode;

	if (!read_number(value, 8, 0777, &mode))
		return refuse(p, QUOTED " must be an octal number from 0 to 0777", value);
	p->ep->mode = (mode_t)mode;
	return 0;
}

static int read_local_path(struct parse *p, char *value)
{
	return read_path(p, value, p->ep->local_path);
}

static int check_unixgram(struct parse *p)
{
	if (!*p->ep->local_path)
		return refuse(p, "option local is missing; the form is %s", p->form);
	if (!strcmp(p->ep->path, p->ep->local_path))
		return refuse(p, "the two paths must differ: theirs, then local=ours");
	return 0;
}

static int read_group(struct parse *p, char *body)
{
	const struct endpoint_addr *group = &p->ep->remote;
	unsigned char addr[sizeof(struct in6_addr)];
	int err = read_remote(p, body);

	if (err)
		return err;
	if (strchr(group->host, '%'))
		return refuse(p,
			      "a group's interface is not named by %%, but by if=NAME");
	if (group->family && inet_pton(group->family, group->host, addr) == 1 &&
	    (group->family == AF_INET ? addr[0] >> 4 == 0xe : addr[0] == 0xff))
		return 0;
	return refuse(p,
		      "group " QUOTED " is no multicast address: 224.0.0.0 to "
		      "239.255.255.255, or [ff00::] and up",
		      group->host);
}

static int read_group_if(struct parse *p, char *value)
{
	struct endpoint_addr *local = &p->ep->local;

	if (p->ep->remote.family == AF_INET6)
		return read_name(p, "interface", value, local->host);
	if (!read_addr(value, local) || local->family != AF_INET)
		return refuse(p, QUOTED " must be an IPv4 address, as the group is one",
			      value);
	return 0;
}

static int read_bridge(struct parse *p, char *body)
{
	return read_name(p, "bridge", body, p->ep->name);
}

static int read_bridge_tap(struct parse *p, char *value)
{
	return read_name(p, "tap", value, p->ep->tap);
}

static int read_bridge_mtu(struct parse *p, char *value)
{
	if (!read_number(value, 10, MTU_LIMIT, &p->ep->mtu) || p->ep->mtu < MTU_MIN)
		return refuse(p, QUOTED " must be a number from %d to %d", value, MTU_MIN,
			      MTU_LIMIT);
	return 0;
}

static int check_bridge(struct parse *p)
{
	if (!strcmp(p->ep->name, p->ep->tap))
		return refuse(p, "the tap must not have the bridge's own name");
	return 0;
}

static int read_tap(struct parse *p, char *body)
{
	return read_name(p, "tap", body, p->ep->name);
}

static int read_fd(struct parse *p, char *body)
{
	uint32_t fd;

	if (!read_number(body, 10, INT_MAX, &fd))
		return refuse(p, "descriptor " QUOTED " must be a number, as in fd:3",
			      body);
	p->ep->fd = (int)fd;
	return 0;
}

static int read_command(struct parse *p, char *body)
{
	if (is_all(body, " \t\n"))
		return refuse(p, "the command is blank; the form is %s", p->form);
	return 0;
}

static const struct option listen_options[] = { { "mode", read_mode }, { NULL, NULL } };
static const struct option udp_options[] = { { "local", read_local }, { NULL, NULL } };
static const struct option gram_options[] = { { "local", read_local_path },
					      { NULL, NULL } };
static const struct option group_options[] = { { "if", read_group_if }, { NULL, NULL } };
static const struct option bridge_options[] = {
	{ "tap", read_bridge_tap },
	{ "mtu", read_bridge_mtu },
	{ NULL, NULL },
};

static const struct kind kinds[] = {
	{ "tcp", ENDPOINT_TCP, COMMA_CUTS, read_remote, NULL, NULL, "tcp:HOST:PORT" },
	{ "tcp-listen", ENDPOINT_TCP_LISTEN, COMMA_CUTS, read_local, NULL, NULL,
	  "tcp-listen:[ADDR:]PORT" },
	{ "unix", ENDPOINT_UNIX, COMMA_DOUBLED, read_unix, NULL, NULL,
	  "unix:PATH" DOUBLED },
	{ "unix-listen", ENDPOINT_UNIX_LISTEN, COMMA_DOUBLED, read_unix, NULL,
	  listen_options, "unix-listen:PATH[,mode=0660]" DOUBLED },
	{ "udp", ENDPOINT_UDP, COMMA_CUTS, read_remote, check_udp, udp_options,
	  "udp:HOST:PORT[,local=[ADDR:]PORT]" },
	{ "unixgram", ENDPOINT_UNIXGRAM, COMMA_DOUBLED, read_unix, check_unixgram,
	  gram_options, "unixgram:PATH,local=PATH" DOUBLED },
	{ "mcast", ENDPOINT_MCAST, COMMA_CUTS, read_group, NULL, group_options,
	  "mcast:GROUP:PORT[,if=ADDR]" },
	{ "bridge", ENDPOINT_BRIDGE, COMMA_CUTS, read_bridge, check_bridge,
	  bridge_options, "bridge:NAME[,tap=NAME][,mtu=N]" },
	{ "tap", ENDPOINT_TAP, COMMA_CUTS, read_tap, NULL, NULL, "tap:NAME" },
	{ "fd", ENDPOINT_FD, COMMA_CUTS, read_fd, NULL, NULL, "fd:N" },
	{ "exec", ENDPOINT_EXEC, COMMA_PLAIN, read_command, NULL, NULL, "exec:COMMAND" },
};

static const struct kind *find_kind(const char *text)
{
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		size_t len = strlen(kinds[i].prefix);

		if (!strncmp(text, kinds[i].prefix, len) && text[len] == ':')
			return &kinds[i];
	}
	return NULL;
}

/*
 * End @s at its first comma that separates.
 *
 * Return: what follows that comma; NULL when there is none.
 */
static char *cut_comma(char *s, enum comma comma)
{
	char *to = s;

	if (comma == COMMA_PLAIN)
		return NULL;
	for (; *s; s++) {
		if (*s == ',' && (comma == COMMA_CUTS || *++s != ',')) {
			*to = '\0';
			return s + (comma == COMMA_CUTS);
		}
		*to++ = *s;
	}
	*to = '\0';
	return NULL;
}

static const struct option *find_option(const struct kind *kind, const char *key)
{
	for (const struct option *o = kind->options; o && o->key; o++)
		if (!strcmp(key, o->key))
			return o;
	return NULL;
}

static int read_option(struct parse *p, const struct kind *kind, char *key,
		       unsigned int *seen)
{
	char *value = strchr(key, '=');
	const struct option *option;
	unsigned int bit;
	int err;

	if (!*key)
		return refuse(p, "nothing follows a comma; the form is %s", p->form);
	if (value)
		*value++ = '\0';
	option = find_option(kind, key);
	if (!option)
		return refuse(p, "%s has %s " QUOTED "; the form is %s", kind->prefix,
			      kind->options ? "no option" : "no options, so not", key,
			      p->form);
	bit = 1u << (option - kind->options);
	if (*seen & bit)
		return refuse(p, "option %s is given twice; give it once", key);
	if (!value || !*value)
		return refuse(p, "option %s has no value; the form is %s", key, p->form);
	*seen |= bit;
	p->option = key;
	err = option->read(p, value);
	p->option = NULL;
	return err;
}

static int read_long(struct parse *p, const struct kind *kind, char *text)
{
	char *body = text + strlen(kind->prefix) + 1;
	char *rest = cut_comma(body, kind->comma);
	unsigned int seen = 0;
	int err;

	p->ep->kind = kind->kind;
	p->form = kind->form;
	if (!*body)
		return refuse(p, "nothing follows %s:; the form is %s", kind->prefix,
			      p->form);
	err = kind->read(p, body);
	while (!err && rest) {
		char *option = rest;

		rest = cut_comma(option, kind->comma);
		err = read_option(p, kind, option, &seen);
	}
	return !err && kind->check ? kind->check(p) : err;
}

/* @word stands where a long form has its kind, and is not @what the short form has there. */
static int unknown(struct parse *p, const char *word, const char *what)
{
	char list[256] = "";

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		strncat(list, i ? ", " : "", sizeof(list) - strlen(list) - 1);
		strncat(list, kinds[i].prefix, sizeof(list) - strlen(list) - 1);
	}
	return refuse(p, QUOTED " is no %s, nor a kind of endpoint: %s", word, what,
		      list);
}

static int short_bridge(struct parse *p, char **part)
{
	p->ep->kind = ENDPOINT_BRIDGE;
	if (strchr(part[0], ':'))
		return refuse(p, "the port is missing; the form is [ADDR6]:PORT");
	if (strchr(part[0], ','))
		return refuse(p, "options need the long form, as in bridge:%.64s",
			      part[0]);
	return read_bridge(p, part[0]);
}

static int short_tcp(struct parse *p, char **part)
{
	struct endpoint_addr *remote = &p->ep->remote;
	int err;

	p->ep->kind = ENDPOINT_TCP;
	if (!*part[0])
		return refuse(p, "the address is missing; the form is ADDR:PORT");
	if (!read_addr(part[0], remote) && !is_all(part[1], DIGITS))
		return unknown(p, part[0], ADDRESS);
	err = read_port(p, part[1], &remote->port);
	if (err || remote->family)
		return err;
	if (!is_host_name(part[0]))
		return refuse(p, QUOTED " is no " ADDRESS, part[0]);
	return refuse(p, QUOTED " is no " ADDRESS "; tcp:%.64s:%u takes a name", part[0],
		      part[0], remote->port);
}

static int short_udp(struct parse *p, char **part)
{
	struct endpoint_addr *local = &p->ep->local, *remote = &p->ep->remote;
	char *lport = part[0], *addr = part[1], *rport = part[2];
	struct in6_addr in6;
	int err;

	p->ep->kind = ENDPOINT_UDP;
	if (!*lport && !*rport)
		return refuse(p, "both ports are missing; give LPORT, RPORT or both");
	if (!is_all(lport, DIGITS))
		return inet_pton(AF_INET6, p->text, &in6) == 1
			       ? refuse(p, IN_BRACKETS)
			       : unknown(p, lport, "local port from 1 to 65535");
	err = read_port(p, *lport ? lport : rport, &local->port);
	if (!err)
		err = read_port(p, *rport ? rport : lport, &remote->port);
	if (err)
		return err;
	if (!*addr && local->port == remote->port)
		return refuse(p,
			      "both ports are %u, but the two ports must differ when the "
			      "address is left out: it is 127.0.0.1 then",
			      local->port);
	if (read_addr(*addr ? addr : "127.0.0.1", remote))
		return 0;
	if (!is_host_name(addr))
		return refuse(p, QUOTED " is no " ADDRESS, addr);
	return refuse(p, QUOTED " is no " ADDRESS "; udp:%.64s:%u,local=%u takes a name",
		      addr, addr, remote->port, local->port);
}

static int read_short(struct parse *p, char *text)
{
	static int (*const forms[])(struct parse *, char **) = {
		[1] = short_bridge,
		[2] = short_tcp,
		[3] = short_udp,
	};
	char *part[ARRAY_SIZE(forms) - 1];
	size_t n = split(text, part, ARRAY_SIZE(part));

	p->form = "ADDR:PORT or LPORT:ADDR:RPORT";
	return n < ARRAY_SIZE(forms) ? forms[n](p, part) : too_many_colons(p);
}

/* @copy, of ENDPOINT_TEXT_MAX bytes, is there to be cut up. */
static int begin(struct parse *p, char *copy)
{
	size_t len = strlen(p->text);

	*p->ep = (struct endpoint){ .mode = 0600, .fd = -1 };
	if (len >= ENDPOINT_TEXT_MAX)
		return refuse(p, "an endpoint of %zu bytes is too long; %d are the most",
			      len, ENDPOINT_TEXT_MAX - 1);
	memcpy(p->ep->text, p->text, len + 1);
	memcpy(copy, p->text, len + 1);
	return 0;
}

int endpoint_parse(struct endpoint *ep, const char *text, char *why, size_t size)
{
	struct parse p = { .ep = ep, .text = text, .why = why, .size = size };
	char copy[ENDPOINT_TEXT_MAX];
	const struct kind *kind;
	int err = begin(&p, copy);

	if (err)
		return err;
	if (!*text)
		return refuse(&p, "an endpoint must not be empty; - is stdin and stdout");
	if (!strcmp(text, "-")) {
		ep->kind = ENDPOINT_STDIO;
		return 0;
	}
	kind = find_kind(text);
	return kind ? read_long(&p, kind, copy) : read_short(&p, copy);
}

int endpoint_parse_listen(struct endpoint *ep, const char *text, char *why, size_t size)
{
	struct parse p = { .ep = ep, .text = text, .why = why, .size = size };
	char copy[ENDPOINT_TEXT_MAX];
	const struct kind *kind;
	int err = begin(&p, copy);

	if (err)
		return err;
	kind = find_kind(text);
	if (kind &&
	    (kind->kind == ENDPOINT_TCP_LISTEN || kind->kind == ENDPOINT_UNIX_LISTEN))
		return read_long(&p, kind, copy);
	if (kind || !strchr(DIGITS "[", *text) || !*text)
		return refuse(&p, "nothing can listen on this; -l takes " LISTEN_FORMS);
	ep->kind = ENDPOINT_TCP_LISTEN;
	p.form = LISTEN_FORMS;
	return read_local(&p, copy);
}

const char *endpoint_command(const struct endpoint *ep)
{
	return ep->text + strlen("exec:");
}
