/* SPDX-License-Identifier: MIT */
/*
 * The keeper of a command: a process between the helper and the command, which
 * sees to it that all that the command has started ends with it.
 *
 * It is the one whom the kernel gives the orphans of all below
 * (PR_SET_CHILD_SUBREAPER), so that nothing gets away from it, not even a
 * daemon. The command could be told from the others by a session or a process
 * group of its own, too; but then ssh could not ask on the terminal for a
 * password.
 *
 * When the command ends, or the relay closes its end of the life line, or the
 * helper ends, all that is left below gets SIGTERM, and after a grace SIGKILL.
 */
#ifndef KEEP_H
#define KEEP_H

#include <stdint.h>
#include <sys/types.h>

#define KEEP_GRACE_MS 2000 /* from SIGTERM to SIGKILL */
#define KEEP_LIMIT_MS 3000 /* after which it is over, whatever comes */

/*
 * keep_command() - What the keeper does, forked by the helper, until it is over.
 * @fd:     where the helper's answers go
 * @id:     the request's
 * @parent: the helper
 *
 * The answer has a stream socket, which is the command's stdin and stdout, and the
 * life line: closing it ends the command. When that ends by itself, what wait()
 * says of it, an int, comes out of the life line. What signals the helper blocks
 * or ignores, so does the keeper. Its own exit status is not 0 when somebody below
 * it could not be ended.
 */
void keep_command(int fd, uint32_t id, const char *command, pid_t parent)
	__attribute__((noreturn));

#endif
