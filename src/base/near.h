/* SPDX-License-Identifier: MIT */
/* Finds what somebody meant who mistyped a word: "did you mean". */
#ifndef NEAR_H
#define NEAR_H

#include <stddef.h>

/*
 * The search for the word that is nearest to one that was typed.
 * @word, @len: what was typed; it need not end behind that
 * @found:      the nearest candidate so far, if it is near enough; or NULL
 * @distance:   how far it is
 */
struct near {
	const char *word;
	size_t len;
	const char *found;
	unsigned distance;
};

/*
 * near_try() - Compare one candidate. It is near enough if a third of the longer word's
 * letters were mistyped at most: left out, put in, replaced, or swapped with the next one.
 * Capital letters that were typed are as good as small ones.
 * @n:         its @word and @len are set, the rest is zero at first
 * @candidate: must stay; has small letters
 */
void near_try(struct near *n, const char *candidate);

#define NEAR_HINT_MAX 64 /* bytes of a hint, with its NUL */

/*
 * near_hint() - Write "; did you mean WORD?" to @hint, NEAR_HINT_MAX bytes, with @prefix
 * ahead of the word; or nothing, if no candidate was near enough.
 *
 * Return: @hint.
 */
const char *near_hint(const struct near *n, const char *prefix, char *hint);

#endif
