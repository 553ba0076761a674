/* SPDX-License-Identifier: MIT */
/*
 * Text from outside, made safe to show, and words of the control socket's lines.
 *
 * Input: a line of words; how many bytes there are for the text, and the text.
 */
#include "lib/fuzz.h"

#include <errno.h>
#include <stdbool.h>

#include "base/escape.h"
#include "base/quote.h"

#define WORDS_MAX 16

static bool is_printable(const char *text)
{
	for (; *text; text++)
		if (*text < ' ' || *text > '~')
			return false;
	return true;
}

/* Words are the same when they have been written as a line and split again. */
static void check_words(char **word, int n)
{
	char *again[WORDS_MAX + 1];
	struct buf line = { 0 };
	const char *why;

	for (int i = 0; i < n; i++)
		quote_add(&line, word[i]);
	if (!n)
		return;
	must(!line.failed && !strchr(line.data, '\n'));
	must(quote_split(line.data, again, WORDS_MAX, &why) == n);
	for (int i = 0; i < n; i++)
		must(!strcmp(word[i], again[i]));
	buf_free(&line);
}

static void check_line(char *line)
{
	char *word[WORDS_MAX + 1];
	const char *why = NULL;
	int n = quote_split(line, word, WORDS_MAX, &why);

	must(n >= 0 ? n <= WORDS_MAX && !word[n] : n == -EINVAL && why);
	if (n >= 0)
		check_words(word, n);
}

/* Escaped, it is printable, and to escape it again changes nothing. */
static void check_escaped(const char *text, size_t room)
{
	char *once = malloc(room + !room), *twice = malloc(room + !room);
	size_t len = escape_text(once, room, text);

	if (room) {
		must(len < room && strlen(once) == len && is_printable(once));
		must(escape_text(twice, room, once) == len && !strcmp(once, twice));
	}
	free(once);
	free(twice);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in = { data, size };
	char *line = fuzz_text(&in), quoted[ESCAPE_QUOTED_MAX];
	size_t room = fuzz_byte(&in);
	char *text = fuzz_copy(in.at, in.left);

	check_line(line);
	check_escaped(text, room);
	check_escaped(text, 5 * in.left + 1);
	escape_quoted(quoted, in.at, in.left);
	must(strlen(quoted) < sizeof(quoted) && is_printable(quoted));
	free(line);
	free(text);
	return 0;
}
