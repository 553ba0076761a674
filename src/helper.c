/* SPDX-License-Identifier: MIT */
/*
 * The relay's side of the helper: start it, send requests, match answers to
 * calls by their number. SOCK_SEQPACKET keeps requests and answers whole.
 */
#include "helper.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "log.h"

int helper_start(struct helper *h)
{
	int sv[2];

	memset(h, 0, sizeof(*h));
	h->watch.fd = -1;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sv) < 0)
		return -errno;
	h->pid = fork();
	if (h->pid < 0) {
		int err = errno;

		close(sv[0]);
		close(sv[1]);
		return -err;
	}
	if (h->pid == 0)
		helper_serve(sv[1]);
	close(sv[1]);
	h->watch.fd = sv[0];
	return 0;
}

/* One datagram with at most one descriptor. Return: bytes; 0 at the end; -errno. */
static ssize_t receive(int fd, struct helper_answer *answer, int *passed)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec iov = { .iov_base = answer, .iov_len = sizeof(*answer) };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *cmsg;
	ssize_t n = recvmsg(fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

	*passed = -1;
	if (n < 0)
		return -errno;
	cmsg = CMSG_FIRSTHDR(&msg);
	if (cmsg && cmsg->cmsg_level == SOL_SOCKET && cmsg->cmsg_type == SCM_RIGHTS &&
	    cmsg->cmsg_len == CMSG_LEN(sizeof(int)))
		memcpy(passed, CMSG_DATA(cmsg), sizeof(int));
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

/* Every call gets an answer, also when there is nobody left to give it. */
static void helper_lost(struct helper *h)
{
	struct helper_answer answer = {
		.err = -EPIPE,
		.why = "the helper process has ended; start netrelay again",
	};
	int fd = h->watch.fd;

	log_warn("the helper process has ended: names, taps and exec: no longer work");
	loop_del(h->loop, &h->watch);
	close(fd);
	while (h->calls) {
		struct helper_call *call = take_call(h, h->calls->id);

		call->done(call, &answer, -1);
	}
}

static void answers_ready(struct watch *w, uint32_t events)
{
	struct helper *h = container_of(w, struct helper, watch);
	struct helper_answer answer;
	struct helper_call *call;
	int passed;

	(void)events;
	for (;;) {
		ssize_t n = receive(w->fd, &answer, &passed);

		if (n == -EAGAIN || n == -EINTR)
			return;
		if (n <= 0) {
			helper_lost(h);
			return;
		}
		if (n != (ssize_t)sizeof(answer))
			continue;
		answer.why[sizeof(answer.why) - 1] = '\0';
		call = take_call(h, answer.id);
		if (call)
			call->done(call, &answer, passed);
		else if (passed >= 0)
			close(passed);
	}
}

int helper_attach(struct helper *h, struct loop *loop)
{
	h->loop = loop;
	return loop_add(loop, &h->watch, h->watch.fd, EPOLLIN, answers_ready);
}

static int send_request(struct helper *h, const struct helper_request *req)
{
	if (h->watch.fd < 0)
		return -EPIPE;
	if (send(h->watch.fd, req, sizeof(*req), MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		return -errno;
	return 0;
}

int helper_ask(struct helper *h, struct helper_call *call, struct helper_request *req,
	       helper_done *done)
{
	int ret;

	req->id = ++h->last_id;
	ret = send_request(h, req);
	if (ret < 0)
		return ret;
	call->id = req->id;
	call->done = done;
	call->is_waiting = true;
	call->next = h->calls;
	h->calls = call;
	return 0;
}

void helper_forget(struct helper *h, struct helper_call *call)
{
	if (call->is_waiting)
		take_call(h, call->id);
}

void helper_kill(struct helper *h, pid_t pid)
{
	struct helper_request req = { .op = HELPER_KILL, .pid = pid };

	send_request(h, &req);
}

void helper_stop(struct helper *h)
{
	int fd = h->watch.fd;

	if (h->pid <= 0)
		return;
	if (fd >= 0) {
		if (h->loop)
			loop_del(h->loop, &h->watch);
		h->watch.fd = -1;
		close(fd);
	}
	while (waitpid(h->pid, NULL, 0) < 0 && errno == EINTR)
		;
	h->pid = 0;
}
