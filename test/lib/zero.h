/* SPDX-License-Identifier: MIT */
/* Whether what had a secret was wiped. */
#ifndef LIB_ZERO_H
#define LIB_ZERO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

static inline bool is_zero(const void *p, size_t n)
{
	const uint8_t *at = p;

	while (n && !*at)
		at++, n--;
	return !n;
}

#endif
