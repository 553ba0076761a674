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

/* forward_batch() - Send each frame of @src's batch to every other port that is up. */
void forward_batch(struct forward *fwd, struct port *src, const struct batch *b);

#endif
