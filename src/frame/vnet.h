/* SPDX-License-Identifier: MIT */
/*
 * The virtio header: struct virtio_net_hdr in host byte order, which precedes each frame
 * of a tap with IFF_VNET_HDR (linux/virtio_net.h; VIRTIO 1.2, section 5.1.6). It says that
 * a frame is a super-frame, a TCP or UDP packet of up to 64 KiB that must be split into
 * segments; or that its checksum is not filled in yet. The names are ours, because the
 * headers of Debian 12 lack the UDP types of Linux 6.2.
 */
#ifndef VNET_H
#define VNET_H

#include <stdint.h>

#define VNET_BYTES 10 /* sizeof(struct virtio_net_hdr): what taps have by default */

#define VNET_NEEDS_CSUM 1 /* flags: VIRTIO_NET_HDR_F_NEEDS_CSUM */
#define VNET_DATA_VALID 2 /* flags: VIRTIO_NET_HDR_F_DATA_VALID */

enum vnet_gso {
	VNET_GSO_NONE = 0,
	VNET_GSO_TCPV4 = 1,
	VNET_GSO_TCPV6 = 4,
	VNET_GSO_UDP_L4 = 5,
	VNET_GSO_ECN = 0x80, /* a bit of TCP types; not asked for, so refused */
};

/*
 * @flags:       VNET_NEEDS_CSUM, VNET_DATA_VALID
 * @gso_type:    an enum vnet_gso
 * @hdr_len:     bytes of all headers; a hint, which we do not rely on
 * @gso_size:    payload bytes of each segment but the last, which may have fewer
 * @csum_start:  offset in the frame of the first byte that the checksum covers
 * @csum_offset: offset of the checksum itself, from csum_start on
 */
struct vnet {
	uint8_t flags;
	uint8_t gso_type;
	uint16_t hdr_len;
	uint16_t gso_size;
	uint16_t csum_start;
	uint16_t csum_offset;
} __attribute__((packed)); /* it may be at any address of a buffer */

/* Whether the header is little-endian in memory, as it always is on a trunk. */
#define VNET_IS_LITTLE_ENDIAN (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__)

/* vnet_swap() - Convert a header from host byte order to a trunk's, or back. */
static inline void vnet_swap(struct vnet *v)
{
	if (VNET_IS_LITTLE_ENDIAN)
		return;
	v->hdr_len = __builtin_bswap16(v->hdr_len);
	v->gso_size = __builtin_bswap16(v->gso_size);
	v->csum_start = __builtin_bswap16(v->csum_start);
	v->csum_offset = __builtin_bswap16(v->csum_offset);
}

_Static_assert(sizeof(struct vnet) == VNET_BYTES, "as the kernel lays it out");

#endif
