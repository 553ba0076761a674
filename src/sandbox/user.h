/* SPDX-License-Identifier: MIT */
/* Users of this host, as /etc/passwd and /etc/group have them. */
#ifndef USER_H
#define USER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define USER_GROUPS_MAX 64

/* A user to become. Of its groups, USER_GROUPS_MAX at most, the first of which is @gid. */
struct user {
	uid_t uid;
	gid_t gid;
	gid_t groups[USER_GROUPS_MAX];
	int n_groups;
};

/*
 * user_ids() - Look up numbers that go with a name.
 * @path: /etc/passwd or /etc/group, whose lines are NAME:PASSWORD:NUMBER:...; they may be
 *        of any length, but the numbers must end within the first 255 bytes
 * @ids:  set to the first @n numbers
 *
 * Return: 0; -ENOENT when the name is not there; another -errno.
 */
int user_ids(const char *path, const char *name, uint32_t *ids, unsigned n);

/*
 * user_id() - The number of a user or, with @is_group, a group.
 * @name: its name, or its number in decimal, which need not be there
 *
 * Return: 0; -ENOENT when the name is not there; another -errno.
 */
int user_id(const char *name, bool is_group, uint32_t *id);

/*
 * user_find() - Look up a user and its groups.
 *
 * Return: 0; -ENOENT when there is no such user; another -errno.
 */
int user_find(const char *name, struct user *user);

/* user_become() - Become @user, with its groups. Return: 0; -EPERM without the right to. */
int user_become(const struct user *user);

#endif
