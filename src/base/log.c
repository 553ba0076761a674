/* SPDX-License-Identifier: MIT */
/*
 * Messages to stderr. Each line is one write, so that lines of several processes do
 * not mix: a pipe takes up to PIPE_BUF bytes whole or not at all (pipe(7)), and no
 * line is longer.
 *
 * No write waits. We must not make stderr itself non-blocking, because other
 * processes share its open file description. Instead, a socket gets MSG_DONTWAIT,
 * and a pipe or a terminal is opened once more through /proc/self/fd/2, which gives
 * a description of our own. That open may be refused, as for a pipe that another
 * user made. Then poll() says whether there is room, and a write waits only if
 * another process takes that room in between.
 *
 * Strangers can make a relay warn of them as often as they like, so that only so many
 * warnings a second are written.
 *
 * #syscalls: fstat ioctl open poll sendto write
 */
#include "base/log.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/escape.h"
#include "base/loop.h"

#define PREFIX "netrelay: "
#define LINE_MAX_BYTES 1400
#define NOTE_MAX_BYTES 64
#define WARNINGS_AT_ONCE 1000
#define WARNING_MS 10 /* that another one may be written after */

_Static_assert(NOTE_MAX_BYTES + LINE_MAX_BYTES < PIPE_BUF,
	       "a line must fit a pipe at once");

static int verbosity;
static unsigned long left_out;
static int output = -1;	 /* where messages go; -1 before the first one */
static bool is_own;	 /* output is a description of our own, non-blocking */
static bool is_socket;	 /* output is a socket */
static bool is_mid_line; /* the last line was taken in part only */
static uint64_t paid_ms; /* until this time, all warnings have had their share */

void log_verbosity(int level)
{
	verbosity = level;
}

void log_reset(void)
{
	output = -1;
}

void log_open(void)
{
	struct stat st = { 0 };

	if (output >= 0)
		return;
	fstat(STDERR_FILENO, &st);
	is_socket = S_ISSOCK(st.st_mode);
	is_own = S_ISFIFO(st.st_mode) || isatty(STDERR_FILENO);
	if (is_own)
		output = open("/proc/self/fd/2",
			      O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (output < 0) {
		output = STDERR_FILENO;
		is_own = false;
	}
}

static bool write_once(const char *data, size_t len)
{
	ssize_t n = is_socket ? send(output, data, len, MSG_DONTWAIT | MSG_NOSIGNAL)
			      : write(output, data, len);

	if (n > 0)
		is_mid_line = data[n - 1] != '\n';
	return n == (ssize_t)len;
}

static bool has_room(void)
{
	struct pollfd pfd = { .fd = output, .events = POLLOUT };

	return is_own || is_socket || (poll(&pfd, 1, 0) == 1 && (pfd.revents & POLLOUT));
}

static int write_line(const char *line, size_t len)
{
	log_open();
	if (!has_room())
		return -1;
	if (is_mid_line && !write_once("\n", 1))
		return -1;
	return write_once(line, len) ? 0 : -1;
}

PRINTF_LIKE(1, 0) static void vlog(const char *fmt, va_list ap)
{
	char msg[LINE_MAX_BYTES], out[NOTE_MAX_BYTES + LINE_MAX_BYTES + 1];
	int len = 0;

	if (vsnprintf(msg, sizeof(msg), fmt, ap) < 0)
		return;
	/* The note and the line are one write: a pipe could have room for the note alone. */
	if (left_out)
		len = snprintf(out, NOTE_MAX_BYTES, PREFIX "%lu messages left out here\n",
			       left_out);
	memcpy(out + len, PREFIX, sizeof(PREFIX) - 1);
	len += (int)sizeof(PREFIX) - 1;
	len += (int)escape_text(out + len, LINE_MAX_BYTES - sizeof(PREFIX), msg);
	out[len++] = '\n';
	if (write_line(out, (size_t)len) < 0)
		left_out++;
	else
		left_out = 0;
}

static bool is_too_often(void)
{
	uint64_t now = loop_coarse();

	if (paid_ms >= now + WARNINGS_AT_ONCE * WARNING_MS)
		return true;
	paid_ms = (paid_ms > now ? paid_ms : now) + WARNING_MS;
	return false;
}

void log_warn(const char *fmt, ...)
{
	va_list ap;

	if (is_too_often()) {
		left_out++;
		return;
	}
	va_start(ap, fmt);
	vlog(fmt, ap);
	va_end(ap);
}

void log_answer(const char *fmt, ...)
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
