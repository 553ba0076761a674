/* SPDX-License-Identifier: MIT */
/*
 * #syscalls: write
 */
#include "vhost/call.h"

#include <errno.h>
#include <stdint.h>
#include <unistd.h>

static int add(int fd, uint64_t n)
{
	if (write(fd, &n, sizeof(n)) == (ssize_t)sizeof(n))
		return 0;
	/* It has been told often enough, if there is no room. */
	if (errno == EAGAIN)
		return 0;
	return errno == EINTR ? -EDEADLK : -errno;
}

int call_make(int fd)
{
	return fd < 0 ? 0 : add(fd, 1);
}

int call_check(int fd)
{
	return add(fd, 0);
}
