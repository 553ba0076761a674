/* SPDX-License-Identifier: MIT */
/*
 * Splits super-frames for ports that take only plain frames, and completes frames whose
 * checksum is not filled in. Each resulting frame gets headers of its own; its payload
 * stays where it is.
 */
#ifndef GSO_H
#define GSO_H

#include <stdbool.h>
#include <stdint.h>

#include "frame/frame.h"

/* Bytes of the longest headers that are accepted: Ethernet, VLAN tags, IP, TCP or UDP. */
#define GSO_HEAD_MAX FRAME_PEEK

/*
 * The most segments of a super-frame; one that has more is refused, which limits the cost
 * of a hostile one. UDP: the kernel's UDP_MAX_SEGMENTS since Linux 6.10; before it was 64.
 * TCP: 64 KiB in segments of 32 bytes, which are smaller than any TCP's.
 */
#define GSO_TCP_SEGMENTS_MAX 2048
#define GSO_UDP_SEGMENTS_MAX 128

/*
 * A plain frame that was made from another one and shares its payload. It must not be
 * moved or copied, because @frame points into it.
 * @frame: the frame, with all checksums filled in
 * @tail:  pieces of it, used by gso_complete()
 * @head:  its first bytes
 */
struct gso_segment {
	struct frame frame;
	struct iovec tail[2];
	uint8_t head[GSO_HEAD_MAX];
};

/*
 * A super-frame that is being split. All lengths and offsets are in bytes.
 * @frame:    the super-frame, which is the caller's
 * @head:     its first @have bytes in one piece
 * @head_len: the length of all headers
 * @l3, @l4:  offsets of the IP header and the transport header
 * @gso_size: payload of each segment but the last
 * @next, @n: the next segment, and how many there are
 * @room:     memory for @head, if the bytes are in several pieces
 */
struct gso {
	const struct frame *frame;
	const uint8_t *head;
	uint32_t have;
	uint32_t head_len;
	uint32_t l3, l4;
	uint32_t gso_size;
	bool is_ipv6, is_tcp;
	unsigned next, n;
	uint8_t room[FRAME_PEEK];
};

/*
 * gso_begin() - Check all headers and lengths of a super-frame, and get ready to split it.
 * @f: with a virtio header, in any number of pieces. It must stay until the last
 *     gso_next(). Nothing in it is trusted: VNET_NEEDS_CSUM must be set, and the headers
 *     must agree with gso_type, csum_start and csum_offset; hdr_len is ignored
 *
 * Accepted headers are up to two VLAN tags; IPv4, with options but not a fragment; IPv6
 * with hop-by-hop, routing and destination headers. A payload of up to gso_size bytes
 * makes one segment.
 *
 * Return: 0; -EINVAL when the frame is malformed or not as its virtio header says. Then the
 * caller must drop it.
 */
int gso_begin(struct gso *g, const struct frame *f);

/*
 * gso_next() - Make the next segment, which has headers of its own and a part of the payload.
 *
 * The headers are as the kernel's tcp_gso_segment(), __udp_gso_segment(),
 * inet_gso_segment() and ipv6_gso_segment() make them: the IPv4 ID counts up; lengths and
 * sequence number are the segment's; only the last segment has FIN and PSH, only the first
 * has CWR; checksums are complete. As in the kernel, the sum of the pseudo-header is taken
 * from the super-frame's checksum field.
 *
 * Return: whether there was another segment.
 */
bool gso_next(struct gso *g, struct gso_segment *s);

/*
 * gso_part() - Make headers for a part of a super-frame of some whole segments, as above, but
 * that the checksum's field has the sum of the pseudo-header: it is still to be filled in.
 * @from, @to: the payload of the part, as offsets in the super-frame; not empty
 * @head:      a copy of the super-frame's headers, which is changed
 * @vnet:      a copy of its virtio header; changed if the part is one segment
 *
 * Return: 0; -EINVAL when @from is in the midst of a segment.
 */
int gso_part(const struct gso *g, uint32_t from, uint32_t to, uint8_t *head,
	     struct vnet *vnet);

/*
 * gso_complete() - Make a plain frame of one that has a virtio header but is not a
 * super-frame. If VNET_NEEDS_CSUM is set, its checksum is filled in.
 *
 * As in the kernel's skb_checksum_help(), a checksum of 0 is written as 0xffff, because 0
 * means in UDP that there is none.
 *
 * Return: 0, and s->frame is the frame. -EINVAL when the checksum would begin within the
 * Ethernet header, or its field is not within the frame, or the frame has several pieces
 * and the field is not within its first FRAME_PEEK bytes.
 */
int gso_complete(struct gso_segment *s, const struct frame *f);

#endif
