/* SPDX-License-Identifier: MIT */
/*
 * QEMU's stream framing, over a channel.
 *
 * Receiving: one recv() takes all there is, up to a limit, and the deframer finds the
 * frames in it, where they lie. Sending: one send() takes all frames, each of which is one
 * piece or several (see frame/stream-layout.h). The port sends again what the channel did
 * not take, and @skip says how much of its first frame has gone. A trunk's hello goes
 * ahead of the first frame that is not begun.
 *
 * #syscalls: close setsockopt
 */
#include "port/stream.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/escape.h"
#include "base/log.h"
#include "base/parts.h"
#include "frame/stream-layout.h"
#include "net/sock.h"

#define DEAD_S 15     /* without an answer, then a peer is gone; dead= overrides it */
#define DEAD_CHECKS 4 /* in a row; the first comes after a fifth of that time */
#define QUICKACK_BELOW 16384

_Static_assert(PORT_QUEUE_HIGH + STREAM_RX_BYTES + DEFRAMER_PARTIAL_MAX <=
		       PORT_QUEUE_BYTES,
	       "a queue must take what one more receive brings, or a cable loses frames");

int stream_init(struct stream *s, const struct port_ops *ops, const struct port_env *env,
		const char *name)
{
	int ret = port_init(&s->port, ops, env, name);

	channel_plain(&s->plain, -1, -1);
	s->channel = &s->plain;
	s->dead = ENDPOINT_DEAD_USUAL;
	if (ret < 0)
		return ret;
	ret = deframer_init(&s->in);
	if (ret < 0)
		frame_queue_free(&s->port.queue);
	return ret;
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

/* ---- opening, and dead-peer detection ---- */

/*
 * A dead peer ends a link that we dial again, or the peer. A peer that we accepted may be
 * a QEMU, which never dials a second time: an outage on the way must not cost it its
 * network for ever.
 */
static unsigned dead_s(const struct stream *s)
{
	if (s->dead != ENDPOINT_DEAD_USUAL)
		return (unsigned)s->dead;
	return s->is_dialled || s->trunk.state == TRUNK_ESTABLISHED ? DEAD_S : 0;
}

static void answer_due(struct timer *t)
{
	struct stream *s = container_of(t, struct stream, answer);

	port_why(&s->port, -EPROTO, "%s", trunk_no_answer());
	port_down(&s->port);
}

/* Both ends have said what they take. */
static void established(struct stream *s)
{
	struct port *p = &s->port;

	if (s->is_tcp)
		sock_tcp_dead(s->channel->wfd, dead_s(s));
	p->takes_super = p->takes_uso = s->trunk.peer_takes & TRUNK_TAKES_SUPER;
	if (HAS_STORY)
		log_info(p->seal.suite ? "%s: established as a sealed trunk%s"
				       : "%s: established as a trunk%s",
			 p->name, p->takes_super ? ", with super-frames" : "");
}

int stream_use_channel(struct stream *s, struct channel *c, enum trunk_state state)
{
	struct port *p = &s->port;

	s->channel = c;
	s->may_delay_ack = true;
	s->was_cut_short = false;
	s->is_tcp = sock_tcp_silent_ms(c->wfd) >= 0;
	if (s->is_tcp) {
		sock_tune_tcp(c->wfd);
		sock_tcp_dead(c->wfd, dead_s(s));
	} else if (sock_take_fds(c->rfd, false)) {
		c->may_bring_fds = true;
	}
	if (state == TRUNK_ESTABLISHED)
		established(s);
	else
		trunk_begin(&s->trunk, state);
	p->awaiting_peer = HAS_TRUNK && state == TRUNK_HELLO_SENT;
	if (HAS_TRUNK && p->awaiting_peer) {
		int ret = stream_tx(p, NULL, 0);

		if (ret < 0)
			return ret;
		timer_set(p->env->loop, &s->answer, TRUNK_ANSWER_MS, answer_due);
	}
	return port_set_fds(p, c->rfd, c->wfd);
}

int stream_use(struct stream *s, int rfd, int wfd, enum trunk_state state)
{
	channel_plain(&s->plain, rfd, wfd);
	return stream_use_channel(s, &s->plain, state);
}

int stream_use_session(struct stream *s, int fd, struct session *session)
{
	struct port *p = &s->port;
	int ret = -ENOMEM;

	trunk_establish(&s->trunk, session->peer_takes);
	p->seal.suite = session->suite;
	memcpy(p->seal.peer, session->peer, sizeof(p->seal.peer));
	if (!s->sealed)
		s->sealed = calloc(1, sizeof(*s->sealed));
	if (s->sealed)
		ret = channel_sealed_begin(s->sealed, fd, session);
	else
		close(fd);
	if (ret == 0)
		return stream_use_channel(s, &s->sealed->channel, TRUNK_ESTABLISHED);
	crypto_wipe(session, sizeof(*session));
	return port_why(p, ret, "%s", strerror(-ret));
}

/*
 * Detection of a dead peer while data is unacknowledged. TCP_USER_TIMEOUT would also end
 * the link to a peer that lives but does not read, such as a stopped VM, once its window
 * has been shut for that long (tcp_probe_timer() in the kernel's tcp_timer.c), and QEMU
 * never dials again. So we ask the kernel how long it has heard nothing from the peer.
 *
 * Return: milliseconds between two checks.
 */
static unsigned check_ms(const struct stream *s)
{
	unsigned seconds = dead_s(s);

	return (seconds ? seconds : DEAD_S) * 1000 / (DEAD_CHECKS + 1);
}

static void check_due(struct timer *t)
{
	struct stream *s = container_of(t, struct stream, check);
	int fd = s->channel->wfd;
	long ms = sock_tcp_silent_ms(fd);
	unsigned every = check_ms(s);

	if (!s->is_cut_short && sock_tcp_is_stuck(fd)) {
		s->is_cut_short = true;
		sock_tcp_may_fragment(fd);
	}
	s->unanswered = ms >= (long)every ? s->unanswered + 1 : 0;
	if (s->unanswered >= DEAD_CHECKS && dead_s(s)) {
		s->was_cut_short = s->is_cut_short;
		port_why(&s->port, -ETIMEDOUT, "no answer from the peer for %ld s",
			 ms / 1000);
		port_down(&s->port);
		return;
	}
	if (ms > 0 || port_backlog(&s->port).frames)
		timer_set(s->port.env->loop, t, every, check_due);
}

bool stream_is_gone(struct port *p)
{
	struct stream *s = stream_of(p);

	return s->is_tcp && sock_tcp_silent_ms(s->channel->wfd) >= DEAD_S * 1000;
}

/* ---- send ---- */

/*
 * Count the frames at the beginning of @run that @bytes are enough for; not all are.
 *
 * Return: how many they are.
 */
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

/* Return: how many frames @bytes more have sent whole; what is over goes to s->skip. */
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
 * The hello goes first, if no frame is begun; else after the frame that is.
 * @hello: its bytes that go first
 *
 * Return: how many of @n there was room for; at least one.
 */
static unsigned build(struct stream *s, struct layout_pieces *out, size_t hello,
		      const struct frame *f, unsigned n)
{
	bool waits = s->trunk.n_unsent && !hello;

	out->n = 0;
	if (hello)
		layout_add(out, trunk_unsent(&s->trunk), hello);
	n = layout_add_frames(out, f, waits && n ? 1 : n, port_pad(&s->port));
	layout_skip(out, s->skip);
	return n;
}

/* @n: how many there are; is set to how many of them were tried. Returns as ops->tx(). */
static int send_some(struct stream *s, const struct frame *f, unsigned *n)
{
	struct port *p = &s->port;
	struct channel *c = s->channel;
	struct layout_pieces out;
	size_t hello = s->skip ? 0 : s->trunk.n_unsent;
	ssize_t sent;

	*n = build(s, &out, hello, f, *n);
	sent = c->ops->send(c, out.iov, (int)out.n);
	if (sent < 0 && sock_is_short((int)-sent))
		port_pause(p);
	else if (sent < 0 && sent != -EAGAIN)
		return port_why(p, (int)sent, "%s", channel_why(c, sent));
	if (s->is_tcp && !s->check.is_set)
		timer_set(p->env->loop, &s->check, check_ms(s), check_due);
	if (sent > 0) {
		s->may_delay_ack = true;
		hello = min_size(hello, (size_t)sent);
		s->trunk.n_unsent -= hello;
	}
	p->tx_control = s->trunk.n_unsent || c->has_output;
	return sent > 0 ? (int)account(s, f, *n, (size_t)sent - hello) : 0;
}

int stream_tx(struct port *p, const struct frame *f, unsigned n)
{
	unsigned done = 0, tried;

	do {
		int now;

		tried = n;
		now = send_some(stream_of(p), f, &tried);
		/* Report the frames sent so far; the next call meets the error again. */
		if (now < 0)
			return done ? (int)done : now;
		done += (unsigned)now;
		if ((unsigned)now < run_count(f, tried) || tried == n)
			return (int)done;
		f += tried;
		n -= tried;
	} while (true);
}

/* ---- receive ---- */

/*
 * QEMU leaves Nagle's algorithm on where it accepts, so it waits for acknowledgements.
 * The kernel delays those on a connection whose both ends send in turns
 * (tcp_event_data_sent() in its tcp_output.c); so this is repeated after each send.
 */
static void acknowledge_quickly(struct stream *s)
{
	if (!s->may_delay_ack)
		return;
	setsockopt(s->channel->rfd, IPPROTO_TCP, TCP_QUICKACK, &(int){ 1 }, sizeof(int));
	s->may_delay_ack = false;
}

/* The channel has come to its end, by @ret: 0 or -errno. Return: what ends the port. */
static int lost(struct stream *s, ssize_t ret)
{
	struct port *p = &s->port;
	const char *hung_up = HAS_TRUNK ? trunk_hung_up(&s->trunk) : NULL;

	if (ret < 0 && !(ret == -ECONNRESET && hung_up))
		return port_why(p, (int)ret, "%s", channel_why(s->channel, ret));
	if (p->ops->is_stdio)
		hung_up = "stdin has ended";
	return port_why(p, PORT_CLOSED, "%s", hung_up ? hung_up : "closed by the peer");
}

/* Return: 0, also when nothing has come; -errno. */
static int receive(struct stream *s, uint8_t *buf)
{
	struct channel *c = s->channel;
	struct iovec iov[2];
	int n_iov = deframer_room(&s->in, buf, STREAM_RX_BYTES, iov);
	ssize_t n = c->ops->recv(c, iov, n_iov);

	if (n < 0 && sock_is_short((int)-n))
		port_pause(&s->port);
	else if (n <= 0 && n != -EAGAIN)
		return lost(s, n);
	if (n <= 0)
		return 0;
	if (s->is_dialled && s->is_tcp && s->trunk.state == TRUNK_NONE &&
	    n < QUICKACK_BELOW)
		acknowledge_quickly(s);
	deframer_received(&s->in, buf, STREAM_RX_BYTES, (size_t)n);
	return 0;
}

/* Return: whether more has come. If it can't be read, the next receive will tell why. */
static bool receive_rest(struct stream *s)
{
	struct channel *c = s->channel;
	struct iovec iov;
	ssize_t n;

	if (!deframer_rest(&s->in, &iov))
		return false;
	n = c->ops->recv(c, &iov, 1);
	if (n > 0)
		s->in.end += n;
	return n > 0;
}

/*
 * The peer's hello. Our own goes out now, unless a frame is partly sent, or else as soon
 * as there is room. A peer that nothing can be sent to any more is owed none.
 */
static int take_hello(struct stream *s, const uint8_t *hello)
{
	struct port *p = &s->port;
	char why[TRUNK_WHY_MAX];
	int ret = trunk_take_hello(&s->trunk, hello, why, sizeof(why));

	p->tx_control |= s->trunk.n_unsent > 0;
	if (s->trunk.n_unsent && !s->skip && !p->tx_broken)
		stream_tx(p, NULL, 0);
	if (ret < 0)
		return port_why(p, ret, "%s", why);
	timer_cancel(p->env->loop, &s->answer);
	established(s);
	port_proven(p);
	return 0;
}

static int refuse(struct stream *s)
{
	/* What a front end of vhost-user begins with, where bytes have that order. */
	bool is_vhost = HAS_VHOST && get_be32(s->in.next) == 0x01000000;
	char quote[ESCAPE_QUOTED_MAX];

	s->port.count.rx_frames++;
	port_drop(&s->port, DROP_OVERSIZE, 1);
	return port_why(&s->port, -EPROTO,
			"a frame of %u bytes was announced, %u are the most; "
			"does the peer speak QEMU's stream framing? It sent %s%s",
			get_be32(s->in.next), FRAME_MAX,
			escape_quoted(quote, s->in.next, deframer_left(&s->in)),
			is_vhost ? "; for vhost-user, take vhost-user-listen:" : "");
}

/*
 * Take records until what was received, or the room for frames, runs out.
 *
 * Return: 0; -errno when the next one is bad.
 */
static int take_records(struct stream *s, struct batch *b)
{
	struct frame f;
	int ret = 0;

	while (ret == 0 && b->n < BATCH_MAX) {
		switch (deframer_next(&s->in, &s->trunk, &f)) {
		case DEFRAMED_FRAMES:
			port_take(&s->port, b, &f);
			trunk_take_frame(&s->trunk);
			break;
		case DEFRAMED_HELLO:
			ret = HAS_TRUNK ? take_hello(s, f.data) : -EPROTO;
			break;
		case DEFRAMED_BAD:
			return refuse(s);
		case DEFRAMED_NONE:
			if (!receive_rest(s))
				return 0;
		}
	}
	b->more = ret == 0 && deframer_left(&s->in) >= LAYOUT_PREFIX;
	return ret;
}

void stream_cut(struct stream *s)
{
	if (!s->in.n_partial)
		return;
	s->port.count.rx_frames++;
	port_drop(&s->port, DROP_CUT, 1);
}

int stream_rx(struct port *p, struct batch *b)
{
	struct stream *s = stream_of(p);
	int ret;

	if (s->is_bad)
		return p->why_err;
	if (!deframer_left(&s->in)) {
		ret = receive(s, b->buf);
		if (ret < 0) {
			stream_cut(s);
			return ret;
		}
	}
	ret = take_records(s, b);
	b->later = s->channel->has_input;
	if (ret < 0 && b->n) {
		/* The frames ahead of it first; the next call ends the link. */
		s->is_bad = b->more = true;
		return 0;
	}
	return ret;
}

/* The frames have gone, so that what is left of the input may be moved. */
void stream_rx_done(struct port *p)
{
	/* If the link has failed, more may be left than a partial record. */
	if (!p->has_failed)
		deframer_keep(&stream_of(p)->in);
}

/* ---- the end ---- */

void stream_shut(struct port *p)
{
	struct channel *c = stream_of(p)->channel;

	c->ops->shut(c);
	p->tx_control |= c->has_output;
}

void stream_close(struct port *p)
{
	struct stream *s = stream_of(p);

	timer_cancel(p->env->loop, &s->check);
	timer_cancel(p->env->loop, &s->answer);
	s->channel->ops->close(s->channel);
	s->channel = &s->plain;
	deframer_reset(&s->in);
	trunk_begin(&s->trunk, TRUNK_NONE);
	s->is_bad = false;
	p->takes_super = p->takes_uso = false;
	p->tx_control = false;
	p->seal.suite = 0;
	s->skip = 0;
	s->unanswered = 0;
	s->is_cut_short = false;
}

void stream_free(struct port *p)
{
	struct stream *s = stream_of(p);

	deframer_free(&s->in);
	free(s->sealed);
	free(s);
}
