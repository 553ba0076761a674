/* SPDX-License-Identifier: MIT */
/*
 * Messages to stderr. A line goes out in one write, so that lines of several
 * processes do not mix, and only when poll says that there is room: PIPE_BUF
 * bytes then fit without blocking (pipe(7)), and a line is never longer. A
 * message may quote what comes from outside, so all of it is escaped.
 */
#include "log.h"

#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "text.h"

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

static void vlog(const char *fmt, va_list ap)
{
	static const char prefix[] = "netrelay: ";
	char msg[LINE_MAX_BYTES], line[LINE_MAX_BYTES + 1];
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
	if (vsnprintf(msg, sizeof(msg), fmt, ap) < 0)
		return;
	memcpy(line, prefix, len);
	len += text_escape(line + len, sizeof(line) - 1 - len, msg);
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
