/* SPDX-License-Identifier: MIT */
/*
 * getaddrinfo() is asked for both IP versions at once: then it puts them in order
 * (RFC 6724), by what the host's admin has set. But with musl an error for the
 * one spoils a good answer for the other, and name servers that say NXDOMAIN,
 * REFUSED or nothing of a name without an AAAA are many. So then IPv4 is asked
 * for alone, and IPv6 after it; the first that has an answer has it for all.
 */
#include "helper/resolve.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netdb.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/util.h"
#include "base/version.h"

#define LATE_MS 2000 /* for a host that has any, one answer is there by then */

static const int families[] = { AF_UNSPEC, AF_INET, AF_INET6 };

/* An answer. @err: 0, or what getaddrinfo() gave; @sys: errno with it */
struct found {
	int err;
	int sys;
	unsigned n;
	struct sock_addr addr[RESOLVE_MAX];
};

static void ask(const struct endpoint_addr *name, int type, int family, struct found *f)
{
	struct addrinfo hints = {
		.ai_family = family,
		.ai_socktype = type,
		.ai_flags = AI_NUMERICSERV,
	};
	struct addrinfo *list, *ai;
	char port[8];

	snprintf(port, sizeof(port), "%u", name->port);
	f->err = getaddrinfo(name->host, port, &hints, &list);
	f->sys = errno;
	if (f->err)
		return;
	for (ai = list; ai && f->n < RESOLVE_MAX; ai = ai->ai_next) {
		struct sock_addr *addr = &f->addr[f->n];

		if (ai->ai_addrlen > sizeof(addr->storage))
			continue;
		memcpy(&addr->storage, ai->ai_addr, ai->ai_addrlen);
		addr->len = ai->ai_addrlen;
		f->n++;
	}
	freeaddrinfo(list);
	if (!f->n)
		f->err = EAI_NONAME;
}

/* The processes that ask share a pipe, which takes an answer whole. */
_Static_assert(sizeof(struct found) <= PIPE_BUF, "answers must not mix");

static int fork_asker(const struct endpoint_addr *name, int type, int family, int fd)
{
	struct found f = { 0 };
	pid_t parent = getpid(), pid = fork();

	if (pid < 0)
		return -errno;
	if (pid > 0)
		return 0;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
	ask(name, type, family, &f);
	_exit(write(fd, &f, sizeof(f)) != (ssize_t)sizeof(f));
}

/*
 * Ask for one family after the other, the next one once an answer is an error, or
 * is late, until there are addresses at @f, or nobody who could still have any.
 *
 * Return: 0, with the first error at @f, or none; -errno.
 */
static int ask_in_turn(const struct endpoint_addr *name, int type, const int *pipes,
		       struct found *f)
{
	struct pollfd pfd = { .fd = pipes[0], .events = POLLIN };
	struct found answer;
	size_t asked = 0, answered = 0;

	while (answered < ARRAY_SIZE(families)) {
		int ready, ret = 0;

		if (asked < ARRAY_SIZE(families))
			ret = fork_asker(name, type, families[asked++], pipes[1]);
		if (ret < 0)
			return ret;
		ready = poll(&pfd, 1, asked < ARRAY_SIZE(families) ? LATE_MS : -1);
		if (ready <= 0)
			continue;
		if (read(pipes[0], &answer, sizeof(answer)) != (ssize_t)sizeof(answer))
			return -EIO;
		if (!answered++ || !answer.err)
			*f = answer;
		if (!answer.err)
			return 0;
	}
	return 0;
}

/* Only the C library that the host's own programs have knows of its NSS modules. */
static const char *advice(void)
{
#ifdef __GLIBC__
	if (!strcmp(version_libc, "shared"))
		return "";
#endif
	return " (only /etc/hosts and DNS were asked, for this is a static build; if others "
	       "know the name, as by mDNS, give the address, or take the shared build)";
}

int resolve_name(const struct endpoint_addr *name, int type, struct sock_addr *out,
		 char *why, size_t size)
{
	struct found f = { 0 };
	int ret, pipes[2];

	if (pipe2(pipes, O_CLOEXEC) < 0)
		ret = -errno;
	else
		ret = ask_in_turn(name, type, pipes, &f);
	if (ret < 0) {
		snprintf(why, size, "resolve %s: %s", name->host, strerror(-ret));
		return ret;
	}
	if (f.err) {
		snprintf(why, size, "resolve %s: %s%s", name->host,
			 f.err == EAI_SYSTEM ? strerror(f.sys) : gai_strerror(f.err),
			 advice());
		return -EHOSTUNREACH;
	}
	memcpy(out, f.addr, f.n * sizeof(f.addr[0]));
	return (int)f.n;
}
