/* SPDX-License-Identifier: MIT */
/*
 * The headers of a frame: Ethernet (IEEE 802.3, 3.2), its VLAN tags (IEEE 802.1Q, 9.6),
 * IPv4 (RFC 791), IPv6 (RFC 8200), TCP (RFC 9293) and UDP (RFC 768).
 */
#ifndef HEADERS_H
#define HEADERS_H

#include <stdint.h>

#include "base/util.h"

/* Offsets in each header, and its length without options, in bytes. */
enum {
	ETH_SOURCE = 6,
	ETH_TYPE = 12,
	ETH_SIZE = 14,
	VLAN_TCI = 14, /* of the outer tag, whose TPID is at ETH_TYPE */
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

/*
 * headers_l3() - Find the network header of a frame, behind up to VLAN_TAGS_MAX VLAN tags.
 * @frame: its first @len bytes
 * @type:  set to the EtherType of the header
 *
 * Return: its offset, at most @len; 0 when the bytes end before it.
 */
static inline uint32_t headers_l3(const uint8_t *frame, uint32_t len, uint16_t *type)
{
	uint32_t at = ETH_SIZE;

	if (len < at)
		return 0;
	*type = get_be16(frame + at - 2);
	for (int i = 0; i < VLAN_TAGS_MAX; i++) {
		if (*type != TYPE_VLAN && *type != TYPE_QINQ)
			break;
		at += VLAN_SIZE;
		if (len < at)
			return 0;
		*type = get_be16(frame + at - 2);
	}
	return at;
}

#endif
