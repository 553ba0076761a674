/* SPDX-License-Identifier: MIT */
/*
 * Messages to stderr, a line each, as "netrelay: ...". A reader of stderr who
 * stalls never stalls us: what a pipe cannot take at once is left out, and the
 * next line that fits says how many were.
 */
#ifndef LOG_H
#define LOG_H

#include "base/util.h"

/* log_verbosity() - How much to say: 0 warnings, 1 what happens to ports. */
void log_verbosity(int level);

/*
 * log_reset() - Forget the descriptor found for stderr; for a forked process
 * that closes what it inherited.
 */
void log_reset(void);

/* log_warn() - Something failed, or is lost. Always said. */
void log_warn(const char *fmt, ...) PRINTF_LIKE(1, 2);

/* log_info() - What happens to ports. Said under -v. */
void log_info(const char *fmt, ...) PRINTF_LIKE(1, 2);

#endif
