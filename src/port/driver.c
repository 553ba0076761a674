/* SPDX-License-Identifier: MIT */
/* The table of drivers, by kind of endpoint. */
#include "port/driver.h"

#include <string.h>

#include "base/parts.h"
#include "helper/helper.h"

/* What was left out (base/parts.h) has no constructor, and no endpoint comes here with it. */
#define IF(part, function) ((part) ? (function) : NULL)

/* The remote host, if it is a name. */
static bool asks_for_name(const struct endpoint *ep, const struct helper_request *req)
{
	if (ep->remote.family != AF_UNSPEC || !req)
		return ep->remote.family == AF_UNSPEC;
	return req->op == HELPER_RESOLVE &&
	       !strcmp(ep->remote.host, req->resolve.addr.host);
}

static struct port *trunk_new(const struct endpoint *ep, const struct port_env *env)
{
	return HAS_KEYS && ep->is_udp ? port_udp_trunk_new(ep, env)
				      : port_dial_new(ep, env);
}

static const struct driver drivers[] = {
	[ENDPOINT_STDIO] = { .dial = port_stdio_new,
			     .check_inherited = port_stdio_check },
	[ENDPOINT_TCP] = { .dial = port_dial_new,
			   .asks = IF(HAS_NAMES, asks_for_name),
			   .uses_links = true },
	[ENDPOINT_TCP_LISTEN] = { .accept = port_accepted_new },
	[ENDPOINT_UNIX] = { .dial = port_dial_new },
	[ENDPOINT_UNIX_LISTEN] = { .accept = port_accepted_new },
	[ENDPOINT_UDP] = { .dial = IF(HAS_DATAGRAMS, port_udp_new),
			   .asks = IF(HAS_NAMES, asks_for_name),
			   .uses_links = true },
	[ENDPOINT_UNIXGRAM] = { .dial = IF(HAS_DATAGRAMS, port_unixgram_new) },
	[ENDPOINT_MCAST] = { .dial = IF(HAS_MCAST, port_mcast_new), .uses_links = true },
	[ENDPOINT_BRIDGE] = { .dial = IF(HAS_BRIDGE, port_tap_new),
			      .asks = IF(HAS_BRIDGE, port_tap_asks),
			      .fails_late = true,
			      .uses_links = true,
			      .may_close_loop = true },
	[ENDPOINT_TAP] = { .dial = IF(HAS_TAP, port_tap_new),
			   .asks = IF(HAS_TAP, port_tap_asks),
			   .fails_late = true,
			   .uses_links = true },
	[ENDPOINT_FD] = { .dial = IF(HAS_FD, port_fd_new),
			  .check_inherited = IF(HAS_FD, port_fd_check),
			  .why = IF(HAS_FD, port_fd_why),
			  .uses_links = true },
	[ENDPOINT_EXEC] = { .dial = IF(HAS_EXEC, port_exec_new),
			    .asks = IF(HAS_EXEC, port_exec_asks) },
	[ENDPOINT_TRUNK] = { .dial = IF(HAS_TRUNK, trunk_new),
			     .asks = IF(HAS_NAMES, asks_for_name),
			     .uses_links = true },
#ifndef LACKS_VHOST
	[ENDPOINT_VHOST] = { .dial = port_vhost_new },
	[ENDPOINT_VHOST_LISTEN] = { .accept = port_vhost_accepted, .has_no_keys = true },
#endif
};

const struct driver *driver_of(const struct endpoint *ep)
{
	return &drivers[ep->kind];
}

const char *driver_why(const struct endpoint *ep, int err)
{
	const struct driver *d = driver_of(ep);

	return d->why ? d->why(err) : strerror(err);
}

bool driver_asks(const struct endpoint *ep, const struct helper_request *req)
{
	const struct driver *d = driver_of(ep);

	return d->asks && d->asks(ep, req);
}
