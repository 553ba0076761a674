/* SPDX-License-Identifier: MIT */
/*
 * A queue of bytes in a ring of fixed size. A piece is always contiguous: one that
 * does not fit below the end of the memory goes to its beginning, and @top notes
 * where the upper part ends. Memory that a long queue used is given back to the
 * kernel once the queue is empty.
 *
 * #syscalls: madvise mmap munmap
 */
#include "base/byte-ring.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>

#include "base/util.h"

#define KEEP_RESIDENT ((size_t)64 << 10) /* bytes kept when the queue is empty again */

int byte_ring_init(struct byte_ring *r, size_t size)
{
	memset(r, 0, sizeof(*r));
	r->buf = mmap(NULL, size, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (r->buf == MAP_FAILED) {
		r->buf = NULL;
		return -ENOMEM;
	}
	r->size = size;
	return 0;
}

void byte_ring_free(struct byte_ring *r)
{
	if (r->buf)
		munmap(r->buf, r->size);
	memset(r, 0, sizeof(*r));
}

uint8_t *byte_ring_add(struct byte_ring *r, size_t len)
{
	bool has_wrapped = r->top != 0;
	uint8_t *at;

	if (!has_wrapped && r->tail + len > r->size) {
		if (len > r->head)
			return NULL;
		r->top = r->tail;
		r->tail = 0;
	} else if (has_wrapped && r->tail + len > r->head) {
		return NULL;
	}
	at = r->buf + r->tail;
	r->tail += len;
	r->bytes += len;
	if (r->tail > r->peak)
		r->peak = r->tail;
	return at;
}

void byte_ring_peek(const struct byte_ring *r, struct iovec iov[2])
{
	iov[0].iov_base = r->buf + r->head;
	iov[0].iov_len = (r->top ? r->top : r->tail) - r->head;
	iov[1].iov_base = r->buf;
	iov[1].iov_len = r->top ? r->tail : 0;
}

static void became_empty(struct byte_ring *r)
{
	if (r->peak > KEEP_RESIDENT)
		madvise(r->buf + KEEP_RESIDENT, r->size - KEEP_RESIDENT, MADV_DONTNEED);
	r->head = r->tail = r->top = r->peak = r->bytes = 0;
}

void byte_ring_drop(struct byte_ring *r, size_t n)
{
	size_t upper = r->top ? r->top - r->head : n;

	if (n == r->bytes) {
		became_empty(r);
		return;
	}
	r->bytes -= n;
	if (n < upper || !r->top) {
		r->head += n;
	} else {
		r->head = n - upper;
		r->top = 0;
	}
}
