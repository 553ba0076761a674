/* SPDX-License-Identifier: MIT */
/*
 * A control command on its way is one line of words. Blanks separate words, and a
 * word with blanks stands in double quotes. Within quotes \", \\ and \n stand for a
 * quote, a backslash and a newline; outside quotes a backslash is an ordinary byte.
 * A person can type such a line, and every list of words can be written as one.
 */
#ifndef QUOTE_H
#define QUOTE_H

#include <stddef.h>

#include "base/buf.h"

/*
 * quote_split() - Cut @line into words, in place.
 * @word: set to the words, at most @max, and a NULL behind them; has room for
 *        @max + 1 pointers, which point into @line
 * @why:  on error, set to what is wrong; a constant
 *
 * Return: the number of words; -EINVAL for a bad quote or too many words.
 */
int quote_split(char *line, char **word, size_t max, const char **why);

/* quote_add() - Append @word to a line, quoted where it must be, for quote_split(). */
void quote_add(struct buf *line, const char *word);

/* quote_wrap() - Append @word in quotes. */
void quote_wrap(struct buf *line, const char *word);

#endif
