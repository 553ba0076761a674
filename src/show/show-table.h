/* SPDX-License-Identifier: MIT */
/*
 * A relay, written down for those who ask over the control socket: as a table for
 * people, as JSON for programs, and as lines of words for netrelay top. Whatever
 * names are in it, all of it is printable.
 *
 * With thousands of ports it is too much for one turn of the loop. So each of these
 * goes on where it was, step by step, and each port is shown as it is at its step.
 */
#ifndef SHOW_TABLE_H
#define SHOW_TABLE_H

#include <stdbool.h>

#include "base/buf.h"
#include "net/sock.h"
#include "relay/relay.h"

#define SHOW_PORTS_A_STEP 64

/*
 * How far a view has come. All zero: not begun.
 * @last: the number of the last port that was dealt with
 * @endpoint, @peer, @state: columns of the table; @is_measured: their width is known
 */
struct show {
	bool is_begun, is_measured;
	unsigned last;
	int endpoint, peer, state;
};

/* Append a step to @out. Return: whether it was the last. */
typedef bool show_step(struct show *s, const struct relay *r, struct buf *out);

show_step show_status;

/* show_json() - One object; the manual has its fields. */
show_step show_json;

/*
 * show_counters() - A line for the relay, and one for each port, with tabs between:
 *
 *   relay KIND VERSION UPTIME RECEIVED COPIED SENT QUEUED DROPPED
 *   port ID STATE SINCE RX_FRAMES RX_BYTES TX_FRAMES TX_BYTES QUEUE_BYTES
 *        QUEUE_LIMIT DROPPED NAME PEER
 *
 * Times are in milliseconds, and count from the start and from the state's.
 */
show_step show_counters;

#define SHOW_ADDRESSES_MAX 4096 /* to write down more would take too long */

/*
 * show_fdb() - The addresses that a switch remembers, as a table.
 *
 * Return: whether it is one.
 */
bool show_fdb(const struct relay *r, struct buf *out);

/* What more than one of these needs. */

/*
 * show_ports() - Have @one called for the next ports, as many as a step has.
 *
 * Return: whether these were the last.
 */
bool show_ports(struct show *s, const struct relay *r, struct buf *out,
		void (*one)(struct show *s, const struct port *p, struct buf *out));

/* show_endpoint() - What the port was made from: its endpoint's text, or its listener's. */
const char *show_endpoint(const struct port *p);

/* show_peer() - What is at the other end, at @buf of SOCK_TEXT_MAX bytes; "" if unknown. */
const char *show_peer(const struct port *p, char *buf);

#endif
