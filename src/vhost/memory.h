/* SPDX-License-Identifier: MIT */
/*
 * A guest's memory, as a vhost-user front end shares it: regions of files, mapped here.
 *
 * All addresses come from outside. A guest-physical one (in descriptors) and one of the front
 * end's own (of rings) is turned into a pointer by memory_guest() and memory_user() only.
 *
 * The other side can cut a file short while it is mapped. What then touches the mapping gets
 * SIGBUS, or EFAULT if it is the kernel. The signal's handler, memory_guard(), puts zeros in
 * place of the guest's memory and marks it as broken, so that the program goes on; whoever
 * has used the memory looks at is_broken when it is done, and ends the guest's port.
 *
 * Which descriptors are taken: a memfd, and a file in tmpfs or hugetlbfs. A file elsewhere may
 * make whoever touches it wait, for a disk, a network or a FUSE program, and all ports with it.
 */
#ifndef VHOST_MEMORY_H
#define VHOST_MEMORY_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MEMORY_REGIONS_MAX 32
#define MEMORY_BYTES_MAX \
	((uint64_t)4 << 40)   /* of a guest; address space is for all ports */
#define MEMORY_LOG_PAGE 4096u /* guest memory that one bit of the log stands for */

/*
 * What guests leave for all else: bytes of addresses, and three quarters of the mappings that a
 * process may have (vm.max_map_count), whatever files and regions their front ends pass. As many
 * bytes as MEMORY_SURE every machine has addresses for (RISC-V's Sv39 has 2^38).
 */
#define MEMORY_LEAVES ((size_t)1 << (sizeof(size_t) > 4 ? 30 : 28))
#define MEMORY_SURE ((uint64_t)1 << (sizeof(size_t) > 4 ? 37 : 30))
#define MEMORY_MAPPINGS_MAX 16384u

/*
 * A mapping of a file.
 * @at:  where the bytes that were asked for begin; NULL: there is no mapping
 * @map: the mapping itself, of @map_len bytes, begins at a page before that
 * @page: bytes of a page of the file, or of the machine if that has longer ones
 */
struct mapping {
	uint8_t *at, *map;
	size_t map_len, page;
};

/*
 * A region: @size bytes at the addresses @guest of the guest and @user of the front end.
 */
struct memory_region {
	uint64_t guest, user, size;
	struct mapping mapping;
};

/*
 * All zeros: no memory.
 * @last: index of the region that was used last, most likely the next one, too
 * @log:  a bit for each page that was written to, @log_len bytes; see memory_set_log()
 * @is_logging: writes are to be noted there
 * @is_log_short: a page that was written to is beyond the log
 * @is_broken:  the memory, or the log, is not there any more; set by the signal's handler
 * @next, @link: in the list that the handler looks into; link is NULL: not in it
 */
struct memory {
	struct memory_region region[MEMORY_REGIONS_MAX];
	unsigned n, last;
	struct mapping log;
	uint64_t log_len;
	bool is_logging, is_log_short;
	volatile sig_atomic_t is_broken;
	struct memory *next, **link;
};

/*
 * memory_guard() - Have SIGBUS in a guest's memory handled as above, from now on. Any other
 * SIGBUS ends the program as ever. Call it before the process is confined.
 */
void memory_guard(void);

/*
 * memory_add() - Map a region.
 * @r:      its addresses and its size; its mapping is set here
 * @offset: of the region in the file, bytes
 * @fd:     stays the caller's, and may be closed
 * @why:    on an error, a constant that says what is wrong
 *
 * Return: 0; -EINVAL: its numbers are wrong, or it overlaps another one; -ENOSPC: there are
 * too many; another -errno.
 */
int memory_add(struct memory *m, const struct memory_region *r, uint64_t offset, int fd,
	       const char **why);

/* memory_remove() - Unmap the region with these addresses and this size. Return: 0 or -ENOENT. */
int memory_remove(struct memory *m, const struct memory_region *r);

/*
 * memory_set_log() - Map the log of pages that are written to: bit 0 of byte 0 is the page at
 * guest address 0. It takes the place of the one before.
 * @fd, @why: as above
 *
 * Return: 0 or -errno.
 */
int memory_set_log(struct memory *m, uint64_t size, uint64_t offset, int fd,
		   const char **why);

/* memory_move() - Have @to what @from has, which then has none. What @to had is unmapped. */
void memory_move(struct memory *to, struct memory *from);

/* memory_free() - Unmap all, but for the log; memory_free_log() - that. */
void memory_free(struct memory *m);
void memory_free_log(struct memory *m);

/* memory_find() - The rest of memory_guest(). */
uint8_t *memory_find(struct memory *m, uint64_t addr, uint64_t *len);

/*
 * memory_guest() - Find memory of the guest.
 * @addr: guest-physical
 * @len:  bytes wanted, more than 0; set to how many of them are at the place that is
 *        returned: fewer if the region ends before
 *
 * Return: where it is; NULL: nowhere.
 */
static inline uint8_t *memory_guest(struct memory *m, uint64_t addr, uint64_t *len)
{
	const struct memory_region *r = &m->region[m->last];
	uint64_t offset = addr - r->guest;

	if (offset < r->size && *len <= r->size - offset)
		return r->mapping.at + offset;
	return memory_find(m, addr, len);
}

/*
 * memory_user() - Find @len bytes at @addr, an address of the front end. They must be within
 * one region, and @addr a multiple of @align.
 *
 * Return: where they are; NULL: they are not.
 */
uint8_t *memory_user(const struct memory *m, uint64_t addr, uint64_t len, unsigned align);

/* memory_dirty() - Note in the log that @len bytes at guest address @addr were written. */
void memory_dirty(struct memory *m, uint64_t addr, uint64_t len);

/* memory_dirty_at() - The same, of bytes that memory_guest() has found. */
void memory_dirty_at(struct memory *m, const uint8_t *at, uint64_t len);

#endif
