/* SPDX-License-Identifier: MIT */
/*
 * port-vhost.c and a front end that does something wrong: by which words it is told of, and that
 * what came ahead of it passes. What is refused but ends nothing; the status of the device.
 *
 *	a, b, and a bad one ---- hub
 */
#include "lib/vhost-bad.h"

#define PIPE -2 /* descriptors that are made for a message */
#define EMPTY -3
#define GUEST -4

#define U64 8
#define STATE 8

static struct front *bad;

/* What is sent by one that runs, and what is said then. @fd: 0: none */
static const struct {
	struct wire_message m;
	int fd;
	const char *says;
} faults[] = {
	{ { WIRE_SET_FEATURES, 1, U64, .u64 = FRONT_PLAIN | FRONT_BIT(FRONT_F_MQ) },
	  0,
	  "SET_FEATURES has bit 22, which was not offered" },
	/* A packed ring. */
	{ { WIRE_SET_FEATURES, 1, U64, .u64 = FRONT_PLAIN | FRONT_BIT(34) },
	  0,
	  "SET_FEATURES has bit 34, which was not offered" },
	{ { WIRE_SET_PROTOCOL_FEATURES, 1, U64, .u64 = FRONT_BIT(12) },
	  0,
	  "SET_PROTOCOL_FEATURES has bit 12, which was not offered" },
	{ { 31, 1, 0, .u64 = 0 }, 0, "request 31, which was not agreed on" },
	{ { WIRE_SET_OWNER, 1, U64, .u64 = 0 },
	  0,
	  "SET_OWNER has a payload of a wrong size" },
	{ { WIRE_SET_MEM_TABLE, 1, UINT32_MAX, .u64 = 0 },
	  0,
	  "SET_MEM_TABLE has a payload of a wrong size" },
	{ { WIRE_SET_OWNER, 2, 0, .u64 = 0 },
	  0,
	  "SET_OWNER is of another version, or a reply" },
	{ { WIRE_SET_VRING_KICK, 1, U64, .u64 = 0 },
	  0,
	  "SET_VRING_KICK has too few or too many descriptors" },
	{ { WIRE_GET_FEATURES, 1, 0, .u64 = 0 },
	  EMPTY,
	  "GET_FEATURES has too few or too many descriptors" },
	{ { WIRE_SET_MEM_TABLE, 1, 40, .table = { 1, 0, { { 0, 4096, 0, 0 } } } },
	  PIPE,
	  "SET_MEM_TABLE: region 0 is neither a memfd nor a file in tmpfs or hugetlbfs" },
	{ { WIRE_SET_MEM_TABLE, 1, 40, .table = { 1, 0, { { 0, 4096, 0, 0 } } } },
	  EMPTY,
	  "SET_MEM_TABLE: region 0 is shorter than the memory that it is said to have" },
	{ { WIRE_ADD_MEM_REG, 1, 40, .slot.region = { FRONT_HIGH, 4096, 4096, 0 } },
	  GUEST,
	  "ADD_MEM_REG: region 2 overlaps another one" },
	{ { WIRE_ADD_MEM_REG, 1, 40, .slot.region = { FRONT_HIGH << 1, 0, 4096, 0 } },
	  GUEST,
	  "ADD_MEM_REG: region 2 has a size or an address that can't be" },
	{ { WIRE_REM_MEM_REG, 1, 40, .slot.region = { FRONT_HIGH, 4096, 4096, 0 } },
	  0,
	  "REM_MEM_REG: there is no such region" },
	{ { WIRE_SET_LOG_BASE, 1, 16, .log = { 4096, 0 } },
	  EMPTY,
	  "SET_LOG_BASE: the log is shorter than the memory that it is said to have" },
	{ { WIRE_SET_VRING_NUM, 1, STATE, .state = { 1, 48 } },
	  0,
	  "SET_VRING_NUM: 48 is no power of two up to 32768" },
	{ { WIRE_SET_VRING_BASE, 1, STATE, .state = { 1, 65536 } },
	  0,
	  "SET_VRING_BASE: 65536 is no index" },
	{ { WIRE_SET_VRING_ENABLE, 1, STATE, .state = { 2, 1 } },
	  0,
	  "SET_VRING_ENABLE: there is no ring 2" },
	{ { WIRE_GET_VRING_BASE, 1, STATE, .state = { 9, 0 } },
	  0,
	  "GET_VRING_BASE: there is no ring 9" },
	{ { WIRE_SET_VRING_ADDR, 1, 40, .addr.index = 1 },
	  0,
	  "ring 1: its descriptors are not in one region, or not aligned" },
	{ { WIRE_SET_VRING_CALL, 1, U64, .u64 = 1 },
	  GUEST,
	  "SET_VRING_CALL: its descriptor is no eventfd" },
	{ { WIRE_SET_VRING_KICK, 1, U64, .u64 = 1 },
	  PIPE,
	  "SET_VRING_KICK: its descriptor is no eventfd" },
};

static int make_fd(int which)
{
	int ends[2];

	switch (which) {
	case PIPE:
		if (pipe(ends) < 0)
			abort();
		close(ends[1]);
		return ends[0];
	case EMPTY:
		return memfd_create("empty", MFD_CLOEXEC);
	default:
		return dup(bad->memfd);
	}
}

static void test_faults(void)
{
	for (unsigned i = 0; i < sizeof(faults) / sizeof(*faults); i++) {
		struct wire_message m = faults[i].m;

		bad = bad_starts();
		m.n_fds = faults[i].fd != 0;
		if (m.n_fds)
			m.fds[0] = make_fd(faults[i].fd);
		wire_send(bad->sock, &m);
		if (m.n_fds)
			close(m.fds[0]);
		bad_rig.says = faults[i].says;
		bad_meets(ENDS, faults[i].says);
	}
}

/* ---- chains ---- */

static void offer(struct vring *r, unsigned head)
{
	vring_offer(r, head);
	vring_publish(r);
	vring_kick(r);
}

/* Twice as many pieces as descriptors, each of which is in two regions. */
static void test_split(void)
{
	enum { N = 600 };
	struct wire_message m = { WIRE_SET_MEM_TABLE, WIRE_VERSION, .table.n = 3 };
	struct wire_region *r = m.table.region;
	struct vring *tx;

	bad = bad_starts();
	tx = &bad->ring[FRONT_TX];
	r[0] = bad->region[0];
	r[1] = r[2] = bad->region[1];
	r[1].size = FRONT_PAGE;
	r[2].gpa += FRONT_PAGE;
	r[2].uva += FRONT_PAGE;
	r[2].offset += FRONT_PAGE;
	r[2].size -= FRONT_PAGE;
	m.n_fds = m.table.n;
	m.fds[0] = m.fds[1] = m.fds[2] = bad->memfd;
	m.size = 8 + m.table.n * (uint32_t)sizeof(*r);
	wire_send(bad->sock, &m);
	turns(&rig.loop, 2);
	for (unsigned i = 0; i < N; i++)
		vring_set_desc(tx, &tx->tables[i], FRONT_HIGH + FRONT_PAGE - 1, 2,
			       i + 1 < N ? VRING_NEXT : 0, (uint16_t)(i + 1));
	vring_set_desc(tx, &tx->desc[0], tx->tables_at, 16 * N, VRING_INDIRECT, 0);
	offer(tx, 0);
	bad_rig.says = "ring 1: a frame has too many pieces";
	bad_meets(ENDS, "1,200 pieces");
}

/* Good chains, and a wrong one behind them in the same batch: what came ahead of it passes. */
static void test_good_ahead(void)
{
	enum { FRAMES = 10, LEN = 700 };
	static const struct guest_header none;
	uint32_t cut = 12 + LEN;
	struct guest_header h;
	unsigned n = 0;

	bad = bad_starts();
	for (unsigned i = 0; i < FRAMES; i++)
		guest_offer(bad, &none, rig_make(LEN, i), LEN, &cut, 1, 0, false);
	offer(&bad->ring[FRONT_TX], bad->ring[FRONT_TX].size);
	rig_until(rig_ports() == 2);
	while (guest_receive(&bad_rig.a, rig_got, &h) == LEN &&
	       rig_is(rig_got, LEN, LEN, n))
		n++;
	guest_refill(&bad_rig.a);
	ok_eq_int(n, FRAMES, "frames ahead of a wrong chain pass");
	bad_rig.says = "ring 1: a descriptor's number is beyond its table";
	bad_meets(ENDS, "which ends the port");
}

/* ---- messages ---- */

/* The guest would write to memory that nobody else sees. */
static void test_not_shared(void)
{
	bad = bad_comes();
	front_agree(bad);
	front_tell_number(bad, WIRE_SET_STATUS, 3);
	turns(&rig.loop, 2);
	ok_eq_int(rig_ports(), 3, "a driver that begins");
	front_tell_number(bad, WIRE_SET_STATUS, 7);
	bad_rig.says = "the guest's memory is not shared";
	bad_meets(ENDS, "and is ready, without memory");
}

/* What is optional is refused, if an answer is asked for. */
static void test_refused(void)
{
	struct wire_message m = { 0 };

	bad = bad_starts();
	ok_eq_int(front_tell(bad, 31, &m), -EPROTO, "a request that nobody knows");
	ok_eq_int(front_tell_nothing(bad, WIRE_SET_OWNER), 0, "one that is known");
	guest_refill(bad);
	bad_meets(LIVES, "nothing has ended");
}

/* QEMU 7.2 resets the device by its status, and then asks where its rings have stopped. */
static void test_status(void)
{
	uint64_t status = 99;

	bad = bad_starts_with(FRONT_SUPER);
	ok(front_get(bad, WIRE_GET_STATUS, &status) == 0 && status == 0, "no status yet");
	ok_eq_int(front_tell_number(bad, WIRE_SET_STATUS, 15), 0, "a driver is ready");
	ok(front_get(bad, WIRE_GET_STATUS, &status) == 0 && status == 15, "it is told");
	for (unsigned i = 0; i < 3; i++)
		if (!rig_passes(bad, &bad_rig.a, 100, i))
			ok(false, "a frame");
	ok_eq_int(front_tell_number(bad, WIRE_SET_STATUS, 0), 0, "it is reset");
	rig_until(rig_ups() == 2);
	ok_eq_int(rig_ups(), 2, "and does not count as up");
	ok_eq_int(front_stop_ring(bad, FRONT_TX), 3, "its ring has stopped where it was");
	for (unsigned i = 0; i < FRONT_RINGS; i++) {
		front_begin_ring(bad, i, 0);
		front_pass_ring(bad, i, 0);
		front_enable(bad, i, true);
	}
	rig_until(rig_ups() == 3);
	ok(rig_passes(bad, &bad_rig.a, 100, 9), "its driver begins again");
	bad_drain(&bad_rig.b);
	front_hang_up(bad);
	rig_until(rig_ports() == 2);
	front_free(bad);
	is_silent();
}

int main(void)
{
	rig_prepare();
	bad_begin();
	test_faults();
	test_split();
	test_good_ahead();
	test_not_shared();
	test_refused();
	test_status();
	bad_end();
	return rig_finish();
}
