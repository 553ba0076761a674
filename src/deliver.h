/* SPDX-License-Identifier: MIT */
/*
 * A frame's last steps in the relay: onto the pending lists of its targets, in
 * the shape that each of them takes - super-frames whole to those who take
 * them, split for the rest.
 */
#ifndef DELIVER_H
#define DELIVER_H

#include "forward.h"

/*
 * Who gets a frame.
 * @src:  where it came from; never a target
 * @only: the only target, if it may be one; NULL: all who may
 */
struct way {
	const struct port *src;
	struct port *only;
};

/* deliver_is_target() - Whether @src's frames may go to @p at all, now. */
static inline bool deliver_is_target(const struct port *p, const struct port *src)
{
	return p != src && p->state == PORT_UP && !p->is_blocked &&
	       !(p->rules.is_isolated && src->rules.is_isolated);
}

/*
 * deliver() - Send @f, which may be a run or a super-frame.
 *
 * What it becomes beyond one frame for each is added to fwd->copied.
 *
 * Return: how many went, or runs of them; 0 when there is no target; -EINVAL
 * when it is a super-frame that is not what its header says.
 */
int deliver(struct forward *fwd, const struct way *way, const struct frame *f);

/* deliver_own() - Send a frame made here to @p, and count it as a copy. */
void deliver_own(struct forward *fwd, struct port *p, const struct frame *f);

#endif
