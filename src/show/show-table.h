/* SPDX-License-Identifier: MIT */
/*
 * Views of a relay for clients of the control socket: a table for people, JSON for
 * programs, and lines of words for netrelay top. All texts are escaped, so a view is
 * printable whatever names it contains.
 *
 * With thousands of ports a view takes too long for one turn of the event loop. So it is
 * written in steps. Each port is shown as it is at its step.
 */
#ifndef SHOW_TABLE_H
#define SHOW_TABLE_H

#include <stdbool.h>

#include "base/buf.h"
#include "net/sock.h"
#include "relay/relay.h"

#define SHOW_PORTS_A_STEP 64 /* ports that a step shows at most */

/*
 * How far a view has got. It begins as all zeros.
 * @is_begun:    the first step was made
 * @is_measured: the widths of the table's columns are known
 * @last:        the number of the last port that was done
 * @endpoint, @peer, @state: widths of these columns, in characters
 */
struct show {
	bool is_begun, is_measured;
	unsigned last;
	int endpoint, peer, state;
};

/* Append the next step of a view to @out. Return: whether it was the last step. */
typedef bool show_step(struct show *s, const struct relay *r, struct buf *out);

/* show_status() - A table for people. */
show_step show_status;

/* show_json() - A JSON object; the manual lists its members. */
show_step show_json;

/*
 * show_counters() - A line for the relay and one for each port; words are separated by
 * tabs:
 *
 *   relay KIND VERSION UPTIME RECEIVED COPIED SENT QUEUED DROPPED
 *   port ID STATE SINCE RX_FRAMES RX_BYTES TX_FRAMES TX_BYTES QUEUE_BYTES
 *        QUEUE_LIMIT DROPPED NAME PEER
 *
 * UPTIME is milliseconds since the relay began, SINCE those since the port's state
 * began.
 */
show_step show_counters;

#define SHOW_ADDRESSES_MAX 4096 /* showing more would take too long */

/*
 * show_fdb() - Append a table of the addresses that a switch has learned.
 *
 * Return: whether the relay is a switch.
 */
bool show_fdb(const struct relay *r, struct buf *out);

/* The following are parts of the views. */

/*
 * show_ports() - Call @one for the next ports, up to SHOW_PORTS_A_STEP.
 *
 * Return: whether they were the last.
 */
bool show_ports(struct show *s, const struct relay *r, struct buf *out,
		void (*one)(struct show *s, const struct port *p, struct buf *out));

/* show_endpoint() - The text of the endpoint, or of the listener, that a port comes from. */
const char *show_endpoint(const struct port *p);

/*
 * show_peer() - Find out the peer of a port.
 * @buf: set to its address or name, not escaped; "" if it is unknown; SOCK_TEXT_MAX bytes
 *
 * Return: @buf.
 */
const char *show_peer(const struct port *p, char *buf);

#endif
