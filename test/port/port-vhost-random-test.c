/* SPDX-License-Identifier: MIT */
/*
 * port-vhost.c: two guests send to each other at the same time, frames of all lengths in
 * chains and buffers that chance cuts, with features, sizes and indices that chance chose.
 * All arrive, whole and in order; a guest that waits for calls misses none, and one that
 * kicks only if it is asked is heard.
 *
 *	one ---- hub ---- other
 */
#include "lib/vhost-rig.h"

#define RUNS 60
#define FRAMES 150		     /* each way */
#define UNDER_WAY 48		     /* frames that the relay may have to keep, */
#define UNDER_WAY_BYTES (256u << 10) /* and their bytes: its queue drops none */
#define PIECES_MAX 24

/*
 * @lens:  of the frames that it sent and the other has not got, from @got to @sent
 * @by_calls: it looks at what was used only when it was called
 * @quiet: turns without anything new
 */
struct side {
	struct front front;
	struct side *other;
	uint32_t lens[FRAMES], first, bytes;
	unsigned sent, got, put;
	bool by_calls, is_called;
};

static struct side side[2];
static const char *fault;

static bool chance(unsigned of)
{
	return rnd(of) == 0;
}

/* Mostly where an index, or its sign, is soon another one. */
static uint16_t any_base(void)
{
	static const uint16_t near[] = { 0, 0x8000 };

	return (uint16_t)(chance(4) ? rnd32() : near[rnd(2)] - rnd(120));
}

static struct front_config any_config(void)
{
	static const unsigned may_lack[] = { FRONT_F_EVENT_IDX, FRONT_F_INDIRECT,
					     FRONT_F_MRG_RXBUF, FRONT_F_PROTOCOL };
	struct front_config c = { .features = FRONT_PLAIN,
				  .protocol = rnd32(),
				  .size = 4u << rnd(9),
				  .base = { any_base(), any_base() },
				  .has_slots = chance(2) };

	for (unsigned i = 0; i < sizeof(may_lack) / sizeof(*may_lack); i++)
		if (chance(3))
			c.features &= ~FRONT_BIT(may_lack[i]);
	if (chance(5))
		c.features &= ~FRONT_BIT(FRONT_F_VERSION_1);
	/* Only what does not change what is sent. */
	c.protocol &= FRONT_BIT(WIRE_PF_REPLY_ACK) | FRONT_BIT(WIRE_PF_MEM_SLOTS) |
		      FRONT_BIT(WIRE_PF_MQ) | FRONT_BIT(WIRE_PF_RESET_DEVICE);
	return c;
}

/* ---- lengths ---- */

static uint32_t any_len(void)
{
	switch (rnd(8)) {
	case 0:
		return 14 + rnd(60);
	case 1:
		return 1514 - rnd(4);
	case 2:
		return 14 + rnd(9000);
	case 3:
		return 69632 - rnd(8000);
	default:
		return 14 + rnd(1501);
	}
}

/* Cut @total into pieces of at least a byte. Return: how many. */
static unsigned any_cut(uint32_t total, unsigned most, uint32_t *piece)
{
	unsigned n = 1 + rnd(most);

	for (unsigned i = 0; i + 1 < n; i++) {
		piece[i] = 1 + (chance(2) ? rnd(20) : rnd(total / n + 1));
		if (piece[i] >= total) {
			n = i + 1;
			break;
		}
		total -= piece[i];
	}
	piece[n - 1] = total;
	return n;
}

static unsigned most_pieces(const struct vring *r, bool is_indirect)
{
	unsigned most = is_indirect ? PIECES_MAX : r->size / 2;

	return most < PIECES_MAX ? most : PIECES_MAX;
}

/* ---- a side's moves ---- */

static void put_some(struct side *s)
{
	static const struct guest_header none;
	struct vring *r = &s->front.ring[FRONT_TX];
	uint32_t piece[PIECES_MAX];
	unsigned n = 1 + rnd(12);

	while (n-- && s->put < FRAMES && s->put - s->other->got < UNDER_WAY &&
	       s->bytes < UNDER_WAY_BYTES) {
		bool is_indirect = front_has(&s->front, FRONT_F_INDIRECT) && chance(2);
		uint32_t len = any_len();
		unsigned cuts = any_cut(s->front.header + len,
					most_pieces(r, is_indirect), piece);

		if (!guest_offer(&s->front, &none, rig_make(len, s->first + s->put), len,
				 piece, cuts, rnd(90), is_indirect))
			break;
		s->lens[s->put++] = len;
		s->bytes += len;
	}
	vring_push(r);
}

/* So large that all buffers of the ring hold the longest frame. */
static uint32_t buffer_len(const struct side *s)
{
	const struct vring *r = &s->front.ring[FRONT_RX];
	uint32_t least = 2 * (GUEST_FRAME_MAX / r->size) * 2 + 64;

	if (!front_has(&s->front, FRONT_F_MRG_RXBUF) || least > GUEST_FRAME_MAX)
		return GUEST_FRAME_MAX;
	return least + rnd(least < 4000 ? 4000 : GUEST_FRAME_MAX - least + 1);
}

/* All that there is room for: with too few of them, a long frame waits for ever. */
static void post_all(struct side *s)
{
	struct vring *r = &s->front.ring[FRONT_RX];
	uint32_t piece[PIECES_MAX];

	while (r->n_free) {
		bool is_indirect = front_has(&s->front, FRONT_F_INDIRECT) && chance(2);
		unsigned most = is_indirect ? 6 : r->n_free > 1 ? 2 : 1;

		guest_post(&s->front, piece, any_cut(buffer_len(s), most, piece), rnd(90),
			   is_indirect);
	}
	vring_push(r);
}

static void take_all(struct side *s)
{
	struct vring *r = &s->front.ring[FRONT_RX];
	struct side *from = s->other;
	struct guest_header h;
	uint32_t len;

	s->is_called |= vring_was_called(r);
	if (s->by_calls && !s->is_called)
		return;
	s->is_called = false;
	while ((len = guest_receive(&s->front, rig_got, &h))) {
		if (s->got == from->put ||
		    !rig_is(rig_got, len, from->lens[s->got], from->first + s->got))
			fault = "a frame is not the next one";
		if (fault)
			return;
		from->bytes -= from->lens[s->got++];
	}
	post_all(s);
}

static void move(struct side *s)
{
	switch (rnd(4)) {
	case 0:
		put_some(s);
		break;
	case 1:
		take_all(s);
		break;
	case 2:
		guest_reap(&s->front);
		break;
	default:
		rig_idle(NULL);
	}
	if (rig_has_fault(&s->front))
		fault = "see above";
}

static bool is_over(const struct side *s)
{
	const struct vring *r = &s->front.ring[FRONT_TX];

	return s->put == FRAMES && s->other->got == FRAMES && r->n_free == r->size;
}

static bool begin_side(struct side *s)
{
	s->other = &side[s == side];
	s->put = s->got = s->bytes = 0;
	s->first = rnd32();
	s->by_calls = chance(2);
	s->is_called = true;
	return rig_guest(&s->front, any_config()) == 0;
}

static void show(const struct side *s)
{
	printf("# features %llx, rings of %u from %u and %u%s: sent %u, got %u\n",
	       (unsigned long long)s->front.features, s->front.config.size,
	       s->front.config.base[0], s->front.config.base[1],
	       s->by_calls ? ", by calls" : "", s->put, s->got);
}

static void test(unsigned seed)
{
	uint64_t end;

	random_begin(seed);
	rig_begin();
	fault = NULL;
	if (!begin_side(&side[0]) || !begin_side(&side[1]))
		fault = "a guest was not let in";
	for (int i = 0; i < 2 && !fault; i++)
		post_all(&side[i]);
	end = loop_now() + RIG_MS;
	while (!fault && !(is_over(&side[0]) && is_over(&side[1]))) {
		move(&side[rnd(2)]);
		if (loop_now() > end)
			fault = "it stands still";
	}
	if (!ok(!fault, "run %u%s%s", seed, fault ? ": " : "", fault ? fault : "")) {
		show(&side[0]);
		show(&side[1]);
	}
	rig_leave(&side[0].front);
	rig_leave(&side[1].front);
	rig_end();
}

int main(void)
{
	rig_prepare();
	for (unsigned i = 0; i < RUNS; i++)
		test(i);
	return rig_finish();
}
