/* SPDX-License-Identifier: MIT */
/*
 * port-vhost.c and a guest whose rings are wrong: each way by itself, many by chance, and
 * while the relay reads them. Its port ends and says so, and two others go on.
 *
 *	a, b, and a bad one ---- hub
 */
#include "lib/vhost-bad.h"

#include <pthread.h>

#define RUNS 3000
#define SCRIBBLES 300
#define NOWHERE UINT64_C(0xdead00000000)

static struct front *bad;

/* ---- chains by hand ---- */

static void desc(unsigned ring, unsigned i, uint64_t at, uint32_t len, uint16_t flags,
		 uint16_t next)
{
	struct vring *r = &bad->ring[ring];

	vring_set_desc(r, &r->desc[i], at, len, flags, next);
}

/* Of the indirect table of the first chain. */
static void entry(unsigned ring, unsigned i, uint64_t at, uint32_t len, uint16_t flags,
		  uint16_t next)
{
	struct vring *r = &bad->ring[ring];

	vring_set_desc(r, &r->tables[i], at, len, flags, next);
}

/* A ring to receive is full of good buffers: what is wrong takes the place of the next one. */
static void offer(unsigned ring, unsigned head)
{
	struct vring *r = &bad->ring[ring];

	if (ring == FRONT_TX) {
		vring_offer(r, head);
		vring_publish(r);
		vring_kick(r);
		return;
	}
	for (unsigned i = 0; i < r->size; i++)
		r->avail[2 + i] = vring16(r, (uint16_t)head);
}

static uint64_t slot(unsigned ring)
{
	return vring_slot(&bad->ring[ring], 0);
}

static uint16_t way(unsigned ring)
{
	return ring == FRONT_RX ? VRING_WRITE : 0;
}

/* ---- what is wrong ---- */

static void head_outside(unsigned ring)
{
	offer(ring, bad->ring[ring].size);
}

static void head_far_outside(unsigned ring)
{
	offer(ring, 0xffff);
}

static void next_outside(unsigned ring)
{
	desc(ring, 0, slot(ring), 100, way(ring) | VRING_NEXT,
	     (uint16_t)bad->ring[ring].size);
	offer(ring, 0);
}

static void next_is_itself(unsigned ring)
{
	desc(ring, 0, slot(ring), 100, way(ring) | VRING_NEXT, 0);
	offer(ring, 0);
}

static void loop_of_two(unsigned ring)
{
	desc(ring, 0, slot(ring), 1, way(ring) | VRING_NEXT, 1);
	desc(ring, 1, slot(ring), 1, way(ring) | VRING_NEXT, 0);
	offer(ring, 0);
}

static void loop_of_all(unsigned ring)
{
	unsigned size = bad->ring[ring].size;

	for (unsigned i = 0; i < size; i++)
		desc(ring, i, slot(ring), 0, way(ring) | VRING_NEXT,
		     (uint16_t)((i + 1) % size));
	offer(ring, 0);
}

static void at_nowhere(unsigned ring)
{
	desc(ring, 0, NOWHERE, 1000, way(ring), 0);
	offer(ring, 0);
}

static void at_the_hole(unsigned ring)
{
	desc(ring, 0, bad->region[0].size, 1000, way(ring), 0);
	offer(ring, 0);
}

static void into_the_hole(unsigned ring)
{
	desc(ring, 0, bad->region[0].size - 500, 1000, way(ring), 0);
	offer(ring, 0);
}

static void over_the_end(unsigned ring)
{
	desc(ring, 0, FRONT_HIGH + bad->region[1].size - 999, 1000, way(ring), 0);
	offer(ring, 0);
}

static void around_the_end(unsigned ring)
{
	desc(ring, 0, UINT64_MAX - 100, 1000, way(ring), 0);
	offer(ring, 0);
}

static void endless(unsigned ring)
{
	desc(ring, 0, slot(ring), UINT32_MAX, way(ring), 0);
	offer(ring, 0);
}

static void sum_is_small(unsigned ring)
{
	desc(ring, 0, slot(ring), UINT32_MAX, way(ring) | VRING_NEXT, 1);
	desc(ring, 1, slot(ring), 200, way(ring), 0);
	offer(ring, 0);
}

static void later_one_outside(unsigned ring)
{
	desc(ring, 0, slot(ring), 20, way(ring) | VRING_NEXT, 1);
	desc(ring, 1, NOWHERE, 100, way(ring), 0);
	offer(ring, 0);
}

static void wrong_way(unsigned ring)
{
	desc(ring, 0, slot(ring), 1000, way(!ring), 0);
	offer(ring, 0);
}

static void wrong_way_later(unsigned ring)
{
	desc(ring, 0, slot(ring), 20, way(ring) | VRING_NEXT, 1);
	desc(ring, 1, slot(ring), 100, way(!ring), 0);
	offer(ring, 0);
}

static void table(unsigned ring, uint64_t at, uint32_t len)
{
	desc(ring, 0, at, len, VRING_INDIRECT, 0);
	offer(ring, 0);
}

static void table_of_part(unsigned ring)
{
	entry(ring, 0, slot(ring), 200, way(ring), 0);
	table(ring, bad->ring[ring].tables_at, 24);
}

static void table_of_nothing(unsigned ring)
{
	table(ring, bad->ring[ring].tables_at, 0);
}

static void table_endless(unsigned ring)
{
	table(ring, bad->ring[ring].tables_at, 0xfffffff0);
}

static void table_nowhere(unsigned ring)
{
	table(ring, NOWHERE, 32);
}

static void table_over_the_end(unsigned ring)
{
	table(ring, FRONT_HIGH + bad->region[1].size - 16, 32);
}

static void table_around_the_end(unsigned ring)
{
	table(ring, UINT64_MAX - 15, 32);
}

static void table_unaligned(unsigned ring)
{
	table(ring, bad->ring[ring].tables_at + 1, 32);
}

static void table_in_a_table(unsigned ring)
{
	entry(ring, 0, bad->ring[ring].tables_at, 16, VRING_INDIRECT, 0);
	table(ring, bad->ring[ring].tables_at, 16);
}

static void table_and_next(unsigned ring)
{
	entry(ring, 0, slot(ring), 200, way(ring), 0);
	desc(ring, 0, bad->ring[ring].tables_at, 16, VRING_INDIRECT | VRING_NEXT, 1);
	desc(ring, 1, slot(ring), 100, way(ring), 0);
	offer(ring, 0);
}

static void table_after_next(unsigned ring)
{
	entry(ring, 0, slot(ring), 200, way(ring), 0);
	desc(ring, 0, slot(ring), 20, way(ring) | VRING_NEXT, 1);
	desc(ring, 1, bad->ring[ring].tables_at, 16, VRING_INDIRECT, 0);
	offer(ring, 0);
}

static void next_outside_table(unsigned ring)
{
	entry(ring, 0, slot(ring), 200, way(ring) | VRING_NEXT, 2);
	table(ring, bad->ring[ring].tables_at, 32);
}

static void loop_in_table(unsigned ring)
{
	entry(ring, 0, slot(ring), 1, way(ring) | VRING_NEXT, 1);
	entry(ring, 1, slot(ring), 1, way(ring) | VRING_NEXT, 0);
	table(ring, bad->ring[ring].tables_at, 32);
}

static void table_longer_than_ring(unsigned ring)
{
	struct vring *r = &bad->ring[ring];
	unsigned n = 2 * r->size;

	for (unsigned i = 0; i < n; i++)
		entry(ring, i, slot(ring) + i, 1,
		      way(ring) | (i + 1 < n ? VRING_NEXT : 0), (uint16_t)(i + 1));
	table(ring, r->tables_at, 16 * n);
}

static void table_that_is_the_ring(unsigned ring)
{
	table(ring, bad->ring[ring].desc_at, 16 * bad->ring[ring].size);
}

static void index_is(unsigned ring, uint16_t ahead)
{
	struct vring *r = &bad->ring[ring];

	desc(ring, 0, slot(ring), 200, way(ring), 0);
	r->avail[1] = vring16(r, (uint16_t)(vring_used_now(r) + ahead));
	vring_kick(r);
}

static void index_too_far(unsigned ring)
{
	index_is(ring, (uint16_t)(bad->ring[ring].size + 1));
}

static void index_far(unsigned ring)
{
	index_is(ring, 0x8000);
}

static void index_goes_back(unsigned ring)
{
	index_is(ring, 0xffff);
}

static void no_bytes(unsigned ring)
{
	desc(ring, 0, slot(ring), 0, way(ring), 0);
	offer(ring, 0);
}

static void no_bytes_later(unsigned ring)
{
	desc(ring, 0, slot(ring), 20, way(ring) | VRING_NEXT, 1);
	desc(ring, 1, slot(ring), 0, way(ring) | VRING_NEXT, 2);
	desc(ring, 2, slot(ring), 100, way(ring), 0);
	offer(ring, 0);
}

static void half_a_header(unsigned ring)
{
	desc(ring, 0, slot(ring), 11, way(ring), 0);
	offer(ring, 0);
}

static void header_alone(unsigned ring)
{
	desc(ring, 0, slot(ring), 12, way(ring), 0);
	offer(ring, 0);
}

static void runt(unsigned ring)
{
	desc(ring, 0, slot(ring), 12 + 13, way(ring), 0);
	offer(ring, 0);
}

static void too_long(unsigned ring)
{
	desc(ring, 0, slot(ring), 69632 + 13, way(ring), 0);
	offer(ring, 0);
}

static void much_too_long(unsigned ring)
{
	desc(ring, 0, FRONT_HIGH, (uint32_t)bad->region[1].size, way(ring), 0);
	offer(ring, 0);
}

/* The rings themselves are what is sent, or where frames are to be written to. */
static void the_rings(unsigned ring)
{
	desc(ring, 0, 0, 2000, way(ring), 0);
	offer(ring, 0);
}

static const struct wrong {
	const char *what;
	void (*spoil)(unsigned ring);
	enum fate rx, tx;
} wrongs[] = {
	{ "the index of a descriptor just outside", head_outside, ENDS, ENDS },
	{ "one far outside", head_far_outside, ENDS, ENDS },
	{ "the next one is outside", next_outside, ENDS, ENDS },
	{ "the next one is itself", next_is_itself, ENDS, ENDS },
	{ "a loop of two", loop_of_two, ENDS, ENDS },
	{ "a loop of all", loop_of_all, ENDS, ENDS },
	{ "an address where nothing is", at_nowhere, ENDS, ENDS },
	{ "one just behind a region", at_the_hole, ENDS, ENDS },
	{ "a piece that ends behind a region", into_the_hole, ENDS, ENDS },
	{ "one that ends behind the last", over_the_end, ENDS, ENDS },
	{ "one that wraps around", around_the_end, ENDS, ENDS },
	{ "one of 4 GiB", endless, ENDS, ENDS },
	{ "two whose sum wraps around", sum_is_small, ENDS, ENDS },
	{ "the second piece is outside", later_one_outside, ENDS, ENDS },
	{ "a piece for the other way", wrong_way, ENDS, ENDS },
	{ "the second piece is for the other way", wrong_way_later, ENDS, ENDS },
	{ "a table of one and a half", table_of_part, ENDS, ENDS },
	{ "a table of nothing", table_of_nothing, ENDS, ENDS },
	{ "a table of 4 GiB", table_endless, ENDS, ENDS },
	{ "a table that is nowhere", table_nowhere, ENDS, ENDS },
	{ "one that ends behind memory", table_over_the_end, ENDS, ENDS },
	{ "one that wraps around", table_around_the_end, ENDS, ENDS },
	{ "one at an odd address", table_unaligned, EITHER, EITHER },
	{ "a table in a table", table_in_a_table, ENDS, ENDS },
	{ "a table with a next one", table_and_next, ENDS, ENDS },
	{ "a table behind a descriptor", table_after_next, EITHER, EITHER },
	{ "the next one is outside its table", next_outside_table, ENDS, ENDS },
	{ "a loop in a table", loop_in_table, ENDS, ENDS },
	{ "a table longer than the ring", table_longer_than_ring, EITHER, EITHER },
	{ "a table that is the ring", table_that_is_the_ring, EITHER, EITHER },
	{ "more available than the ring has", index_too_far, ENDS, ENDS },
	{ "far more", index_far, ENDS, ENDS },
	{ "the index goes back", index_goes_back, ENDS, ENDS },
	{ "a piece of no bytes", no_bytes, ENDS, ENDS },
	{ "one behind others", no_bytes_later, ENDS, ENDS },
	{ "half a header", half_a_header, ENDS, ENDS },
	{ "a header alone", header_alone, LIVES, LIVES },
	{ "a runt", runt, LIVES, LIVES },
	{ "a frame that is too long", too_long, LIVES, LIVES },
	{ "a frame of all memory", much_too_long, EITHER, LIVES },
	{ "the rings as a frame", the_rings, EITHER, EITHER },
};

static void test_wrongs(void)
{
	for (unsigned i = 0; i < sizeof(wrongs) / sizeof(*wrongs); i++) {
		bad = bad_starts();
		wrongs[i].spoil(FRONT_TX);
		bad_meets(wrongs[i].tx, wrongs[i].what);
		bad = bad_starts();
		wrongs[i].spoil(FRONT_RX);
		bad_meets(wrongs[i].rx, wrongs[i].what);
	}
}

/*
 * Frames whose headers are in as many pieces as there can be, and their payload in so many that
 * it is lent: the pieces of all of them are kept until the batch has gone.
 */
static void test_crumbs(void)
{
	enum { CRUMBS = 12 + 256, PIECES = 31, PIECE = 40, FRAMES = 40 };
	enum { LEN = 256 + PIECES * PIECE, ALL = CRUMBS + PIECES };
	struct vring *r;
	struct guest_header h;
	unsigned n = 0;

	bad = bad_starts();
	r = &bad->ring[FRONT_TX];
	memset(front_at(bad, slot(FRONT_TX)), 0, 12);
	memcpy((uint8_t *)front_at(bad, slot(FRONT_TX)) + 12, rig_make(LEN, 1), LEN);
	for (unsigned i = 0; i < ALL; i++)
		entry(FRONT_TX, i,
		      slot(FRONT_TX) + (i < CRUMBS ? i : CRUMBS + (i - CRUMBS) * PIECE),
		      i < CRUMBS ? 1 : PIECE, i + 1 < ALL ? VRING_NEXT : 0,
		      (uint16_t)(i + 1));
	for (unsigned i = 0; i < FRAMES; i++) {
		desc(FRONT_TX, i, r->tables_at, 16 * ALL, VRING_INDIRECT, 0);
		vring_offer(r, i);
	}
	vring_publish(r);
	vring_kick(r);
	rig_until(vring_n_used(&bad_rig.a.ring[FRONT_RX]) == FRAMES);
	while (guest_receive(&bad_rig.a, rig_got, &h) == LEN &&
	       rig_is(rig_got, LEN, LEN, 1))
		n++;
	guest_refill(&bad_rig.a);
	ok(n == FRAMES, "%u of %u frames in %u pieces are as they were", n, FRAMES, ALL);
	bad_meets(LIVES, "they end nothing");
}

/* Without mergeable buffers a frame must fit into one. */
static void test_unmergeable(void)
{
	for (unsigned i = 0; i < sizeof(wrongs) / sizeof(*wrongs); i++) {
		bad = bad_starts_with(FRONT_PLAIN & ~FRONT_BIT(FRONT_F_MRG_RXBUF));
		wrongs[i].spoil(FRONT_RX);
		bad_meets(wrongs[i].rx, wrongs[i].what);
	}
	bad = bad_starts_with(FRONT_PLAIN & ~FRONT_BIT(FRONT_F_INDIRECT));
	table_in_a_table(FRONT_TX);
	bad_meets(ENDS, "a table, though none were agreed on");
}

/* ---- headers ---- */

static void test_headers(void)
{
	static const struct guest_header headers[] = {
		{ .flags = 0xff },
		{ .gso_type = 1, .gso_size = 0 },
		{ .gso_type = 1, .gso_size = 1400 },
		{ .gso_type = 3, .gso_size = 1400 },
		{ .gso_type = 0x81, .gso_size = 1400, .flags = 1 },
		{ .gso_type = 5,
		  .gso_size = 1,
		  .flags = 1,
		  .csum_start = 34,
		  .csum_offset = 6 },
		{ .gso_type = 0xff, .gso_size = 0xffff, .hdr_len = 0xffff },
		{ .flags = 1, .csum_start = 0xffff, .csum_offset = 0xffff },
		{ .flags = 1, .csum_start = 99, .csum_offset = 0 },
		{ .flags = 1, .csum_start = 98, .csum_offset = 0xffff },
		{ .flags = 1, .csum_start = 0, .csum_offset = 0 },
		{ .gso_type = 4,
		  .gso_size = 8,
		  .flags = 1,
		  .csum_start = 54,
		  .csum_offset = 16 },
		{ .num_buffers = 0xffff },
	};

	for (unsigned i = 0; i < 2 * (sizeof(headers) / sizeof(*headers)); i++) {
		uint32_t cut = 12 + 100;

		bad = bad_starts_with(i % 2 ? FRONT_SUPER : FRONT_PLAIN);
		guest_offer(bad, &headers[i / 2], rig_make(100, i), 100, &cut, 1, 0,
			    false);
		vring_push(&bad->ring[FRONT_TX]);
		turns(&rig.loop, 3);
		bad_meets(LIVES, "a header that can't be");
	}
}

/* ---- by chance ---- */

static uint64_t any_address(void)
{
	switch (rnd(8)) {
	case 0:
		return rnd32() | (uint64_t)rnd32() << 32;
	case 1:
		return rnd((uint32_t)bad->region[0].size);
	case 2:
		return bad->region[0].size - rnd(64);
	case 3:
		return FRONT_HIGH + bad->region[1].size - rnd(3000);
	case 4:
		return bad->ring[rnd(2)].tables_at + 16 * rnd(64);
	default:
		return FRONT_HIGH + rnd((uint32_t)bad->region[1].size);
	}
}

static uint32_t any_length(void)
{
	static const uint32_t lengths[] = { 0,	1,  11,	  12,	 13,
					    26, 60, 4096, 70000, UINT32_MAX };

	return rnd(3) ? 16 * rnd(100) : lengths[rnd(sizeof(lengths) / sizeof(*lengths))];
}

static struct vring_desc any_desc(const struct vring *r)
{
	struct vring_desc d;

	vring_set_desc(r, &d, any_address(), any_length(),
		       (uint16_t)(rnd(20) ? rnd(8) : rnd32()),
		       (uint16_t)(rnd(8) ? rnd(r->size) : rnd32()));
	return d;
}

/* Something of a ring is another thing from now on. */
static void scribble(void)
{
	struct vring *r = &bad->ring[rnd(2)];
	unsigned i = rnd(r->size);

	switch (rnd(8)) {
	case 0:
		__atomic_store_n(&r->avail[1], (uint16_t)(r->used[1] + rnd(r->size + 1)),
				 __ATOMIC_RELEASE);
		break;
	case 1:
		r->avail[2 + i] = (uint16_t)(rnd(9) ? rnd(r->size) : rnd32());
		break;
	case 2:
		r->used[rnd(3 + 4 * r->size)] = (uint16_t)rnd32();
		break;
	case 3:
		*vring_used_event(r) = (uint16_t)rnd32();
		break;
	case 4:
	case 5:
		r->tables[rnd(r->size * VRING_PIECES)] = any_desc(r);
		break;
	default:
		r->desc[i] = any_desc(r);
	}
}

static void test_chance(void)
{
	bool good = true;

	for (unsigned i = 0; good && i < RUNS; i++) {
		random_begin(i);
		bad = bad_starts_with(rnd(2) ? FRONT_PLAIN : FRONT_SUPER);
		for (unsigned n = 1 + rnd(60); n; n--)
			scribble();
		for (unsigned n = rnd(4); n; n--) {
			vring_kick(&bad->ring[rnd(2)]);
			guest_send(&bad_rig.a, rig_make(60 + n, n), 60 + n);
			turns(&rig.loop, 1 + rnd(2));
			scribble();
		}
		good = bad_others_go_on();
		front_free(bad);
		rig_until(rig_ports() == 2);
	}
	ok(good, "%u rings that chance made", RUNS);
	is_silent();
}

/* ---- while it is read ---- */

static struct {
	pthread_t thread;
	bool is_over;
} scribbler;

static void *scribble_on(void *arg)
{
	(void)arg;
	while (!__atomic_load_n(&scribbler.is_over, __ATOMIC_RELAXED))
		scribble();
	return NULL;
}

/* Good chains, which somebody else changes all the time. */
static void test_changes(void)
{
	bool good = true;

	for (unsigned i = 0; good && i < SCRIBBLES; i++) {
		random_begin(i);
		bad = bad_starts_with(FRONT_SUPER);
		for (unsigned k = 0; k < 60; k++)
			guest_send(bad, rig_make(1000, k), 1000);
		scribbler.is_over = false;
		if (pthread_create(&scribbler.thread, NULL, scribble_on, NULL) != 0)
			abort();
		for (unsigned k = 0; k < 20 && rig_ports() == 3; k++) {
			vring_kick(&bad->ring[k % 2]);
			guest_send(&bad_rig.a, rig_make(60, k), 60);
			turn(&rig.loop);
			bad_drain(&bad_rig.a);
			bad_drain(&bad_rig.b);
		}
		__atomic_store_n(&scribbler.is_over, true, __ATOMIC_RELAXED);
		pthread_join(scribbler.thread, NULL);
		good = bad_others_go_on();
		front_free(bad);
		rig_until(rig_ports() == 2);
	}
	ok(good, "%u rings that change while they are read", SCRIBBLES);
	is_silent();
}

int main(void)
{
	rig_prepare();
	bad_begin();
	test_wrongs();
	test_crumbs();
	test_unmergeable();
	test_headers();
	test_chance();
	test_changes();
	bad_end();
	return rig_finish();
}
