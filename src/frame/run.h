/* SPDX-License-Identifier: MIT */
/*
 * Runs: frames of one piece each that lie one behind the other in a buffer, with
 * run->gap bytes between two of them, and that one struct frame stands for.
 *
 * LAYOUT_STREAM: each has its length prefix ahead of it, at the end of the gap or, with
 *     a virtio header, at its beginning: either all of a run have one, or none. All are
 *     ready to be sent as they lie.
 * LAYOUT_NONE: each is as long as the first, but the last may be shorter. None is
 *     shorter than FRAME_PAD. What is in the gap is nobody's business: there is none
 *     between datagrams, and a tunnel's header between frames from a tunnel.
 */
#ifndef RUN_H
#define RUN_H

#include "frame/frame.h"
#include "frame/stream-layout.h"

/* run_count() - How many frames these @n stand for. */
unsigned run_count(const struct frame *f, unsigned n);

/* run_rest_size() - Bytes in the buffer behind a run's first frame, with all gaps. */
static inline uint32_t run_rest_size(const struct frame *run)
{
	return run->more_bytes + run->n_more * run->gap;
}

/* run_first() - A run's first frame. */
static inline struct frame run_first(const struct frame *run)
{
	struct frame f = *run;

	f.n_more = f.more_bytes = 0;
	return f;
}

/* run_next() - What of a run is behind its first frame; it must have more than that. */
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

/* run_skip() - What of a run is behind its first @n frames; it must have more. */
struct frame run_skip(const struct frame *run, unsigned n);

/* run_shorten() - Have the run @f stand for its first @n frames only, at least one. */
void run_shorten(struct frame *f, unsigned n);

/*
 * run_join() - Have @run stand for @f too, if both are ready for a stream, have the same
 * gap, and @f lies right behind it.
 *
 * Return: whether it does now.
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
 * batch_add() - Append a frame or a run; there must be room. One without a virtio header
 * joins the last if it can.
 */
static inline void batch_add(struct batch *b, const struct frame *f)
{
	struct frame *last = b->n ? &b->frame[b->n - 1] : NULL;

	if (!last || f->vnet || last->vnet || !run_join(last, f))
		b->frame[b->n++] = *f;
}

#endif
