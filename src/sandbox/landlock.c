/* SPDX-License-Identifier: MIT */
/*
 * The kernel's interface grew: each version knows more rights, and refuses those that
 * it does not know (include/uapi/linux/landlock.h). Debian 12's headers are older than
 * most of them, so the numbers are here.
 *
 * #syscalls: close landlock_create_ruleset landlock_restrict_self
 */
#include "sandbox/landlock.h"

#include <errno.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/util.h"

/* The same on all architectures. */
#ifndef SYS_landlock_create_ruleset
#define SYS_landlock_create_ruleset 444
#define SYS_landlock_restrict_self 446
#endif

#define CREATE_VERSION 1u /* flag: ask for the version */
#define SCOPE_VERSION 6
#define SCOPE_ABSTRACT_UNIX 1u

struct ruleset {
	uint64_t files;
	uint64_t net;
	uint64_t scopes;
};

/* Of each version: how many rights to files it knows, as bits from 0. */
static const uint8_t rights[] = { 0, 13, 14, 15, 15, 16 };

int landlock_deny(void)
{
	struct ruleset set = { 0 };
	long version = syscall(SYS_landlock_create_ruleset, NULL, 0, CREATE_VERSION);
	size_t size = sizeof(set.files);
	int fd, ret = 0;

	if (version <= 0)
		return 0;
	set.files = (1u << rights[min_size((size_t)version, ARRAY_SIZE(rights) - 1)]) - 1;
	if (version >= SCOPE_VERSION) {
		set.scopes = SCOPE_ABSTRACT_UNIX;
		size = sizeof(set);
	}
	fd = (int)syscall(SYS_landlock_create_ruleset, &set, size, 0);
	if (fd < 0)
		return -errno;
	if (syscall(SYS_landlock_restrict_self, fd, 0) < 0)
		ret = -errno;
	close(fd);
	return ret < 0 ? ret : (int)version;
}
