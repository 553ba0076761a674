/* SPDX-License-Identifier: MIT */
/*
 * For tests: what a hostile peer of a unix socket sends. A descriptor of a TCP connection that
 * has SO_LINGER, and data that its other end does not read: whoever closes it last has to wait.
 */
#ifndef LIB_LINGER_H
#define LIB_LINGER_H

#include "lib/sockets.h"

#define LINGER_S 60

/* send_a_fd() - Send one byte, with @fd. Return: as sendmsg(). */
static inline ssize_t send_a_fd(int to, int fd)
{
	char byte = 1;
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(sizeof(int))];
	} control = { .head = { .cmsg_len = CMSG_LEN(sizeof(int)),
				.cmsg_level = SOL_SOCKET,
				.cmsg_type = SCM_RIGHTS } };
	struct iovec iov = { &byte, 1 };
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = control.room,
			      .msg_controllen = sizeof(control.room) };

	memcpy(CMSG_DATA(&control.head), &fd, sizeof(fd));
	return sendmsg(to, &msg, MSG_NOSIGNAL);
}

/* linger_send() - Send one byte with such a descriptor. Return: its other end, to be closed. */
static inline int linger_send(int to)
{
	static const struct linger on = { .l_onoff = 1, .l_linger = LINGER_S };
	static const char much[65536];
	int fds[2];

	sockets_tcp(fds, 0);
	while (send(fds[0], much, sizeof(much), MSG_NOSIGNAL) > 0)
		;
	if (setsockopt(fds[0], SOL_SOCKET, SO_LINGER, &on, sizeof(on)) < 0 ||
	    send_a_fd(to, fds[0]) != 1)
		abort();
	close(fds[0]);
	return fds[1];
}

#endif
