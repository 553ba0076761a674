/* SPDX-License-Identifier: MIT */
/*
 * Merges TCP or UDP segments into super-frames on their way to a tap, so that the kernel
 * behind the tap walks its stack once for all of them. A merged frame can be split again
 * into exactly the frames that came in; a frame for which that is not certain is passed
 * on as it is. Order within a flow is kept.
 *
 * This is stricter than the kernel's GRO in a few places:
 *
 * - The IPv4 ID must count up by one, with DF or without. The kernel also merges
 *   frames of one fixed ID with DF (mostly 0), and remembers to split them likewise
 *   (SKB_GSO_TCP_FIXEDID). A vnet header can't say that: the kernel behind the tap,
 *   or gso.c, would count up, and frames would come out that nobody sent. Linux
 *   counts up in a connected socket's frames; systems that follow RFC 6864 to the
 *   letter and send 0 don't gain from merging over IPv4, only over IPv6.
 * - The window, the urgent pointer and the IPv6 flow label must be equal, because
 *   only the first one's survive.
 * - A frame with a TCP checksum of 0 or 0xffff, or an IPv4 one of 0xffff, is not merged:
 *   these are two spellings of the same number, and a split may choose the other.
 * - Frames are merged that have no flag but ACK; the last one may also have PSH. The
 *   reserved bits are 0.
 */
#ifndef GRO_H
#define GRO_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include "frame/frame.h"
#include "frame/vnet.h"

#define GRO_HEAD_MAX FRAME_PEEK
#define GRO_IOV_MAX (2 + BATCH_MAX) /* vnet header, headers, payloads */
#define GRO_IP_MAX 65535	    /* longest merged IP packet, its header included */

_Static_assert(GRO_IOV_MAX > FRAME_PIECES_MAX, "for any frame, and its vnet header");

/*
 * One thing to write to the tap: a frame as it came, or several merged.
 * @vnet:         all zero for a frame as it came
 * @head:         a merged frame's headers
 * @iov, @n_iov:  vnet header, then the frame's bytes
 * @frames:       how many frames of the input it stands for
 * @bytes:        how many bytes those had
 *
 * @iov points into the unit itself: don't copy it.
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
 * @udp: whether the tap takes UDP super-frames (TUN_F_USO4 and 6; Linux 6.2);
 *       the caller's, as nothing else in here is
 * @of:  for each frame of the input, the unit that it is in
 */
struct gro {
	bool udp;
	unsigned n;
	uint8_t of[BATCH_MAX];
	struct gro_unit unit[BATCH_MAX];
};

/*
 * gro_merge() - Turn @n frames, at most BATCH_MAX, into at most as many units,
 * g->unit[0] to [g->n - 1].
 *
 * Units are in the order of their first frames. This keeps the order within each flow: a
 * frame is only added to the flow's last unit, and a frame that can't be added closes that
 * unit. A frame in which no ports can be read (a fragment, IP options, IPv6 extension
 * headers, other protocols) closes all units between its two IP addresses; a frame without
 * IP addresses closes all units between its Ethernet addresses.
 *
 * Frames may have several pieces. Only those are merged that have all headers in one piece
 * and all payload in one piece. Their memory must stay until the units are written. Both
 * checksums of a frame are verified before it is merged; a frame that is not merged is not
 * verified. The rules are those of the kernel's tcp_gro_receive(), udp_gro_receive(),
 * inet_gro_receive() and ipv6_gro_receive(), and those above.
 */
void gro_merge(struct gro *g, const struct frame *f, unsigned n);

#endif
