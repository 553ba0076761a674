/* SPDX-License-Identifier: MIT */
/*
 * A split ring, as a guest's driver has it (VIRTIO 1.2, sections 2.7 and 2.8): it writes
 * chains of descriptors, offers them, and takes back those that were used. The ring lies in
 * memory that the device shares. Everything that the device writes is held against the
 * specification: what is wrong is noted as the ring's fault.
 *
 *	vring_put()      chains are written, one or many
 *	vring_publish()  the device may see them
 *	vring_kick()     it is told, if it asked for that
 *	vring_take()     a chain comes back
 *
 * Each chain has a slot of memory for what its descriptors point to, and room for an
 * indirect table: those of its first descriptor's number.
 */
#ifndef LIB_VHOST_RING_H
#define LIB_VHOST_RING_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define VRING_NEXT 1 /* flags of a descriptor */
#define VRING_WRITE 2
#define VRING_INDIRECT 4
#define VRING_NO_CALL 1 /* flags of what is available */
#define VRING_NO_KICK 1 /* flags of what is used */

#define VRING_PIECES 64 /* of a chain */
#define VRING_DESC_BYTES 16
#define VRING_TABLE_BYTES (VRING_PIECES * VRING_DESC_BYTES)

struct vring_desc {
	uint64_t addr;
	uint32_t len;
	uint16_t flags, next;
};

struct vring_used {
	uint32_t id, len;
};

/* @at: where the guest sees it */
struct vring_piece {
	uint64_t at;
	uint32_t len;
	bool is_writable;
};

/* @n_descs: of the ring, that it takes; 0: it is not out. @n: pieces, of vring_piece() */
struct vring_chain {
	uint16_t n_descs, n;
};

/*
 * @is_swapped: the ring has the other byte order than we
 * @has_event_idx: VIRTIO_F_EVENT_IDX was agreed on
 * @wants_calls: else it looks by itself what was used
 * @avail:     flags, index, entries, and the index at which a call is asked for
 * @used:      flags, index, entries, and the index at which a kick is asked for
 * @desc_at, @avail_at, @used_at: where the guest sees them
 * @tables, @tables_at: an indirect table for each descriptor
 * @slots_at:  the memory of each chain, @slot_bytes each
 * @avail_idx: the next chain's; @published: up to there the device may see them
 * @used_idx:  the next one to come back
 * @free, @n_free: descriptors that are free, the last of them first
 * @chain:     by its first descriptor
 * @pieces:    of all chains: their first ones, then their second ones, and so on
 * @kick, @call, @err: eventfds; -1
 * @n_kicks:   how often it was told
 * @fault:     the first thing that the device did wrong; or NULL
 */
struct vring {
	unsigned size;
	bool is_swapped, has_event_idx, wants_calls;
	struct vring_desc *desc;
	uint16_t *avail, *used;
	uint64_t desc_at, avail_at, used_at;
	struct vring_desc *tables;
	uint64_t tables_at, slots_at;
	uint32_t slot_bytes;
	uint16_t avail_idx, published, used_idx;
	uint16_t *free;
	unsigned n_free;
	struct vring_chain *chain;
	struct vring_piece *pieces;
	int kick, call, err;
	unsigned n_kicks;
	const char *fault;
};

/* ---- byte order ---- */

static inline uint16_t vring16(const struct vring *r, uint16_t v)
{
	return r->is_swapped ? __builtin_bswap16(v) : v;
}

static inline uint32_t vring32(const struct vring *r, uint32_t v)
{
	return r->is_swapped ? __builtin_bswap32(v) : v;
}

static inline uint64_t vring64(const struct vring *r, uint64_t v)
{
	return r->is_swapped ? __builtin_bswap64(v) : v;
}

/* ---- where things are ---- */

static inline uint32_t vring_avail_bytes(unsigned size)
{
	return 2 * (3 + size);
}

static inline uint32_t vring_used_bytes(unsigned size)
{
	return 2 * 3 + 8 * size;
}

static inline uint16_t *vring_avail_entry(const struct vring *r, unsigned i)
{
	return &r->avail[2 + (i & (r->size - 1))];
}

/* Where the driver says at which used index it wants a call. */
static inline uint16_t *vring_used_event(const struct vring *r)
{
	return &r->avail[2 + r->size];
}

/* Where the device says at which available index it wants a kick. */
static inline uint16_t *vring_avail_event(const struct vring *r)
{
	return &r->used[2 + 4 * r->size];
}

static inline uint64_t vring_slot(const struct vring *r, unsigned head)
{
	return r->slots_at + (uint64_t)head * r->slot_bytes;
}

static inline uint16_t vring_used_now(const struct vring *r)
{
	return vring16(r, __atomic_load_n(&r->used[1], __ATOMIC_ACQUIRE));
}

/* vring_piece() - Piece @i of the chain that begins with @head. */
static inline struct vring_piece *vring_piece(const struct vring *r, unsigned head,
					      unsigned i)
{
	return &r->pieces[i * r->size + head];
}

static inline void vring_blame(struct vring *r, const char *what)
{
	if (!r->fault)
		r->fault = what;
}

/* ---- calls ---- */

/* vring_rearm() - Say whether calls are wanted from now on, and from where. */
static inline void vring_rearm(struct vring *r)
{
	uint16_t never = (uint16_t)(r->used_idx + 0x8000);

	if (r->has_event_idx)
		__atomic_store_n(vring_used_event(r),
				 vring16(r, r->wants_calls ? r->used_idx : never),
				 __ATOMIC_RELAXED);
	else
		__atomic_store_n(&r->avail[0],
				 vring16(r, r->wants_calls ? 0 : VRING_NO_CALL),
				 __ATOMIC_RELAXED);
	/* Whoever looks at what is used after this misses no call. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

/* vring_was_called() - Whether a call has come since the last time that this was asked. */
static inline bool vring_was_called(struct vring *r)
{
	uint64_t n;

	return read(r->call, &n, sizeof(n)) == (ssize_t)sizeof(n);
}

/* ---- its beginning ---- */

/* vring_begin() - It is empty, and all its indices are @base. */
static inline void vring_begin(struct vring *r, uint16_t base)
{
	memset(r->desc, 0, r->size * sizeof(*r->desc));
	memset(r->avail, 0, vring_avail_bytes(r->size));
	memset(r->used, 0, vring_used_bytes(r->size));
	r->avail_idx = r->published = r->used_idx = base;
	r->avail[1] = r->used[1] = vring16(r, base);
	for (unsigned i = 0; i < r->size; i++) {
		r->free[i] = (uint16_t)(r->size - 1 - i);
		r->chain[i].n_descs = 0;
	}
	r->n_free = r->size;
	vring_rearm(r);
}

/* vring_init() - Room for what it has in our own memory; the rest was set. */
static inline void vring_init(struct vring *r)
{
	r->free = calloc(r->size, sizeof(*r->free));
	r->chain = calloc(r->size, sizeof(*r->chain));
	r->pieces = calloc((size_t)r->size * VRING_PIECES, sizeof(*r->pieces));
	if (!r->free || !r->chain || !r->pieces)
		abort();
}

static inline void vring_free(struct vring *r)
{
	free(r->free);
	free(r->chain);
	free(r->pieces);
}

/* ---- chains ---- */

/* vring_set_desc() - One descriptor of the ring, or of a table. */
static inline void vring_set_desc(const struct vring *r, struct vring_desc *d,
				  uint64_t at, uint32_t len, uint16_t flags,
				  uint16_t next)
{
	*d = (struct vring_desc){ vring64(r, at), vring32(r, len), vring16(r, flags),
				  vring16(r, next) };
}

static inline uint16_t vring_piece_flags(const struct vring_piece *p, bool is_last)
{
	return (uint16_t)((p->is_writable ? VRING_WRITE : 0) |
			  (is_last ? 0 : VRING_NEXT));
}

static inline void vring_put_table(struct vring *r, unsigned head)
{
	const struct vring_chain *c = &r->chain[head];
	struct vring_desc *table = &r->tables[(size_t)head * VRING_PIECES];

	for (unsigned i = 0; i < c->n; i++)
		vring_set_desc(r, &table[i], vring_piece(r, head, i)->at,
			       vring_piece(r, head, i)->len,
			       vring_piece_flags(vring_piece(r, head, i), i + 1 == c->n),
			       (uint16_t)(i + 1 == c->n ? 0 : i + 1));
	vring_set_desc(r, &r->desc[head], r->tables_at + head * VRING_TABLE_BYTES,
		       c->n * VRING_DESC_BYTES, VRING_INDIRECT, 0);
}

static inline void vring_put_descs(struct vring *r, unsigned head)
{
	const struct vring_chain *c = &r->chain[head];
	unsigned at = head, next;

	for (unsigned i = 0; i < c->n; i++, at = next) {
		const struct vring_piece *p = vring_piece(r, head, i);
		bool is_last = i + 1 == c->n;

		next = is_last ? 0 : r->free[r->n_free - 1 - i];
		vring_set_desc(r, &r->desc[at], p->at, p->len,
			       vring_piece_flags(p, is_last), (uint16_t)next);
	}
	r->n_free -= c->n - 1u;
}

/* vring_offer() - Make the chain that begins with @head the next one; not published yet. */
static inline void vring_offer(struct vring *r, unsigned head)
{
	__atomic_store_n(vring_avail_entry(r, r->avail_idx++), vring16(r, (uint16_t)head),
			 __ATOMIC_RELAXED);
}

/* vring_has_room() - Whether there are descriptors for a chain of @n pieces. */
static inline bool vring_has_room(const struct vring *r, unsigned n, bool is_indirect)
{
	return r->n_free >= (is_indirect ? 1 : n);
}

/* vring_next_head() - The first descriptor of the next chain; there must be room for it. */
static inline unsigned vring_next_head(const struct vring *r)
{
	return r->free[r->n_free - 1];
}

/* vring_put() - Write a chain of @n pieces, for which there is room, and offer it. */
static inline void vring_put(struct vring *r, const struct vring_piece *piece, unsigned n,
			     bool is_indirect)
{
	unsigned head = vring_next_head(r);
	struct vring_chain *c = &r->chain[head];

	for (unsigned i = 0; i < n; i++)
		*vring_piece(r, head, i) = piece[i];
	c->n = (uint16_t)n;
	c->n_descs = (uint16_t)(is_indirect ? 1 : n);
	r->n_free--;
	if (is_indirect)
		vring_put_table(r, head);
	else
		vring_put_descs(r, head);
	vring_offer(r, head);
}

/* ---- there and back ---- */

/* vring_publish() - The device may see what was offered. Return: whether it asks for a kick. */
static inline bool vring_publish(struct vring *r)
{
	uint16_t from = r->published, to = r->avail_idx, event;

	__atomic_store_n(&r->avail[1], vring16(r, to), __ATOMIC_RELEASE);
	r->published = to;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (!r->has_event_idx)
		return !(vring16(r, __atomic_load_n(&r->used[0], __ATOMIC_RELAXED)) &
			 VRING_NO_KICK);
	event = vring16(r, __atomic_load_n(vring_avail_event(r), __ATOMIC_RELAXED));
	return (uint16_t)(to - event - 1) < (uint16_t)(to - from);
}

/* vring_kick() - Tell the device, asked or not. */
static inline void vring_kick(struct vring *r)
{
	uint64_t one = 1;

	r->n_kicks++;
	if (r->kick >= 0 && write(r->kick, &one, sizeof(one)) < 0)
		vring_blame(r, "the kick's descriptor can't be written");
}

/* vring_push() - Publish, and kick if that is asked for. */
static inline void vring_push(struct vring *r)
{
	if (vring_publish(r))
		vring_kick(r);
}

static inline void vring_give_back(struct vring *r, unsigned head)
{
	const struct vring_chain *c = &r->chain[head];
	unsigned at = head;

	/* Backwards or forwards: the order in which they are used again does not matter. */
	for (unsigned i = 0; i < c->n_descs; i++) {
		r->free[r->n_free++] = (uint16_t)at;
		at = vring16(r, r->desc[at].next);
	}
	r->chain[head].n_descs = 0;
}

/* vring_n_used() - How many chains wait to be taken back. */
static inline unsigned vring_n_used(const struct vring *r)
{
	return (uint16_t)(vring_used_now(r) - r->used_idx);
}

/*
 * vring_take() - Take the next chain back. What it points to, and its pieces, stay until
 * the next vring_put().
 *
 * Return: the descriptor that it begins with; -1 when there is none, or a fault.
 */
static inline int vring_take(struct vring *r, uint32_t *len)
{
	unsigned n = vring_n_used(r), i = r->used_idx & (r->size - 1);
	struct vring_used u;

	if (!n || r->fault)
		return -1;
	memcpy(&u, &r->used[2 + 4 * i], sizeof(u));
	u.id = vring32(r, u.id);
	*len = vring32(r, u.len);
	if (n > (uint16_t)(r->published - r->used_idx))
		vring_blame(r, "more was used than was available");
	else if (u.id >= r->size || !r->chain[u.id].n_descs)
		vring_blame(r, "what was used was not available");
	if (r->fault)
		return -1;
	r->used_idx++;
	vring_give_back(r, u.id);
	return (int)u.id;
}

#endif
