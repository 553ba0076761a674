/* SPDX-License-Identifier: MIT */
/*
 * The sandbox on a kernel that refuses any part of it, or lacks it: what must be given up
 * and can't be is an error, and nothing else is tried then; what the kernel lacks is told.
 * Nothing is really given up here: the test is the kernel.
 */
#include "sandbox/sandbox.h"

#include <errno.h>
#include <linux/capability.h>
#include <linux/landlock.h>
#include <stdarg.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "base/util.h"
#include "lib/tap.h"
#include "sandbox/caps.h"
#include "sandbox/landlock.h"

#define NOTHING "nothing"

/*
 * @fails, @err: the step that fails, and how
 * @landlock:    the version that the kernel has
 * @last:        the step that was made last
 * @ruleset:     how many bytes of rules it was given
 * @denied:      the rights to files that were given up
 * @n_allowed, @allowed: how many files have some of them left, and which
 */
static struct {
	const char *fails;
	int err;
	int landlock;
	const char *last;
	bool has_looked;
	size_t ruleset;
	uint64_t denied, allowed;
	unsigned n_allowed;
} kernel;

static long step(const char *name, long result)
{
	kernel.last = name;
	if (strcmp(name, kernel.fails) != 0)
		return result;
	errno = kernel.err;
	return -1;
}

/* The stages that are made by syscall(). */
long syscall(long number, ...)
{
	long arg[3];
	va_list ap;

	va_start(ap, number);
	for (int i = 0; i < 3; i++)
		arg[i] = va_arg(ap, long);
	va_end(ap);
	switch (number) {
#ifdef SYS_setgroups32
	case SYS_setgroups32:
		return step("setgroups", 0);
	case SYS_setresgid32:
		return step("setresgid", 0);
	case SYS_setresuid32:
		return step("setresuid", 0);
#endif
	case SYS_setgroups:
		return step("setgroups", 0);
	case SYS_setresgid:
		return step("setresgid", 0);
	case SYS_setresuid:
		return step("setresuid", 0);
	case SYS_capget:
		memset((void *)arg[1], 0xff, 2 * sizeof(struct __user_cap_data_struct));
		return step("capget", 0);
	case SYS_capset:
		return step("capset", 0);
	case SYS_landlock_create_ruleset:
		if (arg[2])
			return step("landlock's version", kernel.landlock);
		kernel.ruleset = (size_t)arg[1];
		kernel.denied = *(uint64_t *)arg[0];
		return step("landlock's rules", eventfd(0, EFD_CLOEXEC));
	case SYS_landlock_add_rule:
		kernel.n_allowed += arg[1] == LANDLOCK_RULE_PATH_BENEATH;
		memcpy(&kernel.allowed, (void *)arg[2], sizeof(kernel.allowed));
		return step("landlock's exception", 0);
	case SYS_landlock_restrict_self:
		return step("landlock", 0);
	default:
		return step("another call", -1);
	}
}

int prctl(int option, ...)
{
	switch (option) {
	case PR_CAPBSET_DROP:
		return (int)step("bound", 0);
	case PR_SET_DUMPABLE:
		return (int)step("dumpable", 0);
	case PR_SET_NO_NEW_PRIVS:
		return (int)step("no new privileges", 0);
	case PR_SET_SECCOMP:
		return (int)step("seccomp", 0);
	default:
		return (int)step("another prctl", -1);
	}
}

static void look(void *arg)
{
	(void)arg;
	kernel.has_looked = true;
}

static void begin(const char *fails, int err, int landlock)
{
	memset(&kernel, 0, sizeof(kernel));
	kernel.fails = fails;
	kernel.err = err;
	kernel.landlock = landlock;
	kernel.last = NOTHING;
}

static int confine(const char *fails, int err, int landlock, const struct user *user,
		   struct sandbox_has *has)
{
	const struct sandbox s = {
		.role = user ? SANDBOX_RELAY : SANDBOX_CLIENT,
		.user = user,
		.look = user ? look : NULL,
	};

	begin(fails, err, landlock);
	return sandbox_confine(&s, has);
}

static const struct user nobody = { 1, 2, { 2 }, 1 };

/* What can't be given up ends it there. */
static void test_refused(void)
{
	static const char *const steps[] = {
		"setgroups", "setresgid", "setresuid",	       "capget",
		"capset",    "dumpable",  "no new privileges", "landlock's rules",
		"landlock",  "seccomp"
	};
	struct sandbox_has has;

	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		int ret = confine(steps[i], EPERM, 3, &nobody, &has);

		ok(ret == -EPERM && !strcmp(kernel.last, steps[i]),
		   "%s is refused: an error, and nothing more is tried", steps[i]);
		ok(kernel.has_looked == (i >= 5), "and looked around %s",
		   i >= 5 ? "before" : "not");
	}
}

static void test_lacking(void)
{
	struct sandbox_has has;

	ok(confine(NOTHING, 0, 3, &nobody, &has) == 0 && has.landlock == 3 && has.seccomp,
	   "nothing is lacking");
	ok(confine("landlock's version", ENOSYS, 3, &nobody, &has) == 0 &&
		   !has.landlock && has.seccomp,
	   "a kernel without Landlock");
	ok(confine("seccomp", EINVAL, 3, NULL, &has) == 0 && has.landlock == 3 &&
		   !has.seccomp,
	   "a kernel without filters of system calls");
	ok(confine("bound", EPERM, 3, &nobody, &has) == 0,
	   "a bounding set that is another's to lower");
}

static void test_landlock(void)
{
	struct sandbox_has has;
	size_t before = 0;
	bool good = true;

	for (int version = 1; version < 9; version++) {
		good &= confine(NOTHING, 0, version, NULL, &has) == 0 &&
			has.landlock == version && kernel.ruleset >= before;
		before = kernel.ruleset;
	}
	ok(good && before > sizeof(uint64_t),
	   "each version of Landlock, and future ones");
}

/* Workers of helpers, which read files, and of which one uses a device. */
static void test_read_only(void)
{
	const uint64_t reads = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR;
	const uint64_t writes = LANDLOCK_ACCESS_FS_WRITE_FILE;
	const uint64_t ioctls = 1u << 15; /* LANDLOCK_ACCESS_FS_IOCTL_DEV */

	begin(NOTHING, 0, 4);
	ok(landlock_read_only(NULL) == 4 && !kernel.n_allowed, "reading, no device");
	ok_eq_int(kernel.denied, (1u << 15) - 1 - reads, "all but reading is given up");
	begin(NOTHING, 0, 4);
	ok(landlock_read_only("/dev/null") == 4 && kernel.n_allowed == 1 &&
		   kernel.allowed == writes,
	   "a device can be written to");
	begin(NOTHING, 0, 5);
	ok(landlock_read_only("/dev/null") == 5 && kernel.n_allowed == 1 &&
		   kernel.allowed == (writes | ioctls),
	   "and controlled, where that would be denied");
	begin(NOTHING, 0, 5);
	ok(landlock_read_only("/dev/no-such") == 5 && !kernel.n_allowed &&
		   !strcmp(kernel.last, "landlock"),
	   "a device that is not there: the rest is done");
	begin("landlock's exception", EINVAL, 5);
	ok(landlock_read_only("/dev/null") == 5 && !strcmp(kernel.last, "landlock"),
	   "a device that can't be excepted: the rest is done");
	begin("landlock", E2BIG, 5);
	ok_eq_int(landlock_read_only("/dev/null"), -E2BIG, "too many layers");
}

/* Those that open files keep that right here, and their workers give up most of it. */
static void test_helpers(void)
{
	static const enum sandbox_role roles[] = { SANDBOX_NAMES, SANDBOX_TAPS };

	for (size_t i = 0; i < ARRAY_SIZE(roles); i++) {
		const struct sandbox s = { .role = roles[i] };
		struct sandbox_has has;

		begin(NOTHING, 0, 5);
		ok(sandbox_confine(&s, &has) == 0 && !has.landlock && !kernel.ruleset,
		   "helper %zu: no Landlock yet", i);
		/* A glibc's resolver makes calls that are on no list. */
		ok_eq_int(has.seccomp, roles[i] == SANDBOX_TAPS, "helper %zu: filter", i);
	}
}

static void test_caps(void)
{
	begin(NOTHING, 0, 0);
	ok(caps_has(CAP_NET_ADMIN) && caps_permits(CAP_SETUID), "capabilities are had");
	ok(caps_set(CAP_BIT(40), 0) == 0, "and set");
	caps_bound(UINT64_MAX);
	kernel.fails = "capget";
	kernel.err = EPERM;
	ok(!caps_has(CAP_NET_ADMIN) && !caps_permits(CAP_SETUID),
	   "what the kernel does not tell is not had");
	kernel.fails = "capset";
	ok_eq_int(caps_set(0, 0), -EPERM, "what can't be set is an error");
}

int main(void)
{
	test_refused();
	test_lacking();
	test_landlock();
	test_read_only();
	test_helpers();
	test_caps();
	return done();
}
