/* SPDX-License-Identifier: MIT */
/*
 * Merging runs of TCP or UDP segments into super-frames, towards a tap. The
 * kernel on the other side of the tap then walks its stack once for all of
 * them. What is merged can be split again into exactly what came in; whatever
 * is not certain to be, is passed on as it is. Order within a flow is kept.
 */
#ifndef GRO_H
#define GRO_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include "frame.h"
#include "vnet.h"

#define GRO_HEAD_MAX 256
#define GRO_IOV_MAX (2 + BATCH_MAX) /* vnet header, headers, payloads */

/*
 * One thing to write to the tap: a frame as it came, or several merged.
 * @iov, @n_iov:  vnet header, then the frame's bytes
 * @frames:       how many frames of the input it stands for
 * @bytes:        how many bytes those had
 */
struct gro_unit {
	struct vnet vnet;
	uint8_t head[GRO_HEAD_MAX];
	struct iovec iov[GRO_IOV_MAX];
	int n_iov;
	unsigned frames;
	uint32_t bytes;
};

/*
 * @udp: whether the tap takes UDP super-frames (TUN_F_USO4 and 6; Linux 6.2)
 */
struct gro {
	bool udp;
	unsigned n;
	struct gro_unit unit[BATCH_MAX];
};

/*
 * gro_merge() - Turn @n frames, at most BATCH_MAX, into at most as many units,
 * g->unit[0] to [g->n - 1], in an order that keeps each flow's.
 *
 * The frames' memory must stay until the units are written. Both checksums of
 * a frame are verified before it is merged. Rules: the kernel's tcp_gro_receive(),
 * udp_gro_receive(), inet_gro_receive(), ipv6_gro_receive().
 */
void gro_merge(struct gro *g, const struct frame *f, unsigned n);

#endif
