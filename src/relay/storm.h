/* SPDX-License-Identifier: MIT */
/*
 * The storm limit: how many frames that go to all others a port may bring in a second.
 * Those above it are dropped, so that one port can't drown all the others.
 */
#ifndef STORM_H
#define STORM_H

#include <stdbool.h>
#include <stdint.h>

#include "base/loop.h"

struct member;
struct storm;

/*
 * What a member floods.
 * @second:   the one that @n counts in
 * @reported: the last second with too many
 * @over:     set while there is a storm: when it will have ended
 */
struct storm_state {
	uint32_t second, n, reported;
	struct timer over;
	struct storm *of;
};

/*
 * @limit:  frames a second, of a member whose rules have none; 0: no limit
 * @notify: optional; a storm has begun at @m, or is over
 */
struct storm {
	struct loop *loop;
	uint32_t limit;
	void (*notify)(struct storm *s, const struct member *m, bool is_over);
};

/* storm_limit() - The limit for @m: its own, or the one for all. 0: none. */
uint32_t storm_limit(const struct storm *s, const struct member *m);

/*
 * storm_admit() - How many of @n more frames @m may flood.
 * @each: what one of them counts as: a super-frame as the frames that it is split into
 * @now:  in seconds, of any clock that goes on
 */
uint32_t storm_admit(struct storm *s, struct member *m, uint32_t n, uint32_t each,
		     uint32_t now);

/* storm_forget() - @m is about to be freed; its storm, if there is one, ends unreported. */
void storm_forget(struct storm *s, struct member *m);

#endif
