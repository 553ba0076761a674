/* SPDX-License-Identifier: MIT */
/*
 * daemon.c: what whoever starts a daemon gets, whatever becomes of it.
 *
 *   test -- starter, which waits -- daemon
 *     '----------- a pipe ------------'
 */
#include "daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/quiet.h"
#include "lib/tap.h"

enum { IS_READY, HAS_ENDED, WAS_REFUSED };

static int pipes[2], go[2];

static void say(char what)
{
	if (write(pipes[1], &what, 1) != 1)
		_exit(9);
}

static char heard(void)
{
	char what = 0;

	if (read(pipes[0], &what, 1) != 1)
		return 0;
	return what;
}

static bool is_null(int fd)
{
	struct stat st, null;

	return fstat(fd, &st) == 0 && stat("/dev/null", &null) == 0 &&
	       st.st_rdev == null.st_rdev && S_ISCHR(st.st_mode);
}

static bool is_socket(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISSOCK(st.st_mode);
}

static void become_ready(struct daemon *d)
{
	bool is_free = getsid(0) == getpid() && is_null(0) && is_null(1) && is_socket(2);

	say(is_free && daemon_ready(d) == 0 && d->ready < 0 && daemon_ready(d) == 0
		    ? 'y'
		    : 'n');
}

static void end(struct daemon *d)
{
	(void)d;
	_exit(1);
}

static void be_killed(struct daemon *d)
{
	(void)d;
	raise(SIGKILL);
}

static void wait_and_become_ready(struct daemon *d)
{
	char byte;

	say('w');
	if (read(go[0], &byte, 1) == 1)
		say(daemon_ready(d) == -EPIPE ? 'y' : 'n');
}

/* Return: the starter's pid. */
static pid_t start(void (*fn)(struct daemon *d))
{
	static const struct conf conf = { .daemon = true };
	struct daemon d;
	char why[256];
	pid_t pid = fork();
	int ret;

	if (pid != 0)
		return pid;
	ret = daemon_start(&d, &conf, why, sizeof(why));
	if (ret == 0) {
		fn(&d);
		_exit(0);
	}
	_exit(ret == 1 ? IS_READY : ret == -ECHILD ? HAS_ENDED : WAS_REFUSED);
}

static int result(pid_t pid)
{
	int status;

	if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return -1;
	return WEXITSTATUS(status);
}

int main(void)
{
	struct conf conf = { .daemon = false };
	struct daemon d;
	char why[256];
	pid_t pid;

	quiet();
	alarm(300);
	signal(SIGPIPE, SIG_IGN);
	if (pipe(pipes) < 0 || pipe(go) < 0)
		return 1;
	ok_eq_int(daemon_start(&d, &conf, why, sizeof(why)), 0, "no daemon");
	ok_eq_int(daemon_ready(&d), 0, "and nobody who waits");
	ok_eq_int(result(start(become_ready)), IS_READY, "a daemon is ready");
	ok_eq_int(heard(), 'y', "it is on its own, and told so once");
	ok_eq_int(result(start(end)), HAS_ENDED, "one ends before that");
	ok_eq_int(result(start(be_killed)), HAS_ENDED, "or is killed");
	pid = start(wait_and_become_ready);
	ok_eq_int(heard(), 'w', "one is not ready yet");
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	if (write(go[1], "", 1) != 1)
		return 1;
	ok_eq_int(heard(), 'y', "it learns that whoever started it has gone");
	return done();
}
