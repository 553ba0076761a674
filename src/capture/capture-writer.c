/* SPDX-License-Identifier: MIT */
/*
 * The process that writes the file of --capture. Before the capture begins it sends
 * one answer to the relay: whether it could open the file. It ends when the relay
 * closes the socket. Signals do not end it, since the relay decides, except while it
 * waits for a FIFO's reader.
 *
 * #syscalls: close exit_group fork getpid getppid gettid kill prctl recvfrom
 * #syscalls: rt_sigaction rt_sigprocmask sendto socketpair wait4
 */
#include "capture/capture-writer.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/child.h"
#include "base/log.h"
#include "base/util.h"
#include "capture/capture-file.h"
#include "helper/file-cap.h"
#include "sandbox/sandbox.h"

#define WHY_MAX 400

/* Whether the file could be opened. @err: 0 or -errno, with @why */
struct answer {
	int err;
	char why[WHY_MAX];
};

static void leave_signals(void)
{
	static const int signals[] = { SIGINT, SIGTERM, SIGHUP };

	for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
		signal(signals[i], SIG_IGN);
}

/* Open the file, and answer. Return: the descriptor. On an error the process ends. */
static int open_file(int fd, const char *path, pid_t relay)
{
	struct answer answer = { 0 };
	int to = capture_file_try(path, answer.why, sizeof(answer.why));

	if (to != -EAGAIN) {
		leave_signals();
		answer.err = to < 0 ? to : 0;
	}
	/* If the relay ended before the prctl(), no SIGTERM comes. */
	if (send(fd, &answer, sizeof(answer), MSG_NOSIGNAL) < 0 || answer.err ||
	    getppid() != relay)
		_exit(1);
	if (to == -EAGAIN) {
		to = capture_file_open(path, answer.why, sizeof(answer.why));
		leave_signals();
	}
	if (to < 0) {
		log_warn("%s", answer.why);
		_exit(1);
	}
	return to;
}

/* Wait for the capture to begin. Return: false if the relay has failed before that. */
static bool await_capture(int fd)
{
	uint8_t byte;
	ssize_t n;

	do
		n = recv(fd, &byte, sizeof(byte), MSG_PEEK);
	while (n < 0 && errno == EINTR);
	return n > 0;
}

/* All that it needs is open. */
static void confine(void)
{
	const struct sandbox s = { .role = SANDBOX_WRITER };
	struct sandbox_has has;
	int ret;

	log_open();
	ret = sandbox_enter(&s, &has);
	if (ret == 0)
		return;
	log_warn("the process that writes the capture can't give up rights: %s",
		 strerror(-ret));
	_exit(1);
}

static void serve(int fd, const char *path, bool is_confined, pid_t relay)
	__attribute__((noreturn));

static void serve(int fd, const char *path, bool is_confined, pid_t relay)
{
	char why[WHY_MAX];
	int to;

	prctl(PR_SET_NAME, "netrelay-writer");
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	signal(SIGUSR1, SIG_IGN);
	file_cap_set(FILE_CAP_GONE);
	fd = child_close_fds(fd, !strcmp(path, "-"));
	if (fd < 0)
		_exit(1);
	to = open_file(fd, path, relay);
	if (is_confined)
		confine();
	if (!await_capture(fd))
		_exit(0);
	if (capture_file_begin(to, path, why, sizeof(why)) < 0 ||
	    capture_file_copy(fd, to, path, why, sizeof(why)) < 0) {
		log_warn("%s", why);
		_exit(1);
	}
	_exit(0);
}

static int await(int fd, const char *path, char *why, size_t size)
{
	struct answer answer;

	if (recv(fd, &answer, sizeof(answer), MSG_WAITALL) != (ssize_t)sizeof(answer)) {
		snprintf(why, size, "capture %s: the process that writes it has ended",
			 path);
		return -EPIPE;
	}
	answer.why[sizeof(answer.why) - 1] = '\0';
	snprintf(why, size, "%s", answer.why);
	return answer.err;
}

int capture_writer_start(struct capture_writer *w, const char *path, bool is_confined,
			 char *why, size_t size)
{
	pid_t relay = getpid();
	int sv[2], ret;

	snprintf(why, size, "capture %s: not enough memory or descriptors to start",
		 path);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv) < 0)
		return -errno;
	w->pid = fork();
	ret = -errno;
	if (w->pid == 0)
		serve(sv[1], path, is_confined, relay);
	close(sv[1]);
	if (w->pid > 0)
		ret = await(sv[0], path, why, size);
	else
		w->pid = 0;
	if (ret < 0) {
		close(sv[0]);
		capture_writer_stop(w);
		return ret;
	}
	return sv[0];
}

void capture_writer_stop(struct capture_writer *w)
{
	if (w->pid <= 0)
		return;
	kill(w->pid, SIGTERM);
	while (waitpid(w->pid, NULL, 0) < 0 && errno == EINTR)
		;
	w->pid = 0;
}
