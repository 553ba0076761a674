/* SPDX-License-Identifier: MIT */
/*
 * Reads options one by one. A statement of a file is an option without its dashes, or
 * "join" and an endpoint. What does not depend on where an option was written, and that is
 * nearly all, is in conf_option_set().
 */
#include "conf/conf-option.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/escape.h"
#include "base/near.h"
#include "base/parts.h"
#include "base/util.h"
#include "conf/conf-file.h"

#define MESSAGE_MAX 1200

const struct option conf_longs[] = {
	{ "help", no_argument, NULL, 'h' },
	{ "check-bridge", required_argument, NULL, OPT_CHECK_BRIDGE },
	{ "version", no_argument, NULL, 'V' },
	{ "verbose", no_argument, NULL, 'v' },
	{ "listen", required_argument, NULL, 'l' },
	{ "config", required_argument, NULL, 'f' },
	{ "check", required_argument, NULL, OPT_CHECK },
	{ "print-config", no_argument, NULL, OPT_PRINT_CONFIG },
	{ "hub", no_argument, NULL, OPT_HUB },
	{ "storm", required_argument, NULL, OPT_STORM },
	{ "fdb-size", required_argument, NULL, OPT_FDB_SIZE },
	{ "ctl", required_argument, NULL, OPT_CTL },
	{ "metrics", required_argument, NULL, OPT_METRICS },
	{ "capture", required_argument, NULL, OPT_CAPTURE },
	{ "user", required_argument, NULL, OPT_USER },
	{ "no-sandbox", no_argument, NULL, OPT_NO_SANDBOX },
	{ "wait", no_argument, NULL, OPT_WAIT },
	{ "daemon", no_argument, NULL, OPT_DAEMON },
	{ "pidfile", required_argument, NULL, OPT_PIDFILE },
	{ "key", required_argument, NULL, OPT_KEY },
	{ "peers", required_argument, NULL, OPT_PEERS },
	{ NULL, 0, NULL, 0 },
};

static const struct option join = { "join", required_argument, NULL, OPT_JOIN };

/* ---- messages ---- */

/*
 * Put where it is ahead of the message. Messages name options as the command line does;
 * in a file they have no dashes.
 */
static void locate(struct conf_reader *r)
{
	char msg[MESSAGE_MAX], plain[MESSAGE_MAX];
	const char *why = r->why;

	if (!HAS_CONFIG || !r->where || !r->size)
		return;
	if (!strncmp(why, "--", 2))
		why += 2;
	snprintf(msg, sizeof(msg), "%.256s: %s", r->where, why);
	escape_text(plain, sizeof(plain), msg);
	snprintf(r->why, r->size, "%s", plain);
}

int conf_refuse(struct conf_reader *r, const char *fmt, ...)
{
	char msg[MESSAGE_MAX];
	va_list args;

	va_start(args, fmt);
	vsnprintf(msg, sizeof(msg), fmt, args);
	va_end(args);
	escape_text(r->why, r->size, msg);
	locate(r);
	return -EINVAL;
}

static int out_of_memory(struct conf_reader *r)
{
	conf_refuse(r, "no memory for the configuration");
	return -ENOMEM;
}

int conf_settle(struct conf_reader *r, int err)
{
	if (err != -EINVAL || !r->collects)
		return err;
	buf_printf(&r->conf->faults, "%s\n", r->why);
	r->conf->n_faults++;
	return 0;
}

int conf_refuse_part(struct conf_reader *r, const char *option)
{
	return conf_refuse(r, "%s: " LEFT_OUT, option);
}

/* ---- endpoints ---- */

/*
 * Read an endpoint behind those of a list.
 * @whence: grows with the list
 */
static int add(struct conf_reader *r, struct endpoint **list, size_t *n,
	       const char ***whence, const char *text, bool listens)
{
	struct endpoint *grown = reallocarray(*list, *n + 1, sizeof(**list));
	const char **places = reallocarray(*whence, *n + 1, sizeof(**whence));
	int err;

	*list = grown ? grown : *list;
	*whence = places ? places : *whence;
	if (!grown || !places)
		return out_of_memory(r);
	places[*n] = r->where;
	err = listens ? endpoint_parse_listen(&grown[*n], text, r->why, r->size)
		      : endpoint_parse(&grown[*n], text, r->why, r->size);
	if (err)
		locate(r);
	else
		(*n)++;
	return err;
}

static int add_listener(struct conf_reader *r, const char *text)
{
	struct conf *conf = r->conf;

	conf->server = true;
	return add(r, &conf->listeners, &conf->n_listeners, &r->whence.listeners, text,
		   true);
}

static int add_endpoint(struct conf_reader *r, const char *text)
{
	struct conf *conf = r->conf;

	return add(r, &conf->endpoints, &conf->n_endpoints, &r->whence.endpoints, text,
		   false);
}

/* ---- options ---- */

static int read_number(struct conf_reader *r, uint32_t *to, const char *text,
		       uint32_t min, uint32_t max, const char *name)
{
	uint32_t value;

	if (!parse_uint(text, 10, max, &value) || value < min)
		return conf_refuse(r,
				   "--%s: \"%.64s\" must be a number from %" PRIu32
				   " to %" PRIu32,
				   name, text, min, max);
	*to = value;
	return 0;
}

/* Read what an option has that is written as an endpoint is. */
static int read_as_endpoint(struct conf_reader *r, struct endpoint *to,
			    const char *option, const char *text)
{
	int err = endpoint_parse_option(to, option, text, r->why, r->size);

	if (err)
		locate(r);
	return err;
}

/* Read [ADDR:]PORT and options. */
static int read_metrics(struct conf_reader *r, const char *text)
{
	int err = read_as_endpoint(r, &r->conf->metrics, "--metrics", text);

	if (err && !strchr(text, ','))
		return conf_refuse(r,
				   "--metrics: \"%.64s\" must be PORT, ADDR:PORT or "
				   "[ADDR6]:PORT, and PORT from 1 to 65535",
				   text);
	r->conf->has_metrics = true;
	return err;
}

/* Read PATH and options. */
static int read_ctl(struct conf_reader *r, const char *text)
{
	if (!*text)
		return conf_refuse(r, "--ctl: the path is empty");
	r->conf->ctl_path = r->conf->ctl.path;
	return read_as_endpoint(r, &r->conf->ctl, "--ctl", text);
}

int conf_option_path(struct conf_reader *r, const char **to, const char *path,
		     const char *name)
{
	size_t len = strlen(path);

	if (!len)
		return conf_refuse(r, "%s: the path is empty", name);
	if (len > CONF_SOCKET_PATH_MAX)
		return conf_refuse(
			r,
			"%s: the path is %zu bytes long; a unix socket's has %d "
			"at most",
			name, len, CONF_SOCKET_PATH_MAX);
	*to = path;
	return 0;
}

/* Read FILE[,dir=...][,port=PORT][,snap=N]. */
static int read_capture(struct conf_reader *r, const char *text)
{
	struct conf *conf = r->conf;
	char fault[MESSAGE_MAX];

	conf->capture = strdup(text);
	if (!conf->capture)
		return out_of_memory(r);
	if (capture_filter_option(&conf->capture_filter, conf->capture, fault,
				  sizeof(fault)) < 0)
		return conf_refuse(r, "--capture: %s", fault);
	return *conf->capture ? 0 : conf_refuse(r, "--capture: the path is empty");
}

/* Read FILE. */
static int read_key_file(struct conf_reader *r, int c, const char *value)
{
	const char *name = conf_option(c)->name, *path = r->conf->given[c - OPT_HUB];

	if (!HAS_KEYS)
		return conf_refuse(r, "--%s: " LEFT_OUT, name);
	if (!*value)
		return conf_refuse(r, "--%s: the path is empty", name);
	if (strlen(value) >= ENDPOINT_FILE_MAX)
		return conf_refuse(r, "--%s: the path has %zu bytes; %d are allowed",
				   name, strlen(value), ENDPOINT_FILE_MAX - 1);
	if (c == OPT_KEY)
		r->conf->key_file = path;
	else
		r->conf->peers_file = path;
	return 0;
}

static int set(struct conf_reader *r, int c, const char *value)
{
	struct conf *conf = r->conf;

	switch (c) {
	case 'v':
		if (++conf->verbose > 1 && !HAS_TRACE)
			return conf_refuse_part(r, "-vv");
		return 0;
	case 'l':
		return add_listener(r, value);
	case OPT_JOIN:
		return add_endpoint(r, value);
	case OPT_HUB:
		conf->hub = true;
		return 0;
	case OPT_STORM:
		return read_number(r, &conf->storm_limit, value, 0, UINT32_MAX, "storm");
	case OPT_FDB_SIZE:
		return read_number(r, &conf->fdb_size, value, 1, CONF_FDB_SIZE_MAX,
				   "fdb-size");
	case OPT_CTL:
		return HAS_CTL ? read_ctl(r, value) : conf_refuse_part(r, "--ctl");
	case OPT_METRICS:
		return HAS_METRICS ? read_metrics(r, value)
				   : conf_refuse_part(r, "--metrics");
	case OPT_USER:
		if (!HAS_USERS)
			return conf_refuse_part(r, "--user");
		conf->user = conf->given[OPT_USER - OPT_HUB];
		return *value ? 0 : conf_refuse(r, "--user: the name is empty");
	case OPT_NO_SANDBOX:
		conf->no_sandbox = true;
		return 0;
	case OPT_WAIT:
		conf->wait = true;
		return 0;
	case OPT_DAEMON:
		conf->daemon = true;
		return HAS_SERVICE ? 0 : conf_refuse_part(r, "--daemon");
	case OPT_PIDFILE:
		if (!HAS_SERVICE)
			return conf_refuse_part(r, "--pidfile");
		conf->pidfile = conf->given[OPT_PIDFILE - OPT_HUB];
		return *value ? 0 : conf_refuse(r, "--pidfile: the path is empty");
	case OPT_KEY:
	case OPT_PEERS:
		return read_key_file(r, c, value);
	default:
		return HAS_CAPTURE ? read_capture(r, value)
				   : conf_refuse_part(r, "--capture");
	}
}

const struct option *conf_option(int c)
{
	for (const struct option *o = conf_longs; o->name; o++)
		if (o->val == c)
			return o;
	return c == OPT_JOIN ? &join : NULL;
}

/* Note that an option was given. One with a value may be given once. */
static int note(struct conf_reader *r, int c, const char *value)
{
	char **given = &r->conf->given[c - OPT_HUB];

	if (*given)
		return conf_refuse(r, "--%s is given twice; give it once",
				   conf_option(c)->name);
	*given = strdup(value ? value : "");
	r->whence.options[c - OPT_HUB] = r->where;
	return *given ? 0 : out_of_memory(r);
}

/*
 * Whether an option says only what was said already. A unit gives flags that its file may
 * give, too, so that a flag may be repeated; and as -v twice means more than once, the
 * command line and the file are counted each by itself.
 */
static bool is_said(struct conf_reader *r, int c)
{
	if (c == 'v')
		return ++r->verbose[r->where != NULL] <= r->conf->verbose;
	return c >= OPT_HUB && r->conf->given[c - OPT_HUB] &&
	       conf_option(c)->has_arg == no_argument;
}

int conf_option_set(struct conf_reader *r, int c, const char *value)
{
	int err;

	if (is_said(r, c))
		return 0;
	err = c >= OPT_HUB ? note(r, c, value) : 0;
	if (!err)
		err = set(r, c, value ? value : "");
	if (HAS_CONFIG && !err)
		conf_file_print(&r->conf->text, conf_option(c)->name, value);
	return err;
}

/* ---- files ---- */

static bool is_statement(const struct option *o)
{
	return o->val == 'l' || o->val == 'v' || (o->val >= OPT_HUB && o->val < OPT_END);
}

static const struct option *find_statement(const char *keyword)
{
	for (const struct option *o = conf_longs; o->name; o++)
		if (is_statement(o) && !strcmp(o->name, keyword))
			return o;
	return strcmp(keyword, join.name) ? NULL : &join;
}

static int no_statement(struct conf_reader *r, const char *keyword)
{
	const char *word = keyword + strspn(keyword, "-");
	struct near near = { .word = word, .len = strlen(word) };
	char hint[NEAR_HINT_MAX];

	if (*keyword == '[')
		return conf_refuse(
			r,
			"a file is one relay and has no sections; leave this line out");
	if (!strcmp(keyword, "allow") || !strcmp(keyword, "deny"))
		return conf_refuse(
			r,
			"\"%s\" is of an access list for bridges, and no option; " CONF_NO_LIST,
			keyword);
	for (const struct option *o = conf_longs; o->name; o++)
		if (is_statement(o))
			near_try(&near, o->name);
	near_try(&near, join.name);
	near_try(&near, "include");
	if (!near.found && keyword[strcspn(keyword, ".:/0123456789")])
		return conf_refuse(r,
				   "\"%.64s\" is no option; an endpoint is written as: "
				   "join %.64s",
				   keyword, keyword);
	return conf_refuse(r,
			   "\"%.64s\" is no option that a file can have, nor join or "
			   "include%s",
			   keyword,
			   near.found ? near_hint(&near, "", hint)
				      : "; it has the long ones of netrelay --help, "
					"without dashes");
}

static int read_line(struct conf_reader *r, struct conf_line *line)
{
	const struct option *o;
	const char *fault;
	char *value;

	if (line->is_fault)
		return conf_refuse(r, "%s", line->text);
	if (conf_file_value(line->text, &value, &fault) < 0)
		return conf_refuse(r, "%.64s: %s", line->text, fault);
	o = find_statement(line->text);
	if (!o)
		return no_statement(r, line->text);
	if (o->has_arg == no_argument && value)
		return conf_refuse(r, "%s takes no value; say %s alone", o->name,
				   o->name);
	if (o->has_arg != no_argument && !value)
		return conf_refuse(r, "%s: its value is missing; " SEE_HELP, o->name);
	return conf_option_set(r, o->val, value);
}

int conf_option_line(struct conf_reader *r, struct conf_line *line)
{
	int err;

	r->where = line->where;
	err = conf_settle(r, read_line(r, line));
	r->where = NULL;
	return err;
}
