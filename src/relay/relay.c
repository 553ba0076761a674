/* SPDX-License-Identifier: MIT */
/*
 * The ports of a relay: adding, holding back and removing them. What becomes of
 * their frames is in forward.c.
 *
 * A port that comes up, fails or ends does so anywhere: when its descriptor is looked
 * at, when a timer is due, or in the midst of a batch that could not be sent to it.
 * on_changed() then puts right at once what frames depend on: who is up, where
 * addresses are, which ports are cut. Which ports are held follows when the batch is
 * over. Whoever wants to know is told when the turn ends (events.h), and what has
 * ended is freed after that.
 *
 * There may be thousands of ports, so nothing that happens to one of them - it comes,
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
#include "port/driver.h"
#include "relay/forward.h"

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

/* ---- what holds a port back ---- */

static bool has_other_up(const struct relay *r, const struct port *p)
{
	return r->n_up > (is_up(p) ? 1 : 0);
}

/* Of a cable, which has two. */
static const struct port *other_up(const struct relay *r, const struct port *p)
{
	for (const struct port *q = r->forward.ports; q; q = q->next)
		if (q != p && is_up(q))
			return q;
	return NULL;
}

/*
 * In a cable a source that can wait is held while the other end is behind, so
 * that nothing is lost; once held, until the queue is short. With more ports
 * a slow one must not hold the others, so it loses frames instead. A pipe is
 * not read before there is somebody to take its frames.
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
		port_hold(r->pipe, r->drain.has_begun || !has_other_up(r, r->pipe));
	for (struct port *p = r->forward.ports; is_cable(r) && p; p = p->next)
		hold_in_cable(r, p);
}

/* ---- what ports tell us ---- */

static void on_readable(struct port *p, void *arg)
{
	struct relay *r = arg;
	struct batch *b = r->batch;

	r->is_forwarding = true;
	do {
		if (port_receive(p, b) < 0)
			break;
		forward_batch(&r->forward, p, b);
	} while (b->more && port_can_read(p));
	deliver_flush(&r->forward);
	port_received(p);
	r->is_forwarding = false;
	if (r->has_changed)
		update_holds(r);
	else if (is_cable(r))
		hold_in_cable(r, p);
}

static void on_relaxed(struct port *p, void *arg)
{
	struct relay *r = arg;

	(void)p;
	if (is_cable(r))
		update_holds(r);
	drain_check(&r->drain);
}

void relay_fold(struct port_counters *sum, const struct port_counters *c)
{
	sum->rx_frames += c->rx_frames;
	sum->rx_bytes += c->rx_bytes;
	sum->tx_frames += c->tx_frames;
	sum->tx_bytes += c->tx_bytes;
	for (int i = 0; i < DROP_REASONS; i++)
		sum->dropped[i] += c->dropped[i];
}

/* While no port has any, frames need not be looked at for them. */
static void count_pins(struct relay *r, const struct port *p, int sign)
{
	if (p->rules.n_macs)
		r->n_mac_filters += (unsigned)sign;
	r->forward.has_mac_filter = r->n_mac_filters;
}

static void append_port(struct relay *r, struct port *p)
{
	p->link = r->end;
	*r->end = p;
	r->end = &p->next;
	r->forward.n_ports++;
	count_pins(r, p, 1);
	if (p->ops->is_stdio)
		r->pipe = p;
}

static void unlink_port(struct relay *r, struct port *p)
{
	*p->link = p->next;
	if (p->next)
		p->next->link = p->link;
	else
		r->end = p->link;
	r->forward.n_ports--;
	count_pins(r, p, -1);
	if (r->pipe == p)
		r->pipe = NULL;
}

static void remove_port(struct relay *r, struct port *p)
{
	struct endpoint *ep = p->ep;

	unlink_port(r, p);
	switching_gone(&r->switching, p);
	/* Nobody hears of a port that is not there any more. */
	events_tell(&r->events);
	relay_fold(&r->gone, &p->count);
	if (p->acceptor)
		acceptor_port_gone(p->acceptor, p);
	port_free(p);
	free(ep);
}

static void reap_ended(struct deferred *d)
{
	struct relay *r = container_of(d, struct relay, reap);

	while (r->ended) {
		struct port *p = r->ended;

		r->ended = p->next_ended;
		remove_port(r, p);
	}
	update_holds(r);
}

static void port_has_ended(struct relay *r, struct port *p)
{
	p->next_ended = r->ended;
	r->ended = p;
	loop_defer(r->loop, &r->reap, reap_ended);
	if (p->may_end || r->drain.has_begun)
		return;
	if (!p->was_up) {
		r->failed = true;
		loop_stop(r->loop);
	} else if (is_cable(r) || p->ops->is_stdio) {
		drain_begin(&r->drain, r->loop, &r->forward);
	}
}

static void on_switching(struct switching *sw, const struct news *n)
{
	events_note(&container_of(sw, struct relay, switching)->events, n);
}

/* A failed retry is not an event: the link was already reported down. */
static void note_state(struct relay *r, struct port *p)
{
	bool was_up = p->reported_up, is_shown_up = port_state_shown(p) == PORT_UP;
	struct news n = { .port = p, .why = is_shown_up ? NULL : p->why };

	if (is_shown_up && p->lost_at)
		n = (struct news){ .event = EVENT_RECONNECT,
				   .port = p,
				   .away_ms = loop_now() - p->lost_at };
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
		p->lost_at = was_up ? loop_now() : 0;
	p->reported_up = is_shown_up;
}

/* This may be in the midst of a batch: what others make of it waits for the end of that. */
static void on_changed(struct port *p, void *arg)
{
	struct relay *r = arg;

	r->n_up += (unsigned)is_up(p) - (unsigned)p->is_counted_up;
	p->is_counted_up = is_up(p);
	switching_changed(&r->switching, p);
	note_state(r, p);
	if (p->state == PORT_ENDED)
		port_has_ended(r, p);
	drain_check(&r->drain);
	r->has_changed = true;
	if (!r->is_forwarding)
		update_holds(r);
}

static const struct port_host host = {
	.readable = on_readable,
	.relaxed = on_relaxed,
	.changed = on_changed,
};

/* ---- ports ---- */

void relay_set_running(struct relay *r)
{
	r->is_running = true;
}

void relay_set_rules(struct relay *r, struct port *p, const struct endpoint_rules *rules)
{
	count_pins(r, p, -1);
	p->rules = *rules;
	count_pins(r, p, 1);
}

void relay_add_port(struct relay *r, struct port *p)
{
	p->id = ++r->last_id;
	append_port(r, p);
	port_start(p);
}

/* @ep becomes the port's. */
static int add_endpoint(struct relay *r, struct endpoint *ep, char *why, size_t size)
{
	const struct driver *driver = driver_of(ep);
	struct port *p = driver->dial(ep, &r->env);

	if (!p) {
		int err = errno;

		snprintf(why, size, "%s: %s", ep->text, driver_why(ep, err));
		return -err;
	}
	p->ep = ep;
	p->may_end = r->is_running;
	p->rules = ep->rules;
	if (driver->may_close_loop && is_cable(r))
		switching_start_guard(&r->switching);
	relay_add_port(r, p);
	return 0;
}

int relay_add(struct relay *r, const struct endpoint *ep, char *why, size_t size)
{
	bool listens = driver_of(ep)->accept;
	struct endpoint *own = malloc(sizeof(*own));
	int ret;

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

int relay_init(struct relay *r, struct loop *loop, struct helper *helper,
	       enum relay_kind kind, const struct switching_limits *limits)
{
	uint8_t *memory;

	memset(r, 0, sizeof(*r));
	r->loop = loop;
	r->kind = kind;
	r->end = &r->forward.ports;
	r->started = loop_now();
	r->env.loop = loop;
	r->env.helper = helper;
	events_init(&r->events, loop);
	links_init(&r->links, loop);
	r->env.links = &r->links;
	r->env.host = &host;
	r->env.host_arg = r;
	switching_init(&r->switching, loop, &r->forward);
	r->switching.tell = on_switching;
	/* Only as much of it is resident as frames have filled. */
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
	/* The loop may end in the turn in which a port has. */
	loop_undefer(&r->reap);
	r->ended = NULL;
	/* First: that a loop ends now is of no interest. */
	switching_free(&r->switching);
	events_free(&r->events);
	while (r->forward.ports)
		remove_port(r, r->forward.ports);
	acceptor_free_all(r);
	drain_free(&r->drain);
	links_free(&r->links);
	if (r->batch)
		munmap(r->batch, MEMORY_BYTES);
}
