/* SPDX-License-Identifier: MIT */
/*
 * Frames out of datagrams. A frame that came whole stays where it lies. Fragments are
 * copied to their place in the buffer. All of it is a peer's word, so a fragment is taken
 * only where none was yet.
 */
#include "trunk/packing.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"

struct fragment {
	uint64_t id;
	uint32_t total, from, len;
	const uint8_t *data;
};

int unpacker_init(struct unpacker *u)
{
	*u = (struct unpacker){ .buf = malloc(PACKING_BUF), .lent = UINT64_MAX };
	return u->buf ? 0 : -ENOMEM;
}

void unpacker_free(struct unpacker *u)
{
	free(u->buf);
	*u = (struct unpacker){ 0 };
}

void unpacker_begin(struct unpacker *u, uint64_t id, const uint8_t *at, size_t len)
{
	u->id = id;
	u->at = at;
	u->stop = at + len;
}

static uint32_t get_be24(const uint8_t *at)
{
	return (uint32_t)at[0] << 16 | get_be16(at + 1);
}

/* ---- where frames are put together ---- */

static void lose(struct unpacker *u, struct packing_part *part)
{
	part->total = 0;
	u->lost++;
}

/* Where a frame of @total bytes would begin: frames are in one piece. */
static uint64_t place_of(const struct unpacker *u, uint32_t total)
{
	uint64_t at = u->end, behind = at % PACKING_BUF;

	return behind + total > PACKING_BUF ? at + PACKING_BUF - behind : at;
}

static struct packing_part *find_part(struct unpacker *u, uint64_t id)
{
	for (unsigned i = 0; i < PACKING_IN_FLIGHT; i++)
		if (u->part[i].total && u->part[i].id == id)
			return &u->part[i];
	return NULL;
}

/* Return: one that is free, if need be because the oldest is given up. */
static struct packing_part *free_part(struct unpacker *u)
{
	struct packing_part *oldest = &u->part[0];

	for (unsigned i = 0; i < PACKING_IN_FLIGHT; i++) {
		if (!u->part[i].total)
			return &u->part[i];
		if (u->part[i].at < oldest->at)
			oldest = &u->part[i];
	}
	lose(u, oldest);
	return oldest;
}

static struct packing_part *new_part(struct unpacker *u, const struct fragment *in)
{
	uint64_t at = place_of(u, in->total);
	struct packing_part *part;

	u->end = at + in->total;
	for (unsigned i = 0; i < PACKING_IN_FLIGHT; i++)
		if (u->part[i].total && u->part[i].at + PACKING_BUF < u->end)
			lose(u, &u->part[i]);
	part = free_part(u);
	part->id = in->id;
	part->at = at;
	part->total = in->total;
	part->have = 0;
	part->n = 0;
	return part;
}

/* Enter bytes @from to @to. Return: false: some were there, or there are too many holes. */
static bool add_range(struct packing_part *p, uint32_t from, uint32_t to)
{
	unsigned i = 0;

	while (i < p->n && p->range[i].to <= from)
		i++;
	if (i < p->n && p->range[i].from < to)
		return false;
	if (i && p->range[i - 1].to == from) {
		p->range[i - 1].to = to;
		if (i < p->n && p->range[i].from == to) {
			p->range[i - 1].to = p->range[i].to;
			p->n--;
			memmove(&p->range[i], &p->range[i + 1],
				(p->n - i) * sizeof(p->range[0]));
		}
	} else if (i < p->n && p->range[i].from == to) {
		p->range[i].from = from;
	} else if (p->n < ARRAY_SIZE(p->range)) {
		memmove(&p->range[i + 1], &p->range[i], (p->n - i) * sizeof(p->range[0]));
		p->range[i].from = from;
		p->range[i].to = to;
		p->n++;
	} else {
		return false;
	}
	p->have += to - from;
	return true;
}

/* ---- items ---- */

/* Return: bytes of the item at u->at; 0: it is none. */
static size_t read_fragment(const struct unpacker *u, struct fragment *in)
{
	size_t left = (size_t)(u->stop - u->at);

	in->len = get_be16(u->at) & ~PACKING_FRAGMENT_BIT;
	if (!in->len || left < PACKING_FRAGMENT_HEAD + in->len)
		return 0;
	in->id = u->id - u->at[2];
	in->total = get_be24(u->at + 3);
	in->from = get_be24(u->at + 6);
	in->data = u->at + PACKING_FRAGMENT_HEAD;
	if (in->total > FRAME_MAX || in->from >= in->total ||
	    in->len > in->total - in->from)
		return 0;
	return PACKING_FRAGMENT_HEAD + in->len;
}

/* Return: whether the frame is complete now. */
static bool take_fragment(struct unpacker *u, struct packing_part *part,
			  const struct fragment *in, struct frame *f)
{
	if (part->total != in->total || !add_range(part, in->from, in->from + in->len)) {
		lose(u, part);
		return false;
	}
	memcpy(u->buf + part->at % PACKING_BUF + in->from, in->data, in->len);
	if (part->have < part->total)
		return false;
	*f = (struct frame){ .data = u->buf + part->at % PACKING_BUF,
			     .len = part->total };
	if (part->at < u->lent)
		u->lent = part->at;
	part->total = 0;
	return true;
}

/* Return: UNPACK_FRAME; UNPACK_END: go on; or another. */
static enum unpack next_fragment(struct unpacker *u, struct frame *f)
{
	struct packing_part *part;
	struct fragment in;
	size_t size = read_fragment(u, &in);

	if (!size)
		return UNPACK_BAD;
	part = find_part(u, in.id);
	if (!part) {
		if (u->lent != UINT64_MAX &&
		    place_of(u, in.total) + in.total - u->lent > PACKING_BUF)
			return UNPACK_FULL;
		part = new_part(u, &in);
	}
	u->at += size;
	return take_fragment(u, part, &in, f) ? UNPACK_FRAME : UNPACK_END;
}

enum unpack unpacker_next(struct unpacker *u, struct frame *f)
{
	while (u->stop - u->at >= PACKING_WORD) {
		uint32_t word = get_be16(u->at);
		enum unpack what;

		if (word & PACKING_FRAGMENT_BIT) {
			what = next_fragment(u, f);
			if (what == UNPACK_END)
				continue;
			if (what == UNPACK_BAD)
				u->at = u->stop;
			return what;
		}
		if (word > (size_t)(u->stop - u->at) - PACKING_WORD) {
			u->at = u->stop;
			return UNPACK_BAD;
		}
		if (!word)
			break;
		*f = (struct frame){ .data = u->at + PACKING_WORD, .len = word };
		u->at += PACKING_WORD + word;
		return UNPACK_FRAME;
	}
	u->at = u->stop;
	return UNPACK_END;
}
