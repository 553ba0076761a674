/* SPDX-License-Identifier: MIT */
/*
 * The broker reads the file (net/broker.h), and the relay the text. All that could refuse
 * it comes first: what is written wrong, what can't change in a program that has given up
 * its rights, and descriptors that nobody can pass on any more.
 */
#include "reload.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/parts.h"
#include "net/broker.h"
#include "port/driver.h"
#include "relay/callers.h"
#include "relay/renew.h"

#define WHY_MAX 1200

static const struct conf *current(const struct reload *l)
{
	return l->now.argv ? &l->now : l->conf;
}

static bool has_endpoint(const struct conf *conf, const struct endpoint *ep)
{
	for (size_t i = 0; i < conf_count(conf); i++)
		if (endpoint_same(conf_nth(conf, i), ep))
			return true;
	return false;
}

/* Refuse what takes another start. Return: 0; -EINVAL with a message. */
static int check(const struct reload *l, const struct conf *next, char *why, size_t size)
{
	const char *option = conf_fixed(l->conf, next);

	if (option) {
		snprintf(why, size,
			 "%.256s: %s can't change while the relay runs; restart netrelay "
			 "for that",
			 next->file, option);
		return -EINVAL;
	}
	for (size_t i = 0; i < conf_count(next); i++) {
		const struct endpoint *ep = conf_nth(next, i);

		if (!driver_of(ep)->check_inherited || has_endpoint(current(l), ep))
			continue;
		snprintf(why, size,
			 "%.256s: %.64s is a descriptor, and a relay that runs can't be "
			 "given one; restart netrelay for that",
			 next->file, ep->text);
		return -EINVAL;
	}
	return 0;
}

/* @next: set to the new configuration, to be freed also after an error */
static int read_next(const struct reload *l, struct conf *next, char *why, size_t size)
{
	const struct conf *conf = l->conf;
	struct buf text = { 0 };
	int ret = broker_config(l->relay->env.broker, conf->file, &text);

	*next = (struct conf){ 0 };
	if (ret < 0)
		snprintf(why, size, "%.256s: the broker can't read it: %s", conf->file,
			 strerror(-ret));
	else
		ret = conf_reread(next, conf->argc, conf->argv, &text, why, size);
	buf_free(&text);
	return ret < 0 ? ret : check(l, next, why, size);
}

static void tell(void *arg, const char *why)
{
	log_warn("not added: %s", why);
	buf_printf(arg, "not added: %s\n", why);
}

/* What is no endpoint, and can change. */
static void change_options(struct reload *l, const struct conf *next)
{
	struct forwarding *fwd = &l->relay->forward;
	bool was_traced = current(l)->verbose >= 2, is_traced = next->verbose >= 2;

	log_verbosity(next->verbose);
	if (HAS_TRACE && is_traced && !was_traced)
		trace_start(l->trace, fwd);
	else if (HAS_TRACE && was_traced && !is_traced)
		trace_stop(l->trace, fwd);
	l->relay->switching.storm.limit = next->storm_limit;
}

static int apply(struct reload *l, const struct conf *next, struct buf *out)
{
	struct renewal done;
	char line[128];
	int ret = relay_renew(l->relay, next, &done, tell, out);

	if (ret < 0)
		return ret;
	change_options(l, next);
	snprintf(line, sizeof(line), "%u added, %u ended, %u changed, %u as before",
		 done.added, done.ended, done.changed, done.same);
	log_answer("%.256s: read again: %s", next->file, line);
	buf_printf(out, "%s\n", line);
	return 0;
}

/* With a configuration file. @fault: WHY_MAX bytes */
static int reload_config(struct reload *l, struct buf *out, char *fault)
{
	struct keys before = { 0 };
	struct conf next;
	int ret = read_next(l, &next, fault, WHY_MAX);

	if (ret == 0 && l->relay->drain.has_begun) {
		snprintf(fault, WHY_MAX, "the relay is about to end");
		ret = -ESHUTDOWN;
	}
	if (HAS_KEYS && ret == 0)
		ret = keys_renew(l->keys, &next, &before, fault, WHY_MAX);
	if (ret == 0) {
		ret = apply(l, &next, out);
		if (HAS_KEYS)
			keys_renewed(l->keys, &before, ret == 0);
	}
	if (ret < 0) {
		conf_free(&next);
		return ret;
	}
	conf_free(&l->now);
	l->now = next;
	return 0;
}

/* Without one. */
static int reload_keys(struct reload *l, struct buf *out, char *fault)
{
	struct keys before;
	int ret = keys_renew(l->keys, l->conf, &before, fault, WHY_MAX);

	if (ret < 0)
		return ret;
	keys_renewed(l->keys, &before, true);
	log_answer("the key and the peers were read again");
	buf_printf(out, "the key and the peers were read again\n");
	return 0;
}

int reload_run(struct reload *l, struct buf *out, char *why, size_t size)
{
	char fault[WHY_MAX] = "not enough memory";
	int ret = 0;

	if (HAS_CONFIG && l->conf->file)
		ret = reload_config(l, out, fault);
	else if (HAS_KEYS)
		ret = reload_keys(l, out, fault);
	if (ret < 0) {
		snprintf(why, size, "%s; nothing was changed", fault);
		log_warn("%s", why);
		return ret;
	}
	if (HAS_KEYS && l->relay->env.keys)
		callers_check(l->relay);
	return 0;
}

void reload_free(struct reload *l)
{
	conf_free(&l->now);
}
