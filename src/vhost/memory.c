/* SPDX-License-Identifier: MIT */
/*
 * The handler of SIGBUS gets no argument, so the list of all guests' memory is static. It is
 * changed by the one thread of the program only, which does not touch a guest's memory
 * meanwhile. A process has so many addresses and so many mappings, so their count is static,
 * too.
 *
 * #syscalls: fcntl fstat mmap munmap rt_sigaction
 */
#include "vhost/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <ucontext.h>
#include <unistd.h>

#include "base/util.h"

static struct memory *mapped;
static unsigned n_mappings;
static uint64_t n_bytes;

/* ---- what the handler does ---- */

static bool is_in(const struct mapping *map, const uint8_t *at)
{
	return map->at && at >= map->map && at < map->map + map->map_len;
}

/* Shared memory, for RLIMIT_DATA has no say in that. Return: whether zeros are there now. */
static bool put_zeros(uint8_t *at, size_t len)
{
	return mmap(at, len, PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1,
		    0) != MAP_FAILED;
}

/*
 * A kernel that counts what may be written to (vm.overcommit_memory) need not have as much as
 * the guest has said: then it is the page alone, and the next one when its turn comes.
 *
 * Return: whether @at was in it, and zeros are there now.
 */
static bool replace(struct mapping *map, const uint8_t *at)
{
	if (!is_in(map, at))
		return false;
	return put_zeros(map->map, map->map_len) ||
	       put_zeros(map->map + (size_t)(at - map->map) / map->page * map->page,
			 map->page);
}

static bool replace_any(const uint8_t *at)
{
	for (struct memory *m = mapped; m; m = m->next) {
		bool is_found = replace(&m->log, at);

		for (unsigned i = 0; i < m->n && !is_found; i++)
			is_found = replace(&m->region[i].mapping, at);
		if (!is_found)
			continue;
		m->is_broken = true;
		return true;
	}
	return false;
}

static void on_bus_error(int sig, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;
	int err = errno;

	/* While the signal is blocked, the same instruction is the program's end (signal(7)). */
	if (info->si_code <= 0 || !replace_any(info->si_addr))
		sigaddset(&uc->uc_sigmask, sig);
	errno = err;
}

void memory_guard(void)
{
	struct sigaction action = { .sa_sigaction = on_bus_error,
				    .sa_flags = SA_SIGINFO | SA_RESTART };

	sigaction(SIGBUS, &action, NULL);
}

static void enlist(struct memory *m)
{
	if (m->link)
		return;
	m->next = mapped;
	if (m->next)
		m->next->link = &m->next;
	m->link = &mapped;
	mapped = m;
}

static void delist(struct memory *m)
{
	if (!m->link || m->n || m->log.at)
		return;
	*m->link = m->next;
	if (m->next)
		m->next->link = m->link;
	m->link = NULL;
}

/* ---- mappings ---- */

/*
 * Whether it is a file that is memory, of at least @end bytes.
 * @page: set to what its mappings are multiples of, if that is more
 *
 * Return: 0 or -errno.
 */
static int check_file(int fd, uint64_t end, size_t *page, const char **why)
{
	struct stat st;

	/* Only these have seals, and no other file system is asked, for it may never answer. */
	*why = "is neither a memfd nor a file in tmpfs or hugetlbfs";
	if (fcntl(fd, F_GET_SEALS) < 0 || fstat(fd, &st) < 0)
		return -EINVAL;
	*why = "is shorter than the memory that it is said to have";
	if ((uint64_t)st.st_size < end)
		return -EINVAL;
	/* In hugetlbfs, a mapping consists of whole huge pages. */
	if ((size_t)st.st_blksize > *page)
		*page = (size_t)st.st_blksize;
	return 0;
}

/* Whether there are addresses left for what is no guest's; a sparse file may be of any size. */
static bool leaves_enough(void)
{
	void *at = mmap(NULL, MEMORY_LEAVES, PROT_NONE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return at != MAP_FAILED && munmap(at, MEMORY_LEAVES) == 0;
}

/* Map @size bytes of a file, from @offset on. Return: 0 or -errno. */
static int map_file(struct mapping *map, uint64_t size, uint64_t offset, int fd,
		    const char **why)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	uint64_t begin, len;
	void *at;
	int ret;

	*why = "has a size or an offset that can't be";
	if (!size || size > MEMORY_BYTES_MAX || offset > INT64_MAX - MEMORY_BYTES_MAX)
		return -EINVAL;
	ret = check_file(fd, offset + size, &page, why);
	if (ret < 0)
		return ret;
	begin = offset / page * page;
	len = (offset + size - begin + page - 1) / page * page;
	*why = "is more than all guests together may have";
	if (n_mappings == MEMORY_MAPPINGS_MAX)
		return -ENOMEM;
	*why = "can't be mapped";
	if (len > SIZE_MAX / 2)
		return -ENOMEM;
	at = mmap(NULL, (size_t)len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE,
		  fd, (off_t)begin);
	if (at == MAP_FAILED)
		return -errno;
	*why = "leaves too few addresses for the relay itself";
	if (n_bytes + len > MEMORY_SURE && !leaves_enough()) {
		munmap(at, (size_t)len);
		return -ENOMEM;
	}
	n_mappings++;
	n_bytes += len;
	map->map = at;
	map->map_len = (size_t)len;
	map->page = page;
	map->at = map->map + (offset - begin);
	return 0;
}

static void unmap(struct mapping *map)
{
	if (map->at) {
		munmap(map->map, map->map_len);
		n_mappings--;
		n_bytes -= map->map_len;
	}
	*map = (struct mapping){ 0 };
}

/* ---- regions ---- */

static bool overlap(uint64_t a, uint64_t b, uint64_t a_size, uint64_t b_size)
{
	return a < b + b_size && b < a + a_size;
}

/* Return: 0, -EINVAL or -ENOSPC. */
static int check_region(const struct memory *m, const struct memory_region *r,
			const char **why)
{
	uint64_t all = r->size;

	*why = "there are too many";
	if (m->n == MEMORY_REGIONS_MAX)
		return -ENOSPC;
	*why = "has a size or an address that can't be";
	if (!r->size || r->size > MEMORY_BYTES_MAX || r->guest > UINT64_MAX - r->size ||
	    r->user > UINT64_MAX - r->size)
		return -EINVAL;
	*why = "overlaps another one";
	for (unsigned i = 0; i < m->n; i++) {
		const struct memory_region *o = &m->region[i];

		if (overlap(r->guest, o->guest, r->size, o->size) ||
		    overlap(r->user, o->user, r->size, o->size))
			return -EINVAL;
		all += o->size;
	}
	*why = "is more memory than a guest may have here";
	return all > MEMORY_BYTES_MAX ? -EINVAL : 0;
}

int memory_add(struct memory *m, const struct memory_region *r, uint64_t offset, int fd,
	       const char **why)
{
	struct memory_region new = { .guest = r->guest,
				     .user = r->user,
				     .size = r->size };
	int ret = check_region(m, r, why);

	if (ret == 0)
		ret = map_file(&new.mapping, r->size, offset, fd, why);
	if (ret < 0)
		return ret;
	m->region[m->n++] = new;
	enlist(m);
	return 0;
}

int memory_remove(struct memory *m, const struct memory_region *r)
{
	for (unsigned i = 0; i < m->n; i++) {
		struct memory_region *at = &m->region[i];

		if (at->guest != r->guest || at->user != r->user || at->size != r->size)
			continue;
		unmap(&at->mapping);
		*at = m->region[--m->n];
		m->region[m->n] = (struct memory_region){ 0 };
		m->last = 0;
		delist(m);
		return 0;
	}
	return -ENOENT;
}

int memory_set_log(struct memory *m, uint64_t size, uint64_t offset, int fd,
		   const char **why)
{
	struct mapping log = { 0 };
	int ret = map_file(&log, size, offset, fd, why);

	if (ret < 0)
		return ret;
	unmap(&m->log);
	m->log = log;
	m->log_len = size;
	m->is_log_short = false;
	enlist(m);
	return 0;
}

void memory_free(struct memory *m)
{
	for (unsigned i = 0; i < m->n; i++)
		unmap(&m->region[i].mapping);
	memset(m->region, 0, sizeof(m->region));
	m->n = m->last = 0;
	delist(m);
}

void memory_free_log(struct memory *m)
{
	m->is_logging = m->is_log_short = false;
	unmap(&m->log);
	delist(m);
}

void memory_move(struct memory *to, struct memory *from)
{
	memory_free(to);
	memcpy(to->region, from->region, sizeof(to->region));
	to->n = from->n;
	if (to->n)
		enlist(to);
	memset(from->region, 0, sizeof(from->region));
	from->n = from->last = 0;
	delist(from);
}

uint8_t *memory_find(struct memory *m, uint64_t addr, uint64_t *len)
{
	for (unsigned i = 0; i < m->n; i++) {
		const struct memory_region *r = &m->region[i];
		uint64_t offset = addr - r->guest;

		if (offset >= r->size)
			continue;
		if (*len > r->size - offset)
			*len = r->size - offset;
		m->last = i;
		return r->mapping.at + offset;
	}
	return NULL;
}

uint8_t *memory_user(const struct memory *m, uint64_t addr, uint64_t len, unsigned align)
{
	for (unsigned i = 0; i < m->n && addr % align == 0; i++) {
		const struct memory_region *r = &m->region[i];
		uint64_t offset = addr - r->user;

		if (offset >= r->size || len > r->size - offset)
			continue;
		/* The file's offset need not be as aligned as the address is. */
		return (uintptr_t)(r->mapping.at + offset) % align
			       ? NULL
			       : r->mapping.at + offset;
	}
	return NULL;
}

/* ---- the log ---- */

/* The front end takes bits away at any time, so it is changed by atomic operations. */
void memory_dirty(struct memory *m, uint64_t addr, uint64_t len)
{
	uint64_t page = addr / MEMORY_LOG_PAGE;
	uint64_t last = (addr + len - 1) / MEMORY_LOG_PAGE;

	if (!m->is_logging || !m->log.at || !len)
		return;
	m->is_log_short |= page / 8 >= m->log_len || last / 8 >= m->log_len;
	for (; page <= last && page / 8 < m->log_len; page++)
		__atomic_fetch_or(&m->log.at[page / 8], (uint8_t)(1u << page % 8),
				  __ATOMIC_SEQ_CST);
}

void memory_dirty_at(struct memory *m, const uint8_t *at, uint64_t len)
{
	for (unsigned i = 0; m->is_logging && i < m->n; i++) {
		const struct memory_region *r = &m->region[i];

		if (at < r->mapping.at || at >= r->mapping.at + r->size)
			continue;
		memory_dirty(m, r->guest + (uint64_t)(at - r->mapping.at), len);
		return;
	}
}
