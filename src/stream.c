/* SPDX-License-Identifier: MIT */
/*
 * QEMU's stream framing. Receiving: one read takes all there is, up to a
 * limit, and is sliced into frames where it lies. Only what is left at its end
 * is copied, to wait for its rest, which the next read puts right behind it.
 * Sending: one writev for all frames; those that lie in the receive buffer one
 * behind the other, length words included, are one piece.
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

#define PART_BYTES ((size_t)FRAME_WORD + FRAME_MAX)
#define SILENCE_CHECK_MS 3000
#define SILENCE_CHECKS 4 /* with 3 s each, and up to 3 s before the first: within 15 s */
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

int stream_use(struct stream *s, int rfd, int wfd)
{
	s->rfd = rfd;
	s->wfd = wfd;
	s->is_tcp = sock_tcp_silent_ms(wfd) >= 0;
	if (s->is_tcp)
		sock_tune_tcp(wfd);
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

/* A frame whose length word has arrived, and which itself has not, goes on in s->part. */
static size_t part_missing(const struct stream *s)
{
	if (s->part_len < FRAME_WORD)
		return 0;
	return FRAME_WORD + get_be32(s->part) - s->part_len;
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
	if (n < 0)
		return port_why(&s->port, -errno, "%s", strerror(errno));
	if (n == 0)
		return port_why(&s->port, PORT_CLOSED, "%s",
				s->port.ops->is_pipe ? "stdin has ended"
						     : "closed by the peer");
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

/* Cut frames off what was received until it, or the room for them, runs out. */
static void slice(struct stream *s, struct batch *b)
{
	if (s->has_whole_part) {
		port_take(&s->port, b, s->part + FRAME_WORD, get_be32(s->part), true);
		s->has_whole_part = false;
	}
	while (s->end - s->cur >= FRAME_WORD) {
		uint32_t len = get_be32(s->cur);

		if (b->n == BATCH_MAX) {
			b->more = true;
			return;
		}
		if (len > FRAME_MAX) {
			/* After the frames ahead of it: the next call ends the link. */
			s->bad_len = len;
			s->is_bad = b->more = true;
			return;
		}
		if ((size_t)(s->end - s->cur) < FRAME_WORD + (size_t)len)
			return;
		port_take(&s->port, b, s->cur + FRAME_WORD, len, true);
		s->cur += FRAME_WORD + len;
	}
}

int stream_rx(struct port *p, struct batch *b)
{
	struct stream *s = to_stream(p);

	if (s->is_bad) {
		p->count.rx_frames++;
		port_drop(p, DROP_OVERSIZE, 1);
		return port_why(p, -EPROTO,
				"a frame of %u bytes was announced, %u are the most; "
				"does the peer speak QEMU's stream framing?",
				s->bad_len, FRAME_MAX);
	}
	if (s->cur == s->end) {
		int ret = receive(s, b);

		if (ret < 0) {
			if (s->part_len) {
				p->count.rx_frames++;
				port_drop(p, DROP_CUT, 1);
			}
			return ret;
		}
	}
	slice(s, b);
	return 0;
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

struct iov_list {
	struct iovec iov[3 * BATCH_MAX];
	int n;
};

static void add(struct iov_list *l, const void *data, size_t len)
{
	l->iov[l->n].iov_base = (void *)(uintptr_t)data;
	l->iov[l->n].iov_len = len;
	l->n++;
}

/* One frame's bytes on the wire; its length word is where it lies, or at @word. */
static void add_frame(struct iov_list *l, const struct frame *f, uint8_t *word)
{
	uint32_t len = frame_padded(f->len);

	if (f->has_word && len == f->len) {
		add(l, f->data - FRAME_WORD, FRAME_WORD + len);
		return;
	}
	put_be32(word, len);
	add(l, word, FRAME_WORD);
	add(l, f->data, f->len);
	if (len > f->len)
		add(l, frame_padding, len - f->len);
}

static void build(struct iov_list *l, const struct frame *f, unsigned n,
		  uint8_t words[][FRAME_WORD])
{
	l->n = 0;
	for (unsigned i = 0; i < n; i++) {
		if (i && frame_follows(&f[i - 1], &f[i]) && f[i].len >= FRAME_PAD &&
		    f[i - 1].len >= FRAME_PAD)
			l->iov[l->n - 1].iov_len += FRAME_WORD + f[i].len;
		else
			add_frame(l, &f[i], words[i]);
	}
}

static void skip_bytes(struct iov_list *l, size_t bytes)
{
	for (int i = 0; i < l->n && bytes; i++) {
		size_t now = min_size(bytes, l->iov[i].iov_len);

		l->iov[i].iov_base = (uint8_t *)l->iov[i].iov_base + now;
		l->iov[i].iov_len -= now;
		bytes -= now;
	}
}

/* Return: frames wholly sent by @bytes more; what is over goes to s->skip. */
static unsigned account(struct stream *s, const struct frame *f, unsigned n, size_t bytes)
{
	unsigned done;

	bytes += s->skip;
	for (done = 0; done < n; done++) {
		size_t size = FRAME_WORD + frame_padded(f[done].len);

		if (bytes < size)
			break;
		bytes -= size;
		port_sent(&s->port, &f[done]);
	}
	s->skip = (uint32_t)bytes;
	return done;
}

int stream_tx(struct port *p, const struct frame *f, unsigned n)
{
	struct stream *s = to_stream(p);
	uint8_t words[BATCH_MAX][FRAME_WORD];
	struct iov_list l;
	ssize_t sent;

	build(&l, f, n, words);
	skip_bytes(&l, s->skip);
	do
		sent = writev(s->wfd, l.iov, l.n);
	while (sent < 0 && errno == EINTR);
	if (sent < 0 && errno != EAGAIN)
		return port_why(p, -errno, "%s", strerror(errno));
	if (s->is_tcp && !s->silence.is_set)
		timer_set(p->env->loop, &s->silence, SILENCE_CHECK_MS, check_silence);
	return (int)account(s, f, n, sent < 0 ? 0 : (size_t)sent);
}

void stream_shut(struct port *p)
{
	shutdown(to_stream(p)->wfd, SHUT_WR);
}

void stream_close(struct port *p)
{
	struct stream *s = to_stream(p);

	timer_cancel(p->env->loop, &s->silence);
	if (s->wfd >= 0 && s->wfd != s->rfd)
		close(s->wfd);
	if (s->rfd >= 0)
		close(s->rfd);
	s->rfd = s->wfd = -1;
	s->part_len = 0;
	s->cur = s->end = NULL;
	s->is_bad = s->has_whole_part = false;
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
