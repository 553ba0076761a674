/* SPDX-License-Identifier: MIT */
/*
 * Addresses that move. One that a switch sees now at one port, now at another
 * may be a machine that is moved, two machines with one address, a bond of two
 * cables, somebody who feigns it, one who sends back what he gets, or a loop. From
 * the moves alone nobody can say which, so nobody is blocked for them:
 *
 * - At the first few moves in a second, the guard asks by the two ports, in the
 *   VLAN of the frame: a loop shows, where it lets the question pass.
 * - For a while frames of such an address, on their way to everybody, are known
 *   again: of one and the same frame only a few copies pass. Who loses one has
 *   had it; but a loop that lets no question pass is held by it.
 * - When it goes on, in bursts or slowly, people are told: the address and both
 *   ports. A loop that is cut has no more moves.
 */
#ifndef MOVES_H
#define MOVES_H

#include "relay/fdb.h"
#include "relay/guard.h"
#include "relay/recent.h"

/*
 * @until:  frames to everybody are looked at for copies, ms
 * @told:   when an address was last told of, ms; 0: never
 * @tell:   @e's address has come to @to, from @from, and is seen at both in turns
 */
struct moves {
	struct fdb *fdb;
	struct guard *guard;
	struct recent recent;
	uint64_t until, told;
	void (*tell)(struct moves *m, const struct fdb_entry *e, const struct port *from,
		     const struct port *to);
};

/* moves_init() - Set tell afterwards. */
void moves_init(struct moves *m, struct fdb *fdb, struct guard *guard);

/* moves_are_many() - Whether what is to be flooded must go through moves_admit(). */
static inline bool moves_are_many(const struct moves *m, uint64_t now)
{
	return now < m->until;
}

/*
 * moves_admit() - Whether a single frame, that @src wants flooded, may be.
 * @key: of its source
 */
bool moves_admit(struct moves *m, fdb_key key, const struct port *src,
		 const struct frame *f, uint64_t now);

/* moves_seen() - @e's address has come to @src, by @f: have it there from now on. */
void moves_seen(struct moves *m, struct fdb_entry *e, struct port *src, bool is_flooded,
		const struct frame *f, uint64_t now);

#endif
