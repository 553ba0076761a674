/* SPDX-License-Identifier: MIT */
/*
 * Options, and what each does to a configuration, wherever it was written: the same table
 * and the same function serve the command line and files. Only conf.c needs this.
 */
#ifndef CONF_OPTION_H
#define CONF_OPTION_H

#include <getopt.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "conf/conf.h"
#include "conf/conf-file.h"

#define SEE_HELP "see netrelay --help"
#define CONF_NO_LIST \
	"a configuration needs a file of its own, as lab.conf, which netrelay@lab reads"
#define CONF_SOCKET_PATH_MAX (ENDPOINT_PATH_MAX - 1) /* without its NUL */

/*
 * Options without a letter. Each but the last three may be given once, or if it has no value
 * more often, and may stand in a file, as -l and -v may.
 */
enum {
	OPT_HUB = 256,
	OPT_STORM,
	OPT_FDB_SIZE,
	OPT_CTL,
	OPT_METRICS,
	OPT_CAPTURE,
	OPT_USER,
	OPT_NO_SANDBOX,
	OPT_WAIT,
	OPT_DAEMON,
	OPT_PIDFILE,
	OPT_KEY,
	OPT_PEERS,
	OPT_END,
	OPT_CHECK_BRIDGE = OPT_END,
	OPT_CHECK,
	OPT_PRINT_CONFIG,
};

_Static_assert(OPT_END - OPT_HUB == CONF_OPTIONS, "conf.h has room for each");

/* An endpoint, as an option: the word of a file, or an operand of the command line. */
#define OPT_JOIN 1

/* conf_longs - All options, for getopt_long(). */
extern const struct option conf_longs[];

/*
 * A configuration that is being read.
 * @where:    of the file, what is being read: "FILE:LINE"; NULL: the command line
 * @whence:   where each listener, each endpoint and each option is from, likewise
 * @file:     the records of -f; what @where and @whence point to
 * @verbose:  how often -v was given: on the command line, and in files
 * @collects: all that is wrong is to be appended to conf->faults
 * @why:      where a message goes, @size bytes
 */
struct conf_reader {
	struct conf *conf;
	const char *where;
	struct {
		const char **listeners, **endpoints, *options[CONF_OPTIONS];
	} whence;
	struct buf file;
	int verbose[2];
	bool collects;
	char *why;
	size_t size;
};

/* conf_refuse() - Write a message, escaped, with r->where ahead of it. Return: -EINVAL. */
int conf_refuse(struct conf_reader *r, const char *fmt, ...) PRINTF_LIKE(2, 3);

/*
 * conf_refuse_part() - Refuse an option, or a command, whose part was left out when the
 * program was built (base/parts.h). Return: -EINVAL.
 */
int conf_refuse_part(struct conf_reader *r, const char *option);

/*
 * conf_settle() - End the reading of something that is independent of all else.
 * @err: 0; -EINVAL if conf_refuse() has said why; -ENOMEM
 *
 * Return: @err; 0 if all that is wrong is collected, and it was.
 */
int conf_settle(struct conf_reader *r, int err);

/* conf_option() - Find an option by its number. Return: it; NULL if there is none. */
const struct option *conf_option(int c);

/*
 * conf_option_set() - Do what an option says.
 * @c:     its number; or OPT_JOIN
 * @value: NULL if it has none
 *
 * Return: 0; -EINVAL with a message; -ENOMEM.
 */
int conf_option_set(struct conf_reader *r, int c, const char *value);

/* conf_option_line() - Do what a statement of a file says; as above, and settled. */
int conf_option_line(struct conf_reader *r, struct conf_line *line);

/* conf_option_path() - Read the path of a socket. @name: of messages. As above. */
int conf_option_path(struct conf_reader *r, const char **to, const char *path,
		     const char *name);

#endif
