/* SPDX-License-Identifier: MIT */
/*
 * Finds endpoints that cannot be used together: each is compared with those before
 * it, and with --capture -, which needs stdout.
 */
#include "conf/conf-check.h"

#include <string.h>
#include <unistd.h>

#include "conf/endpoint-long.h"
#include "conf/endpoint-name.h"

/* "-" has no long form; as an fd: endpoint it consists of descriptors. */
static const char *find_fault(const struct endpoint *a, const struct endpoint *b)
{
	if (a->kind == ENDPOINT_FD && b->kind == ENDPOINT_STDIO)
		return find_fault(b, a);
	if (a->kind == ENDPOINT_STDIO && b->kind == ENDPOINT_FD)
		return b->fd <= 1 ? "this descriptor belongs to -, which is given as well"
				  : NULL;
	if (a->kind != b->kind)
		return NULL;
	if (a->kind == ENDPOINT_STDIO)
		return "stdin and stdout can be one endpoint only; use another endpoint in "
		       "place of one of them";
	return endpoint_long_conflict(a, b);
}

static bool has_stdout(const struct endpoint *ep)
{
	return ep->kind == ENDPOINT_STDIO ||
	       (ep->kind == ENDPOINT_FD && ep->fd == STDOUT_FILENO);
}

const char *conf_check(const struct conf *conf, size_t i)
{
	const struct endpoint *ep = conf_nth(conf, i);
	const char *fault = NULL;

	for (size_t j = 0; j < i && !fault; j++) {
		fault = find_fault(conf_nth(conf, j), ep);
		if (!fault)
			fault = endpoint_name_conflict(conf_nth(conf, j), ep);
	}
	if (!fault && conf->daemon && ep->kind == ENDPOINT_STDIO)
		return "with --daemon there is no stdin and stdout; give two "
		       "endpoints, or leave --daemon out";
	if (!fault && conf->capture && !strcmp(conf->capture, "-") && has_stdout(ep))
		return "--capture - writes to stdout; name a file there, "
		       "or another endpoint here";
	return fault;
}
