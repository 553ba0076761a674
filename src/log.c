/* SPDX-License-Identifier: MIT */
/*
 * Messages to stderr. A line goes out in one write, so that lines of several
 * processes do not mix, and only when poll says that there is room: PIPE_BUF
 * bytes then fit a pipe without blocking (pipe(7)), and a line is never longer.
 * A terminal makes no such promise, and blocks when its user has stopped it;
 * it is opened anew, for a description of its own that can be non-blocking.
 * A message may quote what comes from outside, so all of it is escaped.
 */
#include "log.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "text.h"

#define PREFIX "netrelay: "
#define LINE_MAX_BYTES 1400
#define NOTE_MAX_BYTES 64

_Static_assert(NOTE_MAX_BYTES + LINE_MAX_BYTES < PIPE_BUF,
	       "a line must fit a pipe at once");

static int verbosity;
static unsigned long left_out;
static int output = -1;	 /* -1: not looked for yet */
static bool is_mid_line; /* a terminal took only the beginning of one */

void log_verbosity(int level)
{
	verbosity = level;
}

void log_reset(void)
{
	output = -1;
}

static void find_output(void)
{
	if (output < 0 && isatty(STDERR_FILENO))
		output = open("/proc/self/fd/2",
			      O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (output < 0)
		output = STDERR_FILENO;
}

static bool write_all(const char *data, size_t len)
{
	ssize_t n = write(output, data, len);

	if (n > 0)
		is_mid_line = data[n - 1] != '\n';
	return n == (ssize_t)len;
}

static int write_line(const char *line, size_t len)
{
	struct pollfd pfd = { .events = POLLOUT };

	find_output();
	pfd.fd = output;
	if (poll(&pfd, 1, 0) != 1 || !(pfd.revents & POLLOUT))
		return -1;
	if (is_mid_line && !write_all("\n", 1))
		return -1;
	return write_all(line, len) ? 0 : -1;
}

PRINTF_LIKE(1, 0) static void vlog(const char *fmt, va_list ap)
{
	char msg[LINE_MAX_BYTES], out[NOTE_MAX_BYTES + LINE_MAX_BYTES + 1];
	int len = 0;

	if (vsnprintf(msg, sizeof(msg), fmt, ap) < 0)
		return;
	/* In one write with the line: a pipe could have room for the note alone. */
	if (left_out)
		len = snprintf(out, NOTE_MAX_BYTES, PREFIX "%lu messages left out here\n",
			       left_out);
	memcpy(out + len, PREFIX, sizeof(PREFIX) - 1);
	len += (int)sizeof(PREFIX) - 1;
	len += (int)text_escape(out + len, LINE_MAX_BYTES - sizeof(PREFIX), msg);
	out[len++] = '\n';
	if (write_line(out, (size_t)len) < 0)
		left_out++;
	else
		left_out = 0;
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
