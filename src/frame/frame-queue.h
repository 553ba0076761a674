/* SPDX-License-Identifier: MIT */
/*
 * The queue of a port that cannot send now. It holds whole frames, first in, first out,
 * up to a number of bytes. A frame is copied into one piece in LAYOUT_STREAM (see
 * stream-layout.h), so that a run of queued frames can go to a stream as it lies.
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
 * @limit:  bytes that may be queued, with length prefixes and virtio headers
 * @bytes:  bytes that are queued, with the same
 * @frames: frames that are queued
 * @head:   offset of the oldest frame
 * @tail:   offset where the next frame goes
 * @top:    once @tail has wrapped: where the upper part ends; otherwise 0
 * @peak:   highest @tail since memory was last given back
 */
struct frame_queue {
	size_t limit;
	size_t bytes;
	unsigned frames;
	uint8_t *buf;
	size_t head;
	size_t tail;
	size_t top;
	size_t peak;
};

/*
 * frame_queue_init() - Reserve address space; a page takes no memory until it is used.
 * @limit: bytes that may be queued; at least LAYOUT_PREFIX + FRAME_MAX
 *
 * Return: 0 or -ENOMEM.
 */
int frame_queue_init(struct frame_queue *q, size_t limit);

/* frame_queue_free() - Give the memory back; does nothing to a queue that is all zeros. */
void frame_queue_free(struct frame_queue *q);

/* frame_queue_size() - The bytes of the limit that a plain frame of @len bytes needs. */
static inline size_t frame_queue_size(size_t len)
{
	return LAYOUT_PREFIX + len;
}

/* frame_queue_has_room() - Whether the limit allows for a frame; not for a run. */
static inline bool frame_queue_has_room(const struct frame_queue *q,
					const struct frame *f)
{
	return q->bytes + layout_size(f, 0) <= q->limit;
}

/*
 * frame_queue_put() - Append a copy of a frame, or of a run.
 *
 * Return: whether there was room. A run is also refused if it does not fit in one piece,
 * or is not in LAYOUT_STREAM. A refusal changes nothing.
 */
bool frame_queue_put(struct frame_queue *q, const struct frame *f);

/*
 * frame_queue_peek() - Find the oldest frames.
 * @f:    set to up to @max frames, which point into the queue. They are valid until the
 *        queue is changed
 * @runs: show frames that lie one behind the other as runs
 *
 * Return: the number of frames and runs at @f.
 */
unsigned frame_queue_peek(const struct frame_queue *q, struct frame *f, unsigned max,
			  bool runs);

/* frame_queue_drop() - Remove the oldest @n frames; the queue must hold that many. */
void frame_queue_drop(struct frame_queue *q, unsigned n);

/* frame_queue_clear() - Remove all frames, and trim. Return: how many there were. */
unsigned frame_queue_clear(struct frame_queue *q);

/*
 * frame_queue_trim() - Give unused memory above FRAME_QUEUE_KEEP back to the kernel.
 *
 * Call it when a stall is over, and not more often: each page that is used again costs a
 * page fault.
 */
void frame_queue_trim(struct frame_queue *q);

#endif
