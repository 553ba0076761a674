/* SPDX-License-Identifier: MIT */
/*
 * Descriptor 2 is a datagram socket that is joined to /dev/log (syslog(3)), so that all
 * processes of the daemon have it, and so do commands, whose messages go to the system log
 * as they are. All of them share the socket: when the system log was started anew, the relay
 * joins it again for all. That needs no right but to write to /dev/log.
 *
 * The working directory stays: paths on the command line may be relative to it.
 *
 * #syscalls: close connect dup2 fcntl fork gettid open pipe2 read rt_sigaction
 * #syscalls: rt_sigprocmask setsid socket wait4 write
 */
#include "daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"

#define PATH "/dev/log"

static int join_log(int fd)
{
	const struct sockaddr_un to = { .sun_family = AF_UNIX, .sun_path = PATH };

	return connect(fd, (const struct sockaddr *)&to, sizeof(to)) < 0 ? -errno : 0;
}

static bool join_again(int fd)
{
	return join_log(fd) == 0;
}

/* Leave the terminal, and whoever waits for the end of what was written to it. */
static int detach(const struct conf *conf)
{
	int err = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	int log = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (err < 0 || null < 0 || log < 0)
		return -errno;
	for (int fd = STDIN_FILENO; fd <= STDOUT_FILENO; fd++)
		if (!conf_has_fd(conf, fd))
			dup2(null, fd);
	join_log(log);
	dup2(log, STDERR_FILENO);
	close(log);
	close(null);
	setsid();
	log_begin_daemon(err);
	return 0;
}

/* Wait for a byte, or the end. */
static int await(int fd, pid_t pid)
{
	int status = 0;
	char byte;
	ssize_t n;

	do
		n = read(fd, &byte, 1);
	while (n < 0 && errno == EINTR);
	close(fd);
	if (n == 1)
		return 1;
	waitpid(pid, &status, 0);
	if (WIFSIGNALED(status))
		log_warn("--daemon: the process in the background was ended by signal %d",
			 WTERMSIG(status));
	return -ECHILD;
}

int daemon_start(struct daemon *d, const struct conf *conf, char *why, size_t size)
{
	int fds[2], ret = 0;
	pid_t pid;

	d->ready = -1;
	if (!conf->daemon)
		return 0;
	/* Else the status of the other process would be lost. */
	signal(SIGCHLD, SIG_DFL);
	if (pipe2(fds, O_CLOEXEC) < 0 || (pid = fork()) < 0) {
		snprintf(why, size, "--daemon: %s", strerror(errno));
		return -errno;
	}
	if (pid > 0) {
		close(fds[1]);
		return await(fds[0], pid);
	}
	close(fds[0]);
	d->ready = fds[1];
	ret = detach(conf);
	if (ret < 0)
		snprintf(why, size, "--daemon: %s", strerror(-ret));
	return ret;
}

int daemon_ready(struct daemon *d)
{
	int ret;

	if (d->ready < 0)
		return 0;
	ret = join_log(STDERR_FILENO);
	if (ret < 0)
		log_warn(PATH ": %s; messages are lost from now on until there is a "
			      "system log",
			 strerror(-ret));
	log_use_syslog(join_again);
	ret = write(d->ready, "", 1) == 1 ? 0 : -EPIPE;
	close(d->ready);
	d->ready = -1;
	return ret;
}
