/* SPDX-License-Identifier: MIT */
/* loop.c: timers, deferred work and watches, turn by turn. */
#include "base/loop.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/util.h"
#include "lib/random.h"
#include "lib/tap.h"
#include "lib/turn.h"

#define EARLY_MS 1    /* the clock is read in whole milliseconds */
#define LATE_MS 30000 /* on a machine that is busy */
#define ALARM_S 300   /* the end of a test that would wait for ever */

#define TIMERS 20000

static struct loop loop;
static unsigned refusals; /* of epoll, still to come */
static unsigned n_ran, unordered;
static uint64_t last_due;

/* What is called says so here, by one letter. */
static char said[256];

static void say(char c)
{
	size_t len = strlen(said);

	if (len < sizeof(said) - 1) {
		said[len] = c;
		said[len + 1] = '\0';
	}
}

static void ok_said(const char *want, const char *what)
{
	ok_eq_str(said, want, "%s", what);
	said[0] = '\0';
}

/* ---- timers ---- */

struct tick {
	struct timer timer;
	char name;
	uint64_t ran;
	struct tick *other; /* to be set, or cancelled, when this one runs */
	uint64_t ms;
	unsigned stops; /* the loop, when it has run so many times */
};

static void tick_due(struct timer *t)
{
	struct tick *tick = container_of(t, struct tick, timer);

	tick->ran = loop_now();
	unordered += t->due_ns < last_due;
	last_due = t->due_ns;
	n_ran++;
	say(tick->name);
	if (tick->stops && --tick->stops == 0)
		loop_stop(&loop);
}

static void tick_due_and_stop(struct timer *t)
{
	tick_due(t);
	loop_stop(&loop);
}

static void tick_sets_other(struct timer *t)
{
	struct tick *tick = container_of(t, struct tick, timer);

	tick_due(t);
	timer_set(&loop, &tick->other->timer, tick->ms, tick_due);
}

static void tick_cancels_other(struct timer *t)
{
	struct tick *tick = container_of(t, struct tick, timer);

	tick_due(t);
	timer_cancel(&loop, &tick->other->timer);
}

/* Run until a timer set now for @ms has run. */
static void run_for(uint64_t ms)
{
	struct tick end = { .name = '.' };

	timer_set(&loop, &end.timer, ms, tick_due_and_stop);
	loop_run(&loop);
}

static void test_timer_order(void)
{
	static const uint64_t delays[] = { 30, 10, 20, 10, 0, 30, 5 };
	struct tick ticks[ARRAY_SIZE(delays)];
	uint64_t start = loop_now();
	int wrong = 0;

	memset(ticks, 0, sizeof(ticks));
	for (size_t i = 0; i < ARRAY_SIZE(delays); i++) {
		ticks[i].name = (char)('a' + i);
		/* From the same time on, however long it takes to set all of them. */
		timer_set_at(&loop, &ticks[i].timer, (start + delays[i]) * 1000000,
			     tick_due);
	}
	run_for(40);
	ok_said("egbdcaf.", "timers run when due, equal ones in the order set");
	for (size_t i = 0; i < ARRAY_SIZE(delays); i++) {
		uint64_t took = ticks[i].ran - start;

		wrong += took + EARLY_MS < delays[i] || took > delays[i] + LATE_MS;
		wrong += ticks[i].timer.is_set;
	}
	ok_eq_int(wrong, 0, "each at its time, and none is set any more");
}

/* None below one that is due later; and each knows what it hangs on. */
static void check_heap(const struct timer *t, int *wrong, int *n)
{
	const struct timer *prev = t;

	if (!t)
		return;
	(*n)++;
	for (const struct timer *c = t->child; c; prev = c, c = c->next) {
		*wrong += c->due_ns < t->due_ns || c->prev != prev;
		check_heap(c, wrong, n);
	}
}

/* Of the processor, in microseconds. */
static uint64_t cpu_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

/* What it costs to set short timers, and to take them off, beside @n long ones. */
static uint64_t cost_beside(size_t n)
{
	static struct timer longs[TIMERS], shorts[TIMERS];
	uint64_t start;

	for (size_t i = 0; i < n; i++)
		timer_set(&loop, &longs[i], 3000000, NULL);
	start = cpu_us();
	for (size_t i = 0; i < TIMERS; i++)
		timer_set(&loop, &shorts[i], 1000000 + i, NULL);
	for (size_t i = 0; i < TIMERS; i++)
		timer_cancel(&loop, &shorts[i]);
	start = cpu_us() - start;
	for (size_t i = 0; i < n; i++)
		timer_cancel(&loop, &longs[i]);
	return start;
}

/* As ports have that watch for silence, and others that give memory back sooner. */
static void test_timer_many(void)
{
	uint64_t alone = cost_beside(0), beside = cost_beside(TIMERS);

	ok(beside < 10 * alone + 1000, "a timer costs beside many what it costs alone");
}

static void test_timer_random(void)
{
	struct tick ticks[200];
	int wrong = 0, run = 0, moved = 0;

	memset(ticks, 0, sizeof(ticks));
	random_begin(7);
	for (int i = 0; i < 1000; i++) {
		struct tick *t = &ticks[rnd(ARRAY_SIZE(ticks))];

		moved += t->timer.is_set;
		if (rnd(3))
			timer_set(&loop, &t->timer, rnd(50), tick_due);
		else
			timer_cancel(&loop, &t->timer);
	}
	check_heap(loop.first, &wrong, &run);
	for (size_t i = 0; i < ARRAY_SIZE(ticks); i++)
		run -= ticks[i].timer.is_set;
	ok(!wrong && !run && moved,
	   "set, moved and cancelled at random: a heap, and whole");
	n_ran = unordered = 0;
	last_due = 0;
	run_for(55);
	for (size_t i = 0; i < ARRAY_SIZE(ticks); i++)
		run += ticks[i].timer.is_set;
	ok_eq_int(run, 0, "and all of them have run");
	ok(n_ran > 50 && !unordered, "in order");
	ok(!loop.first, "and the heap is empty");
	said[0] = '\0';
}

static void test_timer_moved(void)
{
	struct tick a = { .name = 'a' }, b = { .name = 'b' };

	timer_set(&loop, &a.timer, 5, tick_due);
	timer_set(&loop, &b.timer, 10, tick_due);
	timer_set(&loop, &a.timer, 20, tick_due);
	run_for(30);
	ok_said("ba.", "a timer set again has moved, and runs once");
	timer_set(&loop, &a.timer, 60000, tick_due);
	timer_set(&loop, &a.timer, 5, tick_due);
	run_for(15);
	ok_said("a.", "to an earlier time too");
	timer_set(&loop, &a.timer, 5, tick_due);
	timer_cancel(&loop, &a.timer);
	timer_cancel(&loop, &a.timer);
	run_for(15);
	ok_said(".", "a cancelled one does not run");
	ok(!a.timer.is_set, "nor says that it is set");
}

static void test_timer_within_timer(void)
{
	struct tick a = { .name = 'a' }, b = { .name = 'b' };

	a.other = &b;
	a.ms = 0;
	b.stops = 1;
	timer_set(&loop, &a.timer, 1, tick_sets_other);
	loop_run(&loop);
	ok_said("ab", "a timer may set another, due at once");
	a.ms = 5;
	b.stops = 1;
	timer_set(&loop, &a.timer, 1, tick_sets_other);
	loop_run(&loop);
	ok_said("ab", "or later");
	timer_set(&loop, &a.timer, 1, tick_cancels_other);
	timer_set(&loop, &b.timer, 1, tick_due);
	run_for(10);
	ok_said("a.", "or cancel one that was due with it");
	a.other = &a;
	a.ms = 2;
	a.stops = 2;
	timer_set(&loop, &a.timer, 1, tick_sets_other);
	loop_run(&loop);
	ok_said("aa", "or set itself again");
}

#define STEP_NS 1000

/* In the order of their nanoseconds, and not ahead of them. */
static void test_timer_ns(void)
{
	struct tick a = { .name = 'a' }, b = { .name = 'b' }, c = { .name = 'c' };
	uint64_t start = loop_now_ns(), due = start + 3000000, now;

	ok(start / 1000000 <= loop_now() && start / 1000000 + LATE_MS > loop_now(),
	   "the clock in nanoseconds is the one in milliseconds");
	timer_set_at(&loop, &b.timer, due + STEP_NS, tick_due);
	timer_set_at(&loop, &c.timer, due + 2 * STEP_NS, tick_due_and_stop);
	timer_set_at(&loop, &a.timer, due, tick_due);
	loop_run(&loop);
	now = loop_now_ns();
	ok_said("abc", "timers of one millisecond run in the order of their nanoseconds");
	ok(now >= due + 2 * STEP_NS, "none too early");
	timer_set_at(&loop, &b.timer, start, tick_due);
	timer_set_at(&loop, &a.timer, 0, tick_due);
	timer_set_at(&loop, &c.timer, loop_now_ns(), tick_due_and_stop);
	loop_run(&loop);
	ok_said("abc", "those whose time has passed run at once, the oldest first");
}

/* Timers set in milliseconds come due together: the loop wakes once for many. */
static void test_timer_coalesces(void)
{
	static struct tick ticks[50];
	unsigned dues = 1;

	for (size_t i = 0; i < ARRAY_SIZE(ticks); i++) {
		ticks[i].name = 't';
		timer_set(&loop, &ticks[i].timer, 5, tick_due);
		dues += i && ticks[i].timer.due_ns != ticks[i - 1].timer.due_ns;
	}
	ok(dues < ARRAY_SIZE(ticks) / 2,
	   "timers set one after the other come due together");
	run_for(20);
	said[0] = '\0';
}

static int n_sets_itself;

static void sets_itself_at_once(struct timer *t)
{
	n_sets_itself++;
	timer_set(&loop, t, 0, sets_itself_at_once);
}

static void test_timer_does_not_starve(void)
{
	struct tick a = { .name = 'a' };

	timer_set(&loop, &a.timer, 0, sets_itself_at_once);
	run_for(20);
	ok(n_sets_itself > 1, "one that sets itself again at once runs again");
	ok_said(".", "and lets others run");
	n_sets_itself = 0;
	timer_set_at(&loop, &a.timer, 0, sets_itself_at_once);
	timer_run_due(&loop);
	timer_cancel(&loop, &a.timer);
	ok_eq_int(n_sets_itself, 1, "but only once in a turn");
}

static void test_idle_costs_nothing(void)
{
	struct tick a = { .name = 'a' };
	struct timespec before, after;

	timer_set(&loop, &a.timer, 5, tick_due);
	timer_cancel(&loop, &a.timer);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &before);
	run_for(200);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &after);
	ok((after.tv_sec - before.tv_sec) * 1000 +
			   (after.tv_nsec - before.tv_nsec) / 1000000 <
		   100,
	   "waiting does not spin, a cancelled timer behind it or not");
	said[0] = '\0';
}

/* ---- deferred ---- */

struct later {
	struct deferred deferred;
	char name;
	struct later *other;
};

static void later_runs(struct deferred *d)
{
	struct later *l = container_of(d, struct later, deferred);

	say(l->name);
	if (l->other)
		loop_defer(&loop, &l->other->deferred, later_runs);
	l->other = NULL;
}

static struct later a_later = { .name = 'A' }, b_later = { .name = 'B' };

static void defers(struct watch *w, uint32_t events)
{
	(void)w;
	(void)events;
	say('w');
	loop_defer(&loop, &a_later.deferred, later_runs);
	loop_defer(&loop, &a_later.deferred, later_runs);
}

static void test_deferred(void)
{
	struct watch w = WATCH_INIT, v = WATCH_INIT;
	int fd = eventfd(1, EFD_NONBLOCK), other = eventfd(1, EFD_NONBLOCK);

	loop_add(&loop, &w, fd, EPOLLIN, defers);
	loop_add(&loop, &v, other, EPOLLIN, defers);
	turn(&loop);
	ok_said("wwA", "deferred work runs once, behind all watches of the turn");
	loop_mod(&loop, &w, 0);
	loop_mod(&loop, &v, 0);
	turn(&loop);
	ok_said("", "and not in the next turn");
	a_later.other = &b_later;
	loop_defer(&loop, &a_later.deferred, later_runs);
	turn(&loop);
	ok_said("AB", "work deferred by deferred work runs in the same turn");
	loop_del(&loop, &w);
	loop_del(&loop, &v);
	close(fd);
	close(other);
}

/* ---- another turn ---- */

/* Asks again as long as it @asks. */
struct eager {
	struct deferred deferred;
	char name;
	unsigned asks;
	bool stops;
	struct deferred *victim; /* to be undone when this one runs */
};

static void eager_runs(struct deferred *d)
{
	struct eager *e = container_of(d, struct eager, deferred);

	say(e->name);
	if (e->stops)
		loop_stop(&loop);
	if (e->victim)
		loop_undefer(e->victim);
	if (e->asks) {
		e->asks--;
		loop_again(&loop, d, eager_runs);
	}
}

static struct eager from_watch = { .name = 'E' };

static void asks_for_turn(struct watch *w, uint32_t events)
{
	(void)events;
	say('w');
	loop_mod(&loop, w, 0);
	loop_again(&loop, &from_watch.deferred, eager_runs);
}

static void test_again(void)
{
	struct eager e = { .name = 'e', .asks = 2 };
	struct tick t = { .name = 't' };
	struct watch w = WATCH_INIT;

	loop_again(&loop, &e.deferred, eager_runs);
	loop_again(&loop, &e.deferred, eager_runs);
	turn(&loop);
	ok_said("e", "work that asks for another turn runs once in it");
	turn(&loop);
	turn(&loop);
	ok_said("ee", "and in the next ones, as often as it asks");
	turn(&loop);
	ok_said("", "and no more");
	loop_add(&loop, &w, eventfd(1, EFD_NONBLOCK), EPOLLIN, asks_for_turn);
	turn(&loop);
	ok_said("w", "asked for by a watch, it does not run in the same turn");
	turn(&loop);
	ok_said("E", "but in the next");
	e.asks = 1000000;
	loop_again(&loop, &e.deferred, eager_runs);
	loop_mod(&loop, &w, EPOLLIN);
	timer_set(&loop, &t.timer, 10, tick_due_and_stop);
	loop_run(&loop);
	loop_undefer(&e.deferred);
	ok(e.asks > 0 && t.ran && strchr(said, 'w'),
	   "one that always asks starves neither a watch nor a timer");
	said[0] = '\0';
	int fd = w.fd;

	loop_del(&loop, &w);
	close(fd);
}

static void says_w(struct watch *w, uint32_t events)
{
	(void)w;
	(void)events;
	say('w');
}

/* Asks for seven turns; in the second of them a watch's descriptor gets ready. */
struct beside {
	struct deferred deferred;
	int fd;
	unsigned ran;
};

static void beside_runs(struct deferred *d)
{
	struct beside *b = container_of(d, struct beside, deferred);

	say('e');
	if (++b->ran == 2)
		eventfd_write(b->fd, 1);
	if (b->ran == 7)
		loop_stop(&loop);
	else
		loop_again(&loop, d, beside_runs);
}

/* Watches that are quiet are not looked at in each turn that has other work, but soon. */
static void test_again_beside_watch(void)
{
	struct beside b = { .fd = eventfd(0, EFD_NONBLOCK) };
	struct watch w = WATCH_INIT;

	turn(&loop);
	loop_add(&loop, &w, b.fd, EPOLLIN, says_w);
	loop_again(&loop, &b.deferred, beside_runs);
	loop_run(&loop);
	ok_said("eeeewewewe",
		"beside such work a quiet watch waits for three turns, a busy one for none");
	loop_del(&loop, &w);
	close(b.fd);
}

/* The loop does not wait for anything else, nor any longer than it has to. */
static void test_again_waits(void)
{
	struct eager e = { .name = 'e', .stops = true };
	struct tick late = { .name = '!' };
	uint64_t start = loop_now();

	loop_again(&loop, &e.deferred, eager_runs);
	loop_defer(&loop, &a_later.deferred, later_runs);
	timer_set(&loop, &late.timer, 2000, tick_due_and_stop);
	loop_run(&loop);
	ok(loop_now() - start < 1000, "the next turn begins at once");
	ok_said("eA", "the work runs ahead of what is deferred");
	timer_cancel(&loop, &late.timer);
	loop_again(&loop, &e.deferred, eager_runs);
	loop_undefer(&e.deferred);
	loop_undefer(&e.deferred);
	start = cpu_us();
	run_for(200);
	ok(cpu_us() - start < 100000, "undone, it leaves the loop asleep");
	ok_said(".", "and does not run");
}

static void test_undo(void)
{
	struct eager e[3] = { { .name = '0' }, { .name = '1' }, { .name = '2' } };

	/* Whatever the order, one undoes another that is due in this turn. */
	for (unsigned i = 0; i < 3; i++) {
		e[i].victim = &e[(i + 1) % 3].deferred;
		loop_again(&loop, &e[i].deferred, eager_runs);
	}
	turn(&loop);
	ok(strlen(said) >= 1 && strlen(said) <= 2,
	   "work may undo other work of its turn");
	said[0] = '\0';
	for (unsigned i = 0; i < 3; i++) {
		e[i].victim = NULL;
		loop_defer(&loop, &e[i].deferred, eager_runs);
	}
	loop_undefer(&e[1].deferred);
	turn(&loop);
	ok_said("20", "out of the middle of a list, too");
}

/* ---- watches ---- */

struct probe {
	struct watch watch;
	char name;
	uint32_t seen;
	struct watch *victim; /* to be removed when this one is called */
	struct watch *muted;  /* its events are taken away then */
};

static void probe_ready(struct watch *w, uint32_t events)
{
	struct probe *p = container_of(w, struct probe, watch);

	say(p->name);
	p->seen = events;
	if (p->victim)
		loop_del(&loop, p->victim);
	if (p->muted)
		loop_mod(&loop, p->muted, 0);
}

static void test_events(void)
{
	struct probe p = { .watch = WATCH_INIT, .name = 'p' };
	int sv[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, sv) < 0)
		return;
	ok_eq_int(loop_add(&loop, &p.watch, sv[0], EPOLLIN, probe_ready), 0, "a socket");
	turn(&loop);
	ok_said("", "is not readable yet");
	ok_eq_int(write(sv[1], "x", 1), 1, "is sent a byte");
	turn(&loop);
	turn(&loop);
	ok_said("pp", "and is readable until it is read");
	loop_mod(&loop, &p.watch, EPOLLOUT);
	turn(&loop);
	ok_eq_int(p.seen, EPOLLOUT, "asked for writability, it tells only of that");
	loop_mod(&loop, &p.watch, EPOLLIN | EPOLLOUT);
	turn(&loop);
	ok_eq_int(p.seen, EPOLLIN | EPOLLOUT, "asked for both, of both");
	said[0] = '\0';
	loop_mod(&loop, &p.watch, 0);
	close(sv[1]);
	turn(&loop);
	ok_said("", "asked for nothing, not even of a hang-up");
	loop_mod(&loop, &p.watch, EPOLLIN);
	turn(&loop);
	ok(p.seen & EPOLLHUP, "which is told when something is asked for again");
	loop_del(&loop, &p.watch);
	loop_del(&loop, &p.watch);
	said[0] = '\0';
	turn(&loop);
	ok_said("", "removed, it tells nothing");
	ok_eq_int(p.watch.fd, -1, "and holds no descriptor");
	ok_eq_int(loop_add(&loop, &p.watch, sv[0], 0, probe_ready), 0,
		  "added for nothing");
	turn(&loop);
	ok_said("", "it does not tell of a hang-up either");
	loop_del(&loop, &p.watch);
	close(sv[0]);
}

static void stop_now(struct watch *w, uint32_t events)
{
	(void)w;
	(void)events;
	loop_stop(&loop);
}

static void test_bad_fd(void)
{
	struct watch w = WATCH_INIT;

	ok_eq_int(loop_add(&loop, &w, 9999, EPOLLIN, stop_now), -EBADF,
		  "a bad descriptor");
	ok_eq_int(w.fd, -1, "is not held");
	ok_eq_int(loop_add(&loop, &w, 9999, 0, stop_now), -EBADF,
		  "and is told even if nothing is asked for");
	loop_mod(&loop, &w, EPOLLIN);
	loop_del(&loop, &w);
}

#define MANY 10

/* All are ready; whichever is called first silences the others, one way or the other. */
int epoll_ctl(int epfd, int op, int fd, struct epoll_event *ev)
{
	if (op == EPOLL_CTL_ADD && refusals) {
		refusals--;
		errno = ENOMEM;
		return -1;
	}
	return (int)syscall(SYS_epoll_ctl, epfd, op, fd, ev);
}

static void note_ready(struct watch *w, uint32_t events)
{
	loop_mod(&loop, w, 0);
	say(events & EPOLLIN ? 'r' : '?');
}

/* A kernel that has no memory for a watch now: one that was on, and was muted. */
static void test_late(void)
{
	struct watch w[3];

	for (unsigned i = 0; i < ARRAY_SIZE(w); i++)
		loop_add(&loop, &w[i], eventfd(1, EFD_NONBLOCK), 0, note_ready);
	refusals = 5;
	for (unsigned i = 0; i < ARRAY_SIZE(w); i++)
		loop_mod(&loop, &w[i], EPOLLIN);
	loop_mod(&loop, &w[1], 0);
	run_for(200);
	ok_said("rr.", "what epoll had no memory for is heard of later");
	ok(!refusals && !loop.late && !loop.retry.is_set, "and nothing is left to do");
	refusals = 1;
	loop_mod(&loop, &w[1], EPOLLIN);
	for (unsigned i = 0; i < ARRAY_SIZE(w); i++) {
		int fd = w[i].fd;

		loop_del(&loop, &w[i]);
		close(fd);
	}
	ok(!loop.late, "nor of one that was removed before");
	run_for(50);
	ok_said(".", "which is not heard of");
}

static void test_gone_within_turn(bool removed)
{
	struct probe p[MANY];
	int fds[MANY];
	unsigned called = 0, pairs = MANY / 2;

	for (unsigned i = 0; i < MANY; i++) {
		p[i] = (struct probe){ .watch = WATCH_INIT, .name = 'p' };
		p[i].victim = removed ? &p[i ^ 1].watch : NULL;
		p[i].muted = removed ? NULL : &p[i ^ 1].watch;
		fds[i] = eventfd(1, EFD_NONBLOCK);
		loop_add(&loop, &p[i].watch, fds[i], EPOLLIN, probe_ready);
	}
	turn(&loop);
	called = (unsigned)strlen(said);
	said[0] = '\0';
	ok_eq_int(called, pairs, "a watch %s within a turn is not called any more in it",
		  removed ? "removed" : "asked for nothing");
	turn(&loop);
	said[0] = '\0';
	for (unsigned i = 0; i < MANY; i++) {
		loop_del(&loop, &p[i].watch);
		close(fds[i]);
	}
}

static void test_more_than_a_turn_fetches(void)
{
	struct probe p[150];
	int fds[150], missed = 0;

	for (size_t i = 0; i < ARRAY_SIZE(p); i++) {
		p[i] = (struct probe){ .watch = WATCH_INIT, .name = 'p' };
		fds[i] = eventfd(1, EFD_NONBLOCK);
		loop_add(&loop, &p[i].watch, fds[i], EPOLLIN, probe_ready);
	}
	for (int i = 0; i < 6; i++)
		turn(&loop);
	for (size_t i = 0; i < ARRAY_SIZE(p); i++) {
		missed += !p[i].seen;
		loop_del(&loop, &p[i].watch);
		close(fds[i]);
	}
	ok_eq_int(missed, 0, "of very many that are ready, none is left out for long");
	said[0] = '\0';
}

/* ---- files, which epoll refuses ---- */

static int open_file(void)
{
	char path[] = "/tmp/loop-test.XXXXXX";
	int fd = mkstemp(path);

	unlink(path);
	return fd;
}

static void test_always_ready(void)
{
	struct probe p = { .watch = WATCH_INIT, .name = 'p' };
	struct tick a = { .name = 'a' };
	int fd = open_file();

	ok_eq_int(loop_add(&loop, &p.watch, fd, EPOLLIN, probe_ready), 0,
		  "a regular file");
	turn(&loop);
	turn(&loop);
	ok_said("pp", "is ready in every turn");
	ok_eq_int(p.seen, EPOLLIN, "for what was asked");
	loop_mod(&loop, &p.watch, 0);
	turn(&loop);
	ok_said("", "but not when nothing is asked for");
	timer_set(&loop, &a.timer, 10, tick_due_and_stop);
	loop_run(&loop);
	ok_said("a", "and the loop then waits");
	loop_mod(&loop, &p.watch, EPOLLIN);
	turn(&loop);
	ok_said("p", "until something is");
	a.ran = 0;
	timer_set(&loop, &a.timer, 5, tick_due_and_stop);
	loop_run(&loop);
	ok(a.ran && said[0] == 'p', "timers run beside a file that is ready");
	said[0] = '\0';
	loop_del(&loop, &p.watch);
	turn(&loop);
	ok_said("", "removed, it is not ready any more");
	close(fd);
	fd = open("/dev/null", O_RDONLY);
	ok_eq_int(loop_add(&loop, &p.watch, fd, 0, probe_ready), 0, "so is /dev/null");
	loop_del(&loop, &p.watch);
	close(fd);
}

static void probe_stops(struct watch *w, uint32_t events)
{
	probe_ready(w, events);
	loop_stop(&loop);
}

static void test_file_alone(void)
{
	struct probe p = { .watch = WATCH_INIT, .name = 'p' };
	struct tick late = { .name = '!' };
	int fd = open_file();

	loop_add(&loop, &p.watch, fd, EPOLLIN, probe_stops);
	timer_set(&loop, &late.timer, 1000, tick_due_and_stop);
	loop_run(&loop);
	ok_said("p", "a file that is ready is not waited with for anything else");
	timer_cancel(&loop, &late.timer);
	loop_del(&loop, &p.watch);
	close(fd);
}

static void test_files_removed(void)
{
	struct probe p[3];
	int fds[3];

	for (int i = 0; i < 3; i++) {
		p[i] = (struct probe){ .watch = WATCH_INIT, .name = (char)('a' + i) };
		fds[i] = open_file();
		loop_add(&loop, &p[i].watch, fds[i], EPOLLIN, probe_ready);
	}
	/* Each takes out another one, so whatever the order, one is called at most twice. */
	for (int i = 0; i < 3; i++)
		p[i].victim = &p[(i + 1) % 3].watch;
	turn(&loop);
	ok(strlen(said) >= 1 && strlen(said) <= 2,
	   "a file removed within a turn: not called");
	said[0] = '\0';
	for (int i = 0; i < 3; i++) {
		p[i].victim = &p[i].watch;
		if (p[i].watch.fd < 0)
			loop_add(&loop, &p[i].watch, fds[i], EPOLLIN, probe_ready);
	}
	turn(&loop);
	ok_eq_int(strlen(said), 3, "each may remove itself");
	said[0] = '\0';
	turn(&loop);
	ok_said("", "and then none is left");
	for (int i = 0; i < 3; i++)
		close(fds[i]);
}

static void test_stop_ends_turn(void)
{
	struct probe p = { .watch = WATCH_INIT, .name = 'p' };
	struct watch first = WATCH_INIT;
	int fds[2] = { eventfd(1, EFD_NONBLOCK), eventfd(1, EFD_NONBLOCK) };

	loop_add(&loop, &first, fds[0], EPOLLIN, stop_now);
	loop_add(&loop, &p.watch, fds[1], EPOLLIN, probe_ready);
	loop_defer(&loop, &a_later.deferred, later_runs);
	loop_run(&loop);
	ok_said("pA", "a stop lets the turn end, deferred work included");
	loop_del(&loop, &first);
	loop_del(&loop, &p.watch);
	close(fds[0]);
	close(fds[1]);
}

static void test_free_runs_deferred(void)
{
	struct loop other;

	ok_eq_int(loop_init(&other), 0, "another loop");
	loop_defer(&other, &b_later.deferred, later_runs);
	loop_free(&other);
	ok_said("B", "what is deferred when a loop is freed still runs");
}

int main(void)
{
	alarm(ALARM_S);
	if (loop_init(&loop) < 0)
		return 1;
	test_timer_order();
	test_timer_random();
	test_timer_many();
	test_timer_moved();
	test_timer_within_timer();
	test_timer_ns();
	test_timer_coalesces();
	test_timer_does_not_starve();
	test_idle_costs_nothing();
	test_deferred();
	test_again();
	test_again_beside_watch();
	test_again_waits();
	test_undo();
	test_events();
	test_bad_fd();
	test_late();
	test_gone_within_turn(true);
	test_gone_within_turn(false);
	test_more_than_a_turn_fetches();
	test_always_ready();
	test_file_alone();
	test_files_removed();
	test_stop_ends_turn();
	test_free_runs_deferred();
	loop_free(&loop);
	return done();
}
