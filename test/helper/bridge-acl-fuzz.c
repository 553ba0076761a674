/* SPDX-License-Identifier: MIT */
/*
 * Reading access lists: whatever is in one, it allows or does not, or one line says what
 * is wrong with it; and nothing is allowed that does not say so.
 *
 * Input: the list.
 */
#include "lib/fuzz.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "helper/bridge-acl.h"

#define WHY_MAX 200

static const gid_t groups[] = { 5, 7 };
static const struct bridge_acl_user user = { 1, groups, 2 };

/* Read the first @size bytes of @data, and @more behind them. */
static int read_list(const uint8_t *data, size_t size, const char *more)
{
	size_t len = size + strlen(more);
	char *text = malloc(len + 1), *why = malloc(WHY_MAX);
	int ret;

	must(text && why);
	if (size)
		memcpy(text, data, size);
	memcpy(text + size, more, strlen(more) + 1);
	memset(why, 0xa5, WHY_MAX);
	ret = bridge_acl_read(text, len, "acl", "br0", &user, why, WHY_MAX);
	must(memchr(why, '\0', WHY_MAX) && *why && !strchr(why, '\n'));
	must(ret == 0 || ret == -EACCES || ret == -EINVAL);
	free(why);
	free(text);
	return ret;
}

/* Whether there is a word that could allow it. */
static bool may_allow(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);
	bool may;

	must(text);
	if (size)
		memcpy(text, data, size);
	text[size] = '\0';
	/* A list with a NUL allows nothing. */
	may = strlen(text) == size && strstr(text, "allow");
	free(text);
	return may;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int ret = read_list(data, size, "");

	must(ret != 0 || may_allow(data, size));
	must(read_list(data, size, "x") == -EINVAL);
	if (ret == -EINVAL)
		return 0;
	must(read_list(data, size, "\nwrong br0\n") == -EINVAL);
	must(read_list(data, size, "deny all group:7\n") == -EACCES);
	must(read_list(data, size, "allow br1\ndeny br0 user:2\n") == ret);
	must(read_list(data, size, "allow br0 user:1\n") == 0 || ret == -EACCES);
	must(ret != 0 || read_list(data, size, "allow all\n") == 0);
	return 0;
}
