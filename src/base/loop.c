/* SPDX-License-Identifier: MIT */
/*
 * The event loop: watches, deferred work and turns. Timers are in timer.c.
 *
 * #syscalls: clock_gettime close epoll_create1 epoll_ctl epoll_pwait read timerfd_create
 */
#include "base/loop.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "base/alarm.h"
#include "base/parts.h"
#include "base/util.h"

#define EVENTS_PER_TURN 64
#define UNASKED_TURNS 3 /* without a look at the watches, after one that found nothing */
#define RETRY_MS 20 /* until a watch that the kernel had no memory for is tried again */

static uint64_t clock_ms(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

uint64_t loop_now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

uint64_t loop_now(void)
{
	return clock_ms(CLOCK_MONOTONIC);
}

uint64_t loop_coarse(void)
{
	return clock_ms(CLOCK_MONOTONIC_COARSE);
}

/* ---- deferred work ---- */

static void put_first(struct deferred **list, struct deferred *d,
		      void (*fn)(struct deferred *d))
{
	if (d->is_set)
		return;
	d->is_set = true;
	d->fn = fn;
	d->next = *list;
	if (d->next)
		d->next->link = &d->next;
	d->link = list;
	*list = d;
}

void loop_defer(struct loop *l, struct deferred *d, void (*fn)(struct deferred *d))
{
	put_first(&l->deferred, d, fn);
}

void loop_again(struct loop *l, struct deferred *d, void (*fn)(struct deferred *d))
{
	put_first(&l->again, d, fn);
}

void loop_undefer(struct deferred *d)
{
	if (!d->is_set)
		return;
	*d->link = d->next;
	if (d->next)
		d->next->link = d->link;
	d->is_set = false;
}

static void run_all(struct deferred **list)
{
	while (*list) {
		struct deferred *d = *list;

		loop_undefer(d);
		d->fn(d);
	}
}

/* Set these calls aside, so that a call of loop_again() in one of them counts for the next turn. */
static void take_again(struct loop *l)
{
	l->now = l->again;
	l->again = NULL;
	if (l->now)
		l->now->link = &l->now;
}

/* ---- watches ---- */

static int epoll_set(struct loop *l, struct watch *w, int op, uint32_t events)
{
	struct epoll_event ev = { .events = events, .data.ptr = w };

	return epoll_ctl(l->epfd, op, w->fd, &ev) < 0 ? -errno : 0;
}

static void forget_late(struct loop *l, struct watch *w)
{
	struct watch **link = &l->late;

	if (!w->is_late)
		return;
	while (*link != w)
		link = &(*link)->next_late;
	*link = w->next_late;
	w->is_late = false;
}

static void retry_late(struct timer *t)
{
	struct loop *l = container_of(t, struct loop, retry);
	struct watch *w, *next;

	for (w = l->late; w; w = next) {
		next = w->next_late;
		if (epoll_set(l, w, EPOLL_CTL_ADD, w->events) == 0)
			forget_late(l, w);
	}
	if (l->late)
		timer_set(l, t, RETRY_MS, retry_late);
}

/* The kernel had no memory to watch @w: try again, or its events would never come. */
static void put_off(struct loop *l, struct watch *w)
{
	w->is_late = true;
	w->next_late = l->late;
	l->late = w;
	if (!l->retry.is_set)
		timer_set(l, &l->retry, RETRY_MS, retry_late);
}

int loop_add(struct loop *l, struct watch *w, int fd, uint32_t events,
	     void (*fn)(struct watch *w, uint32_t events))
{
	int ret;

	w->fd = fd;
	w->fn = fn;
	w->events = events;
	w->always_ready = w->is_late = false;
	/* Even if no event is wanted: a descriptor that cannot be watched shows here. */
	ret = epoll_set(l, w, EPOLL_CTL_ADD, events);
	if (ret == -EPERM) {
		w->always_ready = true;
		w->next_always = l->always;
		l->always = w;
		return 0;
	}
	if (ret < 0) {
		w->fd = -1;
		return ret;
	}
	if (!events)
		epoll_set(l, w, EPOLL_CTL_DEL, 0);
	return 0;
}

void loop_mod(struct loop *l, struct watch *w, uint32_t events)
{
	uint32_t old = w->events;

	if (w->fd < 0 || events == old)
		return;
	w->events = events;
	if (w->always_ready)
		return;
	if (w->is_late) {
		if (!events)
			forget_late(l, w);
		return;
	}
	/* epoll reports hang-ups even if no event is wanted, and would do so for ever. */
	if (!events)
		epoll_set(l, w, EPOLL_CTL_DEL, 0);
	else if (old)
		epoll_set(l, w, EPOLL_CTL_MOD, events);
	else if (epoll_set(l, w, EPOLL_CTL_ADD, events) < 0)
		put_off(l, w);
}

void loop_del(struct loop *l, struct watch *w)
{
	struct watch **p;

	if (w->fd < 0)
		return;
	if (w->always_ready) {
		for (p = &l->always; *p != w; p = &(*p)->next_always)
			;
		*p = w->next_always;
	} else if (w->is_late) {
		forget_late(l, w);
	} else if (w->events) {
		epoll_set(l, w, EPOLL_CTL_DEL, 0);
	}
	w->fd = -1;
	w->events = 0;
}

/* ---- turns ---- */

static bool any_always_ready(const struct loop *l)
{
	for (const struct watch *w = l->always; w; w = w->next_always)
		if (w->events)
			return true;
	return false;
}

static void run_always_ready(struct loop *l)
{
	struct watch *next;

	for (struct watch *w = l->always; w; w = next) {
		next = w->next_always;
		if (w->events)
			w->fn(w, w->events);
	}
}

static void clock_ticked(struct watch *w, uint32_t events)
{
	uint64_t ticks;

	(void)events;
	/* The timers run later in this turn; reading only makes the timerfd quiet. */
	if (read(w->fd, &ticks, sizeof(ticks)) < 0)
		return;
}

/*
 * Ask the kernel which watches are ready. While there is other work, and none of them was ready
 * at the last look, that is not done in each turn: a guest's may be a few microseconds' work.
 */
static int ask(struct loop *l, struct epoll_event *ev)
{
	int n;

	if (HAS_VHOST && l->now && l->unasked) {
		l->unasked--;
		return 0;
	}
	n = epoll_wait(l->epfd, ev, EVENTS_PER_TURN,
		       l->now || any_always_ready(l) ? 0 : -1);
	if (HAS_VHOST)
		l->unasked = n ? 0 : UNASKED_TURNS;
	return n;
}

int loop_run(struct loop *l)
{
	struct epoll_event ev[EVENTS_PER_TURN];

	l->stop = false;
	while (!l->stop) {
		bool ticked = false;
		int n;

		take_again(l);
		if (HAS_ALARM)
			alarm_rest();
		n = ask(l, ev);
		if (n < 0 && errno != EINTR)
			return -errno;
		/* Its own signal alone is no work, or it would go on for ever. */
		if (HAS_ALARM && (n >= 0 || l->now))
			alarm_work();
		for (int i = 0; i < n; i++) {
			struct watch *w = ev[i].data.ptr;

			ticked |= w == &l->clock;
			/* In this turn another watch may have removed or muted this one. */
			if (w->fd >= 0 && w->events)
				w->fn(w, ev[i].events);
		}
		run_always_ready(l);
		run_all(&l->now);
		if (ticked)
			timer_run_due(l);
		run_all(&l->deferred);
	}
	return 0;
}

void loop_stop(struct loop *l)
{
	l->stop = true;
}

int loop_init(struct loop *l)
{
	int fd, ret;

	memset(l, 0, sizeof(*l));
	l->clock.fd = -1;
	l->epfd = epoll_create1(EPOLL_CLOEXEC);
	if (l->epfd < 0)
		return -errno;
	fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	ret = fd < 0 ? -errno : loop_add(l, &l->clock, fd, EPOLLIN, clock_ticked);
	if (ret == 0)
		return 0;
	if (fd >= 0)
		close(fd);
	close(l->epfd);
	l->epfd = -1;
	return ret;
}

void loop_free(struct loop *l)
{
	int fd = l->clock.fd;

	run_all(&l->deferred);
	loop_del(l, &l->clock);
	close(fd);
	close(l->epfd);
}
