/* SPDX-License-Identifier: MIT */
/*
 * A relay's members, and the last steps of a frame between them: onto the pending lists
 * of its targets. Super-frames go whole to those that take them, and are split for the
 * others. Which members are targets is decided in forward.h.
 */
#ifndef DELIVER_H
#define DELIVER_H

#include <stdint.h>

#include "frame/frame.h"
#include "frame/gso.h"
#include "relay/member.h"

enum direction { FRAME_IN, FRAME_OUT };

/*
 * Is shown frames on their way: a capture, a trace. It must not change them.
 * @seen: @f, which may be a run and may be a super-frame, came in at @m, or is on its way
 *        out of it: the queue there may still have no room for it. It may remove itself.
 */
struct observer {
	struct observer *next;
	void (*seen)(struct observer *o, const struct member *m, enum direction direction,
		     const struct frame *f);
};

struct moves;

/*
 * @members:  all of the relay's
 * @observers: an empty list costs nothing
 * @fdb:      where addresses are; NULL: each frame goes to all others
 * @storm:    the limit for frames to all others; NULL: there is none
 * @guard:    the search for bridge loops; NULL: there is none
 * @moves:    what becomes of addresses that move; NULL as @fdb
 * @dirty:    members with frames pending
 * @segments: frames made here, @n_segments of BATCH_MAX in use until deliver_flush()
 * @copied:   frames made here: those sent beyond one for each received
 */
struct forwarding {
	struct members members;
	struct observer *observers;
	struct fdb *fdb;
	struct storm *storm;
	struct guard *guard;
	struct moves *moves;
	struct member *dirty;
	unsigned n_segments;
	struct gso_segment *segments;
	uint64_t copied;
};

/*
 * The targets of a frame.
 * @src:  where it came from; never a target
 * @only: the only target, if it may be one; NULL: all that may
 */
struct dest {
	const struct member *src;
	struct member *only;
};

/* deliver_is_target() - Whether @src's frames may go to @m at all, now. */
static inline bool deliver_is_target(const struct member *m, const struct member *src)
{
	return m != src && m->port->state == PORT_UP && !m->is_blocked &&
	       !(m->rules.is_isolated && src->rules.is_isolated);
}

/*
 * deliver_frame() - Send @f, which may be a run or a super-frame.
 *
 * It is pending then, and must stay where it is until deliver_flush(). The frames that
 * are sent beyond one for each in @f are added to fwd->copied.
 *
 * Return: how many frames were sent, or how often a run was; 0 when there is no target;
 * -EINVAL when it is a super-frame that is not what its header says.
 */
int deliver_frame(struct forwarding *fwd, const struct dest *to, const struct frame *f);

/* deliver_local() - Send a frame made here to @m, and count it as a copy. */
void deliver_local(struct forwarding *fwd, struct member *m, const struct frame *f);

/* deliver_flush() - Send all that is pending, member by member. */
void deliver_flush(struct forwarding *fwd);

/* observer_add() - Show @o all frames from now on, until observer_remove(). */
void observer_add(struct forwarding *fwd, struct observer *o);
void observer_remove(struct forwarding *fwd, struct observer *o);

/* observer_notify() - Show @f to all of them. */
void observer_notify(const struct forwarding *fwd, const struct member *m,
		     enum direction direction, const struct frame *f);

#endif
