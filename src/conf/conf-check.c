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

static const struct endpoint *nth(const struct conf *conf, size_t i)
{
	return i < conf->n_listeners ? &conf->listeners[i]
				     : &conf->endpoints[i - conf->n_listeners];
}

static bool has_stdout(const struct endpoint *ep)
{
	return ep->kind == ENDPOINT_STDIO ||
	       (ep->kind == ENDPOINT_FD && ep->fd == STDOUT_FILENO);
}

const char *conf_check(const struct conf *conf, const struct endpoint **which)
{
	bool capture_has_stdout = conf->capture && !strcmp(conf->capture, "-");
	size_t n = conf->n_listeners + conf->n_endpoints;

	for (size_t i = 0; i < n; i++) {
		*which = nth(conf, i);
		for (size_t j = 0; j < i; j++) {
			const char *fault = find_fault(nth(conf, j), *which);

			if (!fault)
				fault = endpoint_name_conflict(nth(conf, j), *which);
			if (fault)
				return fault;
		}
		if (capture_has_stdout && has_stdout(*which))
			return "--capture - writes to stdout; name a file there, "
			       "or another endpoint here";
	}
	return NULL;
}
