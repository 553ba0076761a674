/* SPDX-License-Identifier: MIT */
/*
 * Reads long forms by a table: for each kind of endpoint it names the function that
 * reads the body and the options that may follow. The meaning of a comma depends on
 * the kind. Most bodies end at the first comma. In a path a comma is doubled, so
 * that a path may contain any byte. A command contains commas as they are, and has
 * no options.
 */
#include "conf/endpoint-long.h"

#include <stdio.h>
#include <string.h>

#include "base/near.h"
#include "base/parts.h"
#include "conf/endpoint-access.h"
#include "conf/endpoint-body.h"
#include "conf/endpoint-rules.h"
#include "conf/endpoint-seal.h"

#define DOUBLED "; a comma within a path is doubled"

/* Reads a body or an option's value, and refuses a wrong one. Return: 0 or -EINVAL. */
typedef int (*read_fn)(struct parse *p, char *part);

/* Who has an option: bits of kinds of endpoint, and of options of the command line. */
#define OF(kind) (1u << ENDPOINT_##kind)
#define OF_CTL (1u << 30)
#define OF_METRICS (1u << 31)
#define UNIX_LISTENERS (OF(UNIX_LISTEN) | OF(VHOST_LISTEN))

/* A comma ends the body; does so unless it is doubled; or is part of the body. */
enum comma { COMMA_CUTS, COMMA_DOUBLED, COMMA_PLAIN };

/*
 * @read:    reads the value; NULL: the option was left out (base/parts.h)
 * @form:    the right form, for messages; NULL if the kind's form shows it
 * @is_flag: the option has no value
 * @repeats: the option may be given more than once
 * @of:      who has it
 */
struct option {
	const char *key;
	read_fn read;
	const char *form;
	bool is_flag;
	bool repeats;
	uint32_t of;
};

/*
 * @read:    reads the body: the text between the prefix and the options; NULL: the kind
 *           was left out (base/parts.h)
 * @check:   checks the whole endpoint once its options are read; may be NULL
 * @form:    the right form, for messages
 * @cli:     its bit of @of, if it is an option of the command line; else 0
 * @listens: it accepts connections
 * @conflict: what is wrong if two endpoints conflict, or NULL; may be NULL
 */
struct endpoint_long {
	const char *prefix;
	enum endpoint_kind kind;
	enum comma comma;
	read_fn read;
	int (*check)(struct parse *p);
	const char *form;
	uint32_t cli;
	bool listens;
	const char *(*conflict)(const struct endpoint *a, const struct endpoint *b);
};

#define LISTENS_TWICE "this listener is given twice; once is enough"

static const char *same_addr(const struct endpoint *a, const struct endpoint *b)
{
	bool is_same = a->local.port == b->local.port &&
		       (!HAS_KEYS || a->is_udp == b->is_udp) &&
		       !strcmp(a->local.host, b->local.host);

	return is_same ? LISTENS_TWICE : NULL;
}

static const char *same_path(const struct endpoint *a, const struct endpoint *b)
{
	return strcmp(a->path, b->path) ? NULL : LISTENS_TWICE;
}

static const char *same_fd(const struct endpoint *a, const struct endpoint *b)
{
	return a->fd == b->fd ? "this descriptor is given twice, but can be one "
				"endpoint only"
			      : NULL;
}

/* Options that go with every kind that can have options at all. */
static const struct option rules[] = {
	{ .key = "name", .read = HAS_NAMING ? rule_port_name : NULL, .form = "name=WORD" },
	{ .key = "isolated", .read = rule_isolated, .is_flag = true },
	{ .key = "mac", .read = rule_mac, .form = "mac=" MAC_EXAMPLE, .repeats = true },
	{ .key = "pad", .read = rule_pad, .form = "pad=0 or pad=60" },
	{ .key = NULL },
};

static const struct option options[] = {
	{ .key = "dead",
	  .read = option_dead,
	  .form = "dead=SECONDS",
	  .of = OF(TCP) | OF(TRUNK) | OF(TCP_LISTEN) },
	{ .key = "local", .read = HAS_DATAGRAMS ? part_local : NULL, .of = OF(UDP) },
	{ .key = "local",
	  .read = HAS_DATAGRAMS ? option_local_path : NULL,
	  .of = OF(UNIXGRAM) },
	{ .key = "if", .read = HAS_MCAST ? option_group_if : NULL, .of = OF(MCAST) },
	{ .key = "tap", .read = HAS_BRIDGE ? option_bridge_tap : NULL, .of = OF(BRIDGE) },
	{ .key = "mtu", .read = HAS_BRIDGE ? option_bridge_mtu : NULL, .of = OF(BRIDGE) },
	{ .key = "mode",
	  .read = access_mode,
	  .of = UNIX_LISTENERS | OF(UNIXGRAM) | OF_CTL },
	{ .key = "group",
	  .read = HAS_USERS ? access_group : NULL,
	  .form = "group=NAME",
	  .of = UNIX_LISTENERS | OF(UNIXGRAM) | OF_CTL },
	{ .key = "allow",
	  .read = HAS_ACCESS ? access_networks : NULL,
	  .form = "allow=CIDR",
	  .of = OF(TCP_LISTEN) | OF(UDP) | OF(MCAST) | OF_METRICS },
	{ .key = "allow",
	  .read = HAS_ACCESS && HAS_USERS ? access_users : NULL,
	  .form = "allow=uid:NAME or gid:NAME",
	  .of = UNIX_LISTENERS | OF_CTL },
	{ .key = "max",
	  .read = HAS_ACCESS ? access_max : NULL,
	  .form = "max=N",
	  .of = OF(TCP_LISTEN) | UNIX_LISTENERS },
	{ .key = "accept-rate",
	  .read = HAS_ACCESS ? access_rate : NULL,
	  .form = "accept-rate=N",
	  .of = OF(TCP_LISTEN) | UNIX_LISTENERS },
	{ .key = "per-address",
	  .read = HAS_ACCESS ? access_per_address : NULL,
	  .form = "per-address=N",
	  .of = OF(TCP_LISTEN) },
	{ .key = "peer",
	  .read = HAS_KEYS ? seal_peer : NULL,
	  .form = "peer=PUBKEY",
	  .of = OF(TRUNK) },
	{ .key = "udp",
	  .read = HAS_KEYS ? seal_udp : NULL,
	  .form = "udp",
	  .is_flag = true,
	  .of = OF(TRUNK) | OF(TCP_LISTEN) },
	{ .key = "keepalive",
	  .read = HAS_KEYS ? seal_keepalive : NULL,
	  .form = HAS_KEYS ? "keepalive=SECONDS" : NULL,
	  .of = OF(TRUNK) | OF(TCP_LISTEN) },
	{ .key = "psk",
	  .read = HAS_KEYS ? seal_psk : NULL,
	  .form = "psk=FILE",
	  .of = OF(TRUNK) },
	{ .key = "peers",
	  .read = HAS_KEYS ? seal_peers : NULL,
	  .form = "peers=FILE",
	  .of = OF(TCP_LISTEN) | OF(UNIX_LISTEN) },
	{ .key = "plain",
	  .read = HAS_KEYS ? seal_plain : NULL,
	  .form = "plain",
	  .is_flag = true,
	  .of = OF(TCP_LISTEN) | OF(UNIX_LISTEN) },
#ifndef LACKS_VHOST
	{ .key = "vhost-user",
	  .read = HAS_FD ? option_vhost : NULL,
	  .is_flag = true,
	  .of = OF(FD) },
#endif
	{ .key = NULL },
};

static const struct endpoint_long kinds[] = {
	{ .prefix = "tcp",
	  .kind = ENDPOINT_TCP,
	  .read = part_remote,
	  .form = "tcp:HOST:PORT" },
	{ .prefix = "tcp-listen",
	  .kind = ENDPOINT_TCP_LISTEN,
	  .read = part_local,
	  .form = "tcp-listen:[ADDR:]PORT",
	  .listens = true,
	  .conflict = same_addr },
	{ .prefix = "unix",
	  .kind = ENDPOINT_UNIX,
	  .comma = COMMA_DOUBLED,
	  .read = body_unix,
	  .form = "unix:PATH" DOUBLED },
	{ .prefix = "unix-listen",
	  .kind = ENDPOINT_UNIX_LISTEN,
	  .comma = COMMA_DOUBLED,
	  .read = body_unix,
	  .form = "unix-listen:PATH[,mode=0660]" DOUBLED,
	  .listens = true,
	  .conflict = same_path },
	{ .prefix = "udp",
	  .kind = ENDPOINT_UDP,
	  .read = HAS_DATAGRAMS ? part_remote : NULL,
	  .check = body_check_udp,
	  .form = "udp:HOST:PORT[,local=[ADDR:]PORT]" },
	{ .prefix = "unixgram",
	  .kind = ENDPOINT_UNIXGRAM,
	  .comma = COMMA_DOUBLED,
	  .read = HAS_DATAGRAMS ? body_unix : NULL,
	  .check = body_check_unixgram,
	  .form = "unixgram:PATH,local=PATH" DOUBLED },
	{ .prefix = "mcast",
	  .kind = ENDPOINT_MCAST,
	  .read = HAS_MCAST ? body_group : NULL,
	  .form = "mcast:GROUP:PORT[,if=ADDR]" },
	{ .prefix = "bridge",
	  .kind = ENDPOINT_BRIDGE,
	  .read = HAS_BRIDGE ? body_bridge : NULL,
	  .check = HAS_BRIDGE ? body_check_bridge : NULL,
	  .form = "bridge:NAME[,tap=NAME][,mtu=N]" },
	{ .prefix = "tap",
	  .kind = ENDPOINT_TAP,
	  .read = HAS_TAP ? body_tap : NULL,
	  .form = "tap:NAME" },
	{ .prefix = "fd",
	  .kind = ENDPOINT_FD,
	  .read = HAS_FD ? body_fd : NULL,
#ifdef LACKS_VHOST
	  .form = "fd:N",
#else
	  .form = "fd:N[,vhost-user]",
#endif
	  .conflict = same_fd },
	{ .prefix = "trunk",
	  .kind = ENDPOINT_TRUNK,
	  .read = HAS_TRUNK ? part_remote : NULL,
	  .form = "trunk:HOST:PORT" },
	{ .prefix = "exec",
	  .kind = ENDPOINT_EXEC,
	  .comma = COMMA_PLAIN,
	  .read = HAS_EXEC ? body_command : NULL,
	  .form = "exec:COMMAND" },
#ifndef LACKS_VHOST
	{ .prefix = "vhost-user",
	  .kind = ENDPOINT_VHOST,
	  .comma = COMMA_DOUBLED,
	  .read = body_unix,
	  .form = "vhost-user:PATH" DOUBLED },
	{ .prefix = "vhost-user-listen",
	  .kind = ENDPOINT_VHOST_LISTEN,
	  .comma = COMMA_DOUBLED,
	  .read = body_unix,
	  .form = "vhost-user-listen:PATH[,mode=0660]" DOUBLED,
	  .listens = true,
	  .conflict = same_path },
#endif
};

/* Options of the command line that are read as endpoints are. */
static const struct endpoint_long cli[] = {
	{ .prefix = "--ctl",
	  .kind = ENDPOINT_UNIX_LISTEN,
	  .cli = OF_CTL,
	  .comma = COMMA_DOUBLED,
	  .read = body_unix,
	  .form = "--ctl PATH[,mode=0660][,group=NAME][,allow=uid:NAME+gid:NAME]" DOUBLED },
	{ .prefix = "--metrics",
	  .kind = ENDPOINT_TCP_LISTEN,
	  .cli = OF_METRICS,
	  .read = body_metrics,
	  .form = "--metrics [ADDR:]PORT[,allow=CIDR+CIDR]" },
};

const struct endpoint_long *endpoint_long_option(const char *option)
{
	return &cli[strcmp(option, cli[0].prefix) != 0];
}

const struct endpoint_long *endpoint_long_find(const char *text)
{
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		size_t len = strlen(kinds[i].prefix);

		if (!strncmp(text, kinds[i].prefix, len) && text[len] == ':')
			return &kinds[i];
	}
	return NULL;
}

bool endpoint_listens(enum endpoint_kind kind)
{
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (kinds[i].listens && kinds[i].kind == kind)
			return true;
	return false;
}

bool endpoint_long_listens(const struct endpoint_long *kind)
{
	return kind->listens;
}

const char *endpoint_long_conflict(const struct endpoint *a, const struct endpoint *b)
{
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (kinds[i].kind == a->kind && kinds[i].conflict)
			return kinds[i].conflict(a, b);
	return NULL;
}

void endpoint_long_list(char *list, size_t size)
{
	size_t used = 0;

	*list = '\0';
	for (size_t i = 0; i < ARRAY_SIZE(kinds) && used < size; i++)
		used += (size_t)snprintf(list + used, size - used, "%s%s", i ? ", " : "",
					 kinds[i].prefix);
}

const char *endpoint_long_hint(const char *text, char *hint)
{
	struct near near = { .word = text, .len = strcspn(text, ":") };

	*hint = '\0';
	if (endpoint_long_find(text)) {
		if (!strncmp(text + near.len, "://", 3))
			snprintf(hint, NEAR_HINT_MAX, "; leave out the //");
		return hint;
	}
	for (size_t i = 0; text[near.len] && i < ARRAY_SIZE(kinds); i++)
		near_try(&near, kinds[i].prefix);
	return near_hint(&near, "", hint);
}

const char *endpoint_bridge_hint(const char *name, char *hint)
{
	static const char *const words[] = { "ctl", "top", "genkey", "pubkey" };
	static const char *const asked[] = { "help", "version" };
	struct near near = { .word = name, .len = strlen(name) };
	const char *prefix = "netrelay ";

	*hint = '\0';
	if (!HAS_HINTS)
		return hint;
	if (!name[strspn(name, "0123456789.")]) {
		bool is_addr = strchr(name, '.');

		snprintf(hint, NEAR_HINT_MAX, "; did you mean %s%s%s?",
			 is_addr ? "" : "-l ", name, is_addr ? ":PORT" : "");
		return hint;
	}
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		near_try(&near, words[i]);
	for (size_t i = 0; i < ARRAY_SIZE(asked); i++) {
		near_try(&near, asked[i]);
		if (near.found == asked[i])
			prefix = "--";
	}
	near_hint(&near, prefix, hint);
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		near_try(&near, kinds[i].prefix);
		if (near.found == kinds[i].prefix)
			snprintf(hint, NEAR_HINT_MAX, "; did you mean %.*s?",
				 (int)strcspn(kinds[i].form, "[,;"), kinds[i].form);
	}
	return hint;
}

/*
 * End @s at the first comma that separates; of a doubled comma, keep one.
 *
 * Return: the text behind that comma; NULL when there is no such comma.
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

static bool has_option(const struct endpoint_long *kind, const struct option *o)
{
	return o->of & (kind->cli ? kind->cli : 1u << kind->kind);
}

/* @bit: set to a bit that no other option of @kind has */
static const struct option *find_option(const struct endpoint_long *kind, const char *key,
					unsigned int *bit)
{
	*bit = 1;
	for (const struct option *o = options; o->key; o++, *bit <<= 1)
		if (has_option(kind, o) && !strcmp(key, o->key))
			return o;
	for (const struct option *o = rules; !kind->cli && o->key; o++, *bit <<= 1)
		if (!strcmp(key, o->key))
			return o;
	return NULL;
}

/* Say which option of @kind was meant. Return: @hint. */
static const char *hint_option(const struct endpoint_long *kind, const char *key,
			       char *hint)
{
	struct near near = { .word = key, .len = strlen(key) };

	for (const struct option *o = options; o->key; o++)
		if (has_option(kind, o))
			near_try(&near, o->key);
	for (const struct option *o = rules; !kind->cli && o->key; o++)
		near_try(&near, o->key);
	return near_hint(&near, "", hint);
}

/* Name the options there are: one with a form of its own is not shown in the kind's form. */
static int no_option(struct parse *p, const struct endpoint_long *kind, const char *key)
{
	char own[256] = "", hint[NEAR_HINT_MAX];
	size_t len = 0;

	hint_option(kind, key, hint);
	if (kind->cli)
		return part_refuse(p, "there is no option " QUOTED "; the form is %s%s",
				   key, p->form, hint);
	for (const struct option *o = options; o->key; o++)
		if (has_option(kind, o) && o->form)
			len += (size_t)snprintf(own + len, sizeof(own) - len, "%s, ",
						o->form);
	return part_refuse(
		p, "%s has no option " QUOTED "; it has %s%s, and the form is %s%s",
		kind->prefix, key, own,
		rule_is_tap(p->ep) ? "name=WORD, isolated and mac=ADDR"
				   : "name=WORD, isolated, mac=ADDR and pad=0",
		p->form, hint);
}

static int read_option(struct parse *p, const struct endpoint_long *kind, char *key,
		       unsigned int *seen)
{
	char *value = strchr(key, '=');
	const struct option *option;
	unsigned int bit;
	int err;

	if (!*key)
		return part_refuse(p, "nothing follows a comma; the form is %s", p->form);
	if (value)
		*value++ = '\0';
	option = find_option(kind, key, &bit);
	if (!option)
		return no_option(p, kind, key);
	if ((*seen & bit) && !option->repeats)
		return part_refuse(p, "option %s is given twice; give it once", key);
	if (option->is_flag && value)
		return part_refuse(p, "option %s takes no value; say %s alone", key, key);
	if (!option->is_flag && (!value || !*value))
		return part_refuse(p, "option %s has no value; the form is %s", key,
				   option->form ? option->form : p->form);
	*seen |= bit;
	p->option = key;
	err = WITHOUT && !option->read ? part_refuse(p, LEFT_OUT)
				       : option->read(p, value);
	p->option = NULL;
	return err;
}

int endpoint_long_read(struct parse *p, const struct endpoint_long *kind)
{
	char *body = p->copy + strlen(kind->prefix) + 1;
	char *rest = cut_comma(body, kind->comma);
	unsigned int seen = 0;
	int err;

	p->ep->kind = kind->kind;
	p->form = kind->form;
	if (!*body)
		return part_refuse(p, "nothing follows %s:; the form is %s", kind->prefix,
				   p->form);
	if (WITHOUT && !kind->read)
		return part_refuse(p, LEFT_OUT);
	err = kind->read(p, body);
	while (!err && rest) {
		char *option = rest;

		rest = cut_comma(option, kind->comma);
		err = read_option(p, kind, option, &seen);
	}
	return !err && kind->check ? kind->check(p) : err;
}
