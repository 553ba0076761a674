/* SPDX-License-Identifier: MIT */
/*
 * Reads the headers of a frame for gro.c: to which flow the frame belongs, and whether it
 * can be merged with another frame of that flow.
 */
#ifndef GRO_PACKET_H
#define GRO_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "frame/frame.h"

/*
 * A kind of packet that can be merged: TCP or UDP, over IPv4 or IPv6.
 * @ip_size:   bytes of the IP header, without options
 * @addresses: offset of both addresses in the IP header, and @addresses_size their bytes
 * @l4_size:   bytes of the transport header, without options
 * @csum:      offset of the checksum in the transport header
 */
struct gro_kind {
	bool is_ipv6, is_tcp;
	uint8_t gso_type, proto;
	uint8_t ip_size, addresses, addresses_size;
	uint8_t l4_size, csum;
};

/*
 * How much of a frame could be read: its Ethernet header; its IP addresses, too; its
 * ports, too; or all, and it can be merged.
 */
enum gro_known {
	GRO_KNOWN_ETHERNET,
	GRO_KNOWN_ADDRESSES,
	GRO_KNOWN_FLOW,
	GRO_KNOWN_MERGEABLE
};

/*
 * The headers of a frame. All lengths and offsets are in bytes.
 * @head:     the first @have bytes of the frame
 * @len:      the length of the frame
 * @l3, @l4:  offsets of the IP header and the transport header
 * @head_len: the length of all headers
 * @payload:  the rest, of @payload_len bytes, if the frame is GRO_KNOWN_MERGEABLE; not empty
 * @hash:     of the flow
 */
struct gro_packet {
	const uint8_t *head, *payload;
	const struct gro_kind *kind;
	uint32_t have, len;
	uint32_t l3, l4, head_len, payload_len;
	uint32_t hash;
	bool is_ipv6;
};

/*
 * gro_parse() - Read the headers of a frame.
 * @p:    filled in as far as the result says
 * @udp:  whether UDP may be merged
 * @room: FRAME_PEEK bytes, used for headers that are in several pieces; such a frame cannot
 *        be merged. It must stay as long as @p is used
 *
 * Return: how much could be read.
 */
enum gro_known gro_parse(struct gro_packet *p, const struct frame *f, bool udp,
			 uint8_t *room);

/*
 * gro_is_same_flow() - Whether two frames have the same Ethernet header, VLAN tags, IP
 * addresses, ports and protocol. Both must be at least GRO_KNOWN_FLOW.
 */
bool gro_is_same_flow(const struct gro_packet *a, const struct gro_packet *b);

/*
 * gro_is_alike() - Whether two frames of one flow are equal in everything that a split
 * copies from the first one: all headers but lengths, checksums, IPv4 ID, sequence number
 * and PSH. Both must be GRO_KNOWN_MERGEABLE.
 */
bool gro_is_alike(const struct gro_packet *a, const struct gro_packet *b);

/* gro_is_intact() - Whether the checksums are right. It must be GRO_KNOWN_MERGEABLE. */
bool gro_is_intact(const struct gro_packet *p);

#endif
