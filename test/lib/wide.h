/* SPDX-License-Identifier: MIT */
/*
 * System calls that take a struct timespec as the sources have it: with 64 bits of seconds,
 * for which 32-bit machines have calls of their own.
 */
#ifndef LIB_WIDE_H
#define LIB_WIDE_H

#include <sys/syscall.h>

#ifdef SYS_clock_gettime64
#define WIDE_clock_gettime SYS_clock_gettime64
#define WIDE_timerfd_settime SYS_timerfd_settime64
#define WIDE_ppoll SYS_ppoll_time64
#else
#define WIDE_clock_gettime SYS_clock_gettime
#define WIDE_timerfd_settime SYS_timerfd_settime
#define WIDE_ppoll SYS_ppoll
#endif

#endif
