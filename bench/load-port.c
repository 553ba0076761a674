/* SPDX-License-Identifier: MIT */
/*
 * Sends frames to a relay and receives them from it. Receiving reads only the head of each
 * frame, so that it costs little: generator and sink share a core, and must not be what
 * limits a measurement.
 */
#include <endian.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>

#include "load.h"

#define RECEIVE_BYTES (256 << 10)
#define STEP ((size_t)WORD + SIZE_MAX_FRAME)
#define MESSAGE_MAX 65000 /* bytes; less than the longest IP packet */

#define AT_SRC 6
#define AT_TYPE 12
#define AT_MARK 14
#define AT_SEQ 18
#define AT_TIME 22

union control {
	struct cmsghdr align;
	char bytes[CMSG_SPACE(sizeof(int))];
};

uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

/* ---- receive ---- */

static void note_latency(struct tally *t, const uint8_t *head)
{
	uint64_t sent, took;

	memcpy(&sent, head + AT_TIME, sizeof(sent));
	took = now_ns() - sent;
	if (t->n_latency < t->latency_max)
		t->latency[t->n_latency++] = took < UINT32_MAX ? (uint32_t)took : UINT32_MAX;
}

static void tally(struct port *p, struct tally *t, const uint8_t *head, size_t len)
{
	uint32_t mark, seq;

	memcpy(&mark, head + AT_MARK, sizeof(mark));
	memcpy(&seq, head + AT_SEQ, sizeof(seq));
	if (mark != t->mark)
		return;
	if (head[0] != 0xff && (head[4] != p->id >> 8 || head[5] != (p->id & 0xff))) {
		t->copies++;
		return;
	}
	/* Frames of different senders may arrive in any order. */
	if (len != t->size || (t->is_pair && (int32_t)(seq - p->next) < 0))
		t->wrong++;
	p->next = seq + 1;
	t->delivered++;
	if (t->latency)
		note_latency(t, head);
}

static size_t min_size(size_t a, size_t b)
{
	return a < b ? a : b;
}

static void take_stream(struct port *p, struct tally *t, const uint8_t *at, size_t n)
{
	while (n) {
		size_t part;
		uint32_t len;

		if (p->rest) {
			part = min_size(n, p->rest);
			p->rest -= part;
		} else {
			part = min_size(n, sizeof(p->head) - p->got);
			memcpy(p->head + p->got, at, part);
			p->got += part;
		}
		at += part;
		n -= part;
		if (p->got < sizeof(p->head))
			continue;
		memcpy(&len, p->head, sizeof(len));
		len = be32toh(len);
		tally(p, t, p->head + WORD, len);
		p->rest = len - HEAD;
		p->got = 0;
	}
}

static bool drain_stream(struct port *p, struct tally *t)
{
	static uint8_t buf[RECEIVE_BYTES];
	ssize_t n = recv(p->fd, buf, sizeof(buf), MSG_DONTWAIT);

	if (n <= 0)
		return false;
	take_stream(p, t, buf, (size_t)n);
	return true;
}

/* The kernel says how long a datagram is, even if only its head is copied. */
static bool drain_datagrams(struct port *p, struct tally *t)
{
	uint8_t head[BURST_MAX][HEAD];
	struct iovec iov[BURST_MAX];
	struct mmsghdr m[BURST_MAX] = { 0 };
	int n;

	for (int i = 0; i < BURST_MAX; i++) {
		iov[i].iov_base = head[i];
		iov[i].iov_len = HEAD;
		m[i].msg_hdr.msg_iov = &iov[i];
		m[i].msg_hdr.msg_iovlen = 1;
	}
	n = recvmmsg(p->fd, m, BURST_MAX, MSG_DONTWAIT | MSG_TRUNC, NULL);
	for (int i = 0; i < n; i++)
		if (m[i].msg_len >= HEAD)
			tally(p, t, head[i], m[i].msg_len);
	return n > 0;
}

static bool drain_segments(struct port *p, struct tally *t)
{
	static uint8_t buf[RECEIVE_BYTES];
	union control control;
	struct iovec iov = { .iov_base = buf, .iov_len = sizeof(buf) };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *c;
	ssize_t n = recvmsg(p->fd, &msg, MSG_DONTWAIT);
	int size = (int)n;

	if (n <= 0)
		return false;
	c = CMSG_FIRSTHDR(&msg);
	if (c && c->cmsg_level == SOL_UDP && c->cmsg_type == UDP_GRO)
		memcpy(&size, CMSG_DATA(c), sizeof(size));
	for (ssize_t at = 0; at + HEAD <= n && size > 0; at += size)
		tally(p, t, buf + at, min_size((size_t)size, (size_t)(n - at)));
	return true;
}

struct drained {
	struct port *port;
	struct tally *tally;
};

static void tally_guest(void *arg, const uint8_t *head, size_t len)
{
	const struct drained *d = arg;

	tally(d->port, d->tally, head, len);
}

static bool drain_guest(struct port *p, struct tally *t)
{
	struct drained d = { p, t };

	return guest_drain(p->guest, tally_guest, &d);
}

bool port_drain(struct port *p, struct tally *t)
{
	static bool (*const drain[])(struct port *, struct tally *) = {
		[CHANNEL_STREAM] = drain_stream,
		[CHANNEL_DATAGRAM] = drain_datagrams,
		[CHANNEL_SEGMENT] = drain_segments,
		[CHANNEL_PACKET] = drain_datagrams,
		[CHANNEL_GUEST] = drain_guest,
		[CHANNEL_GUEST_SUPER] = drain_guest,
	};

	return drain[p->channel](p, t);
}

/* ---- send ---- */

int burst_init(struct burst *b)
{
	b->buf = calloc(BURST_MAX, STEP);
	b->size = 0;
	return b->buf ? 0 : -ENOMEM;
}

/* Frames are one behind the other, as in a buffer of a stream. */
static uint8_t *frame_at(const struct burst *b, unsigned i)
{
	return b->buf + i * (size_t)(WORD + b->size);
}

void burst_resize(struct burst *b, uint32_t size)
{
	uint32_t word = htobe32(size);

	b->size = size;
	for (unsigned i = 0; i < BURST_MAX; i++) {
		uint8_t *at = frame_at(b, i);

		memcpy(at, &word, WORD);
		/* An EtherType for experiments: nobody merges or answers such frames. */
		at[WORD + AT_TYPE] = 0x88;
		at[WORD + AT_TYPE + 1] = 0xb5;
	}
}

static void set_address(uint8_t *at, unsigned id)
{
	const uint8_t mac[6] = { 2, 0, 0, 0, (uint8_t)(id >> 8), (uint8_t)id };

	memcpy(at, mac, sizeof(mac));
	if (id == BROADCAST)
		memset(at, 0xff, sizeof(mac));
}

static void stamp(uint8_t *head, const struct port *p, const struct tally *t, unsigned to,
		  uint32_t seq)
{
	uint64_t now = t->latency ? now_ns() : 0;

	set_address(head, to);
	set_address(head + AT_SRC, p->id);
	memcpy(head + AT_MARK, &t->mark, sizeof(t->mark));
	memcpy(head + AT_SEQ, &seq, sizeof(seq));
	memcpy(head + AT_TIME, &now, sizeof(now));
}

bool port_flush(struct port *p)
{
	ssize_t n;

	if (!p->n_tail)
		return true;
	n = send(p->fd, p->tail, p->n_tail, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (n > 0) {
		p->n_tail -= (size_t)n;
		memmove(p->tail, p->tail + n, p->n_tail);
	}
	return !p->n_tail;
}

/*
 * Send bytes of a stream. If the kernel takes only a part of them, the rest counts as sent,
 * too, and goes out before the next frames: we must not wait here, because the relay may
 * be waiting for us to receive.
 *
 * Return: whether the kernel took any of them.
 */
static bool send_stream(struct port *p, const uint8_t *at, size_t len)
{
	ssize_t n;

	if (!port_flush(p))
		return false;
	n = send(p->fd, at, len, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (n < 0 || (size_t)n == len)
		return n > 0;
	if (!p->tail)
		p->tail = malloc(BURST_MAX * STEP);
	if (!p->tail)
		abort();
	p->n_tail = len - (size_t)n;
	memcpy(p->tail, at + n, p->n_tail);
	return true;
}

static unsigned send_segments(struct port *p, struct burst *b, unsigned n)
{
	union control control = { 0 };
	struct iovec iov[BURST_MAX];
	struct msghdr msg = {
		.msg_iov = iov,
		.msg_control = &control,
		.msg_controllen = CMSG_SPACE(sizeof(uint16_t)),
	};
	uint16_t size = (uint16_t)b->size;

	control.align.cmsg_level = SOL_UDP;
	control.align.cmsg_type = UDP_SEGMENT;
	control.align.cmsg_len = CMSG_LEN(sizeof(size));
	memcpy(CMSG_DATA(&control.align), &size, sizeof(size));
	for (unsigned i = 0; i < n; i++) {
		iov[i] = (struct iovec){ frame_at(b, i) + WORD, b->size };
		msg.msg_iovlen++;
	}
	return sendmsg(p->fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? 0 : n;
}

static unsigned send_datagrams(struct port *p, struct burst *b, unsigned n)
{
	struct iovec iov[BURST_MAX];
	struct mmsghdr m[BURST_MAX] = { 0 };
	int sent;

	for (unsigned i = 0; i < n; i++) {
		iov[i] = (struct iovec){ frame_at(b, i) + WORD, b->size };
		m[i].msg_hdr.msg_iov = &iov[i];
		m[i].msg_hdr.msg_iovlen = 1;
	}
	sent = sendmmsg(p->fd, m, n, MSG_DONTWAIT | MSG_NOSIGNAL);
	return sent > 0 ? (unsigned)sent : 0;
}

static unsigned send_at_once(struct port *p, struct burst *b, unsigned n)
{
	if (p->channel == CHANNEL_STREAM)
		return send_stream(p, b->buf, n * (size_t)(WORD + b->size)) ? n : 0;
	if (p->channel == CHANNEL_SEGMENT)
		return send_segments(p, b, (unsigned)min_size(n, MESSAGE_MAX / b->size));
	return send_datagrams(p, b, n);
}

static bool send_one(struct port *p, const uint8_t *at, uint32_t size)
{
	if (p->channel == CHANNEL_STREAM)
		return send_stream(p, at, WORD + size);
	return send(p->fd, at + WORD, size, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0;
}

/* Frames lie in the guest's memory; only their heads are new. */
static unsigned send_guest(struct port *p, const struct tally *t, unsigned to, uint32_t seq,
			   unsigned n, bool batch)
{
	uint8_t heads[BURST_MAX][HEAD];

	for (unsigned i = 0; i < n; i++)
		stamp(heads[i], p, t, to, seq + i);
	n = guest_put(p->guest, heads, n, batch);
	if (batch && n && !p->holds)
		guest_go(p->guest);
	return n;
}

unsigned port_send(struct port *p, struct burst *b, const struct tally *t, unsigned to,
		   uint32_t seq, unsigned n, bool batch)
{
	unsigned sent = 0;

	if (p->guest)
		return send_guest(p, t, to, seq, n, batch);
	for (unsigned i = 0; i < n; i++)
		stamp(frame_at(b, i) + WORD, p, t, to, seq + i);
	if (batch)
		return send_at_once(p, b, n);
	while (sent < n && send_one(p, frame_at(b, sent), b->size))
		sent++;
	return sent;
}
