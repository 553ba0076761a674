/* SPDX-License-Identifier: MIT */
/*
 * Tells the program file's capability from one that is the user's own.
 *
 * #syscalls: getegid geteuid getgid getuid prctl
 */
#include "helper/file-cap.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "sandbox/caps.h"

enum net_right net_right(void)
{
	if (!caps_permits(CAP_NET_ADMIN))
		return NET_RIGHT_NONE;
	if (getuid() == 0 ||
	    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, CAP_NET_ADMIN, 0, 0) == 1)
		return NET_RIGHT_OWN;
	return NET_RIGHT_FILE;
}

void file_cap_set(enum file_cap state)
{
	const uint64_t cap = CAP_BIT(CAP_NET_ADMIN);

	if (net_right() == NET_RIGHT_FILE &&
	    caps_set(state == FILE_CAP_GONE ? 0 : cap,
		     state == FILE_CAP_IN_USE ? cap : 0) < 0)
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
