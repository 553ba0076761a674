/* SPDX-License-Identifier: MIT */
/*
 * alarm.c: peers of unix sockets who send descriptors that take a minute to close, and how
 * the timer comes and goes.
 */
#include "base/alarm.h"

#include <poll.h>
#include <sys/time.h>

#include "base/loop.h"
#include "lib/linger.h"
#include "lib/tap.h"

#define PATIENCE_MS 20000
#define SOON_MS 5000 /* for a machine with much to do */

/* How often the timer comes, in ms; 0: never. */
static long timer_ms(void)
{
	struct itimerval it;

	getitimer(ITIMER_REAL, &it);
	return (long)(it.it_interval.tv_usec / 1000);
}

static ssize_t get(int fd)
{
	char byte;

	return recv(fd, &byte, 1, 0);
}

static ssize_t get_many(int fd)
{
	struct mmsghdr m[4] = { 0 };
	char byte[4];
	struct iovec iov[4];

	for (int i = 0; i < 4; i++) {
		iov[i] = (struct iovec){ &byte[i], 1 };
		m[i].msg_hdr.msg_iov = &iov[i];
		m[i].msg_hdr.msg_iovlen = 1;
	}
	return recvmmsg(fd, m, 4, MSG_DONTWAIT, NULL) == 4 ? 1 : -1;
}

static ssize_t get_none(int fd)
{
	return 1 + shutdown(fd, SHUT_RD);
}

static const struct way {
	const char *name;
	ssize_t (*get)(int fd);
} ways[] = { { "read alone", get },
	     { "read at once", get_many },
	     { "never read", get_none } };

/* Until the timer has stopped: it would interrupt what makes sockets. */
static void rest(void)
{
	uint64_t limit = loop_now() + PATIENCE_MS;

	alarm_rest();
	while (timer_ms() && loop_now() < limit)
		poll(NULL, 0, 100 * ALARM_MS);
}

/* Four such messages; all that are left are closed with the socket. */
static void test_way(const struct way *w, int type)
{
	int fds[2], other[4];
	uint64_t begin;

	sockets_pair(type, fds);
	for (int i = 0; i < 4; i++)
		other[i] = linger_send(fds[1]);
	alarm_work();
	begin = loop_now();
	ok_eq_int(w->get(fds[0]), 1, "socket of type %d, %s: nothing is lost", type,
		  w->name);
	ok_eq_int(close(fds[0]), 0, "it is closed");
	ok(loop_now() - begin < SOON_MS, "soon");
	ok(timer_ms() > 0, "and the next that waits would be interrupted");
	rest();
	for (int i = 0; i < 4; i++)
		close(other[i]);
	close(fds[1]);
}

/* Let signals come in turns that are short, until the timer has a period of @ms. */
static void work_until(long ms)
{
	uint64_t limit = loop_now() + PATIENCE_MS;

	while (timer_ms() != ms && loop_now() < limit) {
		alarm_work();
		alarm_rest();
	}
}

static void test_timer(void)
{
	work_until(ALARM_MS);
	ok_eq_int(timer_ms(), ALARM_MS, "when nothing waits any more, it comes seldom");
	rest();
	ok_eq_int(timer_ms(), 0, "and not at all while we rest");
	ok_eq_int(poll(NULL, 0, 4 * ALARM_MS), 0, "so nothing is interrupted then");
	alarm_work();
	ok(timer_ms() > 0, "with the next turn it comes back");
	for (int i = 0; i < 5; i++)
		ok_eq_int(poll(NULL, 0, 1000 * ALARM_MS), -1,
			  "and again as long as that lasts");
	ok_eq_int(timer_ms(), ALARM_HURRY_MS, "more often, if something waits");
}

int main(void)
{
	alarm_need();
	alarm_work();
	ok_eq_int(timer_ms(), 0, "there is no timer where nobody handles its signal");
	alarm_init();
	alarm_work();
	ok_eq_int(timer_ms(), 0, "nor where nobody can keep us waiting");
	alarm_need();
	alarm_rest();
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		test_way(&ways[i], SOCK_STREAM);
		test_way(&ways[i], SOCK_SEQPACKET);
		test_way(&ways[i], SOCK_DGRAM);
	}
	test_timer();
	return done();
}
