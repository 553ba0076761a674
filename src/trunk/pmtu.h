/* SPDX-License-Identifier: MIT */
/*
 * How long datagrams may be to get through to a peer that answers probes (RFC 8899,
 * DPLPMTUD). A probe is a datagram filled up to a length, and only its answer counts: what
 * routers report by ICMP may be lost or forged. Lengths are bytes of UDP payload.
 *
 *	BASE    a length that nearly every path takes: it is used at once, and probed
 *	SEARCH  longer ones: the longest first, then those of usual links, then halfway
 *	DONE    while long datagrams are sent, a probe of that length follows now and then.
 *	        Unanswered ones mean that the path has become a black hole for them: BASE
 *
 * Nothing here knows the time, or sends. A probe is sent PMTU_TRIES times before it is lost.
 */
#ifndef PMTU_H
#define PMTU_H

#include <stdbool.h>
#include <stdint.h>

#define PMTU_LEAST 508 /* IPv4 must take 576 with all headers (RFC 791, 3.2) */
#define PMTU_BASE 1232 /* IPv6 must take 1280 (RFC 8200, 5), less the headers */
#define PMTU_MAX 8972  /* of Ethernet with jumbo frames */

#define PMTU_TRIES 3
#define PMTU_PROBE_MS 1000   /* until an answer is taken for lost */
#define PMTU_CONFIRM_MS 5000 /* between probes while datagrams of full length go */
#define PMTU_RAISE_MS \
	(600ull * 1000) /* until longer ones are tried again (RFC 8899, 5.1.1) */
#define PMTU_STEP 8	/* bytes that are not worth a search */

enum pmtu_state { PMTU_IN_BASE, PMTU_IN_SEARCH, PMTU_IN_DONE };

/*
 * @size:  what datagrams may have now
 * @max:   what the way out may take at most
 * @high:  what does not get through, or is above @max
 * @probe: what is being probed; 0: nothing. @tries: how often it was sent
 * @at:    when pmtu_due() has something to do
 * @raise_at: when to search again
 * @is_used: full datagrams were sent since the last one was known to arrive
 */
struct pmtu {
	enum pmtu_state state;
	uint32_t size, max, high;
	uint32_t probe;
	unsigned tries;
	uint64_t at, raise_at;
	bool is_used;
};

/* pmtu_begin() - A path of which nothing is known. @now: ms, of any clock */
void pmtu_begin(struct pmtu *m, uint32_t max, uint64_t now);

/* pmtu_due() - Return: the length of a probe that is to be sent now; 0: none is. */
uint32_t pmtu_due(struct pmtu *m, uint64_t now);

/* pmtu_answered() - The peer has answered a probe of @size. */
void pmtu_answered(struct pmtu *m, uint32_t size, uint64_t now);

/* pmtu_too_long() - The kernel has refused a datagram of @size as too long (EMSGSIZE). */
void pmtu_too_long(struct pmtu *m, uint32_t size, uint64_t now);

/* pmtu_used() - A datagram of @size was sent. */
static inline void pmtu_used(struct pmtu *m, uint32_t size, uint64_t now)
{
	if (m->is_used || size <= PMTU_LEAST)
		return;
	m->is_used = true;
	if (m->state == PMTU_IN_DONE && !m->probe && m->at > now + PMTU_CONFIRM_MS)
		m->at = now + PMTU_CONFIRM_MS;
}

#endif
