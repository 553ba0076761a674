/* SPDX-License-Identifier: MIT */
/*
 * The helper processes, which differ by a line of a table. A helper forks a process for
 * each request, so that a slow name server does not delay another name: a worker, or
 * the keeper of a command. That process sends the answer itself. If it is killed, or
 * its time is over, the helper answers in its place.
 *
 * Who starts commands keeps all that the user has, for the commands: only the program
 * file's capability is given up. The others have one capability or none, their system
 * calls are filtered, and their workers may only read files (Landlock); see confine().
 *
 * #syscalls: close exit_group fork geteuid getpid getppid gettid kill poll prctl read recvfrom
 * #syscalls: rt_sigaction rt_sigprocmask setitimer signalfd4 wait4
 */
#include "helper/helper-serve.h"

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
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/child.h"
#include "base/log.h"
#include "base/parts.h"
#include "base/pass-fd.h"
#include "base/util.h"
#include "helper/file-cap.h"
#include "helper/keep.h"
#include "helper/qemu-bridge-helper.h"
#include "helper/tree.h"
#include "sandbox/caps.h"
#include "sandbox/landlock.h"
#include "sandbox/sandbox.h"

#define ENDING_MS 100 /* for a worker that has answered to end */
#define WORK_S 30     /* time for a worker; glibc tries three name servers for as long */

/*
 * A process that works on request @id.
 * @what: the request, for messages
 */
struct job {
	struct job *next;
	pid_t pid;
	uint32_t id;
	char what[ENDPOINT_HOST_MAX + 16];
};

/*
 * @fd:     our end of the socket to the relay
 * @rules:  which requests are answered; NULL: all of the kind
 * @sigfd:  a signalfd
 * @jobs:   processes at work
 * @strays: a keeper has ended too early, so its command may have become our child
 * @is_confined: workers are to be confined, too
 */
struct server {
	const struct kind *kind;
	int fd;
	int sigfd;
	const struct helper_rules *rules;
	struct job *jobs;
	bool strays, is_confined;
};

/*
 * A kind of helper.
 * @name: of its process
 * @check: end the strings of a request by a NUL
 * @what: a request, for messages: a format for its host, if that has a name
 * @work: what a worker does; NULL: a keeper runs the command
 * @role: how it is confined
 * @device: the only file that a worker may write to, or NULL
 */
struct kind {
	const char *name;
	void (*check)(struct helper_request *req);
	const char *what;
	void (*work)(int fd, struct helper_request *req);
	enum sandbox_role role;
	const char *device;
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

static void work(struct server *s, struct helper_request *req, pid_t parent)
{
	const struct itimerval limit = { .it_value.tv_sec = WORK_S };

	close(s->sigfd);
	if (HAS_EXEC && !s->kind->work)
		keep_command(s->fd, req->id, req->command, parent);
	/* Signals to the process group stay blocked: only the relay's end ends a worker. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		return;
	setitimer(ITIMER_REAL, &limit, NULL);
	/* Here, and not in the helper: a device may be there later. */
	if (s->is_confined && landlock_read_only(s->kind->device) < 0)
		abort();
	s->kind->work(s->fd, req);
}

/* ---- requests ---- */

static void check_resolve(struct helper_request *req)
{
	req->resolve.addr.host[ENDPOINT_HOST_MAX - 1] = '\0';
}

static void check_attach(struct helper_request *req)
{
	req->attach.bridge[IFNAMSIZ - 1] = '\0';
	req->attach.tap[IFNAMSIZ - 1] = '\0';
}

static void check_spawn(struct helper_request *req)
{
	req->command[sizeof(req->command) - 1] = '\0';
}

static const struct kind kinds[] = {
	[HELPER_RESOLVE] = { "netrelay-names", check_resolve, "resolve",
			     HAS_NAMES ? do_resolve : NULL, SANDBOX_NAMES, NULL },
	[HELPER_ATTACH] = { "netrelay-taps", check_attach, "attach",
			    HAS_TAP ? do_attach : NULL, SANDBOX_TAPS, "/dev/net/tun" },
	[HELPER_SPAWN] = { .name = "netrelay-start",
			   .check = check_spawn,
			   .what = "start" },
};

/* Nobody asks for what was left out (base/parts.h), unless the relay is hostile. */
static bool is_left_out(enum helper_op op)
{
	return (!HAS_NAMES && op == HELPER_RESOLVE) ||
	       (!HAS_TAP && op == HELPER_ATTACH) || (!HAS_EXEC && op == HELPER_SPAWN);
}

/* Return: why a request is not answered; NULL: it is. */
static const char *fault_of(const struct server *s, struct helper_request *req)
{
	if (req->op >= HELPER_OPS || &kinds[req->op] != s->kind || is_left_out(req->op))
		return "it does not answer such requests";
	s->kind->check(req);
	if (s->rules && !s->rules->allows(req, s->rules->arg))
		return "the configuration does not name what it was asked for";
	return NULL;
}

static void handle(struct server *s, struct helper_request *req)
{
	const char *fault = fault_of(s, req);
	struct job *job = fault ? NULL : calloc(1, sizeof(*job));
	pid_t parent = getpid();

	if (!job) {
		refuse(s, req->id, fault ? -EPERM : -ENOMEM, "helper",
		       fault ? fault : "out of memory");
		return;
	}
	snprintf(job->what, sizeof(job->what), "%s%s%s", s->kind->what,
		 req->op == HELPER_RESOLVE ? " " : "",
		 req->op == HELPER_RESOLVE ? req->resolve.addr.host : "");
	job->id = req->id;
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

/* If a job had answered already, nobody waits for this answer, and it is dropped. */
static void tell_killed(struct server *s, const struct job *job, int sig)
{
	char late[32];

	snprintf(late, sizeof(late), "no answer for %d s", WORK_S);
	if (sig == SIGALRM)
		refuse(s, job->id, -ETIMEDOUT, job->what, late);
	else
		refuse(s, job->id, -EAGAIN, job->what,
		       "the process that worked on it was killed");
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
	if (WIFSIGNALED(status))
		tell_killed(s, job, WTERMSIG(status));
	s->strays |= status && !s->kind->work;
	free(job);
}

/* Wait for all children that have ended. Return: whether any are left. */
static bool reap(struct server *s)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		job_ended(s, pid, status);
	if (HAS_EXEC && s->strays)
		tree_signal(SIGKILL, is_at_work, s);
	s->strays = false;
	return pid == 0;
}

static void signals_ready(struct server *s)
{
	struct signalfd_siginfo info;

	while (read(s->sigfd, &info, sizeof(info)) > 0)
		;
	reap(s);
}

/*
 * The relay is gone, so nobody waits for answers. Workers that have just answered are
 * about to end, and the others end with their parent. Keepers have noticed by their life
 * lines, and give their commands some time to tidy up.
 */
static void end_all(struct server *s)
{
	struct pollfd pfd = { .fd = s->sigfd, .events = POLLIN };
	bool has_keepers = !s->kind->work;
	unsigned most = has_keepers ? KEEP_LIMIT_MS + 500 : ENDING_MS;
	uint64_t limit = loop_now() + most, now;
	struct signalfd_siginfo info;

	for (const struct job *job = s->jobs; job && has_keepers; job = job->next)
		kill(job->pid, SIGTERM);
	while (reap(s) && (now = loop_now()) < limit)
		if (poll(&pfd, 1, (int)(limit - now)) > 0 &&
		    read(s->sigfd, &info, sizeof(info)) < 0)
			break;
	if (HAS_EXEC && has_keepers && reap(s))
		tree_signal(SIGKILL, NULL, NULL);
}

/*
 * Give up what the kind does not need. A user without a right to make taps may run
 * qemu-bridge-helper, which is set-user-ID: no_new_privs would make that useless, and
 * filters need it.
 */
static int confine(struct server *s)
{
	struct sandbox sandbox = { .role = s->kind->role };
	struct sandbox_has has;

	if (s->kind != &kinds[HELPER_ATTACH])
		file_cap_set(FILE_CAP_GONE);
	if (!s->rules || !s->kind->work)
		return 0;
	if (s->kind == &kinds[HELPER_ATTACH] && geteuid() != 0 &&
	    net_right() != NET_RIGHT_OWN && bridge_helper_path())
		return caps_keep(CAP_BIT(CAP_NET_ADMIN));
	s->is_confined = true;
	return sandbox_enter(&sandbox, &has);
}

static int server_init(struct server *s, int fd, enum helper_op op,
		       const struct helper_rules *rules)
{
	sigset_t blocked;

	memset(s, 0, sizeof(*s));
	s->kind = &kinds[op];
	s->rules = rules;
	s->fd = child_close_fds(fd, false);
	if (s->fd < 0)
		return s->fd;
	prctl(PR_SET_NAME, s->kind->name);
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
	signal(SIGALRM, SIG_DFL);
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGCHLD);
	sigaddset(&blocked, SIGTERM);
	sigaddset(&blocked, SIGHUP);
	sigaddset(&blocked, SIGUSR1);
	sigprocmask(SIG_BLOCK, &blocked, NULL);
	s->sigfd = signalfd(-1, &blocked, SFD_CLOEXEC | SFD_NONBLOCK);
	return s->sigfd < 0 ? -errno : confine(s);
}

void helper_serve(int fd, enum helper_op op, const struct helper_rules *rules)
{
	struct server s;
	int ret = server_init(&s, fd, op, rules);

	if (ret < 0) {
		log_warn("helper process: %s", strerror(-ret));
		_exit(1);
	}
	while (ret == 0) {
		struct pollfd pfd[] = {
			{ .fd = s.fd, .events = POLLIN },
			{ .fd = s.sigfd, .events = POLLIN },
		};

		if (poll(pfd, ARRAY_SIZE(pfd), -1) < 0)
			continue;
		if (pfd[1].revents)
			signals_ready(&s);
		if (pfd[0].revents)
			ret = request_ready(&s);
	}
	end_all(&s);
	_exit(0);
}
