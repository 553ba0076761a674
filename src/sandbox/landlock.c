/* SPDX-License-Identifier: MIT */
/*
 * The kernel's interface grew: each version knows more rights, and refuses those that
 * it does not know (include/uapi/linux/landlock.h). Debian 12's headers are older than
 * most of them, so the numbers are here.
 *
 * #syscalls: close landlock_add_rule landlock_create_ruleset landlock_restrict_self open
 */
#include "sandbox/landlock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/util.h"

/* The same on all architectures. */
#ifndef SYS_landlock_create_ruleset
#define SYS_landlock_create_ruleset 444
#define SYS_landlock_add_rule 445
#define SYS_landlock_restrict_self 446
#endif

#define CREATE_VERSION 1u /* flag: ask for the version */
#define RULE_PATH_BENEATH 1
#define READ (1u << 2 | 1u << 3)	/* files and folders */
#define USE_DEVICE (1u << 1 | 1u << 15) /* write to a file, and ioctl() of a device */
#define SCOPE_VERSION 6
#define SCOPE_ABSTRACT_UNIX 1u

struct ruleset {
	uint64_t files;
	uint64_t net;
	uint64_t scopes;
};

/* struct landlock_path_beneath_attr */
struct path_rule {
	uint64_t allowed;
	int32_t fd;
} __attribute__((packed));

/* Of each version: how many rights to files it knows, as bits from 0. */
static const uint8_t rights[] = { 0, 13, 14, 15, 15, 16 };

static void allow_device(int ruleset, const char *path, uint64_t allowed)
{
	struct path_rule rule = { .allowed = allowed,
				  .fd = open(path, O_PATH | O_CLOEXEC) };

	if (rule.fd < 0)
		return;
	syscall(SYS_landlock_add_rule, ruleset, RULE_PATH_BENEATH, &rule, 0);
	close(rule.fd);
}

/* @left: rights that are not given up. @device: may be NULL */
static int deny(uint64_t left, const char *device)
{
	struct ruleset set = { 0 };
	long version = syscall(SYS_landlock_create_ruleset, NULL, 0, CREATE_VERSION);
	size_t size = sizeof(set.files);
	int fd, ret = 0;

	if (version <= 0)
		return 0;
	set.files = (1u << rights[min_size((size_t)version, ARRAY_SIZE(rights) - 1)]) - 1;
	set.files &= ~left;
	if (version >= SCOPE_VERSION) {
		set.scopes = SCOPE_ABSTRACT_UNIX;
		size = sizeof(set);
	}
	fd = (int)syscall(SYS_landlock_create_ruleset, &set, size, 0);
	if (fd < 0)
		return -errno;
	if (device)
		allow_device(fd, device, set.files & USE_DEVICE);
	if (syscall(SYS_landlock_restrict_self, fd, 0) < 0)
		ret = -errno;
	close(fd);
	return ret < 0 ? ret : (int)version;
}

int landlock_deny(void)
{
	return deny(0, NULL);
}

int landlock_read_only(const char *device)
{
	return deny(READ, device);
}
