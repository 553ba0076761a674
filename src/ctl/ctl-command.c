/* SPDX-License-Identifier: MIT */
/*
 * Runs the commands of the control socket, by a table. A command that changes something
 * checks all of its words first.
 */
#include "ctl/ctl-command.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/escape.h"
#include "base/near.h"
#include "base/parts.h"
#include "base/quote.h"
#include "conf/conf-check.h"
#include "port/driver.h"
#include "show/show-json.h"
#include "show/show-table.h"

PRINTF_LIKE(3, 4) static int fail(struct ctl_call *call, int err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(call->why, sizeof(call->why), fmt, ap);
	va_end(ap);
	return err;
}

/* ---- which port, which listener ---- */

static bool is_named(const char *name, const char *word)
{
	char shown[4 * ENDPOINT_TEXT_MAX];

	escape_text(shown, sizeof(shown), name);
	return !strcmp(name, word) || !strcmp(shown, word);
}

/* An endpoint as it may have been typed: its text has no name=, so that is compared besides. */
struct typed {
	const char *word;
	struct endpoint ep;
};

static void read_typed(struct typed *t, const char *word)
{
	char why[CTL_WHY_MAX];

	t->word = word;
	if (endpoint_parse(&t->ep, word, why, sizeof(why)) < 0)
		t->ep.port_name[0] = '\0';
}

static bool is_typed(const struct typed *t, const struct endpoint *ep)
{
	return is_named(ep->text, t->word) ||
	       (*t->ep.port_name && !strcmp(t->ep.port_name, ep->port_name) &&
		!strcmp(t->ep.text, ep->text));
}

static int find_named(struct ctl_call *call, const char *word, struct member **found)
{
	struct typed typed;
	unsigned n = 0;

	*found = relay_find_name(call->relay, word);
	if (*found)
		return 0;
	read_typed(&typed, word);
	for (struct member *m = call->relay->forward.members.first; m; m = m->next) {
		bool is_it = m->ep ? is_typed(&typed, m->ep)
				   : is_named(m->port->name, word);

		if (m->port->state == PORT_ENDED || !is_it)
			continue;
		*found = m;
		n++;
	}
	if (n > 1)
		return fail(call, -ENOTUNIQ,
			    "%.64s: %u ports have that name; give the number of one",
			    word, n);
	return 0;
}

/* @found: set to the port, or to NULL when there is none */
static int find_port(struct ctl_call *call, const char *word, struct member **found)
{
	uint32_t id;

	if (!parse_uint(word, 10, UINT_MAX, &id))
		return find_named(call, word, found);
	*found = relay_find(call->relay, id);
	return 0;
}

/*
 * A listener's first connection has its name, so without -l that is the connection's, also
 * when there is none: whoever wants to end it must not end the listener.
 */
static struct acceptor *find_listener(const struct ctl_call *call, const char *word,
				      bool by_l)
{
	struct acceptor *a = call->relay->acceptors;
	struct typed typed;

	read_typed(&typed, word);
	while (a && !is_typed(&typed, a->ep) &&
	       !(by_l && *word && !strcmp(a->ep->port_name, word)))
		a = a->next;
	return a;
}

/* ---- what changes something ---- */

static int check_room(struct ctl_call *call)
{
	const struct relay *r = call->relay;

	if (r->drain.has_begun)
		return fail(call, -ESHUTDOWN, "the relay is about to end");
	if (r->kind == RELAY_CABLE && relay_count_ends(r) >= 2)
		return fail(call, -EBUSY,
			    "a cable has two ends, and this one has both; del one first");
	return 0;
}

static int check_endpoint(struct ctl_call *call, const struct endpoint *ep)
{
	const char *fault;

	if (driver_of(ep)->check_inherited)
		return fail(call, -EINVAL,
			    "%.64s: a relay that runs can't be given descriptors; name "
			    "an endpoint that it can open",
			    ep->text);
	if (!HAS_KEYS)
		return 0;
	if (ep->psk_path[0] || ep->peers_path[0])
		return fail(call, -EPERM,
			    "%.64s: psk= and peers= name files, and only the "
			    "configuration may; put it into the file of -f, and reload",
			    ep->text);
	fault = conf_check_keys(ep, call->has_key, call->has_peers);
	return fault ? fail(call, -EINVAL, "%.64s: %s", ep->text, fault) : 0;
}

int ctl_added(const struct member *m, struct buf *out, char *why, size_t size)
{
	const struct port *p = m->port;

	if (p->state == PORT_ENDED) {
		snprintf(why, size, "%s: %s", p->name, p->why);
		return -EIO;
	}
	buf_printf(out, "port %u\n", m->id);
	return 0;
}

/*
 * Answer an add, or have the answer wait. A stream that is still connecting is retried
 * for ever, so it is answered now. Any other port may still turn out to be a mistake, so
 * its answer waits until it is open or has failed.
 */
static int answer_added(struct ctl_call *call, unsigned id)
{
	const struct member *m = members_find(&call->relay->forward.members, id);

	if (!m)
		return fail(call, -EIO, "it has ended already");
	if (m->port->state == PORT_OPENING && !m->port->ops->is_stream) {
		call->awaits = id;
		return 0;
	}
	return ctl_added(m, call->out, call->why, sizeof(call->why));
}

static int run_add(struct ctl_call *call)
{
	bool by_l = call->n_words == 3 && !strcmp(call->word[1], "-l");
	const char *text = call->word[by_l ? 2 : 1];
	struct relay *r = call->relay;
	unsigned *last = &r->forward.members.last_id, before = *last;
	struct endpoint ep;
	int ret;

	if (call->n_words != 2 && !by_l)
		return fail(call, -EINVAL,
			    "the form is add ENDPOINT or add -l PORT; one "
			    "with blanks goes in quotes");
	ret = by_l ? endpoint_parse_listen(&ep, text, call->why, sizeof(call->why))
		   : endpoint_parse(&ep, text, call->why, sizeof(call->why));
	if (!ret)
		ret = check_endpoint(call, &ep);
	if (!ret)
		ret = check_room(call);
	if (!ret)
		ret = relay_add(r, &ep, call->why, sizeof(call->why));
	if (!ret && *last != before)
		ret = answer_added(call, *last);
	else if (!ret)
		buf_printf(call->out, "listening\n");
	return ret;
}

static int run_del(struct ctl_call *call)
{
	bool by_l = call->n_words == 3 && !strcmp(call->word[1], "-l");
	const char *word = call->word[by_l ? 2 : 1];
	struct acceptor *a = NULL;
	struct member *m = NULL;
	int ret = 0;

	if (call->n_words != 2 && !by_l)
		return fail(call, -EINVAL,
			    "the form is del PORT, for a port's number or name, or del "
			    "-l PORT, for a listener");
	if (!by_l)
		ret = find_port(call, word, &m);
	if (!ret && !m)
		a = find_listener(call, word, by_l);
	if (!ret && !m && !a)
		ret = fail(call, -ENOENT, "%.64s: there is no such %s; see: status", word,
			   by_l ? "listener" : "port or listener");
	if (ret < 0)
		return ret;
	if (m)
		relay_del(m);
	else
		acceptor_del(a);
	return 0;
}

/* ---- set ---- */

typedef int set_fn(struct ctl_call *call, struct endpoint_rules *rules, char *value);

static int set_isolated(struct ctl_call *call, struct endpoint_rules *rules, char *value)
{
	rules->is_isolated = !strcmp(value, "on");
	if (!rules->is_isolated && strcmp(value, "off") != 0)
		return fail(call, -EINVAL, "isolated: \"%.64s\" must be on or off",
			    value);
	return 0;
}

static int set_mac(struct ctl_call *call, struct endpoint_rules *rules, char *value)
{
	char *next = *value ? value : NULL, *mac;

	rules->n_macs = 0;
	while (next) {
		mac = next;
		next = strchr(mac, '+');
		if (next)
			*next++ = '\0';
		if (rules->n_macs == ENDPOINT_MACS_MAX)
			return fail(call, -EINVAL, "mac: a port has %d addresses at most",
				    ENDPOINT_MACS_MAX);
		if (endpoint_parse_mac(rules->macs[rules->n_macs++], mac) < 0)
			return fail(
				call, -EINVAL,
				"mac: \"%.64s\" must be the MAC address of a machine, as in "
				"52:54:00:00:00:01; a + separates several",
				mac);
	}
	return 0;
}

static int set_storm(struct ctl_call *call, struct endpoint_rules *rules, char *value)
{
	if (!call->relay->forward.storm)
		return fail(
			call, -EOPNOTSUPP,
			"storm: this relay is not a switch, so it has no storm limit");
	if (!parse_uint(value, 10, UINT32_MAX, &rules->storm))
		return fail(call, -EINVAL,
			    "storm: \"%.64s\" must be a number from 0 to %u; 0 takes "
			    "the limit of the whole relay",
			    value, UINT32_MAX);
	return 0;
}

static int set_one(struct ctl_call *call, struct endpoint_rules *rules, char *word)
{
	static const struct {
		const char *key;
		set_fn *set;
	} keys[] = {
		{ "isolated", set_isolated },
		{ "mac", set_mac },
		{ "storm", set_storm },
	};
	char *value = strchr(word, '=');

	if (!value)
		return fail(call, -EINVAL, "\"%.64s\" is not of the form KEY=VALUE",
			    word);
	*value++ = '\0';
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		if (!strcmp(keys[i].key, word))
			return keys[i].set(call, rules, value);
	return fail(call, -EINVAL,
		    "\"%.64s\" can't be set; there are isolated, mac and storm", word);
}

static int run_set(struct ctl_call *call)
{
	struct endpoint_rules rules;
	struct member *m;
	int ret;

	if (call->n_words < 3)
		return fail(call, -EINVAL, "the form is set PORT KEY=VALUE ...");
	ret = find_port(call, call->word[1], &m);
	if (ret < 0)
		return ret;
	if (!m)
		return fail(call, -ENOENT, "%.64s: there is no such port; see: status",
			    call->word[1]);
	rules = m->rules;
	for (int i = 2; i < call->n_words && !ret; i++)
		ret = set_one(call, &rules, call->word[i]);
	if (!ret)
		members_set_rules(&call->relay->forward.members, m, &rules);
	return ret;
}

/* ---- what only shows ---- */

static int run_status(struct ctl_call *call)
{
	if (call->n_words == 2 && !strcmp(call->word[1], "--json"))
		call->show = show_json;
	else if (call->n_words == 1)
		call->show = show_status;
	else
		return fail(call, -EINVAL, "the form is status or status --json");
	return 0;
}

/* The commands below consist of one word. */
static int check_alone(struct ctl_call *call)
{
	if (call->n_words > 1)
		return fail(call, -EINVAL, "%s takes no more words", call->word[0]);
	return 0;
}

static int run_counters(struct ctl_call *call)
{
	int ret = check_alone(call);

	if (!ret)
		call->show = show_counters;
	return ret;
}

static int run_fdb(struct ctl_call *call)
{
	int ret = check_alone(call);

	if (!ret && !show_fdb(call->relay, call->out))
		ret = fail(call, -EOPNOTSUPP,
			   "this relay is not a switch, so it learns no addresses");
	return ret;
}

static int run_reload(struct ctl_call *call)
{
	int ret = check_alone(call);

	if (!ret && !call->reload)
		return fail(
			call, -ENOENT,
			"there is no file to read again; start netrelay with -f FILE");
	if (!ret)
		ret = call->reload(call->reload_arg, call->out, call->why,
				   sizeof(call->why));
	return ret;
}

static int run_events(struct ctl_call *call)
{
	int ret = check_alone(call);

	call->follows = !ret;
	return ret;
}

static int run_capture(struct ctl_call *call)
{
	int ret;

	if (!HAS_CAPTURE)
		return fail(call, -EOPNOTSUPP, "capture: " LEFT_OUT);
	ret = capture_filter_words(&call->filter, call->word + 1, call->why,
				   sizeof(call->why));
	call->captures = !ret;
	return ret;
}

static int run_help(struct ctl_call *call);

static const struct command {
	const char *name;
	int (*run)(struct ctl_call *call);
	const char *usage, *what;
} commands[] = {
	{ "help", run_help, "help", "show this list" },
	{ "status", run_status, "status [--json]", "show all ports and their traffic" },
	{ "fdb", run_fdb, "fdb", "show which address is on which port" },
	{ "add", run_add, "add ENDPOINT", "add a port; or add -l PORT: a listener" },
	{ "del", run_del, "del PORT", "by number or name; or del -l PORT: a listener" },
	{ "set", run_set, "set PORT KEY=VALUE ...",
	  "isolated=on|off, mac=ADDR[+ADDR ...], storm=N" },
	{ "reload", run_reload, "reload", "read the file of -f again" },
	{ "events", run_events, "events", "print each event as it happens, until ^C" },
	{ "capture", run_capture, "capture FILE [KEY=VALUE ...]",
	  "port=PORT, dir=in|out|both, snap=N" },
	{ "counters", run_counters, "counters", "for programs: fields with tabs" },
};

static int run_help(struct ctl_call *call)
{
	int ret = check_alone(call);

	for (size_t i = 0; i < ARRAY_SIZE(commands) && !ret; i++)
		buf_printf(call->out, "%-28s %s\n", commands[i].usage, commands[i].what);
	return ret;
}

static int no_command(struct ctl_call *call)
{
	struct near near = { .word = call->word[0], .len = strlen(call->word[0]) };
	char hint[NEAR_HINT_MAX];

	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		near_try(&near, commands[i].name);
	return fail(call, -EINVAL, "%.64s: there is no such command%s", call->word[0],
		    near.found ? near_hint(&near, "", hint) : "; try: help");
}

int ctl_command(struct ctl_call *call, char *line)
{
	const char *why = NULL;

	call->n_words = quote_split(line, call->word, CTL_WORDS_MAX, &why);
	if (call->n_words < 0)
		return fail(call, -EINVAL, "%s", why);
	if (call->n_words == 0)
		return fail(call, -EINVAL, "the command is empty; try: help");
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		if (!strcmp(commands[i].name, call->word[0]))
			return commands[i].run(call);
	return no_command(call);
}
