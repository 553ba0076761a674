/* SPDX-License-Identifier: MIT */
/*
 * The virtio header: struct virtio_net_hdr in host byte order, which precedes each frame
 * of a tap with IFF_VNET_HDR (linux/virtio_net.h; VIRTIO 1.2, section 5.1.6). It says that
 * a frame is a super-frame, a TCP or UDP packet of up to 64 KiB that must be split into
 * segments; or that its checksum is not filled in yet. The names are ours, because the
 * headers of Debian 12 lack the UDP types of Linux 6.2.
 *
 * This file also has the offsets in Ethernet, IP, TCP and UDP headers.
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

/* Offsets in each header, and its length without options, in bytes. */
enum {
	ETH_SIZE = 14,
	ETH_ADDRESSES = 12,
	VLAN_SIZE = 4,
	VLAN_TAGS_MAX = 2,

	IP4_LEN = 2,
	IP4_ID = 4,
	IP4_FRAG = 6,
	IP4_PROTO = 9,
	IP4_CSUM = 10,
	IP4_ADDRESSES = 12,
	IP4_SIZE = 20,

	IP6_LEN = 4,
	IP6_PROTO = 6,
	IP6_ADDRESSES = 8,
	IP6_SIZE = 40,

	TCP_SEQ = 4,
	TCP_DATA_OFFSET = 12,
	TCP_FLAGS = 13,
	TCP_CSUM = 16,
	TCP_SIZE = 20,

	UDP_LEN = 4,
	UDP_CSUM = 6,
	UDP_SIZE = 8,
};

/* Bits of the byte at TCP_FLAGS. */
enum {
	TCP_FIN = 0x01,
	TCP_PSH = 0x08,
	TCP_ACK = 0x10,
	TCP_CWR = 0x80,
};

enum { TYPE_IP4 = 0x0800, TYPE_IP6 = 0x86dd, TYPE_VLAN = 0x8100, TYPE_QINQ = 0x88a8 };

/* vnet_get16() - Read the big-endian number in the two bytes at @p. */
static inline uint16_t vnet_get16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

/* vnet_put16() - Write the lower 16 bits of @v as two bytes at @p, big-endian. */
static inline void vnet_put16(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

/*
 * vnet_l3() - Find the network header of a frame, behind up to VLAN_TAGS_MAX VLAN tags.
 * @frame: its first @len bytes
 * @type:  set to the EtherType of the header
 *
 * Return: its offset, at most @len; 0 when the bytes end before it.
 */
static inline uint32_t vnet_l3(const uint8_t *frame, uint32_t len, uint16_t *type)
{
	uint32_t at = ETH_SIZE;

	if (len < at)
		return 0;
	*type = vnet_get16(frame + at - 2);
	for (int i = 0; i < VLAN_TAGS_MAX; i++) {
		if (*type != TYPE_VLAN && *type != TYPE_QINQ)
			break;
		at += VLAN_SIZE;
		if (len < at)
			return 0;
		*type = vnet_get16(frame + at - 2);
	}
	return at;
}

#endif
