/* SPDX-License-Identifier: MIT */
/*
 * --daemon: the program goes on in the background, and whoever has started it gets the result
 * when that is known: messages on stderr until then, and the exit status. Later messages go
 * to the system log.
 */
#ifndef DAEMON_H
#define DAEMON_H

#include <stdbool.h>
#include <stddef.h>

#include "conf/conf.h"

/* @ready: a pipe to the process that waits; -1: there is none */
struct daemon {
	int ready;
};

/*
 * daemon_start() - Fork the process that goes on, in a session of its own. Its stdin and
 * stdout become /dev/null unless an endpoint has them, and its stderr the system log for the
 * processes that it forks. Nothing may be open that the two would share.
 * @why:  on error, one line that says what is wrong
 * @size: bytes at @why
 *
 * Return: 0 in the process that goes on; 1 in the one that was started, when the other one is
 * ready; -ECHILD there when the other one has ended instead, and has told why; another
 * -errno, with @why.
 */
int daemon_start(struct daemon *d, const struct conf *conf, char *why, size_t size);

/*
 * daemon_ready() - Tell the process that waits. Also for a confined process.
 *
 * Return: 0; -EPIPE when it has gone, for it was told to stop: so should we.
 */
int daemon_ready(struct daemon *d);

#endif
