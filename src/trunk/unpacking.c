/* SPDX-License-Identifier: MIT */
/*
 * Frames out of datagrams. A frame that came whole stays where it lies, and so does the
 * payload of slices. Fragments are copied to their place in the buffer. All of it is a peer's
 * word, so a fragment is taken only where none was yet.
 */
#include "trunk/packing.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/parts.h"
#include "base/util.h"

/* @vnet, @head_len: of a slice, whose @data are its headers, and the payload behind them */
struct fragment {
	uint64_t id;
	uint32_t total, from, len, head_len;
	struct vnet vnet;
	const uint8_t *data;
};

int unpacker_init(struct unpacker *u)
{
	memset(u, 0, sizeof(*u));
	u->buf = malloc(PACKING_BUF);
	u->lent = UINT64_MAX;
	return u->buf ? 0 : -ENOMEM;
}

void unpacker_free(struct unpacker *u)
{
	free(u->buf);
	memset(u, 0, sizeof(*u));
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

/* ---- slices ---- */

/*
 * The frame that the train is. Of only a part of a super-frame the headers are made, for
 * which they are checked, as those of any super-frame.
 *
 * Return: whether there is one.
 */
static bool end_train(struct unpacker *u, struct frame *f)
{
	struct packing_train *t = &u->train;
	struct packing_head *head = &u->heads[u->n_heads];
	struct frame whole = { .head = head->bytes,
			       .len = t->total,
			       .vnet = &head->vnet };
	unsigned n = t->n;
	struct gso g;

	*f = t->f;
	t->n = 0;
	whole.head_len = (uint16_t)frame_peek_len(&whole);
	if ((t->from > f->head_len || t->to < t->total) &&
	    (gso_begin(&g, &whole) < 0 || g.head_len != f->head_len ||
	     gso_part(&g, t->from, t->to, head->bytes, &head->vnet) < 0)) {
		u->lost++;
		return false;
	}
	u->n_heads++;
	u->n_tail += n - 1;
	return true;
}

static void begin_train(struct unpacker *u, const struct fragment *in)
{
	struct packing_head *head = &u->heads[u->n_heads];
	uint32_t payload = in->len - in->head_len;

	copy_some(head->bytes, in->data, in->head_len);
	head->vnet = in->vnet;
	u->train = (struct packing_train){
		.id = in->id,
		.total = in->total,
		.from = in->from,
		.to = in->from + payload,
		.n = 1,
		.f = { .head = head->bytes,
		       .head_len = (uint16_t)in->head_len,
		       .data = in->data + in->head_len,
		       .tail = &u->tail[u->n_tail],
		       .len = in->len,
		       .vnet = &head->vnet },
	};
}

/* Whether a slice continues the train, and there is room for it. */
static bool continues(const struct unpacker *u, const struct fragment *in)
{
	const struct packing_train *t = &u->train;

	return t->id == in->id && t->to == in->from && t->total == in->total &&
	       t->f.head_len == in->head_len && t->n < FRAME_PIECES_MAX - 1 &&
	       u->n_tail + t->n <= PACKING_SLICES;
}

static void continue_train(struct unpacker *u, const struct fragment *in)
{
	struct packing_train *t = &u->train;
	uint32_t payload = in->len - in->head_len;

	u->tail[u->n_tail + t->n - 1] =
		(struct iovec){ (void *)(uintptr_t)(in->data + in->head_len), payload };
	t->n++;
	t->to += payload;
	t->f.len += payload;
	t->f.tail_len += payload;
}

void unpacker_release(struct unpacker *u)
{
	struct packing_train *t = &u->train;

	u->lent = UINT64_MAX;
	if (t->n) {
		if (u->n_heads)
			u->heads[0] = u->heads[u->n_heads];
		memmove(u->tail, &u->tail[u->n_tail], (t->n - 1) * sizeof(u->tail[0]));
		t->f.head = u->heads[0].bytes;
		t->f.vnet = &u->heads[0].vnet;
		t->f.tail = u->tail;
	}
	u->n_heads = u->n_tail = 0;
}

bool unpacker_flush(struct unpacker *u, struct frame *f)
{
	return u->train.n && end_train(u, f);
}

/* ---- items ---- */

/* What fragments and slices have in common. @head: bytes ahead of those that it counts */
static bool read_head(const struct unpacker *u, uint32_t head, struct fragment *in)
{
	size_t left = (size_t)(u->stop - u->at);

	in->len = get_be16(u->at) & (PACKING_SLICE_BIT - 1);
	if (!in->len || left < head + in->len)
		return false;
	in->id = u->id - u->at[2];
	in->total = get_be24(u->at + 3);
	in->from = get_be24(u->at + 6);
	in->data = u->at + head;
	return in->total <= FRAME_MAX;
}

static bool is_within(const struct fragment *in, uint32_t len)
{
	return in->from < in->total && len <= in->total - in->from;
}

/* Return: bytes of the item at u->at; 0: it is none. */
static size_t read_fragment(const struct unpacker *u, struct fragment *in)
{
	if (!read_head(u, PACKING_FRAGMENT_HEAD, in) || !is_within(in, in->len))
		return 0;
	return PACKING_FRAGMENT_HEAD + in->len;
}

static size_t read_slice(const struct unpacker *u, struct fragment *in)
{
	if (!read_head(u, PACKING_SLICE_HEAD, in))
		return 0;
	memcpy(&in->vnet, u->at + PACKING_FRAGMENT_HEAD, VNET_BYTES);
	vnet_swap(&in->vnet);
	in->head_len = in->vnet.hdr_len;
	if (in->head_len > FRAME_PEEK || in->head_len >= in->len ||
	    in->from < in->head_len || !is_within(in, in->len - in->head_len))
		return 0;
	return PACKING_SLICE_HEAD + in->len;
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

/* Return: likewise. */
static enum unpack next_slice(struct unpacker *u, struct frame *f)
{
	struct fragment in;
	size_t size = read_slice(u, &in);

	if (!size)
		return UNPACK_BAD;
	if (u->n_heads > BATCH_MAX)
		return UNPACK_FULL;
	if (!u->train.n) {
		begin_train(u, &in);
	} else if (continues(u, &in)) {
		continue_train(u, &in);
	} else {
		return end_train(u, f) ? UNPACK_FRAME : UNPACK_END;
	}
	u->at += size;
	if (u->train.to < u->train.total)
		return UNPACK_END;
	return end_train(u, f) ? UNPACK_FRAME : UNPACK_END;
}

/* Return: UNPACK_FRAME; UNPACK_END: there is no item; UNPACK_BAD. */
static enum unpack next_plain(struct unpacker *u, uint32_t word, struct frame *f)
{
	if (word > (size_t)(u->stop - u->at) - PACKING_WORD)
		return UNPACK_BAD;
	if (!word)
		return UNPACK_END;
	*f = (struct frame){ .data = u->at + PACKING_WORD, .len = word };
	u->at += PACKING_WORD + word;
	return UNPACK_FRAME;
}

enum unpack unpacker_next(struct unpacker *u, struct frame *f)
{
	enum unpack what = UNPACK_END;

	while (u->stop - u->at >= PACKING_WORD) {
		uint32_t word = get_be16(u->at);
		bool is_slice = HAS_OFFLOAD &&
				word >= (PACKING_FRAGMENT_BIT | PACKING_SLICE_BIT);

		/* Frames stay in order. */
		if (!is_slice && word && unpacker_flush(u, f))
			return UNPACK_FRAME;
		if (is_slice)
			what = next_slice(u, f);
		else if (word & PACKING_FRAGMENT_BIT)
			what = next_fragment(u, f);
		else
			what = next_plain(u, word, f);
		if (what == UNPACK_FRAME || what == UNPACK_FULL)
			return what;
		if (what == UNPACK_BAD || !word)
			break;
	}
	u->at = u->stop;
	if (what != UNPACK_BAD)
		return UNPACK_END;
	u->lost++;
	return what;
}
