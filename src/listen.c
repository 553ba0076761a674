/* SPDX-License-Identifier: MIT */
/* Accepting connections, as many as the holder and the process can take. */
#include "listen.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "log.h"
#include "util.h"

#define BACKLOG 128
#define ACCEPTS_PER_TURN 16
#define PAUSE_MS 500 /* when there are no descriptors left */

static void rearm(struct listener *l)
{
	bool is_full = l->limit && l->n >= l->limit;

	loop_mod(l->loop, &l->watch, is_full || l->resume.is_set ? 0 : EPOLLIN);
}

static void resume_due(struct timer *t)
{
	rearm(container_of(t, struct listener, resume));
}

/* A connection that can't be accepted stays ready; so it's waited, not spun. */
static void pause_accepting(struct listener *l, int err)
{
	if (!l->is_told)
		log_warn("%s: accept: %s; trying again", l->ep->text, strerror(err));
	l->is_told = true;
	timer_set(l->loop, &l->resume, PAUSE_MS, resume_due);
	rearm(l);
}

static void name_peer(struct listener *l, const struct sock_addr *from, char *name,
		      size_t size)
{
	char text[SOCK_TEXT_MAX];

	l->count++;
	if (l->ep->kind == ENDPOINT_TCP_LISTEN)
		snprintf(name, size, "tcp:%s", sock_text(from, text));
	else
		snprintf(name, size, "unix:%s#%u", l->ep->path, l->count);
}

/* Return: whether there may be more. */
static bool accept_one(struct listener *l)
{
	struct sock_addr from = { .len = sizeof(from.storage) };
	char name[SOCK_TEXT_MAX + 16];
	int fd = accept4(l->watch.fd, &from.sa, &from.len, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd < 0) {
		if (errno == EMFILE || errno == ENFILE || errno == ENOMEM ||
		    errno == ENOBUFS)
			pause_accepting(l, errno);
		else if (errno == EAGAIN)
			l->is_told = false;
		/* Any other is that connection's, and it is gone. */
		return errno == ECONNABORTED || errno == EINTR;
	}
	name_peer(l, &from, name, sizeof(name));
	l->n++;
	l->accepted(l, fd, name, l->arg);
	rearm(l);
	return !l->limit || l->n < l->limit;
}

static void connection_ready(struct watch *w, uint32_t events)
{
	struct listener *l = container_of(w, struct listener, watch);

	(void)events;
	for (int i = 0; i < ACCEPTS_PER_TURN; i++)
		if (!accept_one(l))
			return;
}

/* Without an address: both families at once, or IPv4 where there is no IPv6. */
static int listen_tcp(struct listener *l)
{
	struct sock_addr addr;
	int ret = sock_numeric(&l->ep->local, AF_INET6, &addr);

	if (ret < 0)
		return ret;
	ret = sock_bound(&addr, SOCK_STREAM);
	if (!l->ep->local.host[0] && (ret == -EAFNOSUPPORT || ret == -EADDRNOTAVAIL)) {
		sock_numeric(&l->ep->local, AF_INET, &addr);
		ret = sock_bound(&addr, SOCK_STREAM);
	}
	return ret;
}

int listener_start(struct listener *l, struct loop *loop, char *why, size_t size)
{
	int ret, fd;

	l->loop = loop;
	l->watch.fd = -1;
	if (l->ep->kind == ENDPOINT_TCP_LISTEN)
		fd = listen_tcp(l);
	else
		fd = sock_bound_unix(l->ep->path, SOCK_STREAM, l->ep->mode, &l->made);
	ret = fd;
	if (fd >= 0 && listen(fd, BACKLOG) < 0)
		ret = -errno;
	if (ret >= 0)
		ret = loop_add(loop, &l->watch, fd, EPOLLIN, connection_ready);
	if (ret < 0) {
		snprintf(why, size, "%s: listen: %s%s", l->ep->text, strerror(-ret),
			 sock_advice(ret));
		if (fd >= 0)
			close(fd);
		sock_unlink(&l->made);
		return ret;
	}
	log_info("%s: listening", l->ep->text);
	return 0;
}

void listener_gone(struct listener *l)
{
	l->n--;
	if (l->watch.fd >= 0)
		rearm(l);
}

void listener_stop(struct listener *l)
{
	int fd = l->watch.fd;

	if (fd < 0)
		return;
	timer_cancel(l->loop, &l->resume);
	loop_del(l->loop, &l->watch);
	close(fd);
	sock_unlink(&l->made);
}
