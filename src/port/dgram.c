/* SPDX-License-Identifier: MIT */
/*
 * One frame a datagram. Walking the kernel's stack costs more than entering
 * the kernel, so a run of frames of one length goes through it as one message,
 * which UDP_SEGMENT has it cut into datagrams at the very end; UDP_GRO is the
 * same on the way in, which is in dgram-rx.c.
 *
 * Errors that concern one datagram only - too long, nobody there, no memory -
 * drop that frame and count it; the port stays up, for the next one may get
 * through. One of the socket itself, or of this host, takes the port down, so that
 * it is opened again as things are now.
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

#define SEGMENTS_MAX 64		   /* UDP_MAX_SEGMENTS of kernels before 6.9 */
#define MESSAGE_MAX 65000	   /* below what IP takes with any header */
#define PIECES_MAX (3 * BATCH_MAX) /* for most, a frame is a head, data and padding */

_Static_assert(PIECES_MAX > FRAME_PIECES_MAX, "for any frame, and padding");

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

/* Room for the pieces of one more frame, and for padding behind it. */
static bool has_room(const struct outgoing *o, const struct frame *f)
{
	struct iovec iov[FRAME_PIECES_MAX];
	unsigned room = PIECES_MAX - o->n_iov;

	return room > FRAME_PIECES_MAX || frame_pieces(f, iov, FRAME_PIECES_MAX) < room;
}

/* The last message has one more piece, which is at the end of o->iov. */
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
 * Add what may go on with a message of frames of @size bytes, @most more of them,
 * and take it off @r.
 *
 * Return: whether more may: no shorter one may have others behind it.
 */
static bool add_some(struct outgoing *o, struct rest *r, uint32_t size, unsigned most)
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

/*
 * A message of the first frame, and of those behind it that may share it: as
 * long as the first, and at last one that is shorter.
 */
static void add_message(struct outgoing *o, const struct dgram *d, struct rest *r)
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
static void build(struct outgoing *o, const struct dgram *d, struct rest r)
{
	o->n = o->n_iov = 0;
	o->least = port_pad(&d->port);
	do
		add_message(o, d, &r);
	while (r.n && o->n < BATCH_MAX && has_room(o, &r.first));
}

/*
 * What an error of a send is about, for all kinds of datagrams. Any other is about
 * this frame: a firewall or the other end refuses it, or there is no memory for it
 * now; and the next one may get through.
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

/* No room on the way out, which is over soon: a queue of the host's, or its memory. */
static bool is_passing(int err)
{
	return err == ENOBUFS || err == ENOMEM;
}

/* One that can't be opened again is kept as long as it is there. */
static bool is_end(const struct dgram *d, int err)
{
	return d->port.ops->one_shot ? err == EBADF || err == ENOTSOCK
				     : is_of_socket(err);
}

/* The kernel or the path does without segmentation, from this length on at least. */
static void segment_less(struct dgram *d, uint32_t len)
{
	d->segment_max = d->segment_max >= len ? len - 1 : 0;
}

/*
 * Refusals come in when their datagrams have been counted already, and counters do
 * not go back: so others are counted as refused in their place.
 */
static void count(struct dgram *d, unsigned frames, uint64_t bytes)
{
	struct port_counters *c = &d->port.count;
	unsigned refused = (unsigned)min_size(d->refused, frames);

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

/* The frame that met @err is not sent; @is_told: it may be another one's. Returns as give_up(). */
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
 * The first message was not sent, errno says why; @retried: nor was it the time before.
 *
 * Return: how many frames that deals with; -errno.
 */
static int give_up(struct dgram *d, const struct outgoing *o, const struct rest *rest,
		   bool *retried)
{
	int err = errno;
	bool is_told;

	if (err == EINTR)
		return 0;
	if (o->frames[0] > 1 && (err == EINVAL || err == EIO || err == EMSGSIZE)) {
		segment_less(d, rest->first.len);
		return 0;
	}
	if (is_passing(err)) {
		port_drop(&d->port, DROP_REFUSED, o->frames[0]);
		return (int)o->frames[0];
	}
	is_told = dgram_take_errors(d) > 0;
	/* A connected socket tells of a datagram before: this one may go yet. */
	*retried = !*retried && !d->to.len;
	return *retried ? 0 : judge(d, err, is_told);
}

int dgram_tx(struct port *p, const struct frame *f, unsigned n)
{
	struct dgram *d = dgram_of(p);
	struct rest rest = { .first = *f, .next = f + 1, .n = n };
	struct outgoing o;
	unsigned done = 0;
	bool retried = false;

	if (!d->looks_left)
		dgram_look_on(d);
	while (rest.n) {
		int sent, now;

		build(&o, d, rest);
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
			now = give_up(d, &o, &rest, &retried);
		}
		if (now < 0)
			return done ? (int)done : now;
		done += (unsigned)now;
		skip(&rest, (unsigned)now);
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
	d->n_got = d->next = 0;
	d->offset = 0;
}

void dgram_free(struct port *p)
{
	free(dgram_of(p));
}
