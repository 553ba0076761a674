/* SPDX-License-Identifier: MIT */
/* The frames of a guest's rings, in and out; port-vhost.c has its front end. */
#ifndef VHOST_IO_H
#define VHOST_IO_H

#include "port/port.h"
#include "vhost/device.h"

#define VHOST_TX_PIECES (RING_PIECES_MAX + 64u)

/*
 * @fd:     a connection that was accepted or inherited, until it is opened; else -1
 * @flags:  of one that was inherited, to be put back; else -1
 * @peer, @features: texts for those of @port
 * @ending: set when the port can't go on, for the reason in device.why, and @err
 * @out:    where the frame that is being sent goes
 */
struct vhost {
	struct port port;
	struct device device;
	const struct endpoint *ep;
	int fd, flags;
	char peer[24], features[192];
	struct deferred ending;
	int err;
	struct iovec out[VHOST_TX_PIECES];
};

/* As in struct port_ops. */
int vhost_rx(struct port *p, struct batch *b);
void vhost_rx_done(struct port *p);
int vhost_tx(struct port *p, const struct frame *f, unsigned n);

#endif
