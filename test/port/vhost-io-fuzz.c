/* SPDX-License-Identifier: MIT */
/*
 * vhost-io.c: frames out of a guest's rings and into them, whose descriptors, headers and
 * indices are as the input has them and change in between. What comes out is a frame as
 * frame.h has it, all of whose bytes can be read; nothing is written but the guest's memory; and
 * the port goes on, or ends and says why.
 */
#include "lib/fuzz.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/quiet.h"
#include "lib/taker.h"
#include "lib/turn.h"
#include "lib/vhost-guest.h"
#include "port/driver.h"

#define SIZE 16
#define SLOT 2048
#define FRAME_LONG 9000

/* @sum: of all bytes that came, so that they are read */
static struct {
	struct taker taker;
	struct front front;
	struct endpoint ep;
	struct port *port;
	unsigned sum;
	bool is_ready;
} fuzz;

static void on_frame(const struct frame *f)
{
	static uint8_t bytes[FRAME_MAX];
	uint8_t room[FRAME_PEEK];
	struct iovec iov[FRAME_PIECES_MAX];
	unsigned n = frame_pieces(f, iov, FRAME_PIECES_MAX);
	size_t sum = 0;

	frame_assert(f);
	must(f->len >= FRAME_HEADER && f->len <= FRAME_MAX && n);
	for (unsigned i = 0; i < n; i++)
		sum += iov[i].iov_len;
	must(sum == f->len);
	must(frame_peek(f, frame_peek_len(f), room));
	frame_copy(bytes, f, 0, f->len);
	for (uint32_t i = 0; i < f->len; i++)
		fuzz.sum += bytes[i];
	/* Whoever gets it relies on these. */
	if (f->vnet && f->vnet->flags & VNET_NEEDS_CSUM)
		must((uint32_t)f->vnet->csum_start + f->vnet->csum_offset + 2 <= f->len);
}

static void on_changed(struct port *p, void *arg)
{
	(void)arg;
	if (p->state == PORT_ENDED)
		must(p->why[0]);
}

static void idle(void *arg)
{
	(void)arg;
	turn(&fuzz.taker.loop);
}

/* ---- steps ---- */

static void write_desc(struct fuzz_input *in, struct vring *r, struct vring_desc *d)
{
	uint64_t at = fuzz.front.region[1].gpa + fuzz_number(in, 2);
	uint8_t what = fuzz_byte(in);
	uint32_t len = what & 0x80 ? fuzz_number(in, 3)
				   : fuzz_byte(in) * (what & 0x40 ? 8u : 1u);
	uint16_t flags =
		what & 0x20 ? fuzz_byte(in) % 8
			    : (uint16_t)((what & 1) |
					 (r == &fuzz.front.ring[0] ? VRING_WRITE : 0));

	if (what & 0x10)
		at = r->tables_at + 16 * (fuzz_byte(in) % 32u);
	vring_set_desc(r, d, at, len, flags, fuzz_byte(in) % (SIZE + 1));
}

/* A virtio header, and what a frame begins with, at the beginning of some slot. */
static void write_head(struct fuzz_input *in)
{
	uint8_t *at =
		front_at(&fuzz.front, fuzz.front.region[1].gpa + fuzz_number(in, 2));
	unsigned n = fuzz_byte(in) % 80;

	for (unsigned i = 0; i < n; i++)
		at[i] = fuzz_byte(in);
}

static void send_frame(struct fuzz_input *in)
{
	static uint8_t bytes[FRAME_LONG];
	uint32_t len = FRAME_HEADER + fuzz_number(in, 2) % (FRAME_LONG - FRAME_HEADER);
	uint32_t head = fuzz_byte(in) % (len < FRAME_PEEK ? len : FRAME_PEEK);
	uint8_t what = fuzz_byte(in);
	struct iovec tail = { bytes + len / 2, len };
	struct frame f = { .data = bytes, .len = len };

	if (what & 1) {
		f.head = bytes;
		f.head_len = (uint16_t)head;
		f.data = bytes + head;
	}
	if (what & 2 && head < len / 2) {
		f.tail = &tail;
		f.tail_len = len - len / 2;
	}
	for (unsigned n = 1 + what % 16; n && fuzz.port->state == PORT_UP; n--)
		port_send(fuzz.port, &f);
	port_flush(fuzz.port);
}

static void step(struct fuzz_input *in)
{
	struct vring *r = &fuzz.front.ring[fuzz_byte(in) % 2];
	uint8_t n = fuzz_byte(in);

	switch (n % 8) {
	case 0:
		write_desc(in, r, &r->desc[fuzz_byte(in) % SIZE]);
		break;
	case 1:
		write_desc(in, r, &r->tables[fuzz_byte(in) % 32]);
		break;
	case 2:
		r->avail[2 + n / 8 % SIZE] = vring16(r, fuzz_byte(in) % (SIZE + 1));
		break;
	case 3:
		r->avail[1] =
			vring16(r, (uint16_t)(vring_used_now(r) + n / 8 % (SIZE + 2)));
		vring_kick(r);
		break;
	case 4:
		write_head(in);
		break;
	case 5:
		send_frame(in);
		break;
	default:
		vring_kick(r);
	}
	turn(&fuzz.taker.loop);
}

/* ---- from the beginning to the end ---- */

static void prepare(void)
{
	static const struct port_host host = { taker_readable, fake_heard_nothing,
					       on_changed };
	char why[256];

	quiet();
	taker_init(&fuzz.taker, on_frame);
	fuzz.taker.env.host = &host;
	must(endpoint_parse(&fuzz.ep, "vhost-user-listen:s", why, sizeof(why)) == 0);
	fuzz.is_ready = true;
}

static void begin(struct fuzz_input *in)
{
	struct front_config config = { .size = SIZE,
				       .slot_bytes = { SLOT, SLOT },
				       .features = FRONT_SUPER,
				       .idle = idle };
	int sv[2];

	/* Without one of them. */
	config.features &= ~FRONT_BIT(fuzz_byte(in) % 64u);
	must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv) == 0);
	must(fcntl(sv[0], F_SETFL, O_NONBLOCK) == 0);
	front_init(&fuzz.front, &config);
	fuzz.port =
		driver_of(&fuzz.ep)->accept(&fuzz.ep, sv[0], "guest", &fuzz.taker.env);
	must(fuzz.port);
	port_start(fuzz.port);
	must(front_start(&fuzz.front, sv[1]) == 0);
	turn_until(&fuzz.taker.loop, 1000, fuzz.port->state == PORT_UP);
	must(fuzz.port->state == PORT_UP);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in = { data, size };

	if (!fuzz.is_ready)
		prepare();
	begin(&in);
	while (in.left && fuzz.port->state == PORT_UP)
		step(&in);
	if (fuzz.port->state != PORT_ENDED)
		port_end(fuzz.port);
	turn(&fuzz.taker.loop);
	port_free(fuzz.port);
	front_free(&fuzz.front);
	return 0;
}
