/* SPDX-License-Identifier: MIT */
/*
 * For make coverage, ahead of each source: a child that ends by _exit() keeps what it
 * ran, too.
 */
#ifndef LIB_COVERAGE_H
#define LIB_COVERAGE_H

#include <unistd.h>

void __gcov_dump(void);

/* What gives @status has run before that is kept. */
__attribute__((noreturn)) static inline void coverage_exit(int status)
{
	__gcov_dump();
	_exit(status);
}

#define _exit coverage_exit

#endif
