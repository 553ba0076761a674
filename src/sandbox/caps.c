/* SPDX-License-Identifier: MIT */
/*
 * The kernel numbers capabilities from 0, and refuses to drop one that it does not know.
 * The ambient set is never larger than the inheritable one (capabilities(7)), so both
 * become empty together.
 *
 * #syscalls: capget capset prctl
 */
#include "sandbox/caps.h"

#include <errno.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define CAP_COUNT 64

static const struct __user_cap_header_struct header = {
	.version = _LINUX_CAPABILITY_VERSION_3,
};

static int get(struct __user_cap_data_struct *data)
{
	struct __user_cap_header_struct self = header;

	return syscall(SYS_capget, &self, data) < 0 ? -errno : 0;
}

bool caps_has(int cap)
{
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = { 0 };

	return get(data) == 0 && (data[cap / 32].effective >> cap % 32 & 1);
}

void caps_bound(uint64_t mask)
{
	for (int cap = 0; cap < CAP_COUNT; cap++)
		if (!(mask & CAP_BIT(cap)) && prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0)
			break;
}

bool caps_permits(int cap)
{
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = { 0 };

	return get(data) == 0 && (data[cap / 32].permitted >> cap % 32 & 1);
}

static int set(const struct __user_cap_data_struct *data)
{
	struct __user_cap_header_struct self = header;

	return syscall(SYS_capset, &self, data) < 0 ? -errno : 0;
}

int caps_set(uint64_t permitted, uint64_t effective)
{
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = { 0 };

	for (int i = 0; i < _LINUX_CAPABILITY_U32S_3; i++) {
		data[i].permitted = (uint32_t)(permitted >> 32 * i);
		data[i].effective = (uint32_t)(effective >> 32 * i);
	}
	return set(data);
}

int caps_keep(uint64_t mask)
{
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = { 0 };
	int ret = get(data);

	if (ret < 0)
		return ret;
	for (int i = 0; i < _LINUX_CAPABILITY_U32S_3; i++) {
		uint32_t word = (uint32_t)(mask >> 32 * i);

		data[i].permitted &= word;
		data[i].effective &= word;
		data[i].inheritable &= word;
	}
	return set(data);
}
