/* SPDX-License-Identifier: MIT */
/*
 * Splitting super-frames for ports that need plain frames, and completing frames that
 * came without a checksum. What comes out has a head of its own, ahead of the payload,
 * which stays where it is.
 */
#ifndef GSO_H
#define GSO_H

#include <stdbool.h>
#include <stdint.h>

#include "frame/frame.h"

/* Longest headers accepted: Ethernet, VLAN tags, IP, TCP or UDP. */
#define GSO_HEAD_MAX FRAME_PEEK

/*
 * Most segments of one super-frame. UDP: the kernel's UDP_MAX_SEGMENTS of Linux
 * 6.10, half as many before. TCP: 64 KiB in pieces of 32 bytes, less than any TCP
 * goes down to; it bounds what one hostile super-frame of tiny pieces can cost.
 */
#define GSO_TCP_SEGMENTS_MAX 2048
#define GSO_UDP_SEGMENTS_MAX 128

/*
 * A frame made from another one, whose payload it shares. It must not be moved or
 * copied, because @frame points into it.
 * @frame: plain, complete with all checksums
 * @head:  its first bytes
 * @tail:  for gso_complete()
 */
struct gso_segment {
	struct frame frame;
	struct iovec tail[2];
	uint8_t head[GSO_HEAD_MAX];
};

/* A super-frame on its way through gso_next(). Opaque but for @n and the offsets. */
struct gso {
	const struct frame *frame; /* the caller's */
	const uint8_t *head;	   /* its first bytes, @have of them */
	uint32_t have;
	uint32_t head_len; /* all headers */
	uint32_t l3, l4;   /* where the IP and the transport header begin */
	uint32_t gso_size;
	bool is_ipv6, is_tcp;
	unsigned next, n;	  /* the next segment; how many there are */
	uint8_t room[FRAME_PEEK]; /* for @head */
};

/*
 * gso_begin() - Check a super-frame, every header and length of it, and get ready to split it.
 * @f: of any number of pieces, with a virtio header. Nothing in either is trusted: hdr_len
 *     is ignored, VNET_NEEDS_CSUM must be set, and the frame's headers must agree with
 *     gso_type, csum_start and csum_offset. Must stay until the last gso_next().
 *
 * Goes through: up to two VLAN tags; IPv4 with options, no fragment; IPv6 with
 * hop-by-hop, routing and destination headers. A payload of no more than gso_size
 * is one segment.
 *
 * Return: 0; -EINVAL when it is not what its virtio header says, or is malformed: drop it.
 */
int gso_begin(struct gso *g, const struct frame *f);

/*
 * gso_next() - Make the next segment: headers of its own, and a part of the payload.
 *
 * As the kernel's tcp_gso_segment(), __udp_gso_segment(), inet_gso_segment()
 * and ipv6_gso_segment() make it: IPv4 ID counted up, lengths, sequence number,
 * FIN and PSH only on the last, CWR only on the first, checksums in full. As there,
 * the pseudo-header's sum is what the super-frame has in its checksum field.
 *
 * Return: false when there is none left.
 */
bool gso_next(struct gso *g, struct gso_segment *s);

/*
 * gso_complete() - A frame that is no super-frame but has a virtio header, as a plain one:
 * with its checksum filled in, if it came without one (VNET_NEEDS_CSUM).
 *
 * As the kernel's skb_checksum_help(): 0 is written as 0xffff, which UDP needs.
 *
 * Return: 0, s->frame is it; -EINVAL when the virtio header's offsets do not lie within
 * the frame, behind the Ethernet header, or too far behind for one of several pieces.
 */
int gso_complete(struct gso_segment *s, const struct frame *f);

#endif
