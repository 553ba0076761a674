/* SPDX-License-Identifier: MIT */
/*
 * A process has one such timer, and its handler gets no argument: so what they share is
 * static. The handler has no SA_RESTART, so a call that would do it all again returns.
 *
 * It stops the timer while we rest, and never in a turn: a process may be kept from
 * running there for any time before it begins the call that waits.
 *
 * #syscalls: rt_sigaction setitimer
 */
#include "base/alarm.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/time.h>

#define CALM_PERIODS \
	1000 /* of ALARM_HURRY_MS, in which several turns ended: no more hurry */

static bool is_ready, is_needed;
static volatile sig_atomic_t is_set, is_resting, turns, hurry;

static void set_timer(int ms)
{
	const struct itimerval every = { .it_interval.tv_usec = ms * 1000,
					 .it_value.tv_usec = ms * 1000 };

	setitimer(ITIMER_REAL, &every, NULL);
}

static int period(void)
{
	return hurry ? ALARM_HURRY_MS : ALARM_MS;
}

static void on_period(int sig)
{
	int err = errno, before = period();

	(void)sig;
	/* This turn has lasted since the last period, or something made the one before wait. */
	if (!is_resting && turns < 2)
		hurry = CALM_PERIODS;
	else if (hurry)
		hurry = hurry - 1;
	if (is_resting && !turns) {
		is_set = false;
		set_timer(0);
	} else if (period() != before) {
		set_timer(period());
	}
	turns = 0;
	errno = err;
}

void alarm_init(void)
{
	const struct sigaction action = { .sa_handler = on_period };

	is_ready = sigaction(SIGALRM, &action, NULL) == 0;
}

void alarm_need(void)
{
	is_needed = is_ready;
}

void alarm_work(void)
{
	if (!is_needed)
		return;
	is_resting = false;
	turns = turns + 1;
	if (!is_set) {
		is_set = true;
		set_timer(period());
	}
}

void alarm_rest(void)
{
	is_resting = true;
}
