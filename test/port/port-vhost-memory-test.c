/* SPDX-License-Identifier: MIT */
/*
 * port-vhost.c and a front end whose descriptors are wrong: memory that is none, that
 * overlaps, that is taken away while it is read; kicks and calls that are no eventfds, are
 * always ready, or would block. Its port ends and says so, and others go on, of whatever kind.
 *
 *	a, b, and a bad one ---- hub ---- a stream
 */
#include "lib/vhost-bad.h"

#include <fcntl.h>
#include <sys/epoll.h>

static struct front *bad;

/* ---- the table of memory ---- */

static struct wire_message memory(void)
{
	struct wire_message m = { WIRE_SET_MEM_TABLE,
				  WIRE_VERSION,
				  .size = 8 + 2 * sizeof(struct wire_region),
				  .table.n = 2,
				  .fds = { bad->memfd, bad->memfd },
				  .n_fds = 2 };

	memcpy(m.table.region, bad->region, sizeof(bad->region));
	return m;
}

static struct wire_message come(void)
{
	bad = bad_comes();
	front_agree(bad);
	return memory();
}

/* The memory is that, and the rest as it should be. */
static void test_memory(const struct wire_message *m, enum fate fate, const char *what)
{
	bool has_ended;

	wire_send(bad->sock, m);
	turns(&rig.loop, 2);
	has_ended = rig_ports() == 2;
	for (unsigned i = 0; !has_ended && i < FRONT_RINGS; i++) {
		front_begin_ring(bad, i, 0);
		if (front_pass_ring(bad, i, 0) < 0 || front_enable(bad, i, true) < 0)
			break;
	}
	if (!has_ended) {
		guest_refill(bad);
		guest_send(bad, rig_make(1000, 1), 1000);
		turns(&rig.loop, 2);
	}
	bad_meets(fate, what);
}

static void test_counts(void)
{
	static const uint32_t counts[] = { 0, 1, 3, 9, 1000, UINT32_MAX };

	for (unsigned i = 0; i < sizeof(counts) / sizeof(*counts); i++) {
		struct wire_message m = come();

		m.table.n = counts[i];
		test_memory(&m, ENDS, "another number of regions than there are");
	}
}

static void test_regions(void)
{
	static const struct {
		uint64_t gpa, size, uva, offset;
		enum fate fate;
		const char *what;
	} wrongs[] = {
		{ .size = 1, .fate = ENDS, .what = "an empty region" },
		{ .size = UINT64_MAX,
		  .fate = ENDS,
		  .what = "a region of all there could be" },
		{ .size = UINT64_C(1) << 62, .fate = ENDS, .what = "a very long region" },
		{ .size = UINT64_C(1) << 47,
		  .fate = ENDS,
		  .what = "as much as a process has" },
		{ .gpa = UINT64_MAX - 100, .fate = ENDS, .what = "one that wraps around" },
		{ .uva = UINT64_MAX - 100,
		  .fate = ENDS,
		  .what = "its other address does" },
		{ .offset = UINT64_MAX - 4095,
		  .fate = ENDS,
		  .what = "its place in the file" },
		{ .offset = UINT64_C(1) << 40,
		  .fate = ENDS,
		  .what = "one behind its file" },
		{ .offset = 1, .fate = EITHER, .what = "one that begins within a page" },
		{ .gpa = FRONT_HIGH + 4096, .fate = ENDS, .what = "regions that overlap" },
		{ .gpa = FRONT_HIGH, .fate = ENDS, .what = "two in one place" },
	};

	for (unsigned i = 0; i < sizeof(wrongs) / sizeof(*wrongs); i++) {
		struct wire_message m = come();
		struct wire_region *r = &m.table.region[0];

		if (wrongs[i].size)
			r->size = wrongs[i].size == 1 ? 0 : wrongs[i].size;
		if (wrongs[i].gpa)
			r->gpa = wrongs[i].gpa;
		if (wrongs[i].uva)
			r->uva = wrongs[i].uva;
		if (wrongs[i].offset)
			r->offset = wrongs[i].offset;
		test_memory(&m, wrongs[i].fate, wrongs[i].what);
	}
	for (unsigned i = 0; i < 2; i++) {
		struct wire_message m = come();

		m.table.region[i].uva = m.table.region[!i].uva + 4096;
		test_memory(&m, ENDS, "regions that overlap for the front end");
	}
}

/* Longer than the file: what is behind its end can't be read. */
static void test_too_long(void)
{
	struct wire_message m = come();

	m.table.region[1].size += 1 << 20;
	test_memory(&m, ENDS, "a region longer than its file");
}

/* ---- descriptors that are no memory ---- */

/* Of a pipe that must not end; -1 */
static int other_end = -1;

static int make_pipe(void)
{
	int fds[2];

	if (pipe2(fds, O_CLOEXEC) < 0)
		abort();
	close(fds[1]);
	return fds[0];
}

static int make_full_pipe(void)
{
	static const char bytes[4096];
	int fds[2];

	if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) < 0)
		abort();
	while (write(fds[1], bytes, sizeof(bytes)) > 0)
		;
	fcntl(fds[1], F_SETFL, 0);
	other_end = fds[0];
	return fds[1];
}

static int make_broken_pipe(void)
{
	int fds[2];

	if (pipe2(fds, O_CLOEXEC) < 0)
		abort();
	close(fds[0]);
	return fds[1];
}

static int make_filled_pipe(void)
{
	int fds[2];

	if (pipe2(fds, O_CLOEXEC) < 0 || write(fds[1], "12345678", 8) != 8)
		abort();
	other_end = fds[1];
	return fds[0];
}

static int make_socket(void)
{
	int fds[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0)
		abort();
	close(fds[1]);
	return fds[0];
}

static int make_epoll(void)
{
	return epoll_create1(EPOLL_CLOEXEC);
}

static int make_null(void)
{
	return open("/dev/null", O_RDWR | O_CLOEXEC);
}

static int make_zero(void)
{
	return open("/dev/zero", O_RDWR | O_CLOEXEC);
}

static int make_folder(void)
{
	return open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static int make_file(void)
{
	return open("/tmp", O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);
}

static int make_proc(void)
{
	return open("/proc/self/mem", O_RDWR | O_CLOEXEC);
}

static int make_read_only(void)
{
	char path[40];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", bad->memfd);
	return open(path, O_RDONLY | O_CLOEXEC);
}

static int make_eventfd(void)
{
	return eventfd(0, EFD_CLOEXEC);
}

static int make_own_socket(void)
{
	return fcntl(bad->sock, F_DUPFD_CLOEXEC, 3);
}

/* Each read takes one of very many. */
static int make_semaphore(void)
{
	int fd = eventfd(0, EFD_CLOEXEC | EFD_SEMAPHORE);
	uint64_t n = UINT64_MAX - 1;

	if (write(fd, &n, sizeof(n)) < 0)
		abort();
	return fd;
}

/* Whoever writes to it waits. */
static int make_full_eventfd(void)
{
	int fd = eventfd(0, EFD_CLOEXEC);
	uint64_t n = UINT64_MAX - 1;

	if (write(fd, &n, sizeof(n)) < 0)
		abort();
	return fd;
}

static void test_no_memory(void)
{
	static const struct {
		const char *what;
		int (*make)(void);
		enum fate fate;
	} kinds[] = {
		{ "a pipe as memory", make_pipe, ENDS },
		{ "a socket as memory", make_socket, ENDS },
		{ "an epoll as memory", make_epoll, ENDS },
		{ "/dev/null as memory", make_null, ENDS },
		{ "/dev/zero as memory", make_zero, ENDS },
		{ "a folder as memory", make_folder, ENDS },
		{ "an empty file as memory", make_file, ENDS },
		{ "/proc/self/mem as memory", make_proc, ENDS },
		{ "memory that may only be read", make_read_only, ENDS },
		{ "an eventfd as memory", make_eventfd, ENDS },
	};

	for (unsigned i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
		struct wire_message m = come();
		int fd = kinds[i].make();

		m.fds[1] = fd;
		bad_rig.fds++;
		test_memory(&m, kinds[i].fate, kinds[i].what);
		bad_rig.fds--;
		close(fd);
	}
}

/* ---- kicks and calls ---- */

static const struct kind {
	const char *what;
	int (*make)(void);
	enum fate fate;
} kinds[] = {
	{ "a pipe that has ended", make_pipe, ENDS },
	{ "a pipe that is full", make_full_pipe, ENDS },
	{ "a pipe that is broken", make_broken_pipe, ENDS },
	{ "a pipe with something in it", make_filled_pipe, ENDS },
	{ "a socket that has ended", make_socket, ENDS },
	{ "an epoll", make_epoll, ENDS },
	{ "/dev/null", make_null, ENDS },
	{ "/dev/zero", make_zero, ENDS },
	{ "a folder", make_folder, ENDS },
	{ "a file", make_file, ENDS },
	{ "memory that may only be read", make_read_only, ENDS },
	{ "the connection itself", make_own_socket, ENDS },
	{ "an eventfd that blocks", make_eventfd, LIVES },
	{ "a semaphore with much in it", make_semaphore, LIVES },
	{ "an eventfd that is full", make_full_eventfd, LIVES },
};

/* All of its other messages are right, and frames pass in both directions. */
static void test_kind(uint32_t request, const char *name, const struct kind *kind,
		      bool early)
{
	char what[120];
	int fd, ret = 0;

	bad = early ? bad_comes() : bad_starts();
	fd = kind->make();
	if (early) {
		ret = front_agree(bad);
		if (!ret)
			ret = front_share(bad);
		for (unsigned i = 0; !ret && i < FRONT_RINGS; i++) {
			front_begin_ring(bad, i, 0);
			ret = front_pass_ring(bad, i, 0);
		}
	}
	for (unsigned i = 0; !ret && i < FRONT_RINGS; i++)
		ret = front_tell_fd(bad, request, i, fd);
	for (unsigned i = 0; !ret && i < FRONT_RINGS; i++)
		ret = front_enable(bad, i, true);
	for (unsigned i = 0; !ret && i < 5; i++) {
		guest_refill(bad);
		guest_send(bad, rig_make(100, i), 100);
		bad_others_go_on();
	}
	close(fd);
	bad_rig.fds += other_end >= 0;
	snprintf(what, sizeof(what), "%s as %s%s", kind->what, name,
		 early ? "" : ", later");
	bad_meets(request == WIRE_SET_VRING_ERR ? LIVES : kind->fate, what);
	if (other_end >= 0) {
		close(other_end);
		other_end = -1;
		bad_rig.fds--;
	}
}

static void test_kinds(uint32_t request, const char *name)
{
	for (unsigned i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
		test_kind(request, name, &kinds[i], true);
		test_kind(request, name, &kinds[i], false);
	}
}

/* It has the inode of eventfds, but may lead to a file of which nobody answers for. */
static void test_epoll(uint32_t request, const char *what)
{
	int fd = epoll_create1(EPOLL_CLOEXEC);

	bad = bad_starts();
	front_tell_fd(bad, request, FRONT_RX, fd);
	close(fd);
	bad_meets(ENDS, what);
}

/* Its flags are the other side's, too, who may change them at any time. */
static void test_blocks_later(void)
{
	uint64_t begin;

	bad = bad_starts();
	fcntl(bad->ring[FRONT_RX].call, F_SETFL, 0);
	if (write(bad->ring[FRONT_RX].call, &(uint64_t){ 1 }, 8) < 0)
		abort();
	vring_was_called(&bad->ring[FRONT_RX]);
	if (write(bad->ring[FRONT_RX].call, &(uint64_t){ UINT64_MAX - 1 }, 8) < 0)
		abort();
	begin = loop_now();
	bad_meets(ENDS, "a call that begins to block");
	ok(loop_now() - begin < 5000, "it is not waited for long");
}

/* ---- memory that goes ---- */

static void cut_all(void)
{
	if (ftruncate(bad->memfd, 0) < 0)
		abort();
}

/* The rings are there. */
static void cut_high(void)
{
	if (ftruncate(bad->memfd, (off_t)bad->region[1].offset) < 0)
		abort();
}

/* What is sent, but for the first page of the first frame: its headers are there. */
static void cut_most(void)
{
	if (ftruncate(bad->memfd, (off_t)(bad->ring[FRONT_TX].slots_at - FRONT_HIGH +
					  bad->region[1].offset + FRONT_PAGE)) < 0)
		abort();
}

/* Offered before, for what is offered afterwards can't be written. */
static void offer_frames(uint32_t len)
{
	static const struct guest_header none;
	uint32_t cut = 12 + len;

	for (unsigned i = 0; i < 8; i++)
		guest_offer(bad, &none, rig_make(len, i), len, &cut, 1, 0, false);
	vring_publish(&bad->ring[FRONT_TX]);
}

static void test_cut(void (*cut)(void), bool sends, uint32_t len, const char *what)
{
	char name[120];

	bad = bad_starts();
	if (sends)
		offer_frames(len);
	cut();
	if (sends)
		vring_kick(&bad->ring[FRONT_TX]);
	snprintf(name, sizeof(name), "%s, while it %s", what,
		 sends ? "sends" : "receives");
	bad_meets(ENDS, name);
}

static void test_cuts(void)
{
	for (int sends = 0; sends < 2; sends++) {
		test_cut(cut_all, sends, 1000, "memory that goes");
		test_cut(cut_high, sends, 1000, "memory without buffers");
		test_cut(cut_most, true, 69000, "memory with some of its buffers");
	}
}

/* Somebody who is no guest, to whom its frames are sent by a system call. */
static void test_stream(void)
{
	static uint8_t got[1 << 20];
	int stream;

	rig_add("unix-listen:u");
	stream = rig_dial("u");
	rig_until(rig_ports() == 3);
	for (unsigned i = 0; i < 4; i++) {
		/* The stream is the third port: the bad one is the fourth. */
		bad = bad_starts();
		offer_frames(i % 2 ? 69000 : 1000);
		(i / 2 ? cut_high : cut_most)();
		vring_kick(&bad->ring[FRONT_TX]);
		rig_until(rig_ports() == 3);
		ok_eq_int(rig_ports(), 3,
			  "memory that goes while it is sent: its port ends");
		ok(bad_others_go_on(), "others go on");
		front_free(bad);
		is_silent();
		while (recv(stream, got, sizeof(got), MSG_DONTWAIT) > 0)
			turn(&rig.loop);
		guest_send(&bad_rig.a, rig_make(100, 7), 100);
		rig_until(recv(stream, got, sizeof(got), MSG_DONTWAIT) == 104);
		ok(rig_is(got + 4, 100, 100, 7), "so does the stream");
		bad_drain(&bad_rig.a);
		bad_drain(&bad_rig.b);
	}
	close(stream);
	rig_until(rig_ports() == 2);
	unlink("u");
	is_silent();
}

/* Other memory under running rings: nothing of the old one is touched. */
static void test_exchanged(void)
{
	static const struct guest_header none;
	bool good = true;

	for (unsigned i = 0; good && i < 200; i++) {
		struct wire_message m;
		uint32_t cut = 12 + 1000;

		random_begin(i);
		bad = bad_starts();
		m = memory();
		for (unsigned k = 0; k < 30; k++) {
			guest_offer(bad, &none, rig_make(1000, k), 1000, &cut, 1, 0,
				    false);
			guest_send(&bad_rig.a, rig_make(60, k), 60);
		}
		vring_push(&bad->ring[FRONT_TX]);
		if (i % 3 == 0)
			m.table.n = 1; /* the rings alone, or not even these */
		if (i % 6 == 0)
			m.table.region[0] = m.table.region[1];
		m.n_fds = m.table.n;
		m.size = 8 + m.table.n * (uint32_t)sizeof(struct wire_region);
		turns(&rig.loop, rnd(3));
		wire_send(bad->sock, &m);
		turns(&rig.loop, 3);
		vring_kick(&bad->ring[FRONT_TX]);
		bad_drain(&bad_rig.a);
		bad_drain(&bad_rig.b);
		good = bad_others_go_on() && rig_sleeps();
		front_free(bad);
		rig_until(rig_ports() == 2);
	}
	is_silent();
	ok(good, "memory that is exchanged while it is used, 200 times");
	bad_rig.fds = bad_open_fds();
}

static void test_slots(void)
{
	for (unsigned which = 0; which < 2; which++) {
		struct front_config config = bad_usual;
		struct wire_message m = { .size = sizeof(m.slot) };

		config.has_slots = true;
		bad = &bad_rig.bad;
		rig_guest(bad, config);
		is_silent();
		m.slot.region = bad->region[which];
		offer_frames(1000);
		front_tell(bad, WIRE_REM_MEM_REG, &m);
		vring_kick(&bad->ring[FRONT_TX]);
		turns(&rig.loop, 3);
		bad_meets(ENDS, "a region that is in use is taken away");
	}
}

/* ---- dirty pages ---- */

static void test_log(uint64_t size, uint64_t offset, off_t file, off_t later,
		     enum fate fate, const char *what)
{
	struct wire_message m = { WIRE_SET_LOG_BASE, WIRE_VERSION, .size = sizeof(m.log),
				  .log = { size, offset }, .n_fds = 1 };

	bad = bad_starts();
	m.fds[0] = memfd_create("log", MFD_CLOEXEC);
	if (m.fds[0] < 0 || ftruncate(m.fds[0], file) < 0)
		abort();
	wire_send(bad->sock, &m);
	turns(&rig.loop, 2);
	front_tell_number(bad, WIRE_SET_FEATURES,
			  bad->features | FRONT_BIT(FRONT_F_LOG_ALL));
	if (ftruncate(m.fds[0], later) < 0)
		abort();
	close(m.fds[0]);
	bad_others_go_on();
	bad_meets(fate, what);
}

static void test_logs(void)
{
	const off_t right = 1 << 20;

	test_log((uint64_t)right, 0, right, right, LIVES, "dirty pages are told");
	test_log(1, 0, 4096, 4096, ENDS, "room for eight of them");
	test_log(UINT64_MAX, 0, 4096, 4096, ENDS, "room for too many");
	test_log((uint64_t)right, UINT64_MAX - 4095, right, right, ENDS, "at no place");
	test_log((uint64_t)right, 1, right, right, ENDS, "at an odd place");
	test_log((uint64_t)right, 0, 0, 0, ENDS, "in an empty file");
	test_log((uint64_t)right, 0, right, 0, ENDS, "in a file that is cut");
}

int main(void)
{
	rig_prepare();
	bad_begin();
	test_counts();
	test_regions();
	test_too_long();
	test_no_memory();
	test_kinds(WIRE_SET_VRING_KICK, "a kick");
	test_kinds(WIRE_SET_VRING_CALL, "a call");
	test_kinds(WIRE_SET_VRING_ERR, "an error's descriptor");
	test_epoll(WIRE_SET_VRING_KICK, "an epoll as a kick");
	test_epoll(WIRE_SET_VRING_CALL, "an epoll as a call");
	test_blocks_later();
	test_cuts();
	test_stream();
	test_exchanged();
	test_slots();
	test_logs();
	bad_end();
	return rig_finish();
}
