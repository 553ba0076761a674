/* SPDX-License-Identifier: MIT */
/*
 * Taking away from a relay while it runs. Adding to it is relay_add(), then as
 * at the start.
 */
#include <stdlib.h>

#include "relay/relay.h"

struct port *relay_find(const struct relay *r, unsigned id)
{
	struct port *p = r->forward.ports;

	while (p && (p->id != id || p->state == PORT_ENDED))
		p = p->next;
	return p;
}

unsigned relay_ends(const struct relay *r)
{
	unsigned n = 0;

	for (const struct listener *l = r->listeners; l; l = l->next)
		n++;
	for (const struct port *p = r->forward.ports; p; p = p->next)
		n += !p->listener && p->state != PORT_ENDED;
	return n;
}

void relay_del(struct port *p)
{
	p->may_end = true;
	port_end(p);
}

static void free_listeners(struct listener **list)
{
	while (*list) {
		struct listener *l = *list;

		*list = l->next;
		free(l->ep);
		free(l);
	}
}

static void free_stopped(struct deferred *d)
{
	free_listeners(&container_of(d, struct relay, stopping)->stopped);
}

void relay_del_listener(struct relay *r, struct listener *l)
{
	struct listener **link = &r->listeners;

	while (*link != l)
		link = &(*link)->next;
	*link = l->next;
	for (struct port *p = r->forward.ports; p; p = p->next)
		if (p->listener == l)
			p->listener = NULL;
	listener_stop(l);
	/* Its watch may have an event in this turn still. */
	l->next = r->stopped;
	r->stopped = l;
	loop_defer(r->loop, &r->stopping, free_stopped);
}

void relay_free_listeners(struct relay *r)
{
	for (struct listener *l = r->listeners; l; l = l->next)
		listener_stop(l);
	free_listeners(&r->listeners);
	free_listeners(&r->stopped);
}
