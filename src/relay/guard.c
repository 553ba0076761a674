/* SPDX-License-Identifier: MIT */
/*
 * A port that is cut, blocked or limited, still sends and takes probes: as long as
 * they go round between it and the port it is cut against, the loop is there. When
 * that has not been for a while, the port forwards again; a loop that returns soon
 * after makes the while twice as long.
 *
 * #syscalls: getrandom
 */
#include "relay/guard.h"

#include <string.h>
#include <sys/random.h>

#include "base/siphash.h"

#define VERSION_1 1
#define AGAIN_MS 1000	   /* ahead of a flooded frame, probes go out so often, */
#define AGAIN_FRAMES 30	   /* and sooner after so many, then twice as many, and so on */
#define GUESTS_MAX 256	   /* of guests' ports that are asked at a time */
#define ANSWER_MS 100	   /* in answer to another relay's, not more often than this */
#define SUSPECT_MS 50	   /* nor for addresses that move */
#define PASSED_MAX 200	   /* of others' by one port in a second, storm or not */
#define PROBE_LIFE_MS 1500 /* one may be under way for so long; less than RECENT_MS */
#define PERIOD_MS 1000	   /* of probes while a port is cut */
#define QUIET_MS 3000	   /* no sign of the loop for so long: it is gone */
#define QUIET_MAX_MS 60000
#define RELAPSE_MS 60000 /* a loop that is back within this time was not gone */
#define ECHOES 3 /* to say that what leaves by a port comes back, not closer than */
#define ECHO_GAP_MS 300 /* this, nor further apart than */
#define ECHO_LIMIT_MS 1500
#define LIMIT 1000 /* frames for everybody in a second, by a port that is limited */

static const uint8_t head[] = {
	0x03, 0x6e, 0x65, 0x74, 0x72, 0x6c, /* the group */
	0x02, 0,    0,	  0,	0,    0,    /* the source */
	0x88, 0xb5,			    /* GUARD_ETHERTYPE */
	'n',  'e',  't',  'r',	'e',  'l',  'a', 'y', 0, VERSION_1,
};

/* In a probe without a tag. */
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

void guard_init(struct guard *g, struct loop *loop, struct forwarding *fwd)
{
	uint64_t chance[3] = { loop_coarse(), (uintptr_t)g, 0 };

	memset(g, 0, sizeof(*g));
	g->loop = loop;
	g->forward = fwd;
	/* Rounds are compared by their distance, so none may be far off. */
	g->round = (uint32_t)loop_coarse();
	for (struct port *p = fwd->ports; p; p = p->next)
		p->guard.echo = g->round;
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

/* ---- lists of ports ---- */

static void fresh_add(struct guard *g, struct port *p)
{
	struct port_guard *pg = &p->guard;

	if (pg->is_fresh)
		return;
	pg->is_fresh = true;
	pg->echo = g->round;
	pg->prev_fresh = NULL;
	pg->next_fresh = g->fresh;
	if (g->fresh)
		g->fresh->guard.prev_fresh = p;
	g->fresh = p;
}

static void fresh_remove(struct guard *g, struct port *p)
{
	struct port_guard *pg = &p->guard;

	if (!pg->is_fresh)
		return;
	pg->is_fresh = false;
	if (pg->prev_fresh)
		pg->prev_fresh->guard.next_fresh = pg->next_fresh;
	else
		g->fresh = pg->next_fresh;
	if (pg->next_fresh)
		pg->next_fresh->guard.prev_fresh = pg->prev_fresh;
}

static void cut_remove(struct guard *g, struct port *p)
{
	struct port **link = &g->cut;

	if (!guard_is_cut(p))
		return;
	while (*link != p)
		link = &(*link)->guard.next_cut;
	*link = p->guard.next_cut;
	p->guard.against = NULL;
	p->guard.is_limited = false;
	p->is_blocked = false;
}

/* ---- sending ---- */

static void build(const struct guard *g, struct port *p, uint32_t tag)
{
	uint8_t *at = p->guard.probe, id[8];

	put_be64(id, g->id);
	memset(at, 0, PORT_PROBE_MAX);
	memcpy(at, head, sizeof(head));
	memcpy(at + SOURCE_ID, id + 3, 5);
	memcpy(at + ID, id, sizeof(id));
	put_be32(at + ROUND, g->round);
	put_be32(at + PORT, p->id);
	put_be64(at + PROOF, proof(g, g->round, p->id));
	if (!tag)
		return;
	memmove(at + TYPE + VLAN_SIZE, at + TYPE, PORT_PROBE_BYTES - TYPE);
	put_be32(at + TYPE, tag);
}

/* Those of the last round may still be pending. */
static void begin_round(struct guard *g, uint64_t now)
{
	uint32_t ms = (uint32_t)now;

	g->round = (int32_t)(ms - g->round) > 0 ? ms : g->round + 1;
	deliver_flush(g->forward);
}

static void ask(struct guard *g, struct port *p, uint32_t tag)
{
	struct frame f = { .data = p->guard.probe,
			   .len = tag ? PORT_PROBE_MAX : PORT_PROBE_BYTES };

	if (!tag)
		fresh_remove(g, p);
	if (p->state != PORT_UP)
		return;
	build(g, p, tag);
	deliver_local(g->forward, p, &f);
}

/* Of guests' ports, so many from the one whose turn it is. */
static void ask_all(struct guard *g, uint64_t now)
{
	unsigned guests = 0, turn = g->turn;

	g->last = now;
	g->due = now + AGAIN_MS;
	g->flooded = 0;
	g->again = AGAIN_FRAMES;
	begin_round(g, now);
	for (struct port *p = g->forward->ports; p; p = p->next) {
		bool has_turn = guard_is_shared(p) || guests++ - turn < GUESTS_MAX;

		if (has_turn || p->guard.is_fresh)
			ask(g, p, 0);
	}
	g->turn = guests > turn + GUESTS_MAX ? turn + GUESTS_MAX : 0;
}

/* A loop that came with a port goes through it. */
static void ask_fresh(struct guard *g, uint64_t now)
{
	if (!g->fresh)
		return;
	begin_round(g, now);
	while (g->fresh)
		ask(g, g->fresh, 0);
}

void guard_flood(struct guard *g, uint32_t n, uint64_t now)
{
	uint32_t again = now >= g->due ? AGAIN_FRAMES : g->again * 2;

	g->flooded += n;
	/* Of a port alone, nothing goes out at all. */
	if (g->forward->n_ports < 2)
		return;
	if (now < g->due && g->flooded < g->again) {
		ask_fresh(g, now);
		return;
	}
	ask_all(g, now);
	g->again = again;
}

static bool is_tagged(const uint8_t *eth)
{
	uint16_t type = vnet_get16(eth + TYPE);

	return type == TYPE_VLAN || type == TYPE_QINQ;
}

void guard_suspect(struct guard *g, struct port *a, struct port *b, const struct frame *f,
		   uint64_t now)
{
	uint8_t room[TYPE + 4 + 2];
	const uint8_t *eth = frame_peek(f, sizeof(room), room);
	uint32_t tag = eth && is_tagged(eth) ? get_be32(eth + TYPE) : 0;

	if (guard_is_cut(a) || guard_is_cut(b) || now - g->suspected < SUSPECT_MS)
		return;
	g->suspected = now;
	begin_round(g, now);
	ask(g, a, tag);
	ask(g, b, tag);
}

/* ---- cutting ---- */

static void period_over(struct timer *t);

static void cut(struct guard *g, struct port *p, struct port *against, uint32_t tag,
		uint64_t now)
{
	struct port_guard *pg = &p->guard;
	bool is_relapse = pg->opened && now - pg->opened < RELAPSE_MS;

	pg->quiet = is_relapse ? pg->quiet * 2 : QUIET_MS;
	if (pg->quiet > QUIET_MAX_MS)
		pg->quiet = QUIET_MAX_MS;
	if (!guard_is_cut(p)) {
		pg->next_cut = g->cut;
		g->cut = p;
	}
	pg->against = against;
	pg->tag = tag;
	pg->heard = now;
	pg->is_limited = against == p && guard_is_shared(p);
	p->is_blocked = !pg->is_limited;
	if (!g->period.is_set)
		timer_set(g->loop, &g->period, PERIOD_MS, period_over);
	g->tell(g, p, against, pg->is_limited ? GUARD_LIMITED : GUARD_BLOCKED);
}

static void open_port(struct guard *g, struct port *p, uint64_t now)
{
	struct port *against = p->guard.against;

	cut_remove(g, p);
	p->guard.opened = now;
	p->guard.echoes = 0;
	/* The first frame that is flooded has a probe ahead of it again. */
	g->due = 0;
	g->tell(g, p, against, GUARD_OPEN);
}

/* At the end of a turn, so frames pending are only those of probes. */
static void period_over(struct timer *t)
{
	struct guard *g = container_of(t, struct guard, period);
	uint64_t now = loop_coarse();
	struct port *next;

	begin_round(g, now);
	for (struct port *p = g->cut; p; p = next) {
		next = p->guard.next_cut;
		if (now - p->guard.heard >= p->guard.quiet)
			open_port(g, p, now);
		else
			ask(g, p, p->guard.tag);
	}
	deliver_flush(g->forward);
	if (g->cut)
		timer_set(g->loop, t, PERIOD_MS, period_over);
}

static bool is_between(const struct port *p, const struct port *a, const struct port *b)
{
	return (p == a && p->guard.against == b) || (p == b && p->guard.against == a);
}

/* Who yields to whom. */
static bool is_worse(const struct port *a, const struct port *b)
{
	if (guard_is_shared(a) != guard_is_shared(b))
		return guard_is_shared(b);
	return a->id > b->id;
}

/* A way round leads from @a to @b. */
static void found(struct guard *g, struct port *a, struct port *b, uint32_t tag,
		  uint64_t now)
{
	struct port *worse = is_worse(a, b) ? a : b;

	for (struct port *p = g->cut; p; p = p->guard.next_cut)
		if (is_between(p, a, b))
			p->guard.heard = now;
	if (!a->is_blocked && !b->is_blocked)
		cut(g, worse, worse == a ? b : a, tag, now);
}

/*
 * A probe came back to where it left: a loop that is not ours to cut, unless
 * nobody else does. So it must do so again and again.
 */
static void echoed(struct guard *g, struct port *p, uint32_t tag, uint64_t now)
{
	struct port_guard *pg = &p->guard;

	if (pg->against == p)
		pg->heard = now;
	if (guard_is_cut(p) || (pg->echoes && now - pg->echoed < ECHO_GAP_MS))
		return;
	pg->echoes = now - pg->echoed < ECHO_LIMIT_MS ? pg->echoes + 1 : 1;
	pg->echoed = now;
	if (pg->echoes >= ECHOES)
		cut(g, p, p, tag, now);
}

uint32_t guard_admit(struct port *p, uint32_t n, uint32_t each, uint64_t now)
{
	struct port_guard *pg = &p->guard;
	uint32_t second = (uint32_t)(now / 1000), room;

	if (pg->second != second) {
		pg->second = second;
		pg->passed = pg->flooded = 0;
	}
	room = (LIMIT - pg->flooded) / each;
	n = n < room ? n : room;
	pg->flooded += n * each;
	return n;
}

/* ---- receiving ---- */

/* Those that are cut come first: of them alone many probes come in. */
static struct port *find_port(const struct guard *g, uint32_t id)
{
	for (struct port *p = g->cut; p; p = p->guard.next_cut)
		if (p->id == id)
			return p;
	for (struct port *p = g->forward->ports; p; p = p->next)
		if (p->id == id)
			return p;
	return NULL;
}

static void take_own(struct guard *g, struct port *p, const uint8_t *at, uint32_t tag,
		     uint64_t now)
{
	uint32_t round = get_be32(at + ROUND), id = get_be32(at + PORT);
	struct port *origin;

	if ((int32_t)(g->round - round) < 0 ||
	    (int32_t)((uint32_t)now - round) > PROBE_LIFE_MS ||
	    get_be64(at + PROOF) != proof(g, round, id))
		return;
	if (id != p->id) {
		origin = guard_is_cut(p) && p->guard.against->id == id ? p->guard.against
								       : find_port(g, id);
		if (origin && origin->state == PORT_UP)
			found(g, origin, p, tag, now);
	} else if ((int32_t)(round - p->guard.echo) > 0) {
		p->guard.echo = round;
		echoed(g, p, tag, now);
	}
}

static uint64_t mark_of(const struct guard *g, const uint8_t *at)
{
	uint64_t mark = siphash(g->key, get_be64(at + ID));

	mark = siphash(g->key, mark ^ get_be64(at + ROUND));
	return siphash(g->key, mark ^ get_be64(at + PROOF));
}

/*
 * Whether another relay's may: if it has not before. The storm limit does not
 * hold probes, for they end storms; but they can be feigned.
 */
static bool may_pass(struct guard *g, struct port *p, const uint8_t *at, uint32_t tag,
		     uint64_t now)
{
	struct port_guard *pg = &p->guard;
	uint64_t mark = mark_of(g, at);
	struct recent_one *one = recent_find(&g->passed, mark, now);
	uint32_t second = (uint32_t)(now / 1000);

	if (one) {
		if (one->port != p->id && one->n++ == 1)
			echoed(g, p, tag, now);
		return false;
	}
	if (pg->second != second) {
		pg->second = second;
		pg->passed = pg->flooded = 0;
	}
	if (p->is_blocked || pg->passed++ >= PASSED_MAX)
		return false;
	recent_add(&g->passed, mark, p->id, now);
	return true;
}

enum guard_verdict guard_take(struct guard *g, struct port *p, const struct frame *f,
			      uint64_t now)
{
	uint8_t room[PORT_PROBE_MAX];
	uint32_t have = (uint32_t)min_size(f->len, sizeof(room)), skip, tag;
	const uint8_t *eth = frame_peek(f, have, room), *at;
	uint64_t id;

	skip = is_tagged(eth) ? VLAN_SIZE : 0;
	at = eth + skip;
	if (have < PORT_PROBE_BYTES + skip ||
	    memcmp(at + TYPE, head + TYPE, ID - TYPE) != 0)
		return GUARD_NO_PROBE;
	tag = skip ? get_be32(eth + TYPE) : 0;
	id = get_be64(at + ID);
	if (id == g->id) {
		take_own(g, p, at, tag, now);
	} else if (id > g->id) {
		if (!g->last || now - g->last >= ANSWER_MS)
			ask_all(g, now);
		else
			ask_fresh(g, now);
	} else if (may_pass(g, p, at, tag, now)) {
		guard_flood(g, 1, now);
		return GUARD_PASSES;
	}
	return GUARD_ENDS;
}

/* ---- ports that come and go ---- */

/* What is cut for a loop through @p can forward again: that way is cut. */
static void open_others(struct guard *g, const struct port *p)
{
	struct port *next;

	for (struct port *q = g->cut; q; q = next) {
		next = q->guard.next_cut;
		if (q == p || q->guard.against != p)
			continue;
		open_port(g, q, loop_coarse());
		/* It was not the loop that came and went. */
		q->guard.opened = 0;
	}
}

void guard_gone(struct guard *g, struct port *p)
{
	fresh_remove(g, p);
	cut_remove(g, p);
	p->guard.opened = 0;
	p->guard.echoes = 0;
	open_others(g, p);
}

void guard_changed(struct guard *g, struct port *p)
{
	if (p->state == PORT_UP)
		fresh_add(g, p);
	else
		guard_gone(g, p);
}
