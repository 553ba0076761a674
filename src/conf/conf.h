/* SPDX-License-Identifier: MIT */
/*
 * argv, read into what the program is to do. Nothing is opened or changed
 * here; printing the help text is the only thing that can be seen of it.
 */
#ifndef CONF_H
#define CONF_H

#include <stdbool.h>
#include <stddef.h>

#include "conf/capture-filter.h"
#include "conf/endpoint.h"

enum conf_action { CONF_RUN, CONF_HELP, CONF_VERSION, CONF_CTL, CONF_TOP };

#define CONF_STORM_LIMIT 100000 /* flooded frames a second and port */
#define CONF_FDB_SIZE 16384
#define CONF_FDB_SIZE_MAX (1u << 20)

/*
 * @verbose:   how often -v was given
 * @server:    -l was given
 * @listeners: what -l named, @n_listeners of them
 * @endpoints: a cable's two, or a server's targets, @n_endpoints of them
 * @hub:       --hub was given
 * @storm_limit: flooded frames a second that a port may bring; 0: any number
 * @fdb_size:  addresses that a switch remembers
 * @ctl_path:  of the control socket, to make or (CONF_CTL, CONF_TOP) to talk to; or NULL
 * @command:   CONF_CTL: the command's words, in argv, up to a NULL
 * @has_metrics, @metrics: where to serve them; as of a TCP_LISTEN
 * @capture:   file to capture to, "-" for stdout; or NULL
 * @capture_filter: what of
 */
struct conf {
	enum conf_action action;
	int verbose;
	bool server;
	struct endpoint *listeners;
	size_t n_listeners;
	struct endpoint *endpoints;
	size_t n_endpoints;
	bool hub;
	uint32_t storm_limit;
	uint32_t fdb_size;
	const char *ctl_path;
	char **command;
	bool has_metrics;
	struct endpoint metrics;
	char *capture; /* its own copy */
	struct capture_filter capture_filter;
};

/*
 * conf_read() - Read the command line.
 * @conf: filled in; conf_free() it, also after an error; words of @argv, which
 *        it points to, must outlive it
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
