/* SPDX-License-Identifier: MIT */
/*
 * For tests in which things go wrong on purpose: what the log says of it is not to be
 * seen. A sanitizer still finds its way out.
 */
#ifndef LIB_QUIET_H
#define LIB_QUIET_H

#include <fcntl.h>
#include <stdint.h>
#include <unistd.h>

__attribute__((weak)) void __sanitizer_set_report_fd(void *fd);

/* quiet() - Send stderr to nowhere. */
static inline void quiet(void)
{
	int out = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 100);
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

	if (__sanitizer_set_report_fd)
		__sanitizer_set_report_fd((void *)(intptr_t)out);
	dup2(null, STDERR_FILENO);
	close(null);
}

#endif
