/* SPDX-License-Identifier: MIT */
/*
 * A split virtqueue, as the device sees it (VIRTIO 1.2, section 2.7): a ring of buffers that a
 * guest offers, and of those that we have used. A buffer is a chain of descriptors, each of
 * which says where some bytes are.
 *
 *	ring_pop()      the next chain: where its bytes are
 *	ring_use()      note that it was used; nobody sees that yet
 *	ring_undo()     the last chains were not used after all
 *	ring_publish()  show the guest all that was used since
 *
 * Chains are used in the order in which they were popped, all of them before control goes back
 * to the event loop. So the index of the next chain and that of the next used element are the
 * same between turns, and a ring that is stopped leaves nothing behind.
 *
 * The guest can change its memory at any time. So each descriptor is read once, into memory of
 * our own, and checked there. What is wrong ends the guest's port: functions return -EPROTO,
 * and @why says what it was.
 *
 * Notifications. By VIRTIO_RING_F_EVENT_IDX each side says at which index it wants the next
 * one, otherwise by a flag whether it wants any. ring_listen() asks for a kick when the guest
 * adds a chain, and ring_quiet() for none.
 */
#ifndef VHOST_RING_H
#define VHOST_RING_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/uio.h>

#include "vhost/memory.h"

#define RING_SIZE_MAX 32768u
#define RING_PIECES_MAX 1024u /* descriptors in a chain: QEMU's VIRTQUEUE_MAX_SIZE */

/* Bytes of its three parts, and their alignment (2.7). */
#define RING_DESC_BYTES(size) (16u * (size))
#define RING_AVAIL_BYTES(size) (6u + 2u * (size))
#define RING_USED_ELEMENT 8u
#define RING_USED_BYTES(size) (6u + RING_USED_ELEMENT * (size))
#define RING_DESC_ALIGN 16u
#define RING_AVAIL_ALIGN 2u
#define RING_USED_ALIGN 4u

/*
 * @size:    elements: a power of two
 * @desc, @avail, @used: in the guest's memory; found by the owner, who also sets the next ones
 * @log:     guest address by which the dirty log knows the used ring; see @has_log
 * @has_event_idx, @has_indirect: the guest agreed on it
 * @is_swapped: its numbers are not in the machine's byte order, which is big-endian
 * @is_to_us: the guest sends by it: chains are to be read; otherwise to be written
 * @next:    index of the next chain to pop
 * @used_next: index of the next used element
 * @published: the index that the guest was shown last
 * @avail_seen: how far the guest had come when we last looked
 * @is_listening: a kick was asked for
 * @must_call: tell the guest at the next ring_publish(), whatever it wants
 * @why:     a constant, after -EPROTO and -E2BIG
 */
struct ring {
	struct memory *memory;
	uint32_t size;
	uint8_t *desc, *avail, *used;
	uint64_t log;
	bool has_log;
	bool has_event_idx, has_indirect, is_swapped, is_to_us;
	uint16_t next, used_next, published, avail_seen;
	bool is_listening;
	bool must_call;
	const char *why;
};

/*
 * A chain.
 * @id:  the index of its first descriptor
 * @n:   pieces
 * @slots: descriptors of the ring that it takes, of which there are as many as its size
 * @len: bytes of all
 */
struct ring_chain {
	uint16_t id;
	unsigned n, slots;
	uint64_t len;
};

/* ring_start() - Begin where the used ring in the guest's memory says that it was left. */
void ring_start(struct ring *r);

/*
 * ring_pop() - Take the next chain.
 * @iov: set to its pieces, none of which is empty; room for @max
 *
 * Return: 1; 0: there is none; -E2BIG: it has more than @max pieces, and is left there;
 * -EPROTO with r->why.
 */
int ring_pop(struct ring *r, struct ring_chain *c, struct iovec *iov, unsigned max);

/*
 * ring_prefetch() - Have the processor fetch the first bytes of the chain that ring_pop() will
 * give behind @ahead others, if that is there, to be written to. They are in the cache of the
 * core that runs the guest.
 * @len: bytes that will be written, most likely
 */
void ring_prefetch(struct ring *r, unsigned ahead, uint64_t len);

/*
 * ring_fetch_desc() - Have the processor fetch the descriptor of the chain that ring_pop() will
 * give behind @ahead others. It is no matter if that is not there yet.
 */
void ring_fetch_desc(const struct ring *r, unsigned ahead);

#define RING_CACHE_LINE 64u
#define RING_FETCH_MAX 320u /* bytes: a header, and what a frame's headers may be in */

/* ring_fetch() - Have the processor fetch the first of @len bytes, which are to be read. */
static inline void ring_fetch(const uint8_t *at, size_t len)
{
	for (size_t i = 0; i < len && i < RING_FETCH_MAX; i += RING_CACHE_LINE)
		__builtin_prefetch(at + i);
}

/*
 * ring_swaps() - Whether numbers are to be swapped. Where little-endian numbers are in order,
 * so are the guest's, of before VIRTIO 1.0 as well.
 */
static inline bool ring_swaps(const struct ring *r)
{
	return __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ && r->is_swapped;
}

/* ring_use() - Note that a chain was used, and how many bytes were written to it. */
static inline void ring_use(struct ring *r, uint16_t id, uint32_t written)
{
	uint32_t element[] = { id, written };

	if (ring_swaps(r)) {
		element[0] = __builtin_bswap32(element[0]);
		element[1] = __builtin_bswap32(element[1]);
	}
	memcpy(r->used + 4 + RING_USED_ELEMENT * (r->used_next++ & (r->size - 1)),
	       element, sizeof(element));
}

/* ring_undo() - Give back the @n chains that were popped and used last. */
void ring_undo(struct ring *r, unsigned n);

/* ring_publish() - Show the guest what was used. Return: whether it is to be notified. */
bool ring_publish(struct ring *r);

/*
 * ring_listen() - Have the guest kick when it adds a chain. Call it when ring_pop() has found
 * none.
 *
 * Return: whether it has added one meanwhile, for which there is no kick.
 */
bool ring_listen(struct ring *r);

/* ring_quiet() - Have the guest not kick, as far as that can be said. */
void ring_quiet(struct ring *r);

/* ring_barrier() - What was read from a guest's memory before stays as it was read. */
static inline void ring_barrier(void)
{
	__asm__ volatile("" ::: "memory");
}

#endif
