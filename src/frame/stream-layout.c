/* SPDX-License-Identifier: MIT */
/* Reads frames where they lie as on a stream, and lists the pieces of frames to send. */
#include "frame/stream-layout.h"

#include <string.h>

#include "base/util.h"
#include "frame/run.h"

/*
 * Most frames are as long as the one before, so the inner loop assumes that and compares.
 * The processor can then load the next length without waiting for the current one.
 */
size_t layout_parse_run(struct frame *run, const uint8_t *at, const uint8_t *end)
{
	const uint8_t *from = at;
	uint32_t n = 0;

	while (end - at >= LAYOUT_PREFIX) {
		uint32_t len = get_be32(at);
		size_t step = LAYOUT_PREFIX + (size_t)len;

		if (len < FRAME_PAD || len > FRAME_MAX || (size_t)(end - at) < step)
			break;
		do {
			at += step;
			n++;
		} while ((size_t)(end - at) >= step && get_be32(at) == len);
	}
	if (!n)
		return 0;
	*run = layout_parse(from);
	run->n_more = n - 1;
	run->more_bytes = (uint32_t)(at - run->data) - run->len - run->n_more * run->gap;
	return (size_t)(at - from);
}

void layout_add(struct layout_pieces *p, const void *data, size_t len)
{
	p->iov[p->n].iov_base = (void *)(uintptr_t)data;
	p->iov[p->n].iov_len = len;
	p->n++;
}

/* Append all pieces of a frame. Return: whether there was room; if not, nothing is appended. */
static bool add_in_pieces(struct layout_pieces *p, const struct frame *f, uint32_t least,
			  uint8_t *prefix)
{
	uint32_t padded = frame_padded(f->len, least);
	unsigned n;

	/* Besides the frame's own pieces there are the prefix and perhaps padding. */
	if (p->n + 2 > LAYOUT_PIECES)
		return false;
	n = frame_pieces(f, &p->iov[p->n + 1], LAYOUT_PIECES - p->n - 2);
	if (!n)
		return false;
	put_be32(prefix, layout_word(f, padded));
	if (f->vnet) {
		struct vnet v = *f->vnet;

		vnet_swap(&v);
		memcpy(prefix + LAYOUT_PREFIX, &v, VNET_BYTES);
	}
	layout_add(p, prefix, layout_prefix_len(f));
	p->n += n;
	if (padded > f->len)
		layout_add(p, frame_padding, padded - f->len);
	return true;
}

/* The bytes of a run that is ready, so that none of its frames needs padding. */
static size_t ready_size(const struct frame *run)
{
	return layout_size(run, 0) + run_rest_size(run);
}

/* Whether @b lies right behind the run @a. */
static bool follows(const struct frame *a, const struct frame *b)
{
	return layout_is_ready(a) &&
	       a->data + a->len + run_rest_size(a) == layout_start(b);
}

unsigned layout_add_frames(struct layout_pieces *p, const struct frame *f, unsigned n,
			   uint32_t least)
{
	for (unsigned i = 0; i < n; i++) {
		if (!layout_is_ready(&f[i])) {
			if (!add_in_pieces(p, &f[i], least, p->prefixes[i]))
				return i;
		} else if (i && follows(&f[i - 1], &f[i])) {
			p->iov[p->n - 1].iov_len += ready_size(&f[i]);
		} else if (p->n == LAYOUT_PIECES) {
			return i;
		} else {
			layout_add(p, layout_start(&f[i]), ready_size(&f[i]));
		}
	}
	return n;
}

void layout_skip(struct layout_pieces *p, size_t bytes)
{
	for (unsigned i = 0; i < p->n && bytes; i++) {
		size_t now = min_size(bytes, p->iov[i].iov_len);

		p->iov[i].iov_base = (uint8_t *)p->iov[i].iov_base + now;
		p->iov[i].iov_len -= now;
		bytes -= now;
	}
}
