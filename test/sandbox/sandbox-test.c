/* SPDX-License-Identifier: MIT */
/*
 * sandbox.c: processes that confine themselves in each role, and then look at their own
 * /proc/self/status, which is open. Nothing else can be asked any more.
 */
#include "sandbox/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/tap.h"
#include "lib/without.h"
#include "sandbox/caps.h"
#include "sandbox/filter.h"
#include "sandbox/seccomp.h"

static const struct user nobody = {
	.uid = 65534, .gid = 65533, .groups = { 65533 }, .n_groups = 1
};

/* What /proc/self/status is to have. */
struct want {
	const char *uid;
	const char *caps;
};

static bool looked;

/* Neither each kernel nor each machine has them. */
static bool has_filters(void)
{
	static struct sock_filter filter[SECCOMP_FILTER_MAX];
	const pid_t none[SANDBOX_KILLS_MAX] = { 0 };

	return !is_without("seccomp") &&
	       filter_build(filter, SANDBOX_RELAY, none) != -ENOTSUP;
}

static void look(void *arg)
{
	/* The file system can still be looked at, with the rights that are left. */
	looked = arg == &looked && access("/", R_OK) == 0 && !caps_has(CAP_SETUID);
}

static bool has_line(const char *text, const char *name, const char *value)
{
	char line[64];

	snprintf(line, sizeof(line), "\n%s:\t%s", name, value);
	return strstr(text, line);
}

static int check(int fd, const struct want *want)
{
	char text[4096] = "";

	if (read(fd, text, sizeof(text) - 1) <= 0)
		return 10;
	if (!has_line(text, "Uid", want->uid))
		return 11;
	if (!has_line(text, "CapPrm", want->caps) ||
	    !has_line(text, "CapEff", want->caps))
		return 12;
	if (!has_line(text, "NoNewPrivs", "1") ||
	    (has_filters() && !has_line(text, "Seccomp", "2")))
		return 13;
	return 0;
}

static void confine(const struct sandbox *s, const struct want *want)
{
	int fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC), ret;
	struct sandbox_has has;

	ret = sandbox_confine(s, &has);
	if (ret == -EPERM && s->user)
		syscall(SYS_exit_group, 3);
	if (ret < 0 || has.seccomp != has_filters() || (s->look && !looked) ||
	    (has.landlock && is_without("landlock")))
		syscall(SYS_exit_group, 2);
	ret = check(fd, want);
	if (ret)
		syscall(SYS_exit_group, ret);
	/* The end of all roles, unless the kernel has no filters. */
	syscall(SYS_openat, AT_FDCWD, "/", O_RDONLY);
	syscall(SYS_exit_group, 4);
}

/* Return: how a process that does so ends, as wait() has it. */
static int end_of(const struct sandbox *s, const struct want *want)
{
	int status;
	pid_t pid = fork();

	if (pid == 0)
		confine(s, want);
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		abort();
	if (WIFEXITED(status) && WEXITSTATUS(status) == 4 && !has_filters())
		return SIGSYS;
	return WIFSIGNALED(status) ? WTERMSIG(status) : 256 + WEXITSTATUS(status);
}

static int without_rights(void)
{
	struct sandbox s = { .role = SANDBOX_RELAY, .user = &nobody };
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		caps_keep(0);
		confine(&s, NULL);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		abort();
	return WEXITSTATUS(status);
}

int main(void)
{
	static const char none[] = "0000000000000000\n", dac[] = "0000000000000002\n";
	struct sandbox s = { .role = SANDBOX_RELAY, .look = look, .arg = &looked };
	struct want root = { "0\t0\t0\t0\n", none }, other = { "65534\t65534", none };
	struct sandbox_has has = { .landlock = 1, .seccomp = true };

	ok(sandbox_enter(&s, &has) == 0 && !has.landlock && !has.seccomp && !looked,
	   "a build for tests is not confined");
	ok_eq_int(without_rights(), 3, "who may not become another user does not go on");
	if (!caps_has(CAP_DAC_OVERRIDE) || geteuid() != 0) {
		printf("# left out: only root has rights to give up\n");
		return done();
	}
	ok_eq_int(end_of(&s, &root), SIGSYS, "the relay");
	s.look = NULL;
	s.user = &nobody;
	ok_eq_int(end_of(&s, &other), SIGSYS, "the relay, as another user");
	s = (struct sandbox){ .role = SANDBOX_WRITER };
	ok_eq_int(end_of(&s, &root), SIGSYS, "the writer");
	s.role = SANDBOX_CLIENT;
	root.caps = dac;
	ok_eq_int(end_of(&s, &root), SIGSYS,
		  "the client, which may dial other users' sockets");
	return done();
}
