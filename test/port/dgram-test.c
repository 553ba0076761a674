/* SPDX-License-Identifier: MIT */
/*
 * dgram.c, as a port over UDP on the loopback or over unix datagrams, whose other
 * end is here. Every frame carries its number, and is as long as it was made.
 */
#include "port/dgram.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/driver-ops.h"
#include "lib/pieces.h"
#include "lib/random.h"
#include "lib/sockets.h"
#include "lib/taker.h"
#include "lib/tap.h"
#include "lib/turn.h"
#include "lib/without.h"

#define ALARM_S 300 /* the end of a test that would wait for ever */
#define PATIENCE_MS 20000
#define SEEN_MAX 256

struct seen {
	uint32_t len, number;
	bool is_intact;
};

/*
 * @seen: frames that came out of the port, or, by peer_reads(), to the peer
 */
static struct {
	struct taker t;
	struct dgram *d;
	struct port *p;
	int peer;
	struct seen seen[SEEN_MAX];
	unsigned n_seen;
	struct sockaddr_un path;
	uint16_t foreign_port;
	int send_errno;	     /* what sendmmsg() fails with, */
	unsigned send_fails; /* so often */
	bool has_no_segments;
} rig;

/* The kernel's, unless it is to refuse. */
int sendmmsg(int fd, struct mmsghdr *m, unsigned n, int flags)
{
	if (rig.send_fails) {
		rig.send_fails--;
		errno = rig.send_errno;
		return -1;
	}
	return (int)syscall(SYS_sendmmsg, fd, m, n, flags);
}

int getsockopt(int fd, int level, int name, void *value, socklen_t *len)
{
	if (rig.has_no_segments && level == SOL_UDP && name == UDP_SEGMENT) {
		errno = ENOPROTOOPT;
		return -1;
	}
	return (int)syscall(SYS_getsockopt, fd, level, name, value, len);
}

static uint8_t buf[2 * FRAME_MAX];

/* ---- frames ---- */

static uint8_t filling(uint32_t number, uint32_t i)
{
	return (uint8_t)(number * 31 + i * 7 + i / 253 + 1);
}

static void make(uint8_t *at, uint32_t number, uint32_t len)
{
	for (uint32_t i = 0; i < len; i++)
		at[i] = filling(number, i);
	if (len >= 4)
		put_be32(at, number);
}

/* Note a frame; behind its first @len bytes there may be only padding. */
static void see(const uint8_t *data, size_t got, size_t len)
{
	struct seen *s = &rig.seen[rig.n_seen % SEEN_MAX];

	s->len = (uint32_t)got;
	s->number = got >= 4 ? get_be32(data) : 0;
	s->is_intact = got >= 4;
	for (uint32_t i = 4; i < got; i++)
		s->is_intact &= data[i] == (i < len ? filling(s->number, i) : 0);
	rig.n_seen++;
}

static void see_frame(const struct frame *f)
{
	see(f->data, f->len, f->len);
}

/* Whether what was seen are @n frames, numbered from @first on, intact. */
static bool saw(unsigned n, uint32_t first)
{
	bool good = rig.n_seen == n;

	for (unsigned i = 0; i < rig.n_seen && i < SEEN_MAX; i++)
		good &= rig.seen[i].is_intact && rig.seen[i].number == first + i;
	return good;
}

/* ---- the port ---- */

static int rig_open(struct port *p)
{
	(void)p;
	return dgram_begin(rig.d);
}

static const struct port_ops ops = {
	.kind = "dgram",
	.one_shot = true,
	.open = rig_open,
	DGRAM_OPS,
};

/* As one that can be opened again. */
static const struct port_ops reopening = {
	.kind = "dgram",
	.open = rig_open,
	DGRAM_OPS,
};

/* Turn until the port has received @n frames, ever. */
static void turn_for_frames(uint64_t n)
{
	turn_until(&rig.t.loop, PATIENCE_MS, rig.p->count.rx_frames >= n);
}

static void begin(int rfd, int wfd, int peer)
{
	rig.d = calloc(1, sizeof(*rig.d));
	if (!rig.d || port_init(&rig.d->port, &ops, &rig.t.env, "dgram") < 0)
		exit(1);
	rig.p = &rig.d->port;
	rig.d->rfd = rfd;
	rig.d->wfd = wfd;
	rig.peer = peer;
	rig.n_seen = 0;
	taker_reset(&rig.t);
	fcntl(rfd, F_SETFL, O_NONBLOCK);
	fcntl(wfd, F_SETFL, O_NONBLOCK);
	port_start(rig.p);
}

static void end(void)
{
	port_free(rig.p);
	if (rig.peer >= 0)
		close(rig.peer);
}

static void begin_pair(void)
{
	int sv[2];

	sockets_pair(SOCK_DGRAM, sv);
	begin(sv[0], sv[0], sv[1]);
}

static int udp_socket(struct sockaddr_in *addr)
{
	int size = 4 << 20, fd = socket_bound(SOCK_DGRAM, addr);

	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	return fd;
}

static void begin_udp(void)
{
	struct sockaddr_in a, b;
	int ours = udp_socket(&a), theirs = udp_socket(&b);

	socket_join(ours, &b);
	socket_join(theirs, &a);
	begin(ours, ours, theirs);
}

static void peer_sends(uint32_t number, uint32_t len)
{
	make(buf, number, len);
	if (send(rig.peer, buf, len, 0) != (ssize_t)len)
		perror("send");
}

/* Take what arrives at @fd, until there are @n or nothing comes any more. */
static void peer_reads(int fd, unsigned n, uint32_t len)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };

	rig.n_seen = 0;
	while (poll(&pfd, 1, rig.n_seen < n ? PATIENCE_MS : 0) == 1) {
		ssize_t got = recv(fd, buf, sizeof(buf), MSG_DONTWAIT);

		if (got < 0)
			return;
		see(buf, (size_t)got, len ? len : (size_t)got);
	}
}

/* @n frames of @len bytes, numbered from @first on. */
static void send_frames(uint32_t first, unsigned n, uint32_t len)
{
	static uint8_t data[BATCH_MAX][FRAME_MAX];

	for (unsigned i = 0; i < n; i++) {
		struct frame f = { .data = data[i], .len = len };

		make(data[i], first + i, len);
		port_send(rig.p, &f);
	}
	port_flush(rig.p);
}

/* ---- receiving ---- */

static void test_rx_lengths(void)
{
	static const uint32_t lens[] = { 14, 15, 59, 60, 1514, 9000, 65507, FRAME_MAX };
	int wrong = 0;

	begin_pair();
	for (uint32_t i = 0; i < ARRAY_SIZE(lens); i++) {
		rig.n_seen = 0;
		peer_sends(i + 1, lens[i]);
		turn(&rig.t.loop);
		wrong += !saw(1, i + 1) || rig.seen[0].len != lens[i];
	}
	ok_eq_int(wrong, 0, "frames of every length come as they were sent");
	ok_eq_int(rig.p->count.rx_frames, ARRAY_SIZE(lens), "and are counted");
	end();
}

static void test_rx_faulty(void)
{
	begin_pair();
	for (uint32_t len = 0; len < FRAME_HEADER; len++) {
		peer_sends(0, len);
		turn(&rig.t.loop);
	}
	ok_eq_int(rig.p->count.dropped[DROP_RUNT], 14,
		  "runts are dropped, none at all too");
	peer_sends(0, FRAME_MAX + 1);
	turn(&rig.t.loop);
	peer_sends(0, FRAME_MAX + 1000);
	turn(&rig.t.loop);
	ok_eq_int(rig.p->count.dropped[DROP_OVERSIZE], 2, "too long ones are, not cut");
	ok_eq_int(rig.p->count.rx_frames, 16, "all are counted as received");
	peer_sends(1, 100);
	turn(&rig.t.loop);
	ok(saw(1, 1), "and none but the good one behind them comes out");
	end();
}

static void test_rx_mixed(void)
{
	begin_pair();
	peer_sends(1, 100);
	peer_sends(0, 0);
	peer_sends(2, 200);
	peer_sends(0, 5);
	peer_sends(3, 14);
	turn(&rig.t.loop);
	ok(saw(3, 1) && rig.t.batches == 1,
	   "faulty ones amid a batch leave the others whole");
	end();
}

static void test_rx_many(void)
{
	begin_udp();
	for (uint32_t i = 1; i <= 80; i++)
		peer_sends(i, i > 2 ? 1000 + i : 65507);
	turn_for_frames(80);
	ok(saw(80, 1), "more than a batch: all, in order");
	ok(rig.t.batches >= 3, "in %u batches", rig.t.batches);
	turn(&rig.t.loop);
	ok(rig.p->state == PORT_UP && saw(80, 1), "and then there is nothing");
	end();
}

static bool is_foreign(const struct dgram *d, const struct sockaddr_storage *from)
{
	const struct sockaddr_in *sin = (const struct sockaddr_in *)from;

	(void)d;
	return sin->sin_family != AF_INET || ntohs(sin->sin_port) == rig.foreign_port;
}

static void test_rx_foreign(void)
{
	struct sockaddr_in ours, theirs, foreign;
	int fd = udp_socket(&ours), peer = udp_socket(&theirs),
	    other = udp_socket(&foreign);

	socket_join(peer, &ours);
	socket_join(other, &ours);
	begin(fd, fd, peer);
	rig.d->is_foreign = is_foreign;
	rig.foreign_port = ntohs(foreign.sin_port);
	for (uint32_t i = 1; i <= 20; i++) {
		rig.peer = other;
		peer_sends(100 + i, 100);
		rig.peer = peer;
		peer_sends(i, 100);
	}
	turn_for_frames(20);
	turn(&rig.t.loop);
	ok(saw(20, 1), "datagrams that are none of ours are left out");
	ok_eq_int(rig.p->count.rx_frames, 20, "and not counted");
	if (send(other, buf, 0, 0) < 0)
		perror("send");
	peer_sends(21, 100);
	turn_for_frames(21);
	ok(rig.p->count.rx_frames == 21 && !rig.p->count.dropped[DROP_RUNT],
	   "nor is an empty one");
	close(other);
	end();
}

static void test_rx_allow(void)
{
	struct endpoint_access access = { .n = 1, .allow[0] = { .bits = 128 } };
	struct port_counters *count;

	begin_udp();
	count = &rig.p->count;
	rig.d->access = &access;
	peer_sends(1, 100);
	peer_sends(2, 200);
	turn(&rig.t.loop);
	turn(&rig.t.loop);
	ok(!rig.t.frames && count->dropped[DROP_NOT_ALLOWED] == 2,
	   "datagrams from elsewhere are dropped");
	ok(count->rx_frames == 2 && count->rx_bytes == 300, "and counted");
	memcpy(access.allow[0].addr,
	       (const uint8_t[16]){ [10] = 0xff, 0xff, 127, 0, 0, 1 }, 16);
	peer_sends(1, 100);
	turn_for_frames(3);
	ok(saw(1, 1), "others are taken");
	end();
}

/* ---- sending ---- */

static void test_tx_padding(void)
{
	int wrong = 0;

	begin_pair();
	for (uint32_t len = FRAME_HEADER; len < 70; len++) {
		send_frames(len, 1, len);
		peer_reads(rig.peer, 1, len);
		wrong += !saw(1, len) ||
			 rig.seen[0].len != (len < FRAME_PAD ? FRAME_PAD : len);
	}
	ok_eq_int(wrong, 0, "short frames are padded to 60 bytes, with zeros");
	ok_eq_int(rig.p->count.tx_frames, 56, "all of them are counted");
	ok_eq_int(rig.p->count.tx_bytes, (14 + 69) * 56 / 2, "without the padding");
	end();
}

static void test_tx_unpadded(void)
{
	static const uint32_t lens[] = { 14, 42, 54, 59, 60, 61, 54 };
	int wrong = 0;

	begin_pair();
	rig.p->is_unpadded = true;
	for (uint32_t i = 0; i < ARRAY_SIZE(lens); i++) {
		send_frames(i, 1, lens[i]);
		peer_reads(rig.peer, 1, lens[i]);
		wrong += !saw(1, i) || rig.seen[0].len != lens[i];
	}
	ok_eq_int(wrong, 0, "with pad=0, short frames leave as they are");
	end();
}

/*
 * What an error of a send means. @state: of the port then; @refused: frames of the
 * two that met it, once and again
 */
static void test_tx_errors(void)
{
	static const struct {
		int err;
		enum port_state state;
		unsigned refused;
	} errors[] = {
		{ EINTR, PORT_UP, 0 },
		{ ENOBUFS, PORT_UP, 2 },
		{ ENOMEM, PORT_UP, 2 },
		{ EPERM, PORT_UP, 1 },
		{ EACCES, PORT_UP, 1 },
		{ EHOSTUNREACH, PORT_UP, 1 },
		{ ECONNREFUSED, PORT_UP, 1 },
		{ ECONNRESET, PORT_UP, 1 },
		{ ENETUNREACH, PORT_WAITING, 0 },
		{ ENETDOWN, PORT_WAITING, 0 },
		{ ENODEV, PORT_WAITING, 0 },
		{ EADDRNOTAVAIL, PORT_WAITING, 0 },
		{ EINVAL, PORT_WAITING, 0 },
		{ EBADF, PORT_WAITING, 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(errors); i++) {
		const char *name = strerror(errors[i].err);

		begin_udp();
		rig.p->ops = &reopening;
		rig.send_errno = errors[i].err;
		rig.send_fails = 2;
		send_frames(1, 2, 100 + (uint32_t)i);
		ok_eq_int(rig.p->state, errors[i].state, "%s: the port's state", name);
		ok_eq_int(rig.p->count.dropped[DROP_REFUSED], errors[i].refused,
			  "%s: frames refused", name);
		rig.send_fails = 0;
		if (rig.p->state == PORT_UP) {
			send_frames(3, 5, 100);
			ok_eq_int(rig.p->count.tx_frames, 7 - errors[i].refused,
				  "%s: and all others go", name);
		}
		end();
	}
	begin_udp();
	rig.send_errno = ENETUNREACH;
	rig.send_fails = 2;
	send_frames(1, 1, 100);
	ok_eq_int(rig.p->state, PORT_UP,
		  "one that can't be opened again is not given up for that");
	end();
}

static void test_tx_many(void)
{
	begin_udp();
	send_frames(1, BATCH_MAX, 1514);
	peer_reads(rig.peer, BATCH_MAX, 0);
	ok(saw(BATCH_MAX, 1), "a batch goes out whole, in order");
	send_frames(1, 2, 65507);
	peer_reads(rig.peer, 2, 0);
	ok(saw(2, 1), "the longest that UDP takes too");
	end();
}

/* Batches in more pieces than there is room for, with segmentation and without. */
static void test_tx_many_pieces(bool has_segments)
{
	static uint8_t data[BATCH_MAX][100];
	struct iovec tail[BATCH_MAX][FRAME_PIECES_MAX - 1];

	begin_udp();
	if (has_segments)
		dgram_use_udp(rig.d);
	for (unsigned i = 0; i < BATCH_MAX; i++) {
		struct frame f = pieces_most(data[i], sizeof(data[i]), tail[i]);

		make(data[i], i + 1, sizeof(data[i]));
		port_send(rig.p, &f);
	}
	port_flush(rig.p);
	peer_reads(rig.peer, BATCH_MAX, 0);
	ok(saw(BATCH_MAX, 1) && rig.p->count.tx_frames == BATCH_MAX,
	   "frames in many pieces: all of them leave, in order");
	end();
}

static void test_tx_too_long(void)
{
	static uint8_t data[5][FRAME_MAX];
	static const uint32_t lens[] = { 100, 65508, FRAME_MAX, 60, 65508 };
	static const uint32_t numbers[] = { 1, 9, 9, 2, 9 };

	begin_udp();
	for (size_t i = 0; i < ARRAY_SIZE(lens); i++) {
		struct frame f = { .data = data[i], .len = lens[i] };

		make(data[i], numbers[i], lens[i]);
		port_send(rig.p, &f);
	}
	port_flush(rig.p);
	peer_reads(rig.peer, 2, 0);
	ok(saw(2, 1), "frames between ones too long for UDP go out");
	ok_eq_int(rig.p->count.dropped[DROP_TOO_LONG], 3,
		  "those are dropped and counted");
	ok(rig.p->count.tx_frames == 2 && rig.p->state == PORT_UP && !rig.p->queue.frames,
	   "and the port stays up");
	end();
}

/* A receiver that takes few at a time: what it can't take waits, in order. */
static void test_tx_full(void)
{
	struct seen all[200];
	unsigned n = 0;
	int wrong = 0;

	begin_pair();
	setsockopt(rig.d->wfd, SOL_SOCKET, SO_SNDBUF, &(int){ 8192 }, sizeof(int));
	for (unsigned i = 0; i < 4; i++)
		send_frames(1 + i * 50, 50, 700 + i);
	ok(rig.p->queue.frames > 100, "a receiver that is full: frames wait");
	for (int i = 0; i < 2000 && n < ARRAY_SIZE(all); i++) {
		peer_reads(rig.peer, 0, 0);
		for (unsigned k = 0; k < rig.n_seen && n < ARRAY_SIZE(all); k++)
			all[n++] = rig.seen[k];
		turn(&rig.t.loop);
	}
	for (unsigned i = 0; i < n; i++)
		wrong += !all[i].is_intact || all[i].number != i + 1 ||
			 all[i].len != 700 + i / 50;
	ok(n == ARRAY_SIZE(all) && !wrong, "all arrive, in order, once it takes them");
	ok(rig.p->count.tx_frames == 200 && !rig.p->queue.frames, "and are counted once");
	end();
}

/* Nobody there, as ICMP says some time after. The next datagram must not pay for it. */
static void test_tx_udp_refused(void)
{
	struct pollfd pfd = { .events = POLLERR };
	struct sockaddr_in ours, theirs;
	int fd = udp_socket(&ours), peer = udp_socket(&theirs);

	socket_join(fd, &theirs);
	close(peer);
	begin(fd, fd, -1);
	send_frames(1, 1, 100);
	pfd.fd = fd;
	ok_eq_int(poll(&pfd, 1, PATIENCE_MS), 1, "a refusal has come");
	peer = socket(AF_INET, SOCK_DGRAM, 0);
	if (bind(peer, (struct sockaddr *)&theirs, sizeof(theirs)) < 0)
		perror("bind");
	send_frames(2, 3, 100);
	peer_reads(peer, 3, 0);
	ok(saw(3, 2),
	   "what is sent once somebody is there arrives, from the first one on");
	ok_eq_int(rig.p->state, PORT_UP, "and the port stayed up");
	close(peer);
	for (int i = 0; i < 10; i++) {
		send_frames(5, 3, 100);
		turn(&rig.t.loop);
	}
	ok_eq_int(rig.p->state, PORT_UP, "so it does when nobody is there for long");
	ok_eq_int(rig.p->count.tx_frames + rig.p->count.dropped[DROP_REFUSED], 34,
		  "and every frame is counted once");
	end();
}

/* The same when it shows as the socket is read. */
static void test_rx_udp_refused(void)
{
	struct pollfd pfd = { .events = POLLERR };
	struct sockaddr_in ours, theirs;
	int fd = udp_socket(&ours), peer = udp_socket(&theirs);

	socket_join(fd, &theirs);
	close(peer);
	begin(fd, fd, -1);
	send_frames(1, 1, 100);
	pfd.fd = fd;
	poll(&pfd, 1, PATIENCE_MS);
	turn(&rig.t.loop);
	ok_eq_int(poll(&pfd, 1, 0), 0, "a refusal is read away, and does not spin");
	rig.peer = socket(AF_INET, SOCK_DGRAM, 0);
	if (bind(rig.peer, (struct sockaddr *)&theirs, sizeof(theirs)) < 0)
		perror("bind");
	socket_join(rig.peer, &ours);
	peer_sends(1, 100);
	turn_for_frames(1);
	ok(saw(1, 1), "what is received next comes through");
	end();
}

static void look(unsigned times)
{
	while (times--)
		rig.d->timer.fn(&rig.d->timer);
}

/* A datagram counts as sent when it goes, and later it may turn out to be refused. */
static void test_refused_is_counted(void)
{
	const struct port_counters *c;
	struct sockaddr_in theirs;
	uint64_t last = 0;
	int fd, peer, backward = 0;

	begin_udp();
	c = &rig.p->count;
	ok_eq_str(port_far_name(rig.p), "silent", "a far end that was never heard");
	peer_sends(1, 100);
	turn_for_frames(1);
	ok_eq_str(port_far_name(rig.p), "heard", "one that was");
	end();

	fd = udp_socket(&theirs);
	peer = udp_socket(&theirs);
	socket_join(fd, &theirs);
	close(peer);
	begin(fd, fd, -1);
	c = &rig.p->count;
	for (unsigned i = 1; i <= 20; i++) {
		send_frames(i, 1, 100);
		turns(&rig.t.loop, 2);
		backward += c->tx_frames < last;
		last = c->tx_frames;
	}
	ok(c->dropped[DROP_REFUSED] >= 15, "nobody there: %u of 20 are refused",
	   (unsigned)c->dropped[DROP_REFUSED]);
	ok_eq_int(c->tx_frames + c->dropped[DROP_REFUSED], 20, "each is counted once");
	ok_eq_int(c->tx_bytes, c->tx_frames * 100, "with its bytes");
	ok_eq_int(backward, 0, "and no counter goes back");
	ok_eq_str(port_far_name(rig.p), "unreachable", "that is told");
	send_frames(1, 64, 100);
	turns(&rig.t.loop, 2);
	ok_eq_int(c->tx_frames + c->dropped[DROP_REFUSED], 84, "so it is for many");

	peer = socket(AF_INET, SOCK_DGRAM, 0);
	if (bind(peer, (struct sockaddr *)&theirs, sizeof(theirs)) < 0)
		perror("bind");
	look(4);
	ok_eq_str(port_far_name(rig.p), "unreachable", "as long as nothing is sent");
	for (int i = 0; i < 4; i++) {
		send_frames(1, 1, 100);
		look(1);
	}
	ok_eq_str(port_far_name(rig.p), "silent", "and no more once nobody refuses");
	close(peer);
	end();
}

/* ---- packets that have an end ---- */

static void begin_packets(void)
{
	int sv[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, sv) < 0)
		exit(1);
	begin(sv[0], sv[0], sv[1]);
	rig.d->has_end = true;
}

static void test_packets(void)
{
	begin_packets();
	peer_sends(1, 100);
	peer_sends(0, 0);
	peer_sends(2, 14);
	peer_sends(0, 0);
	turns(&rig.t.loop, 2);
	ok(saw(2, 1) && rig.p->state == PORT_UP && rig.p->count.rx_frames == 4,
	   "a packet is a frame; an empty one is no end");
	send_frames(5, 3, 1000);
	peer_reads(rig.peer, 3, 0);
	ok(saw(3, 5), "and a frame a packet");
	rig.n_seen = 0;
	for (uint32_t i = 1; i <= 40; i++)
		peer_sends(i, 100);
	peer_sends(0, 0);
	shutdown(rig.peer, SHUT_WR);
	turns(&rig.t.loop, 4);
	ok(saw(40, 1), "what came before the end comes out");
	ok(rig.p->state == PORT_ENDED && rig.p->why_err == PORT_CLOSED,
	   "and then the port ends: %s", rig.p->why);
	end();

	begin_packets();
	for (uint32_t i = 0; i < 80; i++)
		peer_sends(0, 0);
	peer_sends(1, 100);
	shutdown(rig.peer, SHUT_WR);
	turns(&rig.t.loop, 8);
	ok(saw(1, 1) && rig.p->state == PORT_ENDED, "nor are many, ahead of a frame");
	end();

	begin_packets();
	peer_sends(1, 100);
	close(rig.peer);
	rig.peer = -1;
	send_frames(1, 2, 100);
	ok_eq_int(rig.p->count.dropped[DROP_REFUSED], 2,
		  "a peer that is gone takes none");
	turns(&rig.t.loop, 2);
	ok(saw(1, 1) && rig.p->state == PORT_ENDED,
	   "what it had sent is read all the same");
	end();
}

/* ---- a unix peer that comes and goes ---- */

static int bind_path(void)
{
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0);

	unlink(rig.path.sun_path);
	if (bind(fd, (struct sockaddr *)&rig.path, sizeof(rig.path)) < 0)
		perror("bind");
	return fd;
}

static void test_tx_unix_peer(void)
{
	char dir[] = "/tmp/dgram-test.XXXXXX";
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0), peer;

	if (!mkdtemp(dir))
		exit(1);
	rig.path.sun_family = AF_UNIX;
	snprintf(rig.path.sun_path, sizeof(rig.path.sun_path), "%s/peer", dir);
	begin(fd, fd, -1);
	sock_unix(rig.path.sun_path, &rig.d->to);
	send_frames(1, 2, 100);
	ok(rig.p->count.dropped[DROP_REFUSED] == 2 && rig.p->state == PORT_UP,
	   "nobody there yet: frames are dropped, the port stays");
	peer = bind_path();
	send_frames(3, 3, 100);
	peer_reads(peer, 3, 0);
	ok(saw(3, 3), "there now: none is lost");
	close(peer);
	peer = bind_path();
	send_frames(6, 3, 100);
	peer_reads(peer, 3, 0);
	ok(saw(3, 6), "gone and there again: none is lost, none comes twice");
	close(peer);
	send_frames(9, 5, 100);
	ok_eq_int(rig.p->count.dropped[DROP_REFUSED], 7, "gone: each frame is dropped");
	ok(!strcmp(port_far_name(rig.p), "unreachable") &&
		   rig.p->far_errno == ECONNREFUSED,
	   "and why is known");
	unlink(rig.path.sun_path);
	send_frames(9, 1, 100);
	ok_eq_int(rig.p->count.dropped[DROP_REFUSED], 8, "with its path gone too");
	ok_eq_int(rig.p->count.tx_frames, 6, "what was sent was counted");
	end();
	rmdir(dir);
}

static void test_tx_no_reconnect(void)
{
	begin_pair();
	close(rig.peer);
	rig.peer = -1;
	send_frames(1, 3, 100);
	ok(rig.p->count.dropped[DROP_REFUSED] == 3 && rig.p->count.tx_frames == 0 &&
		   rig.p->state == PORT_UP,
	   "a peer that is gone for good: frames are dropped, and it does not spin");
	end();
}

/* ---- the socket itself ---- */

static void test_tx_broken(void)
{
	int wfd;

	begin_pair();
	wfd = rig.d->wfd;
	rig.d->wfd = 9999;
	send_frames(1, 3, 100);
	ok_eq_int(rig.p->state, PORT_ENDED, "a socket that is none ends the port");
	ok_eq_int(rig.p->count.dropped[DROP_LOST], 3, "and what was for it is lost");
	ok(strstr(rig.p->why, strerror(EBADF)), "for a reason that is told: %s",
	   rig.p->why);
	ok(fcntl(wfd, F_GETFD) < 0, "the descriptor it had is closed");
	end();
}

static void test_close(void)
{
	int a = eventfd(0, 0), b = eventfd(0, 0);

	begin(a, b, -1);
	dgram_close(rig.p);
	ok(fcntl(a, F_GETFD) < 0 && fcntl(b, F_GETFD) < 0,
	   "closing closes both descriptors");
	dgram_close(rig.p);
	ok(rig.d->rfd == -1 && rig.d->wfd == -1, "once");
	rig.p->rd.fd = rig.p->wr.fd = -1;
	end();
}

/* ---- runs of frames as one message ---- */

#define RUN_MAX 64

/* Messages as the kernel got them: how long, in segments of which length. */
struct message {
	uint32_t len, segment;
};

/* A kernel that makes no runs of datagrams, on the one way or the other. */
static bool has_no_runs(void)
{
	return is_without("gso") || is_without("gro");
}

static void begin_runs(void)
{
	begin_udp();
	dgram_use_udp(rig.d);
	setsockopt(rig.peer, SOL_UDP, UDP_GRO, &(int){ 1 }, sizeof(int));
}

/* One message of what the port sent, its frames noted. Return: false when none comes. */
static bool peer_reads_run(struct message *m)
{
	static uint8_t data[2 * FRAME_MAX];
	char control[CMSG_SPACE(sizeof(int))] = { 0 };
	struct iovec iov = { data, sizeof(data) };
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = control,
			      .msg_controllen = sizeof(control) };
	struct pollfd pfd = { .fd = rig.peer, .events = POLLIN };
	struct cmsghdr *c;
	ssize_t n;
	int size;

	if (poll(&pfd, 1, 0) != 1)
		return false;
	n = recvmsg(rig.peer, &msg, 0);
	if (n < 0)
		return false;
	size = (int)n;
	c = CMSG_FIRSTHDR(&msg);
	if (c && c->cmsg_level == SOL_UDP && c->cmsg_type == UDP_GRO)
		memcpy(&size, CMSG_DATA(c), sizeof(size));
	*m = (struct message){ (uint32_t)n, (uint32_t)size };
	for (ssize_t at = 0; at < n; at += size) {
		size_t len = (size_t)(n - at < size ? n - at : size);

		see(data + at, len, len == FRAME_PAD ? 20 : len);
	}
	return true;
}

/* Whether what the port sent are the messages @want, if any; their frames are noted. */
static bool peer_reads_all(const struct message *want, unsigned n_want)
{
	struct message m;
	unsigned good = 0, got = 0;

	while (peer_reads_run(&m)) {
		good += got < n_want && m.len == want[got].len &&
			m.segment == want[got].segment;
		got++;
	}
	return has_no_runs() || (got == n_want && good == got);
}

/* Frames of @lens go out as messages @want. */
static void test_runs(const char *what, const uint32_t *lens, unsigned n,
		      const struct message *want, unsigned n_want)
{
	static uint8_t data[RUN_MAX][FRAME_MAX];

	begin_runs();
	for (unsigned i = 0; i < n; i++) {
		struct frame f = { .data = data[i], .len = lens[i] };

		make(data[i], i + 1, lens[i]);
		/* Some of them in two pieces. */
		if (i % 2) {
			f.head = f.data;
			f.head_len = 14;
			f.data += 14;
		}
		port_send(rig.p, &f);
	}
	port_flush(rig.p);
	ok(peer_reads_all(want, n_want), "%s: as %u messages", what, n_want);
	ok(saw(n, 1) && rig.p->count.tx_frames == n, "%s: all of it, in order", what);
	end();
}

static void test_all_runs(void)
{
	static const uint32_t last_shorter[] = { 1000, 1000, 1000, 400 },
			      longer[] = { 1000, 1000, 1001, 1001, 1000, 1000 },
			      shorter_goes_on[] = { 1000, 999, 999, 999 },
			      alone[] = { 65000, 1400, 65000 }, padded[] = { 20, 20, 20 };
	uint32_t many[RUN_MAX], large[RUN_MAX];

	for (unsigned i = 0; i < RUN_MAX; i++) {
		many[i] = 1000;
		large[i] = 1100;
	}
	test_runs("a run with a shorter last one", last_shorter, 4,
		  (struct message[]){ { 3400, 1000 } }, 1);
	test_runs("a longer one breaks the run", longer, 6,
		  (struct message[]){ { 2000, 1000 }, { 3002, 1001 }, { 1000, 1000 } },
		  3);
	test_runs("none goes behind a shorter one", shorter_goes_on, 4,
		  (struct message[]){ { 1999, 1000 }, { 1998, 999 } }, 2);
	test_runs(
		"frames that have no room beside another", alone, 3,
		(struct message[]){ { 65000, 65000 }, { 1400, 1400 }, { 65000, 65000 } },
		3);
	test_runs("short ones, padded", padded, 3,
		  (struct message[]){ { 3 * FRAME_PAD, FRAME_PAD } }, 1);
	test_runs("as many as there may be", many, RUN_MAX,
		  (struct message[]){ { 64000, 1000 } }, 1);
	test_runs("no more bytes than there may be", large, RUN_MAX,
		  (struct message[]){ { 64900, 1100 }, { 5500, 1100 } }, 2);
}

/* A kernel that refuses: without checksums, UDP_SEGMENT is an error. */
static void test_runs_refused(void)
{
	if (leave_out("gso", "runs that are refused"))
		return;
	begin_runs();
	ok(rig.d->segment_max > 60000, "runs are on, up to what the path takes");
	setsockopt(rig.d->wfd, SOL_SOCKET, SO_NO_CHECK, &(int){ 1 }, sizeof(int));
	send_frames(1, 50, 1000);
	peer_reads(rig.peer, 50, 0);
	ok(saw(50, 1) && rig.p->count.tx_frames == 50,
	   "a run is refused: all of it goes out, one by one");
	ok(rig.d->segment_max == 999 && rig.p->state == PORT_UP,
	   "and none of that length is tried again");
	send_frames(51, 20, 60);
	send_frames(71, 20, 60);
	peer_reads(rig.peer, 40, 0);
	ok(saw(40, 51) && rig.d->segment_max < 60, "nor, in the end, any");
	end();
}

static void test_runs_come_back(void)
{
	uint32_t whole;

	if (leave_out("gso", "runs that come back"))
		return;
	begin_runs();
	whole = rig.d->segment_max;
	rig.send_errno = EIO;
	rig.send_fails = 1;
	send_frames(1, 20, 1000);
	ok(rig.d->segment_max == 999 && rig.p->count.tx_frames == 20,
	   "one passing error: no more runs of that length");
	look(5);
	ok_eq_int(rig.d->segment_max, whole, "for a while");
	rig.has_no_segments = true;
	look(5);
	ok_eq_int(rig.d->segment_max, 0, "a kernel that knows no UDP_SEGMENT: no runs");
	rig.n_seen = 0;
	peer_reads(rig.peer, 20, 0);
	send_frames(1, 20, 1000);
	peer_reads(rig.peer, 20, 0);
	ok(saw(20, 1), "each frame is a datagram of its own");
	rig.has_no_segments = false;
	end();
}

/* What a peer sends as one message of @n frames, the last of @last bytes. */
static void peer_sends_run(uint32_t first, unsigned n, uint32_t len, uint32_t last)
{
	static uint8_t data[FRAME_MAX];
	char control[CMSG_SPACE(sizeof(uint16_t))] = { 0 };
	struct iovec iov = { data, (n - 1) * (size_t)len + last };
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = control,
			      .msg_controllen = sizeof(control) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
	uint16_t size = (uint16_t)len;

	c->cmsg_level = SOL_UDP;
	c->cmsg_type = UDP_SEGMENT;
	c->cmsg_len = CMSG_LEN(sizeof(size));
	memcpy(CMSG_DATA(c), &size, sizeof(size));
	for (unsigned i = 0; i < n; i++)
		make(data + (size_t)i * len, first + i, i == n - 1 ? last : len);
	if (sendmsg(rig.peer, &msg, 0) < 0)
		perror("sendmsg");
}

static void test_rx_runs(void)
{
	bool is_single = is_without("gro");

	begin_runs();
	peer_sends_run(1, 60, 1000, 300);
	turn_for_frames(60);
	ok(saw(60, 1) && rig.seen[59].len == 300 && rig.t.entries == (is_single ? 60 : 1),
	   "a run comes in as one");
	ok_eq_int(rig.p->count.rx_bytes, 59300, "all of its bytes are counted");
	rig.n_seen = 0;
	taker_reset(&rig.t);
	peer_sends_run(61, 50, 100, 100);
	peer_sends(111, 1400);
	peer_sends_run(112, 50, 200, 14);
	peer_sends_run(162, 28, 60, 60);
	turn_for_frames(189);
	ok(saw(129, 61) && (is_single || rig.t.entries == 5),
	   "but for a last one that is to be padded");
	rig.n_seen = 0;
	taker_reset(&rig.t);
	peer_sends_run(1, 64, 20, 20);
	turn_for_frames(253);
	ok(saw(64, 1) && rig.t.entries == 64 &&
		   (is_single || (rig.t.batches == 1 && !rig.t.batch.more)),
	   "and for one of such: they fill a batch");
	rig.n_seen = 0;
	taker_reset(&rig.t);
	for (uint32_t i = 0; i < 3; i++)
		peer_sends_run(1 + i * 50, 50, 20, 20);
	turn_for_frames(403);
	ok(saw(150, 1) && (is_single || rig.t.batches == 3), "and go on in the next one");
	peer_sends_run(1, 20, 10, 10);
	turn_for_frames(423);
	ok_eq_int(rig.p->count.dropped[DROP_RUNT], 20, "a run of runts is none");
	end();
}

/* A run of @n frames of @len bytes, the last of @last, numbered from @first on, at @at. */
static struct frame make_run(uint8_t *at, uint32_t first, unsigned n, uint32_t len,
			     uint32_t last)
{
	struct frame f = { .data = at, .len = n > 1 ? len : last, .n_more = n - 1 };

	for (unsigned i = 0; i < n; i++)
		make(at + (size_t)i * len, first + i, i == n - 1 ? last : len);
	if (n > 1)
		f.more_bytes = (n - 2) * len + last;
	return f;
}

struct run {
	unsigned n;
	uint32_t len, last;
};

static void test_tx_run(const char *what, const struct run *runs, unsigned n_runs,
			const struct message *want, unsigned n_want)
{
	static uint8_t data[3][2 * FRAME_MAX];
	unsigned sent = 0;
	uint64_t bytes = 0;

	begin_runs();
	for (unsigned i = 0; i < n_runs; i++) {
		const struct run *r = &runs[i];
		struct frame f = make_run(data[i], sent + 1, r->n, r->len, r->last);

		port_send(rig.p, &f);
		sent += r->n;
		bytes += f.len + f.more_bytes;
	}
	port_flush(rig.p);
	ok(peer_reads_all(want, n_want), "%s: as %u messages", what, n_want);
	ok(saw(sent, 1) && rig.p->count.tx_frames == sent &&
		   rig.p->count.tx_bytes == bytes,
	   "%s: all of it, in order, and counted", what);
	end();
}

static void test_tx_runs(void)
{
	test_tx_run("a run", (struct run[]){ { 60, 1000, 300 } }, 1,
		    (struct message[]){ { 59300, 1000 } }, 1);
	test_tx_run("of more than go at once", (struct run[]){ { 150, 100, 70 } }, 1,
		    (struct message[]){ { 6400, 100 }, { 6400, 100 }, { 2170, 100 } }, 3);
	test_tx_run("of more bytes than go at once", (struct run[]){ { 50, 1400, 1400 } },
		    1, (struct message[]){ { 46 * 1400, 1400 }, { 5600, 1400 } }, 2);
	test_tx_run("several of one length",
		    (struct run[]){ { 10, 200, 200 }, { 1, 0, 200 }, { 20, 200, 150 } },
		    3, (struct message[]){ { 6150, 200 } }, 1);
	test_tx_run("none behind a shorter one",
		    (struct run[]){ { 10, 200, 150 }, { 10, 150, 150 } }, 2,
		    (struct message[]){ { 1950, 200 }, { 1500, 150 } }, 2);
	test_tx_run("one of a shorter run ends a message",
		    (struct run[]){ { 10, 200, 200 }, { 10, 150, 150 }, { 1, 0, 20 } }, 3,
		    (struct message[]){ { 2150, 200 }, { 1410, 150 } }, 2);
	test_tx_run("a longer one begins another",
		    (struct run[]){ { 4, 100, 100 }, { 4, 101, 101 } }, 2,
		    (struct message[]){ { 400, 100 }, { 404, 101 } }, 2);
}

/* What a kernel without UDP_SEGMENT gets, and one that takes few at a time. */
static void test_tx_run_singly(void)
{
	static uint8_t data[3][2 * FRAME_MAX];
	unsigned seen = 0, wrong = 0;
	struct frame f;

	begin_runs();
	setsockopt(rig.d->wfd, SOL_SOCKET, SO_NO_CHECK, &(int){ 1 }, sizeof(int));
	f = make_run(data[0], 1, 100, 300, 200);
	port_send(rig.p, &f);
	port_flush(rig.p);
	peer_reads(rig.peer, 100, 0);
	ok(saw(100, 1) && rig.seen[99].len == 200 && rig.p->count.tx_frames == 100,
	   "a run that is refused goes out frame by frame");
	end();

	begin_pair();
	setsockopt(rig.d->wfd, SOL_SOCKET, SO_SNDBUF, &(int){ 8192 }, sizeof(int));
	for (unsigned i = 0; i < 3; i++) {
		f = make_run(data[i], 1 + i * 40, 40, 700, 650);
		port_send(rig.p, &f);
	}
	port_flush(rig.p);
	ok(rig.p->queue.frames > 50 && rig.p->queue.frames < 120,
	   "of runs for one who is full, what is left waits");
	do {
		peer_reads(rig.peer, 1, 0);
		wrong += !saw(rig.n_seen, seen + 1);
		seen += rig.n_seen;
		turn(&rig.t.loop);
	} while (rig.n_seen && seen < 120);
	ok(seen == 120 && !wrong, "and all arrives in the end, in order");
	end();
}

/* Runs and frames of any kind, in any order. */
static void test_tx_random(unsigned seed)
{
	static uint8_t data[6][2 * FRAME_MAX];
	struct message m;
	unsigned sent = 0, wrong = 0;

	random_begin(seed);
	begin_runs();
	for (unsigned round = 0; round < 300; round++) {
		unsigned n = 1 + rnd(ARRAY_SIZE(data)), frames = 0;
		uint32_t len = 61 + rnd(300);

		for (unsigned i = 0; i < n; i++) {
			unsigned count = 1 + rnd(40);
			uint32_t last = 61 + rnd(len - 60);
			struct frame f;

			if (rnd(3) == 0)
				len = 61 + rnd(300);
			if (last > len || rnd(2))
				last = len;
			f = make_run(data[i], sent + frames + 1, count, len, last);
			port_send(rig.p, &f);
			frames += count;
		}
		port_flush(rig.p);
		rig.n_seen = 0;
		while (peer_reads_run(&m))
			wrong += m.segment > 360;
		wrong += !saw(frames, sent + 1);
		sent += frames;
	}
	ok(!wrong && rig.p->count.tx_frames == sent,
	   "seed %u: %u frames in random runs, all as they were, in order", seed, sent);
	end();
}

static void set_up(void)
{
	taker_init(&rig.t, see_frame);
	signal(SIGPIPE, SIG_IGN);
}

int main(void)
{
	alarm(ALARM_S);
	set_up();
	test_rx_lengths();
	test_rx_faulty();
	test_rx_mixed();
	test_rx_many();
	test_rx_foreign();
	test_rx_allow();
	test_tx_padding();
	test_tx_unpadded();
	test_tx_errors();
	test_tx_many();
	test_tx_many_pieces(false);
	test_tx_many_pieces(true);
	test_tx_too_long();
	test_tx_full();
	test_tx_udp_refused();
	test_rx_udp_refused();
	test_refused_is_counted();
	test_packets();
	test_tx_unix_peer();
	test_tx_no_reconnect();
	test_tx_broken();
	test_all_runs();
	test_runs_refused();
	test_runs_come_back();
	test_rx_runs();
	test_tx_runs();
	test_tx_run_singly();
	for (unsigned seed = 1; seed <= 3; seed++)
		test_tx_random(seed);
	test_close();
	taker_free(&rig.t);
	return done();
}
