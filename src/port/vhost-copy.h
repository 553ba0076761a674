/* SPDX-License-Identifier: MIT */
/* How bytes are copied between guests and us. */
#ifndef VHOST_COPY_H
#define VHOST_COPY_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define VHOST_COPY_SHORT 1024u /* the longest that is no long copy */
#define VHOST_COPY_STEP 16u    /* bytes that the processor copies at once */

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

/*
 * vhost_copy() - Copy @len bytes. Most copies are short, and a call of memcpy() with a length
 * that is not known beforehand takes longer than the copy.
 */
static inline void vhost_copy(uint8_t *to, const uint8_t *from, size_t len)
{
	size_t at = 0;

	if (len < VHOST_COPY_STEP / 2) {
		memcpy(to, from, len);
		return;
	}
	if (len > VHOST_COPY_SHORT) {
		vhost_copy_long(to, from, len);
		return;
	}
	if (len < VHOST_COPY_STEP) {
		memcpy(to, from, VHOST_COPY_STEP / 2);
		memcpy(to + len - VHOST_COPY_STEP / 2, from + len - VHOST_COPY_STEP / 2,
		       VHOST_COPY_STEP / 2);
		return;
	}
	for (; at + 4 * VHOST_COPY_STEP <= len; at += 4 * VHOST_COPY_STEP)
		memcpy(to + at, from + at, 4 * VHOST_COPY_STEP);
	for (; at + VHOST_COPY_STEP <= len; at += VHOST_COPY_STEP)
		memcpy(to + at, from + at, VHOST_COPY_STEP);
	/* The last bytes, some of them for the second time. */
	memcpy(to + len - VHOST_COPY_STEP, from + len - VHOST_COPY_STEP, VHOST_COPY_STEP);
}

#endif
