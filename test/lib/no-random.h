/* SPDX-License-Identifier: MIT */
/*
 * A kernel that has no random bytes, or few at once: getrandom() is replaced in the program
 * that includes this, for what is linked with it, too.
 */
#ifndef LIB_NO_RANDOM_H
#define LIB_NO_RANDOM_H

#include <errno.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <unistd.h>

static int random_error;       /* what each call fails with, unless 0 */
static unsigned random_breaks; /* so many calls are interrupted first */
static size_t random_at_once;  /* bytes that a call returns at most, unless 0 */

ssize_t getrandom(void *buf, size_t n, unsigned flags)
{
	errno = random_error;
	if (random_breaks) {
		random_breaks--;
		errno = EINTR;
	}
	if (errno)
		return -1;
	if (random_at_once && n > random_at_once)
		n = random_at_once;
	return syscall(SYS_getrandom, buf, n, flags);
}

#endif
