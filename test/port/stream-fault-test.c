/* SPDX-License-Identifier: MIT */
/*
 * A stream on a kernel that refuses: read(), recvmsg() and writev() are made here, and give
 * the errors that a test wants before they do their work. What passes must cost
 * nothing but time, and what does not must end the link soon.
 */
#include "port/stream.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "lib/driver-ops.h"
#include "lib/sockets.h"
#include "lib/taker.h"
#include "lib/tap.h"
#include "lib/turn.h"

#define ALARM_S 300 /* the end of a test that would wait for ever */
#define LEN 100
#define UNIT (LAYOUT_PREFIX + LEN)

/* The error that the next @n calls on the port's descriptor give. */
struct refusal {
	int err;
	unsigned n;
};

static struct taker taker;
static struct stream *stream;
static struct refusal no_read, no_write;
static int fd, peer;

static bool refuses(struct refusal *r, int of)
{
	if (of != fd || !r->n)
		return false;
	r->n--;
	errno = r->err;
	return true;
}

ssize_t read(int of, void *data, size_t len)
{
	return refuses(&no_read, of) ? -1 : (ssize_t)syscall(SYS_read, of, data, len);
}

/* It reads from sockets that bring descriptors, before Linux 6.16 (channel.h). */
ssize_t recvmsg(int of, struct msghdr *msg, int flags)
{
	return refuses(&no_read, of) ? -1 : (ssize_t)syscall(SYS_recvmsg, of, msg, flags);
}

ssize_t writev(int of, const struct iovec *iov, int n)
{
	return refuses(&no_write, of) ? -1 : (ssize_t)syscall(SYS_writev, of, iov, n);
}

/* ---- the port ---- */

static int rig_open(struct port *p)
{
	return stream_use(container_of(p, struct stream, port), fd, fd, TRUNK_NONE);
}

static const struct port_ops ops = {
	.kind = "stream",
	.has_backpressure = true,
	.one_shot = true,
	.open = rig_open,
	STREAM_OPS,
};

static void begin(void)
{
	int sv[2];

	sockets_pair(SOCK_STREAM, sv);
	stream = calloc(1, sizeof(*stream));
	if (!stream || stream_init(stream, &ops, &taker.env, "stream") < 0)
		exit(1);
	fd = sv[0];
	peer = sv[1];
	taker_reset(&taker);
	port_start(&stream->port);
}

static void end(void)
{
	port_free(&stream->port);
	close(peer);
	fd = -1;
}

static void send_frames(unsigned n)
{
	static const uint8_t wire[UNIT] = { 0, 0, 0, LEN };
	const struct frame f = { .data = wire + LAYOUT_PREFIX,
				 .len = LEN,
				 .layout = LAYOUT_STREAM,
				 .gap = LAYOUT_PREFIX };

	for (; n; n--) {
		port_send(&stream->port, &f);
		port_flush(&stream->port);
	}
}

static size_t peer_got(void)
{
	static uint8_t data[100 * UNIT];
	ssize_t n = (ssize_t)syscall(SYS_read, peer, data, sizeof(data));

	return n > 0 ? (size_t)n : 0;
}

/* ---- tests ---- */

/* As ENOBUFS of a unix socket when memory is short for a moment. */
static void test_short_of_memory_to_send(int err)
{
	const struct port_counters *c;

	begin();
	c = &stream->port.count;
	no_write = (struct refusal){ err, 3 };
	send_frames(40);
	turn_for(&taker.loop, 300);
	ok_eq_int(no_write.n, 0, "a kernel short of memory to send: asked three times");
	ok(c->tx_frames == 40 && !c->dropped[DROP_LOST] && peer_got() == 40 * UNIT,
	   "and then all frames have gone");
	ok_eq_int(stream->port.state, PORT_UP, "the link is up");
	end();
}

static void test_short_of_memory_to_read(int err)
{
	static const uint8_t wire[UNIT] = { 0, 0, 0, LEN };

	begin();
	no_read = (struct refusal){ err, 3 };
	if (write(peer, wire, sizeof(wire)) < 0)
		exit(1);
	turn_for(&taker.loop, 300);
	ok(no_read.n == 0 && taker.frames == 1 && stream->port.state == PORT_UP,
	   "a kernel short of memory to read: the frame has come in the end");
	end();
}

/* It is not asked again and again in between. */
static void test_no_spin(void)
{
	static const uint8_t wire[UNIT] = { 0, 0, 0, LEN };

	begin();
	no_read = (struct refusal){ ENOBUFS, 1000000 };
	if (write(peer, wire, sizeof(wire)) < 0)
		exit(1);
	turn_for(&taker.loop, 300);
	ok(taker.calls < 30, "a kernel that stays short of memory is asked now and then");
	no_read.n = 0;
	end();
}

/* A peer that sends, but takes nothing any more. */
static void test_half_broken(void)
{
	static const uint8_t wire[UNIT] = { 0, 0, 0, LEN };

	begin();
	shutdown(peer, SHUT_RD);
	send_frames(1);
	if (write(peer, wire, sizeof(wire)) < 0)
		exit(1);
	turn_for(&taker.loop, 100);
	ok(taker.frames == 1 && stream->port.state == PORT_UP,
	   "what a peer that can't be sent to has sent is read");
	for (unsigned i = 0; i < 100 && stream->port.state == PORT_UP; i++)
		turn_for(&taker.loop, 100);
	ok(stream->port.state == PORT_ENDED, "but it is not called up for long");
	ok_eq_str(stream->port.why, "Broken pipe", "and why is known");
	end();
}

int main(void)
{
	alarm(ALARM_S);
	signal(SIGPIPE, SIG_IGN);
	taker_init(&taker, NULL);
	test_short_of_memory_to_send(ENOBUFS);
	test_short_of_memory_to_send(ENOMEM);
	test_short_of_memory_to_read(ENOBUFS);
	test_short_of_memory_to_read(ENOMEM);
	test_no_spin();
	test_half_broken();
	taker_free(&taker);
	return done();
}
