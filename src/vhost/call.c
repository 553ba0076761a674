/* SPDX-License-Identifier: MIT */
/*
 * The signal has a handler without SA_RESTART, so that the call that it interrupts returns.
 *
 * #syscalls: rt_sigaction setitimer write
 */
#include "vhost/call.h"

#include <errno.h>
#include <signal.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/loop.h"

static void nothing(int sig)
{
	(void)sig;
}

void call_guard(void)
{
	struct sigaction action = { .sa_handler = nothing };

	sigaction(SIGALRM, &action, NULL);
}

static void arm(struct call *c)
{
	const struct itimerval limit = { .it_value.tv_usec = CALL_LIMIT_MS * 1000 };
	uint64_t now = loop_coarse();

	if (c->armed && now - c->armed < CALL_ARM_MS)
		return;
	c->armed = now;
	setitimer(ITIMER_REAL, &limit, NULL);
}

int call_make(struct call *c)
{
	const uint64_t one = 1;

	if (c->fd < 0)
		return 0;
	arm(c);
	if (write(c->fd, &one, sizeof(one)) == (ssize_t)sizeof(one))
		return 0;
	/* It has been told often enough, if there is no room. */
	if (errno == EAGAIN)
		return 0;
	return errno == EINTR ? -EDEADLK : -errno;
}
