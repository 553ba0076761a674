/* SPDX-License-Identifier: MIT */
/* What little about frames is not inline. */
#include "frame.h"

const uint8_t frame_padding[FRAME_PAD];

unsigned frames_in(const struct frame *f, unsigned n)
{
	unsigned frames = n;

	for (unsigned i = 0; i < n; i++)
		frames += f[i].more;
	return frames;
}

void frame_shorten(struct frame *f, unsigned n)
{
	const uint8_t *next = f->data + f->len;

	if (n > f->more)
		return;
	f->more = n - 1;
	f->more_len = 0;
	for (unsigned i = 0; i < f->more; i++) {
		f->more_len += get_be32(next);
		next += FRAME_WORD + get_be32(next);
	}
	f->more_wire = f->more_len + f->more * FRAME_WORD;
}
