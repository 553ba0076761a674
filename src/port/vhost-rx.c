/* SPDX-License-Identifier: MIT */
/*
 * Frames from a guest. The virtio header and the first FRAME_PEEK bytes are copied, and all is
 * decided on the copy. A frame that is no longer than that is one like any other; of a longer
 * one the rest stays in the guest's memory, and the frame's pieces point to it. Its chain is
 * marked as used in rx_done(), when nobody needs it any more.
 */
#include <errno.h>
#include <string.h>

#include "base/parts.h"
#include "frame/gso.h"
#include "frame/headers.h"
#include "port/vhost-copy.h"
#include "port/vhost-io.h"

#define RX_BYTES ((size_t)128 << 10) /* about the most one wake-up takes */
#define ALIGN 16u
#define RARP_LEN 60
#define FETCH_DESCS 12 /* chains whose descriptors are fetched ahead of time */
#define FETCH_PIECES 2 /* a header may be alone in the first one */

_Static_assert(PORT_QUEUE_HIGH + RX_BYTES + FRAME_MAX <= PORT_QUEUE_BYTES,
	       "a queue must take what one more wake-up brings, or a cable loses frames");

/*
 * What is left of the buffer that all ports share: for pieces, and for bytes.
 */
struct room {
	struct iovec *iov;
	uint8_t *at;
};

#define ROOM_PIECES (BATCH_MAX * RING_PIECES_MAX)

_Static_assert(ALIGN + ROOM_PIECES * sizeof(struct iovec) +
			       BATCH_MAX * (LAYOUT_PREFIX_MAX + FRAME_PEEK) + RX_BYTES +
			       LAYOUT_FRAME_MAX <=
		       BATCH_BUF_SIZE,
	       "the buffer must take a batch, whatever its frames are");

/* A chain that was popped: @n pieces, which are being read, of @len bytes, or of more than that. */
struct source {
	struct iovec *iov;
	unsigned n;
	uint32_t len;
};

/* Copy the first @len bytes, which must exist, and go on behind them. */
static void take_bytes(struct source *s, uint8_t *to, size_t len)
{
	while (len) {
		size_t n = min_size(len, s->iov->iov_len);

		vhost_copy(to, s->iov->iov_base, n);
		s->iov->iov_base = (uint8_t *)s->iov->iov_base + n;
		s->iov->iov_len -= n;
		if (!s->iov->iov_len) {
			s->iov++;
			s->n--;
		}
		to += n;
		len -= n;
	}
	ring_barrier();
}

/*
 * Whether a frame is what its virtio header says, so that it can be given to another guest, or
 * to the kernel.
 */
static bool is_sound(const struct frame *f)
{
	const struct vnet *v = f->vnet;
	struct gso g;

	if (v->gso_type != VNET_GSO_NONE)
		return gso_begin(&g, f) == 0;
	return v->csum_start >= FRAME_HEADER &&
	       (uint32_t)v->csum_start + v->csum_offset + sizeof(uint16_t) <= f->len;
}

static inline void count_received(struct port *p, uint32_t len)
{
	p->count.rx_frames++;
	p->count.rx_bytes += len;
}

/*
 * A frame has been made behind those of the batch. It is not copied there, for the processor
 * would wait for what was just written.
 */
static void take_frame(struct port *p, struct batch *b, struct frame *f)
{
	if (f->vnet && !is_sound(f)) {
		count_received(p, f->len);
		port_drop(p, DROP_MALFORMED, 1);
	} else if (f->is_foreign) {
		frame_assert(f);
		count_received(p, f->len);
		b->n++;
	} else {
		port_take(p, b, f);
	}
}

/* Put the rest of a frame, whose @have bytes at @data were copied, into its pieces. */
static void lend_rest(struct frame *f, const struct source *s, const uint8_t *data,
		      uint32_t have)
{
	f->head = data;
	f->head_len = (uint16_t)have;
	f->data = s->iov->iov_base;
	f->tail = s->iov + 1;
	f->tail_len = f->len - have - (uint32_t)s->iov->iov_len;
	f->is_foreign = true;
}

/*
 * Take a short plain frame from one piece, as most are. Its struct frame is made where the
 * compiler likes: mostly all that is needed is that the last run is longer now.
 */
static inline void take_short(struct port *p, struct batch *b, struct room *room,
			      const struct source *s, uint32_t len)
{
	struct frame f = { .len = len };
	uint8_t *data = room->at + LAYOUT_PREFIX;

	copy_some(data, s->iov->iov_base, len);
	ring_barrier();
	layout_put(&f, data);
	room->at = data + len;
	count_received(p, len);
	frame_assert(&f);
	batch_add(b, &f);
}

/* @vnet: its virtio header, or NULL; the caller's */
static void take_chain(struct port *p, struct batch *b, struct room *room,
		       struct source *s, uint32_t len, const struct vnet *vnet)
{
	struct frame *f = &b->frame[b->n];
	uint32_t have = len < FRAME_PEEK ? len : FRAME_PEEK;
	uint8_t *data = room->at + (vnet ? LAYOUT_PREFIX_MAX : LAYOUT_PREFIX);

	*f = (struct frame){ .len = len };
	if (vnet) {
		f->vnet = (const struct vnet *)(data - VNET_BYTES);
		memcpy(data - VNET_BYTES, vnet, VNET_BYTES);
	}
	take_bytes(s, data, have);
	if (have < len && s->n < FRAME_PIECES_MAX) {
		lend_rest(f, s, data, have);
	} else {
		take_bytes(s, data + have, len - have);
		have = len;
		layout_put(f, data);
	}
	room->at = data + have;
	take_frame(p, b, f);
}

/* Mostly it is at the beginning of the first piece, with the frame behind it. */
static void take_header(const struct device *d, struct source *s, struct vnet *vnet)
{
	uint8_t rest[VHOST_HEADER_MAX - VNET_BYTES];
	struct iovec *first = s->iov;

	if (first->iov_len > VHOST_HEADER_MAX) {
		memcpy(vnet, first->iov_base, sizeof(*vnet));
		ring_barrier();
		first->iov_base = (uint8_t *)first->iov_base + d->header;
		first->iov_len -= d->header;
	} else {
		take_bytes(s, (uint8_t *)vnet, sizeof(*vnet));
		take_bytes(s, rest, d->header - sizeof(*vnet));
	}
	vhost_order_vnet(d, vnet);
}

/* Return: 1; 0: there is no chain; -EPROTO, with the ring's why. */
static int pop_one(struct device *d, struct iovec *iov, struct source *s)
{
	struct ring *r = &d->ring[DEVICE_TX].ring;
	struct ring_chain c;
	int ret;

	ring_fetch_desc(r, FETCH_DESCS);
	ret = ring_pop(r, &c, iov, RING_PIECES_MAX);
	if (ret == 0)
		return 0;
	if (ret > 0 && c.len < d->header)
		r->why = "a frame is shorter than its virtio header";
	if (ret < 0 || c.len < d->header)
		return -EPROTO;
	ring_use(r, c.id, 0);
	*s = (struct source){ iov, c.n,
			      c.len < UINT32_MAX ? (uint32_t)c.len : UINT32_MAX };
	/* Most likely it is in the cache of another core, which runs the guest. */
	for (unsigned i = 0; i < c.n && i < FETCH_PIECES; i++)
		ring_fetch(iov[i].iov_base, iov[i].iov_len);
	return 1;
}

/*
 * Pop chains, up to @max and about RX_BYTES.
 * @ret: set to 1: there may be more; 0: there are none; -EPROTO, with the ring's why
 *
 * Return: how many there are at @s.
 */
static unsigned pop_some(struct device *d, struct room *room, struct source *s,
			 unsigned max, int *ret)
{
	struct ring *r = &d->ring[DEVICE_TX].ring;
	uint64_t bytes = 0;
	unsigned n = 0;

	*ret = 1;
	/* A guest that shows chains and hides them again must not keep us here. */
	for (unsigned tries = 0; tries < max && bytes < RX_BYTES && !d->memory.is_broken;
	     tries++) {
		*ret = pop_one(d, room->iov, &s[n]);
		if (*ret < 0 || (*ret == 0 && !ring_listen(r)))
			break;
		if (*ret == 0) {
			*ret = 1;
			continue;
		}
		room->iov += s[n].n;
		bytes += s[n++].len;
	}
	return n;
}

static void take_one(struct vhost *v, struct batch *b, struct room *room,
		     struct source *s)
{
	struct device *d = &v->device;
	struct frame wrong = { .len = s->len - d->header };
	struct vnet vnet;
	bool has_vnet;

	if (frame_check_len(wrong.len) != FRAME_OK) {
		port_take(&v->port, b, &wrong);
		return;
	}
	take_header(d, s, &vnet);
	vnet.flags &= VNET_NEEDS_CSUM;
	has_vnet = HAS_OFFLOAD && (vnet.flags || vnet.gso_type);
	if (!has_vnet && s->n == 1 && wrong.len <= FRAME_PEEK)
		take_short(&v->port, b, room, s, wrong.len);
	else
		take_chain(&v->port, b, room, s, wrong.len, has_vnet ? &vnet : NULL);
}

/* A frame that tells the network where the guest is now, as QEMU's announce_self_create(). */
static void take_rarp(struct vhost *v, struct batch *b, struct room *room)
{
	static const uint8_t middle[] = { 0x80, 0x35, 0, 1, 8, 0, 6, 4, 0, 3 };
	uint8_t *data = room->at + LAYOUT_PREFIX;
	struct frame f = { .len = RARP_LEN };
	const uint8_t *mac = v->device.mac;

	v->device.has_mac = false;
	memset(data, 0, RARP_LEN);
	memset(data, 0xff, sizeof(v->device.mac));
	memcpy(data + ETH_SOURCE, mac, sizeof(v->device.mac));
	memcpy(data + ETH_TYPE, middle, sizeof(middle));
	memcpy(data + 22, mac, sizeof(v->device.mac));
	memcpy(data + 32, mac, sizeof(v->device.mac));
	layout_put(&f, data);
	room->at = data + RARP_LEN;
	port_take(&v->port, b, &f);
}

static struct room room_of(struct batch *b)
{
	uint8_t *at = b->buf + (ALIGN - (uintptr_t)b->buf % ALIGN) % ALIGN;

	return (struct room){
		.iov = (struct iovec *)(void *)at,
		.at = at + ROOM_PIECES * sizeof(struct iovec),
	};
}

/*
 * The guest's kicks are wanted only once its ring is empty. While it is not, the port is asked
 * again in the next turn.
 */
int vhost_rx(struct port *p, struct batch *b)
{
	struct vhost *v = vhost_of(p);
	struct device *d = &v->device;
	struct ring *r = &d->ring[DEVICE_TX].ring;
	struct room room = room_of(b);
	struct source s[BATCH_MAX];
	unsigned n, more = 0;
	int ret;

	if (d->has_mac) {
		take_rarp(v, b, &room);
		more++;
	}
	if (!d->ring[DEVICE_TX].runs)
		return 0;
	ring_quiet(r);
	n = pop_some(d, &room, s, BATCH_MAX - more, &ret);
	for (unsigned i = 0; i < n && !d->memory.is_broken; i++)
		take_one(v, b, &room, &s[i]);
	b->later = ret > 0 && (r->avail_seen != r->next || ring_listen(r));
	ret = device_look(d, DEVICE_TX, ret < 0 ? ret : 0);
	if (d->memory.is_broken) {
		/* Nobody knows what of them was still there when it was read. */
		port_drop(p, DROP_CUT, run_count(b->frame, b->n));
		b->n = 0;
	}
	/* What came ahead of a fault passes. */
	if (ret < 0)
		vhost_fail(v, ret);
	return 0;
}

void vhost_rx_done(struct port *p)
{
	struct vhost *v = vhost_of(p);
	struct device *d = &v->device;
	int ret = 0;

	if (d->ring[DEVICE_TX].runs && ring_publish(&d->ring[DEVICE_TX].ring))
		ret = device_call(d, DEVICE_TX);
	/* Others may have touched its memory since. */
	ret = ret < 0 ? ret : device_look(d, DEVICE_TX, 0);
	if (ret < 0)
		vhost_fail(v, ret);
}
