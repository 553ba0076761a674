/* SPDX-License-Identifier: MIT */
/*
 * Frames and batches.
 *
 * A frame is not copied on its way: struct frame says where its bytes are, in the
 * memory of the port that received it or of the guest that sent it.
 *
 *	source's rx()  ->  batch  ->  decision  ->  tx() of each target  ->  rx_done()
 *	lends memory                    reads headers     sends or queues           takes it back
 *
 * Where the bytes are:
 *
 *	one piece	data                      received from a socket or a tap
 *	two pieces	head | data               headers made here ahead of a payload
 *	more		head | data | tail ...    a guest's descriptors
 *	a run		data gap data gap data    frames that lie one behind the other
 *
 * Three rules hold for everybody:
 *
 * F1 Nobody writes through a frame. A source may write to memory of its own until its
 *    rx() has returned, and not after that. What has to differ for one target gets a
 *    head of its own.
 * F2 Foreign bytes (is_foreign) may change at any time, because a guest can write to
 *    them. They are sent or copied, once, and nothing is decided by them: their source
 *    has copied the frame's first FRAME_PEEK bytes into @head, and headers are read
 *    there. Payload may be summed up for a checksum or a hash on its way: a guest that
 *    changes it meanwhile only spoils its own frame.
 * F3 A frame lives from its source's rx() until that source's rx_done(). Whoever needs
 *    it longer (a queue, a capture) copies it with frame_copy(). A frame made here lives
 *    until its targets have been flushed.
 *
 * So headers are read with frame_peek() only, all bytes are listed with
 * frame_pieces() only, and copied with frame_copy() only. Runs are in run.h, and how
 * frames lie on a stream is in stream-layout.h.
 */
#ifndef FRAME_H
#define FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "base/util.h"
#include "frame/vnet.h"

#define FRAME_HEADER 14 /* two addresses and an EtherType: the shortest frame */
#define FRAME_MAX 69632 /* NET_BUFSIZE in QEMU's include/net/net.h: the longest */
#define FRAME_PAD 60	/* IEEE 802.3's shortest on a wire, without its checksum */

#define FRAME_PEEK 256	     /* bytes of headers that anybody may ask for */
#define FRAME_PIECES_MAX 32u /* of one frame; a source that has more of them copies it */

/*
 * What is ahead of @data in its buffer, of a frame of one piece.
 * LAYOUT_NONE:   nothing that anybody may use
 * LAYOUT_STREAM: what goes ahead of it on a stream; see stream-layout.h
 */
enum frame_layout { LAYOUT_NONE, LAYOUT_STREAM };

/*
 * @head, @head_len: its first bytes, in memory of our own; at most FRAME_PEEK, or none
 * @data:     the bytes behind head; all of them for most frames
 * @tail, @tail_len: further pieces behind data, and how many bytes of them are the
 *            frame's: the last piece may be longer. For most frames NULL and 0.
 * @len:      bytes of all pieces: FRAME_HEADER to FRAME_MAX
 * @vnet:     what is left to do for a super-frame (a TCP or UDP packet that is to be
 *            split) or for a frame without a checksum; in our own memory. NULL: nothing,
 *            the frame is as it is on a wire.
 * @n_more, @more_bytes: how many frames follow this one, and their bytes without the
 *            gaps: then it stands for a run. All frames of a run are of one piece.
 * @gap:      bytes between two frames of a run
 * @layout:   of the frame, and of all frames of its run
 * @is_foreign: data and tail may change at any time; head has min(len, FRAME_PEEK) bytes
 */
struct frame {
	const uint8_t *head, *data;
	const struct iovec *tail;
	const struct vnet *vnet;
	uint32_t len, tail_len;
	uint32_t n_more, more_bytes;
	uint16_t head_len;
	uint8_t layout, gap;
	bool is_foreign;
};

/* frame_data_len() - Bytes of the frame at @data. */
static inline uint32_t frame_data_len(const struct frame *f)
{
	return f->len - f->head_len - f->tail_len;
}

/* frame_gather() - What is left of frame_peek(). */
const uint8_t *frame_gather(const struct frame *f, uint32_t n, uint8_t *room);

/*
 * frame_peek() - Its first @n bytes in one piece: the only way to read headers.
 * @n:    at least 1
 * @room: @n bytes for a copy, in case they are in several pieces; only then it is used
 *
 * Return: where they are; NULL if the frame is shorter, or if it is foreign and @n
 * exceeds FRAME_PEEK.
 */
static inline const uint8_t *frame_peek(const struct frame *f, uint32_t n, uint8_t *room)
{
	if (n <= f->head_len)
		return f->head;
	if (!f->head_len && n <= f->len - f->tail_len)
		return f->data;
	return frame_gather(f, n, room);
}

/* frame_peek_len() - How many bytes of a frame frame_peek() shows at most. */
static inline uint32_t frame_peek_len(const struct frame *f)
{
	return f->len < FRAME_PEEK ? f->len : FRAME_PEEK;
}

/*
 * frame_pieces() - All pieces of a frame, or of a run's first one.
 * @max: how many there is room for at @iov; FRAME_PIECES_MAX is enough for any frame
 *
 * Return: how many there are; 0 when those are more than @max.
 */
unsigned frame_pieces(const struct frame *f, struct iovec *iov, unsigned max);

/*
 * frame_copy() - Copy @n bytes of a frame, from offset @from on; it must have them.
 *
 * The only copy function: for all who keep a frame longer than it lives.
 */
void frame_copy(uint8_t *to, const struct frame *f, uint32_t from, uint32_t n);

/*
 * frame_part() - The pieces of a frame from offset @from on, @len bytes, as a frame
 * without head. @from lies behind the head, and all bytes exist.
 */
struct frame frame_part(const struct frame *f, uint32_t from, uint32_t len);

/* frame_padded() - A frame's length when it is filled up to @least; 0: as it is. */
static inline uint32_t frame_padded(uint32_t len, uint32_t least)
{
	return len < least ? least : len;
}

/* frame_padding - The zeros to pad with: FRAME_PAD of them. */
extern const uint8_t frame_padding[FRAME_PAD];

enum frame_fault { FRAME_OK, FRAME_RUNT, FRAME_OVERSIZE };

/* frame_check_len() - Whether a frame of @len bytes is one. */
static inline enum frame_fault frame_check_len(size_t len)
{
	if (len < FRAME_HEADER)
		return FRAME_RUNT;
	return len > FRAME_MAX ? FRAME_OVERSIZE : FRAME_OK;
}

/*
 * frame_assert() - Stop the program if a frame breaks what struct frame says of it.
 *
 * Only where FRAME_ASSERTS is defined, as it is for the unit tests.
 */
#ifdef FRAME_ASSERTS
void frame_assert(const struct frame *f);
#else
static inline void frame_assert(const struct frame *f)
{
	(void)f;
}
#endif

#define BATCH_MAX 64

/* A datagram may be as long as the longest frame, and so many are taken at once. */
#define BATCH_DATAGRAMS 32
#define BATCH_BUF_SIZE ((size_t)BATCH_DATAGRAMS * FRAME_MAX)

/*
 * What one receive brought, and the buffer for it. Frames may be runs, but those with
 * a virtio header are single: who gets them is decided for each.
 * @buf:  the loop's receive buffer, BATCH_BUF_SIZE bytes, for the driver to fill
 * @more: the driver holds further frames that it has received already
 * @later: it may have more, but had its share: it is asked again in the next turn
 */
struct batch {
	uint8_t *buf;
	unsigned n;
	bool more;
	bool later;
	struct frame frame[BATCH_MAX];
};

#endif
