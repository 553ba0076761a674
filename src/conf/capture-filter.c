/* SPDX-License-Identifier: MIT */
/* Words, each of a key and a value. The last one of a key counts. */
#include "conf/capture-filter.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/escape.h"
#include "base/util.h"
#include "frame/frame.h"

static int refuse(char *why, size_t size, const char *word)
{
	char escaped[80];

	escape_text(escaped, sizeof(escaped), word);
	snprintf(why, size,
		 "%s: not known; a capture may have port=N, dir=in, dir=out, dir=both, "
		 "snap=N, with snap up to %d; a comma in the file's name is doubled",
		 escaped, FRAME_MAX);
	return -EINVAL;
}

static bool read_number(unsigned *to, const char *text, unsigned max)
{
	return parse_uint(text, 10, max, to) && *to;
}

static bool read_direction(struct capture_filter *w, const char *text)
{
	bool both = !strcmp(text, "both");

	w->in = both || !strcmp(text, "in");
	w->out = both || !strcmp(text, "out");
	return w->in || w->out;
}

static bool read_word(struct capture_filter *w, const char *word)
{
	if (!strncmp(word, "port=", 5))
		return read_number(&w->port, word + 5, INT32_MAX);
	if (!strncmp(word, "snap=", 5))
		return read_number(&w->snaplen, word + 5, FRAME_MAX);
	if (!strncmp(word, "dir=", 4))
		return read_direction(w, word + 4);
	return false;
}

static void wish_all(struct capture_filter *w)
{
	*w = (struct capture_filter){ .snaplen = FRAME_MAX, .in = true, .out = true };
}

int capture_filter_words(struct capture_filter *w, char *const *words, char *why,
			 size_t size)
{
	wish_all(w);
	for (; *words; words++)
		if (!read_word(w, *words))
			return refuse(why, size, *words);
	return 0;
}

char *capture_filter_cut(char *text)
{
	char *to = text;

	for (; *text; text++) {
		if (*text == ',' && text[1] != ',') {
			*to = '\0';
			return text + 1;
		}
		if (*text == ',')
			text++;
		*to++ = *text;
	}
	*to = '\0';
	return NULL;
}

int capture_filter_option(struct capture_filter *w, char *text, char *why, size_t size)
{
	char *rest = capture_filter_cut(text), *word;

	wish_all(w);
	while (rest) {
		word = rest;
		rest = capture_filter_cut(word);
		if (!read_word(w, word))
			return refuse(why, size, word);
	}
	return 0;
}
