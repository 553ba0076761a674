/* SPDX-License-Identifier: MIT */
/*
 * Ports of the load generator that are guests: a vhost-user front end with a ring to send
 * and one to receive. Frames lie in the guest's memory from the first time on, so that a
 * frame costs us little more than its descriptor: its head is stamped, the rest is as it was.
 *
 * What is sent is in one piece, as Linux sends a short packet; a super-frame is in three,
 * headers and two large fragments, behind an indirect descriptor. What is received goes into
 * buffers as large as Linux has them then.
 *
 * Batched, all frames that a ring holds are offered at once, and nobody wants to be called:
 * the guests poll, as a busy one does. One by one, each frame is offered and kicked by itself,
 * and whoever receives wants a call whenever it has looked.
 */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "lib/packet.h"
#include "lib/vhost-guest.h"
#include "load.h"

#define RING 1024
#define RING_SUPER 512
#define SMALL \
	1664u /* bytes of a buffer for one frame, as of Linux's: so much and not 4096 */
#define LARGE 4096u /* of many for a super-frame */
#define FRAGMENT 32768u
#define SUPER_SEGMENT 1448 /* payload of each frame that a super-frame stands for */
#define SUPER_HEADERS 66   /* Ethernet, IPv4, TCP with a timestamp */
#define OURS (HEAD - 14)   /* bytes of a head behind Ethernet's header */

/*
 * @size: of the frames in its slots
 * @is_super: those are super-frames, as @has_super lets them be if they are long
 * @is_laid: slots of the ring to send, by chain, that have one
 */
struct guest {
	struct front front;
	uint32_t size;
	bool has_super, is_super;
	bool is_laid[RING];
};

static void idle(void *arg)
{
	struct pollfd p = { .fd = *(int *)arg, .events = POLLIN };

	poll(&p, 1, 1);
}

struct guest *guest_open(int fd, bool is_super)
{
	struct front_config config = {
		.features = FRONT_SUPER,
		.protocol = FRONT_BIT(WIRE_PF_REPLY_ACK),
		.size = is_super ? RING_SUPER : RING,
		.slot_bytes = { is_super ? LARGE : SMALL, is_super ? FRONT_SLOT : SMALL },
		.buffer = is_super ? LARGE : SMALL,
		.idle = idle,
	};
	struct guest *g = calloc(1, sizeof(*g));
	int ret;

	if (!g)
		return NULL;
	g->has_super = is_super;
	config.idle_arg = &g->front.sock;
	front_init(&g->front, &config);
	for (unsigned i = 0; i < FRONT_RINGS; i++)
		g->front.ring[i].wants_calls = false;
	ret = front_start(&g->front, fd);
	if (ret < 0) {
		errno = -ret;
		return NULL;
	}
	guest_refill(&g->front);
	return g;
}

/* ---- send ---- */

/* Where the bytes of a head lie that are not Ethernet's. */
static uint32_t stamp_at(const struct guest *g)
{
	return g->is_super ? SUPER_HEADERS : 14;
}

/* TCP over IPv4, whose payload is as long as makes that frame. */
static struct guest_header make_super(uint8_t *frame, uint32_t size)
{
	struct packet p = { PACKET_USUAL, .payload = size - SUPER_HEADERS };
	struct guest_header h = { 0 };
	struct vnet v;

	packet_build(frame, &p);
	v = packet_make_super(frame, size, SUPER_SEGMENT);
	memcpy(&h, &v, sizeof(v));
	return h;
}

/* Write a frame into the slot of a chain, where it stays. */
static void lay(struct guest *g, unsigned head)
{
	static uint8_t frame[PACKET_MAX];
	struct vring *r = &g->front.ring[FRONT_TX];
	struct guest_header h = { 0 };
	uint8_t *at = front_at(&g->front, vring_slot(r, head));

	if (g->is_super) {
		h = make_super(frame, g->size);
	} else {
		memset(frame, 0, g->size);
		frame[12] = 0x88;
		frame[13] = 0xb5;
	}
	h = guest_swap(r, h);
	memcpy(at, &h, sizeof(h));
	memcpy(at + sizeof(h), frame, g->size);
	g->is_laid[head] = true;
}

/* Offer the next chain, with the frame that lies in its slot. */
static void offer(struct guest *g, const uint8_t *stamped)
{
	struct vring *r = &g->front.ring[FRONT_TX];
	unsigned head = vring_next_head(r), n = 1;
	struct vring_piece piece[4] = { { .at = vring_slot(r, head),
					  .len = g->front.header + g->size } };
	uint8_t *at;

	if (!g->is_laid[head])
		lay(g, head);
	at = (uint8_t *)front_at(&g->front, piece[0].at) + g->front.header;
	memcpy(at, stamped, 12);
	memcpy(at + stamp_at(g), stamped + 14, OURS);
	if (g->is_super) {
		uint32_t left = g->size - SUPER_HEADERS;

		piece[0].len = g->front.header + SUPER_HEADERS;
		for (; left; n++) {
			piece[n].at = piece[n - 1].at + piece[n - 1].len;
			piece[n].len = left < FRAGMENT ? left : FRAGMENT;
			left -= piece[n].len;
		}
	}
	vring_put(r, piece, n, n > 1);
}

void guest_resize(struct guest *g, uint32_t size)
{
	if (g->size == size)
		return;
	g->size = size;
	g->is_super = g->has_super && size > SUPER_HEADERS + SUPER_SEGMENT;
	memset(g->is_laid, 0, sizeof(g->is_laid));
}

unsigned guest_put(struct guest *g, uint8_t heads[][HEAD], unsigned n, bool batch)
{
	struct vring *r = &g->front.ring[FRONT_TX];
	unsigned sent = 0;

	guest_reap(&g->front);
	while (sent < n && vring_has_room(r, 4, g->is_super)) {
		offer(g, heads[sent++]);
		if (!batch)
			vring_push(r);
	}
	return sent;
}

void guest_go(struct guest *g)
{
	vring_push(&g->front.ring[FRONT_TX]);
}

/* ---- receive ---- */

/* The next frame. Return: its length; its head is at @head. */
static uint32_t take(struct guest *g, uint8_t head[HEAD])
{
	struct vring *r = &g->front.ring[FRONT_RX];
	uint32_t len, sum = 0, header = g->front.header;
	uint16_t n = 1;

	for (uint16_t i = 0; i < n; i++) {
		int chain = vring_take(r, &len);

		if (chain < 0)
			return 0;
		if (i == 0) {
			const uint8_t *at =
				front_at(&g->front, vring_slot(r, (unsigned)chain));

			memcpy(head, at + header, 14);
			memcpy(head + 14, at + header + stamp_at(g), OURS);
			memcpy(&n, at + header - 2, sizeof(n));
			n = vring16(r, n);
		}
		sum += len;
	}
	return sum > header ? sum - header : 0;
}

bool guest_drain(struct guest *g,
		 void (*tally)(void *arg, const uint8_t *head, size_t len), void *arg)
{
	struct vring *r = &g->front.ring[FRONT_RX];
	uint8_t head[HEAD];
	unsigned n = 0;
	uint32_t len;

	for (; n < BURST_MAX && (len = take(g, head)); n++)
		tally(arg, head, len);
	if (r->fault) {
		fprintf(stderr, "load: %s\n", r->fault);
		exit(1);
	}
	if (!n)
		return false;
	vring_rearm(r);
	guest_refill(&g->front);
	return true;
}

static unsigned buffers_of_frame(const struct guest *g)
{
	uint32_t len = g->front.config.buffer;

	return (g->front.header + g->size + len - 1) / len;
}

unsigned guest_room(const struct guest *g)
{
	return g->front.config.size / buffers_of_frame(g);
}

void guest_await(const struct guest *g, unsigned n, uint64_t ns)
{
	const struct vring *r = &g->front.ring[FRONT_RX];
	uint64_t end = now_ns() + ns;

	n *= buffers_of_frame(g);
	/* The clock is looked at only now and then: it takes longer than a frame. */
	for (unsigned i = 1; vring_n_used(r) < n && (i % 4096 || now_ns() < end); i++)
		;
}

void guest_call(struct guest *g, bool on)
{
	struct vring *r = &g->front.ring[FRONT_RX];

	r->wants_calls = on;
	vring_rearm(r);
}

static uint64_t own_cpu_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

void guest_copy(struct guest *from, struct guest *to, uint32_t size, uint64_t ms)
{
	const struct vring *tx = &from->front.ring[FRONT_TX],
			   *rx = &to->front.ring[FRONT_RX];
	uint64_t begin = now_ns(), cpu = own_cpu_ns(), n = 0;
	/* As many as the ring to receive has room for; and as many to send, in turns. */
	uint32_t room = rx->size * rx->slot_bytes / size;

	for (; now_ns() - begin < ms * 1000000; n++)
		memcpy((uint8_t *)front_at(&to->front, rx->slots_at) + n % room * size,
		       front_at(&from->front, vring_slot(tx, (unsigned)(n % room))),
		       size);
	printf("sent=%" PRIu64 " delivered=%" PRIu64 " copies=0 wrong=0 ns=%" PRIu64
	       " cpu=%" PRIu64 "\n",
	       n, n, now_ns() - begin, own_cpu_ns() - cpu);
}
