/* SPDX-License-Identifier: MIT */
/* For tests: let a loop turn, once, for a while, or until something holds. */
#ifndef LIB_TURN_H
#define LIB_TURN_H

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/loop.h"
#include "base/util.h"

struct turn_end {
	union {
		struct timer timer;
		struct watch watch;
	};
	struct loop *loop;
};

static inline void turn_timer_over(struct timer *t)
{
	loop_stop(container_of(t, struct turn_end, timer)->loop);
}

static inline void turn_watch_over(struct watch *w, uint32_t events)
{
	(void)events;
	loop_stop(container_of(w, struct turn_end, watch)->loop);
}

/*
 * turn() - One turn of @l: what is ready now is called, then the timers that are due,
 * then what is deferred. A timer due just now may only show in the next turn.
 */
static inline void turn(struct loop *l)
{
	struct turn_end end = { .watch = WATCH_INIT, .loop = l };
	int fd = eventfd(1, EFD_NONBLOCK | EFD_CLOEXEC);

	if (loop_add(l, &end.watch, fd, EPOLLIN, turn_watch_over) < 0)
		abort();
	loop_run(l);
	loop_del(l, &end.watch);
	close(fd);
}

static inline void turns(struct loop *l, unsigned n)
{
	while (n--)
		turn(l);
}

/* turn_for() - Let @l turn for @ms milliseconds, or until somebody stops it. */
static inline void turn_for(struct loop *l, unsigned ms)
{
	struct turn_end end = { .loop = l };

	timer_set(l, &end.timer, ms, turn_timer_over);
	loop_run(l);
	timer_cancel(l, &end.timer);
}

/* turn_when_ready() - One turn, once something is ready, or @ms have passed. */
static inline void turn_when_ready(struct loop *l, uint64_t ms)
{
	struct pollfd pfd = { .fd = l->epfd, .events = POLLIN };

	if (!l->always && poll(&pfd, 1, (int)ms) < 0 && errno != EINTR)
		abort();
	turn(l);
}

/*
 * turn_until() - Turn until @cond, which is looked at after each turn, for @ms at most.
 *
 * What no descriptor or timer of the loop's shows is looked at every 20 ms.
 */
#define turn_until(l, ms, cond)                                              \
	do {                                                                 \
		uint64_t turn_end_ = loop_now() + (ms), turn_now_;           \
		while (!(cond) && (turn_now_ = loop_now()) < turn_end_)      \
			turn_when_ready((l), turn_end_ - turn_now_ < 20      \
						     ? turn_end_ - turn_now_ \
						     : 20);                  \
	} while (0)

#endif
