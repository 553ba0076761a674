/* SPDX-License-Identifier: MIT */
/* Taps, alone and on a bridge, on a kernel that refuses: see lib/driver-rig.h. */
#include "lib/driver-rig.h"

static const struct kind kinds[] = {
	{ "tap", "tap:faulttap", .device = "faulttap" },
	{ "bridge", "bridge:faultbr,tap=faulttap", .device = "faultbr" },
};

int main(void)
{
	if (!rig_begin())
		return 0;
	/* Making and removing one takes long. */
	if (!netns_bridge("faultbr"))
		return 1;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		sweep(&kinds[i]);
	rig_end();
	return done();
}
