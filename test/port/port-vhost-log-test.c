/* SPDX-License-Identifier: MIT */
/*
 * port-vhost.c and the log of dirty pages, by which a guest is migrated while it runs: exactly
 * the pages are marked that were written to. These are pages of buffers, as far as a frame has
 * filled them, and those of the used ring: its elements, its index and its event. Nothing
 * is marked of what was only read: frames that the guest sends, descriptors, the available ring.
 *
 *	a ---- hub ---- b, whose pages are logged
 */
#include "lib/vhost-bad.h"

#define LOW_RINGS \
	UINT64_C(0x7000ff8) /* by these addresses the log knows the used rings */
#define HIGH_RINGS UINT64_C(0x9000ffc)
#define SIZE 1024u /* of a ring: its used one takes three pages */
#define LOG_BYTES \
	((size_t)(FRONT_HIGH >> 15) + 4096) /* the high region is below 128 MiB */

static struct front a, b;
static uint16_t base; /* of b's rings */

/* The log, as the front end sees it, @log_offset bytes behind the beginning of its file. */
static uint8_t *file_bytes, want[LOG_BYTES];
static size_t log_offset;
static int log_fd = -1;

/* ---- the log ---- */

static void log_make(size_t offset)
{
	size_t all = offset + LOG_BYTES;

	log_offset = offset;
	log_fd = memfd_create("log", MFD_CLOEXEC);
	if (log_fd < 0 || ftruncate(log_fd, (off_t)all) < 0)
		abort();
	file_bytes = mmap(NULL, all, PROT_READ | PROT_WRITE, MAP_SHARED, log_fd, 0);
	if (file_bytes == MAP_FAILED)
		abort();
	memset(want, 0, sizeof(want));
}

static void log_free(void)
{
	munmap(file_bytes, log_offset + LOG_BYTES);
	close(log_fd);
}

static int log_pass(struct front *f, int fd, uint64_t size, uint64_t offset)
{
	struct wire_message m = { .size = sizeof(m.log),
				  .log = { size, offset },
				  .n_fds = 1 };

	m.fds[0] = fd;
	return front_ask(f, WIRE_SET_LOG_BASE, &m);
}

static int log_switch(struct front *f, bool on)
{
	return front_tell_number(f, WIRE_SET_FEATURES,
				 f->features | (on ? FRONT_BIT(FRONT_F_LOG_ALL) : 0));
}

/* Its used ring is logged by the guest address @log, or not. */
static int log_ring(struct front *f, unsigned i, bool on, uint64_t log)
{
	const struct vring *r = &f->ring[i];
	struct wire_message m = { .size = sizeof(m.addr),
				  .addr = { .index = i,
					    .flags = on,
					    .desc = front_uva(f, r->desc_at),
					    .used = front_uva(f, r->used_at),
					    .avail = front_uva(f, r->avail_at),
					    .log = log } };

	return front_tell(f, WIRE_SET_VRING_ADDR, &m);
}

static void expect(uint64_t at, uint64_t len)
{
	for (uint64_t page = at / 4096; page <= (at + len - 1) / 4096; page++)
		want[page / 8] |= (uint8_t)(1u << page % 8);
}

/* The used ring at @log has got @n elements from @from on. */
static void expect_used(uint64_t log, uint16_t from, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		expect(log + 4 + 8 * ((from + i) & (SIZE - 1)), 8);
	expect(log, 4);
	expect(log + 4 + 8 * SIZE, 2);
}

static uint8_t take_bits(uint8_t *at)
{
	return __atomic_exchange_n(at, 0, __ATOMIC_SEQ_CST);
}

/* Whether that was logged and nothing else; all bits are taken away, as QEMU does so. */
static bool log_is_as_expected(void)
{
	bool good = true;

	for (size_t i = 0; i < log_offset; i++)
		good &= !file_bytes[i];
	for (size_t i = 0; i < LOG_BYTES; i++) {
		uint8_t got = take_bits(&file_bytes[log_offset + i]);

		if (got != want[i] && good)
			printf("# pages from %zu on: %02x, not %02x\n", 8 * i, got,
			       want[i]);
		good &= got == want[i];
	}
	memset(want, 0, sizeof(want));
	return good;
}

/* ---- frames ---- */

/* b has a buffer of these pieces. */
static void post(const struct vring_piece *piece, unsigned n, bool is_indirect)
{
	vring_put(&b.ring[FRONT_RX], piece, n, is_indirect);
}

static bool arrives(uint32_t len, uint32_t number)
{
	struct guest_header h;
	bool good;

	vring_push(&b.ring[FRONT_RX]);
	turns(&rig.loop, 2);
	good = guest_send(&a, rig_make(len, number), len) &&
	       rig_is(rig_got, rig_await(&b, &h), len, number);
	rig_until(guest_reap(&a) || a.ring[FRONT_TX].fault);
	return good;
}

/* A buffer of one piece. */
static void post_at(uint64_t at, uint32_t len)
{
	const struct vring_piece piece = { at, len, true };

	post(&piece, 1, false);
}

static uint64_t high, low; /* pages of b's memory that nothing else is in */

static void meet(unsigned first)
{
	struct front_config config = { .features = FRONT_PLAIN,
				       .protocol = UINT64_MAX,
				       .buffer = 2048 };

	rig_begin();
	if (rig_guest(&a, config) < 0)
		ok(false, "a guest is let in");
	base = (uint16_t)first;
	config.buffer = 0;
	config.size = SIZE;
	config.slot_bytes[FRONT_RX] = config.slot_bytes[FRONT_TX] = 2048;
	config.base[FRONT_RX] = config.base[FRONT_TX] = base;
	if (rig_guest(&b, config) < 0)
		ok(false, "and one whose pages are logged");
	high = front_alloc(&b, 1, 12 * 4096, 4096);
	low = front_alloc(&b, 0, 4096, 4096);
}

static void part(void)
{
	rig_leave(&a);
	rig_leave(&b);
	rig_end();
	log_free();
}

static void begin_logging(size_t offset)
{
	log_make(offset);
	if (log_pass(&b, log_fd, LOG_BYTES, offset) < 0 || log_switch(&b, true) < 0 ||
	    log_ring(&b, FRONT_RX, true, LOW_RINGS) < 0 ||
	    log_ring(&b, FRONT_TX, true, HIGH_RINGS) < 0)
		ok(false, "its pages are logged");
}

/* ---- what is logged when ---- */

static void test_steps(void)
{
	meet(0);
	log_make(0);
	ok_eq_int(log_pass(&b, log_fd, LOG_BYTES, 0), 0, "a log");
	post_at(high, 2048);
	ok(arrives(100, 1) && log_is_as_expected(),
	   "nothing is logged before it is asked for");
	ok_eq_int(log_switch(&b, true), 0, "it is asked for");
	post_at(high, 2048);
	expect(high, 112);
	ok(arrives(100, 2) && log_is_as_expected(),
	   "a page of a buffer, and no ring yet");
	ok_eq_int(log_ring(&b, FRONT_RX, true, LOW_RINGS), 0, "that of the ring, too");
	post_at(high, 2048);
	expect(high, 112);
	expect_used(LOW_RINGS, 2, 1);
	ok(arrives(100, 3) && log_is_as_expected(), "a buffer and its ring");
	post_at(high, 2048);
	expect(high, 112);
	expect_used(LOW_RINGS, 3, 1);
	ok(arrives(100, 4) && log_is_as_expected(),
	   "again, for the bits were taken away");
	ok_eq_int(log_ring(&b, FRONT_RX, false, LOW_RINGS), 0,
		  "the ring is not to be logged");
	post_at(high, 2048);
	expect(high, 112);
	ok(arrives(100, 5) && log_is_as_expected(), "a buffer alone");
	ok_eq_int(log_switch(&b, false), 0, "nothing is to be");
	post_at(high, 2048);
	ok(arrives(100, 6) && log_is_as_expected(), "nothing is");
	part();
}

/* The memory's place is the front end's choice, and so is the log's in its file. */
static void test_another_log(void)
{
	uint8_t *old_bytes;
	int old;
	bool good = true;

	meet(0);
	begin_logging(0);
	old_bytes = file_bytes;
	old = log_fd;
	log_make(4096 + 24);
	ok_eq_int(log_pass(&b, log_fd, LOG_BYTES, 4096 + 24), 0,
		  "another log, somewhere in its file");
	post_at(high, 2048);
	expect(high, 112);
	expect_used(LOW_RINGS, 0, 1);
	ok(arrives(100, 1) && log_is_as_expected(),
	   "it takes the place of the one before");
	for (size_t i = 0; i < LOG_BYTES; i++)
		good &= !old_bytes[i];
	ok(good, "which has got nothing");
	munmap(old_bytes, LOG_BYTES);
	close(old);
	part();
}

/* ---- which pages ---- */

/* A frame of @len bytes goes into a buffer at @at; pages of @used bytes are written. */
static void test_place(uint64_t at, uint32_t len, uint32_t used, const char *what)
{
	static uint32_t number;
	uint16_t from = b.ring[FRONT_RX].used_idx;

	post_at(at, 3 * 4096);
	expect(at, used);
	expect_used(LOW_RINGS, from, 1);
	ok(arrives(len, ++number) && log_is_as_expected(), "%s", what);
}

static void test_places(void)
{
	meet(0);
	begin_logging(0);
	test_place(high, 1514, 1526, "a frame within a page");
	test_place(high + 4096 - 1526, 1514, 1526, "up to a page's end");
	test_place(high + 4096 - 1525, 1514, 1526, "one byte more");
	test_place(high + 4095, 1514, 1526, "from a page's last byte on");
	test_place(high + 4096 - 12 - 20, 20, 12 + 60,
		   "padding that is in the next page");
	test_place(high + 4096 - 12 - 60, 20, 12 + 60, "padding up to a page's end");
	test_place(high + 10, 9000, 9012, "a frame of three pages");
	part();
}

/* Buffers that a frame does not fill, and those behind them, which it does not take. */
static void test_merged(void)
{
	const struct vring_piece two_regions[] = { { low + 100, 30, true },
						   { high + 6 * 4096, 4096, true } };

	meet(0xfffe);
	begin_logging(0);
	for (unsigned i = 0; i < 4; i++)
		post_at(high + 3 * i * 4096, 2 * 4096);
	/* 12 + 9000 = 8192 + 820: none of the third page's other bytes, nor of the fourth. */
	expect(high, 2 * 4096);
	expect(high + 3 * 4096, 820);
	expect_used(LOW_RINGS, 0xfffe, 2);
	ok(arrives(9000, 1) && log_is_as_expected(),
	   "two buffers of three, the last in part");
	expect(high + 6 * 4096, 112);
	expect_used(LOW_RINGS, 0, 1);
	ok(arrives(100, 2) && log_is_as_expected(),
	   "the next one, behind the indices' end");
	expect(high + 9 * 4096, 112);
	expect_used(LOW_RINGS, 1, 1);
	ok(arrives(100, 3) && log_is_as_expected(), "and the last one");
	for (unsigned i = 0; i < 2; i++) {
		post(two_regions, 2, i);
		expect(low + 100, 30);
		expect(high + 6 * 4096, 12 + 1000 - 30);
		expect_used(LOW_RINGS, (uint16_t)(2 + i), 1);
		ok(arrives(1000, 4 + i) && log_is_as_expected(),
		   "a buffer in two regions%s", i ? ", by a table" : "");
	}
	part();
}

/* What the guest sends is read, and so is what it needs for that. */
static void test_sent(void)
{
	struct guest_header h;

	meet(1020);
	begin_logging(0);
	for (uint32_t i = 0; i < 8; i++) {
		static const struct guest_header none;
		uint32_t cut[2] = { 12, 1000 };

		guest_offer(&b, &none, rig_make(1000, i), 1000, cut, 2, 0, i % 2);
		vring_push(&b.ring[FRONT_TX]);
		expect_used(HIGH_RINGS, (uint16_t)(1020 + i), 1);
		ok(rig_is(rig_got, rig_await(&a, &h), 1000, i), "a frame of its own");
		rig_until(guest_reap(&b));
		ok(log_is_as_expected(), "it is read, and its ring is written");
		guest_refill(&a);
	}
	part();
}

/* One frame after another, all at once: the log is the same as if they had come one by one. */
static void test_many(void)
{
	struct guest_header h;
	bool good = true;

	meet(0x7ff0);
	begin_logging(0);
	for (unsigned i = 0; i < 100; i++)
		post_at(b.ring[FRONT_RX].slots_at + i * 2048, 2048);
	vring_push(&b.ring[FRONT_RX]);
	for (unsigned i = 0; i < 100; i++) {
		guest_send(&a, rig_make(1514, i), 1514);
		expect(b.ring[FRONT_RX].slots_at + i * 2048, 1526);
	}
	expect_used(LOW_RINGS, 0x7ff0, 100);
	for (unsigned i = 0; good && i < 100; i++)
		good = rig_is(rig_got, rig_await(&b, &h), 1514, i);
	ok(good && log_is_as_expected(), "a hundred frames");
	rig_until(guest_reap(&a));
	part();
}

/* ---- a log that is not long enough ---- */

/* Bytes it is said to have, and has: its rings are logged by @ring. */
static void test_short(uint64_t said, size_t has, uint64_t ring, bool sends,
		       enum fate fate, const char *what)
{
	struct front *bad = bad_starts();
	int fd = memfd_create("log", MFD_CLOEXEC);

	if (fd < 0 || ftruncate(fd, (off_t)has) < 0)
		abort();
	if (log_pass(bad, fd, said, 0) == 0 && log_switch(bad, true) == 0)
		for (unsigned i = 0; i < FRONT_RINGS; i++)
			log_ring(bad, i, true, ring);
	close(fd);
	if (sends)
		guest_send(bad, rig_make(1000, 1), 1000);
	else
		guest_send(&bad_rig.a, rig_make(1000, 1), 1000);
	turns(&rig.loop, 4);
	bad_meets(fate, what);
}

static void test_shorts(void)
{
	bad_begin();
	test_short(LOG_BYTES, LOG_BYTES, LOW_RINGS, false, LIVES, "a log for all pages");
	test_short(LOG_BYTES, LOG_BYTES - 4096, LOW_RINGS, false, ENDS,
		   "a log that is shorter than it is said to be");
	test_short(FRONT_HIGH >> 15, LOG_BYTES, LOW_RINGS, false, ENDS,
		   "a log for the low region alone");
	test_short(LOG_BYTES, LOG_BYTES, FRONT_HIGH * 2, true, ENDS,
		   "a ring that is logged behind the end of the log");
	test_short(LOG_BYTES, LOG_BYTES, UINT64_MAX - 8, true, ENDS,
		   "a ring that is logged at the end of all addresses");
	bad_end();
}

int main(void)
{
	rig_prepare();
	test_steps();
	test_another_log();
	test_places();
	test_merged();
	test_sent();
	test_many();
	test_shorts();
	return rig_finish();
}
