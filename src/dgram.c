/* SPDX-License-Identifier: MIT */
/*
 * One frame a datagram. Walking the kernel's stack costs more than entering
 * the kernel, so a run of frames of one length goes through it as one message,
 * which UDP_SEGMENT has it cut into datagrams at the very end; UDP_GRO is the
 * same on the way in.
 *
 * Errors that concern one datagram only - too long, no route, nobody there -
 * drop that frame and count it; the port stays up, for the next one may get
 * through.
 */
#include "dgram.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#define RECORD_MAX (FRAME_WORD + FRAME_MAX)
#define RX_BYTES ((size_t)256 << 10) /* about the most one wake-up takes */
#define RUNS_AT_ONCE 4		     /* with 64 KiB each it is that */
#define SEGMENTS_MAX 64		     /* UDP_MAX_SEGMENTS of kernels before 6.9 */
#define MESSAGE_MAX 65000	     /* below what IP takes with any header */
#define HEADERS_IPV4 28
#define HEADERS_IPV6 48

/* Room for one number; aligned as struct cmsghdr, which ends in an array, is. */
union control {
	size_t align;
	char bytes[CMSG_SPACE(sizeof(int))];
};

static struct dgram *to_dgram(struct port *p)
{
	return container_of(p, struct dgram, port);
}

/* ---- receive ---- */

static uint32_t segment_of(struct msghdr *msg, uint32_t len)
{
	/* There is room for one message only, and no other is asked for. */
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
	union control control[BATCH_DATAGRAMS];
	int n;

	memset(m, 0, most * sizeof(m[0]));
	for (unsigned i = 0; i < most; i++) {
		iov[i].iov_base = buf + (d->n_got + i) * (size_t)FRAME_MAX;
		iov[i].iov_len = FRAME_MAX;
		m[i].msg_hdr.msg_iov = &iov[i];
		m[i].msg_hdr.msg_iovlen = 1;
		m[i].msg_hdr.msg_control = &control[i];
		m[i].msg_hdr.msg_controllen = sizeof(control[i]);
		if (d->is_foreign) {
			m[i].msg_hdr.msg_name = &from[i];
			m[i].msg_hdr.msg_namelen = sizeof(from[i]);
		}
	}
	/* An error here is an earlier datagram's, told by ICMP; it is over by now. */
	n = recvmmsg(d->rfd, m, most, MSG_DONTWAIT, NULL);
	for (int i = 0; i < n; i++) {
		struct dgram_message *got = &d->got[d->n_got++];

		got->len = m[i].msg_len;
		got->segment = segment_of(&m[i].msg_hdr, got->len);
		got->is_cut = m[i].msg_hdr.msg_flags & MSG_TRUNC;
		got->is_foreign = d->is_foreign && d->is_foreign(d, &from[i]);
	}
	return n > 0 ? (unsigned)n : 0;
}

/*
 * How many more to ask for. A port that is held when a queue is behind must not
 * bring more at once than that still takes, however long they are.
 */
static unsigned room(const struct dgram *d)
{
	size_t slots = min_size(BATCH_DATAGRAMS - d->n_got,
				d->brings_runs ? RUNS_AT_ONCE : BATCH_DATAGRAMS);
	size_t spare = PORT_QUEUE_BYTES - PORT_QUEUE_HIGH;

	if (!d->port.ops->can_wait)
		return (unsigned)slots;
	for (unsigned i = 0; i < d->n_got; i++)
		spare -= min_size(spare, FRAME_WORD + d->got[i].len);
	return (unsigned)min_size(slots, spare / RECORD_MAX);
}

static void receive(struct dgram *d, uint8_t *buf)
{
	unsigned most;
	size_t bytes = 0;

	d->n_got = 0;
	while (bytes < RX_BYTES && (most = room(d)) > 0) {
		unsigned i = d->n_got, n = receive_some(d, buf, most);

		for (; i < d->n_got; i++)
			bytes += d->got[i].len;
		d->brings_runs = n && d->got[i - 1].segment < d->got[i - 1].len;
		if (n < most)
			break;
	}
}

/* Return: false when the batch is full before all of it was taken. */
static bool take(struct dgram *d, struct batch *b, const struct dgram_message *got)
{
	struct frame f = { .data = b->buf + d->next * (size_t)FRAME_MAX + d->offset };

	if (got->is_foreign)
		return true;
	/* An empty datagram is a frame too, if a runt. */
	do {
		if (b->n == BATCH_MAX)
			return false;
		f.len = (uint32_t)min_size(got->segment, got->len - d->offset);
		d->offset += f.len;
		/* One cut at FRAME_MAX is counted as what it is: too long. */
		f.len += got->is_cut && d->offset == got->len;
		port_take(&d->port, b, &f);
		f.data += f.len;
	} while (d->offset < got->len);
	d->offset = 0;
	return true;
}

int dgram_rx(struct port *p, struct batch *b)
{
	struct dgram *d = to_dgram(p);

	if (d->next == d->n_got) {
		d->next = 0;
		receive(d, b->buf);
	}
	for (; d->next < d->n_got; d->next++) {
		if (!take(d, b, &d->got[d->next])) {
			b->more = true;
			return 0;
		}
	}
	return 0;
}

/* ---- send ---- */

/* Messages for one sendmmsg; message i holds frames[i] frames. */
struct outgoing {
	unsigned n, n_iov;
	struct mmsghdr m[BATCH_MAX];
	unsigned frames[BATCH_MAX];
	union control control[BATCH_MAX];
	struct iovec iov[3 * BATCH_MAX];
};

static void add_piece(struct outgoing *o, const void *data, size_t len)
{
	if (!len)
		return;
	o->iov[o->n_iov].iov_base = (void *)(uintptr_t)data;
	o->iov[o->n_iov].iov_len = len;
	o->n_iov++;
	o->m[o->n].msg_hdr.msg_iovlen++;
}

static void add_frame(struct outgoing *o, const struct frame *f)
{
	uint32_t len = frame_len(f);

	add_piece(o, f->head, f->head_len);
	add_piece(o, f->data, f->len);
	add_piece(o, frame_padding, frame_padded(len) - len);
}

/* Whether @b still lies right behind @a, as what came in a run does. */
static bool is_behind(const struct frame *a, const struct frame *b)
{
	return a->data + a->len == b->data && !b->head_len && a->len >= FRAME_PAD &&
	       b->len >= FRAME_PAD;
}

static void set_segment(struct outgoing *o, uint32_t size)
{
	struct msghdr *msg = &o->m[o->n].msg_hdr;
	struct cmsghdr *c;
	uint16_t value = (uint16_t)size;

	memset(&o->control[o->n], 0, sizeof(o->control[o->n]));
	msg->msg_control = &o->control[o->n];
	msg->msg_controllen = CMSG_SPACE(sizeof(value));
	c = CMSG_FIRSTHDR(msg);
	c->cmsg_level = SOL_UDP;
	c->cmsg_type = UDP_SEGMENT;
	c->cmsg_len = CMSG_LEN(sizeof(value));
	memcpy(CMSG_DATA(c), &value, sizeof(value));
}

/*
 * A message of the first frame, and of those behind it that may share it: as
 * long as the first, and at last one that is shorter. Return: how many.
 */
static unsigned add_message(struct outgoing *o, const struct frame *f, unsigned n,
			    uint32_t segment_max)
{
	uint32_t size = frame_padded(frame_len(f)), total = size, len = size;
	unsigned i = 1;

	memset(&o->m[o->n], 0, sizeof(o->m[o->n]));
	o->m[o->n].msg_hdr.msg_iov = &o->iov[o->n_iov];
	add_frame(o, f);
	for (; i < n && i < SEGMENTS_MAX && size <= segment_max && len == size; i++) {
		len = frame_padded(frame_len(&f[i]));
		if (len > size || total + len > MESSAGE_MAX)
			break;
		total += len;
		if (is_behind(&f[i - 1], &f[i]))
			o->iov[o->n_iov - 1].iov_len += len;
		else
			add_frame(o, &f[i]);
	}
	if (i > 1)
		set_segment(o, size);
	o->frames[o->n++] = i;
	return i;
}

/* For @n frames, at least one. */
static void build(struct outgoing *o, const struct frame *f, unsigned n,
		  uint32_t segment_max)
{
	unsigned i = 0;

	o->n = o->n_iov = 0;
	do
		i += add_message(o, f + i, n - i, segment_max);
	while (i < n);
}

enum verdict { AGAIN, SKIP, STOP };

/* What an error means for the frame that met it; @retried: not for the first time. */
static enum verdict judge(struct dgram *d, int err, bool retried)
{
	switch (err) {
	case EINTR:
		return AGAIN;
	case ECONNREFUSED:
	case ECONNRESET:
	case ENOTCONN:
	case ENOENT:
		/* Over UDP it is the datagram before that was refused: this one can go. */
		if (!retried && (!d->reconnect || d->reconnect(d) == 0))
			return AGAIN;
		port_drop(&d->port, DROP_REFUSED, 1);
		return SKIP;
	case EMSGSIZE:
		port_drop(&d->port, DROP_TOO_LONG, 1);
		return SKIP;
	case EBADF:
	case EINVAL:
	case EADDRNOTAVAIL:
		/* The socket itself: its local address has gone, say. */
		return STOP;
	default:
		port_drop(&d->port, DROP_REFUSED, 1);
		return SKIP;
	}
}

/* The kernel or the path does without segmentation, from this length on at least. */
static void segment_less(struct dgram *d, uint32_t len)
{
	d->segment_max = d->segment_max >= len ? len - 1 : 0;
}

static unsigned count_sent(struct port *p, const struct outgoing *o, unsigned messages,
			   const struct frame *f)
{
	unsigned done = 0;

	for (unsigned i = 0; i < messages; i++)
		for (unsigned k = 0; k < o->frames[i]; k++)
			port_sent(p, &f[done++]);
	return done;
}

int dgram_tx(struct port *p, const struct frame *f, unsigned n)
{
	struct dgram *d = to_dgram(p);
	struct outgoing o;
	unsigned done = 0;
	bool retried = false;

	while (done < n) {
		enum verdict verdict;
		int sent;

		build(&o, f + done, n - done, d->segment_max);
		sent = sendmmsg(d->wfd, o.m, o.n, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (sent > 0) {
			done += count_sent(p, &o, (unsigned)sent, f + done);
			retried = false;
			continue;
		}
		if (errno == EAGAIN)
			break;
		if (o.frames[0] > 1 &&
		    (errno == EINVAL || errno == EIO || errno == EMSGSIZE)) {
			segment_less(d, frame_padded(frame_len(&f[done])));
			continue;
		}
		verdict = judge(d, errno, retried);
		if (verdict == STOP)
			return done ? (int)done
				    : port_why(p, -errno, "%s", strerror(errno));
		done += verdict == SKIP;
		retried = verdict == AGAIN;
	}
	return (int)done;
}

void dgram_use_udp(struct dgram *d)
{
	struct sockaddr_storage self = { 0 };
	socklen_t self_len = sizeof(self), mtu_len = sizeof(int);
	bool is_ipv6;
	int mtu;

	d->segment_max = 0;
	setsockopt(d->rfd, SOL_UDP, UDP_GRO, &(int){ 1 }, sizeof(int));
	if (getsockname(d->wfd, (struct sockaddr *)&self, &self_len) < 0)
		return;
	is_ipv6 = self.ss_family == AF_INET6;
	if (getsockopt(d->wfd, is_ipv6 ? IPPROTO_IPV6 : IPPROTO_IP,
		       is_ipv6 ? IPV6_MTU : IP_MTU, &mtu, &mtu_len) < 0)
		return;
	d->segment_max = (uint32_t)(mtu - (is_ipv6 ? HEADERS_IPV6 : HEADERS_IPV4));
}

void dgram_close(struct port *p)
{
	struct dgram *d = to_dgram(p);

	if (d->wfd >= 0 && d->wfd != d->rfd)
		close(d->wfd);
	if (d->rfd >= 0)
		close(d->rfd);
	d->rfd = d->wfd = -1;
	d->n_got = d->next = 0;
	d->offset = 0;
}

void dgram_free(struct port *p)
{
	free(to_dgram(p));
}
