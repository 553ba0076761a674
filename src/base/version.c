/* SPDX-License-Identifier: MIT */
/*
 * The Makefile passes the version, and where the configuration is, to this file alone, so
 * a new commit compiles nothing else.
 */
#include "base/version.h"

#include "base/parts.h"

#define PROGRAM "netrelay "

#ifndef SYSCONFDIR
#define SYSCONFDIR "/etc"
#endif

const char version_name[] = PROGRAM VERSION;
const char version_libc[] = LIBC;
const char version_libmnl[] = LIBMNL;
const char version_crypto[] = CRYPTO;
const char version_left_out[] = WITHOUT_NAMES;
const char version_conf_dir[] = SYSCONFDIR "/netrelay";

const char *version_number(void)
{
	return version_name + sizeof(PROGRAM) - 1;
}
