/* SPDX-License-Identifier: MIT */
/*
 * Barriers: the guest's index is read with acquire semantics, ahead of what it covers, and
 * ours is stored with release semantics, behind what it covers. Between the store of what the
 * other side waits for and the look at whether it waits, there is a full barrier; both sides
 * do so, and one of them at least sees what the other one wrote.
 */
#include "vhost/ring.h"

#include <errno.h>
#include <string.h>

/* Of a descriptor's flags, and of the rings' (2.7.5, 2.7.6, 2.7.8). */
#define DESC_NEXT 1u
#define DESC_WRITE 2u
#define DESC_INDIRECT 4u
#define AVAIL_NO_INTERRUPT 1u
#define USED_NO_NOTIFY 1u

#define DESC_BYTES 16u
#define WRITE_MAX 1024u
#define FURTHER 8u /* descriptors beyond one that is looked at */

struct desc {
	uint64_t addr;
	uint32_t len;
	uint16_t flags, next;
};

_Static_assert(sizeof(struct desc) == DESC_BYTES, "as it lies in memory");

/* A chain that is being walked through. @seen: descriptors so far, of all its tables */
struct walk {
	struct ring_chain *chain;
	struct iovec *iov;
	unsigned max, seen;
};

static int bad(struct ring *r, const char *why)
{
	r->why = why;
	return -EPROTO;
}

/* ---- numbers in the guest's memory ---- */

static inline uint16_t order16(const struct ring *r, uint16_t v)
{
	return ring_swaps(r) ? __builtin_bswap16(v) : v;
}

static inline uint32_t order32(const struct ring *r, uint32_t v)
{
	return ring_swaps(r) ? __builtin_bswap32(v) : v;
}

static inline uint64_t order64(const struct ring *r, uint64_t v)
{
	return ring_swaps(r) ? __builtin_bswap64(v) : v;
}

static inline uint16_t load16(const struct ring *r, const uint8_t *at)
{
	return order16(
		r, __atomic_load_n((const uint16_t *)(const void *)at, __ATOMIC_RELAXED));
}

static inline void store16(const struct ring *r, uint8_t *at, uint16_t v)
{
	__atomic_store_n((uint16_t *)(void *)at, order16(r, v), __ATOMIC_RELAXED);
}

/* Where each part has its flags, its index, its elements, and behind these the event. */
static uint8_t *index_of(uint8_t *part)
{
	return part + 2;
}

static uint8_t *used_element(const struct ring *r, uint16_t i)
{
	return r->used + 4 + RING_USED_ELEMENT * (i & (r->size - 1));
}

static uint8_t *avail_element(const struct ring *r, uint16_t i)
{
	return r->avail + 4 + 2u * (i & (r->size - 1));
}

static uint8_t *used_event(const struct ring *r)
{
	return r->avail + 4 + 2 * r->size;
}

static uint8_t *avail_event(const struct ring *r)
{
	return r->used + 4 + RING_USED_ELEMENT * r->size;
}

/* ---- to pop ---- */

static int add_piece(struct ring *r, struct walk *w, const struct desc *d)
{
	uint64_t addr = d->addr, left = d->len;

	if (!(d->flags & DESC_WRITE) != r->is_to_us)
		return bad(r, r->is_to_us ? "a buffer to send from is to be written to"
					  : "a buffer to receive into is to be read");
	/* Of these, a guest could have any number read for one frame; QEMU refuses them, too. */
	if (!left)
		return bad(r, "a descriptor of no bytes");
	w->chain->len += left;
	while (left) {
		uint64_t n = left;
		uint8_t *at = memory_guest(r->memory, addr, &n);

		if (!at)
			return bad(r, "a descriptor's address is in no memory");
		if (w->chain->n == w->max) {
			r->why = "a frame has too many pieces";
			return -E2BIG;
		}
		w->iov[w->chain->n++] = (struct iovec){ at, (size_t)n };
		addr += n;
		left -= n;
	}
	return 0;
}

static inline void read_desc(const struct ring *r, const uint8_t *at, struct desc *d)
{
	memcpy(d, at, sizeof(*d));
	ring_barrier();
	d->addr = order64(r, d->addr);
	d->len = order32(r, d->len);
	d->flags = order16(r, d->flags);
	d->next = order16(r, d->next);
}

/* Walk through a table of @n descriptors, from number @i on. @d: set to the last of them */
static int walk_table(struct ring *r, struct walk *w, const uint8_t *table, uint32_t n,
		      uint32_t i, struct desc *d)
{
	do {
		int ret;

		if (i >= n)
			return bad(r, "a descriptor's number is beyond its table");
		if (w->seen++ == RING_PIECES_MAX)
			return bad(r,
				   "a chain of descriptors is too long, or has no end");
		read_desc(r, table + i * DESC_BYTES, d);
		if (d->flags & DESC_INDIRECT)
			return d->flags & DESC_NEXT
				       ? bad(r, "a descriptor follows an indirect table")
				       : 0;
		ret = add_piece(r, w, d);
		if (ret < 0)
			return ret;
		i = d->next;
	} while (d->flags & DESC_NEXT);
	return 0;
}

static int walk_indirect(struct ring *r, struct walk *w, const struct desc *d)
{
	uint64_t len = d->len;
	const uint8_t *table;
	struct desc last;
	int ret;

	if (!r->has_indirect)
		return bad(r, "an indirect table, which was not agreed on");
	if (!len || len % DESC_BYTES)
		return bad(r, "an indirect table's length is no multiple of 16");
	table = memory_guest(r->memory, d->addr, &len);
	if (!table || len < d->len)
		return bad(r, "an indirect table is in no memory");
	ret = walk_table(r, w, table, d->len / DESC_BYTES, 0, &last);
	if (ret == 0 && (last.flags & DESC_INDIRECT))
		return bad(r, "an indirect table within another one");
	return ret;
}

/* Return: how many chains there are; -EPROTO. */
static int look(struct ring *r)
{
	uint16_t seen = order16(r, __atomic_load_n((uint16_t *)(void *)index_of(r->avail),
						   __ATOMIC_ACQUIRE));
	uint16_t n = (uint16_t)(seen - r->next);

	if (n > r->size)
		return bad(r, "the index of available buffers is ahead by more than the "
			      "ring's size");
	r->avail_seen = seen;
	return n;
}

/*
 * The chain of one descriptor, whose bytes are at one place, as most are.
 *
 * Return: whether it was one, and all is well.
 */
static inline bool pop_single(struct ring *r, struct ring_chain *c, struct iovec *iov)
{
	uint64_t len;
	uint8_t *at;
	struct desc d;

	if (c->id >= r->size)
		return false;
	read_desc(r, r->desc + c->id * DESC_BYTES, &d);
	if (d.flags != (r->is_to_us ? 0 : DESC_WRITE) || !d.len)
		return false;
	len = d.len;
	at = memory_guest(r->memory, d.addr, &len);
	if (!at || len != d.len)
		return false;
	*iov = (struct iovec){ at, d.len };
	c->n = c->slots = 1;
	c->len = d.len;
	return true;
}

/*
 * Any other chain. Its descriptors are read again, and nothing of what pop_single() has read
 * is believed. Return: 0, -E2BIG or -EPROTO.
 */
static __attribute__((noinline)) int pop_any(struct ring *r, struct ring_chain *c,
					     struct iovec *iov, unsigned max)
{
	struct walk w = { .chain = c, .iov = iov, .max = max };
	struct desc last;
	int ret;

	c->n = 0;
	c->len = 0;
	ret = walk_table(r, &w, r->desc, r->size, c->id, &last);
	c->slots = w.seen;
	if (ret == 0 && (last.flags & DESC_INDIRECT))
		ret = walk_indirect(r, &w, &last);
	return ret;
}

int ring_pop(struct ring *r, struct ring_chain *c, struct iovec *iov, unsigned max)
{
	int ret = 0;

	if (r->avail_seen == r->next)
		ret = look(r);
	if (r->avail_seen == r->next || ret < 0)
		return ret;
	c->id = load16(r, avail_element(r, r->next));
	if (!max || !pop_single(r, c, iov))
		ret = pop_any(r, c, iov, max);
	else
		ret = 0;
	if (ret < 0)
		return ret;
	r->next++;
	return 1;
}

/* To write to, which the compiler would not ask for on the oldest x86-64; these ignore it. */
static inline void fetch_to_write(const uint8_t *at)
{
#ifdef __x86_64__
	__asm__ volatile("prefetchw %0" : : "m"(*at));
#else
	__builtin_prefetch(at, 1);
#endif
}

void ring_fetch_desc(const struct ring *r, unsigned ahead)
{
	uint16_t id = load16(r, avail_element(r, (uint16_t)(r->next + ahead)));

	__builtin_prefetch(r->desc + (id & (r->size - 1)) * DESC_BYTES);
}

void ring_prefetch(struct ring *r, unsigned ahead, uint64_t len)
{
	uint16_t id, left = (uint16_t)(r->avail_seen - r->next);
	const uint8_t *at;
	struct desc d;

	if (left <= ahead)
		return;
	id = load16(r, avail_element(r, (uint16_t)(r->next + ahead)));
	if (id >= r->size)
		return;
	ring_fetch_desc(r, ahead + FURTHER);
	read_desc(r, r->desc + id * DESC_BYTES, &d);
	if (len > WRITE_MAX)
		len = WRITE_MAX;
	at = memory_guest(r->memory, d.addr, &len);
	for (uint64_t i = 0; at && i < len; i += RING_CACHE_LINE)
		fetch_to_write(at + i);
}

/* ---- to use ---- */

void ring_undo(struct ring *r, unsigned n)
{
	r->next = (uint16_t)(r->next - n);
	r->used_next = (uint16_t)(r->used_next - n);
}

static void note_dirty(struct ring *r)
{
	for (uint16_t i = r->published; i != r->used_next; i++)
		memory_dirty(r->memory, r->log + (uint64_t)(used_element(r, i) - r->used),
			     RING_USED_ELEMENT);
	/* The index, and the event behind the elements. */
	memory_dirty(r->memory, r->log, 4);
	memory_dirty(r->memory, r->log + (uint64_t)(avail_event(r) - r->used), 2);
}

/* Whether an index that went from @old to @new has passed @event (2.7.7.2). */
static bool has_passed(uint16_t event, uint16_t new, uint16_t old)
{
	return (uint16_t)(new - event - 1) < (uint16_t)(new - old);
}

bool ring_publish(struct ring *r)
{
	uint16_t old = r->published, new = r->used_next;
	bool must_call = r->must_call;

	if (new == old)
		return false;
	__atomic_store_n((uint16_t *)(void *)index_of(r->used), order16(r, new),
			 __ATOMIC_RELEASE);
	if (r->has_log)
		note_dirty(r);
	r->published = new;
	r->must_call = false;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (!r->has_event_idx)
		return !(load16(r, r->avail) & AVAIL_NO_INTERRUPT);
	return must_call || has_passed(load16(r, used_event(r)), new, old);
}

/* ---- kicks ---- */

bool ring_listen(struct ring *r)
{
	if (r->has_event_idx)
		store16(r, avail_event(r), r->avail_seen);
	else if (!r->is_listening)
		store16(r, r->used, 0);
	r->is_listening = true;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return load16(r, index_of(r->avail)) != r->avail_seen;
}

void ring_quiet(struct ring *r)
{
	/* Where there are events, none is ahead. */
	if (!r->has_event_idx && r->is_listening)
		store16(r, r->used, USED_NO_NOTIFY);
	r->is_listening = false;
}

void ring_start(struct ring *r)
{
	uint16_t at = load16(r, index_of(r->used));

	r->next = r->used_next = r->published = r->avail_seen = at;
	r->is_listening = true;
	r->must_call = true;
	r->why = NULL;
	ring_quiet(r);
}
