/* SPDX-License-Identifier: MIT */
/*
 * How frames lie on a stream. In a buffer they may lie in the same way (LAYOUT_STREAM), so
 * that they can be sent to a stream as they lie:
 *
 *	length prefix (4) | frame
 *	length prefix (4) | virtio header (10) | frame
 *
 * The prefix is QEMU's (net/stream.c): a big-endian count of the bytes that follow it. Bit
 * 31 says that a virtio header follows; only trunks have those. A frame that is shorter
 * than FRAME_PAD may need padding, so it is not sent as it lies.
 *
 * Frames to send become a list of pieces for one writev(). Frames that lie one behind the
 * other become one piece.
 */
#ifndef STREAM_LAYOUT_H
#define STREAM_LAYOUT_H

#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "frame/frame.h"

/* Bytes: a length prefix; all that may precede a frame; the longest frame with that. */
#define LAYOUT_PREFIX 4
#define LAYOUT_PREFIX_MAX (LAYOUT_PREFIX + VNET_BYTES)
#define LAYOUT_FRAME_MAX (LAYOUT_PREFIX_MAX + FRAME_MAX)

#define LAYOUT_VNET_BIT 0x80000000u

/* layout_prefix_len() - Bytes of the length prefix and the virtio header of a frame. */
static inline uint8_t layout_prefix_len(const struct frame *f)
{
	return f->vnet ? LAYOUT_PREFIX_MAX : LAYOUT_PREFIX;
}

/* layout_size() - Bytes of a single frame on a stream that pads it to @least bytes. */
static inline uint32_t layout_size(const struct frame *f, uint32_t least)
{
	return layout_prefix_len(f) + frame_padded(f->len, least);
}

/* layout_start() - Where the length prefix of a frame in LAYOUT_STREAM is. */
static inline const uint8_t *layout_start(const struct frame *f)
{
	return f->data - layout_prefix_len(f);
}

/* layout_word() - The length prefix of a frame that has @len bytes, in host byte order. */
static inline uint32_t layout_word(const struct frame *f, uint32_t len)
{
	return f->vnet ? LAYOUT_VNET_BIT | (len + VNET_BYTES) : len;
}

/* layout_is_ready() - Whether a frame can be sent to any stream as it lies. */
static inline bool layout_is_ready(const struct frame *f)
{
	return f->layout == LAYOUT_STREAM && f->len >= FRAME_PAD &&
	       (!f->vnet || VNET_IS_LITTLE_ENDIAN);
}

/*
 * layout_put() - Write the length prefix of a frame of one piece, so that the frame is in
 * LAYOUT_STREAM.
 * @f:    its len and vnet are set; data, layout and gap are set here
 * @data: the frame's bytes, in the memory of its source. layout_prefix_len() bytes before
 *        them must be free; a virtio header must be there already
 */
static inline void layout_put(struct frame *f, uint8_t *data)
{
	f->data = data;
	f->layout = LAYOUT_STREAM;
	f->gap = layout_prefix_len(f);
	put_be32(data - f->gap, layout_word(f, f->len));
}

/*
 * layout_parse() - Read the frame whose length prefix is at @at. The caller has checked
 * that it is valid and complete. Its vnet points to the virtio header there.
 */
static inline struct frame layout_parse(const uint8_t *at)
{
	struct frame f = { .layout = LAYOUT_STREAM, .gap = LAYOUT_PREFIX };
	uint32_t word = get_be32(at);

	f.len = word & ~LAYOUT_VNET_BIT;
	if (word & LAYOUT_VNET_BIT) {
		f.vnet = (const struct vnet *)(at + LAYOUT_PREFIX);
		f.gap = LAYOUT_PREFIX_MAX;
		f.len -= VNET_BYTES;
	}
	f.data = at + f.gap;
	return f;
}

/*
 * layout_parse_run() - Read frames from @at on as one run: up to the first one that is not
 * plain, needs padding, is too long, or is not complete before @end.
 *
 * Return: the bytes of these frames with their prefixes; 0 if there is none.
 */
size_t layout_parse_run(struct frame *run, const uint8_t *at, const uint8_t *end);

#define LAYOUT_PIECES (1 + 4 * BATCH_MAX)

_Static_assert(LAYOUT_PIECES >= 1 + FRAME_PIECES_MAX + 2,
	       "for any frame, and what is ahead");

/* @n pieces for a writev(), and memory for the prefixes among them. */
struct layout_pieces {
	unsigned n;
	struct iovec iov[LAYOUT_PIECES];
	uint8_t prefixes[BATCH_MAX][LAYOUT_PREFIX_MAX];
};

/* layout_add() - Append a piece; there must be room. @data must stay until it is sent. */
void layout_add(struct layout_pieces *p, const void *data, size_t len);

/*
 * layout_add_frames() - Append frames and runs, each frame padded to @least bytes. Call it
 * once for each list. Their memory must stay until they are sent.
 * @n: their number, at most BATCH_MAX
 *
 * Return: how many were appended. That is less than @n when the pieces do not suffice, but
 * at least one if the list had at most one piece before.
 */
unsigned layout_add_frames(struct layout_pieces *p, const struct frame *f, unsigned n,
			   uint32_t least);

/* layout_skip() - Leave out the first @bytes of all pieces: they were sent already. */
void layout_skip(struct layout_pieces *p, size_t bytes);

#endif
