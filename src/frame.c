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
