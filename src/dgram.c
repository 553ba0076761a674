/* SPDX-License-Identifier: MIT */
/*
 * One frame a datagram. Walking the kernel's stack costs more than entering
 * the kernel, so a run of frames of one length goes through it as one message,
 * which UDP_SEGMENT has it cut into datagrams at the very end; UDP_GRO is the
 * same on the way in, which is in dgram-rx.c.
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

#define SEGMENTS_MAX 64	  /* UDP_MAX_SEGMENTS of kernels before 6.9 */
#define MESSAGE_MAX 65000 /* below what IP takes with any header */
#define PIECES 3	  /* of a frame: its head, its data, padding */
#define PIECES_MAX (PIECES * BATCH_MAX)
#define HEADERS_IPV4 28
#define HEADERS_IPV6 48

/*
 * Frames to send, runs among them: @n, of which the first is what is left of
 * @first, and the others are at @next.
 */
struct rest {
	struct frame first;
	const struct frame *next;
	unsigned n;
};

/* The first @frames of it are dealt with. */
static void skip(struct rest *r, unsigned frames)
{
	while (frames > r->first.more) {
		frames -= 1 + r->first.more;
		if (--r->n == 0)
			return;
		r->first = *r->next++;
	}
	r->first = frame_behind(&r->first, frames);
}

/*
 * Messages for one sendmmsg.
 * @frames, @bytes: what is in each, without padding
 */
struct outgoing {
	unsigned n, n_iov;
	struct mmsghdr m[BATCH_MAX];
	unsigned frames[BATCH_MAX];
	uint32_t bytes[BATCH_MAX];
	union dgram_control control[BATCH_MAX];
	struct iovec iov[PIECES_MAX];
};

/* For one more frame. */
static bool has_room(const struct outgoing *o)
{
	return o->n_iov + PIECES <= PIECES_MAX;
}

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
	o->bytes[o->n] += len;
	o->frames[o->n]++;
}

/* The first @n frames of a run. */
static void add_part(struct outgoing *o, const struct frame *run, unsigned n)
{
	uint32_t bytes = n > run->more ? run->len + run->more_len : n * run->len;

	add_piece(o, run->data, bytes);
	o->bytes[o->n] += bytes;
	o->frames[o->n] += n;
}

/*
 * Add what may go on with a message of frames of @size bytes, @most more of them,
 * and take it off @r.
 *
 * Return: whether more may: no shorter one may have others behind it.
 */
static bool add_some(struct outgoing *o, struct rest *r, uint32_t size, unsigned most)
{
	struct frame *f = &r->first;
	unsigned n = frame_len(f) < size ? 1 : (unsigned)min_size(most, 1 + f->more);
	bool is_shorter = frame_padded(frame_len(f)) < size ||
			  (n > f->more && f->more_len < f->more * f->len);

	if (n > 1)
		add_part(o, f, n);
	else
		add_frame(o, f);
	skip(r, n);
	return !is_shorter;
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
 * long as the first, and at last one that is shorter.
 */
static void add_message(struct outgoing *o, struct rest *r, uint32_t segment_max)
{
	uint32_t size = frame_padded(frame_len(&r->first));
	unsigned most = (unsigned)min_size(SEGMENTS_MAX, MESSAGE_MAX / size);
	unsigned *frames = &o->frames[o->n];

	memset(&o->m[o->n], 0, sizeof(o->m[o->n]));
	o->m[o->n].msg_hdr.msg_iov = &o->iov[o->n_iov];
	*frames = o->bytes[o->n] = 0;
	if (size > segment_max || !most)
		most = 1;
	while (add_some(o, r, size, most - *frames) && *frames < most && r->n &&
	       has_room(o) && frame_padded(frame_len(&r->first)) <= size)
		;
	if (*frames > 1)
		set_segment(o, size);
	o->n++;
}

/* As many messages as there is room for; at least one. */
static void build(struct outgoing *o, struct rest r, uint32_t segment_max)
{
	o->n = o->n_iov = 0;
	do
		add_message(o, &r, segment_max);
	while (r.n && o->n < BATCH_MAX && has_room(o));
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

static unsigned count_sent(struct port *p, const struct outgoing *o, unsigned messages)
{
	unsigned frames = 0;

	for (unsigned i = 0; i < messages; i++) {
		frames += o->frames[i];
		p->count.tx_bytes += o->bytes[i];
	}
	p->count.tx_frames += frames;
	return frames;
}

/*
 * The first message was not sent, errno says why; @retried: nor was it the time before.
 *
 * Return: how many frames that deals with; -errno.
 */
static int give_up(struct dgram *d, const struct outgoing *o, const struct rest *rest,
		   bool *retried)
{
	int err = errno;
	enum verdict verdict;

	if (o->frames[0] > 1 && (err == EINVAL || err == EIO || err == EMSGSIZE)) {
		segment_less(d, frame_padded(frame_len(&rest->first)));
		return 0;
	}
	verdict = judge(d, err, *retried);
	*retried = verdict == AGAIN;
	if (verdict == STOP)
		return port_why(&d->port, -err, "%s", strerror(err));
	return verdict == SKIP;
}

int dgram_tx(struct port *p, const struct frame *f, unsigned n)
{
	struct dgram *d = dgram_of(p);
	struct rest rest = { .first = *f, .next = f + 1, .n = n };
	struct outgoing o;
	unsigned done = 0;
	bool retried = false;

	while (rest.n) {
		int sent, now;

		build(&o, rest, d->segment_max);
		sent = sendmmsg(d->wfd, o.m, o.n, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (sent < 0 && errno == EAGAIN)
			break;
		if (sent > 0) {
			now = (int)count_sent(p, &o, (unsigned)sent);
			retried = false;
		} else {
			now = give_up(d, &o, &rest, &retried);
		}
		if (now < 0)
			return done ? (int)done : now;
		done += (unsigned)now;
		skip(&rest, (unsigned)now);
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
	struct dgram *d = dgram_of(p);

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
	free(dgram_of(p));
}
