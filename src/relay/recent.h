/* SPDX-License-Identifier: MIT */
/*
 * What has passed in the last two seconds, so that it is known when it comes
 * again: by the hash of it, in a table of fixed size. Where there is no more room
 * an older one is forgotten early, which whoever asks must bear. What a port brings
 * takes the room of what the same port brought, as far as possible, so that nobody
 * can have others' forgotten.
 */
#ifndef RECENT_H
#define RECENT_H

#include <stdint.h>

#define RECENT_WAYS 4 /* places that a hash may have */
#define RECENT_MAX 1024
#define RECENT_MS 2000

/*
 * @tag:  the rest of the hash
 * @port: the one that brought it first
 * @when: that was, in ms of any clock that goes on
 * @n:    how often it has come; 0: nothing is here
 */
struct recent_one {
	uint32_t tag, port, when, n;
};

/* All zero: empty. */
struct recent {
	struct recent_one all[RECENT_MAX];
};

/* recent_find() - What is known of that hash, or NULL. */
struct recent_one *recent_find(struct recent *r, uint64_t hash, uint64_t now);

/* recent_add() - It has come for the first time. */
void recent_add(struct recent *r, uint64_t hash, uint32_t port, uint64_t now);

#endif
