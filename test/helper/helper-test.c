/* SPDX-License-Identifier: MIT */
/*
 * helper.c with the real helper behind it, and commands that it starts: what
 * becomes of calls, descriptors and commands when one side or the other fails.
 */
#include "helper/helper.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/util.h"
#include "lib/fault.h"
#include "lib/tap.h"
#include "lib/turn.h"

#define PATIENCE_MS 20000

static char dir[] = "/tmp/helper-test.XXXXXX";
static struct loop loop;
static struct helper helpers[HELPER_OPS];
static struct helper *const helper = &helpers[HELPER_SPAWN];

/* A call, and what came of it. */
static struct {
	struct helper_call call;
	struct helper_answer answer;
	unsigned times;
	int fd;
} got;

static void on_done(struct helper_call *call, const struct helper_answer *answer, int fd)
{
	(void)call;
	got.answer = *answer;
	got.fd = fd;
	got.times++;
	loop_stop(&loop);
}

static int ask(const char *command)
{
	struct helper_request req = { .op = HELPER_SPAWN };

	memset(&got, 0, sizeof(got));
	got.fd = -1;
	snprintf(req.command, sizeof(req.command), "%s", command);
	return helper_ask(helpers, &got.call, &req, on_done);
}

static bool spawn(const char *command)
{
	if (ask(command) < 0)
		return false;
	turn_for(&loop, PATIENCE_MS);
	return got.times == 1 && got.answer.err == 0;
}

static bool waits(int fd, short events)
{
	struct pollfd pfd = { .fd = fd, .events = events };

	return poll(&pfd, 1, PATIENCE_MS) == 1;
}

static bool has_ended(int fd)
{
	char byte;

	return waits(fd, POLLIN) && recv(fd, &byte, 1, 0) == 0;
}

static void close_both(void)
{
	close(got.fd);
	close(got.answer.life);
}

static void begin(void)
{
	ok_eq_int(loop_init(&loop), 0, "a loop");
	helper_init(helpers, &loop, NULL);
	ok(spawn("true"), "a helper");
	close_both();
}

static void end(void)
{
	helper_stop(helpers);
	loop_free(&loop);
}

/* What "$$ >dir/pid" wrote; there is one file for each command. */
static pid_t pid_in(const char *name)
{
	char path[64], text[16] = "";
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	for (int i = 0; i < PATIENCE_MS / 10 && !strchr(text, '\n'); i++) {
		f = fopen(path, "r");
		if (f) {
			text[fread(text, 1, sizeof(text) - 1, f)] = '\0';
			fclose(f);
		}
		usleep(10000);
	}
	unlink(path);
	return (pid_t)strtol(text, NULL, 10);
}

static bool goes_away(pid_t pid)
{
	for (int i = 0; i < PATIENCE_MS / 10; i++) {
		if (kill(pid, 0) < 0 && errno == ESRCH)
			return true;
		waitpid(pid, NULL, WNOHANG);
		usleep(10000);
	}
	return false;
}

/* ---- commands ---- */

static void test_command(void)
{
	char back[4] = "";

	begin();
	ok(spawn("cat"), "a command starts");
	ok(fcntl(got.fd, F_GETFL) & O_NONBLOCK, "its socket does not block");
	ok_eq_int(write(got.fd, "abc", 3), 3, "it is written to");
	ok(waits(got.fd, POLLIN) && read(got.fd, back, 3) == 3, "it answers");
	ok_eq_str(back, "abc", "with what it got");
	close(got.answer.life);
	ok(has_ended(got.fd), "closing the life line ends it");
	close(got.fd);
	end();
}

static void test_status(const char *command, int want)
{
	int status = -1;

	begin();
	ok(spawn(command), "%s: starts", command);
	ok(waits(got.answer.life, POLLIN), "%s: how it ended is told", command);
	recv(got.answer.life, &status, sizeof(status), MSG_DONTWAIT);
	ok_eq_int(status, want, "%s: as it was", command);
	ok(has_ended(got.answer.life), "%s: and nothing more", command);
	close_both();
	end();
}

static void test_many(void)
{
	int fds[100][2];
	unsigned n = 0;

	begin();
	for (; n < ARRAY_SIZE(fds) && spawn("exec cat"); n++) {
		fds[n][0] = got.fd;
		fds[n][1] = got.answer.life;
	}
	ok_eq_int(n, ARRAY_SIZE(fds), "a hundred commands at once");
	for (unsigned i = 0; i < n; i++) {
		close(fds[i][0]);
		close(fds[i][1]);
	}
	end();
}

/* ---- calls ---- */

static void test_forgotten(void)
{
	unsigned before;
	char command[128];
	pid_t pid;

	begin();
	before = fault_open_fds();
	snprintf(command, sizeof(command), "echo $$ >%s/pid; exec sleep 1000", dir);
	ok_eq_int(ask(command), 0, "a command is asked for");
	helper_forget(&got.call);
	pid = pid_in("pid");
	/* Something that comes after the answer nobody waits for. */
	ok(pid > 0 && spawn("true"), "and forgotten before it has started");
	close_both();
	ok(goes_away(pid), "it ends");
	ok_eq_int(fault_open_fds(), before, "no descriptor of it is left");
	end();
}

/* With room for @spare more descriptors, where two are to come. */
static void test_no_descriptors(unsigned spare)
{
	struct rlimit old, low;
	unsigned before, n = 0;
	int fill[64];

	begin();
	getrlimit(RLIMIT_NOFILE, &old);
	before = fault_open_fds();
	ask("exec cat");
	low = old;
	low.rlim_cur = ARRAY_SIZE(fill);
	setrlimit(RLIMIT_NOFILE, &low);
	while ((fill[n] = dup(STDOUT_FILENO)) >= 0)
		n++;
	for (unsigned i = 0; i < spare; i++)
		close(fill[--n]);
	turn_for(&loop, PATIENCE_MS);
	while (n)
		close(fill[--n]);
	setrlimit(RLIMIT_NOFILE, &old);
	ok_eq_int(got.answer.err, -EMFILE, "room for %u of 2 descriptors: none", spare);
	ok(strstr(got.answer.why, "no descriptors are left"), "the reason is told");
	ok_eq_int(fault_open_fds(), before, "and none is left open");
	ok(spawn("exec cat"), "later there is room");
	close_both();
	end();
}

static void test_limit_for_next(void)
{
	struct rlimit old, more;
	char text[32] = "";

	begin();
	getrlimit(RLIMIT_NOFILE, &old);
	more = old;
	more.rlim_cur = old.rlim_cur - 7;
	setrlimit(RLIMIT_NOFILE, &more);
	kill(helper->pid, SIGKILL);
	while (helper->pid > 0)
		turn_for(&loop, 20);
	while (ask("ulimit -n; exec cat") < 0)
		turn_for(&loop, 20);
	turn_for(&loop, PATIENCE_MS);
	ok(got.fd >= 0 && waits(got.fd, POLLIN) &&
		   read(got.fd, text, sizeof(text) - 1) > 0,
	   "a command of the next helper");
	ok_eq_int(strtol(text, NULL, 10), old.rlim_cur,
		  "has the limit of descriptors that we were started with");
	close_both();
	setrlimit(RLIMIT_NOFILE, &old);
	end();
}

/* ---- a helper that is no more ---- */

/* @sig: what happens to it */
static void test_lost(int sig, const char *what)
{
	char command[128];
	unsigned limit;
	pid_t old, pid;

	begin();
	old = helper->pid;
	snprintf(command, sizeof(command), "echo $$ >%s/old; exec sleep 1000", dir);
	ok(spawn(command), "%s: one that has a command", what);
	pid = pid_in("old");
	/* It must not answer, nor be found gone, before that. */
	kill(old, SIGSTOP);
	/* The timer that runs since the first call has the limit of then. */
	limit = helper->limit;
	helper->limit = 300;
	timer_cancel(&loop, &helper->overdue);
	ok_eq_int(ask("exec cat"), 0, "%s: it is asked", what);
	kill(old, sig);
	turn_for(&loop, PATIENCE_MS);
	helper->limit = limit;
	ok_eq_int(got.times, 1, "%s: the call is answered", what);
	ok_eq_int(got.answer.err, -EAGAIN, "%s: by an error", what);
	ok_eq_str(got.answer.why, "the helper process has ended", "%s: and why", what);
	ok(goes_away(old), "%s: it is gone", what);
	ok(goes_away(pid), "%s: and so is its command", what);
	while (ask("exec cat") < 0)
		turn_for(&loop, 20);
	turn_for(&loop, PATIENCE_MS);
	ok_eq_int(got.answer.err, 0, "%s: another one answers", what);
	ok(helper->pid > 0 && helper->pid != old, "%s: which is another one", what);
	close_both();
	end();
}

/* Within a while; those that have ended are waited for. */
static bool has_no_child(void)
{
	pid_t pid;

	for (unsigned i = 0; i < 200; i++) {
		while ((pid = waitpid(-1, NULL, WNOHANG)) > 0)
			;
		if (pid < 0)
			return true;
		poll(NULL, 0, 10);
	}
	return false;
}

/* A helper that is killed, and others that the loop has no memory for. */
static void test_not_watched(void)
{
	unsigned before;

	begin();
	before = fault_open_fds();
	fault_arm(FAULT_epoll_ctl, 1, ENOMEM);
	kill(helper->pid, SIGKILL);
	while (!fault.is_hit)
		turn_for(&loop, 20);
	fault_disarm();
	ok_eq_int(fault_open_fds(), before - 1, "what can't be watched is closed");
	end();
	ok(has_no_child(), "and does not live on");
	loop_init(&loop);
	fault_arm(FAULT_epoll_ctl, 1, ENOMEM);
	helper_init(helpers, &loop, NULL);
	ok_eq_int(ask("exec cat"), -ENOMEM, "a first one that can't be watched");
	fault_disarm();
	end();
	ok(has_no_child(), "does not, either");
}

/* It can't end by itself. */
static void test_stopped_at_the_end(void)
{
	begin();
	kill(helper->pid, SIGSTOP);
	end();
	ok(has_no_child(), "one that is stopped is no obstacle");
}

static void test_reaped(void)
{
	pid_t old;

	begin();
	old = helper->pid;
	kill(old, SIGKILL);
	ok_eq_int(waitpid(old, NULL, 0), old, "somebody else has waited for the helper");
	helper_reaped(helpers, old);
	ok_eq_int(helper->pid, 0, "it is known to be gone");
	while (ask("exec cat") < 0)
		turn_for(&loop, 20);
	turn_for(&loop, PATIENCE_MS);
	ok_eq_int(got.answer.err, 0, "another one answers");
	close_both();
	end();
}

int main(void)
{
	if (!mkdtemp(dir))
		return 1;
	/* Its orphans become ours, and not those of a PID 1 that may reap none. */
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	signal(SIGPIPE, SIG_IGN);
	test_command();
	test_status("exit 3", 3 << 8);
	test_status("kill -9 $$", SIGKILL);
	test_status("sleep 1000 & exit 0", 0);
	test_many();
	test_forgotten();
	test_no_descriptors(0);
	test_no_descriptors(1);
	test_limit_for_next();
	test_lost(SIGKILL, "killed");
	test_lost(SIGSTOP, "stopped");
	test_reaped();
	test_not_watched();
	test_stopped_at_the_end();
	rmdir(dir);
	return done();
}
