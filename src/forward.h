/* SPDX-License-Identifier: MIT */
/*
 * The way of a batch through the relay: to which ports each frame goes, and in
 * which shape - super-frames whole to those who take them, split for the rest.
 */
#ifndef FORWARD_H
#define FORWARD_H

#include <stdint.h>

#include "frame.h"
#include "gso.h"
#include "port.h"

/*
 * @ports:    all of the relay's
 * @dirty:    those with frames pending
 * @segments: headers of split super-frames, in use until the dirty are flushed
 * @copied:   frames made here: what was sent beyond one for each received
 */
struct forward {
	struct port *ports;
	struct port *dirty;
	unsigned n_segments;
	struct gso_segment *segments; /* BATCH_MAX of them */
	uint64_t copied;
};

/*
 * forward_batch() - Send each frame of @src's batch to every other port that is up.
 *
 * While b->more, they may stay pending, as the memory that they are in does.
 */
void forward_batch(struct forward *fwd, struct port *src, const struct batch *b);

/* forward_flush() - Send what is still pending. */
void forward_flush(struct forward *fwd);

#endif
