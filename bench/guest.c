/* SPDX-License-Identifier: MIT */
/*
 * A guest whose network driver is vhost-user's front end, and whose network stack is the
 * kernel's: what the kernel sends by a tap goes into the ring to send, and what comes into
 * the ring to receive goes to the tap. Super-frames pass whole, with their virtio headers.
 *
 *	guest TAPFD SOCKFD
 *
 * The descriptors are inherited: a tap with headers of 12 bytes, as a ring's are, and a
 * connection to a back end. It ends when the back end does. Frames are not copied here but
 * by the tap, which reads and writes the guest's memory.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/uio.h>

#include "lib/vhost-guest.h"

#define RING 256
#define BUFFER 4096u /* of many for a super-frame */
#define BATCH 64
#define BUFFERS_MAX 32 /* of one frame */

static void fail(const char *what)
{
	fprintf(stderr, "guest: %s\n", what);
	exit(1);
}

static void idle(void *arg)
{
	struct pollfd p = { .fd = *(int *)arg, .events = POLLIN };

	poll(&p, 1, 1);
}

static void start(struct front *f, int sock)
{
	struct front_config config = {
		.features = FRONT_SUPER,
		.protocol = FRONT_BIT(WIRE_PF_REPLY_ACK),
		.size = RING,
		.slot_bytes = { BUFFER, FRONT_SLOT },
		.buffer = BUFFER,
		.idle = idle,
	};
	int ret;

	config.idle_arg = &f->sock;
	front_init(f, &config);
	f->ring[FRONT_TX].wants_calls = false;
	ret = front_start(f, sock);
	if (ret < 0)
		fail(strerror(-ret));
	guest_refill(f);
}

/* Return: whether the ring has room for more; else a call tells when. */
static bool has_room(struct front *f)
{
	struct vring *r = &f->ring[FRONT_TX];

	guest_reap(f);
	r->wants_calls = !vring_has_room(r, 1, false);
	if (r->wants_calls) {
		vring_rearm(r);
		guest_reap(f);
	}
	return vring_has_room(r, 1, false);
}

static void send_frames(struct front *f, int tap)
{
	struct vring *r = &f->ring[FRONT_TX];
	unsigned n = 0;

	for (; n < BATCH && has_room(f); n++) {
		struct vring_piece piece = { .at = vring_slot(r, vring_next_head(r)) };
		ssize_t len = read(tap, front_at(f, piece.at), FRONT_SLOT);

		if (len <= 0)
			break;
		piece.len = (uint32_t)len;
		vring_put(r, &piece, 1, false);
	}
	if (n)
		vring_push(r);
}

/* Write the next frame, which has come whole. */
static void receive_frame(struct front *f, int tap)
{
	struct vring *r = &f->ring[FRONT_RX];
	struct iovec iov[BUFFERS_MAX];
	unsigned n = 0;
	uint16_t buffers = 1;

	for (; n < buffers; n++) {
		uint32_t len;
		int head = vring_take(r, &len);

		if (head < 0)
			fail("a frame is not whole");
		iov[n].iov_base = front_at(f, vring_slot(r, (unsigned)head));
		iov[n].iov_len = len;
		if (n)
			continue;
		memcpy(&buffers, (uint8_t *)iov[0].iov_base + f->header - 2,
		       sizeof(buffers));
		buffers = vring16(r, buffers);
		if (buffers > BUFFERS_MAX)
			fail("a frame is too long");
	}
	/* A tap refuses what the kernel finds malformed, and what comes before it is up. */
	if (writev(tap, iov, (int)n) < 0 && errno != EINVAL && errno != EIO)
		fail(strerror(errno));
}

static void receive_frames(struct front *f, int tap)
{
	struct vring *r = &f->ring[FRONT_RX];

	for (unsigned i = 0; i < BATCH && vring_n_used(r); i++)
		receive_frame(f, tap);
	vring_rearm(r);
	guest_refill(f);
}

int main(int argc, char **argv)
{
	static struct front f;
	struct vring *rx = &f.ring[FRONT_RX], *tx = &f.ring[FRONT_TX];
	int tap = argc == 3 ? atoi(argv[1]) : -1;

	if (tap < 0) {
		fprintf(stderr, "usage: guest TAPFD SOCKFD\n");
		return 2;
	}
	if (fcntl(tap, F_SETFL, O_NONBLOCK) < 0)
		fail(strerror(errno));
	start(&f, atoi(argv[2]));
	for (;;) {
		struct pollfd p[] = {
			{ .fd = tap, .events = has_room(&f) ? POLLIN : 0 },
			{ .fd = rx->call, .events = POLLIN },
			{ .fd = tx->call, .events = POLLIN },
			{ .fd = f.sock, .events = POLLIN },
		};

		/* What came after the last look made no call. */
		if (poll(p, 4, vring_n_used(rx) ? 0 : -1) < 0 || p[3].revents)
			return 0;
		vring_was_called(rx);
		vring_was_called(tx);
		receive_frames(&f, tap);
		if (p[0].revents)
			send_frames(&f, tap);
		if (rx->fault || tx->fault)
			fail(rx->fault ? rx->fault : tx->fault);
	}
}
