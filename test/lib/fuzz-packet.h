/* SPDX-License-Identifier: MIT */
/* Good frames, of whatever kind an input says. */
#ifndef FUZZ_PACKET_H
#define FUZZ_PACKET_H

#include "lib/fuzz.h"
#include "lib/packet.h"

/* fuzz_packet() - All but the payload's length, which is 0. */
static inline struct packet fuzz_packet(struct fuzz_input *in)
{
	uint8_t kind = fuzz_byte(in), rare = fuzz_byte(in);

	return (struct packet){
		.v6 = kind & 1,
		.udp = kind & 2,
		.df = kind & 4,
		.tcp_options = kind & 8 ? 12 : 0,
		.tags = kind >> 4 & 3 ? 0 : kind >> 6 & 3,
		.from = 1,
		.to = 2,
		.sport = 1000,
		.dport = 2000,
		.ttl = 64,
		.tos = rare & 1 ? fuzz_byte(in) : 0,
		.flags = rare & 2 ? fuzz_byte(in) : 0x10,
		.id = rare & 4 ? (uint16_t)fuzz_number(in, 2) : 7,
		.seq = rare & 8 ? fuzz_number(in, 4) : 100,
		.window = 500,
		.ip_options = rare & 16 && !(kind & 1) ? 4 : 0,
		.ext = rare & 32 && kind & 1 ? 8 : 0,
		.pad = rare & 64 ? fuzz_byte(in) % 30 : 0,
		.urgent = rare >> 7,
		.ack = 4711,
		.fill = fuzz_byte(in),
	};
}

#endif
