/* SPDX-License-Identifier: MIT */
/*
 * First what is there already is found, and what both name is marked. Then what is not
 * marked is ended, so that what it had, an address or a path, is free for what is added last.
 */
#include "relay/renew.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf/endpoint-name.h"
#include "port/driver.h"
#include "relay/names.h"

#define WHY_MAX 1200

/*
 * @dialled: members that were made from an endpoint, @n of them
 * @keys:    theirs, as of endpoint_key(), so that thousands can be searched
 * @is_there: of each endpoint of @conf, whether there was one already
 */
struct work {
	struct relay *relay;
	const struct conf *conf;
	struct renewal *done;
	void (*tell)(void *arg, const char *why);
	void *arg;
	struct member **dialled;
	uint64_t *keys;
	size_t n;
	bool *is_there;
};

static bool begin(struct work *w)
{
	struct members *all = &w->relay->forward.members;

	w->dialled = calloc(all->n + 1, sizeof(struct member *));
	w->keys = calloc(all->n + 1, sizeof(*w->keys));
	w->is_there = calloc(conf_count(w->conf) + 1, sizeof(*w->is_there));
	for (struct member *m = all->first; m && w->dialled && w->keys; m = m->next) {
		m->is_kept = false;
		if (!m->ep || m->port->state == PORT_ENDED)
			continue;
		w->keys[w->n] = endpoint_key(m->ep);
		w->dialled[w->n++] = m;
	}
	for (struct acceptor *a = w->relay->acceptors; a; a = a->next)
		a->is_kept = false;
	return w->dialled && w->keys && w->is_there;
}

/* ---- what is there ---- */

/*
 * There may be several that are the same; take one that a control command added last.
 * @by_name: one that has its name, too
 */
static struct member *find_member(const struct work *w, const struct endpoint *ep,
				  bool by_name)
{
	uint64_t key = endpoint_key(ep);
	struct member *found = NULL;

	for (size_t i = 0; i < w->n; i++) {
		struct member *m = w->dialled[i];

		if (w->keys[i] != key || m->is_kept || !endpoint_same(m->ep, ep) ||
		    (by_name && strcmp(m->ep->port_name, ep->port_name) != 0))
			continue;
		if (m->is_configured)
			return m;
		found = found ? found : m;
	}
	return found;
}

/* Its connections are named after it, so one with another name is another one. */
static struct acceptor *find_acceptor(const struct work *w, const struct endpoint *ep)
{
	struct acceptor *a = w->relay->acceptors;

	while (a && (a->is_kept || !endpoint_same(a->ep, ep) ||
		     strcmp(a->ep->port_name, ep->port_name) != 0))
		a = a->next;
	return a;
}

static void count(struct work *w, bool has_changed)
{
	w->done->changed += has_changed;
	w->done->same += !has_changed;
}

static void change_member(struct work *w, struct member *m, const struct endpoint *ep)
{
	bool same_name = !strcmp(m->name, ep->port_name);
	bool same = same_name && endpoint_same_access(&m->ep->access, &ep->access) &&
		    endpoint_same_rules(&m->rules, &ep->rules);

	m->is_kept = m->is_configured = true;
	if (!same)
		members_set_rules(&w->relay->forward.members, m, &ep->rules);
	count(w, !same);
	*m->ep = *ep;
	endpoint_label(ep, m->port->name, sizeof(m->port->name));
	/* Another one may still have its name; see name_members(). */
	if (!same_name)
		m->name[0] = '\0';
}

static void change_acceptor(struct work *w, struct acceptor *a, const struct endpoint *ep)
{
	char why[WHY_MAX];
	int ret = acceptor_change(a, ep, why, sizeof(why));

	a->is_kept = a->is_configured = true;
	if (ret >= 0) {
		count(w, ret > 0);
		return;
	}
	w->done->failed++;
	w->tell(w->arg, why);
}

/* Return: whether there is one already. */
static bool keep(struct work *w, const struct endpoint *ep, bool by_name)
{
	bool listens = driver_of(ep)->accept;
	struct acceptor *a = listens ? find_acceptor(w, ep) : NULL;
	struct member *m = listens ? NULL : find_member(w, ep, by_name);

	if (a)
		change_acceptor(w, a, ep);
	if (m)
		change_member(w, m, ep);
	return a || m;
}

static void keep_all(struct work *w, bool by_name)
{
	for (size_t i = 0; i < conf_count(w->conf); i++)
		if (!w->is_there[i])
			w->is_there[i] = keep(w, conf_nth(w->conf, i), by_name);
}

/* ---- what is no more, and what is new ---- */

/* Connections go on, unless they have the place of another end. */
static void end_connections(struct relay *r)
{
	for (struct member *m = r->forward.members.first; m; m = m->next)
		if (m->acceptor && !acceptor_of(m) && m->port->state != PORT_ENDED)
			relay_del(m);
}

static void end_others(struct work *w)
{
	bool is_cable = w->relay->kind == RELAY_CABLE;

	for (size_t i = 0; i < w->n; i++) {
		struct member *m = w->dialled[i];

		if (m->is_kept || !(m->is_configured || is_cable))
			continue;
		relay_del(m);
		w->done->ended++;
	}
	for (struct acceptor *a = w->relay->acceptors, *next; a; a = next) {
		next = a->next;
		if (a->is_kept || !(a->is_configured || is_cable))
			continue;
		acceptor_del(a);
		w->done->ended++;
	}
	if (is_cable)
		end_connections(w->relay);
}

/* Only what a control command has added can still have one of the new names. */
static void name_members(struct work *w)
{
	char why[WHY_MAX];

	for (size_t i = 0; i < w->n; i++) {
		struct member *m = w->dialled[i];

		if (!m->is_kept || !strcmp(m->name, m->ep->port_name))
			continue;
		if (names_check(w->relay, m->ep, why, sizeof(why)) < 0) {
			m->ep->port_name[0] = '\0';
			endpoint_label(m->ep, m->port->name, sizeof(m->port->name));
			w->done->failed++;
			w->tell(w->arg, why);
		}
		memcpy(m->name, m->ep->port_name, sizeof(m->ep->port_name));
	}
}

static void add(struct work *w, const struct endpoint *ep)
{
	char why[WHY_MAX];

	if (driver_of(ep)->check_inherited)
		return;
	if (relay_add(w->relay, ep, why, sizeof(why)) == 0) {
		w->done->added++;
		return;
	}
	w->done->failed++;
	w->tell(w->arg, why);
}

int relay_renew(struct relay *r, const struct conf *conf, struct renewal *done,
		void (*tell)(void *arg, const char *why), void *arg)
{
	struct work w = {
		.relay = r, .conf = conf, .done = done, .tell = tell, .arg = arg
	};
	size_t n = conf_count(conf);
	bool is_ready = begin(&w);

	*done = (struct renewal){ 0 };
	if (is_ready) {
		keep_all(&w, true);
		keep_all(&w, false);
		end_others(&w);
		name_members(&w);
	}
	r->renews = true;
	for (size_t i = 0; is_ready && i < n; i++)
		if (!w.is_there[i])
			add(&w, conf_nth(conf, i));
	r->renews = false;
	free(w.dialled);
	free(w.keys);
	free(w.is_there);
	return is_ready ? 0 : -ENOMEM;
}
