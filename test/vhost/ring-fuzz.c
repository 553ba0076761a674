/* SPDX-License-Identifier: MIT */
/*
 * ring.c: descriptors, tables and indices as the input has them, in memory that ends where it
 * ends, so that a sanitizer sees one byte too many. Each chain is held against another reader
 * of chains; nothing is written but the used ring; and indices add up.
 */
#include "lib/fuzz.h"

#include <errno.h>

#include "lib/vhost-ring.h"
#include "vhost/ring.h"

#define RINGS_AT 0x1000u /* the guest's address of the region with the rings, */
#define RINGS_BYTES 4096u
#define DATA_BYTES 512u /* and the bytes of the other one */
#define AVAIL_AT 1024u	/* offsets */
#define USED_AT 1536u
#define TABLES_AT 2048u
#define PIECES 20
#define BATCH 64
#define WALK_MAX 1024 /* descriptors of a chain, as ring.h has it */

/*
 * @rings, @data: the two regions; @data_at: where the guest sees the second
 * @popped: since what was used was published
 */
static struct {
	uint8_t *rings, *data;
	uint64_t data_at;
	struct memory memory;
	struct ring ring;
	unsigned popped;
	bool is_over;
} fuzz;

/* ---- the other reader ---- */

struct chain {
	struct iovec piece[2 * WALK_MAX + 2];
	unsigned n, seen;
	uint64_t len;
};

static uint8_t *find(uint64_t at, uint64_t *len)
{
	if (at >= RINGS_AT && at < RINGS_AT + RINGS_BYTES) {
		uint64_t room = RINGS_AT + RINGS_BYTES - at;

		*len = *len < room ? *len : room;
		return fuzz.rings + (at - RINGS_AT);
	}
	if (at >= fuzz.data_at && at < fuzz.data_at + DATA_BYTES) {
		uint64_t room = fuzz.data_at + DATA_BYTES - at;

		*len = *len < room ? *len : room;
		return fuzz.data + (at - fuzz.data_at);
	}
	return NULL;
}

static bool add(struct chain *c, const struct vring_desc *d)
{
	uint64_t at = d->addr, left = d->len;

	if (!(d->flags & VRING_WRITE) != fuzz.ring.is_to_us)
		return false;
	c->len += left;
	while (left) {
		uint64_t n = left;
		uint8_t *bytes = find(at, &n);

		if (!bytes)
			return false;
		must(c->n < 2 * WALK_MAX + 2);
		c->piece[c->n++] = (struct iovec){ bytes, (size_t)n };
		at += n;
		left -= n;
	}
	return true;
}

static bool walk(struct chain *c, const uint8_t *table, unsigned n, unsigned i,
		 bool may_be_table)
{
	struct vring_desc d;

	do {
		if (i >= n || c->seen++ == WALK_MAX)
			return false;
		memcpy(&d, table + 16 * i, 16);
		if (d.flags & VRING_INDIRECT) {
			uint64_t len = d.len;
			uint8_t *at = find(d.addr, &len);

			return may_be_table && fuzz.ring.has_indirect &&
			       !(d.flags & VRING_NEXT) && at && len == d.len && len &&
			       len % 16 == 0 && walk(c, at, (unsigned)len / 16, 0, false);
		}
		if (!add(c, &d))
			return false;
		i = d.next;
	} while (d.flags & VRING_NEXT);
	return true;
}

static uint16_t number(unsigned offset)
{
	uint16_t v;

	memcpy(&v, fuzz.rings + offset, 2);
	return v;
}

/* ---- what is done ---- */

static void pop(unsigned max)
{
	static struct chain want;
	struct iovec iov[PIECES];
	struct ring_chain c;
	uint16_t next = fuzz.ring.next, id, seen = number(AVAIL_AT + 2);
	uint8_t *before = malloc(RINGS_BYTES);
	bool is_good;
	int ret;

	must(before);
	memcpy(before, fuzz.rings, RINGS_BYTES);
	ret = ring_pop(&fuzz.ring, &c, iov, max);
	must(!memcmp(before, fuzz.rings, RINGS_BYTES));
	free(before);
	if (ret == 0) {
		must(seen == next && fuzz.ring.next == next);
		return;
	}
	want.n = want.seen = 0;
	want.len = 0;
	id = number(AVAIL_AT + 4 + 2 * (next % fuzz.ring.size));
	is_good = walk(&want, fuzz.rings, fuzz.ring.size, id, true);
	fuzz.is_over = ret < 0;
	must(ret == 1 || ret == -EPROTO || ret == -E2BIG);
	must(ret != -EPROTO || fuzz.ring.why);
	must(ret < 0 ? fuzz.ring.next == next : is_good);
	if (ret == -E2BIG)
		must(want.n > max);
	if (ret < 0)
		return;
	must((uint16_t)(fuzz.ring.next - next) == 1);
	must(c.id == id && c.n == want.n && c.n <= max && c.len == want.len);
	must(!c.n || !memcmp(iov, want.piece, c.n * sizeof(*iov)));
	fuzz.popped++;
	ring_use(&fuzz.ring, c.id, (uint32_t)c.len);
}

static void publish(void)
{
	uint16_t before = number(USED_AT + 2);
	uint16_t at = fuzz.ring.published;

	ring_publish(&fuzz.ring);
	must((uint16_t)(fuzz.ring.published - at) == fuzz.popped);
	must(number(USED_AT + 2) == (fuzz.popped ? fuzz.ring.used_next : before));
	fuzz.popped = 0;
}

static void undo(unsigned n)
{
	uint16_t next = fuzz.ring.next;

	if (n > fuzz.popped)
		return;
	ring_undo(&fuzz.ring, n);
	fuzz.popped -= n;
	must((uint16_t)(next - fuzz.ring.next) == n &&
	     fuzz.ring.next == fuzz.ring.used_next);
}

/* ---- what the guest writes ---- */

static uint64_t any_address(struct fuzz_input *in)
{
	switch (fuzz_byte(in) % 6) {
	case 0:
		return fuzz.data_at + fuzz_number(in, 2) % DATA_BYTES;
	case 1:
		return RINGS_AT + TABLES_AT + 16 * (fuzz_byte(in) % 128u);
	case 2:
		return RINGS_AT + fuzz_number(in, 2) % RINGS_BYTES;
	case 3:
		return fuzz.data_at + DATA_BYTES - fuzz_byte(in);
	case 4:
		return 0 - (uint64_t)fuzz_byte(in);
	default:
		return fuzz_number(in, 4) | (uint64_t)fuzz_number(in, 4) << 32;
	}
}

static void write_desc(struct fuzz_input *in, unsigned at)
{
	struct vring_desc d = { .addr = any_address(in) };
	uint8_t what = fuzz_byte(in);

	d.len = what & 0x80 ? fuzz_number(in, 4)
			    : fuzz_byte(in) * (what & 0x40 ? 16u : 1u);
	d.flags = what & 0x20 ? fuzz_byte(in) : what & 7;
	/* Mostly those that the ring is for. */
	if (!(what & 8) && !(d.flags & VRING_INDIRECT))
		d.flags = (uint16_t)((d.flags & ~VRING_WRITE) |
				     (fuzz.ring.is_to_us ? 0 : VRING_WRITE));
	d.next = what & 0x10 ? (uint16_t)fuzz_number(in, 2) : fuzz_byte(in) % 16;
	memcpy(fuzz.rings + at, &d, sizeof(d));
}

static void write_number(unsigned offset, uint16_t v)
{
	memcpy(fuzz.rings + offset, &v, 2);
}

static void step(struct fuzz_input *in)
{
	uint8_t n;

	switch (fuzz_byte(in) % 10) {
	case 0:
		write_desc(in, 16 * (fuzz_byte(in) % fuzz.ring.size));
		break;
	case 1:
		write_desc(in, TABLES_AT + 16 * (fuzz_byte(in) % 128u));
		break;
	case 2:
		n = fuzz_byte(in);
		write_number(AVAIL_AT + 4 + 2 * (n % fuzz.ring.size), fuzz_byte(in) % 32);
		break;
	case 3:
		write_number(AVAIL_AT + 2,
			     (uint16_t)(fuzz.ring.next +
					fuzz_byte(in) % (fuzz.ring.size + 2)));
		break;
	case 4:
		write_number(fuzz_number(in, 2) % (RINGS_BYTES - 1),
			     (uint16_t)fuzz_number(in, 2));
		break;
	case 5:
		publish();
		break;
	case 6:
		undo(fuzz_byte(in) % 8);
		break;
	case 7:
		if (fuzz_byte(in) % 2)
			ring_listen(&fuzz.ring);
		else
			ring_quiet(&fuzz.ring);
		break;
	default:
		/* As many as are used before they are shown. */
		if (fuzz.popped < BATCH && fuzz.popped < fuzz.ring.size)
			pop(fuzz_byte(in) % (PIECES + 1));
	}
}

static void begin(struct fuzz_input *in)
{
	uint8_t what = fuzz_byte(in);

	memset(&fuzz, 0, sizeof(fuzz));
	fuzz.rings = calloc(1, RINGS_BYTES);
	fuzz.data = calloc(1, DATA_BYTES);
	must(fuzz.rings && fuzz.data);
	/* Neighbours, or far from each other. */
	fuzz.data_at = RINGS_AT + RINGS_BYTES + (what & 0x80 ? 0 : 0x10000);
	fuzz.memory.region[0] = (struct memory_region){ .guest = RINGS_AT,
							.size = RINGS_BYTES,
							.mapping.at = fuzz.rings };
	fuzz.memory.region[1] = (struct memory_region){ .guest = fuzz.data_at,
							.size = DATA_BYTES,
							.mapping.at = fuzz.data };
	fuzz.memory.n = 2;
	fuzz.ring = (struct ring){ .memory = &fuzz.memory,
				   .size = 1u << (what & 7) % 6,
				   .desc = fuzz.rings,
				   .avail = fuzz.rings + AVAIL_AT,
				   .used = fuzz.rings + USED_AT,
				   .has_event_idx = what & 0x40,
				   .has_indirect = !(what & 8),
				   .is_to_us = what & 0x10 };
	write_number(AVAIL_AT + 2, (uint16_t)fuzz_number(in, what & 0x20 ? 2 : 0));
	write_number(USED_AT + 2, number(AVAIL_AT + 2));
	ring_start(&fuzz.ring);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in = { data, size };

	/* Its numbers are in the machine's order: it is the same input on all. */
	begin(&in);
	while (in.left && !fuzz.is_over)
		step(&in);
	free(fuzz.rings);
	free(fuzz.data);
	return 0;
}
