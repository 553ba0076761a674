/* SPDX-License-Identifier: MIT */
/* A command line for tests. */
#ifndef LIB_WORDS_H
#define LIB_WORDS_H

#include <stdlib.h>
#include <string.h>

#include "conf/conf.h"

#define WORDS_READ_MAX 63 /* with "netrelay" */

/*
 * words_read() - conf_read() of "netrelay" and @words, up to a NULL.
 *
 * getopt_long() puts operands last in argv, hence a copy; what @conf has of it is there until
 * the next call.
 */
static inline int words_read(struct conf *conf, const char *const *words, char *why,
			     size_t size)
{
	static char *owned[WORDS_READ_MAX + 1], *argv[WORDS_READ_MAX + 1];
	int argc = 0;

	for (size_t i = 0; i < WORDS_READ_MAX; i++)
		free(owned[i]);
	memset(owned, 0, sizeof(owned));
	owned[argc++] = strdup("netrelay");
	for (; argc < WORDS_READ_MAX && *words; words++)
		owned[argc++] = strdup(*words);
	memcpy(argv, owned, sizeof(owned));
	return conf_read(conf, argc, argv, why, size);
}

#endif
