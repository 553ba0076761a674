/* SPDX-License-Identifier: MIT */
/* A capture's filter: which frames to capture, and how much of each. */
#ifndef CAPTURE_FILTER_H
#define CAPTURE_FILTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "conf/endpoint.h"

/*
 * @port:    the number of the only port to capture; 0 for all ports
 * @name:    or the name of the only one, by name=, and of those that have it later; or ""
 * @snaplen: bytes to keep of each frame
 * @in:      capture the frames that a port receives
 * @out:     capture the frames that a port sends
 */
struct capture_filter {
	unsigned port;
	char name[ENDPOINT_NUMBERED_MAX];
	uint32_t snaplen;
	bool in, out;
};

/*
 * capture_filter_words() - Read the words "port=PORT", "dir=in|out|both" and "snap=N".
 * @f:     filled in; without words it selects all frames in full length
 * @words: the words, and a NULL behind them
 * @why:   on error, one line that says what is wrong and what would be right
 * @size:  bytes at @why
 *
 * Return: 0 or -EINVAL.
 */
int capture_filter_words(struct capture_filter *f, char *const *words, char *why,
			 size_t size);

/*
 * capture_filter_option() - Read FILE[,WORD...]; a comma within FILE is doubled.
 * @text: changed in place; it is the file's name alone afterwards
 * @why, @size: as of capture_filter_words()
 *
 * Return: 0 or -EINVAL.
 */
int capture_filter_option(struct capture_filter *f, char *text, char *why, size_t size);

/*
 * capture_filter_cut() - Cut @text in place at its first comma that is not doubled;
 * of each doubled comma before that, one is kept.
 *
 * Return: the text behind that comma; NULL when there is no such comma.
 */
char *capture_filter_cut(char *text);

#endif
