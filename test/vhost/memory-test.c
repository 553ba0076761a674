/* SPDX-License-Identifier: MIT */
/* memory.c: right and wrong regions, descriptors of all kinds, a file that is cut short. */
#include "vhost/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/util.h"
#include "lib/fault.h"
#include "lib/tap.h"

#define PAGE 65536u /* as large as any machine's */
#define SIZE (4 * PAGE)

static int make_file(off_t size)
{
	int fd = memfd_create("guest", MFD_CLOEXEC);

	if (fd < 0 || ftruncate(fd, size) < 0)
		abort();
	return fd;
}

static int add(struct memory *m, uint64_t guest, uint64_t size, uint64_t user,
	       uint64_t offset, int fd, const char **why)
{
	const struct memory_region r = { .guest = guest, .size = size, .user = user };

	return memory_add(m, &r, offset, fd, why);
}

/* Beside a region of PAGE bytes at guest 1 MiB, user 16 MiB. */
static const struct {
	const char *what;
	uint64_t guest, size, user, offset;
	int ret;
} regions[] = {
	{ "right behind it", 0x110000, PAGE, 0x1010000, PAGE, 0 },
	{ "right ahead of it", 0xf0000, PAGE, 0xff0000, PAGE, 0 },
	{ "at an odd offset of the file", 0x200001, 7, 0x2000001, 12345, 0 },
	{ "to the end of the file", 0, PAGE, 0, SIZE - PAGE, 0 },
	{ "a byte beyond the end of the file", 0, PAGE, 0, SIZE - PAGE + 1, -EINVAL },
	{ "of no bytes", 0x200000, 0, 0x2000000, 0, -EINVAL },
	{ "larger than the file", 0x200000, SIZE + 1, 0x2000000, 0, -EINVAL },
	{ "the same", 0x100000, PAGE, 0x1000000, 0, -EINVAL },
	{ "a byte of it, by the guest's addresses", 0x10ffff, PAGE, 0x2000000, 0,
	  -EINVAL },
	{ "its first byte", 0xf0001, PAGE, 0x2000000, 0, -EINVAL },
	{ "a byte of it, by the front end's", 0x200000, PAGE, 0x100ffff, 0, -EINVAL },
	{ "around it", 0, SIZE, 0, 0, 0 },
	{ "around it indeed", 0xf0000, SIZE, 0, 0, -EINVAL },
	{ "up to the last address of the guest", UINT64_MAX - 11, 11, 0, 0, 0 },
	{ "and over it", UINT64_MAX - 10, 11, 0, 0, -EINVAL },
	{ "over the front end's", 0, 11, UINT64_MAX - 10, 0, -EINVAL },
	{ "at an offset without end", 0, PAGE, 0, UINT64_MAX, -EINVAL },
	{ "at one that overflows", 0, PAGE, 0, UINT64_MAX - PAGE + 1, -EINVAL },
	{ "of all memory there is", 0x200000, UINT64_MAX / 2, 0x2000000, 0, -EINVAL },
};

static void test_regions(void)
{
	int fd = make_file(SIZE);

	for (size_t i = 0; i < ARRAY_SIZE(regions); i++) {
		struct memory m = { 0 };
		const char *why = NULL;

		if (add(&m, 0x100000, PAGE, 0x1000000, 0, fd, &why) < 0)
			abort();
		ok_eq_int(add(&m, regions[i].guest, regions[i].size, regions[i].user,
			      regions[i].offset, fd, &why),
			  regions[i].ret, "a region %s", regions[i].what);
		ok(m.n == (regions[i].ret ? 1 : 2) && (!regions[i].ret || *why),
		   "and it is there, or a reason");
		memory_free(&m);
	}
	close(fd);
}

static void test_limits(void)
{
	int fd = make_file(SIZE), ret = 0;
	struct memory m = { 0 }, other = { 0 };
	const char *why = "";
	uint64_t i;

	for (i = 0; i <= MEMORY_REGIONS_MAX && ret == 0; i++)
		ret = add(&m, i * PAGE, PAGE, i * PAGE, 0, fd, &why);
	ok(i == MEMORY_REGIONS_MAX + 1 && ret == -ENOSPC, "one region too many");
	memory_move(&other, &m);
	ok(!m.n && other.n == MEMORY_REGIONS_MAX, "all of them move");
	ok_eq_int(memory_remove(&other, &(struct memory_region){ .guest = PAGE,
								 .size = PAGE,
								 .user = 0 }),
		  -ENOENT, "one is not there");
	for (i = 0; i < MEMORY_REGIONS_MAX; i++) {
		const struct memory_region r = { i * PAGE, i * PAGE, PAGE, { 0 } };

		ret |= memory_remove(&other, &r) != 0 ? 1 : 0;
	}
	ok(ret == -ENOSPC && !other.n && !other.link, "each is taken away");
	close(fd);
	if (sizeof(void *) < sizeof(uint64_t)) /* it has no addresses for that many */
		return;
	fd = make_file((off_t)(MEMORY_BYTES_MAX / 4 * 3));
	ok_eq_int(add(&m, 0, MEMORY_BYTES_MAX / 4 * 3, 0, 0, fd, &why), 0, "a large one");
	ok_eq_int(add(&m, 1ull << 50, MEMORY_BYTES_MAX / 2, 1ull << 50, 0, fd, &why),
		  -EINVAL, "too much in all");
	memory_free(&m);
	close(fd);
}

static void test_descriptors(void)
{
	struct memory m = { 0 };
	const char *why;
	int ends[2], fd;

	if (pipe(ends) < 0)
		abort();
	ok_eq_int(add(&m, 0, PAGE, 0, 0, ends[0], &why), -EINVAL, "a pipe");
	ok_eq_int(add(&m, 0, PAGE, 0, 0, -1, &why), -EINVAL, "no descriptor");
	fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	ok(add(&m, 0, 1, 0, 0, fd, &why) < 0, "a file on a disk, or one to be read only");
	close(fd);
	fd = open("/dev/zero", O_RDWR | O_CLOEXEC);
	ok_eq_int(add(&m, 0, PAGE, 0, 0, fd, &why), -EINVAL, "a device");
	close(fd);
	fd = open("/proc/self/mem", O_RDWR | O_CLOEXEC);
	ok_eq_int(add(&m, 0, PAGE, 0, 0, fd, &why), -EINVAL, "a file in /proc");
	close(fd);
	close(ends[0]);
	close(ends[1]);
	ok(!m.n && !m.link, "nothing is mapped");
}

static void test_addresses(void)
{
	int fd = make_file(SIZE);
	struct memory m = { 0 };
	const char *why;
	uint64_t len = 100;
	uint8_t *at;

	add(&m, 0x1000, PAGE, 0x500000, PAGE, fd, &why);
	add(&m, 0x1000 + PAGE, PAGE, 0x900000, 0, fd, &why);
	at = memory_guest(&m, 0x1000 + PAGE - 40, &len);
	ok(at && len == 40, "a piece ends with its region");
	ok(at == m.region[0].mapping.at + PAGE - 40, "and is there");
	len = 60;
	at = memory_guest(&m, 0x1000 + PAGE, &len);
	ok(at == m.region[1].mapping.at && len == 60, "the rest is in the next one");
	len = 1;
	ok(!memory_guest(&m, 0xfff, &len), "ahead of all is nothing");
	ok(!memory_guest(&m, 0x1000 + 2 * PAGE, &len), "nor behind all");
	ok(!memory_guest(&m, UINT64_MAX, &len), "nor at the end of the world");
	len = UINT64_MAX;
	ok(memory_guest(&m, 0x1000, &len) && len == PAGE, "a length without end");
	ok(memory_user(&m, 0x500000, PAGE, 16), "all of a region");
	ok(!memory_user(&m, 0x500000, PAGE + 1, 16), "a byte more");
	ok(!memory_user(&m, 0x500010, PAGE, 16), "across its end");
	ok(!memory_user(&m, 0x500008, 16, 16), "not aligned");
	ok(!memory_user(&m, 0x500010, UINT64_MAX, 16), "and without end");
	at = memory_user(&m, 0x900002, 2, 2);
	if (at)
		*at = 7;
	ok(at && pread(fd, &len, 1, 2) == 1 && (uint8_t)len == 7, "it is the file's");
	memory_free(&m);
	close(fd);
}

static void test_log(void)
{
	int fd = make_file(SIZE), log = make_file(PAGE);
	struct memory m = { 0 };
	const char *why;
	const uint8_t *bits;

	add(&m, MEMORY_LOG_PAGE * 9, PAGE, 0, 0, fd, &why);
	ok_eq_int(memory_set_log(&m, PAGE + 1, 0, log, &why), -EINVAL,
		  "a log that is short");
	ok_eq_int(memory_set_log(&m, 3, 5, log, &why), 0, "a log of three bytes");
	bits = m.log.at;
	memory_dirty(&m, 0, 1);
	ok(!bits[0], "nothing is noted unless it is to be");
	m.is_logging = true;
	memory_dirty(&m, MEMORY_LOG_PAGE * 3 - 1, 2);
	ok_eq_int(bits[0], 0x0c, "two pages that a write touches");
	memory_dirty_at(&m, m.region[0].mapping.at + MEMORY_LOG_PAGE, MEMORY_LOG_PAGE);
	ok(bits[1] == 0x04 && !bits[2], "a page found by its place");
	ok(!m.is_log_short, "all of that is within the log");
	memory_dirty(&m, MEMORY_LOG_PAGE * 22, MEMORY_LOG_PAGE * 100);
	ok(m.is_log_short, "a page is not");
	memory_dirty(&m, UINT64_MAX, 1);
	memory_dirty(&m, UINT64_MAX - 1, UINT64_MAX);
	ok(bits[2] == 0xc0 && !bits[3], "what is beyond the log is not noted");
	memory_free(&m);
	ok(m.link && m.log.at, "the log stays without memory");
	memory_free_log(&m);
	ok(!m.link && !m.log.at, "until it is taken away");
	close(log);
	close(fd);
}

static void test_cut(void)
{
	int fd = make_file(SIZE), log = make_file(PAGE);
	struct memory m = { 0 }, other = { 0 };
	const char *why;
	volatile uint8_t *at;

	memory_guard();
	add(&m, 0, PAGE, 0, 0, fd, &why);
	add(&m, PAGE, 3 * PAGE, PAGE, PAGE, fd, &why);
	add(&other, 0, PAGE, 0, 0, fd, &why);
	memory_set_log(&other, PAGE, 0, log, &why);
	if (ftruncate(fd, PAGE) < 0 || ftruncate(log, 0) < 0)
		abort();
	at = m.region[0].mapping.at;
	at[0] = 1;
	ok(!m.is_broken, "memory that is still there");
	at = m.region[1].mapping.at;
	ok(at[2 * PAGE + 5] == 0 && m.is_broken,
	   "memory that was cut off is read as zeros");
	at[0] = at[3 * PAGE - 1] = 9;
	ok(at[0] == 9 && m.region[0].mapping.at[0] == 1, "and can be written to");
	ok(!other.is_broken, "another guest's is not broken");
	other.is_logging = true;
	memory_dirty(&other, 0, 1);
	ok(other.is_broken, "a log can be cut short as well");
	memory_free(&m);
	memory_free(&other);
	memory_free_log(&other);
	close(log);
	close(fd);
}

/*
 * Where the kernel counts what a process may write to: the whole is more than it has left, and
 * each page that is touched is replaced alone.
 */
static void test_cut_refused(void)
{
	int fd = make_file(SIZE);
	struct memory m = { 0 };
	const char *why;
	volatile uint8_t *at;

	memory_guard();
	add(&m, 0, SIZE, 0, 0, fd, &why);
	if (ftruncate(fd, 0) < 0)
		abort();
	at = m.region[0].mapping.at;
	for (unsigned i = 0; i < 3; i++) {
		volatile uint8_t *page = at + i * PAGE;

		fault_arm(FAULT_mmap, 1, ENOMEM);
		page[PAGE - 1] = 7;
		ok(fault_disarm() && m.is_broken && page[PAGE - 1] == 7,
		   "no memory for all that was cut off: page %u has some", i);
		m.is_broken = false;
	}
	memory_free(&m);
	close(fd);
}

/* A limit of data, which has no room for what a guest has. */
static void test_cut_limited(void)
{
	int fd = make_file(SIZE), status = 0;
	struct memory m = { 0 };
	const char *why;
	pid_t pid;

	memory_guard();
	add(&m, 0, SIZE, 0, 0, fd, &why);
	if (ftruncate(fd, 0) < 0)
		abort();
	pid = fork();
	if (!pid) {
		volatile uint8_t *at = m.region[0].mapping.at;

		if (setrlimit(RLIMIT_DATA, &(struct rlimit){ 4096, 4096 }) < 0)
			_exit(2);
		at[1] = 7;
		_exit(!(m.is_broken && at[1] == 7));
	}
	waitpid(pid, &status, 0);
	ok(WIFEXITED(status) && WEXITSTATUS(status) == 0,
	   "memory that is cut off under a limit of data is replaced");
	memory_free(&m);
	close(fd);
}

/* Whether a mapping of that name is there. */
static bool is_mapped(const char *name)
{
	FILE *f = fopen("/proc/self/maps", "re");
	char line[512];
	bool is_there = false;

	while (f && fgets(line, sizeof(line), f))
		is_there |= strstr(line, name) != NULL;
	if (f)
		fclose(f);
	return is_there;
}

/* Memory of huge pages, of which there need not be any: then its first touch finds none. */
static void test_huge(void)
{
	int fd = memfd_create("huge", MFD_CLOEXEC | MFD_HUGETLB);
	const char *why = "";
	struct memory m = { 0 };
	volatile uint8_t *at;
	struct stat st;
	uint64_t huge;

	if (fd < 0 || fstat(fd, &st) < 0) {
		printf("# no huge pages here\n");
		return;
	}
	huge = (uint64_t)st.st_blksize;
	if (ftruncate(fd, (off_t)(3 * huge)) < 0)
		abort();
	memory_guard();
	ok_eq_int(add(&m, 0, 7, 0, huge + PAGE, fd, &why), 0, "a part of a huge page %s",
		  why);
	ok(m.region[0].mapping.map_len == huge &&
		   m.region[0].mapping.at == m.region[0].mapping.map + PAGE,
	   "the mapping has all of it");
	ok(add(&m, huge, 9, huge, 0, fd, &why) == 0 && is_mapped("/memfd:huge"),
	   "a part of another one, which is not used");
	if (ftruncate(fd, 0) < 0)
		abort();
	at = m.region[0].mapping.at;
	at[0] = 7;
	ok(m.is_broken && at[0] == 7, "the first is cut off, and replaced");
	memory_free(&m);
	ok(!is_mapped("/memfd:huge"), "nothing of them is left");
	close(fd);
}

static size_t address_space(void)
{
	unsigned long pages = 0;
	FILE *f = fopen("/proc/self/statm", "re");

	if (!f || fscanf(f, "%lu", &pages) != 1)
		abort();
	fclose(f);
	return pages * (size_t)sysconf(_SC_PAGESIZE);
}

/* A process with so many addresses left maps a large region. Return: what came of it. */
static int add_with_room(size_t room, size_t size, const char **why)
{
	int fd = make_file((off_t)size), ret;
	struct rlimit before, limit;
	struct memory m = { 0 };

	if (getrlimit(RLIMIT_AS, &before) < 0)
		abort();
	limit = before;
	limit.rlim_cur = address_space() + room;
	if (setrlimit(RLIMIT_AS, &limit) < 0)
		abort();
	ret = add(&m, 0, size, 0, 0, fd, why);
	setrlimit(RLIMIT_AS, &before);
	ok(m.n == (ret ? 0 : 1), "it is mapped, or not");
	memory_free(&m);
	close(fd);
	return ret;
}

/* Files without bytes in them could take all addresses, so that no other port has memory. */
static void test_addresses_left(void)
{
	size_t size = 64 << 20, room = MEMORY_LEAVES + (96 << 20);
	int fd = make_file((off_t)MEMORY_SURE);
	struct memory first = { 0 };
	const char *why;

	ok_eq_int(add(&first, 0, MEMORY_SURE, 0, 0, fd, &why), 0,
		  "there is much already");
	ok_eq_int(add_with_room(room, size, &why), 0, "a region beside enough addresses");
	ok_eq_int(add_with_room(room - size, size, &why), -ENOMEM, "beside too few: %s",
		  why);
	memory_free(&first);
	close(fd);
}

/* Guests with many small regions could have all mappings that a process may have. */
static void test_mappings_left(void)
{
	unsigned n = MEMORY_MAPPINGS_MAX / MEMORY_REGIONS_MAX + 1, added = 0;
	struct memory *all = calloc(n, sizeof(*all));
	int fd = make_file(SIZE);
	const char *why;

	if (!all)
		abort();
	while (added < n * MEMORY_REGIONS_MAX) {
		uint64_t at = added % MEMORY_REGIONS_MAX * 2ull * PAGE;

		if (add(&all[added / MEMORY_REGIONS_MAX], at, PAGE, at, 0, fd, &why) < 0)
			break;
		added++;
	}
	ok_eq_int(added, MEMORY_MAPPINGS_MAX, "regions of all guests, and one more %s",
		  why);
	memory_free(&all[3]);
	ok(add(&all[n - 1], 0, PAGE, 0, 0, fd, &why) == 0,
	   "there is room again when one guest has gone");
	for (unsigned i = 0; i < n; i++)
		memory_free(&all[i]);
	free(all);
	close(fd);
}

/* Any other SIGBUS is the end. */
static void test_foreign(void)
{
	int fd = make_file(PAGE), status = 0;
	pid_t pid = fork();

	if (!pid) {
		volatile uint8_t *at =
			mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

		memory_guard();
		if (ftruncate(fd, 0) == 0)
			at[0] = 1;
		_exit(0);
	}
	waitpid(pid, &status, 0);
	ok(WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS,
	   "a fault in memory that is no guest's ends the program");
	close(fd);
}

int main(void)
{
	test_regions();
	test_limits();
	test_descriptors();
	test_addresses();
	test_log();
	test_cut();
	test_cut_refused();
	test_cut_limited();
	test_huge();
	test_addresses_left();
	test_mappings_left();
	test_foreign();
	return done();
}
