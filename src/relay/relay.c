/* SPDX-License-Identifier: MIT */
/*
 * The members of a relay: adding them, holding their ports back, and removing them. What
 * becomes of their frames is in forward.c.
 *
 * A port may come up, fail or end anywhere: when its descriptor is ready, when a timer is
 * due, or in the midst of a batch that could not be sent to it. on_changed() then at once
 * corrects what frames depend on: which ports are up, where addresses are, which ports
 * are cut. Which ports are held back is decided when the batch is over. Watchers are
 * notified when the turn ends (events.h), and members that have ended are freed after
 * that.
 *
 * There may be thousands of members, so nothing that happens to one of them - it comes,
 * it goes, its state changes - walks through all. What a walk would find is counted.
 *
 * #syscalls: mmap munmap
 */
#include "relay/relay.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/log.h"
#include "base/parts.h"
#include "conf/endpoint-name.h"
#include "port/driver.h"
#include "relay/forward.h"
#include "relay/stats.h"

#define NEWS_MS 100 /* from the first news to a try: more may come */
#define SEGMENTS_BYTES (BATCH_MAX * sizeof(struct gso_segment))
#define MEMORY_BYTES (sizeof(struct batch) + SEGMENTS_BYTES + BATCH_BUF_SIZE)

static bool is_cable(const struct relay *r)
{
	return r->kind == RELAY_CABLE;
}

const char *relay_kind_name(enum relay_kind kind)
{
	static const char *const names[] = {
		[RELAY_CABLE] = "cable",
		[RELAY_SWITCH] = "switch",
		[RELAY_HUB] = "hub",
	};

	return names[kind];
}

static bool is_up(const struct port *p)
{
	return p->state == PORT_UP;
}

/* ---- which ports are held back ---- */

static bool has_other_up(const struct relay *r, const struct port *p)
{
	return r->forward.members.n_up > (is_up(p) ? 1 : 0);
}

/* In a cable, which has two ends: the port of the other one, if it is up. */
static const struct port *other_up(const struct relay *r, const struct port *p)
{
	for (const struct member *m = r->forward.members.first; m; m = m->next)
		if (m->port != p && is_up(m->port))
			return m->port;
	return NULL;
}

/*
 * In a cable, a source that can wait is not read while the other end's queue is long, so
 * that nothing is lost; then it is not read again until that queue is short. With more
 * ports a slow one must not hold the others back, so it loses frames instead. Stdin is
 * not read before another port is up to take its frames.
 */
static void hold_in_cable(struct relay *r, struct port *p)
{
	const struct port *other = other_up(r, p);
	size_t limit = p->is_held ? PORT_QUEUE_LOW : PORT_QUEUE_HIGH;
	bool hold = false;

	if (r->drain.has_begun || !other)
		hold = p->ops->is_stdio;
	else if (p->ops->has_backpressure)
		hold = port_backlog(other).bytes > limit;
	port_hold(p, hold);
	if (is_up(p) && p->ops->carrier)
		p->ops->carrier(p, other);
}

static void update_holds(struct relay *r)
{
	r->has_changed = false;
	if (r->pipe && !is_cable(r))
		port_hold(r->pipe->port,
			  r->drain.has_begun || !has_other_up(r, r->pipe->port));
	for (struct member *m = r->forward.members.first; is_cable(r) && m; m = m->next)
		hold_in_cable(r, m->port);
}

/* ---- the owner of the ports ---- */

static void on_readable(struct port *p, void *arg)
{
	struct relay *r = arg;
	struct batch *b = r->batch;

	r->is_forwarding = true;
	do {
		if (port_receive(p, b) < 0)
			break;
		forward_batch(&r->forward, member_of(p), b);
	} while (b->more && port_can_read(p));
	deliver_flush(&r->forward);
	port_received(p);
	r->is_forwarding = false;
	if (r->has_changed)
		update_holds(r);
	else if (is_cable(r))
		hold_in_cable(r, p);
}

static void on_drained(struct port *p, void *arg)
{
	struct relay *r = arg;

	(void)p;
	if (is_cable(r))
		update_holds(r);
	drain_check(&r->drain);
}

static void remove_member(struct relay *r, struct member *m)
{
	members_leave(&r->forward.members, m);
	if (r->pipe == m)
		r->pipe = NULL;
	switching_gone(&r->switching, m);
	/* An event must not be about a member that is not there any more. */
	events_flush(&r->events);
	stats_add(&r->gone, &m->port->count);
	if (m->acceptor)
		acceptor_gone(m->acceptor, m);
	member_free(m);
}

static void reap_ended(struct deferred *d)
{
	struct relay *r = container_of(d, struct relay, reap);

	while (r->ended) {
		struct member *m = r->ended;

		r->ended = m->next_ended;
		remove_member(r, m);
	}
	update_holds(r);
}

static void has_ended(struct relay *r, struct member *m)
{
	if (m->acceptor)
		acceptor_ended(m->acceptor, m);
	m->next_ended = r->ended;
	r->ended = m;
	loop_defer(r->loop, &r->reap, reap_ended);
	if (m->is_dynamic || r->drain.has_begun)
		return;
	if (!m->port->was_up) {
		r->failed = true;
		loop_stop(r->loop);
	} else if (is_cable(r) || m == r->pipe) {
		drain_begin(&r->drain, r->loop, &r->forward);
	}
}

static void on_switching(struct switching *sw, const struct news *n)
{
	events_note(&container_of(sw, struct relay, switching)->events, n);
}

/* A failed retry is not an event: the link was already reported down. */
static void note_state(struct relay *r, struct member *m)
{
	const struct port *p = m->port;
	bool was_up = m->reported_up, is_shown_up = port_state_shown(p) == PORT_UP;
	struct news n = { .member = m, .why = is_shown_up ? NULL : p->why };

	if (is_shown_up && m->lost_at)
		n = (struct news){ .event = EVENT_RECONNECT,
				   .member = m,
				   .away_ms = loop_now() - m->lost_at };
	else if (is_shown_up)
		n.event = EVENT_UP;
	else if (p->state == PORT_ENDED)
		n.event = EVENT_GONE;
	else if (was_up)
		n.event = EVENT_DOWN;
	else
		return;
	events_note(&r->events, &n);
	if (was_up != is_shown_up)
		m->lost_at = was_up ? loop_now() : 0;
	m->reported_up = is_shown_up;
}

static void change_due(struct deferred *d)
{
	struct relay *r = container_of(d, struct relay, change);

	r->on_change(r->change_arg);
}

/* The first try of an endpoint has ended. */
static void count_started(struct relay *r, struct member *m)
{
	if (m->is_starting && m->port->state != PORT_OPENING) {
		m->is_starting = false;
		r->n_starting--;
	}
}

/* A batch may be under way: then other ports are held back, or not, at its end. */
static void on_changed(struct port *p, void *arg)
{
	struct relay *r = arg;
	struct member *m = member_of(p);

	members_count_up(&r->forward.members, m);
	switching_changed(&r->switching, m);
	note_state(r, m);
	count_started(r, m);
	if (r->on_change && r->is_running)
		loop_defer(r->loop, &r->change, change_due);
	if (p->state == PORT_ENDED)
		has_ended(r, m);
	drain_check(&r->drain);
	r->has_changed = true;
	if (!r->is_forwarding)
		update_holds(r);
}

static const struct port_host host = {
	.readable = on_readable,
	.drained = on_drained,
	.changed = on_changed,
};

/* ---- members ---- */

struct member *relay_find(const struct relay *r, unsigned id)
{
	struct member *m = members_find(&r->forward.members, id);

	return m && m->port->state != PORT_ENDED ? m : NULL;
}

struct member *relay_find_name(const struct relay *r, const char *name)
{
	struct member *m = *name ? r->forward.members.first : NULL;

	while (m && (m->port->state == PORT_ENDED || strcmp(m->name, name) != 0))
		m = m->next;
	return m;
}

unsigned relay_count_ends(const struct relay *r)
{
	unsigned n = 0;

	for (const struct acceptor *a = r->acceptors; a; a = a->next)
		n++;
	for (const struct member *m = r->forward.members.first; m; m = m->next)
		n += !acceptor_of(m) && m->port->state != PORT_ENDED;
	return n;
}

void relay_del(struct member *m)
{
	m->is_dynamic = true;
	port_end(m->port);
}

void relay_set_running(struct relay *r)
{
	r->is_running = true;
	if (r->on_change)
		loop_again(r->loop, &r->change, change_due);
}

void relay_on_change(struct relay *r, void (*fn)(void *arg), void *arg)
{
	r->on_change = fn;
	r->change_arg = arg;
}

bool relay_is_ready(const struct relay *r)
{
	return r->is_running && !r->n_starting && !r->failed;
}

void relay_add_member(struct relay *r, struct member *m,
		      const struct endpoint_rules *rules)
{
	members_join(&r->forward.members, m);
	members_set_rules(&r->forward.members, m, rules);
	if (m->port->ops->is_stdio)
		r->pipe = m;
	port_start(m->port);
}

/* On success @ep becomes the member's. */
static int add_endpoint(struct relay *r, struct endpoint *ep, char *why, size_t size)
{
	const struct driver *driver = driver_of(ep);
	struct port *p = driver->dial(ep, &r->env);
	struct member *m = p ? member_new(p) : NULL;

	if (!m) {
		int err = errno;

		snprintf(why, size, "%s: %s", ep->text, driver_why(ep, err));
		return -err;
	}
	m->ep = ep;
	memcpy(m->name, ep->port_name, sizeof(ep->port_name));
	endpoint_label(ep, p->name, sizeof(p->name));
	m->is_dynamic = r->is_running;
	m->is_configured = relay_configures(r);
	p->waits = r->waits && m->is_configured;
	m->is_starting = !r->is_running && driver->fails_late;
	r->n_starting += m->is_starting;
	if (driver->may_close_loop && is_cable(r))
		switching_start_guard(&r->switching);
	relay_add_member(r, m, &ep->rules);
	return 0;
}

/* Try anew what waits for an address or an interface; all else has news of its own. */
static void news_due(struct timer *t)
{
	struct relay *r = container_of(t, struct relay, again);
	bool any = false;

	for (struct acceptor *a = r->acceptors; a; a = a->next)
		any |= listener_retry_now(&a->listener);
	for (struct member *m = r->forward.members.first; m; m = m->next) {
		if (!m->port->ops->is_dgram || m->port->was_up)
			continue;
		any = true;
		port_retry_now(m->port);
	}
	if (!any)
		links_leave(&r->links, &r->news);
}

static void on_news(struct links_user *u, const struct nl_link *link)
{
	struct relay *r = container_of(u, struct relay, news);

	(void)link;
	if (!r->again.is_set)
		timer_set(r->loop, &r->again, NEWS_MS, news_due);
}

void relay_wait(struct relay *r)
{
	r->waits = true;
	r->news.changed = on_news;
	r->news.is_of_host = true;
	/* Without news, there are the tries at times. */
	links_join(&r->links, &r->news, "");
}

int relay_add(struct relay *r, const struct endpoint *ep, char *why, size_t size)
{
	bool listens = driver_of(ep)->accept;
	struct endpoint *own;
	int ret = HAS_NAMING ? names_check(r, ep, why, size) : 0;

	if (ret < 0)
		return ret;
	own = malloc(sizeof(*own));
	if (!own) {
		snprintf(why, size, "%s: out of memory", ep->text);
		return -ENOMEM;
	}
	*own = *ep;
	ret = listens ? acceptor_add(r, own, why, size) : add_endpoint(r, own, why, size);
	if (ret < 0)
		free(own);
	return ret;
}

int relay_init(struct relay *r, struct loop *loop, struct helper *helpers,
	       enum relay_kind kind, const struct switching_limits *limits)
{
	uint8_t *memory;

	memset(r, 0, sizeof(*r));
	r->loop = loop;
	r->kind = kind;
	r->started = loop_now();
	r->env.loop = loop;
	r->env.helpers = helpers;
	events_init(&r->events, loop);
	links_init(&r->links, loop);
	r->env.links = &r->links;
	r->env.host = &host;
	r->env.host_arg = r;
	switching_init(&r->switching, loop, &r->forward);
	r->switching.notify = on_switching;
	/* It becomes resident as frames fill it. */
	memory = mmap(NULL, MEMORY_BYTES, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (memory == MAP_FAILED)
		return -ENOMEM;
	r->batch = (struct batch *)(void *)memory;
	memory += sizeof(*r->batch);
	r->forward.segments = (struct gso_segment *)(void *)memory;
	memory += SEGMENTS_BYTES;
	r->batch->buf = memory;
	return kind == RELAY_SWITCH ? switching_start(&r->switching, limits) : 0;
}

void relay_free(struct relay *r)
{
	/* The event loop may stop in the turn in which a port has ended. */
	loop_undefer(&r->reap);
	r->ended = NULL;
	loop_undefer(&r->change);
	/* This comes first, so that no bridge loop is reported to end. */
	switching_free(&r->switching);
	events_free(&r->events);
	while (r->forward.members.first)
		remove_member(r, r->forward.members.first);
	acceptor_free_all(r);
	if (HAS_KEYS)
		callers_free(&r->callers);
	drain_free(&r->drain);
	timer_cancel(r->loop, &r->again);
	links_leave(&r->links, &r->news);
	links_free(&r->links);
	if (r->batch)
		munmap(r->batch, MEMORY_BYTES);
}
