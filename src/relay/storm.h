/* SPDX-License-Identifier: MIT */
/*
 * Storms: how many frames that go to everybody a port may bring in a second.
 * What is above is dropped, so that one port can't drown all the others.
 */
#ifndef STORM_H
#define STORM_H

#include <stdbool.h>
#include <stdint.h>

#include "port/port.h"

/*
 * @limit: frames a second, of a port whose rules have none; 0: no limit
 * @tell:  optional; a storm has begun at @p, or is over
 */
struct storm {
	struct loop *loop;
	uint32_t limit;
	void (*tell)(struct storm *s, const struct port *p, bool is_over);
};

/* storm_limit() - What holds for @p: its own limit, or the one for all. */
static inline uint32_t storm_limit(const struct storm *s, const struct port *p)
{
	return p->rules.storm ? p->rules.storm : s->limit;
}

/*
 * storm_admit() - How many of @n more frames @p may flood.
 * @each: what one of them counts as: a super-frame as all that it stands for
 * @now:  in seconds
 */
uint32_t storm_admit(struct storm *s, struct port *p, uint32_t n, uint32_t each,
		     uint32_t now);

/* storm_forget() - @p is about to be freed. */
void storm_forget(struct storm *s, struct port *p);

#endif
