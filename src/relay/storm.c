/* SPDX-License-Identifier: MIT */
/* Counted by whole seconds of the clock, which is what a user can check. */
#include "relay/storm.h"

#include "base/util.h"

#define OVER_MS 3000 /* nothing dropped for so long */

static void is_over(struct timer *t)
{
	struct port *p = container_of(t, struct port, storm.over);
	struct storm *s = p->storm.of;

	if (s->tell)
		s->tell(s, p, true);
}

static void exceeded(struct storm *s, struct port *p)
{
	struct port_storm *ps = &p->storm;
	bool is_new = !ps->over.is_set;

	/* Once a second is enough to move the timer. */
	if (!is_new && ps->told == ps->second)
		return;
	ps->told = ps->second;
	ps->of = s;
	timer_set(s->loop, &ps->over, OVER_MS, is_over);
	if (is_new && s->tell)
		s->tell(s, p, false);
}

uint32_t storm_admit(struct storm *s, struct port *p, uint32_t n, uint32_t each,
		     uint32_t now)
{
	struct port_storm *ps = &p->storm;
	uint32_t limit = storm_limit(s, p), room;

	if (!limit)
		return n;
	if (ps->second != now) {
		ps->second = now;
		ps->n = 0;
	}
	/* The limit may have become a lower one. */
	room = limit > ps->n ? (limit - ps->n) / each : 0;
	if (n > room) {
		exceeded(s, p);
		n = room;
	}
	ps->n += n * each;
	return n;
}

void storm_forget(struct storm *s, struct port *p)
{
	timer_cancel(s->loop, &p->storm.over);
}
