/* SPDX-License-Identifier: MIT */
/*
 * Reading a capture's filter: it is understood, and then within its limits, or one line
 * says what is wrong; and a file's name survives its way through doubled commas.
 *
 * Input: FILE[,WORD...].
 */
#include "lib/fuzz.h"

#include <errno.h>

#include "conf/capture-filter.h"
#include "frame/frame.h"

#define WHY_MAX 300

static void check_name(const char *name)
{
	char *text = malloc(2 * strlen(name) + 1), *to = text;

	must(text);
	for (const char *c = name; *c; c++) {
		*to++ = *c;
		if (*c == ',')
			*to++ = ',';
	}
	*to = '\0';
	must(!capture_filter_cut(text) && !strcmp(text, name));
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = fuzz_copy(data, size), *why = malloc(WHY_MAX);
	struct capture_filter f;
	int ret;

	must(why);
	check_name(text);
	ret = capture_filter_option(&f, text, why, WHY_MAX);
	must(ret == 0 || ret == -EINVAL);
	if (ret == 0)
		must((f.in || f.out) && f.snaplen && f.snaplen <= FRAME_MAX &&
		     f.port <= INT32_MAX);
	else
		must(memchr(why, '\0', WHY_MAX) && *why && !strchr(why, '\n'));
	free(why);
	free(text);
	return 0;
}
