/* SPDX-License-Identifier: MIT */
/*
 * Reading what a relay answers netrelay top: it is refused, or all texts are printable.
 * Two answers are compared, whatever they are.
 *
 * Input: an answer, up to an empty line; another one.
 */
#include "lib/fuzz.h"

#include <errno.h>

#include "client/top-data.h"

static void must_be_printable(const char *text)
{
	must(text);
	for (; *text; text++)
		must(*text >= ' ' && *text <= '~');
}

static int read_one(struct top_data *d, char *text)
{
	int ret = top_read(d, text);

	must(ret == 0 || ret == -EPROTO);
	if (ret < 0)
		return ret;
	must_be_printable(d->kind);
	must_be_printable(d->version);
	for (size_t i = 0; i < d->n; i++) {
		must_be_printable(d->port[i].name);
		must_be_printable(d->port[i].peer);
		must_be_printable(d->port[i].state);
	}
	return ret;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct top_data before, now;
	char *text = fuzz_copy(data, size), *second = strstr(text, "\n\n");
	int ret;

	if (second)
		second[1] = '\0';
	second = second ? strdup(second + 2) : strdup("");
	ret = read_one(&before, text);
	if (read_one(&now, second) == 0 && ret == 0)
		top_compare(&now, &before);
	top_sort(&now, true);
	top_sort(&now, false);
	top_free(&before);
	top_free(&now);
	return 0;
}
