/* SPDX-License-Identifier: MIT */
/*
 * Receiving datagrams: one call brings many messages, and with UDP_GRO a message may
 * have many datagrams, which go on as one run.
 *
 * #syscalls: ioctl poll recvmmsg
 */
#include <netinet/in.h>
#include <netinet/udp.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/uio.h>

#include "port/dgram-rx.h"

#include "base/parts.h"
#include "net/admit.h"
#include "port/dgram.h"

#define RX_BYTES ((size_t)256 << 10) /* about the most one wake-up takes */
#define RUNS_AT_ONCE 4		     /* with 64 KiB each it is that */

static uint32_t segment_of(struct msghdr *msg, uint32_t len)
{
	/* We ask for no other control message, and there is room for one only. */
	struct cmsghdr *c = CMSG_FIRSTHDR(msg);
	int size;

	if (!c || c->cmsg_level != SOL_UDP || c->cmsg_type != UDP_GRO)
		return len;
	memcpy(&size, CMSG_DATA(c), sizeof(size));
	return size > 0 ? (uint32_t)size : len;
}

/* Take up to @most more. Return: how many there were. */
static unsigned receive_some(struct dgram *d, uint8_t *buf, unsigned most)
{
	struct mmsghdr m[BATCH_DATAGRAMS];
	struct iovec iov[BATCH_DATAGRAMS];
	struct sockaddr_storage from[BATCH_DATAGRAMS];
	union dgram_control control[BATCH_DATAGRAMS];
	bool has_list = HAS_ACCESS && d->access && d->access->n;
	int n;

	memset(m, 0, most * sizeof(m[0]));
	for (unsigned i = 0; i < most; i++) {
		iov[i].iov_base = buf + (d->in.n_got + i) * (size_t)FRAME_MAX;
		iov[i].iov_len = FRAME_MAX;
		m[i].msg_hdr.msg_iov = &iov[i];
		m[i].msg_hdr.msg_iovlen = 1;
		m[i].msg_hdr.msg_control = &control[i];
		m[i].msg_hdr.msg_controllen = sizeof(control[i]);
		if (d->is_foreign || has_list) {
			m[i].msg_hdr.msg_name = &from[i];
			m[i].msg_hdr.msg_namelen = sizeof(from[i]);
		}
	}
	n = recvmmsg(d->rfd, m, most, MSG_DONTWAIT, NULL);
	if (n > 0)
		d->port.far_errno = 0;
	/* A wake-up that brings nothing may mean that ICMP has reported an error. */
	if (n < 0 && !d->in.n_got)
		dgram_take_errors(d);
	for (int i = 0; i < n; i++) {
		struct dgram_message *got = &d->in.got[d->in.n_got++];

		got->len = m[i].msg_len;
		got->segment = segment_of(&m[i].msg_hdr, got->len);
		got->is_cut = m[i].msg_hdr.msg_flags & MSG_TRUNC;
		got->is_foreign = d->is_foreign && d->is_foreign(d, &from[i]);
		got->is_refused =
			has_list &&
			!admit_has_address(d->access, (struct sockaddr *)&from[i]);
	}
	return n > 0 ? (unsigned)n : 0;
}

/*
 * How many more to ask for. A port with back-pressure must not bring more at once than
 * a queue still takes that has just become full enough to stop it.
 */
static unsigned room(const struct dgram *d)
{
	size_t slots = min_size(BATCH_DATAGRAMS - d->in.n_got,
				d->in.brings_runs ? RUNS_AT_ONCE : BATCH_DATAGRAMS);
	size_t spare = PORT_QUEUE_BYTES - PORT_QUEUE_HIGH;

	if (!d->port.ops->has_backpressure)
		return (unsigned)slots;
	for (unsigned i = 0; i < d->in.n_got; i++)
		spare -= min_size(spare, frame_queue_size(d->in.got[i].len));
	return (unsigned)min_size(slots, spare / frame_queue_size(FRAME_MAX));
}

static void receive(struct dgram *d, uint8_t *buf)
{
	unsigned most;
	size_t bytes = 0;

	d->in.n_got = 0;
	while (bytes < RX_BYTES && (most = room(d)) > 0) {
		unsigned i = d->in.n_got, n = receive_some(d, buf, most);

		for (; i < d->in.n_got; i++)
			bytes += d->in.got[i].len;
		d->in.brings_runs = n && d->in.got[i - 1].segment < d->in.got[i - 1].len;
		if (n < most)
			break;
	}
}

/*
 * Whether the empty message received last is the peer's end rather than a message. At
 * the end all messages of a receive are empty, and no bytes are left.
 */
static bool has_ended(struct dgram *d)
{
	struct pollfd pfd = { .fd = d->rfd, .events = POLLRDHUP };
	int left;

	if (!d->in.n_got || d->in.got[d->in.n_got - 1].len || poll(&pfd, 1, 0) <= 0 ||
	    ioctl(d->rfd, FIONREAD, &left) < 0 || left)
		return false;
	while (d->in.n_got && !d->in.got[d->in.n_got - 1].len)
		d->in.n_got--;
	/* Messages ahead of the end go first; the next receive shows it again. */
	return !d->in.n_got;
}

/* Return: the frame at the offset in a message, which may be empty, or a run of them. */
static struct frame frame_in(const struct dgram *d, const struct dgram_message *got,
			     const uint8_t *data)
{
	uint32_t size = got->segment, left = got->len - d->in.offset, whole, last;
	struct frame f = { .data = data + d->in.offset };

	f.len = (uint32_t)min_size(size, left);
	if (size < FRAME_PAD || left <= size)
		return f;
	whole = left / size;
	last = left % size;
	if (last < FRAME_PAD)
		last = 0;
	f.n_more = whole - 1 + !!last;
	f.more_bytes = (whole - 1) * size + last;
	return f;
}

/* Count the frames of a message as received and dropped. */
static void refuse(struct port *p, const struct dgram_message *got)
{
	unsigned frames = got->segment ? (got->len + got->segment - 1) / got->segment : 1;

	p->count.rx_frames += frames;
	p->count.rx_bytes += got->len;
	port_drop(p, DROP_NOT_ALLOWED, frames);
}

/* Return: false when the batch is full before all of it was taken. */
static bool take(struct dgram *d, struct batch *b, const struct dgram_message *got)
{
	const uint8_t *data = b->buf + d->in.next * (size_t)FRAME_MAX;

	if (got->is_foreign)
		return true;
	if (got->is_refused) {
		refuse(&d->port, got);
		return true;
	}
	/* An empty datagram is a frame as well: a runt. */
	do {
		struct frame f;

		if (b->n == BATCH_MAX)
			return false;
		f = frame_in(d, got, data);
		d->in.offset += f.len + f.more_bytes;
		/* A datagram that was cut at FRAME_MAX is counted as too long. */
		f.len += got->is_cut && d->in.offset == got->len;
		port_take(&d->port, b, &f);
	} while (d->in.offset < got->len);
	d->in.offset = 0;
	return true;
}

int dgram_rx(struct port *p, struct batch *b)
{
	struct dgram *d = dgram_of(p);

	if (d->in.next == d->in.n_got) {
		d->in.next = 0;
		receive(d, b->buf);
		if (d->has_end && has_ended(d))
			return port_why(p, PORT_CLOSED, "closed by the peer");
	}
	for (; d->in.next < d->in.n_got; d->in.next++) {
		if (!take(d, b, &d->in.got[d->in.next])) {
			b->more = true;
			return 0;
		}
	}
	return 0;
}
