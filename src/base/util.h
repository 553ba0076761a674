/* SPDX-License-Identifier: MIT */
/* Small things that every layer needs. Nothing in here knows what netrelay is. */
#ifndef UTIL_H
#define UTIL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* container_of() - The struct of type @type that has its member @member at @ptr. */
#define container_of(ptr, type, member) \
	((type *)(void *)((char *)(ptr)-offsetof(type, member)))

/* Have the compiler check a printf()-like function: argument @fmt is the format. */
#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))

#ifdef __OPTIMIZE_SIZE__
enum { COPY_SOME_MAX = 0 };
#else
enum { COPY_SOME_MAX = 4096 };
#endif

/*
 * copy_some() - As memcpy(), but it begins sooner: musl's takes as long for 66 bytes as this
 * for 1,000. Each byte is read once.
 */
static inline void copy_some(uint8_t *to, const uint8_t *from, size_t n)
{
	if (n > COPY_SOME_MAX) {
		memcpy(to, from, n);
		return;
	}
	for (; n >= 64; n -= 64, to += 64, from += 64)
		memcpy(to, from, 64);
	for (; n >= 8; n -= 8, to += 8, from += 8)
		memcpy(to, from, 8);
	for (; n; n--)
		*to++ = *from++;
}

/* get_be16() - Read the big-endian number in the two bytes at @p; no alignment is needed. */
static inline uint16_t get_be16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

/* put_be16() - Write the lower 16 bits of @v as two bytes at @p, big-endian. */
static inline void put_be16(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

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

/* get_be64() - Read the big-endian number in the eight bytes at @p; no alignment is needed. */
static inline uint64_t get_be64(const uint8_t *p)
{
	return (uint64_t)get_be32(p) << 32 | get_be32(p + 4);
}

/* put_be64() - Write @v as eight bytes at @p, big-endian; no alignment is needed. */
static inline void put_be64(uint8_t *p, uint64_t v)
{
	put_be32(p, (uint32_t)(v >> 32));
	put_be32(p + 4, (uint32_t)v);
}

/* min_size() - The smaller of two sizes. */
static inline size_t min_size(size_t a, size_t b)
{
	return a < b ? a : b;
}

/*
 * per_second() - The rate of a counter that went from @before to @now within @ms
 * milliseconds; 0 if it went back.
 */
static inline uint64_t per_second(uint64_t now, uint64_t before, uint64_t ms)
{
	return now > before && ms ? (now - before) * 1000 / ms : 0;
}

/*
 * parse_uint() - Read a number that consists of digits alone.
 * @base:  10 or less
 * @limit: the largest number allowed
 * @value: set to it
 *
 * Return: whether @text is such a number; if not, @value is as it was.
 */
bool parse_uint(const char *text, unsigned base, uint32_t limit, uint32_t *value);

/*
 * text_hash() - A hash that tells texts apart, in less room than they take: FNV-1a. It is
 * not for texts that somebody chose to have the same one.
 */
uint64_t text_hash(const char *text);

/*
 * write_all() - Write @len bytes, and wait as long as that takes, even if @fd is
 * non-blocking. Return: 0 or -errno.
 */
int write_all(int fd, const void *data, size_t len);

/*
 * signal_is_ignored() - Whether @sig is ignored, as nohup does with SIGHUP before it
 * starts a program. A signalfd would still receive such a signal if it is blocked.
 */
bool signal_is_ignored(int sig);

#endif
