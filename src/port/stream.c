/* SPDX-License-Identifier: MIT */
/*
 * QEMU's stream framing: opening, the greetings of a trunk, and sending, which is
 * one writev for all frames; see stream-layout.h. Receiving is in stream-rx.c.
 *
 * #syscalls: close mmap munmap shutdown write writev
 */
#include "port/stream.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "frame/stream-layout.h"
#include "net/sock.h"

#define DEAD_S 15	 /* of silence, then a peer is gone, if nothing else is said */
#define SILENCE_CHECKS 4 /* and a fifth of the time before the first */
#define ANSWER_MS 5000	 /* for a preamble, from one who may be no netrelay */

int stream_init(struct stream *s, const struct port_ops *ops, const struct port_env *env,
		const char *name)
{
	int ret = port_init(&s->port, ops, env, name);

	s->rfd = s->wfd = -1;
	s->dead = ENDPOINT_DEAD_USUAL;
	if (ret < 0)
		return ret;
	/* Not resident before it is used, which many clients never do. */
	s->part = mmap(NULL, STREAM_PART_BYTES, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (s->part == MAP_FAILED) {
		s->part = NULL;
		frame_queue_free(&s->port.queue);
		return -ENOMEM;
	}
	return 0;
}

void *stream_new(size_t size, const struct port_ops *ops, const struct port_env *env,
		 const char *name)
{
	struct stream *s = calloc(1, size);

	if (s && stream_init(s, ops, env, name) == 0)
		return s;
	free(s);
	errno = ENOMEM;
	return NULL;
}

/*
 * Silence ends what is dialled again. Who was accepted may be a QEMU, which never
 * dials a second time: an outage on the way must not cost it its network for ever.
 */
static unsigned dead_s(const struct stream *s)
{
	if (s->dead != ENDPOINT_DEAD_USUAL)
		return (unsigned)s->dead;
	return s->is_dialled || s->trunk == STREAM_AGREED ? DEAD_S : 0;
}

static int send_greeting(struct stream *s);
static void no_answer(struct timer *t);

int stream_use(struct stream *s, int rfd, int wfd, enum stream_trunk trunk)
{
	s->rfd = rfd;
	s->wfd = wfd;
	s->trunk = trunk;
	s->may_delay_ack = true;
	s->was_cut_short = false;
	s->is_tcp = sock_tcp_silent_ms(wfd) >= 0;
	if (s->is_tcp) {
		sock_tune_tcp(wfd);
		sock_tcp_dead(wfd, dead_s(s));
	}
	s->port.awaiting_peer = trunk == STREAM_ASKS;
	if (trunk == STREAM_ASKS) {
		int ret = send_greeting(s);

		if (ret < 0)
			return port_why(&s->port, ret, "%s", strerror(-ret));
		timer_set(s->port.env->loop, &s->answer, ANSWER_MS, no_answer);
	}
	return port_set_fds(&s->port, rfd, wfd);
}

/*
 * A dead peer with data under way. TCP_USER_TIMEOUT would also end the link to
 * a peer that lives but does not read - a stopped VM's - once its window has
 * been shut for that long (tcp_probe_timer() in the kernel's tcp_timer.c), and
 * QEMU never dials again. So the kernel is asked how long it has heard nothing.
 */
static unsigned check_ms(const struct stream *s)
{
	unsigned seconds = dead_s(s);

	return (seconds ? seconds : DEAD_S) * 1000 / (SILENCE_CHECKS + 1);
}

static void check_silence(struct timer *t)
{
	struct stream *s = container_of(t, struct stream, silence);
	long ms = sock_tcp_silent_ms(s->wfd);
	unsigned every = check_ms(s);

	if (!s->is_cut_short && sock_tcp_is_stuck(s->wfd)) {
		s->is_cut_short = true;
		sock_tcp_may_fragment(s->wfd);
	}
	s->silent_checks = ms >= (long)every ? s->silent_checks + 1 : 0;
	if (s->silent_checks >= SILENCE_CHECKS && dead_s(s)) {
		s->was_cut_short = s->is_cut_short;
		port_why(&s->port, -ETIMEDOUT, "no answer from the peer for %ld s",
			 ms / 1000);
		port_down(&s->port);
		return;
	}
	if (ms > 0 || port_backlog(&s->port).frames)
		timer_set(s->port.env->loop, t, every, check_silence);
}

bool stream_is_gone(struct port *p)
{
	struct stream *s = stream_of(p);

	return s->is_tcp && sock_tcp_silent_ms(s->wfd) >= DEAD_S * 1000;
}

/* ---- trunk ---- */

/*
 * Now, unless a frame is partly sent; what is left of it, as soon as there is room.
 * A peer that nothing can be sent to any more is owed nothing.
 */
static int send_greeting(struct stream *s)
{
	ssize_t n;

	if (s->port.tx_broken)
		return 0;
	trunk_preamble(s->greeting);
	s->n_greeting = sizeof(s->greeting);
	s->port.owes = true;
	if (s->skip)
		return 0;
	n = write(s->wfd, s->greeting, sizeof(s->greeting));
	if (n < 0 && errno != EAGAIN && errno != EINTR)
		return -errno;
	s->n_greeting -= n > 0 ? (size_t)n : 0;
	s->port.owes = s->n_greeting;
	return 0;
}

static void no_answer(struct timer *t)
{
	struct stream *s = container_of(t, struct stream, answer);

	port_why(&s->port, -EPROTO,
		 "no answer as a netrelay gives it; to reach a QEMU, take tcp:");
	port_down(&s->port);
}

int stream_greeted(struct stream *s, const uint8_t *at)
{
	unsigned version;
	uint32_t takes;

	/* Also to one of another version: then he can say so, too. */
	if (s->trunk == STREAM_LISTENS)
		send_greeting(s);
	if (trunk_read_preamble(at, &version, &takes) < 0)
		return port_why(&s->port, -EPROTO,
				"the peer's trunk is of version %u, ours of %u; "
				"take tcp:, or the same netrelay on both sides",
				version, TRUNK_VERSION);
	timer_cancel(s->port.env->loop, &s->answer);
	s->trunk = STREAM_AGREED;
	if (s->is_tcp)
		sock_tcp_dead(s->wfd, dead_s(s));
	s->port.takes_super = takes & TRUNK_TAKES_SUPER;
	s->port.takes_uso = s->port.takes_super;
	port_proven(&s->port);
	return 0;
}

/* ---- send ---- */

/* Of a run, as many as @bytes are enough for, not all. Return: how many those are. */
static unsigned account_run(struct stream *s, struct frame run, size_t *bytes)
{
	uint32_t least = port_pad(&s->port);
	unsigned done = 0;

	for (; run.n_more; run = run_skip(&run, 1), done++) {
		struct frame one = run_first(&run);

		if (*bytes < layout_size(&one, least))
			break;
		*bytes -= layout_size(&one, least);
		port_sent(&s->port, &one);
	}
	return done;
}

/* Return: frames wholly sent by @bytes more; what is over goes to s->skip. */
static unsigned account(struct stream *s, const struct frame *f, unsigned n, size_t bytes)
{
	uint32_t least = port_pad(&s->port);
	unsigned done = 0;

	bytes += s->skip;
	for (unsigned i = 0; i < n; i++) {
		size_t size = layout_size(&f[i], least) + run_rest_size(&f[i]);

		if (bytes < size) {
			done += account_run(s, f[i], &bytes);
			break;
		}
		bytes -= size;
		done += 1 + f[i].n_more;
		port_sent(&s->port, &f[i]);
	}
	s->skip = (uint32_t)bytes;
	return done;
}

/*
 * What is left of our preamble goes ahead of the first frame that is not begun.
 *
 * Return: how many of @n there was room for; at least one.
 */
static unsigned build(struct stream *s, struct layout_pieces *out, const struct frame *f,
		      unsigned n)
{
	out->n = 0;
	if (s->n_greeting && !s->skip)
		layout_add(out, s->greeting + sizeof(s->greeting) - s->n_greeting,
			   s->n_greeting);
	n = layout_add_frames(out, f, s->n_greeting && s->skip && n ? 1 : n,
			      port_pad(&s->port));
	layout_skip(out, s->skip);
	return n;
}

/* @n: how many there are; is set to how many of them were tried. Returns as ops->tx(). */
static int send_some(struct stream *s, const struct frame *f, unsigned *n)
{
	struct port *p = &s->port;
	struct layout_pieces out;
	ssize_t sent;
	size_t greeted = 0;

	*n = build(s, &out, f, *n);
	do
		sent = writev(s->wfd, out.iov, (int)out.n);
	while (sent < 0 && errno == EINTR);
	if (sent < 0 && sock_is_short(errno))
		port_pause(p);
	else if (sent < 0 && errno != EAGAIN)
		return port_why(p, -errno, "%s", strerror(errno));
	if (s->is_tcp && !s->silence.is_set)
		timer_set(p->env->loop, &s->silence, check_ms(s), check_silence);
	if (sent < 0)
		return 0;
	s->may_delay_ack = true;
	if (s->n_greeting && !s->skip)
		greeted = min_size(s->n_greeting, (size_t)sent);
	s->n_greeting -= greeted;
	p->owes = s->n_greeting;
	return (int)account(s, f, *n, (size_t)sent - greeted);
}

int stream_tx(struct port *p, const struct frame *f, unsigned n)
{
	unsigned done = 0, tried;

	do {
		int now;

		tried = n;
		now = send_some(stream_of(p), f, &tried);
		/* What was sent before is told first; the next call brings the error again. */
		if (now < 0)
			return done ? (int)done : now;
		done += (unsigned)now;
		if ((unsigned)now < run_count(f, tried))
			break;
		f += tried;
		n -= tried;
	} while (n);
	return (int)done;
}

void stream_shut(struct port *p)
{
	shutdown(stream_of(p)->wfd, SHUT_WR);
}

void stream_close(struct port *p)
{
	struct stream *s = stream_of(p);

	timer_cancel(p->env->loop, &s->silence);
	timer_cancel(p->env->loop, &s->answer);
	if (s->wfd >= 0 && s->wfd != s->rfd)
		close(s->wfd);
	if (s->rfd >= 0)
		close(s->rfd);
	s->rfd = s->wfd = -1;
	s->part_len = 0;
	s->cur = s->end = NULL;
	s->is_bad = s->has_whole_part = false;
	s->n_greeting = 0;
	p->takes_super = p->takes_uso = false;
	p->owes = false;
	s->skip = 0;
	s->silent_checks = 0;
	s->is_cut_short = false;
}

void stream_free(struct port *p)
{
	struct stream *s = stream_of(p);

	if (s->part)
		munmap(s->part, STREAM_PART_BYTES);
	free(s);
}
