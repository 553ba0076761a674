/* SPDX-License-Identifier: MIT */
/*
 * The helper process. It forks a process for each request, so that a slow name
 * server does not delay a bridge: a worker, or the keeper of a command. That process
 * sends the answer itself. If it is killed, or a worker takes too long, the helper
 * answers in its place. Workers run do_resolve() or do_attach() below.
 *
 * #syscalls: close exit_group fork geteuid getpid getppid gettid kill poll prctl read recvfrom
 * #syscalls: rt_sigaction rt_sigprocmask signalfd4 wait4
 */
#include "helper/helper.h"

#include <errno.h>
#include <linux/capability.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/child.h"
#include "base/log.h"
#include "base/pass-fd.h"
#include "base/util.h"
#include "helper/file-cap.h"
#include "helper/keep.h"
#include "helper/tree.h"
#include "sandbox/caps.h"

#define WORK_S 30 /* time for a worker; glibc tries three name servers for as long */

/*
 * A process that works on request @id.
 * @due:  when the worker is given up, as loop_now(), ms; 0 for a keeper, which may stay
 * @what: the request, for messages
 */
struct job {
	struct job *next;
	pid_t pid;
	uint32_t id;
	uint64_t due;
	char what[ENDPOINT_HOST_MAX + 16];
};

/*
 * @fd:     our end of the socket to the relay
 * @rules:  which requests are answered; NULL: all
 * @sigfd:  a signalfd
 * @jobs:   processes at work
 * @strays: a keeper has ended too early, so its command may have become our child
 */
struct server {
	int fd;
	int sigfd;
	const struct helper_rules *rules;
	struct job *jobs;
	bool strays;
};

void helper_answer(int fd, const struct helper_answer *answer, const int *fds, size_t n)
{
	pass_send(fd, answer, sizeof(*answer), fds, n);
}

static void refuse(struct server *s, uint32_t id, int err, const char *what,
		   const char *why)
{
	struct helper_answer answer = { .id = id, .err = err };

	snprintf(answer.why, sizeof(answer.why), "%s: %s", what, why);
	helper_answer(s->fd, &answer, NULL, 0);
}

/* ---- what workers do ---- */

static void do_resolve(int fd, struct helper_request *req)
{
	struct helper_answer answer = { .id = req->id };
	int ret = resolve_name(&req->resolve.addr, req->resolve.type, answer.resolve.addr,
			       answer.why, sizeof(answer.why));

	if (ret < 0)
		answer.err = ret;
	else
		answer.resolve.n = (unsigned)ret;
	helper_answer(fd, &answer, NULL, 0);
}

static void do_attach(int fd, struct helper_request *req)
{
	struct helper_answer answer = { .id = req->id };

	answer.err =
		tap_attach(&req->attach, &answer.attach, answer.why, sizeof(answer.why));
	helper_answer(fd, &answer, &answer.attach.fd, answer.attach.fd >= 0);
}

/*
 * Keep only the capability that the job needs. A user who has none may run
 * qemu-bridge-helper to attach a tap, which is set-user-ID: to root and to who resolves
 * a name, running a program gives nothing.
 */
static void confine_worker(enum helper_op op)
{
	uint64_t keep = op == HELPER_ATTACH ? CAP_BIT(CAP_NET_ADMIN) : 0;

	if (op == HELPER_RESOLVE || geteuid() == 0) {
		caps_bound(keep);
		prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	}
	caps_keep(keep);
}

static void work(struct server *s, struct helper_request *req, pid_t parent)
{
	close(s->sigfd);
	if (req->op == HELPER_SPAWN) {
		file_cap_set(FILE_CAP_GONE);
		keep_command(s->fd, req->id, req->command, parent);
	}
	/* Signals to the process group stay blocked: only the relay's end ends a worker. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		return;
	confine_worker(req->op);
	if (req->op == HELPER_RESOLVE)
		do_resolve(s->fd, req);
	else
		do_attach(s->fd, req);
}

/* ---- requests ---- */

/* End the strings of a request by a NUL. Return: whether its operation is known. */
static bool check(struct helper_request *req)
{
	switch (req->op) {
	case HELPER_RESOLVE:
		req->resolve.addr.host[ENDPOINT_HOST_MAX - 1] = '\0';
		return true;
	case HELPER_ATTACH:
		req->attach.bridge[IFNAMSIZ - 1] = '\0';
		req->attach.tap[IFNAMSIZ - 1] = '\0';
		return true;
	case HELPER_SPAWN:
		req->command[sizeof(req->command) - 1] = '\0';
		return true;
	default:
		return false;
	}
}

static void describe(struct job *job, const struct helper_request *req)
{
	if (req->op == HELPER_RESOLVE)
		snprintf(job->what, sizeof(job->what), "resolve %s",
			 req->resolve.addr.host);
	else
		snprintf(job->what, sizeof(job->what), "%s",
			 req->op == HELPER_ATTACH ? "attach" : "start");
}

static void handle(struct server *s, struct helper_request *req)
{
	bool is_known = check(req);
	struct job *job = is_known ? calloc(1, sizeof(*job)) : NULL;
	pid_t parent = getpid();

	if (is_known && s->rules && !s->rules->allows(req, s->rules->arg)) {
		refuse(s, req->id, -EPERM, "helper",
		       "the configuration does not name what it was asked for");
		free(job);
		return;
	}
	if (!job) {
		refuse(s, req->id, -ENOMEM, "helper", "out of memory");
		return;
	}
	describe(job, req);
	job->id = req->id;
	job->due = req->op == HELPER_SPAWN ? 0 : loop_now() + WORK_S * 1000;
	job->pid = fork();
	if (job->pid == 0) {
		work(s, req, parent);
		_exit(0);
	}
	if (job->pid < 0) {
		refuse(s, req->id, -errno, "fork", strerror(errno));
		free(job);
		return;
	}
	job->next = s->jobs;
	s->jobs = job;
}

/* Return: 0; -EPIPE when the relay is gone. */
static int request_ready(struct server *s)
{
	struct helper_request req;
	ssize_t n = recv(s->fd, &req, sizeof(req), 0);

	if (n == 0 || (n < 0 && errno != EINTR))
		return -EPIPE;
	if (n == (ssize_t)sizeof(req))
		handle(s, &req);
	return 0;
}

/* ---- ends ---- */

static bool is_at_work(pid_t pid, void *arg)
{
	const struct server *s = arg;

	for (const struct job *job = s->jobs; job; job = job->next)
		if (job->pid == pid)
			return true;
	return false;
}

static void job_ended(struct server *s, pid_t pid, int status)
{
	struct job **link = &s->jobs, *job;

	while (*link && (*link)->pid != pid)
		link = &(*link)->next;
	job = *link;
	if (!job)
		return;
	*link = job->next;
	/* If it had answered already, nobody waits for this answer, and it is dropped. */
	if (WIFSIGNALED(status))
		refuse(s, job->id, -EIO, job->what,
		       "the process that worked on it was killed");
	s->strays |= status && !job->due;
	free(job);
}

/* Wait for all children that have ended. Return: whether any are left. */
static bool reap(struct server *s)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		job_ended(s, pid, status);
	if (s->strays)
		tree_signal(SIGKILL, is_at_work, s);
	s->strays = false;
	return pid == 0;
}

/* Kill workers that are late. Return: ms until the next one is; -1 when there is none. */
static int give_up_late(struct server *s)
{
	uint64_t now = loop_now(), next = UINT64_MAX;
	char why[32];

	for (struct job *job = s->jobs; job; job = job->next) {
		if (!job->due)
			continue;
		if (job->due > now) {
			next = job->due < next ? job->due : next;
			continue;
		}
		snprintf(why, sizeof(why), "no answer for %d s", WORK_S);
		refuse(s, job->id, -ETIMEDOUT, job->what, why);
		kill(job->pid, SIGKILL);
		job->due = UINT64_MAX;
	}
	return next == UINT64_MAX ? -1 : (int)(next - now);
}

static void signals_ready(struct server *s)
{
	struct signalfd_siginfo info;

	while (read(s->sigfd, &info, sizeof(info)) > 0)
		;
	reap(s);
}

/*
 * The relay is gone, so nobody waits for answers. Workers are killed. Keepers have
 * noticed by their life lines, and give their commands some time to tidy up.
 */
static void end_all(struct server *s)
{
	struct pollfd pfd = { .fd = s->sigfd, .events = POLLIN };
	uint64_t limit = loop_now() + KEEP_LIMIT_MS + 500, now;
	struct signalfd_siginfo info;

	for (const struct job *job = s->jobs; job; job = job->next)
		kill(job->pid, job->due ? SIGKILL : SIGTERM);
	while (reap(s) && (now = loop_now()) < limit)
		if (poll(&pfd, 1, (int)(limit - now)) > 0 &&
		    read(s->sigfd, &info, sizeof(info)) < 0)
			break;
	if (reap(s))
		tree_signal(SIGKILL, NULL, NULL);
}

static int server_init(struct server *s, int fd, const struct helper_rules *rules)
{
	sigset_t blocked;

	memset(s, 0, sizeof(*s));
	s->rules = rules;
	s->fd = child_close_fds(fd, false);
	if (s->fd < 0)
		return s->fd;
	prctl(PR_SET_NAME, "netrelay-helper");
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	/*
	 * The relay decides when the helper ends. A signal to all processes of a
	 * terminal or a service must not end the helper before the relay.
	 */
	signal(SIGINT, SIG_IGN);
	signal(SIGQUIT, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	/* If our parent ignored SIGCHLD, we would not learn that children end. */
	signal(SIGCHLD, SIG_DFL);
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGCHLD);
	sigaddset(&blocked, SIGTERM);
	sigaddset(&blocked, SIGHUP);
	sigaddset(&blocked, SIGUSR1);
	sigprocmask(SIG_BLOCK, &blocked, NULL);
	s->sigfd = signalfd(-1, &blocked, SFD_CLOEXEC | SFD_NONBLOCK);
	return s->sigfd < 0 ? -errno : 0;
}

void helper_serve(int fd, const struct helper_rules *rules)
{
	struct server s;
	int ret = server_init(&s, fd, rules);

	if (ret < 0) {
		log_warn("helper process: %s", strerror(-ret));
		_exit(1);
	}
	while (ret == 0) {
		struct pollfd pfd[] = {
			{ .fd = s.fd, .events = POLLIN },
			{ .fd = s.sigfd, .events = POLLIN },
		};

		if (poll(pfd, ARRAY_SIZE(pfd), give_up_late(&s)) < 0)
			continue;
		if (pfd[1].revents)
			signals_ready(&s);
		if (pfd[0].revents)
			ret = request_ready(&s);
	}
	end_all(&s);
	_exit(0);
}
