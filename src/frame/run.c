/* SPDX-License-Identifier: MIT */
/* The functions for runs that are not inline. */
#include "frame/run.h"

unsigned run_count(const struct frame *f, unsigned n)
{
	unsigned frames = n;

	for (unsigned i = 0; i < n; i++)
		frames += f[i].n_more;
	return frames;
}

struct frame run_skip(const struct frame *run, unsigned n)
{
	struct frame f = *run;

	for (; n; n--)
		f = run_next(&f);
	return f;
}

void run_shorten(struct frame *f, unsigned n)
{
	struct frame last;

	if (n > f->n_more)
		return;
	last = run_skip(f, n - 1);
	f->n_more -= last.n_more;
	f->more_bytes -= last.more_bytes;
}
