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
 * F1 Nobody writes through a frame. A source may write to its own memory until its rx()
 *    returns, and not later. If bytes must differ for one target, the target gets a frame
 *    whose head is a changed copy.
 * F2 Foreign bytes (is_foreign) may change at any time, because a guest can write to
 *    them. They are sent or copied once, and no decision depends on them: their source
 *    has copied the frame's first FRAME_PEEK bytes into @head, and headers are read
 *    there. Payload may be read for a checksum or a hash as well: a guest that changes it
 *    meanwhile only spoils its own frame.
 * F3 A frame lives from its source's rx() until that source's rx_done(). Whoever needs
 *    it longer (a queue, a capture) copies it with frame_copy(). A frame made here lives
 *    until its targets have been flushed.
 *
 * Therefore headers are read by frame_peek() only, bytes are copied by frame_copy() only,
 * and the pieces of a frame are listed by frame_pieces() only. run.h explains runs, and
 * stream-layout.h how frames lie on a stream.
 */
#ifndef FRAME_H
#define FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "base/util.h"
#include "frame/vnet.h"

/* Bytes of a frame. */
#define FRAME_HEADER 14 /* two addresses and an EtherType: the shortest frame */
#define FRAME_MAX 69632 /* NET_BUFSIZE in QEMU's include/net/net.h: the longest */
#define FRAME_PAD 60	/* IEEE 802.3's shortest on a wire, without its checksum */
#define FRAME_PEEK 256	/* as many can be read as headers */

#define FRAME_PIECES_MAX 64u /* pieces of a frame; a source with more must copy them */

/*
 * The layout of a frame of one piece: what precedes @data in its buffer.
 * LAYOUT_NONE:   nothing that may be used
 * LAYOUT_STREAM: the bytes that precede the frame on a stream; see stream-layout.h
 */
enum frame_layout { LAYOUT_NONE, LAYOUT_STREAM };

/*
 * @head:     the first @head_len bytes, in our own memory: at most FRAME_PEEK; mostly none
 * @data:     the bytes behind the head; mostly the whole frame
 * @tail:     further pieces behind @data, @tail_len bytes of which belong to the frame: the
 *            last piece may be longer. Mostly NULL and 0
 * @len:      bytes of all pieces: FRAME_HEADER to FRAME_MAX
 * @vnet:     the virtio header of a super-frame (a TCP or UDP packet that must be split) or
 *            of a frame without a checksum, in our own memory. NULL: a plain frame, as it
 *            is on a wire
 * @n_more, @more_bytes: if this stands for a run: how many frames follow the first one, and
 *            their bytes without the gaps. All frames of a run have one piece
 * @gap:      bytes between two frames of a run
 * @layout:   layout of the frame, and of all frames of the run: an enum frame_layout
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

/* frame_data_len() - The bytes at @data that belong to the frame. */
static inline uint32_t frame_data_len(const struct frame *f)
{
	return f->len - f->head_len - f->tail_len;
}

/* frame_gather() - The rest of frame_peek(), for bytes that are in several pieces. */
const uint8_t *frame_gather(const struct frame *f, uint32_t n, uint8_t *room);

/*
 * frame_peek() - Find the first @n bytes of a frame in one piece. Use it to read headers.
 * @n:    at least 1
 * @room: @n bytes; the bytes are copied there if they are in several pieces
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

/* frame_peek_len() - How many bytes frame_peek() finds in any frame of this length. */
static inline uint32_t frame_peek_len(const struct frame *f)
{
	return f->len < FRAME_PEEK ? f->len : FRAME_PEEK;
}

/*
 * frame_pieces() - List all pieces of a frame, or of the first frame of a run.
 * @iov: set to up to @max pieces; FRAME_PIECES_MAX is enough for any frame
 *
 * Return: the number of pieces; 0 when there are more than @max.
 */
unsigned frame_pieces(const struct frame *f, struct iovec *iov, unsigned max);

/*
 * frame_copy() - Copy @n bytes of a frame, from offset @from on. The frame must have them.
 * Use it to keep a frame longer than until its source's rx_done().
 */
void frame_copy(uint8_t *to, const struct frame *f, uint32_t from, uint32_t n);

/*
 * frame_part() - Make @part a frame without head of @len bytes of @f, from offset @from on.
 * The bytes must exist and lie behind the head of @f.
 */
void frame_part(struct frame *part, const struct frame *f, uint32_t from, uint32_t len);

/*
 * frame_touch() - Read a byte of each page of @n pieces. The kernel answers EFAULT for memory
 * that a guest has taken away; this has the guest's owner learn of it (vhost/memory.h).
 */
void frame_touch(const struct iovec *iov, size_t n);

/* frame_padded() - The length of a frame that is padded to @least bytes; 0: not padded. */
static inline uint32_t frame_padded(uint32_t len, uint32_t least)
{
	return len < least ? least : len;
}

/* frame_padding - Zeros to pad a frame with. */
extern const uint8_t frame_padding[FRAME_PAD];

enum frame_fault { FRAME_OK, FRAME_RUNT, FRAME_OVERSIZE };

/* frame_check_len() - Whether a frame may have @len bytes: not less than 14, not too many. */
static inline enum frame_fault frame_check_len(size_t len)
{
	if (len < FRAME_HEADER)
		return FRAME_RUNT;
	return len > FRAME_MAX ? FRAME_OVERSIZE : FRAME_OK;
}

/*
 * frame_assert() - Abort if a frame is not as struct frame says. It does so only if
 * FRAME_ASSERTS is defined, as in the unit tests; otherwise it does nothing.
 */
#ifdef FRAME_ASSERTS
void frame_assert(const struct frame *f);
#else
static inline void frame_assert(const struct frame *f)
{
	(void)f;
}
#endif

#define BATCH_MAX 64 /* frames and runs in a batch */

#define BATCH_DATAGRAMS 32 /* received at once, each of up to FRAME_MAX bytes */
#define BATCH_BUF_SIZE ((size_t)BATCH_DATAGRAMS * FRAME_MAX)

/*
 * A batch: the frames that one call of rx() brought, and the buffer to receive them into.
 * It has runs of plain frames only; frames with a virtio header are single, because each
 * may have other targets.
 * @buf:   a buffer of BATCH_BUF_SIZE bytes, which all ports share
 * @n:     the number of frames and runs at @frame
 * @more:  the driver has received further frames, which the next call of rx() brings
 * @later: the driver may have more frames, but has had its share of this turn: it is asked
 *         again in the next turn
 */
struct batch {
	uint8_t *buf;
	unsigned n;
	bool more;
	bool later;
	struct frame frame[BATCH_MAX];
};

#endif
