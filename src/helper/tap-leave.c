/* SPDX-License-Identifier: MIT */
/*
 * Decides by the access list, and by what the kernel says of bridge and tap: the
 * bridge's own name, since a link can be found by others (IFLA_ALT_IFNAME), and whose
 * the tap is.
 *
 * #syscalls: getuid
 */
#include "helper/tap-leave.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/version.h"
#include "helper/bridge-acl.h"
#include "helper/file-cap.h"

static bool has_prefix(const char *name)
{
	return !strncmp(name, TAP_PREFIX, sizeof(TAP_PREFIX) - 1);
}

/* Whether we made it for this user: an admin's would have to persist. */
static bool is_ours(const struct nl_link *tap)
{
	return tap->is_tap && !tap->is_persistent && tap->owner == getuid() &&
	       has_prefix(tap->name);
}

static bool has_leave(const struct tap_request *req, const struct nl_link *bridge,
		      const struct nl_link *tap, char *why, size_t size)
{
	if (!bridge->is_bridge ||
	    bridge_acl_check(version_conf_dir, bridge->name, why, size) < 0)
		return false;
	if (req->index ? !is_ours(tap) : req->tap[0] && !has_prefix(req->tap))
		snprintf(
			why, size,
			"leave for bridge %s is for taps that netrelay makes, whose names "
			"begin with " TAP_PREFIX "; leave out tap=",
			bridge->name);
	else if (req->mtu && req->mtu != bridge->mtu)
		snprintf(
			why, size,
			"leave for bridge %s is for taps with its MTU, %u; leave out mtu=",
			bridge->name, bridge->mtu);
	else
		return true;
	return false;
}

bool tap_leave(const struct tap_request *req, const struct nl_link *bridge,
	       const struct nl_link *tap, char *why, size_t size)
{
	struct nl_link master = { 0 };
	bool may;

	why[0] = '\0';
	if (net_right() != NET_RIGHT_FILE)
		return false;
	/* A new MTU alone: by leave for the bridge that the tap is on. */
	if (req->index && !bridge->index && tap->master &&
	    nl_link_at(NULL, tap->master, &master) == 0)
		bridge = &master;
	may = has_leave(req, bridge, tap, why, size);
	if (may)
		why[0] = '\0';
	file_cap_set(may ? FILE_CAP_IN_USE : FILE_CAP_GONE);
	return may;
}
