/* SPDX-License-Identifier: MIT */
/*
 * Loops: found without configuration, and cut. A loop harms nobody until a
 * frame is flooded into it; so ahead of that goes a probe, a frame of our own,
 * out of every port. It overtakes nothing and is not overtaken: if it comes
 * back, it does so before the flooded frame would.
 *
 * A probe, PORT_PROBE_BYTES long, big-endian:
 *
 *   0  6  GUARD_GROUP, which bridges pass on, as they do not 01:80:c2:...
 *   6  6  02 and five bytes of the relay's id
 *  12  2  GUARD_ETHERTYPE, IEEE 802's local experimental one
 *  14  8  "netrelay"
 *  22  2  version, 1
 *  24  8  the relay's id, chosen by chance when it starts
 *  32  4  the round: how often it has probed
 *  36  4  the port that it left by
 *  40  8  proof that we made it: SipHash of round and port under a secret key,
 *         so that a guest can play back its own port's probe, but not feign
 *         that another port's had reached it
 *  48 12  zero
 *
 * Of several relays in one loop exactly one must cut it. The one with the
 * lowest id does: each lets the probes of lower ids pass, so that those come
 * back to where they are from, and takes the ones of higher ids out, so that
 * those do not. A probe that passes is a flooded frame like any other: it may
 * be the first one to go round in a loop that its sender is not part of.
 *
 * Where probes do not get through, a loop shows by an address that moves to
 * and fro between two ports faster than any machine roams.
 */
#ifndef GUARD_H
#define GUARD_H

#include <stdbool.h>
#include <stdint.h>

#include "forward.h"
#include "loop.h"
#include "port.h"

#define GUARD_ETHERTYPE 0x88b5
#define GUARD_MOVES_MAX 200 /* of one address, by flooded frames, in a second */

/*
 * @period: set while a port is blocked: when to look again
 * @id:     this relay's; lower is better
 * @round:  of the last probes
 * @last:   when those left, ms; 0: never
 * @due:    when the next may follow ahead of a flooded frame, ms
 * @flooded: frames since @last
 * @again: how many of those before the next probes, if they are not due earlier
 * @tell:   a loop was cut by blocking @p, or is gone; @other is at its other end
 */
struct guard {
	struct loop *loop;
	struct forward *forward;
	struct timer period;
	uint64_t id, key[2];
	uint32_t round;
	uint64_t last, due;
	uint32_t flooded, again;
	void (*tell)(struct guard *g, const struct port *p, const struct port *other,
		     bool is_gone);
};

/* guard_init() - Set tell afterwards. */
void guard_init(struct guard *g, struct loop *loop, struct forward *fwd);
void guard_free(struct guard *g);

/* guard_is_probe() - Whether a frame of at least FRAME_HEADER bytes goes to GUARD_GROUP. */
static inline bool guard_is_probe(const uint8_t *frame)
{
	return get_be32(frame) == 0x036e6574 && frame[4] == 0x72 && frame[5] == 0x6c;
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

/* guard_moved() - A flooded frame's source moved, for the @moves-th time this second. */
void guard_moved(struct guard *g, struct port *from, struct port *to, uint32_t moves,
		 uint64_t now);

/* guard_changed() - @p has come up or gone down. */
void guard_changed(struct guard *g, struct port *p);

/* guard_gone() - @p is about to be freed. */
void guard_gone(struct guard *g, struct port *p);

#endif
