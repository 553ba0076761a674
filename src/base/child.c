/* SPDX-License-Identifier: MIT */
/*
 * The first steps of a forked process. Descriptor 3 is the one that it keeps; all
 * above 3 are closed, by close_range() where the kernel has it (Linux 5.9), and
 * otherwise one by one.
 *
 * #syscalls: close close_range dup2 dup3 kill open poll prlimit64 rt_sigaction
 * #syscalls: rt_sigprocmask wait4
 */
#include "base/child.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "base/loop.h"

#define LOOK_MS 5 /* between two looks whether a child has ended */

void child_close_range(int from, int to)
{
	int top = getdtablesize() - 1;

	if (from > to || syscall(SYS_close_range, (unsigned)from, (unsigned)to, 0U) == 0)
		return;
	for (int fd = from; fd <= to && fd <= top; fd++)
		close(fd);
}

int child_close_fds(int fd, bool keeps_stdout)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null < 0 || dup2(null, STDIN_FILENO) < 0)
		return -errno;
	if (!keeps_stdout && dup2(null, STDOUT_FILENO) < 0)
		return -errno;
	if (fd != 3 && dup3(fd, 3, O_CLOEXEC) < 0)
		return -errno;
	log_reset();
	child_close_range(4, INT_MAX);
	return 3;
}

void child_wait(pid_t pid, unsigned ms)
{
	uint64_t limit = loop_now() + ms;

	while (pid > 0 && waitpid(pid, NULL, WNOHANG) == 0) {
		if (loop_now() >= limit)
			kill(pid, SIGKILL);
		poll(NULL, 0, LOOK_MS);
	}
}

void child_default_signals(void)
{
	sigset_t none;

	sigemptyset(&none);
	signal(SIGPIPE, SIG_DFL);
	signal(SIGINT, SIG_DFL);
	signal(SIGQUIT, SIG_DFL);
	sigprocmask(SIG_SETMASK, &none, NULL);
}
