/* SPDX-License-Identifier: MIT */
/*
 * Frames as they go on a stream: length word, virtio header if there is one,
 * frame, padding - as a list of pieces for one writev. Frames that lie one
 * behind the other, words included, are one piece.
 */
#ifndef STREAM_LAYOUT_H
#define STREAM_LAYOUT_H

#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "frame/frame.h"

#define WIRE_PIECES (1 + 4 * BATCH_MAX)

struct wire {
	int n;
	struct iovec iov[WIRE_PIECES];
	uint8_t words[BATCH_MAX][FRAME_WORD + VNET_BYTES];
};

/* wire_size() - Bytes of a frame on a stream that is padded to @least. */
static inline uint32_t wire_size(const struct frame *f, uint32_t least)
{
	return frame_wire_head(f) + frame_padded(frame_len(f), least);
}

/* wire_add() - Append a piece; @data must live until it is written. */
void wire_add(struct wire *w, const void *data, size_t len);

/* wire_frames() - Append @n frames, at most BATCH_MAX in all, padded to @least. */
void wire_frames(struct wire *w, const struct frame *f, unsigned n, uint32_t least);

/* wire_skip() - Leave out the first @bytes, which have been sent. */
void wire_skip(struct wire *w, size_t bytes);

#endif
