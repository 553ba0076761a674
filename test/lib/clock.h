/* SPDX-License-Identifier: MIT */
/*
 * A clock that is the test's own: clock_gettime() is replaced, for all clocks, in the
 * program that includes this. Nothing passes by itself, and timers run when
 * clock_run_timers() is called.
 */
#ifndef LIB_CLOCK_H
#define LIB_CLOCK_H

#include <stdint.h>
#include <time.h>

#include "base/loop.h"

#define CLOCK_TICK_US 4000 /* of the coarse one; CONFIG_HZ is 250 */

static uint64_t clock_us = 1000000000;

int clock_gettime(clockid_t id, struct timespec *ts)
{
	uint64_t us = clock_us;

	if (id == CLOCK_MONOTONIC_COARSE)
		us -= us % CLOCK_TICK_US;
	ts->tv_sec = (time_t)(us / 1000000);
	ts->tv_nsec = (long)(us % 1000000 * 1000);
	return 0;
}

static inline uint64_t clock_ms(void)
{
	return clock_us / 1000;
}

static inline uint32_t clock_s(void)
{
	return (uint32_t)(clock_us / 1000000);
}

/* clock_pass_ms() - Time passes; no timer is run. */
static inline void clock_pass_ms(uint64_t ms)
{
	clock_us += ms * 1000;
}

/* clock_run_timers() - Run those that are due, in order. */
static inline void clock_run_timers(struct loop *l)
{
	while (l->first && l->first->due <= clock_ms()) {
		struct timer *t = l->first;

		timer_cancel(l, t);
		t->fn(t);
	}
}

#endif
