/* SPDX-License-Identifier: MIT */
/* The version of the program, and the libraries that it was built with. */
#ifndef VERSION_H
#define VERSION_H

extern const char version_name[]; /* "netrelay " and the version */
extern const char
	version_libc[]; /* "static" if the C library is part of the program, or "shared" */
extern const char
	version_libmnl[]; /* the libmnl that is used: libmnl, or our built-in subset */

/* version_number() - The version alone, a constant. */
const char *version_number(void);

#endif
