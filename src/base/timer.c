/* SPDX-License-Identifier: MIT */
/*
 * A relay of thousands of ports has thousands of timers, so they are in a pairing heap
 * (Fredman and others, "The Pairing Heap", 1986). Setting a timer costs a comparison with
 * the first one; removing the first one costs the logarithm of their number. A timerfd is
 * set to the first timer, so a turn in which none is due need not read the clock.
 *
 * #syscalls: timerfd_settime
 */
#include "base/timer.h"

#include <sys/timerfd.h>

#include "base/loop.h"

#define NS_PER_MS 1000000u
#define NS_PER_S 1000000000u

static void arm_clock(struct loop *l)
{
	struct itimerspec its = { 0 };

	if (l->first) {
		/* A time of 0 would disarm the timerfd. */
		uint64_t due = l->first->due_ns ? l->first->due_ns : 1;

		its.it_value.tv_sec = (time_t)(due / NS_PER_S);
		its.it_value.tv_nsec = (long)(due % NS_PER_S);
	}
	timerfd_settime(l->clock.fd, TFD_TIMER_ABSTIME, &its, NULL);
}

static bool is_before(const struct timer *a, const struct timer *b)
{
	return a->due_ns < b->due_ns || (a->due_ns == b->due_ns && a->number < b->number);
}

/* Merge two heaps; each may be empty. */
static struct timer *meld(struct timer *a, struct timer *b)
{
	struct timer *top, *below;

	if (!a || !b)
		return a ? a : b;
	top = is_before(a, b) ? a : b;
	below = top == a ? b : a;
	below->next = top->child;
	if (below->next)
		below->next->prev = below;
	below->prev = top;
	top->child = below;
	return top;
}

static struct timer *cut_first(struct timer **list)
{
	struct timer *t = *list;

	if (!t)
		return NULL;
	*list = t->next;
	t->next = t->prev = NULL;
	return t;
}

/* Merge a list of heaps: first in pairs, then from the last pair to the first. */
static struct timer *meld_all(struct timer *list)
{
	struct timer *pairs = NULL, *heap = NULL;

	while (list) {
		struct timer *a = cut_first(&list), *b = cut_first(&list);
		struct timer *pair = meld(a, b);

		pair->next = pairs;
		pairs = pair;
	}
	while (pairs)
		heap = meld(heap, cut_first(&pairs));
	return heap;
}

static void unlink_timer(struct loop *l, struct timer *t)
{
	struct timer *below = meld_all(t->child);

	if (t == l->first) {
		l->first = below;
	} else {
		if (t->prev->child == t)
			t->prev->child = t->next;
		else
			t->prev->next = t->next;
		if (t->next)
			t->next->prev = t->prev;
		l->first = meld(l->first, below);
	}
	t->child = t->next = t->prev = NULL;
	t->is_set = false;
}

void timer_set_at(struct loop *l, struct timer *t, uint64_t due_ns,
		  void (*fn)(struct timer *t))
{
	if (t->is_set)
		unlink_timer(l, t);
	t->due_ns = due_ns;
	t->number = ++l->n_set;
	t->fn = fn;
	t->is_set = true;
	l->first = meld(l->first, t);
	if (l->first == t)
		arm_clock(l);
}

void timer_set(struct loop *l, struct timer *t, uint64_t ms, void (*fn)(struct timer *t))
{
	timer_set_at(l, t, (loop_now() + ms) * NS_PER_MS, fn);
}

void timer_cancel(struct loop *l, struct timer *t)
{
	if (t->is_set)
		unlink_timer(l, t);
}

void timer_run_due(struct loop *l)
{
	uint64_t now = loop_now_ns(), last = l->n_set;

	while (l->first && l->first->due_ns <= now && l->first->number <= last) {
		struct timer *t = l->first;

		unlink_timer(l, t);
		t->fn(t);
	}
	arm_clock(l);
}
