/* SPDX-License-Identifier: MIT */
/*
 * metrics.c, with a relay of ports that do nothing: many clients that ask at once, of
 * which some do not read; and that no turn of the loop is long.
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
static struct port port;
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

/* Left in the midst of everything. */
static void test_stop(void)
{
	int fd[3] = { -1, -1, -1 };

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
	test_stop();
	return done();
}
