/* SPDX-License-Identifier: MIT */
/* A name is refused rather than changed, so that it means the same port at any time. */
#include "conf/endpoint-name.h"

#include <stdio.h>
#include <string.h>

#include "base/parts.h"
#include "base/util.h"
#include "conf/endpoint-long.h"

#define DIGITS "0123456789"
#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

bool endpoint_is_port_name(const char *word, size_t size)
{
	size_t len = strlen(word);

	return len < size && strspn(word, DIGITS LETTERS "._-") == len &&
	       strspn(word, DIGITS) < len;
}

bool endpoint_may_name(const struct endpoint *ep, const char *name)
{
	size_t len = strlen(ep->port_name);
	const char *rest = name + len;

	if (!HAS_NAMING || !len || strncmp(name, ep->port_name, len) != 0)
		return false;
	/* A listener's numbers begin with 2, and have no zeros in front. */
	return !*rest || (endpoint_listens(ep->kind) && *rest++ == '-' && *rest >= '1' &&
			  *rest <= '9' && strcmp(rest, "1") != 0 &&
			  strspn(rest, DIGITS) == strlen(rest));
}

const char *endpoint_name_conflict(const struct endpoint *a, const struct endpoint *b)
{
	if (HAS_NAMING && *a->port_name && !strcmp(a->port_name, b->port_name))
		return "another endpoint has this name; give each its own";
	if (endpoint_may_name(a, b->port_name) || endpoint_may_name(b, a->port_name))
		return "a listener gives its connections such names, NAME-2, NAME-3 and "
		       "so on; choose another";
	return NULL;
}

const char *endpoint_label(const struct endpoint *ep, char *buf, size_t size)
{
	snprintf(buf, size, *ep->port_name ? "%s (%s)" : "%s%s", ep->port_name, ep->text);
	return buf;
}
