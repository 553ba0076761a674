/* SPDX-License-Identifier: MIT */
/* Frames of several pieces. Most frames have one piece: for these frame.h has inline code. */
#include "frame/frame.h"

#include <assert.h>
#include <string.h>

#define PAGE_MIN 4096 /* bytes; no machine has smaller pages */

const uint8_t frame_padding[FRAME_PAD];

static bool is_one_piece(const struct frame *f)
{
	return !f->head_len && !f->tail_len;
}

unsigned frame_pieces(const struct frame *f, struct iovec *iov, unsigned max)
{
	const struct iovec own[] = {
		{ (void *)(uintptr_t)f->head, f->head_len },
		{ (void *)(uintptr_t)f->data, frame_data_len(f) },
	};
	const struct iovec *piece = own;
	uint32_t left = f->len;
	unsigned n = 0;

	while (left) {
		uint32_t len = (uint32_t)min_size(left, piece->iov_len);

		if (len && n == max)
			return 0;
		if (len)
			iov[n++] = (struct iovec){ piece->iov_base, len };
		left -= len;
		piece = piece == &own[1] ? f->tail : piece + 1;
	}
	return n;
}

void frame_copy(uint8_t *to, const struct frame *f, uint32_t from, uint32_t n)
{
	struct iovec iov[FRAME_PIECES_MAX];
	unsigned pieces;

	if (is_one_piece(f)) {
		memcpy(to, f->data + from, n);
		return;
	}
	pieces = frame_pieces(f, iov, FRAME_PIECES_MAX);
	for (unsigned i = 0; i < pieces && n; i++) {
		uint32_t skip = (uint32_t)min_size(from, iov[i].iov_len);
		uint32_t len = (uint32_t)min_size(n, iov[i].iov_len - skip);

		memcpy(to, (const uint8_t *)iov[i].iov_base + skip, len);
		to += len;
		from -= skip;
		n -= len;
	}
}

const uint8_t *frame_gather(const struct frame *f, uint32_t n, uint8_t *room)
{
	if (n > f->len || f->is_foreign)
		return NULL;
	frame_copy(room, f, 0, n);
	return room;
}

void frame_part(struct frame *part, const struct frame *f, uint32_t from, uint32_t len)
{
	uint32_t have = frame_data_len(f);

	*part = (struct frame){
		.data = f->data, .tail = f->tail, .len = len, .is_foreign = f->is_foreign
	};
	from -= f->head_len;
	while (from >= have && len) {
		from -= have;
		part->data = part->tail->iov_base;
		have = (uint32_t)part->tail->iov_len;
		part->tail++;
	}
	part->data += from;
	have -= from;
	if (have < len)
		part->tail_len = len - have;
}

void frame_touch(const struct iovec *iov, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const volatile uint8_t *at = iov[i].iov_base;
		size_t len = iov[i].iov_len;

		for (size_t k = 0; k < len; k += PAGE_MIN)
			(void)at[k];
		if (len)
			(void)at[len - 1];
	}
}

#ifdef FRAME_ASSERTS
void frame_assert(const struct frame *f)
{
	struct iovec iov[FRAME_PIECES_MAX];

	assert(f->head_len <= FRAME_PEEK);
	assert(f->head_len + f->tail_len <= f->len);
	assert(frame_pieces(f, iov, FRAME_PIECES_MAX) || !f->len);
	assert(is_one_piece(f) || (!f->n_more && f->layout == LAYOUT_NONE));
	assert(!f->is_foreign || f->head_len == frame_peek_len(f));
	assert(f->n_more || !f->more_bytes);
}
#endif
