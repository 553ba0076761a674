/* SPDX-License-Identifier: MIT */
/* Which frames to capture, and how much of each, as a user says it. */
#ifndef CAPTURE_WISH_H
#define CAPTURE_WISH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * @port:     a port's id; 0 for all
 * @snaplen:  bytes of each frame
 * @in, @out: what a port receives, what it sends
 */
struct capture_wish {
	unsigned port;
	uint32_t snaplen;
	bool in, out;
};

/*
 * capture_wish_words() - Read words of "port=N", "dir=in|out|both", "snap=N".
 * @words: up to a NULL; with none of them the wish is all of every frame
 * @why:   on error, one line that says what is wrong and what would be right
 *
 * Return: 0 or -EINVAL.
 */
int capture_wish_words(struct capture_wish *w, char *const *words, char *why,
		       size_t size);

/*
 * capture_wish_option() - Read FILE[,WORD...], where a comma of the file's is doubled.
 * @text: becomes the file alone
 *
 * Return: as capture_wish_words().
 */
int capture_wish_option(struct capture_wish *w, char *text, char *why, size_t size);

/*
 * capture_wish_cut() - Cut @text at the first comma that is not doubled, and undouble
 * those before.
 *
 * Return: what is behind it; NULL when there is none.
 */
char *capture_wish_cut(char *text);

#endif
