/* SPDX-License-Identifier: MIT */
/*
 * Addresses that move (MAC flapping). When a switch sees an address now at one port, now
 * at another, the cause may be a machine that is moved, two machines with one address, a
 * bond of two links, a forged source, a machine that sends back what it receives, or a
 * bridge loop. The moves alone do not tell which, so no port is blocked for them:
 *
 * - After a few moves in a second, guard.h sends probes by the two ports, in the VLAN of
 *   the frame. They find a bridge loop that lets them pass.
 * - For a while, frames from such an address to all others are remembered, and only a few
 *   copies of the same frame pass. Whoever misses a copy has had the frame; but a loop
 *   that lets no probe pass is slowed down by it.
 * - When it goes on, in bursts or slowly, it is reported: the address and both ports.
 *   Once a loop is cut, its moves end.
 */
#ifndef MOVES_H
#define MOVES_H

#include "relay/member.h"
#include "relay/recent.h"

/*
 * @until:    until then, frames to all others are compared with earlier ones, ms
 * @reported: when an address was last reported, ms; 0: never
 * @notify:   @e's address has come from @from to @to, and is seen at both in turns
 */
struct moves {
	struct fdb *fdb;
	struct guard *guard;
	struct recent recent;
	uint64_t until, reported;
	void (*notify)(struct moves *m, const struct fdb_entry *e,
		       const struct member *from, const struct member *to);
};

/* moves_init() - Set notify afterwards. */
void moves_init(struct moves *m, struct fdb *fdb, struct guard *guard);

/* moves_are_many() - Whether each frame to all others must go through moves_admit(). */
static inline bool moves_are_many(const struct moves *m, uint64_t now)
{
	return now < m->until;
}

/*
 * moves_admit() - Whether a single frame, from @src to all others, may pass.
 * @key: of its source
 */
bool moves_admit(struct moves *m, fdb_key key, const struct member *src,
		 const struct frame *f, uint64_t now);

/* moves_seen() - @e's address was seen at @src, by @f: move it there. */
void moves_seen(struct moves *m, struct fdb_entry *e, struct member *src, bool is_flooded,
		const struct frame *f, uint64_t now);

#endif
