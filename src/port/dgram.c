/* SPDX-License-Identifier: MIT */
/*
 * Sending one frame in each datagram. The way through the kernel's network stack costs
 * more than a system call. So a run of frames of one length goes through it as one
 * message, which UDP_SEGMENT has the kernel cut into datagrams at the very end. UDP_GRO
 * is the same on the way in; see dgram-rx.c.
 *
 * An error that concerns one datagram only - too long, nobody there, no memory - drops
 * that frame and counts it; the port stays up, for the next one may get through. An
 * error of the socket itself, or of this host, takes the port down, so that it is
 * opened again as things are now.
 *
 * #syscalls: close sendmsg
 */
#include "port/dgram.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/parts.h"

#define SEGMENTS_MAX 64		   /* UDP_MAX_SEGMENTS of kernels before 6.9 */
#define MESSAGE_MAX 65000	   /* below what IP takes with any header */
#define PIECES_MAX (3 * BATCH_MAX) /* most frames are a head, data and padding */

_Static_assert(PIECES_MAX > FRAME_PIECES_MAX, "for any frame, and padding");

/*
 * Frames and runs that are still to be sent: @n of them.
 * @first: the first, without its frames that are dealt with
 * @next:  the others
 */
struct unsent {
	struct frame first;
	const struct frame *next;
	unsigned n;
};

/* The first @frames are dealt with. */
static void skip(struct unsent *r, unsigned frames)
{
	while (frames > r->first.n_more) {
		frames -= 1 + r->first.n_more;
		if (--r->n == 0)
			return;
		r->first = *r->next++;
	}
	r->first = run_skip(&r->first, frames);
}

/*
 * Messages for one sendmmsg.
 * @least:  what shorter frames are padded to
 * @frames, @bytes: what is in each, without padding
 */
struct outgoing {
	unsigned n, n_iov;
	uint32_t least;
	struct mmsghdr m[BATCH_MAX];
	unsigned frames[BATCH_MAX];
	uint32_t bytes[BATCH_MAX];
	union dgram_control control[BATCH_MAX];
	struct iovec iov[PIECES_MAX];
};

/* Whether there is room for the pieces of one more frame, and for padding behind it. */
static bool has_room(const struct outgoing *o, const struct frame *f)
{
	struct iovec iov[FRAME_PIECES_MAX];
	unsigned room = PIECES_MAX - o->n_iov;

	return room > FRAME_PIECES_MAX || frame_pieces(f, iov, FRAME_PIECES_MAX) < room;
}

/* A piece was put behind the others in o->iov; it belongs to the last message. */
static void count_piece(struct outgoing *o)
{
	o->n_iov++;
	o->m[o->n].msg_hdr.msg_iovlen++;
}

static void add_piece(struct outgoing *o, const void *data, size_t len)
{
	o->iov[o->n_iov] = (struct iovec){ (void *)(uintptr_t)data, len };
	count_piece(o);
}

static void add_frame(struct outgoing *o, const struct frame *f)
{
	uint32_t padded = frame_padded(f->len, o->least);
	unsigned n = frame_pieces(f, &o->iov[o->n_iov], PIECES_MAX - o->n_iov);

	while (n--)
		count_piece(o);
	if (padded > f->len)
		add_piece(o, frame_padding, padded - f->len);
	o->bytes[o->n] += f->len;
	o->frames[o->n]++;
}

/* The first @n frames of a run, which has no gaps. */
static void add_part(struct outgoing *o, const struct frame *run, unsigned n)
{
	uint32_t bytes = n > run->n_more ? run->len + run->more_bytes : n * run->len;

	add_piece(o, run->data, bytes);
	o->bytes[o->n] += bytes;
	o->frames[o->n] += n;
}

/*
 * Add up to @most more frames to a message of frames of @size bytes, and take them off
 * @r. Only the last frame of a message may be shorter.
 *
 * Return: whether more may follow.
 */
static bool add_some(struct outgoing *o, struct unsent *r, uint32_t size, unsigned most)
{
	struct frame *f = &r->first;
	unsigned n = f->len < size ? 1 : (unsigned)min_size(most, 1 + f->n_more);
	bool is_shorter = frame_padded(f->len, o->least) < size ||
			  (n > f->n_more && f->more_bytes < f->n_more * f->len);

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

/* Make a message of the first frame, and of those behind it that are as long. */
static void add_message(struct outgoing *o, const struct dgram *d, struct unsent *r)
{
	uint32_t size = frame_padded(r->first.len, o->least);
	unsigned most = (unsigned)min_size(SEGMENTS_MAX, MESSAGE_MAX / size);
	unsigned *frames = &o->frames[o->n];

	memset(&o->m[o->n], 0, sizeof(o->m[o->n]));
	o->m[o->n].msg_hdr.msg_iov = &o->iov[o->n_iov];
	if (d->to.len) {
		o->m[o->n].msg_hdr.msg_name = (void *)(uintptr_t)&d->to.sa;
		o->m[o->n].msg_hdr.msg_namelen = d->to.len;
	}
	*frames = o->bytes[o->n] = 0;
	if (size > d->segment_max || !most)
		most = 1;
	while (add_some(o, r, size, most - *frames) && *frames < most && r->n &&
	       has_room(o, &r->first) && frame_padded(r->first.len, o->least) <= size)
		;
	if (*frames > 1)
		set_segment(o, size);
	o->n++;
}

/* As many messages as there is room for; at least one. */
static void build(struct outgoing *o, const struct dgram *d, struct unsent r)
{
	o->n = o->n_iov = 0;
	o->least = port_pad(&d->port);
	do
		add_message(o, d, &r);
	while (r.n && o->n < BATCH_MAX && has_room(o, &r.first));
}

/*
 * Whether an error of a send concerns the socket or the host. Any other error concerns
 * one frame: a firewall or the other end refuses it, or there is no memory for it now;
 * the next one may get through.
 */
static bool is_of_socket(int err)
{
	static const int errs[] = {
		/* The way out, or our own address, is another one or none. */
		ENETUNREACH,
		ENETDOWN,
		ENODEV,
		ENXIO,
		EADDRNOTAVAIL,
		EINVAL,
		/* There is no socket. */
		EBADF,
		ENOTSOCK,
	};

	for (size_t i = 0; i < ARRAY_SIZE(errs); i++)
		if (errs[i] == err)
			return true;
	return false;
}

/*
 * Whether the host lacks room for now, in a queue or in its memory; or a guest has taken away
 * the memory of what is sent.
 */
static bool is_passing(int err)
{
	return err == ENOBUFS || err == ENOMEM || (HAS_VHOST && err == EFAULT);
}

/* A socket that can't be opened again is kept for as long as it exists. */
static bool is_end(const struct dgram *d, int err)
{
	return d->port.ops->one_shot ? err == EBADF || err == ENOTSOCK
				     : is_of_socket(err);
}

/* The kernel or the path does not take frames of @len bytes, or longer, in segments. */
static void segment_less(struct dgram *d, uint32_t len)
{
	d->segment_max = d->segment_max >= len ? len - 1 : 0;
}

/*
 * A refusal is heard of after its datagram was counted as sent, and counters never go
 * back. So one of the next frames is counted as refused in its place.
 */
static void count(struct dgram *d, unsigned frames, uint64_t bytes)
{
	struct port_counters *c = &d->port.count;
	unsigned refused = d->refused < frames ? (unsigned)d->refused : frames;

	if (refused) {
		d->refused -= refused;
		port_drop(&d->port, DROP_REFUSED, refused);
		bytes -= bytes * refused / frames;
	}
	c->tx_frames += frames - refused;
	c->tx_bytes += bytes;
}

static unsigned count_sent(struct dgram *d, const struct outgoing *o, unsigned messages)
{
	unsigned frames = 0;
	uint64_t bytes = 0;

	for (unsigned i = 0; i < messages; i++) {
		frames += o->frames[i];
		bytes += o->bytes[i];
	}
	count(d, frames, bytes);
	return frames;
}

/*
 * Drop the frame that met @err, or give up the socket. Returns as give_up().
 * @is_told: ICMP has reported errors, so @err may be another frame's
 */
static int judge(struct dgram *d, int err, bool is_told)
{
	if (err == EMSGSIZE) {
		port_drop(&d->port, DROP_TOO_LONG, 1);
		return 1;
	}
	if (is_end(d, err) && !is_told)
		return port_why(&d->port, -err, "%s", strerror(err));
	d->port.far_errno = err;
	d->quiet = 0;
	port_drop(&d->port, DROP_REFUSED, 1);
	return 1;
}

/*
 * The first message was not sent, for the reason in errno.
 * @retried: it was tried twice
 *
 * Return: how many frames that deals with; -errno.
 */
static int give_up(struct dgram *d, const struct outgoing *o, const struct unsent *left,
		   bool *retried)
{
	int err = errno;
	bool is_told;

	if (err == EINTR)
		return 0;
	if (o->frames[0] > 1 && (err == EINVAL || err == EIO || err == EMSGSIZE)) {
		segment_less(d, left->first.len);
		return 0;
	}
	if (is_passing(err)) {
		if (HAS_VHOST && err == EFAULT)
			frame_touch(o->iov, o->n_iov);
		port_drop(&d->port, DROP_REFUSED, o->frames[0]);
		return (int)o->frames[0];
	}
	is_told = dgram_take_errors(d) > 0;
	/* A connected socket reports an error of an earlier datagram: try again. */
	*retried = !*retried && !d->to.len;
	return *retried ? 0 : judge(d, err, is_told);
}

int dgram_tx(struct port *p, const struct frame *f, unsigned n)
{
	struct dgram *d = dgram_of(p);
	struct unsent left = { .first = *f, .next = f + 1, .n = n };
	struct outgoing o;
	unsigned done = 0;
	bool retried = false;

	if (!d->looks_left)
		dgram_look_on(d);
	while (left.n) {
		int sent, now;

		build(&o, d, left);
		sent = sendmmsg(d->wfd, o.m, o.n, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (sent < 0 && errno == EAGAIN) {
			if (d->full)
				d->full(d);
			break;
		}
		if (sent > 0) {
			now = (int)count_sent(d, &o, (unsigned)sent);
			retried = false;
		} else {
			now = give_up(d, &o, &left, &retried);
		}
		if (now < 0)
			return done ? (int)done : now;
		done += (unsigned)now;
		skip(&left, (unsigned)now);
	}
	return (int)done;
}

void dgram_close(struct port *p)
{
	struct dgram *d = dgram_of(p);

	timer_cancel(p->env->loop, &d->timer);
	if (p->env->links)
		links_leave(p->env->links, &d->news);
	if (d->wfd >= 0 && d->wfd != d->rfd)
		close(d->wfd);
	if (d->rfd >= 0)
		close(d->rfd);
	d->rfd = d->wfd = -1;
	d->in.n_got = d->in.next = 0;
	d->in.offset = 0;
}

void dgram_free(struct port *p)
{
	free(dgram_of(p));
}
