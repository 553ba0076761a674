/* SPDX-License-Identifier: MIT */
/*
 * Serves metrics. For each client its request is read, the text is awaited if it is
 * still being built, and the answer is written. Then the client must close first: if we
 * closed while bytes of its request are unread, the kernel would send a reset, and the
 * client could lose the end of the answer (RFC 2525, section 2.17).
 *
 * #syscalls: close getrusage open pread64 recvfrom sendmsg shutdown
 */
#include "show/metrics.h"

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

#include "base/log.h"
#include "show/page.h"

#define STALLED_MS 5000 /* time for a request, and as much again for the answer */
#define READ_BYTES 2048 /* read at once */
#define SEND_BYTES ((size_t)256 << 10) /* sent at once */
#define STEP_MS 1		       /* between two steps of building */
/*
 * A text stays new for this many times as long as it took to build. So building takes at
 * most a fifth of the time, however often clients ask. A text that was built in one turn
 * is not shared.
 */
#define NEW_TIMES 4

/* ---- what is served ---- */

static uint64_t us_of(const struct timeval *t)
{
	return (uint64_t)t->tv_sec * 1000000 + (uint64_t)t->tv_usec;
}

/* /proc/self/statm: the program's size and its resident part, in pages (proc(5)). */
static uint64_t resident_bytes(const struct metrics *m)
{
	char text[64] = "", *second;

	if (pread(m->statm_fd, text, sizeof(text) - 1, 0) <= 0)
		return 0;
	second = strchr(text, ' ');
	if (!second)
		return 0;
	return strtoull(second, NULL, 10) * (unsigned)getpagesize();
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

/* ---- pages ---- */

static void free_page(struct metrics_page *page)
{
	timer_cancel(page->metrics->loop, &page->step);
	timer_cancel(page->metrics->loop, &page->old);
	metrics_text_free(&page->text);
	page->is_new = page->is_whole = false;
}

static void leave_page(struct metrics_client *c)
{
	struct metrics_page *page = c->page;

	c->page = NULL;
	if (page && !--page->users && !page->is_new)
		free_page(page);
}

static void close_client(struct metrics_client *c)
{
	int fd = c->watch.fd;

	loop_del(c->metrics->loop, &c->watch);
	close(fd);
	timer_cancel(c->metrics->loop, &c->timer);
	buf_free(&c->answer);
	leave_page(c);
	listener_gone(&c->metrics->listener, NULL);
}

static void page_is_old(struct timer *t)
{
	struct metrics_page *page = container_of(t, struct metrics_page, old);

	page->is_new = false;
	if (!page->users)
		free_page(page);
}

static void write_answer(struct metrics_client *c);

/* Call @fn for each client that uses this page; @fn may close the client. */
static void each_user(struct metrics_page *page, void (*fn)(struct metrics_client *c))
{
	struct metrics *m = page->metrics;

	for (struct metrics_client *c = m->clients; c < m->clients + METRICS_CLIENTS; c++)
		if (c->page == page)
			fn(c);
}

static void begin_page_for(struct metrics_client *c)
{
	http_begin(&c->answer, HTTP_OK, HTTP_TEXT, metrics_text_len(&c->page->text));
	if (c->request.is_head)
		leave_page(c);
	if (c->answer.failed)
		close_client(c);
	else
		write_answer(c);
}

static void end_page(struct metrics_page *page)
{
	const struct metrics *m = page->metrics;
	uint64_t took = loop_now() - page->began;
	struct metrics_process process;

	look_at_process(m, &process);
	/* Count as a user, so that the page is not freed before all clients have it. */
	page->users++;
	if (metrics_text_end(&page->text, m->relay, &process) < 0) {
		page->is_new = false;
		each_user(page, close_client);
	}
	page->is_whole = true;
	each_user(page, begin_page_for);
	page->users--;
	if (page->is_new && took > STEP_MS)
		timer_set(m->loop, &page->old, took * NEW_TIMES, page_is_old);
	else
		page_is_old(&page->old);
}

static void step_due(struct timer *t)
{
	struct metrics_page *page = container_of(t, struct metrics_page, step);

	/* Leave time between two steps for the rest of the event loop. */
	if (metrics_text_ports(&page->text, page->metrics->relay))
		end_page(page);
	else
		timer_set(page->metrics->loop, t, STEP_MS, step_due);
}

/* Find a page: the new one; if none is new, an unused one; if all are used, the oldest. */
static struct metrics_page *find_page(struct metrics *m)
{
	struct metrics_page *found = m->pages;

	for (struct metrics_page *p = m->pages; p < m->pages + METRICS_PAGES; p++) {
		if (p->is_new)
			return p;
		if (found->users && (!p->users || p->began < found->began))
			found = p;
	}
	return found;
}

static void use_page(struct metrics_client *c)
{
	struct metrics_page *page = find_page(c->metrics);
	bool is_new = page->is_new;

	if (!is_new) {
		each_user(page, close_client);
		page->is_new = true;
		page->began = loop_now();
	}
	c->page = page;
	page->users++;
	c->state = METRICS_AWAITING;
	loop_mod(c->metrics->loop, &c->watch, 0);
	if (!is_new)
		step_due(&page->step);
	else if (page->is_whole)
		begin_page_for(c);
}

/* ---- clients ---- */

static void write_other(struct metrics_client *c, enum http_status status)
{
	struct buf body = { 0 };

	if (status == HTTP_OK && !HAS_PAGE && !strcmp(c->request.path, "/"))
		buf_printf(&body, "netrelay's metrics are at /metrics\n");
	else if (status == HTTP_OK)
		status = HTTP_NOT_FOUND;
	if (status == HTTP_MISDIRECTED)
		buf_printf(&body,
			   "For this page use an address, localhost, or a host name "
			   "without a dot.\n");
	http_answer(&c->answer, status, body.len ? &body : NULL, c->request.is_head);
	buf_free(&body);
	if (c->answer.failed)
		close_client(c);
	else
		write_answer(c);
}

/* Answer with a part of the page, or begin to. */
static void write_part(struct metrics_client *c, const struct page_part *part)
{
	if (!http_trusts_host(&c->request)) {
		write_other(c, HTTP_MISDIRECTED);
		return;
	}
	http_begin(&c->answer, HTTP_OK, part->type, part->len);
	if (!c->request.is_head && part->show)
		c->show = part->show;
	else if (!c->request.is_head)
		buf_add(&c->answer, part->data, part->len);
	if (c->answer.failed)
		close_client(c);
	else
		write_answer(c);
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

/*
 * Point @iov at up to SEND_BYTES of what is still to send. Return: its elements, which fit
 * msg_iovlen: an int or a size_t, by the C library.
 */
static uint8_t fill(const struct metrics_client *c, struct iovec *iov)
{
	size_t skip = c->sent, room = SEND_BYTES;
	const struct buf *b = &c->answer;
	uint8_t n = 0;

	for (int part = 0;; b = &c->page->text.part[part++]) {
		size_t left = b->len > skip ? min_size(b->len - skip, room) : 0;

		if (left)
			iov[n++] = (struct iovec){ b->data + skip, left };
		skip -= min_size(skip, b->len);
		room -= left;
		if (!c->page || part == METRICS_PARTS)
			return n;
	}
}

/* All that was written is sent: write the next step of the view, for the next turn. */
static void show_more(struct metrics_client *c)
{
	c->answer.len = c->sent = 0;
	if (c->show(&c->shown, c->metrics->relay, &c->answer))
		c->show = NULL;
	if (c->answer.failed)
		close_client(c);
	else
		await(c, METRICS_WRITING);
}

static void end_answer(struct metrics_client *c)
{
	buf_free(&c->answer);
	leave_page(c);
	shutdown(c->watch.fd, SHUT_WR);
	await(c, METRICS_CLOSING);
}

static void write_answer(struct metrics_client *c)
{
	struct iovec iov[1 + METRICS_PARTS];
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = fill(c, iov) };
	ssize_t n = sendmsg(c->watch.fd, &msg, MSG_NOSIGNAL);
	size_t len = c->answer.len;

	if (has_failed(n)) {
		close_client(c);
		return;
	}
	if (c->page)
		len += metrics_text_len(&c->page->text);
	c->sent += n > 0 ? (size_t)n : 0;
	if (c->sent < len)
		await(c, METRICS_WRITING);
	else if (HAS_PAGE && c->show)
		show_more(c);
	else
		end_answer(c);
}

static void begin_answer(struct metrics_client *c, enum http_status status)
{
	const struct page_part *part = NULL;

	timer_set(c->metrics->loop, &c->timer, STALLED_MS, time_is_up);
	if (HAS_PAGE && status == HTTP_OK)
		part = page_find(c->request.path);
	if (part)
		write_part(c, part);
	else if (status == HTTP_OK && !strcmp(c->request.path, "/metrics"))
		use_page(c);
	else
		write_other(c, status);
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

/* Find a free slot; if there is none, close the client that is nearest to its timeout. */
static struct metrics_client *find_place(struct metrics *m)
{
	struct metrics_client *oldest = m->clients;

	for (struct metrics_client *c = m->clients; c < m->clients + METRICS_CLIENTS;
	     c++) {
		if (c->watch.fd < 0)
			return c;
		if (c->timer.due_ns < oldest->timer.due_ns)
			oldest = c;
	}
	close_client(oldest);
	return oldest;
}

static void on_accepted(struct listener *l, int fd, const char *peer,
			struct admit_host *host, void *arg)
{
	struct metrics *m = arg;
	struct metrics_client *c = find_place(m);

	(void)peer;
	memset(c, 0, sizeof(*c));
	c->metrics = m;
	if (loop_add(m->loop, &c->watch, fd, EPOLLIN, client_ready) < 0) {
		close(fd);
		listener_gone(l, host);
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
	for (int i = 0; i < METRICS_CLIENTS; i++)
		m->clients[i].watch.fd = -1;
	for (int i = 0; i < METRICS_PAGES; i++)
		m->pages[i].metrics = m;
	m->listener.name = ep->text;
	m->listener.addr = &ep->local;
	m->listener.passed = relay->env.passed;
	m->listener.waits = relay->waits;
	m->listener.admit.access = &ep->access;
	m->listener.accepted = on_accepted;
	m->listener.arg = m;
	ret = listener_start(&m->listener, loop, why, size);
	if (ret < 0)
		return ret;
	if (endpoint_is_open(ep))
		log_warn(
			"%s: whoever can reach this port can read names, addresses and "
			"counters of all ports; limit it by allow=, or serve on 127.0.0.1",
			ep->text);
	/* Open it now: later there may be no descriptors left, or no /proc. */
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
	for (int i = 0; i < METRICS_PAGES; i++)
		free_page(&m->pages[i]);
	listener_stop(&m->listener);
	if (m->statm_fd >= 0)
		close(m->statm_fd);
	m->relay = NULL;
}
