/* SPDX-License-Identifier: MIT */
/*
 * Taking away from a relay while it runs. Adding to it is relay_add(), then as
 * at the start.
 */
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

	for (const struct acceptor *a = r->acceptors; a; a = a->next)
		n++;
	for (const struct port *p = r->forward.ports; p; p = p->next)
		n += !acceptor_of(p) && p->state != PORT_ENDED;
	return n;
}

void relay_del(struct port *p)
{
	p->may_end = true;
	port_end(p);
}
