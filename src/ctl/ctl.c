/* SPDX-License-Identifier: MIT */
/*
 * The control socket. A client is read until it has sent its line; from then on it is
 * only written to. Output that the client does not take yet is kept in memory, and is
 * bounded: an answer is written in steps, and events beyond EVENTS_BYTES are left out
 * and counted. A client's memory is freed at the end of the turn (see loop.h).
 *
 * #syscalls: clock_gettime close recvfrom sendto shutdown
 */
#include "ctl/ctl.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/escape.h"
#include "base/log.h"
#include "base/parts.h"
#include "ctl/ctl-command.h"
#include "show/events-text.h"

#define CLIENTS_MAX 16
#define REQUEST_BYTES 4096
#define REQUEST_MS 30000 /* time for a request: somebody may be typing */
#define ANSWER_MS 5000	 /* a client that takes no byte for so long is closed */
#define AWAIT_MS \
	5000 /* the longest wait for a new port; netrelay ctl gives up after 10 s */
#define AWAIT_STEP_MS 50		/* between two looks at it */
#define SEND_BYTES ((size_t)64 << 10)	/* sent at once */
#define EVENTS_BYTES ((size_t)16 << 10) /* bytes of events that wait for a client */
#define EVENT_MAX 1024			/* bytes of an event's line */
/*
 * Watch for no event but EPOLLHUP, which epoll reports without being asked. Every other
 * event would have to be consumed; even EPOLLPRI, which a client can cause by MSG_OOB.
 */
#define ONLY_HANGUP EPOLLET

/*
 * @request:  its line so far
 * @out, @sent: output for it, and how many bytes of that were sent
 * @show, @shown: the view that it gets, and how far that was written to @out
 * @awaits:   the number of the port that it added, while that is being opened; 0: none
 * @await_until: when it is answered even if the port is not open yet, as loop_now(), ms
 * @follows:  it gets events
 * @left_out: events that it has missed
 */
struct ctl_client {
	struct ctl_client *next;
	struct ctl *ctl;
	struct watch watch;
	struct timer limit;
	size_t n_request;
	char request[REQUEST_BYTES];
	struct buf out;
	size_t sent;
	show_step *show;
	struct show shown;
	unsigned awaits;
	uint64_t await_until;
	bool follows;
	unsigned left_out;
	bool is_closed;
};

static struct loop *loop_of(const struct ctl_client *k)
{
	return k->ctl->relay->loop;
}

static void reap(struct deferred *d)
{
	struct ctl_client **link = &container_of(d, struct ctl, reap)->clients;

	while (*link) {
		struct ctl_client *k = *link;

		if (!k->is_closed) {
			link = &k->next;
			continue;
		}
		*link = k->next;
		buf_free(&k->out);
		free(k);
	}
}

/* End a client. Return: its connection, which the caller must close or pass on. */
static int release_client(struct ctl_client *k)
{
	int fd = k->watch.fd;

	k->is_closed = true;
	timer_cancel(loop_of(k), &k->limit);
	loop_del(loop_of(k), &k->watch);
	listener_gone(&k->ctl->listener, NULL);
	loop_defer(loop_of(k), &k->ctl->reap, reap);
	return fd;
}

static void close_client(struct ctl_client *k)
{
	if (!k->is_closed)
		close(release_client(k));
}

/* ---- what a client is told ---- */

static void too_slow(struct timer *t)
{
	close_client(container_of(t, struct ctl_client, limit));
}

static bool has_output(const struct ctl_client *k)
{
	return k->sent < k->out.len;
}

static void note_left_out(struct ctl_client *k)
{
	if (k->left_out)
		buf_printf(&k->out, "... %u events left out\n", k->left_out);
	k->left_out = 0;
}

static void show_more(struct ctl_client *k)
{
	if (k->show && k->show(&k->shown, k->ctl->relay, &k->out))
		k->show = NULL;
}

/* The client has taken all output: add more, if there is any. Return: whether it stays. */
static bool go_on(struct ctl_client *k)
{
	k->sent = k->out.len = 0;
	show_more(k);
	if (k->follows)
		note_left_out(k);
	return (k->show || has_output(k) || k->follows) && !k->out.failed;
}

/* Send output. A long answer grows only as the client takes it, one step a turn. */
static void send_some(struct ctl_client *k)
{
	size_t len = min_size(k->out.len - k->sent, SEND_BYTES);
	ssize_t n = send(k->watch.fd, k->out.data + k->sent, len, MSG_NOSIGNAL);

	if (n < 0 && errno != EAGAIN) {
		close_client(k);
		return;
	}
	if (n > 0)
		k->sent += (size_t)n;
	if (!has_output(k) && !go_on(k)) {
		close_client(k);
		return;
	}
	if (k->follows)
		timer_cancel(loop_of(k), &k->limit);
	else if (n > 0)
		timer_set(loop_of(k), &k->limit, ANSWER_MS, too_slow);
	loop_mod(loop_of(k), &k->watch,
		 has_output(k) || k->show ? EPOLLOUT : ONLY_HANGUP);
}

/* Answer with an error, and nothing else. */
PRINTF_LIKE(2, 3) static void refuse(struct ctl_client *k, const char *fmt, ...)
{
	char why[CTL_WHY_MAX], line[CTL_WHY_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, sizeof(why), fmt, ap);
	va_end(ap);
	escape_text(line, sizeof(line), why);
	k->follows = false;
	k->show = NULL;
	k->out.len = 0;
	buf_printf(&k->out, "error: %s\n", line);
	if (k->out.failed)
		close_client(k);
	else
		send_some(k);
}

static const char *capture_fault(int err)
{
	switch (err) {
	case EBUSY:
		return "no more captures may run at the same time; end one of them";
	case ENOENT:
		return "there is no such port; see: status";
	default:
		return strerror(err);
	}
}

/* Pass the connection on to a capture. Nothing was sent to it yet, so it has room for a line. */
static void give_to_capture(struct ctl_client *k, const struct capture_filter *filter)
{
	struct ctl *c = k->ctl;
	int fd = release_client(k),
	    ret = ctl_capture_start(&c->captures, c->relay, fd, filter);
	char line[128] = "ok\n";

	if (ret < 0)
		snprintf(line, sizeof(line), "error: %s\n", capture_fault(-ret));
	/*
	 * A client that did not get this line must not mistake packets for it: shut the
	 * connection, and the capture will notice.
	 */
	if (send(fd, line, strlen(line), MSG_NOSIGNAL) < 0) {
		log_info("%s: %s", c->name, strerror(errno));
		shutdown(fd, SHUT_RDWR);
	}
	if (ret < 0)
		close(fd);
}

/* Answer the client that added a port: the port is open, waits to be retried, or has failed. */
static void answer_awaited(struct ctl_client *k, const struct member *m)
{
	char why[CTL_WHY_MAX], line[CTL_WHY_MAX];

	k->awaits = 0;
	buf_printf(&k->out, "ok\n");
	if (ctl_added(m, &k->out, why, sizeof(why)) < 0) {
		escape_text(line, sizeof(line), why);
		k->out.len = 0;
		buf_printf(&k->out, "error: %s\n", line);
	}
	if (k->out.failed) {
		close_client(k);
		return;
	}
	timer_set(loop_of(k), &k->limit, ANSWER_MS, too_slow);
	loop_mod(loop_of(k), &k->watch, EPOLLOUT);
}

static void await_due(struct timer *t)
{
	struct ctl_client *k = container_of(t, struct ctl_client, limit);
	/* relay_find() leaves out a port that has just failed. */
	const struct member *m = members_find(&k->ctl->relay->forward.members, k->awaits);

	/* Before it is gone, on_event() answers. */
	if (!m)
		close_client(k);
	else if (m->port->state != PORT_OPENING || loop_now() >= k->await_until)
		answer_awaited(k, m);
	else
		timer_set(loop_of(k), t, AWAIT_STEP_MS, await_due);
}

static void await(struct ctl_client *k, unsigned id)
{
	k->out.len = 0;
	k->awaits = id;
	k->await_until = loop_now() + AWAIT_MS;
	timer_set(loop_of(k), &k->limit, AWAIT_STEP_MS, await_due);
	loop_mod(loop_of(k), &k->watch, ONLY_HANGUP);
}

static void answer(struct ctl_client *k)
{
	struct ctl_call call = { .relay = k->ctl->relay,
				 .out = &k->out,
				 .reload = k->ctl->reload,
				 .reload_arg = k->ctl->reload_arg,
				 .has_key = k->ctl->has_key,
				 .has_peers = k->ctl->has_peers };

	timer_set(loop_of(k), &k->limit, ANSWER_MS, too_slow);
	buf_printf(&k->out, "ok\n");
	if (ctl_command(&call, k->request) < 0) {
		refuse(k, "%s", call.why);
		return;
	}
	k->show = call.show;
	show_more(k);
	if (k->out.failed) {
		buf_free(&k->out);
		refuse(k, "no memory for the answer");
		return;
	}
	if (call.captures) {
		if (HAS_CAPTURE)
			give_to_capture(k, &call.filter);
		return;
	}
	if (call.awaits) {
		await(k, call.awaits);
		return;
	}
	k->follows = call.follows;
	send_some(k);
}

/* ---- what a client says ---- */

static void take_request(struct ctl_client *k)
{
	char *at = k->request + k->n_request, *end;
	ssize_t n = recv(k->watch.fd, at, sizeof(k->request) - k->n_request, 0);

	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0) {
		close_client(k);
		return;
	}
	k->n_request += (size_t)n;
	end = memchr(at, '\n', (size_t)n);
	if (end && memchr(k->request, '\0', (size_t)(end - k->request))) {
		refuse(k, "a command is one line of text, without zero bytes");
	} else if (end) {
		*end = '\0';
		answer(k);
	} else if (k->n_request == sizeof(k->request)) {
		refuse(k, "a command has at most %d bytes, and ends with a newline",
		       REQUEST_BYTES - 1);
	}
}

static void client_ready(struct watch *w, uint32_t events)
{
	struct ctl_client *k = container_of(w, struct ctl_client, watch);

	if (has_output(k) || k->show)
		send_some(k);
	else if ((k->follows || k->awaits) && (events & (EPOLLHUP | EPOLLERR)))
		close_client(k);
	else if (!k->follows && !k->awaits)
		take_request(k);
}

/* ---- who is one ---- */

static void turn_away(struct ctl *c, int fd, const char *line)
{
	/* Nothing was sent to it yet, so there is room for a line. */
	if (send(fd, line, strlen(line), MSG_NOSIGNAL) < 0)
		log_info("%s: %s", c->name, strerror(errno));
	close(fd);
	listener_gone(&c->listener, NULL);
}

static void add_client(struct ctl *c, int fd)
{
	struct ctl_client *k = calloc(1, sizeof(*k));

	if (!k || loop_add(c->relay->loop, &k->watch, fd, EPOLLIN, client_ready) < 0) {
		turn_away(c, fd, "error: no memory for one more client\n");
		free(k);
		return;
	}
	k->ctl = c;
	k->next = c->clients;
	c->clients = k;
	timer_set(c->relay->loop, &k->limit, REQUEST_MS, too_slow);
}

static void on_accepted(struct listener *l, int fd, const char *peer,
			struct admit_host *host, void *arg)
{
	struct ctl *c = arg;

	(void)peer;
	(void)host;
	if (!ctl_allows(&c->allow, &c->listener.made, fd))
		turn_away(
			c, fd,
			"error: only root and the user who runs the relay may use it\n");
	else if (l->n > CLIENTS_MAX)
		turn_away(c, fd, "error: too many clients are connected; end one\n");
	else
		add_client(c, fd);
}

/* ---- events ---- */

static int event_line(char *line, size_t size, const struct news *n)
{
	char name[4 * PORT_NAME_MAX], text[PORT_WHY_MAX], more[4 * PORT_WHY_MAX];
	struct timespec now;
	struct tm utc;
	int len;

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &utc);
	events_text(n, text, sizeof(text));
	escape_text(name, sizeof(name), member_name(n->member));
	escape_text(more, sizeof(more), text);
	len = snprintf(
		line, size, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ %s port %u %s%s%s",
		utc.tm_year + 1900, utc.tm_mon + 1, utc.tm_mday, utc.tm_hour, utc.tm_min,
		utc.tm_sec, (int)(now.tv_nsec / 1000000), events_name(n->event),
		n->member->id, name, *more ? " " : "", more);
	return (int)min_size((size_t)len, size - 1);
}

static void note(struct ctl_client *k, const char *line, size_t len)
{
	if (k->out.len + len >= EVENTS_BYTES || k->left_out) {
		k->left_out++;
		return;
	}
	buf_add(&k->out, line, len);
	buf_add(&k->out, "\n", 1);
	if (k->out.failed)
		close_client(k);
	else
		loop_mod(loop_of(k), &k->watch, EPOLLOUT);
}

static void on_event(struct event_watcher *w, const struct news *n)
{
	struct ctl *c = container_of(w, struct ctl, watcher);
	const struct member *m = n->member;
	char line[EVENT_MAX];
	int len = 0;

	for (struct ctl_client *k = c->clients; k; k = k->next) {
		if (k->is_closed)
			continue;
		if (k->awaits == m->id && m->port->state != PORT_OPENING)
			answer_awaited(k, m);
		if (!k->follows)
			continue;
		if (!len)
			len = event_line(line, sizeof(line), n);
		note(k, line, (size_t)len);
	}
}

/* ---- from start to end ---- */

int ctl_start(struct ctl *c, struct relay *r, const struct endpoint *ep, char *why,
	      size_t size)
{
	char fault[256];
	int ret = 0;

	snprintf(c->name, sizeof(c->name), "--ctl %s", ep->path);
	c->listener.name = c->name;
	c->listener.path = ep->path;
	c->listener.mode = ep->mode;
	c->listener.group = ep->access.group;
	c->listener.accepted = on_accepted;
	c->listener.arg = c;
	c->listener.broker = r->env.broker;
	c->listener.passed = r->env.passed;
	c->listener.waits = r->waits;
	/* The listener lets all in: those who may not are told so. */
	c->allow.others.access = &ep->access;
	if (HAS_ACCESS)
		ret = admit_start(&c->allow.others, r->env.broker, fault, sizeof(fault));
	if (ret < 0)
		snprintf(why, size, "%s: %s", c->name, fault);
	else
		ret = listener_start(&c->listener, r->loop, why, size);
	if (ret < 0)
		return ret;
	ctl_allow_init(&c->allow);
	c->relay = r;
	c->watcher.notify = on_event;
	events_subscribe(&r->events, &c->watcher);
	return 0;
}

void ctl_stop(struct ctl *c)
{
	if (!c->relay)
		return;
	events_unsubscribe(&c->relay->events, &c->watcher);
	for (struct ctl_client *k = c->clients; k; k = k->next)
		close_client(k);
	reap(&c->reap);
	if (HAS_CAPTURE)
		ctl_captures_stop(&c->captures);
	listener_stop(&c->listener);
}
