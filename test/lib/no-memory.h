/* SPDX-License-Identifier: MIT */
/*
 * A machine without memory: malloc() and calloc() are replaced in the program that includes
 * this, for what is linked with it, too, and fail while no_memory is set, but for the next
 * no_memory_after. Otherwise they call a sanitizer's if there is one, as free() does.
 */
#ifndef LIB_NO_MEMORY_H
#define LIB_NO_MEMORY_H

#include <dlfcn.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* They are called before a sanitizer has begun. */
#define NO_MEMORY_EARLY __attribute__((no_sanitize("address", "undefined")))

static bool no_memory;
static unsigned no_memory_after;

__attribute__((weak)) void *__interceptor_malloc(size_t size);
__attribute__((weak)) void *__interceptor_calloc(size_t n, size_t size);

NO_MEMORY_EARLY static inline bool no_memory_fails(void)
{
	if (!no_memory)
		return false;
	if (no_memory_after) {
		no_memory_after--;
		return false;
	}
	errno = ENOMEM;
	return true;
}

NO_MEMORY_EARLY void *malloc(size_t size)
{
	static void *(*next)(size_t size);
	void *found;

	if (no_memory_fails())
		return NULL;
	if (!next && __interceptor_malloc) {
		next = __interceptor_malloc;
	} else if (!next) {
		found = dlsym(RTLD_NEXT, "malloc");
		memcpy(&next, &found, sizeof(next));
	}
	return next(size);
}

NO_MEMORY_EARLY void *calloc(size_t n, size_t size)
{
	static void *(*next)(size_t n, size_t size);
	void *found;

	if (no_memory_fails())
		return NULL;
	if (!next && __interceptor_calloc) {
		next = __interceptor_calloc;
	} else if (!next) {
		found = dlsym(RTLD_NEXT, "calloc");
		memcpy(&next, &found, sizeof(next));
	}
	return next(n, size);
}

#endif
