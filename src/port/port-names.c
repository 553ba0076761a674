/* SPDX-License-Identifier: MIT */
/* The words for a port's states, its far end and its drops. */
#include "port/port.h"

static const char *const state_names[] = {
	[PORT_OPENING] = "connecting",
	[PORT_UP] = "up",
	[PORT_WAITING] = "waiting",
	[PORT_ENDED] = "ended",
};

static const char *const drop_names[] = {
	[DROP_RUNT] = "runt",
	[DROP_OVERSIZE] = "oversize",
	[DROP_CUT] = "cut",
	[DROP_NO_PORT] = "no-port",
	[DROP_NOT_ALLOWED] = "not-allowed",
	[DROP_NOT_GENUINE] = "not-genuine",
	[DROP_MALFORMED] = "malformed",
	[DROP_LOCAL] = "local",
	[DROP_MAC] = "mac",
	[DROP_STORM] = "storm",
	[DROP_LOOP] = "loop",
	[DROP_PROBE] = "probe",
	[DROP_QUEUE] = "queue",
	[DROP_TOO_LONG] = "too-long",
	[DROP_LOST] = "lost",
	[DROP_REFUSED] = "refused",
};

const char *port_state_name(enum port_state state)
{
	return state_names[state];
}

enum port_state port_state_shown(const struct port *p)
{
	return p->state == PORT_UP && p->awaiting_peer ? PORT_OPENING : p->state;
}

const char *port_far_name(const struct port *p)
{
	if (!p->ops->is_dgram || p->state != PORT_UP)
		return "";
	if (p->far_errno)
		return "unreachable";
	return p->count.rx_frames ? "heard" : "silent";
}

const char *port_drop_name(enum port_drop reason)
{
	return drop_names[reason];
}
