/* SPDX-License-Identifier: MIT */
/*
 * Frames and batches. A frame is a slice of somebody else's buffer and lives
 * until the batch it came in has been sent or queued: nobody keeps one.
 */
#ifndef FRAME_H
#define FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/util.h"
#include "frame/vnet.h"

#define FRAME_HEADER 14 /* two addresses and an EtherType: the shortest frame */
#define FRAME_MAX 69632 /* NET_BUFSIZE in QEMU's include/net/net.h: the longest */
#define FRAME_PAD 60	/* IEEE 802.3's shortest on a wire, without its checksum */
#define FRAME_WORD 4	/* QEMU's length word, big-endian, ahead of a frame on a stream */

/* On a trunk, bit 31 of a length word says that a virtio header follows it. */
#define FRAME_VNET_BIT 0x80000000u

/*
 * @head, @head_len: the frame's first bytes, where they are not at @data: the
 *             headers made for a segment; head_len is else 0
 * @data, @len: the frame, or the rest of it; FRAME_HEADER to FRAME_MAX bytes in all
 * @vnet:      what is left to do for a super-frame, or for one without a
 *             checksum; NULL for a frame as it is on a wire
 * @has_word:  ahead of @data is what goes ahead of it on a stream: its length
 *             word, and between the two its virtio header, if it has one
 * @more, @more_wire, @more_len: how many frames lie behind this one, and their
 *             bytes with and without what is ahead of each: then it stands for
 *             the whole run. If it has_word, they lie as they go on a stream, and
 *             all are ready. If not, they are as many datagrams: one right behind
 *             the other, each as long as the first, but for the last, which may be
 *             shorter; none is shorter than FRAME_PAD.
 */
struct frame {
	const uint8_t *data;
	const uint8_t *head;
	const struct vnet *vnet;
	uint32_t len;
	uint32_t head_len;
	uint32_t more, more_wire, more_len;
	bool has_word;
};

/* frame_len() - All of a frame's bytes. */
static inline uint32_t frame_len(const struct frame *f)
{
	return f->head_len + f->len;
}

/* frames_in() - How many frames @n of these stand for. */
unsigned frames_in(const struct frame *f, unsigned n);

/* frame_behind() - What of a run is behind its first @n frames; it must have more. */
struct frame frame_behind(const struct frame *run, unsigned n);

/* frame_shorten() - Have the run @f stand for its first @n frames only, at least one. */
void frame_shorten(struct frame *f, unsigned n);

#define BATCH_MAX 64

/*
 * What one receive brought, and the buffer for it. Frames may be runs, but for
 * those with a virtio header.
 * @buf:  the loop's receive buffer, BATCH_BUF_SIZE bytes, for the driver to fill
 * @more: the driver holds further frames that it has received already
 * @later: it may have more, but had its share: it is asked again in the next turn of the loop
 */
struct batch {
	uint8_t *buf;
	unsigned n;
	bool more;
	bool later;
	struct frame frame[BATCH_MAX];
};

/* A datagram may be as long as the longest frame, and so many are taken at once. */
#define BATCH_DATAGRAMS 32
#define BATCH_BUF_SIZE ((size_t)BATCH_DATAGRAMS * FRAME_MAX)

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

/* frame_wire_head() - Bytes ahead of a frame on a stream. */
static inline uint32_t frame_wire_head(const struct frame *f)
{
	return f->vnet ? FRAME_WORD + VNET_BYTES : FRAME_WORD;
}

/* frame_wire() - Where a frame that has_word begins, as it goes on a stream. */
static inline const uint8_t *frame_wire(const struct frame *f)
{
	return f->data - frame_wire_head(f);
}

/* frame_word() - A frame's length word for @len bytes of it, in host byte order. */
static inline uint32_t frame_word(const struct frame *f, uint32_t len)
{
	return f->vnet ? FRAME_VNET_BIT | (len + VNET_BYTES) : len;
}

/* frame_is_ready() - Whether a frame lies in a buffer as it goes on a stream. */
static inline bool frame_is_ready(const struct frame *f)
{
	return f->has_word && f->len >= FRAME_PAD && (!f->vnet || VNET_IS_WIRE);
}

/* frame_follows() - Whether @b lies right behind @a, and behind what @a stands for. */
static inline bool frame_follows(const struct frame *a, const struct frame *b)
{
	return a->has_word && b->has_word &&
	       a->data + a->len + a->more_wire == frame_wire(b);
}

/*
 * frame_join() - Have @run stand for @f too, if both are ready and @f lies right behind it.
 *
 * Return: whether it does now.
 */
static inline bool frame_join(struct frame *run, const struct frame *f)
{
	if (!frame_is_ready(run) || !frame_is_ready(f) || !frame_follows(run, f))
		return false;
	run->more += 1 + f->more;
	run->more_wire += frame_wire_head(f) + f->len + f->more_wire;
	run->more_len += f->len + f->more_len;
	return true;
}

/* frame_at() - The frame whose length word is at @wire, with all of its bytes behind it. */
static inline struct frame frame_at(const uint8_t *wire)
{
	struct frame f = { .has_word = true };
	uint32_t word = get_be32(wire);

	f.len = word & ~FRAME_VNET_BIT;
	f.data = wire + FRAME_WORD;
	if (word & FRAME_VNET_BIT) {
		f.vnet = (const struct vnet *)f.data;
		f.data += VNET_BYTES;
		f.len -= VNET_BYTES;
	}
	return f;
}

/* frame_next() - What of a run is behind its first frame, of which it must have more. */
static inline struct frame frame_next(const struct frame *run)
{
	const uint8_t *at = run->data + run->len;
	struct frame f = { .data = at };

	if (run->has_word)
		f = frame_at(at);
	else
		f.len = run->more_len < run->len ? run->more_len : run->len;
	f.more = run->more - 1;
	f.more_wire = run->more_wire - (uint32_t)(f.data - at) - f.len;
	f.more_len = run->more_len - f.len;
	return f;
}

/* frame_alone() - A run's first frame. */
static inline struct frame frame_alone(const struct frame *run)
{
	struct frame f = *run;

	f.more = f.more_wire = f.more_len = 0;
	return f;
}

/*
 * frame_run() - The frames from @wire on that are ready, plain and not cut off at @end, as one.
 *
 * Most are as long as the one ahead, which is compared with: then the processor
 * need not wait for a length to know where the next one is.
 *
 * Return: how many bytes they are on the stream; 0 if there is none.
 */
static inline size_t frame_run(struct frame *run, const uint8_t *wire, const uint8_t *end)
{
	const uint8_t *at = wire;
	uint32_t n = 0;

	while (end - at >= FRAME_WORD) {
		uint32_t len = get_be32(at);
		size_t step = FRAME_WORD + (size_t)len;

		if (len < FRAME_PAD || len > FRAME_MAX || (size_t)(end - at) < step)
			break;
		do {
			at += step;
			n++;
		} while ((size_t)(end - at) >= step && get_be32(at) == len);
	}
	if (!n)
		return 0;
	*run = frame_at(wire);
	run->more = n - 1;
	run->more_wire = (uint32_t)(at - run->data) - run->len;
	run->more_len = run->more_wire - run->more * FRAME_WORD;
	return (size_t)(at - wire);
}

/*
 * batch_add() - Append a frame, or a run; there must be room.
 *
 * It joins the last one if it can. Super-frames stay single: who gets them is
 * decided for each.
 */
static inline void batch_add(struct batch *b, const struct frame *f)
{
	struct frame *last = b->n ? &b->frame[b->n - 1] : NULL;

	if (!last || f->vnet || last->vnet || !frame_join(last, f))
		b->frame[b->n++] = *f;
}

#endif
