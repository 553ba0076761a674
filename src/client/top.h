/* SPDX-License-Identifier: MIT */
/* netrelay top: what a relay does, on a whole terminal, drawn anew every second. */
#ifndef TOP_H
#define TOP_H

/*
 * top_run() - Until the user quits, or a signal ends it. The terminal is then as
 * it was. Errors go to the log.
 * @path: of the relay's control socket
 *
 * Return: 0 or -errno.
 */
int top_run(const char *path);

#endif
