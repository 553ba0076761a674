/* SPDX-License-Identifier: MIT */
/*
 * The event loop: one thread, level-triggered epoll, timers, deferred work.
 *
 * Watches, timers and deferred work live in their owner's struct; the loop allocates
 * nothing. A turn of the loop has these steps, in this order:
 *
 *   1. wait for events
 *   2. call the watches that are ready
 *   3. call the work that the last turn put off to this one, loop_again()
 *   4. call the timers that are due
 *   5. call the deferred work, loop_defer()
 *
 * All events of a turn are fetched in step 1, so step 2 may still hold events of a watch
 * that was just removed. Therefore:
 *
 * - Memory that holds a watch is freed in step 5 only.
 * - A watch that was removed is not added again in step 2 of the same turn.
 */
#ifndef LOOP_H
#define LOOP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/timer.h"

/*
 * A descriptor to wait on. It begins as WATCH_INIT.
 * @fd:     -1 if the watch is not in use
 * @events: those that are waited for
 * @always_ready: epoll refuses the descriptor because it never blocks: a regular file
 * @is_late: the kernel has had no memory to watch it so far
 * @fn:     called with the events that epoll reported. They are a hint: a read or a write
 *          may find nothing to do all the same
 */
struct watch {
	int fd;
	uint32_t events;
	bool always_ready;
	bool is_late;
	struct watch *next_always, *next_late;
	void (*fn)(struct watch *w, uint32_t events);
};

/* WATCH_INIT - A watch that is not in use. */
#define WATCH_INIT       \
	{                \
		.fd = -1 \
	}

/*
 * A call to be made once, at the end of this turn or in the next one. All zeros: none.
 * @next, @link: its place in its list
 */
struct deferred {
	struct deferred *next, **link;
	bool is_set;
	void (*fn)(struct deferred *d);
};

/*
 * @always:   watches that are always ready
 * @late:     watches that the kernel had no memory for; tried again when @retry is due
 * @first:    the timer that is due first: the top of the heap
 * @n_set:    how often a timer was set so far
 * @clock:    a timerfd, set to @first
 * @deferred: calls for the end of this turn
 * @again:    calls for the next turn
 * @now:      calls that the last turn left to this one, and that are still to be made
 * @unasked:  how many of the next turns need not look at the watches, while there are such calls
 */
struct loop {
	int epfd;
	struct watch *always;
	struct watch *late;
	struct timer retry;
	struct timer *first;
	uint64_t n_set;
	struct watch clock;
	struct deferred *deferred;
	struct deferred *again;
	struct deferred *now;
	unsigned unasked;
	bool stop;
};

/* loop_init() - Set up an event loop. Return: 0; -errno, and nothing needs to be freed. */
int loop_init(struct loop *l);

/* loop_free() - Make the calls that are deferred, and close the loop's descriptors. */
void loop_free(struct loop *l);

/* loop_run() - Take turns until loop_stop() is called. Return: 0 or -errno. */
int loop_run(struct loop *l);

/* loop_stop() - Have loop_run() return at the end of this turn. */
void loop_stop(struct loop *l);

/* loop_now() - Read the monotonic clock, in milliseconds. */
uint64_t loop_now(void);

/* loop_now_ns() - Read the monotonic clock, in nanoseconds. */
uint64_t loop_now_ns(void);

/*
 * loop_coarse() - Read the monotonic clock, in milliseconds, as it was at the kernel's
 * last tick: up to 10 ms ago (CLOCK_MONOTONIC_COARSE). This is cheaper than loop_now().
 */
uint64_t loop_coarse(void);

/*
 * loop_add() - Begin to watch a descriptor.
 * @w:      not in use; it must stay where it is until loop_del()
 * @fd:     non-blocking; it stays the caller's
 * @events: EPOLLIN, EPOLLOUT, both, or 0: then nothing is reported, not even a hang-up
 * @fn:     see struct watch
 *
 * Return: 0; -errno of epoll_ctl(2), and @w is not in use.
 */
int loop_add(struct loop *l, struct watch *w, int fd, uint32_t events,
	     void (*fn)(struct watch *w, uint32_t events));

/*
 * loop_mod() - Wait for other events. It makes no system call if they are the same. If the
 * kernel has no memory for this now, the loop tries again until it has.
 */
void loop_mod(struct loop *l, struct watch *w, uint32_t events);

/*
 * loop_del() - Stop watching. Call it before the descriptor is closed. It does nothing if
 * the watch is not in use.
 */
void loop_del(struct loop *l, struct watch *w);

/*
 * loop_defer() - Call @fn once at the end of this turn. If @fn defers another call, that
 * is made in the same turn.
 * @d: one that is waiting already is left as it is; it must stay where it is until the
 *     call, or until loop_undefer()
 */
void loop_defer(struct loop *l, struct deferred *d, void (*fn)(struct deferred *d));

/*
 * loop_again() - Call @fn once in the next turn, which begins without waiting. It is for
 * work that has had its share of this turn and is not done: all watches that are ready
 * have their share first. While none was ready at the last look, the kernel is asked again only
 * after three turns of such work.
 * @d: as of loop_defer()
 */
void loop_again(struct loop *l, struct deferred *d, void (*fn)(struct deferred *d));

/* loop_undefer() - Cancel a call of loop_defer() or loop_again(), if one is waiting. */
void loop_undefer(struct deferred *d);

#endif
