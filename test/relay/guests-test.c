/* SPDX-License-Identifier: MIT */
/*
 * guard.c among guests who send back, play back, feign and copy, at every place of
 * small networks: nobody but themselves may be blocked for it, and what others send
 * arrives; and where there is a loop, it is cut all the same.
 */
#include "frame/headers.h"
#include "lib/network.h"

#define KEPT 64
#define LIMITED_MAX 2100 /* a limited port's in two seconds, and what was under way */

enum habit {
	SENDS_BACK_PROBES, /* at once */
	SENDS_BACK_OTHERS, /* of other relays than the one he is at */
	PLAYS_BACK,	   /* any that he ever got, all the time */
	PLAYS_BACK_ONE,	   /* every half second, for ever */
	PLAYS_BACK_TAGGED, /* at once, with a tag */
	FEIGNS_PROBES,	   /* of relays that he knows, and of those that there are not */
	SENDS_BACK_ALL,	   /* that goes to everybody */
	SPOOFS,		   /* others' addresses, 250 times a second */
	COPIES_LATE,	   /* what others sent to everybody, some ms later, and twice */
	HABITS,
};

static const char *const habit_names[] = {
	[SENDS_BACK_PROBES] = "sends probes back",
	[SENDS_BACK_OTHERS] = "sends back what other relays ask",
	[PLAYS_BACK] = "plays back old probes",
	[PLAYS_BACK_ONE] = "plays back one probe",
	[PLAYS_BACK_TAGGED] = "tags probes and sends them back",
	[FEIGNS_PROBES] = "feigns probes",
	[SENDS_BACK_ALL] = "sends back all",
	[SPOOFS] = "spoofs",
	[COPIES_LATE] = "copies others' frames",
};

/* Those who do it, all in one way. */
static enum habit habit;
static uint64_t bad; /* bits, by host */

/* What each has got; they do not know of one another. */
static struct {
	uint8_t frame[KEPT][FRAME_MOST];
	unsigned n;
	uint64_t played;
} kept[PORTS];

static bool is_bad(const struct end *e)
{
	return e->host >= 0 && bad >> e->host & 1;
}

/* Address by address, habits of probes leave frames alone. */
static bool is_of_probes(void)
{
	return habit < SENDS_BACK_ALL;
}

static bool is_of_own_relay(const struct end *e, const uint8_t *frame)
{
	return !e->node->is_hub && get_be32(frame + 28) == (uint32_t)e->node->sw.guard.id;
}

static void keep(const struct end *e, const uint8_t *frame)
{
	unsigned *n = &kept[e->host].n, i = *n < KEPT ? (*n)++ : rnd(KEPT);

	if (habit == PLAYS_BACK_ONE && i)
		*n = 1;
	else
		memcpy(kept[e->host].frame[i], frame, FRAME_BYTES);
}

static const uint8_t *some_kept(const struct end *e)
{
	return kept[e->host].frame[rnd(kept[e->host].n)];
}

static void send_tagged(struct end *e, const uint8_t *frame)
{
	uint8_t tagged[FRAME_MOST];

	memcpy(tagged, frame, 12);
	put_be32(tagged + 12, (uint32_t)TYPE_VLAN << 16 | 5);
	memcpy(tagged + 16, frame + 12, FRAME_BYTES - 12);
	push(e, tagged);
}

static void hears_probe(struct end *e, const uint8_t *frame)
{
	if (is_tagged(frame))
		return;
	if (habit == PLAYS_BACK_TAGGED)
		send_tagged(e, frame);
	if (habit == SENDS_BACK_PROBES || habit == SENDS_BACK_ALL ||
	    (habit == SENDS_BACK_OTHERS && !is_of_own_relay(e, frame)))
		push(e, frame);
	else if (!is_of_own_relay(e, frame) || habit == FEIGNS_PROBES)
		keep(e, frame);
}

static void hears(struct end *e, const uint8_t *frame)
{
	if (!is_bad(e))
		return;
	if (guard_is_probe(frame))
		hears_probe(e, frame);
	else if (habit == SENDS_BACK_ALL && frame[0] == 0xff)
		push(e, frame);
	else if (habit == COPIES_LATE && frame[0] == 0xff)
		keep(e, frame);
}

static void feign(struct end *e)
{
	uint8_t frame[FRAME_MOST];

	memcpy(frame, some_kept(e), sizeof(frame));
	if (rnd(2))
		put_be32(frame + 28, rnd(16));
	put_be32(frame + 32, (uint32_t)(clock_us / 1000) + rnd(3) - 1);
	put_be32(frame + 36, 1 + rnd(4));
	if (rnd(2))
		put_be32(frame + 40, rnd(1u << 30));
	push(e, frame);
}

static void does_by_itself(struct end *e)
{
	uint8_t frame[FRAME_MOST];

	switch (habit) {
	case SPOOFS:
		make(frame, rnd(n_hosts), -1, 0);
		push(e, frame);
		break;
	case FEIGNS_PROBES:
		if (kept[e->host].n)
			feign(e);
		break;
	case PLAYS_BACK:
	case COPIES_LATE:
		for (int i = 0; i < 2 && kept[e->host].n; i++)
			push(e, some_kept(e));
		break;
	case PLAYS_BACK_ONE:
		if (kept[e->host].n && clock_us - kept[e->host].played >= 500000) {
			push(e, kept[e->host].frame[0]);
			kept[e->host].played = clock_us;
		}
		break;
	default:
		break;
	}
}

static void all_do(void)
{
	for (unsigned i = 0; i < n_ends; i++) {
		if (!is_bad(&ends[i]))
			continue;
		does_by_itself(&ends[i]);
		if (habit == COPIES_LATE)
			kept[ends[i].host].n = 0;
	}
}

/* ---- networks ---- */

/*
 * As in guard-test.c, letters of hubs in capitals; those in @passing are only on the
 * way, and have no hosts: with two cables they are cables themselves.
 */
struct shape {
	const char *name;
	const char *cables;
	const char *passing;
};

static const struct shape trees[] = {
	{ "one switch", "", "" },
	{ "two switches", "ab", "" },
	{ "three in a row", "ab bc", "" },
	{ "four in a star", "ab ac ad", "" },
	{ "a switch at a bridge", "aB", "" },
	{ "two switches at a bridge", "aB Bc", "" },
	{ "a bridge behind two switches", "ab bC", "" },
	{ "two bridges joined by cables", "Ab bc cD", "bc" },
	{ "two switches on bridges joined by cables", "aB Bc cd dE Ef", "cd" },
	{ "a cable to a switch", "ab bC", "b" },
};

static const struct shape looped[] = {
	{ "two cables", "ab ab", "" },
	{ "a ring of three", "ab bc ca", "" },
	{ "two cables to a bridge", "aB aB", "" },
	{ "a bridge in a ring", "aB Bc ca", "" },
	{ "two cables between two bridges", "Ab bC Ad dC", "bd" },
	{ "a loop with a tail at each end", "ab bc bc cd", "" },
};

static struct node *letter(char c)
{
	return &nodes[(c | 0x20) - 'a'];
}

/* A trunk, or somebody dials and the other end accepts. */
static void join(struct node *a, struct node *b, bool is_trunk)
{
	struct end *e = cable(a, b);

	e->fake.port.takes_super = true;
	e->peer->fake.port.takes_super = is_trunk || a->is_hub || b->is_hub;
}

/* Two hosts at each, if any; the one after them, at @place, is bad. */
static void build(const struct shape *shape, unsigned place, bool is_trunk)
{
	unsigned n = 1;
	bool is_hub[NODES] = { false };

	for (const char *c = shape->cables; *c; c++) {
		unsigned i = (unsigned)((*c | 0x20) - 'a');

		if (*c == ' ')
			continue;
		n = i >= n ? i + 1 : n;
		is_hub[i] |= *c < 'a';
	}
	for (unsigned i = 0; i < n; i++)
		node_add(is_hub[i], 1 + rnd(1u << 20));
	/* What people set up is there before guests come. Sometimes. */
	for (unsigned pass = 0, first = rnd(2); pass < 2; pass++) {
		for (unsigned i = 0; pass == first && i < n; i++)
			for (int k = 0; k < 2 && !strchr(shape->passing, (int)('a' + i));
			     k++)
				host_add(&nodes[i]);
		for (const char *c = shape->cables; pass != first && *c;
		     c += c[2] ? 3 : 2)
			join(letter(c[0]), letter(c[1]), is_trunk);
	}
	bad = 1u << n_hosts;
	host_add(&nodes[place]);
}

static void begin_bad(enum habit what, uint64_t seed)
{
	begin(seed);
	habit = what;
	bad = 0;
	memset(kept, 0, sizeof(kept));
	heard_by_host = hears;
	every_4_ms = all_do;
}

/* ---- what must hold ---- */

static unsigned wrongly_blocked(void)
{
	unsigned n = 0;

	for (unsigned i = 0; i < n_ends; i++)
		n += ends[i].fake.member.is_blocked && !is_bad(&ends[i]);
	return n;
}

/* Whether what one host sends to all comes to all others that are not bad, once if it must. */
static bool reaches_all(unsigned from)
{
	unsigned n = send(from, -1);
	bool good = settle();

	for (unsigned k = 0; k < n_hosts; k++) {
		unsigned came = copies[n % NUMBERS][k];

		if (k == from || bad >> k & 1)
			continue;
		good &= is_of_probes() ? came == 1 : came >= 1 && came <= LIMITED_MAX;
	}
	return good;
}

/* Whether what it sends to another, who has just spoken, comes there, once. */
static bool reaches_one(unsigned from, unsigned to)
{
	unsigned n;

	send(to, -1);
	settle();
	n = send(from, (int)to);
	return settle() && copies[n % NUMBERS][to] == 1;
}

static unsigned some_host(void)
{
	unsigned n;

	do {
		n = rnd(n_hosts);
	} while (bad >> n & 1);
	return n;
}

/* Seconds of talk. Return: what went wrong. */
static unsigned talk(unsigned seconds, unsigned loops)
{
	unsigned wrong = 0;

	for (unsigned i = 0; i < seconds * 2; i++) {
		unsigned a = some_host(), b = some_host();

		wrong += !pass_ms(500);
		wrong += !reaches_all(a);
		if (is_of_probes() && a != b)
			wrong += !reaches_one(a, b);
		wrong += wrongly_blocked() != loops;
	}
	return wrong;
}

static unsigned nodes_in(const struct shape *shape)
{
	unsigned n = 1;

	for (const char *c = shape->cables; *c; c++)
		if (*c != ' ' && (unsigned)((*c | 0x20) - 'a') >= n)
			n = (unsigned)((*c | 0x20) - 'a') + 1;
	return n;
}

static bool is_place(const struct shape *shape, unsigned i)
{
	return !strchr(shape->passing, (int)('a' + i));
}

/* ---- a loop, and somebody like that beside it ---- */

static unsigned loops_in(const struct shape *shape)
{
	return ((unsigned)strlen(shape->cables) + 1) / 3 + 1 - nodes_in(shape);
}

static bool is_cut_within_a_second(unsigned loops)
{
	uint64_t start = clock_us;
	unsigned n = send(some_host(), -1), most = 0;

	while (clock_us - start < 1000000 && wrongly_blocked() < loops)
		settle();
	settle();
	for (unsigned k = 0; k < n_hosts; k++)
		if (!(bad >> k & 1) && copies[n % NUMBERS][k] > most)
			most = copies[n % NUMBERS][k];
	if (wrongly_blocked() != loops || most > 100)
		printf("# %u of %u blocked, %u copies\n", wrongly_blocked(), loops, most);
	return wrongly_blocked() == loops && most <= 100;
}

/* Return: how much went wrong with somebody bad at @place. */
static unsigned faults_at(const struct shape *shape, enum habit what, unsigned place,
			  unsigned seed)
{
	unsigned loops = loops_in(shape), n = 0;

	begin_bad(what, seed * 100 + place);
	build(shape, place, seed % 2);
	if (loops)
		n = !is_cut_within_a_second(loops);
	n += talk(loops ? 6 : 8, loops);
	if (n)
		printf("# at %u, seed %u: %u wrong, %u blocked\n", place, seed, n,
		       wrongly_blocked());
	end();
	return n;
}

static void test_shape(const struct shape *shape, enum habit what)
{
	unsigned wrong = 0, runs = 0;

	for (unsigned place = 0; place < nodes_in(shape); place++)
		for (unsigned seed = 1; is_place(shape, place) && seed <= 4; seed++) {
			wrong += faults_at(shape, what, place, seed);
			runs++;
		}
	ok_eq_int(wrong, 0, "%s, and one who %s: %s (%u runs)", shape->name,
		  habit_names[what],
		  loops_in(shape) ? "cut, and stays so"
				  : "nobody else is the worse for it",
		  runs);
}

/* ---- whatever chance draws ---- */

static void draw_tree(void)
{
	unsigned n = 1 + rnd(NODES - 1), hubs = n > 2 ? rnd(n / 2 + 1) : 0;

	for (unsigned i = 0; i < n; i++) {
		node_add(i >= n - hubs, rnd(1u << 30));
		host_add(&nodes[i]);
	}
	for (unsigned i = 1; i < n; i++)
		join(&nodes[rnd(i < n - hubs ? i : n - hubs)], &nodes[i], rnd(2));
	/* Of two at one bridge each would have what the other sends back. */
	for (unsigned i = 0, most = 1 + rnd(2); i < most; i++) {
		bad |= 1u << n_hosts;
		host_add(&nodes[rnd(i ? n - hubs : n)]);
	}
}

static void test_random(unsigned seeds)
{
	unsigned wrong = 0;

	for (unsigned seed = 1; seed <= seeds; seed++) {
		unsigned n;

		begin_bad(seed % HABITS, seed);
		draw_tree();
		n = n_hosts > 2 ? talk(5, 0) : 0;
		if (n)
			printf("# seed %u, one who %s: %u wrong\n", seed,
			       habit_names[habit], n);
		wrong += n;
		end();
	}
	ok_eq_int(wrong, 0, "%u networks by chance, and one or two of any kind", seeds);
}

int main(void)
{
	network_init();
	for (enum habit what = 0; what < HABITS; what++) {
		for (size_t i = 0; i < ARRAY_SIZE(trees); i++)
			test_shape(&trees[i], what);
		for (size_t i = 0; i < ARRAY_SIZE(looped); i++)
			test_shape(&looped[i], what);
	}
	test_random(500);
	loop_free(&loop);
	return done();
}
