/* SPDX-License-Identifier: MIT */
/*
 * A child's stdin and stdout, which are one socket. The helper starts it, and
 * starts it again when it has ended.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "helper.h"
#include "ports.h"
#include "stream.h"

struct exec {
	struct stream stream;
	const struct endpoint *ep;
	struct helper_call call;
	pid_t pid; /* 0: no child */
};

static struct exec *to_exec(struct port *p)
{
	return container_of(p, struct exec, stream.port);
}

static void spawned(struct helper_call *call, const struct helper_answer *answer, int fd)
{
	struct exec *e = container_of(call, struct exec, call);
	struct port *p = &e->stream.port;

	if (answer->err || fd < 0) {
		if (fd >= 0)
			close(fd);
		port_opened(p, port_why(p, -ECHILD, "%s", answer->why));
		return;
	}
	e->pid = answer->pid;
	port_opened(p, stream_use(&e->stream, fd, fd, STREAM_PLAIN));
}

static int exec_open(struct port *p)
{
	struct exec *e = to_exec(p);
	struct helper_request req = { .op = HELPER_SPAWN };
	int ret;

	snprintf(req.command, sizeof(req.command), "%s", endpoint_command(e->ep));
	ret = helper_ask(p->env->helper, &e->call, &req, spawned);
	return ret < 0 ? port_why(p, ret, "%s", strerror(-ret)) : -EINPROGRESS;
}

static void exec_close(struct port *p)
{
	struct exec *e = to_exec(p);

	helper_forget(p->env->helper, &e->call);
	if (e->pid > 0)
		helper_kill(p->env->helper, e->pid);
	e->pid = 0;
	stream_close(p);
}

static const struct port_ops ops = {
	.kind = "exec",
	.is_stream = true,
	.can_wait = true,
	.open = exec_open,
	.rx = stream_rx,
	.rx_done = stream_rx_done,
	.tx = stream_tx,
	.shut = stream_shut,
	.close = exec_close,
	.free = stream_free,
};

struct port *port_exec_new(const struct endpoint *ep, const struct port_env *env)
{
	struct exec *e = calloc(1, sizeof(*e));

	if (!e || stream_init(&e->stream, &ops, env, ep->text) < 0) {
		free(e);
		errno = ENOMEM;
		return NULL;
	}
	e->ep = ep;
	return &e->stream.port;
}
