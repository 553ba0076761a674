/* SPDX-License-Identifier: MIT */
/* A place for each of the hash's lowest values. */
#include "relay/recent.h"

#include <stddef.h>

static struct recent_one *place(struct recent *r, uint64_t hash)
{
	return &r->all[hash % RECENT_MAX];
}

struct recent_one *recent_find(struct recent *r, uint64_t hash, uint64_t now)
{
	struct recent_one *one = place(r, hash);

	if (!one->n || one->tag != (uint32_t)(hash >> 32) ||
	    (uint32_t)now - one->when >= RECENT_MS)
		return NULL;
	return one;
}

void recent_add(struct recent *r, uint64_t hash, uint32_t port, uint64_t now)
{
	*place(r, hash) = (struct recent_one){
		.tag = (uint32_t)(hash >> 32),
		.port = port,
		.when = (uint32_t)now,
		.n = 1,
	};
}
