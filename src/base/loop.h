/* SPDX-License-Identifier: MIT */
/*
 * The event loop: one thread, level-triggered epoll, timers, deferred work.
 *
 * Watches, timers and deferred work live in their owner's struct; the loop
 * allocates nothing. One turn of the loop is: wait, call the watches that are
 * ready, then the work that asked for another turn, then the timers that are due,
 * then the deferred work. Two rules
 * follow from the fact that the events of a turn are fetched at its start:
 * memory that holds a watch is freed only in deferred work, and a watch that
 * was removed is added again only by a timer or by another watch's owner in a
 * later turn.
 */
#ifndef LOOP_H
#define LOOP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/timer.h"

/*
 * A descriptor to wait on. Initialise with WATCH_INIT.
 * @fn: called with what epoll reported; take it as a hint and try
 */
struct watch {
	int fd; /* -1: not in use */
	uint32_t events;
	bool always_ready; /* a file that epoll refuses, for it never blocks */
	bool is_late;	   /* epoll has had no memory for it so far */
	struct watch *next_always, *next_late;
	void (*fn)(struct watch *w, uint32_t events);
};

#define WATCH_INIT       \
	{                \
		.fd = -1 \
	}

/*
 * Runs once, at the end of the turn or in the next one. All zero: not asked for.
 * @next, @link: its place in the list that it is in
 */
struct deferred {
	struct deferred *next, **link;
	bool is_set;
	void (*fn)(struct deferred *d);
};

struct loop {
	int epfd;
	struct watch *always;
	struct watch *late; /* to be tried again when @retry is due */
	struct timer retry;
	struct timer *first;	   /* the top of the heap */
	uint64_t n_set;		   /* timers, ever */
	struct watch clock;	   /* a timerfd, set to the first timer */
	struct deferred *deferred; /* for the end of this turn */
	struct deferred *again;	   /* for the next turn */
	struct deferred *now;	   /* for this turn, not yet called */
	bool stop;
};

/* loop_init() - Return: 0 or -errno; after an error nothing is to be freed. */
int loop_init(struct loop *l);
void loop_free(struct loop *l);

/* loop_run() - Turn until loop_stop(). Return: 0 or -errno. */
int loop_run(struct loop *l);

/* loop_stop() - Have loop_run() return at the end of this turn. */
void loop_stop(struct loop *l);

/* loop_now() - Milliseconds of the monotonic clock. */
uint64_t loop_now(void);

/* loop_now_ns() - The same in nanoseconds, for timer_set_at(). */
uint64_t loop_now_ns(void);

/* loop_coarse() - loop_now(), cheaper, and up to a few milliseconds behind. */
uint64_t loop_coarse(void);

/*
 * loop_add() - Begin to watch @fd, which must be non-blocking.
 * @events: EPOLLIN, EPOLLOUT, or 0 for neither: then nothing is reported at
 *          all, not even a hang-up
 *
 * Return: 0 or -errno.
 */
int loop_add(struct loop *l, struct watch *w, int fd, uint32_t events,
	     void (*fn)(struct watch *w, uint32_t events));

/*
 * loop_mod() - Wait for other events; free of a system call when they are the same.
 *
 * When the kernel has no memory for it now, it is tried again until it has.
 */
void loop_mod(struct loop *l, struct watch *w, uint32_t events);

/* loop_del() - Stop watching; to be called before the descriptor is closed. */
void loop_del(struct loop *l, struct watch *w);

/*
 * loop_defer() - Call @fn once at the end of this turn; work that is deferred by deferred
 * work runs in the same turn.
 */
void loop_defer(struct loop *l, struct deferred *d, void (*fn)(struct deferred *d));

/*
 * loop_again() - Call @fn once in the next turn, which begins at once. All that is ready
 * gets its share first: it is for work that took its own share and has more.
 */
void loop_again(struct loop *l, struct deferred *d, void (*fn)(struct deferred *d));

/* loop_undefer() - Do not call it after all, whichever was asked for. */
void loop_undefer(struct deferred *d);

#endif
