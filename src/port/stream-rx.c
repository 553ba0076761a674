/* SPDX-License-Identifier: MIT */
/*
 * Receiving a stream. One read takes all there is, up to a limit, and is sliced
 * into frames where it lies; those that go on as they came are one run. Only
 * what is left at its end is copied, to wait for its rest, which the next read
 * puts right behind it.
 *
 * #syscalls: read readv setsockopt
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/escape.h"
#include "net/sock.h"
#include "port/stream.h"

#define QUICKACK_BELOW 16384
#define REST_WORTHWHILE 4096 /* bytes that are not copied, for one more read */

_Static_assert(PORT_QUEUE_HIGH + STREAM_RX_BYTES + STREAM_PART_BYTES <= PORT_QUEUE_BYTES,
	       "a queue must take what one more receive brings, or a cable loses frames");

/*
 * How many bytes the unit at @at has, of which @have are there, the length word too.
 *
 * Return: bytes; -EPROTO, with the reason told, when it can be none.
 */
static ssize_t unit_size(struct stream *s, const uint8_t *at, size_t have)
{
	char quote[ESCAPE_QUOTED_MAX];
	uint32_t word = get_be32(at);
	uint32_t len = word & ~LAYOUT_VNET_BIT;
	bool may_greet = s->trunk == STREAM_ASKS || s->trunk == STREAM_LISTENS;

	if (word == TRUNK_MAGIC && may_greet)
		return TRUNK_PREAMBLE;
	if (!(word & LAYOUT_VNET_BIT) && len <= FRAME_MAX)
		return LAYOUT_PREFIX + (ssize_t)len;
	if (s->trunk == STREAM_AGREED && (word & LAYOUT_VNET_BIT) && len >= VNET_BYTES &&
	    len <= VNET_BYTES + FRAME_MAX)
		return LAYOUT_PREFIX + (ssize_t)len;
	s->port.count.rx_frames++;
	port_drop(&s->port, DROP_OVERSIZE, 1);
	return port_why(&s->port, -EPROTO,
			"a frame of %u bytes was announced, %u are the most; "
			"does the peer speak QEMU's stream framing? It sent %s",
			word, FRAME_MAX, escape_quoted(quote, at, have));
}

/* A unit that is whole. Return: 0 or -errno. */
static int take_unit(struct stream *s, struct batch *b, uint8_t *at)
{
	uint32_t word = get_be32(at);
	struct frame f;

	if (word == TRUNK_MAGIC && s->trunk != STREAM_AGREED)
		return stream_greeted(s, at);
	if (word & LAYOUT_VNET_BIT)
		vnet_swap((struct vnet *)(at + LAYOUT_PREFIX));
	f = layout_parse(at);
	port_take(&s->port, b, &f);
	/* Only the first bytes of a connection can be a preamble. */
	if (s->trunk == STREAM_LISTENS)
		s->trunk = STREAM_PLAIN;
	return 0;
}

/* A unit whose length word has arrived, and which itself has not, goes on in s->part. */
static size_t part_missing(struct stream *s)
{
	if (s->part_len < LAYOUT_PREFIX)
		return 0;
	/* It was found good before it was kept. */
	return (size_t)unit_size(s, s->part, s->part_len) - s->part_len;
}

static const char *end_text(const struct stream *s)
{
	if (s->port.ops->is_stdio)
		return "stdin has ended";
	if (s->trunk == STREAM_ASKS)
		return "closed by the peer, which is no netrelay, or too old for trunks; "
		       "to reach a QEMU, take tcp:";
	return "closed by the peer";
}

/*
 * QEMU leaves Nagle on at its accepting side, so it waits for our acknowledgement.
 * The kernel delays those on a connection that it has seen both ways used in turns
 * (tcp_event_data_sent() in its tcp_output.c); so again after each time we sent.
 */
static void acknowledge_quickly(struct stream *s)
{
	if (!s->may_delay_ack)
		return;
	setsockopt(s->rfd, IPPROTO_TCP, TCP_QUICKACK, &(int){ 1 }, sizeof(int));
	s->may_delay_ack = false;
}

/* Return: bytes now between cur and end; 0: nothing yet; -errno. */
static int receive(struct stream *s, struct batch *b)
{
	size_t missing = part_missing(s);
	size_t carried = missing ? 0 : s->part_len;
	struct iovec iov[2] = {
		{ .iov_base = s->part + s->part_len, .iov_len = missing },
		{ .iov_base = b->buf + carried,
		  .iov_len = STREAM_RX_BYTES - s->part_len - missing },
	};
	ssize_t n;

	/* Less than a length word is simply put ahead of what follows it. */
	memcpy(b->buf, s->part, carried);
	n = missing ? readv(s->rfd, iov, 2)
		    : read(s->rfd, iov[1].iov_base, iov[1].iov_len);
	if (n < 0 && sock_is_short(errno))
		port_pause(&s->port);
	if (n < 0 && (errno == EAGAIN || errno == EINTR || sock_is_short(errno)))
		return 0;
	/* One who reads our preamble as a length may close with the rest unread: a reset. */
	if (n < 0 && !(errno == ECONNRESET && s->trunk == STREAM_ASKS))
		return port_why(&s->port, -errno, "%s", strerror(errno));
	if (n <= 0)
		return port_why(&s->port, PORT_CLOSED, "%s", end_text(s));
	if (s->is_dialled && s->is_tcp && s->trunk == STREAM_PLAIN && n < QUICKACK_BELOW)
		acknowledge_quickly(s);
	if ((size_t)n < missing) {
		s->part_len += (size_t)n;
		return 0;
	}
	s->has_whole_part = missing > 0;
	s->is_full = (size_t)n == missing + iov[1].iov_len;
	s->part_len = 0;
	s->cur = b->buf;
	s->end = b->buf + carried + ((size_t)n - missing);
	return 0;
}

/*
 * A long unit of which the receive had no room for all: the rest is most likely
 * there, and to read it now is cheaper than to copy what is here.
 *
 * Return: whether it is whole now. If it can't be read, the next receive will tell why.
 */
static bool read_rest(struct stream *s, size_t size)
{
	size_t have = (size_t)(s->end - s->cur);
	ssize_t n;

	if (!s->is_full || have < REST_WORTHWHILE)
		return false;
	s->is_full = false;
	n = read(s->rfd, s->end, size - have);
	if (n > 0)
		s->end += n;
	return (size_t)(s->end - s->cur) == size;
}

/*
 * Frames that need no look but at their length word, which is nearly all: in one
 * go as far as they lie one behind the other. But the first unit of one who was
 * accepted decides what he is.
 */
static bool take_run(struct stream *s, struct batch *b)
{
	struct frame run;
	size_t size = layout_parse_run(&run, s->cur, s->end);

	if (!size || s->trunk == STREAM_LISTENS)
		return false;
	port_take(&s->port, b, &run);
	s->cur += size;
	return true;
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
	while (ret == 0 && s->end - s->cur >= LAYOUT_PREFIX) {
		ssize_t size;

		if (b->n == BATCH_MAX) {
			b->more = true;
			return 0;
		}
		if (take_run(s, b))
			continue;
		size = unit_size(s, s->cur, (size_t)(s->end - s->cur));
		if (size < 0)
			return (int)size;
		if (s->end - s->cur < size && !read_rest(s, (size_t)size))
			return 0;
		ret = take_unit(s, b, s->cur);
		s->cur += size;
	}
	return ret;
}

void stream_cut(struct stream *s)
{
	if (!s->part_len)
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
	if (s->cur == s->end && !s->has_whole_part) {
		ret = receive(s, b);
		if (ret < 0) {
			stream_cut(s);
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
	struct stream *s = stream_of(p);

	/* Of a link that has failed there may be more left than a part. */
	if (s->cur == s->end || p->has_failed)
		return;
	s->part_len = (size_t)(s->end - s->cur);
	memcpy(s->part, s->cur, s->part_len);
	s->cur = s->end = NULL;
}
