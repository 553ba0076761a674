/* SPDX-License-Identifier: MIT */
/*
 * Reading /etc/passwd and /etc/group: whatever is in them, a user is found by a line that
 * is its own, and has no more groups than there is room for.
 *
 * Input: /etc/passwd, up to an empty line; /etc/group, which is missing if there is none.
 */
#include "lib/fuzz.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdbool.h>

#include "sandbox/user.h"

#define NAME "tom"

static char *passwd, *group;

static FILE *stream(const char *text)
{
	return *text ? fmemopen((void *)(uintptr_t)text, strlen(text), "r")
		     : fmemopen((void *)(uintptr_t) "\n", 1, "r");
}

/* Both files are the input's. */
FILE *fopen(const char *path, const char *mode)
{
	static FILE *(*next)(const char *path, const char *mode);
	void *found;

	if (passwd && !strcmp(path, "/etc/passwd"))
		return stream(passwd);
	if (group && !strcmp(path, "/etc/group") && *group)
		return stream(group);
	errno = ENOENT;
	if (group && !strcmp(path, "/etc/group"))
		return NULL;
	if (!next) {
		found = dlsym(RTLD_NEXT, "fopen");
		memcpy(&next, &found, sizeof(next));
	}
	return next(path, mode);
}

/* Whether a line begins with the name and a colon. */
static bool has_line(const char *text)
{
	for (; text; text = strchr(text, '\n'), text += text != NULL)
		if (!strncmp(text, NAME ":", sizeof(NAME)))
			return true;
	return false;
}

/* Up to and with the first empty line. */
static char *read_passwd(struct fuzz_input *in)
{
	const uint8_t *at = in->at;
	size_t len = 0;

	while (len < in->left && !(at[len] == '\n' && (!len || at[len - 1] == '\n')))
		len++;
	in->at += len + (len < in->left);
	in->left -= len + (len < in->left);
	return fuzz_copy(at, len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in = { data, size };
	uint32_t id[1] = { 0 };
	struct user user;
	int ret;

	passwd = read_passwd(&in);
	group = fuzz_copy(in.at, in.left);
	memset(&user, 0xa5, sizeof(user));
	ret = user_find(NAME, &user);
	must(ret == 0 || ret == -ENOENT);
	if (ret == 0) {
		must(has_line(passwd) && user.uid != UINT32_MAX &&
		     user.gid != UINT32_MAX);
		must(user.n_groups >= 1 && user.n_groups <= USER_GROUPS_MAX);
		must(user.groups[0] == user.gid);
	}
	ret = user_ids("/etc/group", NAME, id, 1);
	must(ret == 0 ? has_line(group) : ret == -ENOENT);
	must(user_ids("/etc/group", NAME ":x", id, 1) == -ENOENT);
	free(passwd);
	free(group);
	passwd = group = NULL;
	return 0;
}
