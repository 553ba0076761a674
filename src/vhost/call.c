/* SPDX-License-Identifier: MIT */
/*
 * A process has one such timer, and its handler gets no argument: so what they share is
 * static. The handler has no SA_RESTART, so the call that it interrupts returns. It stops the
 * timer when there was no write for some periods, so that an idle program is not woken; several,
 * because a process may be kept from running between the note of a write and the write.
 *
 * #syscalls: rt_sigaction setitimer write
 */
#include "vhost/call.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/time.h>
#include <unistd.h>

#define IDLE_PERIODS 4

static bool is_guarded;
static volatile sig_atomic_t is_set, idle;

static void set_timer(int ms)
{
	const struct itimerval every = { .it_interval.tv_usec = ms * 1000,
					 .it_value.tv_usec = ms * 1000 };

	setitimer(ITIMER_REAL, &every, NULL);
}

static void on_period(int sig)
{
	int err = errno;

	(void)sig;
	idle = idle + 1;
	if (idle >= IDLE_PERIODS) {
		is_set = false;
		set_timer(0);
	}
	errno = err;
}

void call_guard(void)
{
	struct sigaction action = { .sa_handler = on_period };

	sigaction(SIGALRM, &action, NULL);
	is_guarded = true;
}

void call_limit(void)
{
	idle = 0;
	if (!is_set && is_guarded) {
		is_set = true;
		set_timer(CALL_LIMIT_MS);
	}
}

static int add(int fd, uint64_t n)
{
	call_limit();
	if (write(fd, &n, sizeof(n)) == (ssize_t)sizeof(n))
		return 0;
	/* It has been told often enough, if there is no room. */
	if (errno == EAGAIN)
		return 0;
	return errno == EINTR ? -EDEADLK : -errno;
}

int call_make(int fd)
{
	return fd < 0 ? 0 : add(fd, 1);
}

int call_check(int fd)
{
	return add(fd, 0);
}
