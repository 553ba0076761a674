/* SPDX-License-Identifier: MIT */
/*
 * The helper is run as `qemu-bridge-helper --use-vnet --br=NAME --fd=3`, with one end of a
 * unix socket as descriptor 3. When it has made the tap it sends one byte with
 * the tap's descriptor as SCM_RIGHTS (qemu-bridge-helper.c: send_fd()), and
 * ends. When it has not, it says why on stderr and ends.
 *
 * Both are read until the descriptor is there, both are closed, or time is up: a
 * helper that writes much, or nothing, or never ends, costs ten seconds at most.
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
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/loop.h"
#include "base/util.h"

#define TIME_LIMIT_MS 10000
#define HELPER_FD 3
#define OUT_OF_THE_WAY 10 /* above every descriptor that the helper is to have */

/* Debian, Ubuntu, Arch; Fedora, Alpine */
static const char *const paths[] = {
	"/usr/lib/qemu/qemu-bridge-helper",
	"/usr/libexec/qemu-bridge-helper",
};

/*
 * A running helper.
 * @sock: our end of the socket; -1 once it is closed
 * @err:  the end of its stderr that we read; -1 once it is closed
 * @fd:   what it sent; -1 before
 * @len:  bytes of its first line in @said so far
 * @said_all: the first line is complete
 */
struct helper {
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

static const char *find_helper(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(paths); i++)
		if (!access(paths[i], X_OK))
			return paths[i];
	return NULL;
}

/* Put @from at descriptor @to, which the program to be run inherits. */
static void hand_down(int from, int to)
{
	if (from < 0 || dup2(from, to) < 0)
		_exit(127);
}

/*
 * The child. Its stdout is not ours, where frames may be going, and no signal
 * is blocked or ignored because we happen to do so.
 */
static void run_helper(const char *path, const char *bridge, int null, int err, int sock)
{
	char name_arg[sizeof("--br=") + IFNAMSIZ];
	char fd_arg[32];
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
	dprintf(STDERR_FILENO, "%s: %s\n", path, strerror(errno));
	_exit(127);
}

static int start(struct helper *helper, const char *path, const char *bridge)
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

/* The one descriptor in @msg; -1 when there is none, or there were more, which are closed. */
static int sent_fd(struct msghdr *msg)
{
	const struct cmsghdr *cmsg = CMSG_FIRSTHDR(msg);
	size_t n = 0;
	int fd = -1;

	if (cmsg && cmsg->cmsg_level == SOL_SOCKET && cmsg->cmsg_type == SCM_RIGHTS)
		n = (cmsg->cmsg_len - CMSG_LEN(0)) / sizeof(fd);
	for (size_t i = 0; i < n; i++) {
		memcpy(&fd, CMSG_DATA(cmsg) + i * sizeof(fd), sizeof(fd));
		if (n == 1 && !(msg->msg_flags & MSG_CTRUNC))
			return fd;
		close(fd);
	}
	return -1;
}

static void read_sock(struct helper *helper)
{
	union {
		struct cmsghdr align;
		char buf[CMSG_SPACE(sizeof(int))];
	} control;
	char byte;
	struct iovec iov = { .iov_base = &byte, .iov_len = sizeof(byte) };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	ssize_t n = recvmsg(helper->sock, &msg, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (n > 0)
		helper->fd = sent_fd(&msg);
	close_fd(&helper->sock);
}

static void read_err(struct helper *helper)
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

/* Read what the helper sends and says, until it has sent a descriptor or ended. */
static int listen_to(struct helper *helper)
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
 * A helper that has ended does not notice the signal, and one that goes on has
 * no business any more. If the signal is not for us to send, then the helper is
 * not for us to wait for.
 */
static void reap(const struct helper *helper)
{
	int options = kill(helper->pid, SIGKILL) ? WNOHANG : 0;

	while (waitpid(helper->pid, NULL, options) < 0 && errno == EINTR)
		;
}

int bridge_helper_tap(const char *bridge, char *said, size_t size)
{
	struct helper helper = { .fd = -1, .said = said, .size = size };
	const char *path = find_helper();
	int rc;

	said[0] = '\0';
	if (!path)
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
