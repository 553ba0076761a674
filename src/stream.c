/* SPDX-License-Identifier: MIT */
/*
 * QEMU's stream framing. Receiving: one read takes all there is, up to a
 * limit, and is sliced into frames where it lies. Only what is left at its end
 * is copied, to wait for its rest, which the next read puts right behind it.
 * Sending: one writev for all frames; see wire.h.
 */
#include "stream.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "sock.h"
#include "wire.h"

#define PART_BYTES ((size_t)FRAME_WORD + VNET_BYTES + FRAME_MAX)
#define SILENCE_CHECK_MS 3000
#define SILENCE_CHECKS 4 /* with 3 s each, and up to 3 s before the first: within 15 s */
#define ANSWER_MS 5000	 /* for a preamble, from one who may be no netrelay */
#define QUICKACK_BELOW 16384

_Static_assert(PORT_QUEUE_HIGH + STREAM_RX_BYTES + PART_BYTES <= PORT_QUEUE_BYTES,
	       "a queue must take what one more receive brings, or a cable loses frames");

static struct stream *to_stream(struct port *p)
{
	return container_of(p, struct stream, port);
}

int stream_init(struct stream *s, const struct port_ops *ops, const struct port_env *env,
		const char *name)
{
	int ret = port_init(&s->port, ops, env, name);

	s->rfd = s->wfd = -1;
	if (ret < 0)
		return ret;
	/* Not resident before it is used, which many clients never do. */
	s->part = mmap(NULL, PART_BYTES, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (s->part == MAP_FAILED) {
		s->part = NULL;
		fifo_free(&s->port.queue);
		return -ENOMEM;
	}
	return 0;
}

static int send_greeting(struct stream *s);
static void no_answer(struct timer *t);

int stream_use(struct stream *s, int rfd, int wfd, enum stream_trunk trunk)
{
	s->rfd = rfd;
	s->wfd = wfd;
	s->trunk = trunk;
	s->is_tcp = sock_tcp_silent_ms(wfd) >= 0;
	if (s->is_tcp)
		sock_tune_tcp(wfd);
	s->port.is_unproven = trunk == STREAM_ASKS;
	if (trunk == STREAM_ASKS) {
		int ret = send_greeting(s);

		if (ret < 0)
			return port_why(&s->port, ret, "%s", strerror(-ret));
		timer_set(s->port.env->loop, &s->answer, ANSWER_MS, no_answer);
	}
	return port_watch(&s->port, rfd, wfd);
}

/*
 * A dead peer with data under way. TCP_USER_TIMEOUT would also end the link to
 * a peer that lives but does not read - a stopped VM's - once its window has
 * been shut for that long (tcp_probe_timer() in the kernel's tcp_timer.c), and
 * QEMU never dials again. So the kernel is asked how long it has heard nothing.
 */
static void check_silence(struct timer *t)
{
	struct stream *s = container_of(t, struct stream, silence);
	long ms = sock_tcp_silent_ms(s->wfd);

	s->silent_checks = ms >= SILENCE_CHECK_MS ? s->silent_checks + 1 : 0;
	if (s->silent_checks == SILENCE_CHECKS) {
		port_why(&s->port, -ETIMEDOUT, "no answer from the peer for %ld s",
			 ms / 1000);
		port_down(&s->port);
		return;
	}
	if (ms > 0 || s->port.queue.frames)
		timer_set(s->port.env->loop, t, SILENCE_CHECK_MS, check_silence);
}

/* ---- trunk ---- */

/* Now, unless a frame is partly sent; what is left of it, as soon as there is room. */
static int send_greeting(struct stream *s)
{
	ssize_t n;

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

static int take_preamble(struct stream *s, const uint8_t *at)
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
	s->port.is_unproven = false;
	s->port.takes_super = takes & TRUNK_TAKES_SUPER;
	s->port.takes_uso = s->port.takes_super;
	return 0;
}

/* ---- receive ---- */

/*
 * How many bytes the unit at @at has, of which the length word is there.
 *
 * Return: bytes; -EPROTO, with the reason told, when it can be none.
 */
static ssize_t unit_size(struct stream *s, const uint8_t *at)
{
	uint32_t word = get_be32(at);
	uint32_t len = word & ~FRAME_VNET_BIT;
	bool may_greet = s->trunk == STREAM_ASKS || s->trunk == STREAM_LISTENS;

	if (word == TRUNK_MAGIC && may_greet)
		return TRUNK_PREAMBLE;
	if (!(word & FRAME_VNET_BIT) && len <= FRAME_MAX)
		return FRAME_WORD + (ssize_t)len;
	if (s->trunk == STREAM_AGREED && (word & FRAME_VNET_BIT) && len >= VNET_BYTES &&
	    len <= VNET_BYTES + FRAME_MAX)
		return FRAME_WORD + (ssize_t)len;
	s->port.count.rx_frames++;
	port_drop(&s->port, DROP_OVERSIZE, 1);
	return port_why(&s->port, -EPROTO,
			"a frame of %u bytes was announced, %u are the most; "
			"does the peer speak QEMU's stream framing?",
			word, FRAME_MAX);
}

/* A unit that is whole. Return: 0 or -errno. */
static int take_unit(struct stream *s, struct batch *b, uint8_t *at)
{
	uint32_t word = get_be32(at);
	struct frame f;

	if (word == TRUNK_MAGIC && s->trunk != STREAM_AGREED)
		return take_preamble(s, at);
	if (word & FRAME_VNET_BIT)
		vnet_swap((struct vnet *)(at + FRAME_WORD));
	f = frame_at(at);
	port_take(&s->port, b, &f);
	/* Only the first bytes of a connection can be a preamble. */
	if (s->trunk == STREAM_LISTENS)
		s->trunk = STREAM_PLAIN;
	return 0;
}

/* A unit whose length word has arrived, and which itself has not, goes on in s->part. */
static size_t part_missing(struct stream *s)
{
	if (s->part_len < FRAME_WORD)
		return 0;
	/* It was found good before it was kept. */
	return (size_t)unit_size(s, s->part) - s->part_len;
}

static const char *end_text(const struct stream *s)
{
	if (s->port.ops->is_pipe)
		return "stdin has ended";
	if (s->trunk == STREAM_ASKS)
		return "closed by the peer, which is no netrelay, or too old for trunks; "
		       "to reach a QEMU, take tcp:";
	return "closed by the peer";
}

/* Return: bytes now between cur and end; 0: nothing yet; -errno. */
static int receive(struct stream *s, struct batch *b)
{
	size_t missing = part_missing(s);
	size_t carried = missing ? 0 : s->part_len;
	struct iovec iov[2] = {
		{ .iov_base = s->part + s->part_len, .iov_len = missing },
		{ .iov_base = b->buf + carried, .iov_len = STREAM_RX_BYTES },
	};
	ssize_t n;

	/* Less than a length word is simply put ahead of what follows it. */
	memcpy(b->buf, s->part, carried);
	n = missing ? readv(s->rfd, iov, 2)
		    : read(s->rfd, iov[1].iov_base, iov[1].iov_len);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	/* One who reads our preamble as a length may close with the rest unread: a reset. */
	if (n < 0 && !(errno == ECONNRESET && s->trunk == STREAM_ASKS))
		return port_why(&s->port, -errno, "%s", strerror(errno));
	if (n <= 0)
		return port_why(&s->port, PORT_CLOSED, "%s", end_text(s));
	if (s->is_tcp && s->is_dialled && n < QUICKACK_BELOW)
		/* QEMU leaves Nagle on at its accepting side; it waits for our ACK. */
		setsockopt(s->rfd, IPPROTO_TCP, TCP_QUICKACK, &(int){ 1 }, sizeof(int));
	if ((size_t)n < missing) {
		s->part_len += (size_t)n;
		return 0;
	}
	s->has_whole_part = missing > 0;
	s->part_len = 0;
	s->cur = b->buf;
	s->end = b->buf + carried + ((size_t)n - missing);
	return 0;
}

/*
 * Cut units off what was received until it, or the room for them, runs out.
 *
 * Return: 0; -errno when the next one is bad.
 */
static int slice(struct stream *s, struct batch *b)
{
	int ret = 0;

	if (s->has_whole_part) {
		s->has_whole_part = false;
		ret = take_unit(s, b, s->part);
	}
	while (ret == 0 && s->end - s->cur >= FRAME_WORD) {
		ssize_t size;

		if (b->n == BATCH_MAX) {
			b->more = true;
			return 0;
		}
		size = unit_size(s, s->cur);
		if (size < 0)
			return (int)size;
		if (s->end - s->cur < size)
			return 0;
		ret = take_unit(s, b, s->cur);
		s->cur += size;
	}
	return ret;
}

int stream_rx(struct port *p, struct batch *b)
{
	struct stream *s = to_stream(p);
	int ret;

	if (s->is_bad)
		return p->why_err;
	if (s->cur == s->end && !s->has_whole_part) {
		ret = receive(s, b);
		if (ret < 0) {
			if (s->part_len) {
				p->count.rx_frames++;
				port_drop(p, DROP_CUT, 1);
			}
			return ret;
		}
	}
	ret = slice(s, b);
	if (ret < 0 && b->n) {
		/* The frames ahead of it first; the next call ends the link. */
		s->is_bad = b->more = true;
		return 0;
	}
	return ret;
}

/* Keep what is left; the frames ahead of it have gone, s->part may be used again. */
void stream_rx_done(struct port *p)
{
	struct stream *s = to_stream(p);

	if (s->cur == s->end)
		return;
	s->part_len = (size_t)(s->end - s->cur);
	memcpy(s->part, s->cur, s->part_len);
	s->cur = s->end = NULL;
}

/* Of a run, as many as @bytes are enough for. Return: how many those are. */
static unsigned account_run(struct stream *s, struct frame f, size_t *bytes)
{
	unsigned done = 0;

	f.more = f.more_len = 0;
	while (*bytes >= wire_size(&f)) {
		*bytes -= wire_size(&f);
		port_sent(&s->port, &f);
		done++;
		f = frame_next(&f);
	}
	return done;
}

/* Return: frames wholly sent by @bytes more; what is over goes to s->skip. */
static unsigned account(struct stream *s, const struct frame *f, unsigned n, size_t bytes)
{
	unsigned done = 0;

	bytes += s->skip;
	for (unsigned i = 0; i < n; i++) {
		size_t size = wire_size(&f[i]) + f[i].more_wire;

		if (bytes < size) {
			if (f[i].more)
				done += account_run(s, f[i], &bytes);
			break;
		}
		bytes -= size;
		done += 1 + f[i].more;
		port_sent(&s->port, &f[i]);
	}
	s->skip = (uint32_t)bytes;
	return done;
}

/* What is left of our preamble goes ahead of the first frame that is not begun. */
static void build(struct stream *s, struct wire *w, const struct frame *f, unsigned n)
{
	w->n = 0;
	if (s->n_greeting && !s->skip)
		wire_add(w, s->greeting + sizeof(s->greeting) - s->n_greeting,
			 s->n_greeting);
	wire_frames(w, f, s->n_greeting && s->skip ? 1 : n);
	wire_skip(w, s->skip);
}

int stream_tx(struct port *p, const struct frame *f, unsigned n)
{
	struct stream *s = to_stream(p);
	struct wire w;
	ssize_t sent;
	size_t greeted = 0;

	build(s, &w, f, n);
	do
		sent = writev(s->wfd, w.iov, w.n);
	while (sent < 0 && errno == EINTR);
	if (sent < 0 && errno != EAGAIN)
		return port_why(p, -errno, "%s", strerror(errno));
	if (s->is_tcp && !s->silence.is_set)
		timer_set(p->env->loop, &s->silence, SILENCE_CHECK_MS, check_silence);
	if (sent < 0)
		return 0;
	if (s->n_greeting && !s->skip)
		greeted = min_size(s->n_greeting, (size_t)sent);
	s->n_greeting -= greeted;
	p->owes = s->n_greeting;
	return (int)account(s, f, n, (size_t)sent - greeted);
}

void stream_shut(struct port *p)
{
	shutdown(to_stream(p)->wfd, SHUT_WR);
}

void stream_close(struct port *p)
{
	struct stream *s = to_stream(p);

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
}

void stream_free(struct port *p)
{
	struct stream *s = to_stream(p);

	if (s->part)
		munmap(s->part, PART_BYTES);
	free(s);
}
