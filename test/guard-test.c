/* SPDX-License-Identifier: MIT */
/*
 * guard.c in small networks: switches, and hubs that know nothing of loops, as
 * bridges without STP. A cable takes what one port sends to where another one
 * receives, several frames at a time, in any order between cables, and 20 us of
 * a clock that is the test's own: clock_gettime() is replaced, and timers are
 * run when they are due by it.
 *
 *   host --- switch === switch --- host       and whatever else chance draws
 *              |          |
 *   host ---- hub ------ switch --- host
 */
#include "guard.h"

#include <fcntl.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "packet.h"
#include "route.h"
#include "switching.h"
#include "tap.h"

#define NODES 8
#define PORTS 64
#define RX_MAX 200
#define FRAME_BYTES 60
#define NUMBERS 4096
#define STEP_US 20
#define STEPS_MAX 20000 /* of one flood, before it is called endless */
#define COPIES_MAX 1000

/* @told: loops less those that are gone */
struct node {
	struct forward fwd;
	struct switching sw;
	bool is_hub;
	int told;
	unsigned loops;
	unsigned last_id;
};

/*
 * @peer:  at the other end of its cable; NULL: a host is there, or nobody
 * @host:  its number; else -1
 * @is_cut: what is sent is lost, and nobody is told
 * @is_off: its port is down, and can't come up
 */
struct end {
	struct port port;
	struct node *node;
	struct end *peer;
	int host;
	bool is_cut, is_off, takes_no_probes;
	uint8_t rx[RX_MAX][FRAME_BYTES];
	unsigned n_rx;
};

static bool is_greedy; /* ports take all that has come, in turn; else chance says */
static uint64_t clock_us;
static uint64_t rnd_state;
static struct loop loop;
static struct port_env env;
static struct node nodes[NODES];
static struct end ends[PORTS];
static unsigned n_nodes, n_ends, n_hosts;
static uint16_t copies[NUMBERS][PORTS]; /* of each frame, at each host */
static unsigned number;
static unsigned probes_seen; /* on all cables */

int clock_gettime(clockid_t id, struct timespec *ts)
{
	uint64_t us = clock_us;

	if (id == CLOCK_MONOTONIC_COARSE)
		us -= us % 4000;
	ts->tv_sec = (time_t)(us / 1000000);
	ts->tv_nsec = (long)(us % 1000000 * 1000);
	return 0;
}

static uint32_t rnd(uint32_t below)
{
	return packet_random(&rnd_state) % below;
}

/* ---- ports ---- */

static struct end *to_end(struct port *p)
{
	return container_of(p, struct end, port);
}

static int end_open(struct port *p)
{
	return to_end(p)->is_off ? -EINPROGRESS : 0;
}

static int end_rx(struct port *p, struct batch *b)
{
	(void)p;
	(void)b;
	return 0;
}

static void arrive(struct end *e, const struct frame *f)
{
	bool is_probe = guard_is_probe(f->data);

	probes_seen += is_probe;
	if (e->host >= 0 && !is_probe)
		copies[get_be32(f->data + 14) % NUMBERS][e->host]++;
	if (is_probe && e->takes_no_probes)
		return;
	if (!e->peer || e->is_cut || e->peer->n_rx == RX_MAX)
		return;
	memcpy(e->peer->rx[e->peer->n_rx++], f->data, FRAME_BYTES);
}

static int end_tx(struct port *p, const struct frame *f, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		arrive(to_end(p), &f[i]);
		port_sent(p, &f[i]);
	}
	return (int)n;
}

static void end_close(struct port *p)
{
	to_end(p)->n_rx = 0;
}

static void end_free(struct port *p)
{
	(void)p;
}

static const struct port_ops ops = {
	.kind = "end",
	.open = end_open,
	.rx = end_rx,
	.tx = end_tx,
	.close = end_close,
	.free = end_free,
};

static void on_nothing(struct port *p, void *arg)
{
	(void)p;
	(void)arg;
}

static void on_changed(struct port *p, void *arg)
{
	(void)arg;
	if (!to_end(p)->node->is_hub)
		switching_changed(&to_end(p)->node->sw, p);
}

static const struct port_host host = { on_nothing, on_nothing, on_changed };

/* ---- the network ---- */

static void on_told(struct switching *sw, const char *kind, const struct port *p,
		    const char *text, const char *sentence)
{
	struct node *node = container_of(sw, struct node, sw);

	(void)p;
	(void)text;
	(void)sentence;
	node->loops += !strcmp(kind, "loop");
	node->told += !strcmp(kind, "loop") - !strcmp(kind, "loop-gone");
}

static struct node *node_add(bool is_hub, uint64_t id)
{
	static const struct switching_limits limits = { .fdb_size = 64 };
	struct node *node = &nodes[n_nodes++];

	memset(node, 0, sizeof(*node));
	node->is_hub = is_hub;
	switching_init(&node->sw, &loop, &node->fwd);
	node->sw.tell = on_told;
	if (is_hub)
		return node;
	if (switching_start(&node->sw, &limits) < 0)
		exit(1);
	node->sw.guard.id = id;
	return node;
}

static struct end *end_add(struct node *node)
{
	struct end *e = &ends[n_ends++];
	struct port **link = &node->fwd.ports;

	memset(e, 0, sizeof(*e));
	if (port_init(&e->port, &ops, &env, "end") < 0)
		exit(1);
	e->node = node;
	e->host = -1;
	e->port.id = ++node->last_id;
	while (*link)
		link = &(*link)->next;
	*link = &e->port;
	node->fwd.n_ports++;
	port_start(&e->port);
	return e;
}

static struct end *host_add(struct node *node)
{
	struct end *e = end_add(node);

	e->host = (int)n_hosts++;
	return e;
}

/* Return: the end at @a; the other one is its peer. */
static struct end *cable(struct node *a, struct node *b)
{
	struct end *e = end_add(a), *other = end_add(b);

	e->peer = other;
	other->peer = e;
	return e;
}

static void begin(uint64_t seed)
{
	is_greedy = seed % 2;
	rnd_state = seed * 0x9e3779b97f4a7c15u + 1;
	n_nodes = n_ends = n_hosts = number = probes_seen = 0;
	memset(copies, 0, sizeof(copies));
	clock_us = (clock_us / 100000000 + 1) * 100000000 + rnd(1000000);
}

static void end(void)
{
	for (unsigned i = 0; i < n_ends; i++) {
		storm_forget(&ends[i].node->sw.storm, &ends[i].port);
		port_free(&ends[i].port);
	}
	for (unsigned i = 0; i < n_nodes; i++) {
		nodes[i].fwd.ports = NULL;
		switching_free(&nodes[i].sw);
	}
	if (loop.first)
		ok(false, "a timer is left");
}

/* ---- time ---- */

static void run_timers(void)
{
	while (loop.first && loop.first->due <= clock_us / 1000) {
		struct timer *t = loop.first;

		timer_cancel(&loop, t);
		t->fn(t);
	}
}

/* Hand a port some of what has come over its cable. */
static void step(struct end *e)
{
	static uint8_t buf[RX_MAX * (FRAME_WORD + FRAME_BYTES)];
	unsigned most = e->n_rx < BATCH_MAX ? e->n_rx : BATCH_MAX;
	unsigned n = is_greedy ? most : 1 + rnd(most);
	struct batch b = { .buf = buf };

	for (unsigned i = 0; i < n; i++) {
		uint8_t *at = buf + i * (FRAME_WORD + FRAME_BYTES);
		struct frame f = { .data = at + FRAME_WORD,
				   .len = FRAME_BYTES,
				   .has_word = true };

		put_be32(at, FRAME_BYTES);
		memcpy(at + FRAME_WORD, e->rx[i], FRAME_BYTES);
		port_take(&e->port, &b, &f);
	}
	e->n_rx -= n;
	memmove(e->rx, e->rx[n], e->n_rx * sizeof(e->rx[0]));
	route_batch(&e->node->fwd, &e->port, &b);
	clock_us += STEP_US;
}

/* Until nothing is under way. Return: whether that came to pass. */
static bool settle(void)
{
	for (unsigned steps = 0; steps < STEPS_MAX;) {
		unsigned first = rnd(n_ends), moved = 0;

		for (unsigned i = 0; i < n_ends; i++) {
			struct end *e = &ends[(first + i) % n_ends];

			if (!e->n_rx || (!is_greedy && rnd(4) == 0))
				continue;
			step(e);
			run_timers();
			steps++;
		}
		for (unsigned i = 0; i < n_ends; i++)
			moved += ends[i].n_rx;
		if (!moved)
			return true;
	}
	return false;
}

static bool pass_ms(unsigned ms)
{
	uint64_t until = clock_us + (uint64_t)ms * 1000;
	bool settled = true;

	while (clock_us < until) {
		clock_us += 4000;
		run_timers();
		settled &= settle();
	}
	return settled;
}

/* ---- frames ---- */

static struct end *find_host(unsigned n)
{
	for (unsigned i = 0; i < n_ends; i++)
		if (ends[i].host == (int)n)
			return &ends[i];
	return NULL;
}

/* From host @from to host @to, or to all (-1). Return: its number. */
static unsigned send(unsigned from, int to)
{
	struct end *e = find_host(from);
	uint8_t *at = e->rx[e->n_rx++];

	memset(at, 0, FRAME_BYTES);
	memset(at, 0xff, 6);
	if (to >= 0)
		memcpy(at, (uint8_t[]){ 0x52, 0x54, 0, 0, 0, (uint8_t)to }, 6);
	memcpy(at + 6, (uint8_t[]){ 0x52, 0x54, 0, 0, 0, (uint8_t)from, 0x88, 0xb6 }, 8);
	put_be32(at + 14, ++number);
	return number;
}

static unsigned most_copies(unsigned n)
{
	unsigned most = 0;

	for (unsigned i = 0; i < n_hosts; i++)
		most = copies[n % NUMBERS][i] > most ? copies[n % NUMBERS][i] : most;
	return most;
}

static unsigned n_blocked(void)
{
	unsigned n = 0;

	for (unsigned i = 0; i < n_ends; i++)
		n += ends[i].port.is_blocked;
	return n;
}

/* Whether every host is heard by every other, just once. */
static bool is_joined(void)
{
	for (unsigned i = 0; i < n_hosts; i++) {
		unsigned n = send(i, -1);

		if (!settle())
			return false;
		for (unsigned k = 0; k < n_hosts; k++)
			if (copies[n % NUMBERS][k] != (k != i)) {
				printf("# of host %u, %u copies at %u\n", i,
				       copies[n % NUMBERS][k], k);
				return false;
			}
	}
	return true;
}

/* ---- cables ---- */

static void set_off(struct end *e, bool is_off)
{
	e->is_off = is_off;
	if (is_off)
		port_down(&e->port);
	else if (e->port.state == PORT_OPENING)
		port_opened(&e->port, 0);
	port_retry_now(&e->port);
	run_timers();
}

/* With @is_told both ports see it; else frames are lost, and nobody says so. */
static void break_cable(struct end *e, bool is_told, bool is_broken)
{
	if (is_told) {
		set_off(e, is_broken);
		set_off(e->peer, is_broken);
	} else {
		e->is_cut = e->peer->is_cut = is_broken;
	}
}

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
	ok(settle() && n_blocked() == cables - 1,
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
	ok(settle() && n_blocked() == 1 && most_copies(n) <= 3,
	   "a cable that comes up: cut after %u copies", most_copies(n));
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
	ok(!e[0]->port.is_blocked && e[1]->port.is_blocked && e[2]->port.is_blocked,
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

	for (; e->port.is_blocked && n < 100; n++) {
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
	ok_eq_int(e[2].port.guard.quiet, 3000, "after a minute without it, as at first");
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
	while (!e->port.is_blocked && clock_us - start < 3000000) {
		settle();
		clock_us += 4000;
	}
	ok(e->port.is_blocked && e->port.guard.against == &e->port,
	   "a loop behind one port: that one is blocked");
	ok(clock_us - start >= 600000, "after %u ms, when it has shown three times",
	   (unsigned)(clock_us - start) / 1000);
	loop_end->is_cut = loop_end->peer->is_cut = true;
	settle();
	ok(seconds_to_open(e) <= 4 && a->told == 0, "the loop is gone: not any more");
	ok(is_joined(), "and all are joined");
	end();
}

static void test_moves(void)
{
	struct node *a, *hub;
	unsigned n;

	begin(1);
	a = node_add(false, 1);
	hub = node_add(true, 0);
	host_add(a);
	cable(a, hub)->takes_no_probes = true;
	cable(a, hub)->takes_no_probes = true;
	n = send(0, -1);
	ok(settle() && n_blocked() == 1,
	   "where probes do not pass, addresses that move to and fro show a loop");
	ok(most_copies(n) <= COPIES_MAX, "after %u copies", most_copies(n));
	pass_ms(2000);
	ok_eq_int(n_blocked(), 1, "it is blocked for a while");
	pass_ms(2000);
	ok_eq_int(n_blocked(), 0, "and then tried again");
	n = send(0, -1);
	ok(settle() && n_blocked() == 1 && a->loops == 2, "and is found again");
	pass_ms(4000);
	ok_eq_int(n_blocked(), 1, "for longer");
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

	v = guard_take(&one->sw.guard, &ends[at].port, &f, clock_us / 1000);
	forward_flush(&one->fwd);
	free(copy);
	return v;
}

static void test_no_probes(void)
{
	uint8_t data[FRAME_BYTES + 4];
	unsigned probes = 0;

	begin_one();
	memcpy(data, ends[1].port.guard.probe, FRAME_BYTES);
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
	memcpy(data, ends[1].port.guard.probe, FRAME_BYTES);
	for (unsigned bit = 32 * 8; bit < 48 * 8; bit++) {
		data[bit / 8] ^= (uint8_t)(1u << bit % 8);
		ended += take(2, data, FRAME_BYTES) == GUARD_ENDS;
		data[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	ok(ended == 128 && !n_blocked(), "one with any bit of it changed does nothing");
	/* The guest at port 1 has only its own, and says that it is port 3's. */
	put_be32(data + 36, ends[2].port.id);
	take(1, data, FRAME_BYTES);
	ok(!n_blocked() && !probes_seen, "nor does one in another port's name");
	memcpy(data, ends[1].port.guard.probe, FRAME_BYTES);
	one->sw.guard.round += 1024;
	old += take(2, data, FRAME_BYTES) == GUARD_ENDS && !n_blocked();
	one->sw.guard.round -= 1025;
	old += take(2, data, FRAME_BYTES) == GUARD_ENDS && !n_blocked();
	ok_eq_int(old, 2, "nor one of old, or of a round that has not been");
	one->sw.guard.round += 1024;
	take(2, data, FRAME_BYTES);
	ok_eq_int(n_blocked(), 1, "up to its time it would");
	end();
}

/* A guest plays back its own port's probe: it may shut out itself, but not soon. */
static void test_played_back(void)
{
	uint8_t data[FRAME_BYTES];

	begin_one();
	memcpy(data, ends[1].port.guard.probe, FRAME_BYTES);
	for (int i = 0; i < 250; i++, clock_us += 1000)
		take(1, data, FRAME_BYTES);
	ok_eq_int(n_blocked(), 0, "played back many times at once, a probe does nothing");
	clock_us += 100000;
	take(1, data, FRAME_BYTES);
	ok_eq_int(n_blocked(), 0, "nor when a little later it comes again");
	for (int i = 0; i < 5; i++) {
		clock_us += 2000000;
		take(1, data, FRAME_BYTES);
	}
	ok_eq_int(n_blocked(), 0, "nor now and then, as while others cut a loop");
	clock_us += 400000;
	take(1, data, FRAME_BYTES);
	clock_us += 400000;
	take(1, data, FRAME_BYTES);
	ok(n_blocked() == 1 && ends[1].port.is_blocked,
	   "again and again it blocks the port it was for, and no other");
	pass_ms(4000);
	ok_eq_int(n_blocked(), 0, "until that has ended");
	end();
}

static void test_others(void)
{
	uint8_t data[FRAME_BYTES];
	unsigned passed = 0;

	begin_one();
	memcpy(data, ends[1].port.guard.probe, FRAME_BYTES);
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
	ends[1].port.is_blocked = true;
	ok_eq_int(take(1, data, FRAME_BYTES), GUARD_ENDS, "but not at a blocked port");
	ends[1].port.is_blocked = false;
	clock_us += 1000000;
	for (int i = 0; i < 5000; i++)
		passed += take(1, data, FRAME_BYTES) == GUARD_PASSES;
	ok_eq_int(passed, 1000, "nor more than any relay would send");
	ok_eq_int(take(2, data, FRAME_BYTES), GUARD_PASSES, "by one port");
	clock_us += 1000000;
	ok_eq_int(take(1, data, FRAME_BYTES), GUARD_PASSES, "in one second");
	end();
}

static void test_busy(void)
{
	uint32_t round;

	begin_one();
	round = one->sw.guard.round;
	for (int i = 0; i < 1000000; i++)
		guard_flood(&one->sw.guard, 1, clock_us / 1000);
	forward_flush(&one->fwd);
	ok(one->sw.guard.round - round < 20, "a million floods in a second: %u rounds",
	   one->sw.guard.round - round);
	end();
}

/* Ports that go are warned of. */
static void quiet(void)
{
	int null = open("/dev/null", O_WRONLY);

	dup2(null, STDERR_FILENO);
	close(null);
}

int main(void)
{
	quiet();
	env = (struct port_env){ .loop = &loop, .host = &host };
	if (loop_init(&loop) < 0)
		return 1;
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
	test_moves();
	test_no_probes();
	test_feigned();
	test_played_back();
	test_others();
	test_busy();
	loop_free(&loop);
	return done();
}
