/* SPDX-License-Identifier: MIT */
/*
 * Hash chains over a fixed array. There are at least as many buckets as
 * entries, so a chain has one or two, however full it is. The hash is the top
 * bits of a product with a random odd number (Dietzfelbinger et al., 1997),
 * twice: once would put addresses in a row, as a lab's are, into few buckets,
 * if chance chose one of some bad numbers. The entries of a port are also a
 * list by when they were last seen, in whole seconds, so that a frame costs a
 * move in it once a second.
 */
#include "relay/fdb.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>

#define NONE UINT32_MAX

static size_t n_buckets(const struct fdb *f)
{
	return (size_t)1 << (64 - f->shift);
}

static size_t memory_size(const struct fdb *f)
{
	return f->size * sizeof(*f->entries) + n_buckets(f) * sizeof(*f->buckets);
}

int fdb_init(struct fdb *f, uint32_t size, struct port *const *ports,
	     const unsigned *n_ports)
{
	void *memory;

	memset(f, 0, sizeof(*f));
	f->ports = ports;
	f->n_ports = n_ports;
	f->size = size;
	f->free = NONE;
	f->shift = 63; /* two buckets are the least */
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

/* Buckets hold one more than the index, so that fresh memory is an empty table. */
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

/* ---- the entries of a port ---- */

/* Links hold one more than the index, too; 0 is the end. */
static uint32_t link_to(const struct fdb *f, const struct fdb_entry *e)
{
	return (uint32_t)(e - f->entries) + 1;
}

static void list_add(struct fdb *f, struct fdb_entry *e, struct port *port)
{
	struct port_addresses *a = &port->addresses;

	e->port = port;
	e->newer = 0;
	e->older = a->newest;
	if (a->newest)
		f->entries[a->newest - 1].newer = link_to(f, e);
	else
		a->oldest = link_to(f, e);
	a->newest = link_to(f, e);
	a->n++;
}

static void list_remove(struct fdb *f, struct fdb_entry *e, struct port *port)
{
	struct port_addresses *a = &port->addresses;

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

static void take_out(struct fdb *f, struct fdb_entry *e, struct port *port)
{
	uint32_t *link = bucket(f, e->key);

	while (*link != link_to(f, e))
		link = &f->entries[*link - 1].next;
	*link = e->next;
	list_remove(f, e, port);
	e->port = NULL;
	f->n--;
}

static void release(struct fdb *f, struct fdb_entry *e, struct port *port)
{
	take_out(f, e, port);
	e->next = f->free;
	f->free = link_to(f, e) - 1;
}

/* Whose oldest entry makes room for @port's new one. */
static struct port *who_gives(const struct fdb *f, struct port *port)
{
	struct port *most = port;

	if ((uint64_t)port->addresses.n * *f->n_ports >= f->size)
		return port;
	/* It has less than its share, so somebody has more. */
	for (struct port *p = *f->ports; p; p = p->next)
		if (p->addresses.n > most->addresses.n)
			most = p;
	return most;
}

static struct fdb_entry *take_slot(struct fdb *f, struct port *port)
{
	struct fdb_entry *e;
	struct port *giver;

	if (f->free != NONE) {
		e = &f->entries[f->free];
		f->free = e->next;
		return e;
	}
	if (f->fresh < f->size)
		return &f->entries[f->fresh++];
	giver = who_gives(f, port);
	e = &f->entries[giver->addresses.oldest - 1];
	take_out(f, e, giver);
	return e;
}

static void add(struct fdb *f, fdb_key key, struct port *port, uint32_t now)
{
	struct fdb_entry *e = take_slot(f, port);
	uint32_t *head = bucket(f, key);

	*e = (struct fdb_entry){ .key = key, .seen = now, .next = *head };
	*head = link_to(f, e);
	list_add(f, e, port);
	f->n++;
}

static void count_move(struct fdb_entry *e, uint32_t now)
{
	if (now - e->moved > FDB_SPELL_S)
		e->turns = 0;
	if (e->moved != now) {
		e->moves = 0;
		if (e->turns < FDB_TOLD - 1)
			e->turns++;
	}
	if (e->moves < UINT16_MAX)
		e->moves++;
	e->moved = now;
}

struct port *fdb_move(struct fdb *f, struct fdb_entry *e, struct port *port, uint32_t now)
{
	struct port *from = e->port;

	count_move(e, now);
	e->seen = now;
	list_remove(f, e, from);
	list_add(f, e, port);
	return from;
}

struct fdb_entry *fdb_learn(struct fdb *f, fdb_key key, struct port *port, uint32_t now)
{
	struct fdb_entry *e = find(f, key);

	if (!e) {
		add(f, key, port, now);
		return NULL;
	}
	if (e->port != port)
		return e;
	if (e->seen != now) {
		e->seen = now;
		list_remove(f, e, port);
		list_add(f, e, port);
	}
	return NULL;
}

void fdb_doubt(struct fdb *f, fdb_key key, const struct port *port, uint32_t now)
{
	struct fdb_entry *e = fdb_lookup(f, key, now);

	if (e && e->port != port && now != e->seen)
		release(f, e, e->port);
}

void fdb_forget(struct fdb *f, struct port *port)
{
	while (port->addresses.newest)
		release(f, &f->entries[port->addresses.newest - 1], port);
}

void fdb_forget_all(struct fdb *f)
{
	for (struct fdb_entry *e = f->entries; f->n; e++)
		if (e->port)
			release(f, e, e->port);
}

void fdb_age(struct fdb *f, uint32_t now)
{
	for (struct port *p = *f->ports; p; p = p->next) {
		struct port_addresses *a = &p->addresses;

		while (a->oldest && has_aged(&f->entries[a->oldest - 1], now))
			release(f, &f->entries[a->oldest - 1], p);
	}
}

void fdb_each(const struct fdb *f, uint32_t now,
	      void (*fn)(const struct fdb_entry *e, void *arg), void *arg)
{
	for (const struct port *p = *f->ports; p; p = p->next) {
		const struct fdb_entry *e;

		for (uint32_t i = p->addresses.newest; i; i = e->older) {
			e = &f->entries[i - 1];
			if (!has_aged(e, now))
				fn(e, arg);
		}
	}
}
