/* SPDX-License-Identifier: MIT */
/*
 * ring.c: chains of all shapes, and what a guest may write that is none; both ways to say when
 * a notification is wanted, with every index.
 */
#include "vhost/ring.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/util.h"
#include "lib/random.h"
#include "lib/tap.h"

#define MEMORY 0x40000u
#define GUEST 0x7000000u /* where it begins */
#define SIZE 8u		 /* of the ring */
#define DESC 0u
#define AVAIL 0x1000u
#define USED 0x2000u
#define TABLE 0x3008u /* not as aligned as descriptors are */
#define DATA 0x10000u

#define NEXT 1u
#define WRITE 2u
#define INDIRECT 4u

static struct memory memory;
static uint8_t *bytes;
static struct ring ring;

static void put16(uint32_t at, uint16_t v)
{
	memcpy(bytes + at, &v, sizeof(v));
}

static uint16_t get16(uint32_t at)
{
	uint16_t v;

	memcpy(&v, bytes + at, sizeof(v));
	return v;
}

static uint32_t get32(uint32_t at)
{
	uint32_t v;

	memcpy(&v, bytes + at, sizeof(v));
	return v;
}

static void put_desc(uint32_t table, unsigned i, uint64_t addr, uint32_t len,
		     unsigned flags, uint16_t next)
{
	uint8_t *at = bytes + table + 16 * i;
	uint16_t f = (uint16_t)flags;

	memcpy(at, &addr, 8);
	memcpy(at + 8, &len, 4);
	memcpy(at + 12, &f, 2);
	memcpy(at + 14, &next, 2);
}

/* Two regions, the second right behind the first for the guest, but not here. */
static void make_memory(void)
{
	int fd = memfd_create("guest", MFD_CLOEXEC);
	const struct memory_region first = { GUEST, 0, MEMORY / 2, { 0 } }, second = {
		GUEST + MEMORY / 2, MEMORY, MEMORY / 2, { 0 }
	};
	const char *why;

	if (fd < 0 || ftruncate(fd, 2 * MEMORY) < 0 ||
	    memory_add(&memory, &first, 0, fd, &why) < 0 ||
	    memory_add(&memory, &second, MEMORY, fd, &why) < 0)
		abort();
	bytes = memory.region[0].mapping.at;
	close(fd);
}

/* A ring whose indices are at @at. */
static void begin(uint16_t at)
{
	memset(bytes, 0, MEMORY / 2);
	put16(AVAIL + 2, at);
	put16(USED + 2, at);
	ring = (struct ring){ .memory = &memory,
			      .size = SIZE,
			      .desc = bytes + DESC,
			      .avail = bytes + AVAIL,
			      .used = bytes + USED,
			      .has_indirect = true,
			      .is_to_us = true };
	ring_start(&ring);
}

/* The guest offers the chain that begins with descriptor @id. */
static void offer(uint16_t id)
{
	uint16_t at = get16(AVAIL + 2);

	put16(AVAIL + 4 + 2 * (at % SIZE), id);
	put16(AVAIL + 2, (uint16_t)(at + 1));
}

static int pop(struct ring_chain *c, struct iovec *iov)
{
	return ring_pop(&ring, c, iov, RING_PIECES_MAX);
}

static void test_chain(void)
{
	struct iovec iov[RING_PIECES_MAX];
	struct ring_chain c;

	begin(0);
	ok_eq_int(pop(&c, iov), 0, "an empty ring");
	put_desc(DESC, 5, GUEST + DATA, 12, NEXT, 2);
	put_desc(DESC, 2, GUEST + DATA + 100, 1, NEXT, 7);
	put_desc(DESC, 7, GUEST + DATA + 200, 300, 0, 5);
	offer(5);
	ok_eq_int(pop(&c, iov), 1, "a chain of three");
	ok(c.id == 5 && c.n == 3 && c.len == 313, "is one of three pieces");
	ok(iov[0].iov_base == bytes + DATA && iov[0].iov_len == 12 &&
		   iov[2].iov_base == bytes + DATA + 200 && iov[2].iov_len == 300,
	   "which are where the guest has them");
	ok_eq_int(pop(&c, iov), 0, "and is there once");
	put_desc(DESC, 0, GUEST + MEMORY / 2 - 10, 30, 0, 0);
	offer(0);
	ok(pop(&c, iov) == 1 && c.n == 2 && c.len == 30 && iov[0].iov_len == 10 &&
		   iov[1].iov_base == memory.region[1].mapping.at,
	   "a piece across two regions");
	put_desc(DESC, 0, GUEST + DATA, 12, NEXT, 1);
	put_desc(DESC, 1, GUEST + TABLE, 32, INDIRECT | WRITE, 0);
	put_desc(TABLE, 0, GUEST + DATA + 50, 60, NEXT, 1);
	put_desc(TABLE, 1, GUEST + DATA + 5, 6, 0, 0);
	offer(0);
	ok(pop(&c, iov) == 1 && c.n == 3 && c.len == 78 &&
		   iov[2].iov_base == bytes + DATA + 5,
	   "an indirect table behind a descriptor");
	offer(0);
	ok_eq_int(ring_pop(&ring, &c, iov, 2), -E2BIG, "a chain of too many pieces");
	ok_eq_int(pop(&c, iov), 1, "is left there");
}

/* A descriptor 0, and what is wrong with it. */
static const struct {
	const char *what;
	uint64_t addr;
	uint32_t len;
	unsigned flags;
	uint16_t next;
	const char *why;
} wrongs[] = {
	{ "a descriptor beyond the ring", GUEST + DATA, 1, NEXT, SIZE,
	  "beyond its table" },
	{ "a descriptor of no bytes", GUEST + DATA, 0, 0, 0, "no bytes" },
	{ "a loop", GUEST + DATA, 1, NEXT, 0, "has no end" },
	{ "an address ahead of all memory", GUEST - 1, 2, 0, 0, "in no memory" },
	{ "one behind it", GUEST + MEMORY - 1, 2, 0, 0, "in no memory" },
	{ "one that overflows", UINT64_MAX, 2, 0, 0, "in no memory" },
	{ "a length without end", GUEST + DATA, UINT32_MAX, 0, 0, "in no memory" },
	{ "a buffer to be written to", GUEST + DATA, 1, WRITE, 0, "is to be written to" },
	{ "a table of no bytes", GUEST + TABLE, 0, INDIRECT, 0, "no multiple of 16" },
	{ "a table of 24 bytes", GUEST + TABLE, 24, INDIRECT, 0, "no multiple of 16" },
	{ "a table in no memory", GUEST - 16, 16, INDIRECT, 0, "table is in no memory" },
	{ "a table across regions", GUEST + MEMORY / 2 - 8, 16, INDIRECT, 0,
	  "table is in no memory" },
	{ "a table and more", GUEST + TABLE, 16, INDIRECT | NEXT, 0,
	  "follows an indirect" },
	{ "a table in a table", GUEST + TABLE, 16, INDIRECT, 0, "within another" },
	{ "a number beyond its table", GUEST + TABLE + 16, 16, INDIRECT, 0,
	  "beyond its table" },
	{ "a loop in a table", GUEST + TABLE + 32, 32, INDIRECT, 0, "has no end" },
};

static void test_wrong(void)
{
	struct iovec iov[RING_PIECES_MAX];
	struct ring_chain c;

	for (size_t i = 0; i < ARRAY_SIZE(wrongs); i++) {
		begin((uint16_t)(i * 4097));
		put_desc(DESC, 0, wrongs[i].addr, wrongs[i].len, wrongs[i].flags,
			 wrongs[i].next);
		put_desc(TABLE, 0, GUEST + DATA, 16, INDIRECT, 0);
		put_desc(TABLE, 1, GUEST + DATA, 16, NEXT, 1);
		put_desc(TABLE, 2, GUEST + DATA, 16, NEXT, 1);
		put_desc(TABLE, 3, GUEST + DATA, 16, NEXT, 0);
		offer(0);
		ok(pop(&c, iov) == -EPROTO && strstr(ring.why, wrongs[i].why), "%s: %s",
		   wrongs[i].what, ring.why ? ring.why : "");
	}
	begin(0);
	offer(SIZE);
	ok(pop(&c, iov) == -EPROTO, "a chain that begins beyond the ring");
	begin(3);
	put_desc(DESC, 0, GUEST + TABLE, 16, INDIRECT, 0);
	ring.has_indirect = false;
	offer(0);
	ok(pop(&c, iov) == -EPROTO && strstr(ring.why, "agreed"),
	   "a table that was not agreed on");
	begin(65533);
	put16(AVAIL + 2, (uint16_t)(65533 + SIZE + 1));
	ok(pop(&c, iov) == -EPROTO && strstr(ring.why, "ahead"),
	   "an index too far ahead");
	begin(65533);
	put16(AVAIL + 2, 65532);
	ok(pop(&c, iov) == -EPROTO, "one that went back");
	begin(0);
	ring.is_to_us = false;
	put_desc(DESC, 0, GUEST + DATA, 1, WRITE | NEXT, 1);
	put_desc(DESC, 1, GUEST + DATA, 1, 0, 0);
	offer(0);
	ok(pop(&c, iov) == -EPROTO && strstr(ring.why, "is to be read"),
	   "a buffer to be read, by which to receive");
}

static void test_used(void)
{
	struct iovec iov[RING_PIECES_MAX];
	struct ring_chain c;

	begin(65534);
	put_desc(DESC, 3, GUEST + DATA, 1, 0, 0);
	for (unsigned i = 0; i < 4; i++) {
		offer(3);
		pop(&c, iov);
		ring_use(&ring, c.id, 10 + i);
	}
	ok_eq_int(get16(USED + 2), 65534, "what was used is not to be seen yet");
	ring_undo(&ring, 1);
	ok_eq_int(ring.next, 1, "one is given back");
	ring_publish(&ring);
	ok_eq_int(get16(USED + 2), 1, "three are to be seen at once");
	ok(get32(USED + 4 + 8 * 6) == 3 && get32(USED + 8 + 8 * 6) == 10 &&
		   get32(USED + 8 + 8 * 0) == 12,
	   "with their numbers and lengths, beyond the end of the ring");
	ok(!ring_publish(&ring), "nothing new");
	pop(&c, iov);
	ok_eq_int(c.id, 3, "the one that was given back comes again");
}

/* Whether the guest is to be told, by the rule of the specification: @event was passed. */
static bool expected(uint16_t event, uint16_t old, unsigned n)
{
	for (unsigned i = 1; i <= n; i++)
		if ((uint16_t)(old + i) == (uint16_t)(event + 1))
			return true;
	return false;
}

static void test_call(void)
{
	unsigned wrong = 0;

	begin(7);
	put16(AVAIL, 1);
	ring_use(&ring, 0, 0);
	ok(!ring_publish(&ring), "no call for who says so by a flag");
	put16(AVAIL, 0);
	ring_use(&ring, 0, 0);
	ok(ring_publish(&ring), "one for who does not");
	for (unsigned i = 0; i < 20000; i++) {
		uint16_t at = (uint16_t)rnd(65536), event = (uint16_t)(at + rnd(20) - 10);
		unsigned n = 1 + rnd(SIZE);

		begin(at);
		ring.has_event_idx = true;
		ring.must_call = false;
		put16(AVAIL + 4 + 2 * SIZE, event);
		for (unsigned k = 0; k < n; k++)
			ring_use(&ring, 0, 0);
		wrong += ring_publish(&ring) != expected(event, at, n);
	}
	ok_eq_int(wrong, 0, "calls by an index, anywhere");
	begin(5);
	ring.has_event_idx = true;
	put16(AVAIL + 4 + 2 * SIZE, 1000);
	ring_use(&ring, 0, 0);
	ok(ring_publish(&ring), "the first one is told in any case");
}

static void test_kick(void)
{
	struct iovec iov[RING_PIECES_MAX];
	struct ring_chain c;

	begin(65535);
	ok_eq_int(get16(USED), 1, "no kick is wanted at first, by a flag");
	ok(!ring_listen(&ring) && !get16(USED), "then one is");
	ring_quiet(&ring);
	ok_eq_int(get16(USED), 1, "and none again");
	put_desc(DESC, 0, GUEST + DATA, 1, 0, 0);
	offer(0);
	ok(ring_listen(&ring), "a chain that came meanwhile is told of");
	begin(65535);
	ring.has_event_idx = true;
	ok(!ring_listen(&ring) && get16(USED + 4 + 8 * SIZE) == 65535,
	   "a kick is wanted by an index");
	offer(0);
	offer(0);
	ok(ring_listen(&ring), "two came meanwhile");
	pop(&c, iov);
	ring_undo(&ring, 1);
	ring.used_next++;
	ok(!ring_listen(&ring) && get16(USED + 4 + 8 * SIZE) == 1,
	   "what was seen and given back is no news");
}

/* A ring that has not the machine's byte order, if that is big-endian. */
static void test_swapped(void)
{
	struct iovec iov[RING_PIECES_MAX];
	struct ring_chain c;

	if (__BYTE_ORDER__ != __ORDER_BIG_ENDIAN__)
		return;
	begin(0);
	ring.is_swapped = true;
	put_desc(DESC, 2, __builtin_bswap64(GUEST + DATA), __builtin_bswap32(77), 0, 0);
	put16(AVAIL + 2, __builtin_bswap16(1));
	put16(AVAIL + 4, __builtin_bswap16(2));
	ok(pop(&c, iov) == 1 && c.id == 2 && c.len == 77,
	   "a chain in the other byte order");
	ring_use(&ring, 2, 5);
	ring_publish(&ring);
	ok(get16(USED + 2) == __builtin_bswap16(1) &&
		   get32(USED + 4) == __builtin_bswap32(2) &&
		   get32(USED + 8) == __builtin_bswap32(5),
	   "is used in that order");
}

static void test_log(void)
{
	int fd = memfd_create("log", MFD_CLOEXEC);
	const char *why;

	if (fd < 0 || ftruncate(fd, 4096) < 0 ||
	    memory_set_log(&memory, 4096, 0, fd, &why) < 0)
		abort();
	memory.is_logging = true;
	begin(0);
	ring.has_log = true;
	ring.log = 0x8000 - 4 - 8;
	ring_use(&ring, 0, 0);
	ring_publish(&ring);
	ok_eq_int(memory.log.at[0] | memory.log.at[1] << 8, 1 << 7 | 1 << 8,
		  "the used ring is noted in the log: its index, its element, its event");
	memory_free_log(&memory);
	close(fd);
}

int main(void)
{
	random_begin(14);
	make_memory();
	test_chain();
	test_wrong();
	test_used();
	test_call();
	test_kick();
	test_swapped();
	test_log();
	memory_free(&memory);
	return done();
}
