/* SPDX-License-Identifier: MIT */
/* Frames as they go on a stream. */
#include "frame/stream-layout.h"

#include <string.h>

#include "base/util.h"

void wire_add(struct wire *w, const void *data, size_t len)
{
	w->iov[w->n].iov_base = (void *)(uintptr_t)data;
	w->iov[w->n].iov_len = len;
	w->n++;
}

static void add_in_pieces(struct wire *w, const struct frame *f, uint32_t least,
			  uint8_t *word)
{
	uint32_t len = frame_len(f), padded = frame_padded(len, least);

	put_be32(word, frame_word(f, padded));
	if (f->vnet) {
		struct vnet v = *f->vnet;

		vnet_swap(&v);
		memcpy(word + FRAME_WORD, &v, VNET_BYTES);
	}
	wire_add(w, word, frame_wire_head(f));
	if (f->head_len)
		wire_add(w, f->head, f->head_len);
	wire_add(w, f->data, f->len);
	if (padded > len)
		wire_add(w, frame_padding, padded - len);
}

/* One that is ready is no shorter than FRAME_PAD, and so needs no padding for anybody. */
static size_t ready_size(const struct frame *f)
{
	return wire_size(f, 0) + f->more_wire;
}

void wire_frames(struct wire *w, const struct frame *f, unsigned n, uint32_t least)
{
	for (unsigned i = 0; i < n; i++) {
		if (!frame_is_ready(&f[i]))
			add_in_pieces(w, &f[i], least, w->words[i]);
		else if (i && frame_is_ready(&f[i - 1]) &&
			 frame_follows(&f[i - 1], &f[i]))
			w->iov[w->n - 1].iov_len += ready_size(&f[i]);
		else
			wire_add(w, frame_wire(&f[i]), ready_size(&f[i]));
	}
}

void wire_skip(struct wire *w, size_t bytes)
{
	for (int i = 0; i < w->n && bytes; i++) {
		size_t now = min_size(bytes, w->iov[i].iov_len);

		w->iov[i].iov_base = (uint8_t *)w->iov[i].iov_base + now;
		w->iov[i].iov_len -= now;
		bytes -= now;
	}
}
