/* SPDX-License-Identifier: MIT */
/*
 * A clock that leaps, for tests of what takes long: it goes as all clocks do, but the
 * test may have any time pass at once. clock_gettime() and timerfd_settime() are replaced
 * in the program that includes this. lib/clock.h has one that stands still.
 */
#ifndef LIB_LEAP_H
#define LIB_LEAP_H

#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "base/loop.h"
#include "lib/wide.h"

static uint64_t leap_s; /* what all clocks are ahead by */

int clock_gettime(clockid_t id, struct timespec *ts)
{
	int ret = (int)syscall(WIDE_clock_gettime, id, ts);

	ts->tv_sec += (time_t)leap_s;
	return ret;
}

/* The kernel's clock does not leap; a timer that is due by it already runs at once. */
int timerfd_settime(int fd, int flags, const struct itimerspec *at,
		    struct itimerspec *old)
{
	struct itimerspec its = *at;

	if ((flags & TFD_TIMER_ABSTIME) &&
	    (its.it_value.tv_sec || its.it_value.tv_nsec)) {
		its.it_value.tv_sec -= (time_t)leap_s;
		if (its.it_value.tv_sec <= 0)
			its.it_value = (struct timespec){ .tv_nsec = 1 };
	}
	return (int)syscall(WIDE_timerfd_settime, fd, flags, &its, old);
}

static inline void leap_nothing(struct timer *t)
{
	(void)t;
}

/* leap() - @seconds pass; the timers of @l that are due then run in its next turn. */
static inline void leap(struct loop *l, unsigned seconds)
{
	struct timer first = { 0 };

	leap_s += seconds;
	/* The timerfd is set when a timer becomes the first one: now it fires. */
	timer_set_at(l, &first, 1, leap_nothing);
	timer_cancel(l, &first);
}

#endif
