/* SPDX-License-Identifier: MIT */
/*
 * Hash chains over a fixed array. There are at least as many buckets as entries, so a
 * chain has one or two entries, however full the table is. The hash is the top bits of a
 * product with a random odd number (Dietzfelbinger et al., 1997), taken twice: taken
 * once, it would put the consecutive addresses of a lab into few buckets if chance chose
 * a bad number. The entries of a member are also a list, ordered by when they were last
 * seen, in whole seconds: so an address that sends moves in the list once a second.
 *
 * #syscalls: getrandom mmap munmap
 */
#include "relay/fdb.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>

#include "relay/member.h"

#define NONE UINT32_MAX

static size_t n_buckets(const struct fdb *f)
{
	return (size_t)1 << (64 - f->shift);
}

static size_t memory_size(const struct fdb *f)
{
	return f->size * sizeof(*f->entries) + n_buckets(f) * sizeof(*f->buckets);
}

int fdb_init(struct fdb *f, uint32_t size, const struct members *all)
{
	void *memory;

	memset(f, 0, sizeof(*f));
	f->all = all;
	f->size = size;
	f->free = NONE;
	f->shift = 63; /* at least two buckets */
	while (n_buckets(f) < size)
		f->shift--;
	if (getrandom(&f->factor, sizeof(f->factor), 0) != sizeof(f->factor))
		f->factor = loop_now() * 0x9e3779b97f4a7c15u;
	f->factor |= 1;
	memory = mmap(NULL, memory_size(f), PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (memory == MAP_FAILED)
		return -ENOMEM;
	f->entries = memory;
	f->buckets = (uint32_t *)(void *)(f->entries + size);
	return 0;
}

void fdb_free(struct fdb *f)
{
	if (f->entries)
		munmap(f->entries, memory_size(f));
	memset(f, 0, sizeof(*f));
}

/* Buckets hold the index plus one, so that memory full of zeros is an empty table. */
static uint32_t *bucket(const struct fdb *f, fdb_key key)
{
	uint64_t hash = key * f->factor;

	hash = (hash ^ hash >> 32) * f->factor;
	return &f->buckets[hash >> f->shift];
}

static struct fdb_entry *find(const struct fdb *f, fdb_key key)
{
	for (uint32_t i = *bucket(f, key); i; i = f->entries[i - 1].next)
		if (f->entries[i - 1].key == key)
			return &f->entries[i - 1];
	return NULL;
}

static bool has_aged(const struct fdb_entry *e, uint32_t now)
{
	return now - e->seen > FDB_AGE_S;
}

struct fdb_entry *fdb_lookup(const struct fdb *f, fdb_key key, uint32_t now)
{
	struct fdb_entry *e = find(f, key);

	return e && !has_aged(e, now) ? e : NULL;
}

/* ---- the entries of a member ---- */

/* Links hold the index plus one, too; 0 is the end. */
static uint32_t link_to(const struct fdb *f, const struct fdb_entry *e)
{
	return (uint32_t)(e - f->entries) + 1;
}

static void list_add(struct fdb *f, struct fdb_entry *e, struct member *m)
{
	struct fdb_list *a = &m->addresses;

	e->member = m;
	e->newer = 0;
	e->older = a->newest;
	if (a->newest)
		f->entries[a->newest - 1].newer = link_to(f, e);
	else
		a->oldest = link_to(f, e);
	a->newest = link_to(f, e);
	a->n++;
}

static void list_remove(struct fdb *f, struct fdb_entry *e, struct member *m)
{
	struct fdb_list *a = &m->addresses;

	if (e->newer)
		f->entries[e->newer - 1].older = e->older;
	else
		a->newest = e->older;
	if (e->older)
		f->entries[e->older - 1].newer = e->newer;
	else
		a->oldest = e->newer;
	a->n--;
}

/* ---- coming and going ---- */

static void unlink_entry(struct fdb *f, struct fdb_entry *e, struct member *m)
{
	uint32_t *link = bucket(f, e->key);

	while (*link != link_to(f, e))
		link = &f->entries[*link - 1].next;
	*link = e->next;
	list_remove(f, e, m);
	e->member = NULL;
	f->n--;
}

static void release(struct fdb *f, struct fdb_entry *e, struct member *m)
{
	unlink_entry(f, e, m);
	e->next = f->free;
	f->free = link_to(f, e) - 1;
}

/* The member whose oldest entry makes room for @m's new one. */
static struct member *victim_for(const struct fdb *f, struct member *m)
{
	struct member *most = m;

	if ((uint64_t)m->addresses.n * f->all->n >= f->size)
		return m;
	/* It has less than its share, so another one has more. */
	for (struct member *other = f->all->first; other; other = other->next)
		if (other->addresses.n > most->addresses.n)
			most = other;
	return most;
}

static struct fdb_entry *take_slot(struct fdb *f, struct member *m)
{
	struct fdb_entry *e;
	struct member *victim;

	if (f->free != NONE) {
		e = &f->entries[f->free];
		f->free = e->next;
		return e;
	}
	if (f->high_water < f->size)
		return &f->entries[f->high_water++];
	victim = victim_for(f, m);
	e = &f->entries[victim->addresses.oldest - 1];
	unlink_entry(f, e, victim);
	return e;
}

static void add(struct fdb *f, fdb_key key, struct member *m, uint32_t now)
{
	struct fdb_entry *e = take_slot(f, m);
	uint32_t *head = bucket(f, key);

	*e = (struct fdb_entry){ .key = key, .seen = now, .next = *head };
	*head = link_to(f, e);
	list_add(f, e, m);
	f->n++;
}

static void count_move(struct fdb_entry *e, uint32_t now)
{
	if (now - e->moved > FDB_SPELL_S)
		e->turns = 0;
	if (e->moved != now) {
		e->moves = 0;
		if (e->turns < FDB_REPORTED - 1)
			e->turns++;
	}
	if (e->moves < UINT16_MAX)
		e->moves++;
	e->moved = now;
}

struct member *fdb_move(struct fdb *f, struct fdb_entry *e, struct member *m,
			uint32_t now)
{
	struct member *from = e->member;

	count_move(e, now);
	e->seen = now;
	list_remove(f, e, from);
	list_add(f, e, m);
	return from;
}

struct fdb_entry *fdb_learn(struct fdb *f, fdb_key key, struct member *m, uint32_t now)
{
	struct fdb_entry *e = find(f, key);

	if (!e) {
		add(f, key, m, now);
		return NULL;
	}
	if (e->member != m)
		return e;
	if (e->seen != now) {
		e->seen = now;
		list_remove(f, e, m);
		list_add(f, e, m);
	}
	return NULL;
}

void fdb_doubt(struct fdb *f, fdb_key key, const struct member *m, uint32_t now)
{
	struct fdb_entry *e = fdb_lookup(f, key, now);

	if (e && e->member != m && now != e->seen)
		release(f, e, e->member);
}

void fdb_forget(struct fdb *f, struct member *m)
{
	while (m->addresses.newest)
		release(f, &f->entries[m->addresses.newest - 1], m);
}

void fdb_forget_all(struct fdb *f)
{
	for (struct fdb_entry *e = f->entries; f->n; e++)
		if (e->member)
			release(f, e, e->member);
}

void fdb_age(struct fdb *f, uint32_t now)
{
	for (struct member *m = f->all->first; m; m = m->next) {
		struct fdb_list *a = &m->addresses;

		while (a->oldest && has_aged(&f->entries[a->oldest - 1], now))
			release(f, &f->entries[a->oldest - 1], m);
	}
}

void fdb_each(const struct fdb *f, uint32_t now,
	      void (*fn)(const struct fdb_entry *e, void *arg), void *arg)
{
	for (const struct member *m = f->all->first; m; m = m->next) {
		const struct fdb_entry *e;

		for (uint32_t i = m->addresses.newest; i; i = e->older) {
			e = &f->entries[i - 1];
			if (!has_aged(e, now))
				fn(e, arg);
		}
	}
}

uint32_t fdb_step(const struct fdb *f, uint32_t at, uint32_t now,
		  void (*fn)(const struct fdb_entry *e, void *arg), void *arg)
{
	uint32_t end = at + FDB_STEP < f->high_water ? at + FDB_STEP : f->high_water;

	for (; at < end; at++)
		if (f->entries[at].member && !has_aged(&f->entries[at], now))
			fn(&f->entries[at], arg);
	return at < f->high_water ? at : 0;
}
