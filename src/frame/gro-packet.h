/* SPDX-License-Identifier: MIT */
/*
 * One frame, as gro.c sees it: how far it can be taken apart, which flow it is
 * of, and what it must have in common with another to be merged with it.
 */
#ifndef GRO_PACKET_H
#define GRO_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "frame/frame.h"

/* What is merged: TCP or UDP, over either IP. */
struct gro_kind {
	bool is_ipv6, is_tcp;
	uint8_t gso_type, proto;
	uint8_t ip_size, addresses, addresses_size;
	uint8_t l4_size, csum; /* without options; where the checksum is */
};

/*
 * How much of a frame is known. It decides which open units the frame closes: all between
 * its Ethernet addresses, all between its IP addresses, or that of its flow, to which a
 * mergeable frame may be added.
 */
enum gro_known {
	GRO_KNOWN_ETHERNET,
	GRO_KNOWN_ADDRESSES,
	GRO_KNOWN_FLOW,
	GRO_KNOWN_MERGEABLE
};

/*
 * A frame, taken apart.
 * @head:     its first bytes, @have of them
 * @payload:  in one piece, of GRO_KNOWN_MERGEABLE; @payload_len is not 0 then
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
 * gro_parse() - Take a frame apart.
 * @udp:  whether UDP is merged at all
 * @room: FRAME_PEEK bytes, for the headers of a frame that has them in several pieces;
 *        such a frame is not mergeable. Must stay as long as @p is used.
 *
 * Return: how far it went; only so much of @p is set.
 */
enum gro_known gro_parse(struct gro_packet *p, const struct frame *f, bool udp,
			 uint8_t *room);

/*
 * gro_is_same_flow() - Whether both have the same Ethernet header and VLAN tags,
 * addresses, ports and protocol. Both at least GRO_KNOWN_FLOW.
 */
bool gro_is_same_flow(const struct gro_packet *a, const struct gro_packet *b);

/*
 * gro_is_alike() - Whether what a split copies from the first frame of a unit is
 * the same in both: all but lengths, checksums, IPv4 ID, sequence number and PSH.
 * Both GRO_KNOWN_MERGEABLE, of one flow.
 */
bool gro_is_alike(const struct gro_packet *a, const struct gro_packet *b);

/* gro_is_intact() - Whether both checksums are good. GRO_KNOWN_MERGEABLE. */
bool gro_is_intact(const struct gro_packet *p);

#endif
