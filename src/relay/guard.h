/* SPDX-License-Identifier: MIT */
/*
 * The search for bridge loops: they are found without configuration, and cut. A loop does
 * no harm until a frame is flooded into it. So before that, a probe, which is a frame of
 * our own, leaves by every port. Nothing overtakes a probe on its way, so if it comes
 * back, it does so before the flooded frame would.
 *
 * A probe, GUARD_PROBE_BYTES long, big-endian; a VLAN tag may be ahead of its type:
 *
 *   0  6  the group 03:6e:65:74:72:6c; bridges forward it, as they do not 01:80:c2:...
 *   6  6  02 and five bytes of the relay's id
 *  12  2  GUARD_ETHERTYPE, IEEE 802's local experimental one
 *  14  8  "netrelay"
 *  22  2  version, 1
 *  24  8  the relay's id, chosen at random when it starts
 *  32  4  the round: when it left, in the relay's ms; each is above the one before
 *  36  4  the number of the port that it left by
 *  40  8  proof that we made it: SipHash of round and port under a secret key
 *  48 12  zero
 *
 * If several relays are in one loop, exactly one must cut it: the one with the lowest id.
 * So each relay forwards the probes of lower ids, which come back to where they are from,
 * and drops those of higher ids, which do not. A probe that is forwarded counts as a
 * flooded frame: it may be the first one to go round in a loop that its sender is not
 * part of.
 *
 * Guests receive probes, too, and may do with them as they like. So probes are trusted
 * only this far:
 *
 * - A relay takes only its own probes as proof of a loop, because it can check them: a
 *   guest can send again what it received, but can't make one. A probe counts while it is
 *   at most PROBE_LIFE_MS old, and only once at the port that it left by.
 * - A probe of another relay passes once, by the port that it came in by first. If the
 *   same one comes in by another port, it left by that port and came back: it ends there,
 *   at the relay next to whoever sent it back, and the relay that made it never sees it.
 *   So a guest that sends probes back has its own port blocked.
 * - A port is a guest's if a listener accepted it and it is no trunk. All others were set
 *   up by people, and may have many machines behind them (they are shared): taps, trunks,
 *   and what was dialled. Of two ports that close a loop, a guest's yields to a shared
 *   one, else the younger to the older. When a probe leaves by a shared port and comes
 *   back by the same, there is a loop behind it, or a machine that sends back what it
 *   receives, and we can't know which. So that port is not blocked, but the frames that
 *   it brings for all others are limited, and their sources are not learned.
 * - Relays of versions before this send and forward the same probes, so loops with them
 *   are cut as before. They forward the probes that their guests send back; those come
 *   back by the port that they left by, which at most limits that port.
 *
 * Two guests at two relays that pass on to each other what they receive are no different
 * from a loop through both relays, and are cut as one.
 *
 * Where probes do not get through, as in a VLAN, addresses move to and fro between two
 * ports. Then probes with the same tag leave by these two: guard_suspect().
 *
 * Probes leave by a port that came up before the next frame is flooded; after that, in
 * each round, by all shared ports and by some of the guests'. So a round has a limited
 * cost, however many ports there are. A port that comes or goes concerns no others but
 * the few that are cut.
 */
#ifndef GUARD_H
#define GUARD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/loop.h"
#include "base/util.h"
#include "frame/frame.h"
#include "relay/recent.h"

struct forwarding;
struct member;

#define GUARD_ETHERTYPE 0x88b5

#define GUARD_PROBE_BYTES 60
#define GUARD_PROBE_MAX (GUARD_PROBE_BYTES + 4) /* with a VLAN tag */

/*
 * What the search knows of a member.
 * @probe:   the last one that left by it
 * @is_limited: what goes out there comes back, so frames from it to all others are limited
 * @is_unprobed: it came up, and no probe has left by it since
 * @next_unprobed, @prev_unprobed: in the list of those
 * @against: while it is cut (blocked or limited): the member at the loop's other end, or
 *           itself
 * @next_cut: in the list of those that are cut
 * @tag:     of the VLAN that the loop is in; 0: none
 * @heard:   when the loop was last noticed, ms
 * @quiet:   it must not be for so long, until the port forwards again, ms
 * @opened:  when the port last began to forward again, ms; 0: never
 * @echoes, @echoed: how often a probe came back to the port that it left by, and when
 * @echo:    the round of the last one that did
 * @second, @passed, @flooded: how many probes of other relays it has brought in that
 *           second, and frames to all others while it is limited
 */
struct guard_state {
	uint8_t probe[GUARD_PROBE_MAX];
	bool is_limited, is_unprobed;
	struct member *next_unprobed, *prev_unprobed;
	struct member *against, *next_cut;
	uint32_t tag;
	uint64_t heard, opened, echoed;
	unsigned quiet, echoes;
	uint32_t echo;
	uint32_t second, passed, flooded;
};

enum guard_news {
	GUARD_BLOCKED, /* a bridge loop was cut: the port does not forward */
	GUARD_LIMITED, /* what goes out there comes back */
	GUARD_OPEN,    /* that is over */
};

/*
 * @period: set while a port is cut: when to probe again
 * @id:     this relay's; the lowest one of all wins
 * @round:  of the last probes
 * @last:   when a round began last, ms; 0: never
 * @due:    when the next one may, before a frame is flooded, ms
 * @flooded: frames since @last
 * @again:  after so many of those a round may begin before @due
 * @suspected: when two ports were last probed because an address moved, ms
 * @turn:   the guests' port that is first in the next round
 * @unprobed, @cut: lists of members; see struct guard_state
 * @passed: other relays' probes
 * @notify: @m was blocked, limited or opened; @other is at the loop's other end
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
	struct member *unprobed, *cut;
	struct recent passed;
	void (*notify)(struct guard *g, struct member *m, struct member *other,
		       enum guard_news news);
};

/* guard_init() - Begin with the members that there are. Set notify afterwards. */
void guard_init(struct guard *g, struct loop *loop, struct forwarding *fwd);

/* guard_free() - End the search; members that are cut stay so. */
void guard_free(struct guard *g);

/* guard_is_probe() - Whether a frame of at least FRAME_HEADER bytes goes to the probes' group. */
static inline bool guard_is_probe(const uint8_t *frame)
{
	return get_be32(frame) == 0x036e6574 && frame[4] == 0x72 && frame[5] == 0x6c;
}

/* guard_is_cut() - Whether @m is blocked or limited because of a bridge loop. */
bool guard_is_cut(const struct member *m);

enum guard_verdict {
	GUARD_NO_PROBE, /* a frame like others, though it goes to the same group */
	GUARD_PASSES,	/* it goes to all other ports */
	GUARD_ENDS,	/* it goes no further */
};

/*
 * guard_take() - A single frame that guard_is_probe() has come in at @m.
 * @now: as of loop_coarse(), ms; so in all of the following
 */
enum guard_verdict guard_take(struct guard *g, struct member *m, const struct frame *f,
			      uint64_t now);

/* guard_flood() - @n frames are about to be flooded: send probes ahead of them, if due. */
void guard_flood(struct guard *g, uint32_t n, uint64_t now);

/*
 * guard_admit() - How many of @n frames to all others may pass, from a member that is
 * limited.
 * @each: what one of them counts as; see storm_admit()
 */
uint32_t guard_admit(struct member *m, uint32_t n, uint32_t each, uint64_t now);

/* guard_suspect() - An address moves between @a and @b; @f is the frame that moved it. */
void guard_suspect(struct guard *g, struct member *a, struct member *b,
		   const struct frame *f, uint64_t now);

/* guard_changed() - @m's port has come up or gone down. */
void guard_changed(struct guard *g, struct member *m);

/* guard_gone() - @m is about to be freed. */
void guard_gone(struct guard *g, struct member *m);

#endif
