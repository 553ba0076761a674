/* SPDX-License-Identifier: MIT */
/*
 * A port that is cut, which is blocked or limited, still sends and receives probes: as
 * long as they go round between it and the port that it is cut against, the loop is
 * there. When none has for a while, the port forwards again; if the loop returns soon
 * after that, the next while is twice as long.
 *
 * #syscalls: getrandom
 */
#include "relay/guard.h"

#include <string.h>
#include <sys/random.h>

#include "base/siphash.h"
#include "frame/headers.h"
#include "relay/deliver.h"

#define VERSION_1 1
#define AGAIN_MS 1000	/* between two rounds, which frames that are flooded begin; */
#define AGAIN_FRAMES 30 /* less after so many of these, then twice as many, and so on */
#define GUESTS_MAX 256	/* guests' ports in a round */
#define ANSWER_MS 100	/* at least, between rounds that answer another relay's probes */
#define SUSPECT_MS 50	/* at least, between probes for addresses that move */
#define PASSED_MAX 200	/* other relays' probes by one port in a second */
#define PROBE_LIFE_MS 1500 /* a probe counts for so long; less than RECENT_MS */
#define PERIOD_MS 1000	   /* between probes by a port that is cut */
#define QUIET_MS 3000	   /* without a sign of the loop for so long, it is gone */
#define QUIET_MAX_MS 60000
#define RELAPSE_MS 60000   /* a loop that is back within this time was not gone */
#define ECHOES 3	   /* probes that come back, until the port is cut */
#define ECHO_GAP_MS 300	   /* at least, between two of them that count */
#define ECHO_LIMIT_MS 1500 /* at most */
#define LIMIT 1000	   /* frames to all others in a second by a limited port */

static const uint8_t head[] = {
	0x03, 0x6e, 0x65, 0x74, 0x72, 0x6c, /* the group */
	0x02, 0,    0,	  0,	0,    0,    /* the source */
	0x88, 0xb5,			    /* GUARD_ETHERTYPE */
	'n',  'e',  't',  'r',	'e',  'l',  'a', 'y', 0, VERSION_1,
};

/* Where the fields are in a probe without a tag. */
enum { SOURCE_ID = 7, TYPE = 12, ID = 24, ROUND = 32, PORT = 36, PROOF = 40 };

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
	/* Rounds are compared by their difference, which must not become too large. */
	g->round = (uint32_t)loop_coarse();
	for (struct member *m = fwd->members.first; m; m = m->next)
		m->guard.echo = g->round;
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

bool guard_is_cut(const struct member *m)
{
	return m->guard.against;
}

/* Whether there may be many machines behind it. */
static bool is_shared(const struct member *m)
{
	return m->ep || m->port->takes_super;
}

/* ---- lists of members ---- */

static void unprobed_add(struct guard *g, struct member *m)
{
	struct guard_state *state = &m->guard;

	if (state->is_unprobed)
		return;
	state->is_unprobed = true;
	state->echo = g->round;
	state->prev_unprobed = NULL;
	state->next_unprobed = g->unprobed;
	if (g->unprobed)
		g->unprobed->guard.prev_unprobed = m;
	g->unprobed = m;
}

static void unprobed_remove(struct guard *g, struct member *m)
{
	struct guard_state *state = &m->guard;

	if (!state->is_unprobed)
		return;
	state->is_unprobed = false;
	if (state->prev_unprobed)
		state->prev_unprobed->guard.next_unprobed = state->next_unprobed;
	else
		g->unprobed = state->next_unprobed;
	if (state->next_unprobed)
		state->next_unprobed->guard.prev_unprobed = state->prev_unprobed;
}

static void cut_remove(struct guard *g, struct member *m)
{
	struct member **link = &g->cut;

	if (!guard_is_cut(m))
		return;
	while (*link != m)
		link = &(*link)->guard.next_cut;
	*link = m->guard.next_cut;
	m->guard.against = NULL;
	m->guard.is_limited = false;
	m->is_blocked = false;
}

/* ---- sending ---- */

static void build(const struct guard *g, struct member *m, uint32_t tag)
{
	uint8_t *at = m->guard.probe, id[8];

	put_be64(id, g->id);
	memset(at, 0, GUARD_PROBE_MAX);
	memcpy(at, head, sizeof(head));
	memcpy(at + SOURCE_ID, id + 3, 5);
	memcpy(at + ID, id, sizeof(id));
	put_be32(at + ROUND, g->round);
	put_be32(at + PORT, m->id);
	put_be64(at + PROOF, proof(g, g->round, m->id));
	if (!tag)
		return;
	memmove(at + TYPE + VLAN_SIZE, at + TYPE, GUARD_PROBE_BYTES - TYPE);
	put_be32(at + TYPE, tag);
}

/* Probes of the last round may still be pending, and are about to be overwritten. */
static void begin_round(struct guard *g, uint64_t now)
{
	uint32_t ms = (uint32_t)now;

	g->round = (int32_t)(ms - g->round) > 0 ? ms : g->round + 1;
	deliver_flush(g->forward);
}

static void send_probe(struct guard *g, struct member *m, uint32_t tag)
{
	struct frame f = { .data = m->guard.probe,
			   .len = tag ? GUARD_PROBE_MAX : GUARD_PROBE_BYTES };

	if (!tag)
		unprobed_remove(g, m);
	if (m->port->state != PORT_UP)
		return;
	build(g, m, tag);
	deliver_local(g->forward, m, &f);
}

/* By all shared ports, and by GUESTS_MAX guests' ports from the one whose turn it is. */
static void probe_all(struct guard *g, uint64_t now)
{
	unsigned guests = 0, turn = g->turn;

	g->last = now;
	g->due = now + AGAIN_MS;
	g->flooded = 0;
	g->again = AGAIN_FRAMES;
	begin_round(g, now);
	for (struct member *m = g->forward->members.first; m; m = m->next) {
		bool has_turn = is_shared(m) || guests++ - turn < GUESTS_MAX;

		if (has_turn || m->guard.is_unprobed)
			send_probe(g, m, 0);
	}
	g->turn = guests > turn + GUESTS_MAX ? turn + GUESTS_MAX : 0;
}

/* By ports that came up: a loop that came with one goes through it. */
static void probe_new(struct guard *g, uint64_t now)
{
	if (!g->unprobed)
		return;
	begin_round(g, now);
	while (g->unprobed)
		send_probe(g, g->unprobed, 0);
}

void guard_flood(struct guard *g, uint32_t n, uint64_t now)
{
	uint32_t again = now >= g->due ? AGAIN_FRAMES : g->again * 2;

	g->flooded += n;
	/* Where there is one port only, nothing is flooded. */
	if (g->forward->members.n < 2)
		return;
	if (now < g->due && g->flooded < g->again) {
		probe_new(g, now);
		return;
	}
	probe_all(g, now);
	g->again = again;
}

static bool is_tagged(const uint8_t *eth)
{
	uint16_t type = get_be16(eth + TYPE);

	return type == TYPE_VLAN || type == TYPE_QINQ;
}

void guard_suspect(struct guard *g, struct member *a, struct member *b,
		   const struct frame *f, uint64_t now)
{
	uint8_t room[TYPE + 4 + 2];
	const uint8_t *eth = frame_peek(f, sizeof(room), room);
	uint32_t tag = eth && is_tagged(eth) ? get_be32(eth + TYPE) : 0;

	if (guard_is_cut(a) || guard_is_cut(b) || now - g->suspected < SUSPECT_MS)
		return;
	g->suspected = now;
	begin_round(g, now);
	send_probe(g, a, tag);
	send_probe(g, b, tag);
}

/* ---- cutting ---- */

static void period_over(struct timer *t);

static void cut(struct guard *g, struct member *m, struct member *against, uint32_t tag,
		uint64_t now)
{
	struct guard_state *state = &m->guard;
	bool is_relapse = state->opened && now - state->opened < RELAPSE_MS;

	state->quiet = is_relapse ? state->quiet * 2 : QUIET_MS;
	if (state->quiet > QUIET_MAX_MS)
		state->quiet = QUIET_MAX_MS;
	if (!guard_is_cut(m)) {
		state->next_cut = g->cut;
		g->cut = m;
	}
	state->against = against;
	state->tag = tag;
	state->heard = now;
	state->is_limited = against == m && is_shared(m);
	m->is_blocked = !state->is_limited;
	if (!g->period.is_set)
		timer_set(g->loop, &g->period, PERIOD_MS, period_over);
	g->notify(g, m, against, state->is_limited ? GUARD_LIMITED : GUARD_BLOCKED);
}

static void open_port(struct guard *g, struct member *m, uint64_t now)
{
	struct member *against = m->guard.against;

	cut_remove(g, m);
	m->guard.opened = now;
	m->guard.echoes = 0;
	/* A round begins before the next frame is flooded. */
	g->due = 0;
	g->notify(g, m, against, GUARD_OPEN);
}

/* Timers are called between batches, so no frames but probes are pending. */
static void period_over(struct timer *t)
{
	struct guard *g = container_of(t, struct guard, period);
	uint64_t now = loop_coarse();
	struct member *next;

	begin_round(g, now);
	for (struct member *m = g->cut; m; m = next) {
		next = m->guard.next_cut;
		if (now - m->guard.heard >= m->guard.quiet)
			open_port(g, m, now);
		else
			send_probe(g, m, m->guard.tag);
	}
	deliver_flush(g->forward);
	if (g->cut)
		timer_set(g->loop, t, PERIOD_MS, period_over);
}

static bool is_between(const struct member *m, const struct member *a,
		       const struct member *b)
{
	return (m == a && m->guard.against == b) || (m == b && m->guard.against == a);
}

/* Whether @a yields to @b. */
static bool is_worse(const struct member *a, const struct member *b)
{
	if (is_shared(a) != is_shared(b))
		return is_shared(b);
	return a->id > b->id;
}

/* There is a loop: what leaves by @a comes in by @b. */
static void found(struct guard *g, struct member *a, struct member *b, uint32_t tag,
		  uint64_t now)
{
	struct member *worse = is_worse(a, b) ? a : b;

	for (struct member *m = g->cut; m; m = m->guard.next_cut)
		if (is_between(m, a, b))
			m->guard.heard = now;
	if (!a->is_blocked && !b->is_blocked)
		cut(g, worse, worse == a ? b : a, tag, now);
}

/*
 * A probe came back to where it left. Another relay may be about to cut that loop, so the
 * port is cut only if this happens again and again.
 */
static void echoed(struct guard *g, struct member *m, uint32_t tag, uint64_t now)
{
	struct guard_state *state = &m->guard;

	if (state->against == m)
		state->heard = now;
	if (guard_is_cut(m) || (state->echoes && now - state->echoed < ECHO_GAP_MS))
		return;
	state->echoes = now - state->echoed < ECHO_LIMIT_MS ? state->echoes + 1 : 1;
	state->echoed = now;
	if (state->echoes >= ECHOES)
		cut(g, m, m, tag, now);
}

uint32_t guard_admit(struct member *m, uint32_t n, uint32_t each, uint64_t now)
{
	struct guard_state *state = &m->guard;
	uint32_t second = (uint32_t)(now / 1000), room;

	if (state->second != second) {
		state->second = second;
		state->passed = state->flooded = 0;
	}
	room = (LIMIT - state->flooded) / each;
	n = n < room ? n : room;
	state->flooded += n * each;
	return n;
}

/* ---- receiving ---- */

static void take_own(struct guard *g, struct member *m, const uint8_t *at, uint32_t tag,
		     uint64_t now)
{
	uint32_t round = get_be32(at + ROUND), id = get_be32(at + PORT);
	struct member *origin;

	if ((int32_t)(g->round - round) < 0 ||
	    (int32_t)((uint32_t)now - round) > PROBE_LIFE_MS ||
	    get_be64(at + PROOF) != proof(g, round, id))
		return;
	if (id != m->id) {
		origin = members_find(&g->forward->members, id);
		if (origin && origin->port->state == PORT_UP)
			found(g, origin, m, tag, now);
	} else if ((int32_t)(round - m->guard.echo) > 0) {
		m->guard.echo = round;
		echoed(g, m, tag, now);
	}
}

static uint64_t mark_of(const struct guard *g, const uint8_t *at)
{
	uint64_t mark = siphash(g->key, get_be64(at + ID));

	mark = siphash(g->key, mark ^ get_be64(at + ROUND));
	return siphash(g->key, mark ^ get_be64(at + PROOF));
}

/*
 * Whether a probe of another relay may pass: it may if it has not before. Probes are not
 * subject to the storm limit, because they end storms. But a guest could forge them, so
 * they have a limit of their own.
 */
static bool may_pass(struct guard *g, struct member *m, const uint8_t *at, uint32_t tag,
		     uint64_t now)
{
	struct guard_state *state = &m->guard;
	uint64_t mark = mark_of(g, at);
	struct recent_one *one = recent_find(&g->passed, mark, now);
	uint32_t second = (uint32_t)(now / 1000);

	if (one) {
		if (one->port != m->id && one->n++ == 1)
			echoed(g, m, tag, now);
		return false;
	}
	if (state->second != second) {
		state->second = second;
		state->passed = state->flooded = 0;
	}
	if (m->is_blocked || state->passed++ >= PASSED_MAX)
		return false;
	recent_add(&g->passed, mark, m->id, now);
	return true;
}

enum guard_verdict guard_take(struct guard *g, struct member *m, const struct frame *f,
			      uint64_t now)
{
	uint8_t room[GUARD_PROBE_MAX];
	uint32_t have = (uint32_t)min_size(f->len, sizeof(room)), skip, tag;
	const uint8_t *eth = frame_peek(f, have, room), *at;
	uint64_t id;

	skip = is_tagged(eth) ? VLAN_SIZE : 0;
	at = eth + skip;
	if (have < GUARD_PROBE_BYTES + skip ||
	    memcmp(at + TYPE, head + TYPE, ID - TYPE) != 0)
		return GUARD_NO_PROBE;
	tag = skip ? get_be32(eth + TYPE) : 0;
	id = get_be64(at + ID);
	if (id == g->id) {
		take_own(g, m, at, tag, now);
	} else if (id > g->id) {
		if (!g->last || now - g->last >= ANSWER_MS)
			probe_all(g, now);
		else
			probe_new(g, now);
	} else if (may_pass(g, m, at, tag, now)) {
		guard_flood(g, 1, now);
		return GUARD_PASSES;
	}
	return GUARD_ENDS;
}

/* ---- members that come and go ---- */

/* Ports that are cut for a loop through @m can forward again: that loop is open now. */
static void open_others(struct guard *g, const struct member *m)
{
	struct member *next;

	for (struct member *other = g->cut; other; other = next) {
		next = other->guard.next_cut;
		if (other == m || other->guard.against != m)
			continue;
		open_port(g, other, loop_coarse());
		/* The loop did not come and go by itself, so this is no relapse. */
		other->guard.opened = 0;
	}
}

void guard_gone(struct guard *g, struct member *m)
{
	unprobed_remove(g, m);
	cut_remove(g, m);
	m->guard.opened = 0;
	m->guard.echoes = 0;
	open_others(g, m);
}

void guard_changed(struct guard *g, struct member *m)
{
	if (m->port->state == PORT_UP)
		unprobed_add(g, m);
	else
		guard_gone(g, m);
}
