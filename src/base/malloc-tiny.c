/* SPDX-License-Identifier: MIT */
/*
 * The malloc() of `make tiny`, in place of the C library's, which has 7 KB and defends
 * itself against misuse as this one does not. Blocks have sizes of powers of two; those
 * that are free wait in a list for each size. What is larger than the largest of these gets
 * pages of its own, which go back to the kernel.
 *
 * #syscalls: mmap munmap
 */
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define SIZE_MIN 32	      /* bytes of a block, with its head */
#define SIZES 11	      /* of blocks: the largest is of 32 KiB */
#define CHUNK ((size_t)65536) /* what the kernel is asked for at a time */

/* @size: of the block, with its head; @next: in its list, while it is free */
struct block {
	_Alignas(max_align_t) size_t size;
	struct block *next;
};

static struct block *lists[SIZES];
static uint8_t *fresh;
static size_t n_fresh;

/* Memory of the kernel, all zeros. Return: NULL, with errno set. */
static void *map(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
		       -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

/* @size: set to that of a block. Return: the number of its list; SIZES: it has none. */
static unsigned list_of(size_t *size)
{
	size_t block = SIZE_MIN;
	unsigned i = 0;

	for (; i < SIZES && block < *size; i++)
		block *= 2;
	if (i < SIZES)
		*size = block;
	return i;
}

/* A new block for a list. What is left of a chunk that is too small is given up. */
static struct block *cut(size_t size)
{
	struct block *b;

	if (n_fresh < size) {
		uint8_t *chunk = map(CHUNK);

		if (!chunk)
			return NULL;
		fresh = chunk;
		n_fresh = CHUNK;
	}
	b = (struct block *)(void *)fresh;
	fresh += size;
	n_fresh -= size;
	return b;
}

/* As malloc(), which the compiler would make a calloc() of within calloc(). */
static void *take(size_t size)
{
	struct block *b;
	unsigned i;

	if (size > PTRDIFF_MAX - CHUNK) {
		errno = ENOMEM;
		return NULL;
	}
	size += sizeof(*b);
	i = list_of(&size);
	b = i < SIZES ? lists[i] : map(size);
	if (i < SIZES && b)
		lists[i] = b->next;
	else if (i < SIZES)
		b = cut(size);
	if (!b)
		return NULL;
	b->size = size;
	return b + 1;
}

void *malloc(size_t size)
{
	return take(size);
}

void free(void *p)
{
	struct block *b = p;
	size_t size;
	unsigned i;

	if (!p)
		return;
	b--;
	size = b->size;
	i = list_of(&size);
	if (i == SIZES) {
		munmap(b, size);
		return;
	}
	b->next = lists[i];
	lists[i] = b;
}

void *calloc(size_t n, size_t each)
{
	size_t size;
	void *p;

	if (__builtin_mul_overflow(n, each, &size)) {
		errno = ENOMEM;
		return NULL;
	}
	p = take(size);
	return p ? memset(p, 0, size) : NULL;
}

void *realloc(void *p, size_t size)
{
	size_t old = p ? ((struct block *)p - 1)->size - sizeof(struct block) : 0;
	void *to;

	if (p && size <= old)
		return p;
	to = take(size);
	if (to && p)
		memcpy(to, p, old);
	if (to)
		free(p);
	return to;
}
