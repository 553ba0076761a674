/* SPDX-License-Identifier: MIT */
/*
 * The keeper of a command. It ends as soon as no process is left below it, which it
 * learns from wait(). It reads /proc only to find the processes that it must end.
 *
 * #syscalls: close dup2 execve exit_group fcntl fork getppid gettid kill pipe2 poll
 * #syscalls: prctl read rt_sigprocmask sendto signalfd4 socketpair wait4 write
 */
#include "helper/keep.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/child.h"
#include "base/loop.h"
#include "base/util.h"
#include "helper/helper-serve.h"
#include "helper/helper.h"
#include "helper/tree.h"

#define KILL_AGAIN_MS 100 /* a process may have forked just before it was killed */

/*
 * @command: the command's process; 0 once it has ended
 * @life:    our end of the life line; -1 once the relay has closed its end
 * @sigfd:   a signalfd
 * @ending:  when all processes below were told to end, as loop_now(), ms; 0 before
 */
struct keeper {
	pid_t command;
	int life;
	int sigfd;
	uint64_t ending;
};

/* The child: become the command. An errno goes to @err_fd, which a successful exec closes. */
static void run_command(const char *command, int fd, int err_fd)
{
	int err;

	/* dup2() clears CLOEXEC: these two are the descriptors that the command gets. */
	dup2(fd, STDIN_FILENO);
	dup2(fd, STDOUT_FILENO);
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	child_default_signals();
	execl("/bin/sh", "sh", "-c", command, (char *)NULL);
	err = errno;
	if (write(err_fd, &err, sizeof(err)) < 0)
		_exit(126);
	_exit(127);
}

/* Return: 0 once the shell runs; -errno if it can't, with @what set to the step that failed. */
static int start_command(struct keeper *k, const char *command, int fd, const char **what)
{
	int err = 0, pipes[2];

	*what = "pipe";
	if (pipe2(pipes, O_CLOEXEC) < 0)
		return -errno;
	*what = "fork";
	k->command = fork();
	if (k->command == 0)
		run_command(command, fd, pipes[1]);
	if (k->command < 0)
		err = errno;
	close(pipes[1]);
	if (!err && read(pipes[0], &err, sizeof(err)) == (ssize_t)sizeof(err))
		*what = "exec: needs a shell: /bin/sh";
	close(pipes[0]);
	return -err;
}

static void refuse(int fd, uint32_t id, int err, const char *what)
{
	struct helper_answer answer = { .id = id, .err = err };

	snprintf(answer.why, sizeof(answer.why), "%s: %s", what, strerror(-err));
	helper_answer(fd, &answer, NULL, 0);
	_exit(0);
}

/*
 * Start the command, and send the relay its socket and the life line. Only the relay
 * has their other ends, so they are closed when the relay closes them or ends.
 */
static void start(struct keeper *k, int fd, uint32_t id, const char *command)
{
	struct helper_answer answer = { .id = id };
	int stdio[2], life[2], ret;
	const char *what;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, stdio) < 0 ||
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, life) < 0)
		refuse(fd, id, -errno, "socketpair");
	ret = start_command(k, command, stdio[1], &what);
	if (ret < 0)
		refuse(fd, id, ret, what);
	fcntl(stdio[0], F_SETFL, O_NONBLOCK);
	fcntl(life[0], F_SETFL, O_NONBLOCK);
	helper_answer(fd, &answer, (const int[]){ stdio[0], life[0] }, 2);
	close(stdio[0]);
	close(stdio[1]);
	close(life[0]);
	k->life = life[1];
}

static int watch_children(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* Wait for all children that have ended. Return: whether any process is left below. */
static bool reap(struct keeper *k)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (pid != k->command)
			continue;
		k->command = 0;
		if (!k->ending && k->life >= 0)
			send(k->life, &status, sizeof(status),
			     MSG_NOSIGNAL | MSG_DONTWAIT);
	}
	return pid == 0;
}

static void signal_all(const struct keeper *k, int sig)
{
	/* Without /proc, the command is the only process that we know of. */
	if (tree_signal(sig, NULL, NULL) < 0 && k->command)
		kill(k->command, sig);
}

static void begin_end(struct keeper *k)
{
	k->ending = loop_now();
	signal_all(k, SIGTERM);
}

/* Wait for up to @ms for a signal or the life line. Return: whether the keeper must end. */
static bool await(struct keeper *k, int ms)
{
	struct pollfd pfd[] = {
		{ .fd = k->sigfd, .events = POLLIN },
		{ .fd = k->life, .events = 0 },
	};
	struct signalfd_siginfo info;
	bool is_over = false;

	if (poll(pfd, ARRAY_SIZE(pfd), ms) < 0)
		return false;
	while (read(k->sigfd, &info, sizeof(info)) == (ssize_t)sizeof(info))
		is_over |= info.ssi_signo == SIGTERM;
	if (pfd[1].revents) {
		close(k->life);
		k->life = -1;
		is_over = true;
	}
	return is_over;
}

/* Do the next step. Return: false once the time to end all processes is over. */
static bool step(struct keeper *k)
{
	uint64_t passed = k->ending ? loop_now() - k->ending : 0;

	if (passed >= KEEP_LIMIT_MS)
		return false;
	if (passed >= KEEP_GRACE_MS) {
		signal_all(k, SIGKILL);
		await(k, KILL_AGAIN_MS);
	} else if (k->ending) {
		await(k, (int)(KEEP_GRACE_MS - passed));
	} else if (!k->command || await(k, -1)) {
		/* If the command has just ended by itself, reap() still sends its status. */
		if (reap(k))
			begin_end(k);
	}
	return true;
}

void keep_command(int fd, uint32_t id, const char *command, pid_t parent)
{
	struct keeper k = { .life = -1 };

	prctl(PR_SET_NAME, "netrelay-exec");
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	k.sigfd = watch_children();
	if (k.sigfd < 0)
		refuse(fd, id, -errno, "signalfd");
	/* If the helper has ended before the prctl(), no signal tells. */
	if (getppid() != parent)
		_exit(1);
	start(&k, fd, id, command);
	close(fd);
	while (reap(&k))
		if (!step(&k))
			_exit(1);
	_exit(0);
}
