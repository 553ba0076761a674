/* SPDX-License-Identifier: MIT */
/*
 * A blocked port forwards nothing, but still sends and takes probes: as long as
 * they go round between it and the port it is blocked against, the loop is
 * there. When that has not been for a while, the port forwards again; a loop
 * that returns soon after makes the while twice as long.
 */
#include "guard.h"

#include <string.h>
#include <sys/random.h>

#include "siphash.h"

#define VERSION_1 1
#define AGAIN_MS 1000	 /* ahead of a flooded frame, probes go out so often, */
#define AGAIN_FRAMES 30	 /* and sooner after so many, then twice as many, and so on */
#define ANSWER_MS 100	 /* in answer to another relay's, not more often than this */
#define PASSED_MAX 1000	 /* of others' by one port in a second, storm or not */
#define ROUNDS_KEPT 1024 /* a probe may be under way for so many */
#define PERIOD_MS 1000	 /* of probes while a port is blocked */
#define QUIET_MS 3000	 /* no sign of the loop for so long: it is gone */
#define QUIET_MAX_MS 60000
#define RELAPSE_MS 60000 /* a loop that is back within this time was not gone */
#define ECHOES 3	 /* to call a port a loop by itself, not closer than */
#define ECHO_GAP_MS 300	 /* this, nor further apart than */
#define ECHO_LIMIT_MS 1500

static const uint8_t head[] = {
	0x03, 0x6e, 0x65, 0x74, 0x72, 0x6c, /* the group */
	0x02, 0,    0,	  0,	0,    0,    /* the source */
	0x88, 0xb5,			    /* GUARD_ETHERTYPE */
	'n',  'e',  't',  'r',	'e',  'l',  'a', 'y', 0, VERSION_1,
};

enum { SOURCE_ID = 7, TYPE = 12, ID = 24, ROUND = 32, PORT = 36, PROOF = 40 };

static uint64_t get_be64(const uint8_t *p)
{
	return (uint64_t)get_be32(p) << 32 | get_be32(p + 4);
}

static void put_be64(uint8_t *p, uint64_t v)
{
	put_be32(p, (uint32_t)(v >> 32));
	put_be32(p + 4, (uint32_t)v);
}

static uint64_t proof(const struct guard *g, uint32_t round, uint32_t port)
{
	return siphash(g->key, (uint64_t)round << 32 | port);
}

void guard_init(struct guard *g, struct loop *loop, struct forward *fwd)
{
	uint64_t chance[3] = { loop_coarse(), (uintptr_t)g, 0 };

	memset(g, 0, sizeof(*g));
	g->loop = loop;
	g->forward = fwd;
	if (getrandom(chance, sizeof(chance), 0) < 0)
		chance[2] = chance[0] * 0x9e3779b97f4a7c15u;
	g->id = chance[2];
	memcpy(g->key, chance, sizeof(g->key));
}

void guard_free(struct guard *g)
{
	if (g->loop)
		timer_cancel(g->loop, &g->period);
}

/* ---- sending ---- */

static void build(const struct guard *g, struct port *p)
{
	uint8_t *at = p->guard.probe, id[8];

	put_be64(id, g->id);
	memset(at, 0, PORT_PROBE_BYTES);
	memcpy(at, head, sizeof(head));
	memcpy(at + SOURCE_ID, id + 3, 5);
	memcpy(at + ID, id, sizeof(id));
	put_be32(at + ROUND, g->round);
	put_be32(at + PORT, p->id);
	put_be64(at + PROOF, proof(g, g->round, p->id));
}

enum senders { BY_ALL, BY_BLOCKED };

/* Blocked ports send them too: that is how the end of a loop is seen. */
static void probe(struct guard *g, enum senders senders, uint64_t now)
{
	g->round++;
	if (senders == BY_ALL) {
		g->last = now;
		g->due = now + AGAIN_MS;
		g->flooded = 0;
		g->again = AGAIN_FRAMES;
	}
	/* Those of the last round may still be pending. */
	forward_flush(g->forward);
	for (struct port *p = g->forward->ports; p; p = p->next) {
		struct frame f = { .data = p->guard.probe, .len = PORT_PROBE_BYTES };

		if (p->state != PORT_UP || (senders == BY_BLOCKED && !p->is_blocked))
			continue;
		build(g, p);
		forward_own(g->forward, p, &f);
	}
}

void guard_flood(struct guard *g, uint32_t n, uint64_t now)
{
	uint32_t again = now >= g->due ? AGAIN_FRAMES : g->again * 2;

	g->flooded += n;
	if (now < g->due && g->flooded < g->again)
		return;
	/* Of a port alone, nothing goes out at all. */
	if (g->forward->n_ports < 2)
		return;
	probe(g, BY_ALL, now);
	g->again = again;
}

/* ---- blocking ---- */

static void period_over(struct timer *t);

static void block(struct guard *g, struct port *p, struct port *against, uint64_t now)
{
	struct port_guard *pg = &p->guard;
	bool is_relapse = pg->opened && now - pg->opened < RELAPSE_MS;

	pg->quiet = is_relapse ? pg->quiet * 2 : QUIET_MS;
	if (pg->quiet > QUIET_MAX_MS)
		pg->quiet = QUIET_MAX_MS;
	pg->against = against;
	pg->heard = now;
	p->is_blocked = true;
	if (!g->period.is_set)
		timer_set(g->loop, &g->period, PERIOD_MS, period_over);
	g->tell(g, p, against, false);
}

static void unblock(struct guard *g, struct port *p, uint64_t now)
{
	struct port *against = p->guard.against;

	p->is_blocked = false;
	p->guard.against = NULL;
	p->guard.opened = now;
	p->guard.echoes = 0;
	/* The first frame that is flooded has a probe ahead of it again. */
	g->due = 0;
	g->tell(g, p, against, true);
}

/* At the end of a turn, so frames pending are only those of probes. */
static void period_over(struct timer *t)
{
	struct guard *g = container_of(t, struct guard, period);
	uint64_t now = loop_coarse();
	unsigned blocked = 0;

	for (struct port *p = g->forward->ports; p; p = p->next) {
		if (p->is_blocked && now - p->guard.heard >= p->guard.quiet)
			unblock(g, p, now);
		blocked += p->is_blocked;
	}
	if (!blocked)
		return;
	probe(g, BY_BLOCKED, now);
	forward_flush(g->forward);
	timer_set(g->loop, t, PERIOD_MS, period_over);
}

static bool is_between(const struct port *p, const struct port *a, const struct port *b)
{
	return p->is_blocked &&
	       ((p == a && p->guard.against == b) || (p == b && p->guard.against == a));
}

/* A way round leads from @a to @b. */
static void found(struct guard *g, struct port *a, struct port *b, uint64_t now)
{
	struct port *younger = a->id > b->id ? a : b;

	for (struct port *p = g->forward->ports; p; p = p->next)
		if (is_between(p, a, b))
			p->guard.heard = now;
	if (!a->is_blocked && !b->is_blocked)
		block(g, younger, younger == a ? b : a, now);
}

/*
 * A probe came back to where it left: a loop that is not ours to cut, unless
 * nobody else does. So it must do so again and again.
 */
static void echoed(struct guard *g, struct port *p, uint64_t now)
{
	struct port_guard *pg = &p->guard;

	if (p->is_blocked && pg->against == p)
		pg->heard = now;
	if (p->is_blocked || (pg->echoes && now - pg->echoed < ECHO_GAP_MS))
		return;
	pg->echoes = now - pg->echoed < ECHO_LIMIT_MS ? pg->echoes + 1 : 1;
	pg->echoed = now;
	if (pg->echoes >= ECHOES)
		block(g, p, p, now);
}

/* ---- receiving ---- */

static struct port *find_port(const struct guard *g, uint32_t id)
{
	for (struct port *p = g->forward->ports; p; p = p->next)
		if (p->id == id)
			return p;
	return NULL;
}

static void take_own(struct guard *g, struct port *p, const uint8_t *at, uint64_t now)
{
	uint32_t round = get_be32(at + ROUND), id = get_be32(at + PORT);
	struct port *origin;

	if (g->round - round >= ROUNDS_KEPT ||
	    get_be64(at + PROOF) != proof(g, round, id))
		return;
	origin = find_port(g, id);
	if (!origin || origin->state != PORT_UP)
		return;
	if (origin == p)
		echoed(g, p, now);
	else
		found(g, origin, p, now);
}

/* The storm limit does not hold probes, for they end storms; but they can be feigned. */
static bool may_pass(struct port *p, uint64_t now)
{
	struct port_guard *pg = &p->guard;
	uint32_t second = (uint32_t)(now / 1000);

	if (pg->second != second) {
		pg->second = second;
		pg->passed = 0;
	}
	return !p->is_blocked && pg->passed++ < PASSED_MAX;
}

enum guard_verdict guard_take(struct guard *g, struct port *p, const struct frame *f,
			      uint64_t now)
{
	const uint8_t *at = f->data;
	uint64_t id;

	if (f->len < PORT_PROBE_BYTES || memcmp(at + TYPE, head + TYPE, ID - TYPE) != 0)
		return GUARD_NO_PROBE;
	id = get_be64(at + ID);
	if (id == g->id) {
		take_own(g, p, at, now);
	} else if (id > g->id) {
		if (!g->last || now - g->last >= ANSWER_MS)
			probe(g, BY_ALL, now);
	} else if (may_pass(p, now)) {
		guard_flood(g, 1, now);
		return GUARD_PASSES;
	}
	return GUARD_ENDS;
}

void guard_moved(struct guard *g, struct port *from, struct port *to, uint32_t moves,
		 uint64_t now)
{
	struct port *younger = from->id > to->id ? from : to;

	if (moves < GUARD_MOVES_MAX || from->is_blocked || to->is_blocked)
		return;
	block(g, younger, younger == from ? to : from, now);
}

/* What is blocked for a loop through @p can forward again: that way is cut. */
static void open_others(struct guard *g, const struct port *p)
{
	for (struct port *q = g->forward->ports; q; q = q->next) {
		if (q == p || !q->is_blocked || q->guard.against != p)
			continue;
		unblock(g, q, loop_coarse());
		/* It was not the loop that came and went. */
		q->guard.opened = 0;
	}
}

void guard_changed(struct guard *g, struct port *p)
{
	g->due = 0;
	if (p->state == PORT_UP)
		return;
	p->is_blocked = false;
	p->guard.against = NULL;
	p->guard.opened = 0;
	p->guard.echoes = 0;
	open_others(g, p);
}

void guard_gone(struct guard *g, struct port *p)
{
	open_others(g, p);
}
