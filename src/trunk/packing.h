/* SPDX-License-Identifier: MIT */
/*
 * Frames in datagrams. A datagram that is lost takes with it the frames that are in it, so
 * a frame is whole in one datagram, among others, if it fits. A longer one goes in
 * fragments: the first fills what is left of a datagram, and the rest the next ones, which
 * directly follow.
 *
 * A super-frame goes in slices, each with all headers and with one segment of the payload, so
 * what is lost costs only itself. No checksum is made for them, since the seal protects the
 * bytes, and whoever gets slices that follow each other has a super-frame again, or a part of
 * one. Who does not take slices (TRUNK_TAKES_SLICES) gets plain frames instead, of
 * packing_split().
 *
 * A datagram's payload is a row of items, up to its end or to a word of zero:
 *
 *	0  2  bit 15: clear for a frame, set for a fragment, with bit 14 for a slice; below:
 *	      its bytes
 *	      of fragments and slices only:
 *	2  1  its index: how many datagrams ago the first one was
 *	3  3  bytes of the whole frame
 *	6  3  offset of the fragment, or of the slice's payload, in the frame
 *	      of a slice only:
 *	9  10 virtio header of the super-frame, little-endian as VIRTIO 1 has it; its hdr_len
 *	      says how many of the bytes are headers
 *	..    the bytes
 *
 * All is big-endian. A datagram's counter less the index names the frame: counters are
 * never used twice, so fragments of two frames are never taken for those of one, however
 * many datagrams are lost in between.
 */
#ifndef PACKING_H
#define PACKING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "frame/frame.h"
#include "frame/gso.h"

#define PACKING_WORD 2
#define PACKING_FRAGMENT_HEAD 9
#define PACKING_FRAGMENT_BIT 0x8000u
#define PACKING_SLICE_BIT 0x4000u
#define PACKING_SLICE_HEAD (PACKING_FRAGMENT_HEAD + VNET_BYTES)
#define PACKING_FRAGMENTS_MAX 256 /* of a frame */
#define PACKING_PAYLOAD_MIN 336	  /* so that the longest frame has no more */
#define PACKING_PAYLOAD_MAX 0x3fff

#define PACKING_IN_FLIGHT 8 /* frames of which only a part has come */
#define PACKING_HOLES 4	    /* in such a frame, as reordering makes them */
#define PACKING_BUF ((size_t)512 << 10)
#define PACKING_SLICES 256 /* that are put together at once, above those of one each */

/* ---- sending ---- */

/*
 * A datagram's payload that is being filled.
 * @to, @room, @n: where it is, its bytes, and how many of these are used
 * @from, @index: of a frame that goes in fragments or slices: what has gone of it, and the
 *             index of the next
 */
struct packer {
	uint8_t *to;
	uint32_t room, n;
	uint32_t from;
	unsigned index;
};

/*
 * packer_begin() - Begin a datagram, the first one or that which follows the last one.
 * @p:    all zero at first
 * @room: PACKING_PAYLOAD_MIN to PACKING_PAYLOAD_MAX
 */
void packer_begin(struct packer *p, uint8_t *to, uint32_t room);

/*
 * packer_put() - Append a plain frame, no run, or as much of it as there is room for.
 *
 * Return: true: all of it is in; false: the datagram is full: after packer_begin() call it
 * again with the same frame.
 */
bool packer_put(struct packer *p, const struct frame *f);

/*
 * packer_put_slice() - Append the next slice of a super-frame: of the first call the first,
 * and so on until @p->from is 0.
 * @g: of packing_slice()
 *
 * Return: as packer_put().
 */
bool packer_put_slice(struct packer *p, const struct gso *g);

/* packer_forget() - The rest of a frame will not follow. */
static inline void packer_forget(struct packer *p)
{
	p->from = 0;
	p->index = 0;
}

/*
 * packing_split() - Get ready to split a super-frame, as gso_begin(), into frames that fit
 * into datagrams.
 *
 * A fragment that is lost would cost all of a super-frame, so none goes in fragments. TCP's
 * segments are made shorter than its gso_size where that makes each fit one datagram: to TCP
 * its bytes are a stream, and where a segment ends means nothing (RFC 9293, 3.8.6), while
 * one byte more than fits would double the datagrams. The IPv4 IDs, of which there are more
 * then, may be used again by the sender's next packets; as TCP sets DF, they mean nothing
 * (RFC 6864, 4.1). UDP's segments are messages, so they stay as they are, and are in
 * fragments if they are too long.
 *
 * @room: as above
 * @vnet, @shorter: memory for a changed frame, which must stay as long as @g is used
 *
 * Return: as gso_begin().
 */
int packing_split(struct gso *g, const struct frame *f, uint32_t room, struct vnet *vnet,
		  struct frame *shorter);

/*
 * packing_slice() - Get ready to send a super-frame in slices, as packing_split(), but that
 * @vnet is always used.
 *
 * Return: as gso_begin(); -EMSGSIZE when it can't go in slices: a segment of UDP's is longer
 * than a datagram, or there are too many.
 */
int packing_slice(struct gso *g, const struct frame *f, uint32_t room, struct vnet *vnet,
		  struct frame *copy);

/* ---- receiving ---- */

/*
 * A frame of which a part has come; @total is 0: none.
 * @id:    names it
 * @at:    position of its bytes in the buffer
 * @have:  bytes that came: @n ranges, in order, with holes between them
 */
struct packing_part {
	uint64_t id, at;
	uint32_t total, have;
	unsigned n;
	struct {
		uint32_t from, to;
	} range[PACKING_HOLES + 1];
};

/* What a super-frame of slices, or a part of one, has of its own. */
struct packing_head {
	struct vnet vnet;
	uint8_t bytes[FRAME_PEEK];
};

/*
 * Slices that follow each other: @n of them, @id and @total of all. @n is 0: none.
 * @from, @to: the payload, as offsets in the super-frame
 * @f:     what they are, up to now, so its headers are the super-frame's still
 */
struct packing_train {
	uint64_t id;
	uint32_t total, from, to;
	unsigned n;
	struct frame f;
};

/*
 * What datagrams are unpacked with. A position counts all bytes of @buf that were ever
 * used, modulo whose size it is an offset. It is a ring: new frames take the place of the
 * oldest.
 * @buf:  PACKING_BUF bytes, in which frames are put together
 * @end:  the next position
 * @lent: the lowest position that a frame has which was handed out; UINT64_MAX: none
 * @lost: frames of which only a part came, parts that contradict one another, and datagrams
 *        with what is no item
 * @at, @stop, @id: what is left of the datagram, and its counter
 * @train: slices that more may follow
 * @heads, @tail: the first @n_heads and @n_tail are of frames that were handed out, those
 *         behind them of @train or free
 */
struct unpacker {
	uint8_t *buf;
	uint64_t end, lent, lost;
	struct packing_part part[PACKING_IN_FLIGHT];
	const uint8_t *at, *stop;
	uint64_t id;
	struct packing_train train;
	unsigned n_heads, n_tail;
	struct packing_head heads[BATCH_MAX + 1];
	struct iovec tail[PACKING_SLICES];
};

enum unpack {
	UNPACK_END,   /* the datagram has no more */
	UNPACK_FRAME, /* a frame; its length is unchecked */
	UNPACK_FULL,  /* there is no room for the next one before unpacker_release() */
	UNPACK_BAD,   /* what is left of the datagram is no row of items */
};

/* unpacker_init() - Return: 0 or -ENOMEM. */
int unpacker_init(struct unpacker *u);

/* unpacker_free() - Nothing happens if it is all zero. */
void unpacker_free(struct unpacker *u);

/*
 * unpacker_begin() - Begin with a datagram.
 * @id: its counter; with another key, one that is far from all earlier ones
 */
void unpacker_begin(struct unpacker *u, uint64_t id, const uint8_t *at, size_t len);

/*
 * unpacker_next() - Find the next frame of the datagram.
 * @f: set to a frame, in the datagrams or in memory of @u, where it stays until
 *     unpacker_release(). It has one piece, or is a super-frame. Its virtio header is
 *     unchecked, too
 */
enum unpack unpacker_next(struct unpacker *u, struct frame *f);

/*
 * unpacker_flush() - No other datagram follows for now: find the frame that the last slices
 * are. Those that were found so far must still be where they were.
 *
 * Return: whether there is one.
 */
bool unpacker_flush(struct unpacker *u, struct frame *f);

/*
 * unpacker_release() - Nobody needs the frames any more. Their datagrams are not needed, but
 * for those that unpacker_waits() for.
 */
void unpacker_release(struct unpacker *u);

/*
 * unpacker_waits() - Return: where the first of the slices lies that no frame has been made of
 * yet, as others may follow; NULL: there are none.
 */
static inline const uint8_t *unpacker_waits(const struct unpacker *u)
{
	return u->train.n ? u->train.f.data : NULL;
}

/* unpacker_forget() - These slices are lost. */
static inline void unpacker_forget(struct unpacker *u)
{
	u->train.n = 0;
	u->lost++;
}

#endif
