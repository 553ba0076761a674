/* SPDX-License-Identifier: MIT */
/* The distance is that of optimal string alignment, by three rows of its matrix. */
#include "base/near.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/parts.h"

#define LETTERS_MAX 24 /* words that are longer are near to none */

static unsigned least(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

/* Of two words of LETTERS_MAX letters at most; @a may have capital ones. */
static unsigned distance_of(const char *a, size_t n, const char *b, size_t m)
{
	unsigned rows[3][LETTERS_MAX + 1], *above2 = rows[0], *above = rows[1],
					   *row = rows[2];
	int before, letter = '\0';

	for (unsigned k = 0; k <= m; k++)
		row[k] = k;
	for (unsigned i = 1; i <= n; i++) {
		unsigned *spare = above2;

		before = letter;
		letter = tolower((unsigned char)a[i - 1]);
		above2 = above;
		above = row;
		row = spare;
		row[0] = i;
		for (unsigned k = 1; k <= m; k++) {
			row[k] = least(above[k], row[k - 1]) + 1;
			row[k] = least(row[k], above[k - 1] + (letter != b[k - 1]));
			if (i > 1 && k > 1 && letter == b[k - 2] && before == b[k - 1])
				row[k] = least(row[k], above2[k - 2] + 1);
		}
	}
	return row[m];
}

void near_try(struct near *n, const char *candidate)
{
	size_t len = strlen(candidate), longer = len > n->len ? len : n->len;
	unsigned distance;

	/* Each letter that only one of them has is a step. */
	if (!HAS_HINTS || longer > LETTERS_MAX ||
	    3 * (2 * longer - len - n->len) > longer)
		return;
	distance = distance_of(n->word, n->len, candidate, len);
	if (3 * distance > longer || (n->found && distance >= n->distance))
		return;
	n->found = candidate;
	n->distance = distance;
}

const char *near_hint(const struct near *n, const char *prefix, char *hint)
{
	*hint = '\0';
	if (HAS_HINTS && n->found)
		snprintf(hint, NEAR_HINT_MAX, "; did you mean %s%s?", prefix, n->found);
	return hint;
}
