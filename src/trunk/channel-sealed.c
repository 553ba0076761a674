/* SPDX-License-Identifier: MIT */
/*
 * Sending: a long piece, such as a super-frame, is a record of its own, sealed from where it
 * lies to where records wait. Others are copied there, and sealed together. Up to two long
 * records go with one system call. Receiving: one system call takes what there is. A record
 * for which there is room in one of the user's pieces is opened to there, so a super-frame
 * is not copied; another is opened where it lies, and then copied.
 *
 * #syscalls: close mmap munmap read shutdown write
 */
#include "trunk/channel-sealed.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/loop.h"
#include "base/util.h"

#define BUFFERS (CHANNEL_SEALED_OUT + CHANNEL_SEALED_IN)
#define LONG_BYTES 8192 /* of a piece; copying it costs more than another record */

static struct channel_sealed *sealed_of(struct channel *c)
{
	return container_of(c, struct channel_sealed, channel);
}

/* ---- send ---- */

/* Return: 0 when nothing is left that was kept; -errno. */
static int flush(struct channel_sealed *c)
{
	while (c->out_at < c->out_end) {
		ssize_t n =
			write(c->channel.wfd, c->out + c->out_at, c->out_end - c->out_at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		c->out_at += (size_t)n;
	}
	c->out_at = c->out_end = 0;
	if (c->is_shut)
		shutdown(c->channel.wfd, SHUT_WR);
	return 0;
}

/* A record with nothing in it, for which there is always room behind what is kept. */
static void add_empty(struct channel_sealed *c, enum record_kind kind)
{
	uint8_t *at = c->out + c->out_end;

	c->out_end += record_seal(&c->tx, kind, at, at + RECORD_HEAD, 0);
}

/* What is next of some pieces. */
struct cursor {
	const struct iovec *iov;
	int n;
	size_t skip;
};

/* Go on by up to @most bytes of a piece. Return: where they are; @len is set to how many. */
static const uint8_t *next_of(struct cursor *from, size_t most, size_t *len)
{
	const uint8_t *at = (const uint8_t *)from->iov->iov_base + from->skip;
	size_t left = from->iov->iov_len - from->skip;

	*len = min_size(left, most);
	from->skip += *len;
	if (*len == left) {
		from->iov++;
		from->n--;
		from->skip = 0;
	}
	return at;
}

/* Whether what is left of the next piece is long; there must be one. */
static bool is_long(const struct cursor *from)
{
	return from->iov->iov_len - from->skip >= LONG_BYTES;
}

/* Copy up to @room bytes of pieces that are not long. Return: how many. */
static size_t gather(struct cursor *from, uint8_t *to, size_t room)
{
	size_t done = 0, now;

	while (from->n && done < room && !is_long(from)) {
		const uint8_t *at = next_of(from, room - done, &now);

		memcpy(to + done, at, now);
		done += now;
	}
	return done;
}

/*
 * Make records until there are no more pieces, or no room for a whole record.
 *
 * Return: bytes that they have of the pieces.
 */
static size_t make_records(struct channel_sealed *c, struct cursor *from)
{
	size_t taken = 0;

	if (from->n && record_is_stale(&c->tx, loop_coarse())) {
		add_empty(c, RECORD_REKEY);
		record_rekey(&c->tx, loop_coarse());
	}
	while (from->n && CHANNEL_SEALED_OUT - c->out_end >= RECORD_SIZE_MAX) {
		uint8_t *at = c->out + c->out_end;
		const uint8_t *data = at + RECORD_HEAD;
		size_t len;

		if (is_long(from))
			data = next_of(from, RECORD_MAX, &len);
		else
			len = gather(from, at + RECORD_HEAD, RECORD_MAX);
		if (!len)
			break;
		c->out_end += record_seal(&c->tx, RECORD_DATA, at, data, len);
		taken += len;
	}
	return taken;
}

static ssize_t sealed_send(struct channel *channel, const struct iovec *iov, int n)
{
	struct channel_sealed *c = sealed_of(channel);
	struct cursor from = { iov, n, 0 };
	size_t taken = 0, now;
	int ret = flush(c);

	while (ret == 0 && (now = make_records(c, &from)) > 0) {
		taken += now;
		ret = flush(c);
	}
	channel->has_output = c->out_at < c->out_end;
	if (taken || ret == 0)
		return (ssize_t)taken;
	return ret;
}

static void sealed_shut(struct channel *channel)
{
	struct channel_sealed *c = sealed_of(channel);

	if (c->is_shut)
		return;
	add_empty(c, RECORD_END);
	c->is_shut = true;
	flush(c);
	channel->has_output = c->out_at < c->out_end;
}

/* ---- receive ---- */

static int broken(struct channel_sealed *c, int err, const char *why)
{
	c->channel.why = why;
	c->error = err;
	return err;
}

/* Return: whether a whole record lies ahead, or what begins there is none. */
static bool has_record(const struct channel_sealed *c)
{
	size_t n = c->in_end - c->in_next, size;

	if (n < RECORD_HEAD)
		return false;
	size = record_size(c->in + c->in_next);
	return !size || size <= n;
}

/*
 * Open the record ahead, where it lies or to @to. Return: 0 or -errno; c->plain is set to how
 * many bytes it had for the user.
 */
static int open_next(struct channel_sealed *c, uint8_t *to)
{
	uint8_t *at = c->in + c->in_next;
	size_t size = record_size(at);
	enum record_kind kind;
	int len = -EBADMSG;

	if (size)
		len = record_open(&c->rx, at, to ? to : at + RECORD_HEAD, &kind);

	if (len < 0)
		return broken(
			c, -EPROTO,
			"a record that the peer did not seal: somebody changed what "
			"it sent");
	c->in_at = c->in_next + RECORD_HEAD;
	c->in_next += size;
	if (kind == RECORD_DATA) {
		c->plain = (size_t)len;
		return 0;
	}
	if (len)
		return broken(c, -EPROTO, "a record with more in it than there may be");
	if (kind == RECORD_REKEY)
		record_rekey(&c->rx, loop_coarse());
	else
		c->is_ended = true;
	return 0;
}

/* Copy what was opened. Return: how many bytes. */
static size_t scatter(struct channel_sealed *c, const struct iovec *iov, int n,
		      size_t skip)
{
	size_t done = 0;

	for (; n && c->plain; iov++, n--) {
		size_t now;

		if (skip >= iov->iov_len) {
			skip -= iov->iov_len;
			continue;
		}
		now = min_size(iov->iov_len - skip, c->plain);
		memcpy((uint8_t *)iov->iov_base + skip, c->in + c->in_at, now);
		c->in_at += now;
		c->plain -= now;
		done += now;
		skip = 0;
	}
	return done;
}

/* Take what the socket has. Return: 0 or -errno; -EPIPE at its end. */
static int fill(struct channel_sealed *c)
{
	ssize_t n;

	if (c->in_next) {
		memmove(c->in, c->in + c->in_next, c->in_end - c->in_next);
		c->in_end -= c->in_next;
		c->in_next = 0;
	}
	do
		n = read(c->channel.rfd, c->in + c->in_end,
			 CHANNEL_SEALED_IN - c->in_end);
	while (n < 0 && errno == EINTR);
	if (n <= 0)
		return n ? -errno : -EPIPE;
	c->in_end += (size_t)n;
	return 0;
}

/* Return: where the record ahead has room in one piece, behind @skip bytes; or NULL. */
static uint8_t *room_for(const struct channel_sealed *c, const struct iovec *iov,
			 size_t skip)
{
	size_t size = record_size(c->in + c->in_next);

	for (; skip >= iov->iov_len; iov++)
		skip -= iov->iov_len;
	if (!size || iov->iov_len - skip < size - RECORD_OVERHEAD)
		return NULL;
	return (uint8_t *)iov->iov_base + skip;
}

/* Open a record. Return: how many bytes went to the pieces, behind @done. */
static size_t take_record(struct channel_sealed *c, const struct iovec *iov, size_t done)
{
	uint8_t *to = room_for(c, iov, done);
	size_t len = 0;

	if (open_next(c, to) == 0 && to) {
		len = c->plain;
		c->plain = 0;
	}
	return len;
}

/* Open and copy until the pieces are full, or no whole record is left. */
static size_t take(struct channel_sealed *c, const struct iovec *iov, int n)
{
	size_t room = 0, done = 0;

	for (int i = 0; i < n; i++)
		room += iov[i].iov_len;
	while (done < room && !c->error && !c->is_ended) {
		if (c->plain)
			done += scatter(c, iov, n, done);
		else if (has_record(c))
			done += take_record(c, iov, done);
		else
			break;
	}
	return done;
}

static ssize_t sealed_recv(struct channel *channel, const struct iovec *iov, int n)
{
	struct channel_sealed *c = sealed_of(channel);
	size_t done = take(c, iov, n);
	int ret = 0;

	if (!done && !c->error && !c->is_ended) {
		ret = fill(c);
		if (ret == 0)
			done = take(c, iov, n);
	}
	channel->has_input = c->plain || c->is_ended || c->error || has_record(c);
	if (done)
		return (ssize_t)done;
	if (c->error)
		return c->error;
	if (c->is_ended)
		return 0;
	if (ret == -EPIPE)
		return broken(
			c, -ECONNRESET,
			"cut off: the peer ended without saying so, or somebody cut "
			"the link");
	return ret ? ret : -EAGAIN;
}

/* ---- the end ---- */

static void sealed_close(struct channel *channel)
{
	struct channel_sealed *c = sealed_of(channel);

	if (channel->rfd < 0)
		return;
	/* The peer is to know that nobody has cut the link. */
	if (c->tx.aead && c->rx.aead)
		sealed_shut(channel);
	close(channel->rfd);
	channel->rfd = channel->wfd = -1;
	record_end(&c->tx);
	record_end(&c->rx);
	if (c->out)
		munmap(c->out, BUFFERS);
	c->out = c->in = NULL;
}

static const struct channel_ops ops = {
	.recv = sealed_recv,
	.send = sealed_send,
	.shut = sealed_shut,
	.close = sealed_close,
};

int channel_sealed_begin(struct channel_sealed *c, int fd, struct session *s)
{
	uint64_t now = loop_coarse();
	uint8_t *out;
	int ret;

	*c = (struct channel_sealed){ .channel = { .ops = &ops, .rfd = fd, .wfd = fd } };
	out = mmap(NULL, BUFFERS, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (out != MAP_FAILED) {
		c->out = out;
		c->in = out + CHANNEL_SEALED_OUT;
	}
	ret = c->out ? record_begin(&c->tx, s->suite, s->send, now) : -ENOMEM;
	if (ret == 0)
		ret = record_begin(&c->rx, s->suite, s->recv, now);
	c->tx.n = s->sent;
	c->rx.n = s->received;
	crypto_wipe(s, sizeof(*s));
	if (ret < 0)
		sealed_close(&c->channel);
	return ret;
}
