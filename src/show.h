/* SPDX-License-Identifier: MIT */
/*
 * A relay, written down for those who ask over the control socket: as a table for
 * people, as JSON for programs, and as lines of words for netrelay top. Whatever
 * names are in it, all of it is printable.
 */
#ifndef SHOW_H
#define SHOW_H

#include "buf.h"
#include "relay.h"
#include "sock.h"

void show_status(const struct relay *r, struct buf *out);

/* show_json() - One object; the manual has its fields. */
void show_json(const struct relay *r, struct buf *out);

/*
 * show_counters() - A line for the relay, and one for each port, with tabs between:
 *
 *   relay KIND VERSION UPTIME RECEIVED COPIED SENT QUEUED DROPPED
 *   port ID STATE SINCE RX_FRAMES RX_BYTES TX_FRAMES TX_BYTES QUEUE_BYTES
 *        QUEUE_LIMIT DROPPED NAME PEER
 *
 * Times are in milliseconds, and count from the start and from the state's.
 */
void show_counters(const struct relay *r, struct buf *out);

#define SHOW_ADDRESSES_MAX 4096 /* to write down more would take too long */

/*
 * show_fdb() - The addresses that a switch remembers, as a table.
 *
 * Return: whether it is one.
 */
bool show_fdb(const struct relay *r, struct buf *out);

/* What more than one of these needs. */

/* show_endpoint() - What the port was made from: its endpoint's text, or its listener's. */
const char *show_endpoint(const struct port *p);

/* show_peer() - What is at the other end, at @buf of SOCK_TEXT_MAX bytes; "" if unknown. */
const char *show_peer(const struct port *p, char *buf);

#endif
