/* SPDX-License-Identifier: MIT */
/*
 * Reads the two files itself: getpwnam() and getgrouplist() of a static C library know no
 * more than these, ask a name service that nobody has, and are larger.
 *
 * #syscalls: close fcntl lseek open read setgroups setresgid setresuid
 */
#include "sandbox/user.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/util.h"

/* Where there are two of each, those without a number cut users and groups to 16 bits. */
#ifdef SYS_setresuid32
#undef SYS_setgroups
#undef SYS_setresgid
#undef SYS_setresuid
#define SYS_setgroups SYS_setgroups32
#define SYS_setresgid SYS_setresgid32
#define SYS_setresuid SYS_setresuid32
#endif

#define WORD_MAX 64

/*
 * Read up to the next colon, comma or end of line. A word that is too long is none.
 * Return: what ended it; EOF.
 */
static int read_word(FILE *f, char word[WORD_MAX])
{
	size_t len = 0;
	int c;

	while ((c = getc(f)) != EOF && c != ':' && c != ',' && c != '\n') {
		if (len < WORD_MAX)
			word[len] = (char)c;
		len++;
	}
	word[len < WORD_MAX ? len : 0] = '\0';
	return c;
}

static bool read_id(FILE *f, int *c, uint32_t *id)
{
	char word[WORD_MAX];

	if (*c != ':')
		return false;
	*c = read_word(f, word);
	return parse_uint(word, 10, UINT32_MAX - 1, id);
}

/* @c: what ended the last word. Return: what ends the line. */
static int skip_line(FILE *f, int c)
{
	char word[WORD_MAX];

	while (c != '\n' && c != EOF)
		c = read_word(f, word);
	return c;
}

/* NAME:PASSWORD:GID:MEMBER,MEMBER,... (group(5)). Return: what ends the line. */
static int read_group(FILE *f, const char *name, struct user *user)
{
	char word[WORD_MAX];
	uint32_t gid;
	int c = read_word(f, word);

	if (c == ':')
		c = read_word(f, word);
	if (!read_id(f, &c, &gid))
		return skip_line(f, c);
	while (c != '\n' && c != EOF) {
		c = read_word(f, word);
		if (!strcmp(word, name) && gid != user->gid &&
		    user->n_groups < USER_GROUPS_MAX)
			user->groups[user->n_groups++] = gid;
	}
	return c;
}

/* @text: a line's beginning, NAME:PASSWORD:NUMBER:NUMBER:... Return: whether it is @name's. */
static bool read_ids(char *text, const char *name, uint32_t *ids, unsigned n)
{
	size_t len = strlen(name);
	char *end;

	if (strncmp(text, name, len) != 0 || text[len] != ':')
		return false;
	text = strchr(text + len + 1, ':');
	for (unsigned i = 0; i < n; i++) {
		end = text ? strchr(text + 1, ':') : NULL;
		if (!end)
			return false;
		*end = '\0';
		if (!parse_uint(text + 1, 10, UINT32_MAX - 1, &ids[i]))
			return false;
		text = end;
	}
	return true;
}

int user_ids(const char *path, const char *name, uint32_t *ids, unsigned n)
{
	FILE *f = fopen(path, "re");
	bool is_found = false, is_start = true;
	char text[256];

	if (!f)
		return -errno;
	while (!is_found && !strchr(name, ':') && fgets(text, sizeof(text), f)) {
		bool is_whole = strchr(text, '\n');

		is_found = is_start && read_ids(text, name, ids, n);
		is_start = is_whole;
	}
	fclose(f);
	return is_found ? 0 : -ENOENT;
}

int user_id(const char *name, bool is_group, uint32_t *id)
{
	if (parse_uint(name, 10, UINT32_MAX - 1, id))
		return 0;
	return user_ids(is_group ? "/etc/group" : "/etc/passwd", name, id, 1);
}

int user_find(const char *name, struct user *user)
{
	uint32_t ids[2] = { 0 };
	int ret = user_ids("/etc/passwd", name, ids, 2);
	FILE *f;

	if (ret < 0)
		return ret;
	user->uid = ids[0];
	user->gid = ids[1];
	user->groups[0] = user->gid;
	user->n_groups = 1;
	f = fopen("/etc/group", "re");
	if (!f)
		return -errno;
	while (read_group(f, name, user) != EOF)
		;
	fclose(f);
	return 0;
}

/* By system calls: the C library's functions would care for threads. */
int user_become(const struct user *user)
{
	if (syscall(SYS_setgroups, user->n_groups, user->groups) < 0 ||
	    syscall(SYS_setresgid, user->gid, user->gid, user->gid) < 0 ||
	    syscall(SYS_setresuid, user->uid, user->uid, user->uid) < 0)
		return -errno;
	return 0;
}
