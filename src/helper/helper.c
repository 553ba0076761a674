/* SPDX-License-Identifier: MIT */
/*
 * The relay's side of a helper: starts it, starts another one when it has ended or
 * does not answer, sends requests, and matches answers to calls by their number.
 * SOCK_SEQPACKET keeps requests and answers whole.
 *
 * #syscalls: close fork gettid kill prlimit64 rt_sigprocmask sendto socketpair
 */
#include "helper/helper-serve.h"
#include "helper/helper.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/child.h"
#include "base/log.h"
#include "base/pass-fd.h"
#include "helper/keep.h"
#include "net/broker.h"

#define ANSWER_MS 45000 /* the helper gives up a worker after 30 s, and then answers */
#define STABLE_MS 1000	/* a helper that ends sooner counts as one that failed at once */
#define DELAY_MIN_MS \
	100 /* before another helper is started, if the last one failed at once */
#define DELAY_MAX_MS 5000
#define END_MS \
	(KEEP_LIMIT_MS + 1500) /* time to end; the helper needs KEEP_LIMIT_MS and a bit */

_Static_assert(HELPER_OPS == BROKER_HELPERS, "the broker starts each kind");

/* What each kind is for, as messages call it. */
static const char *const tasks[] = {
	[HELPER_RESOLVE] = "names",
	[HELPER_ATTACH] = "taps",
	[HELPER_SPAWN] = "commands",
};

/* Return: our end of its socket; -errno. */
static int fork_helper(struct helper *h)
{
	int ret, sv[2];

	if (h->broker)
		return broker_helper(h->broker, h->op, &h->pid);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sv) < 0)
		return -errno;
	h->pid = fork();
	if (h->pid < 0) {
		ret = -errno;
		h->pid = 0;
		close(sv[0]);
		close(sv[1]);
		return ret;
	}
	if (h->pid == 0) {
		/* The relay may have raised its own limit; commands get the old one. */
		prlimit(0, RLIMIT_NOFILE, &h->files, NULL);
		helper_serve(sv[1], h->op, NULL);
	}
	close(sv[1]);
	return sv[0];
}

void helper_init(struct helper *all, struct loop *loop, struct broker *broker)
{
	struct rlimit files = { RLIM_INFINITY, RLIM_INFINITY };

	getrlimit(RLIMIT_NOFILE, &files);
	memset(all, 0, HELPER_OPS * sizeof(*all));
	for (struct helper *h = all; h < all + HELPER_OPS; h++) {
		h->op = (enum helper_op)(h - all);
		h->broker = broker;
		h->loop = loop;
		h->watch.fd = -1;
		h->files = files;
		h->delay = DELAY_MIN_MS;
		h->limit = ANSWER_MS;
	}
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* Receive one answer. Return: its bytes; 0 when the helper has closed; -errno. */
static ssize_t receive(int fd, struct helper_answer *answer, int *passed)
{
	int fds[PASS_FDS_MAX];
	bool left_out;
	ssize_t n = pass_receive(fd, answer, sizeof(*answer), fds, &left_out);

	if (n < 0)
		return n;
	answer->why[sizeof(answer->why) - 1] = '\0';
	*passed = fds[0];
	answer->life = fds[1];
	if (left_out) {
		/* A part of an answer is of no use. */
		answer->err = -EMFILE;
		snprintf(answer->why, sizeof(answer->why),
			 "no descriptors are left; allow more (ulimit -n), or have fewer "
			 "clients");
	}
	return n;
}

static struct helper_call *take_call(struct helper *h, uint32_t id)
{
	for (struct helper_call **p = &h->calls; *p; p = &(*p)->next) {
		struct helper_call *call = *p;

		if (call->id != id)
			continue;
		*p = call->next;
		call->is_waiting = false;
		return call;
	}
	return NULL;
}

static void answers_ready(struct watch *w, uint32_t events);
static void helper_lost(struct helper *h, const char *how);

int helper_use(struct helper *h, int fd)
{
	int ret = loop_add(h->loop, &h->watch, fd, EPOLLIN, answers_ready);

	/* Hundreds of ports may ask at once. */
	sock_tune_datagrams(fd);
	h->since = loop_now();
	h->is_late = false;
	if (ret < 0)
		close(fd);
	return ret;
}

static int start(struct helper *h)
{
	int fd = fork_helper(h);

	return fd < 0 ? fd : helper_use(h, fd);
}

static void again_due(struct timer *t)
{
	struct helper *h = container_of(t, struct helper, again);
	int ret = start(h);

	if (ret == 0)
		return;
	log_info("the helper process for %s can't be started: %s; trying again",
		 tasks[h->op], strerror(-ret));
	timer_set(h->loop, &h->again, DELAY_MAX_MS, again_due);
}

/* Answer all calls with an error: each call is answered, even if the helper has ended. */
static void fail_calls(struct helper *h)
{
	struct helper_answer answer = {
		.err = -EAGAIN,
		.life = -1,
		.why = "the helper process has ended",
	};

	while (h->calls) {
		struct helper_call *call = take_call(h, h->calls->id);

		call->done(call, &answer, -1);
	}
}

/* Have another helper started: at once, or after a delay that doubles if it failed at once. */
static void helper_lost(struct helper *h, const char *how)
{
	bool was_stable = loop_now() - h->since >= STABLE_MS;
	bool is_news = was_stable || h->delay == DELAY_MIN_MS;
	int fd = h->watch.fd;

	(is_news ? log_warn : log_info)(
		"the helper process for %s %s; starting another one", tasks[h->op], how);
	loop_del(h->loop, &h->watch);
	close(fd);
	timer_cancel(h->loop, &h->overdue);
	/* A broker's is the broker's to kill. */
	if (h->pid > 0 && !h->broker)
		kill(h->pid, SIGKILL);
	h->pid = 0;
	h->delay = was_stable ? DELAY_MIN_MS : 2 * h->delay;
	if (h->delay > DELAY_MAX_MS)
		h->delay = DELAY_MAX_MS;
	timer_set(h->loop, &h->again, was_stable ? 0 : h->delay, again_due);
	fail_calls(h);
}

void helper_reaped(struct helper *all, pid_t pid)
{
	for (struct helper *h = all; h < all + HELPER_OPS; h++) {
		if (pid != h->pid)
			continue;
		h->pid = 0;
		if (h->watch.fd >= 0)
			helper_lost(h, "has ended");
	}
}

static void deliver(struct helper *h, struct helper_answer *answer, int fd)
{
	struct helper_call *call = take_call(h, answer->id);

	h->is_late = false;
	if (call) {
		call->done(call, answer, fd);
		return;
	}
	close_fd(&fd);
	close_fd(&answer->life);
}

static void answers_ready(struct watch *w, uint32_t events)
{
	struct helper *h = container_of(w, struct helper, watch);
	struct helper_answer answer;
	int passed;

	(void)events;
	for (;;) {
		ssize_t n = receive(w->fd, &answer, &passed);

		if (n == -EAGAIN || n == -EINTR)
			return;
		if (n <= 0) {
			helper_lost(h, "has ended");
			return;
		}
		/* A part of an answer is nobody's, but its descriptors are to be closed. */
		if (n != (ssize_t)sizeof(answer))
			answer.id = 0;
		deliver(h, &answer, passed);
	}
}

/* Replace a helper that is stopped or stuck: calls would wait for it for ever. */
static void overdue_due(struct timer *t)
{
	struct helper *h = container_of(t, struct helper, overdue);
	uint64_t now = loop_now(), oldest = now;

	for (const struct helper_call *call = h->calls; call; call = call->next)
		oldest = call->since < oldest ? call->since : oldest;
	/*
	 * If relay and helper were both stopped for a while, its answer is about to come,
	 * so a helper that is late once gets a little more time.
	 */
	if (!h->calls) {
		h->is_late = false;
	} else if (now - oldest < h->limit) {
		timer_set(h->loop, t, h->limit - (now - oldest), overdue_due);
	} else if (!h->is_late) {
		h->is_late = true;
		timer_set(h->loop, t, h->limit / 10, overdue_due);
	} else {
		helper_lost(h, "does not answer");
	}
}

static int send_request(struct helper *h, const struct helper_request *req)
{
	int ret = 0;

	if (h->watch.fd < 0)
		ret = h->again.is_set ? -EAGAIN : start(h);
	if (ret < 0)
		return ret;
	/* All errors are alike to the caller, which tries again later, maybe with another helper. */
	if (send(h->watch.fd, req, sizeof(*req), MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		return -EAGAIN;
	return 0;
}

int helper_ask(struct helper *all, struct helper_call *call, struct helper_request *req,
	       helper_done *done)
{
	struct helper *h = &all[req->op];
	int ret;

	req->id = ++h->last_id;
	ret = send_request(h, req);
	if (ret < 0)
		return ret;
	call->helper = h;
	call->id = req->id;
	call->done = done;
	call->is_waiting = true;
	call->since = loop_now();
	call->next = h->calls;
	h->calls = call;
	if (!h->overdue.is_set)
		timer_set(h->loop, &h->overdue, h->limit, overdue_due);
	return 0;
}

void helper_forget(struct helper_call *call)
{
	if (call->is_waiting)
		take_call(call->helper, call->id);
}

void helper_stop(struct helper *all)
{
	int fd;

	for (struct helper *h = all; h < all + HELPER_OPS; h++) {
		timer_cancel(h->loop, &h->again);
		timer_cancel(h->loop, &h->overdue);
		fd = h->watch.fd;
		loop_del(h->loop, &h->watch);
		if (fd >= 0)
			close(fd);
	}
	/* They wait for their commands. */
	for (struct helper *h = all; h < all + HELPER_OPS; h++) {
		child_wait(h->pid, END_MS);
		h->pid = 0;
	}
}
