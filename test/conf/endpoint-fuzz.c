/* SPDX-License-Identifier: MIT */
/*
 * Reading endpoints: whatever is typed, it is understood, or one line says what is
 * wrong with it.
 *
 * Input: the text.
 */
#include "lib/fuzz.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "conf/endpoint-name.h"

#define WHY_MAX 300

static bool is_text(const char *s, size_t size)
{
	return memchr(s, '\0', size);
}

static bool is_name(const char name[ENDPOINT_USER_MAX])
{
	return is_text(name, ENDPOINT_USER_MAX) && *name;
}

/* Behind its length a network has no bits. */
static bool is_network(const struct endpoint_allow *a)
{
	for (unsigned i = a->bits; i < 128; i++)
		if (a->addr[i / 8] & 0x80 >> i % 8)
			return false;
	return a->bits <= 128;
}

static void check_access(const struct endpoint_access *access)
{
	must(access->n <= ENDPOINT_ALLOW_MAX);
	for (unsigned i = 0; i < access->n; i++) {
		const struct endpoint_allow *a = &access->allow[i];

		must(a->kind <= ENDPOINT_ALLOW_GID);
		must(a->kind == access->allow[0].kind || access->allow[0].kind);
		must(a->kind == ENDPOINT_ALLOW_NET ? is_network(a) : is_name(a->name));
	}
	must(is_text(access->group, sizeof(access->group)));
}

/* What was typed is the text with the name somewhere in it. */
static void check_name(const struct endpoint *ep, const char *text)
{
	size_t len = strlen(",name=") + strlen(ep->port_name), at = 0;
	char option[64];

	must(endpoint_is_port_name(ep->port_name, sizeof(ep->port_name)));
	snprintf(option, sizeof(option), ",name=%s", ep->port_name);
	must(strlen(ep->text) + len == strlen(text));
	while (strncmp(text + at, option, len) != 0 ||
	       strcmp(text + at + len, ep->text + at))
		must(ep->text[at] == text[at] && ep->text[at++]);
}

static void check_read(const struct endpoint *ep, const char *text)
{
	must(is_text(ep->port_name, sizeof(ep->port_name)));
	if (*ep->port_name)
		check_name(ep, text);
	else
		must(!strcmp(ep->text, text) ||
		     (!strncmp(ep->text, "--", 2) && strstr(ep->text, text)));
	must(ep->kind <= ENDPOINT_TRUNK);
	must(is_text(ep->remote.host, sizeof(ep->remote.host)));
	must(is_text(ep->local.host, sizeof(ep->local.host)));
	must(is_text(ep->path, sizeof(ep->path)));
	must(is_text(ep->local_path, sizeof(ep->local_path)));
	must(is_text(ep->name, sizeof(ep->name)));
	must(is_text(ep->tap, sizeof(ep->tap)));
	must(ep->rules.n_macs <= ENDPOINT_MACS_MAX);
	check_access(&ep->access);
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

static int parse_ctl(struct endpoint *ep, const char *text, char *why, size_t size)
{
	return endpoint_parse_option(ep, "--ctl", text, why, size);
}

static int parse_metrics(struct endpoint *ep, const char *text, char *why, size_t size)
{
	return endpoint_parse_option(ep, "--metrics", text, why, size);
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
	check(parse_ctl, text);
	check(parse_metrics, text);
	free(text);
	return 0;
}
