/* SPDX-License-Identifier: MIT */
/* The Makefile gives the words, so that a commit compiles this file alone. */
#include "base/version.h"

#define PROGRAM "netrelay "

const char version_name[] = PROGRAM VERSION;
const char version_libc[] = LIBC;
const char version_libmnl[] = LIBMNL;

const char *version_number(void)
{
	return version_name + sizeof(PROGRAM) - 1;
}
