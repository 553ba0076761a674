/* SPDX-License-Identifier: MIT */
/*
 * The keeper of a command: a process between the helper and the command. It makes
 * sure that all processes that the command has started end with it.
 *
 * The keeper becomes the parent of every orphan below it (PR_SET_CHILD_SUBREAPER), so
 * that no process escapes it, not even a daemon. A session or a process group of its
 * own would not do for the command: ssh could then not ask for a password on the
 * terminal.
 *
 * When the command ends, or the relay closes its end of the life line, or the helper
 * ends, all processes that are left below the keeper get SIGTERM, and SIGKILL later.
 */
#ifndef KEEP_H
#define KEEP_H

#include <stdint.h>
#include <sys/types.h>

#define KEEP_GRACE_MS 2000 /* from SIGTERM to SIGKILL */
#define KEEP_LIMIT_MS 3000 /* from SIGTERM until the keeper gives up, and ends itself */

/*
 * keep_command() - Run the keeper, in a process that the helper has forked. It never
 * returns.
 * @fd:      the socket for the helper's answers
 * @id:      the number of the request
 * @command: for /bin/sh -c
 * @parent:  the helper's pid
 *
 * The answer carries two descriptors: a stream socket that is the command's stdin and
 * stdout, and the life line, a SOCK_SEQPACKET socket. Closing the life line ends the
 * command. If the command ends by itself, its wait() status, an int, comes out of the
 * life line. The keeper blocks and ignores the same signals as the helper. Its exit
 * status is not 0 if it could not end all processes below it.
 */
void keep_command(int fd, uint32_t id, const char *command, pid_t parent)
	__attribute__((noreturn));

#endif
