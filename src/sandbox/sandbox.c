/* SPDX-License-Identifier: MIT */
/*
 * The order of the steps, and what each role may still do. A user is changed first, as
 * long as there is the right to; Landlock and seccomp come last, since they would refuse
 * the others.
 *
 * #syscalls: prctl
 */
#include "sandbox/sandbox.h"

#include <errno.h>
#include <linux/capability.h>
#include <sys/prctl.h>

#include "base/parts.h"
#include "sandbox/caps.h"
#include "sandbox/filter.h"
#include "sandbox/landlock.h"
#include "sandbox/seccomp.h"

#ifdef NO_SANDBOX
#define IS_OFF true
#else
#define IS_OFF false
#endif

#ifdef __GLIBC__
#define IS_GLIBC true
#else
#define IS_GLIBC false
#endif

/* The capabilities that each role keeps. */
static const uint16_t keeps[] = {
	[SANDBOX_CLIENT] = CAP_BIT(CAP_DAC_OVERRIDE),
	[SANDBOX_TAPS] = CAP_BIT(CAP_NET_ADMIN),
};

static int filter(const struct sandbox *s, struct sandbox_has *has)
{
	struct sock_filter program[SECCOMP_FILTER_MAX];
	bool is_open = s->role == SANDBOX_NAMES && IS_GLIBC;
	int n = is_open ? -ENOTSUP : filter_build(program, s->role, s->kills);
	int ret = n < 0 ? n : seccomp_apply(program, n);

	has->seccomp = ret == 0;
	return ret == -ENOTSUP || ret == -EINVAL ? 0 : ret;
}

int sandbox_confine(const struct sandbox *s, struct sandbox_has *has)
{
	uint64_t keep = keeps[s->role];
	int ret;

	*has = (struct sandbox_has){ 0 };
	caps_bound(keep);
	ret = HAS_USERS && s->user ? user_become(s->user) : 0;
	if (ret == 0)
		ret = caps_keep(keep);
	if (ret < 0)
		return ret;
	if (s->look)
		s->look(s->arg);
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 ||
	    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
	/* These still open files. */
	if (s->role != SANDBOX_NAMES && s->role != SANDBOX_TAPS)
		has->landlock = landlock_deny();
	return has->landlock < 0 ? has->landlock : filter(s, has);
}

int sandbox_enter(const struct sandbox *s, struct sandbox_has *has)
{
	*has = (struct sandbox_has){ 0 };
	return IS_OFF ? 0 : sandbox_confine(s, has);
}
