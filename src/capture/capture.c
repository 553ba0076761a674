/* SPDX-License-Identifier: MIT */
/*
 * A capture observes the frames of a relay. Its blocks are written at the end of each
 * turn of the event loop, or earlier if there are many. A capture never ends while a
 * frame is being observed, because the list of observers is being walked then: errors
 * are noted, and work_due() acts on them at the end of the turn.
 *
 * #syscalls: clock_gettime close poll recvfrom sendmsg setsockopt
 */
#include "capture/capture.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "frame/run.h"

#define PUSH_BYTES \
	((size_t)256 << 10)    /* more than this is written before the turn's end */
#define SOCKET_BYTES (1 << 20) /* size of the socket's buffer to ask for */
#define END_MS 1000	       /* time to end in good order */

static void read_clock(struct capture *c)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	c->time = (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

/* ---- out of the queue ---- */

static void push(struct capture *c)
{
	struct byte_ring *ring = &c->queue.ring;
	struct iovec iov[2];
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = 2 };

	while (ring->bytes && !c->is_blocked && !c->err) {
		ssize_t n;

		byte_ring_peek(ring, iov);
		n = sendmsg(c->watch.fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n >= 0)
			byte_ring_drop(ring, (size_t)n);
		else if (errno == EAGAIN)
			c->is_blocked = true;
		else if (errno != EINTR)
			c->err = -errno;
	}
}

/* Write what can be written. Return: whether nothing is left to do. */
static bool go_on(struct capture *c)
{
	bool is_last = false;

	do {
		if (c->is_ending)
			is_last = capture_queue_end(&c->queue, c->time);
		push(c);
	} while (c->is_ending && !is_last && !c->is_blocked && !c->err);
	return c->err || (is_last && !c->queue.ring.bytes);
}

/* ---- the end ---- */

/* Stop observing frames. Statistics, and what is queued, still go out. */
static void begin_end(struct capture *c)
{
	if (c->is_ending)
		return;
	c->is_ending = true;
	read_clock(c);
	observer_remove(c->forward, &c->observer);
}

static void report(const struct capture *c)
{
	const struct capture_queue *q = &c->queue;
	const char *over = c->err == -EPIPE ? "the reader has gone: " : "";

	if (c->err == -ECANCELED)
		return;
	if (q->lost)
		log_warn("capture %s: %s%" PRIu64 " packets captured, %" PRIu64
			 " packets lost: the reader was too slow",
			 c->name, over, q->packets, q->lost);
	else if (c->err)
		log_warn("capture %s: %s%" PRIu64 " packets captured", c->name, over,
			 q->packets);
	else
		log_info("capture %s: %" PRIu64 " packets captured, none lost", c->name,
			 q->packets);
}

static void finish(struct capture *c)
{
	int fd = c->watch.fd;

	begin_end(c);
	report(c);
	loop_del(c->loop, &c->watch);
	loop_undefer(&c->work);
	timer_cancel(c->loop, &c->limit);
	close(fd);
	capture_queue_free(&c->queue);
	c->forward = NULL;
}

static void work_due(struct deferred *d)
{
	struct capture *c = container_of(d, struct capture, work);
	uint32_t in = c->is_ending ? 0 : EPOLLIN;

	c->is_timed = false;
	/* epoll reports room in a unix socket late, so a long queue is tried each turn. */
	if (c->queue.ring.bytes >= PUSH_BYTES)
		c->is_blocked = false;
	if (!go_on(c)) {
		loop_mod(c->loop, &c->watch, in | (c->is_blocked ? EPOLLOUT : 0));
		return;
	}
	finish(c);
	if (c->ended)
		c->ended(c, c->arg);
}

static void limit_due(struct timer *t)
{
	struct capture *c = container_of(t, struct capture, limit);

	c->err = -ETIMEDOUT;
	loop_defer(c->loop, &c->work, work_due);
}

void capture_end(struct capture *c)
{
	if (c->is_ending)
		return;
	begin_end(c);
	timer_set(c->loop, &c->limit, END_MS, limit_due);
	loop_defer(c->loop, &c->work, work_due);
}

void capture_stop(struct capture *c)
{
	uint64_t limit = loop_now() + END_MS, now;

	if (!c->forward)
		return;
	begin_end(c);
	while (!go_on(c) && (now = loop_now()) < limit) {
		struct pollfd pfd = { .fd = c->watch.fd, .events = POLLOUT };

		poll(&pfd, 1, (int)(limit - now));
		c->is_blocked = false;
	}
	finish(c);
}

void capture_drop(struct capture *c)
{
	if (!c->forward)
		return;
	c->err = -ECANCELED;
	finish(c);
}

/* Ignore all that the reader sends, but end the capture when its stream ends. */
static void fd_ready(struct watch *w, uint32_t events)
{
	struct capture *c = container_of(w, struct capture, watch);
	char ignored[512];
	ssize_t n = 1;

	if (events & (EPOLLOUT | EPOLLHUP | EPOLLERR))
		c->is_blocked = false;
	if (!c->is_ending && (events & ~(uint32_t)EPOLLOUT))
		n = recv(w->fd, ignored, sizeof(ignored), MSG_DONTWAIT);
	if (n == 0)
		capture_end(c);
	else if (n < 0 && errno != EAGAIN && errno != EINTR)
		c->err = errno == ECONNRESET ? -EPIPE : -errno;
	loop_defer(c->loop, &c->work, work_due);
}

/* ---- frames ---- */

/*
 * Read the clock once for each batch: at the first frame of a turn, and at the first
 * frame that is received after others were sent.
 */
static void stamp(struct capture *c, bool is_out)
{
	if (!c->is_timed || (c->is_sending && !is_out))
		read_clock(c);
	c->is_timed = true;
	c->is_sending = is_out;
	loop_defer(c->loop, &c->work, work_due);
}

static void add_run(struct capture *c, const struct member *m, bool is_out,
		    const struct frame *f)
{
	struct capture_port *entry = capture_queue_port(&c->queue, m, c->time);
	struct frame one = *f;

	capture_queue_frame(&c->queue, entry, is_out, c->time, &one);
	for (unsigned left = f->n_more; left; left--) {
		one = run_skip(&one, 1);
		capture_queue_frame(&c->queue, entry, is_out, c->time, &one);
	}
}

static bool is_wanted(const struct capture *c, const struct member *m)
{
	if (*c->filter.name)
		return !strcmp(c->filter.name, m->name);
	return !c->filter.port || c->filter.port == m->id;
}

static void on_seen(struct observer *o, const struct member *m, enum direction direction,
		    const struct frame *f)
{
	struct capture *c = container_of(o, struct capture, observer);
	bool is_out = direction == FRAME_OUT;
	bool lost_none = !c->queue.lost;

	if (c->err || !(is_out ? c->filter.out : c->filter.in) || !is_wanted(c, m))
		return;
	stamp(c, is_out);
	add_run(c, m, is_out, f);
	if (lost_none && c->queue.lost)
		log_warn("capture %s: packets are being lost: the reader is too slow",
			 c->name);
	/* A single turn may bring more than the queue can hold. */
	if (c->queue.ring.bytes >= PUSH_BYTES)
		push(c);
}

/* ---- the beginning ---- */

static void describe_ports(struct capture *c)
{
	for (const struct member *m = c->forward->members.first; m; m = m->next)
		if (is_wanted(c, m))
			capture_queue_port(&c->queue, m, c->time);
}

int capture_start(struct capture *c, struct forwarding *forward, struct loop *loop,
		  int fd, const struct capture_filter *filter, const char *name,
		  void (*ended)(struct capture *c, void *arg), void *arg)
{
	int ret, room = SOCKET_BYTES;

	*c = (struct capture){ .loop = loop,
			       .filter = *filter,
			       .name = name,
			       .ended = ended,
			       .arg = arg,
			       .watch = WATCH_INIT,
			       .observer = { .seen = on_seen } };
	ret = capture_queue_init(&c->queue, filter->snaplen);
	if (ret < 0)
		return ret;
	ret = loop_add(loop, &c->watch, fd, EPOLLIN, fd_ready);
	if (ret < 0) {
		capture_queue_free(&c->queue);
		return ret;
	}
	c->forward = forward;
	read_clock(c);
	describe_ports(c);
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
	observer_add(forward, &c->observer);
	loop_defer(loop, &c->work, work_due);
	return 0;
}
