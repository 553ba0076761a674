/* SPDX-License-Identifier: MIT */
/*
 * The way of a batch. In a hub, and in a cable that nobody needs to watch, no
 * frame is looked at. Else each one's header is: frames that lie one behind the
 * other with the same addresses have the same way, and stay a run on it. Every
 * port that got any is flushed once, at the end.
 */
#include "relay/forward.h"

#include <string.h>

#include "base/util.h"
#include "frame/run.h"
#include "relay/fdb.h"
#include "relay/guard.h"
#include "relay/moves.h"
#include "relay/storm.h"

#define VLAN_ID 0x0fff
#define LOOK_BYTES (ETH_SIZE + VLAN_SIZE) /* of a frame that are looked at */

/* ---- what a header says ---- */

static bool is_group(const uint8_t *mac)
{
	return mac[0] & 1;
}

/* The first bytes of a frame, LOOK_BYTES or all of it. */
static const uint8_t *first_bytes(const struct frame *f, uint8_t *room)
{
	return frame_peek(f, f->len < LOOK_BYTES ? f->len : LOOK_BYTES, room);
}

/* The outer tag's VLAN; a frame that ends in it has none. @eth: first_bytes() */
static uint16_t vlan_of(const struct frame *f, const uint8_t *eth)
{
	uint16_t type = vnet_get16(eth + 12);

	if ((type != TYPE_VLAN && type != TYPE_QINQ) || f->len < LOOK_BYTES)
		return 0;
	return vnet_get16(eth + 14) & VLAN_ID;
}

/*
 * Whether two frames have the same addresses and the same tag. Both are long
 * enough to be part of a run, so there are 16 bytes.
 */
static bool is_same_flow(const uint8_t *a, const uint8_t *b)
{
	uint64_t a0, a1, b0, b1;
	uint16_t type = vnet_get16(a + 12);

	memcpy(&a0, a, 8);
	memcpy(&b0, b, 8);
	if (a0 != b0)
		return false;
	if (type != TYPE_VLAN && type != TYPE_QINQ)
		return memcmp(a + 8, b + 8, 6) == 0;
	memcpy(&a1, a + 8, 8);
	memcpy(&b1, b + 8, 8);
	return a1 == b1;
}

/*
 * Cut off the frames at the front of the run @rest that go the same way. Probes are
 * taken one by one, though their headers are the same; so are all frames while it
 * matters what is in them (@is_single).
 *
 * Return: those; @rest is then what is left, with a len of 0 when nothing is.
 */
static struct frame cut_same_flow(struct frame *rest, bool is_single)
{
	struct frame first = *rest, last = *rest;

	if (!is_single && !guard_is_probe(first.data)) {
		while (last.n_more) {
			struct frame next = run_next(&last);

			if (!is_same_flow(first.data, next.data))
				break;
			last = next;
		}
	}
	if (!last.n_more) {
		rest->len = 0;
		return first;
	}
	first.n_more -= last.n_more;
	first.more_bytes -= last.more_bytes;
	*rest = run_next(&last);
	return first;
}

/* ---- which ways it may go ---- */

static bool may_send(const struct endpoint_rules *rules, const uint8_t *mac)
{
	for (unsigned i = 0; i < rules->n_macs; i++)
		if (memcmp(rules->macs[i], mac, sizeof(rules->macs[i])) == 0)
			return true;
	return !rules->n_macs;
}

static void drop(struct port *src, enum port_drop reason, const struct frame *f)
{
	port_drop(src, reason, 1 + f->n_more);
}

static void send_on(struct forwarding *fwd, struct port *src, struct port *only,
		    const struct frame *f)
{
	const struct dest way = { .src = src, .only = only };
	int sent = deliver_frame(fwd, &way, f);

	if (sent <= 0)
		drop(src, sent < 0 ? DROP_MALFORMED : DROP_NO_PORT, f);
}

/* As how many a frame counts: a super-frame may be split for all others. */
static uint32_t weight_of(const struct frame *f)
{
	if (!f->vnet || f->vnet->gso_type == VNET_GSO_NONE || !f->vnet->gso_size)
		return 1;
	return (f->len + f->vnet->gso_size - 1) / f->vnet->gso_size;
}

/* To all others: as much of it as the port may still bring. */
static void flood(struct forwarding *fwd, struct port *src, const struct frame *f,
		  uint64_t now)
{
	struct frame part = *f;
	uint32_t all = 1 + f->n_more, n = all, admitted, each = weight_of(f);

	if (src->guard.is_limited)
		n = guard_admit(src, n, each, now);
	port_drop(src, DROP_LOOP, all - n);
	admitted = n;
	if (fwd->storm)
		n = storm_admit(fwd->storm, src, n, each, (uint32_t)(now / 1000));
	port_drop(src, DROP_STORM, admitted - n);
	if (!n)
		return;
	run_shorten(&part, n);
	if (fwd->guard)
		guard_flood(fwd->guard, n * each, now);
	send_on(fwd, src, NULL, &part);
}

/*
 * Note where its source is.
 * @to:  where it is for; NULL: all
 * @eth: first_bytes()
 *
 * Return: false when it is one copy too many, and goes no further.
 */
static bool learn(struct forwarding *fwd, struct port *src, const struct port *to,
		  const struct frame *f, const uint8_t *eth, uint64_t now)
{
	fdb_key key = fdb_key_of(vlan_of(f, eth), eth + 6);
	struct fdb_entry *elsewhere;

	if (is_group(eth + 6))
		return true;
	/* Ours may come back there; what is for somebody elsewhere does not. */
	if (src->guard.is_limited && (!to || to == src)) {
		fdb_doubt(fwd->fdb, key, src, (uint32_t)(now / 1000));
		return true;
	}
	if (!to && moves_are_many(fwd->moves, now) &&
	    !moves_admit(fwd->moves, key, src, f, now))
		return false;
	elsewhere = fdb_learn(fwd->fdb, key, src, (uint32_t)(now / 1000));
	if (elsewhere)
		moves_seen(fwd->moves, elsewhere, src, !to, f, now);
	return true;
}

/* Return: the port that an address is behind; NULL: unknown, or a group's. */
static struct port *where_is(const struct forwarding *fwd, const uint8_t *mac,
			     uint16_t vlan, uint64_t now)
{
	const struct fdb_entry *e;

	if (is_group(mac))
		return NULL;
	e = fdb_lookup(fwd->fdb, fdb_key_of(vlan, mac), (uint32_t)(now / 1000));
	return e ? e->port : NULL;
}

static void route(struct forwarding *fwd, struct port *src, const struct frame *f,
		  const uint8_t *eth, uint64_t now)
{
	struct port *to = where_is(fwd, eth, vlan_of(f, eth), now);

	if (!learn(fwd, src, to, f, eth, now))
		drop(src, DROP_LOOP, f);
	else if (!to)
		flood(fwd, src, f, now);
	else if (to == src)
		drop(src, DROP_LOCAL, f);
	else
		send_on(fwd, src, to, f);
}

/*
 * To the only other port. It may be a way round as well, for nobody knows what
 * is behind it; but most are not, so it is looked at by time alone.
 */
static void go_through(struct forwarding *fwd, struct port *src, const struct frame *f,
		       uint64_t now)
{
	if (fwd->guard)
		guard_flood(fwd->guard, 0, now);
	send_on(fwd, src, NULL, f);
}

/* Frames with one header, on their way. */
static void pass(struct forwarding *fwd, struct port *src, const struct frame *f,
		 uint64_t now)
{
	enum guard_verdict verdict = GUARD_NO_PROBE;
	uint8_t room[LOOK_BYTES];
	const uint8_t *eth = first_bytes(f, room);

	if (fwd->guard && guard_is_probe(eth))
		verdict = guard_take(fwd->guard, src, f, now);
	if (verdict == GUARD_ENDS)
		drop(src, DROP_PROBE, f);
	else if (src->is_blocked)
		drop(src, DROP_LOOP, f);
	else if (src->rules.n_macs && !may_send(&src->rules, eth + 6))
		drop(src, DROP_MAC, f);
	else if (verdict == GUARD_PASSES)
		send_on(fwd, src, NULL, f);
	else if (fwd->fdb && fwd->n_ports > 2)
		route(fwd, src, f, eth, now);
	else if (is_group(eth))
		flood(fwd, src, f, now);
	else
		go_through(fwd, src, f, now);
}

static void look_at(struct forwarding *fwd, struct port *src, const struct frame *run,
		    uint64_t now)
{
	struct frame rest = *run;
	bool is_single = fwd->fdb && moves_are_many(fwd->moves, now);

	if (!run->n_more) {
		pass(fwd, src, run, now);
		return;
	}
	while (rest.len) {
		struct frame f = cut_same_flow(&rest, is_single);

		pass(fwd, src, &f, now);
	}
}

void forward_batch(struct forwarding *fwd, struct port *src, const struct batch *b)
{
	bool is_blind = !fwd->fdb && !fwd->guard && !fwd->has_mac_filter;
	uint64_t now = is_blind ? 0 : loop_coarse();

	for (unsigned i = 0; fwd->observers && i < b->n; i++)
		observer_notify(fwd, src, FRAME_IN, &b->frame[i]);
	for (unsigned i = 0; i < b->n; i++) {
		if (is_blind)
			send_on(fwd, src, NULL, &b->frame[i]);
		else
			look_at(fwd, src, &b->frame[i], now);
	}
	if (!b->more)
		deliver_flush(fwd);
}
