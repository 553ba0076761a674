/* SPDX-License-Identifier: MIT */
/*
 * Loops: found without configuration, and cut. A loop harms nobody until a
 * frame is flooded into it; so ahead of that goes a probe, a frame of our own,
 * out of every port. It overtakes nothing and is not overtaken: if it comes
 * back, it does so before the flooded frame would.
 *
 * A probe, PORT_PROBE_BYTES long, big-endian; a VLAN tag may be ahead of its type:
 *
 *   0  6  GUARD_GROUP, which bridges pass on, as they do not 01:80:c2:...
 *   6  6  02 and five bytes of the relay's id
 *  12  2  GUARD_ETHERTYPE, IEEE 802's local experimental one
 *  14  8  "netrelay"
 *  22  2  version, 1
 *  24  8  the relay's id, chosen by chance when it starts
 *  32  4  the round: when it left, in the relay's ms; each is above the one before
 *  36  4  the port that it left by
 *  40  8  proof that we made it: SipHash of round and port under a secret key
 *  48 12  zero
 *
 * Of several relays in one loop exactly one must cut it. The one with the
 * lowest id does: each lets the probes of lower ids pass, so that those come
 * back to where they are from, and takes the ones of higher ids out, so that
 * those do not. A probe that passes is a flooded frame like any other: it may
 * be the first one to go round in a loop that its sender is not part of.
 *
 * Guests get probes, too, and may do with them as they like. So who judges, and
 * what is it worth?
 *
 * - Only a relay's own probes show it a loop, for only these can it prove: a guest
 *   can play back what came to him, but make none. One counts while it is
 *   PROBE_LIFE_MS old, and at the port that it left by once.
 * - A probe of another relay passes once, by the port that it came in by first.
 *   That the same one comes in by another port too shows that it left by that port
 *   and came back: it ends there, at the relay next to who sent it back, and the
 *   relay that made it does not get to see it. A guest's own port is then where
 *   it is blocked.
 * - A port is a guest's if a listener accepted it and it is no trunk. All others
 *   were set up by people, and may have many behind them: taps, trunks, what is
 *   dialled. Of two ports that close a loop a guest's yields to such a one, and
 *   else the younger to the older. What leaves by a shared port and comes back by
 *   the same may be a loop behind it or one who sends back, and nobody can say
 *   which: it is not blocked, but what it brings for everybody is limited, and
 *   says nothing of where its source is.
 * - Relays of before send and pass the same probes; so with them a loop is cut as
 *   ever. They let pass what their guests send back, but that comes back by the
 *   port it left by, and limits it at most.
 *
 * Two guests at two relays who tell each other what they get make what is no
 * different from a loop through both, and it is cut as one.
 *
 * Where probes do not get through, as in a VLAN, addresses move to and fro. Then
 * those two ports are asked by probes with the same tag: guard_suspect().
 *
 * Ports that come up are asked ahead of the next flood, and then all shared ones and
 * a share of the guests' each time, so that a round costs no more than that, however
 * many there are. That a port comes or goes concerns no others but the few that are cut.
 */
#ifndef GUARD_H
#define GUARD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/loop.h"
#include "port/port.h"
#include "relay/deliver.h"
#include "relay/recent.h"

#define GUARD_ETHERTYPE 0x88b5

enum guard_news {
	GUARD_BLOCKED, /* a loop was cut: the port does not forward */
	GUARD_LIMITED, /* what goes out there comes back */
	GUARD_OPEN,    /* that is over */
};

/*
 * @period: set while a port is cut: when to look again
 * @id:     this relay's; lower is better
 * @round:  of the last probes
 * @last:   when all ports were last asked, ms; 0: never
 * @due:    when they may next be, ahead of a flooded frame, ms
 * @flooded: frames since @last
 * @again:  how many of those before all are asked again, if that is not due earlier
 * @suspected: when two ports were last asked for an address that moves, ms
 * @turn:   which of the guests' ports are asked next
 * @fresh, @cut: lists of ports; see struct port_guard
 * @passed: other relays' probes
 * @tell:   @p was blocked, limited or opened; @other is at the loop's other end
 */
struct guard {
	struct loop *loop;
	struct forwarding *forward;
	struct timer period;
	uint64_t id, key[2];
	uint32_t round;
	uint64_t last, due, suspected;
	uint32_t flooded, again;
	unsigned turn;
	struct port *fresh, *cut;
	struct recent passed;
	void (*tell)(struct guard *g, struct port *p, struct port *other,
		     enum guard_news news);
};

/* guard_init() - Set tell afterwards. */
void guard_init(struct guard *g, struct loop *loop, struct forwarding *fwd);
void guard_free(struct guard *g);

/* guard_is_probe() - Whether a frame of at least FRAME_HEADER bytes goes to GUARD_GROUP. */
static inline bool guard_is_probe(const uint8_t *frame)
{
	return get_be32(frame) == 0x036e6574 && frame[4] == 0x72 && frame[5] == 0x6c;
}

/* guard_is_shared() - Whether there may be many behind @p. */
static inline bool guard_is_shared(const struct port *p)
{
	return p->ep || p->takes_super;
}

/* guard_is_cut() - Whether @p is blocked or limited because of a loop. */
static inline bool guard_is_cut(const struct port *p)
{
	return p->guard.against;
}

enum guard_verdict {
	GUARD_NO_PROBE, /* a frame like others, whoever sends such to that group */
	GUARD_PASSES,	/* to all other ports */
	GUARD_ENDS,
};

/* guard_take() - A single frame that guard_is_probe() has come in at @p. */
enum guard_verdict guard_take(struct guard *g, struct port *p, const struct frame *f,
			      uint64_t now);

/* guard_flood() - @n frames are about to be flooded: send probes ahead, if it is time. */
void guard_flood(struct guard *g, uint32_t n, uint64_t now);

/* guard_admit() - How many of @n frames for everybody a port that is limited may bring. */
uint32_t guard_admit(struct port *p, uint32_t n, uint32_t each, uint64_t now);

/* guard_suspect() - An address moves between these; @f is the frame that moved it. */
void guard_suspect(struct guard *g, struct port *a, struct port *b, const struct frame *f,
		   uint64_t now);

/* guard_changed() - @p has come up or gone down. */
void guard_changed(struct guard *g, struct port *p);

/* guard_gone() - @p is about to be freed. */
void guard_gone(struct guard *g, struct port *p);

#endif
