/* SPDX-License-Identifier: MIT */
/*
 * fdb.c. Its rules are here a second time, over an array that is searched from
 * end to end; both are told the same at random, and must say the same. After
 * each test the links of the table are followed, to see that it is whole.
 */
#include "relay/fdb.h"

#include <stdlib.h>

#include "lib/packet.h"
#include "lib/random.h"
#include "lib/tap.h"
#include "relay/member.h"

#define PORTS 6
#define KEYS_MAX 120 /* of the random histories */

static struct member all[PORTS];
static struct members members;
static struct fdb fdb;

/* It was seen there, and is from now on. Return: where it was, if elsewhere. */
static struct member *see(struct fdb *f, fdb_key key, struct member *m, uint32_t now)
{
	struct fdb_entry *e = fdb_learn(f, key, m, now);

	return e ? fdb_move(f, e, m, now) : NULL;
}

/* ---- members ---- */

static void join(struct member *m)
{
	members_join(&members, m);
}

/* As relay.c does it: out of the list first. */
static void leave(struct member *m)
{
	members_leave(&members, m);
	fdb_forget(&fdb, m);
}

static void begin(uint32_t size, unsigned n)
{
	memset(all, 0, sizeof(all));
	memset(&members, 0, sizeof(members));
	for (unsigned i = 0; i < n; i++)
		join(&all[i]);
	if (fdb_init(&fdb, size, &members) < 0)
		exit(1);
}

static void end(void)
{
	fdb_free(&fdb);
}

/* ---- is it whole? ---- */

static size_t n_buckets(void)
{
	return (size_t)1 << (64 - fdb.shift);
}

static unsigned chain_at(size_t bucket)
{
	unsigned n = 0;

	for (uint32_t i = fdb.buckets[bucket]; i && n <= fdb.size;
	     i = fdb.entries[i - 1].next)
		n++;
	return n;
}

static bool is_list_whole(const struct member *p)
{
	uint32_t newer = 0, n = 0;

	for (uint32_t i = p->addresses.newest; i; i = fdb.entries[i - 1].older) {
		const struct fdb_entry *e = &fdb.entries[i - 1];

		if (i > fdb.size || ++n > fdb.size || e->member != p || e->newer != newer)
			return false;
		/* The clock may have wrapped in between. */
		if (newer && (int32_t)(fdb.entries[newer - 1].seen - e->seen) < 0)
			return false;
		newer = i;
	}
	return n == p->addresses.n && newer == p->addresses.oldest;
}

static bool is_whole(void)
{
	uint32_t used = 0, in_lists = 0, n_free = 0, chained = 0;

	for (const struct member *p = members.first; p; p = p->next) {
		if (!is_list_whole(p))
			return false;
		in_lists += p->addresses.n;
	}
	for (uint32_t i = 0; i < fdb.high_water; i++)
		used += fdb.entries[i].member != NULL;
	for (uint32_t i = fdb.free; i != UINT32_MAX && n_free <= fdb.size;
	     i = fdb.entries[i].next)
		n_free++;
	for (size_t b = 0; b < n_buckets(); b++)
		chained += chain_at(b);
	return used == fdb.n && in_lists == fdb.n && chained == fdb.n &&
	       n_free + fdb.n == fdb.high_water && fdb.high_water <= fdb.size;
}

static void ok_whole(const char *what)
{
	ok(is_whole(), "%s: the table is whole", what);
}

static const struct member *where(fdb_key key, uint32_t now)
{
	const struct fdb_entry *e = fdb_lookup(&fdb, key, now);

	return e ? e->member : NULL;
}

/* ---- one address ---- */

static void test_key(void)
{
	static const uint8_t mac[6] = { 0xfe, 0xff, 0x80, 0x81, 0x82, 0x83 };

	ok(fdb_key_of(0xfff, mac) == 0x0ffffeff80818283u,
	   "a key is the VLAN, and the address");
}

static void test_learn(void)
{
	struct member *a = &all[0], *b = &all[1];

	begin(16, 3);
	ok(!fdb_lookup(&fdb, 1, 0), "in an empty table is nothing");
	ok(!see(&fdb, 1, a, 100) && where(1, 100) == a, "what was seen is found");
	ok(!where((fdb_key)1 << 48 | 1, 100), "in its VLAN only");
	ok(!see(&fdb, (fdb_key)1 << 48 | 1, b, 100) && where(1, 100) == a &&
		   where((fdb_key)1 << 48 | 1, 100) == b,
	   "the same address may be elsewhere in another one");
	ok(!see(&fdb, 1, a, 101) && fdb.n == 2, "seen again, it is no other");
	ok(see(&fdb, 1, b, 101) == a && where(1, 101) == b && fdb.n == 2,
	   "one that moves is at the new port at once");
	ok(!see(&fdb, 1, b, 101), "and has not moved when seen there again");
	ok(!a->addresses.n && b->addresses.n == 2, "each port has its own");
	ok_whole("a few");
	end();
}

static unsigned moves(fdb_key key, uint32_t now)
{
	return fdb_lookup(&fdb, key, now)->moves;
}

static void test_moves(void)
{
	struct member *a = &all[0], *b = &all[1];

	begin(16, 2);
	see(&fdb, 7, a, 50);
	ok_eq_int(moves(7, 50), 0, "one that never moved has no moves");
	for (unsigned i = 1; i <= 5; i++)
		see(&fdb, 7, i % 2 ? b : a, 50);
	ok_eq_int(moves(7, 50), 5, "moves within a second are counted");
	see(&fdb, 7, b, 50);
	ok_eq_int(moves(7, 50), 5, "and nothing but moves is");
	see(&fdb, 7, a, 51);
	ok_eq_int(moves(7, 51), 1, "in the next one they are counted afresh");
	fdb_forget(&fdb, a);
	see(&fdb, 7, a, 51);
	ok_eq_int(moves(7, 51), 0, "nor does a new entry know of an older one's");
	end();
}

static void test_age(uint32_t born)
{
	struct member *a = &all[0], *b = &all[1];

	begin(16, 2);
	see(&fdb, 1, a, born);
	see(&fdb, 2, b, born);
	ok(where(1, born + FDB_AGE_S) == a, "seen at %u: 300 s later it is there", born);
	fdb_age(&fdb, born + FDB_AGE_S);
	ok_eq_int(fdb.n, 2, "and is not swept");
	ok(!where(1, born + FDB_AGE_S + 1), "a second later it is not");
	see(&fdb, 1, a, born + FDB_AGE_S + 1);
	fdb_age(&fdb, born + FDB_AGE_S + 1);
	ok(fdb.n == 1 && where(1, born + FDB_AGE_S + 1) == a,
	   "only what was not seen again is swept");
	ok_whole("ageing");
	see(&fdb, 3, b, born + FDB_AGE_S + 1);
	ok_eq_int(fdb.high_water, 2, "and leaves its place to another");
	end();
}

/* ---- members ---- */

static void test_forget(void)
{
	unsigned found = 0;

	begin(64, 3);
	for (fdb_key key = 0; key < 60; key++)
		see(&fdb, key, &all[key % 3], 1);
	fdb_forget(&fdb, &all[1]);
	for (fdb_key key = 0; key < 60; key++)
		found += where(key, 1) == (key % 3 == 1 ? NULL : &all[key % 3]);
	ok_eq_int(found, 60, "a port that goes takes its addresses along, and no others");
	ok_eq_int(fdb.n, 40, "and their places are free");
	ok_whole("a port forgotten");
	fdb_forget(&fdb, &all[1]);
	ok_eq_int(fdb.n, 40, "twice is once");
	fdb_forget_all(&fdb);
	for (fdb_key key = 0; key < 60; key++)
		found += !where(key, 1);
	ok(found == 120 && !fdb.n && !all[0].addresses.n && !all[2].addresses.n,
	   "all are forgotten");
	ok_whole("an empty table");
	for (fdb_key key = 0; key < 64; key++)
		see(&fdb, key, &all[1], 1);
	ok(fdb.n == 64 && all[1].addresses.n == 64, "and their places are free");
	ok_whole("and a full one");
	end();
}

struct told {
	fdb_key key[16];
	unsigned n;
};

static void tell(const struct fdb_entry *e, void *arg)
{
	struct told *told = arg;

	told->key[told->n++] = e->key;
}

static void test_each(void)
{
	static const fdb_key want[] = { 5, 3, 1, 4, 2 };
	struct told told = { 0 };

	begin(16, 3);
	see(&fdb, 9, &all[2], 10);
	for (fdb_key key = 1; key <= 5; key++)
		see(&fdb, key, &all[key % 2 ? 0 : 1], 311 + (uint32_t)key);
	fdb_each(&fdb, 316, tell, &told);
	ok(told.n == 5 && memcmp(told.key, want, sizeof(want)) == 0,
	   "told one by one: port by port, newest first, and none that has aged");
	see(&fdb, 1, &all[0], 320);
	told.n = 0;
	fdb_each(&fdb, 320, tell, &told);
	ok(told.key[0] == 1 && told.key[1] == 5, "one that is seen again is the newest");
	end();
}

static void count(const struct fdb_entry *e, void *arg)
{
	uint8_t *seen = arg;

	seen[e->key]++;
}

static void test_step(void)
{
	static uint8_t seen[3 * FDB_STEP];
	unsigned steps = 0, wrong = 0;
	uint32_t at = 0;

	begin(2 * FDB_STEP + 1, 2);
	ok_eq_int(fdb_step(&fdb, 0, 1, count, seen), 0,
		  "one without entries is one step");
	see(&fdb, 0, &all[0], 1);
	for (fdb_key key = 1; key < 2 * FDB_STEP; key++)
		see(&fdb, key, &all[key % 2], 300);
	do {
		at = fdb_step(&fdb, at, 310, count, seen);
		steps++;
		if (at == FDB_STEP)
			see(&fdb, 2 * FDB_STEP, &all[0], 310);
	} while (at);
	for (fdb_key key = 0; key <= 2 * FDB_STEP; key++)
		wrong += seen[key] != (key > 0);
	ok_eq_int(wrong, 0, "in steps: each once, but for one that has aged");
	ok_eq_int(steps, 3, "and also one that came meanwhile");
	ok_eq_int(fdb_step(&fdb, 5 * FDB_STEP, 310, count, seen), 0,
		  "nothing is behind the end");
	end();
}

/* ---- shares ---- */

static void test_million(void)
{
	uint32_t size = 1000, kept = 0;

	begin(size, 3);
	for (fdb_key key = 0; key < 200; key++)
		see(&fdb, key, &all[key % 2], 1);
	for (fdb_key key = 0; key < 1000000; key++)
		see(&fdb, 1u << 24 | key, &all[2], 2);
	for (fdb_key key = 0; key < 200; key++)
		kept += where(key, 2) == &all[key % 2];
	ok_eq_int(kept, 200,
		  "a million addresses of one port push out none of the others");
	ok(fdb.n == size && all[2].addresses.n == size - 200,
	   "that port has what room there was");
	ok(where(1u << 24 | 999999, 2) == &all[2], "for its newest");
	ok_whole("a million");
	for (fdb_key key = 1000; key < 1500; key++)
		see(&fdb, key, &all[0], 3);
	ok(all[0].addresses.n == 334 && all[1].addresses.n == 100 &&
		   all[2].addresses.n == 566,
	   "who comes later takes from who has most, up to a third");
	fdb_forget(&fdb, &all[2]);
	ok_eq_int(fdb.n, 434, "and when that one goes, the table is free again");
	for (fdb_key key = 0; key < 566; key++)
		see(&fdb, 1u << 25 | key, &all[1], 4);
	ok(fdb.n == size && all[0].addresses.n == 334, "for whoever comes");
	ok_whole("a million gone");
	end();
}

/* Ports that bring more than there is room for, one after the other or by turns. */
static void test_greedy(uint32_t size, unsigned n, bool by_turns)
{
	uint32_t most = 0, least = size;

	begin(size, n);
	for (uint32_t i = 0; i < 5 * size * n; i++) {
		unsigned who = by_turns ? i % n : i / (5 * size);

		see(&fdb, (uint64_t)(who + 1) << 32 | i, &all[who], 1);
	}
	for (unsigned i = 0; i < n; i++) {
		most = all[i].addresses.n > most ? all[i].addresses.n : most;
		least = all[i].addresses.n < least ? all[i].addresses.n : least;
	}
	ok(most - least <= n && fdb.n == size,
	   "%u greedy ports%s, %u places: between %u and %u for each", n,
	   by_turns ? " by turns" : "", size, least, most);
	ok_whole("greedy ports");
	end();
}

static void test_size(uint32_t size)
{
	fdb_key last = 0;

	begin(size, 4);
	random_begin(size);
	for (uint32_t i = 0; i < 20 * size + 100; i++) {
		last = rnd(3 * size) * (uint64_t)0x10001;
		see(&fdb, last, &all[rnd(4)], i / 16);
	}
	ok(where(last, (20 * size + 99) / 16) && fdb.n == size,
	   "a table of %u: full, and the newest is in it", size);
	ok_whole("of any size");
	for (unsigned i = 0; i < 4; i++)
		fdb_forget(&fdb, &all[i]);
	ok(!fdb.n && is_whole(), "and then it is empty");
	end();
}

/* ---- what a look-up costs ---- */

enum key_kind { IN_A_ROW, BY_CHANCE, BY_VLAN, BY_MAKER };

static fdb_key key_number(enum key_kind kind, uint64_t i)
{
	switch (kind) {
	case IN_A_ROW:
		return 0x525400000000u + i;
	case BY_VLAN:
		return i << 48 | 0x525400123456u;
	case BY_MAKER:
		return i << 24 | 0x123456;
	default:
		return (uint64_t)rnd32() << 16 | i;
	}
}

/*
 * For a thousand factors that chance may choose, the chains of a full table. A
 * look-up of each of its addresses goes through at most the square of a chain.
 * @most, @mean: what 16 seeds (TEST_SEED) had at worst, and a half more
 */
static void test_chains(enum key_kind kind, const char *what, unsigned most,
			unsigned mean)
{
	uint32_t size = 1024;
	unsigned longest = 0;
	uint64_t worst = 0;

	random_begin(1 + kind);
	for (int i = 0; i < 1000; i++) {
		uint64_t steps = 0;

		begin(size, 1);
		fdb.factor = ((uint64_t)rnd(UINT32_MAX) << 32 | rnd(UINT32_MAX)) | 1;
		for (uint32_t k = 0; k < size; k++)
			see(&fdb, key_number(kind, k), &all[0], 1);
		for (size_t b = 0; b < n_buckets(); b++) {
			unsigned n = chain_at(b);

			longest = n > longest ? n : longest;
			steps += n * n;
		}
		worst = steps > worst ? steps : worst;
		end();
	}
	ok(longest <= most && worst <= (uint64_t)mean * size,
	   "addresses %s: whatever the factor, at most %u in a chain, %u.%u in the mean",
	   what, longest, (unsigned)(worst / size), (unsigned)(worst * 10 / size % 10));
}

/* ---- random histories, beside a table that is searched from end to end ---- */

struct model_entry {
	fdb_key key;
	struct member *member;
	uint32_t seen, moved, moves;
	uint64_t turn; /* when it last became its port's newest */
};

static struct model {
	struct model_entry entry[KEYS_MAX];
	uint32_t n, size;
	uint64_t turn;
} model;

static struct model_entry *model_find(fdb_key key)
{
	for (uint32_t i = 0; i < model.n; i++)
		if (model.entry[i].key == key)
			return &model.entry[i];
	return NULL;
}

static uint32_t model_count(const struct member *p)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < model.n; i++)
		n += model.entry[i].member == p;
	return n;
}

static struct member *model_victim(struct member *p)
{
	struct member *most = p;

	if (model_count(p) * members.n >= model.size)
		return p;
	for (struct member *q = members.first; q; q = q->next)
		if (model_count(q) > model_count(most))
			most = q;
	return most;
}

static struct model_entry *model_room(struct member *p)
{
	struct model_entry *oldest = NULL;

	if (model.n < model.size)
		return &model.entry[model.n++];
	p = model_victim(p);
	for (uint32_t i = 0; i < model.n; i++)
		if (model.entry[i].member == p &&
		    (!oldest || model.entry[i].turn < oldest->turn))
			oldest = &model.entry[i];
	return oldest;
}

static struct member *model_learn(fdb_key key, struct member *p, uint32_t now)
{
	struct model_entry *e = model_find(key);
	struct member *from;

	if (!e) {
		e = model_room(p);
		*e = (struct model_entry){ .key = key, .member = p, .seen = now };
		e->turn = ++model.turn;
		return NULL;
	}
	from = e->member;
	if (from != p) {
		e->moves = e->moved == now ? e->moves + 1 : 1;
		e->moved = now;
	}
	if (from != p || e->seen != now)
		e->turn = ++model.turn;
	e->seen = now;
	e->member = p;
	return from == p ? NULL : from;
}

/* Remove all of @p, or (NULL) all that have aged. */
static void model_remove(const struct member *p, uint32_t now)
{
	for (uint32_t i = 0; i < model.n;) {
		const struct model_entry *e = &model.entry[i];

		if (p ? e->member == p : now - e->seen > FDB_AGE_S)
			model.entry[i] = model.entry[--model.n];
		else
			i++;
	}
}

static bool is_same(fdb_key key, uint32_t now)
{
	const struct fdb_entry *e = fdb_lookup(&fdb, key, now);
	const struct model_entry *m = model_find(key);

	if (!m || now - m->seen > FDB_AGE_S)
		return !e;
	return e && e->member == m->member && e->seen == m->seen && e->moves == m->moves;
}

static void come_or_go(struct member *p)
{
	const struct member *q = members.first;

	while (q && q != p)
		q = q->next;
	if (!q) {
		join(p);
	} else if (members.n > 2) {
		leave(p);
		model_remove(p, 0);
	}
}

static struct member *some_port(void)
{
	struct member *p = members.first;

	for (unsigned i = rnd(members.n); i; i--)
		p = p->next;
	return p;
}

static bool happen(uint32_t n_keys, uint32_t *now)
{
	struct member *p = some_port(), *from;
	/* One port in six brings more than others. */
	fdb_key key = (fdb_key)rnd(4) << 48 | rnd(p == &all[5] ? n_keys : n_keys / 4);

	switch (rnd(400)) {
	case 0:
		fdb_forget(&fdb, p);
		model_remove(p, 0);
		return true;
	case 1:
		fdb_age(&fdb, *now);
		model_remove(NULL, *now);
		return true;
	case 2:
	case 3:
		come_or_go(&all[rnd(PORTS)]);
		return true;
	case 4:
		*now += rnd(FDB_AGE_S);
		return true;
	case 5:
	case 6:
	case 7:
	case 8:
		*now += 1;
		return true;
	default:
		from = see(&fdb, key, p, *now);
		return from == model_learn(key, p, *now) && is_same(key, *now);
	}
}

static void test_history(uint32_t size, uint32_t n_keys, uint64_t seed)
{
	/* The clock wraps under way. */
	uint32_t now = UINT32_MAX - 2000, wrong = 0;

	random_begin(seed);
	begin(size, PORTS);
	model = (struct model){ .size = size };
	for (unsigned i = 0; i < 50000; i++) {
		wrong += !happen(n_keys, &now);
		wrong += !is_same((fdb_key)rnd(4) << 48 | rnd(n_keys), now);
		wrong += fdb.n != model.n;
		if (i % 500 == 0)
			wrong += !is_whole();
	}
	for (fdb_key vlan = 0; vlan < 4; vlan++)
		for (fdb_key key = 0; key < n_keys; key++)
			wrong += !is_same(vlan << 48 | key, now);
	ok_eq_int(wrong, 0, "a table of %u, %u addresses, seed %u: as the rules say",
		  size, n_keys * 4, (unsigned)seed);
	end();
}

/* Seen where nobody can say whether it is: old news of it goes, fresh one stays. */
static void test_doubt(void)
{
	begin(8, 2);
	see(&fdb, 1, &all[0], 100);
	see(&fdb, 2, &all[0], 100);
	fdb_doubt(&fdb, 1, &all[1], 100);
	ok(fdb_lookup(&fdb, 1, 100),
	   "in the second in which it was seen elsewhere: stays");
	fdb_doubt(&fdb, 1, &all[0], 200);
	ok(fdb_lookup(&fdb, 1, 200), "where it is known to be: stays");
	fdb_doubt(&fdb, 3, &all[1], 200);
	fdb_doubt(&fdb, 1, &all[1], 101);
	ok(!fdb_lookup(&fdb, 1, 101), "later: goes");
	ok(fdb_lookup(&fdb, 2, 101), "another one stays");
	end();
}

int main(void)
{
	test_key();
	test_learn();
	test_moves();
	test_age(1000);
	test_age(0);
	test_age(UINT32_MAX - 100);
	test_forget();
	test_doubt();
	test_each();
	test_step();
	test_million();
	for (unsigned n = 1; n <= 5; n++) {
		test_greedy(100, n, false);
		test_greedy(100, n, true);
		test_greedy(n, n, true);
	}
	for (uint32_t size = 1; size < 10; size++)
		test_size(size);
	test_size(1000);
	test_size(16384);
	test_chains(IN_A_ROW, "in a row", 15, 3);
	test_chains(BY_CHANCE, "by chance", 15, 3);
	test_chains(BY_VLAN, "in many VLANs", 22, 10);
	test_chains(BY_MAKER, "of many makers", 15, 3);
	test_history(1, 20, 1);
	test_history(7, 40, 2);
	test_history(64, 60, 3);
	test_history(KEYS_MAX, 80, 4);
	return done();
}
