/* SPDX-License-Identifier: MIT */
/*
 * A command's stdin and stdout, which are one socket. The helper starts the command, and
 * starts it again when it has ended.
 *
 * The socket shows that the output has ended, the keeper's life line how the command
 * has; mostly in this order, and the one a moment after the other.
 *
 * #syscalls: close recvfrom
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "helper/helper.h"
#include "helper/keep.h"
#include "port/driver.h"
#include "port/stream.h"

#define PROVEN_MS 1000 /* a command that has run for so long was started with success */
#define STATUS_MS 2000 /* to wait for the status, once the output has ended */

/*
 * @life:   the life line, which brings the status of a command that has ended
 * @status: as of waitpid(), once @has_status
 * @has_end: the output has ended, too
 * @proven: until the port counts as up, though it has brought nothing
 * @over:   until the port goes down, after the output or the command has ended
 * @seen:   bytes received when @over was last set
 */
struct exec {
	struct stream stream;
	const struct endpoint *ep;
	struct helper_call call;
	struct watch life;
	int status;
	bool has_status, has_end;
	struct timer proven, over;
	uint64_t seen;
};

static struct exec *to_exec(struct port *p)
{
	return container_of(p, struct exec, stream.port);
}

/* Say how the command ended. Return: the error that ends the port. */
static int why_over(struct exec *e)
{
	struct port *p = &e->stream.port;

	if (!e->has_status && e->has_end)
		return port_why(p, PORT_CLOSED, "the command has closed its output");
	if (!e->has_status)
		return port_why(p, PORT_CLOSED, "the command has closed its input");
	if (WIFSIGNALED(e->status))
		return port_why(p, -ECHILD, "ended by signal %d (%s)",
				WTERMSIG(e->status), strsignal(WTERMSIG(e->status)));
	if (WEXITSTATUS(e->status))
		return port_why(p, -ECHILD, "exited with status %d",
				WEXITSTATUS(e->status));
	return port_why(p, PORT_CLOSED, "exited");
}

static void over_due(struct timer *t)
{
	struct exec *e = container_of(t, struct exec, over);
	struct port *p = &e->stream.port;

	/* Another port that is slow needs time to take the rest of the output. */
	if (!e->has_end && (p->is_held || p->count.rx_bytes != e->seen)) {
		e->seen = p->count.rx_bytes;
		timer_set(p->env->loop, t, KEEP_LIMIT_MS, over_due);
		return;
	}
	why_over(e);
	port_down(p);
}

static void proven_due(struct timer *t)
{
	port_proven(&container_of(t, struct exec, proven)->stream.port);
}

/*
 * The command has ended. Its output is still to be read, up to the end, which the keeper
 * sees to.
 */
static void has_ended(struct watch *w, uint32_t events)
{
	struct exec *e = container_of(w, struct exec, life);
	struct loop *loop = e->stream.port.env->loop;
	ssize_t n = recv(w->fd, &e->status, sizeof(e->status), MSG_DONTWAIT);

	(void)events;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	e->has_status = n == (ssize_t)sizeof(e->status);
	/* If the output has ended before, nothing else is to be waited for. */
	timer_set(loop, &e->over, e->has_end ? 0 : KEEP_LIMIT_MS, over_due);
	loop_mod(loop, w, 0);
}

static int watch_life(struct exec *e, int fd)
{
	int ret = loop_add(e->stream.port.env->loop, &e->life, fd, EPOLLIN, has_ended);

	if (ret < 0)
		close(fd);
	return ret;
}

static int use(struct exec *e, int fd, int life)
{
	struct port *p = &e->stream.port;
	int ret = watch_life(e, life);

	if (ret < 0) {
		close(fd);
		return port_why(p, ret, "epoll: %s", strerror(-ret));
	}
	ret = stream_use(&e->stream, fd, fd, TRUNK_NONE);
	p->awaiting_peer = true;
	timer_set(p->env->loop, &e->proven, PROVEN_MS, proven_due);
	return ret;
}

static void spawned(struct helper_call *call, const struct helper_answer *answer, int fd)
{
	struct exec *e = container_of(call, struct exec, call);
	struct port *p = &e->stream.port;

	if (answer->err)
		port_opened(p, port_why(p, answer->err, "%s", answer->why));
	else
		port_opened(p, use(e, fd, answer->life));
}

bool port_exec_asks(const struct endpoint *ep, const struct helper_request *req)
{
	return !req ||
	       (req->op == HELPER_SPAWN && !strcmp(endpoint_command(ep), req->command));
}

static int exec_open(struct port *p)
{
	struct exec *e = to_exec(p);
	struct helper_request req = { .op = HELPER_SPAWN };
	int ret;

	e->has_status = e->has_end = false;
	snprintf(req.command, sizeof(req.command), "%s", endpoint_command(e->ep));
	ret = helper_ask(p->env->helpers, &e->call, &req, spawned);
	return ret < 0 ? port_why(p, ret, "%s", strerror(-ret)) : -EINPROGRESS;
}

/* Suggest what works to people who try programs that don't speak QEMU's framing. */
static void advise(struct port *p)
{
	size_t len = strlen(p->why);

	snprintf(p->why + len, sizeof(p->why) - len,
		 "; to join a VDE switch, take udp: and vde_plug's udp://, "
		 "to join socat, a tap");
}

/* Epoll would report the end of the output again and again. */
static void exec_arm(struct port *p, bool rx, bool tx)
{
	bool has_end = to_exec(p)->has_end;

	port_arm_fds(p, rx && !has_end, tx && !has_end);
}

static int exec_rx(struct port *p, struct batch *b)
{
	struct exec *e = to_exec(p);
	int ret = stream_rx(p, b);

	if (b->n)
		port_proven(p);
	if (ret == -EPROTO)
		advise(p);
	/* A reset: it has ended without having read all that was sent to it. */
	if (ret != PORT_CLOSED && ret != -ECONNRESET)
		return ret;
	if (e->has_status)
		return why_over(e);
	e->has_end = true;
	exec_arm(p, false, false);
	timer_set(p->env->loop, &e->over, STATUS_MS, over_due);
	return 0;
}

/* What it has still written is read, and its status is what tells why it takes no more. */
static int exec_tx(struct port *p, const struct frame *f, unsigned n)
{
	struct exec *e = to_exec(p);
	int ret = stream_tx(p, f, n);

	if (ret != -EPIPE && ret != -ECONNRESET)
		return ret;
	port_drop(p, DROP_LOST, n);
	if (!e->over.is_set)
		timer_set(p->env->loop, &e->over, STATUS_MS, over_due);
	return (int)n;
}

static void exec_close(struct port *p)
{
	struct exec *e = to_exec(p);
	int life = e->life.fd;

	helper_forget(&e->call);
	timer_cancel(p->env->loop, &e->proven);
	timer_cancel(p->env->loop, &e->over);
	loop_del(p->env->loop, &e->life);
	if (life >= 0)
		close(life);
	stream_close(p);
}

static const struct port_ops ops = {
	.kind = "exec",
	.is_stream = true,
	.has_backpressure = true,
	.open = exec_open,
	.arm = exec_arm,
	.rx = exec_rx,
	.rx_done = stream_rx_done,
	.tx = exec_tx,
	.shut = stream_shut,
	.close = exec_close,
	.free = stream_free,
};

struct port *port_exec_new(const struct endpoint *ep, const struct port_env *env)
{
	struct exec *e = stream_new(sizeof(*e), &ops, env, ep->text);

	if (!e)
		return NULL;
	e->ep = ep;
	e->life.fd = -1;
	return &e->stream.port;
}
