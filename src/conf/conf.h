/* SPDX-License-Identifier: MIT */
/*
 * The configuration: what the command line, and the file that it names, tell the program
 * to do. Reading it has no side effects: nothing but the file and those that it includes
 * is opened, and nothing is resolved or printed.
 */
#ifndef CONF_H
#define CONF_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "conf/capture-filter.h"
#include "conf/endpoint.h"

/*
 * Relay frames; print the help or the version; run netrelay ctl, top, genkey or pubkey;
 * print whether the user may join a bridge, what is wrong with a file, or a file that means
 * the same.
 */
enum conf_action {
	CONF_RUN,
	CONF_HELP,
	CONF_VERSION,
	CONF_CTL,
	CONF_TOP,
	CONF_GENKEY,
	CONF_PUBKEY,
	CONF_CHECK_BRIDGE,
	CONF_CHECK,
	CONF_PRINT
};

#define CONF_OPTIONS 13 /* of those that can be given once */

#define CONF_STORM_LIMIT 100000 /* default of --storm: broadcasts per second and port */
#define CONF_FDB_SIZE 16384	/* default of --fdb-size: MAC addresses */
#define CONF_FDB_SIZE_MAX (1u << 20) /* the most that --fdb-size may be */

/*
 * @verbose:     how often -v was given
 * @server:      -l was given
 * @listeners:   the endpoints of -l, @n_listeners of them
 * @endpoints:   a cable's two ends, or a server's targets; @n_endpoints of them
 * @hub:         --hub was given
 * @storm_limit: broadcast, multicast and unknown-unicast frames that a port may bring per
 *               second; 0 for no limit
 * @fdb_size:    MAC addresses that a switch remembers
 * @ctl_path:    path of the control socket, or NULL. CONF_RUN creates the socket,
 *               CONF_CTL and CONF_TOP connect to it
 * @ctl:         CONF_RUN only, with @ctl_path: how to create it; a UNIX_LISTEN endpoint
 * @command:     CONF_CTL only: the command's words, in argv, and a NULL behind them
 * @bridge:      CONF_CHECK_BRIDGE only: the bridge's name
 * @metrics:     if @has_metrics: where to serve metrics; a TCP_LISTEN endpoint
 * @key_file:    path of our own key; NULL: there is none
 * @peers_file:  path of the peers that listeners take which name no file themselves; or NULL
 * @user:        whom to become after set-up; NULL to stay who we are
 * @no_sandbox:  --no-sandbox was given
 * @wait:        --wait was given
 * @daemon:      --daemon was given
 * @pidfile:     where the number of the process is written; NULL: nowhere
 * @capture:     file to capture to, "-" for stdout; NULL for no capture
 * @capture_filter: the frames to capture
 * @file:        path of the configuration file, or NULL
 * @argc, @argv: the command line, to be read again
 * @given:       what each option was given as; NULL: it was not
 * @text:        CONF_PRINT: the file to print; CONF_CHECK: what to print if all is right
 * @faults:      CONF_CHECK: what is wrong, @n_faults lines
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
	struct endpoint ctl;
	char **command;
	const char *bridge;
	bool has_metrics;
	struct endpoint metrics;
	const char *key_file;
	const char *peers_file;
	const char *user;
	bool no_sandbox;
	bool wait;
	bool daemon;
	const char *pidfile;
	char *capture; /* freed by conf_free() */
	struct capture_filter capture_filter;
	const char *file;
	int argc;
	char **argv;
	char *given[CONF_OPTIONS];
	struct buf text, faults;
	unsigned n_faults;
};

/*
 * conf_read() - Read the command line.
 * @conf: filled in; the caller must conf_free() it, also after an error. It points
 *        to words of @argv, which must outlive it
 * @why:  on error, one line that says what is wrong and what would be right
 * @size: bytes at @why
 *
 * Return: 0; -EINVAL for wrong usage; -ENOMEM; another of conf_file_read() if the host could
 * not read the file.
 */
int conf_read(struct conf *conf, int argc, char **argv, char *why, size_t size);

/*
 * conf_reread() - As conf_read(), with the file's text as conf_file_read() has made it:
 * for those who can't open files. It may be anything.
 * @text: NULL: the file is read
 */
int conf_reread(struct conf *conf, int argc, char **argv, const struct buf *text,
		char *why, size_t size);

/* conf_count() - How many listeners and endpoints there are. */
static inline size_t conf_count(const struct conf *conf)
{
	return conf->n_listeners + conf->n_endpoints;
}

/* conf_nth() - One of them, counted from 0, listeners first. */
const struct endpoint *conf_nth(const struct conf *conf, size_t i);

/* conf_has_fd() - Whether an endpoint is, or has, the descriptor @fd. */
bool conf_has_fd(const struct conf *conf, int fd);

/*
 * conf_fixed() - Look for what can't change while the relay runs.
 *
 * Return: the long name of an option that two configurations have differently; NULL if
 * there is none.
 */
const char *conf_fixed(const struct conf *a, const struct conf *b);

/* conf_free() - Free what conf_read() allocated; @conf is empty afterwards. */
void conf_free(struct conf *conf);

/* conf_help() - Append the text of --help: usage and endpoints on one screen. */
void conf_help(struct buf *out);

#endif
