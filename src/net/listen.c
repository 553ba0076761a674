/* SPDX-License-Identifier: MIT */
/*
 * Accepts connections, as many as the owner and the process can have. When one cannot be
 * accepted for lack of descriptors or memory, accepting pauses. When the socket itself
 * fails, it is made anew later.
 *
 * If all places are taken, a connection waits in the kernel's backlog. But who it is from
 * shows only when it is accepted, and a stranger must not drive others out (wanted()). So
 * with rules one of them is accepted and held until there is a place.
 *
 * #syscalls: accept4 close fcntl listen
 */
#include "net/listen.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alarm.h"
#include "base/log.h"
#include "base/parts.h"
#include "base/passing.h"
#include "base/util.h"

#define BACKLOG 4096 /* connections that may wait; net.core.somaxconn may allow less */
#define ACCEPTS_PER_TURN 16
#define PAUSE_MS 500   /* after a connection could not be accepted */
#define WANTED_MS 1000 /* between two calls of wanted() while a connection waits */
#define REOPEN_MAX_MS 5000

static bool is_full(const struct listener *l)
{
	return l->limit && l->n >= l->limit;
}

static void rearm(struct listener *l)
{
	loop_mod(l->loop, &l->watch, l->resume.is_set ? 0 : EPOLLIN);
}

static void connection_ready(struct watch *w, uint32_t events);

/* The socket does not show that a connection is held. */
static void resume_due(struct timer *t)
{
	struct listener *l = container_of(t, struct listener, resume);

	rearm(l);
	if (l->held >= 0)
		connection_ready(&l->watch, EPOLLIN);
}

static void pause_accepting(struct listener *l, unsigned ms)
{
	timer_set(l->loop, &l->resume, ms, resume_due);
	rearm(l);
}

static void report_once(struct listener *l, int err, const char *and)
{
	if (!l->is_reported)
		log_warn("%s: accept: %s; %s", l->name, strerror(err), and);
	l->is_reported = true;
}

/* The number of the lowest unused descriptor shows about how many are in use. */
static bool has_descriptors(const struct listener *l)
{
	int fd = fcntl(l->watch.fd, F_DUPFD_CLOEXEC, 0);

	if (fd < 0)
		return false;
	close(fd);
	return sock_leaves_fds(fd);
}

static void name_peer(struct listener *l, const struct sock_addr *from, char *name,
		      size_t size)
{
	char text[SOCK_TEXT_MAX];

	l->count++;
	if (l->path)
		snprintf(name, size, "unix:%s#%u", l->path, l->count);
	else
		snprintf(name, size, "tcp:%s", sock_text(from, text));
}

static void reopen_due(struct timer *t);

/*
 * The socket itself has failed for good, so another one must be opened. It is closed when
 * this turn is over (see loop.h).
 */
static void give_up(struct listener *l, int err)
{
	report_once(l, err, "listening anew");
	loop_mod(l->loop, &l->watch, 0);
	timer_set(l->loop, &l->resume, l->reopen_ms, reopen_due);
}

/* Act on an error of accept(), @err. Return: whether another connection may be waiting. */
static bool accept_failed(struct listener *l, int err)
{
	switch (err) {
	case EAGAIN:
		l->is_reported = false;
		return false;
	case EMFILE:
	case ENFILE:
	case ENOMEM:
	case ENOBUFS:
		/* A connection we can't accept keeps the socket readable: pause, do not spin. */
		report_once(l, err, "trying again");
		pause_accepting(l, PAUSE_MS);
		return false;
	case EINTR:
	case ECONNABORTED:
	case EPERM: /* a firewall forbids the connection */
	/* These are errors of the new connection, which is gone (accept(2)). */
	case ENETDOWN:
	case EPROTO:
	case ENOPROTOOPT:
	case EHOSTDOWN:
	case ENONET:
	case EHOSTUNREACH:
	case ENETUNREACH:
		return true;
	default:
		give_up(l, err);
		return false;
	}
}

/*
 * Accept a connection that is welcome, and hold it.
 *
 * Return: whether another one may be waiting, or it is held.
 */
static bool take_one(struct listener *l)
{
	struct sock_addr from = { .len = sizeof(from.storage) };
	int fd;

	if (!has_descriptors(l))
		return accept_failed(l, EMFILE);
	fd = accept4(l->watch.fd, &from.sa, &from.len, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd < 0)
		return accept_failed(l, errno);
	l->reopen_ms = PAUSE_MS;
	if (HAS_ACCESS && !admit_is_welcome(&l->admit, &from, fd)) {
		sock_close_hard(fd);
		return true;
	}
	l->held = fd;
	l->held_from = from;
	return true;
}

/* Pass the held connection on, unless there are too many. */
static void let_in(struct listener *l)
{
	char name[SOCK_TEXT_MAX + 16];
	struct admit_host *host = NULL;
	int fd = l->held;

	l->held = -1;
	if (HAS_ACCESS && !admit_enter(&l->admit, &l->held_from, l->n, &host)) {
		sock_close_hard(fd);
		return;
	}
	name_peer(l, &l->held_from, name, sizeof(name));
	l->n++;
	l->accepted(l, fd, name, host, l->arg);
}

/* Accept one connection. Return: whether another one may be waiting. */
static bool accept_one(struct listener *l)
{
	bool holds = HAS_ACCESS && l->admit.access && l->admit.access->n;

	if (l->held < 0 && (holds || !is_full(l)) && !take_one(l))
		return false;
	if (is_full(l) && (l->held >= 0 || !holds)) {
		l->wanted(l, l->arg);
		pause_accepting(l, WANTED_MS);
		return false;
	}
	if (l->held >= 0)
		let_in(l);
	return holds || !is_full(l);
}

static void connection_ready(struct watch *w, uint32_t events)
{
	struct listener *l = container_of(w, struct listener, watch);

	(void)events;
	for (int i = 0; i < ACCEPTS_PER_TURN; i++)
		if (!accept_one(l))
			return;
}

static int bind_stream(const struct sock_addr *addr, void *arg)
{
	(void)arg;
	return sock_bind(addr, SOCK_STREAM);
}

/* Return: the descriptor or -errno. */
static int open_socket(struct listener *l)
{
	int fd, ret;

	l->own = HAS_SERVICE ? passed_find(l->passed, l->path, l->addr, false) : NULL;
	if (l->own) {
		l->own->is_used = true;
		sock_take_fds(l->own->fd, false);
		/* They may have sent some before. */
		if (HAS_ALARM && l->path)
			alarm_need();
		return l->own->fd;
	}
	if (l->path)
		fd = broker_bind(l->broker, l->path, SOCK_STREAM, l->mode, l->gid,
				 &l->made);
	else
		fd = sock_bind_listener(l->addr, bind_stream, NULL);
	if (fd < 0 || listen(fd, BACKLOG) == 0)
		return fd;
	ret = -errno;
	close(fd);
	broker_unlink(l->broker, &l->made);
	return ret;
}

static void close_socket(struct listener *l, int fd)
{
	if (l->own) {
		l->own->is_used = false;
		l->own = NULL;
		return;
	}
	close(fd);
	broker_unlink(l->broker, &l->made);
}

/* Return: 0 or -errno. */
static int start_listening(struct listener *l)
{
	int ret, fd;

	if (HAS_KEYS && l->open)
		return l->open(l->arg);
	fd = open_socket(l);
	if (fd < 0)
		return fd;
	ret = loop_add(l->loop, &l->watch, fd, EPOLLIN, connection_ready);
	if (ret < 0)
		close_socket(l, fd);
	return ret;
}

static void stop_listening(struct listener *l)
{
	int fd = l->watch.fd;

	if (fd < 0)
		return;
	loop_del(l->loop, &l->watch);
	close_socket(l, fd);
	if (l->held >= 0)
		sock_close_hard(l->held);
	l->held = -1;
}

static void reopen_due(struct timer *t)
{
	struct listener *l = container_of(t, struct listener, resume);

	stop_listening(l);
	l->reopen_ms = l->reopen_ms * 2 > REOPEN_MAX_MS ? REOPEN_MAX_MS
							: l->reopen_ms * 2;
	if (start_listening(l) == 0)
		log_info("%s: listening again", l->name);
	else
		timer_set(l->loop, t, l->reopen_ms, reopen_due);
}

/* Look up what has a name. Return: 0; -errno, with a message. */
static int find_names(struct listener *l, char *why, size_t size)
{
	char fault[BROKER_WHY_MAX + 16];
	int ret = HAS_ACCESS ? admit_start(&l->admit, l->broker, fault, sizeof(fault))
			     : 0;

	if (ret == 0)
		ret = broker_group(l->broker, l->group, &l->gid, fault);
	if (ret < 0)
		snprintf(why, size, "%s: %s", l->name, fault);
	return ret;
}

int listener_start(struct listener *l, struct loop *loop, char *why, size_t size)
{
	int ret;

	l->loop = loop;
	l->watch.fd = l->held = -1;
	l->reopen_ms = PAUSE_MS;
	ret = find_names(l, why, size);
	if (ret < 0)
		return ret;
	ret = start_listening(l);
	if (ret < 0) {
		snprintf(why, size, "%s: listen: %s%s", l->name, strerror(-ret),
			 sock_hint(ret));
		if (l->waits && passing_error(ret, true)) {
			log_warn("%s; trying again", why);
			timer_set(loop, &l->resume, l->reopen_ms, reopen_due);
			return 0;
		}
		listener_free(l);
		return ret;
	}
	log_info("%s: listening%s", l->name,
		 l->own ? " at the service manager's socket" : "");
	return 0;
}

bool listener_retry_now(struct listener *l)
{
	bool waits = l->watch.fd < 0 && l->resume.is_set;

	if (waits)
		timer_set(l->loop, &l->resume, 0, reopen_due);
	return waits;
}

void listener_gone(struct listener *l, struct admit_host *host)
{
	bool was_full = is_full(l);

	l->n--;
	if (HAS_ACCESS)
		admit_leave(&l->admit, host);
	/* In a turn of its own, for its owner is busy. */
	if (was_full && l->resume.is_set && l->resume.fn == resume_due)
		timer_set(l->loop, &l->resume, 0, resume_due);
}

void listener_stop(struct listener *l)
{
	timer_cancel(l->loop, &l->resume);
	stop_listening(l);
}

void listener_free(struct listener *l)
{
	if (HAS_ACCESS)
		admit_free(&l->admit);
}
