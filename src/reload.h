/* SPDX-License-Identifier: MIT */
/* Reads the configuration file again, and makes the relay what it says now. */
#ifndef RELOAD_H
#define RELOAD_H

#include "base/buf.h"
#include "conf/conf.h"
#include "net/keys.h"
#include "relay/relay.h"
#include "show/trace.h"

/*
 * Its owner sets these:
 * @conf:   what the program was started with
 * @trace:  of -vv
 * @keys:   what the files of keys have
 *
 * @now:    what was applied last, if anything was since the start
 */
struct reload {
	const struct conf *conf;
	struct relay *relay;
	struct trace *trace;
	struct keys *keys;
	struct conf now;
};

/*
 * reload_run() - Read the files of keys again, and the whole command line with the new text
 * of the configuration file, if there is one, and apply what is different (relay/renew.h).
 * With anything wrong, nothing is changed. The result is logged.
 * @out:  on success, what was done is appended, a line each
 * @why:  on error, one line that says what is wrong
 * @size: bytes at @why
 *
 * Return: 0, also if something could not be added; -errno.
 */
int reload_run(struct reload *l, struct buf *out, char *why, size_t size);

/* reload_free() - Free what it has. */
void reload_free(struct reload *l);

#endif
