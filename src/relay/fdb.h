/* SPDX-License-Identifier: MIT */
/*
 * The forwarding database of a switch: at which port an address was last seen, for each
 * VLAN. Its size is fixed. While there is room, any port may add entries. When it is
 * full, a port that has its equal share or more replaces its own oldest entry; one that
 * has less replaces the oldest entry of the port that has most. So no port can push out
 * the entries that others need.
 */
#ifndef FDB_H
#define FDB_H

#include <stdint.h>

#include "base/loop.h"
#include "base/util.h"

struct member;
struct members;

#define FDB_AGE_S 300 /* IEEE 802.1D's default, and every bridge's */

/* What an entry is found by: VLAN and address in one number. */
typedef uint64_t fdb_key;

#define FDB_MAC 0xffffffffffffu /* the bits of the address */

static inline fdb_key fdb_key_of(uint16_t vlan, const uint8_t mac[6])
{
	return (uint64_t)vlan << 48 | (uint64_t)mac[0] << 40 | (uint64_t)mac[1] << 32 |
	       get_be32(mac + 2);
}

#define FDB_SPELL_S 60 /* moves with less than this between them belong together */
#define FDB_REPORTED UINT16_MAX

/*
 * @seen:  when it last was, in seconds of any clock that goes on
 * @moved, @moves: how often it changed its port within second @moved; stays at the
 *         highest number that fits
 * @turns: how many seconds with moves there were, @moved included, with no gap longer
 *         than FDB_SPELL_S between two of them; FDB_REPORTED: it was reported
 * @next:  the next one in its bucket, or of the free ones
 * @newer, @older: its neighbours in the list of its member
 */
struct fdb_entry {
	fdb_key key;
	struct member *member; /* NULL: free */
	uint32_t seen;
	uint32_t moved;
	uint16_t moves, turns;
	uint32_t next;
	uint32_t newer, older;
};

/* A member's entries: the ones seen last and first, as index plus one, and how many. */
struct fdb_list {
	uint32_t newest, oldest, n;
};

/*
 * @all:    the members that addresses may be behind
 * @high_water: entries from here on were never used
 * @n:      entries in use
 */
struct fdb {
	const struct members *all;
	struct fdb_entry *entries;
	uint32_t *buckets;
	uint32_t size, n, high_water, free;
	unsigned shift;
	uint64_t factor; /* of the hash: random, so that nobody can aim at a bucket */
};

/*
 * fdb_init() - Reserve memory, which becomes resident as entries are added.
 * @size: entries, 1 to 2^20
 *
 * Return: 0 or -ENOMEM.
 */
int fdb_init(struct fdb *f, uint32_t size, const struct members *all);
void fdb_free(struct fdb *f);

/* fdb_lookup() - Find the entry of @key. Return: it or NULL. */
struct fdb_entry *fdb_lookup(const struct fdb *f, fdb_key key, uint32_t now);

/*
 * fdb_learn() - Note that @key was seen at @m.
 * @now: in seconds
 *
 * Return: NULL; or its entry, if that is at another port: there it stays until
 * fdb_move().
 */
struct fdb_entry *fdb_learn(struct fdb *f, fdb_key key, struct member *m, uint32_t now);

/* fdb_move() - Have it at @m from now on. Return: the member that it was at. */
struct member *fdb_move(struct fdb *f, struct fdb_entry *e, struct member *m,
			uint32_t now);

/*
 * fdb_doubt() - @key was seen at @m, which does not prove that it is there: if its entry
 * is at another port, and was not seen there in this second, it is removed, so that the
 * next frame for it is flooded.
 */
void fdb_doubt(struct fdb *f, fdb_key key, const struct member *m, uint32_t now);

/* fdb_forget() - Remove all entries of @m. */
void fdb_forget(struct fdb *f, struct member *m);

/* fdb_forget_all() - Remove all entries. */
void fdb_forget_all(struct fdb *f);

/* fdb_age() - Remove entries that were not seen for FDB_AGE_S. */
void fdb_age(struct fdb *f, uint32_t now);

/* fdb_each() - Call @fn with every entry that has not aged, port by port, newest first. */
void fdb_each(const struct fdb *f, uint32_t now,
	      void (*fn)(const struct fdb_entry *e, void *arg), void *arg);

#define FDB_STEP 256

/*
 * fdb_step() - Call @fn with those of the FDB_STEP entries from number @at on that are in
 * use and have not aged, in no order; for those who walk through all of them in steps,
 * from 0 on. Entries may come, go and move between two steps.
 *
 * Return: the number to go on from; 0 at the end.
 */
uint32_t fdb_step(const struct fdb *f, uint32_t at, uint32_t now,
		  void (*fn)(const struct fdb_entry *e, void *arg), void *arg);

#endif
