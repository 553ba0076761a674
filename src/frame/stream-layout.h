/* SPDX-License-Identifier: MIT */
/*
 * How frames lie on a stream, and in buffers (LAYOUT_STREAM) so that they can go to a
 * stream as they lie:
 *
 *	length prefix (4)                            frame
 *	length prefix (4) | virtio header (10) | frame
 *
 * The prefix is QEMU's (net/stream.c): big-endian, and counts what follows it. Bit 31
 * says that a virtio header is there, which only a trunk carries. A frame that is
 * shorter than FRAME_PAD may have to be padded, so it can't go as it lies.
 *
 * Frames to send become a list of pieces for one writev(); those that lie one behind
 * the other are one piece.
 */
#ifndef STREAM_LAYOUT_H
#define STREAM_LAYOUT_H

#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "frame/frame.h"

#define LAYOUT_PREFIX 4
#define LAYOUT_PREFIX_MAX (LAYOUT_PREFIX + VNET_BYTES)
#define LAYOUT_VNET_BIT 0x80000000u

/* Bytes of the longest frame on a stream. */
#define LAYOUT_FRAME_MAX (LAYOUT_PREFIX_MAX + FRAME_MAX)

/* layout_prefix_len() - Bytes ahead of a frame: its length prefix and virtio header. */
static inline uint8_t layout_prefix_len(const struct frame *f)
{
	return f->vnet ? LAYOUT_PREFIX_MAX : LAYOUT_PREFIX;
}

/* layout_size() - Bytes of a single frame on a stream that pads it to @least. */
static inline uint32_t layout_size(const struct frame *f, uint32_t least)
{
	return layout_prefix_len(f) + frame_padded(f->len, least);
}

/* layout_start() - Where the prefix of a frame in LAYOUT_STREAM begins. */
static inline const uint8_t *layout_start(const struct frame *f)
{
	return f->data - layout_prefix_len(f);
}

/* layout_word() - The length prefix of a frame with @len bytes, in host byte order. */
static inline uint32_t layout_word(const struct frame *f, uint32_t len)
{
	return f->vnet ? LAYOUT_VNET_BIT | (len + VNET_BYTES) : len;
}

/* layout_is_ready() - Whether a frame lies as it goes on any stream. */
static inline bool layout_is_ready(const struct frame *f)
{
	return f->layout == LAYOUT_STREAM && f->len >= FRAME_PAD &&
	       (!f->vnet || VNET_IS_LITTLE_ENDIAN);
}

/*
 * layout_put() - Have a frame of one piece lie in LAYOUT_STREAM: write its length
 * prefix ahead of it.
 * @data: where the frame is, in memory of its source; layout_prefix_len() bytes ahead of
 *        it are free, or have its virtio header already
 */
static inline void layout_put(struct frame *f, uint8_t *data)
{
	f->data = data;
	f->layout = LAYOUT_STREAM;
	f->gap = layout_prefix_len(f);
	put_be32(data - f->gap, layout_word(f, f->len));
}

/*
 * layout_parse() - The frame whose length prefix is at @at; all of its bytes are there,
 * and it was found to be valid. Its virtio header is used where it lies.
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
 * layout_parse_run() - The frames from @at on that are plain, ready and complete
 * before @end, as one run.
 *
 * Return: their bytes on the stream; 0 if there is none.
 */
size_t layout_parse_run(struct frame *run, const uint8_t *at, const uint8_t *end);

#define LAYOUT_PIECES (1 + 4 * BATCH_MAX)

_Static_assert(LAYOUT_PIECES >= 1 + FRAME_PIECES_MAX + 2,
	       "for any frame, and what is ahead");

/* Pieces for a writev(), and memory for the prefixes among them. */
struct layout_pieces {
	unsigned n;
	struct iovec iov[LAYOUT_PIECES];
	uint8_t prefixes[BATCH_MAX][LAYOUT_PREFIX_MAX];
};

/* layout_add() - Append a piece; there must be room. @data must live until it is sent. */
void layout_add(struct layout_pieces *p, const void *data, size_t len);

/*
 * layout_add_frames() - Append @n frames or runs, at most BATCH_MAX in all, padded to @least.
 *
 * Return: how many were appended; fewer than @n when pieces ran out, but at least
 * one if there was none before but a single piece.
 */
unsigned layout_add_frames(struct layout_pieces *p, const struct frame *f, unsigned n,
			   uint32_t least);

/* layout_skip() - Leave out the first @bytes, which have been sent. */
void layout_skip(struct layout_pieces *p, size_t bytes);

#endif
