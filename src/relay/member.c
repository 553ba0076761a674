/* SPDX-License-Identifier: MIT */
/* There may be thousands of members, so what happens to one of them walks through none. */
#include "relay/member.h"

#include <stdlib.h>

struct member *member_new(struct port *p)
{
	struct member *m = calloc(1, sizeof(*m));

	if (!m) {
		port_free(p);
		errno = ENOMEM;
		return NULL;
	}
	m->port = p;
	p->owner = m;
	return m;
}

void member_free(struct member *m)
{
	port_free(m->port);
	free(m->ep);
	free(m);
}

/* While none has a filter, frames need not be looked at for it. */
static void count_filters(struct members *all, const struct member *m, int sign)
{
	if (m->rules.n_macs)
		all->n_mac_filters += (unsigned)sign;
}

void members_set_rules(struct members *all, struct member *m,
		       const struct endpoint_rules *rules)
{
	count_filters(all, m, -1);
	m->rules = *rules;
	m->port->is_unpadded = rules->is_unpadded;
	count_filters(all, m, 1);
}

static struct member **bucket(struct members *all, unsigned id)
{
	return &all->by_id[id % MEMBERS_BUCKETS];
}

void members_join(struct members *all, struct member *m)
{
	struct member **head;

	m->id = ++all->last_id;
	head = bucket(all, m->id);
	m->next_id = *head;
	*head = m;
	m->next = NULL;
	m->prev = all->last;
	if (m->prev)
		m->prev->next = m;
	else
		all->first = m;
	all->last = m;
	all->n++;
}

void members_leave(struct members *all, struct member *m)
{
	struct member **link = bucket(all, m->id);

	while (*link != m)
		link = &(*link)->next_id;
	*link = m->next_id;
	if (m->prev)
		m->prev->next = m->next;
	else
		all->first = m->next;
	if (m->next)
		m->next->prev = m->prev;
	else
		all->last = m->prev;
	count_filters(all, m, -1);
	all->n_up -= m->is_counted_up;
	all->n--;
}

struct member *members_find(const struct members *all, unsigned id)
{
	struct member *m = all->by_id[id % MEMBERS_BUCKETS];

	while (m && m->id != id)
		m = m->next_id;
	return m;
}

struct member *members_after(const struct members *all, unsigned id)
{
	struct member *m = members_find(all, id);

	if (m)
		return m->next;
	m = all->first;
	while (m && m->id <= id)
		m = m->next;
	return m;
}

void members_count_up(struct members *all, struct member *m)
{
	bool is_up = m->port->state == PORT_UP;

	all->n_up += (unsigned)is_up - (unsigned)m->is_counted_up;
	m->is_counted_up = is_up;
}

const char *member_state_text(const struct member *m)
{
	enum port_state shown = port_state_shown(m->port);

	if (m->port->state == PORT_UP && m->is_blocked)
		return "blocked";
	return shown == PORT_UP && m->guard.is_limited ? "limited"
						       : port_state_name(shown);
}
