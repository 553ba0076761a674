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
 * If stderr is the journal's, which $JOURNAL_STREAM tells (systemd.exec(5)), a line begins with
 * its priority in place of the program's name, which the journal knows (sd-daemon(3)). A
 * daemon's stderr is a socket to the system log from its first moment, so that its children
 * have that, too; but until it is ready, its own messages go to the stderr of whoever started
 * it.
 *
 * Strangers can make a relay tell of them as often as they like, so that only so many
 * warnings a second are written, and as many other messages.
 *
 * #syscalls: close fstat getpid ioctl open poll sendto write
 */
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/escape.h"
#include "base/loop.h"
#include "base/parts.h"

#define PREFIX_MAX 32
#define LINE_MAX_BYTES 1400
#define NOTE_MAX_BYTES 96
#define MESSAGES_AT_ONCE 1000
#define MESSAGE_MS 10 /* that another one may be written after */

_Static_assert(NOTE_MAX_BYTES + LINE_MAX_BYTES < PIPE_BUF,
	       "a line must fit a pipe at once");

/* Priorities of syslog(3), and the facility of daemons. */
#define WARNING 4
#define INFO 6
#define DAEMON 24

enum form { FORM_PLAIN, FORM_JOURNAL, FORM_SYSLOG };

static int verbosity;
static unsigned long left_out;
static int stderr_fd =
	STDERR_FILENO; /* whose messages these are; a daemon's at first is another */
static bool is_daemon; /* descriptor 2 is a socket to the system log */
static bool (*reconnect)(int fd); /* joins that socket again; NULL in other processes */
static enum form form;
static int output = -1;	 /* where messages go; -1 before the first one */
static bool is_own;	 /* output is a description of our own, non-blocking */
static bool is_socket;	 /* output is a socket */
static bool is_mid_line; /* the last line was taken in part only */
/* Until this time all had their share: warnings, and other messages. */
static uint64_t paid_ms[2];

void log_verbosity(int level)
{
	verbosity = level;
}

void log_reset(void)
{
	output = -1;
	stderr_fd = STDERR_FILENO;
	reconnect = NULL;
}

void log_begin_daemon(int fd)
{
	log_reset();
	is_daemon = true;
	stderr_fd = fd;
}

void log_use_syslog(bool (*fn)(int fd))
{
	if (is_own)
		close(output);
	close(stderr_fd);
	log_reset();
	reconnect = fn;
	log_open();
}

static enum form find_form(const struct stat *st)
{
	const char *stream = getenv("JOURNAL_STREAM");
	char own[48];

	if (is_daemon && stderr_fd == STDERR_FILENO)
		return FORM_SYSLOG;
	snprintf(own, sizeof(own), "%llu:%llu", (unsigned long long)st->st_dev,
		 (unsigned long long)st->st_ino);
	return stream && !strcmp(stream, own) ? FORM_JOURNAL : FORM_PLAIN;
}

void log_open(void)
{
	struct stat st = { 0 };
	char path[32];

	if (output >= 0)
		return;
	fstat(stderr_fd, &st);
	if (HAS_SERVICE)
		form = find_form(&st);
	is_socket = S_ISSOCK(st.st_mode);
	/* By then we are confined, and may not ask whether it is a terminal. */
	is_own = form != FORM_SYSLOG && (S_ISFIFO(st.st_mode) || isatty(stderr_fd));
	if (is_own) {
		snprintf(path, sizeof(path), "/proc/self/fd/%d", stderr_fd);
		output = open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	}
	if (output < 0) {
		output = stderr_fd;
		is_own = false;
	}
}

static bool write_once(const char *data, size_t len)
{
	ssize_t n = is_socket ? send(output, data, len, MSG_DONTWAIT | MSG_NOSIGNAL)
			      : write(output, data, len);

	/* A system log that is started again has another socket. */
	if (n < 0 && errno != EAGAIN && HAS_SERVICE && reconnect && reconnect(output))
		n = send(output, data, len, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n > 0)
		is_mid_line = form != FORM_SYSLOG && data[n - 1] != '\n';
	return n == (ssize_t)len;
}

static bool has_room(void)
{
	struct pollfd pfd = { .fd = output, .events = POLLOUT };

	return is_own || is_socket || (poll(&pfd, 1, 0) == 1 && (pfd.revents & POLLOUT));
}

static int write_line(const char *line, size_t len)
{
	if (!has_room())
		return -1;
	if (is_mid_line && !write_once("\n", 1))
		return -1;
	return write_once(line, len) ? 0 : -1;
}

static void write_prefix(char *to, int priority)
{
	if (form == FORM_JOURNAL)
		snprintf(to, PREFIX_MAX, "<%d>", priority);
	else if (form == FORM_SYSLOG)
		snprintf(to, PREFIX_MAX, "<%d>netrelay[%d]: ", DAEMON + priority,
			 (int)getpid());
	else
		snprintf(to, PREFIX_MAX, "netrelay: ");
}

PRINTF_LIKE(2, 0) static void vlog(int priority, const char *fmt, va_list ap)
{
	char msg[LINE_MAX_BYTES], out[NOTE_MAX_BYTES + LINE_MAX_BYTES + 1];
	char prefix[PREFIX_MAX];
	int len = 0;

	if (vsnprintf(msg, sizeof(msg), fmt, ap) < 0)
		return;
	log_open();
	write_prefix(prefix, priority);
	/* The note and the line are one write: a pipe could have room for the note alone. */
	if (left_out)
		len = snprintf(out, NOTE_MAX_BYTES, "%s%lu messages left out here%s",
			       prefix, left_out, form == FORM_SYSLOG ? "; " : "\n");
	if (form != FORM_SYSLOG || !left_out)
		len += snprintf(out + len, PREFIX_MAX, "%s", prefix);
	len += (int)escape_text(out + len, LINE_MAX_BYTES - PREFIX_MAX, msg);
	/* A message to the system log is a datagram, which needs no newline. */
	if (form != FORM_SYSLOG)
		out[len++] = '\n';
	if (write_line(out, (size_t)len) < 0)
		left_out++;
	else
		left_out = 0;
}

/* @paid: its kind's */
static bool is_too_often(uint64_t *paid)
{
	uint64_t now = loop_coarse();

	if (*paid >= now + MESSAGES_AT_ONCE * MESSAGE_MS) {
		left_out++;
		return true;
	}
	*paid = (*paid > now ? *paid : now) + MESSAGE_MS;
	return false;
}

void log_warn(const char *fmt, ...)
{
	va_list ap;

	if (is_too_often(&paid_ms[0]))
		return;
	va_start(ap, fmt);
	vlog(WARNING, fmt, ap);
	va_end(ap);
}

void log_answer(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vlog(INFO, fmt, ap);
	va_end(ap);
}

void log_info(const char *fmt, ...)
{
	va_list ap;

	/* Without its story a connection is hardly told of. */
	if (verbosity < 1 || (HAS_STORY && is_too_often(&paid_ms[1])))
		return;
	va_start(ap, fmt);
	vlog(INFO, fmt, ap);
	va_end(ap);
}
