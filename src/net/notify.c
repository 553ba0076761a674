/* SPDX-License-Identifier: MIT */
/*
 * A path begins with "/", and the name of an abstract socket with "@" in place of its NUL.
 * The socket stays connected, so that a confined process can use it.
 *
 * #syscalls: close connect getpid poll sendto socket
 */
#include "net/notify.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define TEXT_MAX 512 /* bytes of what is told at once, with its NUL */

/* Return: a variable's value, which is in the environment no longer; NULL if it was not set. */
static const char *take(const char *name)
{
	const char *value = getenv(name);

	unsetenv(name);
	return value;
}

/*
 * The manager expects to be told once in @usec; half of that is its own advice. A time of
 * more than an hour is cut: to be told more often does it no harm.
 */
static int read_watchdog(struct notify *n, const char *usec, const char *pid, char *why,
			 size_t size)
{
	uint32_t value = UINT32_MAX, own;

	if (!usec ||
	    (pid && (!parse_uint(pid, 10, INT32_MAX, &own) || (pid_t)own != getpid())))
		return 0;
	if (!*usec || strspn(usec, "0123456789") != strlen(usec)) {
		snprintf(why, size, "WATCHDOG_USEC: \"%.32s\" is not a time", usec);
		return -EINVAL;
	}
	parse_uint(usec, 10, UINT32_MAX, &value);
	n->watchdog_ms = value / 2000;
	if (value && !n->watchdog_ms)
		n->watchdog_ms = 1;
	return 0;
}

static int connect_to(struct notify *n, const char *path)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	size_t len = strlen(path);
	int ret;

	if (*path != '/' && *path != '@')
		return -EAFNOSUPPORT;
	if (len >= sizeof(to.sun_path))
		return -ENAMETOOLONG;
	memcpy(to.sun_path, path, len);
	if (*path == '@')
		to.sun_path[0] = '\0';
	n->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (n->fd < 0)
		return -errno;
	len += offsetof(struct sockaddr_un, sun_path);
	if (connect(n->fd, (struct sockaddr *)&to, (socklen_t)len) == 0)
		return 0;
	ret = -errno;
	notify_stop(n);
	return ret;
}

int notify_start(struct notify *n, char *why, size_t size)
{
	const char *path = take("NOTIFY_SOCKET"), *usec = take("WATCHDOG_USEC");
	const char *pid = take("WATCHDOG_PID");
	int ret;

	*n = (struct notify){ .fd = -1 };
	if (!path)
		return 0;
	ret = connect_to(n, path);
	if (ret == 0)
		return read_watchdog(n, usec, pid, why, size);
	snprintf(why, size, "NOTIFY_SOCKET: %.108s: %s", path, strerror(-ret));
	return ret;
}

int notify_send(struct notify *n, int wait_ms, const char *fmt, ...)
{
	struct pollfd p = { .fd = n->fd, .events = POLLOUT };
	char text[TEXT_MAX];
	va_list ap;
	int len;

	if (n->fd < 0)
		return 0;
	va_start(ap, fmt);
	len = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (len < 0 || len >= (int)sizeof(text))
		return -EMSGSIZE;
	if (wait_ms)
		poll(&p, 1, wait_ms);
	if (send(n->fd, text, (size_t)len, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		return -errno;
	return 0;
}

void notify_stop(struct notify *n)
{
	if (n->fd >= 0)
		close(n->fd);
	n->fd = -1;
}
