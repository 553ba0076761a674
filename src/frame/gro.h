/* SPDX-License-Identifier: MIT */
/*
 * Merges TCP or UDP segments into super-frames on their way to a tap, so that they pass
 * the kernel's network stack behind the tap as one packet. The kernel can split a merged
 * frame into exactly the frames that arrived; a frame for which that is not certain is not
 * merged. The order within a flow stays as it is.
 *
 * The rules are those of the kernel's GRO, but stricter in a few places:
 *
 * - The IPv4 ID must count up by one, with DF or without. The kernel also merges frames
 *   that have DF and all the same ID (mostly 0), and remembers to split them likewise
 *   (SKB_GSO_TCP_FIXEDID). A virtio header cannot say that: a split would count the ID up,
 *   and make frames that nobody sent. Linux counts up within a connection. Systems that
 *   always send 0, as RFC 6864 allows, gain from merging over IPv6 only.
 * - The window, the urgent pointer and the IPv6 flow label must be equal, because only
 *   those of the first frame are kept.
 * - A frame with a TCP checksum of 0 or 0xffff, or an IPv4 one of 0xffff, is not merged:
 *   0 and 0xffff are the same number in one's complement, and a split may choose the other.
 * - The only flag may be ACK, and in the last frame PSH. The reserved bits must be 0.
 */
#ifndef GRO_H
#define GRO_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include "frame/frame.h"
#include "frame/vnet.h"

#define GRO_HEAD_MAX FRAME_PEEK
#define GRO_IOV_MAX (2 + BATCH_MAX) /* virtio header, headers, payloads */
#define GRO_IP_MAX 65535	    /* bytes of a merged IP packet, with its header */

_Static_assert(GRO_IOV_MAX > FRAME_PIECES_MAX, "for any frame, and its vnet header");

/*
 * A unit is written to the tap at once: a frame as it arrived, or several merged ones.
 * @vnet:   the virtio header; all zeros for a frame as it arrived
 * @iov:    @n_iov pieces: the virtio header, then the frame. They point into the unit, so
 *          it must not be copied
 * @frames: the number of frames that the unit consists of
 * @bytes:  the bytes of these frames
 * @head:   the headers of a merged frame
 */
struct gro_unit {
	struct vnet vnet;
	int n_iov;
	unsigned frames;
	uint32_t bytes;
	struct iovec iov[GRO_IOV_MAX];
	uint8_t head[GRO_HEAD_MAX];
};

/*
 * @udp:  whether the tap takes UDP super-frames (TUN_F_USO4 and TUN_F_USO6, Linux 6.2); the
 *        caller sets it before gro_merge()
 * @of:   for each frame that arrived, the index of its unit
 * @unit: @n units
 */
struct gro {
	bool udp;
	unsigned n;
	uint8_t of[BATCH_MAX];
	struct gro_unit unit[BATCH_MAX];
};

/*
 * gro_merge() - Merge frames into units.
 * @f: @n frames, at most BATCH_MAX. Their memory must stay until the units are written
 *
 * Units are in the order of their first frames. Order within a flow is kept: a frame can be
 * added only to the last unit of its flow, and if it cannot be added, that unit is closed.
 * A frame without readable ports (a fragment, IP options, IPv6 extension headers, other
 * protocols) closes all units between the same IP addresses, and a frame without IP
 * addresses closes all units between the same Ethernet addresses.
 *
 * A frame of several pieces is merged only if all its headers are in one piece, and its
 * payload in one. The checksums of a frame are verified before it is merged; a frame that
 * is not merged is not verified. Sources are the kernel's tcp_gro_receive(),
 * udp_gro_receive(), inet_gro_receive() and ipv6_gro_receive().
 */
void gro_merge(struct gro *g, const struct frame *f, unsigned n);

#endif
