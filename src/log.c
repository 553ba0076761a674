/* SPDX-License-Identifier: MIT */
/*
 * Messages to stderr. A line goes out in one write, so that lines of several
 * processes do not mix, and only when poll says that there is room: PIPE_BUF
 * bytes then fit without blocking (pipe(7)), and a line is never longer.
 */
#include "log.h"

#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LINE_MAX_BYTES 1400

_Static_assert(LINE_MAX_BYTES < PIPE_BUF, "a line must fit a pipe at once");

static int verbosity;
static unsigned long left_out;

void log_verbosity(int level)
{
	verbosity = level;
}

static int write_line(const char *line, size_t len)
{
	struct pollfd pfd = { .fd = STDERR_FILENO, .events = POLLOUT };

	if (poll(&pfd, 1, 0) != 1 || !(pfd.revents & POLLOUT))
		return -1;
	return write(STDERR_FILENO, line, len) < 0 ? -1 : 0;
}

/* A message may quote names from outside; they must not steer a terminal. */
static void make_printable(char *s, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)s[i] < 0x20 || s[i] == 0x7f)
			s[i] = '?';
}

static void vlog(const char *fmt, va_list ap)
{
	static const char prefix[] = "netrelay: ";
	char line[LINE_MAX_BYTES + 1];
	size_t len = sizeof(prefix) - 1;
	int n;

	if (left_out) {
		n = snprintf(line, sizeof(line), "%s%lu messages left out here\n", prefix,
			     left_out);
		if (write_line(line, (size_t)n) < 0) {
			left_out++;
			return;
		}
		left_out = 0;
	}
	memcpy(line, prefix, len);
	n = vsnprintf(line + len, sizeof(line) - len - 1, fmt, ap);
	if (n < 0)
		return;
	len = min_size(len + (size_t)n, sizeof(line) - 2);
	make_printable(line, len);
	line[len++] = '\n';
	if (write_line(line, len) < 0)
		left_out++;
}

void log_warn(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vlog(fmt, ap);
	va_end(ap);
}

void log_info(const char *fmt, ...)
{
	va_list ap;

	if (verbosity < 1)
		return;
	va_start(ap, fmt);
	vlog(fmt, ap);
	va_end(ap);
}
