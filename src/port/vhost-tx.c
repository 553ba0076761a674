/* SPDX-License-Identifier: MIT */
/*
 * Frames to a guest. A frame is copied to where the guest's buffers are, with its header and
 * its padding ahead and behind: so a frame goes from guest to guest by one copy. It may take
 * several buffers if the guest agreed on that (VIRTIO_NET_F_MRG_RXBUF).
 */
#include <errno.h>
#include <string.h>

#include "base/parts.h"
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

/* Where the next bytes go: to offset @at of the first piece. */
struct sink {
	const struct iovec *to;
	size_t at;
};

static void put_bytes(struct sink *s, const uint8_t *from, size_t len)
{
	while (len) {
		size_t n = min_size(len, s->to->iov_len - s->at);

		vhost_copy((uint8_t *)s->to->iov_base + s->at, from, n);
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
	uint8_t header[VHOST_HEADER_MAX];

	/* Mostly the header has its place in one piece. */
	if (s.to->iov_len > VHOST_HEADER_MAX) {
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
	unsigned pieces = 0, slots = 0;
	struct ring_chain c = { 0 };
	uint64_t have = 0;

	*n = 0;
	while (have < len) {
		int ret;

		if (*n && !merges)
			return -E2BIG;
		ret = ring_pop(r, &c, v->out + pieces, VHOST_TX_PIECES - pieces);
		/* Nothing is left for the guest to offer one more like the last. */
		if (ret == 0 && *n && (v->gives_up || slots + c.slots > r->size))
			return -E2BIG;
		if (ret <= 0)
			return ret;
		if (c.len < v->device.header && !*n) {
			r->why = "a buffer is shorter than a virtio header";
			return -EPROTO;
		}
		ring_use(r, c.id, c.len < len ? (uint32_t)c.len : len);
		++*n;
		pieces += c.n;
		slots += c.slots;
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
		v->gives_up = false;
		port_drop(&v->port, DROP_TOO_LONG, 1);
		return 1;
	}
	copy_frame(v, f, n, padding);
	if (v->device.memory.is_logging)
		note_dirty(v, len);
	port_sent(&v->port, f);
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

int vhost_tx(struct port *p, const struct frame *f, unsigned n)
{
	struct vhost *v = vhost_of(p);
	struct device *d = &v->device;
	struct ring *r = &d->ring[DEVICE_RX].ring;
	unsigned done = 0, retries = 0;
	int ret = 0, called = 0;

	if (!d->is_up) {
		port_drop(p, DROP_REFUSED, n);
		return (int)n;
	}
	ring_quiet(r);
	while (done < n && !d->memory.is_broken) {
		ring_prefetch(r, VHOST_AHEAD);
		ret = put(v, &f[done]);
		if (ret < 0 || (ret == 0 && (!ring_listen(r) || ++retries > RETRIES)))
			break;
		done += ret > 0;
	}
	note_stuck(v, r, ret == 0 && done < n);
	if (ret >= 0 && ring_publish(r))
		called = device_call(d, DEVICE_RX);
	ret = called < 0 ? called : device_look(d, DEVICE_RX, ret < 0 ? ret : 0);
	return ret < 0 ? port_why(p, ret, "%s", d->why) : (int)done;
}
