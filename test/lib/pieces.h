/* SPDX-License-Identifier: MIT */
/*
 * Frames of several pieces for tests: a second opinion on where a frame's bytes are, and
 * a saw that cuts a frame into pieces.
 */
#ifndef PIECES_H
#define PIECES_H

#include <string.h>

#include "frame/frame.h"
#include "frame/stream-layout.h"
#include "lib/packet.h"

/* pieces_whole() - A frame of one piece. */
static inline struct frame pieces_whole(const uint8_t *data, uint32_t len,
					const struct vnet *vnet)
{
	return (struct frame){ .data = data, .len = len, .vnet = vnet };
}

/* pieces_prefixed() - The same, with its length prefix ahead of it. */
static inline struct frame pieces_prefixed(const uint8_t *data, uint32_t len)
{
	return (struct frame){
		.data = data, .len = len, .layout = LAYOUT_STREAM, .gap = LAYOUT_PREFIX
	};
}

/* pieces_join() - All bytes of a frame to @to. Return: how many, as the pieces have it. */
static inline uint32_t pieces_join(uint8_t *to, const struct frame *f)
{
	uint32_t data_len = f->len - f->head_len - f->tail_len, len = f->head_len;

	if (f->head_len)
		memcpy(to, f->head, f->head_len);
	if (data_len)
		memcpy(to + len, f->data, data_len);
	len += data_len;
	for (const struct iovec *p = f->tail; len < f->len; p++) {
		size_t n = f->len - len < p->iov_len ? f->len - len : p->iov_len;

		if (n)
			memcpy(to + len, p->iov_base, n);
		len += (uint32_t)n;
	}
	return len;
}

/*
 * pieces_most() - The same frame in FRAME_PIECES_MAX pieces, which none can have more of.
 * @tail: as many but for one
 */
static inline struct frame pieces_most(const uint8_t *data, uint32_t len,
				       struct iovec tail[FRAME_PIECES_MAX - 1])
{
	uint32_t at = len - (FRAME_PIECES_MAX - 1);

	for (unsigned i = 0; i < FRAME_PIECES_MAX - 1; i++)
		tail[i] = (struct iovec){ (void *)(uintptr_t)(data + at + i), 1 };
	return (struct frame){
		.data = data, .len = len, .tail = tail, .tail_len = FRAME_PIECES_MAX - 1
	};
}

/* pieces_are() - Whether a frame has just these bytes. */
static inline bool pieces_are(const struct frame *f, const uint8_t *want, uint32_t len)
{
	static uint8_t got[PACKET_MAX];

	return f->len == len && pieces_join(got, f) == len && !memcmp(got, want, len);
}

#endif
