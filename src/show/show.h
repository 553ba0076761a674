/* SPDX-License-Identifier: MIT */
/*
 * Views of a relay for clients of the control socket and for the page: a table for people,
 * JSON for programs, and lines of words for netrelay top. All texts are escaped, so a view
 * is printable whatever names it contains.
 *
 * With thousands of ports a view takes too long for one turn of the event loop. So it is
 * written in steps. Each port is shown as it is at its step.
 */
#ifndef SHOW_H
#define SHOW_H

#include <stdbool.h>

#include "base/buf.h"
#include "net/sock.h"
#include "relay/relay.h"

#define SHOW_PORTS_A_STEP 64 /* ports that a step shows at most */

/*
 * How far a view has got. It begins as all zeros.
 * @is_begun:    the first step was made
 * @is_measured: the widths of the table's columns are known
 * @has_any:     an address was shown
 * @last:        the number of the last port that was done; of addresses: where to go on
 * @name, @endpoint, @peer, @state: widths of these columns, in characters; 0: left out
 */
struct show {
	bool is_begun, is_measured, has_any;
	unsigned last;
	int name, endpoint, peer, state;
};

/* Append the next step of a view to @out. Return: whether it was the last step. */
typedef bool show_step(struct show *s, const struct relay *r, struct buf *out);

/*
 * show_members() - Call @one for the next members, up to SHOW_PORTS_A_STEP.
 *
 * Return: whether they were the last.
 */
bool show_members(struct show *s, const struct relay *r, struct buf *out,
		  void (*one)(struct show *s, const struct member *m, struct buf *out));

/* show_endpoint() - The text of the endpoint, or of the listener, that a port comes from. */
const char *show_endpoint(const struct member *m);

/*
 * show_listener() - Append a line about a listener, without its end: how many connections it
 * has and had, and those that it refused, if any. Its name is escaped.
 */
void show_listener(const struct acceptor *a, struct buf *out);

/* show_suite() - What seals a port's bytes: the name of its cipher, or NULL. */
const char *show_suite(const struct port *p);

/*
 * show_peer() - Find out the peer of a port.
 * @buf: set to its address or name, not escaped; "" if it is unknown; SOCK_TEXT_MAX bytes
 *
 * Return: @buf.
 */
const char *show_peer(const struct member *m, char *buf);

#endif
