/* SPDX-License-Identifier: MIT */
/*
 * The forwarding path: how frames get from the port that received them to the ports that
 * send them.
 *
 *	port.c     the loop says that a port is readable
 *	relay.c    on_readable():   port_receive(), forward_batch(), deliver_flush(),
 *	                            port_received()
 *	driver     rx():            one system call; up to BATCH_MAX entries in the batch
 *	forward.c  forward_batch()  for each: may it pass, and to where?
 *	deliver.c  deliver_frame()  to one or all: whole, split, or with its checksum
 *	port.c     port_send()      puts it on the target's pending list
 *	deliver.c  deliver_flush()  once for each member that has frames pending
 *	port.c     port_flush()     tx(): one system call; the rest goes to the queue
 *	driver     rx_done():       the memory is its own again
 *
 * The decision. In a hub, and in a cable whose ends can't be joined elsewhere, no frame is
 * looked at unless a port has a rule on source addresses. Else the first 18 bytes of each
 * are, and in this order:
 *
 *  1. A probe of the search for bridge loops is for guard.c.
 *  2. A blocked port brings nothing. A port with rules on source addresses brings only
 *     what has one of these.
 *  3. A switch with more than two ports learns where the source is, and looks up where
 *     the destination is: nowhere yet, here (then the frame has arrived already), or at
 *     one other port. With two ports there is nothing to learn.
 *  4. What goes to all others is subject to the limits of guard.c and storm.c, and a probe
 *     goes ahead of it when one is due.
 *
 * deliver_is_target() has the last word on each target: it is up, not blocked, and not
 * isolated from the source.
 *
 * An entry of the batch may be a run: frames that lie one behind the other in the
 * receive buffer. Neighbours with the same addresses and the same VLAN tag share one
 * decision and stay one run, so that a stream sends them with one iovec.
 *
 * Memory. No frame is copied and nothing is allocated. The bytes belong to the source,
 * which lends them from rx() until rx_done(); most drivers read into the batch's buffer,
 * which all ports of the relay share. A pending list holds struct frame, not bytes.
 * Frames made here are in fwd->segments, and probes in their members: both are used again
 * only after a flush. So a flush must come before rx_done(), and the caller of
 * forward_batch() sees to it. Only what the kernel does not take now is copied, into the
 * queue of that one port.
 *
 * Order. The frames that one port brings leave by another in the order in which they
 * came: pending lists and queues keep it, a list that is full is flushed early, and what
 * is sent while a queue is not empty goes behind it. This holds for all frames between
 * two ports, so for each flow. Between two sources there is no order.
 *
 * Costs. A batch costs a system call to receive, one for each target, and a reading of
 * the coarse clock. A decision costs two look-ups in the fdb, each a hash and mostly one
 * cache line; a target costs the first 64 bytes of its member, its port's state, and a
 * struct frame on its list. A frame to all others visits all members.
 *
 * A port may fail while a batch is under way, even its source: port.h says what happens
 * to it then, and relay.c that others hear of it afterwards.
 */
#include "relay/forward.h"

#include <string.h>

#include "base/parts.h"
#include "base/util.h"
#include "frame/headers.h"
#include "frame/run.h"
#include "relay/moves.h"

#define VLAN_ID 0x0fff
#define LOOK_BYTES (ETH_SIZE + VLAN_SIZE) /* bytes of a frame that are read */

/* ---- what a header says ---- */

static bool is_group(const uint8_t *mac)
{
	return mac[0] & 1;
}

/* Return: the first LOOK_BYTES of a frame, or all of it if it is shorter. */
static const uint8_t *first_bytes(const struct frame *f, uint8_t *room)
{
	return frame_peek(f, f->len < LOOK_BYTES ? f->len : LOOK_BYTES, room);
}

/* The VLAN of the outer tag; 0 if there is none, or the frame ends in it. @eth: first_bytes() */
static uint16_t vlan_of(const struct frame *f, const uint8_t *eth)
{
	uint16_t type = get_be16(eth + ETH_TYPE);

	if ((type != TYPE_VLAN && type != TYPE_QINQ) || f->len < LOOK_BYTES)
		return 0;
	return get_be16(eth + VLAN_TCI) & VLAN_ID;
}

/*
 * Whether two frames have the same addresses and the same tag. Both are long
 * enough to be part of a run, so there are 16 bytes.
 */
static bool is_same_flow(const uint8_t *a, const uint8_t *b)
{
	uint64_t a0, a1, b0, b1;
	uint16_t type = get_be16(a + ETH_TYPE);

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
 * Cut off the frames at the front of the run @rest that belong to one flow. Probes are
 * taken one by one, although their headers are the same; so are all frames while their
 * contents matter (@is_single).
 *
 * Return: these frames; @rest is then what is left, with a len of 0 when nothing is.
 */
static struct frame cut_same_flow(struct frame *rest, bool is_single)
{
	struct frame first = *rest, last = *rest;

	if (!is_single && !(HAS_LOOPS && guard_is_probe(first.data))) {
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

/* ---- where it may go ---- */

static bool may_send(const struct endpoint_rules *rules, const uint8_t *mac)
{
	for (unsigned i = 0; i < rules->n_macs; i++)
		if (memcmp(rules->macs[i], mac, sizeof(rules->macs[i])) == 0)
			return true;
	return !rules->n_macs;
}

static void drop(struct member *src, enum port_drop reason, const struct frame *f)
{
	port_drop(src->port, reason, 1 + f->n_more);
}

static void send_on(struct forwarding *fwd, struct member *src, struct member *only,
		    const struct frame *f)
{
	const struct dest to = { .src = src, .only = only };
	int sent = deliver_frame(fwd, &to, f);

	if (sent <= 0)
		drop(src, sent < 0 ? DROP_MALFORMED : DROP_NO_PORT, f);
}

/* How many frames it counts as: a super-frame may be split for all others. */
static uint32_t weight_of(const struct frame *f)
{
	if (!f->vnet || f->vnet->gso_type == VNET_GSO_NONE || !f->vnet->gso_size)
		return 1;
	return (f->len + f->vnet->gso_size - 1) / f->vnet->gso_size;
}

/* To all others: as many of its frames as the port may still bring. */
static void flood(struct forwarding *fwd, struct member *src, const struct frame *f,
		  uint64_t now)
{
	struct frame part = *f;
	uint32_t all = 1 + f->n_more, n = all, admitted, each = weight_of(f);

	if (HAS_LOOPS && src->guard.is_limited)
		n = guard_admit(src, n, each, now);
	port_drop(src->port, DROP_LOOP, all - n);
	admitted = n;
	if (fwd->storm)
		n = storm_admit(fwd->storm, src, n, each, (uint32_t)(now / 1000));
	port_drop(src->port, DROP_STORM, admitted - n);
	if (!n)
		return;
	run_shorten(&part, n);
	if (HAS_LOOPS && fwd->guard)
		guard_flood(fwd->guard, n * each, now);
	send_on(fwd, src, NULL, &part);
}

/*
 * Learn where its source is.
 * @to:  the member that it is for; NULL: all others
 * @eth: first_bytes()
 *
 * Return: false when it is one copy too many, and goes no further.
 */
static bool learn(struct forwarding *fwd, struct member *src, const struct member *to,
		  const struct frame *f, const uint8_t *eth, uint64_t now)
{
	fdb_key key = fdb_key_of(vlan_of(f, eth), eth + ETH_SOURCE);
	struct fdb_entry *elsewhere;

	if (is_group(eth + ETH_SOURCE))
		return true;
	/* Frames that we sent may come back here, but none that are for another port. */
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

/* Return: the member that an address is behind; NULL: it is unknown, or a group's. */
static struct member *where_is(const struct forwarding *fwd, const uint8_t *mac,
			       uint16_t vlan, uint64_t now)
{
	const struct fdb_entry *e;

	if (is_group(mac))
		return NULL;
	e = fdb_lookup(fwd->fdb, fdb_key_of(vlan, mac), (uint32_t)(now / 1000));
	return e ? e->member : NULL;
}

static void forward_by_fdb(struct forwarding *fwd, struct member *src,
			   const struct frame *f, const uint8_t *eth, uint64_t now)
{
	struct member *to = where_is(fwd, eth, vlan_of(f, eth), now);

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
 * To the only other port. There may be a bridge loop through both, as nobody knows what
 * is behind them, but mostly there is none: so probes are sent by time alone.
 */
static void forward_to_other(struct forwarding *fwd, struct member *src,
			     const struct frame *f, uint64_t now)
{
	if (HAS_LOOPS && fwd->guard)
		guard_flood(fwd->guard, 0, now);
	send_on(fwd, src, NULL, f);
}

/* Frames of one flow. */
static void forward_flow(struct forwarding *fwd, struct member *src,
			 const struct frame *f, uint64_t now)
{
	enum guard_verdict verdict = GUARD_NO_PROBE;
	uint8_t room[LOOK_BYTES];
	const uint8_t *eth = first_bytes(f, room);

	if (HAS_LOOPS && fwd->guard && guard_is_probe(eth))
		verdict = guard_take(fwd->guard, src, f, now);
	if (verdict == GUARD_ENDS)
		drop(src, DROP_PROBE, f);
	else if (src->is_blocked)
		drop(src, DROP_LOOP, f);
	else if (src->rules.n_macs && !may_send(&src->rules, eth + ETH_SOURCE))
		drop(src, DROP_MAC, f);
	else if (verdict == GUARD_PASSES)
		send_on(fwd, src, NULL, f);
	else if (fwd->fdb && fwd->members.n > 2)
		forward_by_fdb(fwd, src, f, eth, now);
	else if (is_group(eth))
		flood(fwd, src, f, now);
	else
		forward_to_other(fwd, src, f, now);
}

static void forward_run(struct forwarding *fwd, struct member *src,
			const struct frame *run, uint64_t now)
{
	struct frame rest = *run;
	bool is_single = fwd->fdb && moves_are_many(fwd->moves, now);

	if (!run->n_more) {
		forward_flow(fwd, src, run, now);
		return;
	}
	while (rest.len) {
		struct frame f = cut_same_flow(&rest, is_single);

		forward_flow(fwd, src, &f, now);
	}
}

void forward_batch(struct forwarding *fwd, struct member *src, const struct batch *b)
{
	bool is_blind = !fwd->fdb && !fwd->guard && !fwd->members.n_mac_filters;
	uint64_t now = is_blind ? 0 : loop_coarse();

	for (unsigned i = 0; fwd->observers && i < b->n; i++)
		observer_notify(fwd, src, FRAME_IN, &b->frame[i]);
	for (unsigned i = 0; i < b->n; i++) {
		if (is_blind)
			send_on(fwd, src, NULL, &b->frame[i]);
		else
			forward_run(fwd, src, &b->frame[i], now);
	}
}
