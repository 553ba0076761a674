/* SPDX-License-Identifier: MIT */
/*
 * A relay's ports, and a frame's last steps between them: onto the pending lists
 * of its targets, in the shape that each of them takes - super-frames whole to
 * those who take them, split for the rest. Who its targets are is decided in
 * forward.h.
 */
#ifndef DELIVER_H
#define DELIVER_H

#include <stdint.h>

#include "frame/frame.h"
#include "frame/gso.h"
#include "port/port.h"

enum direction { FRAME_IN, FRAME_OUT };

/*
 * Somebody who looks at frames on their way: a capture, a trace. It must not
 * change them.
 * @seen: @f, which may be a run and may be a super-frame, came in at @p, or
 *        is on its way out of it: its queue may still have no room for it
 */
struct observer {
	struct observer *next;
	void (*seen)(struct observer *o, const struct port *p, enum direction direction,
		     const struct frame *f);
};

struct fdb;
struct guard;
struct moves;
struct storm;

/*
 * @ports, @n_ports: all of the relay's
 * @observers: those who look on; an empty list costs nothing
 * @fdb:      where addresses are; NULL: each frame goes to all others
 * @storm:    how much of that a port may bring; NULL: any
 * @guard:    who looks for loops; NULL: nobody
 * @moves:    what becomes of addresses that move; as @fdb
 * @has_mac_filter: a port has a rule on source addresses
 * @dirty:    those with frames pending
 * @segments: frames made of others, in use until the dirty are flushed
 * @copied:   frames made here: what was sent beyond one for each received
 */
struct forwarding {
	struct port *ports;
	unsigned n_ports;
	struct observer *observers;
	struct fdb *fdb;
	struct storm *storm;
	struct guard *guard;
	struct moves *moves;
	bool has_mac_filter;
	struct port *dirty;
	unsigned n_segments;
	struct gso_segment *segments; /* BATCH_MAX of them */
	uint64_t copied;
};

/*
 * Who gets a frame.
 * @src:  where it came from; never a target
 * @only: the only target, if it may be one; NULL: all who may
 */
struct dest {
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
 * deliver_frame() - Send @f, which may be a run or a super-frame.
 *
 * What it becomes beyond one frame for each is added to fwd->copied.
 *
 * Return: how many went, or runs of them; 0 when there is no target; -EINVAL
 * when it is a super-frame that is not what its header says.
 */
int deliver_frame(struct forwarding *fwd, const struct dest *way, const struct frame *f);

/* deliver_local() - Send a frame made here to @p, and count it as a copy. */
void deliver_local(struct forwarding *fwd, struct port *p, const struct frame *f);

/* deliver_flush() - Send what is still pending. */
void deliver_flush(struct forwarding *fwd);

/* observer_add() - Have @o see all frames from now on; observer_remove() ends it. */
void observer_add(struct forwarding *fwd, struct observer *o);
void observer_remove(struct forwarding *fwd, struct observer *o);

/* observer_notify() - Show @f to all of them. */
void observer_notify(const struct forwarding *fwd, const struct port *p,
		     enum direction direction, const struct frame *f);

#endif
