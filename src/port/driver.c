/* SPDX-License-Identifier: MIT */
/* From an endpoint's kind to its driver. */
#include "port/driver.h"

#include <errno.h>
#include <string.h>

static struct port *(*const makers[])(const struct endpoint *,
				      const struct port_env *) = {
	[ENDPOINT_STDIO] = port_stdio_new,
	[ENDPOINT_TCP] = port_dial_new,
	[ENDPOINT_UNIX] = port_dial_new,
	[ENDPOINT_UDP] = port_udp_new,
	[ENDPOINT_UNIXGRAM] = port_unixgram_new,
	[ENDPOINT_MCAST] = port_mcast_new,
	[ENDPOINT_BRIDGE] = port_tap_new,
	[ENDPOINT_TAP] = port_tap_new,
	[ENDPOINT_FD] = port_fd_new,
	[ENDPOINT_EXEC] = port_exec_new,
	[ENDPOINT_TRUNK] = port_dial_new,
};

struct port *driver_new(const struct endpoint *ep, const struct port_env *env)
{
	if (ep->kind >= ARRAY_SIZE(makers) || !makers[ep->kind]) {
		errno = EINVAL;
		return NULL;
	}
	return makers[ep->kind](ep, env);
}

const char *driver_why(const struct endpoint *ep, int err)
{
	return ep->kind == ENDPOINT_FD ? port_fd_why(err) : strerror(err);
}

bool driver_needs_helper(const struct endpoint *ep)
{
	switch (ep->kind) {
	case ENDPOINT_BRIDGE:
	case ENDPOINT_TAP:
	case ENDPOINT_EXEC:
		return true;
	case ENDPOINT_TCP:
	case ENDPOINT_TRUNK:
	case ENDPOINT_UDP:
		return ep->remote.family == AF_UNSPEC;
	default:
		return false;
	}
}
