/* SPDX-License-Identifier: MIT */
/*
 * A client goes through three states: its request is read, the answer written,
 * and then it is to close first. If we did, with bytes of its request unread,
 * the kernel would take back what it has not received yet (RFC 2525, 2.17).
 */
#include "metrics.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "metrics-text.h"

#define STALLED_MS 5000 /* the most a request may take, and again the answer */
#define READ_BYTES 2048 /* at a time */

/* ---- what is served ---- */

static uint64_t us_of(const struct timeval *t)
{
	return (uint64_t)t->tv_sec * 1000000 + (uint64_t)t->tv_usec;
}

/* statm: the program's size, and how much of that is resident, in pages (proc(5)). */
static uint64_t resident_bytes(const struct metrics *m)
{
	char text[64] = "", *second;

	if (pread(m->statm_fd, text, sizeof(text) - 1, 0) <= 0)
		return 0;
	second = strchr(text, ' ');
	if (!second)
		return 0;
	return strtoull(second, NULL, 10) * (uint64_t)sysconf(_SC_PAGESIZE);
}

static void look_at_process(const struct metrics *m, struct metrics_process *p)
{
	struct rusage usage;

	*p = (struct metrics_process){
		.start_s = m->start_s,
		.resident_bytes = resident_bytes(m),
	};
	if (getrusage(RUSAGE_SELF, &usage) == 0)
		p->cpu_us = us_of(&usage.ru_utime) + us_of(&usage.ru_stime);
}

static void write_page(const struct metrics *m, const struct http_request *q,
		       struct buf *answer)
{
	struct metrics_process process;
	struct buf body = { 0 };

	if (!strcmp(q->path, "/metrics")) {
		look_at_process(m, &process);
		metrics_text(&body, m->relay, &process);
	} else if (!strcmp(q->path, "/")) {
		buf_printf(&body, "netrelay's metrics are at /metrics\n");
	}
	http_answer(answer, body.len ? HTTP_OK : HTTP_NOT_FOUND, body.len ? &body : NULL,
		    q->is_head);
	buf_free(&body);
}

/* ---- clients ---- */

static void close_client(struct metrics_client *c)
{
	int fd = c->watch.fd;

	loop_del(c->metrics->loop, &c->watch);
	close(fd);
	timer_cancel(c->metrics->loop, &c->timer);
	buf_free(&c->answer);
	listener_gone(&c->metrics->listener);
}

static void time_is_up(struct timer *t)
{
	close_client(container_of(t, struct metrics_client, timer));
}

static void await(struct metrics_client *c, enum metrics_state state)
{
	c->state = state;
	loop_mod(c->metrics->loop, &c->watch,
		 state == METRICS_WRITING ? EPOLLOUT : EPOLLIN);
}

static bool has_failed(ssize_t n)
{
	return n < 0 && errno != EAGAIN && errno != EINTR;
}

static void write_answer(struct metrics_client *c)
{
	ssize_t n = send(c->watch.fd, c->answer.data + c->sent, c->answer.len - c->sent,
			 MSG_NOSIGNAL);

	if (has_failed(n)) {
		close_client(c);
		return;
	}
	c->sent += n > 0 ? (size_t)n : 0;
	if (c->sent < c->answer.len) {
		await(c, METRICS_WRITING);
		return;
	}
	buf_free(&c->answer);
	shutdown(c->watch.fd, SHUT_WR);
	await(c, METRICS_CLOSING);
}

static void begin_answer(struct metrics_client *c, enum http_status status)
{
	if (status == HTTP_OK)
		write_page(c->metrics, &c->request, &c->answer);
	else
		http_answer(&c->answer, status, NULL, c->request.is_head);
	if (c->answer.failed) {
		close_client(c);
		return;
	}
	timer_set(c->metrics->loop, &c->timer, STALLED_MS, time_is_up);
	write_answer(c);
}

static void read_request(struct metrics_client *c)
{
	char data[READ_BYTES];
	ssize_t n = recv(c->watch.fd, data, sizeof(data), 0);
	enum http_status status;

	if (n == 0 || has_failed(n)) {
		close_client(c);
		return;
	}
	if (n < 0 || c->state == METRICS_CLOSING)
		return;
	status = http_read(&c->request, data, (size_t)n);
	if (status != HTTP_MORE)
		begin_answer(c, status);
}

static void client_ready(struct watch *w, uint32_t events)
{
	struct metrics_client *c = container_of(w, struct metrics_client, watch);

	(void)events;
	if (c->state == METRICS_WRITING)
		write_answer(c);
	else
		read_request(c);
}

/* One that is free, or else made free of the client that has the least time left. */
static struct metrics_client *find_place(struct metrics *m)
{
	struct metrics_client *oldest = m->clients;

	for (struct metrics_client *c = m->clients; c < m->clients + METRICS_CLIENTS;
	     c++) {
		if (c->watch.fd < 0)
			return c;
		if (c->timer.due < oldest->timer.due)
			oldest = c;
	}
	close_client(oldest);
	return oldest;
}

static void on_accepted(struct listener *l, int fd, const char *peer, void *arg)
{
	struct metrics *m = arg;
	struct metrics_client *c = find_place(m);

	(void)peer;
	memset(c, 0, sizeof(*c));
	c->metrics = m;
	if (loop_add(m->loop, &c->watch, fd, EPOLLIN, client_ready) < 0) {
		close(fd);
		listener_gone(l);
		return;
	}
	timer_set(m->loop, &c->timer, STALLED_MS, time_is_up);
}

/* ---- start and stop ---- */

int metrics_start(struct metrics *m, struct loop *loop, const struct relay *relay,
		  const struct endpoint *ep, char *why, size_t size)
{
	int ret;

	m->loop = loop;
	m->start_s = (uint64_t)time(NULL);
	m->ep = *ep;
	snprintf(m->ep.text, sizeof(m->ep.text), "metrics %.900s", ep->text);
	for (int i = 0; i < METRICS_CLIENTS; i++)
		m->clients[i].watch.fd = -1;
	m->listener.ep = &m->ep;
	m->listener.accepted = on_accepted;
	m->listener.arg = m;
	ret = listener_start(&m->listener, loop, why, size);
	if (ret < 0)
		return ret;
	/* Opened now, for later there may be no descriptors left, or no /proc. */
	m->statm_fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
	m->relay = relay;
	return 0;
}

void metrics_stop(struct metrics *m)
{
	if (!m->relay)
		return;
	for (int i = 0; i < METRICS_CLIENTS; i++)
		if (m->clients[i].watch.fd >= 0)
			close_client(&m->clients[i]);
	listener_stop(&m->listener);
	if (m->statm_fd >= 0)
		close(m->statm_fd);
	m->relay = NULL;
}
