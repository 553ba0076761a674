/* SPDX-License-Identifier: MIT */
/*
 * What a super-frame says of itself: struct virtio_net_hdr in host byte order,
 * as a tap with IFF_VNET_HDR carries it ahead of each frame (linux/virtio_net.h,
 * VIRTIO 1.2, 5.1.6). Debian 12's headers lack the UDP ones of Linux 6.2.
 */
#ifndef VNET_H
#define VNET_H

#include <stdint.h>

#define VNET_BYTES 10 /* sizeof(struct virtio_net_hdr): what a tap uses by default */

#define VNET_NEEDS_CSUM 1 /* flags: VIRTIO_NET_HDR_F_NEEDS_CSUM */
#define VNET_DATA_VALID 2 /* flags: VIRTIO_NET_HDR_F_DATA_VALID */

enum vnet_gso {
	VNET_GSO_NONE = 0,
	VNET_GSO_TCPV4 = 1,
	VNET_GSO_TCPV6 = 4,
	VNET_GSO_UDP_L4 = 5,
	VNET_GSO_ECN = 0x80, /* or'ed to a TCP one; never asked for, so never valid */
};

/*
 * @gso_size:    payload bytes of each segment but the last
 * @csum_start:  where the checksum's coverage begins, from the frame's first byte
 * @csum_offset: where from csum_start the checksum goes
 */
struct vnet {
	uint8_t flags;
	uint8_t gso_type;
	uint16_t hdr_len;
	uint16_t gso_size;
	uint16_t csum_start;
	uint16_t csum_offset;
};

_Static_assert(sizeof(struct vnet) == VNET_BYTES, "as the kernel lays it out");

#endif
