/* SPDX-License-Identifier: MIT */
/* How bytes are copied between guests and us. */
#ifndef VHOST_COPY_H
#define VHOST_COPY_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/util.h"

#define VHOST_COPY_SHORT 1024u /* the longest that is no long copy */

/*
 * vhost_copy_long() - Copy many bytes, from one core's cache into lines that another one has.
 * The processor's own way does not fetch these first. musl's memcpy() has that only where the
 * two ends are aligned alike, as they never are here.
 */
static inline void vhost_copy_long(uint8_t *to, const uint8_t *from, size_t len)
{
#ifdef __x86_64__
	__asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(len) : : "memory");
#else
	memcpy(to, from, len);
#endif
}

/* vhost_copy() - Copy @len bytes. Most copies are short. */
static inline void vhost_copy(uint8_t *to, const uint8_t *from, size_t len)
{
	if (len > VHOST_COPY_SHORT)
		vhost_copy_long(to, from, len);
	else
		copy_some(to, from, len);
}

#endif
