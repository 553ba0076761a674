/* SPDX-License-Identifier: MIT */
/*
 * Uses capget(2) and capset(2) themselves: their structures are the kernel's
 * interface, and libcap would be larger than all that is needed of it.
 *
 * #syscalls: capget capset getegid geteuid getgid getuid prctl
 */
#include "helper/file-cap.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/capability.h>

#define NET_ADMIN (1U << CAP_NET_ADMIN)

static bool is_permitted(void)
{
	struct __user_cap_header_struct header = { .version =
							   _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct caps[_LINUX_CAPABILITY_U32S_3] = { 0 };

	return syscall(SYS_capget, &header, caps) == 0 && caps[0].permitted & NET_ADMIN;
}

enum net_right net_right(void)
{
	if (!is_permitted())
		return NET_RIGHT_NONE;
	if (getuid() == 0 ||
	    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, CAP_NET_ADMIN, 0, 0) == 1)
		return NET_RIGHT_OWN;
	return NET_RIGHT_FILE;
}

void file_cap_set(enum file_cap state)
{
	struct __user_cap_header_struct header = { .version =
							   _LINUX_CAPABILITY_VERSION_3 };
	const struct __user_cap_data_struct caps[_LINUX_CAPABILITY_U32S_3] = {
		{ .permitted = state == FILE_CAP_GONE ? 0 : NET_ADMIN,
		  .effective = state == FILE_CAP_IN_USE ? NET_ADMIN : 0 },
	};

	if (net_right() == NET_RIGHT_FILE && syscall(SYS_capset, &header, caps) < 0)
		abort();
}

int file_cap_begin(void)
{
	if (getuid() != geteuid() || getgid() != getegid())
		return -EPERM;
	if (net_right() == NET_RIGHT_FILE)
		prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	file_cap_set(FILE_CAP_ASIDE);
	return 0;
}
