/* SPDX-License-Identifier: MIT */
/* netrelay top: shows a relay's ports and rates on the whole terminal, once a second. */
#ifndef TOP_H
#define TOP_H

/*
 * top_run() - Run netrelay top until the user quits or a signal ends it. It leaves the
 * terminal as it was, and logs errors.
 * @path: the relay's control socket
 *
 * Return: 0 or -errno.
 */
int top_run(const char *path);

#endif
