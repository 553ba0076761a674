/* SPDX-License-Identifier: MIT */
/* guard.c in small networks: loops of every shape, and what others may send. */
#include "lib/network.h"
#include "lib/packet.h"

/* ---- loops of every shape ---- */

/* Between nodes, as two letters each; those in capitals are hubs. */
struct shape {
	const char *name;
	const char *cables;
};

static const struct shape shapes[] = {
	{ "two cables", "ab ab" },
	{ "three cables", "ab ab ab" },
	{ "five cables", "ab ab ab ab ab" },
	{ "a cable to itself", "aa" },
	{ "two cables to itself", "aa aa" },
	{ "a ring of three", "ab bc ca" },
	{ "a ring of four and both its chords", "ab bc cd da ac bd" },
	{ "two rings that share a cable", "ab bc ca bd da" },
	{ "two rings that share a switch", "ab bc ca cd de ec" },
	{ "double cables in a row", "ab ab bc bc cd cd" },
	{ "a loop with a tail at each end", "ab bc bc cd" },
	{ "a bridge with two cables", "aB aB" },
	{ "a bridge with four cables", "aB aB aB aB" },
	{ "a bridge in a ring", "aB Bc ca" },
	{ "two bridges in a ring", "aB Bc cD Da" },
	{ "two bridges between three switches", "aD bD cD aE bE cE" },
	{ "a bridge in a loop, and switches off it", "aB Bc ca ad Be" },
};

static struct node *letter(char c)
{
	return &nodes[(c | 0x20) - 'a'];
}

/* Nodes with those ids, a host on each, and the cables. Return: how many loops. */
static unsigned build(const struct shape *shape, const uint64_t *ids)
{
	unsigned n = 0, n_cables = 0;
	bool is_hub[NODES] = { false };

	for (const char *c = shape->cables; *c; c++) {
		if (*c == ' ')
			continue;
		n = (unsigned)((*c | 0x20) - 'a') >= n ? (unsigned)((*c | 0x20) - 'a') + 1
						       : n;
		is_hub[(*c | 0x20) - 'a'] |= *c < 'a';
	}
	for (unsigned i = 0; i < n; i++)
		host_add(node_add(is_hub[i], ids[i]));
	for (const char *c = shape->cables; *c; c += c[2] ? 3 : 2, n_cables++)
		cable(letter(c[0]), letter(c[1]));
	return n_cables - (n - 1);
}

/* Whether one broadcast leaves all of it as it should be. */
static bool is_cut_well(unsigned loops, const char *name, unsigned seed)
{
	unsigned n = send(rnd(n_hosts), -1);
	bool settled = settle();
	unsigned most = most_copies(n), blocked = n_blocked();
	bool good = settled && most <= COPIES_MAX && blocked == loops && is_joined();

	if (!good)
		printf("# %s, seed %u: %s, %u copies, %u of %u blocked\n", name, seed,
		       settled ? "comes to rest" : "goes round for ever", most, blocked,
		       loops);
	return good;
}

/* Whether with loops cut nothing changes, however often frames are flooded. */
static bool is_lasting(void)
{
	unsigned loops = 0, after = 0;
	bool good = true;

	for (unsigned i = 0; i < n_nodes; i++)
		loops += nodes[i].loops;
	for (unsigned i = 0; i < 20; i++) {
		unsigned n;

		good &= pass_ms(400);
		n = send(rnd(n_hosts), -1);
		good &= settle() && most_copies(n) <= 1;
	}
	for (unsigned i = 0; i < n_nodes; i++)
		after += nodes[i].loops;
	return good && loops == after;
}

/* Heap's algorithm, one step of it: the next order of @ids. Return: false behind the last. */
static bool permute(uint64_t *ids, unsigned *state, unsigned n)
{
	unsigned i = 1, k;
	uint64_t id;

	while (i < n && state[i] == i)
		state[i++] = 0;
	if (i == n)
		return false;
	k = i % 2 ? state[i] : 0;
	id = ids[i];
	ids[i] = ids[k];
	ids[k] = id;
	state[i]++;
	return true;
}

/* Whoever is better than whom: one cut for each loop, and no network in two. */
static void test_shape(const struct shape *shape)
{
	uint64_t ids[NODES] = { 1, 2, 3, 4, 5, 6, 7, 8 };
	unsigned state[NODES] = { 0 }, seed = 0, cut = 0, lasting = 0, n;

	do {
		begin(++seed);
		cut += is_cut_well(build(shape, ids), shape->name, seed);
		lasting += seed > 12 || is_lasting();
		n = n_nodes;
		end();
	} while (permute(ids, state, n) || seed < 10);
	ok_eq_int(cut, seed, "%s: one broadcast, and each loop is cut once, in %u orders",
		  shape->name, seed);
	ok_eq_int(lasting, seed, "and stays cut");
}

/* Random ids and cables, with hubs between, and a host on each. Return: how many loops. */
static unsigned draw(unsigned n, unsigned extra, unsigned hubs)
{
	for (unsigned i = 0; i < n; i++)
		host_add(node_add(i >= n - hubs, rnd(1u << 30)));
	for (unsigned i = 1; i < n; i++)
		cable(&nodes[rnd(i < n - hubs ? i : n - hubs)], &nodes[i]);
	for (unsigned i = 0; i < extra; i++)
		cable(&nodes[rnd(n - hubs)], &nodes[rnd(n)]);
	return extra;
}

static void draw_any(void)
{
	unsigned n = 2 + rnd(NODES - 1);

	draw(n, 1 + rnd(5), rnd(n > 3 ? 3 : 2));
}

static unsigned loops_drawn(void)
{
	unsigned n_cables = 0;

	for (unsigned i = 0; i < n_ends; i++)
		n_cables += ends[i].peer && !ends[i].is_cut && !ends[i].is_off;
	return n_cables / 2 + 1 - n_nodes;
}

static void test_random(unsigned seeds)
{
	unsigned cut = 0, lasting = 0;

	for (unsigned seed = 1; seed <= seeds; seed++) {
		begin(seed);
		draw_any();
		cut += is_cut_well(loops_drawn(), "a random network", seed);
		lasting += is_lasting();
		end();
	}
	ok_eq_int(cut, seeds, "%u random networks: each loop is cut once", seeds);
	ok_eq_int(lasting, seeds, "and stays cut");
}

/* A loop that comes while all is quiet, but for the probes of one who is not part of it. */
static void test_probes_alone(void)
{
	struct node *a, *b, *c;

	begin(1);
	a = node_add(false, 1);
	b = node_add(false, 2);
	c = node_add(false, 3);
	host_add(a);
	host_add(c);
	cable(a, b);
	cable(a, b);
	cable(b, c);
	send(0, -1);
	ok(settle() && n_blocked() == 1 && pass_ms(5000), "one has a loop, and probes");
	cable(b, c);
	cable(b, c);
	ok(pass_ms(5000), "its probes do not go round in a new loop elsewhere");
	ok(n_blocked() == 3 && is_joined(), "which is cut by who is part of it");
	probes_seen = 0;
	pass_ms(10000);
	ok(probes_seen < 1000, "and %u probes in ten seconds are not many", probes_seen);
	end();
}

/* Cables that join two of whom one has just looked, and nobody is told. */
static void test_unseen(unsigned cables, bool is_lower, unsigned after_ms)
{
	struct node *a, *b;
	struct end *e[4];
	unsigned n;

	begin(cables);
	a = node_add(false, 10);
	b = node_add(false, is_lower ? 5 : 20);
	host_add(a);
	host_add(b);
	for (unsigned i = 0; i < cables; i++) {
		e[i] = cable(a, b);
		e[i]->is_cut = e[i]->peer->is_cut = i > 0;
	}
	send(0, -1);
	settle();
	clock_us += after_ms * 1000;
	for (unsigned i = 1; i < cables; i++)
		e[i]->is_cut = e[i]->peer->is_cut = false;
	n = send(0, -1);
	/* Where all copies end before all loops are cut, the next flood cuts the rest. */
	ok(settle() && n_blocked() > 0, "%u cables unseen: the first flood ends", cables);
	for (int more = 0; more < 2 && n_blocked() < cables - 1; more++) {
		send(0, -1);
		settle();
	}
	ok(n_blocked() == cables - 1,
	   "%u cables unseen, %u ms after a probe of a %s: cut", cables, after_ms,
	   is_lower ? "worse" : "better");
	ok(most_copies(n) <= COPIES_MAX, "after %u copies", most_copies(n));
	end();
}

/* Cables that come up: whoever sees that looks before the next flood. */
static void test_seen(void)
{
	struct node *a, *b;
	struct end *e;
	unsigned n;

	begin(1);
	a = node_add(false, 10);
	b = node_add(false, 20);
	host_add(a);
	host_add(b);
	cable(a, b);
	e = cable(a, b);
	break_cable(e, true, true);
	send(0, -1);
	settle();
	pass_ms(50);
	break_cable(e, true, false);
	n = send(1, -1);
	ok(settle() && n_blocked() == 1, "a cable that comes up: cut");
	ok(most_copies(n) <= 6, "after %u copies", most_copies(n));
	end();
}

/* A cable between two places of one network, where nothing is sent to all. */
static void test_cable_of_one(void)
{
	struct node *a, *hub;

	begin(1);
	a = node_add(false, 10);
	hub = node_add(true, 0);
	host_add(hub);
	host_add(hub);
	cable(a, hub);
	cable(a, hub);
	send(0, 77);
	ok(settle() && n_blocked() == 1, "what only goes through may go round, too: cut");
	ok(most_copies(number) <= 3, "after %u copies", most_copies(number));
	pass_ms(1000);
	probes_seen = 0;
	for (int i = 0; i < 1000; i++) {
		send(0, 77);
		settle();
	}
	ok(probes_seen < 100, "and with %u probes for a thousand frames", probes_seen);
	end();
}

/* ---- loops that end ---- */

static unsigned group_of(const unsigned *group, unsigned i)
{
	return group[i] == i ? i : group_of(group, group[i]);
}

/* Whether the cables that are left reach every node. */
static bool is_connected(void)
{
	unsigned group[NODES], n = n_nodes;

	for (unsigned i = 0; i < n_nodes; i++)
		group[i] = i;
	for (unsigned i = 0; i < n_ends; i++) {
		const struct end *e = &ends[i];
		unsigned a, b;

		if (!e->peer || e->is_cut || e->is_off)
			continue;
		a = group_of(group, (unsigned)(e->node - nodes));
		b = group_of(group, (unsigned)(e->peer->node - nodes));
		n -= a != b;
		group[a] = b;
	}
	return n == 1;
}

static struct end *some_cable(void)
{
	struct end *e;

	do {
		e = &ends[rnd(n_ends)];
	} while (!e->peer);
	return e;
}

/* Frames now and then for so long; some may come twice, but none goes round for ever. */
static bool is_calm_for(unsigned ms)
{
	bool good = true;

	for (unsigned passed = 0; passed < ms; passed += 500) {
		unsigned n;

		good &= pass_ms(500);
		n = send(rnd(n_hosts), -1);
		good &= settle() && most_copies(n) <= COPIES_MAX;
	}
	return good;
}

static void test_heals(unsigned seeds, bool is_told)
{
	unsigned healed = 0, back = 0, tried = 0, balanced = 0;

	for (unsigned seed = 1; seed <= seeds; seed++) {
		struct end *e;
		int told = 0;

		begin(seed);
		draw_any();
		send(0, -1);
		settle();
		pass_ms(2000);
		e = some_cable();
		break_cable(e, is_told, true);
		if (is_connected()) {
			tried++;
			healed += is_calm_for(5000) && is_joined() &&
				  n_blocked() == loops_drawn();
			break_cable(e, is_told, false);
			back += is_calm_for(2000) && is_joined() &&
				n_blocked() == loops_drawn();
			for (unsigned i = 0; i < n_nodes; i++)
				told += nodes[i].told;
			balanced += is_told || told == (int)n_blocked();
		}
		end();
	}
	ok(tried > seeds / 3 && healed == tried,
	   "%u networks lose a cable, %s: all joined again within 5 s", tried,
	   is_told ? "and ports see it" : "unseen");
	ok_eq_int(back, tried, "the cable returns: its loop is cut again");
	ok_eq_int(balanced, tried, "and what was told of loops is what there is");
}

/* Of three cables, @down goes: what was blocked for it is not, any more. */
static void test_at_once(unsigned down)
{
	struct end *e[3];
	struct node *a, *b;

	begin(down);
	a = node_add(false, 1);
	b = node_add(false, 2);
	host_add(a);
	host_add(b);
	for (int i = 0; i < 3; i++)
		e[i] = cable(a, b);
	send(0, -1);
	settle();
	ok(!e[0]->fake.member.is_blocked && e[1]->fake.member.is_blocked &&
		   e[2]->fake.member.is_blocked,
	   "of three cables the oldest stays");
	set_off(e[down], true);
	e[down]->peer->is_cut = true;
	send(0, -1);
	ok(settle() && copies[number][1], "cable %u goes: both are joined at once", down);
	ok(is_joined() && n_blocked() == 1 && a->told == (down ? 2 : 1),
	   "with one of two blocked");
	end();
}

static unsigned seconds_to_open(struct end *e)
{
	unsigned n = 0;

	for (; e->fake.member.is_blocked && n < 100; n++) {
		pass_ms(1000);
		send(0, -1);
		settle();
	}
	return n;
}

/* A loop that comes and goes is believed to be gone later each time. */
static void test_backs_off(void)
{
	static const unsigned want[] = { 3, 6, 12, 24, 48, 60, 60 };
	struct node *a;
	struct end *e;
	unsigned wrong = 0;

	begin(1);
	a = node_add(false, 1);
	host_add(a);
	host_add(a);
	e = cable(a, node_add(true, 0));
	cable(a, e->peer->node);
	for (size_t i = 0; i < ARRAY_SIZE(want); i++) {
		unsigned s;

		e->is_cut = e->peer->is_cut = false;
		send(0, -1);
		settle();
		e->is_cut = e->peer->is_cut = true;
		s = seconds_to_open(&e[2]);
		if (s < want[i] || s > want[i] + 1)
			printf("# %zu: after %u s\n", i, s);
		wrong += s < want[i] || s > want[i] + 1;
	}
	ok_eq_int(wrong, 0,
		  "a loop that comes and goes is waited for twice as long each time");
	pass_ms(61000);
	e->is_cut = e->peer->is_cut = false;
	send(0, -1);
	settle();
	ok_eq_int(e[2].fake.member.guard.quiet, 3000,
		  "after a minute without it, as at first");
	end();
}

/* ---- loops that are seen otherwise ---- */

/* Beyond a single port, frames go round. It is no use to it, until they do not. */
static void test_echo(void)
{
	struct node *a, *hub;
	struct end *e, *loop_end;
	uint64_t start;

	begin(2);
	a = node_add(false, 1);
	hub = node_add(true, 0);
	host_add(a);
	host_add(a);
	e = cable(a, hub);
	loop_end = cable(hub, hub);
	start = clock_us;
	send(0, -1);
	while (!e->fake.member.is_blocked && clock_us - start < 3000000) {
		settle();
		clock_us += 4000;
	}
	ok(e->fake.member.is_blocked && e->fake.member.guard.against == &e->fake.member,
	   "a loop behind one port: that one is blocked");
	ok(clock_us - start >= 600000, "after %u ms, when it has shown three times",
	   (unsigned)(clock_us - start) / 1000);
	loop_end->is_cut = loop_end->peer->is_cut = true;
	settle();
	ok(seconds_to_open(e) <= 4 && a->told == 0, "the loop is gone: not any more");
	ok(is_joined(), "and all are joined");
	end();
}

/* Where no probe passes, a loop is held, and nobody is blocked. */
static void test_held(void)
{
	struct node *a, *hub;
	unsigned most = 0, lost = 0;

	begin(1);
	a = node_add(false, 1);
	hub = node_add(true, 0);
	host_add(a);
	host_add(a);
	cable(a, hub)->takes_no_probes = true;
	cable(a, hub)->takes_no_probes = true;
	for (int i = 0; i < 20; i++) {
		unsigned n = send(0, -1);

		lost += !settle() || !copies[n][1];
		most = most_copies(n) > most ? most_copies(n) : most;
		pass_ms(300);
	}
	ok(!lost && !n_blocked(), "a loop that passes no probes: nobody is blocked");
	ok(most <= 30, "but a frame goes round no more than %u times", most);
	end();
}

/* Of a guest's port and one that others share, the guest's yields, older or not. */
static void test_yields(void)
{
	struct node *a, *hub;
	struct end *e;

	begin(1);
	a = node_add(false, 1);
	hub = node_add(true, 0);
	host_add(a);
	e = cable(a, hub);
	cable(a, hub)->fake.port.takes_super = true;
	send(0, -1);
	ok(settle() && e->fake.member.is_blocked && n_blocked() == 1,
	   "a guest who closes a loop is cut off, though others came later");
	end();
}

/* A bridge that takes no frames without a tag. */
static void test_vlan(void)
{
	struct node *a, *hub;
	struct end *e, *other;
	unsigned n;

	begin(1);
	a = node_add(false, 1);
	hub = node_add(true, 0);
	host_add(a);
	host_add(a);
	e = cable(a, hub);
	other = cable(a, hub);
	e->takes_only_tagged = other->takes_only_tagged = true;
	n = send(0, -1);
	ok(settle() && copies[n][1] == 1, "in no VLAN there is no loop");
	n = send_in(0, -1, 7);
	ok(settle() && other->fake.member.is_blocked && n_blocked() == 1,
	   "in one there is, and it is cut");
	ok(most_copies(n) <= 100, "after %u copies", most_copies(n));
	pass_ms(8000);
	ok(n_blocked() == 1 && a->loops == 1, "for as long as it is there");
	e->is_cut = e->peer->is_cut = true;
	pass_ms(4500);
	ok(!n_blocked() && !a->told, "and not longer");
	end();
}

/* What is behind a port that many share, for nobody can say what it is. */
static void test_shared_echo(void)
{
	struct node *a, *hub;
	struct end *e, *loop_end;
	uint64_t start, rx;
	unsigned n;

	begin(2);
	a = node_add(false, 1);
	hub = node_add(true, 0);
	host_add(a);
	host_add(a);
	e = cable(a, hub);
	e->fake.port.takes_super = true;
	loop_end = cable(hub, hub);
	start = clock_us;
	n = send(0, -1);
	while (!e->fake.member.guard.is_limited && clock_us - start < 3000000) {
		settle();
		clock_us += 4000;
	}
	ok(e->fake.member.guard.is_limited && !n_blocked() && a->told == 1,
	   "a loop behind a shared port: it is told of and limited, not blocked");
	clock_us += 1000000 - clock_us % 1000000;
	copies[n % NUMBERS][1] = 0;
	rx = e->fake.port.count.rx_frames;
	while (e->fake.port.count.rx_frames - rx < 20000)
		settle();
	ok(copies[n % NUMBERS][1] <= 2100, "of twenty thousand copies %u pass",
	   copies[n % NUMBERS][1]);
	n = send(1, 0);
	settle();
	ok(copies[n % NUMBERS][0] == 1, "and no address is thought to be there for them");
	loop_end->is_cut = loop_end->peer->is_cut = true;
	settle();
	pass_ms(5000);
	ok(!e->fake.member.guard.is_limited && a->told == 0,
	   "the loop is gone: not any more");
	ok(is_joined(), "and all are joined");
	end();
}

/* ---- what others may send ---- */

static struct node *one;

/* A switch with the id 100 and three hosts, which have each had a probe. */
static void begin_one(void)
{
	begin(1);
	one = node_add(false, 100);
	for (int i = 0; i < 3; i++)
		host_add(one);
	send(0, -1);
	settle();
	probes_seen = 0;
}

static enum guard_verdict take(unsigned at, const uint8_t *data, uint32_t len)
{
	uint8_t *copy = packet_copy(data, len);
	struct frame f = { .data = copy, .len = len };
	enum guard_verdict v;

	v = guard_take(&one->sw.guard, &ends[at].fake.member, &f, clock_us / 1000);
	deliver_flush(&one->fwd);
	free(copy);
	return v;
}

static void test_no_probes(void)
{
	uint8_t data[FRAME_BYTES + 4];
	unsigned probes = 0;

	begin_one();
	memcpy(data, ends[1].fake.member.guard.probe, FRAME_BYTES);
	for (uint32_t len = FRAME_HEADER; len < FRAME_BYTES; len++)
		probes += take(2, data, len) != GUARD_NO_PROBE;
	for (unsigned i = 12; i < 24; i++) {
		data[i] ^= 1;
		probes += take(2, data, FRAME_BYTES) != GUARD_NO_PROBE;
		data[i] ^= 1;
	}
	ok_eq_int(probes, 0, "what is short, or of another type or version, is no probe");
	ok_eq_int(n_blocked(), 0, "and does nothing");
	ok(take(2, data, sizeof(data)) == GUARD_ENDS && n_blocked() == 1,
	   "but the one it was made from would have");
	end();
}

static void test_feigned(void)
{
	uint8_t data[FRAME_BYTES];
	unsigned ended = 0, old = 0;

	begin_one();
	memcpy(data, ends[1].fake.member.guard.probe, FRAME_BYTES);
	for (unsigned bit = 32 * 8; bit < 48 * 8; bit++) {
		data[bit / 8] ^= (uint8_t)(1u << bit % 8);
		ended += take(2, data, FRAME_BYTES) == GUARD_ENDS;
		data[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	ok(ended == 128 && !n_blocked(), "one with any bit of it changed does nothing");
	/* The guest at port 1 has only its own, and says that it is port 3's. */
	put_be32(data + 36, ends[2].fake.member.id);
	take(1, data, FRAME_BYTES);
	ok(!n_blocked() && !probes_seen, "nor does one in another port's name");
	memcpy(data, ends[1].fake.member.guard.probe, FRAME_BYTES);
	clock_us += 1504000;
	old += take(2, data, FRAME_BYTES) == GUARD_ENDS && !n_blocked();
	clock_us -= 1504000;
	one->sw.guard.round--;
	old += take(2, data, FRAME_BYTES) == GUARD_ENDS && !n_blocked();
	one->sw.guard.round++;
	ok_eq_int(old, 2, "nor one of old, or of a round that has not been");
	clock_us += 1496000;
	take(2, data, FRAME_BYTES);
	ok_eq_int(n_blocked(), 1, "up to its time it would");
	end();
}

/* A guest plays back its own port's probe: it may shut out itself, but not by one. */
static void test_played_back(void)
{
	uint8_t data[FRAME_BYTES];

	begin_one();
	memcpy(data, ends[1].fake.member.guard.probe, FRAME_BYTES);
	for (int i = 0; i < 5000; i++, clock_us += 1000)
		take(1, data, FRAME_BYTES);
	ok_eq_int(n_blocked(), 0, "played back for ever, one probe does nothing");
	for (int i = 0; i < 5; i++) {
		send(0, -1);
		settle();
		take(1, ends[1].fake.member.guard.probe, FRAME_BYTES);
		clock_us += 2000000;
	}
	ok_eq_int(n_blocked(), 0,
		  "nor do more, now and then, as while others cut a loop");
	for (int i = 0; i < 3; i++) {
		send(0, -1);
		settle();
		take(1, ends[1].fake.member.guard.probe, FRAME_BYTES);
		clock_us += 1000000;
	}
	ok(n_blocked() == 1 && ends[1].fake.member.is_blocked,
	   "again and again they block the port they were for, and no other");
	pass_ms(4000);
	ok_eq_int(n_blocked(), 0, "until that has ended");
	end();
}

/* The same of other relays' probes, which are for all. */
static void test_sent_back(void)
{
	uint8_t data[FRAME_BYTES];

	begin_one();
	memcpy(data, ends[1].fake.member.guard.probe, FRAME_BYTES);
	memset(data + 24, 0, 8);
	for (unsigned i = 0; i < 3; i++, clock_us += 400000) {
		put_be32(data + 32, i);
		take(0, data, FRAME_BYTES);
		for (int k = 0; k < 100; k++, clock_us += 1000)
			take(2, data, FRAME_BYTES);
	}
	ok(n_blocked() == 1 && ends[2].fake.member.is_blocked,
	   "who sends back another relay's probes is blocked himself");
	ok_eq_int(ends[2].fake.port.count.tx_frames - ends[1].fake.port.count.tx_frames,
		  0, "and passes none of them");
	end();
}

static void test_others(void)
{
	uint8_t data[FRAME_BYTES];
	unsigned passed = 0;

	begin_one();
	memcpy(data, ends[1].fake.member.guard.probe, FRAME_BYTES);
	clock_us += 50000;
	memset(data + 24, 0xff, 8);
	ok(take(1, data, FRAME_BYTES) == GUARD_ENDS && !probes_seen,
	   "a worse one's probe ends, and is not answered soon after the last ones");
	clock_us += 50000;
	for (int i = 0; i < 99; i++, clock_us += 1000)
		take(1, data, FRAME_BYTES);
	ok_eq_int(probes_seen, 3, "but after 100 ms, from every port, and only once");
	take(1, data, FRAME_BYTES);
	clock_us += 1000;
	take(1, data, FRAME_BYTES);
	ok_eq_int(probes_seen, 6, "and then again");
	clock_us += 900000 - clock_us % 1000000;
	memset(data + 24, 0, 8);
	ok_eq_int(take(1, data, FRAME_BYTES), GUARD_PASSES, "a better one's passes");
	ok_eq_int(take(1, data, FRAME_BYTES), GUARD_ENDS, "but the same one only once");
	ends[1].fake.member.is_blocked = true;
	data[32]++;
	ok_eq_int(take(1, data, FRAME_BYTES), GUARD_ENDS, "nor at a blocked port");
	ends[1].fake.member.is_blocked = false;
	clock_us += 1000000;
	for (uint32_t i = 0; i < 5000; i++) {
		put_be32(data + 32, i);
		passed += take(1, data, FRAME_BYTES) == GUARD_PASSES;
	}
	ok_eq_int(passed, 200, "nor more than relays would send");
	ok_eq_int(take(2, data, FRAME_BYTES), GUARD_PASSES, "by one port");
	clock_us += 1000000;
	data[32]++;
	ok_eq_int(take(1, data, FRAME_BYTES), GUARD_PASSES, "in one second");
	end();
}

/* Ports that come up: each is asked for itself, and not all others with it. */
static void test_come_up(void)
{
	unsigned asked = 0;

	begin(2);
	one = node_add(false, 100);
	host_add(one);
	host_add(one);
	send(0, -1);
	settle();
	clock_us += 4000;
	probes_seen = 0;
	for (int i = 0; i < 20; i++) {
		struct end *e = host_add(one);

		send(0, -1);
		settle();
		asked += guard_is_probe(e->fake.member.guard.probe);
	}
	ok_eq_int(asked, 20,
		  "of ports that come up each is asked, ahead of the next flood");
	ok_eq_int(probes_seen, 20, "and no other");
	end();
}

static void test_busy(void)
{
	uint32_t round;

	begin_one();
	round = one->sw.guard.round;
	for (int i = 0; i < 1000000; i++)
		guard_flood(&one->sw.guard, 1, clock_us / 1000);
	deliver_flush(&one->fwd);
	ok(one->sw.guard.round - round < 20, "a million floods in a second: %u rounds",
	   one->sw.guard.round - round);
	end();
}

int main(void)
{
	network_init();
	for (size_t i = 0; i < ARRAY_SIZE(shapes); i++)
		test_shape(&shapes[i]);
	test_random(600);
	test_probes_alone();
	for (unsigned i = 0; i < 12; i++) {
		test_unseen(2 + i % 3, i % 2, i / 3 * 5);
		test_unseen(2 + i % 3, i % 2, i / 3 * 60);
	}
	test_seen();
	test_cable_of_one();
	test_heals(300, true);
	test_heals(300, false);
	for (unsigned down = 0; down < 3; down++)
		test_at_once(down);
	test_backs_off();
	test_echo();
	test_yields();
	test_held();
	test_vlan();
	test_shared_echo();
	test_no_probes();
	test_feigned();
	test_played_back();
	test_sent_back();
	test_others();
	test_come_up();
	test_busy();
	loop_free(&loop);
	return done();
}
