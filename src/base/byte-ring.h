/* SPDX-License-Identifier: MIT */
/*
 * A bounded queue of bytes on their way to a slow reader: put in piece by
 * piece, each whole or not at all, and taken out in any amounts.
 */
#ifndef BYTE_RING_H
#define BYTE_RING_H

#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

/*
 * @bytes: in it
 * @head:  where the oldest byte is
 * @tail:  where the next one goes
 * @top:   where the upper part ends, when tail has wrapped; else 0
 * @peak:  highest tail since it was last empty
 */
struct byte_ring {
	uint8_t *buf;
	size_t size;
	size_t bytes;
	size_t head, tail, top, peak;
};

/*
 * byte_ring_init() - Reserve @size bytes; none of them is resident before it is used.
 *
 * Return: 0 or -ENOMEM.
 */
int byte_ring_init(struct byte_ring *r, size_t size);
void byte_ring_free(struct byte_ring *r);

/* byte_ring_add() - Append @len bytes. Return: where to put them, at once; NULL when it is full. */
uint8_t *byte_ring_add(struct byte_ring *r, size_t len);

/* byte_ring_peek() - All that is in it, oldest first; the second part may be empty. */
void byte_ring_peek(const struct byte_ring *r, struct iovec iov[2]);

/* byte_ring_drop() - Forget the oldest @n bytes; it must hold as many. */
void byte_ring_drop(struct byte_ring *r, size_t n);

#endif
