/* SPDX-License-Identifier: MIT */
/*
 * caps.c and landlock.c, each in processes that give up what they say: what is left is in
 * /proc/self/status, or shows by trying. Where there is nothing to give up, TAP says so.
 */
#include "sandbox/caps.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/tap.h"
#include "sandbox/landlock.h"

static char dir[] = "/tmp/caps-test.XXXXXX";

/* One of the sets in /proc/self/status, as "CapEff:". */
static unsigned long long caps(const char *set)
{
	char line[256];
	unsigned long long value = ~0ull;
	FILE *f = fopen("/proc/self/status", "re");

	while (f && fgets(line, sizeof(line), f))
		if (!strncmp(line, set, strlen(set)))
			value = strtoull(line + strlen(set), NULL, 16);
	if (f)
		fclose(f);
	return value;
}

/* Run @fn in a process. Return: its exit status. */
static int in_child(int (*fn)(void))
{
	pid_t pid = fork();
	int status;

	if (pid == 0)
		_exit(fn());
	if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		abort();
	return WEXITSTATUS(status);
}

static int keep_none(void)
{
	caps_bound(0);
	if (caps("CapBnd:"))
		return 1;
	if (caps_keep(0) < 0 || caps("CapEff:") || caps("CapPrm:") || caps("CapInh:") ||
	    caps("CapAmb:"))
		return 2;
	return caps_has(CAP_SETUID) || caps_keep(0) < 0 ? 3 : 0;
}

static int keep_one(void)
{
	unsigned long long one = CAP_BIT(CAP_DAC_OVERRIDE);

	caps_bound(one | CAP_BIT(CAP_SETPCAP));
	if (caps("CapBnd:") != (one | CAP_BIT(CAP_SETPCAP)))
		return 1;
	if (caps_keep(one) < 0 || caps("CapEff:") != one || caps("CapPrm:") != one)
		return 2;
	if (!caps_has(CAP_DAC_OVERRIDE) || caps_has(CAP_SETPCAP))
		return 3;
	/* Without CAP_SETPCAP it stays. */
	caps_bound(0);
	if (caps("CapBnd:") != (one | CAP_BIT(CAP_SETPCAP)))
		return 4;
	/* What was given up does not come back. */
	return caps_keep(~0ull) < 0 || caps("CapEff:") != one ? 5 : 0;
}

static int listen_at(const char *path, struct sockaddr_un *addr)
{
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	*addr = (struct sockaddr_un){ .sun_family = AF_UNIX };
	snprintf(addr->sun_path, sizeof(addr->sun_path), "%s", path);
	if (bind(fd, (struct sockaddr *)addr, sizeof(*addr)) < 0 || listen(fd, 1) < 0)
		abort();
	return fd;
}

static int deny_files(void)
{
	char path[64], byte = 0;
	struct sockaddr_un addr;
	struct stat st;
	int fd, version;

	snprintf(path, sizeof(path), "%s/s", dir);
	listen_at(path, &addr);
	snprintf(path, sizeof(path), "%s/f", dir);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	version = landlock_deny();
	if (version <= 0)
		return version ? 1 : 77;
	if (open(path, O_RDONLY | O_CLOEXEC) >= 0 || errno != EACCES)
		return 2;
	if (open(path, O_WRONLY | O_CLOEXEC) >= 0 || open("/", O_RDONLY | O_CLOEXEC) >= 0)
		return 3;
	if (unlink(path) == 0 || mkdir("/tmp/caps-test-none", 0700) == 0)
		return 4;
	/* What is open is of use, and a socket can be reached. */
	if (write(fd, &byte, 1) != 1 || ftruncate(fd, 0) < 0 || stat(path, &st) < 0)
		return 5;
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0)
		return 6;
	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s/other", dir);
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	return bind(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0 ? 7 : 0;
}

static int deny_without(void)
{
	/* As root it would not need no_new_privs. */
	if (caps_keep(0) < 0)
		return 1;
	return landlock_deny() == -EPERM ? 0 : 2;
}

static void test_landlock(void)
{
	char path[64];
	int status = in_child(deny_files);

	if (status == 77) {
		printf("# left out: this kernel has no Landlock\n");
	} else {
		ok_eq_int(status, 0, "no file can be had any more");
		ok_eq_int(in_child(deny_without), 0, "not without no_new_privs");
	}
	snprintf(path, sizeof(path), "%s/s", dir);
	unlink(path);
	snprintf(path, sizeof(path), "%s/f", dir);
	unlink(path);
}

int main(void)
{
	if (!mkdtemp(dir))
		return 1;
	if (caps_has(CAP_SETPCAP) && caps_has(CAP_DAC_OVERRIDE)) {
		ok_eq_int(in_child(keep_none), 0, "no capability in any set");
		ok_eq_int(in_child(keep_one), 0, "one capability, and no way back");
	} else {
		printf("# left out: there are no capabilities to give up\n");
	}
	test_landlock();
	rmdir(dir);
	return done();
}
