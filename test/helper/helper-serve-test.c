/* SPDX-License-Identifier: MIT */
/*
 * The processes behind the helper's socket: helper-serve.c, and keep.c by itself, with
 * system calls that fail, workers that are killed or never end, and commands that do not
 * want to. In these processes time passes fast.
 */
#include "helper/keep.h"

#include <errno.h>
#include <netdb.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/util.h"
#include "helper/helper-serve.h"
#include "lib/fast.h"
#include "lib/fault.h"
#include "lib/quiet.h"
#include "lib/sockets.h"
#include "lib/tap.h"

#define ALARM_S 300
#define WAIT_MS 20000
#define ID 7

/* Of one process and those that it forks. */
static struct {
	bool has_no_shell, has_no_proc, kills_nobody, kills_slowly;
} world;

static int fd = -1; /* our end */
static struct helper_answer answer;
static int fds[2];

/* Where lines are counted, execl() becomes this one. */
int execv(const char *path, char *const argv[])
{
	errno = ENOENT;
	return world.has_no_shell ? -1 : (int)syscall(SYS_execve, path, argv, environ);
}

int execl(const char *path, const char *arg, ...)
{
	char *words[4] = { (char *)(uintptr_t)arg };
	va_list ap;

	va_start(ap, arg);
	for (unsigned i = 1; i < 4; i++)
		words[i] = va_arg(ap, char *);
	va_end(ap);
	return execv(path, words);
}

ssize_t readlink(const char *path, char *buf, size_t size)
{
	if (world.has_no_proc) {
		errno = ENOENT;
		return -1;
	}
	return syscall(SYS_readlinkat, AT_FDCWD, path, buf, size);
}

int kill(pid_t pid, int sig)
{
	int ret = world.kills_nobody ? 0 : (int)syscall(SYS_kill, pid, sig);

	if (world.kills_slowly)
		poll(NULL, 0, 20);
	return ret;
}

int getaddrinfo(const char *host, const char *port, const struct addrinfo *hints,
		struct addrinfo **list)
{
	(void)host;
	(void)port;
	(void)hints;
	(void)list;
	for (;;)
		pause();
}

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* ---- a process, and what it answers ---- */

enum which { NAMES = HELPER_RESOLVE, TAPS, COMMANDS, KEEPER };

/* Fork one; @call, with @err, is to fail there at its call number @at. */
static pid_t begin(enum which which, const char *command, enum fault_call call,
		   unsigned at)
{
	pid_t parent = getpid(), pid;
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		abort();
	fd = pair[0];
	pid = fork();
	if (pid > 0) {
		close(pair[1]);
		return pid;
	}
	fast_begin();
	close(fd);
	fault_arm(call, at, ENOMEM);
	if (which == KEEPER)
		keep_command(pair[1], ID, command, parent);
	helper_serve(pair[1], (enum helper_op)which, NULL);
}

static bool is_ready(int which, short events)
{
	struct pollfd pfd = { .fd = which, .events = events };

	return poll(&pfd, 1, WAIT_MS) == 1;
}

/* The next answer, at @answer and @fds. Return: whether there is one. */
static bool await_answer(void)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(fds))];
	} control;
	struct iovec iov = { .iov_base = &answer, .iov_len = sizeof(answer) };
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = &control,
			      .msg_controllen = sizeof(control) };
	const struct cmsghdr *c;

	memset(&answer, 0, sizeof(answer));
	fds[0] = fds[1] = -1;
	if (!is_ready(fd, POLLIN) || recvmsg(fd, &msg, 0) != (ssize_t)sizeof(answer))
		return false;
	c = CMSG_FIRSTHDR(&msg);
	if (c)
		memcpy(fds, CMSG_DATA(c), c->cmsg_len - CMSG_LEN(0));
	return answer.id == ID;
}

/* Return: the exit status; 128 and the signal; -1 if it does not end. */
static int end_of(pid_t pid)
{
	int64_t limit = now_ms() + WAIT_MS;
	int status;

	while (waitpid(pid, &status, WNOHANG) == 0) {
		if (now_ms() > limit)
			return -1;
		poll(NULL, 0, 5);
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void close_all(void)
{
	close(fds[0]);
	close(fds[1]);
	close(fd);
}

/* Whether nobody is left who was started: they would have become ours. */
static bool is_alone(void)
{
	int64_t limit = now_ms() + WAIT_MS;
	pid_t pid;

	while ((pid = waitpid(-1, NULL, WNOHANG)) >= 0)
		if (pid == 0 && (now_ms() > limit || poll(NULL, 0, 5) < 0))
			return false;
	return true;
}

/* ---- the keeper ---- */

static void test_keeper_faults(void)
{
	static const struct {
		enum fault_call call;
		unsigned at;
		const char *why;
	} cases[] = {
		{ FAULT_signalfd, 1, "signalfd: Cannot allocate memory" },
		{ FAULT_socketpair, 1, "socketpair: Cannot allocate memory" },
		{ FAULT_socketpair, 2, "socketpair: Cannot allocate memory" },
		{ FAULT_pipe2, 1, "pipe: Cannot allocate memory" },
		{ FAULT_fork, 1, "fork: Cannot allocate memory" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		pid_t pid = begin(KEEPER, "exit 0", cases[i].call, cases[i].at);

		ok(await_answer() && answer.err == -ENOMEM, "%s() fails: it is said",
		   fault_name(cases[i].call));
		ok_eq_str(answer.why, cases[i].why, "in words");
		ok_eq_int(end_of(pid), 0, "and the keeper ends");
		close(fd);
	}
	world.has_no_shell = true;
	end_of(begin(KEEPER, "exit 0", FAULT_NONE, 0));
	world.has_no_shell = false;
	ok(await_answer() && answer.err == -ENOENT, "without a shell");
	ok_eq_str(answer.why, "exec: needs a shell: /bin/sh: No such file or directory",
		  "it is said");
	close(fd);
}

/* Its helper has ended before. */
static void test_orphan(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		fd = open("/dev/null", O_WRONLY);
		keep_command(fd, ID, "exit 0", 1);
	}
	ok_eq_int(end_of(pid), 1, "a keeper without a helper ends");
}

#define SLEEPS "echo; exec sleep 1000"
#define STAYS "trap : TERM; echo; while :; do sleep 1000; done"

static void test_end(const char *what, const char *command, int status)
{
	pid_t pid = begin(KEEPER, command, FAULT_NONE, 0);
	char byte;

	ok(await_answer() && !answer.err, "%s: starts", what);
	/* Once it has said so, it does with signals as it is to. */
	ok(is_ready(fds[0], POLLIN) && recv(fds[0], &byte, 1, 0) == 1, "%s: runs", what);
	close_all();
	ok_eq_int(end_of(pid), status, "%s: its keeper ends", what);
	ok(is_alone(), "%s: so does it", what);
}

static void test_ends(void)
{
	test_end("one that ends", SLEEPS, 0);
	test_end("one that does not want to", STAYS, 0);
	world.has_no_proc = true;
	test_end("without /proc", SLEEPS, 0);
	world.has_no_proc = false;
	/* It ends by itself when its keeper has. */
	world.kills_nobody = true;
	test_end("one that can't be ended", SLEEPS, 1);
	world.kills_nobody = false;
}

/* A shell that goes on after its child has ended by a signal says so. */
static void test_silence(void)
{
	int err = dup(STDERR_FILENO), said[2];
	char byte;

	if (err < 0 || pipe2(said, O_CLOEXEC) < 0)
		abort();
	dup2(said[1], STDERR_FILENO);
	world.kills_slowly = true;
	test_end("a shell and its child", "sh -c '" SLEEPS "'; exit 0", 0);
	world.kills_slowly = false;
	dup2(err, STDERR_FILENO);
	close(err);
	close(said[1]);
	ok_eq_int(read(said[0], &byte, 1), 0, "neither says a word");
	close(said[0]);
}

/* ---- the helper ---- */

static void request(enum helper_op op, const char *command)
{
	struct helper_request req = { .id = ID, .op = op };

	if (op == HELPER_SPAWN)
		snprintf(req.command, sizeof(req.command), "%s", command);
	else
		snprintf(req.resolve.addr.host, sizeof(req.resolve.addr.host), "a.b");
	if (send(fd, &req, sizeof(req), 0) < 0)
		abort();
}

/* The first child of @pid; 0: it has none within a while. */
static pid_t child_of(pid_t pid)
{
	char path[64], text[32] = "";
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)pid, (int)pid);
	for (int i = 0; i < WAIT_MS / 5 && !text[0]; i++) {
		f = fopen(path, "re");
		if (f && !fgets(text, sizeof(text), f))
			poll(NULL, 0, 5);
		fclose(f);
	}
	return (pid_t)strtol(text, NULL, 10);
}

static void test_refused(void)
{
	pid_t pid = begin(COMMANDS, NULL, FAULT_fork, 1);

	request(HELPER_SPAWN, "exit 0");
	ok(await_answer() && answer.err == -ENOMEM, "a helper that can't fork");
	ok_eq_str(answer.why, "fork: Cannot allocate memory", "says so");
	request((enum helper_op)99, "");
	ok(await_answer() && answer.err == -EPERM, "an unknown request is refused");
	if (send(fd, "x", 1, 0) != 1)
		abort();
	request(HELPER_SPAWN, "exit 0");
	ok(await_answer() && !answer.err, "half of one is left alone");
	close_all();
	ok_eq_int(end_of(pid), 0, "it ends with the relay");
}

/* Each kind answers its own requests only, whoever asks, and goes on. */
static void test_others_requests(void)
{
	static const char *const names[] = { "names", "taps", "commands" };

	for (unsigned kind = 0; kind < HELPER_OPS; kind++) {
		pid_t pid = begin((enum which)kind, NULL, FAULT_NONE, 0);

		for (unsigned op = 0; op <= HELPER_OPS; op++) {
			if (op == kind)
				continue;
			request((enum helper_op)op, "exit 0");
			ok(await_answer() && answer.err == -EPERM && fds[0] < 0,
			   "%s: request %u is refused", names[kind], op);
			ok_eq_str(answer.why, "helper: it does not answer such requests",
				  "%s: and why", names[kind]);
		}
		close_all();
		ok_eq_int(end_of(pid), 0, "%s: it ends with the relay", names[kind]);
	}
}

static void test_killed_worker(void)
{
	pid_t pid = begin(NAMES, NULL, FAULT_NONE, 0);

	request(HELPER_RESOLVE, "");
	kill(child_of(pid), SIGKILL);
	ok(await_answer() && answer.err == -EAGAIN, "a worker that is killed");
	ok_eq_str(answer.why, "resolve a.b: the process that worked on it was killed",
		  "is told of");
	close_all();
	ok_eq_int(end_of(pid), 0, "the helper ends");
	ok(is_alone(), "and all that it had started");
}

static void test_late_worker(void)
{
	pid_t pid;

	fast_times = 20; /* for half a minute */
	pid = begin(NAMES, NULL, FAULT_NONE, 0);
	fast_times = 4;
	request(HELPER_RESOLVE, "");
	ok(await_answer() && answer.err == -ETIMEDOUT, "a worker that takes too long");
	ok_eq_str(answer.why, "resolve a.b: no answer for 30 s", "is told of");
	close_all();
	ok_eq_int(end_of(pid), 0, "the helper ends");
	ok(is_alone(), "and all that it had started");
}

/* The command becomes the helper's. */
static void test_killed_keeper(void)
{
	pid_t pid = begin(COMMANDS, NULL, FAULT_NONE, 0), keeper;
	char byte;

	request(HELPER_SPAWN, STAYS);
	ok(await_answer() && !answer.err, "a command");
	is_ready(fds[0], POLLIN);
	keeper = child_of(pid);
	ok(recv(fds[0], &byte, 1, 0) == 1 && keeper, "that runs");
	kill(keeper, SIGKILL);
	ok(is_ready(fds[0], POLLIN) && recv(fds[0], &byte, 1, 0) == 0,
	   "whose keeper is killed, is ended by the helper");
	close_all();
	ok_eq_int(end_of(pid), 0, "which ends, too");
	ok(is_alone(), "and all that it had started");
}

int main(void)
{
	alarm(ALARM_S);
	quiet();
	/* At a higher pace, a second that a process gets to end is too short at times. */
	fast_times = 4;
	signal(SIGPIPE, SIG_IGN);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	test_keeper_faults();
	test_orphan();
	test_ends();
	test_silence();
	test_refused();
	test_others_requests();
	test_killed_worker();
	test_late_worker();
	test_killed_keeper();
	return done();
}
