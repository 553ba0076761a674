/* SPDX-License-Identifier: MIT */
/*
 * A listener, and a kernel that has no connections for it: accept4() is made here,
 * and gives the errors that a test wants before it does its work.
 */
#include "net/listen.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/util.h"
#include "lib/tap.h"
#include "lib/turn.h"

#define ALARM_S 300 /* the end of a test that would wait for ever */
#define WAIT_MS 10000
#define CROWD 1000
#define FDS 200 /* the most that the process may have in one test */

static struct loop loop;
static struct listener listener;
static char path[64];
static char dir[] = "/tmp/listen-test.XXXXXX";
static int refusal, taken[CROWD], crowd[CROWD];
static const struct endpoint_access *allowed;
static unsigned n_refusals, n_asked, n_taken, n_crowd, n_wanted;

int accept4(int fd, __SOCKADDR_ARG addr, socklen_t *restrict len, int flags)
{
	n_asked++;
	if (n_refusals) {
		n_refusals--;
		errno = refusal;
		return -1;
	}
	return (int)syscall(SYS_accept4, fd, addr.__sockaddr__, len, flags);
}

static void on_accepted(struct listener *l, int fd, const char *peer,
			struct admit_host *host, void *arg)
{
	(void)host;
	(void)l;
	(void)peer;
	(void)arg;
	taken[n_taken++] = fd;
}

static void on_wanted(struct listener *l, void *arg)
{
	(void)l;
	(void)arg;
	n_wanted++;
}

static int dial(void)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

	snprintf(sun.sun_path, sizeof(sun.sun_path), "%s", path);
	if (connect(fd, (struct sockaddr *)&sun, sizeof(sun)) == 0)
		return fd;
	close(fd);
	return -errno;
}

/* Dial so often. Return: how many were let in at once. */
static unsigned dial_many(unsigned n)
{
	unsigned before = n_crowd;

	for (; n; n--) {
		int fd = dial();

		if (fd >= 0)
			crowd[n_crowd++] = fd;
	}
	return n_crowd - before;
}

static void begin(unsigned limit)
{
	char why[256];

	memset(&listener, 0, sizeof(listener));
	n_refusals = n_asked = n_taken = n_crowd = n_wanted = 0;
	listener.name = "listener";
	listener.path = path;
	listener.mode = 0600;
	listener.limit = limit;
	listener.admit.access = allowed;
	listener.accepted = on_accepted;
	listener.wanted = on_wanted;
	if (listener_start(&listener, &loop, why, sizeof(why)) < 0)
		exit(1);
}

static void end(void)
{
	listener_stop(&listener);
	while (n_taken)
		close(taken[--n_taken]);
	while (n_crowd)
		close(crowd[--n_crowd]);
}

/* ---- tests ---- */

static void test_passing(int err)
{
	begin(0);
	refusal = err;
	n_refusals = 3;
	dial_many(1);
	turn_for(&loop, 50);
	ok(n_taken == 1 && n_asked < 10, "%s is one connection's: the next is taken",
	   strerror(err));
	end();
}

/* As of a socket that somebody has closed for us, with ss -K. */
static void test_useless(int err)
{
	begin(0);
	refusal = err;
	n_refusals = 100000;
	dial_many(1);
	turn_for(&loop, 300);
	ok(n_asked < 5, "%s: it is not asked again and again", strerror(err));
	n_refusals = 0;
	for (unsigned i = 0; i < 100 && !n_taken; i++) {
		dial_many(1);
		turn_for(&loop, 50);
	}
	ok(n_taken, "but a new socket listens in its place");
	end();
}

static void test_short_of_memory(void)
{
	begin(0);
	refusal = ENOBUFS;
	n_refusals = 2;
	dial_many(1);
	turn_for(&loop, 100);
	ok(n_asked == 1 && !n_taken, "without memory for a connection it waits");
	turn_until(&loop, WAIT_MS, n_taken == 1);
	ok(n_taken == 1, "and tries again");
	end();
}

static void test_backlog(void)
{
	begin(0);
	ok_eq_int(dial_many(CROWD), CROWD, "so many who come at once all get in");
	turn_until(&loop, WAIT_MS, n_taken == CROWD);
	ok_eq_int(n_taken, CROWD, "and are accepted");
	end();
}

static void test_reserve(void)
{
	struct rlimit old, few;
	int fds[FDS];
	unsigned n = 0;

	begin(0);
	dial_many(FDS);
	getrlimit(RLIMIT_NOFILE, &old);
	few = old;
	few.rlim_cur = 2 * FDS - 50;
	setrlimit(RLIMIT_NOFILE, &few);
	turn_for(&loop, 300);
	while (n < FDS && (fds[n] = dup(loop.epfd)) >= 0)
		n++;
	ok(n_taken > 50 && n >= 20, "of the descriptors %u are left to others", n);
	while (n)
		close(fds[--n]);
	ok(n_asked <= n_taken + 1, "no connection is taken and thrown away");
	setrlimit(RLIMIT_NOFILE, &old);
	turn_until(&loop, WAIT_MS, n_taken == FDS);
	ok_eq_int(n_taken, FDS, "the rest gets in when there are more");
	end();
}

static void test_one_place(void)
{
	begin(1);
	dial_many(1);
	turn_for(&loop, 50);
	ok(n_taken == 1 && !n_wanted, "one place is taken");
	dial_many(1);
	turn_for(&loop, 100);
	ok(n_taken == 1 && n_wanted == 1, "a second one wants it");
	turn_for(&loop, 2500);
	ok(n_wanted >= 2 && n_wanted < 5,
	   "and is not forgotten, nor asked for all the time");
	listener_gone(&listener, NULL);
	turn_until(&loop, WAIT_MS, n_taken == 2);
	ok_eq_int(n_taken, 2, "it has it as soon as it is free");
	end();
}

/* Who may not does not ask for the place of another one; who may gets it. */
static void test_held_place(void)
{
	struct endpoint ep = { 0 };

	ep.access =
		(struct endpoint_access){ .n = 1,
					  .allow[0] = { .kind = ENDPOINT_ALLOW_UID } };
	snprintf(ep.access.allow[0].name, ENDPOINT_USER_MAX, "%u", (unsigned)geteuid());
	allowed = &ep.access;
	begin(1);
	dial_many(1);
	turn_for(&loop, 50);
	ok(n_taken == 1 && !n_wanted, "one place is taken");
	listener.admit.ids[0]++;
	dial_many(10);
	turn_for(&loop, 1500);
	ok(n_taken == 1 && !n_wanted, "strangers do not want it");
	ok_eq_int((long long)listener.admit.refused[ADMIT_ALLOW], 10, "they are refused");
	listener.admit.ids[0]--;
	dial_many(2);
	turn_for(&loop, 1500);
	ok(n_taken == 1 && n_wanted, "another one does");
	listener_gone(&listener, NULL);
	turn_until(&loop, WAIT_MS, n_taken == 2);
	ok_eq_int(n_taken, 2, "and has it when it is free");
	listener_gone(&listener, NULL);
	turn_until(&loop, WAIT_MS, n_taken == 3);
	ok_eq_int(n_taken, 3, "so has the next");
	end();
	allowed = NULL;
}

static void test_max(void)
{
	struct endpoint_access two = { .max = 2 };

	allowed = &two;
	begin(0);
	dial_many(5);
	turn_for(&loop, 50);
	ok(n_taken == 2 && listener.admit.refused[ADMIT_MAX] == 3, "two, and no more");
	listener_gone(&listener, NULL);
	dial_many(1);
	turn_for(&loop, 50);
	ok_eq_int(n_taken, 3, "one has gone, another one may come");
	end();
	allowed = NULL;
}

static void test_names(void)
{
	static const struct endpoint_access nobody = {
		.n = 1,
		.allow[0] = { .kind = ENDPOINT_ALLOW_UID, .name = "no-such" },
	};
	struct listener l = { .name = "it", .path = path, .mode = 0600 };
	char why[256];

	l.admit.access = &nobody;
	ok_eq_int(listener_start(&l, &loop, why, sizeof(why)), -ENOENT, "no such user");
	ok_eq_str(why, "it: allow=no-such: there is no such user in /etc/passwd",
		  "said so");
	l = (struct listener){ .name = "it", .path = path, .group = "no-such" };
	ok_eq_int(listener_start(&l, &loop, why, sizeof(why)), -ENOENT, "no such group");
	ok_eq_str(why, "it: group=no-such: there is no such group in /etc/group",
		  "said so");
}

int main(void)
{
	static const int passing[] = { EINTR,	 ECONNABORTED, EPERM,	   EPROTO,
				       ENETDOWN, EHOSTUNREACH, ENETUNREACH };

	alarm(ALARM_S);
	signal(SIGPIPE, SIG_IGN);
	if (!mkdtemp(dir) || loop_init(&loop) < 0)
		return 1;
	snprintf(path, sizeof(path), "%s/s", dir);
	for (size_t i = 0; i < ARRAY_SIZE(passing); i++)
		test_passing(passing[i]);
	test_useless(EINVAL);
	test_useless(EIO);
	test_short_of_memory();
	test_backlog();
	test_reserve();
	test_one_place();
	test_held_place();
	test_max();
	test_names();
	loop_free(&loop);
	rmdir(dir);
	return done();
}
