/* SPDX-License-Identifier: MIT */
/*
 * For tests: a channel that makes records of what it is given, as one that seals does:
 * it takes all or nothing, or so many bytes a record, and keeps the record that did not
 * go out whole. There is no secret in it, but no record can be left out, come twice or
 * be changed without the other end's notice:
 *
 *	bytes of the body (4) | counter (4) | body, each byte changed by both | sum (4)
 *
 * A record without a body is the end in good order. Both ends of a link can be one, with
 * or without a stream.
 */
#ifndef LIB_SEALING_H
#define LIB_SEALING_H

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/util.h"
#include "lib/bytes.h"
#include "lib/random.h"
#include "trunk/channel.h"

#define SEALING_HEAD 8
#define SEALING_TAIL 4
#define SEALING_READ 30000

/*
 * @record_max: the most a record takes; 0: whatever it is, so all or nothing
 * @few:      the most that one call writes; 0: no limit
 * @sealed, @opened: records so far
 * @kept:     what is made, and not yet out
 * @came:     of a record that has not come whole
 * @clear:    opened, and not yet handed over
 * @kept_max: the most that was ever kept
 */
struct sealing {
	struct channel c;
	size_t record_max, few;
	uint32_t sealed, opened;
	struct bytes kept, came, clear;
	size_t kept_max;
	bool is_shut, has_ended;
	char why[64];
};

static inline uint32_t sealing_sum(const uint8_t *data, size_t len, uint32_t counter)
{
	uint32_t sum = counter;

	while (len--)
		sum = sum * 31 + *data++;
	return sum;
}

static inline void sealing_change(uint8_t *data, size_t len, uint32_t counter)
{
	uint32_t key = counter * 2654435761u + 12345;

	for (size_t i = 0; i < len; i++) {
		key = key * 1664525 + 1013904223;
		data[i] ^= (uint8_t)(key >> 24);
	}
}

/* Make a record of the first @len bytes of the pieces. */
static inline void sealing_seal(struct sealing *s, const struct iovec *iov, size_t len)
{
	size_t at = s->kept.len + SEALING_HEAD;
	uint32_t sum;

	bytes_append_word(&s->kept, (uint32_t)len);
	bytes_append_word(&s->kept, s->sealed);
	for (size_t left = len; left; iov++) {
		size_t now = min_size(left, iov->iov_len);

		bytes_append(&s->kept, iov->iov_base, now);
		left -= now;
	}
	sum = sealing_sum(s->kept.at + at, len, s->sealed);
	sealing_change(s->kept.at + at, len, s->sealed);
	bytes_append_word(&s->kept, sum);
	s->sealed++;
	s->kept_max = s->kept.len > s->kept_max ? s->kept.len : s->kept_max;
}

/* Return: 0 when nothing is kept any more, else -errno. */
static inline int sealing_flush(struct sealing *s)
{
	size_t most = s->few ? min_size(s->few, s->kept.len) : s->kept.len;
	ssize_t n = most ? write(s->c.wfd, s->kept.at, most) : 0;

	if (n > 0)
		bytes_drop(&s->kept, (size_t)n);
	s->c.has_output = s->kept.len;
	if (!s->kept.len && s->is_shut)
		shutdown(s->c.wfd, SHUT_WR);
	if (n < 0)
		return -errno;
	return s->kept.len ? -EAGAIN : 0;
}

static inline ssize_t sealing_send(struct channel *c, const struct iovec *iov, int n)
{
	struct sealing *s = container_of(c, struct sealing, c);
	size_t len = 0;
	int ret = sealing_flush(s);

	c->why = NULL;
	if (ret < 0)
		return ret;
	for (int i = 0; i < n; i++)
		len += iov[i].iov_len;
	if (s->record_max)
		len = min_size(len, s->record_max);
	if (!len)
		return 0;
	sealing_seal(s, iov, len);
	ret = sealing_flush(s);
	return ret == 0 || ret == -EAGAIN ? (ssize_t)len : ret;
}

static inline int sealing_bad(struct sealing *s, const char *what)
{
	snprintf(s->why, sizeof(s->why), "record %u %s", s->opened, what);
	s->c.why = s->why;
	return -EPROTO;
}

/* Open what has come whole. Return: 0 or -EPROTO. */
static inline int sealing_open(struct sealing *s)
{
	while (s->came.len >= SEALING_HEAD && !s->has_ended) {
		uint32_t len = get_be32(s->came.at), counter = get_be32(s->came.at + 4);
		uint8_t *body = s->came.at + SEALING_HEAD;

		if (counter != s->opened || len > 1 << 24)
			return sealing_bad(s, "is not genuine");
		if (s->came.len < SEALING_HEAD + len + SEALING_TAIL)
			return 0;
		sealing_change(body, len, counter);
		if (get_be32(body + len) != sealing_sum(body, len, counter))
			return sealing_bad(s, "is not genuine");
		s->opened++;
		s->has_ended = !len;
		bytes_append(&s->clear, body, len);
		bytes_drop(&s->came, SEALING_HEAD + len + SEALING_TAIL);
	}
	return 0;
}

static inline ssize_t sealing_hand_over(struct sealing *s, const struct iovec *iov, int n)
{
	size_t done = 0;

	for (int i = 0; i < n; i++) {
		size_t now = min_size(iov[i].iov_len, s->clear.len - done);

		memcpy(iov[i].iov_base, s->clear.at + done, now);
		done += now;
	}
	bytes_drop(&s->clear, done);
	s->c.has_input = s->clear.len;
	return (ssize_t)done;
}

static inline ssize_t sealing_recv(struct channel *c, const struct iovec *iov, int n)
{
	struct sealing *s = container_of(c, struct sealing, c);
	ssize_t got;
	int ret;

	c->why = NULL;
	if (s->clear.len)
		return sealing_hand_over(s, iov, n);
	if (s->has_ended)
		return 0;
	got = bytes_read(&s->came, c->rfd, SEALING_READ);
	if (got < 0)
		return -errno;
	if (!got)
		return sealing_bad(s, "never came: the link was cut");
	ret = sealing_open(s);
	if (s->clear.len)
		return sealing_hand_over(s, iov, n);
	return ret < 0 || s->has_ended ? ret : -EAGAIN;
}

static inline void sealing_shut(struct channel *c)
{
	struct sealing *s = container_of(c, struct sealing, c);

	s->is_shut = true;
	sealing_seal(s, NULL, 0);
	sealing_flush(s);
}

static inline void sealing_close(struct channel *c)
{
	struct sealing *s = container_of(c, struct sealing, c);

	if (c->rfd >= 0)
		close(c->rfd);
	c->rfd = c->wfd = -1;
	c->has_input = c->has_output = false;
	bytes_free(&s->kept);
	bytes_free(&s->came);
	bytes_free(&s->clear);
}

/* sealing_init() - Over a socket, which is its own now. */
static inline void sealing_init(struct sealing *s, int fd)
{
	static const struct channel_ops ops = {
		.recv = sealing_recv,
		.send = sealing_send,
		.shut = sealing_shut,
		.close = sealing_close,
	};

	*s = (struct sealing){ .c = { .ops = &ops, .rfd = fd, .wfd = fd } };
}

#endif
