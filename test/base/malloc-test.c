/* SPDX-License-Identifier: MIT */
/* The malloc() of make tiny: blocks do not overlap, keep what is in them, and are used again. */
#include "lib/tap.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

void *own_malloc(size_t size);
void *own_calloc(size_t n, size_t each);
void *own_realloc(void *p, size_t size);
void own_free(void *p);
#define malloc own_malloc
#define calloc own_calloc
#define realloc own_realloc
#define free own_free
#include "../src/base/malloc-tiny.c"
#undef malloc
#undef calloc
#undef realloc
#undef free

#define BLOCKS 500
#define STEPS 100000

struct held {
	uint8_t *p;
	size_t size;
	uint8_t fill;
};

static bool is_full_of(const struct held *h, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if (h->p[i] != h->fill)
			return false;
	return true;
}

static size_t any_size(void)
{
	size_t most = random() % 50 ? 600 : 200000;

	return (size_t)random() % most;
}

/* Return: false when what it held has changed, or a new block is not as it must be. */
static bool step(struct held *h)
{
	bool is_good = is_full_of(h, h->size), zeroed = random() % 3 == 0;
	size_t size = any_size();

	if (h->p && random() % 3 == 0) {
		h->p = own_realloc(h->p, size);
		is_good &= h->p && is_full_of(h, size < h->size ? size : h->size);
	} else {
		own_free(h->p);
		h->p = zeroed ? own_calloc(1, size) : own_malloc(size);
		h->fill = 0;
		is_good &= h->p &&
			   (!zeroed || is_full_of(&(struct held){ h->p, size, 0 }, size));
	}
	if (!h->p || (uintptr_t)h->p % _Alignof(max_align_t))
		return false;
	h->size = size;
	h->fill = (uint8_t)random();
	memset(h->p, h->fill, size);
	return is_good;
}

int main(void)
{
	static struct held held[BLOCKS];
	unsigned bad = 0;
	void *p, *q;

	srandom(1);
	for (int i = 0; i < STEPS; i++)
		bad += !step(&held[random() % BLOCKS]);
	ok(!bad, "%d steps with %d blocks of any size", STEPS, BLOCKS);
	for (int i = 0; i < BLOCKS; i++)
		own_free(held[i].p);

	p = own_malloc(1000);
	own_free(p);
	q = own_malloc(900);
	ok(p == q, "a free block is used again");
	ok(own_realloc(q, 1000) == q, "a block grows where it is, as far as it has room");
	own_free(q);

	ok(!own_malloc(SIZE_MAX - 8) && errno == ENOMEM, "too much is refused");
	errno = 0;
	ok(!own_calloc(SIZE_MAX / 2, 3) && errno == ENOMEM,
	   "so is a product that is too large");
	own_free(NULL);
	return done();
}
