/* SPDX-License-Identifier: MIT */
/*
 * A guest's network driver on top of vhost-front.h (VIRTIO 1.2, section 5.1): frames in
 * chains that are cut as the test wants them, and buffers to receive into, each for a frame,
 * or several for one if MRG_RXBUF was agreed on.
 */
#ifndef LIB_VHOST_GUEST_H
#define LIB_VHOST_GUEST_H

#include "lib/vhost-front.h"

#define GUEST_FRAME_MAX 70000
#define GUEST_BUFFERS_MAX 1024 /* of one frame */

/* The header of a frame, in our own byte order. */
struct guest_header {
	uint8_t flags, gso_type;
	uint16_t hdr_len, gso_size, csum_start, csum_offset, num_buffers;
};

_Static_assert(sizeof(struct guest_header) == 12, "as it lies ahead of a frame");

static inline struct guest_header guest_swap(const struct vring *r, struct guest_header h)
{
	h.hdr_len = vring16(r, h.hdr_len);
	h.gso_size = vring16(r, h.gso_size);
	h.csum_start = vring16(r, h.csum_start);
	h.csum_offset = vring16(r, h.csum_offset);
	h.num_buffers = vring16(r, h.num_buffers);
	return h;
}

/* guest_lay() - Pieces of those lengths in the next chain's slot, with @gap bytes between them. */
static inline void guest_lay(const struct vring *r, struct vring_piece *piece,
			     const uint32_t *len, unsigned n, uint32_t gap,
			     bool is_writable)
{
	uint64_t from = vring_slot(r, vring_next_head(r)), at = from;

	for (unsigned i = 0; i < n; i++) {
		piece[i] = (struct vring_piece){ at, len[i], is_writable };
		at += len[i] + gap;
	}
	if (at - from > r->slot_bytes)
		abort();
}

/* guest_fill() - Copy bytes into a chain's pieces, from @offset of the chain on. */
static inline void guest_fill(struct front *f, const struct vring_piece *piece,
			      unsigned n, uint32_t offset, const void *bytes,
			      uint32_t len)
{
	const uint8_t *from = bytes;

	for (unsigned i = 0; i < n && len; i++) {
		uint32_t skip = offset < piece[i].len ? offset : piece[i].len;
		uint32_t part = piece[i].len - skip < len ? piece[i].len - skip : len;

		memcpy((uint8_t *)front_at(f, piece[i].at) + skip, from, part);
		offset -= skip;
		from += part;
		len -= part;
	}
}

/* guest_offer() - Offer a frame in pieces of those lengths. Return: false when there is no room. */
static inline bool guest_offer(struct front *f, const struct guest_header *h,
			       const uint8_t *frame, uint32_t len, const uint32_t *cut,
			       unsigned n, uint32_t gap, bool is_indirect)
{
	struct vring *r = &f->ring[FRONT_TX];
	struct vring_piece piece[VRING_PIECES];
	struct guest_header header = guest_swap(r, *h);

	if (!vring_has_room(r, n, is_indirect))
		return false;
	guest_lay(r, piece, cut, n, gap, false);
	guest_fill(f, piece, n, 0, &header, f->header);
	guest_fill(f, piece, n, f->header, frame, len);
	vring_put(r, piece, n, is_indirect);
	return true;
}

/* guest_send() - Send a frame without an offload, in one piece. Return: as guest_offer(). */
static inline bool guest_send(struct front *f, const uint8_t *frame, uint32_t len)
{
	static const struct guest_header none;
	uint32_t cut = f->header + len;

	if (!guest_offer(f, &none, frame, len, &cut, 1, 0, false))
		return false;
	vring_push(&f->ring[FRONT_TX]);
	return true;
}

/* guest_reap() - Take back the chains of frames that have gone. Return: how many. */
static inline unsigned guest_reap(struct front *f)
{
	struct vring *r = &f->ring[FRONT_TX];
	unsigned n = 0;
	uint32_t len;

	for (; vring_take(r, &len) >= 0; n++)
		if (len)
			vring_blame(r, "bytes are said to be in what the guest sent");
	if (n)
		vring_rearm(r);
	return n;
}

/* guest_post() - Offer a buffer to receive into. Return: false when there is no room. */
static inline bool guest_post(struct front *f, const uint32_t *len, unsigned n,
			      uint32_t gap, bool is_indirect)
{
	struct vring *r = &f->ring[FRONT_RX];
	struct vring_piece piece[VRING_PIECES];

	if (!vring_has_room(r, n, is_indirect))
		return false;
	guest_lay(r, piece, len, n, gap, true);
	vring_put(r, piece, n, is_indirect);
	return true;
}

/* guest_refill() - Buffers of config.buffer bytes, as many as there is room for. */
static inline void guest_refill(struct front *f)
{
	bool any = false;

	while (guest_post(f, &f->config.buffer, 1, 0, false))
		any = true;
	if (any)
		vring_push(&f->ring[FRONT_RX]);
}

/* guest_gather() - The first @len bytes of a chain. Return: false when it has fewer. */
static inline bool guest_gather(const struct front *f, const struct vring *r,
				unsigned head, uint8_t *to, uint32_t len)
{
	for (unsigned i = 0; i < r->chain[head].n && len; i++) {
		const struct vring_piece *p = vring_piece(r, head, i);
		uint32_t part = p->len < len ? p->len : len;

		memcpy(to, front_at(f, p->at), part);
		to += part;
		len -= part;
	}
	return !len;
}

static inline uint32_t guest_capacity(const struct vring *r, unsigned head)
{
	uint32_t len = 0;

	for (unsigned i = 0; i < r->chain[head].n; i++)
		len += vring_piece(r, head, i)->len;
	return len;
}

/* The next buffer of a frame, appended to @to. Return: its bytes; 0 and a fault. */
static inline uint32_t guest_take_buffer(struct front *f, uint8_t *to, uint32_t room,
					 bool is_last)
{
	struct vring *r = &f->ring[FRONT_RX];
	uint32_t len = 0;
	int head = vring_take(r, &len);

	if (head < 0)
		vring_blame(r, "fewer buffers were used at once than the frame has");
	else if (!len || len > room || !guest_gather(f, r, (unsigned)head, to, len))
		vring_blame(r, "a buffer has more bytes than room, or none");
	else if (!is_last && len != guest_capacity(r, (unsigned)head))
		vring_blame(r, "a buffer is not full, and not the frame's last");
	return r->fault ? 0 : len;
}

/* The header of the frame that has come, before any of it is taken. */
static inline void guest_look(struct front *f, struct guest_header *h)
{
	struct vring *r = &f->ring[FRONT_RX];
	struct vring_used u;

	memset(h, 0, sizeof(*h));
	memcpy(&u, &r->used[2 + 4 * (r->used_idx & (r->size - 1))], sizeof(u));
	u.id = vring32(r, u.id);
	if (u.id >= r->size || !r->chain[u.id].n_descs ||
	    !guest_gather(f, r, u.id, (uint8_t *)h, f->header)) {
		vring_blame(r, "a header is not whole in the first buffer");
		return;
	}
	*h = guest_swap(r, *h);
	if (f->header < sizeof(*h))
		h->num_buffers = 1;
	if (!h->num_buffers || (h->num_buffers > 1 && !front_has(f, FRONT_F_MRG_RXBUF)))
		vring_blame(r, "the number of buffers can't be right");
}

/*
 * guest_receive() - Take the next frame, if one has come.
 * @frame: GUEST_FRAME_MAX bytes
 * @h:     its header, in our byte order
 *
 * All its buffers must have been used by then, as drivers want it; all but the last must be
 * full.
 *
 * Return: its length; 0 when there is none, or a fault.
 */
static inline uint32_t guest_receive(struct front *f, uint8_t *frame,
				     struct guest_header *h)
{
	static uint8_t whole[sizeof(*h) + GUEST_FRAME_MAX];
	struct vring *r = &f->ring[FRONT_RX];
	uint32_t len = 0;

	if (r->fault || !vring_n_used(r))
		return 0;
	guest_look(f, h);
	for (unsigned i = 0; !r->fault && i < h->num_buffers; i++)
		len += guest_take_buffer(f, whole + len, (uint32_t)sizeof(whole) - len,
					 i + 1 == h->num_buffers);
	if (!r->fault && len < f->header)
		vring_blame(r, "the first buffer has less than a header");
	if (r->fault)
		return 0;
	vring_rearm(r);
	memcpy(frame, whole + f->header, len - f->header);
	return len - f->header;
}

#endif
