/* SPDX-License-Identifier: MIT */
/*
 * A line of words, as a control command is sent: separated by blanks, a word
 * with blanks in double quotes. Within quotes \", \\ and \n stand for a quote,
 * a backslash and a newline; outside, a backslash is like any other byte. So a
 * person can type it, and every list of words has a line that stands for it.
 */
#ifndef QUOTE_H
#define QUOTE_H

#include <stddef.h>

#include "base/buf.h"

/*
 * quote_split() - Cut @line up in place.
 * @word: filled in with its words, at most @max, and a NULL behind them; has
 *        room for @max + 1
 * @why:  on error, what is wrong
 *
 * Return: how many; -EINVAL.
 */
int quote_split(char *line, char **word, size_t max, const char **why);

/* quote_add() - Append @word to a line of them, so that quote_split() finds it. */
void quote_add(struct buf *line, const char *word);

#endif
