/* SPDX-License-Identifier: MIT */
/*
 * One frame a datagram, over any datagram socket. What those ports share; a
 * driver embeds struct dgram first, and fills its ops with these functions.
 */
#ifndef DGRAM_H
#define DGRAM_H

#include <sys/socket.h>

#include "port.h"

struct dgram;

/*
 * @rfd, @wfd:  where frames come from and go to; may be equal; -1: closed
 * @is_foreign: optional; whether a datagram from @from is none of ours
 * @reconnect:  optional; called when the peer is not there: it may have come
 *              back. Return: 0 when it has; -errno.
 */
struct dgram {
	struct port port;
	int rfd, wfd;
	bool (*is_foreign)(const struct dgram *d, const struct sockaddr_storage *from);
	int (*reconnect)(struct dgram *d);
};

/* As struct port_ops says. */
int dgram_rx(struct port *p, struct batch *b);
int dgram_tx(struct port *p, const struct frame *f, unsigned n);
void dgram_close(struct port *p);
void dgram_free(struct port *p);

#endif
