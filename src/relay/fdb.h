/* SPDX-License-Identifier: MIT */
/*
 * The forwarding database of a switch: which port an address was last seen at,
 * for each VLAN. Its size is fixed. While there is room a port may fill it;
 * after that, who has more than an equal share loses his own oldest entry, so
 * that no port can push out what others need.
 */
#ifndef FDB_H
#define FDB_H

#include <stdint.h>

#include "port/port.h"

#define FDB_AGE_S 300 /* IEEE 802.1D's default, and every bridge's */

/* What a frame's place in the table goes by: VLAN and address in one number. */
typedef uint64_t fdb_key;

#define FDB_MAC 0xffffffffffffu /* the bits of the address */

static inline fdb_key fdb_key_of(uint16_t vlan, const uint8_t mac[6])
{
	return (uint64_t)vlan << 48 | (uint64_t)mac[0] << 40 | (uint64_t)mac[1] << 32 |
	       get_be32(mac + 2);
}

#define FDB_SPELL_S \
	60 /* moves that follow one another closer than this belong together */
#define FDB_TOLD UINT16_MAX

/*
 * @seen:  when it last was, in seconds of any clock that goes on
 * @moved, @moves: how often it changed its port within second @moved, if not more
 *         than can be counted
 * @turns: of how many seconds with moves, none FDB_SPELL_S after the one before, that
 *         is the last; FDB_TOLD: somebody was told of it
 * @next:  in its bucket; or of the free ones
 * @newer, @older: of those of its port
 */
struct fdb_entry {
	fdb_key key;
	struct port *port; /* NULL: free */
	uint32_t seen;
	uint32_t moved;
	uint16_t moves, turns;
	uint32_t next;
	uint32_t newer, older;
};

/*
 * @ports, @n_ports: where the list of all ports begins, and their number is
 * @fresh:  entries from here on were never used
 * @n:      entries in use
 */
struct fdb {
	struct port *const *ports;
	const unsigned *n_ports;
	struct fdb_entry *entries;
	uint32_t *buckets;
	uint32_t size, n, fresh, free;
	unsigned shift;
	uint64_t factor; /* of the hash: random, so that nobody can aim at a bucket */
};

/*
 * fdb_init() - Reserve memory; none of it is resident before it is used.
 * @size: entries, 1 to 2^20
 *
 * Return: 0 or -ENOMEM.
 */
int fdb_init(struct fdb *f, uint32_t size, struct port *const *ports,
	     const unsigned *n_ports);
void fdb_free(struct fdb *f);

/* fdb_lookup() - The entry of @key, or NULL. */
struct fdb_entry *fdb_lookup(const struct fdb *f, fdb_key key, uint32_t now);

/*
 * fdb_learn() - Note that @key was seen at @port.
 * @now: in seconds
 *
 * Return: NULL; or its entry, if it is at another port: there it stays, until
 * somebody moves it.
 */
struct fdb_entry *fdb_learn(struct fdb *f, fdb_key key, struct port *port, uint32_t now);

/* fdb_move() - Have it at @port from now on. Return: the port that it was at. */
struct port *fdb_move(struct fdb *f, struct fdb_entry *e, struct port *port,
		      uint32_t now);

/*
 * fdb_doubt() - @key was seen where nobody can say whether it is there: its entry
 * goes, unless it was seen elsewhere within a second. Then it is looked for anew.
 */
void fdb_doubt(struct fdb *f, fdb_key key, const struct port *port, uint32_t now);

/* fdb_forget() - Remove all entries of @port. */
void fdb_forget(struct fdb *f, struct port *port);

/* fdb_forget_all() - Remove those of all ports. */
void fdb_forget_all(struct fdb *f);

/* fdb_age() - Remove what was not seen for FDB_AGE_S. */
void fdb_age(struct fdb *f, uint32_t now);

/* fdb_each() - Call @fn with every entry that has not aged, port by port, newest first. */
void fdb_each(const struct fdb *f, uint32_t now,
	      void (*fn)(const struct fdb_entry *e, void *arg), void *arg);

#endif
