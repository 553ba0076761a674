/* SPDX-License-Identifier: MIT */
/*
 * Questions and answers go over a SOCK_SEQPACKET socket, one at a time; a descriptor
 * comes with the answer. The broker believes nothing that it is asked: paths must be
 * those that the configuration names, and it removes only sockets that nobody serves. The
 * numbers of users and groups are no secret (passwd(5)).
 *
 * It is two processes: one that answers, and its parent, which does nothing but start
 * another one when that is killed. It has the relay's socket open, so the relay does not
 * notice, except that a question may stay without an answer.
 *
 * #syscalls: close exit_group fork fstat gettid kill memfd_create poll ppoll prctl
 * #syscalls: pread64 recvfrom rt_sigaction rt_sigprocmask sendto socketpair wait4
 */
#include "net/broker.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/child.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/parts.h"
#include "base/pass-fd.h"
#include "base/util.h"
#include "conf/conf-file.h"
#include "sandbox/user.h"
#include "seal/crypto.h"

#define SET_UP_MS 10000 /* for an answer, also on a busy host */
#define END_MS 5000	/* more than a helper needs */
#define AGAIN_MS 100	/* until another process answers */
#define LOOK_MS 5	/* between two looks whether a helper has ended */

enum op {
	BROKER_BIND,
	BROKER_UNLINK,
	BROKER_DIAL,
	BROKER_HELPER,
	BROKER_ID,
	BROKER_CONFIG,
	BROKER_FILE
};

/*
 * @kind: of BROKER_HELPER. @is_group, and a name in place of the path: of BROKER_ID.
 * @file, @stamp: of BROKER_FILE
 */
struct question {
	uint32_t id;
	enum op op;
	unsigned kind;
	int type;
	mode_t mode;
	gid_t group;
	bool is_group;
	struct sock_path path;
	char file[BROKER_FILE_MAX];
	struct file_stamp stamp;
};

/*
 * @err: 0 or -errno. @made: of BROKER_BIND. @pid: of BROKER_HELPER. @number: of BROKER_ID.
 * @stamp: of BROKER_FILE
 */
struct answer {
	uint32_t id;
	int err;
	pid_t pid;
	uint32_t number;
	struct sock_path made;
	struct file_stamp stamp;
};

/* ---- the broker ---- */

/* @helpers: of each kind the one that was started last; 0 when it has ended */
struct server {
	int fd;
	const struct broker_rules *rules;
	pid_t helpers[BROKER_HELPERS];
};

static bool is_named(const struct server *s, const struct question *q)
{
	return !s->rules->names || s->rules->names(q->path.path, s->rules->arg);
}

/* ---- what it does. Return: 0, with @fd set to the answer's descriptor if it has one; -errno. */

static int do_bind(const struct question *q, struct answer *a, int *fd)
{
	int ret = sock_bound_unix(q->path.path, q->type, q->mode & 0777, q->group,
				  &a->made);

	if (ret < 0)
		return ret;
	*fd = ret;
	return 0;
}

static int do_dial(const struct server *s, const struct question *q, int *fd)
{
	struct sock_addr addr;
	bool in_progress;
	int ret = -EACCES;

	sock_unix(q->path.path, &addr);
	if (s->rules->dials)
		ret = sock_connect(&addr, SOCK_STREAM, 0, &in_progress);
	if (ret < 0)
		return ret;
	*fd = ret;
	return 0;
}

/* A text may be longer than a message. */
static int put_text(int *fd, const char *text, size_t len)
{
	*fd = memfd_create("netrelay-text", MFD_CLOEXEC);
	return *fd < 0 ? -errno : write_all(*fd, text, len);
}

static int do_config(const struct server *s, int *fd)
{
	struct buf text = { 0 };
	int ret;

	if (!HAS_CONFIG || !s->rules->config)
		return -EPERM;
	conf_file_read(s->rules->config, &text);
	ret = text.failed ? -ENOMEM : put_text(fd, text.data, text.len);
	buf_free(&text);
	return ret;
}

static int do_file(const struct server *s, struct question *q, struct answer *a, int *fd)
{
	size_t limit = 0, len;
	char *text;
	int ret;

	q->file[sizeof(q->file) - 1] = '\0';
	if (s->rules->file)
		limit = s->rules->file(q->file, s->rules->arg);
	if (!limit)
		return -EPERM;
	a->stamp = q->stamp;
	ret = file_text_read(q->file, limit, &a->stamp, &text, &len);
	if (ret < 0 || !text)
		return ret;
	ret = put_text(fd, text, len);
	crypto_wipe(text, len);
	free(text);
	return ret;
}

/* Also of those that are nobody's any more. */
static void reap(struct server *s)
{
	pid_t pid;

	while ((pid = waitpid(-1, NULL, WNOHANG)) > 0)
		for (unsigned i = 0; i < BROKER_HELPERS; i++)
			if (pid == s->helpers[i])
				s->helpers[i] = 0;
}

static int do_helper(struct server *s, unsigned kind, struct answer *a, int *fd)
{
	int ret = 0, sv[2];
	pid_t *pid;

	if (kind >= BROKER_HELPERS)
		return -EINVAL;
	pid = &s->helpers[kind];
	/* It has not been waited for, so its pid is nobody else's. */
	if (*pid)
		kill(*pid, SIGKILL);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sv) < 0)
		return -errno;
	*pid = fork();
	if (*pid == 0) {
		close(sv[0]);
		close(s->fd);
		s->rules->helper(sv[1], kind, s->rules->arg);
		_exit(1);
	}
	if (*pid < 0) {
		ret = -errno;
		*pid = 0;
		close(sv[0]);
	}
	close(sv[1]);
	*fd = ret < 0 ? -1 : sv[0];
	a->pid = *pid;
	return ret;
}

static void answer(struct server *s, struct question *q)
{
	struct answer a = { .id = q->id };
	int fd = -1;

	q->path.path[sizeof(q->path.path) - 1] = '\0';
	if (HAS_USERS && q->op == BROKER_ID)
		a.err = user_id(q->path.path, q->is_group, &a.number);
	else if (q->op == BROKER_CONFIG)
		a.err = do_config(s, &fd);
	else if (q->op == BROKER_FILE)
		a.err = HAS_KEYS ? do_file(s, q, &a, &fd) : -EPERM;
	else if (q->op != BROKER_HELPER && !is_named(s, q))
		a.err = -EPERM;
	else if (q->op == BROKER_BIND)
		a.err = do_bind(q, &a, &fd);
	else if (q->op == BROKER_UNLINK)
		sock_unlink_dead(&q->path);
	else if (q->op == BROKER_DIAL)
		a.err = do_dial(s, q, &fd);
	else
		a.err = do_helper(s, q->kind, &a, &fd);
	pass_send(s->fd, &a, sizeof(a), &fd, fd >= 0);
	if (fd >= 0)
		close(fd);
}

static void child_ended(int sig)
{
	(void)sig;
}

/*
 * The relay decides when the broker ends, not a signal to all processes of a terminal.
 * The end of a child interrupts what waits for questions, and nothing else: @waiting is
 * set to the signals that are blocked meanwhile.
 */
static void set_signals(sigset_t *waiting)
{
	const struct sigaction interrupt = { .sa_handler = child_ended };
	static const int signals[] = { SIGINT, SIGQUIT, SIGTERM, SIGHUP, SIGUSR1 };
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
		sigaddset(&set, signals[i]);
	sigprocmask(SIG_BLOCK, &set, NULL);
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, waiting);
	sigaction(SIGCHLD, &interrupt, NULL);
}

static void serve(int fd, const struct broker_rules *rules, const sigset_t *waiting)
	__attribute__((noreturn));

/* @waiting: the signals that are blocked while it waits */
static void serve(int fd, const struct broker_rules *rules, const sigset_t *waiting)
{
	struct server s = { .fd = fd, .rules = rules };
	struct pollfd p = { .fd = fd, .events = POLLIN };
	struct question q;
	ssize_t n = 1;

	while (n > 0 || (n < 0 && (errno == EINTR || errno == EAGAIN))) {
		ppoll(&p, 1, NULL, waiting);
		reap(&s);
		n = recv(s.fd, &q, sizeof(q), MSG_DONTWAIT);
		if (n == (ssize_t)sizeof(q))
			answer(&s, &q);
	}
	reap(&s);
	for (unsigned i = 0; i < BROKER_HELPERS; i++)
		child_wait(s.helpers[i], END_MS);
	if (rules->ended)
		rules->ended(rules->arg);
	_exit(0);
}

/* Wait until the process that answers has ended. Return: whether it was killed. */
static bool was_killed(pid_t server)
{
	int status = 0;
	pid_t pid;

	/* A helper whose parent was killed is ours, too. */
	do
		pid = waitpid(-1, &status, 0);
	while (pid != server && (pid > 0 || errno == EINTR));
	return pid == server && WIFSIGNALED(status);
}

/* Wait for helpers that became ours. */
static void wait_for_others(void)
{
	uint64_t limit = loop_now() + END_MS;

	while (waitpid(-1, NULL, WNOHANG) >= 0 && loop_now() < limit)
		poll(NULL, 0, LOOK_MS);
}

static void keep_serving(int fd, const struct broker_rules *rules)
	__attribute__((noreturn));

static void keep_serving(int fd, const struct broker_rules *rules)
{
	sigset_t waiting;
	pid_t pid;

	fd = child_close_fds(fd, false);
	if (fd < 0)
		_exit(1);
	prctl(PR_SET_NAME, "netrelay-broker");
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	set_signals(&waiting);
	for (;;) {
		pid = fork();
		if (pid == 0)
			serve(fd, rules, &waiting);
		if (pid > 0 && !was_killed(pid))
			break;
		if (pid > 0)
			log_warn("the broker process was killed; starting another one");
		/* Also if it is killed again and again. */
		poll(NULL, 0, AGAIN_MS);
	}
	wait_for_others();
	_exit(0);
}

/* ---- the relay ---- */

int broker_start(struct broker *b, const struct broker_rules *rules)
{
	int ret, sv[2];

	*b = (struct broker){ .fd = -1, .answer_ms = SET_UP_MS };
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sv) < 0)
		return -errno;
	b->pid = fork();
	ret = -errno;
	if (b->pid == 0)
		keep_serving(sv[1], rules);
	close(sv[1]);
	if (b->pid < 0) {
		b->pid = 0;
		close(sv[0]);
		return ret;
	}
	b->fd = sv[0];
	b->is_on = true;
	return 0;
}

void broker_stop(struct broker *b)
{
	if (!b->is_on)
		return;
	close(b->fd);
	child_wait(b->pid, 2 * END_MS);
	*b = (struct broker){ .fd = -1 };
}

/* Wait for the answer to question @id; late ones to others are thrown away. */
static int await(struct broker *b, uint32_t id, struct answer *a, int *fd)
{
	struct pollfd pfd = { .fd = b->fd, .events = POLLIN };
	uint64_t limit = loop_now() + b->answer_ms, now;
	int fds[PASS_FDS_MAX];
	bool left_out;

	while ((now = loop_now()) < limit) {
		ssize_t n;

		if (poll(&pfd, 1, (int)(limit - now)) <= 0)
			continue;
		n = pass_receive(b->fd, a, sizeof(*a), fds, &left_out);
		if (n == 0 || n == -ECONNRESET)
			return -EPIPE;
		if (n == (ssize_t)sizeof(*a) && a->id == id) {
			*fd = fds[0];
			return left_out ? -EMFILE : a->err;
		}
		for (unsigned i = 0; n > 0 && i < PASS_FDS_MAX; i++)
			if (fds[i] >= 0)
				close(fds[i]);
	}
	return -ETIMEDOUT;
}

/* Return: 0, with @fd set to the answer's descriptor or -1; -errno. */
static int ask(struct broker *b, struct question *q, struct answer *a, int *fd)
{
	*a = (struct answer){ 0 };
	*fd = -1;
	q->id = ++b->last_id;
	if (send(b->fd, q, sizeof(*q), MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		return -errno;
	return await(b, q->id, a, fd);
}

int broker_bind(struct broker *b, const char *path, int type, mode_t mode, gid_t group,
		struct sock_path *made)
{
	struct question q = {
		.op = BROKER_BIND, .type = type, .mode = mode, .group = group
	};
	struct answer a;
	int fd, ret;

	if (!b || !b->is_on)
		return sock_bound_unix(path, type, mode, group, made);
	snprintf(q.path.path, sizeof(q.path.path), "%s", path);
	ret = ask(b, &q, &a, &fd);
	/* It was made, but the descriptor that came with the answer found no place here. */
	if (ret == -EMFILE && a.made.path[0])
		broker_unlink(b, &a.made);
	if (ret < 0)
		return ret;
	*made = a.made;
	/* The broker has done so, but this process is the one to be guarded. */
	if (HAS_ALARM)
		sock_take_fds(fd, false);
	return fd;
}

void broker_unlink(struct broker *b, const struct sock_path *made)
{
	struct question q = { .op = BROKER_UNLINK, .path = *made };
	struct answer a;
	int fd;

	if (!b || !b->is_on)
		sock_unlink(made);
	else if (made->path[0])
		ask(b, &q, &a, &fd);
}

int broker_dial(struct broker *b, const char *path)
{
	struct question q = { .op = BROKER_DIAL };
	struct answer a;
	int fd, ret;

	if (!b || !b->is_on)
		return -EACCES;
	snprintf(q.path.path, sizeof(q.path.path), "%s", path);
	ret = ask(b, &q, &a, &fd);
	return ret < 0 ? ret : fd;
}

int broker_helper(struct broker *b, unsigned kind, pid_t *pid)
{
	struct question q = { .op = BROKER_HELPER, .kind = kind };
	struct answer a = { 0 };
	int fd, ret = b->is_on ? ask(b, &q, &a, &fd) : -EPIPE;

	*pid = ret < 0 ? 0 : a.pid;
	return ret < 0 ? ret : fd;
}

/* Read what the broker has written. */
static int read_text(int fd, struct buf *text)
{
	char part[4096];
	ssize_t n;

	while ((n = pread(fd, part, sizeof(part), (off_t)text->len)) > 0 &&
	       text->len < 2 * CONF_FILE_BYTES)
		buf_add(text, part, (size_t)n);
	if (n != 0)
		return n < 0 ? -errno : -EFBIG;
	return text->failed ? -ENOMEM : 0;
}

int broker_config(struct broker *b, const char *path, struct buf *text)
{
	struct question q = { .op = BROKER_CONFIG };
	struct answer a;
	int fd, ret;

	if (!b || !b->is_on) {
		conf_file_read(path, text);
		return text->failed ? -ENOMEM : 0;
	}
	ret = ask(b, &q, &a, &fd);
	if (ret == 0)
		ret = fd < 0 ? -EPROTO : read_text(fd, text);
	if (fd >= 0)
		close(fd);
	return ret;
}

/* As read_text(), of one that is a secret. */
static int take_text(int fd, size_t limit, char **text, size_t *len)
{
	struct stat st;
	ssize_t n;

	if (fstat(fd, &st) < 0)
		return -errno;
	if ((uint64_t)st.st_size > limit)
		return -EFBIG;
	*text = malloc((size_t)st.st_size + 1);
	if (!*text)
		return -ENOMEM;
	while ((n = pread(fd, *text + *len, (size_t)st.st_size - *len, (off_t)*len)) > 0)
		*len += (size_t)n;
	(*text)[*len] = '\0';
	return n < 0 ? -errno : 0;
}

static int ask_file(struct broker *b, const char *path, size_t limit,
		    struct file_stamp *stamp, char **text, size_t *len)
{
	struct question q = { .op = BROKER_FILE, .stamp = *stamp };
	struct answer a;
	int fd, ret;

	if (strlen(path) >= sizeof(q.file))
		return -ENAMETOOLONG;
	memcpy(q.file, path, strlen(path));
	ret = ask(b, &q, &a, &fd);
	if (ret == 0 && fd >= 0)
		ret = take_text(fd, limit, text, len);
	if (fd >= 0)
		close(fd);
	if (ret == 0)
		*stamp = a.stamp;
	return ret;
}

int broker_file(struct broker *b, const char *path, size_t limit,
		struct file_stamp *stamp, char **text, size_t *len)
{
	int ret;

	if (!b || !b->is_on)
		return file_text_read(path, limit, stamp, text, len);
	*text = NULL;
	*len = 0;
	ret = ask_file(b, path, limit, stamp, text, len);
	if (ret < 0 && *text) {
		crypto_wipe(*text, *len);
		free(*text);
		*text = NULL;
	}
	return ret;
}

static int ask_id(struct broker *b, const char *name, bool is_group, uint32_t *id)
{
	struct question q = { .op = BROKER_ID, .is_group = is_group };
	struct answer a;
	int fd, ret;

	snprintf(q.path.path, sizeof(q.path.path), "%s", name);
	ret = ask(b, &q, &a, &fd);
	*id = a.number;
	return ret;
}

int broker_id(struct broker *b, const char *name, bool is_group, uint32_t *id, char *why)
{
	int ret = b && b->is_on ? ask_id(b, name, is_group, id)
				: user_id(name, is_group, id);

	if (ret < 0)
		snprintf(why, BROKER_WHY_MAX, "%s: %s", name,
			 ret != -ENOENT ? strerror(-ret)
			 : is_group	? "there is no such group in /etc/group"
					: "there is no such user in /etc/passwd");
	return ret;
}

int broker_group(struct broker *b, const char *group, gid_t *gid, char *why)
{
	char fault[BROKER_WHY_MAX];
	int ret;

	*gid = SOCK_OWN_GROUP;
	if (!HAS_USERS || !group || !*group)
		return 0;
	ret = broker_id(b, group, true, gid, fault);
	if (ret < 0)
		snprintf(why, BROKER_WHY_MAX, "group=%.120s", fault);
	return ret;
}
