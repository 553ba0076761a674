/* SPDX-License-Identifier: MIT */
/*
 * Frames of a guest's rings.
 *
 * From the guest. The virtio header and the first FRAME_PEEK bytes are copied, and all is
 * decided on the copy. A frame that is no longer than that is one like any other; of a longer
 * one the rest stays in the guest's memory, and the frame's pieces point to it. Its chain is
 * marked as used in rx_done(), when nobody needs it any more.
 *
 * To the guest. A frame is copied to where the guest's buffers are, with its header and its
 * padding ahead and behind: so a frame goes from guest to guest by one copy. It may take
 * several buffers if the guest agreed on that (VIRTIO_NET_F_MRG_RXBUF).
 */
#include "port/vhost-io.h"

#include <errno.h>
#include <string.h>

#include "base/parts.h"
#include "frame/gso.h"
#include "frame/headers.h"

#define RX_BYTES ((size_t)128 << 10) /* about the most one wake-up takes */
#define ALIGN 16u
#define SHORT_MAX 1024u
#define STEP 16u /* bytes that the processor copies at once */
#define AHEAD \
	4 /* chains that are copied while one is fetched from another core's cache */

#define HEADER_MAX (VNET_BYTES + 2) /* bytes of a virtio header */
#define RARP_LEN 60

_Static_assert(PORT_QUEUE_HIGH + RX_BYTES + FRAME_MAX <= PORT_QUEUE_BYTES,
	       "a queue must take what one more wake-up brings, or a cable loses frames");

/*
 * What a batch takes of the buffer that all ports share.
 * @iov: pieces; those below are of frames that were taken
 * @at:  bytes; likewise
 */
struct room {
	struct iovec *iov;
	uint8_t *at;
};

#define ROOM_PIECES (BATCH_MAX * FRAME_PIECES_MAX + RING_PIECES_MAX)

_Static_assert(ALIGN + ROOM_PIECES * sizeof(struct iovec) +
			       BATCH_MAX * (LAYOUT_PREFIX_MAX + FRAME_PEEK) + RX_BYTES +
			       LAYOUT_FRAME_MAX <=
		       BATCH_BUF_SIZE,
	       "the buffer must take a batch, whatever its frames are");

static struct vhost *to_vhost(struct port *p)
{
	return container_of(p, struct vhost, port);
}

/*
 * Long copies are from one core's cache into lines that another one has: the processor's own
 * way does not fetch these first. musl's memcpy() has that only where the two ends are aligned
 * alike, as they never are here.
 */
static inline void copy_long(uint8_t *to, const uint8_t *from, size_t len)
{
#ifdef __x86_64__
	__asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(len) : : "memory");
#else
	memcpy(to, from, len);
#endif
}

/*
 * Copy @len bytes. Most copies are short, and a call of memcpy() with a length that is not
 * known beforehand takes longer than the copy.
 */
static inline void copy_bytes(uint8_t *to, const uint8_t *from, size_t len)
{
	size_t at = 0;

	if (len < STEP / 2) {
		memcpy(to, from, len);
		return;
	}
	if (len > SHORT_MAX) {
		copy_long(to, from, len);
		return;
	}
	if (len < STEP) {
		memcpy(to, from, STEP / 2);
		memcpy(to + len - STEP / 2, from + len - STEP / 2, STEP / 2);
		return;
	}
	for (; at + 4 * STEP <= len; at += 4 * STEP)
		memcpy(to + at, from + at, 4 * STEP);
	for (; at + STEP <= len; at += STEP)
		memcpy(to + at, from + at, STEP);
	/* The last bytes, some of them for the second time. */
	memcpy(to + len - STEP, from + len - STEP, STEP);
}

/* ---- from the guest ---- */

/* Pieces that are being read. */
struct source {
	struct iovec *iov;
	unsigned n;
};

/* Copy the first @len bytes, which must exist, and go on behind them. */
static void take_bytes(struct source *s, uint8_t *to, size_t len)
{
	while (len) {
		size_t n = min_size(len, s->iov->iov_len);

		copy_bytes(to, s->iov->iov_base, n);
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

/* Between the header's byte order and ours. */
static void order_vnet(const struct device *d, struct vnet *v)
{
	if (device_has(d, VIRTIO_VERSION_1))
		vnet_swap(v);
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

/* Count a frame that goes no further. */
static void drop_received(struct port *p, const struct frame *f, enum port_drop reason)
{
	p->count.rx_frames++;
	p->count.rx_bytes += f->len;
	port_drop(p, reason, 1);
}

static void take_frame(struct port *p, struct batch *b, struct frame *f)
{
	if (f->vnet && !is_sound(f))
		drop_received(p, f, DROP_MALFORMED);
	else
		port_take(p, b, f);
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

/* @vnet: its virtio header, or NULL; the caller's */
static void take_chain(struct port *p, struct batch *b, struct room *room,
		       struct source *s, uint32_t len, const struct vnet *vnet)
{
	struct frame f = { .len = len };
	uint32_t have = frame_peek_len(&f);
	uint8_t *data = room->at + (vnet ? LAYOUT_PREFIX_MAX : LAYOUT_PREFIX);

	if (vnet) {
		f.vnet = (const struct vnet *)(data - VNET_BYTES);
		memcpy(data - VNET_BYTES, vnet, VNET_BYTES);
	}
	take_bytes(s, data, have);
	if (have < len && s->n < FRAME_PIECES_MAX) {
		lend_rest(&f, s, data, have);
		room->iov = s->iov + s->n;
	} else {
		take_bytes(s, data + have, len - have);
		have = len;
		layout_put(&f, data);
	}
	room->at = data + have;
	take_frame(p, b, &f);
}

/* Mostly it is at the beginning of the first piece, with the frame behind it. */
static void take_header(const struct device *d, struct source *s,
			       struct vnet *vnet)
{
	uint8_t rest[HEADER_MAX - VNET_BYTES];
	struct iovec *first = s->iov;

	if (first->iov_len > HEADER_MAX) {
		memcpy(vnet, first->iov_base, sizeof(*vnet));
		ring_barrier();
		first->iov_base = (uint8_t *)first->iov_base + d->header;
		first->iov_len -= d->header;
	} else {
		take_bytes(s, (uint8_t *)vnet, sizeof(*vnet));
		take_bytes(s, rest, d->header - sizeof(*vnet));
	}
	order_vnet(d, vnet);
}

/* Return: 1; 0: there is no chain; -EPROTO, with the ring's why. */
static int take_one(struct vhost *v, struct batch *b, struct room *room)
{
	struct device *d = &v->device;
	struct ring *r = &d->ring[DEVICE_TX].ring;
	struct source s = { .iov = room->iov };
	struct frame wrong = { 0 };
	struct ring_chain c;
	struct vnet vnet;
	bool has_vnet;
	int ret = ring_pop(r, &c, room->iov, RING_PIECES_MAX);

	if (ret == 0)
		return 0;
	if (ret == -E2BIG)
		r->why = "a frame has too many pieces";
	else if (ret > 0 && c.len < d->header)
		r->why = "a frame is shorter than its virtio header";
	if (ret < 0 || c.len < d->header)
		return -EPROTO;
	ring_use(r, c.id, 0);
	c.len -= d->header;
	wrong.len = c.len < UINT32_MAX ? (uint32_t)c.len : UINT32_MAX;
	if (frame_check_len(wrong.len) != FRAME_OK) {
		port_take(&v->port, b, &wrong);
		return 1;
	}
	s.n = c.n;
	take_header(d, &s, &vnet);
	vnet.flags &= VNET_NEEDS_CSUM;
	has_vnet = HAS_OFFLOAD && (vnet.flags || vnet.gso_type);
	take_chain(&v->port, b, room, &s, (uint32_t)c.len, has_vnet ? &vnet : NULL);
	return 1;
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
	struct vhost *v = to_vhost(p);
	struct device *d = &v->device;
	struct ring *r = &d->ring[DEVICE_TX].ring;
	uint64_t limit = p->count.rx_bytes + RX_BYTES;
	struct room room = room_of(b);
	unsigned n = 0;
	int ret = 1;

	if (d->has_mac) {
		take_rarp(v, b, &room);
		n++;
	}
	if (!d->ring[DEVICE_TX].runs)
		return 0;
	ring_quiet(r);
	while (n < BATCH_MAX && p->count.rx_bytes < limit) {
		ring_prefetch(r, AHEAD);
		ret = take_one(v, b, &room);
		if (ret < 0 || (ret == 0 && !ring_listen(r)))
			break;
		n += ret > 0;
	}
	b->later = ret > 0 && (r->avail_seen != r->next || ring_listen(r));
	ret = device_look(d, DEVICE_TX, ret < 0 ? ret : 0);
	return ret < 0 ? port_why(p, ret, "%s", d->why) : 0;
}

static void end_due(struct deferred *deferred)
{
	struct vhost *v = container_of(deferred, struct vhost, ending);

	port_why(&v->port, v->err, "%s", v->device.why);
	port_down(&v->port);
}

void vhost_rx_done(struct port *p)
{
	struct vhost *v = to_vhost(p);
	struct device *d = &v->device;
	int ret = 0;

	if (d->ring[DEVICE_TX].runs && ring_publish(&d->ring[DEVICE_TX].ring))
		ret = device_call(d, DEVICE_TX);
	/* Others may have touched its memory since. */
	v->err = ret < 0 ? ret : device_look(d, DEVICE_TX, 0);
	if (v->err < 0)
		loop_defer(p->env->loop, &v->ending, end_due);
}

/* ---- to the guest ---- */

/* Write the header of a frame that is in @n buffers: one where the guest takes no more. */
static inline void put_header(uint8_t *to, const struct vhost *v, const struct frame *f,
			      unsigned n)
{
	struct vnet vnet = { 0 };
	uint16_t number = (uint16_t)n;

	if (HAS_OFFLOAD && f->vnet) {
		vnet = *f->vnet;
		order_vnet(&v->device, &vnet);
	}
	memcpy(to, &vnet, sizeof(vnet));
	if (v->device.header == sizeof(vnet))
		return;
	if (device_has(&v->device, VIRTIO_VERSION_1) &&
	    __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__)
		number = __builtin_bswap16(number);
	memcpy(to + sizeof(vnet), &number, sizeof(number));
}

/* Where the next bytes go: to offset @at of the first piece. */
struct sink {
	const struct iovec *to;
	size_t at;
};

static void put_bytes(struct sink *s, const uint8_t *from, size_t len)
{
	while (len) {
		size_t n = min_size(len, s->to->iov_len - s->at);

		copy_bytes((uint8_t *)s->to->iov_base + s->at, from, n);
		from += n;
		len -= n;
		s->at += n;
		if (s->at == s->to->iov_len) {
			s->to++;
			s->at = 0;
		}
	}
}

static void put_pieces(struct sink *s, const struct frame *f)
{
	struct iovec iov[FRAME_PIECES_MAX];
	unsigned n = frame_pieces(f, iov, FRAME_PIECES_MAX);

	for (unsigned i = 0; i < n; i++)
		put_bytes(s, iov[i].iov_base, iov[i].iov_len);
}

/* Copy a frame, its header and its padding to v->out, which consists of @n buffers. */
static void copy_frame(const struct vhost *v, const struct frame *f, unsigned n,
		       uint32_t padding)
{
	struct sink s = { .to = v->out };
	uint8_t header[HEADER_MAX];

	/* Mostly the header has its place in one piece. */
	if (s.to->iov_len > HEADER_MAX) {
		put_header(s.to->iov_base, v, f, n);
		s.at = v->device.header;
	} else {
		put_header(header, v, f, n);
		put_bytes(&s, header, v->device.header);
	}
	if (f->head_len || f->tail_len)
		put_pieces(&s, f);
	else
		put_bytes(&s, f->data, f->len);
	put_bytes(&s, frame_padding, padding);
}

static void note_dirty(struct vhost *v, uint32_t len)
{
	for (const struct iovec *to = v->out; len; to++) {
		uint32_t n = (uint32_t)min_size(len, to->iov_len);

		memory_dirty_at(&v->device.memory, to->iov_base, n);
		len -= n;
	}
}

/*
 * Take buffers for @len bytes; the last of them is noted to have as many as are left for it.
 * @n: set to how many were taken
 *
 * Return: 1; 0: there are not enough now; -E2BIG: nor will be; -EPROTO, with the ring's why.
 */
static int take_buffers(struct vhost *v, uint32_t len, unsigned *n)
{
	struct ring *r = &v->device.ring[DEVICE_RX].ring;
	bool merges = device_has(&v->device, NET_MRG_RXBUF);
	unsigned pieces = 0;
	uint64_t have = 0;

	*n = 0;
	while (have < len) {
		struct ring_chain c;
		int ret;

		if (*n && !merges)
			return -E2BIG;
		ret = ring_pop(r, &c, v->out + pieces, VHOST_TX_PIECES - pieces);
		if (ret <= 0)
			/* Those that it has offered are all that fit into the ring. */
			return ret == 0 && *n == r->size ? -E2BIG : ret;
		if (c.len < v->device.header && !*n) {
			r->why = "a buffer is shorter than a virtio header";
			return -EPROTO;
		}
		ring_use(r, c.id, c.len < len ? (uint32_t)c.len : len);
		++*n;
		pieces += c.n;
		have += c.len;
		if (have >= len)
			ring_set_written(r, (uint32_t)(c.len - (have - len)));
	}
	return 1;
}

/* Return: 1: it was sent, or dropped; 0: there is no room now; -EPROTO, with the ring's why. */
static int put(struct vhost *v, const struct frame *f)
{
	uint32_t padding = frame_padded(f->len, port_pad(&v->port)) - f->len;
	uint32_t len = v->device.header + f->len + padding;
	unsigned n;
	int ret = take_buffers(v, len, &n);

	if (ret <= 0) {
		ring_undo(&v->device.ring[DEVICE_RX].ring, n);
		if (ret != -E2BIG)
			return ret;
		port_drop(&v->port, DROP_TOO_LONG, 1);
		return 1;
	}
	copy_frame(v, f, n, padding);
	if (v->device.memory.is_logging)
		note_dirty(v, len);
	port_sent(&v->port, f);
	return 1;
}

int vhost_tx(struct port *p, const struct frame *f, unsigned n)
{
	struct vhost *v = to_vhost(p);
	struct device *d = &v->device;
	struct ring *r = &d->ring[DEVICE_RX].ring;
	unsigned done = 0;
	int ret = 0;

	if (!d->is_up) {
		port_drop(p, DROP_REFUSED, n);
		return (int)n;
	}
	ring_quiet(r);
	while (done < n) {
		ring_prefetch(r, AHEAD);
		ret = put(v, &f[done]);
		if (ret < 0 || (ret == 0 && !ring_listen(r)))
			break;
		done += ret > 0;
	}
	if (ret < 0 || !ring_publish(r))
		ret = device_look(d, DEVICE_RX, ret < 0 ? ret : 0);
	else
		ret = device_call(d, DEVICE_RX);
	return ret < 0 ? port_why(p, ret, "%s", d->why) : (int)done;
}
