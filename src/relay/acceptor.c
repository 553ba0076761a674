/* SPDX-License-Identifier: MIT */
/* Nothing here walks through the members of a relay but in a cable, which has two. */
#include "relay/acceptor.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/parts.h"
#include "conf/endpoint-name.h"
#include "port/driver.h"
#include "relay/callers.h"
#include "relay/door.h"
#include "relay/relay.h"
#include "relay/stats.h"

/* Return: whether it has a name, or needs none. */
static bool name_member(struct acceptor *a, struct member *m, const struct arrival *in)
{
	struct port *p = m->port;

	if (!HAS_NAMING)
		return true;
	m->names = a->names;
	if (HAS_KEYS && in->peer)
		m->names = names_get(&a->relay->names, in->peer->name);
	if (!m->names)
		return !in->peer;
	m->number = names_take(m->names, m->name, sizeof(m->name));
	snprintf(p->name, sizeof(p->name), "%s (%s)", m->name, in->name);
	return m->number;
}

/* Return: it, or NULL; then nothing is left of it but its place at the listener. */
static struct member *make_member(struct acceptor *a, const struct arrival *in)
{
	struct port *p = HAS_KEYS && in->port
				 ? in->port
				 : driver_of(a->ep)->accept(a->ep, in->fd, in->name,
							    &a->relay->env);
	struct member *m = p ? member_new(p) : NULL;

	if (!m)
		return NULL;
	m->acceptor = a;
	if (name_member(a, m, in) &&
	    (!HAS_KEYS || !in->session || port_accepted_seal(p, in->session) == 0))
		return m;
	acceptor_ended(a, m);
	member_free(m);
	return NULL;
}

void acceptor_take(struct acceptor *a, const struct arrival *in)
{
	struct endpoint_rules rules = a->ep->rules;
	struct member *m = make_member(a, in);

	if (!m) {
		log_warn("%s: no memory for a port", in->name);
		listener_gone(&a->listener, in->host);
		return;
	}
	m->host = in->host;
	m->is_dynamic = true;
	if (HAS_KEYS && in->peer) {
		callers_rules(a, in->peer, &rules);
		m->known = in->known;
		in->known->member = m;
	}
	relay_add_member(a->relay, m, &rules);
}

static void on_accepted(struct listener *l, int fd, const char *peer,
			struct admit_host *host, void *arg)
{
	struct acceptor *a = arg;
	struct arrival in = { .fd = fd, .name = peer, .host = host };

	if (HAS_STORY)
		log_info("%s: connection from %s, %u in all", a->label, peer, l->n);
	if (callers_wanted(a))
		callers_begin(a, fd, peer, host);
	else
		acceptor_take(a, &in);
}

/* Return: a port of its, which has the one place; NULL: there is none. */
static struct port *port_of(const struct acceptor *a)
{
	struct member *m = a->relay->kind == RELAY_CABLE ? a->relay->forward.members.first
							 : NULL;

	while (m && (m->acceptor != a || m->port->state == PORT_ENDED))
		m = m->next;
	return m ? m->port : NULL;
}

bool acceptor_has_room(const struct acceptor *a)
{
	struct port *p = port_of(a);

	return !p || (p->ops->is_gone && p->ops->is_gone(p));
}

bool acceptor_make_room(struct acceptor *a)
{
	struct port *p = port_of(a);

	if (!acceptor_has_room(a))
		return false;
	if (!p)
		return true;
	if (HAS_VHOST && p->state != PORT_UP)
		port_why(p, -ETIMEDOUT,
			 "the guest has not started its network device, so a new "
			 "connection takes its place");
	else
		port_why(p, -ETIMEDOUT,
			 "has been silent, so a new connection takes its place");
	port_down(p);
	return true;
}

/*
 * In a cable a new connection waits while another one has the listener's place. A peer
 * that is only silent, or a guest that has not started, keeps its place until a new one
 * wants it.
 */
static void make_room(struct listener *l, void *arg)
{
	(void)l;
	acceptor_make_room(arg);
}

static void warn_if_open(const struct acceptor *a)
{
	if (endpoint_is_open(a->ep) && (!callers_wanted(a) || a->ep->takes_plain))
		log_warn("%s: whoever can reach this port joins the network; limit it by "
			 "allow=, or listen on 127.0.0.1",
			 a->label);
}

static struct acceptor *acceptor_new(struct relay *r, struct endpoint *ep)
{
	struct acceptor *a = calloc(1, sizeof(*a));

	if (HAS_NAMING && a && *ep->port_name &&
	    !(a->names = names_get(&r->names, ep->port_name))) {
		free(a);
		return NULL;
	}
	return a;
}

static void put_names(struct acceptor *a)
{
	if (HAS_NAMING)
		names_put(&a->relay->names, a->names);
}

/* In a cable. Whoever has not proved to be a peer must not take the place of one. */
static void set_limit(struct acceptor *a)
{
	a->listener.limit = a->relay->kind == RELAY_CABLE && !callers_wanted(a) ? 1 : 0;
}

int acceptor_add(struct relay *r, struct endpoint *ep, char *why, size_t size)
{
	struct acceptor *a = acceptor_new(r, ep);
	int ret;

	if (!a) {
		snprintf(why, size, "%s: out of memory", ep->text);
		return -ENOMEM;
	}
	a->relay = r;
	a->ep = ep;
	a->listener.name = endpoint_label(ep, a->label, sizeof(a->label));
	a->listener.path = ep->path[0] ? ep->path : NULL;
	a->listener.mode = ep->mode;
	a->listener.group = ep->access.group;
	a->listener.admit.access = &ep->access;
	a->listener.addr = &ep->local;
	set_limit(a);
	a->listener.accepted = on_accepted;
	a->listener.wanted = make_room;
	a->listener.arg = a;
	a->listener.broker = r->env.broker;
	a->listener.passed = r->env.passed;
	a->is_configured = relay_configures(r);
	a->listener.waits = r->waits && a->is_configured;
	if (HAS_KEYS && ep->is_udp)
		a->listener.open = door_open;
	ret = listener_start(&a->listener, r->loop, why, size);
	if (ret < 0) {
		put_names(a);
		free(a);
		return ret;
	}
	warn_if_open(a);
	a->next = r->acceptors;
	r->acceptors = a;
	return 0;
}

static void set_rules(struct acceptor *a, const struct endpoint_rules *rules)
{
	struct members *all = &a->relay->forward.members;

	for (struct member *m = all->first; m; m = m->next)
		if (m->acceptor == a && !m->known)
			members_set_rules(all, m, rules);
}

int acceptor_change(struct acceptor *a, const struct endpoint *ep, char *why, size_t size)
{
	bool same_rules = endpoint_same_rules(&a->ep->rules, &ep->rules);
	bool same_access = endpoint_same_access(&a->ep->access, &ep->access);
	bool same_peers = a->ep->takes_plain == ep->takes_plain &&
			  !strcmp(a->ep->peers_path, ep->peers_path);
	char fault[BROKER_WHY_MAX + 16], label[PORT_NAME_MAX];
	int ret = 0;

	if (!same_access)
		ret = admit_change(&a->listener.admit, &a->ep->access, &ep->access,
				   a->relay->env.broker, fault, sizeof(fault));
	if (ret < 0) {
		snprintf(why, size, "%s: %s", endpoint_label(ep, label, sizeof(label)),
			 fault);
		return ret;
	}
	if (!same_rules)
		set_rules(a, &ep->rules);
	*a->ep = *ep;
	if (HAS_KEYS)
		set_limit(a);
	endpoint_label(ep, a->label, sizeof(a->label));
	if (!same_access || !same_peers)
		warn_if_open(a);
	return !same_rules || !same_access || !same_peers;
}

static void free_one(struct acceptor *a)
{
	if (HAS_KEYS)
		door_free(a);
	listener_free(&a->listener);
	put_names(a);
	free(a->ep);
	free(a);
}

static void free_list(struct acceptor **list)
{
	while (*list) {
		struct acceptor *a = *list;

		*list = a->next;
		free_one(a);
	}
}

static void free_stopped(struct deferred *d)
{
	free_list(&container_of(d, struct relay, stopping)->stopped);
}

/* Not now: its watch may still have an event in this turn, and a port of its be about to end. */
static void free_later(struct acceptor *a)
{
	struct relay *r = a->relay;

	a->next = r->stopped;
	r->stopped = a;
	loop_defer(r->loop, &r->stopping, free_stopped);
}

void acceptor_del(struct acceptor *a)
{
	struct relay *r = a->relay;
	struct acceptor **link = &r->acceptors;

	while (*link != a)
		link = &(*link)->next;
	*link = a->next;
	listener_stop(&a->listener);
	if (HAS_KEYS)
		callers_end(r, a);
	if (HAS_KEYS && a->door)
		door_close(a);
	a->is_stopped = true;
	if (!a->listener.n)
		free_later(a);
}

void acceptor_ended(struct acceptor *a, struct member *m)
{
	if (HAS_NAMING && m->number)
		names_release(m->names, m->number);
	if (HAS_NAMING && m->names != a->names)
		names_put(&a->relay->names, m->names);
	m->names = a->names;
	m->number = 0;
	if (m->known)
		m->known->member = NULL;
	m->known = NULL;
}

void acceptor_gone(struct acceptor *a, struct member *m)
{
	acceptor_ended(a, m);
	stats_add(&a->gone, &m->port->count);
	listener_gone(&a->listener, m->host);
	if (a->is_stopped && !a->listener.n)
		free_later(a);
}

void acceptor_free_all(struct relay *r)
{
	loop_undefer(&r->stopping);
	if (HAS_KEYS)
		callers_end(r, NULL);
	for (struct acceptor *a = r->acceptors; a; a = a->next)
		listener_stop(&a->listener);
	free_list(&r->acceptors);
	free_list(&r->stopped);
}
