/* SPDX-License-Identifier: MIT */
/* Reads a capture's filter: words KEY=VALUE. If a key comes twice, its last word counts. */
#include "conf/capture-filter.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/escape.h"
#include "base/util.h"
#include "conf/endpoint-name.h"
#include "frame/frame.h"

static int refuse(char *why, size_t size, const char *word)
{
	char escaped[80];

	escape_text(escaped, sizeof(escaped), word);
	snprintf(
		why, size,
		"%s: not known; a capture may have port=PORT, dir=in, dir=out, dir=both, "
		"snap=N, with snap up to %d; a comma in the file's name is doubled",
		escaped, FRAME_MAX);
	return -EINVAL;
}

static bool read_number(unsigned *to, const char *text, unsigned max)
{
	return parse_uint(text, 10, max, to) && *to;
}

/* Its number, or the name that it has by name=. */
static bool read_port(struct capture_filter *f, const char *text)
{
	bool is_name = endpoint_is_port_name(text, sizeof(f->name));

	f->port = 0;
	snprintf(f->name, sizeof(f->name), "%s", is_name ? text : "");
	return is_name || read_number(&f->port, text, INT32_MAX);
}

static bool read_direction(struct capture_filter *f, const char *text)
{
	bool both = !strcmp(text, "both");

	f->in = both || !strcmp(text, "in");
	f->out = both || !strcmp(text, "out");
	return f->in || f->out;
}

static bool read_word(struct capture_filter *f, const char *word)
{
	if (!strncmp(word, "port=", 5))
		return read_port(f, word + 5);
	if (!strncmp(word, "snap=", 5))
		return read_number(&f->snaplen, word + 5, FRAME_MAX);
	if (!strncmp(word, "dir=", 4))
		return read_direction(f, word + 4);
	return false;
}

static void select_all(struct capture_filter *f)
{
	*f = (struct capture_filter){ .snaplen = FRAME_MAX, .in = true, .out = true };
}

int capture_filter_words(struct capture_filter *f, char *const *words, char *why,
			 size_t size)
{
	select_all(f);
	for (; *words; words++)
		if (!read_word(f, *words))
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

int capture_filter_option(struct capture_filter *f, char *text, char *why, size_t size)
{
	char *rest = capture_filter_cut(text), *word;

	select_all(f);
	while (rest) {
		word = rest;
		rest = capture_filter_cut(word);
		if (!read_word(f, word))
			return refuse(why, size, word);
	}
	return 0;
}
