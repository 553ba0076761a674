/* SPDX-License-Identifier: MIT */
/*
 * resolve.c, with answers of our own: which question is asked when, whose answer is
 * taken, and what is said when there is none.
 */
#include "helper/resolve.h"

#include <errno.h>
#include <limits.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>

#include "base/util.h"
#include "lib/fault.h"
#include "lib/tap.h"
#include "lib/wide.h"

#define ALARM_S 300
#define NEVER 1	   /* in place of an error: there is no answer */
#define LATE_MS 60 /* in place of two seconds */

/*
 * What getaddrinfo() does when it is asked for both families, for IPv4 and for IPv6.
 * @err: EAI_..., or NEVER; @sys: errno
 * @n:   how many addresses there are; those of IPv4 begin with 10.4, of IPv6 with 6, and
 *       of both with 10.0
 * @is_odd: their length is none that there is
 */
static struct {
	int err[3], sys;
	unsigned n[3];
	bool is_odd;
} world;

static unsigned kind_of(int family)
{
	return family == AF_INET ? 1 : family == AF_INET6 ? 2 : 0;
}

int getaddrinfo(const char *host, const char *port, const struct addrinfo *hints,
		struct addrinfo **list)
{
	unsigned kind = kind_of(hints->ai_family);

	(void)host;
	errno = world.sys;
	if (world.err[kind] == NEVER)
		for (;;)
			pause();
	if (world.err[kind])
		return world.err[kind];
	*list = NULL;
	for (unsigned i = world.n[kind]; i > 0; i--) {
		struct addrinfo *ai = calloc(1, sizeof(*ai) + sizeof(struct sockaddr_in));
		struct sockaddr_in *addr = (struct sockaddr_in *)(ai + 1);

		addr->sin_family = AF_INET;
		addr->sin_port = htons((uint16_t)strtoul(port, NULL, 10));
		addr->sin_addr.s_addr = htonl(0x0a000000 + (kind << 8) + i);
		ai->ai_addr = (struct sockaddr *)addr;
		ai->ai_addrlen = world.is_odd ? 1000 : sizeof(*addr);
		ai->ai_next = *list;
		*list = ai;
	}
	return 0;
}

void freeaddrinfo(struct addrinfo *list)
{
	while (list) {
		struct addrinfo *next = list->ai_next;

		free(list);
		list = next;
	}
}

/* For what never comes it does not wait long. */
int poll(struct pollfd *pfd, nfds_t n, int ms)
{
	struct timespec ts = { .tv_nsec = LATE_MS * 1000000L };

	if (world.err[0] != NEVER)
		ts = (struct timespec){ .tv_sec = ms / 1000 };
	return (int)syscall(WIDE_ppoll, pfd, n, ms > 0 ? &ts : NULL, NULL, 0);
}

static struct sock_addr found[RESOLVE_MAX];
static char why[512];

static int resolve(void)
{
	struct endpoint_addr name = { .host = "peer.example", .port = 5000 };

	why[0] = '\0';
	memset(found, 0, sizeof(found));
	return resolve_name(&name, SOCK_STREAM, found, why, sizeof(why));
}

/* Of both families, of IPv4, of IPv6. */
static void asks(int both, int four, int six)
{
	memset(&world, 0, sizeof(world));
	world.err[0] = both;
	world.err[1] = four;
	world.err[2] = six;
	for (unsigned i = 0; i < 3; i++)
		world.n[i] = i + 1;
}

static void is_found(int n, const char *first, const char *what)
{
	char text[SOCK_TEXT_MAX];

	ok_eq_int(resolve(), n, "%s: the number of addresses", what);
	ok_eq_str(sock_text(&found[0], text), first, "%s: the first of them", what);
	ok_eq_str(why, "", "%s: nothing is wrong", what);
}

static void is_refused(int ret, const char *text, const char *what)
{
	ok_eq_int(resolve(), ret, "%s: none", what);
	if (!ok(!strncmp(why, text, strlen(text)), "%s: it says %s", what, text))
		printf("# %s\n", why);
}

static void test_found(void)
{
	asks(0, EAI_FAIL, EAI_FAIL);
	is_found(1, "10.0.0.1:5000", "both are asked for at once");
	asks(EAI_NONAME, 0, EAI_FAIL);
	is_found(2, "10.0.1.1:5000", "that fails: IPv4");
	asks(EAI_NONAME, EAI_NONAME, 0);
	is_found(3, "10.0.2.1:5000", "so does that: IPv6");
	asks(NEVER, 0, EAI_FAIL);
	is_found(2, "10.0.1.1:5000", "that is late: IPv4");
	asks(NEVER, NEVER, 0);
	is_found(3, "10.0.2.1:5000", "so is that: IPv6");
	asks(0, 0, 0);
	world.n[0] = RESOLVE_MAX + 3;
	is_found(RESOLVE_MAX, "10.0.0.1:5000", "too many");
}

static void test_refused(void)
{
	char text[64];

	asks(EAI_NONAME, EAI_FAIL, EAI_AGAIN);
	snprintf(text, sizeof(text), "resolve peer.example: %s (this static build asks",
		 gai_strerror(EAI_NONAME));
	is_refused(-EHOSTUNREACH, text, "the first error is told");
	asks(EAI_SYSTEM, EAI_FAIL, EAI_AGAIN);
	world.sys = ENETDOWN;
	is_refused(-EHOSTUNREACH, "resolve peer.example: Network is down",
		   "the system's error");
	asks(0, EAI_FAIL, EAI_FAIL);
	world.n[0] = 0;
	snprintf(text, sizeof(text), "resolve peer.example: %s",
		 gai_strerror(EAI_NONAME));
	is_refused(-EHOSTUNREACH, text, "a name without addresses");
	asks(0, EAI_FAIL, EAI_FAIL);
	world.is_odd = true;
	is_refused(-EHOSTUNREACH, text, "addresses that nobody knows");
}

static void test_faults(void)
{
	static const struct {
		enum fault_call call;
		unsigned at;
		int err;
	} cases[] = {
		{ FAULT_pipe2, 1, EMFILE },
		{ FAULT_fork, 1, EAGAIN },
		{ FAULT_read, 1, EIO },
	};
	char text[64];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		asks(0, 0, 0);
		fault_arm(cases[i].call, cases[i].at, cases[i].err);
		snprintf(text, sizeof(text), "resolve peer.example: %s",
			 strerror(cases[i].err));
		is_refused(-cases[i].err, text, fault_name(cases[i].call));
		ok(fault_disarm(), "it was called");
	}
	asks(EAI_FAIL, 0, 0);
	fault_arm(FAULT_fork, 2, ENOMEM);
	is_refused(-ENOMEM, "resolve peer.example: ", "a second question");
	fault_disarm();
}

int main(void)
{
	alarm(ALARM_S);
	test_found();
	test_refused();
	test_faults();
	return done();
}
