/* SPDX-License-Identifier: MIT */
/*
 * A clock that goes fast_times as fast, in this process and those that it forks, from
 * fast_begin() on: for a program that waits for seconds by itself. clock_gettime(),
 * poll(), setitimer() and timerfd_settime() are replaced in the program that includes
 * this.
 */
#ifndef LIB_FAST_H
#define LIB_FAST_H

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "lib/wide.h"

static int fast_times = 20;
static int64_t fast_since_ns; /* 0: it goes as all clocks do */

static inline struct timespec fast_timespec(int64_t ns)
{
	return (struct timespec){ .tv_sec = ns / 1000000000,
				  .tv_nsec = (long)(ns % 1000000000) };
}

static inline int64_t fast_ns(const struct timespec *ts)
{
	return (int64_t)ts->tv_sec * 1000000000 + ts->tv_nsec;
}

int clock_gettime(clockid_t id, struct timespec *ts)
{
	int ret = (int)syscall(WIDE_clock_gettime, id, ts);

	if (fast_since_ns && (id == CLOCK_MONOTONIC || id == CLOCK_MONOTONIC_COARSE))
		*ts = fast_timespec(fast_since_ns +
				    (fast_ns(ts) - fast_since_ns) * fast_times);
	return ret;
}

int setitimer(__itimer_which_t which, const struct itimerval *at, struct itimerval *old)
{
	struct itimerval it = *at;
	int64_t us = it.it_value.tv_sec * 1000000 + it.it_value.tv_usec;

	if (fast_since_ns)
		us /= fast_times;
	it.it_value = (struct timeval){ us / 1000000, us % 1000000 };
	return (int)syscall(SYS_setitimer, which, &it, old);
}

int poll(struct pollfd *pfd, nfds_t n, int ms)
{
	struct timespec ts =
		fast_timespec((int64_t)ms * 1000000 / (fast_since_ns ? fast_times : 1));

	return (int)syscall(WIDE_ppoll, pfd, n, ms >= 0 ? &ts : NULL, NULL, 0);
}

int timerfd_settime(int fd, int flags, const struct itimerspec *at,
		    struct itimerspec *old)
{
	struct itimerspec its = *at;
	int64_t due = fast_ns(&at->it_value);

	if (fast_since_ns && due > fast_since_ns && (flags & TFD_TIMER_ABSTIME))
		its.it_value =
			fast_timespec(fast_since_ns + (due - fast_since_ns) / fast_times);
	return (int)syscall(WIDE_timerfd_settime, fd, flags, &its, old);
}

static inline void fast_begin(void)
{
	struct timespec now;

	syscall(WIDE_clock_gettime, CLOCK_MONOTONIC, &now);
	fast_since_ns = fast_ns(&now);
}

#endif
