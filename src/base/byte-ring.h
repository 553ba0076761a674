/* SPDX-License-Identifier: MIT */
/*
 * A bounded queue of bytes for a slow reader. Bytes go in piece by piece, each
 * piece whole or not at all, and come out in any amounts.
 */
#ifndef BYTE_RING_H
#define BYTE_RING_H

#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

/*
 * All members but @buf are numbers of bytes.
 *
 * @size:  bytes reserved at @buf
 * @bytes: bytes queued
 * @head:  offset of the oldest byte
 * @tail:  offset where the next piece goes
 * @top:   once @tail has wrapped: where the upper part ends; otherwise 0
 * @peak:  highest @tail since the ring was last empty
 */
struct byte_ring {
	uint8_t *buf;
	size_t size;
	size_t bytes;
	size_t head, tail, top, peak;
};

/*
 * byte_ring_init() - Reserve @size bytes of address space; a page takes no memory
 * until it is used.
 *
 * Return: 0 or -ENOMEM.
 */
int byte_ring_init(struct byte_ring *r, size_t size);

/* byte_ring_free() - Give the memory back; does nothing to a ring that is all zeros. */
void byte_ring_free(struct byte_ring *r);

/*
 * byte_ring_add() - Append a piece of @len bytes.
 *
 * Return: where the caller must write the piece, before any other call for this
 * ring; NULL when the ring has no room for it.
 */
uint8_t *byte_ring_add(struct byte_ring *r, size_t len);

/*
 * byte_ring_peek() - Find all queued bytes, the oldest first.
 * @iov: set to one or two parts; the second may be empty
 */
void byte_ring_peek(const struct byte_ring *r, struct iovec iov[2]);

/* byte_ring_drop() - Remove the oldest @n bytes; the ring must hold that many. */
void byte_ring_drop(struct byte_ring *r, size_t n);

#endif
