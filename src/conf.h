/* SPDX-License-Identifier: MIT */
/*
 * argv, read into what the program is to do. Nothing is opened or changed
 * here; printing the help text is the only thing that can be seen of it.
 */
#ifndef CONF_H
#define CONF_H

#include <stdbool.h>
#include <stddef.h>

#include "endpoint.h"

enum conf_action { CONF_RUN, CONF_HELP, CONF_VERSION };

/*
 * @verbose:   how often -v was given
 * @server:    -l was given
 * @listeners: what -l named, @n_listeners of them
 * @endpoints: a cable's two, or a server's targets, @n_endpoints of them
 */
struct conf {
	enum conf_action action;
	int verbose;
	bool server;
	struct endpoint *listeners;
	size_t n_listeners;
	struct endpoint *endpoints;
	size_t n_endpoints;
};

/*
 * conf_read() - Read the command line.
 * @conf: filled in; conf_free() it, also after an error
 * @why:  on error, one line that says what is wrong and what would be right
 * @size: bytes at @why
 *
 * Return: 0; -EINVAL for wrong usage; -ENOMEM.
 */
int conf_read(struct conf *conf, int argc, char **argv, char *why, size_t size);

void conf_free(struct conf *conf);

/* conf_help() - The one-screen summary of usage and endpoints. */
const char *conf_help(void);

#endif
