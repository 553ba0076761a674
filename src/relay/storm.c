/* SPDX-License-Identifier: MIT */
/* Frames are counted in whole seconds of the clock, which is what a user can check. */
#include "relay/storm.h"

#include "base/util.h"
#include "relay/member.h"

#define OVER_MS 3000 /* when nothing was dropped for so long, a storm is over */

uint32_t storm_limit(const struct storm *s, const struct member *m)
{
	return m->rules.storm ? m->rules.storm : s->limit;
}

static void is_over(struct timer *t)
{
	struct member *m = container_of(t, struct member, storm.over);
	struct storm *s = m->storm.of;

	if (s->notify)
		s->notify(s, m, true);
}

static void exceeded(struct storm *s, struct member *m)
{
	struct storm_state *state = &m->storm;
	bool is_new = !state->over.is_set;

	/* Once a second is enough to move the timer. */
	if (!is_new && state->reported == state->second)
		return;
	state->reported = state->second;
	state->of = s;
	timer_set(s->loop, &state->over, OVER_MS, is_over);
	if (is_new && s->notify)
		s->notify(s, m, false);
}

uint32_t storm_admit(struct storm *s, struct member *m, uint32_t n, uint32_t each,
		     uint32_t now)
{
	struct storm_state *state = &m->storm;
	uint32_t limit = storm_limit(s, m), room;

	if (!limit)
		return n;
	if (state->second != now) {
		state->second = now;
		state->n = 0;
	}
	/* The limit may have been lowered. */
	room = limit > state->n ? (limit - state->n) / each : 0;
	if (n > room) {
		exceeded(s, m);
		n = room;
	}
	state->n += n * each;
	return n;
}

void storm_forget(struct storm *s, struct member *m)
{
	timer_cancel(s->loop, &m->storm.over);
}
