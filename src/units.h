/* SPDX-License-Identifier: MIT */
/* Numbers and times as people read them: short, and always of about one width. */
#ifndef UNITS_H
#define UNITS_H

#include <stdint.h>

#define UNITS_MAX 24 /* the longest text of these, with its NUL */

/* units_count() - 9999, 12.3k, 123k, 1.23M and so on, at @buf; a k is 1000. */
const char *units_count(uint64_t n, char *buf);

/* units_time() - 59s, 3m12s, 2h14m, 5d03h, at @buf. */
const char *units_time(uint64_t ms, char *buf);

#endif
