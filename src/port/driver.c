/* SPDX-License-Identifier: MIT */
/* The table of drivers, by kind of endpoint. */
#include "port/driver.h"

#include <string.h>

static bool always(const struct endpoint *ep)
{
	(void)ep;
	return true;
}

/* The remote host is a name, which the helper must resolve. */
static bool has_name(const struct endpoint *ep)
{
	return ep->remote.family == AF_UNSPEC;
}

static const struct driver drivers[] = {
	[ENDPOINT_STDIO] = { .dial = port_stdio_new,
			     .check_inherited = port_stdio_check },
	[ENDPOINT_TCP] = { .dial = port_dial_new, .asks_helper = has_name },
	[ENDPOINT_TCP_LISTEN] = { .accept = port_accepted_new },
	[ENDPOINT_UNIX] = { .dial = port_dial_new },
	[ENDPOINT_UNIX_LISTEN] = { .accept = port_accepted_new },
	[ENDPOINT_UDP] = { .dial = port_udp_new,
			   .asks_helper = has_name,
			   .uses_links = true },
	[ENDPOINT_UNIXGRAM] = { .dial = port_unixgram_new },
	[ENDPOINT_MCAST] = { .dial = port_mcast_new, .uses_links = true },
	[ENDPOINT_BRIDGE] = { .dial = port_tap_new,
			      .asks_helper = always,
			      .uses_links = true,
			      .may_close_loop = true },
	[ENDPOINT_TAP] = { .dial = port_tap_new,
			   .asks_helper = always,
			   .uses_links = true },
	[ENDPOINT_FD] = { .dial = port_fd_new,
			  .check_inherited = port_fd_check,
			  .why = port_fd_why,
			  .uses_links = true },
	[ENDPOINT_EXEC] = { .dial = port_exec_new, .asks_helper = always },
	[ENDPOINT_TRUNK] = { .dial = port_dial_new, .asks_helper = has_name },
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

bool driver_asks_helper(const struct endpoint *ep)
{
	const struct driver *d = driver_of(ep);

	return d->asks_helper && d->asks_helper(ep);
}
