/* SPDX-License-Identifier: MIT */
/*
 * The sandbox: what a process gives up once it is set up.
 *
 * The relay talks with everybody, so it is what an attacker would take over. After
 * set-up it has no capability, can get none by running a program (no_new_privs), and
 * has no right to the file system that Landlock knows of. The kernel ends it when it
 * makes a system call that is not on its list: execve, ptrace, open, a socket that is
 * not of INET, INET6 or UNIX, memory that is executable. Others of the same user can
 * neither trace it nor read its memory.
 *
 * What the relay needs after set-up, and who does it:
 *
 *	tap, bridge, MTU, a name's address, exec:     a helper (helper/)
 *	another helper, when one is lost              the broker (net/broker.h)
 *	a unix socket's path: bind, remove, and       the broker
 *	dial where the relay itself may not
 *	the configuration file and files of keys,     the broker
 *	again
 *	a FIFO or file to capture to                  its writer, or `netrelay ctl`
 *	links, routes, events of them                 netlink sockets, opened before
 *	messages to stderr, memory in use, time zone  files, opened or read before
 *
 * The broker was forked before, so it keeps what the program was started with, and so
 * do helpers, as far as they do not give it up.
 * What remains with the relay is bounded by arguments (filter.c): the requests of
 * ioctl(), the commands of fcntl(), and the processes for kill().
 *
 * Not had after set-up, and not replaced: receive buffers above net.core.rmem_max, and
 * ports below 1024, for sockets that are made anew or added later.
 *
 * The lists of system calls are made of those that the source files state: see
 * syscalls.awk. A build for tests (NO_SANDBOX) has none of this, since sanitizers and
 * coverage make calls of their own.
 */
#ifndef SANDBOX_H
#define SANDBOX_H

#include <stdbool.h>
#include <sys/types.h>

#include "sandbox/user.h"

/*
 * Who is confined.
 * SANDBOX_RELAY:  as above
 * SANDBOX_WRITER: the process that writes the file of --capture, which is open
 * SANDBOX_CLIENT: netrelay ctl, and netrelay top. It keeps CAP_DAC_OVERRIDE if it has
 *                 it, so that root can reach another user's control socket
 * SANDBOX_NAMES, SANDBOX_TAPS: the helpers that resolve names and attach taps; the
 *                 latter keeps CAP_NET_ADMIN if it has it. Their rights to files they
 *                 give up by themselves (landlock_read_only()). A glibc's resolver loads
 *                 modules, whose system calls nobody knows: it is not filtered
 */
enum sandbox_role {
	SANDBOX_RELAY,
	SANDBOX_WRITER,
	SANDBOX_CLIENT,
	SANDBOX_NAMES,
	SANDBOX_TAPS,
};

#define SANDBOX_KILLS_MAX 2

/*
 * @user:  whom to become; NULL to stay
 * @look:  if not NULL, called with @arg when rights to files are as they will be, but
 *         the file system can still be looked at
 * @kills: the processes that may be sent signals; 0 for none
 */
struct sandbox {
	enum sandbox_role role;
	const struct user *user;
	void (*look)(void *arg);
	void *arg;
	pid_t kills[SANDBOX_KILLS_MAX];
};

/*
 * What the kernel had of it.
 * @landlock: the version of its interface; 0: it has none
 * @seccomp:  it filters system calls
 */
struct sandbox_has {
	int landlock;
	bool seccomp;
};

/*
 * sandbox_enter() - Confine this process, for good. It must have one thread only.
 * @has: set to what the kernel had; a kernel that lacks a part is no error
 *
 * Return: 0; -EPERM without the right to become @user; another -errno.
 */
int sandbox_enter(const struct sandbox *s, struct sandbox_has *has);

/* sandbox_confine() - As sandbox_enter(), also in a build for tests. */
int sandbox_confine(const struct sandbox *s, struct sandbox_has *has);

#endif
