/* SPDX-License-Identifier: MIT */
/*
 * landlock.c: processes that give up rights to files, and then try what they gave up. It
 * needs a kernel that has Landlock; sandbox-fault-test.c has all others.
 */
#include "sandbox/landlock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/tap.h"
#include "lib/without.h"

#define DEVICE "/dev/null"
#define FILE_READ "/proc/self/status"

static char made[] = "/tmp/landlock-test-XXXXXX";

enum {
	CAN_READ = 1,
	CAN_LIST = 2,
	CAN_WRITE = 4,
	CAN_USE_DEVICE = 8,
	CAN_MAKE = 16,
	IS_OTHER = 32, /* something failed otherwise than by Landlock */
};

static int opened(const char *path, int flags, int can)
{
	int fd = open(path, flags | O_CLOEXEC);

	if (fd < 0)
		return errno == EACCES ? 0 : IS_OTHER;
	close(fd);
	return can;
}

static int try_all(void)
{
	int can = opened(FILE_READ, O_RDONLY, CAN_READ) |
		  opened("/tmp", O_RDONLY | O_DIRECTORY, CAN_LIST) |
		  opened(made, O_WRONLY, CAN_WRITE) |
		  opened(DEVICE, O_RDWR, CAN_USE_DEVICE);
	char beside[sizeof(made) + 2];

	snprintf(beside, sizeof(beside), "%s.d", made);
	if (mkdir(beside, 0700) == 0)
		return rmdir(beside) == 0 ? can | CAN_MAKE : IS_OTHER;
	return errno == EACCES ? can : can | IS_OTHER;
}

/* Return: what a process still can; -1 if the kernel has no Landlock. */
static int can_after(int (*deny)(const char *device), const char *device)
{
	int status, ret;
	pid_t pid = fork();

	if (pid == 0) {
		ret = prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ? -1 : deny(device);
		/* exit() would write files. */
		syscall(SYS_exit_group, ret < 0 ? 100 : ret ? try_all() : 255);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		abort();
	return WEXITSTATUS(status) == 255 ? -1 : WEXITSTATUS(status);
}

static int deny_all(const char *device)
{
	(void)device;
	return landlock_deny();
}

static int deny_nothing(const char *device)
{
	(void)device;
	return 1;
}

int main(void)
{
	int fd = mkstemp(made), can;

	if (fd < 0)
		abort();
	can = can_after(deny_all, NULL);
	ok((can == -1) >= is_without("landlock"), "where there is none it is told");
	if (can >= 0) {
		ok_eq_int(can, 0, "nothing can be opened");
		ok_eq_int(can_after(landlock_read_only, NULL), CAN_READ | CAN_LIST,
			  "files and folders can be read, and no more");
		ok_eq_int(can_after(landlock_read_only, DEVICE),
			  CAN_READ | CAN_LIST | CAN_USE_DEVICE, "a device can be used");
		ok_eq_int(can_after(landlock_read_only, "/dev/no-such"),
			  CAN_READ | CAN_LIST, "one that is not there does no harm");
	}
	ok_eq_int(can_after(deny_nothing, NULL),
		  CAN_READ | CAN_LIST | CAN_WRITE | CAN_USE_DEVICE | CAN_MAKE,
		  "and all of it could be done before");
	close(fd);
	unlink(made);
	return done();
}
