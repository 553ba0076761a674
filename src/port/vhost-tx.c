/* SPDX-License-Identifier: MIT */
/*
 * Frames to a guest. A frame is copied to where the guest's buffers are, with its header and
 * its padding ahead and behind: so a frame goes from guest to guest by one copy. It may take
 * several buffers if the guest agreed on that (VIRTIO_NET_F_MRG_RXBUF).
 */
#include <errno.h>
#include <string.h>

#include "base/parts.h"
#include "frame/run.h"
#include "port/vhost-copy.h"
#include "port/vhost-io.h"

#define RETRIES 64    /* while a guest adds buffers, but too few */
#define STUCK_MS 1000 /* that a frame waits for more buffers, while there are some */

/* Write the header of a frame that is in @n buffers: one where the guest takes no more. */
static inline void put_header(uint8_t *to, const struct vhost *v, const struct frame *f,
			      unsigned n)
{
	struct vnet vnet = { 0 };
	uint16_t number = (uint16_t)n;

	if (HAS_OFFLOAD && f->vnet) {
		vnet = *f->vnet;
		vhost_order_vnet(&v->device, &vnet);
	}
	memcpy(to, &vnet, sizeof(vnet));
	if (v->device.header == sizeof(vnet))
		return;
	if (device_has(&v->device, VIRTIO_VERSION_1) &&
	    __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__)
		number = __builtin_bswap16(number);
	memcpy(to + sizeof(vnet), &number, sizeof(number));
}

/* Return: where what follows is to be copied. */
static __attribute__((noinline)) uint8_t *put_at(uint8_t *to, const uint8_t *from,
						 size_t len)
{
	vhost_copy(to, from, len);
	return to + len;
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

		put_at((uint8_t *)s->to->iov_base + s->at, from, n);
		from += n;
		len -= n;
		s->at += n;
		if (s->at == s->to->iov_len) {
			s->to++;
			s->at = 0;
		}
	}
}

/*
 * Copy a frame of several pieces to one place, without a list of them (frame_pieces()), which
 * would take as long as the copy of its head. Return: the end of that.
 */
static uint8_t *join_pieces(uint8_t *to, const struct frame *f)
{
	uint32_t left = f->tail_len;

	to = put_at(to, f->head, f->head_len);
	to = put_at(to, f->data, frame_data_len(f));
	for (const struct iovec *at = f->tail; left; at++) {
		uint32_t len = (uint32_t)min_size(left, at->iov_len);

		to = put_at(to, at->iov_base, len);
		left -= len;
	}
	return to;
}

/* The same to where all is in one piece, as mostly. */
static inline void copy_whole(const struct vhost *v, const struct frame *f, unsigned n,
			      uint32_t padding)
{
	uint8_t *to = v->out[0].iov_base;

	put_header(to, v, f, n);
	to += v->device.header;
	if (f->head_len || f->tail_len) {
		to = join_pieces(to, f);
	} else {
		vhost_copy(to, f->data, f->len);
		to += f->len;
	}
	if (padding)
		memset(to, 0, padding);
}

/* Copy a frame, its header and its padding to v->out, which consists of @n buffers. */
static __attribute__((noinline)) void copy_split(const struct vhost *v,
						 const struct frame *f, unsigned n,
						 uint32_t padding)
{
	struct sink s = { .to = v->out };
	uint8_t header[VHOST_HEADER_MAX];
	struct iovec iov[FRAME_PIECES_MAX];
	unsigned pieces = frame_pieces(f, iov, FRAME_PIECES_MAX);

	put_header(header, v, f, n);
	put_bytes(&s, header, v->device.header);
	for (unsigned i = 0; i < pieces; i++)
		put_bytes(&s, iov[i].iov_base, iov[i].iov_len);
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

/* Take buffers for @len bytes behind the first one, @c; otherwise as take_buffers(). */
static __attribute__((noinline)) int take_more(struct vhost *v, uint32_t len,
					       struct ring_chain c, unsigned *n)
{
	struct ring *r = &v->device.ring[DEVICE_RX].ring;
	unsigned pieces = c.n, slots = c.slots;
	uint64_t have = c.len;

	if (!device_has(&v->device, NET_MRG_RXBUF))
		return -E2BIG;
	while (have < len) {
		uint32_t left = len - (uint32_t)have;
		int ret = ring_pop(r, &c, v->out + pieces, VHOST_TX_PIECES - pieces);

		/* Nothing is left for the guest to offer one more like the last. */
		if (ret == 0 && (v->gives_up || slots + c.slots > r->size))
			return -E2BIG;
		if (ret <= 0)
			return ret;
		ring_use(r, c.id, c.len < left ? (uint32_t)c.len : left);
		++*n;
		pieces += c.n;
		slots += c.slots;
		have += c.len;
	}
	return 1;
}

/*
 * Take buffers for @len bytes; the last of them is noted to have as many as are left for it.
 * @n: set to how many were taken
 *
 * Return: 1; 0: there are not enough now; -E2BIG: nor will be; -EPROTO, with the ring's why.
 */
static inline int take_buffers(struct vhost *v, uint32_t len, unsigned *n)
{
	struct ring *r = &v->device.ring[DEVICE_RX].ring;
	struct ring_chain c;
	int ret = ring_pop(r, &c, v->out, VHOST_TX_PIECES);

	*n = 0;
	if (ret <= 0)
		return ret;
	if (c.len < v->device.header) {
		r->why = "a buffer is shorter than a virtio header";
		return -EPROTO;
	}
	ring_use(r, c.id, c.len < len ? (uint32_t)c.len : len);
	*n = 1;
	return c.len < len ? take_more(v, len, c, n) : 1;
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
		v->gives_up = false;
		port_drop(&v->port, DROP_TOO_LONG, 1);
		return 1;
	}
	if (v->out[0].iov_len >= len)
		copy_whole(v, f, n, padding);
	else
		copy_split(v, f, n, padding);
	if (v->device.memory.is_logging)
		note_dirty(v, len);
	v->port.count.tx_frames++;
	v->port.count.tx_bytes += f->len;
	return 1;
}

static void stuck_due(struct timer *t)
{
	struct vhost *v = container_of(t, struct vhost, stuck);

	v->gives_up = true;
	port_writable(&v->port);
	v->gives_up = false;
}

/*
 * A guest may offer fewer buffers than a long frame takes, and no more of them until it gets
 * some. Such a frame must not keep all others from the guest for ever.
 */
static void note_stuck(struct vhost *v, const struct ring *r, bool is_stuck)
{
	struct loop *loop = v->port.env->loop;

	if (!is_stuck || r->avail_seen == r->next)
		timer_cancel(loop, &v->stuck);
	else if (!v->stuck.is_set)
		timer_set(loop, &v->stuck, STUCK_MS, stuck_due);
}

/*
 * Send a frame, or all of a run.
 * @done: the frames that were sent or dropped are added
 * @retries: how often there was no room, but a moment later
 *
 * Return: 1; 0: there is no room for the next one now; -EPROTO, with the ring's why.
 */
static int put_run(struct vhost *v, const struct frame *run, unsigned *done,
		   unsigned *retries)
{
	struct ring *r = &v->device.ring[DEVICE_RX].ring;
	struct frame f = *run;
	int ret;

	while (!v->device.memory.is_broken) {
		ring_prefetch(r, VHOST_AHEAD, v->device.header + f.len);
		ret = put(v, &f);
		if (ret < 0 || (ret == 0 && (!ring_listen(r) || ++*retries > RETRIES)))
			return ret;
		if (ret == 0)
			continue;
		++*done;
		if (!f.n_more)
			return 1;
		f = run_next(&f);
	}
	return 1; /* the port is about to end */
}

int vhost_tx(struct port *p, const struct frame *f, unsigned n)
{
	struct vhost *v = vhost_of(p);
	struct device *d = &v->device;
	struct ring *r = &d->ring[DEVICE_RX].ring;
	unsigned done = 0, retries = 0;
	int ret = 1, err = 0;

	if (!d->is_up) {
		done = run_count(f, n);
		port_drop(p, DROP_REFUSED, done);
		return (int)done;
	}
	ring_quiet(r);
	for (unsigned i = 0; i < n && ret > 0; i++)
		ret = put_run(v, &f[i], &done, &retries);
	note_stuck(v, r, ret == 0);
	if (ring_publish(r))
		err = device_call(d, DEVICE_RX);
	if (!err || ret < 0)
		err = device_look(d, DEVICE_RX, ret < 0 ? ret : 0);
	if (err < 0)
		vhost_fail(v, err);
	return (int)done;
}
