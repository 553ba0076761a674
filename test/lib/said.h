/* SPDX-License-Identifier: MIT */
/*
 * What is logged, for tests that ask for it:
 *
 *	said_begin();
 *	...
 *	ok(was_said("refused: no handshake came"), "it is told");
 */
#ifndef LIB_SAID_H
#define LIB_SAID_H

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "lib/quiet.h"

#define SAID_MAX 16384

static int said_fd;

/* said_begin() - Have it come to us, and nobody else. */
static inline void said_begin(void)
{
	int fds[2];

	quiet();
	if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) < 0 || dup2(fds[1], STDERR_FILENO) < 0)
		abort();
	close(fds[1]);
	said_fd = fds[0];
	log_reset();
	log_open();
}

/* Read what was said since the last call. */
static inline void said_read(char text[SAID_MAX])
{
	size_t len = 0;
	ssize_t n;

	while ((n = read(said_fd, text + len, SAID_MAX - 1 - len)) > 0)
		len += (size_t)n;
	text[len] = '\0';
}

/* was_said() - Whether @part was, since the last call of this or of is_silent(). */
static inline bool was_said(const char *part)
{
	char text[SAID_MAX];

	said_read(text);
	if (strstr(text, part))
		return true;
	printf("# it said: %s\n", text);
	return false;
}

/* is_silent() - Whether nothing was said since then. */
static inline bool is_silent(void)
{
	char text[SAID_MAX];

	said_read(text);
	return !text[0];
}

#endif
