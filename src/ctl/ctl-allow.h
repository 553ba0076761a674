/* SPDX-License-Identifier: MIT */
/*
 * Who may use a control socket: the user we are, and root.
 *
 * In a user namespace there are users that it does not know: whoever owns it, or is
 * root outside, among them. All of these have one uid there, the overflow uid
 * (user_namespaces(7)), which says nothing of who it is. But the file system knows:
 * to connect takes the right to write to the socket, which is its owner's alone, or
 * that of somebody whom no mode keeps out. Such a one may, as long as the mode is
 * the one that the socket was made with.
 */
#ifndef CTL_ALLOW_H
#define CTL_ALLOW_H

#include <stdbool.h>
#include <sys/types.h>

#include "net/sock.h"

#define CTL_MODE 0600

/* @unknown: the overflow uid, if there are users unknown here */
struct ctl_allow {
	bool has_unknown;
	uid_t unknown;
};

/* ctl_allow_init() - Find out what namespace we are in. */
void ctl_allow_init(struct ctl_allow *a);

/* ctl_allows() - Whether the peer of @fd may, who connected to the socket at @made. */
bool ctl_allows(const struct ctl_allow *a, const struct sock_path *made, int fd);

#endif
