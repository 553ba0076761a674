/* SPDX-License-Identifier: MIT */
/*
 * Runs QEMU's helper as `qemu-bridge-helper --use-vnet --br=NAME --fd=3`, with one end
 * of a unix socket as descriptor 3. When it has made the tap it sends one byte with
 * the tap's descriptor as SCM_RIGHTS (QEMU's qemu-bridge-helper.c: send_fd()), and
 * ends. If it fails it writes the reason to stderr and ends.
 *
 * The socket and stderr are read until the descriptor arrives, or both are closed, or
 * the time is up. So a helper that writes much, or nothing, or never ends, takes ten
 * seconds at most.
 *
 * #syscalls: access close dup2 execve exit_group fcntl fork gettid kill open pipe2 poll
 * #syscalls: prctl read rt_sigaction rt_sigprocmask socketpair wait4
 */
#include "helper/qemu-bridge-helper.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/loop.h"
#include "base/pass-fd.h"
#include "base/util.h"

#define TIME_LIMIT_MS 10000
#define HELPER_FD 3
#define OUT_OF_THE_WAY 10 /* greater than every descriptor that the helper gets */

/* Where it is installed: on Debian, Ubuntu and Arch; on Fedora and Alpine */
static const char *const paths[] = {
	"/usr/lib/qemu/qemu-bridge-helper",
	"/usr/libexec/qemu-bridge-helper",
};

/*
 * A running helper.
 * @sock: our end of the socket; -1 once it is closed
 * @err:  the pipe from its stderr; -1 once it is closed
 * @fd:   the descriptor that it sent; -1 before
 * @said: the first line of its stderr, @len bytes so far, room for @size
 * @said_all: the first line is complete
 */
struct qemu_helper {
	pid_t pid;
	int sock;
	int err;
	int fd;
	char *said;
	size_t size;
	size_t len;
	bool said_all;
};

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

const char *bridge_helper_path(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(paths); i++)
		if (!access(paths[i], X_OK))
			return paths[i];
	return NULL;
}

/* Make @from the descriptor @to of the program that is about to run. */
static void hand_down(int from, int to)
{
	if (from < 0 || dup2(from, to) < 0)
		_exit(127);
}

/*
 * The child: become QEMU's helper. Its stdout must not be ours, which may carry
 * frames, and it must not inherit the signals that we block or ignore.
 */
static void run_helper(const char *path, const char *bridge, int null, int err, int sock)
{
	char name_arg[sizeof("--br=") + IFNAMSIZ];
	char fd_arg[32], text[256];
	char vnet_arg[] = "--use-vnet";
	char *argv[] = { (char *)(uintptr_t)path, vnet_arg, name_arg, fd_arg, NULL };
	char *envp[] = { (char[]){ "PATH=/usr/sbin:/usr/bin:/sbin:/bin" }, NULL };
	sigset_t none;

	snprintf(name_arg, sizeof(name_arg), "--br=%s", bridge);
	snprintf(fd_arg, sizeof(fd_arg), "--fd=%d", HELPER_FD);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);

	null = fcntl(null, F_DUPFD_CLOEXEC, OUT_OF_THE_WAY);
	err = fcntl(err, F_DUPFD_CLOEXEC, OUT_OF_THE_WAY);
	sock = fcntl(sock, F_DUPFD_CLOEXEC, OUT_OF_THE_WAY);
	hand_down(null, STDIN_FILENO);
	hand_down(err, STDOUT_FILENO);
	hand_down(err, STDERR_FILENO);
	hand_down(sock, HELPER_FD);
	execve(path, argv, envp);
	snprintf(text, sizeof(text), "%.128s: %s\n", path, strerror(errno));
	write_all(STDERR_FILENO, text, strlen(text));
	_exit(127);
}

static int start(struct qemu_helper *helper, const char *path, const char *bridge)
{
	int socks[2] = { -1, -1 }, pipes[2] = { -1, -1 };
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	int rc = 0;

	if (null < 0 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, socks) < 0 ||
	    pipe2(pipes, O_CLOEXEC) < 0)
		rc = -errno;
	if (!rc) {
		helper->pid = fork();
		if (!helper->pid)
			run_helper(path, bridge, null, pipes[1], socks[1]);
		if (helper->pid < 0)
			rc = -errno;
	}
	close_fd(&null);
	close_fd(&socks[1]);
	close_fd(&pipes[1]);
	if (rc) {
		close_fd(&socks[0]);
		close_fd(&pipes[0]);
	}
	helper->sock = socks[0];
	helper->err = pipes[0];
	return rc;
}

/* It is a tap only if it comes alone. */
static void read_sock(struct qemu_helper *helper)
{
	char byte;
	int fds[PASS_FDS_MAX];
	bool left_out;
	ssize_t n = pass_receive(helper->sock, &byte, sizeof(byte), fds, &left_out);

	if (n == -EINTR || n == -EAGAIN)
		return;
	if (fds[1] >= 0) {
		close_fd(&fds[0]);
		close_fd(&fds[1]);
	}
	helper->fd = fds[0];
	close_fd(&helper->sock);
}

static void read_err(struct qemu_helper *helper)
{
	char buf[512];
	ssize_t n = read(helper->err, buf, sizeof(buf));

	if (n < 0 && errno == EINTR)
		return;
	if (n <= 0)
		close_fd(&helper->err);
	for (ssize_t i = 0; i < n && !helper->said_all; i++) {
		helper->said_all = buf[i] == '\n' || helper->len + 1 >= helper->size;
		if (!helper->said_all)
			helper->said[helper->len++] =
				buf[i] >= ' ' && buf[i] <= '~' ? buf[i] : '?';
	}
	helper->said[helper->len] = '\0';
}

/* Read socket and stderr until the helper has sent a descriptor or ended. */
static int listen_to(struct qemu_helper *helper)
{
	uint64_t end = loop_now() + TIME_LIMIT_MS, now;

	while (helper->fd < 0 && (helper->sock >= 0 || helper->err >= 0)) {
		struct pollfd fds[] = {
			{ .fd = helper->sock, .events = POLLIN },
			{ .fd = helper->err, .events = POLLIN },
		};

		now = loop_now();
		if (now >= end)
			return -ETIMEDOUT;
		if (poll(fds, ARRAY_SIZE(fds), (int)(end - now)) < 0) {
			if (errno == EINTR)
				continue;
			return -errno;
		}
		if (fds[0].revents)
			read_sock(helper);
		if (fds[1].revents)
			read_err(helper);
	}
	return 0;
}

/*
 * Kill the helper, in case it still runs, and wait for it. If we may not send it a
 * signal, because it is set-uid, we must not wait for it either: it could run on.
 */
static void reap(const struct qemu_helper *helper)
{
	int options = kill(helper->pid, SIGKILL) ? WNOHANG : 0;

	while (waitpid(helper->pid, NULL, options) < 0 && errno == EINTR)
		;
}

int bridge_helper_tap(const char *bridge, char *said, size_t size)
{
	struct qemu_helper helper = { .fd = -1, .said = said, .size = size };
	const char *path = bridge_helper_path();
	int rc;

	said[0] = '\0';
	if (!path || prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1)
		return -ENOENT;
	rc = start(&helper, path, bridge);
	if (rc)
		return rc;
	rc = listen_to(&helper);
	close_fd(&helper.sock);
	close_fd(&helper.err);
	reap(&helper);
	if (helper.fd >= 0)
		return helper.fd;
	return rc ? rc : -EPERM;
}
