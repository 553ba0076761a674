/* SPDX-License-Identifier: MIT */
/*
 * Splits and quotes the lines of the control socket. Splitting works in place: an
 * escape is longer than the byte it stands for, so a word never outgrows its text.
 */
#include "base/quote.h"

#include <errno.h>
#include <string.h>

#define BLANKS " \t"

/* Read on from an opening quote to the closing one. Return: the text behind; NULL on error. */
static char *read_quoted(char *from, char **to, const char **why)
{
	static const char plain[] = "\"\\n", means[] = "\"\\\n";

	for (; *from != '"'; from++) {
		const char *at;

		if (!*from) {
			*why = "a quote is not closed";
			return NULL;
		}
		if (*from != '\\') {
			*(*to)++ = *from;
			continue;
		}
		from++;
		at = *from ? strchr(plain, *from) : NULL;
		if (!at) {
			*why = "within quotes, a backslash must stand before \", \\ or n";
			return NULL;
		}
		*(*to)++ = means[at - plain];
	}
	return from + 1;
}

/* Return: the text behind the word; NULL on error. */
static char *read_word(char *from, char *to, const char **why)
{
	bool is_last;

	while (from && *from && !strchr(BLANKS, *from)) {
		if (*from == '"')
			from = read_quoted(from + 1, &to, why);
		else
			*to++ = *from++;
	}
	if (!from)
		return NULL;
	is_last = !*from;
	*to = '\0';
	return is_last ? from : from + 1;
}

int quote_split(char *line, char **word, size_t max, const char **why)
{
	size_t n = 0;

	for (;;) {
		line += strspn(line, BLANKS);
		if (!*line)
			break;
		if (n == max) {
			*why = "there are too many words";
			return -EINVAL;
		}
		word[n++] = line;
		line = read_word(line, line, why);
		if (!line)
			return -EINVAL;
	}
	word[n] = NULL;
	return (int)n;
}

void quote_wrap(struct buf *line, const char *word)
{
	buf_add(line, "\"", 1);
	for (; *word; word++) {
		if (*word == '\n') {
			buf_add(line, "\\n", 2);
			continue;
		}
		if (*word == '"' || *word == '\\')
			buf_add(line, "\\", 1);
		buf_add(line, word, 1);
	}
	buf_add(line, "\"", 1);
}

void quote_add(struct buf *line, const char *word)
{
	if (line->len)
		buf_add(line, " ", 1);
	if (*word && !word[strcspn(word, BLANKS "\"\n")])
		buf_add(line, word, strlen(word));
	else
		quote_wrap(line, word);
}
