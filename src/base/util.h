/* SPDX-License-Identifier: MIT */
/*
 * Small things that every layer needs, and that know nothing of what netrelay is.
 *
 * System calls: write, poll (write_all), rt_sigaction (signal_is_ignored).
 */
#ifndef UTIL_H
#define UTIL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* The struct of type @type whose member @member is at @ptr. */
#define container_of(ptr, type, member) \
	((type *)(void *)((char *)(ptr)-offsetof(type, member)))

#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))

static inline uint32_t get_be32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static inline void put_be32(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 24);
	p[1] = (uint8_t)(v >> 16);
	p[2] = (uint8_t)(v >> 8);
	p[3] = (uint8_t)v;
}

static inline size_t min_size(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* per_second() - How fast a counter grew from @before to @now, in @ms; 0 if it did not. */
static inline uint64_t per_second(uint64_t now, uint64_t before, uint64_t ms)
{
	return now > before && ms ? (now - before) * 1000 / ms : 0;
}

/*
 * parse_uint() - Read a number in digits alone.
 * @base: at most 10
 *
 * Return: whether it is one, up to @limit; else *@value is left alone.
 */
bool parse_uint(const char *text, unsigned base, uint32_t limit, uint32_t *value);

/* write_all() - Write all of it, and wait where that takes long. Return: 0 or -errno. */
int write_all(int fd, const void *data, size_t len);

/*
 * signal_is_ignored() - Whether whoever started us has had @sig ignored, as nohup does.
 * A signalfd would get it all the same, if it is blocked, too.
 */
bool signal_is_ignored(int sig);

#endif
