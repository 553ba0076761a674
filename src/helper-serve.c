/* SPDX-License-Identifier: MIT */
/*
 * The helper process. Requests that may block are each answered by a worker
 * forked for it, which sends the answer itself, so that a slow name server
 * keeps nobody from his bridge. Children of exec: are started by the helper
 * itself, which can then end them: when asked, and when the relay is gone.
 */
#include "helper.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "child.h"
#include "log.h"

#define CHILDREN_MAX 64
#define CHILD_GRACE_MS 2000 /* from SIGTERM to SIGKILL */
#define STABLE_MS 1000	    /* a child that ran for that long did not fail at once */

/*
 * @pid:   0: free, but kept for the same command
 * @since: when it was started, loop_now()
 * @told:  the exit status last warned of
 */
struct child {
	pid_t pid;
	uint64_t since;
	int told;
	char command[64];
};

struct server {
	int fd;
	int sigfd;
	struct child children[CHILDREN_MAX];
};

static void answer_with(int fd, const struct helper_answer *answer, int passed)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	struct iovec iov = { .iov_base = (void *)(uintptr_t)answer,
			     .iov_len = sizeof(*answer) };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (passed >= 0) {
		struct cmsghdr *cmsg = &control.align;

		msg.msg_control = &control;
		msg.msg_controllen = sizeof(control);
		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_RIGHTS;
		cmsg->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(cmsg), &passed, sizeof(int));
	}
	/* With nobody left to tell, there is nothing to do about an error. */
	while (sendmsg(fd, &msg, MSG_NOSIGNAL) < 0 && errno == EINTR)
		;
}

static int do_resolve(struct helper_request *req, struct helper_answer *answer)
{
	struct addrinfo hints = {
		.ai_family = AF_UNSPEC,
		.ai_socktype = req->resolve.type,
		.ai_flags = AI_NUMERICSERV,
	};
	struct addrinfo *list, *ai;
	char port[8];
	unsigned n = 0;
	int ret;

	req->resolve.addr.host[ENDPOINT_HOST_MAX - 1] = '\0';
	snprintf(port, sizeof(port), "%u", req->resolve.addr.port);
	ret = getaddrinfo(req->resolve.addr.host, port, &hints, &list);
	if (ret) {
		snprintf(answer->why, sizeof(answer->why), "resolve %s: %s",
			 req->resolve.addr.host, gai_strerror(ret));
		return -EHOSTUNREACH;
	}
	for (ai = list; ai && n < HELPER_ADDRS_MAX; ai = ai->ai_next) {
		struct sock_addr *addr = &answer->resolve.addr[n];

		if (ai->ai_addrlen > sizeof(addr->storage))
			continue;
		memcpy(&addr->storage, ai->ai_addr, ai->ai_addrlen);
		addr->len = ai->ai_addrlen;
		n++;
	}
	answer->resolve.n = n;
	freeaddrinfo(list);
	return 0;
}

static int do_attach(struct helper_request *req, struct helper_answer *answer,
		     int *passed)
{
	int ret;

	req->attach.bridge[IFNAMSIZ - 1] = '\0';
	req->attach.tap[IFNAMSIZ - 1] = '\0';
	ret = link_attach(&req->attach, &answer->attach, answer->why,
			  sizeof(answer->why));
	if (ret == 0)
		*passed = answer->attach.fd;
	return ret;
}

static void work(struct server *s, struct helper_request *req)
{
	struct helper_answer answer = { .id = req->id };
	int passed = -1;

	if (req->op == HELPER_RESOLVE)
		answer.err = do_resolve(req, &answer);
	else
		answer.err = do_attach(req, &answer, &passed);
	answer_with(s->fd, &answer, passed);
}

static void refuse(struct server *s, uint32_t id, int err, const char *what)
{
	struct helper_answer answer = { .id = id, .err = err };

	snprintf(answer.why, sizeof(answer.why), "%s: %s", what, strerror(-err));
	answer_with(s->fd, &answer, -1);
}

static void default_signals(void)
{
	sigset_t none;

	sigemptyset(&none);
	signal(SIGPIPE, SIG_DFL);
	signal(SIGINT, SIG_DFL);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static void fork_worker(struct server *s, struct helper_request *req)
{
	pid_t pid = fork();

	if (pid < 0)
		refuse(s, req->id, -errno, "fork");
	if (pid != 0)
		return;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	default_signals();
	work(s, req);
	_exit(0);
}

static struct child *find_child(struct server *s, pid_t pid)
{
	for (size_t i = 0; i < CHILDREN_MAX; i++)
		if (s->children[i].pid == pid)
			return &s->children[i];
	return NULL;
}

static void run_command(const char *command, int fd)
{
	/* Not CLOEXEC any more: these are what the command is to have. */
	dup2(fd, STDIN_FILENO);
	dup2(fd, STDOUT_FILENO);
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	default_signals();
	execl("/bin/sh", "sh", "-c", command, (char *)NULL);
	log_warn("exec:%s: /bin/sh: %s; exec: needs a shell", command, strerror(errno));
	_exit(127);
}

static bool is_of(const struct child *child, const char *command)
{
	return !strncmp(child->command, command, sizeof(child->command) - 1);
}

static struct child *find_free(struct server *s, const char *command)
{
	for (size_t i = 0; i < CHILDREN_MAX; i++)
		if (s->children[i].pid == 0 && is_of(&s->children[i], command))
			return &s->children[i];
	return NULL;
}

/* This command's from before, or one that is as yet nobody's, or else anybody's. */
static struct child *free_child(struct server *s, const char *command)
{
	struct child *child = find_free(s, command);

	if (!child)
		child = find_free(s, "");
	if (!child)
		child = find_child(s, 0);
	if (child && !is_of(child, command)) {
		snprintf(child->command, sizeof(child->command), "%.63s", command);
		child->told = 0;
	}
	return child;
}

static void do_spawn(struct server *s, struct helper_request *req)
{
	struct helper_answer answer = { .id = req->id };
	struct child *child;
	int sv[2];

	req->command[sizeof(req->command) - 1] = '\0';
	child = free_child(s, req->command);
	if (!child) {
		refuse(s, req->id, -EAGAIN, "too many children");
		return;
	}
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv) < 0) {
		refuse(s, req->id, -errno, "socketpair");
		return;
	}
	child->pid = fork();
	if (child->pid == 0)
		run_command(req->command, sv[1]);
	if (child->pid < 0) {
		child->pid = 0;
		refuse(s, req->id, -errno, "fork");
	} else {
		child->since = loop_now();
		fcntl(sv[0], F_SETFL, O_NONBLOCK);
		answer.pid = child->pid;
		answer_with(s->fd, &answer, sv[0]);
	}
	close(sv[0]);
	close(sv[1]);
}

static void do_kill(struct server *s, const struct helper_request *req)
{
	/* Only our own children: a pid from outside proves nothing. */
	if (req->pid > 0 && find_child(s, req->pid))
		kill(req->pid, SIGTERM);
}

static void handle(struct server *s, struct helper_request *req)
{
	switch (req->op) {
	case HELPER_RESOLVE:
	case HELPER_ATTACH:
		fork_worker(s, req);
		break;
	case HELPER_SPAWN:
		do_spawn(s, req);
		break;
	case HELPER_KILL:
		do_kill(s, req);
		break;
	default:
		refuse(s, req->id, -EINVAL, "request");
	}
}

/* Of one that fails at once, and again, it is told once. */
static void tell_end(struct child *child, int status)
{
	bool is_news = status != child->told || loop_now() - child->since >= STABLE_MS;

	if (WIFSIGNALED(status))
		log_info("exec:%s: ended by signal %d", child->command, WTERMSIG(status));
	else if (WEXITSTATUS(status))
		(is_news ? log_warn : log_info)("exec:%s: exited with status %d",
						child->command, WEXITSTATUS(status));
	else
		log_info("exec:%s: exited", child->command);
	child->told = status;
}

/* Return: whether children are left. */
static bool reap(struct server *s)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		struct child *child = find_child(s, pid);

		if (child) {
			tell_end(child, status);
			child->pid = 0;
		}
	}
	return pid == 0;
}

static void kill_children(struct server *s, int sig)
{
	for (size_t i = 0; i < CHILDREN_MAX; i++)
		if (s->children[i].pid > 0)
			kill(s->children[i].pid, sig);
}

static void end_children(struct server *s)
{
	struct pollfd pfd = { .fd = s->sigfd, .events = POLLIN };
	uint64_t limit = loop_now() + CHILD_GRACE_MS, now;
	struct signalfd_siginfo info;

	kill_children(s, SIGTERM);
	while (reap(s) && (now = loop_now()) < limit)
		if (poll(&pfd, 1, (int)(limit - now)) > 0 &&
		    read(s->sigfd, &info, sizeof(info)) < 0)
			break;
	kill_children(s, SIGKILL);
}

static int server_init(struct server *s, int fd)
{
	sigset_t blocked;

	memset(s, 0, sizeof(*s));
	s->fd = child_keep_only(fd, false);
	if (s->fd < 0)
		return s->fd;
	prctl(PR_SET_NAME, "netrelay-helper");
	/*
	 * The relay decides when it is over. A signal sent to all of a terminal's
	 * or a service's processes must not end the helper first.
	 */
	signal(SIGINT, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	/* Ignored by whoever started us, ends of children would not be told. */
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

static void signals_ready(struct server *s)
{
	struct signalfd_siginfo info;

	while (read(s->sigfd, &info, sizeof(info)) > 0)
		;
	reap(s);
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

void helper_serve(int fd)
{
	struct server s;
	int ret = server_init(&s, fd);

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
	end_children(&s);
	_exit(0);
}
