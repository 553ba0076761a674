/* SPDX-License-Identifier: MIT */
/* Which netrelay this is. */
#ifndef VERSION_H
#define VERSION_H

extern const char version_name[];   /* netrelay, and its version */
extern const char version_libc[];   /* static: the C library is inside; else shared */
extern const char version_libmnl[]; /* the libmnl that it has been built with */

/* version_number() - The version alone. */
const char *version_number(void);

#endif
