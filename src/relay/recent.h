/* SPDX-License-Identifier: MIT */
/*
 * What has passed in the last two seconds, so that it is known when it comes
 * again: by the hash of it, in a table of fixed size. Where two would have the
 * same place the newer one has it; so who asks must bear it that one is
 * forgotten early.
 */
#ifndef RECENT_H
#define RECENT_H

#include <stdint.h>

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
