/* SPDX-License-Identifier: MIT */
/*
 * The virtio header: struct virtio_net_hdr in host byte order, as a tap with IFF_VNET_HDR
 * has it ahead of each frame (linux/virtio_net.h, VIRTIO 1.2, 5.1.6). It says that a frame
 * is a super-frame: a TCP or UDP packet of up to 64 KiB that is to be split into segments;
 * or that it has no checksum yet. Debian 12's headers lack the UDP types of Linux 6.2.
 *
 * Also here: offsets in Ethernet, IP, TCP and UDP headers, for splitting and merging.
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
} __attribute__((packed)); /* it lies in buffers, at any address */

/* On a stream the header is little-endian: whether it is in memory, too. */
#define VNET_IS_LITTLE_ENDIAN (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__)

/* vnet_swap() - Between host order and the wire's, either way. */
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

/* Offsets from the beginning of each header, and its least length. */
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

/* Bits of TCP_FLAGS. */
enum {
	TCP_FIN = 0x01,
	TCP_PSH = 0x08,
	TCP_ACK = 0x10,
	TCP_CWR = 0x80,
};

enum { TYPE_IP4 = 0x0800, TYPE_IP6 = 0x86dd, TYPE_VLAN = 0x8100, TYPE_QINQ = 0x88a8 };

static inline uint16_t vnet_get16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static inline void vnet_put16(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

/*
 * vnet_l3() - Where a frame's network header begins, behind up to VLAN_TAGS_MAX tags.
 * @type: is set to what it is, an EtherType
 *
 * Return: the offset, at most @len; 0 when the frame ends before it.
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
