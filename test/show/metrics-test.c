/* SPDX-License-Identifier: MIT */
/*
 * metrics.c, with a relay of ports that do nothing: many clients that ask at once, for
 * metrics or for what the page shows, of which some do not read; and that no turn of the
 * loop is long.
 */
#include "show/metrics.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "lib/tap.h"
#include "lib/turn.h"
#include "lib/wide.h"

#define PORTS 2000
#define ALARM_S 300
#define WAIT_MS 10000

static struct loop loop;
static struct relay relay;
static struct metrics metrics;
static const struct port_ops ops = { .kind = "none" };
static struct port port = { .ops = &ops };
static struct member members[PORTS];
static struct endpoint dials = { .text = "tcp:127.0.0.1:5000" };
static unsigned n_turns;

/* While it is not 0, no time passes. */
static struct timespec clock_stands;

int clock_gettime(clockid_t id, struct timespec *ts)
{
	*ts = clock_stands;
	return ts->tv_sec ? 0 : (int)syscall(WIDE_clock_gettime, id, ts);
}

/* Always ready: it has its turn as often as there are n_turns. */
static void other_ready(struct watch *w, uint32_t events)
{
	(void)w;
	(void)events;
	if (metrics.pages[0].text.is_begun && !metrics.pages[0].is_whole)
		n_turns++;
}

static void begin(unsigned n)
{
	static struct endpoint at;
	char why[256];

	memset(&relay, 0, sizeof(relay));
	memset(&metrics, 0, sizeof(metrics));
	for (unsigned i = 0; i < n; i++)
		members[i] = (struct member){
			.port = &port,
			.id = i + 1,
			.ep = &dials,
			.next = i + 1 < n ? &members[i + 1] : NULL,
		};
	relay.forward.members.first = n ? members : NULL;
	endpoint_parse_listen(&at, "127.0.0.1:1", why, sizeof(why));
	at.local.port = 0;
	if (loop_init(&loop) < 0 ||
	    metrics_start(&metrics, &loop, &relay, &at, why, sizeof(why)) < 0)
		exit(1);
}

static void end(void)
{
	metrics_stop(&metrics);
	loop_free(&loop);
}

/* A client that has asked. */
static int ask(const char *request)
{
	struct sockaddr_in to;
	socklen_t len = sizeof(to);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), few = 4096;

	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &few, sizeof(few));
	getsockname(metrics.listener.watch.fd, (struct sockaddr *)&to, &len);
	if (connect(fd, (struct sockaddr *)&to, len) < 0 && errno != EINPROGRESS)
		exit(1);
	if (send(fd, request, strlen(request), MSG_NOSIGNAL) < 0)
		printf("# send: %s\n", strerror(errno));
	return fd;
}

#define GET "GET /metrics HTTP/1.1\r\n\r\n"

/* Read to the end. Return: bytes; 0 when there is none. */
static size_t read_all(int fd)
{
	static char chunk[65536];
	size_t got = 0;
	ssize_t n;

	for (;;) {
		n = recv(fd, chunk, sizeof(chunk), 0);
		if (n == 0 || (n < 0 && errno != EAGAIN))
			return n == 0 ? got : 0;
		if (n > 0)
			got += (size_t)n;
		else
			turn_for(&loop, 1);
	}
}

static unsigned users(void)
{
	unsigned n = 0;

	for (int i = 0; i < METRICS_PAGES; i++)
		n += metrics.pages[i].users;
	return n;
}

static unsigned pages(void)
{
	unsigned n = 0;

	for (int i = 0; i < METRICS_PAGES; i++)
		n += metrics.pages[i].text.is_begun;
	return n;
}

/* Turns of the loop that others have until an answer has come whole. */
static void test_turns(void)
{
	struct watch other = WATCH_INIT;
	int fd, event = eventfd(1, EFD_NONBLOCK);

	begin(PORTS);
	loop_add(&loop, &other, event, EPOLLIN, other_ready);
	fd = ask(GET);
	n_turns = 0;
	while (!metrics.pages[0].is_whole)
		turn_for(&loop, 1);
	ok(n_turns >= PORTS / METRICS_PORTS_A_STEP - 1,
	   "while a text is built, others have %u n_turns", n_turns);
	ok(read_all(fd) > PORTS * 1000, "and it comes whole");
	loop_del(&loop, &other);
	close(event);
	close(fd);
	end();
}

static void test_shared(void)
{
	int fd[METRICS_CLIENTS];
	size_t len;

	begin(PORTS);
	for (int i = 0; i < METRICS_CLIENTS; i++)
		fd[i] = ask(GET);
	while (!metrics.pages[0].is_whole)
		turn_for(&loop, 1);
	turn_until(&loop, WAIT_MS, users() == METRICS_CLIENTS);
	ok_eq_int(users(), METRICS_CLIENTS, "as many clients as there may be");
	ok_eq_int(pages(), 1, "share one text");
	len = read_all(fd[0]);
	ok(len > PORTS * 1000 && read_all(fd[7]) == len, "and each gets all of it");
	close(fd[1]);
	turn_until(&loop, WAIT_MS, users() <= METRICS_CLIENTS - 3);
	ok_eq_int(users(), METRICS_CLIENTS - 3,
		  "who has it, or is gone, uses it no more");
	for (int i = 0; i < METRICS_CLIENTS; i++)
		close(fd[i]);
	turn_until(&loop, WAIT_MS, !users());
	ok_eq_int(users(), 0, "when all have gone");
	turn_until(&loop, WAIT_MS, !pages());
	ok_eq_int(pages(), 0, "its memory is given back");
	end();
}

/* So many have come, and each has been sent as much as it takes. */
static bool are_served(unsigned n)
{
	bool all = metrics.listener.count == n;

	for (int i = 0; i < METRICS_CLIENTS; i++)
		all &= metrics.clients[i].watch.fd < 0 ||
		       metrics.clients[i].state == METRICS_WRITING;
	for (int i = 0; i < METRICS_PAGES; i++)
		all &= !metrics.pages[i].is_new;
	return all;
}

/* Who does not read has an older text than who comes later. */
static void test_deaf(void)
{
	int fd[6];
	size_t len;

	begin(PORTS);
	for (int i = 0; i < 6; i++) {
		fd[i] = ask(GET);
		while (!are_served((unsigned)i + 1))
			turn_for(&loop, 5);
		ok(pages() <= METRICS_PAGES, "%d deaf clients: %u texts", i + 1, pages());
	}
	ok_eq_int(users(), METRICS_PAGES, "the older ones had to go");
	len = read_all(fd[5]);
	ok(len > PORTS * 1000, "the last one is served");
	ok(read_all(fd[0]) < len, "the first one has no more than was sent before");
	for (int i = 0; i < 6; i++)
		close(fd[i]);
	end();
}

static bool is_answered(int fd)
{
	char byte;

	return recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 1;
}

/* Of few ports a text is there at once, and is never shared: it is of now. */
static void test_few(void)
{
	int one, two;

	begin(3);
	one = ask(GET);
	two = ask("HEAD /metrics HTTP/1.0\r\n\r\n");
	/* On a machine that is busy it may take long, and would be kept. */
	clock_gettime(CLOCK_MONOTONIC, &clock_stands);
	while (!is_answered(one) || !is_answered(two))
		turn_when_ready(&loop, 20);
	ok_eq_int(users(), 0, "a short answer is sent at once");
	ok_eq_int(pages(), 0, "and not kept");
	clock_stands.tv_sec = 0;
	ok(read_all(one) > 3000, "it is there");
	ok(read_all(two) > 50, "and so is its head alone");
	close(one);
	close(two);
	end();
}

#define GET_STATUS "GET /status.json HTTP/1.1\r\nHost: localhost\r\n\r\n"
#define STEP_BYTES (128 << 10) /* memory that a step needs at most */

static size_t n_steps, most_memory;

static void view_ready(struct watch *w, uint32_t events)
{
	size_t memory = 0;

	(void)w;
	(void)events;
	for (int i = 0; i < METRICS_CLIENTS; i++) {
		n_steps += metrics.clients[i].watch.fd >= 0 && metrics.clients[i].show;
		memory += metrics.clients[i].answer.size;
	}
	if (memory > most_memory)
		most_memory = memory;
}

/* A view is written as it is taken, in turns between which others have theirs. */
static void test_view(void)
{
	struct watch other = WATCH_INIT;
	int fd, event = eventfd(1, EFD_NONBLOCK);
	size_t whole, last;

	begin(PORTS);
	loop_add(&loop, &other, event, EPOLLIN, view_ready);
	fd = ask(GET_STATUS);
	whole = read_all(fd);
	close(fd);
	ok(whole > PORTS * 500, "the status of many ports comes, %zu bytes", whole);
	ok(n_steps >= PORTS / SHOW_PORTS_A_STEP - 1, "in steps: others have %zu turns",
	   n_steps);
	ok(most_memory <= STEP_BYTES, "and takes the memory of one: %zu", most_memory);
	members[PORTS - 2].next = NULL;
	fd = ask(GET_STATUS);
	last = read_all(fd);
	ok(last < whole && last > whole - 2000, "and of one port less, less");
	close(fd);
	fd = ask("HEAD /status.json HTTP/1.1\r\n\r\n");
	ok(read_all(fd) < 1000, "its head comes alone");
	close(fd);
	loop_del(&loop, &other);
	close(event);
	end();
}

static unsigned viewers(void)
{
	unsigned n = 0;

	for (int i = 0; i < METRICS_CLIENTS; i++)
		n += metrics.clients[i].watch.fd >= 0 && metrics.clients[i].show;
	return n;
}

/* More clients that do not read than there may be, and one that does. */
static void test_deaf_viewers(void)
{
	struct watch other = WATCH_INIT;
	int fd[METRICS_CLIENTS + 3], event = eventfd(1, EFD_NONBLOCK), n = 0;

	begin(PORTS);
	most_memory = 0;
	loop_add(&loop, &other, event, EPOLLIN, view_ready);
	for (; n < METRICS_CLIENTS + 2; n++)
		fd[n] = ask(GET_STATUS);
	turn_until(&loop, WAIT_MS, metrics.listener.count == METRICS_CLIENTS + 2);
	turn_for(&loop, 100);
	ok_eq_int(viewers(), METRICS_CLIENTS, "as many viewers as there may be");
	fd[n] = ask(GET_STATUS);
	ok(read_all(fd[n++]) > PORTS * 500, "one more is served");
	ok(most_memory <= METRICS_CLIENTS * STEP_BYTES, "all take %zu bytes",
	   most_memory);
	end();
	while (n--)
		close(fd[n]);
	close(event);
}

/* A part that is no view, and one that is asked for by a stranger's name. */
static void test_parts(void)
{
	static const struct {
		const char *request;
		size_t least, most;
	} parts[] = {
		{ "GET / HTTP/1.1\r\n\r\n", 1000, 4000 },
		{ "GET /page.js HTTP/1.1\r\nHost: [::1]:1\r\n\r\n", 4000, 20000 },
		{ "GET /page.css HTTP/1.1\r\n\r\n", 2000, 8000 },
		{ "HEAD /page.js HTTP/1.1\r\n\r\n", 100, 800 },
		{ "GET /fdb.json HTTP/1.1\r\n\r\n", 300, 800 },
		{ "GET /page.js HTTP/1.1\r\nHost: e.example\r\n\r\n", 500, 800 },
		{ "GET /status.json HTTP/1.1\r\nHost: e.example\r\n\r\n", 500, 800 },
		{ "GET /metrics HTTP/1.1\r\nHost: e.example\r\n\r\n", 2000, 20000 },
		{ "GET /page.html HTTP/1.1\r\n\r\n", 300, 800 },
		{ "GET /.. HTTP/1.1\r\n\r\n", 300, 800 },
	};

	begin(1);
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		int fd = ask(parts[i].request);
		size_t n = read_all(fd);

		ok(n >= parts[i].least && n <= parts[i].most, "%zu bytes for %s", n,
		   parts[i].request);
		close(fd);
	}
	end();
}

/* Left in the midst of everything. */
static void test_stop(void)
{
	int fd[3] = { -1, -1, -1 };

	begin(PORTS);
	fd[0] = ask(GET_STATUS);
	turn_until(&loop, WAIT_MS, viewers());
	end();
	close(fd[0]);
	ok(true, "it may be stopped while a view is written");
	begin(PORTS);
	fd[0] = ask("GET /met");
	fd[1] = ask(GET);
	while (!users())
		turn_for(&loop, 1);
	fd[2] = ask("HEAD /metrics HTTP/1.0\r\n\r\n");
	end();
	for (int i = 0; i < 3; i++)
		close(fd[i]);
	ok(true, "it may be stopped while a text is built");
	begin(PORTS);
	fd[0] = ask(GET);
	while (!users())
		turn_for(&loop, 1);
	close(fd[0]);
	turn_for(&loop, 3);
	ok(pages() <= 1, "a client may go while its text is built");
	end();
}

int main(void)
{
	alarm(ALARM_S);
	test_turns();
	test_shared();
	test_deaf();
	test_few();
	test_view();
	test_deaf_viewers();
	test_parts();
	test_stop();
	return done();
}
