/* SPDX-License-Identifier: MIT */
/*
 * tap-io.c, with a kernel that refuses what it offered to take. The tap is one end of
 * a socket pair, and writev() is played here: it refuses by the virtio header, and
 * else sends one message for each frame, which is then compared.
 */
#include "port/tap-io.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "frame/gso.h"
#include "lib/packet.h"
#include "lib/tap.h"
#include "port/driver.h"

#define FRAMES 10

enum { TCP, UDP };

/*
 * @refuses:  super-frames, of UDP only, or none
 * @attempts: super-frames that came
 * @err:      by what all is refused; 0: as @refuses says
 */
static struct {
	enum { NOTHING, ONLY_UDP, ALL_MERGED, EVERYTHING } refuses;
	unsigned attempts;
	int err;
	struct port *p;
	int peer;
	struct endpoint ep;
	struct port_env env;
} rig;

static uint8_t bytes[FRAMES][PACKET_MAX];
static struct frame frames[FRAMES];

ssize_t writev(int fd, const struct iovec *iov, int n)
{
	struct msghdr msg = { .msg_iov = (struct iovec *)(uintptr_t)iov,
			      .msg_iovlen = (size_t)n };
	struct vnet vnet = { 0 };

	if (iov->iov_len == VNET_BYTES)
		memcpy(&vnet, iov->iov_base, VNET_BYTES);
	rig.attempts += vnet.gso_type != 0;
	if (rig.err) {
		errno = rig.err;
		return -1;
	}
	if (rig.refuses == EVERYTHING || (rig.refuses == ALL_MERGED && vnet.gso_type) ||
	    (rig.refuses == ONLY_UDP && vnet.gso_type == VNET_GSO_UDP_L4)) {
		errno = EINVAL;
		return -1;
	}
	return sendmsg(fd, &msg, MSG_DONTWAIT);
}

static void begin_with(bool has_vnet, bool has_uso)
{
	struct tap_dev link = {
		.name = "t0", .mtu = 1500, .has_vnet = has_vnet, .has_uso = has_uso
	};
	int fds[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fds) < 0)
		abort();
	link.fd = fds[0];
	rig.peer = fds[1];
	snprintf(rig.ep.text, sizeof(rig.ep.text), "fd:3");
	rig.p = port_tap_from_fd(&link, &rig.ep, &rig.env, O_RDWR);
	if (!rig.p || tap_io_begin(container_of(rig.p, struct tap, port)) < 0)
		abort();
	rig.attempts = 0;
}

static void begin(bool has_vnet)
{
	begin_with(has_vnet, has_vnet);
}

static void end(void)
{
	rig.p->state = PORT_UP;
	port_free(rig.p);
	close(rig.peer);
}

static struct packet nth(int kind, unsigned i)
{
	return (struct packet){
		.udp = kind == UDP,
		.from = 1,
		.to = 2,
		.sport = 1000,
		.dport = 2000,
		.ttl = 64,
		.flags = 0x10,
		.df = true,
		.id = (uint16_t)i,
		.seq = i * 700,
		.payload = 700,
		.fill = (uint8_t)i,
	};
}

static void make_run(int kind)
{
	for (unsigned i = 0; i < FRAMES; i++) {
		struct packet p = nth(kind, i);

		frames[i] = (struct frame){ .data = bytes[i],
					    .len = packet_build(bytes[i], &p) };
	}
}

static bool arrives(const void *head, size_t head_len, const void *data, size_t len)
{
	static uint8_t buf[VNET_BYTES + PACKET_MAX];
	size_t skip = container_of(rig.p, struct tap, port)->link.has_vnet ? VNET_BYTES
									   : 0;
	ssize_t n = recv(rig.peer, buf, sizeof(buf), MSG_DONTWAIT);

	return n == (ssize_t)(skip + head_len + len) &&
	       !memcmp(buf + skip, head, head_len) &&
	       !memcmp(buf + skip + head_len, data, len);
}

/* Whether all that make_run() made come out one by one, and nothing else. */
static bool all_arrive(void)
{
	uint8_t more;

	for (unsigned i = 0; i < FRAMES; i++)
		if (!arrives("", 0, frames[i].data, frames[i].len))
			return false;
	return recv(rig.peer, &more, 1, MSG_DONTWAIT) < 0;
}

static void send_run(int kind)
{
	make_run(kind);
	rig.p->ops->tx(rig.p, frames, FRAMES);
}

static void test_merged(void)
{
	begin(true);
	rig.refuses = NOTHING;
	send_run(TCP);
	ok_eq_int(rig.attempts, 1, "taken: merged");
	ok_eq_int(rig.p->count.tx_frames, FRAMES, "taken: counted");
	end();

	begin(true);
	rig.refuses = ALL_MERGED;
	send_run(TCP);
	ok(all_arrive(), "TCP refused: all come one by one, in order");
	ok_eq_int(rig.attempts, 1, "TCP refused: one attempt");
	ok_eq_int(rig.p->count.tx_frames, FRAMES, "TCP refused: counted as sent");
	ok_eq_int(rig.p->count.dropped[DROP_REFUSED], 0, "TCP refused: nothing dropped");
	ok(!rig.p->takes_super && !rig.p->takes_uso, "TCP refused: none is taken now");
	send_run(TCP);
	send_run(UDP);
	ok_eq_int(rig.attempts, 1, "TCP refused: no further attempt");
	ok_eq_int(rig.p->count.tx_frames, 3 * FRAMES, "TCP refused: goes on");
	end();

	begin(true);
	rig.refuses = ONLY_UDP;
	send_run(UDP);
	ok(all_arrive(), "UDP refused: all come one by one, in order");
	ok(rig.p->takes_super && !rig.p->takes_uso, "UDP refused: TCP is taken still");
	send_run(UDP);
	ok(all_arrive(), "UDP refused: goes on");
	ok_eq_int(rig.attempts, 1, "UDP refused: no further attempt");
	send_run(TCP);
	ok_eq_int(rig.attempts, 2, "UDP refused: TCP is merged");
	end();
}

/* Linux before 6.2. */
static void test_no_uso(void)
{
	begin_with(true, false);
	rig.refuses = NOTHING;
	ok(rig.p->takes_super && !rig.p->takes_uso, "no USO: TCP's super-frames alone");
	send_run(UDP);
	ok(all_arrive(), "no USO: UDP goes one by one");
	ok_eq_int(rig.attempts, 0, "no USO: none is merged");
	send_run(TCP);
	ok_eq_int(rig.attempts, 1, "no USO: TCP is merged");
	end();
}

/* What passes by itself, or ends the port when it is read from: here it is only counted. */
static void test_errors(bool has_vnet)
{
	static const struct {
		int err;
		unsigned drop;
		const char *what;
	} cases[] = {
		{ EIO, DROP_REFUSED, "the tap is down" },
		{ ENOMEM, DROP_REFUSED, "no memory" },
		{ ENOBUFS, DROP_REFUSED, "no buffers" },
		{ EBADFD, DROP_LOST, "the tap was deleted" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		begin(has_vnet);
		rig.refuses = NOTHING;
		rig.err = cases[i].err;
		make_run(TCP);
		ok_eq_int(rig.p->ops->tx(rig.p, frames, FRAMES), FRAMES,
			  "%s: all are done with, %s virtio headers", cases[i].what,
			  has_vnet ? "with" : "without");
		ok_eq_int(rig.p->count.dropped[cases[i].drop], FRAMES, "and counted");
		ok_eq_int(rig.p->count.tx_frames, 0, "none as sent");
		rig.err = 0;
		send_run(UDP);
		ok_eq_int(rig.p->count.tx_frames, FRAMES, "the next ones go");
		ok(rig.p->takes_super == has_vnet && rig.attempts == 2 * has_vnet,
		   "as they would have before");
		end();
	}
}

/* A peer's: it may be what the peer has made of it that the kernel does not like. */
static void test_foreign(void)
{
	static uint8_t super[PACKET_MAX];
	struct packet p = nth(TCP, 0);
	struct gso_segment s;
	struct frame f = { .data = super };
	struct vnet vnet;
	struct gso g;
	bool good = true;

	p.payload = 9000;
	f.len = packet_build(super, &p);
	vnet = packet_make_super(super, f.len, 1400);
	f.vnet = &vnet;
	begin(true);
	rig.refuses = ALL_MERGED;
	rig.p->ops->tx(rig.p, &f, 1);
	gso_begin(&g, &f);
	while (gso_next(&g, &s))
		good = arrives(s.head, s.frame.head_len, s.frame.data,
			       frame_data_len(&s.frame)) &&
		       good;
	ok(good, "super-frame refused: comes split");
	ok_eq_int(rig.p->count.tx_frames, 1, "super-frame refused: counted once");
	ok(rig.p->takes_super, "super-frame refused: the next one is tried all the same");
	vnet.csum_start = 0;
	rig.p->ops->tx(rig.p, &f, 1);
	ok_eq_int(rig.p->count.dropped[DROP_REFUSED], 1, "malformed: dropped, counted");
	ok_eq_int(rig.p->count.tx_frames, 1, "malformed: not sent");
	end();
}

static void test_plain(void)
{
	begin(true);
	rig.refuses = EVERYTHING;
	make_run(TCP);
	rig.p->ops->tx(rig.p, frames, 1);
	ok_eq_int(rig.p->count.dropped[DROP_REFUSED], 1, "plain refused: dropped");
	ok(rig.p->takes_super, "plain refused: says nothing of super-frames");
	send_run(TCP);
	ok_eq_int(rig.p->count.dropped[DROP_REFUSED], 1 + FRAMES, "all refused: counted");
	end();
}

/* As they are split for a tap that takes no super-frames. */
static void test_pieces(bool has_vnet)
{
	begin(has_vnet);
	rig.refuses = ALL_MERGED;
	make_run(UDP);
	for (unsigned i = 0; i < FRAMES; i++)
		frames[i] = (struct frame){ .head = bytes[i],
					    .head_len = 42,
					    .data = bytes[i] + 42,
					    .len = frames[i].len };
	rig.p->ops->tx(rig.p, frames, FRAMES);
	for (unsigned i = 0; i < FRAMES; i++)
		frames[i] = (struct frame){ .data = bytes[i], .len = frames[i].len };
	ok(all_arrive(), "two pieces: whole frames come, %s virtio headers",
	   has_vnet ? "with" : "without");
	end();
}

int main(void)
{
	struct loop loop;

	if (loop_init(&loop) < 0)
		return 1;
	rig.env.loop = &loop;
	test_merged();
	test_no_uso();
	test_errors(true);
	test_errors(false);
	test_foreign();
	test_plain();
	test_pieces(true);
	test_pieces(false);
	loop_free(&loop);
	return done();
}
