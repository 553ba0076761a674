/* SPDX-License-Identifier: MIT */
/* The frames of a guest's rings, in and out; port-vhost.c has its front end. */
#ifndef VHOST_IO_H
#define VHOST_IO_H

#include "port/port.h"
#include "vhost/device.h"

#define VHOST_TX_PIECES (RING_PIECES_MAX + 64u)
#define VHOST_HEADER_MAX (VNET_BYTES + 2) /* bytes of a virtio header */
#define VHOST_AHEAD 4 /* chains that are copied while one is fetched (ring_prefetch()) */

/*
 * @fd:     a connection that was accepted or inherited, until it is opened; or a listening socket
 *          that was inherited; else -1
 * @flags:  of what was inherited, to be put back; else -1
 * @caller: the watch of a listening one, while nobody has come
 * @peer, @features: texts for those of @port
 * @ending: set when the port can't go on, because of @err: vhost_fail()
 * @stuck:  set while a frame waits for more buffers than there are; when it is due, the frame
 *          is dropped: @gives_up
 * @out:    where the frame that is being sent goes
 */
struct vhost {
	struct port port;
	struct device device;
	const struct endpoint *ep;
	int fd, flags;
	struct watch caller;
	char peer[24], features[192];
	struct deferred ending;
	int err;
	struct timer stuck;
	bool gives_up;
	struct iovec out[VHOST_TX_PIECES];
};

static inline struct vhost *vhost_of(struct port *p)
{
	return container_of(p, struct vhost, port);
}

/* vhost_order_vnet() - Convert a virtio header between the guest's byte order and ours. */
static inline void vhost_order_vnet(const struct device *d, struct vnet *v)
{
	if (device_has(d, VIRTIO_VERSION_1))
		vnet_swap(v);
}

/*
 * vhost_fail() - The port can't go on, for the reason in device.why and @err: it ends with this
 * turn. So what has come or gone before counts as it did, and the rest is lost with the port.
 */
void vhost_fail(struct vhost *v, int err);

/* As in struct port_ops: vhost-rx.c, vhost-tx.c. */
int vhost_rx(struct port *p, struct batch *b);
void vhost_rx_done(struct port *p);
int vhost_tx(struct port *p, const struct frame *f, unsigned n);

#endif
