/* SPDX-License-Identifier: MIT */
/* The lowest bits of a hash choose RECENT_WAYS slots, which share a cache line. */
#include "relay/recent.h"

#include <stdbool.h>
#include <stddef.h>

static struct recent_one *places(struct recent *r, uint64_t hash)
{
	return &r->all[hash % (RECENT_MAX / RECENT_WAYS) * RECENT_WAYS];
}

static bool is_over(const struct recent_one *one, uint64_t now)
{
	return !one->n || (uint32_t)now - one->when >= RECENT_MS;
}

struct recent_one *recent_find(struct recent *r, uint64_t hash, uint64_t now)
{
	struct recent_one *one = places(r, hash);

	for (int i = 0; i < RECENT_WAYS; i++, one++)
		if (!is_over(one, now) && one->tag == (uint32_t)(hash >> 32))
			return one;
	return NULL;
}

/* Whether @a is to be replaced rather than @b, by what @port brings. */
static bool gives_way(const struct recent_one *a, const struct recent_one *b,
		      uint32_t port, uint64_t now)
{
	if (is_over(a, now) || is_over(b, now))
		return !is_over(b, now);
	if ((a->port == port) != (b->port == port))
		return a->port == port;
	return (uint32_t)now - a->when > (uint32_t)now - b->when;
}

void recent_add(struct recent *r, uint64_t hash, uint32_t port, uint64_t now)
{
	struct recent_one *one = places(r, hash), *room = one;

	for (int i = 1; i < RECENT_WAYS; i++)
		if (gives_way(&one[i], room, port, now))
			room = &one[i];
	*room = (struct recent_one){
		.tag = (uint32_t)(hash >> 32),
		.port = port,
		.when = (uint32_t)now,
		.n = 1,
	};
}
