/* SPDX-License-Identifier: MIT */
/*
 * The queue of a port that can't take frames now: whole frames, first in,
 * first out, bounded in bytes. A frame is copied into one piece, in LAYOUT_STREAM, so
 * that a drained run goes to a stream as it lies.
 */
#ifndef FRAME_QUEUE_H
#define FRAME_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "frame/frame.h"
#include "frame/stream-layout.h"

#define FRAME_QUEUE_KEEP ((size_t)256 << 10) /* bytes of memory that are not given back */

/*
 * @limit:  bytes it takes, prefixes included; frame_queue_size() says how many a frame needs
 * @bytes:  bytes it holds, prefixes included
 * @frames: how many those are
 */
struct frame_queue {
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
 * frame_queue_init() - Reserve memory; none of it is resident before it is used.
 * @limit: at least LAYOUT_PREFIX + FRAME_MAX
 *
 * Return: 0 or -ENOMEM.
 */
int frame_queue_init(struct frame_queue *q, size_t limit);
void frame_queue_free(struct frame_queue *q);

/* frame_queue_size() - What a plain frame of @len bytes takes of a queue's limit. */
static inline size_t frame_queue_size(size_t len)
{
	return LAYOUT_PREFIX + len;
}

/*
 * frame_queue_put() - Append a copy of a frame, or of a run.
 *
 * Return: false, and nothing changed, when it is full; or, for a run, when it has no
 * room for all of it in one piece, or the run is not in LAYOUT_STREAM.
 */
bool frame_queue_put(struct frame_queue *q, const struct frame *f);

/*
 * frame_queue_peek() - The oldest frames, at most @max, as slices of the queue's memory.
 * @runs: as runs, where they lie one behind the other
 *
 * They stay valid until the next frame_queue_drop(), frame_queue_clear() or frame_queue_put().
 *
 * Return: how many, a run being one.
 */
unsigned frame_queue_peek(const struct frame_queue *q, struct frame *f, unsigned max,
			  bool runs);

/* frame_queue_drop() - Forget the oldest @n frames; it must hold as many. */
void frame_queue_drop(struct frame_queue *q, unsigned n);

/* frame_queue_clear() - Forget all, and trim. Return: how many frames that were. */
unsigned frame_queue_clear(struct frame_queue *q);

/*
 * frame_queue_trim() - Give back memory above FRAME_QUEUE_KEEP that is not in use now.
 *
 * For when a stall is over: memory given back costs a page fault for each page
 * when it is used again.
 */
void frame_queue_trim(struct frame_queue *q);

#endif
