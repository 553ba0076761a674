/* SPDX-License-Identifier: MIT */
/* Views of a relay as text: tables for people, and lines of words for netrelay top. */
#ifndef SHOW_TABLE_H
#define SHOW_TABLE_H

#include "show/show.h"

/* show_status() - A table for people. */
show_step show_status;

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

#endif
