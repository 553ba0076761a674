/* SPDX-License-Identifier: MIT */
/*
 * The plain channel, over socket pairs, pipes and TCP: what channel.h promises of bytes
 * that go in part, of no room, of signals, short memory, ends and resets.
 */
#include "trunk/channel.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>

#include "lib/bytes.h"
#include "lib/fault.h"
#include "lib/linger.h"
#include "lib/random.h"
#include "lib/sockets.h"
#include "lib/tap.h"

#define ALARM_S 300 /* the end of a test that would wait for ever */
#define PIECES 5
#define WORK ((size_t)2 << 20)
#define PERIOD ((size_t)1 << 17) /* of what is sent */
#define SHORT_LEN 40		 /* bytes, for what is tried at each of them */

static uint8_t noise[2 * PERIOD];
static struct channel c;
static int peer;

static void begin_over(int fd, int other)
{
	channel_plain(&c, fd, fd);
	peer = other;
	fcntl(fd, F_SETFL, O_NONBLOCK);
	fcntl(other, F_SETFL, O_NONBLOCK);
}

static void begin(void)
{
	int sv[2];

	sockets_pair(SOCK_STREAM, sv);
	setsockopt(sv[0], SOL_SOCKET, SO_SNDBUF, &(int){ 4096 }, sizeof(int));
	begin_over(sv[0], sv[1]);
}

static void begin_tcp(void)
{
	int fds[2];

	sockets_tcp(fds, 4096);
	begin_over(fds[0], fds[1]);
}

static void end(void)
{
	c.ops->close(&c);
	if (peer >= 0)
		close(peer);
}

/* Cut @len bytes at @data into pieces. Return: how many. */
static int cut(struct iovec iov[PIECES], const uint8_t *data, size_t len)
{
	int n = 0;

	for (; len && n < PIECES - 1 && rnd(5); n++) {
		size_t now = rnd((uint32_t)len + 1);

		iov[n] = (struct iovec){ (void *)(uintptr_t)data, now };
		data += now;
		len -= now;
	}
	iov[n] = (struct iovec){ (void *)(uintptr_t)data, len };
	return n + 1;
}

static ssize_t send_cut(const uint8_t *data, size_t len)
{
	struct iovec iov[PIECES];
	int n = cut(iov, data, len);

	return c.ops->send(&c, iov, n);
}

static ssize_t recv_cut(uint8_t *data, size_t len)
{
	struct iovec iov[PIECES];
	int n = cut(iov, data, len);

	return c.ops->recv(&c, iov, n);
}

/* ---- bytes ---- */

static void test_send(uint64_t seed, void (*use)(void), const char *over)
{
	unsigned wrong = 0, partly = 0, full = 0;
	size_t sent = 0, got = 0;

	random_begin(seed);
	use();
	while (got < WORK || got < sent) {
		size_t len = 1 + rnd(60000), at = sent % PERIOD;
		uint8_t data[3000];
		ssize_t n = sent < WORK ? send_cut(noise + at, len) : -EAGAIN;

		wrong += n == 0 || n > (ssize_t)len || (n < 0 && n != -EAGAIN);
		full += n == -EAGAIN;
		partly += n > 0 && n < (ssize_t)len;
		sent += n > 0 ? (size_t)n : 0;
		n = read(peer, data, 1 + rnd(sizeof(data)));
		for (ssize_t i = 0; i < n; i++)
			wrong += data[i] != noise[(got + (size_t)i) % PERIOD];
		got += n > 0 ? (size_t)n : 0;
	}
	ok(!wrong && got == sent, "over %s: the bytes that were taken go out, in order",
	   over);
	ok(partly && full, "over %s: some were taken in part, or not at all", over);
	ok(!c.has_input && !c.has_output && !c.why, "and nothing is kept");
	end();
}

static void test_recv(uint64_t seed, void (*use)(void), const char *over)
{
	size_t sent = 0, got = 0;
	unsigned wrong = 0, empty = 0;

	random_begin(seed);
	use();
	while (got < WORK || got < sent) {
		size_t len = 1 + rnd(6000), at = sent % PERIOD;
		uint8_t data[5000];
		ssize_t n = sent < WORK && rnd(3) ? write(peer, noise + at, len) : 0;

		sent += n > 0 ? (size_t)n : 0;
		len = 1 + rnd(sizeof(data));
		n = recv_cut(data, len);
		wrong += n == 0 || n > (ssize_t)len || (n < 0 && n != -EAGAIN);
		empty += n == -EAGAIN;
		for (ssize_t i = 0; i < n; i++)
			wrong += data[i] != noise[(got + (size_t)i) % PERIOD];
		got += n > 0 ? (size_t)n : 0;
	}
	ok(!wrong && got == sent, "over %s: the bytes that come are received, in order",
	   over);
	ok(empty, "over %s: there was nothing now and then", over);
	end();
}

/* ---- ends ---- */

/* The peer ends its side behind each byte. */
static void test_end(void)
{
	unsigned wrong = 0;

	for (size_t len = 0; len <= SHORT_LEN; len++) {
		uint8_t data[SHORT_LEN + 1];

		begin();
		wrong += write(peer, noise, len) != (ssize_t)len;
		shutdown(peer, SHUT_WR);
		if (len)
			wrong += recv_cut(data, sizeof(data)) != (ssize_t)len ||
				 memcmp(data, noise, len) != 0;
		for (int i = 0; i < 3; i++)
			wrong += recv_cut(data, sizeof(data)) != 0;
		wrong += send_cut(noise, len + 1) != (ssize_t)len + 1;
		end();
	}
	ok_eq_int(wrong, 0,
		  "an end behind each byte comes after them, again and again, "
		  "and nothing but it");
}

/* The peer resets behind each byte; what had come before may be lost with it. */
static void test_reset(void)
{
	unsigned wrong = 0;

	for (size_t len = 0; len <= SHORT_LEN; len++) {
		uint8_t data[SHORT_LEN + 1];
		ssize_t n;

		begin_tcp();
		wrong += write(peer, noise, len) != (ssize_t)len;
		if (len % 2 && recv_cut(data, sizeof(data)) != (ssize_t)len)
			wrong++;
		setsockopt(peer, SOL_SOCKET, SO_LINGER, &(struct linger){ 1, 0 },
			   sizeof(struct linger));
		close(peer);
		peer = -1;
		do
			n = recv_cut(data, sizeof(data));
		while (n > 0 || n == -EAGAIN);
		wrong += n != -ECONNRESET ||
			 strcmp(channel_why(&c, n), "Connection reset by peer") != 0;
		wrong += send_cut(noise, 1) != -EPIPE;
		end();
	}
	ok_eq_int(wrong, 0, "a reset behind each byte is an error both ways");
}

static void test_shut(void)
{
	char byte;

	begin();
	ok(send_cut(noise, 10) == 10, "bytes are sent");
	c.ops->shut(&c);
	ok(read(peer, (char[10]){ 0 }, 10) == 10 && read(peer, &byte, 1) == 0,
	   "then the peer is told of the end");
	ok(write(peer, noise, 5) == 5 && recv_cut((uint8_t[9]){ 0 }, 9) == 5,
	   "what it sends is still received");
	end();
}

static void test_close(void)
{
	int in[2], out[2], before = (int)fault_open_fds();

	if (pipe2(in, O_NONBLOCK) < 0 || pipe2(out, O_NONBLOCK) < 0)
		abort();
	channel_plain(&c, in[0], out[1]);
	ok(write(in[1], noise, 7) == 7 && recv_cut((uint8_t[9]){ 0 }, 9) == 7,
	   "two descriptors: from the one");
	ok(send_cut(noise, 7) == 7 && read(out[0], (char[9]){ 0 }, 9) == 7,
	   "and to the other");
	c.ops->close(&c);
	c.ops->close(&c);
	close(in[1]);
	close(out[0]);
	ok(c.rfd == -1 && c.wfd == -1 && (int)fault_open_fds() == before,
	   "both are closed, once");
}

/* ---- a kernel that refuses ---- */

static const struct {
	int err, want;
	const char *what;
} refusals[] = {
	{ EINTR, 0, "a signal is not told of" },
	{ EAGAIN, -EAGAIN, "nothing now" },
	{ ENOBUFS, -ENOBUFS, "short of memory" },
	{ ENOMEM, -ENOMEM, "short of memory" },
	{ EIO, -EIO, "an error" },
};

static void test_refused(int i, enum fault_call call, int pieces)
{
	bool is_send = call == FAULT_writev && pieces == 0;
	uint8_t data[20];
	struct iovec iov[] = { { data, 10 }, { data + 10, 10 } };
	ssize_t n;

	begin();
	memcpy(data, noise, sizeof(data));
	if (!is_send && write(peer, noise, sizeof(data)) != sizeof(data))
		abort();
	fault_arm(call, 1, refusals[i].err);
	n = is_send ? c.ops->send(&c, iov, 2) : c.ops->recv(&c, iov, pieces);
	ok(fault_disarm() && n == (refusals[i].want ? refusals[i].want
				   : is_send	    ? 20
						    : 10 * pieces),
	   "%s, %s", fault_name(call), refusals[i].what);
	n = is_send ? c.ops->send(&c, iov, 2) : c.ops->recv(&c, iov, pieces);
	if (refusals[i].want)
		ok_eq_int(n, is_send ? 20 : 10 * pieces, "and the next call goes on");
	end();
}

/* A guest takes the memory of a frame away, which is sent from there. */
static void test_taken_away(void)
{
	uint8_t data[20] = { 0 };
	struct iovec iov[] = { { data, 10 }, { data + 10, 10 } };

	begin();
	fault_arm(FAULT_writev, 1, EFAULT);
	ok_eq_int(c.ops->send(&c, iov, 2), -EAGAIN,
		  "memory that is gone is no error of ours");
	fault_disarm();
	ok_eq_int(c.ops->send(&c, iov, 2), 20, "and the next call goes on");
	end();
}

/* A peer who can send descriptors: its bytes come as ever, until it does so. */
static void test_fds(int n)
{
	char room[2];
	struct iovec iov[2] = { { room, 1 }, { room + 1, 1 } };

	begin();
	c.may_bring_fds = true;
	ok_eq_int(c.ops->recv(&c, iov, n), -EAGAIN, "%d pieces, nothing has come", n);
	ok(write(peer, "ab", 2) == 2 && c.ops->recv(&c, iov, n) == n, "bytes come");
	while (c.ops->recv(&c, iov, n) > 0)
		;
	ok_eq_int(send_a_fd(peer, peer), 1, "then a descriptor");
	ok_eq_int(c.ops->recv(&c, iov, n), -EPROTO, "the channel has failed");
	ok_eq_str(channel_why(&c, -EPROTO),
		  "the peer sends descriptors, which nobody takes", "and says why");
	ok_eq_int(c.ops->recv(&c, iov, n), -EPROTO, "again");
	end();
}

int main(void)
{
	alarm(ALARM_S);
	signal(SIGPIPE, SIG_IGN);
	rnd_bytes(noise, PERIOD);
	memcpy(noise + PERIOD, noise, PERIOD);
	test_send(1, begin, "a unix socket");
	test_send(2, begin_tcp, "TCP");
	test_recv(3, begin, "a unix socket");
	test_recv(4, begin_tcp, "TCP");
	test_end();
	test_reset();
	test_shut();
	test_close();
	test_taken_away();
	test_fds(1);
	test_fds(2);
	for (int i = 0; i < (int)(sizeof(refusals) / sizeof(refusals[0])); i++) {
		test_refused(i, FAULT_read, 1);
		test_refused(i, FAULT_readv, 2);
		test_refused(i, FAULT_writev, 0);
	}
	return done();
}
