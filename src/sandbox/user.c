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

/* NAME:PASSWORD:UID:GID:... (passwd(5)). @end: set to what ends the line */
static bool read_user(FILE *f, const char *name, struct user *user, int *end)
{
	char word[WORD_MAX];
	int c = read_word(f, word);
	bool is_found = c == ':' && !strcmp(word, name);

	if (c == ':')
		c = read_word(f, word);
	is_found = is_found && read_id(f, &c, &user->uid) && read_id(f, &c, &user->gid);
	*end = skip_line(f, c);
	return is_found;
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

int user_find(const char *name, struct user *user)
{
	FILE *f = fopen("/etc/passwd", "re");
	bool is_found = false;
	int c = 0;

	if (!f)
		return -errno;
	while (!is_found && c != EOF)
		is_found = read_user(f, name, user, &c);
	fclose(f);
	if (!is_found)
		return -ENOENT;
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
