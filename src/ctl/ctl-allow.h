/* SPDX-License-Identifier: MIT */
/*
 * Decides who may use a control socket: the relay's own user, root, and whom allow= names.
 *
 * In a user namespace, users that it does not map all have the same uid, the overflow
 * uid (user_namespaces(7)): the namespace's owner and the outer root are among them. So
 * the uid does not tell who such a client is. But the file system does: connecting needs
 * the right to write to the socket, and with CTL_MODE only its owner has that, or a user
 * with the privilege to ignore modes. So a client with the overflow uid is accepted as
 * long as the socket is ours and still has CTL_MODE.
 */
#ifndef CTL_ALLOW_H
#define CTL_ALLOW_H

#include <stdbool.h>
#include <sys/types.h>

#include "net/admit.h"
#include "net/sock.h"

#define CTL_MODE 0600 /* permissions of the socket */

/*
 * @owner:   whose the socket is; the relay may become another user later
 * @unknown: the overflow uid, if @has_unknown: the namespace does not map all uids
 * @others:  those of allow=, once admit_start() was called; no access: nobody
 */
struct ctl_allow {
	uid_t owner;
	bool has_unknown;
	uid_t unknown;
	struct admit others;
};

/*
 * ctl_allow_init() - Note our user, and find out whether our user namespace maps all uids.
 * It does not touch @others.
 */
void ctl_allow_init(struct ctl_allow *a);

/* ctl_allows() - Whether the client on @fd, connected to the socket @made, may use it. */
bool ctl_allows(const struct ctl_allow *a, const struct sock_path *made, int fd);

#endif
