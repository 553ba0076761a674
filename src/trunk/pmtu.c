/* SPDX-License-Identifier: MIT */
/* The search for a path's MTU. */
#include "trunk/pmtu.h"

#include "base/util.h"

static void enter(struct pmtu *m, enum pmtu_state state, uint64_t now)
{
	m->state = state;
	m->probe = 0;
	m->tries = 0;
	m->at = now;
}

void pmtu_begin(struct pmtu *m, uint32_t max, uint64_t now)
{
	*m = (struct pmtu){ .size = PMTU_BASE, .max = max, .high = max + 1 };
	enter(m, PMTU_IN_BASE, now);
}

static void search(struct pmtu *m, uint32_t high, uint64_t now)
{
	m->high = high;
	enter(m, PMTU_IN_SEARCH, now);
}

/* Return: the next length to probe; 0: it is found. */
static uint32_t candidate(const struct pmtu *m)
{
	/* Jumbo frames, Ethernet, PPPoE and tunnels; over IPv4 and IPv6 */
	static const uint16_t usual[] = { 8952, 4052, 1472, 1452, 1444, 1412, 1372 };

	if (m->high > m->max)
		return m->max > m->size ? m->max : 0;
	if (m->high - m->size <= PMTU_STEP)
		return 0;
	for (unsigned i = 0; i < ARRAY_SIZE(usual); i++)
		if (usual[i] < m->high && usual[i] > m->size)
			return usual[i];
	return (m->size + m->high) / 2;
}

static void rest(struct pmtu *m, uint64_t now)
{
	enter(m, PMTU_IN_DONE, now);
	m->at = m->raise_at;
	if (m->is_used && m->at > now + PMTU_CONFIRM_MS)
		m->at = now + PMTU_CONFIRM_MS;
}

static void choose(struct pmtu *m, uint64_t now)
{
	if (m->state == PMTU_IN_DONE && now >= m->raise_at)
		search(m, m->max + 1, now);
	if (m->state == PMTU_IN_BASE) {
		m->probe = PMTU_BASE;
	} else if (m->state == PMTU_IN_DONE) {
		/* Datagrams were sent: nothing else makes it due before raise_at. */
		m->is_used = false;
		m->probe = m->size;
	} else {
		m->probe = candidate(m);
		if (m->probe)
			return;
		m->raise_at = now + PMTU_RAISE_MS;
		rest(m, now);
	}
}

/* Nothing longer than a base gets through. */
static void fall(struct pmtu *m, uint64_t now)
{
	bool is_base = m->size <= PMTU_BASE;

	m->size = is_base ? PMTU_LEAST : PMTU_BASE;
	enter(m, PMTU_IN_BASE, now);
	if (is_base)
		m->at = now + PMTU_CONFIRM_MS;
}

static void lost(struct pmtu *m, uint64_t now)
{
	if (m->state == PMTU_IN_SEARCH)
		search(m, m->probe, now);
	else
		fall(m, now);
}

uint32_t pmtu_due(struct pmtu *m, uint64_t now)
{
	if (now < m->at)
		return 0;
	if (m->probe && m->tries == PMTU_TRIES)
		lost(m, now);
	if (now < m->at)
		return 0;
	if (!m->probe)
		choose(m, now);
	if (!m->probe)
		return 0;
	m->tries++;
	m->at = now + PMTU_PROBE_MS;
	return m->probe;
}

void pmtu_answered(struct pmtu *m, uint32_t size, uint64_t now)
{
	/* An answer that comes too late is of a length that is given up. */
	if (!m->probe || size != m->probe)
		return;
	m->size = size;
	if (m->state == PMTU_IN_BASE)
		search(m, m->max + 1, now);
	else if (m->state == PMTU_IN_SEARCH)
		enter(m, PMTU_IN_SEARCH, now);
	else
		rest(m, now);
}

void pmtu_too_long(struct pmtu *m, uint32_t size, uint64_t now)
{
	if (size == m->probe)
		lost(m, now);
	else if (size <= m->size && m->size > PMTU_LEAST)
		fall(m, now);
}
