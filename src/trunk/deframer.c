/* SPDX-License-Identifier: MIT */
/*
 * Records of a stream, cut off where they lie.
 *
 * #syscalls: mmap munmap
 */
#include "trunk/deframer.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "base/util.h"

#define REST_WORTHWHILE 4096 /* bytes that are not copied, for one more system call */

int deframer_init(struct deframer *d)
{
	/* Not resident before it is used, which many clients never do. */
	d->partial = mmap(NULL, DEFRAMER_PARTIAL_MAX, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (d->partial != MAP_FAILED)
		return 0;
	d->partial = NULL;
	return -ENOMEM;
}

void deframer_free(struct deframer *d)
{
	if (d->partial)
		munmap(d->partial, DEFRAMER_PARTIAL_MAX);
}

void deframer_reset(struct deframer *d)
{
	*d = (struct deframer){ .partial = d->partial };
}

/* Less than a length prefix is simply put ahead of what follows it. */
int deframer_room(struct deframer *d, uint8_t *buf, size_t size, struct iovec iov[2])
{
	size_t ahead = d->missing ? 0 : d->n_partial;

	memcpy(buf, d->partial, ahead);
	iov[0] = (struct iovec){ d->partial + d->n_partial, d->missing };
	iov[!!d->missing] =
		(struct iovec){ buf + ahead, size - d->n_partial - d->missing };
	return 1 + !!d->missing;
}

void deframer_received(struct deframer *d, uint8_t *buf, size_t size, size_t n)
{
	if (n < d->missing) {
		d->n_partial += n;
		d->missing -= n;
		return;
	}
	d->is_full = n == size - d->n_partial;
	d->is_whole = d->missing > 0;
	d->next = buf;
	d->end = buf + n + (d->is_whole ? 0 : d->n_partial) - d->missing;
	d->n_partial = d->missing = 0;
}

/* Return: bytes of the record that begins with @word; 0: there is none like that. */
static size_t record_size(const struct trunk *t, uint32_t word)
{
	uint32_t len = word & ~LAYOUT_VNET_BIT;

	if (word == TRUNK_MAGIC && trunk_awaits_hello(t))
		return TRUNK_HELLO_BYTES;
	if (word == len)
		return len <= FRAME_MAX ? LAYOUT_PREFIX + len : 0;
	if (!HAS_OFFLOAD || t->state != TRUNK_ESTABLISHED || len < VNET_BYTES ||
	    len > VNET_BYTES + FRAME_MAX)
		return 0;
	return LAYOUT_PREFIX + len;
}

/* A record that is whole, and was found good: a hello if it begins like one. */
static enum deframed take(uint8_t *at, struct frame *f)
{
	uint32_t word = get_be32(at);

	if (word == TRUNK_MAGIC) {
		*f = (struct frame){ .data = at, .len = TRUNK_HELLO_BYTES };
		return DEFRAMED_HELLO;
	}
	if (HAS_OFFLOAD && word & LAYOUT_VNET_BIT)
		vnet_swap((struct vnet *)(at + LAYOUT_PREFIX));
	*f = layout_parse(at);
	return DEFRAMED_FRAMES;
}

/*
 * Nearly all are plain frames, which need no look but at their prefixes: in one go as
 * far as they lie one behind the other.
 */
enum deframed deframer_next(struct deframer *d, const struct trunk *t, struct frame *f)
{
	uint8_t *at = d->next;
	size_t size;

	d->record = 0;
	if (d->is_whole) {
		d->is_whole = false;
		return take(d->partial, f);
	}
	size = layout_parse_run(f, at, d->end);
	if (size) {
		d->next += size;
		return DEFRAMED_FRAMES;
	}
	if (deframer_left(d) < LAYOUT_PREFIX)
		return DEFRAMED_NONE;
	size = record_size(t, get_be32(at));
	if (!size)
		return DEFRAMED_BAD;
	if (deframer_left(d) < size) {
		d->record = size;
		return DEFRAMED_NONE;
	}
	d->next += size;
	return take(at, f);
}

bool deframer_rest(struct deframer *d, struct iovec *iov)
{
	if (!d->is_full || !d->record || deframer_left(d) < REST_WORTHWHILE)
		return false;
	d->is_full = false;
	*iov = (struct iovec){ d->end, d->record - deframer_left(d) };
	return true;
}

void deframer_keep(struct deframer *d)
{
	size_t left = deframer_left(d);

	if (!left)
		return;
	memcpy(d->partial, d->next, left);
	d->n_partial = left;
	d->missing = d->record ? d->record - left : 0;
	d->next = d->end = NULL;
}
