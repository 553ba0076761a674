/* SPDX-License-Identifier: MIT */
/*
 * Reads the access list. The whole file is read and understood, also behind a line that
 * decides: a mistake in one line may be in the one that was to deny.
 *
 * #syscalls: close fstat getgid getgroups getuid openat read
 */
#include "helper/bridge-acl.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/util.h"
#include "sandbox/user.h"

#define NAME "bridge.conf"
#define BLANK " \t"
#define WORDS_MAX 3

/*
 * A list that is being read.
 * @line:    number of the line, from 1
 * @verdict: number of the first line that denies, or else of the first that allows; 0
 *           for none
 * @denied:  the former
 */
struct list {
	const char *path;
	const char *bridge;
	const struct bridge_acl_user *user;
	unsigned line, verdict;
	bool denied;
	char *why;
	size_t size;
};

/* Something is wrong with this line. */
static int PRINTF_LIKE(2, 3) wrong(const struct list *l, const char *fmt, ...)
{
	int len = snprintf(l->why, l->size, "%s, line %u: ", l->path, l->line);
	va_list args;

	va_start(args, fmt);
	if ((size_t)len < l->size)
		vsnprintf(l->why + len, l->size - (size_t)len, fmt, args);
	va_end(args);
	return -EINVAL;
}

static bool is_in_group(const struct bridge_acl_user *user, uint32_t gid)
{
	for (size_t i = 0; i < user->n_groups; i++)
		if (user->groups[i] == gid)
			return true;
	return false;
}

/* Read user:WHO or group:WHO. @is_meant: set to whether it is the user who asks */
static int read_who(const struct list *l, const char *word, bool *is_meant)
{
	bool is_user = !strncmp(word, "user:", 5);
	const char *who = strchr(word, ':') ? strchr(word, ':') + 1 : "";
	uint32_t id;

	if ((!is_user && strncmp(word, "group:", 6) != 0) || !*who)
		return wrong(l, "\"%.64s\" must be user:NAME or group:NAME", word);
	if (user_id(who, !is_user, &id) < 0)
		return wrong(l, "%s has no %.64s; correct the name, or write the number",
			     is_user ? "/etc/passwd" : "/etc/group", who);
	*is_meant = is_user ? l->user->uid == id : is_in_group(l->user, id);
	return 0;
}

static int read_rule(struct list *l, char *const *words, size_t n)
{
	bool denies = !strcmp(words[0], "deny"), is_meant = true;
	int ret = 0;

	if (!denies && strcmp(words[0], "allow") != 0)
		return wrong(l, "\"%.64s\" must be allow or deny", words[0]);
	if (n < 2)
		return wrong(l, "the name of a bridge is missing behind %s, or all",
			     words[0]);
	if (strlen(words[1]) >= IFNAMSIZ)
		return wrong(
			l, "\"%.64s\" is too long; a bridge's name has %d bytes at most",
			words[1], IFNAMSIZ - 1);
	if (n > 2)
		ret = read_who(l, words[2], &is_meant);
	if (ret < 0 || !is_meant || l->denied ||
	    (strcmp(words[1], "all") != 0 && strcmp(words[1], l->bridge) != 0))
		return ret;
	if (denies || !l->verdict)
		l->verdict = l->line;
	l->denied = denies;
	return 0;
}

static int read_line(struct list *l, char *text, size_t len)
{
	char *words[WORDS_MAX], *at = text;
	size_t n = 0;

	if (len > BRIDGE_ACL_LINE_MAX)
		return wrong(l, "it is longer than %d bytes", BRIDGE_ACL_LINE_MAX);
	for (size_t i = 0; i < len; i++)
		if (((unsigned char)text[i] < ' ' && text[i] != '\t') || text[i] == 0x7f)
			return wrong(l, "byte %zu is a control character (0x%02x)%s",
				     i + 1, (unsigned)text[i],
				     text[i] == '\r' ? "; end lines by LF alone" : "");
	text[strcspn(text, "#")] = '\0';
	for (at += strspn(at, BLANK); *at; at += strspn(at, BLANK)) {
		if (n == WORDS_MAX)
			return wrong(l,
				     "\"%.64s\" is too much; write one user or group to "
				     "a line",
				     at);
		words[n++] = at;
		at += strcspn(at, BLANK);
		if (*at)
			*at++ = '\0';
	}
	return n ? read_rule(l, words, n) : 0;
}

/* What the list says, once it was read to its end. */
static int decide(const struct list *l)
{
	if (!l->verdict) {
		snprintf(l->why, l->size,
			 "%s has no line that allows bridge %s to user %u; as root, add: "
			 "allow %s user:%u",
			 l->path, l->bridge, l->user->uid, l->bridge, l->user->uid);
		return -EACCES;
	}
	snprintf(l->why, l->size,
		 l->denied ? "%s, line %u, denies bridge %s to user %u"
			   : "%s, line %u, allows bridge %s to user %u",
		 l->path, l->verdict, l->bridge, l->user->uid);
	return l->denied ? -EACCES : 0;
}

int bridge_acl_read(char *text, size_t len, const char *path, const char *bridge,
		    const struct bridge_acl_user *user, char *why, size_t size)
{
	struct list l = {
		.path = path, .bridge = bridge, .user = user, .why = why, .size = size
	};
	int ret = 0;

	while (len && ret == 0) {
		char *end = memchr(text, '\n', len);
		size_t n = end ? (size_t)(end - text) : len;

		l.line++;
		/* The rest of the line may say whom it is to allow. */
		if (!end)
			return wrong(&l, "it does not end; end it by a line break");
		*end = '\0';
		ret = read_line(&l, text, n);
		text += n + 1;
		len -= n + 1;
	}
	return ret < 0 ? ret : decide(&l);
}

/* ---- the file ---- */

/* Check what @fd is, @path. @type: what it must be. Return: 0 or -errno, with @why set. */
static int check_owner(int fd, const char *path, mode_t type, char *why, size_t size)
{
	struct stat st;

	if (fstat(fd, &st) < 0) {
		snprintf(why, size, "%s: %s", path, strerror(errno));
		return -EIO;
	}
	if ((st.st_mode & S_IFMT) != type)
		snprintf(why, size, "%s is not a %s", path,
			 type == S_IFDIR ? "directory" : "regular file");
	else if (st.st_uid)
		snprintf(why, size,
			 "%s belongs to user %u, who could allow everything; as root: "
			 "chown root %s",
			 path, st.st_uid, path);
	else if (st.st_mode & (S_IWGRP | S_IWOTH))
		snprintf(why, size,
			 "%s is writable by others than root; as root: chmod go-w %s",
			 path, path);
	else
		return 0;
	return -EINVAL;
}

/* Open @name in the directory @at, and check whose it is. Return: it; -errno with @why set. */
static int open_checked(int at, const char *name, const char *path, mode_t type,
			char *why, size_t size)
{
	/* O_NONBLOCK: a FIFO would keep us waiting. */
	int fd = openat(at, name,
			O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	int ret;

	if (fd < 0) {
		ret = -errno;
		snprintf(why, size, "%s: %s", path,
			 ret == -ELOOP ? "it must not be a symbolic link"
				       : strerror(-ret));
		return ret;
	}
	ret = check_owner(fd, path, type, why, size);
	if (ret < 0)
		close(fd);
	return ret < 0 ? ret : fd;
}

/* Read @fd to its end, and no more than @size bytes. Return: how many; -errno. */
static ssize_t read_all(int fd, char *text, size_t size)
{
	size_t len = 0;
	ssize_t n;

	do {
		n = read(fd, text + len, size - len);
		if (n > 0)
			len += (size_t)n;
	} while ((n > 0 && len < size) || (n < 0 && errno == EINTR));
	return n < 0 ? -errno : (ssize_t)len;
}

/* @text: room for one byte more than a list may have */
static int read_list(const char *dir, const char *path, char *text, char *why,
		     size_t size)
{
	int fd, at = open_checked(AT_FDCWD, dir, dir, S_IFDIR, why, size);
	ssize_t n;

	if (at < 0)
		return at;
	fd = open_checked(at, NAME, path, S_IFREG, why, size);
	close(at);
	if (fd < 0)
		return fd;
	n = read_all(fd, text, BRIDGE_ACL_SIZE_MAX + 1);
	close(fd);
	if (n < 0)
		snprintf(why, size, "%s: %s", path, strerror((int)-n));
	if (n <= BRIDGE_ACL_SIZE_MAX)
		return (int)n;
	snprintf(why, size, "%s is longer than %d bytes; allow groups, not users", path,
		 BRIDGE_ACL_SIZE_MAX);
	return -EFBIG;
}

int bridge_acl_check(const char *dir, const char *bridge, char *why, size_t size)
{
	char text[BRIDGE_ACL_SIZE_MAX + 1], path[256];
	struct bridge_acl_user user = { .uid = getuid() };
	int ret, n = getgroups(0, NULL);
	gid_t *groups = n < 0 ? NULL : calloc((size_t)n + 1, sizeof(*groups));

	if (!groups || (n && getgroups(n, groups + 1) != n)) {
		snprintf(why, size, "no memory for the user's groups");
		free(groups);
		return -ENOMEM;
	}
	groups[0] = getgid();
	user.groups = groups;
	user.n_groups = (size_t)n + 1;
	snprintf(path, sizeof(path), "%s/" NAME, dir);
	ret = read_list(dir, path, text, why, size);
	if (ret == -ENOENT)
		snprintf(
			why, size,
			"%s is missing, so no user may join a bridge; as root, create it, "
			"with the line: allow %s user:%u",
			path, bridge, user.uid);
	if (ret >= 0)
		ret = bridge_acl_read(text, (size_t)ret, path, bridge, &user, why, size);
	free(groups);
	return ret;
}
