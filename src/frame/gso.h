/* SPDX-License-Identifier: MIT */
/*
 * Splitting super-frames for ports that need plain frames. A segment is two
 * pieces: headers made for it, and a slice of the super-frame's payload, which
 * is not copied.
 */
#ifndef GSO_H
#define GSO_H

#include <stdbool.h>
#include <stdint.h>

#include "frame/vnet.h"

#define GSO_HEAD_MAX \
	256 /* longest headers accepted: Ethernet, VLAN tags, IP, TCP or UDP */

/*
 * Most segments of one super-frame. UDP: the kernel's UDP_MAX_SEGMENTS of Linux
 * 6.10, half as many before. TCP: 64 KiB in pieces of 32 bytes, less than any TCP
 * goes down to; it bounds what one hostile super-frame of tiny pieces can cost.
 */
#define GSO_TCP_SEGMENTS_MAX 2048
#define GSO_UDP_SEGMENTS_MAX 128

/*
 * One segment on its way out.
 * @head, @head_len: its headers, complete with all checksums
 * @data, @len:      its payload, in the super-frame's memory
 */
struct gso_segment {
	uint8_t head[GSO_HEAD_MAX];
	uint32_t head_len;
	const uint8_t *data;
	uint32_t len;
};

/* A super-frame on its way through gso_next(). Opaque but for @n. */
struct gso {
	const uint8_t *frame; /* headers, then payload; stays the caller's */
	uint32_t frame_len;
	uint32_t head_len; /* all headers */
	uint32_t l3, l4;   /* where the IP and the transport header begin */
	uint32_t gso_size;
	bool is_ipv6, is_tcp;
	unsigned next, n; /* the next segment; how many there are */
};

/*
 * gso_begin() - Check a super-frame, every header and length of it, and get ready to split it.
 * @frame: bytes from outside; nothing in them is trusted, nor in @vnet:
 *         hdr_len is ignored, VNET_NEEDS_CSUM must be set, and the headers must agree
 *         with gso_type, csum_start and csum_offset. Must stay until the last gso_next().
 *
 * Goes through: up to two VLAN tags; IPv4 with options, no fragment; IPv6 with
 * hop-by-hop, routing and destination headers. A payload of no more than gso_size
 * is one segment.
 *
 * Return: 0; -EINVAL when it is not what @vnet says, or is malformed: drop it.
 */
int gso_begin(struct gso *g, const uint8_t *frame, uint32_t len, const struct vnet *vnet);

/*
 * gso_next() - Make the next segment.
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
 * gso_complete() - Fill in the checksum of a frame that is no super-frame but
 * came without one (VNET_NEEDS_CSUM), in place. Any other stays as it is.
 *
 * As the kernel's skb_checksum_help(): 0 is written as 0xffff, which UDP needs.
 *
 * Return: 0; -EINVAL when @vnet's offsets do not lie within it, behind the
 * Ethernet header.
 */
int gso_complete(uint8_t *frame, uint32_t len, const struct vnet *vnet);

#endif
