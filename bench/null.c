/* SPDX-License-Identifier: MIT */
/*
 * The null relay: the least that a relay of one thread must do, with which netrelay is
 * compared. It waits, receives and sends. It checks and counts nothing, has no queue (a
 * send may block), and ends at the first error.
 *
 *	null stream FD FD      one receive, one send, without looking at the bytes
 *	null datagram FD FD    one receive, one send
 *	null segment FD FD     datagrams with UDP_GRO and UDP_SEGMENT: one receive of
 *	                       many, one send for each run of them
 *	null tap TAPFD FD      tap and QEMU's stream framing: reads the tap until it is
 *	                       empty, one send; one receive, a write for each frame
 *
 * The descriptors are inherited, open and connected. If a tap was opened with virtio
 * headers, they pass as a part of the frame.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define STREAM_BYTES (128 << 10) /* received at once, as netrelay does */
#define WORD 4
#define UNIT_MAX (70 << 10)
#define BATCH 64
#define MESSAGE_MAX 65000 /* bytes; less than the longest IP packet */
#define SEGMENTS_MAX 64	  /* segments of a message */

union control {
	struct cmsghdr align;
	char bytes[CMSG_SPACE(sizeof(int))];
};

/*
 * A direction.
 * @buf:  room for BATCH datagrams or frames
 * @have: bytes at @buf of a frame that is not complete yet
 */
struct way {
	int from, to;
	uint8_t *buf;
	size_t have;
};

static void fail(const char *what)
{
	fprintf(stderr, "null: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void send_all(int fd, const uint8_t *data, size_t len)
{
	while (len) {
		ssize_t n = send(fd, data, len, MSG_NOSIGNAL);

		if (n < 0)
			fail("send");
		data += n;
		len -= (size_t)n;
	}
}

/* Receive. Return: bytes; 0 if there is nothing. If the peer has ended, the program ends. */
static size_t receive(int fd, uint8_t *buf, size_t size)
{
	ssize_t n = recv(fd, buf, size, MSG_DONTWAIT);

	if (n == 0)
		exit(0);
	if (n < 0 && errno != EAGAIN && errno != ECONNREFUSED)
		fail("receive");
	return n > 0 ? (size_t)n : 0;
}

static void pass_stream(struct way *w)
{
	send_all(w->to, w->buf, receive(w->from, w->buf, STREAM_BYTES));
}

static void pass_datagram(struct way *w)
{
	size_t n = receive(w->from, w->buf, UNIT_MAX);

	if (n && send(w->to, w->buf, n, MSG_NOSIGNAL) < 0 && errno != ECONNREFUSED)
		fail("send");
}

/* ---- many datagrams at once ---- */

static uint16_t segment_of(struct msghdr *msg, size_t len)
{
	struct cmsghdr *c = CMSG_FIRSTHDR(msg);
	int size = (int)len;

	if (c && c->cmsg_level == SOL_UDP && c->cmsg_type == UDP_GRO)
		memcpy(&size, CMSG_DATA(c), sizeof(size));
	return (uint16_t)size;
}

static void send_run(int fd, struct iovec *iov, unsigned n, uint16_t segment)
{
	union control control = { 0 };
	struct msghdr msg = {
		.msg_iov = iov,
		.msg_control = &control,
		.msg_controllen = CMSG_SPACE(sizeof(segment)),
	};

	/* This member has another type in each C library. */
	for (unsigned i = 0; i < n; i++)
		msg.msg_iovlen++;
	control.align.cmsg_level = SOL_UDP;
	control.align.cmsg_type = UDP_SEGMENT;
	control.align.cmsg_len = CMSG_LEN(sizeof(segment));
	memcpy(CMSG_DATA(&control.align), &segment, sizeof(segment));
	if (sendmsg(fd, &msg, MSG_NOSIGNAL) < 0 && errno != ECONNREFUSED)
		fail("send");
}

/*
 * Messages that are sent as one message.
 * @n:       their number, from @first on
 * @segment: bytes of each datagram in them
 */
struct run {
	unsigned first, n, segments;
	uint16_t segment;
	size_t bytes;
};

static bool joins(const struct run *r, uint16_t segment, unsigned segments, size_t len)
{
	return segment == r->segment && r->segments + segments <= SEGMENTS_MAX &&
	       r->bytes + len <= MESSAGE_MAX && r->bytes % segment == 0;
}

static void pass_run(struct way *w, struct iovec *iov, const struct run *r)
{
	if (r->n)
		send_run(w->to, iov + r->first, r->n, r->segment);
}

static void pass_segments(struct way *w)
{
	struct mmsghdr m[BATCH] = { 0 };
	struct iovec iov[BATCH];
	_Alignas(struct cmsghdr) char control[BATCH][CMSG_SPACE(sizeof(int))];
	struct run run = { 0 };
	int n;

	for (int i = 0; i < BATCH; i++) {
		iov[i].iov_base = w->buf + (size_t)i * UNIT_MAX;
		iov[i].iov_len = UNIT_MAX;
		m[i].msg_hdr.msg_iov = &iov[i];
		m[i].msg_hdr.msg_iovlen = 1;
		m[i].msg_hdr.msg_control = control[i];
		m[i].msg_hdr.msg_controllen = sizeof(control[i]);
	}
	n = recvmmsg(w->from, m, BATCH, MSG_DONTWAIT, NULL);
	for (unsigned i = 0; n > 0 && i < (unsigned)n; i++) {
		size_t len = iov[i].iov_len = m[i].msg_len;
		uint16_t segment = segment_of(&m[i].msg_hdr, len);
		unsigned segments = (unsigned)((len + segment - 1) / segment);

		if (!joins(&run, segment, segments, len)) {
			pass_run(w, iov, &run);
			run = (struct run){ .first = i, .segment = segment };
		}
		run.n++;
		run.segments += segments;
		run.bytes += len;
	}
	pass_run(w, iov, &run);
}

/* ---- tap ---- */

static void pass_from_tap(struct way *w)
{
	size_t used = 0;

	for (int i = 0; i < BATCH; i++) {
		ssize_t n = read(w->from, w->buf + used + WORD, UNIT_MAX - WORD);

		if (n < 0)
			break;
		w->buf[used] = (uint8_t)(n >> 24);
		w->buf[used + 1] = (uint8_t)(n >> 16);
		w->buf[used + 2] = (uint8_t)(n >> 8);
		w->buf[used + 3] = (uint8_t)n;
		used += WORD + (size_t)n;
	}
	send_all(w->to, w->buf, used);
}

static void pass_to_tap(struct way *w)
{
	uint8_t *at = w->buf, *end;

	end = at + w->have + receive(w->from, at + w->have, STREAM_BYTES);
	while (end - at >= WORD) {
		size_t len = (size_t)at[0] << 24 | (size_t)at[1] << 16 |
			     (size_t)at[2] << 8 | at[3];

		if ((size_t)(end - at) < WORD + len)
			break;
		/* A tap refuses a frame that the kernel finds malformed (EINVAL): go on. */
		if (write(w->to, at + WORD, len) < 0 && errno != EINVAL)
			fail("tap");
		at += WORD + len;
	}
	w->have = (size_t)(end - at);
	memmove(w->buf, at, w->have);
}

static const struct kind {
	const char *name;
	void (*pass)(struct way *w);
	void (*pass_back)(struct way *w);
} kinds[] = {
	{ "stream", pass_stream, pass_stream },
	{ "datagram", pass_datagram, pass_datagram },
	{ "segment", pass_segments, pass_segments },
	{ "tap", pass_from_tap, pass_to_tap },
};

static void prepare(const struct kind *kind, const struct way *w)
{
	/* It fails if this is not a UDP socket, which does no harm. */
	setsockopt(w->from, SOL_UDP, UDP_GRO, &(int){ kind->pass == pass_segments },
		   sizeof(int));
	if (kind->pass == pass_from_tap)
		fcntl(w->from, F_SETFL, fcntl(w->from, F_GETFL) | O_NONBLOCK);
}

static void run(const struct kind *kind, struct way *there, struct way *back)
{
	struct epoll_event ready[2];
	int epfd = epoll_create1(0);

	ready[0] = (struct epoll_event){ .events = EPOLLIN, .data.ptr = there };
	ready[1] = (struct epoll_event){ .events = EPOLLIN, .data.ptr = back };
	if (epfd < 0 || epoll_ctl(epfd, EPOLL_CTL_ADD, there->from, &ready[0]) < 0 ||
	    epoll_ctl(epfd, EPOLL_CTL_ADD, back->from, &ready[1]) < 0)
		fail("epoll");
	for (;;) {
		int n = epoll_wait(epfd, ready, 2, -1);

		for (int i = 0; i < n; i++)
			(ready[i].data.ptr == there ? kind->pass : kind->pass_back)(
				ready[i].data.ptr);
	}
}

int main(int argc, char **argv)
{
	struct way there = { 0 }, back = { 0 };

	for (size_t i = 0; argc == 4 && i < sizeof(kinds) / sizeof(*kinds); i++) {
		if (strcmp(argv[1], kinds[i].name) != 0)
			continue;
		there.from = back.to = atoi(argv[2]);
		there.to = back.from = atoi(argv[3]);
		there.buf = malloc((size_t)BATCH * UNIT_MAX);
		back.buf = malloc((size_t)BATCH * UNIT_MAX);
		if (!there.buf || !back.buf)
			fail("memory");
		prepare(&kinds[i], &there);
		run(&kinds[i], &there, &back);
	}
	fprintf(stderr, "usage: null stream|datagram|segment|tap FD FD\n");
	return 2;
}
