/* SPDX-License-Identifier: MIT */
/* For tests: let a loop turn for a while. */
#ifndef TURN_H
#define TURN_H

#include "base/loop.h"
#include "base/util.h"

struct turn_end {
	struct timer timer;
	struct loop *loop;
};

static inline void turn_over(struct timer *t)
{
	loop_stop(container_of(t, struct turn_end, timer)->loop);
}

/* turn_for() - Let @l turn for @ms milliseconds, or until somebody stops it. */
static inline void turn_for(struct loop *l, unsigned ms)
{
	struct turn_end end = { .loop = l };

	timer_set(l, &end.timer, ms, turn_over);
	loop_run(l);
	timer_cancel(l, &end.timer);
}

#endif
