/* SPDX-License-Identifier: MIT */
/*
 * links.c, in a network namespace of its own: who is told of what, joining and
 * leaving in any order, and that all are told when news was lost. Where no namespace
 * can be made, nothing is checked, and TAP says so.
 */
#include "net/links.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/util.h"
#include "lib/fault.h"
#include "lib/tap.h"

#define MANY 100
#define TURN_MS 20

/* @heard, @lost: how often it was told of a link, and that news was lost */
static struct one {
	struct links_user user;
	unsigned heard, lost;
} users[MANY];

static struct loop loop;
static struct links links;
static uint32_t mtu = 2000;

static void hear(struct links_user *u, const struct nl_link *link)
{
	struct one *one = container_of(u, struct one, user);

	one->heard += link != NULL;
	one->lost += !link;
}

static void stop(struct timer *t)
{
	(void)t;
	loop_stop(&loop);
}

/* Has lo change so often, and lets all hear of it. */
static void change(unsigned times)
{
	struct timer end = { 0 };

	for (unsigned i = 0; i < MANY; i++)
		users[i].heard = users[i].lost = 0;
	for (; times; times--) {
		struct nl_change lo = { .index = 1, .master = -1, .mtu = ++mtu };

		nl_link_change(&lo);
	}
	timer_set(&loop, &end, TURN_MS, stop);
	loop_run(&loop);
}

static void join(unsigned i, const char *name, int one, int other)
{
	users[i].user.changed = hear;
	if (links_join(&links, &users[i].user, name))
		abort();
	links_follow(&links, &users[i].user, one, other);
}

static void test_who(void)
{
	char byte;

	join(0, "lo", 0, 0);
	join(1, "none", 1, 0);
	join(2, "none", 0, 1);
	join(3, "none", 7, 8);
	join(4, "lo", 1, 1);
	change(1);
	ok_eq_int(users[0].heard, 1, "told by the name");
	ok_eq_int(users[1].heard, 1, "told by one number");
	ok_eq_int(users[2].heard, 1, "told by the other number");
	ok_eq_int(users[3].heard, 0, "not told of others");
	ok_eq_int(users[4].heard, 1, "told once, whatever it goes by");
	ok_eq_int(links_join(&links, &users[4].user, "lo"), 0, "joins again");
	links_follow(&links, &users[1].user, 0, 0);
	change(1);
	ok_eq_int(users[4].heard, 1, "told once all the same");
	ok_eq_int(users[1].heard, 0, "no longer told by the number");
	for (unsigned i = 0; i < 5; i++)
		links_leave(&links, &users[i].user);
	links_leave(&links, &users[0].user);
	ok(!links.keys, "the last one frees all");
	join(0, "lo", 0, 0);
	links_leave(&links, &users[0].user);
	change(1);
	ok(recv(links.watch.fd, &byte, 1, MSG_DONTWAIT | MSG_PEEK) < 0,
	   "without users nothing is heard");
	join(0, "lo", 0, 0);
	change(1);
	ok_eq_int(users[0].heard, 1, "with one it is again");
	links_leave(&links, &users[0].user);
}

static void test_many(void)
{
	unsigned wrong = 0;

	for (unsigned i = 0; i < MANY; i++)
		join(i, "none", i % 2 ? 1 : 2, 0);
	for (unsigned i = 0; i < MANY; i += 3)
		links_leave(&links, &users[i].user);
	change(1);
	for (unsigned i = 0; i < MANY; i++)
		wrong += users[i].heard != (i % 3 && i % 2 ? 1u : 0u);
	ok_eq_int(wrong, 0, "those who stay are told, those who left are not");
	for (unsigned i = 0; i < MANY; i++)
		links_leave(&links, &users[i].user);
	ok_eq_int(links.n, 0, "all have left");
}

static void test_lost(void)
{
	int size = 1;

	join(0, "lo", 0, 0);
	join(1, "none", 7, 8);
	if (setsockopt(links.watch.fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size)) < 0)
		abort();
	change(50);
	ok(users[0].lost && users[1].lost, "lost: all are told");
	/* One that fails for a moment is left alone for a while; then all look. */
	fault_arm(FAULT_recvmsg, 1, EIO);
	links.watch.fn(&links.watch, 0);
	ok(fault_disarm() && links.again.is_set, "failed: it is tried again later");
	change(1);
	ok_eq_int(users[0].heard, 0, "failed: not before");
	timer_cancel(&loop, &links.again);
	links.again.fn(&links.again);
	ok(users[0].lost && users[1].lost, "failed: then all are told");
	change(1);
	ok(users[0].heard, "failed: and it goes on");
	links_leave(&links, &users[0].user);
	links_leave(&links, &users[1].user);
}

static void test_seal(void)
{
	struct links_user user = { .changed = hear };
	unsigned before;

	links_free(&links);
	before = fault_open_fds();
	for (unsigned at = 1; at <= 2; at++) {
		fault_arm(FAULT_socket, at, EMFILE);
		ok_eq_int(links_seal(&links, true), -EMFILE, "socket %u can't be had",
			  at);
		fault_disarm();
		ok(links_join(&links, &user, "lo") == -EPERM && !user.is_in,
		   "then there are no events");
		ok(!links_ask(&links) == (at == 1), "and maybe nothing to ask by");
		links_free(&links);
	}
	fault_arm(FAULT_epoll_ctl, 1, ENOMEM);
	ok_eq_int(links_seal(&links, true), -ENOMEM, "or it can't be watched");
	fault_disarm();
	links_free(&links);
	ok_eq_int(fault_open_fds(), before, "no descriptor is left of that");
	ok_eq_int(links_seal(&links, false), 0, "not needed");
	ok_eq_int(fault_open_fds(), before, "then nothing is opened");
	ok(links_join(&links, &user, "lo") == -EPERM && !links_ask(&links),
	   "and never is");
	links_free(&links);
	ok_eq_int(links_seal(&links, true), 0, "both are open");
	ok(links_ask(&links) == links.asks && !links_ask(NULL), "the socket to ask by");
	fault_arm(FAULT_socket, 1, EPERM);
	join(0, "lo", 0, 0);
	ok(!fault_disarm(), "no other is opened when it is needed");
	change(1);
	ok_eq_int(users[0].heard, 1, "and events come");
	links_leave(&links, &users[0].user);
	links_free(&links);
}

int main(void)
{
	if (unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0 && unshare(CLONE_NEWNET) < 0) {
		printf("1..0 # SKIP no network namespace: %s\n", strerror(errno));
		return 0;
	}
	if (loop_init(&loop) < 0)
		return 1;
	links_init(&links, &loop);
	test_who();
	test_many();
	test_lost();
	test_seal();
	loop_free(&loop);
	return done();
}
