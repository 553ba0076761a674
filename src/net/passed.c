/* SPDX-License-Identifier: MIT */
/*
 * The environment is the user's, so it is not believed: what it says is compared with what
 * the descriptors are.
 *
 * #syscalls: fcntl getpid getsockname getsockopt
 */
#include "net/passed.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/parts.h"
#include "base/util.h"

#define FIRST 3 /* SD_LISTEN_FDS_START */

/* A name ends at a colon. Return: the text behind that; NULL if there is none. */
static const char *next_name(const char *names, char name[PASSED_NAME_MAX])
{
	size_t len = names ? strcspn(names, ":") : 0;

	snprintf(name, PASSED_NAME_MAX, "%.*s",
		 (int)(len < PASSED_NAME_MAX ? len : PASSED_NAME_MAX - 1),
		 names ? names : "");
	return names && names[len] ? names + len + 1 : NULL;
}

static int option(int fd, int name)
{
	int value = 0;
	socklen_t len = sizeof(value);

	return getsockopt(fd, SOL_SOCKET, name, &value, &len) < 0 ? -1 : value;
}

static bool has_path(const struct sock_addr *addr)
{
	const struct sockaddr_un *sun = (const struct sockaddr_un *)&addr->storage;

	return addr->len > offsetof(struct sockaddr_un, sun_path) && sun->sun_path[0];
}

/* Return: NULL if it is what a listener can have; else what it is. */
static const char *find_fault(struct passed_fd *p)
{
	int type = option(p->fd, SO_TYPE);

	if (type < 0)
		return "no socket";
	p->is_udp = HAS_KEYS && type == SOCK_DGRAM;
	if (type != SOCK_STREAM && !p->is_udp)
		return "a socket of datagrams or packets";
	if (!p->is_udp && !sock_listens(p->fd))
		return "a socket that does not listen";
	p->addr.len = sizeof(p->addr.storage);
	if (getsockname(p->fd, &p->addr.sa, &p->addr.len) < 0)
		return "a socket without an address";
	switch (p->addr.sa.sa_family) {
	case AF_INET:
	case AF_INET6:
		return NULL;
	case AF_UNIX:
		if (p->is_udp)
			return "a unix socket of datagrams";
		return has_path(&p->addr) ? NULL : "a unix socket without a path";
	default:
		return "a socket that is neither of TCP nor a unix one";
	}
}

static int take_one(struct passed *p, int fd, const char *name, char *why, size_t size)
{
	struct passed_fd *one = &p->fds[p->n];
	const char *fault;

	*one = (struct passed_fd){ .fd = fd };
	snprintf(one->name, sizeof(one->name), "%s", name);
	fault = find_fault(one);
	if (fault) {
		snprintf(
			why, size,
			"the service manager passes descriptor %d \"%s\", which is %s; a "
			"listener needs a listening TCP or unix socket (ListenStream=)%s, "
			"anything else an endpoint fd:%d",
			fd, name, fault,
			HAS_KEYS ? ", one with udp a UDP socket (ListenDatagram=)" : "",
			fd);
		return -EINVAL;
	}
	fcntl(fd, F_SETFD, FD_CLOEXEC);
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
	p->n++;
	return 0;
}

static int take_all(struct passed *p, int n, const char *names,
		    bool (*is_other)(int fd, const void *arg), const void *arg, char *why,
		    size_t size)
{
	char name[PASSED_NAME_MAX];
	int ret = 0;

	for (int fd = FIRST; fd < FIRST + n && ret == 0; fd++) {
		names = next_name(names, name);
		if (fcntl(fd, F_GETFD) < 0) {
			snprintf(why, size,
				 "LISTEN_FDS: descriptor %d \"%s\" is not open", fd,
				 name);
			return -EBADF;
		}
		if (!is_other(fd, arg))
			ret = take_one(p, fd, name, why, size);
	}
	return ret;
}

int passed_read(struct passed *p, bool (*is_other)(int fd, const void *arg),
		const void *arg, char *why, size_t size)
{
	const char *fds = getenv("LISTEN_FDS"), *pid = getenv("LISTEN_PID");
	const char *names = getenv("LISTEN_FDNAMES");
	uint32_t n, own;

	p->n = 0;
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDNAMES");
	/* They may be for a program that has started us. */
	if (!fds || !pid || !parse_uint(pid, 10, INT32_MAX, &own) ||
	    (pid_t)own != getpid())
		return 0;
	if (parse_uint(fds, 10, PASSED_MAX, &n))
		return take_all(p, (int)n, names, is_other, arg, why, size);
	snprintf(why, size, "LISTEN_FDS: \"%.32s\" must be a number from 0 to %d", fds,
		 PASSED_MAX);
	return -EINVAL;
}

static bool is_at_path(const struct passed_fd *one, const char *path)
{
	const struct sockaddr_un *sun = (const struct sockaddr_un *)&one->addr.storage;
	size_t len = one->addr.len - offsetof(struct sockaddr_un, sun_path);

	return sun->sun_family == AF_UNIX &&
	       strnlen(sun->sun_path, len) == strlen(path) &&
	       !strncmp(sun->sun_path, path, strlen(path));
}

static bool is_at(const struct passed_fd *one, const struct endpoint_addr *addr)
{
	int family = one->addr.sa.sa_family;
	struct sock_addr want;

	return family != AF_UNIX && sock_addr_parse(addr, family, &want) == 0 &&
	       sock_is_from(&want, &one->addr.storage);
}

struct passed_fd *passed_find(struct passed *p, const char *path,
			      const struct endpoint_addr *addr, bool is_udp)
{
	for (unsigned i = 0; p && i < p->n; i++)
		if (!p->fds[i].is_used && p->fds[i].is_udp == is_udp &&
		    (path ? is_at_path(&p->fds[i], path) : is_at(&p->fds[i], addr)))
			return &p->fds[i];
	return NULL;
}
