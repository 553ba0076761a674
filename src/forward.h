/* SPDX-License-Identifier: MIT */
/*
 * The way of a batch through the relay: which frames pass, and to which ports
 * each of them goes. How it gets there is deliver.h's.
 */
#ifndef FORWARD_H
#define FORWARD_H

#include <stdint.h>

#include "frame.h"
#include "gso.h"
#include "port.h"

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
struct storm;

/*
 * @ports, @n_ports: all of the relay's
 * @observers: those who look on; an empty list costs nothing
 * @fdb:      where addresses are; NULL: each frame goes to all others
 * @storm:    how much of that a port may bring; NULL: any
 * @guard:    who looks for loops; NULL: nobody
 * @has_pins: a port has a rule on source addresses
 * @dirty:    those with frames pending
 * @segments: headers of split super-frames, in use until the dirty are flushed
 * @copied:   frames made here: what was sent beyond one for each received
 */
struct forward {
	struct port *ports;
	unsigned n_ports;
	struct observer *observers;
	struct fdb *fdb;
	struct storm *storm;
	struct guard *guard;
	bool has_pins;
	struct port *dirty;
	unsigned n_segments;
	struct gso_segment *segments; /* BATCH_MAX of them */
	uint64_t copied;
};

/*
 * forward_batch() - Send each frame of @src's batch on its way.
 *
 * While b->more, they may stay pending, as the memory that they are in does.
 */
void forward_batch(struct forward *fwd, struct port *src, const struct batch *b);

/* forward_flush() - Send what is still pending. */
void forward_flush(struct forward *fwd);

/* forward_observe() - Have @o see all frames from now on; forward_ignore() ends it. */
void forward_observe(struct forward *fwd, struct observer *o);
void forward_ignore(struct forward *fwd, struct observer *o);

/* forward_show() - Show @f to all of them. */
void forward_show(const struct forward *fwd, const struct port *p,
		  enum direction direction, const struct frame *f);

#endif
