/* SPDX-License-Identifier: MIT */
/* For tests of a relay: ports that the test made join it. */
#ifndef LIB_MEMBERS_H
#define LIB_MEMBERS_H

#include <stdlib.h>

#include "relay/relay.h"

/* members_add() - Give @p a place in @r, without rules. Return: the place. */
static inline struct member *members_add(struct relay *r, struct port *p, bool is_dynamic)
{
	static const struct endpoint_rules none;
	struct member *m = member_new(p);

	if (!m)
		abort();
	m->is_dynamic = is_dynamic;
	relay_add_member(r, m, &none);
	return m;
}

#endif
