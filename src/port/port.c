/* SPDX-License-Identifier: MIT */
/*
 * Everything that ports have in common. The contract with drivers is in port.h; here is
 * how a port works between its driver and its owner, the relay.
 *
 * STATES. port_start() calls ops->open(). If that returns 0, the port is up; if it
 * returns -EINPROGRESS, the port is opening until the driver calls port_opened().
 *
 *	        open()              0, port_opened(0)
 *	WAITING ------> OPENING --------------------------> UP
 *	   ^               |                                |
 *	   |               | -errno                         | port_down(): rx() failed, a
 *	   |               v                                v driver's timer, ...
 *	   +---- back-off -+-------------- close() ---------+
 *	                   |
 *	                   v one_shot, a mistake in the set-up, shut, or port_end()
 *	                 ENDED
 *
 * A port that goes down is closed at once, its queue is dropped (DROP_LOST), and the
 * reason is logged: as a warning when the outage begins, later only under -v and if the
 * reason is new (port-tell.c). Tries are 100 ms apart at first, then up to 5 s, half of which is
 * chance. A link that was up for a second was a success, and back-off starts over. A
 * driver that learns from elsewhere that its link may be back calls port_retry_now().
 * A link may be up before its peer has shown that it is one (awaiting_peer): such a port
 * counts as connecting until port_proven().
 *
 * RECEIVING. When the loop says that the port is readable, the owner calls
 * port_receive(), which has the driver fill a batch, forwards the frames, does the same
 * again while the batch says that there is @more, and calls port_received(). Between the
 * first and the last of these the port is_lending: the frames lie in its memory, and
 * other ports may have them pending. So if it fails or is taken away meanwhile, this is
 * noted (has_failed, is_taken_away), and done in port_received().
 *
 * SENDING. port_send() puts a frame on the pending list, which is only valid until
 * port_flush(); that hands all of it to the driver with one call. The driver sends what
 * the kernel takes; the rest is copied to the queue. From then on all frames go through
 * the queue, so that they stay in order, until the kernel says that there is room and
 * drain() has emptied it. A frame that was sent in part stays the first, and the driver
 * knows how much of it has gone. A full queue drops new frames (DROP_QUEUE). A driver
 * may also have control data to send, such as a trunk's hello: tx_control has the port
 * wait for room, too, and call tx(), if need be without frames.
 *
 * BACK-PRESSURE is the owner's: it holds the source of frames by port_hold() when a
 * queue is above PORT_QUEUE_HIGH, and lets it go when told that the queue has drained to
 * PORT_QUEUE_LOW. A queue has room for what one more receive brings. A port that is held
 * is not read; if its driver brings news of frames then, that is kept in has_later.
 *
 * HALF AN END. When nothing can be sent any more (tx_broken), a stream is still read for
 * 3 s, for the peer's last frames may be waiting; others go down at once.
 *
 * PAUSE. The kernel may be short of memory (ENOBUFS, ENOMEM) while epoll calls the port
 * ready. Then it is neither read nor written for 20 ms.
 *
 * TURN. A driver that has more to read, of which its descriptors say nothing, or that
 * had its share of this turn of the loop, sets batch.later: the port is read again in
 * the next turn, so that other ports have theirs.
 *
 * WATCHES. What to wait for follows from these alone: the state, is_held, the pause, the
 * queue, tx_control and tx_broken. rearm() is called after each change of one of them.
 *
 * #syscalls: getrandom
 */
#include "port/port.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>

#include "base/log.h"
#include "base/parts.h"
#include "base/passing.h"
#include "port/port-tell.h"

#define BACKOFF_MIN_MS 100
#define BACKOFF_MAX_MS 5000
#define TRIM_MS 1000   /* until an empty queue gives back its memory */
#define STABLE_MS 1000 /* a link that was up for so long was a success */
#define PAUSE_MS 20    /* until the kernel is asked for memory again */
#define BROKEN_MS 3000 /* to read what a peer sent before it could not be sent to */

int port_init(struct port *p, const struct port_ops *ops, const struct port_env *env,
	      const char *name)
{
	p->ops = ops;
	p->env = env;
	p->state = PORT_WAITING;
	p->since = loop_now();
	p->rd.fd = p->wr.fd = -1;
	p->backoff_ms = BACKOFF_MIN_MS;
	snprintf(p->name, sizeof(p->name), "%s", name);
	return frame_queue_init(&p->queue, PORT_QUEUE_BYTES);
}

void *port_new(size_t size, const struct port_ops *ops, const struct port_env *env,
	       const char *name)
{
	struct port *p = calloc(1, size);

	if (p && port_init(p, ops, env, name) == 0)
		return p;
	free(p);
	errno = ENOMEM;
	return NULL;
}

static bool has_output(const struct port *p)
{
	return !p->tx_broken && (p->queue.frames || p->tx_control);
}

void port_arm_fds(struct port *p, bool rx, bool tx)
{
	uint32_t in = rx ? EPOLLIN : 0, out = tx ? EPOLLOUT : 0;

	loop_mod(p->env->loop, &p->rd, p->wr.fd < 0 ? in | out : in);
	loop_mod(p->env->loop, &p->wr, out);
}

static void turn_has_come(struct deferred *d)
{
	struct port *p = container_of(d, struct port, turn);

	p->has_later = false;
	port_readable(p);
}

static bool may_read(const struct port *p)
{
	return p->state == PORT_UP && !p->is_held && !p->pause.is_set;
}

/* Wait for what the port's members say, see above. */
static void rearm(struct port *p)
{
	bool rx = may_read(p), tx = has_output(p) && !p->pause.is_set;

	if (p->state != PORT_UP)
		return;
	if (p->ops->arm)
		p->ops->arm(p, rx, tx);
	else
		port_arm_fds(p, rx, tx);
	if (p->has_later)
		loop_again(p->env->loop, &p->turn, turn_has_come);
	else
		loop_undefer(&p->turn);
}

static void set_state(struct port *p, enum port_state state)
{
	if (p->state == state)
		return;
	p->state = state;
	p->since = loop_now();
	rearm(p);
	p->env->host->changed(p, p->env->host_arg);
}

/*
 * Half of the delay is chance, so that many ports that lost one peer do not return all at
 * once. The time that the last try took counts as delay.
 *
 * Return: milliseconds until the next try.
 */
static uint64_t next_backoff(struct port *p)
{
	uint64_t spent = p->state == PORT_OPENING ? loop_now() - p->since : 0;
	unsigned delay = p->backoff_ms;
	uint16_t chance = 0;

	if (getrandom(&chance, sizeof(chance), GRND_NONBLOCK) < 0)
		chance = (uint16_t)loop_now();
	p->backoff_ms = delay * 2 > BACKOFF_MAX_MS ? BACKOFF_MAX_MS : delay * 2;
	delay = delay / 2 + chance % (delay / 2 + 1);
	return spent < delay ? delay - spent : 0;
}

static void start_open(struct port *p)
{
	set_state(p, PORT_OPENING);
	port_opened(p, p->ops->open(p));
}

static void retry_due(struct timer *t)
{
	start_open(container_of(t, struct port, retry));
}

void port_start(struct port *p)
{
	start_open(p);
}

void port_retry_now(struct port *p)
{
	if (p->state != PORT_WAITING)
		return;
	/* By the timer, because of what loop.h says on adding watches again. */
	timer_set(p->env->loop, &p->retry, 0, retry_due);
}

static void try_later(struct port *p, bool is_news)
{
	bool was_longest = p->backoff_ms == BACKOFF_MAX_MS;
	uint64_t ms = next_backoff(p);

	if (HAS_STORY)
		port_tell_next(p, ms, is_news,
			       !was_longest && p->backoff_ms == BACKOFF_MAX_MS);
	timer_set(p->env->loop, &p->retry, ms, retry_due);
}

static void unset_fds(struct port *p)
{
	loop_del(p->env->loop, &p->rd);
	loop_del(p->env->loop, &p->wr);
}

static void close_fds(struct port *p)
{
	unset_fds(p);
	p->has_later = false;
	loop_undefer(&p->turn);
	p->ops->close(p);
	port_drop(p, DROP_LOST, frame_queue_clear(&p->queue));
	port_drop(p, DROP_LOST, run_count(p->pending, p->n_pending));
	p->n_pending = 0;
	p->tx_broken = p->has_failed = false;
	timer_cancel(p->env->loop, &p->pause);
	timer_cancel(p->env->loop, &p->broken);
}

void port_down(struct port *p)
{
	bool was_up = p->state == PORT_UP;
	bool is_mistake = !p->was_up && (p->ops->open_error_is_fatal || p->is_mistake) &&
			  !passing_error(p->why_err, p->waits);
	bool ends = p->ops->one_shot || is_mistake || p->is_shut, is_news;

	if (p->state == PORT_ENDED || p->state == PORT_WAITING)
		return;
	/* Its frames may still be pending at other ports. */
	if (p->is_lending) {
		p->has_failed = true;
		return;
	}
	if (was_up && !p->awaiting_peer && loop_now() - p->since >= STABLE_MS) {
		p->backoff_ms = BACKOFF_MIN_MS;
		p->told = 0;
	}
	close_fds(p);
	is_news = port_tell_down(p, !ends);
	if (ends) {
		set_state(p, PORT_ENDED);
		return;
	}
	try_later(p, is_news);
	set_state(p, PORT_WAITING);
}

void port_opened(struct port *p, int ret)
{
	if (ret == -EINPROGRESS)
		return;
	if (ret < 0) {
		port_down(p);
		return;
	}
	p->was_up = true;
	if (!p->awaiting_peer)
		log_info("%s: up", p->name);
	set_state(p, PORT_UP);
}

void port_proven(struct port *p)
{
	if (!p->awaiting_peer)
		return;
	p->awaiting_peer = false;
	log_info("%s: up", p->name);
	p->env->host->changed(p, p->env->host_arg);
}

void port_unproven(struct port *p)
{
	if (p->state != PORT_UP || p->awaiting_peer)
		return;
	p->awaiting_peer = true;
	log_info("%s: %s", p->name, p->why);
	p->env->host->changed(p, p->env->host_arg);
}

/*
 * Whether a port that can't send any more is still read: frames that the peer sent before
 * it went away may have arrived, and must not be lost.
 */
static bool reads_on(const struct port *p)
{
	return p->ops->is_stream && !p->ops->is_stdio;
}

static void broken_due(struct timer *t)
{
	struct port *p = container_of(t, struct port, broken);

	/* It was not read, so frames may be left. */
	if (p->is_held)
		timer_set(p->env->loop, t, BROKEN_MS, broken_due);
	else
		port_down(p);
}

/* Note that nothing can be sent any more; port_why() has the reason. */
static void break_tx(struct port *p)
{
	p->tx_broken = true;
	p->tx_control = false;
	port_drop(p, DROP_LOST, frame_queue_clear(&p->queue));
	rearm(p);
	if (reads_on(p))
		timer_set(p->env->loop, &p->broken, BROKEN_MS, broken_due);
	else
		port_down(p);
}

static void pause_over(struct timer *t)
{
	rearm(container_of(t, struct port, pause));
}

void port_pause(struct port *p)
{
	timer_set(p->env->loop, &p->pause, PAUSE_MS, pause_over);
	rearm(p);
}

static void trim_due(struct timer *t)
{
	frame_queue_trim(&container_of(t, struct port, trim)->queue);
}

/* Send control data, and from the queue until it is empty or the kernel takes no more. */
static void drain(struct port *p)
{
	struct frame f[BATCH_MAX];

	do {
		unsigned n = frame_queue_peek(&p->queue, f, BATCH_MAX, p->ops->is_stream);
		int done = p->ops->tx(p, f, n);

		if (done < 0) {
			break_tx(p);
			break;
		}
		frame_queue_drop(&p->queue, (unsigned)done);
		if ((unsigned)done < run_count(f, n))
			break;
	} while (p->queue.frames);
	if (!p->queue.frames && p->queue.peak > FRAME_QUEUE_KEEP && !p->trim.is_set)
		timer_set(p->env->loop, &p->trim, TRIM_MS, trim_due);
	rearm(p);
	if (p->state == PORT_UP && port_backlog(p).bytes <= PORT_QUEUE_LOW)
		p->env->host->drained(p, p->env->host_arg);
}

void port_readable(struct port *p)
{
	if (may_read(p))
		p->env->host->readable(p, p->env->host_arg);
	else
		p->has_later = p->state == PORT_UP;
}

void port_writable(struct port *p)
{
	if (has_output(p))
		drain(p);
	else
		rearm(p);
}

static void rd_ready(struct watch *w, uint32_t events)
{
	struct port *p = container_of(w, struct port, rd);

	/* On a hang-up alone try to send, too: the port may not be read, and learns of it so. */
	if (events & (EPOLLHUP | EPOLLERR | EPOLLOUT))
		port_writable(p);
	if (events & ~(uint32_t)EPOLLOUT)
		port_readable(p);
}

static void wr_ready(struct watch *w, uint32_t events)
{
	(void)events;
	port_writable(container_of(w, struct port, wr));
}

int port_set_fds(struct port *p, int rfd, int wfd)
{
	int ret = 0;

	unset_fds(p);
	if (rfd >= 0)
		ret = loop_add(p->env->loop, &p->rd, rfd, 0, rd_ready);
	if (ret == 0 && wfd != rfd)
		ret = loop_add(p->env->loop, &p->wr, wfd, 0, wr_ready);
	if (ret < 0)
		return port_why(p, ret, "epoll: %s", strerror(-ret));
	rearm(p);
	return 0;
}

int port_receive(struct port *p, struct batch *b)
{
	int ret;

	b->n = 0;
	b->more = b->later = false;
	p->has_later = false;
	p->is_lending = true;
	ret = p->ops->rx(p, b);
	p->has_later |= b->later;
	if (ret < 0)
		port_down(p);
	return ret;
}

void port_received(struct port *p)
{
	p->is_lending = false;
	if (p->ops->rx_done)
		p->ops->rx_done(p);
	if (p->is_taken_away)
		port_end(p);
	else if (p->has_failed)
		port_down(p);
	else if (p->tx_control || p->has_later)
		rearm(p);
}

static inline void append(struct port *p, const struct frame *f)
{
	if (p->n_pending == BATCH_MAX)
		port_flush(p);
	p->pending[p->n_pending++] = *f;
}

static void append_each(struct port *p, struct frame run)
{
	for (; run.n_more; run = run_next(&run)) {
		struct frame one = run_first(&run);

		append(p, &one);
	}
	append(p, &run);
}

void port_append(struct port *p, const struct frame *f)
{
	bool is_whole = f->layout == LAYOUT_STREAM ? p->ops->is_stream
						   : p->ops->is_dgram && !f->gap;

	is_whole |= HAS_VHOST && p->ops->takes_runs;

	frame_assert(f);
	/* Frames that lie one behind the other are one piece to send. */
	if (p->ops->is_stream && p->n_pending &&
	    run_join(&p->pending[p->n_pending - 1], f))
		return;
	if (f->n_more && !is_whole)
		append_each(p, *f);
	else
		append(p, f);
}

/* Queue a run as a whole, or as many of its frames as there is room for. */
static void enqueue_run(struct port *p, struct frame run)
{
	if (frame_queue_put(&p->queue, &run))
		return;
	for (; run.n_more; run = run_skip(&run, 1)) {
		struct frame one = run_first(&run);

		if (!frame_queue_put(&p->queue, &one))
			port_drop(p, DROP_QUEUE, 1);
	}
	if (!frame_queue_put(&p->queue, &run))
		port_drop(p, DROP_QUEUE, 1);
}

/* Queue all frames but the first @done, which have been dealt with. */
static void enqueue(struct port *p, const struct frame *f, unsigned n, unsigned done)
{
	for (unsigned i = 0; i < n; i++) {
		if (done > f[i].n_more) {
			done -= 1 + f[i].n_more;
			continue;
		}
		enqueue_run(p, run_skip(&f[i], done));
		done = 0;
	}
}

void port_flush(struct port *p)
{
	unsigned n = p->n_pending, frames = run_count(p->pending, n);
	int done = 0;

	if (!n)
		return;
	p->n_pending = 0;
	if (p->state != PORT_UP || p->has_failed || p->tx_broken) {
		port_drop(p, DROP_LOST, frames);
		return;
	}
	if (!p->queue.frames) {
		done = p->ops->tx(p, p->pending, n);
		if (done < 0) {
			port_drop(p, DROP_LOST, frames);
			break_tx(p);
			return;
		}
		if ((unsigned)done == frames) {
			if (p->tx_control)
				rearm(p);
			return;
		}
	}
	enqueue(p, p->pending, n, (unsigned)done);
	rearm(p);
}

void port_hold(struct port *p, bool hold)
{
	if (p->is_held == hold)
		return;
	p->is_held = hold;
	rearm(p);
}

void port_shut(struct port *p)
{
	p->is_shut = true;
	if (p->state != PORT_UP || !p->ops->shut)
		return;
	p->ops->shut(p);
	rearm(p);
}

void port_end(struct port *p)
{
	if (p->is_lending) {
		p->has_failed = p->is_taken_away = true;
		return;
	}
	timer_cancel(p->env->loop, &p->retry);
	if (p->state == PORT_OPENING || p->state == PORT_UP)
		close_fds(p);
	port_why(p, PORT_CLOSED, "taken away");
	log_info("%s: %s", p->name, p->why);
	set_state(p, PORT_ENDED);
}

void port_free(struct port *p)
{
	timer_cancel(p->env->loop, &p->retry);
	timer_cancel(p->env->loop, &p->trim);
	if (p->state == PORT_OPENING || p->state == PORT_UP)
		close_fds(p);
	frame_queue_free(&p->queue);
	p->ops->free(p);
}
