/* SPDX-License-Identifier: MIT */
/*
 * The access list: who may join which bridge by the capability of the program file
 * (see file-cap.h). It is a file of root's, one rule to a line:
 *
 *	allow br0			everybody
 *	allow br0 user:alice		one user, by name or number
 *	allow br0 group:kvm		who is in that group
 *	allow all user:1000		every bridge
 *	deny br9 group:students		whatever else is allowed
 *
 * # begins a comment. What no line allows is denied, and a line that denies wins,
 * wherever it is. If anything is wrong with the file, nobody is allowed anything.
 */
#ifndef BRIDGE_ACL_H
#define BRIDGE_ACL_H

#include <stddef.h>
#include <sys/types.h>

#define BRIDGE_ACL_SIZE_MAX 16384 /* bytes of the file */
#define BRIDGE_ACL_LINE_MAX 256	  /* bytes of a line, without its end */

/* Who asks. @groups: the main group and the others, @n_groups of them */
struct bridge_acl_user {
	uid_t uid;
	const gid_t *groups;
	size_t n_groups;
};

/*
 * bridge_acl_read() - Read an access list.
 * @text:   all of it, @len bytes; it is changed
 * @path:   its file, for messages
 * @bridge: the bridge's name, as the kernel has it
 * @why:    set to one line that says which line of the list decided, or what is wrong
 *          with the list, or what line to add
 * @size:   bytes at @why
 *
 * Names of users and groups are looked up in /etc/passwd and /etc/group.
 *
 * Return: 0 when it allows @user to join @bridge; -EACCES when it does not; -EINVAL
 * when something is wrong with it.
 */
int bridge_acl_read(char *text, size_t len, const char *path, const char *bridge,
		    const struct bridge_acl_user *user, char *why, size_t size);

/*
 * bridge_acl_check() - Whether the real user of this process may join @bridge, by the
 * access list in the file bridge.conf in @dir.
 *
 * Both must belong to root, and be writable by nobody else, and not be symbolic links.
 * The groups are those of the process. @bridge, @why and @size: as above.
 *
 * Return: as above; another -errno when the file cannot be had.
 */
int bridge_acl_check(const char *dir, const char *bridge, char *why, size_t size);

#endif
