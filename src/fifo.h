/* SPDX-License-Identifier: MIT */
/*
 * The queue of a port that can't take frames now: whole frames, first in,
 * first out, bounded in bytes. A frame is stored with its length word ahead of
 * it and in one piece, so a drained run goes to a stream as it lies.
 */
#ifndef FIFO_H
#define FIFO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "frame.h"

#define FIFO_KEEP ((size_t)256 << 10) /* memory that it keeps, once it was used */

/*
 * @limit:  bytes it takes, length words included
 * @bytes:  bytes it holds, length words included
 * @frames: how many those are
 */
struct fifo {
	uint8_t *buf;
	size_t limit;
	size_t bytes;
	unsigned frames;
	size_t head; /* where the oldest frame begins */
	size_t tail; /* where the next one goes */
	size_t top;  /* where the upper part ends, when tail has wrapped */
	size_t peak; /* highest tail since memory was last given back */
};

/*
 * fifo_init() - Reserve memory; none of it is resident before it is used.
 * @limit: at least FRAME_WORD + FRAME_MAX
 *
 * Return: 0 or -ENOMEM.
 */
int fifo_init(struct fifo *q, size_t limit);
void fifo_free(struct fifo *q);

/*
 * fifo_put() - Append a copy of a frame, or of a run.
 *
 * Return: false, and nothing changed, when it is full; or, for a run, when it has no
 * room for all of it in one piece, or the run is one of datagrams.
 */
bool fifo_put(struct fifo *q, const struct frame *f);

/*
 * fifo_peek() - The oldest frames, at most @max, as slices of the queue's memory.
 * @runs: as runs, where they lie one behind the other
 *
 * They stay valid until the next fifo_drop(), fifo_clear() or fifo_put().
 *
 * Return: how many, a run being one.
 */
unsigned fifo_peek(const struct fifo *q, struct frame *f, unsigned max, bool runs);

/* fifo_drop() - Forget the oldest @n frames; it must hold as many. */
void fifo_drop(struct fifo *q, unsigned n);

/* fifo_clear() - Forget all, and trim. Return: how many frames that were. */
unsigned fifo_clear(struct fifo *q);

/*
 * fifo_trim() - Give back memory above FIFO_KEEP that is not in use now.
 *
 * For when a stall is over: memory given back costs a page fault for each page
 * when it is used again.
 */
void fifo_trim(struct fifo *q);

#endif
