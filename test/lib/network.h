/* SPDX-License-Identifier: MIT */
/*
 * Small networks for guard.c: switches, and hubs that know nothing of loops, as
 * bridges without STP. A cable takes what one port sends to where another one
 * receives, several frames at a time, in any order between cables, and 20 us of
 * the clock of clock.h.
 *
 *   host --- switch === switch --- host       and whatever else chance draws
 *              |          |
 *   host ---- hub ------ switch --- host
 */
#ifndef NETWORK_H
#define NETWORK_H

#include "frame/headers.h"
#include "relay/guard.h"

#include <stdlib.h>

#include "lib/clock.h"
#include "lib/fake-port.h"
#include "lib/quiet.h"
#include "lib/random.h"
#include "lib/tap.h"
#include "relay/forward.h"
#include "relay/switching.h"

#define NODES 8
#define PORTS 64
#define RX_MAX 200
#define FRAME_BYTES 60 /* of a frame without a tag */
#define FRAME_MOST GUARD_PROBE_MAX
#define NUMBERS 4096
#define STEP_US 20
#define STEPS_MAX 20000 /* of one flood, before it is called endless */
#define COPIES_MAX 1000

/* @told: loops less those that are gone */
struct node {
	struct forwarding fwd;
	struct switching sw;
	bool is_hub;
	int told;
	unsigned loops;
};

/*
 * @peer:  at the other end of its cable; NULL: a host is there, or nobody
 * @host:  its number; else -1
 * @is_cut: what is sent is lost, and nobody is told
 * @is_off: its port is down, and can't come up
 * @rx: what has come for its port; a tag makes a frame longer
 */
struct end {
	struct fake_port fake;
	struct node *node;
	struct end *peer;
	int host;
	bool is_cut, is_off, takes_no_probes, takes_only_tagged;
	uint8_t rx[RX_MAX][FRAME_MOST];
	unsigned n_rx;
};

static bool is_greedy; /* ports take all that has come, in turn; else chance says */
static struct loop loop;
static struct port_env env;
static struct node nodes[NODES];
static struct end ends[PORTS];
static unsigned n_nodes, n_ends, n_hosts;
static uint16_t copies[NUMBERS][PORTS]; /* of each frame, at each host */
static unsigned number;
static unsigned probes_seen;					   /* on all cables */
static void (*heard_by_host)(struct end *e, const uint8_t *frame); /* optional */
static void (*every_4_ms)(void);				   /* optional */

/* ---- ports ---- */

static inline struct end *to_end(struct port *p)
{
	return container_of(p, struct end, fake.port);
}

static inline bool is_tagged(const uint8_t *frame)
{
	return get_be16(frame + 12) == TYPE_VLAN;
}

/* For @e's port. */
static inline void push(struct end *e, const uint8_t *frame)
{
	if (e->n_rx < RX_MAX)
		memcpy(e->rx[e->n_rx++], frame,
		       is_tagged(frame) ? FRAME_MOST : FRAME_BYTES);
}

static inline void arrive(struct end *e, const struct frame *f)
{
	bool is_probe = guard_is_probe(f->data);

	probes_seen += is_probe;
	if (e->host >= 0 && !is_probe)
		copies[get_be32(f->data + (is_tagged(f->data) ? 18 : 14)) % NUMBERS]
		      [e->host]++;
	if (e->host >= 0 && heard_by_host)
		heard_by_host(e, f->data);
	if ((is_probe && e->takes_no_probes) ||
	    (!is_tagged(f->data) && e->takes_only_tagged) || !e->peer || e->is_cut)
		return;
	push(e->peer, f->data);
}

static inline void end_sent(struct fake_port *f, const struct frame *frame)
{
	arrive(container_of(f, struct end, fake), frame);
}

static inline void on_changed(struct port *p, void *arg)
{
	(void)arg;
	if (!to_end(p)->node->is_hub)
		switching_changed(&to_end(p)->node->sw, member_of(p));
}

static const struct port_host host = { fake_heard_nothing, fake_heard_nothing,
				       on_changed };

/* ---- the network ---- */

static inline void on_told(struct switching *sw, const struct news *n)
{
	struct node *node = container_of(sw, struct node, sw);

	node->loops += n->event == EVENT_LOOP;
	node->told += (n->event == EVENT_LOOP) - (n->event == EVENT_LOOP_GONE);
}

static inline struct node *node_add(bool is_hub, uint64_t id)
{
	static const struct switching_limits limits = { .fdb_size = 64 };
	struct node *node = &nodes[n_nodes++];

	memset(node, 0, sizeof(*node));
	node->is_hub = is_hub;
	switching_init(&node->sw, &loop, &node->fwd);
	node->sw.notify = on_told;
	if (is_hub)
		return node;
	if (switching_start(&node->sw, &limits) < 0)
		exit(1);
	node->sw.guard.id = id;
	return node;
}

static inline struct end *end_add(struct node *node)
{
	struct end *e = &ends[n_ends++];

	memset(e, 0, sizeof(*e));
	fake_init(&e->fake, &fake_plain, &env, "end");
	e->fake.sent = end_sent;
	e->node = node;
	e->host = -1;
	members_join(&node->fwd.members, &e->fake.member);
	port_start(&e->fake.port);
	return e;
}

static inline struct end *host_add(struct node *node)
{
	struct end *e = end_add(node);

	e->host = (int)n_hosts++;
	return e;
}

/* Return: the end at @a; the other one is its peer. */
static inline struct end *cable(struct node *a, struct node *b)
{
	struct end *e = end_add(a), *other = end_add(b);

	e->peer = other;
	other->peer = e;
	return e;
}

static inline void begin(uint64_t seed)
{
	is_greedy = seed % 2;
	random_begin(seed);
	n_nodes = n_ends = n_hosts = number = probes_seen = 0;
	heard_by_host = NULL;
	every_4_ms = NULL;
	memset(copies, 0, sizeof(copies));
	clock_us = (clock_us / 100000000 + 1) * 100000000 + rnd(1000000);
}

static inline void end(void)
{
	for (unsigned i = 0; i < n_ends; i++) {
		storm_forget(&ends[i].node->sw.storm, &ends[i].fake.member);
		port_free(&ends[i].fake.port);
	}
	for (unsigned i = 0; i < n_nodes; i++) {
		nodes[i].fwd.members.first = NULL;
		switching_free(&nodes[i].sw);
	}
	if (loop.first)
		ok(false, "a timer is left");
}

/* ---- time ---- */

/* Hand a port some of what has come over its cable. */
static inline void step(struct end *e)
{
	static uint8_t buf[RX_MAX * (LAYOUT_PREFIX + FRAME_MOST)];
	unsigned most = e->n_rx < BATCH_MAX ? e->n_rx : BATCH_MAX;
	unsigned n = is_greedy ? most : 1 + rnd(most);
	struct batch b = { .buf = buf };
	uint8_t *at = buf;

	for (unsigned i = 0; i < n; i++) {
		struct frame f = { .len = is_tagged(e->rx[i]) ? FRAME_MOST
							      : FRAME_BYTES };

		layout_put(&f, at + LAYOUT_PREFIX);
		memcpy(at + LAYOUT_PREFIX, e->rx[i], f.len);
		port_take(&e->fake.port, &b, &f);
		at += LAYOUT_PREFIX + f.len;
	}
	e->n_rx -= n;
	memmove(e->rx, e->rx[n], e->n_rx * sizeof(e->rx[0]));
	forward_batch(&e->node->fwd, &e->fake.member, &b);
	deliver_flush(&e->node->fwd);
	clock_us += STEP_US;
}

/* Until nothing is under way. Return: whether that came to pass. */
static inline bool settle(void)
{
	for (unsigned steps = 0; steps < STEPS_MAX;) {
		unsigned first = rnd(n_ends), moved = 0;

		for (unsigned i = 0; i < n_ends; i++) {
			struct end *e = &ends[(first + i) % n_ends];

			if (!e->n_rx || (!is_greedy && rnd(4) == 0))
				continue;
			step(e);
			clock_run_timers(&loop);
			steps++;
		}
		for (unsigned i = 0; i < n_ends; i++)
			moved += ends[i].n_rx;
		if (!moved)
			return true;
	}
	return false;
}

static inline bool pass_ms(unsigned ms)
{
	uint64_t until = clock_us + (uint64_t)ms * 1000;
	bool settled = true;

	while (clock_us < until) {
		clock_us += 4000;
		clock_run_timers(&loop);
		if (every_4_ms)
			every_4_ms();
		settled &= settle();
	}
	return settled;
}

/* ---- frames ---- */

static inline struct end *find_host(unsigned n)
{
	for (unsigned i = 0; i < n_ends; i++)
		if (ends[i].host == (int)n)
			return &ends[i];
	return NULL;
}

/* From address @from to address @to, or to all (-1), in that VLAN or (0) none. */
static inline void make(uint8_t *at, unsigned from, int to, unsigned vlan)
{
	memset(at, 0, FRAME_MOST);
	memset(at, 0xff, 6);
	if (to >= 0)
		memcpy(at, (uint8_t[]){ 0x52, 0x54, 0, 0, 0, (uint8_t)to }, 6);
	memcpy(at + 6, (uint8_t[]){ 0x52, 0x54, 0, 0, 0, (uint8_t)from }, 6);
	at += 12;
	if (vlan) {
		put_be32(at, (uint32_t)TYPE_VLAN << 16 | vlan);
		at += 4;
	}
	put_be32(at, 0x88b60000);
	put_be32(at + 2, ++number);
}

/* By host @from, in its own name. Return: the frame's number. */
static inline unsigned send_in(unsigned from, int to, unsigned vlan)
{
	uint8_t frame[FRAME_MOST];

	make(frame, from, to, vlan);
	push(find_host(from), frame);
	return number;
}

static inline unsigned send(unsigned from, int to)
{
	return send_in(from, to, 0);
}

static inline unsigned most_copies(unsigned n)
{
	unsigned most = 0;

	for (unsigned i = 0; i < n_hosts; i++)
		most = copies[n % NUMBERS][i] > most ? copies[n % NUMBERS][i] : most;
	return most;
}

static inline unsigned n_blocked(void)
{
	unsigned n = 0;

	for (unsigned i = 0; i < n_ends; i++)
		n += ends[i].fake.member.is_blocked;
	return n;
}

/* Whether every host is heard by every other, just once. */
static inline bool is_joined(void)
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

static inline void set_off(struct end *e, bool is_off)
{
	e->is_off = is_off;
	e->fake.peer->open_ret = is_off ? -EINPROGRESS : 0;
	if (is_off) {
		e->n_rx = 0;
		port_down(&e->fake.port);
	} else if (e->fake.port.state == PORT_OPENING) {
		fake_opened(&e->fake, 0);
	}
	port_retry_now(&e->fake.port);
	clock_run_timers(&loop);
}

/* With @is_told both ports see it; else frames are lost, and nobody says so. */
static inline void break_cable(struct end *e, bool is_told, bool is_broken)
{
	if (is_told) {
		set_off(e, is_broken);
		set_off(e->peer, is_broken);
	} else {
		e->is_cut = e->peer->is_cut = is_broken;
	}
}

/* ---- before all tests ---- */

static inline void network_init(void)
{
	quiet();
	env = (struct port_env){ .loop = &loop, .host = &host };
	if (loop_init(&loop) < 0)
		exit(1);
}

#endif
