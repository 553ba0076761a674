/* SPDX-License-Identifier: MIT */
/* Which frames to capture, and how much of each, as a user says it. */
#ifndef CAPTURE_FILTER_H
#define CAPTURE_FILTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * @port:     a port's id; 0 for all
 * @snaplen:  bytes of each frame
 * @in, @out: what a port receives, what it sends
 */
struct capture_filter {
	unsigned port;
	uint32_t snaplen;
	bool in, out;
};

/*
 * capture_filter_words() - Read words of "port=N", "dir=in|out|both", "snap=N".
 * @words: up to a NULL; with none of them the wish is all of every frame
 * @why:   on error, one line that says what is wrong and what would be right
 *
 * Return: 0 or -EINVAL.
 */
int capture_filter_words(struct capture_filter *w, char *const *words, char *why,
			 size_t size);

/*
 * capture_filter_option() - Read FILE[,WORD...], where a comma of the file's is doubled.
 * @text: becomes the file alone
 *
 * Return: as capture_filter_words().
 */
int capture_filter_option(struct capture_filter *w, char *text, char *why, size_t size);

/*
 * capture_filter_cut() - Cut @text at the first comma that is not doubled, and undouble
 * those before.
 *
 * Return: what is behind it; NULL when there is none.
 */
char *capture_filter_cut(char *text);

#endif
