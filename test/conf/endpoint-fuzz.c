/* SPDX-License-Identifier: MIT */
/*
 * Reading endpoints: whatever is typed, it is understood, or one line says what is
 * wrong with it.
 *
 * Input: the text.
 */
#include "lib/fuzz.h"

#include <errno.h>
#include <string.h>

#include "conf/endpoint.h"

#define WHY_MAX 300

static bool is_text(const char *s, size_t size)
{
	return memchr(s, '\0', size);
}

static void check_read(const struct endpoint *ep, const char *text)
{
	must(!strcmp(ep->text, text));
	must(ep->kind <= ENDPOINT_TRUNK);
	must(is_text(ep->remote.host, sizeof(ep->remote.host)));
	must(is_text(ep->local.host, sizeof(ep->local.host)));
	must(is_text(ep->path, sizeof(ep->path)));
	must(is_text(ep->local_path, sizeof(ep->local_path)));
	must(is_text(ep->name, sizeof(ep->name)));
	must(is_text(ep->tap, sizeof(ep->tap)));
	must(ep->rules.n_macs <= ENDPOINT_MACS_MAX);
	must(ep->kind != ENDPOINT_EXEC || *endpoint_command(ep));
}

static void check(int (*parse)(struct endpoint *ep, const char *text, char *why,
			       size_t size),
		  const char *text)
{
	struct endpoint *ep = malloc(sizeof(*ep));
	char *why = malloc(WHY_MAX);
	int ret;

	must(ep && why);
	memset(ep, 0xa5, sizeof(*ep));
	memset(why, 0xa5, WHY_MAX);
	ret = parse(ep, text, why, WHY_MAX);
	must(ret == 0 || ret == -EINVAL);
	if (ret == 0)
		check_read(ep, text);
	else
		must(is_text(why, WHY_MAX) && *why && !strchr(why, '\n'));
	free(why);
	free(ep);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);

	must(text);
	if (size)
		memcpy(text, data, size);
	text[size] = '\0';
	check(endpoint_parse, text);
	check(endpoint_parse_listen, text);
	free(text);
	return 0;
}
