/* SPDX-License-Identifier: MIT */
/* What little about frames is not inline. */
#include "frame/frame.h"

const uint8_t frame_padding[FRAME_PAD];

unsigned frames_in(const struct frame *f, unsigned n)
{
	unsigned frames = n;

	for (unsigned i = 0; i < n; i++)
		frames += f[i].more;
	return frames;
}

struct frame frame_behind(const struct frame *run, unsigned n)
{
	struct frame f = *run;

	for (; n; n--)
		f = frame_next(&f);
	return f;
}

void frame_shorten(struct frame *f, unsigned n)
{
	struct frame last;

	if (n > f->more)
		return;
	last = frame_behind(f, n - 1);
	f->more -= last.more;
	f->more_len -= last.more_len;
	f->more_wire -= last.more_wire;
}
