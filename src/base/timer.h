/* SPDX-License-Identifier: MIT */
/*
 * The timers of an event loop. They live in their owner's struct; nothing is allocated.
 */
#ifndef TIMER_H
#define TIMER_H

#include <stdbool.h>
#include <stdint.h>

struct loop;

/*
 * Runs once, when due, on the monotonic clock. All zero: not set. Timers due at the
 * same time run in the order in which they were set.
 *
 * @child, @next, @prev: its place in a heap: below it, beside it, and the timer
 *          beside it or above
 * @due_ns: when, as loop_now_ns()
 * @number: counts all timers that were ever set
 */
struct timer {
	struct timer *child, *next, *prev;
	uint64_t due_ns, number;
	bool is_set;
	void (*fn)(struct timer *t);
};

/*
 * timer_set() - Call @fn once in @ms milliseconds; a timer that is set is moved.
 *
 * Due times are cut to whole milliseconds, so that the timers of many ports come due
 * together and wake the loop once. @fn is so called up to a millisecond early.
 */
void timer_set(struct loop *l, struct timer *t, uint64_t ms, void (*fn)(struct timer *t));

/*
 * timer_set_at() - The same at @due_ns of loop_now_ns(), to the nanosecond; at once if
 * that has passed. Does not read the clock.
 */
void timer_set_at(struct loop *l, struct timer *t, uint64_t due_ns,
		  void (*fn)(struct timer *t));

void timer_cancel(struct loop *l, struct timer *t);

/*
 * timer_run_due() - For the loop: run the timers that are due and were set before this call.
 * A timer that one of them sets runs in a later turn.
 */
void timer_run_due(struct loop *l);

#endif
