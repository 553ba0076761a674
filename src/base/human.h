/* SPDX-License-Identifier: MIT */
/* Numbers and times as people read them: short, and always of about one width. */
#ifndef HUMAN_H
#define HUMAN_H

#include <stdint.h>

#define HUMAN_MAX 24 /* the longest text of these, with its NUL */

/* human_count() - 9999, 12.3k, 123k, 1.23M and so on, at @buf; a k is 1000. */
const char *human_count(uint64_t n, char *buf);

/* human_time() - 59s, 3m12s, 2h14m, 5d03h, at @buf. */
const char *human_time(uint64_t ms, char *buf);

#endif
