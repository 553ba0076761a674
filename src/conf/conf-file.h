/* SPDX-License-Identifier: MIT */
/*
 * Configuration files, netrelay.conf(5): opens a file and those that it includes, and
 * makes one text of them, which somebody else may read (conf.h): the relay cannot open
 * files. What the statements mean is conf-option.h's.
 *
 * The text is a list of records, each made of two strings with their NULs: where it is
 * from ("FILE:LINE"), and the statement, with CONF_FILE_FAULT ahead of it if it says
 * what is wrong instead.
 */
#ifndef CONF_FILE_H
#define CONF_FILE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

#define CONF_FILE_BYTES ((size_t)256 << 10) /* of a text, but for its last record */
#define CONF_FILE_FAULT '\x01'

/*
 * A record.
 * @text: the statement without blanks around it; or with @is_fault what is wrong
 */
struct conf_line {
	const char *where;
	bool is_fault;
	char *text;
};

/*
 * conf_file_read() - Read a file, and all that it includes, with our own rights.
 * @text: the records are appended here; it has failed if memory ran out
 *
 * Whatever is wrong with the files is a record, too.
 *
 * Return: 0; -EMFILE, -ENFILE, -ENOMEM or -EIO if the host could not read one of them, which
 * may pass.
 */
int conf_file_read(const char *path, struct buf *text);

/*
 * conf_file_next() - Take the next record of a text, whoever made that.
 * @at:  the rest of the text; moved behind the record. A record that is cut is left out
 * @end: the end of the text
 *
 * Return: whether there was one. It points into the text.
 */
bool conf_file_next(char **at, char *end, struct conf_line *line);

/*
 * conf_file_value() - Cut a statement in place: end its first word, and find its value.
 * @value: set to the rest of the line, without quotes if it has them (quote.h); NULL if
 *         there is none
 * @why:   on error, set to what is wrong with the quotes; a constant
 *
 * A # behind a blank is wrong, unless it is in quotes or in a command: it was meant to begin
 * a comment.
 *
 * Return: 0 or -EINVAL.
 */
int conf_file_value(char *statement, char **value, const char **why);

/* conf_file_print() - Append a line that has this statement. @value: may be NULL */
void conf_file_print(struct buf *text, const char *keyword, const char *value);

#endif
