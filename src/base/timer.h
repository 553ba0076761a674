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
 * A timer runs once, when it is due. All zeros: not set. Timers that are due at the same
 * time run in the order in which they were set.
 * @child:  the first timer below it in the heap
 * @next:   the next timer beside it
 * @prev:   the timer before it beside it; for the first one, the timer above
 * @due_ns: when it is due, as loop_now_ns()
 * @number: how many times a timer had been set when this one was
 */
struct timer {
	struct timer *child, *next, *prev;
	uint64_t due_ns, number;
	bool is_set;
	void (*fn)(struct timer *t);
};

/*
 * timer_set() - Call @fn once in @ms milliseconds. A timer that is set already is moved.
 * @t: must stay where it is until the call, or until timer_cancel()
 *
 * The time is cut to a whole millisecond, so that the timers of many ports are due
 * together and wake the loop once. Therefore @fn may be called up to a millisecond early.
 */
void timer_set(struct loop *l, struct timer *t, uint64_t ms, void (*fn)(struct timer *t));

/*
 * timer_set_at() - Call @fn once at @due_ns, a time of loop_now_ns(); without delay if that
 * has passed. Otherwise as timer_set(), but exact, and without reading the clock.
 */
void timer_set_at(struct loop *l, struct timer *t, uint64_t due_ns,
		  void (*fn)(struct timer *t));

/* timer_cancel() - Do not make the call. It does nothing if the timer is not set. */
void timer_cancel(struct loop *l, struct timer *t);

/*
 * timer_run_due() - Run the timers that are due and were set before this call; for the loop.
 * A timer that one of them sets runs in a later turn.
 */
void timer_run_due(struct loop *l);

#endif
