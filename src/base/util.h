/* SPDX-License-Identifier: MIT */
/*
 * Small things that every layer needs: array sizes, network byte order, the
 * struct around a member. Nothing in here knows what netrelay is.
 */
#ifndef UTIL_H
#define UTIL_H

#include <stddef.h>
#include <stdint.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* The struct of type @type whose member @member is at @ptr. */
#define container_of(ptr, type, member) \
	((type *)(void *)((char *)(ptr)-offsetof(type, member)))

/* Have the compiler check a printf()-like function: argument @fmt is the format. */
#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))

/* get_be32() - Read the big-endian number in the four bytes at @p; no alignment is needed. */
static inline uint32_t get_be32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* put_be32() - Write @v as four bytes at @p, big-endian; no alignment is needed. */
static inline void put_be32(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 24);
	p[1] = (uint8_t)(v >> 16);
	p[2] = (uint8_t)(v >> 8);
	p[3] = (uint8_t)v;
}

/* min_size() - The smaller of two sizes. */
static inline size_t min_size(size_t a, size_t b)
{
	return a < b ? a : b;
}

#endif
