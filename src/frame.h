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

#define FRAME_HEADER 14 /* two addresses and an EtherType: the shortest frame */
#define FRAME_MAX 69632 /* NET_BUFSIZE in QEMU's include/net/net.h: the longest */
#define FRAME_PAD 60	/* IEEE 802.3's shortest on a wire, without its checksum */
#define FRAME_WORD 4	/* QEMU's length word, big-endian, ahead of a frame on a stream */

/*
 * @data:      the frame, from its destination address on
 * @len:       bytes at @data, FRAME_HEADER to FRAME_MAX
 * @has_word:  the FRAME_WORD bytes ahead of @data are its length word
 */
struct frame {
	const uint8_t *data;
	uint32_t len;
	bool has_word;
};

#define BATCH_MAX 64

/*
 * What one receive brought, and the buffer for it.
 * @buf:  the loop's receive buffer, BATCH_BUF_SIZE bytes, for the driver to fill
 * @more: the driver holds further frames that it has received already
 */
struct batch {
	uint8_t *buf;
	unsigned n;
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

/*
 * frame_follows() - Whether @b stands right behind @a in one stream's buffer,
 * so that both, length words included, are one piece of memory ready to send.
 */
static inline bool frame_follows(const struct frame *a, const struct frame *b)
{
	return a->has_word && b->has_word && a->data + a->len + FRAME_WORD == b->data;
}

#endif
