/* SPDX-License-Identifier: MIT */
/*
 * Merges the frames of one batch. Each frame is added to a unit or begins one. A hash table
 * over addresses and ports finds the last unit of the frame's flow. Then the frame's headers
 * are compared with those of the unit's first frame, through a mask of the bits that must be
 * equal, and its sequence number and IP ID with those expected next. The headers of a merged
 * frame are made at the end, when its length is known.
 */
#include "frame/gro.h"

#include <string.h>

#include "base/util.h"
#include "frame/csum.h"
#include "frame/gro-packet.h"
#include "frame/headers.h"

#define SLOTS (2 * BATCH_MAX) /* slots of the hash table; a power of two */

_Static_assert((SLOTS & (SLOTS - 1)) == 0, "for a mask");
_Static_assert(BATCH_MAX <= 64, "UDP_MAX_SEGMENTS, before Linux 6.10");
_Static_assert(BATCH_MAX < UINT8_MAX, "for a slot");

/*
 * The flow of the unit with the same index.
 * @first:       the unit's first frame
 * @is_open:     further frames may be added to the unit
 * @is_verified: the checksums of the first frame are right
 * @psh:         the last frame has PSH
 * @next_seq, @next_id: sequence number and IPv4 ID that the next frame must have
 * @payload_len: payload bytes of all frames
 */
struct flow {
	struct gro_packet first;
	bool is_open, is_verified, psh;
	uint16_t next_id;
	uint32_t next_seq;
	uint32_t payload_len;
};

/*
 * @any_open: in this batch a flow was opened
 * @slot:     the hash table: index of a flow's last unit plus one; 0 if the slot is free
 */
struct merge {
	struct gro *g;
	bool any_open;
	struct flow flow[BATCH_MAX];
	uint8_t slot[SLOTS];
};

/* Find the slot of a flow, or the free one that it can have. */
static uint8_t *find(struct merge *m, const struct gro_packet *p)
{
	uint32_t i = p->hash & (SLOTS - 1);

	while (m->slot[i] && !gro_is_same_flow(&m->flow[m->slot[i] - 1].first, p))
		i = (i + 1) & (SLOTS - 1);
	return &m->slot[i];
}

/* Whether @p, of the same flow, is the segment that a split of the merged packet makes next. */
static bool is_next(const struct flow *fl, const struct gro_packet *p)
{
	const uint8_t *ip = p->head + p->l3, *l4 = p->head + p->l4;
	uint32_t len = p->head_len - p->l3 + fl->payload_len + p->payload_len;

	if (p->payload_len > fl->first.payload_len || len > GRO_IP_MAX)
		return false;
	if (!p->is_ipv6 && get_be16(ip + IP4_ID) != fl->next_id)
		return false;
	if (p->kind->is_tcp && get_be32(l4 + TCP_SEQ) != fl->next_seq)
		return false;
	return gro_is_alike(&fl->first, p);
}

static void add_piece(struct gro_unit *u, const uint8_t *data, size_t len)
{
	u->iov[u->n_iov++] = (struct iovec){ (void *)(uintptr_t)data, len };
}

/* Note the sequence number and IP ID expected next, and whether another segment may follow. */
static void note(struct flow *fl, const struct gro_packet *p)
{
	const uint8_t *l4 = p->head + p->l4;

	if (!p->is_ipv6)
		fl->next_id = (uint16_t)(get_be16(p->head + p->l3 + IP4_ID) + 1);
	if (p->kind->is_tcp) {
		fl->next_seq = get_be32(l4 + TCP_SEQ) + p->payload_len;
		fl->psh = l4[TCP_FLAGS] & TCP_PSH;
	}
	fl->payload_len += p->payload_len;
	fl->is_open = !fl->psh && p->payload_len == fl->first.payload_len;
}

static void append(struct gro_unit *u, struct flow *fl, const struct gro_packet *p)
{
	if (u->frames == 1) {
		u->n_iov = 1;
		add_piece(u, u->head, p->head_len);
		add_piece(u, fl->first.payload, fl->first.payload_len);
	}
	add_piece(u, p->payload, p->payload_len);
	u->frames++;
	u->bytes += p->len;
	note(fl, p);
}

/*
 * Add a frame to the last unit of its flow, if that is open and the frame continues it.
 * @is_bad: set if the frame's checksums are wrong
 */
static bool try_append(struct gro_unit *u, struct flow *fl, const struct gro_packet *p,
		       bool *is_bad)
{
	if (!fl->is_open || !is_next(fl, p))
		return false;
	if (!fl->is_verified && !gro_is_intact(&fl->first))
		return false;
	fl->is_verified = true;
	*is_bad = !gro_is_intact(p);
	if (*is_bad)
		return false;
	append(u, fl, p);
	return true;
}

/* Begin a unit with a frame. Return: its flow, which is not open yet. */
static struct flow *begin(struct merge *m, const struct frame *f)
{
	struct gro_unit *u = &m->g->unit[m->g->n];
	struct flow *fl = &m->flow[m->g->n++];

	memset(&u->vnet, 0, sizeof(u->vnet));
	u->frames = 1;
	u->bytes = f->len;
	u->iov[0] = (struct iovec){ &u->vnet, VNET_BYTES };
	u->n_iov = 1 + (int)frame_pieces(f, u->iov + 1, GRO_IOV_MAX - 1);
	fl->is_open = false;
	return fl;
}

static void open_flow(struct flow *fl, const struct gro_packet *p)
{
	*fl = (struct flow){ .first = *p };
	note(fl, p);
}

/*
 * Close all units between the same IP addresses if these are known, otherwise between the
 * same Ethernet addresses. A frame too short to have any addresses closes all units.
 */
static void close_between(struct merge *m, const struct gro_packet *p,
			  enum gro_known known)
{
	for (unsigned i = 0; m->any_open && i < m->g->n; i++) {
		struct flow *fl = &m->flow[i];
		const uint8_t *a, *b = p->head;
		size_t len = ETH_TYPE;

		if (!fl->is_open)
			continue;
		a = fl->first.head;
		if (known == GRO_KNOWN_ADDRESSES) {
			if (fl->first.is_ipv6 != p->is_ipv6)
				continue;
			a += fl->first.l3 + fl->first.kind->addresses;
			b += p->l3 + fl->first.kind->addresses;
			len = fl->first.kind->addresses_size;
		}
		if (p->have < ETH_TYPE || !memcmp(a, b, len))
			fl->is_open = false;
	}
}

/* Return: the index of the frame's unit. */
static unsigned add_frame(struct merge *m, const struct frame *f)
{
	struct gro_packet p = { 0 };
	uint8_t room[FRAME_PEEK];
	enum gro_known known = gro_parse(&p, f, m->g->udp, room);
	bool is_bad = false;
	uint8_t *slot;
	unsigned last;

	if (known < GRO_KNOWN_FLOW) {
		close_between(m, &p, known);
		begin(m, f);
		return m->g->n - 1;
	}
	slot = find(m, &p);
	if (*slot) {
		last = *slot - 1u;
		if (known == GRO_KNOWN_MERGEABLE &&
		    try_append(&m->g->unit[last], &m->flow[last], &p, &is_bad))
			return last;
		m->flow[last].is_open = false;
	}
	if (known == GRO_KNOWN_MERGEABLE && !is_bad) {
		open_flow(begin(m, f), &p);
		m->any_open = true;
		*slot = (uint8_t)m->g->n;
	} else {
		begin(m, f);
	}
	return m->g->n - 1;
}

static void finish(struct gro_unit *u, const struct flow *fl)
{
	const struct gro_packet *p = &fl->first;
	uint32_t l4_len = p->head_len - p->l4 + fl->payload_len;
	uint8_t *ip = u->head + p->l3, *l4 = u->head + p->l4;
	uint16_t csum;

	memcpy(u->head, p->head, p->head_len);
	if (p->is_ipv6) {
		put_be16(ip + IP6_LEN, l4_len);
	} else {
		put_be16(ip + IP4_LEN, IP4_SIZE + l4_len);
		memset(ip + IP4_CSUM, 0, sizeof(csum));
		csum = (uint16_t)~csum_fold(csum_add(0, ip, IP4_SIZE));
		memcpy(ip + IP4_CSUM, &csum, sizeof(csum));
	}
	if (fl->psh)
		l4[TCP_FLAGS] |= TCP_PSH;
	if (!p->kind->is_tcp)
		put_be16(l4 + UDP_LEN, l4_len);
	csum = csum_fold(csum_pseudo(ip, p->kind->proto, l4_len));
	memcpy(l4 + p->kind->csum, &csum, sizeof(csum));
	u->vnet = (struct vnet){
		.flags = VNET_NEEDS_CSUM,
		.gso_type = p->kind->gso_type,
		.hdr_len = (uint16_t)p->head_len,
		.gso_size = (uint16_t)p->payload_len,
		.csum_start = (uint16_t)p->l4,
		.csum_offset = p->kind->csum,
	};
}

void gro_merge(struct gro *g, const struct frame *f, unsigned n)
{
	struct merge m;

	m.g = g;
	m.any_open = false;
	g->n = 0;
	g->of[0] = 0;
	if (n == 1) {
		begin(&m, f);
		return;
	}
	memset(m.slot, 0, sizeof(m.slot));
	for (unsigned i = 0; i < n; i++)
		g->of[i] = (uint8_t)add_frame(&m, &f[i]);
	for (unsigned i = 0; i < g->n; i++) {
		if (g->unit[i].frames > 1)
			finish(&g->unit[i], &m.flow[i]);
	}
}
