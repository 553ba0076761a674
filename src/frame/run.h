/* SPDX-License-Identifier: MIT */
/*
 * A run: one struct frame that stands for several frames, which lie one behind the other
 * in a buffer. Each has one piece, and there are run->gap bytes between two of them. Frames
 * of a run pass together where they go the same way.
 *
 * LAYOUT_STREAM: a length prefix precedes each frame, and behind it a virtio header, if all
 *     frames of the run have one; these fill the gap. All are ready to be sent as they lie.
 * LAYOUT_NONE: all frames are as long as the first one, but the last may be shorter. None
 *     is shorter than FRAME_PAD. The bytes in the gap have no meaning here: there are none
 *     between datagrams, and a header between frames from a tunnel.
 */
#ifndef RUN_H
#define RUN_H

#include "frame/frame.h"
#include "frame/stream-layout.h"

/* run_count() - The number of all frames that the @n frames and runs at @f stand for. */
unsigned run_count(const struct frame *f, unsigned n);

/* run_rest_size() - The bytes that a run takes behind its first frame, with all gaps. */
static inline uint32_t run_rest_size(const struct frame *run)
{
	return run->more_bytes + run->n_more * run->gap;
}

/* run_first() - The first frame of a run, alone. */
static inline struct frame run_first(const struct frame *run)
{
	struct frame f = *run;

	f.n_more = f.more_bytes = 0;
	return f;
}

/* run_next() - The rest of a run without its first frame; there must be a rest. */
static inline struct frame run_next(const struct frame *run)
{
	struct frame f = *run;

	f.data += run->len + run->gap;
	if (run->layout == LAYOUT_NONE) {
		f.len = run->more_bytes < run->len ? run->more_bytes : run->len;
	} else if (run->vnet) {
		f.vnet = (const struct vnet *)(f.data - VNET_BYTES);
		f.len = (get_be32(f.data - LAYOUT_PREFIX_MAX) & ~LAYOUT_VNET_BIT) -
			VNET_BYTES;
	} else {
		f.len = get_be32(f.data - LAYOUT_PREFIX);
	}
	f.n_more--;
	f.more_bytes -= f.len;
	return f;
}

/* run_skip() - The rest of a run without its first @n frames; there must be a rest. */
struct frame run_skip(const struct frame *run, unsigned n);

/* run_shorten() - Cut the run @f to its first @n frames; @n is at least 1. */
void run_shorten(struct frame *f, unsigned n);

/*
 * run_join() - Append @f to @run, if both are ready for a stream and have the same gap, and
 * @f lies right behind @run.
 *
 * Return: whether it was appended.
 */
static inline bool run_join(struct frame *run, const struct frame *f)
{
	if (!layout_is_ready(run) || !layout_is_ready(f) || run->gap != f->gap ||
	    run->data + run->len + run_rest_size(run) + run->gap != f->data)
		return false;
	run->n_more += 1 + f->n_more;
	run->more_bytes += f->len + f->more_bytes;
	return true;
}

/*
 * batch_add() - Append a frame or a run to a batch; there must be room. Without a virtio
 * header it joins the last run if it can.
 */
static inline void batch_add(struct batch *b, const struct frame *f)
{
	struct frame *last = b->n ? &b->frame[b->n - 1] : NULL;

	if (!last || f->vnet || last->vnet || !run_join(last, f))
		b->frame[b->n++] = *f;
}

#endif
