/* SPDX-License-Identifier: MIT */
/* What a port says when its link goes down; for port.c. Drivers have port_tell(). */
#ifndef PORT_TELL_H
#define PORT_TELL_H

#include "port/port.h"

/*
 * port_tell_down() - Tell why the port is down: port_why() has it. A link that comes up
 * only to fail again is still in the same outage. Call it before the state changes.
 * @will_retry: it is tried again
 *
 * Return: whether the reason was news.
 */
bool port_tell_down(struct port *p, bool will_retry);

/*
 * port_tell_next() - Tell when the next try is, after news.
 * @ms:        milliseconds until then
 * @is_steady: tries do not get rarer any more; without news, the port says that it falls
 *             silent
 */
void port_tell_next(const struct port *p, uint64_t ms, bool is_news, bool is_steady);

#endif
