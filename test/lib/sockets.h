/* SPDX-License-Identifier: MIT */
/* For tests: sockets that are joined, on this host. What can't be had ends the test. */
#ifndef LIB_SOCKETS_H
#define LIB_SOCKETS_H

#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* sockets_pair() - Two ends of a unix socket, both non-blocking. */
static inline void sockets_pair(int type, int fds[2])
{
	if (socketpair(AF_UNIX, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) < 0)
		abort();
}

/* socket_bound() - One on the loopback, at a port that the kernel chose: @addr. */
static inline int socket_bound(int type, struct sockaddr_in *addr)
{
	socklen_t len = sizeof(*addr);
	int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);

	memset(addr, 0, sizeof(*addr));
	addr->sin_family = AF_INET;
	addr->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (bind(fd, (struct sockaddr *)addr, sizeof(*addr)) < 0 ||
	    getsockname(fd, (struct sockaddr *)addr, &len) < 0)
		abort();
	return fd;
}

static inline void socket_join(int fd, const struct sockaddr_in *to)
{
	if (connect(fd, (const struct sockaddr *)to, sizeof(*to)) < 0)
		abort();
}

/* socket_listener() - One that accepts at @path, in place of what is there. */
static inline int socket_listener(const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
	unlink(path);
	if (bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 || listen(fd, 8) < 0)
		abort();
	return fd;
}

/* sockets_tcp() - A connection over the loopback; @buffer: bytes, 0: as they are. */
static inline void sockets_tcp(int fds[2], int buffer)
{
	struct sockaddr_in addr;
	int listener = socket_bound(SOCK_STREAM, &addr);

	fds[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (buffer) {
		setsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &buffer, sizeof(buffer));
		setsockopt(listener, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof(buffer));
	}
	if (listen(listener, 1) < 0)
		abort();
	socket_join(fds[0], &addr);
	fds[1] = accept(listener, NULL, NULL);
	close(listener);
	fcntl(fds[0], F_SETFL, O_NONBLOCK);
	fcntl(fds[1], F_SETFL, O_NONBLOCK);
}

#endif
