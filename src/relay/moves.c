/* SPDX-License-Identifier: MIT */
/* What is here concerns only addresses that move; all others cost nothing. */
#include "relay/moves.h"

#include <string.h>

#include "base/parts.h"
#include "base/util.h"

#define MANY 8	     /* moves of one address in a second */
#define LOOK_MS 2000 /* from then on, copies are looked for so long */
#define COPIES 5     /* copies of one frame that pass within RECENT_MS */
#define TURNS 5	     /* seconds with moves, close to each other, until it is reported */
#define REPORT_MS 10000 /* between two reports, of any addresses */
#define HASH_WORDS 32	/* words that a hash takes at a time */

void moves_init(struct moves *m, struct fdb *fdb, struct guard *guard)
{
	memset(m, 0, sizeof(*m));
	m->fdb = fdb;
	m->guard = guard;
}

/* ---- copies ---- */

/* It is no secret: whoever finds another frame with the same hash gains nothing by it. */
static uint64_t hash_of(const struct frame *f)
{
	uint64_t hash = f->len, words[HASH_WORDS];
	uint32_t size;

	for (uint32_t at = 0; at < f->len; at += size) {
		size = (uint32_t)min_size(f->len - at, sizeof(words));
		memset(words, 0, sizeof(words));
		frame_copy((uint8_t *)words, f, at, size);
		for (uint32_t i = 0; i * sizeof(words[0]) < size; i++) {
			hash = (hash ^ words[i]) * 0x9e3779b97f4a7c15u;
			hash ^= hash >> 29;
		}
	}
	return hash ^ hash >> 32;
}

bool moves_admit(struct moves *m, fdb_key key, const struct member *src,
		 const struct frame *f, uint64_t now)
{
	uint32_t now_s = (uint32_t)(now / 1000);
	const struct fdb_entry *e = fdb_lookup(m->fdb, key, now_s);
	struct recent_one *one;
	uint64_t hash;

	if (!e || e->moves < MANY || now_s - e->moved > LOOK_MS / 1000)
		return true;
	hash = hash_of(f);
	one = recent_find(&m->recent, hash, now);
	if (!one) {
		recent_add(&m->recent, hash, src->id, now);
		return true;
	}
	return one->n++ < COPIES;
}

/* ---- reports ---- */

static void report_if_due(struct moves *m, struct fdb_entry *e, const struct member *from,
			  const struct member *to, uint64_t now)
{
	if (e->turns < TURNS || e->turns == FDB_REPORTED)
		return;
	if (HAS_LOOPS && (guard_is_cut(from) || guard_is_cut(to)))
		return;
	if (m->reported && now - m->reported < REPORT_MS)
		return;
	e->turns = FDB_REPORTED;
	m->reported = now;
	m->notify(m, e, from, to);
}

void moves_seen(struct moves *m, struct fdb_entry *e, struct member *src, bool is_flooded,
		const struct frame *f, uint64_t now)
{
	struct member *from = fdb_move(m->fdb, e, src, (uint32_t)(now / 1000));

	if (is_flooded && e->moves >= MANY) {
		m->until = now + LOOK_MS;
		if (HAS_LOOPS)
			guard_suspect(m->guard, from, src, f, now);
	}
	report_if_due(m, e, from, src, now);
}
