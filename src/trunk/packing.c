/* SPDX-License-Identifier: MIT */
/* Frames into datagrams. */
#include "trunk/packing.h"

#include <errno.h>
#include <string.h>

#include "base/util.h"

#define FRAGMENT_LEAST 64 /* bytes; where fewer fit, a frame rather begins in the next */

_Static_assert((FRAME_MAX + FRAGMENT_LEAST) /
				       (PACKING_PAYLOAD_MIN - PACKING_FRAGMENT_HEAD) +
			       2 <
		       PACKING_FRAGMENTS_MAX,
	       "an index is one byte");
_Static_assert(PACKING_SLICE_HEAD + GSO_HEAD_MAX < PACKING_PAYLOAD_MIN,
	       "a segment has some payload, whatever its headers");

static void put_be24(uint8_t *at, uint32_t v)
{
	at[0] = (uint8_t)(v >> 16);
	put_be16(at + 1, v);
}

void packer_begin(struct packer *p, uint8_t *to, uint32_t room)
{
	p->to = to;
	p->room = room;
	p->n = 0;
	if (p->from)
		p->index++;
}

static void put_head(uint8_t *at, const struct packer *p, uint32_t word, uint32_t total,
		     uint32_t from)
{
	put_be16(at, word);
	at[2] = (uint8_t)p->index;
	put_be24(at + 3, total);
	put_be24(at + 6, from);
}

static void put_whole(struct packer *p, const struct frame *f)
{
	put_be16(p->to + p->n, f->len);
	frame_copy(p->to + p->n + PACKING_WORD, f, 0, f->len);
	p->n += PACKING_WORD + f->len;
}

/* Return: whether it was the last one. */
static bool put_fragment(struct packer *p, const struct frame *f)
{
	uint32_t room = p->room - p->n - PACKING_FRAGMENT_HEAD;
	uint32_t len = (uint32_t)min_size(room, f->len - p->from);
	uint8_t *at = p->to + p->n;

	put_head(at, p, PACKING_FRAGMENT_BIT | len, f->len, p->from);
	frame_copy(at + PACKING_FRAGMENT_HEAD, f, p->from, len);
	p->n += PACKING_FRAGMENT_HEAD + len;
	p->from += len;
	if (p->from < f->len)
		return false;
	packer_forget(p);
	return true;
}

bool packer_put(struct packer *p, const struct frame *f)
{
	uint32_t left = p->room - p->n;

	if (!p->from && PACKING_WORD + f->len <= left) {
		put_whole(p, f);
		return true;
	}
	/* What fits one datagram waits for the next. */
	if (!p->from && PACKING_WORD + f->len <= p->room)
		return false;
	if (left < PACKING_FRAGMENT_HEAD + FRAGMENT_LEAST)
		return false;
	return put_fragment(p, f);
}

bool packer_put_slice(struct packer *p, const struct gso *g)
{
	const struct frame *f = g->frame;
	uint32_t from = p->from ? p->from : g->head_len;
	uint32_t len = (uint32_t)min_size(g->gso_size, f->len - from);
	uint8_t *at = p->to + p->n;

	if (PACKING_SLICE_HEAD + g->head_len + len > p->room - p->n)
		return false;
	put_head(at, p, PACKING_FRAGMENT_BIT | PACKING_SLICE_BIT | (g->head_len + len),
		 f->len, from);
	memcpy(at + PACKING_FRAGMENT_HEAD, f->vnet, VNET_BYTES);
	at += PACKING_SLICE_HEAD;
	copy_some(at, g->head, g->head_len);
	frame_copy(at + g->head_len, f, from, len);
	p->n += PACKING_SLICE_HEAD + g->head_len + len;
	p->from = from + len;
	if (p->from == f->len)
		packer_forget(p);
	return true;
}

/* As gso_begin(), with segments of TCP no longer than @most. */
static int begin_short(struct gso *g, const struct frame *f, uint32_t most,
		       struct vnet *vnet, struct frame *shorter)
{
	int ret = gso_begin(g, f);

	if (ret < 0 || !g->is_tcp || g->head_len + g->gso_size <= most)
		return ret;
	*vnet = *f->vnet;
	vnet->gso_size = (uint16_t)(most - g->head_len);
	*shorter = *f;
	shorter->vnet = vnet;
	return gso_begin(g, shorter);
}

int packing_split(struct gso *g, const struct frame *f, uint32_t room, struct vnet *vnet,
		  struct frame *shorter)
{
	return begin_short(g, f, room - PACKING_WORD, vnet, shorter);
}

int packing_slice(struct gso *g, const struct frame *f, uint32_t room, struct vnet *vnet,
		  struct frame *copy)
{
	uint32_t most = room - PACKING_SLICE_HEAD;
	int ret = begin_short(g, f, most, vnet, copy);

	if (ret < 0)
		return ret;
	if (g->head_len + g->gso_size > most || g->n >= PACKING_FRAGMENTS_MAX)
		return -EMSGSIZE;
	*vnet = *g->frame->vnet;
	vnet->hdr_len = (uint16_t)g->head_len;
	vnet_swap(vnet);
	*copy = *f;
	copy->vnet = vnet;
	g->frame = copy;
	return 0;
}
