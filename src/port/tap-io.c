/* SPDX-License-Identifier: MIT */
/*
 * A tap's frames. Frames to send are merged if the kernel has offered to take that; if it
 * then refuses, they go one by one from then on.
 *
 * #syscalls: read writev
 */
#include "port/tap-io.h"

#include <errno.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/log.h"
#include "base/parts.h"
#include "frame/gso.h"
#include "frame/headers.h"

#define RX_BYTES ((size_t)128 << 10) /* about the most one wake-up takes */
#define DRAIN_MAX 4096		     /* frames; more than any tap's queue holds */

_Static_assert(PORT_QUEUE_HIGH + RX_BYTES + FRAME_MAX <= PORT_QUEUE_BYTES,
	       "a queue must take what one more wake-up brings, or a cable loses frames");

static struct tap *to_tap(struct port *p)
{
	return container_of(p, struct tap, port);
}

int tap_io_begin(struct tap *t)
{
	t->merges = t->port.takes_super = t->link.has_vnet;
	t->gro.udp = t->port.takes_uso = t->link.has_uso;
	t->port.peer = t->link.name;
	return port_set_fds(&t->port, t->link.fd, t->link.fd);
}

void tap_io_drain(const struct tap *t)
{
	uint8_t some[VNET_BYTES + FRAME_HEADER];

	for (unsigned i = 0; i < DRAIN_MAX; i++)
		if (read(t->link.fd, some, sizeof(some)) < 0 && errno != EINTR)
			break;
}

/*
 * Put a frame that was read into the batch.
 * @is_tight: there is only room for a length prefix between it and the frame ahead
 *
 * Return: whether the next frame is to lie tight behind it.
 */
static bool take(struct tap *t, struct batch *b, uint8_t *data, size_t len,
		 const struct vnet *vnet, bool is_tight)
{
	struct frame f = { .data = data, .len = (uint32_t)len };

	if (HAS_OFFLOAD && t->link.has_vnet &&
	    (vnet->gso_type || (vnet->flags & VNET_NEEDS_CSUM)))
		f.vnet = vnet;
	if (!f.vnet || !is_tight)
		layout_put(&f, data);
	port_take(&t->port, b, &f);
	return !f.vnet;
}

/*
 * A frame is read to where it can leave on a stream as it lies. Behind one that needs
 * its virtio header there is room for that and a length prefix; behind a plain one only
 * for the prefix, so that plain frames become a run. read() then overwrites the last
 * bytes of the previous frame, which are saved before and restored after. It is memory
 * of our own, and nobody sees the frame until this function returns.
 */
int tap_rx(struct port *p, struct batch *b)
{
	struct tap *t = to_tap(p);
	size_t header = t->link.has_vnet ? VNET_BYTES : 0, used = 0, last = 0;
	bool is_tight = false;

	/* Most likely the next is as long as the last. */
	for (unsigned i = 0; i < BATCH_MAX && used + last <= RX_BYTES; i++) {
		uint8_t *data =
			b->buf + used + LAYOUT_PREFIX + (is_tight ? 0 : VNET_BYTES);
		uint8_t *vnet = data - VNET_BYTES, ahead[VNET_BYTES];
		ssize_t n;

		memcpy(ahead, vnet, VNET_BYTES);
		n = read(t->link.fd, data - header, header + FRAME_MAX);
		memcpy(&t->vnets[i], vnet, VNET_BYTES);
		if (is_tight)
			memcpy(vnet, ahead, VNET_BYTES);
		if (n < 0 && (errno == EAGAIN || errno == EINTR || i))
			break;
		if (n < 0)
			return port_why(p, -errno, "tap %s: %s", t->link.name,
					errno == EBADFD ? "was deleted"
							: strerror(errno));
		if ((size_t)n < header)
			continue;
		last = (size_t)n - header;
		is_tight = take(t, b, data, last, &t->vnets[i], is_tight);
		used = (size_t)(data - b->buf) + last;
	}
	return 0;
}

/* Return: bytes of a super-frame's longest segment, as far as its headers tell. */
static uint32_t longest_on_wire(const struct frame *f)
{
	const struct vnet *v = f->vnet;
	uint8_t room[FRAME_PEEK];
	uint32_t head, size, have = frame_peek_len(f);

	if (!v || !v->gso_type)
		return f->len;
	head = v->csum_start;
	if (v->gso_type == VNET_GSO_UDP_L4)
		head += UDP_SIZE;
	else if (head + TCP_SIZE <= have)
		head += (frame_peek(f, have, room)[head + TCP_DATA_OFFSET] >> 4) * 4u;
	size = head + v->gso_size;
	return size < f->len ? size : f->len;
}

static bool has_two_tags(const struct frame *f)
{
	uint8_t room[ETH_TYPE + 2 * VLAN_SIZE];
	const uint8_t *at = frame_peek(f, sizeof(room), room);

	for (uint32_t end = ETH_TYPE; at && end < sizeof(room); end += VLAN_SIZE) {
		uint16_t type = get_be16(at + end);

		if (type != TYPE_VLAN && type != TYPE_QINQ)
			return false;
	}
	return at;
}

/*
 * As the kernel's is_skb_forwardable() has it: a tag's length above the MTU. The
 * outermost tag does not count there, for it is taken off the frame (skb_vlan_untag()).
 */
static bool fits(const struct tap *t, const struct frame *f)
{
	uint32_t len = longest_on_wire(f), most = t->link.mtu + ETH_SIZE + VLAN_SIZE;

	return len <= most || (len <= most + VLAN_SIZE && has_two_tags(f));
}

/* Return: 0 or -errno. */
static int put(const struct tap *t, const struct iovec *iov, int n)
{
	int ret = writev(t->link.fd, iov, n) < 0 ? -errno : 0;

	if (HAS_VHOST && ret == -EFAULT)
		frame_touch(iov, (size_t)n);
	return ret;
}

/*
 * Count frames that put() has sent or, by @ret, has not. A tap that was deleted is
 * reported when it is read from.
 */
static void account(struct tap *t, int ret, unsigned frames, uint32_t bytes)
{
	if (ret < 0) {
		port_drop(&t->port, ret == -EBADFD ? DROP_LOST : DROP_REFUSED, frames);
		return;
	}
	t->port.count.tx_frames += frames;
	t->port.count.tx_bytes += bytes;
}

/* All of a frame, in pieces behind a virtio header. */
static int put_frame(const struct tap *t, const struct frame *f, const struct vnet *vnet)
{
	struct iovec iov[1 + FRAME_PIECES_MAX] = {
		{ (void *)(uintptr_t)vnet, t->link.has_vnet ? VNET_BYTES : 0 },
	};

	return put(t, iov, 1 + (int)frame_pieces(f, iov + 1, FRAME_PIECES_MAX));
}

static const struct vnet plain;

/*
 * Send a super-frame, which the kernel has refused, as segments. It came from a peer and
 * may be malformed, so the kernel may still take others.
 */
static int put_split(const struct tap *t, const struct frame *f)
{
	struct gso_segment s;
	struct gso g;
	int ret = gso_begin(&g, f);

	while (ret == 0 && gso_next(&g, &s))
		ret = put_frame(t, &s.frame, &plain);
	return ret;
}

static void write_one(struct tap *t, const struct frame *f)
{
	int ret = put_frame(t, f, f->vnet ? f->vnet : &plain);

	if (HAS_OFFLOAD && ret == -EINVAL && f->vnet && f->vnet->gso_type)
		ret = put_split(t, f);
	account(t, ret, 1, f->len);
}

/* The kernel has refused a well-formed frame that we merged: it offered more than it can. */
static void offer_less(struct tap *t, uint8_t gso_type)
{
	bool is_udp = gso_type == VNET_GSO_UDP_L4;

	t->gro.udp = t->port.takes_uso = false;
	if (!is_udp)
		t->merges = t->port.takes_super = false;
	if (t->is_told)
		return;
	t->is_told = true;
	log_warn(
		"%s: the kernel refuses merged frames of %s that it offered to take; they "
		"go to tap %s one by one",
		t->port.name, is_udp ? "UDP" : "TCP", t->link.name);
}

/* Write unit @i of those that gro_merge() made of the @n frames at @f. */
static void write_unit(struct tap *t, const struct frame *f, unsigned n, unsigned i)
{
	const struct gro_unit *u = &t->gro.unit[i];
	int ret = put(t, u->iov, u->n_iov);

	if (ret != -EINVAL || u->frames == 1) {
		account(t, ret, u->frames, u->bytes);
		return;
	}
	offer_less(t, u->vnet.gso_type);
	for (unsigned k = 0; k < n; k++)
		if (t->gro.of[k] == i)
			write_one(t, &f[k]);
}

static void write_run(struct tap *t, const struct frame *f, unsigned n)
{
	gro_merge(&t->gro, f, n);
	for (unsigned i = 0; i < t->gro.n; i++)
		write_unit(t, f, n, i);
}

/* Merge plain frames that follow each other, if the tap takes that; send others as they are. */
static void write_in_order(struct tap *t, const struct frame *f, unsigned n)
{
	while (n) {
		unsigned run = 0;

		while (HAS_OFFLOAD && t->merges && run < n && !f[run].vnet)
			run++;
		if (HAS_OFFLOAD && run)
			write_run(t, f, run);
		else
			write_one(t, f);
		f += run ? run : 1;
		n -= run ? run : 1;
	}
}

int tap_tx(struct port *p, const struct frame *f, unsigned n)
{
	struct tap *t = to_tap(p);
	unsigned from = 0;

	for (unsigned i = 0; i < n; i++) {
		if (fits(t, &f[i]))
			continue;
		write_in_order(t, f + from, i - from);
		port_drop(p, DROP_TOO_LONG, 1);
		from = i + 1;
	}
	write_in_order(t, f + from, n - from);
	return (int)n;
}
