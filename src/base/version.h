/* SPDX-License-Identifier: MIT */
/* What was decided when the program was built: its version, libraries and directories. */
#ifndef VERSION_H
#define VERSION_H

extern const char version_name[]; /* "netrelay " and the version */
extern const char
	version_libc[]; /* "static" if the C library is part of the program, or "shared" */
extern const char
	version_libmnl[]; /* the libmnl that is used: libmnl, or our built-in subset */
extern const char version_crypto[];   /* the library that seals trunks, if HAS_KEYS */
extern const char version_conf_dir[]; /* the directory of files that an admin writes */

extern const char version_left_out[]; /* the parts that were left out (parts.h), or "" */

/* version_number() - The version alone, a constant. */
const char *version_number(void);

#endif
