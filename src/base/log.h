/* SPDX-License-Identifier: MIT */
/*
 * Messages to stderr, each one line: "netrelay: ...", or "<4>..." for the journal, and of a
 * daemon to the system log. A reader of stderr that
 * stalls never stalls the relay. A line that the pipe cannot take at once is left
 * out, and the next line that fits says how many were left out.
 *
 * A message may quote text from outside: all of it is escaped (escape_text()). It is
 * cut to about 1,400 bytes.
 */
#ifndef LOG_H
#define LOG_H

#include <stdbool.h>

#include "base/util.h"

/* log_verbosity() - Set how much is logged: 0 for warnings alone, 1 or more for all. */
void log_verbosity(int level);

/*
 * log_reset() - Forget the descriptor that messages go to, so that the next message
 * looks for it again. Call it in a forked process that closes inherited descriptors.
 */
void log_reset(void);

/*
 * log_begin_daemon() - Descriptor 2 is a socket to the system log from now on, for the
 * processes that are forked. Our own messages still go to @fd, until log_use_syslog().
 */
void log_begin_daemon(int fd);

/*
 * log_use_syslog() - Close that @fd: from now on our messages go to the system log, too.
 * @reconnect: called with the socket when it does not take a message; joins it to the system
 *             log again. Return: whether it did.
 */
void log_use_syslog(bool (*reconnect)(int fd));

/* log_open() - Look for it now: a confined process can't open it any more. */
void log_open(void);

/*
 * log_warn() - Log that something failed or was lost, whatever the verbosity. After 1,000
 * at once there are 100 a second at most; the others are left out, as above.
 */
void log_warn(const char *fmt, ...) PRINTF_LIKE(1, 2);

/* log_answer() - Log what the user asked for just now: all of it. */
void log_answer(const char *fmt, ...) PRINTF_LIKE(1, 2);

/*
 * log_info() - Log what happens to ports. It is printed with -v only, and as often as
 * warnings, at most.
 */
void log_info(const char *fmt, ...) PRINTF_LIKE(1, 2);

#endif
