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

#include "vnet.h"

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
 */
struct frame {
	const uint8_t *data;
	const uint8_t *head;
	const struct vnet *vnet;
	uint32_t len;
	uint32_t head_len;
	bool has_word;
};

/* frame_len() - All of a frame's bytes. */
static inline uint32_t frame_len(const struct frame *f)
{
	return f->head_len + f->len;
}

#define BATCH_MAX 64

/*
 * What one receive brought, and the buffer for it.
 * @n_vnet: how many of the frames have a virtio header
 * @buf:  the loop's receive buffer, BATCH_BUF_SIZE bytes, for the driver to fill
 * @more: the driver holds further frames that it has received already
 */
struct batch {
	uint8_t *buf;
	unsigned n;
	unsigned n_vnet;
	bool more;
	struct frame frame[BATCH_MAX];
};

/* A datagram may be as long as the longest frame, and so many are taken at once. */
#define BATCH_DATAGRAMS 32
#define BATCH_BUF_SIZE ((size_t)BATCH_DATAGRAMS * FRAME_MAX)

/* frame_padded() - A frame's length after padding, as QEMU's guests expect it. */
static inline uint32_t frame_padded(uint32_t len)
{
	return len < FRAME_PAD ? FRAME_PAD : len;
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

/*
 * frame_follows() - Whether @b stands right behind @a in one stream's buffer,
 * so that both, length words included, are one piece of memory ready to send.
 */
static inline bool frame_follows(const struct frame *a, const struct frame *b)
{
	return a->has_word && b->has_word && a->data + a->len == frame_wire(b);
}

#endif
