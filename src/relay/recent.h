/* SPDX-License-Identifier: MIT */
/*
 * Remembers the hashes of what has passed in the last two seconds, so that it is known
 * when it comes again. The table has a fixed size: where it has no more room, an older
 * hash is forgotten early, which the caller must allow for. Where possible, a port's
 * hashes replace those of the same port, so that no port can have others' forgotten.
 */
#ifndef RECENT_H
#define RECENT_H

#include <stdint.h>

#define RECENT_WAYS 4 /* places where a hash may be */
#define RECENT_MAX 1024
#define RECENT_MS 2000

/*
 * @tag:  the high half of the hash
 * @port: the number of the port that brought it first
 * @when: when that was, in ms of any clock that goes on
 * @n:    how often it has come; 0: the place is free
 */
struct recent_one {
	uint32_t tag, port, when, n;
};

/* All zeros: empty. */
struct recent {
	struct recent_one all[RECENT_MAX];
};

/* recent_find() - What is known of @hash at @now, or NULL. */
struct recent_one *recent_find(struct recent *r, uint64_t hash, uint64_t now);

/* recent_add() - @hash has come for the first time, by the port with that number. */
void recent_add(struct recent *r, uint64_t hash, uint32_t port, uint64_t now);

#endif
